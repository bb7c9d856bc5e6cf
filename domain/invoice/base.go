package invoice

import (
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// Sums is a taxable amount and its tax.
type Sums struct {
	Taxable money.Amount `json:"taxable"`
	Tax     money.Amount `json:"tax"`
}

// Converted is the figures of a document in another currency, in the book's (BT-6),
// as they are posted and reported.
type Converted struct {
	// Rates are the taxable amount and the tax of each category and rate, in the
	// order of the breakdown, each converted by itself and rounded once.
	Rates []Sums `json:"rates"`
	// Net and Tax (BT-111) are their sums.
	Net money.Amount `json:"net"`
	Tax money.Amount `json:"tax"`
	// Rounding is the rounding amount, and what remains where nothing is to be
	// paid.
	Rounding money.Amount `json:"rounding"`
	// Due and Prepaid divide Net + Tax + Rounding as the amounts are divided.
	Prepaid money.Amount `json:"prepaid"`
	Due     money.Amount `json:"due"`
}

// Figures are those of a document's that are posted, with their worth.
type Figures struct {
	Rates                       []RateSum
	Net, Rounding, Prepaid, Due exchange.Worth
}

// Figures gives the figures of a document, which has no base in the book's
// currency.
func (b *Converted) Figures(t tax.Totals) Figures {
	f := Figures{
		Rates: make([]RateSum, len(t.Breakdown)),
		Net:   exchange.Of(t.Net, nil), Rounding: exchange.Of(t.Rounding, nil),
		Prepaid: exchange.Of(t.Prepaid, nil), Due: exchange.Of(t.Due, nil),
	}
	if b != nil {
		f.Net.Base, f.Rounding.Base, f.Prepaid.Base, f.Due.Base = b.Net, b.Rounding, b.Prepaid, b.Due
	}
	for i, s := range t.Breakdown {
		f.Rates[i] = RateSum{Rate: s.Rate, Taxable: s.Taxable, Tax: s.Tax}
		if b != nil && i < len(b.Rates) {
			f.Rates[i].Base = &b.Rates[i]
		}
	}
	return f
}

// Convert gives the base of a document whose sums by rate have their worth; nil
// in the book's currency.
func Convert(rates []RateSum, book money.Currency) (*Converted, error) {
	b := &Converted{Net: money.Zero(book), Tax: money.Zero(book), Rounding: money.Zero(book), Prepaid: money.Zero(book), Due: money.Zero(book)}
	for _, r := range rates {
		if r.Base == nil {
			return nil, nil
		}
		b.Rates = append(b.Rates, *r.Base)
		var err error
		if b.Net, err = b.Net.Add(r.Base.Taxable); err != nil {
			return nil, err
		}
		if b.Tax, err = b.Tax.Add(r.Base.Tax); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// Value gives the sums of a document by rate, with their worth.
func (c *Content) Value(breakdown []tax.Subtotal, book money.Currency) ([]RateSum, error) {
	rates := make([]RateSum, len(breakdown))
	for i, s := range breakdown {
		taxable, err := c.Exchange.Value(s.Taxable, book)
		if err != nil {
			return nil, err
		}
		levied, err := c.Exchange.Value(s.Tax, book)
		if err != nil {
			return nil, err
		}
		rates[i] = RateSum{Rate: s.Rate}.With(taxable, levied)
	}
	return rates, nil
}

// base gives the figures of an invoice in the book's currency, nil where it is in
// that. What is to be paid is what the rates come to, so that the entry balances;
// where that is nothing, but its worth is off by the cents of converting each,
// these are rounding.
func (c *Content) base(t tax.Totals, book money.Currency) (*Converted, error) {
	rates, err := c.Value(t.Breakdown, book)
	if err != nil {
		return nil, err
	}
	b, err := Convert(rates, book)
	if err != nil || b == nil {
		return nil, err
	}
	sold, err := b.Net.Add(b.Tax)
	if err != nil {
		return nil, err
	}
	rounding, err := c.Exchange.Value(t.Rounding, book)
	if err != nil {
		return nil, err
	}
	b.Rounding = rounding.Base
	payable, err := exchange.Worth{Amount: t.Gross, Base: sold}.Add(rounding)
	if err != nil {
		return nil, err
	}
	if payable.Amount.IsZero() || payable.Base.Sign() < 0 {
		payable.Base = money.Zero(book)
		if b.Rounding, err = sold.Neg(); err != nil {
			return nil, err
		}
	}
	prepaid, err := payable.Part(t.Prepaid)
	if err != nil {
		return nil, err
	}
	due, err := payable.Sub(prepaid)
	b.Prepaid, b.Due = prepaid.Base, due.Base
	return b, err
}

// Worths gives the taxable amount and the tax with their worth.
func (r RateSum) Worths() (taxable, levied exchange.Worth) {
	if r.Base == nil {
		return exchange.Of(r.Taxable, nil), exchange.Of(r.Tax, nil)
	}
	return exchange.Of(r.Taxable, &r.Base.Taxable), exchange.Of(r.Tax, &r.Base.Tax)
}

// With gives the sums of the rate with other amounts.
func (r RateSum) With(taxable, levied exchange.Worth) RateSum {
	r.Taxable, r.Tax, r.Base = taxable.Amount, levied.Amount, nil
	if taxable.Told() != nil {
		r.Base = &Sums{taxable.Base, levied.Base}
	}
	return r
}

// merge gives two sums of the rate added, or one taken off the other.
func (r RateSum) merge(s RateSum, op func(a, b exchange.Worth) (exchange.Worth, error)) (RateSum, error) {
	taxable, levied := r.Worths()
	otherTaxable, otherTax := s.Worths()
	taxable, err := op(taxable, otherTaxable)
	if err != nil {
		return r, err
	}
	levied, err = op(levied, otherTax)
	return r.With(taxable, levied), err
}

// nothing is the sums of the rate before anything happened.
func (r RateSum) nothing() RateSum {
	zero := func(w exchange.Worth) exchange.Worth {
		return exchange.Worth{Amount: money.Zero(w.Amount.Currency()), Base: money.Zero(w.Base.Currency())}
	}
	taxable, levied := r.Worths()
	return r.With(zero(taxable), zero(levied))
}

// share gives a part of the sums with its share of their worth.
func (r RateSum) share(part RateSum) (RateSum, error) {
	taxable, levied := r.Worths()
	taxable, err := taxable.Part(part.Taxable)
	if err != nil {
		return part, err
	}
	levied, err = levied.Part(part.Tax)
	return part.With(taxable, levied), err
}

// Credit gives what a credit note takes of the invoice's rates with its worth: at
// the invoice's rate of exchange, but no more than is left, and with the last of
// an amount the last of its worth.
func (s State) Credit(breakdown []tax.Subtotal, book money.Currency) ([]RateSum, error) {
	rates := make([]RateSum, len(breakdown))
	for i, sub := range breakdown {
		left, _, err := s.Undeducted(sub.Rate)
		if err != nil {
			return nil, err
		}
		leftTaxable, leftTax := left.Worths()
		taxable, err := s.takeOff(leftTaxable, sub.Taxable, book)
		if err != nil {
			return nil, err
		}
		levied, err := s.takeOff(leftTax, sub.Tax, book)
		if err != nil {
			return nil, err
		}
		rates[i] = RateSum{Rate: sub.Rate}.With(taxable, levied)
	}
	return rates, nil
}

func (s State) takeOff(left exchange.Worth, amount money.Amount, book money.Currency) (exchange.Worth, error) {
	if amount.Minor() == left.Amount.Minor() {
		return exchange.Worth{Amount: amount, Base: left.Base}, nil
	}
	part, err := s.Exchange.Value(amount, book)
	if err != nil || within(part.Base, left.Base) {
		return part, err
	}
	part.Base = left.Base
	return part, nil
}
