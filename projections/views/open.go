package views

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
)

// OpenFilter says which open items to list: the first due first.
type OpenFilter struct {
	// Customer is one customer's, uuid.Nil for all.
	Customer uuid.UUID
	// AsOf is the day from which days overdue are counted; it is required. What
	// is open is what is open now.
	AsOf domain.Date
	// Explain adds the entries behind each item.
	Explain bool
	// Limit is the number of rows, at most MaxLimit; 0 means DefaultLimit.
	Limit int
	// After is the Next of the page before, with the same filter.
	After string
}

// OpenItems are what customers owe, item by item, and the sums of all items, not
// only of those on this page.
type OpenItems struct {
	AsOf  domain.Date `json:"as_of"`
	Items []OpenItem  `json:"items"`
	// Aging is by currency, and Base all of it in the book's, where there are
	// others.
	Aging []Aging `json:"aging"`
	Base  *Aging  `json:"base,omitempty"`
	Next  string  `json:"next,omitempty"`
}

// OpenItem is an invoice of which an amount is open, or a reversed payment of
// which an amount is to be paid back.
type OpenItem struct {
	Summary
	// OpenBase is what is open, in the book's currency.
	OpenBase string `json:"open_base"`
	// DaysOverdue is 0 up to and on the due date.
	DaysOverdue int `json:"days_overdue"`
	// Entries are those that made what is open; their figures are open and
	// open_base.
	Entries []Evidence `json:"entries,omitempty"`
}

// openOrder is the order of open items.
var openOrder = order{name: "open", text: "due", number: "0"}

// OpenItems lists what is open. Faults invalid-limit, invalid-page, invalid-date.
func (q *Queries) OpenItems(ctx context.Context, f OpenFilter) (OpenItems, error) {
	limit, err := limited(f.Limit)
	if err != nil {
		return OpenItems{}, err
	}
	if !f.AsOf.Valid() {
		return OpenItems{}, fault("invalid-date", "open items are counted from a day, and %.20q is none", "", f.AsOf)
	}
	after, err := openOrder.parseToken(f.After)
	if err != nil {
		return OpenItems{}, err
	}
	var items OpenItems
	err = q.reader.Read(ctx, func(tx Tx) error {
		items = OpenItems{AsOf: f.AsOf, Items: []OpenItem{}, Aging: []Aging{}}
		currency, base, err := bookCurrency(ctx, tx)
		if err != nil {
			return err
		}
		if err := f.read(ctx, tx, after, limit, base, &items); err != nil {
			return err
		}
		if f.Explain {
			if err := items.explain(ctx, tx, base); err != nil {
				return err
			}
		}
		return f.age(ctx, tx, currency, &items)
	})
	if err != nil {
		return OpenItems{}, fmt.Errorf("views: open items: %w", err)
	}
	return items, nil
}

func (f OpenFilter) read(ctx context.Context, tx Tx, after key, limit int, base func(minor int64) string, into *OpenItems) error {
	w := where{conditions: []string{"open <> 0"}}
	o := openOrder
	if f.Customer != uuid.Nil {
		w.add("customer = ?", f.Customer[:])
		o = o.loose() // one customer's are few
	}
	w.after(o, after)
	query := `SELECT ` + documentColumns + ` FROM documents` + w.String() + o.by() + w.limit(limit+1)
	var last document
	return load(ctx, tx, query, w.args, func(r scanner) error {
		var d document
		if err := d.scan(r); err != nil {
			return err
		}
		if len(into.Items) == limit {
			into.Next = openOrder.token(string(last.due), 0, last.seq)
			return nil
		}
		last = d
		s, err := d.summary(f.AsOf)
		if err != nil {
			return err
		}
		into.Items = append(into.Items, OpenItem{Summary: s, OpenBase: base(d.openBase), DaysOverdue: daysBetween(d.due, f.AsOf)})
		return nil
	})
}

// explain adds the entries behind each item.
func (o *OpenItems) explain(ctx context.Context, tx Tx, base func(int64) string) error {
	told := 0
	for part := range slices.Chunk(o.Items, peopleTogether) {
		w := where{conditions: []string{"p.item <> 0"}}
		var customers, documents []any
		for i := range part {
			customers, documents = append(customers, part[i].Customer[:]), append(documents, part[i].ID[:])
		}
		w.in("p.customer", customers...)
		w.in("i.id", documents...)
		w.add("p.account = ?", string(account.Receivables))
		all, err := readFacts(ctx, tx, postingFacts, w)
		if err != nil {
			return err
		}
		entries, err := explain(all, base, func(p fact) (domain.StreamID, []figure) { return p.of, both("open", p.worth) })
		if err != nil {
			return err
		}
		for i := range part {
			part[i].Entries = entries[domain.StreamID{Kind: part[i].Kind, ID: part[i].ID}]
		}
		if told += len(all); told > MaxEntries {
			return tooMany()
		}
	}
	return nil
}

// age sums by days overdue. For all customers the sums of each due date are
// kept; those of one customer are few.
func (f OpenFilter) age(ctx context.Context, tx Tx, base string, into *OpenItems) error {
	query, args := `SELECT due, currency, open, open_base FROM open_days WHERE open <> 0`, []any(nil)
	if f.Customer != uuid.Nil {
		query, args = `SELECT due, currency, open, open_base FROM documents WHERE open <> 0 AND customer = $1`, []any{f.Customer[:]}
	}
	byCurrency := map[string]*ages{}
	var whole ages
	err := load(ctx, tx, query, args, func(r scanner) error {
		var due domain.Date
		var currency string
		var open worth
		if err := r.Scan(&due, &currency, &open.amount, &open.base); err != nil {
			return err
		}
		if err := whole.add(age(due, f.AsOf), open.base); err != nil {
			return err
		}
		return at(byCurrency, currency).add(age(due, f.AsOf), open.amount)
	})
	if err != nil {
		return err
	}
	for _, currency := range keys(byCurrency, cmp.Compare[string]) {
		aging, err := byCurrency[currency].aging(currency)
		if err != nil {
			return err
		}
		into.Aging = append(into.Aging, aging)
	}
	if own := byCurrency[base]; len(byCurrency) == 0 || own != nil && len(byCurrency) == 1 {
		return nil
	}
	aging, err := whole.aging(base)
	into.Base = &aging
	return err
}

func daysBetween(due, day domain.Date) int {
	if due >= day {
		return 0
	}
	return int(dateTime(day).Sub(dateTime(due)).Hours() / 24)
}
