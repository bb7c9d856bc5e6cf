package money

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// The stored forms are written and read by hand: they are hot, tiny and must be
// exact. They are RFC 8949 core deterministic, one form for each value, and
// decoding refuses every other. The methods have the names that
// github.com/fxamacker/cbor looks for.

var errForm = errors.New("not in the one form that is stored")

// CBOR's major types, in place.
const (
	cborUint  = 0 << 5
	cborInt   = 1 << 5
	cborText  = 3 << 5
	cborArray = 4 << 5
)

// MarshalCBOR gives the code as a text string, empty for no currency.
func (c Currency) MarshalCBOR() ([]byte, error) {
	return appendCBORText(make([]byte, 0, 4), c.String()), nil
}

// UnmarshalCBOR reads what MarshalCBOR gives and nothing else.
func (c *Currency) UnmarshalCBOR(data []byte) error {
	text, rest, ok := cutCBORText(data)
	if !ok || len(rest) != 0 {
		return fmt.Errorf("money: decode currency: %w", errForm)
	}
	if text == "" {
		*c = Currency{}
		return nil
	}
	parsed, err := ParseCurrency(text)
	if err != nil {
		return fmt.Errorf("money: decode currency: %w", err)
	}
	*c = parsed
	return nil
}

// MarshalCBOR gives the canonical text as a text string.
func (d Decimal) MarshalCBOR() ([]byte, error) {
	return appendCBORText(make([]byte, 0, 24), d.String()), nil
}

// UnmarshalCBOR reads what MarshalCBOR gives and nothing else: "2.50" is
// refused, being no canonical text.
func (d *Decimal) UnmarshalCBOR(data []byte) error {
	text, rest, ok := cutCBORText(data)
	if !ok || len(rest) != 0 {
		return fmt.Errorf("money: decode decimal: %w", errForm)
	}
	parsed, err := ParseDecimal(text)
	if err != nil {
		return fmt.Errorf("money: decode decimal: %w", err)
	}
	if parsed.String() != text {
		return fmt.Errorf("money: decode decimal %q: %w", text, errForm)
	}
	*d = parsed
	return nil
}

// MarshalCBOR gives the array [minor units, "GBP"], and [0, ""] for the zero
// Amount. ErrCurrency for another amount without a currency.
func (a Amount) MarshalCBOR() ([]byte, error) {
	if a.bare() {
		return nil, fmt.Errorf("money: encode amount: %w", mixed(a.currency, a.currency))
	}
	b := append(make([]byte, 0, 14), cborArray|2)
	if a.minor < 0 {
		b = appendCBORHead(b, cborInt, uint64(-(a.minor + 1)))
	} else {
		b = appendCBORHead(b, cborUint, uint64(a.minor))
	}
	return appendCBORText(b, a.currency.String()), nil
}

// UnmarshalCBOR reads what MarshalCBOR gives and nothing else.
func (a *Amount) UnmarshalCBOR(data []byte) error {
	if len(data) == 0 || data[0] != cborArray|2 {
		return fmt.Errorf("money: decode amount: %w", errForm)
	}
	major, n, rest, ok := cutCBORHead(data[1:])
	if !ok || major > cborInt || n > math.MaxInt64 {
		return fmt.Errorf("money: decode amount: %w", errForm)
	}
	minor := int64(n)
	if major == cborInt {
		minor = -1 - minor
	}
	var c Currency
	if err := c.UnmarshalCBOR(rest); err != nil {
		return fmt.Errorf("money: decode amount: %w", err)
	}
	read := Amount{minor, c}
	if read.bare() {
		return fmt.Errorf("money: decode amount: %w", mixed(c, c))
	}
	*a = read
	return nil
}

// appendCBORHead writes a major type with its argument in the shortest form.
func appendCBORHead(b []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(b, major|byte(n))
	case n <= math.MaxUint8:
		return append(b, major|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, major|26), uint32(n))
	default:
		return binary.BigEndian.AppendUint64(append(b, major|27), n)
	}
}

func appendCBORText(b []byte, text string) []byte {
	return append(appendCBORHead(b, cborText, uint64(len(text))), text...)
}

// cutCBORHead reads what appendCBORHead writes.
func cutCBORHead(data []byte) (major byte, n uint64, rest []byte, ok bool) {
	if len(data) == 0 {
		return 0, 0, nil, false
	}
	major, short, data := data[0]&0xe0, data[0]&0x1f, data[1:]
	if short < 24 {
		return major, uint64(short), data, true
	}
	if short > 27 {
		return 0, 0, nil, false
	}
	size := 1 << (short - 24)
	if len(data) < size {
		return 0, 0, nil, false
	}
	for _, octet := range data[:size] {
		n = n<<8 | uint64(octet)
	}
	least := [...]uint64{24, 1 << 8, 1 << 16, 1 << 32}[short-24]
	return major, n, data[size:], n >= least
}

func cutCBORText(data []byte) (text string, rest []byte, ok bool) {
	major, n, rest, ok := cutCBORHead(data)
	if !ok || major != cborText || n > maxText || n > uint64(len(rest)) {
		return "", nil, false
	}
	return string(rest[:n]), rest[n:], true
}
