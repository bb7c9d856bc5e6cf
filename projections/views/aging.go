package views

import (
	"cmp"
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
)

// AgingFilter says of whom, and of which day, an aging report is.
type AgingFilter struct {
	// Customer is one customer's, uuid.Nil for all.
	Customer uuid.UUID
	// Date is the day at whose end it is asked what was open, and from which days
	// overdue are counted; it is required.
	Date domain.Date
	// Explain adds the entries behind each row.
	Explain bool
	// Limit is the number of customers; 0 for all.
	Limit int
	// After is the Next of the page before, with the same filter.
	After string
}

// AgingReport is what was open at the end of a day, by customer and currency.
type AgingReport struct {
	Date domain.Date `json:"date"`
	Rows []AgingRow  `json:"rows"`
	// Totals are those of all customers of the filter, not only of those on this
	// page.
	Totals []AgingTotal `json:"totals"`
	// Base is all of that in the book's currency.
	Base AgingTotal `json:"base"`
	Next string     `json:"next,omitempty"`
}

// AgingTotal is what was open in one currency, and what customers had as credit.
// Credit is in no other column: what it will be used for is not known.
type AgingTotal struct {
	Aging
	Credit string `json:"credit"`
}

// AgingRow is one customer's, in one currency.
type AgingRow struct {
	Customer uuid.UUID `json:"customer"`
	// CustomerName is the present one; empty once erased.
	CustomerName string `json:"customer_name,omitempty"`
	AgingTotal
	// OpenBase and CreditBase are in the book's currency.
	OpenBase   string `json:"open_base"`
	CreditBase string `json:"credit_base"`
	// Entries are those of the items of which something was open, and of the
	// credit that was left; their figures have the names of the columns.
	Entries []Evidence `json:"entries,omitempty"`
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

// ages are sums by days overdue; the first is the whole.
type ages [6]int64

// ageNames are the columns of ages.
var ageNames = [len(ages{})]string{"open", "not_due", "days_1_30", "days_31_60", "days_61_90", "days_over_90"}

// age is where an amount that was due on a day belongs.
func age(due, day domain.Date) int { return 1 + min((daysBetween(due, day)+29)/30, 4) }

// age is the same as an expression: a database sums many due dates sooner than it
// hands them over.
func (w *where) age(day domain.Date) string {
	expression := "CASE"
	for i := range len(ages{}) - 2 {
		w.args = append(w.args, string(day.AddDays(-30*i)))
		expression += fmt.Sprintf(" WHEN due >= $%d THEN %d", len(w.args), i+1)
	}
	return expression + fmt.Sprintf(" ELSE %d END", len(ages{})-1)
}

func (a *ages) add(age int, amount int64) (err error) {
	for _, i := range []int{0, age} {
		if a[i], err = add(a[i], amount); err != nil {
			return err
		}
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

// aged is what was open, and what there was as credit.
type aged struct {
	open, base ages // in the currency of the documents, and in the book's
	credit     worth
}

func (a *aged) add(age int, open worth) error {
	if err := a.open.add(age, open.amount); err != nil {
		return err
	}
	return a.base.add(age, open.base)
}

// total is of ages and credit in one currency.
func total(currency string, open *ages, credit int64) (AgingTotal, error) {
	aging, err := open.aging(currency)
	if err != nil {
		return AgingTotal{}, err
	}
	text, err := decimals(currency)
	return AgingTotal{aging, text(credit)}, err
}

// at gives a row of a map, and makes it where there is none.
func at[K comparable, V any](rows map[K]*V, k K) *V {
	if rows[k] == nil {
		rows[k] = new(V)
	}
	return rows[k]
}

// AgingReport tells what was open at the end of a day, by when it was due.
// Faults invalid-date, invalid-page, unknown-customer, too-many-entries.
func (q *Queries) AgingReport(ctx context.Context, f AgingFilter) (report AgingReport, err error) {
	if !f.Date.Valid() {
		return report, fault("invalid-date", "aging is counted from a day, and %.20q is none", "", f.Date)
	}
	after, err := byName.parseToken(f.After)
	if err != nil {
		return report, err
	}
	err = q.reader.Read(ctx, func(tx Tx) error {
		currency, base, err := bookCurrency(ctx, tx)
		if err != nil {
			return err
		}
		report = AgingReport{Date: f.Date, Rows: []AgingRow{}, Totals: []AgingTotal{}}
		sums, err := f.read(ctx, tx, base, after, &report)
		if err == nil && f.Customer == uuid.Nil {
			sums, err = f.total(ctx, tx)
		}
		if err != nil {
			return err
		}
		return report.total(sums, currency)
	})
	return report, failed("aging", err)
}

// read adds the rows, customer by customer, and gives the sums of the last ones.
func (f AgingFilter) read(ctx context.Context, tx Tx, base func(int64) string, after key, into *AgingReport) (sums map[balanceKey]*aged, err error) {
	var last key
	customers, told := 0, 0
	later, err := anyLater(ctx, tx, f.Date)
	if err != nil {
		return nil, err
	}
	err = eachSomebody(ctx, tx, f.Customer, f.owing(later), after, func(some []somebody) (enough bool, err error) {
		if sums, err = f.age(ctx, tx, some); err != nil {
			return false, err
		}
		rows, err := f.rows(ctx, tx, some, sums, base)
		if err != nil {
			return false, err
		}
		for _, who := range some {
			theirs := rows[who.id]
			if len(theirs) == 0 {
				continue
			}
			if f.Limit > 0 && customers == f.Limit {
				into.Next = byName.token(last.text, 0, last.seq)
				return true, nil
			}
			into.Rows = append(into.Rows, theirs...)
			customers, last = customers+1, who.key
			for _, row := range theirs {
				told += 1 + len(row.Entries)
			}
		}
		if told > MaxEntries {
			return false, tooMany()
		}
		return false, nil
	})
	return sums, err
}

// owing leaves out the customers who have nothing to tell: there may be many between
// two who have.
func (f AgingFilter) owing(later bool) (w where) {
	// EXISTS would be the same; PostgreSQL answers it by reading all open documents
	// where only the first customers are asked for.
	anything := `(SELECT 1 FROM documents d WHERE d.customer = customers.id AND d.open <> 0 LIMIT 1) IS NOT NULL
		OR (SELECT 1 FROM customer_balances b WHERE b.customer = customers.id AND (b.credit <> 0 OR b.credit_base <> 0) LIMIT 1) IS NOT NULL`
	if !later {
		w.add("(" + anything + ")")
		return w
	}
	w.add("("+anything+` OR (SELECT 1 FROM postings p WHERE p.customer = customers.id AND p.item <> 0 AND p.date > ? LIMIT 1) IS NOT NULL)`, string(f.Date))
	return w
}

// rows makes the rows of some customers, by customer.
func (f AgingFilter) rows(ctx context.Context, tx Tx, some []somebody, sums map[balanceKey]*aged, base func(int64) string) (map[uuid.UUID][]AgingRow, error) {
	var told map[balanceKey][]Evidence
	if f.Explain {
		var err error
		if told, err = f.explain(ctx, tx, some, base); err != nil {
			return nil, err
		}
	}
	names := make(map[uuid.UUID]string, len(some))
	for _, who := range some {
		names[who.id] = who.name
	}
	rows := map[uuid.UUID][]AgingRow{}
	for _, k := range keys(sums, func(k, l balanceKey) int { return cmp.Compare(k.currency, l.currency) }) {
		a := sums[k]
		if *a == (aged{}) {
			continue
		}
		sum, err := total(k.currency, &a.open, a.credit.amount)
		if err != nil {
			return nil, err
		}
		rows[k.customer] = append(rows[k.customer], AgingRow{
			k.customer, names[k.customer], sum, base(a.base[0]), base(a.credit.base), told[k],
		})
	}
	return rows, nil
}

// age sums what was open of some customers: what is now, less what was posted
// since.
func (f AgingFilter) age(ctx context.Context, tx Tx, some []somebody) (map[balanceKey]*aged, error) {
	sums := map[balanceKey]*aged{}
	// One sum for each age, rather than groups by age: so the index gives the groups,
	// and nothing is sorted.
	w := where{conditions: []string{"open <> 0"}}
	query := `SELECT customer, currency, sum(open), sum(open_base)`
	for i := range len(ages{}) - 2 { // what was due on a day or later
		w.args = append(w.args, string(f.Date.AddDays(-30*i)))
		query += fmt.Sprintf(`, coalesce(sum(open) FILTER (WHERE due >= $%d), 0), coalesce(sum(open_base) FILTER (WHERE due >= $%[1]d), 0)`, i+1)
	}
	w.in("customer", ids(some)...)
	err := load(ctx, tx, query+` FROM documents`+w.String()+` GROUP BY customer, currency`, w.args, func(r scanner) error {
		var k balanceKey
		var whole worth
		var since [len(ages{}) - 2]worth
		into := []any{&k.customer, &k.currency, &whole.amount, &whole.base}
		for i := range since {
			into = append(into, &since[i].amount, &since[i].base)
		}
		if err := r.Scan(into...); err != nil {
			return err
		}
		before := worth{}
		for i, sum := range append(since[:], whole) {
			if err := at(sums, k).add(i+1, worth{sum.amount - before.amount, sum.base - before.base}); err != nil {
				return err
			}
			before = sum
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var credits where
	credits.in("customer", ids(some)...)
	err = load(ctx, tx, `SELECT customer, currency, credit, credit_base FROM customer_balances`+credits.String(), credits.args, func(r scanner) error {
		var k balanceKey
		var credit worth
		err := r.Scan(&k.customer, &k.currency, &credit.amount, &credit.base)
		at(sums, k).credit = credit
		return err
	})
	if err != nil {
		return nil, err
	}
	return sums, postedSince(ctx, tx, some, f.Date, func(k balanceKey, a account.Account, age int, posted worth) error {
		if a == account.CustomerCredit {
			return at(sums, k).credit.add(posted) // which was taken off it
		}
		return at(sums, k).add(age, posted.negated())
	})
}

// explain tells the entries of the items of which something was open, and of the
// credit that was left.
func (f AgingFilter) explain(ctx context.Context, tx Tx, some []somebody, base func(int64) string) (map[balanceKey][]Evidence, error) {
	w := where{conditions: []string{"p.item <> 0"}}
	w.in("p.customer", ids(some)...)
	w.add("p.date <= ?", string(f.Date))
	w.add(`(p.item, p.account) IN (SELECT item, account FROM postings WHERE item <> 0 AND customer IN `+places(len(some))+
		` AND date <= ? GROUP BY item, account HAVING sum(amount) <> 0 OR sum(base) <> 0)`, append(ids(some), string(f.Date))...)
	all, err := readFacts(ctx, tx, postingFacts, w)
	if err != nil {
		return nil, err
	}
	return explain(all, base, func(p fact) (balanceKey, []figure) {
		k := balanceKey{p.customer, p.currency}
		if p.account == account.CustomerCredit {
			return k, both("credit", p.negated())
		}
		return k, append(both(ageNames[0], p.worth), figure{ageNames[age(p.due, f.Date)], p.amount, false})
	})
}

// total sums what was open of all customers, by currency.
func (f AgingFilter) total(ctx context.Context, tx Tx) (map[balanceKey]*aged, error) {
	sums := map[balanceKey]*aged{}
	for _, span := range []struct {
		bounds string
		args   []any
	}{
		{"span = ? AND since < ?", []any{spanMonth, f.Date.Month()}},
		{"span = ? AND since >= ? AND since <= ?", []any{spanDay, f.Date.Month(), string(f.Date)}},
	} {
		var w where
		by := w.age(f.Date)
		w.add(span.bounds, span.args...)
		err := load(ctx, tx, `SELECT currency, `+by+` AS age, sum(amount), sum(base) FROM due_sums`+w.String()+` GROUP BY currency, age`,
			w.args, func(r scanner) error {
				var k balanceKey
				var age int
				var open worth
				if err := r.Scan(&k.currency, &age, &open.amount, &open.base); err != nil {
					return err
				}
				return at(sums, k).add(age, open)
			})
		if err != nil {
			return nil, err
		}
	}
	return sums, load(ctx, tx, `SELECT currency, sum(credit) - sum(debit), sum(credit_base) - sum(debit_base) FROM account_days
		WHERE date <= $1 AND account = $2 GROUP BY currency`, []any{string(f.Date), string(account.CustomerCredit)}, func(r scanner) error {
		var k balanceKey
		var credit worth
		err := r.Scan(&k.currency, &credit.amount, &credit.base)
		at(sums, k).credit = credit
		return err
	})
}

// total adds the totals, by currency and in the book's.
func (report *AgingReport) total(sums map[balanceKey]*aged, currency string) (err error) {
	var whole aged
	for _, k := range keys(sums, func(k, l balanceKey) int { return cmp.Compare(k.currency, l.currency) }) {
		a := sums[k]
		for i, part := range a.base {
			if whole.base[i], err = add(whole.base[i], part); err != nil {
				return err
			}
		}
		if err := whole.credit.add(a.credit); err != nil {
			return err
		}
		sum, err := total(k.currency, &a.open, a.credit.amount)
		if err != nil {
			return err
		}
		report.Totals = append(report.Totals, sum)
	}
	if currency == "" {
		return nil
	}
	report.Base, err = total(currency, &whole.base, whole.credit.base)
	return err
}
