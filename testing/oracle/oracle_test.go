package oracle_test

import (
	"errors"
	"fmt"
	"math/big"
	"testing"

	"github.com/invopop/gobl/bill"
	"github.com/invopop/gobl/cal"
	"github.com/invopop/gobl/cbc"
	"github.com/invopop/gobl/currency"
	"github.com/invopop/gobl/num"
	"github.com/invopop/gobl/org"
	"github.com/invopop/gobl/pay"
	gobl "github.com/invopop/gobl/tax"
	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// rates are some of each kind; ties are frequent at 2.5 % and 12.5 %.
var rates = []string{"S 20", "S 19", "S 5.5", "S 2.5", "S 12.5", "S 2.1", "Z 0", "E 0"}

// TestNet compares all figures of documents with prices without tax.
func TestNet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := document(t, false)
		ours, theirs := compute(t, d), calculate(t, d, gobl.RoundingRuleCurrency)
		c := d.Currency
		for i, net := range ours.LineNets {
			equal(t, fmt.Sprintf("line %d", i+1), net, *theirs.Lines[i].Total)
		}
		equal(t, "sum of lines", ours.Lines, theirs.Totals.Sum)
		equal(t, "allowances", ours.Allowances, optional(theirs.Totals.Discount))
		equal(t, "charges", ours.Charges, optional(theirs.Totals.Charge))
		equal(t, "net", ours.Net, theirs.Totals.Total)
		equal(t, "tax", ours.Tax, theirs.Totals.Tax)
		equal(t, "gross", ours.Gross, theirs.Totals.TotalWithTax)
		due := theirs.Totals.Payable
		if theirs.Totals.Due != nil {
			due = *theirs.Totals.Due
		}
		equal(t, "due", ours.Due, due)
		groups := byPercent(theirs)
		for percent, group := range oursByPercent(t, c, ours) {
			equal(t, "taxable at "+percent, group.Taxable, groups[percent].Base)
			equal(t, "tax at "+percent, group.Tax, groups[percent].Amount)
			delete(groups, percent)
		}
		if len(groups) > 0 {
			t.Fatalf("gobl has more rates: %v", groups)
		}
	})
}

// TestGross compares the totals of documents with tax in their prices, and the
// tax of each rate where it can be compared.
func TestGross(t *testing.T) {
	apart := 0
	rapid.Check(t, func(t *rapid.T) {
		d := document(t, true)
		ours, theirs := compute(t, d), calculate(t, d, gobl.RoundingRulePrecise)
		equal(t, "gross", ours.Gross, theirs.Totals.TotalWithTax)
		groups := byPercent(theirs)
		for percent, group := range oursByPercent(t, d.Currency, ours) {
			their := minor(t, groups[percent].Amount, d.Currency)
			if their == group.Tax.Minor() {
				continue
			}
			apart++
			if difference := their - group.Tax.Minor(); difference < -1 || difference > 1 || !nearHalf(t, d, group, percent) {
				t.Fatalf("tax at %s is %s, gobl's %s", percent, group.Tax, groups[percent].Amount)
			}
		}
	})
	if apart > 0 {
		t.Logf("%d taxes lay at half a unit, and gobl rounded them otherwise", apart)
	}
}

// nearHalf reports whether the tax of a rate lies so close to half a minor unit
// that what "precise" cuts off decides how it is rounded: half of 10⁻² units from
// the net of each part, times the rate, and half of 10⁻² units from the tax.
func nearHalf(t *rapid.T, d tax.Document, group tax.Subtotal, percent string) bool {
	rate, ok := new(big.Rat).SetString(percent)
	if !ok {
		t.Fatalf("%s is no number", percent)
	}
	gross := big.NewRat(group.Taxable.Minor()+group.Tax.Minor(), 1)
	exact := gross.Mul(gross, rate)
	exact.Quo(exact, new(big.Rat).Add(rate, big.NewRat(100, 1)))
	parts := int64(len(d.Lines) + len(d.Adjustments))
	cut := new(big.Rat).Mul(big.NewRat(parts, 200), rate)
	cut.Quo(cut, big.NewRat(100, 1)).Add(cut, big.NewRat(1, 200))
	// How far exact is from half a unit.
	doubled := new(big.Rat).Mul(exact, big.NewRat(2, 1))
	floor := new(big.Int).Div(doubled.Num(), doubled.Denom()) // exact ≥ floor ÷ 2
	for _, n := range []int64{0, 1} {
		half := new(big.Int).Add(floor, big.NewInt(n))
		if half.Bit(0) == 0 {
			continue // a whole unit
		}
		off := new(big.Rat).Sub(exact, new(big.Rat).SetFrac(half, big.NewInt(2)))
		if off.Abs(off).Cmp(cut) <= 0 {
			return true
		}
	}
	return false
}

