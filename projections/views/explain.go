package views

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
)

// MaxEntries is how many lines and entries one report tells at most.
const MaxEntries = 100_000

// Cause is what a line of a report is there for: an event, and the document that
// it happened to.
type Cause struct {
	// Position is that of the commit in the log, and Event counts in it from 0.
	Position uint64      `json:"position"`
	Event    int         `json:"event"`
	Type     string      `json:"type"`
	Date     domain.Date `json:"date"`
	Kind     domain.Kind `json:"kind"`
	Document uuid.UUID   `json:"document"`
	// Number is empty on payments, which have none.
	Number string `json:"number,omitempty"`
}

// Evidence is an entry behind a row of a report. All of a row, added up by the
// names of the figures, give the row's figures exactly.
type Evidence struct {
	Cause
	// TaxPoint is the day on which the entry counts for tax, where that is another
	// than its date.
	TaxPoint domain.Date `json:"tax_point,omitempty"`
	// Figures are what the entry adds to each figure of the row, by its name.
	Figures map[string]string `json:"figures"`
}

// fact is a posting with the event that posted it, or a part of one to revenue:
// what every figure of a report is a sum of.
type fact struct {
	Cause
	entry    int64
	customer uuid.UUID
	name     string // as it stands on the document
	account  account.Account
	currency string
	worth
	taxable           worth
	category, percent string
	taxPoint          domain.Date
	due               domain.Date
	of                domain.StreamID // whose open amount it changes
	ofNumber          string
	sold              account.Sold
	item              string // the seller's code
}

// facts are where facts are read from, and the last of the columns that put them
// in order.
type facts struct{ query, last string }

// The facts there are: postings, and what of revenue is which item's.
var (
	postingFacts = facts{`SELECT p.position, p.entry, p.date, p.account, p.currency, p.amount, p.base,
			p.category, p.percent, p.taxable, p.taxable_base, p.tax_point, p.due,
			p.customer, '', '', e.event, e.type, d.kind, d.id, d.number, d.name, coalesce(i.kind, ''), i.id, coalesce(i.number, '')
		FROM postings p
		JOIN entries e ON e.position = p.position AND e.entry = p.entry
		JOIN documents d ON d.seq = e.document
		LEFT JOIN documents i ON i.seq = p.item`, "p.line"}
	saleFacts = facts{`SELECT p.position, p.entry, p.date, 'revenue', p.currency, p.amount, p.base, '', '', 0, 0, '', '',
			p.customer, p.sold, p.item, e.event, e.type, d.kind, d.id, d.number, d.name, '', NULL, ''
		FROM sales p
		JOIN entries e ON e.position = p.position AND e.entry = p.entry
		JOIN documents d ON d.seq = e.document`, "p.part"}
)

// readFacts reads facts by date, then as they were recorded. The conditions name
// the columns of what is read with a "p." before them.
func readFacts(ctx context.Context, tx Tx, from facts, w where) ([]fact, error) {
	query := from.query + w.String() + ` ORDER BY p.date, p.position, p.entry, ` + from.last + w.limit(MaxEntries+1)
	var all []fact
	err := load(ctx, tx, query, w.args, func(r scanner) error {
		var f fact
		var of []byte
		err := r.Scan(&f.Position, &f.entry, &f.Date, &f.account, &f.currency, &f.amount, &f.base, &f.category, &f.percent,
			&f.taxable.amount, &f.taxable.base, &f.taxPoint, &f.due, &f.customer, &f.sold, &f.item, &f.Event, &f.Type, &f.Kind, &f.Document, &f.Number, &f.name,
			&f.of.Kind, &of, &f.ofNumber)
		copy(f.of.ID[:], of)
		all = append(all, f)
		return err
	})
	if err == nil && len(all) > MaxEntries {
		err = tooMany()
	}
	return all, err
}

func tooMany() error {
	return fault("too-many-entries", "the report would tell more than %d lines or entries",
		"ask for a shorter time, or for one account or customer", MaxEntries)
}

// figure is what a fact adds to a figure of a row.
type figure struct {
	name   string
	amount int64
	base   bool // in the book's currency, not that of the fact
}

// both gives a figure and the same in the book's currency.
func both(name string, w worth) []figure {
	return []figure{{name, w.amount, false}, {name + "_base", w.base, true}}
}

// explain gives the evidence for the rows that facts add up to. of says to which
// row a fact belongs and what it adds there; nothing where it has no part in the
// report.
func explain[K comparable](all []fact, base func(int64) string, of func(fact) (K, []figure)) (map[K][]Evidence, error) {
	type adding struct {
		fact
		sums map[string]figure
	}
	rows := map[K][]adding{}
	for _, f := range all {
		key, figures := of(f)
		if len(figures) == 0 {
			continue
		}
		row := rows[key]
		if n := len(row); n == 0 || row[n-1].Position != f.Position || row[n-1].entry != f.entry {
			row = append(row, adding{f, map[string]figure{}})
			rows[key] = row
		}
		sums := row[len(row)-1].sums
		for _, part := range figures {
			sum, err := add(sums[part.name].amount, part.amount)
			if err != nil {
				return nil, err
			}
			sums[part.name] = figure{part.name, sum, part.base}
		}
	}
	told := make(map[K][]Evidence, len(rows))
	for key, row := range rows {
		for _, a := range row {
			text, err := decimals(a.currency)
			if err != nil {
				return nil, err
			}
			e := Evidence{Cause: a.Cause, Figures: make(map[string]string, len(a.sums))}
			if a.taxPoint != a.Date {
				e.TaxPoint = a.taxPoint
			}
			for name, sum := range a.sums {
				if e.Figures[name] = text(sum.amount); sum.base {
					e.Figures[name] = base(sum.amount)
				}
			}
			told[key] = append(told[key], e)
		}
	}
	return told, nil
}

// in adds the condition that a column has one of some values.
func (w *where) in(column string, values ...any) {
	w.add(column+" IN "+places(len(values)), values...)
}

// places is a list of so many arguments.
func places(n int) string { return "(" + strings.Repeat("?, ", n-1) + "?)" }

// between adds bounds of dates, both included; empty for no bound.
func (w *where) between(column string, from, to domain.Date) {
	w.text(column+" >= ?", string(from))
	w.text(column+" <= ?", string(to))
}

// checkDates refuses a date that is none, and a range that ends before it begins.
func checkDates(from, to domain.Date) error {
	for _, d := range []domain.Date{from, to} {
		if d != "" && !d.Valid() {
			return fault("invalid-date", "%.40q is not a date", "give it in the form 2026-01-31", d)
		}
	}
	if from != "" && to != "" && to < from {
		return fault("invalid-date", "the time ends on %s, before it begins on %s", "give a time that ends on the day it begins, or later: --from, --to and --effective bound it", to, from)
	}
	return nil
}

// failed is the error of a report.
func failed(report string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("views: %s: %w", report, err)
}
