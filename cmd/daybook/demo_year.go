package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/credit"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/projections/views"
)

// demoMonth is what happened in a month.
type demoMonth struct {
	invoices, credits int
	sold, taken       money.Amount
	issued            []demoIssued
}

// demoIssued is an issued invoice that a credit note may be about.
type demoIssued struct {
	id  uuid.UUID
	doc document
}

func (d *demo) year(ctx context.Context) error {
	d.say("A year passes: Cleo drafts, Dan approves and issues, Ben keeps the customers.\n\n")
	if err := d.people(ctx); err != nil {
		return err
	}
	for month := 1; month <= 12; month++ {
		if err := d.month(ctx, month); err != nil {
			return err
		}
	}
	d.say("\n%s, %s, %s in a year.\n", count(d.answer.Commands, "command"), count(d.answer.Invoices, "invoice"), count(d.answer.Credits, "credit note"))
	return nil
}

func day(month, n int) domain.Date {
	return domain.Date(fmt.Sprintf("%04d-%02d-%02d", demoYear, month, n))
}

func (d *demo) month(ctx context.Context, month int) error {
	var days []int
	for range 14 + d.rng.IntN(8) {
		days = append(days, 3+d.rng.IntN(22))
	}
	slices.Sort(days)
	for i, n := range days {
		if err := d.sell(ctx, month, n, fmt.Sprintf("%d/%d", month, i)); err != nil {
			return err
		}
	}
	if err := d.takeBack(ctx, month); err != nil {
		return err
	}
	told, err := d.scene(ctx, month)
	if err != nil {
		return err
	}
	m := d.months[month]
	d.say("  %-9s  %s for %s %s", time.Month(month), count(m.invoices, "invoice"), m.sold, d.pounds)
	if m.credits > 0 {
		d.say(", %s for %s %s", count(m.credits, "credit note"), m.taken, d.pounds)
	}
	d.say("\n%s", told)
	return nil
}

// scene plays what is remarkable in a month, if anything is, and gives its story.
func (d *demo) scene(ctx context.Context, month int) (string, error) {
	if scenes[month] == nil {
		return "", nil
	}
	var told strings.Builder
	out := d.out
	d.out = &kept{to: &told}
	defer func() { d.out = out }()
	err := scenes[month](d, ctx)
	return told.String(), err
}

// sell takes an ordinary invoice all the way, or nearly.
func (d *demo) sell(ctx context.Context, month, n int, name string) error {
	c := d.cast[d.rng.IntN(len(d.cast)-1)]
	var lines []string
	for range 1 + d.rng.IntN(4) {
		item := demoItems[d.rng.IntN(len(demoItems))]
		lines = append(lines, fmt.Sprintf("%d %s x %s @%s #%s %s", 1+d.rng.IntN(item.most), item.unit, item.price, item.rate, item.code, item.name))
	}
	doc, err := d.content(c, lines...)
	if err != nil {
		return err
	}
	d.clock.to(day(month, n))
	id := d.id("invoice/" + name)
	if err := d.give(ctx, cleo, &invoice.Draft{ID: id, Content: doc.Content, Personal: doc.text}); err != nil {
		return err
	}
	switch chance := d.rng.IntN(20); {
	case chance == 0:
		return d.give(ctx, cleo, &invoice.Discard{ID: id, Reason: "The order was withdrawn"})
	case chance < 4:
		doc.text = &invoice.Text{Lines: doc.text.Lines, Note: "Thank you for the tea."}
		if err := d.give(ctx, cleo, &invoice.Edit{ID: id, Content: doc.Content, Personal: doc.text}); err != nil {
			return err
		}
	}
	return d.approveAndIssue(ctx, month, id, doc, day(month, n))
}

// approveAndIssue takes a draft to its end.
func (d *demo) approveAndIssue(ctx context.Context, month int, id uuid.UUID, doc document, date domain.Date) error {
	if err := d.give(ctx, dan, &invoice.Approve{ID: id}); err != nil {
		return err
	}
	return d.issue(ctx, month, id, doc, date)
}

