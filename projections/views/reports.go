package views

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// TaxReport is what tax was charged on documents whose tax points lie in a range
// of months, in the book's currency, whatever that of the documents.
type TaxReport struct {
	// Basis says which day of an invoice is its tax point. Credit notes, relief
	// and what comes back of it count on their own dates.
	Basis tax.Basis `json:"basis"`
	From  string    `json:"from,omitempty"`
	To    string    `json:"to,omitempty"`
	// Periods are the months that have anything, in order.
	Periods []TaxPeriod `json:"periods"`
	// Rows are the sums over all of them.
	Rows []TaxRow `json:"rows"`
}

// TaxPeriod is one month, "2026-01".
type TaxPeriod struct {
	Month string   `json:"month"`
	Rows  []TaxRow `json:"rows"`
}

// TaxRow is one category and rate, sales less credit notes.
type TaxRow struct {
	Category tax.Category  `json:"category"`
	Percent  money.Decimal `json:"percent"`
	Taxable  string        `json:"taxable"`
	Tax      string        `json:"tax"`
	Currency string        `json:"currency"`
	// Entries are those behind a row of a period; their figures are taxable and
	// tax.
	Entries []Evidence `json:"entries,omitempty"`
}

// TaxFilter says of which months a tax report is.
type TaxFilter struct {
	// From and To bound the months, both included, each "2026-01" or empty for no
	// bound.
	From, To string
	// Explain adds the entries behind the rows of each period.
	Explain bool
}

// TaxReport reports on the tax of some months. Faults invalid-month,
// too-many-entries.
func (q *Queries) TaxReport(ctx context.Context, f TaxFilter) (TaxReport, error) {
	for _, month := range []string{f.From, f.To} {
		if _, err := time.Parse("2006-01", month); month != "" && err != nil {
			return TaxReport{}, fault("invalid-month", "%.20q is not a month of the form 2026-01", "", month)
		}
	}
	report := TaxReport{Basis: tax.ByInvoice, From: f.From, To: f.To}
	err := q.reader.Read(ctx, func(tx Tx) error {
		if err := report.readBasis(ctx, tx); err != nil {
			return err
		}
		currency, base, err := bookCurrency(ctx, tx)
		if err != nil {
			return err
		}
		months, err := f.months(ctx, tx, currency)
		if err != nil {
			return err
		}
		var entries map[taxKey][]Evidence
		if f.Explain {
			if entries, err = f.explain(ctx, tx, currency, base); err != nil {
				return err
			}
		}
		return report.fill(months, entries)
	})
	if err != nil {
		return TaxReport{}, fmt.Errorf("views: tax report: %w", err)
	}
	return report, nil
}

// months gives the sums of each month, of documents in all currencies.
func (f TaxFilter) months(ctx context.Context, tx Tx, currency string) (map[string]map[taxKey]*taxSums, error) {
	var w where
	w.text("month >= ?", f.From)
	w.text("month <= ?", f.To)
	months := map[string]map[taxKey]*taxSums{}
	return months, load(ctx, tx, `SELECT month, category, percent, taxable_base, tax_base FROM tax_months`+w.String(), w.args,
		func(r scanner) error {
			k := taxKey{currency: currency}
			var row taxSums
			if err := r.Scan(&k.month, &k.category, &k.percent, &row.taxable.base, &row.tax.base); err != nil {
				return err
			}
			if months[k.month] == nil {
				months[k.month] = map[taxKey]*taxSums{}
			}
			return at(months[k.month], k).add(row)
		})
}

// explain tells the entries behind each row.
func (f TaxFilter) explain(ctx context.Context, tx Tx, currency string, base func(int64) string) (map[taxKey][]Evidence, error) {
	var w where
	w.add("p.tax_point <> ''")
	if f.From != "" {
		w.add("p.tax_point >= ?", f.From+"-01")
	}
	if f.To != "" {
		w.add("p.tax_point <= ?", f.To+"-31")
	}
	all, err := readFacts(ctx, tx, postingFacts, w)
	if err != nil {
		return nil, err
	}
	return explain(all, base, func(p fact) (taxKey, []figure) {
		return taxKey{p.taxPoint.Month(), currency, p.category, p.percent},
			[]figure{{"taxable", p.taxable.base, true}, {"tax", -p.base, true}}
	})
}

