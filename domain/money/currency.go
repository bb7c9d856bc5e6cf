package money

import (
	"github.com/daybook-ledger/daybook/domain"
)

// Currency is an ISO 4217 currency that has minor units. It is a small
// comparable value; the zero Currency means none. Its inside is a place in this
// program's table, so only its code (String) may be stored or sent.
type Currency struct {
	place uint8
}

// ParseCurrency finds a currency by its code, three upper-case letters, and
// else refuses with "unknown-currency".
func ParseCurrency(code string) (Currency, error) {
	if place, ok := codeIndex(code); ok && places[place] != 0 {
		return Currency{places[place]}, nil
	}
	return Currency{}, domain.Refuse("unknown-currency", "%.20q is not a currency code of ISO 4217", code).
		WithHint("use a current three-letter code in capitals, such as GBP")
}

// Currencies gives every known currency in the order of the codes.
func Currencies() []Currency {
	all := make([]Currency, len(currencies)-1)
	for i := range all {
		all[i] = Currency{uint8(i + 1)}
	}
	return all
}

// String is the code, "GBP", and empty for the zero Currency.
func (c Currency) String() string { return currencies[c.place].code }

// Exponent is the number of decimal places of the currency's minor unit: 0 for
// JPY and the zero Currency, 2 for GBP, 3 for BHD, 4 for CLF.
func (c Currency) Exponent() int { return int(currencies[c.place].exponent) }

// IsZero reports whether c is no currency.
func (c Currency) IsZero() bool { return c.place == 0 }

func (c Currency) name() string {
	if c.IsZero() {
		return "no currency"
	}
	return c.String()
}

// codeIndex numbers the three-letter codes from AAA to ZZZ.
func codeIndex(code string) (int, bool) {
	if len(code) != 3 {
		return 0, false
	}
	index := 0
	for i := range 3 {
		letter := code[i] - 'A'
		if letter >= 26 {
			return 0, false
		}
		index = index*26 + int(letter)
	}
	return index, true
}

// places leads from a code's number to its place in the table: looked up for
// every amount that is decoded, hence no map.
var places = func() (p [26 * 26 * 26]uint8) {
	for i, c := range currencies {
		if index, ok := codeIndex(c.code); ok {
			p[index] = uint8(i)
		}
	}
	return p
}()
