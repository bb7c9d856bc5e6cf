package sqlite_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/projections/sqlite"
	"github.com/daybook-ledger/daybook/projections/views"
	"github.com/daybook-ledger/daybook/testing/given"
)

// planner asks SQLite how it would answer each query.
type planner struct {
	t     *testing.T
	db    *sql.DB
	plans []string
}

func (p *planner) Read(ctx context.Context, f func(views.Tx) error) error { return f(p) }

func (p *planner) explain(ctx context.Context, query string, args []any) {
	rows, err := p.db.QueryContext(ctx, "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		p.t.Fatalf("%v: %s", err, query)
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			p.t.Fatal(err)
		}
		p.plans = append(p.plans, detail)
	}
}

func (p *planner) QueryContext(ctx context.Context, query string, args ...any) (views.Rows, error) {
	p.explain(ctx, query, args)
	return p.db.QueryContext(ctx, query, args...)
}

func (p *planner) QueryRowContext(ctx context.Context, query string, args ...any) views.Row {
	p.explain(ctx, query, args)
	return p.db.QueryRowContext(ctx, query, args...)
}

// allowed is what may be read from end to end: what is asked for in that order,
// and what does not grow with the book.
var allowed = []string{
	"INDEX documents_open", "INDEX customers_name", "INDEX entries_date", "SCAN open_days", "SCAN CONSTANT", "SCAN books",
	"SCAN k", "SCAN few", // what a subquery gave
}

// TestQueriesUseIndexes: no question but a search reads a whole table that grows
// with the book, and lists come out of an index in their order.
func TestQueriesUseIndexes(t *testing.T) {
	dir, keys := t.TempDir(), newRing()
	s, _, _ := filledViews(t, dir, keys)
	raw, err := sqlite.Raw(dir, keys)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	ctx := context.Background()
	first, err := s.Documents(ctx, views.Filter{Limit: 1, Sort: "total"})
	if err != nil {
		t.Fatal(err)
	}
	document := domain.StreamID{Kind: first.Documents[0].Kind, ID: first.Documents[0].ID}
	asks := map[string]func(q *views.Queries) error{
		"customer": func(q *views.Queries) error { _, err := q.Customer(ctx, given.ID("ada")); return err },
		"customers": func(q *views.Queries) error {
			_, err := q.Customers(ctx, views.CustomerFilter{Sort: "name"})
			return err
		},
		"document":    func(q *views.Queries) error { _, err := q.Document(ctx, document, ""); return err },
		"activity":    func(q *views.Queries) error { _, err := q.Activity(ctx, document); return err },
		"find number": func(q *views.Queries) error { _, err := q.FindDocument(ctx, "INV-00003", ""); return err },
		"find id": func(q *views.Queries) error {
			_, err := q.FindDocument(ctx, document.ID.String()[:9], document.Kind)
			return err
		},
		"find customer": func(q *views.Queries) error { _, err := q.FindCustomer(ctx, "ada & co"); return err },
		"open": func(q *views.Queries) error {
			_, err := q.OpenItems(ctx, views.OpenFilter{AsOf: given.Today})
			return err
		},
		"journal": func(q *views.Queries) error {
			_, err := q.Journal(ctx, views.JournalFilter{From: given.Today})
			return err
		},
		"journal document": func(q *views.Queries) error {
			_, err := q.Journal(ctx, views.JournalFilter{Document: document})
			return err
		},
		"journal account": func(q *views.Queries) error {
			_, err := q.Journal(ctx, views.JournalFilter{Account: account.BadDebt})
			return err
		},
		"find reference": func(q *views.Queries) error {
			if _, err := q.FindDocument(ctx, "ext:none", domain.KindInvoice); err == nil {
				return fmt.Errorf("found")
			}
			return nil
		},
		"open explained": func(q *views.Queries) error {
			_, err := q.OpenItems(ctx, views.OpenFilter{AsOf: given.Today, Explain: true})
			return err
		},
		"aging": func(q *views.Queries) error {
			_, err := q.AgingReport(ctx, views.AgingFilter{Date: given.Today, Limit: 2, Explain: true})
			return err
		},
		"statement": func(q *views.Queries) error {
			_, err := q.Statements(ctx, views.StatementFilter{Customer: given.ID("ada"), From: given.Today, To: given.Today, Explain: true})
			return err
		},
		"ledger": func(q *views.Queries) error {
			_, err := q.Ledger(ctx, views.LedgerFilter{Account: account.BadDebt, From: given.Today, Explain: true})
			return err
		},
		"revenue of a time": func(q *views.Queries) error {
			_, err := q.Revenue(ctx, views.RevenueFilter{From: given.Today, To: given.Today, Explain: true})
			return err
		},
		"tax explained": func(q *views.Queries) error {
			_, err := q.TaxReport(ctx, views.TaxFilter{From: given.Today.Month(), Explain: true})
			return err
		},
		"open of a customer": func(q *views.Queries) error {
			_, err := q.OpenItems(ctx, views.OpenFilter{AsOf: given.Today, Customer: given.ID("ada")})
			return err
		},
	}
	for _, sort := range []string{"recorded", "-number", "date", "-due", "total", "-customer"} {
		list := func(name string, f views.Filter) {
			f.Sort, f.Limit = sort, 5
			asks["list "+sort+" "+name] = func(q *views.Queries) error {
				page, err := q.Documents(ctx, f)
				if err == nil && page.Next != "" {
					f.After = page.Next
					_, err = q.Documents(ctx, f)
				}
				return err
			}
		}
		list("all", views.Filter{})
		list("customer", views.Filter{Customer: given.ID("ada")})
		list("dates", views.Filter{From: given.Today, To: given.Today})
		list("reference", views.Filter{Reference: "none"})
	}
	for name, ask := range asks {
		p := &planner{t: t, db: raw}
		if err := ask(views.NewQueries(p)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, plan := range p.plans {
			scans := strings.HasPrefix(plan, "SCAN") && !slices.ContainsFunc(allowed, func(part string) bool {
				return strings.Contains(plan, part)
			})
			sorts := strings.Contains(plan, "TEMP B-TREE") && strings.HasSuffix(name, "all")
			if scans || sorts {
				t.Errorf("%s: %s", name, plan)
			}
		}
		if len(p.plans) == 0 {
			t.Errorf("%s: no plan", name)
		}
	}
}
