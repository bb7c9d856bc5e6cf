package money

import (
	"math/big"
	"math/bits"
)

// Extend gives quantity × price ÷ base in the currency: formed exactly, rounded
// once to the minor unit. ErrDivision when base is 0; ErrOverflow; refusals
// "unknown-rounding" and "unknown-currency".
func Extend(quantity, price, base Decimal, c Currency, r Rounding) (Amount, error) {
	if _, err := ParseRounding(string(r)); err != nil {
		return Amount{}, err
	}
	if c.IsZero() {
		return Amount{}, noCurrency()
	}
	if base.IsZero() {
		return Amount{}, division("a price per zero units")
	}
	minor, err := extend(quantity, price, base, c.Exponent(), r)
	if err != nil {
		return Amount{}, err
	}
	return Amount{minor, c}, nil
}

func extend(quantity, price, base Decimal, exponent int, r Rounding) (int64, error) {
	const what = "quantity × price"
	x := exact{
		negative: (quantity.negative != price.negative) != base.negative,
		den:      base.magnitude,
	}
	x.hi, x.lo = bits.Mul64(quantity.magnitude, price.magnitude)

	// The value is hi:lo ÷ den × 10^shift.
	shift := int(base.scale) + exponent - int(quantity.scale) - int(price.scale)
	if shift >= 0 {
		var fits bool
		if x.hi, x.lo, fits = times(x.hi, x.lo, pow10[shift]); !fits {
			// At least 2¹²⁸, to be divided by less than 2⁶⁴.
			return 0, overflow(what)
		}
		return x.round(r, what)
	}
	if -shift < len(pow10) {
		over, den := bits.Mul64(x.den, pow10[-shift])
		if over == 0 {
			x.den = den
			return x.round(r, what)
		}
	}
	return x.roundWide(-shift, r, what)
}

// roundWide is round for x ÷ 10^places where the denominator needs more than 64
// bits: rare, so it may allocate.
func (x exact) roundWide(places int, r Rounding, what string) (int64, error) {
	num := new(big.Int).SetUint64(x.hi)
	num.Lsh(num, 64).Or(num, new(big.Int).SetUint64(x.lo))
	den := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(places)), nil)
	den.Mul(den, new(big.Int).SetUint64(x.den))

	quotient, rest := new(big.Int).QuoRem(num, den, new(big.Int))
	if half := rest.Cmp(new(big.Int).Sub(den, rest)); rest.Sign() != 0 && r.away(half) {
		quotient.Add(quotient, big.NewInt(1))
	}
	if !quotient.IsUint64() {
		return 0, overflow(what)
	}
	return signed(x.negative, quotient.Uint64(), what)
}

// Percent gives of × percent ÷ 100, rounded once. ErrOverflow; refusal
// "unknown-rounding".
func Percent(of Amount, percent Decimal, r Rounding) (Amount, error) {
	if _, err := ParseRounding(string(r)); err != nil {
		return Amount{}, err
	}
	x := exact{
		negative: (of.minor < 0) != percent.negative,
		den:      100 * pow10[percent.scale],
	}
	x.hi, x.lo = bits.Mul64(magnitude(of.minor), percent.magnitude)
	minor, err := x.round(r, "the percentage")
	if err != nil {
		return Amount{}, err
	}
	return Amount{minor, of.currency}, nil
}

// TaxWithin gives the part of gross that is tax when gross includes it at the
// given percentage: gross × percent ÷ (100 + percent), rounded once. The net is
// what remains, so that net and tax always sum to gross. ErrDivision at −100 %;
// ErrOverflow; refusal "unknown-rounding".
func TaxWithin(gross Amount, percent Decimal, r Rounding) (Amount, error) {
	if _, err := ParseRounding(string(r)); err != nil {
		return Amount{}, err
	}
	den, negative, err := hundredPlus(percent)
	if err != nil {
		return Amount{}, err
	}
	x := exact{
		negative: (gross.minor < 0) != percent.negative != negative,
		den:      den,
	}
	x.hi, x.lo = bits.Mul64(magnitude(gross.minor), percent.magnitude)
	minor, err := x.round(r, "the tax")
	if err != nil {
		return Amount{}, err
	}
	return Amount{minor, gross.currency}, nil
}

// hundredPlus gives 100 + percent, scaled up to a whole number by the scale of
// percent. A magnitude of 2⁶³ and 100 × 10¹² are together less than 2⁶⁴.
func hundredPlus(percent Decimal) (magnitude uint64, negative bool, err error) {
	hundred := 100 * pow10[percent.scale]
	switch {
	case !percent.negative:
		return hundred + percent.magnitude, false, nil
	case percent.magnitude == hundred:
		return 0, false, division("a price with −100 % of tax")
	case percent.magnitude > hundred:
		return percent.magnitude - hundred, true, nil
	default:
		return hundred - percent.magnitude, false, nil
	}
}

// Sum adds amounts of one currency. Only the sum must fit, not what stands in
// between, so the order of the amounts does not matter. The sum of none is
// nothing in c. ErrCurrency, ErrOverflow.
func Sum(c Currency, amounts ...Amount) (Amount, error) {
	var hi, lo uint64 // a signed number of 128 bits
	for _, a := range amounts {
		if a.currency != c && a != (Amount{}) || a.bare() {
			return Amount{}, mixed(c, a.currency)
		}
		var carry uint64
		lo, carry = bits.Add64(lo, uint64(a.minor), 0)
		hi += uint64(a.minor>>63) + carry
	}
	if hi != uint64(int64(lo)>>63) {
		return Amount{}, overflow("the sum")
	}
	return Amount{int64(lo), c}, nil
}
