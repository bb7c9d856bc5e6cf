package period_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/access"
	"github.com/daybook-ledger/daybook/domain/audit"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/domain/credit"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/payment"
	"github.com/daybook-ledger/daybook/domain/period"
	"github.com/daybook-ledger/daybook/domain/series"
	"github.com/daybook-ledger/daybook/domain/tax"
	"github.com/daybook-ledger/daybook/testing/given"
)

func shut(b *given.Book, through domain.Date) *period.Close {
	return &period.Close{Book: b.ID, Through: through}
}

func reopen(b *given.Book, through domain.Date) *period.Reopen {
	return &period.Reopen{Book: b.ID, Through: through, Reason: "a bill was forgotten"}
}

// settle is the command that enters what the journal adds up to.
func settle(t *testing.T, b *given.Book, through domain.Date) *period.Settle {
	t.Helper()
	sums := audit.NewPeriods()
	for i, c := range b.Log {
		if _, err := sums.Commit(uint64(i), c.Changes); err != nil {
			t.Fatal(err)
		}
	}
	balances, err := sums.Balances(through)
	if err != nil {
		t.Fatal(err)
	}
	return &period.Settle{
		Book: b.ID, Through: through, Balances: balances,
		Proof: period.Proof{Size: uint64(len(b.Log)), Root: make([]byte, 32)},
	}
}

func enter(name string, date domain.Date) *invoice.Enter {
	c := given.Enter(name, given.Content("ada", given.Line("1", "100", "S 20")))
	c.Date = date
	return c
}