// issue issues an approved draft.
func (d *demo) issue(ctx context.Context, month int, id uuid.UUID, doc document, date domain.Date) error {
	if err := d.give(ctx, dan, &invoice.Issue{ID: id, Date: date}); err != nil {
		return err
	}
	_, totals, err := doc.Compute()
	if err != nil {
		return err
	}
	m := &d.months[month]
	m.invoices++
	d.answer.Invoices++
	m.issued = append(m.issued, demoIssued{id, doc})
	m.sold, err = m.sold.Add(totals.Gross)
	return err
}

// takeBack credits one unit of the first line of some of the month's invoices.
func (d *demo) takeBack(ctx context.Context, month int) error {
	m := &d.months[month]
	for i, sold := range m.issued {
		if d.rng.IntN(9) != 0 {
			continue
		}
		doc := sold.doc
		doc.DueDays = 0
		doc.Lines = []invoice.Line{doc.Lines[0]}
		doc.Lines[0].Quantity = money.IntegerDecimal(1)
		doc.text = &invoice.Text{Lines: []string{"Taken back: " + sold.doc.text.Lines[0]}}
		d.clock.to(day(month, 26))
		if err := d.credit(ctx, month, fmt.Sprintf("credit/%d/%d", month, i), sold.id, doc, "", day(month, 26)); err != nil {
			return err
		}
	}
	return nil
}

// credit issues a credit note, on an invoice or on account.
func (d *demo) credit(ctx context.Context, month int, name string, on uuid.UUID, doc document, reason string, date domain.Date) error {
	err := d.give(ctx, ben, d.note(name, on, doc, reason, date))
	if err != nil {
		return err
	}
	_, totals, err := doc.Compute()
	if err != nil {
		return err
	}
	m := &d.months[month]
	m.credits++
	d.answer.Credits++
	m.taken, err = m.taken.Add(totals.Gross)
	return err
}

func (d *demo) note(name string, on uuid.UUID, doc document, reason string, date domain.Date) *credit.Issue {
	doc.DueDays, doc.Reference = 0, ""
	return &credit.Issue{
		ID: d.id(name), Invoice: on, Content: doc.Content, Date: date, Reason: reason,
		Personal: &credit.IssuePersonal{Text: doc.text},
	}
}

// reports prints what the year amounts to, and holds the sums against each other.
func (d *demo) reports(ctx context.Context) error {
	v, err := d.views(ctx)
	if err != nil {
		return err
	}
	last := day(12, 31)
	balance, err := v.TrialBalance(ctx, views.BalanceFilter{})
	if err != nil {
		return err
	}
	taxes, err := v.TaxReport(ctx, views.TaxFilter{})
	if err != nil {
		return err
	}
	items, err := v.OpenItems(ctx, openAsOf(last))
	if err != nil {
		return err
	}
	d.say("\nTrial balance at the end of %d\n\n", demoYear)
	tellTrialBalance(d.out, balance)
	d.say("\nTax of the year\n\n")
	taxes.Periods = nil
	tellTax(d.out, taxes)
	d.say("\nWhat is open on %s, the oldest five\n\n", last)
	items.Next = ""
	tellOpenItems(d.out, items)
	if err := d.agree(ctx, balance, taxes, items); err != nil {
		return err
	}
	return d.tellStar(ctx)
}

// tellStar tells everything that ever happened to one invoice.
func (d *demo) tellStar(ctx context.Context) error {
	stream, err := d.book.named(ctx, d.star, false)
	if err != nil {
		return err
	}
	v, err := d.views(ctx)
	if err != nil {
		return err
	}
	places, err := v.Activity(ctx, stream)
	if err != nil {
		return err
	}
	d.say("\nEverything that ever happened to %s\n\n", d.star)
	t := newTable("WHEN", "WHO", "WHAT", ">POSITION")
	for _, p := range places {
		t.add(p.Recorded.Format("2006-01-02 15:04"), p.Principal, p.Type, fmt.Sprint(p.Position))
	}
	t.write(io.Writer(d.out))
	return nil
}
