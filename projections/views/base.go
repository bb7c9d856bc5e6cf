package views

import (
	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// Exchange is what one unit of a currency was worth in the book's.
type Exchange struct {
	Rate   money.Decimal `json:"rate"`
	Source string        `json:"source"`
	Date   domain.Date   `json:"date,omitempty"`
}

func exchangeOf(r exchange.Rate) *Exchange {
	if r.IsZero() {
		return nil
	}
	return &Exchange{r.Rate, r.Source, r.Date}
}

// Converted is the figures of a document in the book's currency: that in which its tax
// is reported (BT-6).
type Converted struct {
	Currency string `json:"currency"`
	Net      string `json:"net"`
	// Tax (BT-111) is the sum of the breakdown's.
	Tax       string     `json:"tax"`
	Breakdown []Subtotal `json:"breakdown"`
	Prepaid   string     `json:"prepaid"`
	Rounding  string     `json:"rounding"`
	Due       string     `json:"due"`
	// Open is an invoice's; Applied and Excess are a credit note's.
	Open    string `json:"open,omitempty"`
	Applied string `json:"applied,omitempty"`
	Excess  string `json:"excess,omitempty"`
}

// baseOf gives the figures of a document, nil for one in the book's currency.
func baseOf(b *invoice.Converted, t tax.Totals) *Converted {
	if b == nil {
		return nil
	}
	base := &Converted{
		Currency: b.Net.Currency().String(), Net: b.Net.String(), Tax: b.Tax.String(), Prepaid: b.Prepaid.String(),
		Rounding: b.Rounding.String(), Due: b.Due.String(), Breakdown: []Subtotal{},
	}
	for _, r := range b.Figures(t).Rates {
		taxable, levied := r.Worths()
		base.Breakdown = append(base.Breakdown, Subtotal{
			Category: r.Rate.Category, Percent: r.Rate.Percent, Taxable: taxable.Base.String(), Tax: levied.Base.String(),
		})
	}
	return base
}

// PaymentWorth is what a payment in another currency is worth in the book's.
type PaymentWorth struct {
	Currency string `json:"currency"`
	Amount   string `json:"amount"`
	Free     string `json:"free"`
	Open     string `json:"open"`
}
