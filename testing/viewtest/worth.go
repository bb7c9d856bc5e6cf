package viewtest

import (
	"cmp"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
	"github.com/daybook-ledger/daybook/projections/views"
	"github.com/daybook-ledger/daybook/testing/given"
)

// testRandomBooksAbroad: whatever currencies a book's documents and payments are
// in, every figure is what its entries add up to, in each and in the book's.
func testRandomBooksAbroad(t *testing.T, e Engine) {
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		b := RandomBookAbroad(rt, rapid.IntRange(1, 60).Draw(rt, "commands"))
		l := NewLog(b, rapid.IntRange(1, 20).Draw(rt, "page"))
		s, err := e.Open(fmt.Sprintf("abroad %d", n))
		if err != nil {
			rt.Fatal(err)
		}
		defer s.Close()
		catchUp(rt, s, l)
		w := worths{tester: rt, store: s, all: entries(rt, b)}
		days := []domain.Date{given.Today.AddDays(-500), given.Today.AddDays(500)}
		for _, e := range w.all {
			days = append(days, e.Date)
		}
		for _, day := range sample(days, 4) {
			w.accounts(day)
			w.ledger(day)
			w.customers(day)
			w.aging(day)
			w.revenue(day)
		}
		w.taxes()
		agreePeriods(rt, s, b)
	})
}

// worths adds up the accounts in every currency, and what they are worth.
type worths struct {
	tester
	store Store
	all   []account.Entry
}

// owner is whose amounts are summed: an account's as a whole, or a customer's.
type owner struct {
	account  account.Account
	customer uuid.UUID
	currency string
}

// sum is minor units, and what they are worth in pence.
type sum struct{ amount, base int64 }

func (s sum) negated() sum { return sum{-s.amount, -s.base} }

// through sums up all postings to the end of a day; of is whose they are.
func (w worths) through(day domain.Date, of func(account.Entry, account.Posting) owner) map[owner]sum {
	all := map[owner]sum{}
	for _, e := range w.all {
		if e.Date > day {
			continue
		}
		for _, p := range e.Postings {
			key := of(e, p)
			s := all[key]
			all[key] = sum{s.amount + p.Amount.Minor(), s.base + p.Base.Minor()}
		}
	}
	return all
}

func ofAccount(_ account.Entry, p account.Posting) owner {
	return owner{account: p.Account, currency: p.Amount.Currency().String()}
}

func ofCustomer(e account.Entry, p account.Posting) owner {
	return owner{p.Account, e.Customer, p.Amount.Currency().String()}
}

// read is the sum that the views told.
func (w worths) read(amount, currency, base string) sum {
	w.Helper()
	c := must[money.Currency](w)(money.ParseCurrency(currency))
	return sum{must[money.Amount](w)(money.ParseAmount(amount, c)).Minor(), minor(w, base)}
}

// same compares what is left of the wanted sums once those that were told are
// taken off: what was not told must be nothing.
func (w worths) same(what string, told, want map[owner]sum) {
	w.Helper()
	for key, got := range told {
		same(w, fmt.Sprintf("%s of %+v", what, key), got, want[key])
	}
	for key, expected := range want {
		if _, is := told[key]; !is && expected != (sum{}) {
			w.Fatalf("%s of %+v is %+v and is not told", what, key, expected)
		}
	}
}

// accounts compares the trial balance, in every currency and in the book's alone.
func (w worths) accounts(day domain.Date) {
	w.Helper()
	balance := must[views.TrialBalance](w)(w.store.TrialBalance(within(w), views.BalanceFilter{At: views.Moment{Effective: day}}))
	told, inBase := map[owner]sum{}, map[account.Account]int64{}
	for _, row := range balance.Accounts {
		debit, credit := w.read(row.Debit, row.Currency, row.DebitBase), w.read(row.Credit, row.Currency, row.CreditBase)
		told[owner{account: row.Account, currency: row.Currency}] = sum{debit.amount - credit.amount, debit.base - credit.base}
		inBase[row.Account] += debit.base - credit.base
	}
	w.same(fmt.Sprintf("balance at the end of %s", day), told, w.through(day, ofAccount))
	for _, row := range balance.InBase {
		same(w, "balance in pounds of "+row.Name, minor(w, row.Debit)-minor(w, row.Credit), inBase[row.Account])
	}
	same(w, "the two sides", balance.Base.Debit, balance.Base.Credit)
	for _, total := range balance.Totals {
		same(w, "the two sides in "+total.Currency, total.Debit, total.Credit)
	}
}

// ledger compares where the ledger of each account closes, and its last line.
func (w worths) ledger(day domain.Date) {
	w.Helper()
	ledger := must[views.Ledger](w)(w.store.Ledger(within(w), views.LedgerFilter{From: given.Today, To: max(day, given.Today)}))
	told := map[owner]sum{}
	for _, a := range ledger.Accounts {
		told[owner{account: a.Account, currency: a.Currency}] = w.read(a.Closing, a.Currency, a.ClosingBase)
		if n := len(a.Lines); n > 0 {
			last := a.Lines[n-1]
			same(w, "the last line of "+a.Name, []string{last.Balance, last.BalanceBase}, []string{a.Closing, a.ClosingBase})
		}
		opening, debit, credit := w.read(a.Opening, a.Currency, a.OpeningBase), w.read(a.Debit, a.Currency, a.DebitBase), w.read(a.Credit, a.Currency, a.CreditBase)
		same(w, "sums of "+a.Name, sum{opening.amount + debit.amount - credit.amount, opening.base + debit.base - credit.base},
			w.read(a.Closing, a.Currency, a.ClosingBase))
	}
	w.same("closing", told, w.through(max(day, given.Today), ofAccount))
}

