package invoice_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/domain/credit"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
	"github.com/daybook-ledger/daybook/testing/given"
)

// inclusive is the content with prices that include tax.
func inclusive(c invoice.Content) invoice.Content {
	c.PricesIncludeTax = true
	return c
}

// balances are those of all accounts that have one, debits above zero.
func balances(t *testing.T, b *given.Book) string {
	t.Helper()
	sums := map[account.Account]int64{}
	for _, e := range b.Entries(t) {
		for _, p := range e.Postings {
			sums[p.Account] += p.Amount.Minor()
		}
	}
	var all []string
	for _, info := range account.Chart() {
		if sums[info.Account] != 0 {
			all = append(all, fmt.Sprintf("%s %s", info.Account, money.New(sums[info.Account], given.Pounds)))
		}
	}
	return strings.Join(all, ", ")
}

// figures are the breakdown and the total of a document.
func figures(t tax.Totals) string {
	var all []string
	for _, s := range t.Breakdown {
		all = append(all, fmt.Sprintf("%s: %s + %s", s.Rate, s.Taxable, s.Tax))
	}
	return strings.Join(all, ", ") + " = " + t.Gross.String()
}

// TestDeposits takes books through the cases that the law and the standard work
// out, and others beside them.
func TestDeposits(t *testing.T) {
	for _, c := range []struct {
		// source is where the rule or the figures come from.
		source   string
		deposits []invoice.Content
		final    invoice.Content
		want     string // of the final invoice
		accounts string // in the end
	}{
		{
			"UStR 2000 (AT) margin no. 1525, example 1: 9,000,000 at 20 % less 1,500,000, 2,000,000 and 3,000,000 leaves 2,500,000 and 500,000 of tax",
			[]invoice.Content{
				given.Deposit("ada", given.Line("1", "1500000", "S 20")),
				given.Deposit("ada", given.Line("1", "2000000", "S 20")),
				given.Deposit("ada", given.Line("1", "3000000", "S 20")),
			},
			given.Content("ada", given.Line("1", "9000000", "S 20"), given.Deduct("d0", "1500000", "S 20"),
				given.Deduct("d1", "2000000", "S 20"), given.Deduct("d2", "3000000", "S 20")),
			"S 20: 2500000.00 + 500000.00 = 3000000.00",
			"receivables 10800000.00, tax-payable -1800000.00, revenue -9000000.00",
		},
		{
			"Directive 2006/112 art. 65: the tax on a payment on account is due with it; art. 226 (8): each rate by itself",
			[]invoice.Content{given.Deposit("ada", given.Line("1", "100", "S 20"), given.Line("1", "40", "S 5"))},
			given.Content("ada", given.Line("1", "500", "S 20"), given.Line("1", "200", "S 5"),
				given.Deduct("d0", "100", "S 20"), given.Deduct("d0", "40", "S 5")),
			"S 5: 160.00 + 8.00, S 20: 400.00 + 80.00 = 648.00",
			"receivables 810.00, tax-payable -110.00, revenue -700.00",
		},
		{
			"BR-CO-17: tax is the category's taxable amount times the rate, once; with the deposit's 6.67 it is 20.00",
			[]invoice.Content{given.Deposit("ada", given.Line("1", "33.33", "S 20"))},
			given.Content("ada", given.Line("1", "100", "S 20"), given.Deduct("d0", "33.33", "S 20")),
			"S 20: 66.67 + 13.33 = 80.00",
			"receivables 120.00, tax-payable -20.00, revenue -100.00",
		},
		{
			"BR-CO-17 once a document: 0.51 of tax in three parts (0.17 + 0.17 + 0.17) where one would have 0.50 (0.495)",
			[]invoice.Content{given.Deposit("ada", given.Line("1", "0.83", "S 20")), given.Deposit("ada", given.Line("1", "0.83", "S 20"))},
			given.Content("ada", given.Line("1", "2.49", "S 20"), given.Deduct("d0", "0.83", "S 20"), given.Deduct("d1", "0.83", "S 20")),
			"S 20: 0.83 + 0.17 = 1.00",
			"receivables 3.00, tax-payable -0.51, revenue -2.49",
		},
		{
			"prices with tax: what was typed is what is due, 50.00 less 10.00; the deposit's net stays 8.33",
			[]invoice.Content{inclusive(given.Deposit("ada", given.Line("1", "10", "S 20")))},
			inclusive(given.Content("ada", given.Line("1", "50", "S 20"), given.Deduct("d0", "10", "S 20"))),
			"S 20: 33.33 + 6.67 = 40.00",
			"receivables 50.00, tax-payable -8.34, revenue -41.66",
		},
		{
			"a deposit at a rate at which nothing is sold takes its tax back",
			[]invoice.Content{given.Deposit("ada", given.Line("1", "100", "S 20"))},
			given.Content("ada", given.Line("1", "300", "S 5"), given.Deduct("d0", "100", "S 20")),
			"S 5: 300.00 + 15.00, S 20: -100.00 + -20.00 = 195.00",
			"receivables 315.00, tax-payable -15.00, revenue -300.00",
		},
		{
			"a deposit without tax",
			[]invoice.Content{given.Deposit("ada", given.Line("1", "100", "Z 0"))},
			given.Content("ada", given.Line("1", "300", "Z 0"), given.Deduct("d0", "60", "Z 0")),
			"Z 0: 240.00 + 0.00 = 240.00",
			"receivables 340.00, deposits -40.00, revenue -300.00",
		},
		{
			"a discount on the sale is not one on the deposit: 10 % of 500.00",
			[]invoice.Content{given.Deposit("ada", given.Line("1", "100", "S 20"))},
			discounted(given.Content("ada", given.Line("1", "500", "S 20"), given.Deduct("d0", "100", "S 20"))),
			"S 20: 350.00 + 70.00 = 420.00",
			"receivables 540.00, tax-payable -90.00, revenue -450.00",
		},
		{
			"a deposit with tax in its price, deducted from net prices",
			[]invoice.Content{inclusive(given.Deposit("ada", given.Line("1", "100", "S 20")))},
			given.Content("ada", given.Line("1", "500", "S 20"), given.Deduct("d0", "83.33", "S 20")),
			"S 20: 416.67 + 83.33 = 500.00",
			"receivables 600.00, tax-payable -100.00, revenue -500.00",
		},
		{
			"a net deposit, deducted from prices with tax",
			[]invoice.Content{given.Deposit("ada", given.Line("1", "33.33", "S 20"))},
			inclusive(given.Content("ada", given.Line("1", "120", "S 20"), given.Deduct("d0", "40", "S 20"))),
			"S 20: 66.67 + 13.33 = 80.00",
			"receivables 120.00, tax-payable -20.00, revenue -100.00",
		},
	} {
		t.Run(c.source, func(t *testing.T) {
			b := given.Opened(t)
			for i, d := range c.deposits {
				b.Take(t, given.Enter(fmt.Sprint("d", i), d))
			}
			e := issued(t, b, "final", c.final)
			if got := figures(e.Totals); got != c.want {
				t.Errorf("the final invoice is %s, want %s", got, c.want)
			}
			if got := balances(t, b); got != c.accounts {
				t.Errorf("the accounts are %s\nwant %s", got, c.accounts)
			}
		})
	}
}

