package views

import "context"

// Rows are the rows that a query found, as *sql.Rows gives them.
type Rows interface {
	Next() bool
	Scan(into ...any) error
	Err() error
	Close() error
}

// Row is the one row of a query. Scan gives an error that wraps sql.ErrNoRows
// where there is none.
type Row interface{ Scan(into ...any) error }

// Querier asks for one row.
type Querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) Row
}

// Tx is a transaction that reads. One statement is under way at a time: rows are
// closed before the next.
type Tx interface {
	Querier
	QueryContext(ctx context.Context, query string, args ...any) (Rows, error)
}

// Writer is a transaction that writes.
type Writer interface {
	Tx
	ExecContext(ctx context.Context, query string, args ...any) error
	// Put writes rows, given one after the other in flat, as int64, string, []byte
	// or nil. Where update is set, rows take the place of those with their key;
	// else such rows are a conflict. No key comes twice.
	Put(ctx context.Context, t Table, flat []any, update bool) error
}

// Reader runs f in a transaction that sees one state of the views. It may run f
// again from its start.
type Reader interface {
	Read(ctx context.Context, f func(Tx) error) error
}

// Engine is a database that keeps views.
type Engine interface {
	Reader
	// Write runs f in a transaction that is the only one that writes, in whatever
	// process, until its end, and that sees what those before it wrote. It may run
	// f again from its start, in another transaction; all that f has written is
	// then as if it had not been.
	Write(ctx context.Context, f func(Writer) error) error
}
