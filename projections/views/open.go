package views

import (
	"cmp"
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
)

// OpenFilter says which open items to list: the first due first.
type OpenFilter struct {
	// Customer is one customer's, uuid.Nil for all.
	Customer uuid.UUID
	// AsOf is the day from which days overdue are counted; it is required. What
	// is open is what is open now.
	AsOf domain.Date
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
	// Aging is by currency, and Base all of it in the book's.
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
}

// Aging is what is open in one currency, by how long it is overdue.
type Aging struct {
	Currency string `json:"currency"`
	Open     string `json:"open"`
	NotDue   string `json:"not_due"`
	Days30   string `json:"days_1_30"`
	Days60   string `json:"days_31_60"`
	Days90   string `json:"days_61_90"`
	Older    string `json:"days_over_90"`
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
		into.Items = append(into.Items, OpenItem{s, base(d.openBase), daysBetween(d.due, f.AsOf)})
		return nil
	})
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
		if byCurrency[currency] == nil {
			byCurrency[currency] = new(ages)
		}
		days := daysBetween(due, f.AsOf)
		if err := whole.add(days, open.base); err != nil {
			return err
		}
		return byCurrency[currency].add(days, open.amount)
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
	if len(byCurrency) == 0 {
		return nil
	}
	aging, err := whole.aging(base)
	into.Base = &aging
	return err
}

// ages are sums by days overdue; the first is the whole.
type ages [6]int64

func (a *ages) add(days int, open int64) error {
	for _, i := range []int{0, 1 + min((max(days, 0)+29)/30, 4)} {
		sum, err := add(a[i], open)
		if err != nil {
			return err
		}
		a[i] = sum
	}
	return nil
}

func (a *ages) aging(currency string) (Aging, error) {
	text, err := decimals(currency)
	if err != nil {
		return Aging{}, err
	}
	return Aging{currency, text(a[0]), text(a[1]), text(a[2]), text(a[3]), text(a[4]), text(a[5])}, nil
}

func daysBetween(due, day domain.Date) int {
	if due >= day {
		return 0
	}
	return int(dateTime(day).Sub(dateTime(due)).Hours() / 24)
}
