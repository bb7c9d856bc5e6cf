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
}

// TaxReport reports on the months from and to, both included, each "2026-01" or
// empty for no bound.
func (q *Queries) TaxReport(ctx context.Context, from, to string) (TaxReport, error) {
	for _, month := range []string{from, to} {
		if _, err := time.Parse("2006-01", month); month != "" && err != nil {
			return TaxReport{}, fault("invalid-month", "%.20q is not a month of the form 2026-01", "", month)
		}
	}
	var w where
	w.text("month >= ?", from)
	w.text("month <= ?", to)
	report := TaxReport{Basis: tax.ByInvoice, From: from, To: to, Periods: []TaxPeriod{}}
	var byMonth map[string]map[taxKey]*taxSums
	var whole map[taxKey]*taxSums
	err := q.reader.Read(ctx, func(tx Tx) error {
		byMonth, whole = map[string]map[taxKey]*taxSums{}, map[taxKey]*taxSums{}
		if err := report.readBasis(ctx, tx); err != nil {
			return err
		}
		currency, _, err := bookCurrency(ctx, tx)
		if err != nil {
			return err
		}
		return load(ctx, tx, `SELECT month, category, percent, taxable_base, tax_base FROM tax_months`+w.String(), w.args,
			func(r scanner) error {
				k := taxKey{currency: currency}
				var row taxSums
				if err := r.Scan(&k.month, &k.category, &k.percent, &row.taxable.base, &row.tax.base); err != nil {
					return err
				}
				if byMonth[k.month] == nil {
					byMonth[k.month] = map[taxKey]*taxSums{}
				}
				if err := addTax(byMonth[k.month], k, row); err != nil {
					return err
				}
				k.month = ""
				return addTax(whole, k, row)
			})
	})
	if err != nil {
		return TaxReport{}, fmt.Errorf("views: tax report: %w", err)
	}
	for _, month := range keys(byMonth, cmp.Compare[string]) {
		rows, err := taxRows(byMonth[month])
		if err != nil {
			return TaxReport{}, err
		}
		report.Periods = append(report.Periods, TaxPeriod{month, rows})
	}
	report.Rows, err = taxRows(whole)
	return report, err
}

func addTax(sums map[taxKey]*taxSums, k taxKey, row taxSums) error {
	if sums[k] == nil {
		sums[k] = &taxSums{}
	}
	return sums[k].add(row)
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

func taxRows(sums map[taxKey]*taxSums) ([]TaxRow, error) {
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
		rows = append(rows, TaxRow{tax.Category(k.category), percent, text(s.taxable.base), text(s.tax.base), k.currency})
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
	// Until is the last day that counts; empty for all.
	Until domain.Date `json:"until,omitempty"`
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
}

// Totals are the sums of a trial balance.
type Totals struct {
	Currency string `json:"currency"`
	Debit    string `json:"debit"`
	Credit   string `json:"credit"`
}

// TrialBalance gives the balances of all accounts, by documents dated up to a
// day, which may be empty for all.
func (q *Queries) TrialBalance(ctx context.Context, until domain.Date) (TrialBalance, error) {
	query, args := `SELECT account, currency, debit, credit, debit_base, credit_base FROM account_balances`, []any(nil)
	if until != "" {
		query, args = `SELECT account, currency, sum(debit), sum(credit), sum(debit_base), sum(credit_base) FROM account_days
			WHERE date <= $1 GROUP BY account, currency`, []any{string(until)}
	}
	var balances map[dayKey]worth
	var currency string
	err := q.reader.Read(ctx, func(tx Tx) (err error) {
		balances = map[dayKey]worth{}
		if currency, _, err = bookCurrency(ctx, tx); err != nil {
			return err
		}
		return load(ctx, tx, query, args, func(r scanner) error {
			var k dayKey
			var s sums
			if err := r.Scan(append([]any{&k.account, &k.currency}, s.columns()...)...); err != nil {
				return err
			}
			balances[k] = worth{s.debit.amount - s.credit.amount, s.debit.base - s.credit.base}
			return nil
		})
	})
	if err != nil {
		return TrialBalance{}, fmt.Errorf("views: trial balance: %w", err)
	}
	t, err := trialBalance(balances, currency)
	t.Until = until
	return t, err
}

func trialBalance(balances map[dayKey]worth, base string) (TrialBalance, error) {
	t := TrialBalance{Accounts: []AccountBalance{}, InBase: []AccountBalance{}, Totals: []Totals{}, Currency: base}
	if len(balances) == 0 && base == "" {
		return t, nil
	}
	inBase, err := decimals(base)
	if err != nil {
		return t, err
	}
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
				return t, err
			}
			posted = true
			if err := held.add(worth{base: balances[k].base}); err != nil {
				return t, err
			}
			var s sums
			if totals[k.currency] == nil {
				totals[k.currency] = &sums{}
			}
			for _, into := range []*sums{&s, totals[k.currency], &whole} {
				if err := into.add(balances[k]); err != nil {
					return t, err
				}
			}
			t.Accounts = append(t.Accounts, AccountBalance{
				info.Account, info.Name, text(s.debit.amount), text(s.credit.amount), k.currency,
				inBase(s.debit.base), inBase(s.credit.base),
			})
		}
		if !posted {
			continue
		}
		var s sums
		if err := s.add(held); err != nil {
			return t, err
		}
		debit, credit := inBase(s.debit.base), inBase(s.credit.base)
		t.InBase = append(t.InBase, AccountBalance{info.Account, info.Name, debit, credit, base, debit, credit})
	}
	for _, currency := range keys(totals, cmp.Compare[string]) {
		text, err := decimals(currency)
		if err != nil {
			return t, err
		}
		t.Totals = append(t.Totals, Totals{currency, text(totals[currency].debit.amount), text(totals[currency].credit.amount)})
	}
	t.Base = Totals{base, inBase(whole.debit.base), inBase(whole.credit.base)}
	return t, nil
}

func dateTime(d domain.Date) time.Time {
	day, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return time.Time{}
	}
	return day
}
