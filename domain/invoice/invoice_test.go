package invoice_test

import (
	"fmt"
	"testing"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/domain/codec"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/series"
	"github.com/daybook-ledger/daybook/testing/given"
)

func load(t *testing.T, b *given.Book, name string) invoice.State {
	t.Helper()
	state, err := invoice.Load(b, given.ID(name))
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func approve(name string) *invoice.Approve { return &invoice.Approve{ID: given.ID(name)} }

func issue(name string) *invoice.Issue {
	return &invoice.Issue{ID: given.ID(name), Date: given.Today}
}

func discard(name string) *invoice.Discard { return &invoice.Discard{ID: given.ID(name)} }

func edit(name string, c invoice.Content) *invoice.Edit {
	return &invoice.Edit{ID: given.ID(name), Content: c, Personal: given.Text(len(c.Lines))}
}

// simple is a document of 100.00 at 20 %.
func simple() invoice.Content { return given.Content("ada", given.Line("4", "25", "S 20")) }

// issued brings an invoice to issue and gives its event.
func issued(t *testing.T, b *given.Book, name string, c invoice.Content) *invoice.Issued {
	t.Helper()
	b.Take(t, given.Draft(name, c))
	b.Take(t, approve(name))
	return b.Take(t, issue(name))[0].Event.(*invoice.Issued)
}

func TestLife(t *testing.T) {
	b := given.Opened(t)
	b.Take(t, given.Draft("i", simple()))
	if got := load(t, b, "i").Status(); got != invoice.StatusDraft {
		t.Errorf("status %s after draft", got)
	}
	b.Refuse(t, issue("i"), "not-approved")
	b.Take(t, approve("i"))
	if got := load(t, b, "i").Status(); got != invoice.StatusApproved {
		t.Errorf("status %s after approval", got)
	}
	b.Refuse(t, approve("i"), "not-a-draft")

	changes := b.Take(t, issue("i"))
	e := changes[0].Event.(*invoice.Issued)
	if drawn := changes[1].Event.(*series.Drawn); drawn.Number != e.Number || drawn.Document != given.ID("i") || len(changes) != 2 {
		t.Errorf("drawn: %+v", drawn)
	}
	if e.Number != "INV-00001" || e.Date != given.Today || e.SupplyDate != given.Today || e.DueDate != "2026-03-15" {
		t.Errorf("issued: %+v", e)
	}
	if e.Seller.VATID != "GB123456789" || e.BuyerCountry != "GB" || !e.BuyerHasVATID || e.Imported ||
		e.Personal.Buyer.Name != "ada & Co" || e.Personal.Buyer.Email != "" || e.Personal.Text.Terms == "" {
		t.Errorf("frozen: %+v, %+v", e, e.Personal.Buyer)
	}
	if e.Totals.Gross != given.GBP("120") || e.Totals.Due != given.GBP("120") || e.Content.Rounding != money.HalfUp {
		t.Errorf("totals: %+v", e.Totals)
	}
	state := load(t, b, "i")
	if state.Status() != invoice.StatusIssued || state.Open != given.GBP("120") || state.Content != nil || state.Text != nil {
		t.Errorf("state: %+v", state)
	}
	for _, c := range []domain.Command{approve("i"), issue("i"), discard("i"), edit("i", simple())} {
		b.Refuse(t, c, "already-issued")
	}
	b.Refuse(t, given.Draft("i", simple()), "invoice-exists")
	b.Refuse(t, given.Enter("i", simple()), "invoice-exists")
}

func TestEditNeedsApprovalAgain(t *testing.T) {
	b := given.Opened(t)
	b.Take(t, given.Draft("i", simple()))
	b.Take(t, approve("i"))
	b.Take(t, edit("i", given.Content("ada", given.Line("1", "7", "S 20"))))
	b.Refuse(t, issue("i"), "not-approved")
	b.Take(t, approve("i"))
	if e := b.Take(t, issue("i"))[0].Event.(*invoice.Issued); e.Totals.Gross != given.GBP("8.40") {
		t.Errorf("issued %s, not what was edited", e.Totals.Gross)
	}
}

func TestDiscard(t *testing.T) {
	b := given.Opened(t)
	content := simple()
	content.Reference = "PO-7"
	b.Take(t, given.Draft("i", content))
	b.Take(t, approve("i"))
	b.Take(t, discard("i"))
	state := load(t, b, "i")
	if state.Status() != invoice.StatusDiscarded || state.Content != nil || state.Text != nil {
		t.Errorf("state: %+v", state)
	}
	for _, c := range []domain.Command{approve("i"), issue("i"), discard("i"), edit("i", content)} {
		b.Refuse(t, c, "discarded")
	}
	b.Refuse(t, given.Draft("i", content), "invoice-exists")
	// A discarded draft keeps its reference: a name never changes hands.
	b.Refuse(t, given.Draft("j", content), "reference-taken")
}

func TestUnknownInvoice(t *testing.T) {
	b := given.Opened(t)
	for _, c := range []domain.Command{approve("i"), issue("i"), discard("i"), edit("i", simple())} {
		b.Refuse(t, c, "unknown-invoice")
	}
}

// TestFrozen changes seller and customer after issue: the invoice stays, and
// the draft beside it follows until its own issue.
func TestFrozen(t *testing.T) {
	b := given.Opened(t)
	first := issued(t, b, "i", simple())
	facts, personal, _, err := codec.EncodeEvent(first)
	if err != nil {
		t.Fatal(err)
	}
	b.Take(t, given.Draft("j", simple()))
	change, err := customer.NewChange(given.ID("ada"), "FR", customer.Profile{Name: "Ada SARL", VATID: "FR1", City: "Lyon"})
	if err != nil {
		t.Fatal(err)
	}
	b.Take(t, change)
	seller := given.Seller()
	seller.Name = "Acme Holdings"
	b.Take(t, &book.ChangeSeller{Book: b.ID, Seller: seller})
	b.Take(t, approve("j"))
	second := b.Take(t, issue("j"))[0].Event.(*invoice.Issued)

	if second.Personal.Buyer.Name != "Ada SARL" || second.BuyerCountry != "FR" || second.Seller.Name != "Acme Holdings" {
		t.Errorf("the later invoice has not the parties of its issue: %+v", second)
	}
	again, personalAgain, _, err := codec.EncodeEvent(first)
	if err != nil || string(again) != string(facts) || string(personalAgain) != string(personal) {
		t.Errorf("the earlier invoice changed (%v)", err)
	}
}

func TestZeroDueIsPaidAtIssue(t *testing.T) {
	for name, c := range map[string]struct {
		content invoice.Content
		prepaid string
		status  invoice.Status
	}{
		"nothing due": {given.Content("ada", given.Line("1", "0", "S 20")), "0", invoice.StatusPaid},
		"all prepaid": {simple(), "120", invoice.StatusPaid},
		"partly so":   {simple(), "119.99", invoice.StatusIssued},
		"taken back":  {given.Content("ada", given.Line("2", "5", "S 20"), given.Line("-2", "5", "S 20")), "0", invoice.StatusPaid},
	} {
		t.Run(name, func(t *testing.T) {
			b := given.Opened(t)
			c.content.Prepaid = given.GBP(c.prepaid)
			issued(t, b, "i", c.content)
			if state := load(t, b, "i"); state.Status() != c.status {
				t.Errorf("status %s with %s open", state.Status(), state.Open)
			}
		})
	}
}

func TestStatusOf(t *testing.T) {
	for _, c := range []struct {
		due, open, allocated, credited, off string
		want                                invoice.Status
	}{
		{"10", "10", "0", "0", "0", invoice.StatusIssued},
		{"10", "4", "0", "6", "0", invoice.StatusIssued},
		{"10", "4", "6", "0", "0", invoice.StatusPartPaid},
		{"10", "0", "10", "0", "0", invoice.StatusPaid},
		{"10", "0", "6", "4", "0", invoice.StatusPaid},
		{"10", "0", "0", "10", "0", invoice.StatusCredited},
		{"0", "0", "0", "0", "0", invoice.StatusPaid},
		{"10", "0", "4", "0", "6", invoice.StatusUncollectible},
		{"10", "3", "0", "0", "7", invoice.StatusIssued},
		{"10", "3", "1", "0", "6", invoice.StatusPartPaid},
	} {
		got := invoice.StatusOf(given.GBP(c.due), given.GBP(c.open), given.GBP(c.allocated), given.GBP(c.credited), given.GBP(c.off))
		if got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestEnterImported(t *testing.T) {
	b := given.Opened(t)
	register, err := customer.NewRegister(given.ID("bob"), "GB", customer.Profile{Name: "Bob"})
	if err != nil {
		t.Fatal(err)
	}
	b.Take(t, register)
	seller := given.Seller()
	seller.VATID = ""
	b.Take(t, &book.ChangeSeller{Book: b.ID, Seller: seller})

	c := given.Enter("i", given.Content("bob", given.Line("6", "2.55", "S 20")))
	c.Date, c.Content.Reference, c.Content.PricesIncludeTax = "2010-12-01", "536365", true
	c.Buyer, c.Personal.CountryText = &invoice.Country{}, "Channel Islands"
	b.Refuse(t, c, "seller-vat-id-missing")
	c.Imported = true
	e := b.Take(t, c)[0].Event.(*invoice.Issued)
	if !e.Imported || e.Date != "2010-12-01" || e.Totals.Gross != given.GBP("15.30") || e.BuyerCountry != "" ||
		e.Personal.Buyer.CountryText != "Channel Islands" || e.Personal.Buyer.Name != "Bob" {
		t.Errorf("issued: %+v, %+v", e, e.Personal.Buyer)
	}
	state, err := customer.Load(b, given.ID("bob"))
	if err != nil || state.Profile.CountryText != "" {
		t.Errorf("the document's country came into the customer: %+v, %v", state, err)
	}
	stream, found, _ := b.Find(domain.Reference{Kind: domain.DocumentReference, Value: "536365"})
	if !found || stream != invoice.Stream(given.ID("i")) {
		t.Errorf("reference: %v, %t", stream, found)
	}
	again := *c
	again.ID = given.ID("j")
	b.Refuse(t, &again, "reference-taken")
}

// TestStateIsSmall issues a long invoice: its state is that of a short one.
func TestStateIsSmall(t *testing.T) {
	size := func(lines int) int {
		b := given.Opened(t)
		content := given.Content("ada")
		for i := range lines {
			line := given.Line("1", "10", "S 20")
			line.Item = fmt.Sprint("item ", i)
			content.Lines = append(content.Lines, line)
		}
		issued(t, b, "i", content)
		data, err := codec.EncodeState(domain.KindInvoice, load(t, b, "i"))
		if err != nil {
			t.Fatal(err)
		}
		return len(data)
	}
	if one, many := size(1), size(1000); many > one+20 {
		t.Errorf("the state has %d bytes after 1 line, %d after 1000", one, many)
	}
}
