package credit_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/domain/credit"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
	"github.com/daybook-ledger/daybook/testing/given"
)

// TestCents credits invoices in parts whose tax, rounded by itself, sums to
// more or less than the invoice's.
func TestCents(t *testing.T) {
	for _, c := range []struct {
		name   string
		gross  bool
		price  string
		rate   string
		parts  []string
		taxes  []string
		totals []string
	}{
		// 0.12 at 10 % is 0.01 of tax, and so is 0.06.
		{"too much, net", false, "0.12", "S 10", []string{"0.06", "0.06"}, []string{"0.01", "0"}, []string{"0.07", "0.06"}},
		// 0.14 at 10 % is 0.01 of tax, and so is 0.05: none is left for the second.
		{"too much before the last", false, "0.14", "S 10", []string{"0.05", "0.05", "0.04"}, []string{"0.01", "0", "0"}, []string{"0.06", "0.05", "0.04"}},
		// 0.10 at 5 % is 0.01 of tax, 0.05 is none.
		{"too little, net", false, "0.10", "S 5", []string{"0.05", "0.05"}, []string{"0", "0.01"}, []string{"0.05", "0.06"}},
		// 1.00 with 20 % has 0.17 of tax, 0.50 has 0.08.
		{"too little, gross", true, "1.00", "S 20", []string{"0.50", "0.50"}, []string{"0.08", "0.09"}, []string{"0.50", "0.50"}},
		// 0.15 with 20 % has 0.03 of tax (0.025), and 0.03 has 0.01 (0.005).
		{"too much, gross", true, "0.15", "S 20", []string{"0.03", "0.03", "0.03", "0.03", "0.03"}, []string{"0.01", "0.01", "0.01", "0", "0"}, []string{"0.03", "0.03", "0.03", "0.03", "0.03"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := withInvoice(t, func(content *invoice.Content) { content.PricesIncludeTax = c.gross }, given.Line("1", c.price, c.rate))
			for i, part := range c.parts {
				command := note(fmt.Sprint("c", i), given.Line("1", part, c.rate))
				command.Content.PricesIncludeTax = c.gross
				e := issued(t, b, command)
				same(t, fmt.Sprintf("the tax of part %d", i+1), e.Totals.Tax, c.taxes[i])
				same(t, fmt.Sprintf("the total of part %d", i+1), e.Totals.Due, c.totals[i])
				coherent(t, e)
			}
			same(t, "open", open(t, b).Open, "0")
			more := note("more", given.Line("1", "0.01", c.rate))
			more.Content.PricesIncludeTax = c.gross
			b.Refuse(t, more, "over-credited")
		})
	}
}

// TestCentsOfAdjustments moves the cent where a rate has no line: onto a charge,
// or onto an allowance, whose rate then stands below nothing.
func TestCentsOfAdjustments(t *testing.T) {
	for _, charge := range []bool{true, false} {
		adjusted := func(content *invoice.Content, amount string) {
			content.PricesIncludeTax = true
			content.Adjustments = []tax.Adjustment{{Charge: charge, Amount: given.GBP(amount), Rate: given.Rate("S 20")}}
		}
		b := withInvoice(t, func(c *invoice.Content) { adjusted(c, "1.00") }, given.Line("1", "3", "Z 0"))
		for i, price := range []string{"1", "2"} {
			command := note(fmt.Sprint("c", i), given.Line("1", price, "Z 0"))
			adjusted(&command.Content, "0.50")
			coherent(t, issued(t, b, command))
		}
		state := open(t, b)
		same(t, "open", state.Open, "0")
		for i, want := range state.Issued {
			if state.CreditedByRate[i] != want {
				t.Errorf("credited %+v, want %+v", state.CreditedByRate[i], want)
			}
		}
	}
}

// coherent checks that all sums of a credit note agree after cents were moved.
func coherent(t interface{ Errorf(string, ...any) }, e *credit.Issued) {
	totals := e.Totals
	sum := func(amounts ...money.Amount) int64 {
		var n int64
		for _, a := range amounts {
			n += a.Minor()
		}
		return n
	}
	var taxable, levied int64
	for _, s := range totals.Breakdown {
		taxable += s.Taxable.Minor()
		levied += s.Tax.Minor()
	}
	switch {
	case sum(totals.LineNets...) != totals.Lines.Minor(),
		sum(totals.Lines, totals.Charges)-totals.Allowances.Minor() != totals.Net.Minor(),
		taxable != totals.Net.Minor(), levied != totals.Tax.Minor(),
		sum(totals.Net, totals.Tax) != totals.Gross.Minor(),
		sum(totals.Gross, totals.Rounding) != totals.Due.Minor(),
		sum(e.Applied, e.Excess) != totals.Due.Minor():
		t.Errorf("the sums of %s do not agree: %+v", e.Number, totals)
	}
	for _, s := range totals.Breakdown {
		var nets int64
		for i, line := range e.Content.Lines {
			if line.Rate == s.Rate {
				nets += totals.LineNets[i].Minor()
			}
		}
		for i, a := range e.Content.Adjustments {
			if a.Rate != s.Rate {
				continue
			}
			if a.Charge {
				nets += totals.AdjustmentNets[i].Minor()
			} else {
				nets -= totals.AdjustmentNets[i].Minor()
			}
		}
		if nets != s.Taxable.Minor() {
			t.Errorf("the parts of %s at %s sum to %d, not %s", e.Number, s.Rate, nets, s.Taxable)
		}
	}
}

