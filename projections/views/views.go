// Package views folds a book's log into tables and asks them: documents,
// customers and their balances, open items, the tax report, the journal and
// trial balance, series, settings, and which events made up what.
//
// The SQL is the same on every engine: numbered placeholders in the order of
// their first use, INT8, TEXT and BLOB columns, no engine's own functions. What
// still differs is the engine's Dialect. Amounts are stored as minor units
// beside their currency, instants as microseconds since 1970 in UTC, dates as
// their ISO text; texts are compared byte by byte.
//
// A document's key is the position of the commit that began it, times 65,536,
// plus the event's place in that commit: it follows from the log, so every
// rebuild and every engine gives the same one.
package views

import (
	"context"
	"database/sql"
	"fmt"
	"sync"

	"github.com/daybook-ledger/daybook/projections"
)

// Dialect is what an engine needs to be told otherwise.
type Dialect struct {
	// Schema rewrites a statement that defines a table or index, where TEXT is
	// text compared byte by byte, BLOB is bytes, and the comment /*clustered*/
	// ends a table that is best kept in the order of its primary key.
	Schema func(statement string) string
	// Write begins a transaction that must see the newest rows and be the only
	// one that writes until its end; Lock, if any, is its first statement.
	Write sql.TxOptions
	Lock  string
	// Read begins a transaction that sees one state of all rows.
	Read sql.TxOptions
}

// Tx is what queries need of a transaction.
type Tx interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Reader runs f in a transaction that sees one state of the views.
type Reader interface {
	Read(ctx context.Context, f func(Tx) error) error
}

// Queries are the questions that views answer. The methods are safe for
// concurrent use.
type Queries struct{ reader Reader }

// NewQueries makes the queries of what the reader reads.
func NewQueries(r Reader) *Queries { return &Queries{reader: r} }

// Views are the views in one database. They implement projections.Store.
type Views struct {
	*Queries
	write, read *sql.DB
	dialect     Dialect

	applying sync.Mutex
	prepared map[string]*sql.Stmt
}

// New makes the views of a database that Migrate has prepared. Writing goes
// through write, which should have one connection, and reading through read.
func New(write, read *sql.DB, d Dialect) *Views {
	v := &Views{write: write, read: read, dialect: d, prepared: map[string]*sql.Stmt{}}
	v.Queries = NewQueries(v)
	return v
}

// Read implements Reader.
func (v *Views) Read(ctx context.Context, f func(Tx) error) error {
	tx, err := v.read.BeginTx(ctx, &v.dialect.Read)
	if err != nil {
		return fmt.Errorf("views: begin to read: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	return f(tx)
}

// Close releases what the views prepared; the databases stay open.
func (v *Views) Close() error {
	v.applying.Lock()
	defer v.applying.Unlock()
	for query, stmt := range v.prepared {
		stmt.Close()
		delete(v.prepared, query)
	}
	return nil
}

// Cursor implements projections.Store.
func (v *Views) Cursor(ctx context.Context) (projections.Cursor, error) {
	s, err := v.Status(ctx)
	return s.Cursor, err
}
