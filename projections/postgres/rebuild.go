package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/daybook-ledger/daybook/projections"
	"github.com/daybook-ledger/daybook/projections/views"
)

// Rebuild makes the views of a book anew from the whole log, in a new schema
// beside the live one, and then makes the new one live in one step. Meanwhile the
// live views are read and brought forward as before; they may also be damaged,
// newer than this program, or missing. Every process that has them open changes
// over by itself, and the old schema is dropped.
//
// Where Rebuild fails, or the process dies, the live views are as they were, and
// the next Rebuild goes on where this one was. projections.ErrBusy where another
// process is rebuilding; *views.Disagreement where views come out otherwise.
func Rebuild(ctx context.Context, o Options, r views.Rebuild) error {
	db, err := newDatabase(o)
	if err == nil {
		err = db.rebuild(ctx, o, r)
	}
	if err != nil {
		return fmt.Errorf("postgres: rebuild: %w", classify(err))
	}
	return nil
}

func (db *database) rebuild(ctx context.Context, o Options, r views.Rebuild) error {
	if err := views.CheckNames(r.Named); err != nil {
		return err
	}
	c, err := db.connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	if err := db.prepare(ctx, c); err != nil {
		return err
	}
	unlock, err := db.lockRebuild(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	err = db.replace(ctx, c, o, r)
	if errors.Is(err, projections.ErrRebuild) && !r.Fresh { // what was begun is of another log
		r.Fresh = true
		err = db.replace(ctx, c, o, r)
	}
	return err
}

// lockRebuild makes this the one process that rebuilds, until unlock or the end
// of its connection. On CockroachDB, which has no such locks, it locks a row. On
// PostgreSQL that would leave a transaction open, and as long as there is one, nothing
// in the database that was replaced since can be cleared away: each row that a
// rebuild writes often would be looked for among all that it was before.
func (db *database) lockRebuild(ctx context.Context) (unlock func(), err error) {
	c, err := db.connect(ctx)
	if err != nil {
		return nil, err
	}
	release := func() error { return nil }
	unlock = func() {
		// A server notices late that a connection was closed, so the lock goes first.
		_ = release()
		_ = c.Close(context.WithoutCancel(ctx))
	}
	if cockroach(c) {
		release, err = db.lockRow(ctx, c)
	} else {
		release, err = db.lockName(ctx, c)
	}
	if err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

func (db *database) lockName(ctx context.Context, c *pgx.Conn) (release func() error, err error) {
	var got bool
	err = c.QueryRow(ctx, `SELECT pg_try_advisory_lock(hashtextextended($1, 0))`, "rebuild "+db.prefix()).Scan(&got)
	if err == nil && !got {
		err = projections.ErrBusy
	}
	return func() error {
		_, err := c.Exec(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock_all()`)
		return err
	}, err
}

// rebuildRow locks the row that stands for a rebuild.
const rebuildRow = `SELECT book FROM daybook.rebuilds WHERE book = $1 FOR UPDATE NOWAIT`

// OnlyCockroach gives the statements that PostgreSQL is never sent.
func OnlyCockroach() []string { return []string{rebuildRow} }

func (db *database) lockRow(ctx context.Context, c *pgx.Conn) (release func() error, err error) {
	tx, err := c.Begin(ctx)
	if err != nil {
		return func() error { return nil }, err
	}
	var book []byte
	err = tx.QueryRow(ctx, rebuildRow, db.book[:]).Scan(&book)
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == lockNotAvailable {
		err = projections.ErrBusy
	}
	return func() error { return tx.Rollback(context.WithoutCancel(ctx)) }, err
}

func (db *database) replace(ctx context.Context, c *pgx.Conn, o Options, r views.Rebuild) error {
	before, next, err := db.begin(ctx, c, r.Fresh)
	if err != nil {
		return err
	}
	if err := db.sweep(ctx, c, before, next); err != nil {
		return err
	}
	if err := db.define(ctx, next, func(d views.Definer) error { return views.Migrate(ctx, d, true) }); err != nil {
		return err
	}
	g, err := db.open(ctx, next, false)
	if err != nil {
		return err
	}
	defer g.close()
	replacement := views.Replacement{Rebuild: r, Next: g.views, Index: func(ctx context.Context) error {
		err := db.define(ctx, next, func(d views.Definer) error { return views.Index(ctx, d) })
		if err != nil {
			return err
		}
		return db.vacuum(ctx, c, next)
	}}
	if before != 0 {
		if live, err := Open(ctx, o); err == nil {
			defer live.Close()
			replacement.Live = live
		}
	}
	if err := replacement.Fill(ctx); err != nil {
		return err
	}
	if err := db.goLive(ctx, c, before, g, r); err != nil {
		return err
	}
	return db.sweep(ctx, c, next, next)
}

// vacuum tells PostgreSQL how much there is of what, and that all of it can be seen
// from the indexes: by itself it comes to that minutes after a rebuild, and until
// then questions take ten times as long. CockroachDB has nothing to vacuum.
func (db *database) vacuum(ctx context.Context, c *pgx.Conn, number int64) error {
	if cockroach(c) {
		return nil
	}
	rows, err := c.Query(ctx, `SELECT tablename::TEXT FROM pg_catalog.pg_tables WHERE schemaname = $1`, db.schema(number))
	if err != nil {
		return err
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for i, table := range tables {
		tables[i] = pgx.Identifier{db.schema(number), table}.Sanitize()
	}
	_, err = c.Exec(ctx, `VACUUM (ANALYZE) `+strings.Join(tables, ", "))
	return err
}

// begin gives the live generation, and the one to be filled: what a rebuild
// before left, if it can be gone on with, or a new one.
func (db *database) begin(ctx context.Context, c *pgx.Conn, fresh bool) (live, next int64, err error) {
	if err := c.QueryRow(ctx, `SELECT generation, next FROM daybook.books WHERE book = $1`, db.book[:]).Scan(&live, &next); err != nil {
		return 0, 0, err
	}
	if next > live && !fresh {
		var erasure int64
		err := c.QueryRow(ctx, `SELECT erasure FROM daybook.generations WHERE book = $1 AND number = $2`, db.book[:], next).Scan(&erasure)
		if err == nil && erasure == db.erasure {
			if current, err := db.current(ctx, c, next); err == nil && current {
				return live, next, nil
			}
		}
	}
	next = max(live, next) + 1
	if err := db.stamp(ctx, c, next); err != nil {
		return 0, 0, err
	}
	_, err = c.Exec(ctx, `UPDATE daybook.books SET next = $1 WHERE book = $2`, next, db.book[:])
	return live, next, err
}

// goLive makes a generation live. Nobody writes meanwhile: so it is as far as
// the one before.
func (db *database) goLive(ctx context.Context, c *pgx.Conn, before int64, g *generation, r views.Rebuild) error {
	tx, err := c.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) //nolint:errcheck // after Commit it does nothing
	changed, err := tx.Exec(ctx, `UPDATE daybook.books SET generation = $1, next = 0 WHERE book = $2 AND generation = $3 AND next = $1`, g.number, db.book[:], before)
	if err != nil {
		return err
	}
	if changed.RowsAffected() == 0 {
		return fmt.Errorf("the live views changed meanwhile: %w", projections.ErrBusy)
	}
	if at, err := db.place(ctx, before); err == nil {
		runner := projections.Runner{View: g.views, Read: r.Log}
		// A live view that is farther than the log leads is of another one.
		if err := runner.CatchUp(ctx, at); err != nil && !errors.Is(err, projections.ErrBehind) {
			return err
		}
	}
	return tx.Commit(ctx)
}

// place tells how many commits a generation holds.
func (db *database) place(ctx context.Context, number int64) (size uint64, err error) {
	c, err := db.connect(ctx)
	if err != nil {
		return 0, err
	}
	defer c.Close(context.WithoutCancel(ctx))
	err = c.QueryRow(ctx, `SELECT size FROM `+db.schema(number)+`.view_cursor WHERE id = 1`).Scan(&size)
	return size, err
}
