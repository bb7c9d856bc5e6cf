package invoice_test

import (
	"testing"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/payment"
	"github.com/daybook-ledger/daybook/testing/given"
)

func off(name, amount string) *invoice.WriteOff {
	c := &invoice.WriteOff{ID: given.ID(name), Date: given.Today, Reason: "bankrupt"}
	if amount != "" {
		c.Amount = given.GBP(amount)
	}
	return c
}

func relieve(name string) *invoice.Relieve {
	return &invoice.Relieve{ID: given.ID(name), Date: given.Today, Reason: "six months"}
}

// paidOff is a payment of ada's for the invoice.
func paidOff(name, of, amount string) *payment.Receive {
	c := given.Receive(name, "ada", amount)
	c.Allocations = []payment.Share{{Target: invoice.Stream(given.ID(of))}}
	return c
}

// relieved compares the relief of an invoice: rate, taxable, tax, in turn.
func relieved(t *testing.T, s invoice.State, want ...string) {
	t.Helper()
	got := map[string][2]int64{}
	for _, r := range s.Relieved {
		if !r.Taxable.IsZero() || !r.Tax.IsZero() {
			got[r.Rate.String()] = [2]int64{r.Taxable.Minor(), r.Tax.Minor()}
		}
	}
	for i := 0; i < len(want); i += 3 {
		sums := [2]int64{given.GBP(want[i+1]).Minor(), given.GBP(want[i+2]).Minor()}
		if got[want[i]] != sums {
			t.Errorf("relief at %s is %v, want %v", want[i], got[want[i]], sums)
		}
		delete(got, want[i])
	}
	if len(got) != 0 {
		t.Errorf("relieved besides: %v", got)
	}
}