func closed(t *testing.T, b *given.Book) period.State {
	t.Helper()
	state, err := period.Load(b, b.ID)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func TestClosedInOrder(t *testing.T) {
	b := given.Opened(t)
	changes := b.Take(t, shut(b, "2025-12-31"))
	if e := changes[0].Event.(*period.Closed); e.From != "" || e.Through != "2025-12-31" {
		t.Errorf("the first period: %+v", e)
	}
	b.Refuse(t, shut(b, "2025-12-31"), "already-closed")
	b.Refuse(t, shut(b, "2025-11-30"), "already-closed")
	b.Refuse(t, shut(b, "2026-01-31"), "period-unsettled")
	b.Take(t, settle(t, b, "2025-12-31"))
	// Several months are one period, without a gap.
	changes = b.Take(t, shut(b, "2026-02-28"))
	if e := changes[0].Event.(*period.Closed); e.From != "2026-01-01" || e.Through != "2026-02-28" {
		t.Errorf("the second period: %+v", e)
	}
	b.Take(t, settle(t, b, "2026-02-28"))
	if state := closed(t, b); state.Through() != "2026-02-28" || state.First() != "2026-03-01" || len(state.Closed) != 2 {
		t.Errorf("closed: %+v", state)
	}
}

func TestCloseRefused(t *testing.T) {
	b := given.Opened(t)
	for through, code := range map[domain.Date]string{
		"":           "invalid-period",
		"2026-02":    "invalid-period",
		"2026-02-27": "invalid-period",
		"2026-02-30": "invalid-period",
		"2026-03-31": "period-not-over",
		"2027-01-31": "period-not-over",
	} {
		b.Refuse(t, shut(b, through), code)
	}
	b.Now = b.Now.AddDate(0, 0, 30) // the last day of March
	b.Refuse(t, shut(b, "2026-03-31"), "period-not-over")
	b.Now = b.Now.AddDate(0, 0, 1)
	b.Take(t, shut(b, "2026-03-31"))
	other := shut(b, "2026-04-30")
	other.Book = uuid.New()
	b.Refuse(t, other, "other-book")
}

// TestNothingIsBookedIntoAClosedPeriod gives every command that posts a date in
// the closed period, and then one in the open.
func TestNothingIsBookedIntoAClosedPeriod(t *testing.T) {
	const before, after = domain.Date("2026-02-28"), domain.Date("2026-03-01")
	b := given.Opened(t)
	b.Now = b.Now.AddDate(0, -2, 0) // in January
	b.Take(t, enter("i", "2026-01-10"))
	b.Take(t, enter("off", "2026-01-10"))
	b.Take(t, given.Draft("d", given.Content("ada", given.Line("1", "5", "S 20"))))
	b.Take(t, &invoice.Approve{ID: given.ID("d")})
	receive := given.Receive("p", "ada", "50.00")
	receive.Date = "2026-01-11"
	receive.Allocations = []payment.Share{{Target: invoice.Stream(given.ID("i")), Amount: given.GBP("20.00")}}
	b.Take(t, receive)
	b.Take(t, &invoice.WriteOff{ID: given.ID("off"), Date: "2026-01-20", Reason: "bankrupt"})
	b.Now = given.Now
	b.Take(t, shut(b, "2026-02-28"))

	paid, target := payment.Stream(given.ID("p")), invoice.Stream(given.ID("i"))
	commands := map[string]func(domain.Date) domain.Command{
		"enter": func(d domain.Date) domain.Command { return enter("new", d) },
		"import": func(d domain.Date) domain.Command {
			c := enter("imported", d)
			c.Imported = true
			return c
		},
		"issue": func(d domain.Date) domain.Command { return &invoice.Issue{ID: given.ID("d"), Date: d} },
		"credit": func(d domain.Date) domain.Command {
			c := given.Credit("n", "i", "ada", given.Line("1", "10", "S 20"))
			c.Date = d
			return c
		},
		"on account": func(d domain.Date) domain.Command {
			c := given.OnAccount("m", "ada", given.Line("1", "10", "S 20"))
			c.Date, c.Imported = d, true
			return c
		},
		"receive": func(d domain.Date) domain.Command {
			c := given.Receive("q", "ada", "5.00")
			c.Date = d
			return c
		},
		"allocate": func(d domain.Date) domain.Command {
			return &payment.Allocate{Source: paid, Allocations: []payment.Share{{Target: target, Amount: given.GBP("1.00")}}, Date: d}
		},
		"unallocate": func(d domain.Date) domain.Command {
			return &payment.Unallocate{Source: paid, Allocations: []payment.Share{{Target: target, Amount: given.GBP("1.00")}}, Date: d}
		},
		"refund": func(d domain.Date) domain.Command {
			return &payment.Refund{Source: paid, Customer: given.ID("ada"), Amount: given.GBP("1.00"), Date: d}
		},
		"relief": func(d domain.Date) domain.Command {
			return &invoice.Relieve{ID: given.ID("off"), Date: d, Reason: "six months"}
		},
	}
	for name, command := range commands {
		t.Run(name, func(t *testing.T) { b.Refuse(t, command(before), "period-closed") })
	}
	b.Refuse(t, &invoice.WriteOff{ID: given.ID("i"), Date: before, Reason: "bankrupt"}, "period-closed")
	b.Refuse(t, &payment.Reverse{ID: given.ID("p"), Date: before, Reason: "returned"}, "period-closed")
	for _, command := range commands {
		b.Take(t, command(after))
	}
	b.Take(t, &invoice.WriteOff{ID: given.ID("i"), Date: after, Reason: "bankrupt"})
	b.Take(t, &payment.Reverse{ID: given.ID("p"), Date: after, Reason: "returned"})
}

// TestCreditForAClosedPeriod is dated in an open one, which reports its tax; the
// closed one reports what it did.
func TestCreditForAClosedPeriod(t *testing.T) {
	b := given.Opened(t)
	b.Take(t, enter("i", "2026-02-20"))
	b.Take(t, shut(b, "2026-02-28"))
	note := given.Credit("n", "i", "ada", given.Line("1", "100", "S 20"))
	note.Date = "2026-02-28"
	b.Refuse(t, note, "period-closed")
	note.Date = "2026-03-01"
	b.Take(t, note)
	byMonth := map[string]int64{}
	for _, e := range b.Entries(t) {
		for _, p := range e.Postings {
			if p.Tax != nil {
				byMonth[e.TaxPoint(p.Tax).Month()] -= p.Amount.Minor()
			}
		}
	}
	if byMonth["2026-02"] != 2000 || byMonth["2026-03"] != -2000 {
		t.Errorf("tax by month: %v", byMonth)
	}
}

// TestTaxPoint: EN 16931 BT-7 and BT-8; Directive 2006/112 art. 63 to 66.
func TestTaxPoint(t *testing.T) {
	for name, c := range map[string]struct {
		basis           tax.Basis
		issue, supplied domain.Date
		want            domain.Date // empty for the date of issue
	}{
		"by invoice":                {"", "2026-03-01", "2026-02-10", ""},
		"by invoice, named":         {tax.ByInvoice, "2026-03-01", "2026-02-10", ""},
		"by supply":                 {tax.BySupply, "2026-03-01", "2026-02-10", "2026-02-10"},
		"by supply, same day":       {tax.BySupply, "2026-03-01", "", ""},
		"invoiced before supply":    {tax.BySupply, "2026-03-01", "2026-04-10", ""},
		"supplied in a closed time": {tax.BySupply, "2026-03-01", "2026-01-31", ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := given.New()
			open := given.Open(b.ID)
			open.TaxBasis = c.basis
			b.Take(t, open)
			b.Take(t, given.Register("ada"))
			b.Take(t, shut(b, "2026-01-31"))
			command := enter("i", c.issue)
			command.Content.SupplyDate = c.supplied
			issued := b.Take(t, command)[0].Event.(*invoice.Issued)
			if issued.TaxPoint != c.want {
				t.Errorf("tax point %q, want %q", issued.TaxPoint, c.want)
			}
		})
	}
	b := given.New()
	open := given.Open(b.ID)
	open.TaxBasis = "cash"
	b.Refuse(t, open, "unknown-tax-basis")
}

