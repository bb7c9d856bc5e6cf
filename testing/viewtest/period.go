package viewtest

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/domain/audit"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/period"
	"github.com/daybook-ledger/daybook/domain/tax"
	"github.com/daybook-ledger/daybook/projections/views"
	"github.com/daybook-ledger/daybook/testing/given"
)

// closePeriod, settle and reopen are steps of a random book.
func (c *chance) closePeriod() {
	month := c.today().AddDays(-31 * rapid.IntRange(0, 2).Draw(c.t, "months ago"))
	last := domain.Date(month.Month() + "-01").AddDays(-1)
	if c.do(&period.Close{Book: c.book.ID, Through: last}) && rapid.IntRange(0, 3).Draw(c.t, "left unsettled") > 0 {
		c.settle()
	}
}

func (c *chance) settle() {
	through := c.closedThrough()
	balances := must[[]period.Balance](c.t)(c.audited().Balances(through))
	var closing []period.Rate
	if c.abroad && rapid.Bool().Draw(c.t, "revalued") {
		for _, currency := range []money.Currency{given.Euros, given.Yen} {
			closing = append(closing, period.Rate{Currency: currency, Exchange: c.rate(currency)})
		}
	}
	c.do(&period.Settle{
		Book: c.book.ID, Through: through, Balances: balances, Rates: closing,
		Proof: period.Proof{Size: uint64(len(c.book.Log)), Root: make([]byte, 32)},
	})
}

func (c *chance) reopen() {
	c.do(&period.Reopen{Book: c.book.ID, Through: c.closedThrough(), Reason: "a mistake"})
}

func (c *chance) closedThrough() domain.Date {
	return must[period.State](c.t)(period.Load(c.book, c.book.ID)).Through()
}

// audited is the check of a book's periods, up to the end of its log.
func audited(t tester, b *given.Book) *audit.Periods {
	t.Helper()
	p := audit.NewPeriods()
	audits(t, p, b.Log, 0)
	return p
}

// audits goes on with a check after so many commits.
func audits(t tester, p *audit.Periods, log []given.Commit, after int) {
	t.Helper()
	for i, c := range log[after:] {
		for _, found := range must[[]audit.Finding](t)(p.Commit(uint64(after+i), c.Changes)) {
			if found.Code != audit.CodeProof { // these logs have no roots
				t.Fatalf("%+v", found)
			}
		}
	}
}

// audited is the check of the book's periods so far: a large book is not read from
// its beginning for each.
func (c *chance) audited() *audit.Periods {
	audits(c.t, c.audit, c.book.Log, c.seen)
	c.seen = len(c.book.Log)
	return c.audit
}

// agreePeriods compares the periods with the book's own, and what the accounts
// held with what their entries add up to.
func agreePeriods(t tester, s Store, b *given.Book) {
	t.Helper()
	state := must[period.State](t)(period.Load(b, b.ID))
	var closed []period.Period
	for _, p := range must[[]views.Period](t)(s.Periods(within(t))) {
		if p.Status == views.PeriodReopened {
			continue
		}
		closed = append(closed, period.Period{From: p.From, Through: p.Through, Settled: p.Status == views.PeriodSettled})
		if p.Status != views.PeriodSettled {
			continue
		}
		same(t, "balances at the end of "+string(p.Through), p.Balances,
			uneven(must[views.TrialBalance](t)(s.TrialBalance(within(t), views.BalanceFilter{At: views.Moment{Effective: p.Through}})).Accounts))
	}
	var want []period.Period
	for _, p := range state.Closed {
		p.Revaluations = nil // entries of the journal
		want = append(want, p)
	}
	same(t, "periods", closed, want)
	whole := audited(t, b)
	for _, day := range []domain.Date{given.Today.AddDays(-20), given.Today.AddDays(30), "9999-12-31"} {
		closing := must[views.Closing](t)(s.Closing(within(t), day))
		same(t, "balances at the end of "+string(day), closing.Balances, must[[]period.Balance](t)(whole.Balances(day)))
		same(t, "read at", closing.Proof.Size, len(b.Log))
	}
}

// uneven leaves out accounts that are even, and those to which a settling itself
// posts: it revalues what it has read.
func uneven(all []views.AccountBalance) []views.AccountBalance {
	kept := []views.AccountBalance{}
	for _, b := range all {
		even := b.DebitBase == "0.00" && b.CreditBase == "0.00" && strings.Trim(b.Debit+b.Credit, "0.") == ""
		if !even && b.Account != account.Revaluation && b.Account != account.UnrealisedExchange {
			kept = append(kept, b)
		}
	}
	return kept
}

