package viewtest

import (
	"fmt"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/domain/credit"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/tax"
	"github.com/daybook-ledger/daybook/projections/views"
	"github.com/daybook-ledger/daybook/testing/given"
)

// agreeDeposits compares what is left to deduct of deposit invoices, and which
// invoices deduct how much, with the states.
func agreeDeposits(t tester, s Store, b *given.Book) {
	t.Helper()
	by := map[uuid.UUID]map[string]bool{}
	for id, state := range b.States() {
		if final, is := state.(invoice.State); is {
			for _, d := range final.Deductions {
				if by[d.Invoice] == nil {
					by[d.Invoice] = map[string]bool{}
				}
				by[d.Invoice][fmt.Sprint(id.ID, final.Number, final.Date, d.Sum.Rate, d.Sum.Taxable.String(), d.Sum.Tax.String())] = true
			}
		}
	}
	var undeducted int64
	for id, state := range b.States() {
		deposit, is := state.(invoice.State)
		if !is || deposit.Stage != invoice.StatusIssued {
			continue
		}
		doc := must[*views.Document](t)(s.Document(within(t), id, ""))
		same(t, doc.Number+" is a deposit", doc.Deposit, deposit.Deposit)
		got, want := map[string]bool{}, map[string]bool{}
		for _, left := range doc.Undeducted {
			got[fmt.Sprintln(left.Category, left.Percent, left.Taxable, left.Tax)] = true
			undeducted += minor(t, left.Taxable)
		}
		for _, issued := range deposit.Issued {
			left, _, err := deposit.Undeducted(issued.Rate)
			if err != nil {
				t.Fatal(err)
			}
			if deposit.Deposit && (!left.Taxable.IsZero() || !left.Tax.IsZero()) {
				want[fmt.Sprintln(left.Rate.Category, left.Rate.Percent, left.Taxable, left.Tax)] = true
			}
		}
		same(t, "left of "+doc.Number, got, want)
		deducted := map[string]bool{}
		for _, d := range doc.DeductedBy {
			deducted[fmt.Sprint(d.ID, d.Number, d.Date, tax.Rate{Category: d.Category, Percent: d.Percent}, d.Taxable, d.Tax)] = true
		}
		if by[id.ID] == nil {
			by[id.ID] = map[string]bool{}
		}
		same(t, "who deducts "+doc.Number, deducted, by[id.ID])
	}
	same(t, "deposits", text(-balanceOf(t, s, account.Deposits)), text(undeducted))
}

// deduct makes a book a deposit invoice of ada, a part of which another deducts.
func deduct(t *testing.T, b *given.Book) invoice.Content {
	t.Helper()
	b.Take(t, given.Enter("deposit", given.Deposit("ada", given.Line("1", "300", "S 20"), given.Line("1", "40", "Z 0"))))
	final := given.Content("ada", given.Line("1", "1000", "S 20"), given.Deduct("deposit", "200", "S 20"))
	b.Take(t, given.Enter("final", final))
	return final
}

// testDeposits: documents tell what they deduct, and deposits who deducts them.
func testDeposits(t *testing.T, e Engine) {
	b := bookOf(t, "ada")
	final := deduct(t, b)
	b.Take(t, given.Credit("note", "deposit", "ada", given.Line("1", "25", "Z 0")))
	l := NewLog(b, 1)
	s := filled(t, e, "deposits", l)
	agree(t, s, b)
	show := func(kind domain.Kind, name string) *views.Document {
		return must[*views.Document](t)(s.Document(within(t), stream(kind, name), ""))
	}
	deposit := show(domain.KindInvoice, "deposit")
	same(t, "left", deposit.Undeducted, []views.RateSum{
		{Category: "S", Percent: given.Number("20"), Taxable: "100.00", Tax: "20.00"},
		{Category: "Z", Taxable: "15.00", Tax: "0.00"},
	})
	same(t, "deducted by", deposit.DeductedBy, []views.Deduction{{
		ID: given.ID("final"), Number: "INV-00002", Date: given.Today,
		RateSum: views.RateSum{Category: "S", Percent: given.Number("20"), Taxable: "200.00", Tax: "40.00"},
	}})
	draft := given.Content("ada", final.Lines[0], given.Deduct("deposit", "100", "S 20"))
	b.Take(t, given.Draft("draft", draft))
	l.Flush(1)
	catchUp(t, s, l)
	for _, name := range []string{"draft", "final"} {
		lines := show(domain.KindInvoice, name).Lines
		same(t, name, []any{lines[0].Deducts == nil, *lines[1].Deducts}, []any{true, views.Deducted{ID: given.ID("deposit"), Number: "INV-00001"}})
	}
	same(t, "the credit note's deposit", show(domain.KindCredit, "note").Deposit, true)

	b.Take(t, given.Credit("back", "final", "ada", final.Lines...))
	l.Flush(1)
	catchUp(t, s, l)
	agree(t, s, b)
	same(t, "deducted by", len(show(domain.KindInvoice, "deposit").DeductedBy), 0)
	same(t, "given back", show(domain.KindCredit, "back").Lines[1].Deducts.Number, "INV-00001")
}

// deposit and final are steps of a random book: a deposit invoice, and an invoice
// that deducts some.
func (c *chance) deposit() {
	id := c.id("deposit")
	content := c.content(c.customer())
	content.Deposit = true
	if c.do(&invoice.Enter{ID: id, Content: content, Date: c.today()}) {
		c.invoices = append(c.invoices, id)
	}
}

func (c *chance) final() {
	of, left := c.undeducted()
	if len(left) == 0 {
		return
	}
	id := c.id("final")
	content := c.content(of.Customer)
	in(&content, of.Due.Currency(), c.rate(of.Due.Currency()))
	content.Lines = append(content.Lines, given.Line("1", "5000", "S 20"))
	content.Lines = append(content.Lines, left...)
	if c.do(&invoice.Enter{ID: id, Content: content, Date: c.today()}) {
		c.invoices = append(c.invoices, id)
		if rapid.IntRange(0, 2).Draw(c.t, "credited") == 0 {
			content.Reference, content.Exchange = "", exchange.Rate{}
			c.issueCredit(&credit.Issue{ID: c.id("credit"), Invoice: id, Content: content, Date: c.today()})
		}
	}
}

// undeducted is a deposit invoice, and lines that deduct what is left of it.
func (c *chance) undeducted() (of invoice.State, lines []invoice.Line) {
	for _, id := range c.invoices {
		state, err := invoice.Load(c.book, id)
		if err != nil || !state.Deposit || rapid.Bool().Draw(c.t, "another") {
			continue
		}
		for _, issued := range state.Issued {
			left, _, err := state.Undeducted(issued.Rate)
			if err == nil && left.Taxable.Sign() > 0 {
				lines = append(lines, invoice.Line{
					Quantity: given.Number("-1"), Price: given.Number(left.Taxable.String()), Rate: issued.Rate, Deducts: id,
				})
			}
		}
		return state, lines
	}
	return of, nil
}