func TestSettleRefused(t *testing.T) {
	b := given.Opened(t)
	b.Take(t, enter("i", "2026-02-20"))
	b.Refuse(t, settle(t, b, "2026-02-28"), "not-closed")
	b.Take(t, shut(b, "2026-02-28"))
	good := settle(t, b, "2026-02-28")
	for name, c := range map[string]struct {
		code   string
		change func(*period.Settle)
	}{
		"another day":    {"not-closed", func(c *period.Settle) { c.Through = "2026-03-31" }},
		"an earlier day": {"already-settled", func(c *period.Settle) { c.Through = "2026-01-31" }},
		"no month's end": {"invalid-period", func(c *period.Settle) { c.Through = "2026-02-27" }},
		"no size":        {"invalid-proof", func(c *period.Settle) { c.Proof.Size = 0 }},
		"short root":     {"invalid-proof", func(c *period.Settle) { c.Proof.Root = make([]byte, 31) }},
		"one left out":   {"invalid-balance", func(c *period.Settle) { c.Balances = c.Balances[1:] }},
		"out of order":   {"invalid-balance", func(c *period.Settle) { c.Balances[0], c.Balances[1] = c.Balances[1], c.Balances[0] }},
		"twice":          {"invalid-balance", func(c *period.Settle) { c.Balances[1] = c.Balances[0] }},
		"no account":     {"invalid-balance", func(c *period.Settle) { c.Balances[0].Account = "" }},
		"even": {"invalid-balance", func(c *period.Settle) {
			c.Balances[0].Amount, c.Balances[0].Base = money.Zero(given.Pounds), money.Amount{}
		}},
		"uneven base": {"invalid-balance", func(c *period.Settle) { c.Balances[0].Base = given.GBP("1.00") }},
		"no currency": {"invalid-balance", func(c *period.Settle) { c.Balances[0].Amount = money.Amount{} }},
		"other book":  {"other-book", func(c *period.Settle) { c.Book = uuid.New() }},
	} {
		t.Run(name, func(t *testing.T) {
			bad := *good
			bad.Balances = append([]period.Balance(nil), good.Balances...)
			c.change(&bad)
			b.Refuse(t, &bad, c.code)
		})
	}
	b.Take(t, good)
	b.Refuse(t, good, "already-settled")
}

