package invoice_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
	"github.com/daybook-ledger/daybook/testing/given"
)

func currency(t *testing.T, code string) money.Currency {
	t.Helper()
	c, err := money.ParseCurrency(code)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestContentRefused gives each wrong document to all three commands that take
// one.
func TestContentRefused(t *testing.T) {
	euro := currency(t, "EUR")
	for name, c := range map[string]struct {
		code   string
		change func(*invoice.Content, *invoice.Text)
	}{
		"customer":      {"unknown-customer", func(c *invoice.Content, _ *invoice.Text) { c.Customer = given.ID("nobody") }},
		"no customer":   {"invalid-id", func(c *invoice.Content, _ *invoice.Text) { c.Customer = uuid.Nil }},
		"exchange":      {"rate-unexpected", func(c *invoice.Content, _ *invoice.Text) { c.Exchange = given.Exchange("0.8567") }},
		"no currency":   {"unknown-currency", func(c *invoice.Content, _ *invoice.Text) { c.Currency = money.Currency{} }},
		"mixed":         {"mixed-currencies", func(c *invoice.Content, _ *invoice.Text) { c.Prepaid = money.New(1, euro) }},
		"rounding":      {"unknown-rounding", func(c *invoice.Content, _ *invoice.Text) { c.Rounding = "half-even" }},
		"no lines":      {"no-lines", func(c *invoice.Content, text *invoice.Text) { c.Lines, text.Lines = nil, nil }},
		"price":         {"negative-price", func(c *invoice.Content, _ *invoice.Text) { c.Lines[0].Price = given.Number("-1") }},
		"total":         {"negative-total", func(c *invoice.Content, _ *invoice.Text) { c.Lines[0].Quantity = given.Number("-1") }},
		"prepaid":       {"prepaid-exceeds-total", func(c *invoice.Content, _ *invoice.Text) { c.Prepaid = given.GBP("120.01") }},
		"neg. prepaid":  {"negative-prepaid", func(c *invoice.Content, _ *invoice.Text) { c.Prepaid = given.GBP("-1") }},
		"cash rounding": {"rounding-amount-too-large", func(c *invoice.Content, _ *invoice.Text) { c.RoundingAmount = given.GBP("1") }},
		"rate":          {"invalid-rate", func(c *invoice.Content, _ *invoice.Text) { c.Lines[0].Rate.Percent = money.Decimal{} }},
		"category":      {"unknown-tax-category", func(c *invoice.Content, _ *invoice.Text) { c.Lines[0].Rate.Category = "X" }},
		"exemption":     {"missing-exemption-reason", func(c *invoice.Content, _ *invoice.Text) { c.Lines[0].Rate = given.Rate("E 0") }},
		"base":          {"invalid-base-quantity", func(c *invoice.Content, _ *invoice.Text) { c.Lines[0].BaseQuantity = given.Number("-1") }},
		"overflow": {"amount-overflow", func(c *invoice.Content, _ *invoice.Text) {
			c.Lines[0].Quantity, c.Lines[0].Price = given.Number("9000000000"), given.Number("9000000000")
		}},
		"beyond a book": {"amount-overflow", func(c *invoice.Content, _ *invoice.Text) {
			c.Lines[0].Quantity, c.Lines[0].Price = given.Number("1"), given.Number("10000000000000")
		}},
		"hidden beyond a book": {"amount-overflow", func(c *invoice.Content, text *invoice.Text) {
			c.Lines = []invoice.Line{given.Line("1", "10000000000001", "S 20"), given.Line("-1", "10000000000001", "Z 0")}
			text.Lines = nil
		}},
		"supply date":  {"invalid-date", func(c *invoice.Content, _ *invoice.Text) { c.SupplyDate = "soon" }},
		"due date":     {"invalid-date", func(c *invoice.Content, _ *invoice.Text) { c.DueDate, c.DueDays = "soon", 0 }},
		"due twice":    {"invalid-due", func(c *invoice.Content, _ *invoice.Text) { c.DueDate = given.Today }},
		"due days":     {"invalid-due", func(c *invoice.Content, _ *invoice.Text) { c.DueDays = -1 }},
		"due far":      {"invalid-due", func(c *invoice.Content, _ *invoice.Text) { c.DueDays = 3651 }},
		"description":  {"text-too-long", func(_ *invoice.Content, text *invoice.Text) { text.Lines[0] = strings.Repeat("x", 5<<20) }},
		"note":         {"text-too-long", func(_ *invoice.Content, text *invoice.Text) { text.Note = strings.Repeat("x", 16<<10+1) }},
		"terms":        {"text-too-long", func(_ *invoice.Content, text *invoice.Text) { text.Terms = strings.Repeat("x", 16<<10+1) }},
		"reference":    {"text-too-long", func(c *invoice.Content, _ *invoice.Text) { c.Reference = strings.Repeat("x", 501) }},
		"item":         {"text-too-long", func(c *invoice.Content, _ *invoice.Text) { c.Lines[0].Item = strings.Repeat("x", 501) }},
		"unit":         {"text-too-long", func(c *invoice.Content, _ *invoice.Text) { c.Lines[0].Unit = strings.Repeat("x", 101) }},
		"bad UTF-8":    {"invalid-utf8", func(_ *invoice.Content, text *invoice.Text) { text.Lines[0] = "\xff" }},
		"control":      {"control-character", func(c *invoice.Content, _ *invoice.Text) { c.Reference = "a\x00b" }},
		"descriptions": {"wrong-text", func(_ *invoice.Content, text *invoice.Text) { text.Lines = append(text.Lines, "more") }},
		"lines":        {"too-many-lines", func(c *invoice.Content, _ *invoice.Text) { c.Lines = make([]invoice.Line, 10_001) }},
		"adjustments":  {"too-many-adjustments", func(c *invoice.Content, _ *invoice.Text) { c.Adjustments = make([]tax.Adjustment, 1_001) }},
		"on a line":    {"too-many-adjustments", func(c *invoice.Content, _ *invoice.Text) { c.Lines[0].Adjustments = make([]tax.Adjustment, 1_001) }},
		"exemptions":   {"too-many-exemptions", func(c *invoice.Content, _ *invoice.Text) { c.Exemptions = make([]tax.Exemption, 21) }},
		"reason": {"text-too-long", func(c *invoice.Content, _ *invoice.Text) {
			c.Exemptions = []tax.Exemption{{Category: "Z", Reason: strings.Repeat("x", 2001)}}
		}},
		"exemption code": {"text-too-long", func(c *invoice.Content, _ *invoice.Text) {
			c.Exemptions = []tax.Exemption{{Category: "Z", Code: strings.Repeat("x", 101)}}
		}},
		"allowance": {"invalid-utf8", func(c *invoice.Content, _ *invoice.Text) {
			c.Adjustments = []tax.Adjustment{{Amount: given.GBP("1"), Reason: "\xff", Rate: given.Rate("S 20")}}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := given.Opened(t)
			b.Take(t, given.Draft("other", simple()))
			content, text := simple(), given.Text(1)
			c.change(&content, text)
			b.Refuse(t, &invoice.Draft{ID: given.ID("i"), Content: content, Personal: text}, c.code)
			b.Refuse(t, &invoice.Edit{ID: given.ID("other"), Content: content, Personal: text}, c.code)
			enter := given.Enter("i", content)
			enter.Personal.Text = text
			b.Refuse(t, enter, c.code)
			enter.Imported = true
			b.Refuse(t, enter, c.code)
		})
	}
}

func TestNegativeTotalIsTold(t *testing.T) {
	b := given.Opened(t)
	content := given.Content("ada", given.Line("-3", "10", "S 20"))
	for _, c := range []domain.Command{given.Draft("i", content), given.Enter("i", content)} {
		refusal := b.Refuse(t, c, "negative-total")
		if totals, ok := refusal.Computed.(tax.Totals); !ok || totals.Gross != given.GBP("-36") {
			t.Errorf("computed: %+v", refusal.Computed)
		}
	}
}

func TestTextAtTheLimit(t *testing.T) {
	b := given.Opened(t)
	c := given.Draft("i", simple())
	c.Personal.Lines[0] = strings.Repeat("x", 4<<10)
	c.Personal.Note = strings.Repeat("x", 16<<10)
	b.Take(t, c)
	b.Take(t, &invoice.Draft{ID: given.ID("j"), Content: simple()}) // no text at all
}

func TestCommandFormRefused(t *testing.T) {
	b := given.Opened(t)
	draft := given.Draft("i", simple())
	draft.ID = uuid.Nil
	b.Refuse(t, draft, "invalid-id")
	enter := given.Enter("i", simple())
	enter.Buyer = &invoice.Country{Code: "UK"}
	b.Refuse(t, enter, "unknown-country")
	enter.Buyer = &invoice.Country{}
	enter.Personal.CountryText = strings.Repeat("x", 501)
	b.Refuse(t, enter, "text-too-long")
	enter.ID, enter.Personal = uuid.Nil, nil
	b.Refuse(t, enter, "invalid-id")

	b.Take(t, given.Draft("i", simple()))
	b.Refuse(t, &invoice.Discard{ID: given.ID("i"), Reason: "\xff"}, "invalid-utf8")
	b.Take(t, approve("i"))
	b.Refuse(t, &invoice.Issue{ID: given.ID("i"), Date: "1.3.2026"}, "invalid-date")
}

func TestDueBeforeIssue(t *testing.T) {
	b := given.Opened(t)
	content := simple()
	content.DueDays, content.DueDate = 0, given.Today
	b.Take(t, given.Draft("i", content))
	b.Take(t, approve("i"))
	late := issue("i")
	late.Date = given.Today.AddDays(1)
	b.Refuse(t, late, "due-before-issue")
	b.Take(t, issue("i"))

	// Nor can days after issue lead out of the calendar.
	enter := given.Enter("j", simple())
	enter.Date, enter.Imported = "9999-12-31", true
	b.Refuse(t, enter, "invalid-due")
}

func TestReferenceTaken(t *testing.T) {
	b := given.Opened(t)
	with := func(reference string) invoice.Content {
		c := simple()
		c.Reference = reference
		return c
	}
	b.Take(t, given.Draft("i", with("A")))
	b.Refuse(t, given.Draft("j", with("A")), "reference-taken")
	b.Take(t, given.Draft("j", with("B")))
	b.Refuse(t, edit("j", with("A")), "reference-taken")
	b.Take(t, edit("i", with("A"))) // its own
	b.Take(t, approve("i"))
	b.Take(t, issue("i"))
	b.Refuse(t, given.Enter("k", with("A")), "reference-taken")
	note := given.OnAccount("c", "ada", given.Line("1", "1", "S 20"))
	note.Content.Reference = "A"
	b.Refuse(t, note, "reference-taken")
	note.Content.Reference = "C"
	b.Take(t, note)
	b.Refuse(t, given.Enter("k", with("C")), "reference-taken")
}

func TestVATIDs(t *testing.T) {
	exempt := func(category, reason string) invoice.Content {
		c := given.Content("bob", given.Line("1", "10", category+" 0"))
		if reason != "" {
			c.Exemptions = []tax.Exemption{{Category: tax.Category(category), Reason: reason}}
		}
		return c
	}
	for name, c := range map[string]struct {
		content             invoice.Content
		seller, buyer, both string
	}{
		"standard":         {given.Content("bob", given.Line("1", "10", "S 20")), "seller-vat-id-missing", "", "seller-vat-id-missing"},
		"reverse charge":   {exempt("AE", "Reverse charge"), "seller-vat-id-missing", "customer-vat-id-missing", "seller-vat-id-missing"},
		"intra-community":  {exempt("K", "Intra-Community supply"), "seller-vat-id-missing", "customer-vat-id-missing", "seller-vat-id-missing"},
		"zero":             {exempt("Z", ""), "", "", ""},
		"exempt":           {exempt("E", "Exempt"), "", "", ""},
		"export":           {exempt("G", "Export"), "", "", ""},
		"outside of scope": {exempt("O", "Not subject to VAT"), "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			for i, code := range []string{"", c.seller, c.buyer, c.both} {
				b := given.Opened(t)
				register := given.Register("bob")
				if i&2 != 0 {
					register.HasVATID, register.Personal.VATID = false, ""
				}
				b.Take(t, register)
				if i&1 != 0 {
					seller := given.Seller()
					seller.VATID = ""
					b.Take(t, &book.ChangeSeller{Book: b.ID, Seller: seller})
				}
				// A draft may wait for the ids.
				b.Take(t, given.Draft("i", c.content))
				b.Take(t, approve("i"))
				if code == "" {
					b.Take(t, issue("i"))
				} else {
					b.Refuse(t, issue("i"), code)
					b.Refuse(t, given.Enter("j", c.content), code)
				}
			}
		})
	}
}

