package tax_test

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// documents are of all shapes but those that are refused before arithmetic.
// Their prices and rates make ties frequent.
func documents(currencies ...string) *rapid.Generator[tax.Document] {
	return rapid.Custom(func(t *rapid.T) tax.Document {
		d := document(t, rapid.SampledFrom(currencies).Draw(t, "currency"))
		d.PricesIncludeTax = rapid.Bool().Draw(t, "including")
		rates := rapid.SampledFrom([]string{"S 20", "S 5", "S 19", "S 2.1", "Z 0", "E 0", "L 7", "K 0"})
		for range rapid.IntRange(1, 25).Draw(t, "lines") {
			l := tax.Line{
				Quantity:     small(t, -30, 300, 2),
				Price:        small(t, 0, 2000, 3),
				BaseQuantity: small(t, 0, 12, 0),
				Rate:         rate(t, rates.Draw(t, "rate")),
			}
			for range rapid.IntRange(0, 2).Draw(t, "adjustments") {
				l.Adjustments = append(l.Adjustments, adjustment(t, d.Currency))
			}
			d.Lines = append(d.Lines, l)
		}
		for range rapid.IntRange(0, 3).Draw(t, "adjustments") {
			a := adjustment(t, d.Currency)
			a.Rate = rate(t, rates.Draw(t, "rate"))
			d.Adjustments = append(d.Adjustments, a)
		}
		return d
	})
}

func small(t *rapid.T, least, most int64, scale uint8) money.Decimal {
	d, err := money.NewDecimal(rapid.Int64Range(least, most).Draw(t, "digits"), rapid.Uint8Range(0, scale).Draw(t, "scale"))
	if err != nil {
		t.Fatalf("%v", err)
	}
	return d
}

func adjustment(t *rapid.T, c money.Currency) tax.Adjustment {
	a := tax.Adjustment{Charge: rapid.Bool().Draw(t, "charge")}
	if rapid.Bool().Draw(t, "by percentage") {
		a.Percent = small(t, 1, 250, 1)
	} else {
		a.Amount = money.New(rapid.Int64Range(-50, 500).Draw(t, "amount"), c)
	}
	return a
}

// computed gives totals, those of a refused document too.
func computed(t fataler, d tax.Document) tax.Totals {
	t.Helper()
	totals, err := tax.Compute(d)
	if err != nil && codeOf(err) != "negative-total" {
		t.Fatalf("%v", err)
	}
	return totals
}

func sum(t fataler, c money.Currency, amounts ...money.Amount) money.Amount {
	t.Helper()
	total, err := money.Sum(c, amounts...)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return total
}

func negated(t fataler, a money.Amount) money.Amount {
	t.Helper()
	n, err := a.Neg()
	if err != nil {
		t.Fatalf("%v", err)
	}
	return n
}

// BR-CO-10 to BR-CO-16, BR-S-8 and its like: what is made of parts is their sum.
func TestTotalsAreSumsOfTheirParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := documents("GBP", "JPY", "BHD").Draw(t, "document")
		totals, c := computed(t, d), d.Currency
		equal := func(what string, got money.Amount, parts ...money.Amount) {
			t.Helper()
			if want := sum(t, c, parts...); got != want {
				t.Fatalf("%s is %s, its parts sum to %s", what, got, want)
			}
		}
		allowances, charges, taxable, taxes := []money.Amount{}, []money.Amount{}, []money.Amount{}, []money.Amount{}
		for i, a := range d.Adjustments {
			if a.Charge {
				charges = append(charges, totals.AdjustmentNets[i])
			} else {
				allowances = append(allowances, totals.AdjustmentNets[i])
			}
		}
		for i, s := range totals.Breakdown {
			taxable, taxes = append(taxable, s.Taxable), append(taxes, s.Tax)
			parts := []money.Amount{}
			for j, l := range d.Lines {
				if l.Rate == s.Rate {
					parts = append(parts, totals.LineNets[j])
				}
			}
			for j, a := range d.Adjustments {
				if a.Rate == s.Rate && a.Charge {
					parts = append(parts, totals.AdjustmentNets[j])
				} else if a.Rate == s.Rate {
					parts = append(parts, negated(t, totals.AdjustmentNets[j]))
				}
			}
			equal("taxable of "+s.Rate.String(), s.Taxable, parts...)
			if i > 0 && totals.Breakdown[i-1].Rate.Cmp(s.Rate) >= 0 {
				t.Fatalf("the breakdown is not sorted: %v", totals.Breakdown)
			}
		}
		equal("lines", totals.Lines, totals.LineNets...)
		equal("allowances", totals.Allowances, allowances...)
		equal("charges", totals.Charges, charges...)
		equal("net", totals.Net, totals.Lines, negated(t, totals.Allowances), totals.Charges)
		equal("net by category", totals.Net, taxable...)
		equal("tax", totals.Tax, taxes...)
		equal("gross", totals.Gross, totals.Net, totals.Tax)
		equal("due", totals.Due, totals.Gross)
	})
}