// closedBook has a period that was reopened and closed again, and one that is
// not settled yet.
func closedBook(t *testing.T) *given.Book {
	t.Helper()
	b := bookOf(t, "ada")
	enter := func(name string, date domain.Date) {
		command := given.Enter(name, given.Content("ada", given.Line("1", "100", "S 20")))
		command.Date = date
		b.Take(t, command)
	}
	settle := func(through domain.Date) {
		t.Helper()
		b.Take(t, &period.Settle{
			Book: b.ID, Through: through, Proof: period.Proof{Size: uint64(len(b.Log)), Root: make([]byte, 32)},
			Balances: must[[]period.Balance](t)(audited(t, b).Balances(through)),
		})
	}
	b.Now = time.Date(2026, 1, 10, 9, 0, 0, 0, time.UTC)
	enter("january", "2026-01-10")
	enter("february", "2026-02-02")
	b.Now = given.Now
	b.Take(t, &period.Close{Book: b.ID, Through: "2026-01-31"})
	settle("2026-01-31")
	b.Take(t, &period.Reopen{Book: b.ID, Through: "2026-01-31", Reason: "one was forgotten"})
	enter("forgotten", "2026-02-03")
	b.Take(t, &period.Close{Book: b.ID, Through: "2026-01-31"})
	settle("2026-01-31")
	b.Take(t, &period.Close{Book: b.ID, Through: "2026-02-28"})
	enter("march", "2026-03-01")
	return b
}

func testPeriods(t *testing.T, e Engine) {
	b := closedBook(t)
	s := filled(t, e, "periods", NewLog(b, 2))
	agree(t, s, b)
	all := must[[]views.Period](t)(s.Periods(within(t)))
	same(t, "periods", len(all), 3)
	same(t, "reopened", []any{all[0].Status, all[0].From, all[0].Through, all[0].Reason, all[0].ReopenedBy, all[0].Reopened},
		[]any{views.PeriodReopened, "", "2026-01-31", "one was forgotten", given.Owner, given.Now})
	same(t, "settled", []any{all[1].Status, all[1].ClosedBy, all[1].Settled}, []any{views.PeriodSettled, given.Owner, given.Now})
	same(t, "balances", all[1].Balances, []views.AccountBalance{
		{Account: account.Receivables, Name: "Receivables", Debit: "120.00", Credit: "0.00", Currency: "GBP", DebitBase: "120.00", CreditBase: "0.00"},
		{Account: account.TaxPayable, Name: "Tax payable", Debit: "0.00", Credit: "20.00", Currency: "GBP", DebitBase: "0.00", CreditBase: "20.00"},
		{Account: account.Revenue, Name: "Revenue", Debit: "0.00", Credit: "100.00", Currency: "GBP", DebitBase: "0.00", CreditBase: "100.00"},
	})
	same(t, "not settled", []any{all[2].Status, all[2].From, all[2].Through, all[2].Settled.IsZero(), len(all[2].Balances)},
		[]any{views.PeriodClosed, "2026-02-01", "2026-02-28", true, 0})
}

// testTaxPoints: on the basis of supply, tax is reported by the day of supply,
// unless that is closed.
func testTaxPoints(t *testing.T, e Engine) {
	b := given.New()
	b.Strict = false
	open := given.Open(b.ID)
	open.TaxBasis = tax.BySupply
	b.Take(t, open)
	b.Take(t, given.Register("ada"))
	enter := func(name string, date, supplied domain.Date) {
		command := given.Enter(name, given.Content("ada", given.Line("1", "100", "S 20")))
		command.Date, command.Content.SupplyDate = date, supplied
		b.Take(t, command)
	}
	enter("before", "2026-03-01", "2026-01-15")
	b.Take(t, &period.Close{Book: b.ID, Through: "2026-01-31"})
	enter("late", "2026-03-01", "2026-01-20")
	enter("open", "2026-03-01", "2026-02-20")
	enter("ahead", "2026-03-01", "2026-04-20")
	s := filled(t, e, "points", NewLog(b, 1))
	report := must[views.TaxReport](t)(s.TaxReport(within(t), views.TaxFilter{}))
	var got []string
	for _, p := range report.Periods {
		got = append(got, p.Month+" "+p.Rows[0].Tax)
	}
	same(t, "by tax point", got, []string{"2026-01 20.00", "2026-02 20.00", "2026-03 40.00"})
	same(t, "basis", []any{report.Basis, must[views.Book](t)(s.Book(within(t))).TaxBasis}, []any{tax.BySupply, tax.BySupply})
	same(t, "payable", balanceOf(t, s, account.TaxPayable), -8000)
}
