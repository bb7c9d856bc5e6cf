package money

import (
	"cmp"
	"math/bits"
	"strconv"

	"github.com/daybook-ledger/daybook/domain"
)

// MaxScale is the largest number of decimal places of a Decimal.
const MaxScale = 12

// maxText bounds the length of numbers that are read from text. Leading and
// trailing zeros aside, none that can be held is longer than 21 characters.
const maxText = 64

// Decimal is a quantity, a unit price or a percentage: a coefficient of
// magnitude at most 2⁶³ with 0 to 12 decimal places. It is always canonical,
// without trailing zeros, so that equal values are == and can be map keys. The
// zero Decimal is 0.
type Decimal struct {
	// The sign stands apart so that every Decimal has a negative, and the
	// arithmetic its magnitudes. Zero is never negative.
	magnitude uint64
	scale     uint8
	negative  bool
}

// ParseDecimal reads a plain decimal number: "2.55", "-3", "0010.0". There is
// at least one digit on each side of a point; exponents, plus signs, spaces and
// separators are not read. It refuses with "invalid-decimal" what is malformed,
// has more than 12 decimal places that count, or is too large.
func ParseDecimal(text string) (Decimal, error) {
	n, ok := scan(text)
	if !ok {
		return Decimal{}, domain.Refuse("invalid-decimal", "%.40q is not a decimal number", text).
			WithHint("write it like 1234.5, without separators, with at most %d decimal places", MaxScale)
	}
	d, err := canonical(n.negative, n.digits, n.scale)
	if err != nil || n.large {
		return Decimal{}, domain.Refuse("invalid-decimal", "%.40q has too many digits", text).
			WithHint("at most %d decimal places and about 18 digits can be held", MaxScale)
	}
	return d, nil
}

// NewDecimal gives coefficient ÷ 10^scale. It refuses with "invalid-decimal"
// more than 12 decimal places that count.
func NewDecimal(coefficient int64, scale uint8) (Decimal, error) {
	return canonical(coefficient < 0, magnitude(coefficient), int(scale))
}

// IntegerDecimal gives n as a Decimal.
func IntegerDecimal(n int64) Decimal {
	return Decimal{magnitude: magnitude(n), negative: n < 0}
}

func canonical(negative bool, magnitude uint64, scale int) (Decimal, error) {
	for scale > 0 && magnitude%10 == 0 && magnitude != 0 {
		magnitude /= 10
		scale--
	}
	if magnitude == 0 {
		return Decimal{}, nil
	}
	if scale > MaxScale || magnitude > 1<<63 {
		return Decimal{}, domain.Refuse("invalid-decimal", "a decimal number has more than %d decimal places or is too large", MaxScale)
	}
	return Decimal{magnitude, uint8(scale), negative}, nil
}

// String is the canonical text: "2.55", "-0.5", "10".
func (d Decimal) String() string {
	return string(d.appendText(make([]byte, 0, 24)))
}

func (d Decimal) appendText(b []byte) []byte {
	return appendNumber(b, d.negative, d.magnitude, int(d.scale))
}

// Sign is −1, 0 or +1.
func (d Decimal) Sign() int {
	switch {
	case d.negative:
		return -1
	case d.magnitude == 0:
		return 0
	default:
		return 1
	}
}

// IsZero reports whether d is 0.
func (d Decimal) IsZero() bool { return d.magnitude == 0 }

// Neg gives −d. Every Decimal has one.
func (d Decimal) Neg() Decimal {
	d.negative = !d.negative && d.magnitude != 0
	return d
}

// Cmp compares the values: −1 for d < e, 0 for equal, +1 for d > e.
func (d Decimal) Cmp(e Decimal) int {
	if s := cmp.Compare(d.Sign(), e.Sign()); s != 0 {
		return s
	}
	common := max(d.scale, e.scale)
	dhi, dlo := bits.Mul64(d.magnitude, pow10[common-d.scale])
	ehi, elo := bits.Mul64(e.magnitude, pow10[common-e.scale])
	order := cmp.Or(cmp.Compare(dhi, ehi), cmp.Compare(dlo, elo))
	if d.negative {
		return -order
	}
	return order
}

// number is what scan found: ±digits ÷ 10^scale, without the trailing zeros of
// the fraction. large means that digits did not hold it.
type number struct {
	negative bool
	digits   uint64
	scale    int
	large    bool
}

// scan reads -?[0-9]+(\.[0-9]+)? and nothing else.
func scan(text string) (n number, ok bool) {
	if len(text) > maxText {
		return n, false
	}
	if len(text) > 0 && text[0] == '-' {
		n.negative, text = true, text[1:]
	}
	point := -1
	end := len(text)
	for i := range len(text) {
		switch c := text[i]; {
		case c == '.' && point < 0:
			point = i
		case c < '0' || c > '9':
			return n, false
		}
	}
	if point == 0 || point == end-1 || end == 0 {
		return n, false
	}
	for point >= 0 && text[end-1] == '0' {
		end--
	}
	for i := range end {
		if i == point {
			continue
		}
		over, digits := bits.Mul64(n.digits, 10)
		digits, carry := bits.Add64(digits, uint64(text[i]-'0'), 0)
		n.digits, n.large = digits, n.large || over != 0 || carry != 0
		if point >= 0 && i > point {
			n.scale++
		}
	}
	return n, true
}

// appendNumber writes ±magnitude ÷ 10^scale with exactly scale decimal places.
func appendNumber(b []byte, negative bool, magnitude uint64, scale int) []byte {
	if negative {
		b = append(b, '-')
	}
	if scale == 0 {
		return strconv.AppendUint(b, magnitude, 10)
	}
	b = strconv.AppendUint(b, magnitude/pow10[scale], 10)
	b = append(b, '.')
	fraction := magnitude % pow10[scale]
	for place := scale - 1; place >= 0; place-- {
		b = append(b, '0'+byte(fraction/pow10[place]%10))
	}
	return b
}
