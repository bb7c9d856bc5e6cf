package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/ncruces/go-sqlite3/driver"

	"github.com/daybook-ledger/daybook/projections/views"
)

// engine runs transactions in a file. It is safe for concurrent use.
type engine struct {
	file *file

	writing  sync.Mutex // held by the one transaction that writes
	prepared map[string]*sql.Stmt
	inserts  inserts
}

func newEngine(f *file) *engine {
	return &engine{file: f, prepared: map[string]*sql.Stmt{}}
}

// close releases what was prepared; the file stays open.
func (e *engine) close() error {
	e.writing.Lock()
	defer e.writing.Unlock()
	var errs []error
	for _, s := range e.prepared {
		errs = append(errs, s.Close())
	}
	clear(e.prepared)
	return errors.Join(append(errs, e.release())...)
}

// release releases the statements that put rows, once their connection is free.
func (e *engine) release() error {
	if e.inserts.conn == nil {
		return nil
	}
	conn, err := e.file.write.Conn(context.Background())
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Raw(func(c any) error { return e.inserts.close(c.(driver.Conn).Raw()) })
}

// Read implements views.Reader.
func (e *engine) Read(ctx context.Context, f func(views.Tx) error) error {
	tx, err := e.file.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("sqlite: begin to read: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	return f(plain{tx})
}

// Write implements views.Engine.
func (e *engine) Write(ctx context.Context, f func(views.Writer) error) error {
	e.writing.Lock()
	defer e.writing.Unlock()
	conn, err := e.file.write.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close() // after the transaction's end it is given back
	tx, err := immediate(ctx, conn)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	w := &writer{tx: tx, conn: conn, prepared: e.prepared, inserts: &e.inserts, here: map[string]*sql.Stmt{}}
	if err := f(w); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	if err := conn.Close(); err != nil { // there is no other to prepare on
		return err
	}
	for _, query := range w.wanted {
		s, err := e.file.write.PrepareContext(ctx, query)
		if err != nil {
			break // it is prepared for each transaction, then
		}
		e.prepared[query] = s
	}
	return nil
}

// immediate begins a transaction that writes. The driver begins a serializable one
// as immediate: it takes the lock to write before anything is read.
func immediate(ctx context.Context, on interface {
	BeginTx(ctx context.Context, opts *sql.TxOptions) (*sql.Tx, error)
},
) (*sql.Tx, error) {
	return on.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
}

// migrate brings the schema up to date, beside other processes that do the same.
func (e *engine) migrate(ctx context.Context, bulk bool) error {
	// Usually there is nothing to do, and no lock to wait for.
	if current, err := views.Current(ctx, plain{e.file.write}); err == nil && current {
		return nil
	}
	return e.define(ctx, func(d views.Definer) error { return views.Migrate(ctx, d, bulk) })
}

// define runs f in a transaction that defines tables.
func (e *engine) define(ctx context.Context, f func(views.Definer) error) error {
	tx, err := immediate(ctx, e.file.write)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	if err := f(plain{tx}); err != nil {
		return err
	}
	return tx.Commit()
}

// plain runs statements as they come.
type plain struct {
	db interface {
		QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
		QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
		ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	}
}

// QueryContext implements views.Tx.
func (p plain) QueryContext(ctx context.Context, query string, args ...any) (views.Rows, error) {
	return p.db.QueryContext(ctx, query, args...)
}

// QueryRowContext implements views.Querier.
func (p plain) QueryRowContext(ctx context.Context, query string, args ...any) views.Row {
	return p.db.QueryRowContext(ctx, query, args...)
}

// ExecContext implements views.Definer.
func (p plain) ExecContext(ctx context.Context, statement string, args ...any) error {
	_, err := p.db.ExecContext(ctx, strings.ReplaceAll(statement, "/*clustered*/", "WITHOUT ROWID"), args...)
	return err
}

// writer writes within one transaction, by statements that are prepared once for
// all transactions.
type writer struct {
	tx       *sql.Tx
	conn     *sql.Conn            // the transaction's
	inserts  *inserts             // of the connection
	prepared map[string]*sql.Stmt // of the database
	here     map[string]*sql.Stmt // of this transaction
	wanted   []string             // prepared here alone; next time of the database
}

func (w *writer) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if s := w.here[query]; s != nil {
		return s, nil
	}
	var s *sql.Stmt
	if known := w.prepared[query]; known != nil {
		s = w.tx.StmtContext(ctx, known)
	} else {
		var err error
		if s, err = w.tx.PrepareContext(ctx, query); err != nil {
			return nil, err
		}
		w.wanted = append(w.wanted, query)
	}
	w.here[query] = s
	return s, nil
}

// QueryContext implements views.Tx.
func (w *writer) QueryContext(ctx context.Context, query string, args ...any) (views.Rows, error) {
	s, err := w.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

// QueryRowContext implements views.Querier.
func (w *writer) QueryRowContext(ctx context.Context, query string, args ...any) views.Row {
	s, err := w.stmt(ctx, query)
	if err != nil {
		return failed{err}
	}
	return s.QueryRowContext(ctx, args...)
}

// failed is the row of a query that could not be asked.
type failed struct{ err error }

// Scan implements views.Row.
func (f failed) Scan(...any) error { return f.err }

// ExecContext implements views.Writer.
func (w *writer) ExecContext(ctx context.Context, query string, args ...any) error {
	s, err := w.stmt(ctx, query)
	if err != nil {
		return err
	}
	_, err = s.ExecContext(ctx, args...)
	return err
}

// Put implements views.Writer.
func (w *writer) Put(ctx context.Context, t views.Table, flat []any, update bool) error {
	err := ctx.Err()
	if err == nil && len(flat) > 0 {
		err = w.conn.Raw(func(c any) error { return w.inserts.put(c.(driver.Conn).Raw(), t, flat, update) })
	}
	if err != nil {
		return fmt.Errorf("%s: %w", t.Name, err)
	}
	return nil
}
