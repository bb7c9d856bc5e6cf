package credit_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/domain/credit"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
	"github.com/daybook-ledger/daybook/testing/given"
)

// withInvoice is a book with the invoice i of ada.
func withInvoice(t *testing.T, change func(*invoice.Content), lines ...invoice.Line) *given.Book {
	t.Helper()
	b := given.Opened(t)
	content := given.Content("ada", lines...)
	if change != nil {
		change(&content)
	}
	b.Take(t, given.Enter("i", content))
	return b
}

func note(name string, lines ...invoice.Line) *credit.Issue {
	return given.Credit(name, "i", "ada", lines...)
}

func issued(t *testing.T, b *given.Book, c *credit.Issue) *credit.Issued {
	t.Helper()
	return b.Take(t, c)[0].Event.(*credit.Issued)
}

func open(t *testing.T, b *given.Book) invoice.State {
	t.Helper()
	state, err := invoice.Load(b, given.ID("i"))
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func owed(t *testing.T, b *given.Book) money.Amount {
	t.Helper()
	state, err := customer.Load(b, given.ID("ada"))
	if err != nil {
		t.Fatal(err)
	}
	return state.CreditIn(given.Pounds)
}

func same(t *testing.T, what string, got money.Amount, want string) {
	t.Helper()
	if got.Minor() != given.GBP(want).Minor() {
		t.Errorf("%s is %s, want %s", what, got, want)
	}
}

func TestWhole(t *testing.T) {
	b := withInvoice(t, nil, given.Line("1", "100", "S 20"), given.Line("3", "5", "Z 0"))
	c := note("c", given.Line("1", "100", "S 20"), given.Line("3", "5", "Z 0"))
	c.Personal = &credit.IssuePersonal{Text: given.Text(2)}
	changes := b.Take(t, c)
	e := changes[0].Event.(*credit.Issued)
	if e.Number != "CN-00001" || e.InvoiceNumber != "INV-00001" || e.SupplyDate != given.Today ||
		e.Personal.Buyer.Name != "ada & Co" || e.Personal.Text.Note == "" || len(changes) != 3 {
		t.Errorf("issued: %+v in %d changes", e, len(changes))
	}
	same(t, "applied", e.Applied, "135")
	same(t, "excess", e.Excess, "0")
	state := open(t, b)
	same(t, "open", state.Open, "0")
	if state.Status() != invoice.StatusCredited {
		t.Errorf("status %s", state.Status())
	}
	b.Refuse(t, note("d", given.Line("1", "0.01", "Z 0")), "over-credited")
}

// TestNoMoreThanIssued credits each rate to its last cent and tries one more;
// what one rate has left does not help another.
func TestNoMoreThanIssued(t *testing.T) {
	b := withInvoice(t, nil, given.Line("1", "100", "S 20"), given.Line("1", "50", "S 5"))
	b.Refuse(t, note("c", given.Line("1", "50.01", "S 5")), "over-credited")
	b.Refuse(t, note("c", given.Line("1", "100.01", "S 20")), "over-credited")
	b.Take(t, note("c1", given.Line("1", "50", "S 5")))
	b.Refuse(t, note("c", given.Line("1", "0.01", "S 5")), "over-credited")
	b.Take(t, note("c2", given.Line("1", "99.99", "S 20")))
	b.Refuse(t, note("c", given.Line("1", "0.02", "S 20")), "over-credited")
	b.Take(t, note("c3", given.Line("1", "0.01", "S 20")))
	b.Refuse(t, note("c", given.Line("1", "0.01", "S 20")), "over-credited")
	same(t, "open", open(t, b).Open, "0")
	// A line above and a line below nothing at one rate may meet the limit.
	b.Refuse(t, note("c", given.Line("1", "10", "S 20"), given.Line("-1", "9", "S 20")), "over-credited")
}

func TestOnlyAtTheRatesOfTheInvoice(t *testing.T) {
	b := withInvoice(t, nil, given.Line("1", "100", "S 20"))
	for _, rate := range []string{"S 19", "S 5", "Z 0", "B 20"} {
		b.Refuse(t, note("c", given.Line("1", "1", rate)), "rate-not-on-invoice")
	}
	b.Refuse(t, note("c", given.Line("1", "1", "S 20"), given.Line("1", "0", "Z 0")), "rate-not-on-invoice")
	b.Take(t, note("c", given.Line("1", "1", "S 20.00")))
}

// TestExcess credits an invoice of which most was prepaid: what is more than
// the open amount becomes credit of the customer, and the parts sum exactly.
func TestExcess(t *testing.T) {
	b := withInvoice(t, func(c *invoice.Content) { c.Prepaid = given.GBP("90") }, given.Line("1", "100", "S 20"))
	first := issued(t, b, note("c1", given.Line("1", "20", "S 20")))
	same(t, "applied", first.Applied, "24")
	same(t, "open", open(t, b).Open, "6")
	changes := b.Take(t, note("c2", given.Line("1", "10", "S 20")))
	second := changes[0].Event.(*credit.Issued)
	same(t, "applied", second.Applied, "6")
	same(t, "excess", second.Excess, "6")
	if e := changes[3].Event.(*customer.Credited); e.Credit != given.ID("c2") || e.Amount != given.GBP("6") || e.Breakdown != nil {
		t.Errorf("customer: %+v", e)
	}
	third := issued(t, b, note("c3", given.Line("1", "70", "S 20")))
	same(t, "applied", third.Applied, "0")
	same(t, "excess", third.Excess, "84")
	same(t, "customer's credit", owed(t, b), "90")
}

func TestOnAccount(t *testing.T) {
	b := given.Opened(t)
	c := given.OnAccount("c", "ada", given.Line("1", "10", "S 20"), given.Line("2", "3", "Z 0"))
	changes := b.Take(t, c)
	e := changes[0].Event.(*credit.Issued)
	same(t, "applied", e.Applied, "0")
	same(t, "excess", e.Excess, "18")
	if e.Reason != "goodwill" || e.Invoice != uuid.Nil || len(changes) != 3 {
		t.Errorf("issued: %+v in %d changes", e, len(changes))
	}
	got := changes[2].Event.(*customer.Credited)
	if got.Amount != given.GBP("18") || got.Reason != "goodwill" || len(got.Breakdown) != 2 || got.Breakdown[0].Rate != given.Rate("S 20") {
		t.Errorf("customer: %+v", got)
	}
	same(t, "customer's credit", owed(t, b), "18")
}

func TestRefused(t *testing.T) {
	long := strings.Repeat("x", 2001)
	onInvoice := func() *credit.Issue { return note("c", given.Line("1", "10", "S 20")) }
	onAccount := func() *credit.Issue { return given.OnAccount("c", "ada", given.Line("1", "10", "S 20")) }
	for name, c := range map[string]struct {
		code   string
		base   func() *credit.Issue
		change func(*credit.Issue)
	}{
		"no id":              {"invalid-id", onInvoice, func(c *credit.Issue) { c.ID = uuid.Nil }},
		"date":               {"invalid-date", onInvoice, func(c *credit.Issue) { c.Date = "" }},
		"unknown invoice":    {"unknown-invoice", onInvoice, func(c *credit.Issue) { c.Invoice = given.ID("x") }},
		"draft":              {"not-issued", onInvoice, func(c *credit.Issue) { c.Invoice = given.ID("draft") }},
		"discarded":          {"not-issued", onInvoice, func(c *credit.Issue) { c.Invoice = given.ID("gone") }},
		"other customer":     {"customer-mismatch", onInvoice, func(c *credit.Issue) { c.Content.Customer = given.ID("bob") }},
		"unknown customer":   {"unknown-customer", onAccount, func(c *credit.Issue) { c.Content.Customer = given.ID("x") }},
		"before invoice":     {"before-invoice", onInvoice, func(c *credit.Issue) { c.Date = "2026-02-28" }},
		"import before":      {"before-invoice", onInvoice, func(c *credit.Issue) { c.Date, c.Imported = "2026-02-28", true }},
		"due date":           {"not-on-credit-note", onInvoice, func(c *credit.Issue) { c.Content.DueDate = given.Today }},
		"due days":           {"not-on-credit-note", onInvoice, func(c *credit.Issue) { c.Content.DueDays = 1 }},
		"prepaid":            {"not-on-credit-note", onInvoice, func(c *credit.Issue) { c.Content.Prepaid = given.GBP("1") }},
		"rounding":           {"over-credited", onInvoice, func(c *credit.Issue) { c.Content.RoundingAmount = given.GBP("0.01") }},
		"rounding below":     {"over-credited", onInvoice, func(c *credit.Issue) { c.Content.RoundingAmount = given.GBP("-0.01") }},
		"on account, rounds": {"not-on-credit-note", onAccount, func(c *credit.Issue) { c.Content.RoundingAmount = given.GBP("0.01") }},
		"on account, why":    {"reason-missing", onAccount, func(c *credit.Issue) { c.Reason = " " }},
		"on account, nil":    {"no-value", onAccount, func(c *credit.Issue) { c.Content.Lines[0].Price = money.Decimal{} }},
		"nil":                {"no-value", onInvoice, func(c *credit.Issue) { c.Content.Lines[0].Price = money.Decimal{} }},
		"below nothing":      {"negative-total", onInvoice, func(c *credit.Issue) { c.Content.Lines[0].Quantity = given.Number("-1") }},
		"charges a rate": {"negative-credit", onInvoice, func(c *credit.Issue) {
			c.Content.Lines = append(c.Content.Lines, given.Line("-1", "1", "Z 0"))
		}},
		"on account, charges": {"negative-credit", onAccount, func(c *credit.Issue) {
			c.Content.Lines = append(c.Content.Lines, given.Line("-1", "1", "Z 0"))
		}},
		"long reason": {"text-too-long", onAccount, func(c *credit.Issue) { c.Reason = long }},
		"country":     {"unknown-country", onAccount, func(c *credit.Issue) { c.Buyer = &invoice.Country{Code: "UK"} }},
		"country text": {"text-too-long", onAccount, func(c *credit.Issue) {
			c.Personal = &credit.IssuePersonal{CountryText: long}
		}},
		"description": {"wrong-text", onAccount, func(c *credit.Issue) {
			c.Personal = &credit.IssuePersonal{Text: given.Text(2)}
		}},
		"no lines":     {"no-lines", onAccount, func(c *credit.Issue) { c.Content.Lines = nil }},
		"no currency":  {"unknown-currency", onAccount, func(c *credit.Issue) { c.Content.Currency = money.Currency{} }},
		"runs back":    {"date-runs-back", onAccount, func(c *credit.Issue) { c.Date = "2026-02-28" }},
		"in future":    {"date-in-future", onAccount, func(c *credit.Issue) { c.Date = "2027-03-01" }},
		"exists":       {"credit-exists", onAccount, func(c *credit.Issue) { c.ID = given.ID("before") }},
		"missing base": {"missing-exemption-reason", onAccount, func(c *credit.Issue) { c.Content.Lines[0].Rate = given.Rate("E 0") }},
	} {
		t.Run(name, func(t *testing.T) {
			b := withInvoice(t, nil, given.Line("1", "100", "S 20"), given.Line("1", "50", "Z 0"))
			b.Take(t, given.Register("bob"))
			b.Take(t, given.Draft("draft", given.Content("ada", given.Line("1", "1", "S 20"))))
			b.Take(t, given.Draft("gone", given.Content("ada", given.Line("1", "1", "S 20"))))
			b.Take(t, &invoice.Discard{ID: given.ID("gone")})
			b.Take(t, given.OnAccount("before", "ada", given.Line("1", "1", "S 20")))
			command := c.base()
			c.change(command)
			b.Refuse(t, command, c.code)
		})
	}
}

func TestVATIDs(t *testing.T) {
	b := withInvoice(t, nil, given.Line("1", "100", "S 20"))
	seller := given.Seller()
	seller.VATID = ""
	b.Take(t, &book.ChangeSeller{Book: b.ID, Seller: seller})
	b.Refuse(t, given.OnAccount("c", "ada", given.Line("1", "10", "S 20")), "seller-vat-id-missing")
	imported := given.OnAccount("c1", "ada", given.Line("1", "10", "S 20"))
	imported.Imported, imported.Date = true, "2010-12-01"
	b.Take(t, imported)
	b.Take(t, note("c2", given.Line("1", "10", "S 20"))) // what was issued can be taken back
}

// TestNegativeCategory credits an invoice with a deposit that was deducted at
// another rate: there the credit note goes below nothing, and no further.
func TestNegativeCategory(t *testing.T) {
	b := withInvoice(t, nil, given.Line("1", "100", "S 20"), given.Line("-1", "30", "Z 0"))
	b.Refuse(t, note("c", given.Line("1", "10", "S 20"), given.Line("1", "1", "Z 0")), "negative-credit")
	b.Refuse(t, note("c", given.Line("1", "100", "S 20"), given.Line("-1", "30.01", "Z 0")), "over-credited")
	e := issued(t, b, note("c", given.Line("1", "100", "S 20"), given.Line("-1", "30", "Z 0")))
	same(t, "applied", e.Applied, "90")
	same(t, "open", open(t, b).Open, "0")
}

func TestCreditedLinesAndAllowances(t *testing.T) {
	b := withInvoice(t, nil, given.Line("1", "100", "S 20"))
	c := note("c", given.Line("1", "100", "S 20"))
	c.Content.Adjustments = []tax.Adjustment{{Amount: given.GBP("40"), Rate: given.Rate("S 20")}}
	same(t, "applied", issued(t, b, c).Applied, "72")
}

func TestEvolveOutOfSequence(t *testing.T) {
	b := given.Opened(t)
	e := issued(t, b, given.OnAccount("c", "ada", given.Line("1", "10", "S 20")))
	state, found, err := credit.Load(b, given.ID("c"))
	if err != nil || !found || state.Number != "CN-00001" || state.Amount != given.GBP("12") || state.Customer != given.ID("ada") {
		t.Fatalf("state: %+v, %v", state, err)
	}
	given.OutOfSequence(t, state, e)
	given.OutOfSequence(t, credit.State{}, &invoice.Approved{})
	if _, found, err := credit.Load(b, given.ID("x")); found || err != nil {
		t.Errorf("Load: %t, %v", found, err)
	}
}
