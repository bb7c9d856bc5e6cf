package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	crdbpgx "github.com/cockroachdb/cockroach-go/v2/crdb/crdbpgxv5"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/daybook-ledger/daybook/projections/views"
)

// errReplaced means that another generation is live.
var errReplaced = errors.New("postgres: another generation of the views is live")

// engine runs transactions in one generation. It is safe for concurrent use.
type engine struct {
	pool   *pgxpool.Pool
	book   uuid.UUID
	number int64
	// live says that the generation answers queries: then every transaction looks
	// whether it still does, and writing is locked by the row that says so. A
	// generation that is being filled is locked by its own cursor.
	live      bool
	within    time.Duration
	cockroach bool
}

// Read implements views.Reader.
func (e *engine) Read(ctx context.Context, f func(views.Tx) error) error {
	return e.transact(ctx, pgx.TxOptions{IsoLevel: e.isolation(pgx.RepeatableRead), AccessMode: pgx.ReadOnly}, func(tx *transaction) error {
		if err := e.still(ctx, tx, ""); err != nil {
			return err
		}
		return f(tx)
	})
}

// Write implements views.Engine.
func (e *engine) Write(ctx context.Context, f func(views.Writer) error) error {
	return e.transact(ctx, pgx.TxOptions{IsoLevel: e.isolation(pgx.ReadCommitted), AccessMode: pgx.ReadWrite}, func(tx *transaction) error {
		if err := e.lock(ctx, tx); err != nil {
			return err
		}
		return f(tx)
	})
}

// isolation is the level on PostgreSQL. CockroachDB is serializable unless told
// otherwise, and is not.
func (e *engine) isolation(level pgx.TxIsoLevel) pgx.TxIsoLevel {
	if e.cockroach {
		return pgx.Serializable
	}
	return level
}

// lock makes the transaction the only one that writes.
func (e *engine) lock(ctx context.Context, tx *transaction) error {
	if e.live {
		return e.still(ctx, tx, " FOR UPDATE")
	}
	var id int64
	return tx.QueryRowContext(ctx, `SELECT id FROM view_cursor WHERE id = 1 FOR UPDATE`).Scan(&id)
}

// still sees that a live generation is live.
func (e *engine) still(ctx context.Context, tx *transaction, lock string) error {
	if !e.live {
		return nil
	}
	var number int64
	if err := tx.QueryRowContext(ctx, liveQuery+lock, e.book[:]).Scan(&number); err != nil {
		return err
	}
	if number != e.number {
		return errReplaced
	}
	return nil
}

// transact runs f in a transaction, again where the database could not put it in
// order with others.
func (e *engine) transact(ctx context.Context, options pgx.TxOptions, f func(*transaction) error) error {
	ctx, patience := newPatience(ctx, e.within)
	defer patience.end()
	begins := &begins{pool: e.pool}
	err := crdbpgx.ExecuteTx(ctx, begins, options, func(tx pgx.Tx) error { return f(&transaction{tx, patience}) })
	if err == nil {
		err = begins.ended
	}
	return patience.explain(ctx, err)
}

// patience ends a context when the database has been silent for too long: a
// connection may hang for ever.
type patience struct {
	within time.Duration
	timer  *time.Timer
	cancel context.CancelCauseFunc
}

func newPatience(ctx context.Context, within time.Duration) (context.Context, *patience) {
	ctx, cancel := context.WithCancelCause(ctx)
	return ctx, &patience{within, time.AfterFunc(within, func() { cancel(errHangs) }), cancel}
}

// anew begins to wait again: the database answered, or is asked something else.
func (p *patience) anew() { p.timer.Reset(p.within) }

func (p *patience) end() {
	p.timer.Stop()
	p.cancel(nil)
}

// explain says of an error that it came of silence.
func (p *patience) explain(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errHangs) {
		return fmt.Errorf("%w within %s", errHangs, p.within)
	}
	return err
}

// begins begins a transaction and remembers how its COMMIT ended. ExecuteTx
// passes over that, because on CockroachDB the savepoint that it releases before
// has committed already; on PostgreSQL nothing else commits.
type begins struct {
	pool  *pgxpool.Pool
	ended error
}

// Begin implements crdbpgx.Conn.
func (b *begins) Begin(ctx context.Context) (pgx.Tx, error) {
	return b.BeginTx(ctx, pgx.TxOptions{})
}

// BeginTx implements crdbpgx.Conn.
func (b *begins) BeginTx(ctx context.Context, options pgx.TxOptions) (pgx.Tx, error) {
	tx, err := b.pool.BeginTx(ctx, options)
	if err != nil {
		return nil, err
	}
	return committed{tx, b}, nil
}

// committed is a transaction that tells how its end went.
type committed struct {
	pgx.Tx
	of *begins
}

// Commit implements pgx.Tx.
func (c committed) Commit(ctx context.Context) error {
	c.of.ended = c.Tx.Commit(ctx)
	return c.of.ended
}
