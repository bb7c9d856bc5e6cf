package views

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
)

// Dimension is what revenue is divided by.
type Dimension string

// The dimensions.
const (
	ByMonth    Dimension = "month"
	ByCustomer Dimension = "customer"
	ByItem     Dimension = "item"
)

// Dimensions are all of them, in the order of a report's columns.
func Dimensions() []Dimension { return []Dimension{ByMonth, ByCustomer, ByItem} }

// RevenueFilter says what revenue to report on.
type RevenueFilter struct {
	// From and To bound the dates, both included; empty for no bound.
	From, To domain.Date
	// Customer is one customer's, uuid.Nil for all.
	Customer uuid.UUID
	// By is what it is divided by; empty for all dimensions.
	By []Dimension
	// Explain adds the entries behind each row.
	Explain bool
}

// RevenueReport is revenue without tax, less what was credited.
type RevenueReport struct {
	From domain.Date  `json:"from,omitempty"`
	To   domain.Date  `json:"to,omitempty"`
	By   []Dimension  `json:"by"`
	Rows []RevenueRow `json:"rows"`
	// Totals are the sums of the rows by currency: what was posted to revenue.
	Totals []RevenueTotal `json:"totals"`
}

// RevenueRow is one part. What it is not divided by is empty.
type RevenueRow struct {
	// Month is like "2026-01".
	Month string `json:"month,omitempty"`
	// CustomerName is the present one; empty once erased.
	Customer     uuid.UUID `json:"customer,omitzero"`
	CustomerName string    `json:"customer_name,omitempty"`
	// Sold says what Item is: the seller's code of an item, or nothing on lines
	// without one and on allowances and charges for whole documents.
	Sold     account.Sold `json:"sold,omitempty"`
	Item     string       `json:"item,omitempty"`
	Currency string       `json:"currency"`
	Amount   string       `json:"amount"`
	// AmountBase is in the book's currency.
	AmountBase string `json:"amount_base"`
	// Entries are those behind it; their figures are amount and amount_base.
	Entries []Evidence `json:"entries,omitempty"`
}

// RevenueTotal is the revenue in one currency.
type RevenueTotal struct {
	Currency   string `json:"currency"`
	Amount     string `json:"amount"`
	AmountBase string `json:"amount_base"`
}

// revenueKey is what is alike in the facts of a row.
type revenueKey struct {
	month    string
	customer uuid.UUID
	sold     account.Sold
	item     string
	currency string
}

// soldOrder is the order of rows: items first.
var soldOrder = []account.Sold{account.SoldItem, account.SoldUncoded, account.SoldAdjustment}

// Revenue reports on revenue. Faults invalid-date, invalid-dimension,
// too-many-entries.
func (q *Queries) Revenue(ctx context.Context, f RevenueFilter) (report RevenueReport, err error) {
	if err := checkDates(f.From, f.To); err != nil {
		return report, err
	}
	by, err := f.dimensions()
	if err != nil {
		return report, err
	}
	err = q.reader.Read(ctx, func(tx Tx) error {
		_, base, err := bookCurrency(ctx, tx)
		if err != nil {
			return err
		}
		report = RevenueReport{From: f.From, To: f.To, By: by, Rows: []RevenueRow{}, Totals: []RevenueTotal{}}
		sums, err := f.sums(ctx, tx, by)
		if err != nil {
			return err
		}
		names, err := namesOf(ctx, tx, sums)
		if err != nil {
			return err
		}
		var entries map[revenueKey][]Evidence
		if f.Explain {
			if entries, err = f.explain(ctx, tx, by, base); err != nil {
				return err
			}
		}
		return report.fill(sums, names, entries, base)
	})
	return report, failed("revenue", err)
}

// dimensions gives those of the filter in the order of the columns.
func (f RevenueFilter) dimensions() ([]Dimension, error) {
	if len(f.By) == 0 {
		return Dimensions(), nil
	}
	var by []Dimension
	for _, d := range Dimensions() {
		if slices.Contains(f.By, d) {
			by = append(by, d)
		}
	}
	for _, d := range f.By {
		if !slices.Contains(by, d) {
			return nil, fault("invalid-dimension", "revenue cannot be divided by %.40q", "one or more of "+strings.Join(texts(Dimensions()), ", "), d)
		}
	}
	return by, nil
}

