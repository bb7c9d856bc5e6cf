// Package views folds a book's log into tables and asks them: documents,
// customers and their balances, open items, the tax report, the journal and
// trial balance, series, settings, and which events made up what.
//
// The SQL is the same on every engine; docs/ARCHITECTURE.md says how it must be
// written. Amounts are stored as minor units beside their currency, instants as
// microseconds since 1970 in UTC, dates as their ISO text; texts are compared
// byte by byte.
//
// A document's key is the position of the commit that began it, times 65,536,
// plus the event's place in that commit: it follows from the log, so every
// rebuild and every engine gives the same one.
package views

import (
	"context"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/projections"
)

// Queries are the questions that views answer. The methods are safe for
// concurrent use.
type Queries struct{ reader Reader }

// NewQueries makes the queries of what the reader reads.
func NewQueries(r Reader) *Queries { return &Queries{reader: r} }

// Views are the views in one database. They implement projections.Store.
type Views struct {
	*Queries
	engine Engine
	// effective is the last day that counts; empty where all do.
	effective domain.Date
}

// New makes the views of a database that Migrate has prepared.
func New(e Engine) *Views { return NewEffective(e, "") }

// NewEffective makes views of what is dated up to a day; all of it where the day
// is empty.
func NewEffective(e Engine, until domain.Date) *Views { return &Views{NewQueries(e), e, until} }

// Cursor implements projections.Store.
func (v *Views) Cursor(ctx context.Context) (projections.Cursor, error) {
	s, err := v.Status(ctx)
	return s.Cursor, err
}