func TestSellerOfAnotherBook(t *testing.T) {
	b := given.Opened(t)
	b.ID = given.ID("other")
	b.Refuse(t, given.Draft("i", simple()), "no-book")
}

func TestEvolveOutOfSequence(t *testing.T) {
	evolve := func(s domain.State, e domain.Event) domain.State {
		t.Helper()
		next, err := s.Evolve(e)
		if err != nil {
			t.Fatal(err)
		}
		return next
	}
	none := invoice.State{}
	draft := evolve(none, &invoice.Drafted{Content: simple()})
	ready := evolve(draft, &invoice.Approved{})
	ended := evolve(draft, &invoice.Discarded{})
	issue := &invoice.Issued{Number: "1", Content: simple(), Totals: tax.Totals{
		Due:       given.GBP("12"),
		Breakdown: []tax.Subtotal{{Rate: given.Rate("S 20"), Taxable: given.GBP("10"), Tax: given.GBP("2")}},
	}}
	open := evolve(none, issue)
	credited := func(applied, taxable, levied, rate string) *invoice.Credited {
		return &invoice.Credited{Applied: given.GBP(applied), Breakdown: []tax.Subtotal{
			{Rate: given.Rate(rate), Taxable: given.GBP(taxable), Tax: given.GBP(levied)},
		}}
	}
	evolve(open, credited("12", "10", "2", "S 20"))
	for _, c := range []struct {
		state  domain.State
		events []domain.Event
	}{
		{none, []domain.Event{&invoice.Edited{}, &invoice.Approved{}, &invoice.Discarded{}, &invoice.Credited{}, &customer.Changed{}}},
		{draft, []domain.Event{&invoice.Drafted{}, issue, &invoice.Credited{}}},
		{ready, []domain.Event{&invoice.Drafted{}, &invoice.Approved{}, &invoice.Credited{}}},
		{ended, []domain.Event{&invoice.Drafted{}, &invoice.Edited{}, &invoice.Approved{}, &invoice.Discarded{}, issue}},
		{open, []domain.Event{
			&invoice.Drafted{}, &invoice.Edited{}, &invoice.Approved{}, &invoice.Discarded{}, issue,
			credited("12.01", "10", "2", "S 20"), credited("-1", "10", "2", "S 20"), credited("12", "10.01", "2", "S 20"),
			credited("12", "10", "2.01", "S 20"), credited("12", "-1", "0", "S 20"), credited("12", "10", "2", "S 19"),
			&invoice.Credited{Applied: given.GBP("1"), Rounding: given.GBP("0.01")},
		}},
	} {
		for _, e := range c.events {
			given.OutOfSequence(t, c.state, e)
		}
	}
}