func discounted(c invoice.Content) invoice.Content {
	c.Adjustments = []tax.Adjustment{{Percent: given.Number("10"), Rate: given.Rate("S 20")}}
	return c
}

// TestDepositInvoice: a deposit stands in the series of invoices, owes its tax at
// its own date, and is no revenue until it is deducted.
func TestDepositInvoice(t *testing.T) {
	b := given.Opened(t)
	deposit := issued(t, b, "deposit", given.Deposit("ada", given.Line("1", "300", "S 20")))
	if deposit.Number != "INV-00001" || !deposit.Content.Deposit {
		t.Errorf("issued %+v", deposit)
	}
	if got := balances(t, b); got != "receivables 360.00, deposits -300.00, tax-payable -60.00" {
		t.Errorf("a deposit posts %s", got)
	}
	c := given.Content("ada", given.Line("1", "1000", "S 20"), given.Deduct("deposit", "300", "S 20"))
	b.Take(t, given.Draft("final", c))
	b.Take(t, approve("final"))
	changes := b.Take(t, issue("final"))
	e := changes[0].Event.(*invoice.Issued)
	want := invoice.Deduction{
		Invoice: given.ID("deposit"), Number: "INV-00001", Date: given.Today,
		Sum: invoice.RateSum{Rate: given.Rate("S 20"), Taxable: given.GBP("300"), Tax: given.GBP("60")},
	}
	if !slices.Equal(e.Deductions, []invoice.Deduction{want}) {
		t.Errorf("deductions %+v", e.Deductions)
	}
	if deducted, is := changes[2].Event.(*invoice.Deducted); !is || changes[2].Stream != invoice.Stream(given.ID("deposit")) ||
		deducted.Invoice != given.ID("final") || !slices.Equal(deducted.Sums, []invoice.RateSum{want.Sum}) {
		t.Errorf("changes %+v", changes)
	}
	if got := balances(t, b); got != "receivables 1200.00, tax-payable -200.00, revenue -1000.00" {
		t.Errorf("a deduction posts %s", got)
	}
	if state := load(t, b, "deposit"); state.Open != given.GBP("360") || !state.Deposit {
		t.Errorf("the deposit is owed whether or not it is deducted: %+v", state)
	}
}

