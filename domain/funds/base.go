package funds

import (
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/money"
)

// Sides is what a movement of funds is worth in the book's currency, nil in an
// event of funds in that currency. The two sides differ by what exchange rates
// gained or lost since the funds came in.
type Sides struct {
	// Funds is what the funds gain or lose.
	Funds money.Amount `json:"funds"`
	// Other is what the other side does: the open item, the prepaid amount, or
	// the money that was paid out.
	Other money.Amount `json:"other"`
}

// Told tells a movement's two sides, as an event says them.
func Told(funds, other exchange.Worth) *Sides {
	if funds.Told() == nil {
		return nil
	}
	return &Sides{funds.Base, other.Base}
}

func (b *Sides) funds(amount money.Amount) exchange.Worth {
	if b == nil {
		return exchange.Of(amount, nil)
	}
	return exchange.Of(amount, &b.Funds)
}

func (b *Sides) other(amount money.Amount) exchange.Worth {
	if b == nil {
		return exchange.Of(amount, nil)
	}
	return exchange.Of(amount, &b.Other)
}

// Funds is the side of the funds.
func (e *Allocated) Funds() exchange.Worth { return e.Base.funds(e.Amount) }

// Other is the side of the item.
func (e *Allocated) Other() exchange.Worth { return e.Base.other(e.Amount) }

// Funds is the side of the funds.
func (e *Released) Funds() exchange.Worth { return e.Base.funds(e.Amount) }

// Other is the side of the item.
func (e *Released) Other() exchange.Worth { return e.Base.other(e.Amount) }

// Funds is the side of the funds.
func (e *Refunded) Funds() exchange.Worth { return e.Base.funds(e.Amount) }

// Other is the money that was paid out.
func (e *Refunded) Other() exchange.Worth { return e.Base.other(e.Amount) }

// Funds is the side of the funds.
func (e *Drawn) Funds() exchange.Worth { return e.Base.funds(e.Amount) }

// Other is the prepaid amount.
func (e *Drawn) Other() exchange.Worth { return e.Base.other(e.Amount) }
