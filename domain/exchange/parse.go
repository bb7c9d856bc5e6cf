package exchange

import (
	"strings"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/money"
)

// ParseRate reads a rate as people write it: "0.8567", or with its source after an
// at sign, "0.8567@ECB". Where the source quotes the other way round, what one unit
// of the book's currency buys, "1/1.1673" gives the rate that follows, rounded to
// twelve decimal places.
func ParseRate(text string) (Rate, error) {
	number, source, _ := strings.Cut(text, "@")
	number = strings.TrimSpace(number)
	bought, inverse := strings.CutPrefix(number, "1/")
	rate, err := money.ParseDecimal(bought)
	if err != nil {
		return Rate{}, err
	}
	if inverse {
		if rate, err = inverted(rate); err != nil {
			return Rate{}, err
		}
	}
	return Rate{Rate: rate, Source: strings.TrimSpace(source)}, nil
}

// ParseQuote reads a currency and its rate, such as "EUR=0.8567@ECB".
func ParseQuote(text string) (money.Currency, Rate, error) {
	code, rest, found := strings.Cut(text, "=")
	if !found {
		return money.Currency{}, Rate{}, domain.Refuse("invalid-exchange-rate", "%.40q is not a currency and its rate", text).
			WithHint("write it like EUR=0.8567@ECB")
	}
	currency, err := money.ParseCurrency(strings.ToUpper(strings.TrimSpace(code)))
	if err != nil {
		return currency, Rate{}, err
	}
	rate, err := ParseRate(rest)
	return currency, rate, err
}

// inverted is 1 ÷ d, rounded to twelve decimal places.
func inverted(d money.Decimal) (money.Decimal, error) {
	if d.Sign() <= 0 {
		return d, domain.Refuse("invalid-exchange-rate", "one unit cannot buy %s", d)
	}
	yen, err := money.ParseCurrency("JPY") // whole units
	if err != nil {
		return d, err
	}
	scaled, err := money.Extend(money.IntegerDecimal(1_000_000_000_000), money.IntegerDecimal(1), d, yen, money.HalfUp)
	if err != nil {
		return d, err
	}
	return money.NewDecimal(scaled.Minor(), money.MaxScale)
}