// document is one of at most 40 lines, or of 1,000, with prices up to hundreds of
// millions.
func document(t *rapid.T, gross bool) tax.Document {
	c := must(money.ParseCurrency(rapid.SampledFrom([]string{"GBP", "EUR", "JPY", "BHD"}).Draw(t, "currency")))
	d := tax.Document{
		Currency: c, PricesIncludeTax: gross, Rounding: money.HalfUp,
		Exemptions: []tax.Exemption{{Category: tax.Exempt, Reason: "Exempt"}},
	}
	lines := rapid.IntRange(1, 40).Draw(t, "lines")
	if rapid.IntRange(0, 50).Draw(t, "many") == 0 {
		lines = 1000
	}
	for range lines {
		d.Lines = append(d.Lines, line(t, c, gross))
	}
	for range rapid.IntRange(0, 3).Draw(t, "adjustments") {
		a := adjustment(t, c)
		a.Rate = rate(t)
		if a.Base = amount(t, c, 0, 1_000_000); gross || a.Base.IsZero() {
			a.Base, a.Percent = money.Amount{}, money.Decimal{}
		}
		if a.Percent.IsZero() {
			a.Base = money.Amount{}
		}
		d.Adjustments = append(d.Adjustments, a)
	}
	if rapid.Bool().Draw(t, "prepaid") {
		d.Prepaid = amount(t, c, 1, 1_000_000)
	}
	if c.Exponent() > 0 && rapid.Bool().Draw(t, "rounded") {
		d.RoundingAmount = amount(t, c, -9, 9)
	}
	return d
}

// line is one whose product is exact at the places of price and quantity.
func line(t *rapid.T, c money.Currency, gross bool) tax.Line {
	most, pieces := rapid.SampledFrom([]int64{50, 5_000, 500_000, 500_000_000}).Draw(t, "magnitude"), int64(300)
	if most > 500_000 {
		pieces = 3
	}
	scale, parts := rapid.Uint8Range(0, 3).Draw(t, "places"), rapid.Uint8Range(0, 2).Draw(t, "parts")
	if gross { // no fractions of a unit
		scale, parts = min(scale, uint8(c.Exponent())), 0
	}
	l := tax.Line{
		Quantity: must(money.NewDecimal(rapid.Int64Range(-3, pieces).Draw(t, "quantity"), parts)),
		Price:    must(money.NewDecimal(rapid.Int64Range(0, most).Draw(t, "price"), scale)),
		Rate:     rate(t),
	}
	for range rapid.IntRange(0, 2).Draw(t, "line adjustments") {
		a := adjustment(t, c)
		if gross {
			a.Percent = money.Decimal{}
		}
		l.Adjustments = append(l.Adjustments, a)
	}
	return l
}

func adjustment(t *rapid.T, c money.Currency) tax.Adjustment {
	a := tax.Adjustment{Charge: rapid.Bool().Draw(t, "charge"), Reason: "agreed"}
	if rapid.Bool().Draw(t, "by percentage") {
		a.Percent = must(money.NewDecimal(rapid.Int64Range(1, 250).Draw(t, "percent"), 1))
	} else {
		a.Amount = amount(t, c, -500, 50_000)
	}
	return a
}

func rate(t *rapid.T) tax.Rate {
	return must(tax.ParseRate(rapid.SampledFrom(rates).Draw(t, "rate")))
}

func amount(t *rapid.T, c money.Currency, least, most int64) money.Amount {
	return money.New(rapid.Int64Range(least, most).Draw(t, "amount"), c)
}

// compute gives our totals, also where no document may have them, such as those
// below zero.
func compute(t *rapid.T, d tax.Document) tax.Totals {
	totals, err := tax.Compute(d)
	if refusal := (*domain.Refusal)(nil); err != nil && (!errors.As(err, &refusal) || refusal.Computed == nil) {
		t.Fatal(err)
	}
	return totals
}

