package views

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/access"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/domain/series"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// Book is a book's settings.
type Book struct {
	ID       uuid.UUID `json:"id"`
	Currency string    `json:"currency"`
	Origin   string    `json:"origin,omitempty"`
	// TaxBasis says which dates are tax points.
	TaxBasis tax.Basis   `json:"tax_basis"`
	Seller   book.Seller `json:"seller"`
	Opened   time.Time   `json:"opened"`
	Roles    []Role      `json:"roles"`
}

// Role is the role of a principal, and since when.
type Role struct {
	Principal string      `json:"principal"`
	Role      access.Role `json:"role"`
	Granted   time.Time   `json:"granted"`
}

// Book gives the settings, or the fault no-book before it was opened.
func (q *Queries) Book(ctx context.Context) (Book, error) {
	var b Book
	err := q.reader.Read(ctx, func(tx Tx) error {
		b = Book{Roles: []Role{}}
		var seller string
		var opened int64
		err := tx.QueryRowContext(ctx, `SELECT id, currency, origin, seller, opened, tax_basis FROM books`).
			Scan(&b.ID, &b.Currency, &b.Origin, &seller, &opened, &b.TaxBasis)
		if none, err := absent(err); err != nil {
			return err
		} else if none {
			return fault("no-book", "the book is not open yet", "run daybook init")
		}
		b.Opened = instant(opened)
		if b.TaxBasis == "" {
			b.TaxBasis = tax.ByInvoice
		}
		if err := json.Unmarshal([]byte(seller), &b.Seller); err != nil {
			return damaged("the seller: %v", err)
		}
		return load(ctx, tx, `SELECT principal, role, granted FROM roles ORDER BY principal`, nil, func(r scanner) error {
			var role Role
			var granted int64
			if err := r.Scan(&role.Principal, &role.Role, &granted); err != nil {
				return err
			}
			role.Granted = instant(granted)
			b.Roles = append(b.Roles, role)
			return nil
		})
	})
	if err != nil {
		return Book{}, fmt.Errorf("views: book: %w", err)
	}
	return b, nil
}

// Series is a series of numbers.
type Series struct {
	Kind   series.Kind   `json:"kind"`
	Format series.Format `json:"format"`
	// LastNumber is the number drawn last; empty before the first.
	LastNumber string `json:"last_number,omitempty"`
	// LastDate is the latest date of issue, imports not counted.
	LastDate domain.Date `json:"last_date,omitempty"`
	// Counters are the last counters drawn, by year; year 0 is the continuous
	// one.
	Counters []Counter `json:"counters"`
}

// Counter is how far a series has counted in a year.
type Counter struct {
	Year    int    `json:"year,omitempty"`
	Counter uint64 `json:"counter"`
}

// Series lists the series, that of invoices first.
func (q *Queries) Series(ctx context.Context) ([]Series, error) {
	var all []Series
	err := q.reader.Read(ctx, func(tx Tx) error {
		all = []Series{}
		err := load(ctx, tx, `SELECT kind, prefix, width, yearly, last_number, last_date FROM series ORDER BY kind DESC`, nil,
			func(r scanner) error {
				s := Series{Counters: []Counter{}}
				var yearly int64
				if err := r.Scan(&s.Kind, &s.Format.Prefix, &s.Format.Width, &yearly, &s.LastNumber, &s.LastDate); err != nil {
					return err
				}
				s.Format.YearlyReset = yearly != 0
				all = append(all, s)
				return nil
			})
		if err != nil {
			return err
		}
		return load(ctx, tx, `SELECT kind, year, counter FROM series_counters ORDER BY kind, year`, nil, func(r scanner) error {
			var kind series.Kind
			var c Counter
			if err := r.Scan(&kind, &c.Year, &c.Counter); err != nil {
				return err
			}
			for i := range all {
				if all[i].Kind == kind {
					all[i].Counters = append(all[i].Counters, c)
				}
			}
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("views: series: %w", err)
	}
	return all, nil
}
