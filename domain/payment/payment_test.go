package payment_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/credit"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/funds"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/payment"
	"github.com/daybook-ledger/daybook/testing/given"
)

func item(name string) domain.StreamID { return invoice.Stream(given.ID(name)) }

func paid(name string) domain.StreamID { return payment.Stream(given.ID(name)) }

// share is an amount for an item; empty for as much as can be.
func share(target domain.StreamID, amount string) payment.Share {
	s := payment.Share{Target: target}
	if amount != "" {
		s.Amount = given.GBP(amount)
	}
	return s
}

// withInvoices is a book with the invoices i of 120.00 and j of 60.00 of ada,
// b of 24.00 of bob, and the draft d.
func withInvoices(t *testing.T) *given.Book {
	t.Helper()
	b := given.Opened(t)
	b.Take(t, given.Register("bob"))
	b.Take(t, given.Enter("i", given.Content("ada", given.Line("1", "100", "S 20"))))
	b.Take(t, given.Enter("j", given.Content("ada", given.Line("1", "50", "S 20"))))
	b.Take(t, given.Enter("b", given.Content("bob", given.Line("1", "20", "S 20"))))
	b.Take(t, given.Draft("d", given.Content("ada", given.Line("1", "20", "S 20"))))
	return b
}

func receive(name, amount string, shares ...payment.Share) *payment.Receive {
	c := given.Receive(name, "ada", amount)
	c.Allocations = shares
	return c
}

func allocate(source domain.StreamID, shares ...payment.Share) *payment.Allocate {
	return &payment.Allocate{Source: source, Allocations: shares, Date: given.Today}
}

