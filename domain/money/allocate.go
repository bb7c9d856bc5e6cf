package money

import (
	"cmp"
	"math/bits"
	"slices"
)

// Allocate divides the amount by the weights. The parts sum to it exactly, and
// each is less than one minor unit from its exact share: shares are cut towards
// zero, and the units that are left go one each to the parts that lost most,
// the earlier first among equals. Allocating −a gives the negated parts.
// Weights may be negative. ErrDivision when they sum to 0; ErrOverflow.
func (a Amount) Allocate(weights []int64) ([]Amount, error) {
	var total int64
	for _, w := range weights {
		sum := total + w
		if (sum > total) != (w > 0) {
			return nil, overflow("the sum of the weights")
		}
		total = sum
	}
	if total == 0 {
		return nil, division("an allocation by weights that sum to zero")
	}
	shares := fractions{
		negative: (a.minor < 0) != (total < 0),
		factor:   magnitude(a.minor),
		den:      magnitude(total),
	}
	return shares.apportion(a, weights)
}

// NetsWithin takes the tax out of amounts that include it at one percentage.
// The tax is that of their sum, rounded once as TaxWithin does; the nets and
// the tax sum exactly to the gross amounts; and each net is less than one minor
// unit from its exact value, by largest remainder as Allocate does it. Gross
// amounts may have either sign. Negating them negates every result. ErrCurrency,
// ErrOverflow; ErrDivision at −100 % and below; refusal "unknown-rounding".
func NetsWithin(c Currency, gross []Amount, percent Decimal, r Rounding) (nets []Amount, tax Amount, err error) {
	total, err := Sum(c, gross...)
	if err != nil {
		return nil, Amount{}, err
	}
	if tax, err = TaxWithin(total, percent, r); err != nil {
		return nil, Amount{}, err
	}
	net, err := total.Sub(tax)
	if err != nil {
		return nil, Amount{}, err
	}
	den, negative, err := hundredPlus(percent)
	if err != nil {
		return nil, Amount{}, err
	}
	if negative {
		return nil, Amount{}, division("a price with less than −100 % of tax")
	}
	minors := make([]int64, len(gross))
	for i, g := range gross {
		minors[i] = g.minor
	}
	// Not in proportion to the whole net: that may be zero where the parts
	// are not.
	shares := fractions{factor: 100 * pow10[percent.scale], den: den}
	nets, err = shares.apportion(net, minors)
	return nets, tax, err
}

// fractions are exact shares: value × ±factor ÷ den for each of some values.
type fractions struct {
	negative    bool
	factor, den uint64
}

// remainder is what cutting took from a part, towards its own sign.
type remainder struct {
	index    int
	lost     uint64
	negative bool
}

// apportion rounds the shares of the values to parts that sum to target, which
// is their exact sum or that rounded to the nearest unit.
//
// So the units that are left over, target minus the cut parts, differ from the
// sum of what cutting took by half a unit at most. As each part lost less than
// a unit, there are always enough parts to take them, one each, in the
// direction in which they were cut.
func (f fractions) apportion(target Amount, values []int64) ([]Amount, error) {
	const what = "a part"
	parts := make([]Amount, len(values))
	lost := make([]remainder, 0, len(values))
	left := uint64(target.minor) // wraps, as do the parts: the difference is small
	for i, v := range values {
		hi, lo := bits.Mul64(magnitude(v), f.factor)
		if hi >= f.den {
			return nil, overflow(what)
		}
		quotient, rest := bits.Div64(hi, lo, f.den)
		negative := (v < 0) != f.negative
		minor, err := signed(negative, quotient, what)
		if err != nil {
			return nil, err
		}
		parts[i] = Amount{minor, target.currency}
		left -= uint64(minor)
		if rest != 0 {
			lost = append(lost, remainder{i, rest, negative})
		}
	}
	if left == 0 {
		return parts, nil
	}
	slices.SortStableFunc(lost, func(a, b remainder) int { return cmp.Compare(b.lost, a.lost) })
	step := Amount{1, target.currency}
	if int64(left) < 0 {
		step.minor = -1
	}
	for _, l := range lost {
		if left == 0 {
			break
		}
		if l.negative != (step.minor < 0) {
			continue
		}
		part, err := parts[l.index].Add(step)
		if err != nil {
			return nil, err
		}
		parts[l.index] = part
		left -= uint64(step.minor)
	}
	return parts, nil
}
