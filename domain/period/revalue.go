package period

import (
	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/money"
)

// The accounts that are revalued: what is owed in another currency, by customers
// and to them. Package account names them so.
const (
	receivables    = "receivables"
	customerCredit = "customer-credit"
)

// Rate is what a currency is worth at the end of a period.
type Rate struct {
	Currency money.Currency `json:"currency"`
	Exchange exchange.Rate  `json:"exchange"`
}

// Revaluation is what an account holds in another currency at the end of a
// period, and what that is worth more then than when it came in: less, where the
// difference is below zero. The difference is not realised; it is posted on the
// last day of the period, and taken back on the first day after it.
type Revaluation struct {
	Account string       `json:"account"`
	Amount  money.Amount `json:"amount"`
	// Base is what the account has it at.
	Base       money.Amount  `json:"base"`
	Exchange   exchange.Rate `json:"exchange"`
	Difference money.Amount  `json:"difference"`
}

// validateRates checks the rates of a Settle.
func validateRates(rates []Rate) error {
	for i, r := range rates {
		if r.Currency.IsZero() || r.Exchange.IsZero() {
			return domain.Refuse("invalid-exchange-rate", "a rate at the end of a period needs a currency and what it is worth").
				WithHint("write it like EUR=0.8567@ECB")
		}
		if err := r.Exchange.Validate(); err != nil {
			return err
		}
		for _, other := range rates[:i] {
			if other.Currency == r.Currency {
				return domain.Refuse("invalid-exchange-rate", "%s has two rates", r.Currency).
					WithHint("give one rate for each currency")
			}
		}
	}
	return nil
}

// revalue gives the differences of what is owed in currencies that have a rate.
// What has none keeps its worth.
func (c *Settle) revalue(book money.Currency) ([]Revaluation, error) {
	var all []Revaluation
	for _, r := range c.Rates {
		if err := r.Exchange.Check(r.Currency, book); err != nil {
			return nil, err
		}
	}
	for _, b := range c.Balances {
		if b.Account != receivables && b.Account != customerCredit {
			continue
		}
		for _, r := range c.Rates {
			if b.Amount.Currency() != r.Currency {
				continue
			}
			rate := r.Exchange.On(c.Through)
			difference, err := rate.Revalue(exchange.Worth{Amount: b.Amount, Base: b.Base}, book)
			if err != nil {
				return nil, err
			}
			if !difference.IsZero() {
				all = append(all, Revaluation{b.Account, b.Amount, b.Base, rate, difference})
			}
		}
	}
	return all, nil
}