// TestDeductedOnceOnly: the limit stands at issue, whatever the drafts said.
func TestDeductedOnceOnly(t *testing.T) {
	b := given.Opened(t)
	issued(t, b, "deposit", given.Deposit("ada", given.Line("1", "300", "S 20")))
	c := given.Content("ada", given.Line("1", "1000", "S 20"), given.Deduct("deposit", "200", "S 20"))
	for _, name := range []string{"first", "second"} {
		b.Take(t, given.Draft(name, c))
		b.Take(t, approve(name))
	}
	b.Take(t, given.Draft("gone", c))
	b.Take(t, discard("gone")) // took nothing
	b.Take(t, issue("first"))
	b.Refuse(t, issue("second"), "over-deducted")
	b.Refuse(t, edit("second", c), "over-deducted")
	c.Lines[1] = given.Deduct("deposit", "100", "S 20")
	b.Take(t, edit("second", c))
	b.Take(t, approve("second"))
	b.Take(t, issue("second"))
	c.Lines[1] = given.Deduct("deposit", "0.01", "S 20")
	b.Refuse(t, given.Draft("third", c), "over-deducted")
}

// TestDeductedInParts: the last part takes the cents of tax that the parts before
// it left or took.
func TestDeductedInParts(t *testing.T) {
	for _, c := range []struct {
		gross        bool
		price        string
		parts, taxes []string
	}{
		{false, "0.12", []string{"0.06", "0.06"}, []string{"0.01", "0.01"}},
		{false, "0.13", []string{"0.03", "0.03", "0.03", "0.04"}, []string{"0.01", "0.01", "0.01", "0.00"}},
		{true, "40.00", []string{"13.33", "13.33", "13.34"}, []string{"2.22", "2.22", "2.23"}},
		{true, "0.15", []string{"0.03", "0.03", "0.03", "0.03", "0.03"}, []string{"0.01", "0.01", "0.01", "0.00", "0.00"}},
	} {
		b := given.Opened(t)
		deposit := given.Deposit("ada", given.Line("1", c.price, "S 20"))
		deposit.PricesIncludeTax = c.gross
		issued(t, b, "deposit", deposit)
		for i, part := range c.parts {
			content := given.Content("ada", given.Line("1", "50", "S 20"), given.Deduct("deposit", part, "S 20"))
			content.PricesIncludeTax = c.gross
			e := issued(t, b, fmt.Sprint("final", i), content)
			if got := e.Deductions[0].Sum.Tax.String(); got != c.taxes[i] {
				t.Errorf("%s: part %d takes %s of tax, want %s", c.price, i+1, got, c.taxes[i])
			}
			net, err := e.Totals.LineNets[1].Neg()
			if err != nil || net != e.Deductions[0].Sum.Taxable {
				t.Errorf("%s: the line of part %d is %s, and %s is deducted", c.price, i+1, net, e.Deductions[0].Sum.Taxable)
			}
		}
		if got := balances(t, b); strings.Contains(got, "deposits") || strings.Contains(got, "rounding") {
			t.Errorf("%s: in the end %s", c.price, got)
		}
	}
}

