package main

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
	"github.com/daybook-ledger/daybook/projections/views"
)

// scenes are what is remarkable in each month, after its ordinary business.
var scenes = [13]func(*demo, context.Context) error{
	2: (*demo).reverseCharge, 3: (*demo).clerkIssues, 4: (*demo).editedAfterApproval, 5: (*demo).creditedInFull,
	6: (*demo).pricesWithTax, 7: (*demo).goodwill, 8: (*demo).customerMoves, 9: (*demo).backdated,
	10: (*demo).negative, 11: (*demo).paidBefore,
}

// begin drafts the invoice of a scene.
func (d *demo) begin(ctx context.Context, month int, name string, c *demoCustomer, change func(*document), lines ...string) (uuid.UUID, document, error) {
	doc, err := d.content(c, lines...)
	if err != nil {
		return uuid.Nil, doc, err
	}
	if change != nil {
		change(&doc)
	}
	d.clock.to(day(month, 27))
	id := d.id("scene/" + name)
	return id, doc, d.give(ctx, cleo, &invoice.Draft{ID: id, Content: doc.Content, Personal: doc.text})
}

func (d *demo) reverseCharge(ctx context.Context) error {
	c := d.abroad()
	id, doc, err := d.begin(ctx, 2, "reverse charge", c, nil, "2 day x 420 @AE #SURV Survey of an old house in Freiburg")
	if err != nil {
		return err
	}
	if err := d.give(ctx, dan, &invoice.Approve{ID: id}); err != nil {
		return err
	}
	err = d.refused(ctx, "Dan issues an invoice to Germany that leaves the tax to the buyer.", dan, "customer-vat-id-missing",
		&invoice.Issue{ID: id, Date: day(2, 27)})
	if err != nil {
		return err
	}
	c.profile.VATID = "DE123456789"
	command, err := customer.NewChange(c.id, c.country, c.profile)
	if err != nil {
		return err
	}
	if err := d.give(ctx, ben, command); err != nil {
		return err
	}
	d.say("             Ben adds the customer's VAT id, and it is issued.\n")
	return d.issue(ctx, 2, id, doc, day(2, 27))
}

func (d *demo) clerkIssues(ctx context.Context) error {
	id, doc, err := d.begin(ctx, 3, "clerk", d.cast[1], nil, "4 each x 112.40 @S20 #DRAFT Draught-proofing of a sash window")
	if err != nil {
		return err
	}
	if err := d.give(ctx, dan, &invoice.Approve{ID: id}); err != nil {
		return err
	}
	err = d.refused(ctx, "Cleo is in a hurry and issues an invoice herself.", cleo, "not-permitted", &invoice.Issue{ID: id, Date: day(3, 27)})
	if err != nil {
		return err
	}
	return d.issue(ctx, 3, id, doc, day(3, 27))
}

// editedAfterApproval is about the star: later it is credited, too.
func (d *demo) editedAfterApproval(ctx context.Context) error {
	c := d.cast[2]
	id, _, err := d.begin(ctx, 4, "star", c, nil, "3 day x 420 @S20 #SURV Survey of an old house")
	if err != nil {
		return err
	}
	if err := d.give(ctx, dan, &invoice.Approve{ID: id}); err != nil {
		return err
	}
	doc, err := d.content(c, "3 day x 420 @S20 #SURV Survey of an old house", "6 copy x 18.75 @Z #BOOK \"Warm Old Houses\", the printed guide")
	if err != nil {
		return err
	}
	if err := d.give(ctx, cleo, &invoice.Edit{ID: id, Content: doc.Content, Personal: doc.text}); err != nil {
		return err
	}
	err = d.refused(ctx, "Cleo adds six books to an approved invoice; Dan issues it.", dan, "not-approved", &invoice.Issue{ID: id, Date: day(4, 27)})
	if err != nil {
		return err
	}
	d.say("             He looks at it again, approves and issues it.\n")
	return d.approveAndIssue(ctx, 4, id, doc, day(4, 27))
}

func (d *demo) creditedInFull(ctx context.Context) error {
	star := d.months[4].issued[len(d.months[4].issued)-1]
	d.clock.to(day(5, 27))
	too := star.doc
	too.Lines = []invoice.Line{star.doc.Lines[0]}
	too.Lines[0].Quantity = money.IntegerDecimal(4)
	too.text = nil
	err := d.refused(ctx, "Ben credits four days of an invoice that has three.", ben, "over-credited",
		d.note("too much", star.id, too, "", day(5, 27)))
	if err != nil {
		return err
	}
	one := too
	one.Lines = []invoice.Line{star.doc.Lines[0]}
	one.Lines[0].Quantity = money.IntegerDecimal(1)
	one.text = &invoice.Text{Lines: []string{"The third day was not needed"}}
	if err := d.credit(ctx, 5, "one day", star.id, one, "", day(5, 27)); err != nil {
		return err
	}
	d.say("             He meant one, and credits that.\n")
	v, err := d.views(ctx)
	if err != nil {
		return err
	}
	shown, err := v.Document(ctx, invoice.Stream(star.id), "")
	if err == nil {
		d.star = shown.Number
	}
	return err
}

