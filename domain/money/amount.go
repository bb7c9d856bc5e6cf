package money

import (
	"cmp"
	"math/bits"

	"github.com/daybook-ledger/daybook/domain"
)

// Amount is a sum of money: a whole number of minor units, from −2⁶³ to 2⁶³−1,
// and their currency. It is comparable with ==.
//
// The zero Amount is nothing in no currency. It may stand for "not given", and
// goes together with every currency. Any other amount without a currency can be
// neither combined nor encoded.
type Amount struct {
	minor    int64
	currency Currency
}

// New gives an amount of minor units: New(250, GBP) is £2.50.
func New(minor int64, c Currency) Amount { return Amount{minor, c} }

// Zero gives nothing in the currency.
func Zero(c Currency) Amount { return Amount{0, c} }

// ParseAmount reads an amount in major units, such as "1234.50" or "-3", in the
// form that ParseDecimal reads. It refuses with "invalid-amount" what is
// malformed or finer than the minor unit, with "amount-overflow" (ErrOverflow)
// what is too large, and with "unknown-currency" where there is none.
func ParseAmount(text string, c Currency) (Amount, error) {
	if c.IsZero() {
		return Amount{}, noCurrency()
	}
	n, ok := scan(text)
	if !ok {
		return Amount{}, domain.Refuse("invalid-amount", "%.40q is not an amount", text).
			WithHint("write it like 1234.50, without separators or currency")
	}
	if n.scale > c.Exponent() {
		return Amount{}, domain.Refuse("invalid-amount", "%.40q is finer than the minor unit of %s", text, c).
			WithHint("%s has %d decimal places", c, c.Exponent())
	}
	over, units := bits.Mul64(n.digits, pow10[c.Exponent()-n.scale])
	if n.large || over != 0 {
		return Amount{}, overflow("the amount")
	}
	minor, err := signed(n.negative, units, "the amount")
	if err != nil {
		return Amount{}, err
	}
	return Amount{minor, c}, nil
}

func noCurrency() error {
	return domain.Refuse("unknown-currency", "an amount needs a currency")
}

// Minor is the number of minor units.
func (a Amount) Minor() int64 { return a.minor }

// Currency is the amount's currency; the zero Amount has none.
func (a Amount) Currency() Currency { return a.currency }

// String is the amount in major units, with all decimal places and without the
// currency: "1234.50", "-0.05".
func (a Amount) String() string {
	return string(appendNumber(make([]byte, 0, 24), a.minor < 0, magnitude(a.minor), a.currency.Exponent()))
}

// Sign is −1, 0 or +1.
func (a Amount) Sign() int { return cmp.Compare(a.minor, 0) }

// IsZero reports whether the amount is nothing, in whatever currency. A field
// tagged omitzero is therefore left out when it is nothing, and comes back
// without a currency.
func (a Amount) IsZero() bool { return a.minor == 0 }

// Add gives a + b: ErrCurrency, ErrOverflow.
func (a Amount) Add(b Amount) (Amount, error) {
	c, err := common(a, b)
	if err != nil {
		return Amount{}, err
	}
	sum := a.minor + b.minor
	if (sum > a.minor) != (b.minor > 0) {
		return Amount{}, overflow("the sum")
	}
	return Amount{sum, c}, nil
}

// Sub gives a − b: ErrCurrency, ErrOverflow.
func (a Amount) Sub(b Amount) (Amount, error) {
	c, err := common(a, b)
	if err != nil {
		return Amount{}, err
	}
	difference := a.minor - b.minor
	if (difference < a.minor) != (b.minor > 0) {
		return Amount{}, overflow("the difference")
	}
	return Amount{difference, c}, nil
}

// Neg gives −a: ErrOverflow for the least amount.
func (a Amount) Neg() (Amount, error) {
	if a.minor != 0 && a.minor == -a.minor {
		return Amount{}, overflow("the negated amount")
	}
	return Amount{-a.minor, a.currency}, nil
}

// Cmp compares: −1 for a < b, 0 for equal, +1 for a > b. ErrCurrency.
func (a Amount) Cmp(b Amount) (int, error) {
	if _, err := common(a, b); err != nil {
		return 0, err
	}
	return cmp.Compare(a.minor, b.minor), nil
}

// common gives the currency in which two amounts can be combined.
func common(a, b Amount) (Currency, error) {
	switch {
	case a.bare() || b.bare():
		return Currency{}, mixed(a.currency, b.currency)
	case a.currency == b.currency || b.currency.IsZero():
		return a.currency, nil
	case a.currency.IsZero():
		return b.currency, nil
	default:
		return Currency{}, mixed(a.currency, b.currency)
	}
}

// bare reports whether a is something in no currency, which means nothing.
func (a Amount) bare() bool { return a.currency.IsZero() && a.minor != 0 }