// TestOnlyDeductions: a rate at which a document has nothing but deductions
// rounds its tax by itself; a cent that this is off what was invoiced posts to
// rounding, so that the deposit comes to nothing.
func TestOnlyDeductions(t *testing.T) {
	b := given.Opened(t)
	issued(t, b, "deposit", inclusive(given.Deposit("ada", given.Line("1", "40", "S 20"))))
	for i, part := range []string{"13.33", "13.33", "13.34"} {
		issued(t, b, fmt.Sprint("final", i), inclusive(given.Content("ada", given.Line("1", "50", "Z 0"), given.Deduct("deposit", part, "S 20"))))
	}
	// 6.67 of tax was charged, and 2.22 + 2.22 + 2.22 taken back.
	if got := balances(t, b); got != "receivables 150.00, tax-payable -0.01, revenue -150.00, rounding 0.01" {
		t.Errorf("in the end %s", got)
	}
}

func TestDeductionRefused(t *testing.T) {
	line, sold := given.Deduct("deposit", "10", "S 20"), given.Line("1", "1000", "S 20")
	for name, c := range map[string]struct {
		code   string
		change func(*invoice.Content)
	}{
		"of no invoice":       {"unknown-invoice", func(c *invoice.Content) { c.Lines[1].Deducts = given.ID("nothing") }},
		"of a draft":          {"not-issued", func(c *invoice.Content) { c.Lines[1].Deducts = given.ID("draft") }},
		"of a sale":           {"not-a-deposit", func(c *invoice.Content) { c.Lines[1].Deducts = given.ID("sale") }},
		"of another":          {"customer-mismatch", func(c *invoice.Content) { c.Lines[1].Deducts = given.ID("bob's") }},
		"at another rate":     {"rate-not-on-invoice", func(c *invoice.Content) { c.Lines[1].Rate = given.Rate("S 5") }},
		"beyond":              {"over-deducted", func(c *invoice.Content) { c.Lines[1].Price = given.Number("100.01") }},
		"beyond, gross":       {"over-deducted", func(c *invoice.Content) { c.PricesIncludeTax, c.Lines[1].Price = true, given.Number("120.01") }},
		"twice":               {"invalid-deduction", func(c *invoice.Content) { c.Lines = append(c.Lines, line) }},
		"of nothing":          {"invalid-deduction", func(c *invoice.Content) { c.Lines[1].Price = money.Decimal{} }},
		"of half a penny":     {"invalid-deduction", func(c *invoice.Content) { c.Lines[1].Price = given.Number("9.995") }},
		"of an overflow":      {"invalid-deduction", func(c *invoice.Content) { c.Lines[1].Price = given.Number("999999999999999999") }},
		"given":               {"invalid-deduction", func(c *invoice.Content) { c.Lines[1].Quantity = given.Number("1") }},
		"two of it":           {"invalid-deduction", func(c *invoice.Content) { c.Lines[1].Quantity = given.Number("-2") }},
		"per piece":           {"invalid-deduction", func(c *invoice.Content) { c.Lines[1].BaseQuantity = given.Number("1") }},
		"with an allowance":   {"invalid-deduction", func(c *invoice.Content) { c.Lines[1].Adjustments = []tax.Adjustment{{Amount: given.GBP("1")}} }},
		"beyond the document": {"negative-total", func(c *invoice.Content) { c.Lines[0].Price = given.Number("5") }},
		"by a deposit":        {"deposit-deducts", func(c *invoice.Content) { c.Deposit = true }},
		"a deposit of less than nothing": {"negative-deposit", func(c *invoice.Content) {
			c.Deposit, c.Lines[1] = true, given.Line("-1", "1", "S 5")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := given.Opened(t)
			b.Take(t, given.Register("bob"))
			issued(t, b, "deposit", given.Deposit("ada", given.Line("1", "100", "S 20")))
			issued(t, b, "bob's", given.Deposit("bob", given.Line("1", "100", "S 20")))
			issued(t, b, "sale", simple())
			b.Take(t, given.Draft("draft", given.Deposit("ada", sold)))
			content := given.Content("ada", sold, line)
			b.Take(t, given.Draft("good", content))
			c.change(&content)
			b.Refuse(t, given.Draft("i", content), c.code)
			b.Refuse(t, edit("good", content), c.code)
			b.Refuse(t, given.Enter("i", content), c.code)
		})
	}
}