func (d *demo) pricesWithTax(ctx context.Context) error {
	id, doc, err := d.begin(ctx, 6, "gross", d.cast[5], func(doc *document) {
		doc.PricesIncludeTax = true
		doc.Adjustments = []tax.Adjustment{{Percent: money.IntegerDecimal(10), Reason: "For friends of the house", Rate: doc.Lines[0].Rate}}
	}, "7 each x 9.99 @S20 #MUG Enamel mug")
	if err != nil {
		return err
	}
	d.say("             Seven mugs at 9.99 with tax, a tenth off: the cents come out.\n")
	return d.approveAndIssue(ctx, 6, id, doc, day(6, 27))
}

func (d *demo) goodwill(ctx context.Context) error {
	doc, err := d.content(d.cast[6], "1 x 25 @S20 For the muddy carpet")
	if err != nil {
		return err
	}
	d.clock.to(day(7, 27))
	if err := d.refused(ctx, "Ben credits something on account.", ben, "reason-missing", d.note("no reason", uuid.Nil, doc, "", day(7, 27))); err != nil {
		return err
	}
	d.say("             With a reason it is entered, as credit of the customer.\n")
	return d.credit(ctx, 7, "goodwill", uuid.Nil, doc, "Goodwill after a complaint", day(7, 27))
}

func (d *demo) customerMoves(ctx context.Context) error {
	c := d.cast[3]
	c.profile.Address, c.profile.City = []string{"1 Harbour View"}, "Clevedon"
	command, err := customer.NewChange(c.id, c.country, c.profile)
	if err != nil {
		return err
	}
	d.clock.to(day(8, 27))
	d.say("             %s moves; invoices issued before keep the old address.\n", c.profile.Name)
	return d.give(ctx, ben, command)
}

func (d *demo) backdated(ctx context.Context) error {
	id, doc, err := d.begin(ctx, 9, "backdated", d.cast[7], nil, "2 each x 385 @S5 #BOIL Heat pump commissioning, reduced rate")
	if err != nil {
		return err
	}
	if err := d.give(ctx, dan, &invoice.Approve{ID: id}); err != nil {
		return err
	}
	err = d.refused(ctx, "Dan dates an invoice to the month before.", dan, "date-runs-back", &invoice.Issue{ID: id, Date: day(8, 31)})
	if err != nil {
		return err
	}
	return d.issue(ctx, 9, id, doc, day(9, 27))
}

func (d *demo) negative(ctx context.Context) error {
	doc, err := d.content(d.cast[8], "1 copy x 18.75 @Z #BOOK \"Warm Old Houses\", the printed guide", "-2 m2 x 38.50 @S20 #INS-W Insulation taken back")
	if err != nil {
		return err
	}
	d.clock.to(day(10, 27))
	return d.refused(ctx, "Cleo drafts an invoice that takes back more than it sells.", cleo, "negative-total",
		&invoice.Draft{ID: d.id("scene/negative"), Content: doc.Content, Personal: doc.text})
}

func (d *demo) paidBefore(ctx context.Context) error {
	id, doc, err := d.begin(ctx, 11, "prepaid", d.cast[9], func(doc *document) {
		doc.Prepaid = money.New(150000, d.pounds)
	}, "30 m2 x 38.50 @S20 #INS-W Wood-fibre insulation, laid", "1 x 114 @Z Delivery of the printed plans")
	if err != nil {
		return err
	}
	d.say("             A deposit covers an invoice whole: it is paid when it is issued.\n")
	return d.approveAndIssue(ctx, 11, id, doc, day(11, 27))
}

func openAsOf(last domain.Date) views.OpenFilter { return views.OpenFilter{AsOf: last, Limit: 5} }

// agree holds the reports against each other, as an accountant would.
func (d *demo) agree(ctx context.Context, balance views.TrialBalance, taxes views.TaxReport, items views.OpenItems) error {
	net := func(name account.Account) (money.Amount, error) {
		for _, b := range balance.Accounts {
			if b.Account != name {
				continue
			}
			debit, err := money.ParseAmount(b.Debit, d.pounds)
			if err != nil {
				return debit, err
			}
			credit, err := money.ParseAmount(b.Credit, d.pounds)
			if err != nil {
				return credit, err
			}
			return debit.Sub(credit)
		}
		return money.Zero(d.pounds), nil
	}
	var open, charged, owed []string
	for _, s := range items.Aging {
		open = append(open, s.Open)
	}
	for _, row := range taxes.Rows {
		charged = append(charged, row.Tax)
	}
	for _, c := range d.cast {
		v, err := d.views(ctx)
		if err != nil {
			return err
		}
		found, err := v.Customer(ctx, c.id)
		if err != nil {
			return err
		}
		for _, b := range found.Balances {
			owed = append(owed, b.Credit)
		}
	}
	d.say("\n")
	for _, check := range []struct {
		name account.Account
		what string
		sums []string
	}{
		{account.Receivables, "the sum of all open items", open},
		{account.CustomerCredit, "the sum of all customers' credit", owed},
		{account.TaxPayable, "the tax report", charged},
	} {
		stands, err := net(check.name)
		if err != nil {
			return err
		}
		sum := money.Zero(d.pounds)
		for _, text := range check.sums {
			part, err := money.ParseAmount(text, d.pounds)
			if err == nil {
				sum, err = sum.Add(part)
			}
			if err != nil {
				return err
			}
		}
		if sum.Minor() != max(stands.Minor(), -stands.Minor()) {
			return fmt.Errorf("the account %s has %s, and %s is %s", check.name, stands, check.what, sum)
		}
		d.say("The account %s equals %s.\n", check.name, check.what)
	}
	return nil
}