// customers compares how each customer stands, by statements.
func (w worths) customers(day domain.Date) {
	w.Helper()
	all := must[views.Statements](w)(w.store.Statements(within(w), views.StatementFilter{From: day, To: day}))
	told := map[owner]sum{}
	for _, s := range all.Statements {
		told[owner{customer: s.Customer, currency: s.Currency}] = w.read(s.Closing.Balance, s.Currency, s.Closing.BalanceBase)
		moved := w.read(s.Opening.Balance, s.Currency, s.Opening.BalanceBase)
		for _, line := range s.Lines {
			by := w.read(line.Amount, s.Currency, line.AmountBase)
			moved = sum{moved.amount + by.amount, moved.base + by.base}
			same(w, "balance of a line", w.read(line.Balance, s.Currency, line.BalanceBase), moved)
		}
		same(w, "closing of a statement", w.read(s.Closing.Balance, s.Currency, s.Closing.BalanceBase), moved)
	}
	want := map[owner]sum{}
	for key, s := range w.through(day, ofCustomer) {
		if key.account == account.Receivables || key.account == account.CustomerCredit {
			key.account = ""
			want[key] = sum{want[key].amount + s.amount, want[key].base + s.base}
		}
	}
	for key, s := range told { // paid, and nothing happened on the day: not told or even
		if s == (sum{}) && want[key] == (sum{}) {
			delete(told, key)
		}
	}
	w.same("statement at the end of "+string(day), told, want)
}

// aging compares what is open of each customer, and what is left of their credit.
func (w worths) aging(day domain.Date) {
	w.Helper()
	report := must[views.AgingReport](w)(w.store.AgingReport(within(w), views.AgingFilter{Date: day}))
	open, credit := map[owner]sum{}, map[owner]sum{}
	for _, row := range report.Rows {
		key := owner{account.Receivables, row.Customer, row.Currency}
		open[key] = w.read(row.Open, row.Currency, row.OpenBase)
		var columns int64
		for _, part := range []string{row.NotDue, row.Days30, row.Days60, row.Days90, row.Older} {
			columns += w.read(part, row.Currency, "0.00").amount
		}
		same(w, "columns of aging", columns, open[key].amount)
		key.account = account.CustomerCredit
		credit[key] = w.read(row.Credit, row.Currency, row.CreditBase).negated()
	}
	wanted := map[account.Account]map[owner]sum{account.Receivables: {}, account.CustomerCredit: {}}
	for key, s := range w.through(day, ofCustomer) {
		if list := wanted[key.account]; list != nil {
			list[key] = s
		}
	}
	w.same("open", open, wanted[account.Receivables])
	w.same("credit", credit, wanted[account.CustomerCredit])
}

// revenue compares the totals with what is posted to revenue.
func (w worths) revenue(day domain.Date) {
	w.Helper()
	for _, by := range [][]views.Dimension{nil, {views.ByItem}, {views.ByCustomer, views.ByMonth}} {
		report := must[views.RevenueReport](w)(w.store.Revenue(within(w), views.RevenueFilter{To: day, By: by}))
		told, rows := map[owner]sum{}, map[owner]sum{}
		for _, total := range report.Totals {
			told[owner{account: account.Revenue, currency: total.Currency}] = w.read(total.Amount, total.Currency, total.AmountBase).negated()
		}
		for _, row := range report.Rows {
			key, part := owner{account: account.Revenue, currency: row.Currency}, w.read(row.Amount, row.Currency, row.AmountBase).negated()
			rows[key] = sum{rows[key].amount + part.amount, rows[key].base + part.base}
		}
		want := map[owner]sum{}
		for key, s := range w.through(day, ofAccount) {
			if key.account == account.Revenue {
				want[key] = s
			}
		}
		w.same("revenue", told, want)
		w.same("rows of revenue", rows, want)
	}
}

// taxes compares the tax report, which is in the book's currency, with the marks
// on postings, by the months of their tax points; in sum it is tax payable.
func (w worths) taxes() {
	w.Helper()
	want := map[taxed][2]int64{}
	var payable int64
	for _, e := range w.all {
		for _, p := range e.Postings {
			if p.Tax == nil {
				continue
			}
			key := taxed{cmp.Or(p.Tax.Point, e.Date).Month(), p.Tax.Rate}
			want[key] = [2]int64{want[key][0] + p.Tax.Base.Minor(), want[key][1] - p.Base.Minor()}
			payable -= p.Base.Minor()
		}
	}
	report := must[views.TaxReport](w)(w.store.TaxReport(within(w), views.TaxFilter{}))
	var told int64
	for _, period := range report.Periods {
		for _, row := range period.Rows {
			key := taxed{period.Month, tax.Rate{Category: row.Category, Percent: row.Percent}}
			same(w, fmt.Sprintf("tax of %+v", key), [2]int64{minor(w, row.Taxable), minor(w, row.Tax)}, want[key])
			told += minor(w, row.Tax)
			delete(want, key)
		}
	}
	for key, sums := range want {
		w.Fatalf("not in the tax report: %+v, %v", key, sums)
	}
	same(w, "tax payable", told, payable)
}