// calculate is the document in gobl, calculated.
func calculate(t *rapid.T, d tax.Document, rounding cbc.Key) *bill.Invoice {
	inv := &bill.Invoice{
		Currency: currency.Code(d.Currency.String()), IssueDate: cal.MakeDate(2026, 3, 1),
		Tax:    &bill.Tax{Rounding: rounding},
		Totals: &bill.Totals{Rounding: given(t, d.RoundingAmount)},
	}
	if d.PricesIncludeTax {
		inv.Tax.PricesInclude = gobl.CategoryVAT
	}
	for _, l := range d.Lines {
		inv.Lines = append(inv.Lines, theirLine(t, l))
	}
	for _, a := range d.Adjustments {
		value, percent, base := parts(t, a)
		taxes := combo(t, a.Rate)
		if a.Charge {
			inv.Charges = append(inv.Charges, &bill.Charge{Reason: a.Reason, Amount: value, Percent: percent, Base: base, Taxes: taxes})
		} else {
			inv.Discounts = append(inv.Discounts, &bill.Discount{Reason: a.Reason, Amount: value, Percent: percent, Base: base, Taxes: taxes})
		}
	}
	if !d.Prepaid.IsZero() {
		inv.Payment = &bill.PaymentDetails{Advances: []*pay.Advance{{Description: "prepaid", Amount: number(t, d.Prepaid.String())}}}
	}
	if err := inv.Calculate(); err != nil {
		t.Fatal(err)
	}
	return inv
}

func theirLine(t *rapid.T, l tax.Line) *bill.Line {
	quantity := number(t, l.Quantity.String())
	price := number(t, l.Price.String())
	price = price.Upscale(quantity.Exp()) // so that the product is exact
	line := &bill.Line{Quantity: quantity, Item: &org.Item{Name: "item", Price: &price}, Taxes: combo(t, l.Rate)}
	for _, a := range l.Adjustments {
		value, percent, base := parts(t, a)
		if a.Charge {
			line.Charges = append(line.Charges, &bill.LineCharge{Reason: a.Reason, Amount: value, Percent: percent, Base: base})
		} else {
			line.Discounts = append(line.Discounts, &bill.LineDiscount{Reason: a.Reason, Amount: value, Percent: percent, Base: base})
		}
	}
	return line
}

// parts are the amount, percentage and base of an allowance or charge.
func parts(t *rapid.T, a tax.Adjustment) (value num.Amount, percent *num.Percentage, base *num.Amount) {
	if a.Percent.IsZero() {
		return number(t, a.Amount.String()), nil, nil
	}
	p := must(num.PercentageFromString(a.Percent.String() + "%"))
	return num.AmountZero, &p, given(t, a.Base)
}

func combo(t *rapid.T, r tax.Rate) gobl.Set {
	percent := must(num.PercentageFromString(r.Percent.String() + "%"))
	return gobl.Set{{Category: gobl.CategoryVAT, Percent: &percent}}
}

func number(t *rapid.T, text string) num.Amount { return must(num.AmountFromString(text)) }

func given(t *rapid.T, a money.Amount) *num.Amount {
	if a.IsZero() {
		return nil
	}
	value := number(t, a.String())
	return &value
}

func optional(a *num.Amount) num.Amount {
	if a == nil {
		return num.AmountZero
	}
	return *a
}

// byPercent is gobl's breakdown.
func byPercent(inv *bill.Invoice) map[string]*gobl.RateTotal {
	all := map[string]*gobl.RateTotal{}
	for _, category := range inv.Totals.Taxes.Categories {
		for _, r := range category.Rates {
			all[r.Percent.Amount().MinimalString()] = r
		}
	}
	return all
}

// oursByPercent is our breakdown, with categories of one percentage in one.
func oursByPercent(t *rapid.T, c money.Currency, totals tax.Totals) map[string]tax.Subtotal {
	all := map[string]tax.Subtotal{}
	for _, s := range totals.Breakdown {
		sum, known := all[s.Rate.Percent.String()]
		if !known {
			sum.Taxable, sum.Tax = money.Zero(c), money.Zero(c)
		}
		sum.Taxable = must(sum.Taxable.Add(s.Taxable))
		sum.Tax = must(sum.Tax.Add(s.Tax))
		all[s.Rate.Percent.String()] = sum
	}
	return all
}

// minor is an amount of gobl's in minor units.
func minor(t *rapid.T, a num.Amount, c money.Currency) int64 {
	return must(money.ParseAmount(a.Rescale(uint32(c.Exponent())).String(), c)).Minor()
}

func equal(t *rapid.T, what string, ours money.Amount, theirs num.Amount) {
	t.Helper()
	if !number(t, ours.String()).Equals(theirs) {
		t.Fatalf("%s is %s, gobl's %s", what, ours, theirs)
	}
}

// must gives a value that is there: a wrong one is a mistake of the test.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