func state(t *testing.T, b *given.Book, name string) payment.State {
	t.Helper()
	s, err := payment.Load(b, given.ID(name))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func issued(t *testing.T, b *given.Book, name string) invoice.State {
	t.Helper()
	s, err := invoice.Load(b, given.ID(name))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func same(t *testing.T, what string, got money.Amount, want string) {
	t.Helper()
	if got.Minor() != given.GBP(want).Minor() {
		t.Errorf("%s is %s, want %s", what, got, want)
	}
}

func owed(t *testing.T, b *given.Book, want string) {
	t.Helper()
	ada, err := customer.Load(b, given.ID("ada"))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "credit", ada.CreditIn(given.Pounds), want)
}

// TestOnePaymentOverTwoInvoices keeps what exceeds them as credit.
func TestOnePaymentOverTwoInvoices(t *testing.T) {
	b := withInvoices(t)
	changes := b.Take(t, receive("p", "200", share(item("i"), ""), share(item("j"), "50")))
	e := changes[0].Event.(*payment.Received)
	if e.Method != "bank" || e.Personal.Text != "thanks" || len(changes) != 6 {
		t.Errorf("%+v in %d changes", e, len(changes))
	}
	same(t, "i", issued(t, b, "i").Open, "0")
	same(t, "j", issued(t, b, "j").Open, "10")
	same(t, "free", state(t, b, "p").Funds.Free, "30")
	owed(t, b, "30")
	if i, j := issued(t, b, "i").Status(), issued(t, b, "j").Status(); i != invoice.StatusPaid || j != invoice.StatusPartPaid {
		t.Errorf("statuses %s, %s", i, j)
	}
	b.Take(t, allocate(paid("p"), share(item("j"), ""))) // as much as is open
	same(t, "free", state(t, b, "p").Funds.Free, "20")
	b.Take(t, &payment.Refund{Source: paid("p"), Customer: given.ID("ada"), Date: given.Today}) // all
	same(t, "refunded", state(t, b, "p").Funds.Refunded, "20")
	owed(t, b, "0")
	b.Refuse(t, &payment.Refund{Source: paid("p"), Customer: given.ID("ada"), Date: given.Today}, "nothing-free")
	b.Refuse(t, allocate(paid("p"), share(item("j"), "")), "nothing-open")
}

func TestRelease(t *testing.T) {
	b := withInvoices(t)
	b.Take(t, receive("p", "100", share(item("i"), "")))
	back := func(amount string, date domain.Date) *payment.Unallocate {
		return &payment.Unallocate{Source: paid("p"), Allocations: []payment.Share{share(item("i"), amount)}, Date: date}
	}
	later := given.Today.AddDays(5)
	b.Refuse(t, back("", given.Today.AddDays(-1)), "before-allocation")
	b.Refuse(t, back("100.01", given.Today), "not-allocated")
	b.Take(t, back("30", later))
	same(t, "open", issued(t, b, "i").Open, "50")
	// What came free on the 6th cannot be used on the 5th, nor the invoice paid
	// again before it was opened again.
	b.Refuse(t, &payment.Allocate{Source: paid("p"), Allocations: []payment.Share{share(item("j"), "30")}, Date: later.AddDays(-1)}, "before-credit")
	other := receive("q", "10", share(item("i"), "10"))
	b.Refuse(t, other, "before-invoice")
	b.Take(t, back("", later))
	same(t, "open", issued(t, b, "i").Open, "120")
	same(t, "allocated", issued(t, b, "i").Allocated, "0")
	b.Refuse(t, back("", later), "not-allocated")
	owed(t, b, "100")
}

// TestReversal reopens what was paid; what was refunded is to be paid back, and
// can be.
func TestReversal(t *testing.T) {
	b := withInvoices(t)
	b.Take(t, receive("p", "200", share(item("i"), ""), share(item("j"), "50")))
	refunded := &payment.Refund{Source: paid("p"), Customer: given.ID("ada"), Amount: given.GBP("10"), Date: given.Today.AddDays(3)}
	b.Take(t, refunded)
	reverse := &payment.Reverse{ID: given.ID("p"), Date: given.Today, Reason: "returned"}
	b.Refuse(t, reverse, "before-use")
	reverse.Date = given.Today.AddDays(3)
	changes := b.Take(t, reverse)
	e := changes[4].Event.(*payment.Reversed)
	same(t, "reversed", e.Amount, "200")
	same(t, "claim", e.Claim, "10")
	same(t, "i", issued(t, b, "i").Open, "120")
	same(t, "j", issued(t, b, "j").Open, "60")
	owed(t, b, "0")
	if p := state(t, b, "p"); p.Status() != payment.StatusReversed || p.Open.Minor() != 1000 || !p.Funds.Free.IsZero() {
		t.Errorf("state %+v", p)
	}
	for _, c := range []domain.Command{reverse, refunded, allocate(paid("p"), share(item("i"), ""))} {
		b.Refuse(t, c, "payment-reversed")
	}
	late := receive("q", "25", share(paid("p"), ""), share(item("j"), ""))
	b.Refuse(t, late, "before-invoice")
	late.Date = reverse.Date
	late.Allocations[0].Amount = given.GBP("10.01")
	b.Refuse(t, late, "over-allocated")
	late.Allocations[0].Amount = money.Amount{}
	b.Take(t, late)
	same(t, "claim", state(t, b, "p").Open, "0")
	same(t, "j", issued(t, b, "j").Open, "45")
	// Its payment can be returned too.
	b.Take(t, &payment.Reverse{ID: given.ID("q"), Date: reverse.Date, Reason: "returned"})
	same(t, "claim", state(t, b, "p").Open, "10")
}

// TestCreditOfACreditNote is used by the same commands.
func TestCreditOfACreditNote(t *testing.T) {
	b := withInvoices(t)
	b.Take(t, given.OnAccount("c", "ada", given.Line("1", "50", "Z 0")))
	source := credit.Stream(given.ID("c"))
	b.Refuse(t, allocate(source, share(item("i"), "50.01")), "insufficient-credit")
	b.Take(t, allocate(source, share(item("i"), "20")))
	b.Refuse(t, &payment.Refund{Source: source, Customer: given.ID("bob"), Date: given.Today}, "customer-mismatch")
	b.Refuse(t, &payment.Refund{Source: source, Customer: given.ID("ada"), Amount: given.GBP("30.01"), Date: given.Today}, "insufficient-credit")
	b.Take(t, &payment.Refund{Source: source, Customer: given.ID("ada"), Amount: given.GBP("30"), Date: given.Today})
	owed(t, b, "0")
	b.Take(t, &payment.Unallocate{Source: source, Allocations: []payment.Share{share(item("i"), "")}, Date: given.Today})
	owed(t, b, "20")
	b.Refuse(t, &payment.Reverse{ID: given.ID("c"), Date: given.Today, Reason: "x"}, "unknown-payment")
	b.Refuse(t, allocate(credit.Stream(given.ID("none")), share(item("i"), "")), "unknown-credit")
}

// TestPrepaid draws on the oldest payments where they left enough by the date of
// issue, and otherwise on nothing.
func TestPrepaid(t *testing.T) {
	b := withInvoices(t)
	b.Take(t, receive("p", "30"))
	later := receive("q", "30")
	later.Date = given.Today.AddDays(1)
	b.Take(t, later)
	b.Take(t, given.OnAccount("c", "ada", given.Line("1", "500", "Z 0")))
	enter := func(name, prepaid string, date domain.Date) []domain.Change {
		c := given.Enter(name, given.Content("ada", given.Line("1", "100", "Z 0")))
		c.Content.Prepaid, c.Date = given.GBP(prepaid), date
		return b.Take(t, c)
	}
	if changes := enter("k", "30.01", given.Today); len(changes) != 2 {
		t.Errorf("%d changes: it drew on what was not there, or not received", len(changes))
	}
	changes := enter("l", "40", given.Today.AddDays(1))
	first, second := changes[2].Event.(*funds.Drawn), changes[4].Event.(*funds.Drawn)
	if changes[2].Stream != paid("p") || changes[4].Stream != paid("q") {
		t.Errorf("drawn on %s and %s", changes[2].Stream, changes[4].Stream)
	}
	same(t, "first", first.Amount, "30")
	same(t, "second", second.Amount, "10")
	owed(t, b, "520")
	// A reversal then leaves what was drawn to be paid back; the invoice says
	// what it said.
	b.Take(t, &payment.Reverse{ID: given.ID("p"), Date: given.Today.AddDays(1), Reason: "returned"})
	same(t, "claim", state(t, b, "p").Open, "30")
	same(t, "open", issued(t, b, "l").Open, "60")
	imported := given.Enter("m", given.Content("ada", given.Line("1", "100", "Z 0")))
	imported.Content.Prepaid, imported.Imported = given.GBP("5"), true
	imported.Date = given.Today.AddDays(1)
	if changes := b.Take(t, imported); len(changes) != 2 {
		t.Errorf("an imported invoice drew on credit: %d changes", len(changes))
	}
}

func TestRefused(t *testing.T) {
	b := withInvoices(t)
	b.Take(t, receive("p", "100"))
	named := receive("n", "1")
	named.Reference = "TX-1"
	b.Take(t, named)
	euro, err := money.ParseCurrency("EUR")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		code    string
		command domain.Command
	}{
		"exists":          {"payment-exists", receive("p", "1")},
		"no id":           {"invalid-id", &payment.Receive{Customer: given.ID("ada"), Amount: given.GBP("1"), Date: given.Today}},
		"nobody":          {"unknown-customer", given.Receive("x", "nobody", "1")},
		"nothing":         {"invalid-amount", receive("x", "0")},
		"less":            {"invalid-amount", receive("x", "-1")},
		"beyond":          {"invalid-amount", receive("x", "10000000000000.01")},
		"part nothing":    {"invalid-amount", receive("x", "1", payment.Share{Target: item("i"), Amount: given.GBP("-1")})},
		"euro":            {"rate-missing", &payment.Receive{ID: given.ID("x"), Customer: given.ID("ada"), Amount: money.New(1, euro), Date: given.Today}},
		"part euro":       {"foreign-currency", receive("x", "1", payment.Share{Target: item("i"), Amount: money.New(1, euro)})},
		"no date":         {"invalid-date", &payment.Receive{ID: given.ID("x"), Customer: given.ID("ada"), Amount: given.GBP("1")}},
		"future":          {"date-in-future", &payment.Receive{ID: given.ID("x"), Customer: given.ID("ada"), Amount: given.GBP("1"), Date: "2026-04-02"}},
		"reference":       {"reference-taken", &payment.Receive{ID: given.ID("x"), Customer: given.ID("ada"), Amount: given.GBP("1"), Date: given.Today, Reference: "TX-1"}},
		"long text":       {"text-too-long", &payment.Receive{ID: given.ID("x"), Customer: given.ID("ada"), Amount: given.GBP("1"), Date: given.Today, Personal: &funds.Text{Text: strings.Repeat("x", 3000)}}},
		"draft":           {"not-issued", allocate(paid("p"), share(item("d"), ""))},
		"no invoice":      {"unknown-invoice", allocate(paid("p"), share(item("none"), ""))},
		"bob's":           {"customer-mismatch", allocate(paid("p"), share(item("b"), ""))},
		"to a customer":   {"invalid-target", allocate(paid("p"), share(customer.Stream(given.ID("ada")), ""))},
		"to a payment":    {"not-reversed", allocate(paid("p"), share(paid("n"), ""))},
		"to itself":       {"not-reversed", allocate(paid("p"), share(paid("p"), ""))},
		"no item":         {"invalid-id", allocate(paid("p"), share(invoice.Stream(uuid.Nil), ""))},
		"to nothing":      {"no-allocations", allocate(paid("p"))},
		"to many":         {"too-many-lines", allocate(paid("p"), make([]payment.Share, payment.MaxShares+1)...)},
		"too much":        {"over-allocated", allocate(paid("p"), share(item("j"), "60.01"))},
		"twice too much":  {"over-allocated", allocate(paid("p"), share(item("j"), "40"), share(item("j"), "20.01"))},
		"beyond the fund": {"insufficient-credit", allocate(paid("p"), share(item("i"), "60"), share(item("j"), "40.01"))},
		"of an invoice":   {"invalid-source", allocate(item("i"), share(item("i"), ""))},
		"of none":         {"unknown-payment", allocate(paid("none"), share(item("i"), ""))},
		"before":          {"before-invoice", receiveOn("2026-02-28", share(item("i"), ""))},
		"before credit":   {"before-credit", &payment.Refund{Source: paid("p"), Customer: given.ID("ada"), Date: "2026-02-28"}},
		"refund euro":     {"foreign-currency", &payment.Refund{Source: paid("p"), Customer: given.ID("ada"), Amount: money.New(1, euro), Date: given.Today}},
		"refund less":     {"invalid-amount", &payment.Refund{Source: paid("p"), Customer: given.ID("ada"), Amount: given.GBP("-1"), Date: given.Today}},
		"refund ahead":    {"date-in-future", &payment.Refund{Source: paid("p"), Customer: given.ID("ada"), Date: "2026-04-02"}},
		"release":         {"not-allocated", &payment.Unallocate{Source: paid("p"), Allocations: []payment.Share{share(item("i"), "")}, Date: given.Today}},
		"no reason":       {"reason-missing", &payment.Reverse{ID: given.ID("p"), Date: given.Today}},
		"reverse none":    {"unknown-payment", &payment.Reverse{ID: given.ID("none"), Date: given.Today, Reason: "x"}},
	} {
		t.Run(name, func(t *testing.T) { b.Refuse(t, c.command, c.code) })
	}
}