// TestRoundingAmount credits an invoice with a cash rounding.
func TestRoundingAmount(t *testing.T) {
	for _, c := range []struct{ price, rounding, part, due1, due2 string }{
		{"10.02", "-0.02", "4", "4", "6"},
		{"9.98", "0.02", "4", "4", "6"},
	} {
		b := withInvoice(t, func(content *invoice.Content) { content.RoundingAmount = given.GBP(c.rounding) }, given.Line("1", c.price, "Z 0"))
		same(t, "open", open(t, b).Open, "10")
		first := issued(t, b, note("c1", given.Line("1", c.part, "Z 0")))
		same(t, "the first part", first.Totals.Due, c.due1)
		// The last part takes the rounding with it.
		left, err := open(t, b).Issued[0].Taxable.Sub(given.GBP(c.part))
		if err != nil {
			t.Fatal(err)
		}
		last := issued(t, b, note("c2", given.Line("1", left.String(), "Z 0")))
		same(t, "the last part", last.Totals.Due, c.due2)
		same(t, "its rounding", last.Totals.Rounding, c.rounding)
		same(t, "open", open(t, b).Open, "0")
		same(t, "customer's credit", owed(t, b), "0")
		coherent(t, last)
	}
	// Or it is stated, as far as there is any; even alone.
	b := withInvoice(t, func(content *invoice.Content) { content.RoundingAmount = given.GBP("0.02") }, given.Line("1", "9.98", "Z 0"))
	alone := note("c1", given.Line("1", "0", "Z 0"))
	alone.Content.RoundingAmount = given.GBP("0.03")
	b.Refuse(t, alone, "over-credited")
	alone.Content.RoundingAmount = given.GBP("0.02")
	b.Take(t, alone)
	alone.ID = given.ID("c2")
	b.Refuse(t, alone, "over-credited")
	same(t, "open", open(t, b).Open, "9.98")
}

// TestAllOfItInAnyParts credits an invoice in random parts until nothing is
// left: every part is taken, every sum agrees, the tax that came back is the
// tax that was charged, and one penny more is refused.
func TestAllOfItInAnyParts(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		gross := rapid.Bool().Draw(r, "gross")
		rate := rapid.SampledFrom([]string{"S 20", "S 5", "S 7.5", "S 19", "Z 0", "L 3.333"}).Draw(r, "rate")
		pence := rapid.Int64Range(1, 200).Draw(r, "pence")
		b := withInvoice(t, func(c *invoice.Content) { c.PricesIncludeTax = gross }, priced(pence, rate))
		levied := open(t, b).Issued[0].Tax.Minor()

		var credited int64
		for i := 0; pence > 0; i++ {
			part := min(pence, rapid.Int64Range(1, rapid.SampledFrom([]int64{5, 12, 60}).Draw(r, "most")).Draw(r, "part"))
			command := note(fmt.Sprint("c", i), priced(part, rate))
			command.Content.PricesIncludeTax = gross
			changes, err := b.Do(command)
			if err != nil {
				r.Fatalf("part %d of %d: %v", part, pence, err)
			}
			e := changes[0].Event.(*credit.Issued)
			coherent(r, e)
			if drift := drift(e.Totals.Breakdown[0]); drift > int64(i)+1 {
				r.Fatalf("part %d has %d cents other than its own tax", i+1, drift)
			}
			credited += e.Totals.Tax.Minor()
			pence -= part
		}
		if credited != levied {
			r.Fatalf("%d of tax came back of %d", credited, levied)
		}
		if state := open(t, b); !state.Open.IsZero() {
			r.Fatalf("%s is open", state.Open)
		}
		more := note("more", given.Line("1", "0.01", rate))
		more.Content.PricesIncludeTax = gross
		b.Refuse(t, more, "over-credited")
	})
}

func priced(pence int64, rate string) invoice.Line {
	return given.Line("1", money.New(pence, given.Pounds).String(), rate)
}

// drift is by how many cents a subtotal's tax differs from its taxable amount
// times the rate.
func drift(s tax.Subtotal) int64 {
	exact, err := money.Percent(s.Taxable, s.Rate.Percent, money.HalfUp)
	if err != nil {
		return 1 << 30
	}
	return max(exact.Minor()-s.Tax.Minor(), s.Tax.Minor()-exact.Minor())
}
