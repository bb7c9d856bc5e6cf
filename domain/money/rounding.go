package money

import (
	"cmp"
	"math"
	"math/bits"

	"github.com/daybook-ledger/daybook/domain"
)

// Rounding names the rule by which an exact result becomes whole minor units.
// The zero Rounding is no rule, and is refused: figures are only repeatable
// when the rule is known.
type Rounding string

// HalfUp rounds to the nearest minor unit, and a tie away from zero: 0.5 gives
// 1, −0.5 gives −1. EN 16931 and its validators round so.
const HalfUp Rounding = "half-up"

// ParseRounding finds a rule by its name, and else refuses with
// "unknown-rounding".
func ParseRounding(name string) (Rounding, error) {
	if r := Rounding(name); r == HalfUp {
		return r, nil
	}
	return "", domain.Refuse("unknown-rounding", "%.40q is not a rounding rule", name).
		WithHint("the only rule is %q", string(HalfUp))
}

// away reports whether a result is rounded away from zero rather than towards
// it, given how the magnitude of what would be cut off compares with half a
// unit. It is not asked about exact results.
func (r Rounding) away(half int) bool { return half >= 0 }

// exact is a signed fraction: ±(hi·2⁶⁴ + lo) ÷ den, in minor units.
type exact struct {
	negative bool
	hi, lo   uint64
	den      uint64
}

// round gives the whole number that the rule makes of x. den is not zero.
func (x exact) round(r Rounding, what string) (int64, error) {
	if x.hi >= x.den {
		return 0, overflow(what)
	}
	quotient, rest := bits.Div64(x.hi, x.lo, x.den)
	// rest against den−rest, not 2·rest against den: that could overflow.
	if rest != 0 && r.away(cmp.Compare(rest, x.den-rest)) {
		quotient++
		if quotient == 0 {
			return 0, overflow(what)
		}
	}
	return signed(x.negative, quotient, what)
}

// signed joins a sign and a magnitude.
func signed(negative bool, magnitude uint64, what string) (int64, error) {
	switch {
	case !negative && magnitude <= math.MaxInt64:
		return int64(magnitude), nil
	case negative && magnitude <= 1<<63:
		return -int64(magnitude), nil // −2⁶³ is its own negative
	default:
		return 0, overflow(what)
	}
}

// magnitude gives |n|, which for −2⁶³ fits only the unsigned type.
func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

// times multiplies hi·2⁶⁴ + lo by factor, and reports whether 128 bits hold it.
func times(hi, lo, factor uint64) (uint64, uint64, bool) {
	carry, low := bits.Mul64(lo, factor)
	over, high := bits.Mul64(hi, factor)
	high, c := bits.Add64(high, carry, 0)
	return high, low, over == 0 && c == 0
}

// pow10 holds the powers of ten that 64 bits hold.
var pow10 = func() (p [20]uint64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()
