package credit_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/domain/credit"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
	"github.com/daybook-ledger/daybook/testing/given"
)

// inclusive is a document with tax in its prices: lines, allowances and charges
// of the document, at several rates, and what they come to.
type inclusive struct {
	content invoice.Content
	typed   int64
}

func someInclusive(r *rapid.T) inclusive {
	d := inclusive{content: given.Content("ada")}
	d.content.PricesIncludeTax = true
	rates := rapid.SampledFrom([]string{"S 20", "S 20", "S 5", "S 7.5", "S 19", "L 3.333", "Z 0"})
	for range rapid.IntRange(1, 12).Draw(r, "lines") {
		pence := rapid.Int64Range(1, rapid.SampledFrom([]int64{9, 200, 50_000}).Draw(r, "most")).Draw(r, "pence")
		d.content.Lines = append(d.content.Lines, priced(pence, rates.Draw(r, "rate")))
		d.typed += pence
	}
	for range rapid.IntRange(0, 2).Draw(r, "charges") {
		pence := rapid.Int64Range(1, 500).Draw(r, "charged")
		d.content.Adjustments = append(d.content.Adjustments, tax.Adjustment{
			Charge: true, Amount: money.New(pence, given.Pounds), Rate: given.Rate(rates.Draw(r, "rate")),
		})
		d.typed += pence
	}
	// An allowance at the rate of the first line, less than that line.
	if most := pence(d.content.Lines[0]) - 1; most > 0 && rapid.Bool().Draw(r, "allowance") {
		less := rapid.Int64Range(1, most).Draw(r, "allowed")
		d.content.Adjustments = append(d.content.Adjustments, tax.Adjustment{Amount: money.New(less, given.Pounds), Rate: d.content.Lines[0].Rate})
		d.typed -= less
	}
	return d
}

func pence(l invoice.Line) int64 { return given.GBP(l.Price.String()).Minor() }

// parts are credit notes that together credit the document: a line or charge
// each, the first line together with the allowance, in any order.
func (d inclusive) parts(r *rapid.T) []invoice.Content {
	var parts []invoice.Content
	single := func(lines []invoice.Line, adjustments ...tax.Adjustment) {
		content := creditContent(lines)
		content.PricesIncludeTax, content.Adjustments = true, adjustments
		parts = append(parts, content)
	}
	first := []tax.Adjustment{}
	for _, a := range d.content.Adjustments {
		if a.Charge {
			nothing := given.Line("0", "1", a.Rate.String()) // a document needs a line
			single([]invoice.Line{nothing}, a)
		} else {
			first = append(first, a)
		}
	}
	for i, line := range d.content.Lines {
		if i == 0 {
			single([]invoice.Line{line}, first...)
		} else {
			single([]invoice.Line{line})
		}
	}
	return rapid.Permutation(parts).Draw(r, "order")
}

func creditContent(lines []invoice.Line) invoice.Content {
	c := given.Content("ada", lines...)
	c.DueDays = 0
	return c
}

// TestInclusiveInParts: what was typed with tax is what is due, to the cent; and
// credited line by line, in any order, every note comes to what was typed, and in
// the end nothing is left anywhere: of no rate, of no account.
func TestInclusiveInParts(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		d := someInclusive(r)
		b := given.Opened(t)
		b.Take(t, given.Draft("i", d.content))
		b.Take(t, &invoice.Approve{ID: given.ID("i")})
		e := b.Take(t, &invoice.Issue{ID: given.ID("i"), Date: given.Today})[0].Event.(*invoice.Issued)
		if e.Totals.Gross.Minor() != d.typed || e.Totals.Due.Minor() != d.typed {
			r.Fatalf("typed were %d, the invoice is %s", d.typed, e.Totals.Gross)
		}
		for i, part := range d.parts(r) {
			var typed int64
			for _, l := range part.Lines {
				if !l.Quantity.IsZero() {
					typed += pence(l)
				}
			}
			for _, a := range part.Adjustments {
				if a.Charge {
					typed += a.Amount.Minor()
				} else {
					typed -= a.Amount.Minor()
				}
			}
			changes, err := b.Do(&credit.Issue{ID: given.ID(fmt.Sprint("c", i)), Invoice: given.ID("i"), Content: part, Date: given.Today})
			if err != nil {
				r.Fatalf("part %d: %v", i+1, err)
			}
			note := changes[0].Event.(*credit.Issued)
			if note.Totals.Gross.Minor() != typed {
				r.Fatalf("typed were %d, the credit note is %s", typed, note.Totals.Gross)
			}
			coherent(r, note)
		}
		left := map[account.Account]int64{}
		for _, entry := range b.Entries(t) {
			for _, p := range entry.Postings {
				left[p.Account] += p.Amount.Minor()
			}
		}
		for a, n := range left {
			if n != 0 {
				r.Fatalf("%d is left on %s", n, a)
			}
		}
		for i, s := range open(t, b).Issued {
			if credited := open(t, b).CreditedByRate[i]; credited != s {
				r.Fatalf("%+v is credited of %+v", credited, s)
			}
		}
	})
}

// TestInclusiveDeposits: deposits and the invoice that deducts them, all with tax
// in their prices, are due what was typed; credited whole, they leave nothing but
// the cents that the documents' taxes differ by, and those on no liability.
func TestInclusiveDeposits(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		b := given.Opened(t)
		final := given.Content("ada")
		final.PricesIncludeTax = true
		var sold, deposited int64
		for i := range rapid.IntRange(1, 4).Draw(r, "deposits") {
			rate := rapid.SampledFrom([]string{"S 20", "S 19", "S 5", "Z 0"}).Draw(r, "rate")
			n := rapid.Int64Range(1, 20_000).Draw(r, "pence")
			name := fmt.Sprint("d", i)
			deposit := given.Deposit("ada", priced(n, rate))
			deposit.PricesIncludeTax = true
			e := b.Take(t, given.Enter(name, deposit))[0].Event.(*invoice.Issued)
			if e.Totals.Due.Minor() != n {
				r.Fatalf("typed were %d, the deposit is %s", n, e.Totals.Due)
			}
			more := rapid.Int64Range(0, 20_000).Draw(r, "more")
			final.Lines = append(final.Lines, priced(n+more, rate), given.Deduct(name, money.New(n, given.Pounds).String(), rate))
			sold, deposited = sold+n+more, deposited+n
		}
		e := b.Take(t, given.Enter("i", final))[0].Event.(*invoice.Issued)
		if e.Totals.Due.Minor() != sold-deposited {
			r.Fatalf("typed were %d less %d, the invoice is %s", sold, deposited, e.Totals.Due)
		}
		for i, l := range final.Lines {
			if i%2 == 1 && e.Totals.LineNets[i].Minor() != -e.Deductions[i/2].Sum.Taxable.Minor() {
				r.Fatalf("line %d is %s, deducted are %+v at %s", i+1, e.Totals.LineNets[i], e.Deductions[i/2], l.Rate)
			}
		}
		sums := map[account.Account]int64{}
		for _, entry := range b.Entries(t) {
			for _, p := range entry.Postings {
				sums[p.Account] += p.Amount.Minor()
			}
		}
		if sums[account.Receivables] != sold || sums[account.Deposits] != 0 || sums[account.Rounding] != 0 {
			r.Fatalf("sold were %d, the accounts are %v", sold, sums)
		}
	})
}
