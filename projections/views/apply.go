package views

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/daybook-ledger/daybook/projections"
)

// Apply implements projections.Store.
func (v *Views) Apply(ctx context.Context, pages []projections.Page) (projections.Cursor, error) {
	v.applying.Lock()
	defer v.applying.Unlock()
	at, wanted, err := v.apply(ctx, pages)
	if err != nil {
		return at, fmt.Errorf("views: apply: %w", err)
	}
	for _, query := range wanted {
		stmt, err := v.write.PrepareContext(ctx, query)
		if err != nil {
			break // it is prepared for each transaction, then
		}
		v.prepared[query] = stmt
	}
	return at, nil
}

func (v *Views) apply(ctx context.Context, pages []projections.Page) (_ projections.Cursor, wanted []string, err error) {
	tx, err := begin(ctx, v.write, v.dialect.Write, v.dialect.Lock)
	if err != nil {
		return projections.Cursor{}, nil, err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	status, err := readStatus(ctx, tx)
	if err != nil {
		return projections.Cursor{}, nil, err
	}
	pages, err = projections.Follows(status.Cursor, pages)
	if err != nil || len(pages) == 0 {
		return status.Cursor, nil, err
	}
	w := &writer{tx: tx, prepared: v.prepared, here: map[string]*sql.Stmt{}}
	b := newBatch(ctx, w)
	for _, page := range pages {
		for i := range page.Commits {
			if err := b.fold(&page.Commits[i], page.Cursor.Page); err != nil {
				return status.Cursor, nil, err
			}
		}
	}
	if err := b.write(); err != nil {
		return status.Cursor, nil, err
	}
	at := pages[len(pages)-1].Cursor
	if err := b.exec(`UPDATE view_cursor SET epoch = $1, page = $2, size = $3, root = $4, edge = $5, events = $6 WHERE id = 1`,
		int64(at.Epoch), int64(at.Page), int64(at.Size), at.Root[:], []byte(at.Edge), int64(status.Events)+b.events); err != nil {
		return status.Cursor, nil, err
	}
	if err := tx.Commit(); err != nil {
		return status.Cursor, nil, err
	}
	return at, slices.Clone(w.wanted), nil
}

// Status is how far the views are.
type Status struct {
	projections.Cursor
	// Events is how many events were applied.
	Events uint64
}

// Status tells how far the views are.
func (q *Queries) Status(ctx context.Context) (s Status, err error) {
	err = q.reader.Read(ctx, func(tx Tx) error {
		s, err = readStatus(ctx, tx)
		return err
	})
	return s, err
}

func readStatus(ctx context.Context, tx Tx) (s Status, err error) {
	var epoch, page, size, events int64
	var root, edge []byte
	err = tx.QueryRowContext(ctx, `SELECT epoch, page, size, root, edge, events FROM view_cursor WHERE id = 1`).
		Scan(&epoch, &page, &size, &root, &edge, &events)
	if err != nil {
		if none, err := absent(err); !none {
			return s, fmt.Errorf("cursor: %w", err)
		}
		return s, damaged("the view has no cursor")
	}
	if epoch < 0 || page < 0 || size < 0 || events < 0 || len(root) != 0 && len(root) != len(s.Root) {
		return s, damaged("the view's cursor makes no sense")
	}
	s.Epoch, s.Page, s.Size, s.Events = uint64(epoch), uint64(page), uint64(size), uint64(events)
	copy(s.Root[:], root)
	s.Edge = string(edge)
	return s, nil
}