// TestDeductionDates: nothing is deducted before it was invoiced, nor on a day
// on which it was still deducted elsewhere.
func TestDeductionDates(t *testing.T) {
	b := given.Opened(t)
	enter := func(name string, date domain.Date, c invoice.Content) *invoice.Enter {
		command := given.Enter(name, c)
		command.Date, command.Imported = date, true
		return command
	}
	final := given.Content("ada", given.Line("1", "100", "S 20"), given.Deduct("deposit", "100", "S 20"))
	b.Take(t, enter("deposit", "2026-02-01", given.Deposit("ada", given.Line("1", "100", "S 20"))))
	b.Refuse(t, enter("final", "2026-01-31", final), "before-invoice")
	b.Take(t, enter("final", "2026-02-01", final))
	back := given.Credit("c", "final", "ada", final.Lines...)
	back.Date, back.Imported = "2026-02-10", true
	b.Take(t, back)
	again := enter("again", "2026-02-09", final)
	b.Refuse(t, again, "before-invoice")
	note := given.Credit("d", "deposit", "ada", given.Line("1", "100", "S 20"))
	note.Date, note.Imported = "2026-02-09", true
	b.Refuse(t, note, "before-invoice")
	again.Date = "2026-02-10"
	b.Take(t, again)
}

// TestDepositCredited: a deposit is credited as far as it is not deducted.
func TestDepositCredited(t *testing.T) {
	b := given.Opened(t)
	issued(t, b, "deposit", given.Deposit("ada", given.Line("1", "300", "S 20")))
	final := given.Content("ada", given.Line("1", "1000", "S 20"), given.Deduct("deposit", "200", "S 20"))
	issued(t, b, "final", final)
	refusal := b.Refuse(t, given.Credit("c", "deposit", "ada", given.Line("1", "100.01", "S 20")), "over-credited")
	if !strings.Contains(refusal.Hint, "deduct") {
		t.Errorf("hint %q", refusal.Hint)
	}
	e := b.Take(t, given.Credit("c", "deposit", "ada", given.Line("1", "100", "S 20")))[0].Event.(*credit.Issued)
	if !e.Content.Deposit {
		t.Error("the credit note does not say that it is on a deposit")
	}
	if got := balances(t, b); got != "receivables 1200.00, tax-payable -200.00, revenue -1000.00" {
		t.Errorf("%s", got)
	}
	b.Refuse(t, given.Credit("c2", "deposit", "ada", given.Line("1", "0.01", "S 20")), "over-credited")

	// The final invoice is credited whole: what it deducted can be credited too.
	whole := given.Credit("c3", "final", "ada", final.Lines...)
	changes := b.Take(t, whole)
	if back, is := changes[len(changes)-1].Event.(*invoice.DeductionReturned); !is || back.Invoice != given.ID("final") || back.Credit != given.ID("c3") {
		t.Errorf("changes %+v", changes)
	}
	if got := balances(t, b); got != "receivables 240.00, deposits -200.00, tax-payable -40.00" {
		t.Errorf("%s", got)
	}
	b.Take(t, given.Credit("c4", "deposit", "ada", given.Line("1", "200", "S 20")))
	if got := balances(t, b); got != "" {
		t.Errorf("all is credited, and left are %s", got)
	}
}