// where gives the conditions on sales.
func (f RevenueFilter) where() (w where) {
	w.between("p.date", f.From, f.To)
	if f.Customer != uuid.Nil {
		w.add("p.customer = ?", f.Customer[:])
	}
	return w
}

// sums adds up sales by the dimensions.
func (f RevenueFilter) sums(ctx context.Context, tx Tx, by []Dimension) (map[revenueKey]worth, error) {
	var k revenueKey
	var customer []byte
	var sum worth
	columns, into := []string{"p.currency"}, []any{&sum.amount, &sum.base, &k.currency}
	if slices.Contains(by, ByMonth) {
		columns, into = append(columns, "substr(p.date, 1, 7)"), append(into, &k.month)
	}
	if slices.Contains(by, ByCustomer) {
		columns, into = append(columns, "p.customer"), append(into, &customer)
	}
	if slices.Contains(by, ByItem) {
		columns, into = append(columns, "p.sold", "p.item"), append(into, &k.sold, &k.item)
	}
	list := strings.Join(columns, ", ")
	w := f.where()
	sums := map[revenueKey]worth{}
	err := load(ctx, tx, `SELECT sum(p.amount), sum(p.base), `+list+` FROM sales p`+w.String()+` GROUP BY `+list+w.limit(MaxEntries+1), w.args,
		func(r scanner) error {
			err := r.Scan(into...)
			copy(k.customer[:], customer)
			sums[k] = sum
			return err
		})
	if err == nil && len(sums) > MaxEntries {
		err = tooMany()
	}
	return sums, err
}

// explain tells the entries behind each row.
func (f RevenueFilter) explain(ctx context.Context, tx Tx, by []Dimension, base func(int64) string) (map[revenueKey][]Evidence, error) {
	all, err := readFacts(ctx, tx, saleFacts, f.where())
	if err != nil {
		return nil, err
	}
	return explain(all, base, func(p fact) (k revenueKey, _ []figure) {
		k.currency = p.currency
		if slices.Contains(by, ByMonth) {
			k.month = p.Date.Month()
		}
		if slices.Contains(by, ByCustomer) {
			k.customer = p.customer
		}
		if slices.Contains(by, ByItem) {
			k.sold, k.item = p.sold, p.item
		}
		return k, both("amount", p.worth)
	})
}

// namesOf gives the present names of the customers of rows.
func namesOf(ctx context.Context, tx Tx, sums map[revenueKey]worth) (map[uuid.UUID]string, error) {
	names := map[uuid.UUID]string{}
	for k := range sums {
		names[k.customer] = ""
	}
	delete(names, uuid.Nil)
	for part := range slices.Chunk(keys(names, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }), peopleTogether) {
		args := make([]any, len(part))
		for i := range part {
			args[i] = part[i][:]
		}
		var w where
		w.in("id", args...)
		err := load(ctx, tx, `SELECT id, name FROM customers`+w.String(), w.args, func(r scanner) error {
			var id uuid.UUID
			var name string
			err := r.Scan(&id, &name)
			names[id] = name
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return names, nil
}

// fill adds the rows and the totals.
func (report *RevenueReport) fill(sums map[revenueKey]worth, names map[uuid.UUID]string, entries map[revenueKey][]Evidence, base func(int64) string) error {
	ordered := keys(sums, func(k, l revenueKey) int {
		return cmp.Or(cmp.Compare(k.month, l.month), cmp.Compare(fold(names[k.customer]), fold(names[l.customer])),
			bytes.Compare(k.customer[:], l.customer[:]), cmp.Compare(slices.Index(soldOrder, k.sold), slices.Index(soldOrder, l.sold)),
			cmp.Compare(k.item, l.item), cmp.Compare(k.currency, l.currency))
	})
	totals := map[string]*worth{}
	for _, k := range ordered {
		text, err := decimals(k.currency)
		if err != nil {
			return err
		}
		if err := at(totals, k.currency).add(sums[k]); err != nil {
			return err
		}
		report.Rows = append(report.Rows, RevenueRow{
			k.month, k.customer, names[k.customer], k.sold, k.item, k.currency, text(sums[k].amount), base(sums[k].base), entries[k],
		})
	}
	for _, currency := range keys(totals, cmp.Compare[string]) {
		text, err := decimals(currency)
		if err != nil {
			return err
		}
		report.Totals = append(report.Totals, RevenueTotal{currency, text(totals[currency].amount), base(totals[currency].base)})
	}
	return nil
}