// fill adds the months, and the sums of all.
func (report *TaxReport) fill(months map[string]map[taxKey]*taxSums, entries map[taxKey][]Evidence) (err error) {
	report.Periods = []TaxPeriod{}
	whole := map[taxKey]*taxSums{}
	for _, month := range keys(months, cmp.Compare[string]) {
		rows, err := taxRows(months[month], entries)
		if err != nil {
			return err
		}
		report.Periods = append(report.Periods, TaxPeriod{month, rows})
		for k, row := range months[month] {
			k.month = ""
			if err := at(whole, k).add(*row); err != nil {
				return err
			}
		}
	}
	report.Rows, err = taxRows(whole, nil)
	return err
}

// readBasis finds the book's basis; a book that is not open yet has the usual one.
func (r *TaxReport) readBasis(ctx context.Context, reader Tx) error {
	var kept string
	_, err := absent(reader.QueryRowContext(ctx, `SELECT tax_basis FROM books`).Scan(&kept))
	if err == nil && kept != "" {
		r.Basis = tax.Basis(kept)
	}
	return err
}

func (s *taxSums) add(t taxSums) error {
	if err := s.taxable.add(t.taxable); err != nil {
		return err
	}
	return s.tax.add(t.tax)
}

func taxRows(sums map[taxKey]*taxSums, entries map[taxKey][]Evidence) ([]TaxRow, error) {
	rows := make([]TaxRow, 0, len(sums))
	for k, s := range sums {
		text, err := decimals(k.currency)
		if err != nil {
			return nil, err
		}
		percent, err := money.ParseDecimal(k.percent)
		if err != nil {
			return nil, damaged("tax rate %.20q", k.percent)
		}
		rows = append(rows, TaxRow{tax.Category(k.category), percent, text(s.taxable.base), text(s.tax.base), k.currency, entries[k]})
	}
	slices.SortFunc(rows, func(a, b TaxRow) int {
		return cmp.Or(cmp.Compare(a.Currency, b.Currency), cmp.Compare(a.Category, b.Category), a.Percent.Cmp(b.Percent))
	})
	return rows, nil
}

// TrialBalance is the balance of every account that was posted to, in the order
// of the chart.
type TrialBalance struct {
	Accounts []AccountBalance `json:"accounts"`
	// InBase is the accounts in the book's currency, each once.
	InBase []AccountBalance `json:"in_base"`
	// Totals are the sums of both columns, by currency; they are equal. Base is
	// that of the accounts' bases, and balances likewise.
	Totals []Totals `json:"totals"`
	Base   Totals   `json:"base"`
	// Currency is the book's.
	Currency string `json:"currency"`
	// Effective is the last day that counts; empty for all.
	Effective domain.Date `json:"effective,omitempty"`
}

// AccountBalance is an account's balance, on the side where it stands; the other
// is zero.
type AccountBalance struct {
	Account  account.Account `json:"account"`
	Name     string          `json:"name"`
	Debit    string          `json:"debit"`
	Credit   string          `json:"credit"`
	Currency string          `json:"currency"`
	// DebitBase and CreditBase are the balance in the book's currency, on the
	// side where that stands: exchange differences are a balance of no amount.
	DebitBase  string `json:"debit_base"`
	CreditBase string `json:"credit_base"`
	// Entries are those behind it; their figures are balance, which is above zero
	// for a debit, below for a credit, and among Accounts balance_base.
	Entries []Evidence `json:"entries,omitempty"`
}

// Totals are the sums of a trial balance.
type Totals struct {
	Currency string `json:"currency"`
	Debit    string `json:"debit"`
	Credit   string `json:"credit"`
}

// BalanceFilter says of which moment a trial balance is.
type BalanceFilter struct {
	At Moment
	// Explain adds the entries behind each account.
	Explain bool
}

// TrialBalance gives the balances of all accounts. Faults too-many-entries,
// no-such-size.
func (q *Queries) TrialBalance(ctx context.Context, f BalanceFilter) (t TrialBalance, err error) {
	err = q.reader.Read(ctx, func(tx Tx) error {
		currency, base, err := bookCurrency(ctx, tx)
		if err != nil {
			return err
		}
		balances, err := f.balances(ctx, tx)
		if err != nil {
			return err
		}
		t = TrialBalance{Currency: currency, Effective: f.At.Effective}
		if err := t.fill(balances, base); err != nil || !f.Explain {
			return err
		}
		return t.explain(ctx, tx, f.At, base)
	})
	return t, failed("trial balance", err)
}