// TestGivenBack: a credit note gives back what it names, no more than is deducted.
func TestGivenBack(t *testing.T) {
	b := given.Opened(t)
	issued(t, b, "deposit", given.Deposit("ada", given.Line("1", "300", "S 20")))
	issued(t, b, "final", given.Content("ada", given.Line("1", "1000", "S 20"), given.Deduct("deposit", "300", "S 20")))
	note := func(name string, lines ...invoice.Line) *credit.Issue {
		return given.Credit(name, "final", "ada", lines...)
	}
	b.Refuse(t, note("c", given.Line("1", "400", "S 20"), given.Deduct("deposit", "300.01", "S 20")), "not-deducted")
	b.Refuse(t, note("c", given.Line("1", "400", "S 20"), given.Deduct("other", "300", "S 20")), "not-deducted")
	b.Refuse(t, note("c", given.Line("1", "200", "S 20"), given.Deduct("deposit", "300", "S 20")), "negative-total")
	// 700.00 of the sale alone: the deposit stays with what is left of it.
	b.Take(t, note("c", given.Line("1", "700", "S 20")))
	if got := balances(t, b); got != "receivables 360.00, tax-payable -60.00, revenue -300.00" {
		t.Errorf("%s", got)
	}
	// Nothing is owed for that, and yet the deposit can be given back for it.
	e := b.Take(t, note("c2", given.Line("1", "300", "S 20"), given.Deduct("deposit", "300", "S 20")))[0].Event.(*credit.Issued)
	if !e.Totals.Due.IsZero() || len(e.Returned) != 1 {
		t.Errorf("credited %+v", e)
	}
	if got := balances(t, b); got != "receivables 360.00, deposits -300.00, tax-payable -60.00" {
		t.Errorf("%s", got)
	}
	b.Refuse(t, note("c3", given.Line("1", "300", "S 20"), given.Deduct("deposit", "300", "S 20")), "not-deducted")
	onAccount := given.OnAccount("c4", "ada", given.Line("1", "300", "S 20"), given.Deduct("deposit", "1", "S 20"))
	b.Refuse(t, onAccount, "not-on-credit-note")
	onAccount.Content.Lines, onAccount.Content.Deposit = onAccount.Content.Lines[:1], true
	b.Refuse(t, onAccount, "not-on-credit-note")
	wrong := note("c5", given.Line("1", "1", "S 20"))
	wrong.Content.Deposit = true
	b.Refuse(t, wrong, "not-a-deposit")
}

// TestDepositWrittenOff: a deposit that was not paid is written off as any
// invoice, and its tax relieved, whether it was deducted or not: its own claim is
// what is lost.
func TestDepositWrittenOff(t *testing.T) {
	b := given.Opened(t)
	issued(t, b, "deposit", given.Deposit("ada", given.Line("1", "300", "S 20")))
	issued(t, b, "final", given.Content("ada", given.Line("1", "1000", "S 20"), given.Deduct("deposit", "300", "S 20")))
	b.Take(t, &invoice.WriteOff{ID: given.ID("deposit"), Date: given.Today, Reason: "bankrupt"})
	b.Take(t, &invoice.Relieve{ID: given.ID("deposit"), Date: given.Today, Reason: "bankrupt"})
	if got := balances(t, b); got != "receivables 840.00, tax-payable -140.00, revenue -1000.00, bad-debt 300.00" {
		t.Errorf("%s", got)
	}
}

