package customer_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/rules"
	"github.com/daybook-ledger/daybook/testing/given"
)

func TestRegisterAndChange(t *testing.T) {
	b := given.Opened(t)
	state, err := customer.Load(b, given.ID("ada"))
	if err != nil || state.Country != "GB" || !state.HasVATID || state.Profile.Name != "ada & Co" {
		t.Fatalf("state: %+v, %v", state, err)
	}
	b.Refuse(t, given.Register("ada"), "customer-exists")

	change, err := customer.NewChange(given.ID("ada"), "", customer.Profile{Name: "Ada Ltd", CountryText: "Channel Islands"})
	if err != nil {
		t.Fatal(err)
	}
	b.Take(t, change)
	state, err = customer.Load(b, given.ID("ada"))
	if err != nil || state.Country != "" || state.HasVATID || state.Profile.CountryText != "Channel Islands" {
		t.Errorf("state: %+v, %v", state, err)
	}
	change.ID = given.ID("nobody")
	b.Refuse(t, change, "unknown-customer")
}

func TestRefusedForm(t *testing.T) {
	long := strings.Repeat("x", 501)
	for name, c := range map[string]struct {
		code   string
		change func(*customer.Register)
	}{
		"no id":              {"invalid-id", func(c *customer.Register) { c.ID = uuid.Nil }},
		"no name":            {"customer-name-missing", func(c *customer.Register) { c.Personal.Name = "\t " }},
		"no personal part":   {"customer-name-missing", func(c *customer.Register) { c.Personal = nil }},
		"country":            {"unknown-country", func(c *customer.Register) { c.Country = "UK" }},
		"country lower case": {"unknown-country", func(c *customer.Register) { c.Country = "gb" }},
		"country of spaces":  {"unknown-country", func(c *customer.Register) { c.Country = "  " }},
		"hidden VAT id":      {"vat-id-mismatch", func(c *customer.Register) { c.HasVATID = false }},
		"claimed VAT id":     {"vat-id-mismatch", func(c *customer.Register) { c.Personal.VATID = "" }},
		"long name":          {"text-too-long", func(c *customer.Register) { c.Personal.Name = long }},
		"long city":          {"text-too-long", func(c *customer.Register) { c.Personal.City = long }},
		"long postcode":      {"text-too-long", func(c *customer.Register) { c.Personal.Postcode = long }},
		"long country":       {"text-too-long", func(c *customer.Register) { c.Personal.CountryText = long }},
		"long email":         {"text-too-long", func(c *customer.Register) { c.Personal.Email = long }},
		"long VAT id":        {"text-too-long", func(c *customer.Register) { c.Personal.VATID = long }},
		"long reference":     {"text-too-long", func(c *customer.Register) { c.Personal.Reference = long }},
		"long address line":  {"text-too-long", func(c *customer.Register) { c.Personal.Address = []string{long} }},
		"long address":       {"too-many-lines", func(c *customer.Register) { c.Personal.Address = make([]string, 11) }},
		"bad UTF-8":          {"invalid-utf8", func(c *customer.Register) { c.Personal.Name = "M\xfcller" }},
		"line break":         {"control-character", func(c *customer.Register) { c.Personal.Name = "a\nb" }},
	} {
		t.Run(name, func(t *testing.T) {
			b := given.Opened(t)
			register := given.Register("bob")
			c.change(register)
			b.Refuse(t, register, c.code)
			change := customer.Change(*register)
			if change.ID != uuid.Nil {
				change.ID = given.ID("ada")
			}
			b.Refuse(t, &change, c.code)
		})
	}
}

func TestReference(t *testing.T) {
	b := given.Opened(t)
	register := func(name, reference string) *customer.Register {
		c := given.Register(name)
		c.Personal.Reference = reference
		return c
	}
	b.Take(t, register("bob", "17850"))
	b.Refuse(t, register("cy", "17850"), "reference-taken")
	b.Take(t, register("cy", "17851"))
	change := customer.Change(*register("cy", "17850"))
	b.Refuse(t, &change, "reference-taken")
	own := customer.Change(*register("bob", "17850"))
	b.Take(t, &own)
}

// TestReplayWithoutPersonalPart decides a command again whose personal part was
// erased: the facts are the same.
func TestReplayWithoutPersonalPart(t *testing.T) {
	b := given.New()
	b.Take(t, given.Open(b.ID))
	c := given.Register("ada")
	c.Personal = nil
	b.Refuse(t, c, "customer-name-missing")
	changes, err := rules.Replay(b, b.Moment(), c)
	if err != nil {
		t.Fatal(err)
	}
	e := changes[0].Event.(*customer.Registered)
	if e.ID != c.ID || e.Country != "GB" || !e.HasVATID || e.Personal != nil {
		t.Errorf("replayed: %+v", e)
	}
}

func TestCreditSums(t *testing.T) {
	b := given.Opened(t)
	b.Take(t, given.OnAccount("c1", "ada", given.Line("1", "10", "Z 0")))
	b.Take(t, given.OnAccount("c2", "ada", given.Line("1", "2.50", "Z 0")))
	state, err := customer.Load(b, given.ID("ada"))
	if err != nil || state.CreditIn(given.Pounds) != given.GBP("12.50") || len(state.Credit) != 1 {
		t.Errorf("state: %+v, %v", state, err)
	}
}

func TestEvolveOutOfSequence(t *testing.T) {
	state, err := (customer.State{}).Evolve(&customer.Registered{})
	if err != nil {
		t.Fatal(err)
	}
	given.OutOfSequence(t, customer.State{}, &customer.Changed{})
	given.OutOfSequence(t, customer.State{}, &customer.Credited{Amount: given.GBP("1")})
	given.OutOfSequence(t, state, &customer.Registered{})
	given.OutOfSequence(t, state, &invoice.Approved{})
}