func (f BalanceFilter) balances(ctx context.Context, tx Tx) (map[dayKey]worth, error) {
	query, args := `SELECT account, currency, debit, credit, debit_base, credit_base FROM account_balances`, []any(nil)
	if f.At.Effective != "" {
		query, args = `SELECT account, currency, sum(debit), sum(credit), sum(debit_base), sum(credit_base) FROM account_days
			WHERE date <= $1 GROUP BY account, currency`, []any{string(f.At.Effective)}
	}
	posted := map[dayKey]*sums{}
	err := load(ctx, tx, query, args, func(r scanner) error {
		var k dayKey
		var s sums
		err := r.Scan(append([]any{&k.account, &k.currency}, s.columns()...)...)
		posted[k] = &s
		return err
	})
	if err == nil && f.At.Size > 0 {
		err = f.At.before(ctx, tx, posted)
	}
	balances := map[dayKey]worth{}
	for k, s := range posted {
		balances[k] = worth{s.debit.amount - s.credit.amount, s.debit.base - s.credit.base}
	}
	return balances, err
}

// explain adds the entries behind each account, in each currency and in the
// book's.
func (t *TrialBalance) explain(ctx context.Context, tx Tx, at Moment, base func(int64) string) error {
	var w where
	w.between("p.date", "", at.Effective)
	if at.Size > 0 {
		w.add("p.position < ?", int64(at.Size))
	}
	all, err := readFacts(ctx, tx, postingFacts, w)
	if err != nil {
		return err
	}
	entries, err := explain(all, base, func(p fact) (dayKey, []figure) {
		return dayKey{account: string(p.account), currency: p.currency}, both("balance", p.worth)
	})
	if err != nil {
		return err
	}
	for i := range t.Accounts {
		t.Accounts[i].Entries = entries[dayKey{account: string(t.Accounts[i].Account), currency: t.Accounts[i].Currency}]
	}
	inBase, err := explain(all, base, func(p fact) (account.Account, []figure) {
		return p.account, []figure{{"balance", p.base, true}}
	})
	for i := range t.InBase {
		t.InBase[i].Entries = inBase[t.InBase[i].Account]
	}
	return err
}

// fill adds the accounts, and the sums of both sides.
func (t *TrialBalance) fill(balances map[dayKey]worth, base func(int64) string) error {
	t.Accounts, t.InBase, t.Totals = []AccountBalance{}, []AccountBalance{}, []Totals{}
	totals := map[string]*sums{}
	var whole sums
	for _, info := range account.Chart() {
		var held worth
		posted := false
		for _, k := range keys(balances, func(a, b dayKey) int { return cmp.Compare(a.currency, b.currency) }) {
			if k.account != string(info.Account) {
				continue
			}
			text, err := decimals(k.currency)
			if err != nil {
				return err
			}
			posted = true
			if err := held.add(worth{base: balances[k].base}); err != nil {
				return err
			}
			var s sums
			for _, into := range []*sums{&s, at(totals, k.currency), &whole} {
				if err := into.add(balances[k]); err != nil {
					return err
				}
			}
			t.Accounts = append(t.Accounts, AccountBalance{
				Account: info.Account, Name: info.Name, Debit: text(s.debit.amount), Credit: text(s.credit.amount),
				Currency: k.currency, DebitBase: base(s.debit.base), CreditBase: base(s.credit.base),
			})
		}
		if !posted {
			continue
		}
		var s sums
		if err := s.add(held); err != nil {
			return err
		}
		debit, credit := base(s.debit.base), base(s.credit.base)
		t.InBase = append(t.InBase, AccountBalance{
			Account: info.Account, Name: info.Name, Debit: debit, Credit: credit, Currency: t.Currency, DebitBase: debit, CreditBase: credit,
		})
	}
	for _, currency := range keys(totals, cmp.Compare[string]) {
		text, err := decimals(currency)
		if err != nil {
			return err
		}
		t.Totals = append(t.Totals, Totals{currency, text(totals[currency].debit.amount), text(totals[currency].credit.amount)})
	}
	t.Base = Totals{t.Currency, base(whole.debit.base), base(whole.credit.base)}
	return nil
}

// dateTime is midnight of a day.
func dateTime(d domain.Date) time.Time {
	day, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return time.Time{}
	}
	return day
}