func TestDeductionOutOfSequence(t *testing.T) {
	b := given.Opened(t)
	issued(t, b, "sale", simple())
	issued(t, b, "deposit", given.Deposit("ada", given.Line("1", "100", "S 20")))
	sums := func(net, levied, rate string) []invoice.RateSum {
		return []invoice.RateSum{{Rate: given.Rate(rate), Taxable: given.GBP(net), Tax: given.GBP(levied)}}
	}
	deducted := func(sums []invoice.RateSum) *invoice.Deducted {
		return &invoice.Deducted{Invoice: given.ID("final"), Sums: sums, Date: given.Today}
	}
	returned := func(sums []invoice.RateSum) *invoice.DeductionReturned {
		return &invoice.DeductionReturned{Invoice: given.ID("final"), Sums: sums, Date: given.Today.AddDays(1)}
	}
	deposit := load(t, b, "deposit")
	given.OutOfSequence(t, load(t, b, "sale"), deducted(sums("1", "0", "S 20")))
	early := deducted(sums("1", "0", "S 20"))
	early.Date = given.Today.AddDays(-1)
	for _, e := range []domain.Event{
		early, deducted(nil), deducted(sums("100.01", "20", "S 20")), deducted(sums("100", "20.01", "S 20")), deducted(sums("-1", "0", "S 20")),
		deducted(sums("1", "0", "S 5")), returned(sums("1", "0", "S 20")),
	} {
		given.OutOfSequence(t, deposit, e)
	}
	state, err := deposit.Evolve(deducted(sums("60", "12", "S 20")))
	if err != nil {
		t.Fatal(err)
	}
	given.OutOfSequence(t, state, returned(sums("60.01", "12", "S 20")))
	given.OutOfSequence(t, state, &invoice.Credited{
		Applied: given.GBP("60"), Excess: given.GBP("0"),
		Breakdown: []tax.Subtotal{{Rate: given.Rate("S 20"), Taxable: given.GBP("50"), Tax: given.GBP("10")}},
	})
	if state, err = state.Evolve(returned(sums("60", "12", "S 20"))); err != nil {
		t.Fatal(err)
	}
	given.OutOfSequence(t, state, deducted(sums("1", "0", "S 20"))) // a day too early now
	final := load(t, b, "sale")
	given.OutOfSequence(t, final, &invoice.Credited{
		Applied: given.GBP("0"), Excess: given.GBP("0"),
		Returned: []invoice.Deduction{{Invoice: given.ID("deposit"), Sum: sums("1", "0", "S 20")[0]}},
	})
}

// TestDepositTaxPoint: the tax on a deposit is reported at its date, also in a
// book whose tax points are the dates of supply (Directive 2006/112 art. 65).
func TestDepositTaxPoint(t *testing.T) {
	b := given.New()
	open := given.Open(b.ID)
	open.TaxBasis = tax.BySupply
	b.Take(t, open)
	b.Take(t, given.Register("ada"))
	sale, deposit := simple(), given.Deposit("ada", given.Line("1", "100", "S 20"))
	sale.SupplyDate, deposit.SupplyDate = "2026-02-01", "2026-02-01"
	if e := issued(t, b, "sale", sale); e.TaxPoint != "2026-02-01" {
		t.Errorf("the sale is reported at %q", e.TaxPoint)
	}
	if e := issued(t, b, "deposit", deposit); e.TaxPoint != "" || e.SupplyDate != "2026-02-01" {
		t.Errorf("the deposit is reported at %q, supplied %s", e.TaxPoint, e.SupplyDate)
	}
}