func receiveOn(date domain.Date, shares ...payment.Share) *payment.Receive {
	c := receive("x", "100", shares...)
	c.Date = date
	return c
}

// TestEvolveOutOfSequence gives states what no decision gives.
func TestEvolveOutOfSequence(t *testing.T) {
	b := withInvoices(t)
	b.Take(t, receive("p", "100", share(item("i"), "60")))
	p := state(t, b, "p")
	given.OutOfSequence(t, payment.State{}, &funds.Allocated{Amount: given.GBP("1")})
	for _, e := range []domain.Event{
		&payment.Received{Amount: given.GBP("1"), Date: given.Today},
		&payment.Reversed{Amount: given.GBP("100"), Claim: given.GBP("0"), Date: given.Today}, // still used
		&payment.ClaimPaid{Amount: given.GBP("1")},
		&payment.ClaimReopened{Amount: given.GBP("1")},
		&funds.Allocated{Target: item("i"), Amount: given.GBP("40.01"), Date: given.Today},
		&funds.Allocated{Target: item("i"), Amount: given.GBP("0"), Date: given.Today},
		&funds.Allocated{Target: item("i"), Amount: given.GBP("1"), Date: "2026-02-28"},
		&funds.Refunded{Amount: given.GBP("41"), Date: given.Today},
		&funds.Drawn{Amount: given.GBP("41"), Date: given.Today},
		&funds.Released{Target: item("i"), Amount: given.GBP("60.01"), Date: given.Today},
		&funds.Released{Target: item("i"), Amount: given.GBP("-1"), Date: given.Today},
		&funds.Released{Target: item("j"), Amount: given.GBP("1"), Date: given.Today},
		&invoice.Approved{},
	} {
		given.OutOfSequence(t, p, e)
	}
	i := issued(t, b, "i")
	for _, e := range []domain.Event{
		&invoice.Allocated{Amount: given.GBP("60.01"), Date: given.Today},
		&invoice.Allocated{Amount: given.GBP("-1"), Date: given.Today},
		&invoice.Unallocated{Amount: given.GBP("60.01"), Date: given.Today},
		&invoice.WrittenOff{Amount: given.GBP("60.01"), Date: given.Today},
		&invoice.Recovered{Amount: given.GBP("1"), Date: given.Today},
		&invoice.Relieved{Date: given.Today},
	} {
		given.OutOfSequence(t, i, e)
	}
	ada, err := customer.Load(b, given.ID("ada"))
	if err != nil {
		t.Fatal(err)
	}
	given.OutOfSequence(t, ada, &customer.CreditMoved{Source: paid("p"), Amount: given.GBP("-40.01")})
	given.OutOfSequence(t, ada, &customer.CreditMoved{Source: paid("q"), Amount: given.GBP("-1")})
	given.OutOfSequence(t, ada, &customer.CreditMoved{Source: credit.Stream(given.ID("c")), Amount: given.GBP("-40.01")})
}

