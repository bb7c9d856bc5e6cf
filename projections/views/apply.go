package views

import (
	"context"
	"fmt"

	"github.com/daybook-ledger/daybook/projections"
)

// Apply implements projections.Store.
func (v *Views) Apply(ctx context.Context, pages []projections.Page) (at projections.Cursor, err error) {
	err = v.engine.Write(ctx, func(w Writer) error {
		at, err = v.apply(ctx, w, pages)
		return err
	})
	if err != nil {
		return at, fmt.Errorf("views: apply: %w", err)
	}
	return at, nil
}

// apply folds the pages that follow the cursor, and moves it; it gives the
// cursor as it is then.
func (v *Views) apply(ctx context.Context, w Writer, pages []projections.Page) (projections.Cursor, error) {
	status, err := readStatus(ctx, w)
	if err != nil {
		return projections.Cursor{}, err
	}
	pages, err = projections.Follows(status.Cursor, pages)
	if err != nil || len(pages) == 0 {
		return status.Cursor, err
	}
	b := newBatch(ctx, w)
	b.effective = v.effective
	if err := b.foresee(pages); err != nil {
		return status.Cursor, err
	}
	for _, page := range pages {
		for i := range page.Commits {
			if err := b.fold(&page.Commits[i], page.Cursor.Page); err != nil {
				return status.Cursor, err
			}
		}
	}
	if err := b.write(); err != nil {
		return status.Cursor, err
	}
	at := pages[len(pages)-1].Cursor
	if err := b.exec(`UPDATE view_cursor SET epoch = $1, page = $2, size = $3, root = $4, edge = $5, events = $6 WHERE id = 1`,
		int64(at.Epoch), int64(at.Page), int64(at.Size), at.Root[:], []byte(at.Edge), int64(status.Events)+b.events); err != nil {
		return status.Cursor, err
	}
	return at, nil
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

// readStatus reads the cursor. Tables that a newer program has changed meanwhile
// are left alone.
func readStatus(ctx context.Context, tx Tx) (s Status, err error) {
	var epoch, page, size, events, version int64
	var root, edge []byte
	err = tx.QueryRowContext(ctx, `SELECT epoch, page, size, root, edge, events, (SELECT coalesce(max(version), 0) FROM view_schema)
		FROM view_cursor WHERE id = 1`).Scan(&epoch, &page, &size, &root, &edge, &events, &version)
	if err != nil {
		if none, err := absent(err); !none {
			return s, fmt.Errorf("cursor: %w", err)
		}
		return s, damaged("the view has no cursor")
	}
	if version > Version {
		return s, newer(version)
	}
	if epoch < 0 || page < 0 || size < 0 || events < 0 || len(root) != 0 && len(root) != len(s.Root) {
		return s, damaged("the view's cursor makes no sense")
	}
	s.Epoch, s.Page, s.Size, s.Events = uint64(epoch), uint64(page), uint64(size), uint64(events)
	copy(s.Root[:], root)
	s.Edge = string(edge)
	return s, nil
}