func TestReopen(t *testing.T) {
	b := given.Opened(t)
	b.Refuse(t, reopen(b, "2026-01-31"), "not-closed")
	b.Take(t, shut(b, "2026-01-31"))
	b.Take(t, settle(t, b, "2026-01-31"))
	b.Take(t, shut(b, "2026-02-28"))
	b.Refuse(t, reopen(b, "2026-01-31"), "not-the-newest")
	b.Refuse(t, reopen(b, "2026-03-31"), "not-closed")
	b.Refuse(t, &period.Reopen{Book: b.ID, Through: "2026-02-28", Reason: " "}, "reason-missing")
	b.Refuse(t, enter("i", "2026-02-01"), "period-closed")
	b.Take(t, reopen(b, "2026-02-28")) // closed, and never settled
	b.Refuse(t, enter("i", "2026-01-31"), "period-closed")
	b.Take(t, enter("i", "2026-02-01"))
	b.Take(t, reopen(b, "2026-01-31"))
	if state := closed(t, b); state.Through() != "" || state.Closed != nil {
		t.Errorf("closed: %+v", state)
	}
	// It is closed again with what was booked meanwhile.
	changes := b.Take(t, shut(b, "2026-02-28"))
	if e := changes[0].Event.(*period.Closed); e.From != "" {
		t.Errorf("closed again: %+v", e)
	}
	settled := b.Take(t, settle(t, b, "2026-02-28"))[0].Event.(*period.Settled)
	if len(settled.Balances) != 3 || settled.Balances[0].Amount != given.GBP("120.00") {
		t.Errorf("balances: %+v", settled.Balances)
	}
}

func TestWhoMay(t *testing.T) {
	b := given.Opened(t)
	b.Take(t, &book.Grant{Book: b.ID, Principal: "bea", Role: access.Bookkeeper})
	b.Take(t, &book.Grant{Book: b.ID, Principal: "cal", Role: access.Clerk})
	b.Principal = "cal"
	b.Refuse(t, shut(b, "2026-02-28"), "not-permitted")
	b.Principal = "bea"
	b.Take(t, shut(b, "2026-02-28"))
	b.Take(t, settle(t, b, "2026-02-28"))
	b.Refuse(t, reopen(b, "2026-02-28"), "not-permitted")
	b.Principal = given.Owner
	b.Take(t, reopen(b, "2026-02-28"))
}

func TestEvolveOutOfSequence(t *testing.T) {
	none := period.State{}
	unsettled := period.State{Closed: []period.Period{{Through: "2026-01-31"}}}
	settled := period.State{Closed: []period.Period{{Through: "2026-01-31", Settled: true}}}
	for _, c := range []struct {
		state domain.State
		event domain.Event
	}{
		{none, &period.Settled{Through: "2026-01-31"}},
		{none, &period.Reopened{Through: "2026-01-31"}},
		{none, &period.Closed{From: "2026-01-01", Through: "2026-01-31"}},
		{unsettled, &period.Closed{From: "2026-02-01", Through: "2026-02-28"}},
		{unsettled, &period.Settled{Through: "2026-02-28"}},
		{settled, &period.Settled{Through: "2026-01-31"}},
		{settled, &period.Closed{From: "2026-03-01", Through: "2026-03-31"}},
		{settled, &period.Closed{Through: "2026-02-28"}},
		{settled, &period.Closed{From: "2026-02-01", Through: "2026-01-31"}},
		{settled, &period.Reopened{Through: "2025-12-31"}},
		{settled, &period.Reopened{From: "2026-01-01", Through: "2026-01-31"}},
		{none, &credit.Issued{}},
		{none, &series.Drawn{}},
	} {
		given.OutOfSequence(t, c.state, c.event)
	}
}