// TestPrepaidAfterReleases draws on nothing that came free later than the date of
// issue, in whatever order allocations were taken back.
func TestPrepaidAfterReleases(t *testing.T) {
	b := withInvoices(t)
	day := func(n int) domain.Date { return given.Today.AddDays(n) }
	b.Take(t, receive("p", "100", share(item("i"), "40"), share(item("j"), "60")))
	back := func(name string, n int) {
		b.Take(t, &payment.Unallocate{Source: paid("p"), Allocations: []payment.Share{share(item(name), "")}, Date: day(n)})
	}
	back("j", 10)
	b.Take(t, &payment.Allocate{Source: paid("p"), Allocations: []payment.Share{share(item("j"), "60")}, Date: day(10)})
	back("i", 5)
	enter := given.Enter("k", given.Content("ada", given.Line("1", "100", "Z 0")))
	enter.Content.Prepaid, enter.Date = given.GBP("40"), day(7)
	if changes := b.Take(t, enter); len(changes) != 2 {
		t.Errorf("%d changes: it drew on what was not free on the day", len(changes))
	}
	enter = given.Enter("l", enter.Content)
	enter.Date = day(10)
	if changes := b.Take(t, enter); len(changes) != 4 {
		t.Errorf("%d changes: it did not draw on what was free", len(changes))
	}
}