func of(t *testing.T, b *given.Book, name string) invoice.State {
	t.Helper()
	s, err := invoice.Load(b, given.ID(name))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestWrittenOffThenPaid: the relief is the tax in what was not paid, in
// proportion where some was, and of what is paid later the tax is due again, in
// the same proportion (Directive 2006/112, art. 90; the UK's VAT Notice 700/18
// works alike).
func TestWrittenOffThenPaid(t *testing.T) {
	b := given.Opened(t)
	b.Take(t, given.Enter("i", given.Content("ada", given.Line("1", "100", "S 20"), given.Line("1", "120", "Z 0"))))
	b.Take(t, paidOff("p", "i", "120")) // half of 240.00
	b.Refuse(t, relieve("i"), "not-written-off")
	b.Take(t, off("i", ""))
	if s := of(t, b, "i"); s.Status() != invoice.StatusUncollectible || s.WrittenOff != given.GBP("120") {
		t.Errorf("%+v", s)
	}
	b.Take(t, relieve("i"))
	relieved(t, of(t, b, "i"), "S 20", "50", "10", "Z 0", "60", "0")
	b.Refuse(t, relieve("i"), "nothing-to-relieve")
	early := paidOff("q", "i", "30")
	early.Date = given.Today.AddDays(-1)
	b.Refuse(t, early, "before-invoice")
	b.Take(t, paidOff("q", "i", "30")) // a quarter of what was written off
	s := of(t, b, "i")
	relieved(t, s, "S 20", "37.50", "7.50", "Z 0", "45", "0")
	if s.Status() != invoice.StatusUncollectible || s.Recovered != given.GBP("30") || !s.Open.IsZero() {
		t.Errorf("%+v", s)
	}
	b.Take(t, paidOff("r", "i", "100")) // 10.00 more than that
	s = of(t, b, "i")
	relieved(t, s)
	if s.Status() != invoice.StatusPaid || s.Recovered != given.GBP("120") || s.Relieved != nil {
		t.Errorf("%+v", s)
	}
	// The payment is returned: what it paid is open again, and can be written off.
	b.Take(t, &payment.Reverse{ID: given.ID("r"), Date: given.Today, Reason: "returned"})
	if s = of(t, b, "i"); s.Open != given.GBP("90") || s.Status() != invoice.StatusPartPaid {
		t.Errorf("%+v", s)
	}
	b.Take(t, off("i", "90"))
	b.Take(t, relieve("i"))
	relieved(t, of(t, b, "i"), "S 20", "37.50", "7.50", "Z 0", "45", "0")
}

// TestReliefInSteps takes back no more than is written off, to the cent.
func TestReliefInSteps(t *testing.T) {
	b := given.Opened(t)
	b.Take(t, given.Enter("i", given.Content("ada", given.Line("1", "0.05", "S 20")))) // 0.06
	b.Take(t, off("i", "0.01"))
	b.Refuse(t, relieve("i"), "nothing-to-relieve") // a sixth of a penny of tax
	b.Take(t, off("i", "0.03"))
	b.Take(t, relieve("i"))
	relieved(t, of(t, b, "i"), "S 20", "0.03", "0.01")
	b.Take(t, off("i", ""))
	b.Refuse(t, relieve("i"), "nothing-to-relieve") // the tax is taken back already
	b.Take(t, paidOff("p", "i", "0.06"))
	relieved(t, of(t, b, "i"))
}

// TestCreditedAfterWriteOff credits what was written off before anything becomes
// credit of the customer, and takes the relief back.
func TestCreditedAfterWriteOff(t *testing.T) {
	b := given.Opened(t)
	b.Take(t, given.Enter("i", given.Content("ada", given.Line("1", "100", "S 20"), given.Line("1", "120", "Z 0"))))
	b.Take(t, off("i", "120"))
	b.Take(t, relieve("i"))
	relieved(t, of(t, b, "i"), "S 20", "50", "10", "Z 0", "60", "0")
	// All at 20 % is credited: 120.00 was open. No more than is left there stays
	// relieved.
	b.Take(t, given.Credit("c", "i", "ada", given.Line("1", "100", "S 20")))
	s := of(t, b, "i")
	relieved(t, s, "Z 0", "60", "0")
	if !s.Open.IsZero() || s.WrittenOff != given.GBP("120") {
		t.Errorf("%+v", s)
	}
	early := given.Credit("d", "i", "ada", given.Line("1", "120", "Z 0"))
	early.Date, early.Imported = given.Today.AddDays(-1), true
	b.Refuse(t, early, "before-invoice")
	changes := b.Take(t, given.Credit("d", "i", "ada", given.Line("1", "120", "Z 0")))
	s = of(t, b, "i")
	relieved(t, s)
	if !s.Open.IsZero() || !s.WrittenOff.IsZero() || s.Status() != invoice.StatusCredited {
		t.Errorf("%+v", s)
	}
	if e, is := changes[2].Event.(*invoice.Recovered); !is || e.Amount != given.GBP("120") {
		t.Errorf("%T", changes[2].Event)
	}
}

func TestWriteOffRefused(t *testing.T) {
	b := given.Opened(t)
	b.Take(t, given.Enter("i", given.Content("ada", given.Line("1", "100", "S 20"))))
	b.Take(t, given.Draft("d", given.Content("ada", given.Line("1", "100", "S 20"))))
	b.Take(t, given.Enter("z", given.Content("ada", given.Line("1", "100", "Z 0"))))
	b.Take(t, off("z", ""))
	change := func(c *invoice.WriteOff, f func(*invoice.WriteOff)) *invoice.WriteOff {
		f(c)
		return c
	}
	for name, c := range map[string]struct {
		code    string
		command domain.Command
	}{
		"none":          {"unknown-invoice", off("none", "")},
		"draft":         {"not-issued", off("d", "")},
		"too much":      {"over-written-off", off("i", "120.01")},
		"less":          {"invalid-amount", off("i", "-1")},
		"nothing":       {"nothing-open", off("z", "")},
		"euro":          {"foreign-currency", change(off("i", ""), func(c *invoice.WriteOff) { c.Amount = euros(t) })},
		"no reason":     {"reason-missing", change(off("i", ""), func(c *invoice.WriteOff) { c.Reason = " " })},
		"no date":       {"invalid-date", change(off("i", ""), func(c *invoice.WriteOff) { c.Date = "" })},
		"before":        {"before-invoice", change(off("i", ""), func(c *invoice.WriteOff) { c.Date = "2026-02-28" })},
		"ahead":         {"date-in-future", change(off("i", ""), func(c *invoice.WriteOff) { c.Date = "2026-04-02" })},
		"no tax":        {"nothing-to-relieve", relieve("z")},
		"early relief":  {"before-write-off", &invoice.Relieve{ID: given.ID("z"), Date: "2026-02-28", Reason: "x"}},
		"late relief":   {"date-in-future", &invoice.Relieve{ID: given.ID("z"), Date: "2026-04-02", Reason: "x"}},
		"why relief":    {"reason-missing", &invoice.Relieve{ID: given.ID("z"), Date: given.Today}},
		"relief none":   {"unknown-invoice", relieve("none")},
		"relief nought": {"not-written-off", relieve("i")},
	} {
		t.Run(name, func(t *testing.T) { b.Refuse(t, c.command, c.code) })
	}
	s := of(t, b, "z")
	given.OutOfSequence(t, s, &invoice.Relieved{Relief: []invoice.RateSum{{Rate: given.Rate("Z 0"), Taxable: given.GBP("100.01")}}})
	given.OutOfSequence(t, s, &invoice.Relieved{Relief: []invoice.RateSum{{Rate: given.Rate("S 20"), Taxable: given.GBP("1")}}})
	given.OutOfSequence(t, s, &invoice.Recovered{Amount: given.GBP("1"), Relief: []invoice.RateSum{{Rate: given.Rate("Z 0"), Taxable: given.GBP("1")}}})
}

func euros(t *testing.T) money.Amount {
	t.Helper()
	return money.New(1, currency(t, "EUR"))
}