// halfUp rounds an exact number of minor units, ties away from zero: the
// oracle, in another way than money's.
func halfUp(x *big.Rat) int64 {
	doubled := new(big.Int).Mul(x.Num(), big.NewInt(2))
	doubled.Abs(doubled).Add(doubled, x.Denom())
	doubled.Quo(doubled, new(big.Int).Mul(x.Denom(), big.NewInt(2)))
	if x.Sign() < 0 {
		doubled.Neg(doubled)
	}
	return doubled.Int64()
}

func rational(t fataler, d money.Decimal) *big.Rat {
	t.Helper()
	r, ok := new(big.Rat).SetString(d.String())
	if !ok {
		t.Fatalf("%s is no number", d)
	}
	return r
}

// typedBy gives what the parts of each rate come to as typed, in minor units.
func typedBy(t fataler, d tax.Document) map[tax.Rate]int64 {
	t.Helper()
	unit := new(big.Rat).SetInt64(1)
	for range d.Currency.Exponent() {
		unit.Mul(unit, big.NewRat(10, 1))
	}
	adjusted := func(a tax.Adjustment, base int64) int64 {
		minor := a.Amount.Minor()
		if !a.Percent.IsZero() {
			part := rational(t, a.Percent)
			minor = halfUp(part.Mul(part, big.NewRat(base, 100)))
		}
		if !a.Charge {
			return -minor
		}
		return minor
	}
	lines, typed := map[tax.Rate]int64{}, map[tax.Rate]int64{}
	for _, l := range d.Lines {
		x := rational(t, l.Quantity)
		x.Mul(x, rational(t, l.Price)).Mul(x, unit)
		if !l.BaseQuantity.IsZero() {
			x.Quo(x, rational(t, l.BaseQuantity))
		}
		extended := halfUp(x)
		minor := extended
		for _, a := range l.Adjustments {
			minor += adjusted(a, extended)
		}
		lines[l.Rate] += minor
		typed[l.Rate] += minor
	}
	for _, a := range d.Adjustments {
		typed[a.Rate] += adjusted(a, lines[a.Rate])
	}
	return typed
}

// BR-CO-17: the tax of each category and rate is its own percentage, rounded
// once; so it is never a whole unit off, and half a unit at most.
func TestTaxIsRoundedOncePerCategory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := documents("GBP", "JPY", "BHD").Draw(t, "document")
		totals, typed := computed(t, d), typedBy(t, d)
		if len(totals.Breakdown) != len(typed) {
			t.Fatalf("%d groups, want %d", len(totals.Breakdown), len(typed))
		}
		for _, s := range totals.Breakdown {
			exact := rational(t, s.Rate.Percent)
			divisor := big.NewRat(100, 1)
			if d.PricesIncludeTax {
				divisor.Add(divisor, exact)
			}
			exact.Mul(exact, big.NewRat(typed[s.Rate], 1)).Quo(exact, divisor)
			if s.Tax.Minor() != halfUp(exact) {
				t.Fatalf("tax at %s is %s, exactly %s units", s.Rate, s.Tax, exact.FloatString(4))
			}
			net := typed[s.Rate]
			if d.PricesIncludeTax {
				net -= s.Tax.Minor()
			}
			if s.Taxable.Minor() != net {
				t.Fatalf("taxable at %s is %s, want %d units", s.Rate, s.Taxable, net)
			}
		}
	})
}

// What was typed with tax is what the document comes to, to the cent.
func TestInclusiveGrossNeverDrifts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := documents("GBP", "JPY", "BHD").Draw(t, "document")
		d.PricesIncludeTax = true
		want := int64(0)
		for _, minor := range typedBy(t, d) {
			want += minor
		}
		if totals := computed(t, d); totals.Gross.Minor() != want {
			t.Fatalf("gross is %s, typed were %d units", totals.Gross, want)
		}
	})
}

// Taking everything back mirrors every figure, so that a credit note for a
// whole invoice leaves nothing.
func TestNegatedDocumentMirrors(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := documents("GBP", "JPY").Draw(t, "document")
		mirror := d
		mirror.Lines = make([]tax.Line, len(d.Lines))
		for i, l := range d.Lines {
			l.Quantity = l.Quantity.Neg()
			l.Adjustments = mirrored(t, l.Adjustments)
			mirror.Lines[i] = l
		}
		mirror.Adjustments = mirrored(t, d.Adjustments)
		a, b := computed(t, d), computed(t, mirror)
		for i, net := range a.LineNets {
			if b.LineNets[i] != negated(t, net) {
				t.Fatalf("line %d is %s, mirrored %s", i+1, net, b.LineNets[i])
			}
		}
		for i, s := range a.Breakdown {
			if b.Breakdown[i].Tax != negated(t, s.Tax) || b.Breakdown[i].Taxable != negated(t, s.Taxable) {
				t.Fatalf("%v mirrored is %v", s, b.Breakdown[i])
			}
		}
		if b.Due != negated(t, a.Due) {
			t.Fatalf("due %s, mirrored %s", a.Due, b.Due)
		}
	})
}

func mirrored(t fataler, adjustments []tax.Adjustment) []tax.Adjustment {
	t.Helper()
	other := make([]tax.Adjustment, len(adjustments))
	for i, a := range adjustments {
		a.Amount = negated(t, a.Amount)
		other[i] = a
	}
	return other
}
