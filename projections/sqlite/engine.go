package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/daybook-ledger/daybook/projections/views"
)

// engine runs transactions in a file. It is safe for concurrent use.
type engine struct {
	file *file

	writing  sync.Mutex // held by the one transaction that writes
	prepared map[string]*sql.Stmt
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
	return errors.Join(errs...)
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
	tx, err := e.begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	w := &writer{tx: tx, prepared: e.prepared, here: map[string]*sql.Stmt{}}
	if err := f(w); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
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

// begin begins a transaction that writes. The driver begins a serializable one
// as immediate: it takes the lock to write before anything is read.
func (e *engine) begin(ctx context.Context) (*sql.Tx, error) {
	return e.file.write.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
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
	tx, err := e.begin(ctx)
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

// together is how many rows one statement carries where there are as many.
const together = 16

// Put implements views.Writer.
func (w *writer) Put(ctx context.Context, t views.Table, flat []any, update bool) error {
	for len(flat) > 0 {
		n := min(len(flat)/len(t.Columns), together)
		if n < together {
			n = 1 // only two forms of each statement
		}
		if err := w.ExecContext(ctx, statement(t, n, update), flat[:n*len(t.Columns)]...); err != nil {
			return fmt.Errorf("%s: %w", t.Name, err)
		}
		flat = flat[n*len(t.Columns):]
	}
	return nil
}

// statement gives the SQL that writes n rows.
func statement(t views.Table, n int, update bool) string {
	var b strings.Builder
	b.WriteString(t.Insert())
	b.WriteString(" VALUES ")
	for row := range n {
		for column := range t.Columns {
			switch {
			case column > 0:
				b.WriteString(", ")
			case row > 0:
				b.WriteString(", (")
			default:
				b.WriteString("(")
			}
			b.WriteString("$")
			b.WriteString(strconv.Itoa(row*len(t.Columns) + column + 1))
		}
		b.WriteString(")")
	}
	if update {
		b.WriteString(t.Update())
	}
	return b.String()
}
