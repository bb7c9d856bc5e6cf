package main

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain/access"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/series"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// The people of the demonstration, by their roles.
const (
	ada  = "ada"  // owns the book
	ben  = "ben"  // keeps it
	cleo = "cleo" // drafts
	dan  = "dan"  // approves and issues
)

func demoSeller() book.Seller {
	return book.Seller{
		Name: "Kettle & Lark Ltd", Address: []string{"3 Wharf Row"}, City: "Bristol", Postcode: "BS1 6XN",
		Country: "GB", VATID: "GB123456789", Email: "accounts@kettle-and-lark.example",
	}
}

// demoCustomer is a customer of the demonstration.
type demoCustomer struct {
	id      uuid.UUID
	country string
	days    int // to pay in
	profile customer.Profile
}

// demoItem is something that is sold.
type demoItem struct {
	code, name, unit, price, rate string
	most                          int // units on one line
}

var demoItems = []demoItem{
	{"SURV", "Survey of an old house", "day", "420", "S20", 3},
	{"INS-W", "Wood-fibre insulation, laid", "m2", "38.50", "S20", 60},
	{"DRAFT", "Draught-proofing of a sash window", "each", "112.40", "S20", 12},
	{"BOIL", "Heat pump commissioning, reduced rate", "each", "385", "S5", 2},
	{"PAD", "Radiator foil, reduced rate", "m2", "7.99", "S5", 25},
	{"BOOK", "\"Warm Old Houses\", the printed guide", "copy", "18.75", "Z", 40},
	{"COURSE", "Evening course for owners", "seat", "65", "E", 8},
}

var demoNames = []string{
	"Alder Street Housing Co-op", "Brook & Partners", "Cotterell House", "Dr Edith Fairweather", "Elmfield Parish Council",
	"Fern Cottage Tea Rooms", "G. Hallam", "Hope Chapel Trust", "Ivy Lane Nursery", "Jessop & Daughters", "Kite Hill Farm",
}

// sonnenhaus is the customer abroad, to whom the tax is left.
const sonnenhaus = "Sonnenhaus"

// people opens the doors: roles, the series of numbers, the customers.
func (d *demo) people(ctx context.Context) error {
	info := d.book.book.Info
	for name, role := range map[string]access.Role{ben: access.Bookkeeper, cleo: access.Clerk, dan: access.Approver} {
		if err := d.give(ctx, ada, &book.Grant{Book: info.Book, Principal: name, Role: role}); err != nil {
			return err
		}
	}
	format := series.Format{Prefix: "KL-", Width: 4, YearlyReset: true}
	if err := d.give(ctx, ada, &series.Configure{Kind: series.Invoice, Format: format}); err != nil {
		return err
	}
	for i, name := range demoNames {
		town := []string{"Bristol", "Bath", "Wells", "Frome"}[i%4]
		c := &demoCustomer{country: "GB", days: []int{14, 30, 30}[d.rng.IntN(3)], profile: customer.Profile{
			Name: name, Address: []string{[]string{"12 Alma Road", "The Old Mill", "5 Canon Street"}[i%3]}, City: town,
			Email: strings.ToLower(strings.Fields(name)[0]) + "@customer.example", Reference: "C-" + strings.ToUpper(name[:1]) + "001",
		}}
		if err := d.register(ctx, c); err != nil {
			return err
		}
	}
	return d.register(ctx, &demoCustomer{country: "DE", days: 30, profile: customer.Profile{
		Name: sonnenhaus, Address: []string{"Lindenallee 4"}, City: "Freiburg", Postcode: "79098", Reference: "C-S001",
	}})
}

func (d *demo) register(ctx context.Context, c *demoCustomer) error {
	c.id = d.id("customer/" + c.profile.Name)
	command, err := customer.NewRegister(c.id, c.country, c.profile)
	if err != nil {
		return err
	}
	d.cast = append(d.cast, c)
	return d.give(ctx, ben, command)
}

// abroad is the customer abroad, the others are at home.
func (d *demo) abroad() *demoCustomer { return d.cast[len(d.cast)-1] }

// content makes the content of an invoice from lines as --line has them.
func (d *demo) content(c *demoCustomer, lines ...string) (document, error) {
	doc := document{Content: invoice.Content{Customer: c.id, Currency: d.pounds, Rounding: money.HalfUp, DueDays: c.days}}
	var text invoice.Text
	for _, l := range lines {
		line, description, err := parseLine(l, tax.Rate{})
		if err != nil {
			return doc, err
		}
		doc.Lines, text.Lines = append(doc.Lines, line), append(text.Lines, description)
		switch line.Rate.Category {
		case tax.Exempt:
			doc.Exemptions = []tax.Exemption{{Category: tax.Exempt, Reason: "Education, VATA 1994 schedule 9 group 6"}}
		case tax.ReverseCharge:
			doc.Exemptions = []tax.Exemption{{Category: tax.ReverseCharge, Reason: "Reverse charge", Code: "VATEX-EU-AE"}}
		}
	}
	doc.text = &text
	return doc, nil
}
