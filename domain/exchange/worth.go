package exchange

import (
	"github.com/daybook-ledger/daybook/domain/money"
)

// Worth is an amount, and what it is worth in the book's currency: the same where
// it is in that.
type Worth struct {
	Amount, Base money.Amount
}

// Of gives what an event says an amount is worth: nothing else than the amount
// where it says nothing.
func Of(amount money.Amount, base *money.Amount) Worth {
	if base == nil {
		return Worth{amount, amount}
	}
	return Worth{amount, *base}
}

// Told is the worth as an event says it: nil in the book's currency.
func (w Worth) Told() *money.Amount {
	if w.Base.Currency() == w.Amount.Currency() {
		return nil
	}
	return &w.Base
}

// Add gives w + v.
func (w Worth) Add(v Worth) (Worth, error) {
	amount, err := w.Amount.Add(v.Amount)
	if err != nil {
		return Worth{}, err
	}
	base, err := w.Base.Add(v.Base)
	return Worth{amount, base}, err
}

// Sub gives w − v.
func (w Worth) Sub(v Worth) (Worth, error) {
	amount, err := w.Amount.Sub(v.Amount)
	if err != nil {
		return Worth{}, err
	}
	base, err := w.Base.Sub(v.Base)
	return Worth{amount, base}, err
}

// Part gives a part of w, between nothing and all of it: of the worth it takes
// the same part, rounded half-up, and all of it with all of the amount.
func (w Worth) Part(amount money.Amount) (Worth, error) {
	switch amount.Minor() {
	case w.Amount.Minor():
		return Worth{amount, w.Base}, nil
	case 0:
		return Worth{amount, money.Zero(w.Base.Currency())}, nil
	}
	if w.Base.IsZero() {
		return Worth{amount, w.Base}, nil
	}
	base, err := decimal(w.Base)
	if err != nil {
		return Worth{}, err
	}
	part, err := money.Extend(money.IntegerDecimal(amount.Minor()), base, money.IntegerDecimal(w.Amount.Minor()),
		w.Base.Currency(), money.HalfUp)
	return Worth{amount, part}, err
}

// Sound reports whether w can be held: nothing is below zero, and nothing of the
// worth is left of no amount.
func (w Worth) Sound() bool {
	return w.Amount.Sign() >= 0 && w.Base.Sign() >= 0 && (!w.Amount.IsZero() || w.Base.IsZero())
}
