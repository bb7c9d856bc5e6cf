// Package funds is money at a customer's disposal: what came in by a payment, or
// was given by a credit note beyond its invoice. It is used for open items of
// the customer, refunded, or drawn on as the prepaid amount of a new invoice,
// and never beyond what is free. Its events stand in the stream of the payment
// or credit note that the funds came from, and are what is posted.
package funds

import (
	"slices"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/money"
)

// Allocated uses funds for an open item: an invoice, or what a reversed payment
// left to be paid back.
type Allocated struct {
	Customer uuid.UUID       `json:"customer"`
	Target   domain.StreamID `json:"target"`
	// Amount is above zero.
	Amount money.Amount `json:"amount"`
	Base   *Sides       `json:"base,omitempty"`
	Date   domain.Date  `json:"date"`
}

// EventType implements domain.Event.
func (*Allocated) EventType() string { return "funds.allocated" }

// Released takes an allocation back, or part of it: the item is open again, and
// the funds are free.
type Released struct {
	Customer uuid.UUID       `json:"customer"`
	Target   domain.StreamID `json:"target"`
	// Amount is above zero.
	Amount money.Amount `json:"amount"`
	Base   *Sides       `json:"base,omitempty"`
	Date   domain.Date  `json:"date"`
}

// EventType implements domain.Event.
func (*Released) EventType() string { return "funds.released" }

// Refunded pays funds out to the customer.
type Refunded struct {
	Customer uuid.UUID `json:"customer"`
	// Amount is above zero.
	Amount money.Amount `json:"amount"`
	// Exchange is the rate of what was paid out, and Base what it was worth: none
	// in the book's currency.
	Exchange exchange.Rate `json:"exchange,omitzero"`
	Base     *Sides        `json:"base,omitempty"`
	Date     domain.Date   `json:"date"`
	// Method is how it was paid, such as "bank". It is a fact that is never
	// erased, and must not name a person.
	Method   string `json:"method,omitempty"`
	Personal *Text  `cbor:"-" json:"personal,omitempty"`
}

// Text is the personal part of a movement of money.
type Text struct {
	// Text is the reference text that stood on it.
	Text string `json:"text,omitempty"`
}

// EventType implements domain.Event.
func (*Refunded) EventType() string { return "funds.refunded" }

// Subject implements domain.Personal.
func (e *Refunded) Subject() uuid.UUID { return e.Customer }

// PersonalPart implements domain.Personal.
func (e *Refunded) PersonalPart() any { return &e.Personal }

// Drawn uses funds as the prepaid amount of an invoice that is issued in the
// same commit.
type Drawn struct {
	Customer uuid.UUID `json:"customer"`
	Invoice  uuid.UUID `json:"invoice"`
	// Amount is above zero.
	Amount money.Amount `json:"amount"`
	Base   *Sides       `json:"base,omitempty"`
	Date   domain.Date  `json:"date"`
}

// EventType implements domain.Event.
func (*Drawn) EventType() string { return "funds.drawn" }

// Use is what is allocated to one item.
type Use struct {
	Target domain.StreamID `json:"target"`
	// Amount is above zero.
	Amount money.Amount `json:"amount"`
	// Base is what it was worth to the funds and to the item.
	Base Sides `json:"base"`
	// Date is that of the newest allocation.
	Date domain.Date `json:"date"`
}

// Worth is the use with what it was worth to the funds, and to the item.
func (u Use) Worth() (funds, item exchange.Worth) {
	return exchange.Worth{Amount: u.Amount, Base: u.Base.Funds}, exchange.Worth{Amount: u.Amount, Base: u.Base.Other}
}

// Funds are where the funds of one payment or credit note went.
// Amount = what is free + the uses + Refunded + Drawn.
type Funds struct {
	// Amount is what there was, and Free is what is left of it; Base and FreeBase
	// are what that is worth in the book's currency.
	Amount   money.Amount `json:"amount"`
	Base     money.Amount `json:"base"`
	Free     money.Amount `json:"free"`
	FreeBase money.Amount `json:"free_base"`
	// Uses are the items that funds are allocated to now, the oldest first.
	Uses     []Use        `json:"uses,omitempty"`
	Refunded money.Amount `json:"refunded"`
	Drawn    money.Amount `json:"drawn"`
	// Since is the last day on which any of it came free: what is free may be
	// used from then on, so that on no day more was used than there was.
	Since domain.Date `json:"since,omitempty"`
	// Last is the latest date of anything that happened to the funds.
	Last domain.Date `json:"last,omitempty"`
}

// New makes funds that came free on a date.
func New(w exchange.Worth, date domain.Date) Funds {
	zero := money.Zero(w.Amount.Currency())
	return Funds{
		Amount: w.Amount, Base: w.Base, Free: w.Amount, FreeBase: w.Base,
		Refunded: zero, Drawn: zero, Since: date, Last: date,
	}
}

// Left is what is free, with its worth.
func (f Funds) Left() exchange.Worth { return exchange.Worth{Amount: f.Free, Base: f.FreeBase} }

// At gives what is allocated to an item, and where it stands in Uses, −1 for
// nothing.
func (f Funds) At(target domain.StreamID) (Use, int) {
	at := slices.IndexFunc(f.Uses, func(u Use) bool { return u.Target == target })
	if at < 0 {
		return Use{}, at
	}
	return f.Uses[at], at
}

// Evolve gives the funds after one of the events of this package. It checks
// again what the decision checked: nothing goes below zero.
func (f Funds) Evolve(event domain.Event) (Funds, error) {
	var err error
	switch e := event.(type) {
	case *Allocated:
		return f.allocate(e)
	case *Released:
		return f.release(e)
	case *Refunded:
		if f, err = f.take(e, e.Funds(), e.Date); err == nil {
			f.Refunded, err = f.Refunded.Add(e.Amount)
		}
	case *Drawn:
		if f, err = f.take(e, e.Funds(), e.Date); err == nil {
			f.Drawn, err = f.Drawn.Add(e.Amount)
		}
	default:
		return f, domain.OutOfSequence("funds", event)
	}
	return f, err
}

// take takes an amount off what is free.
func (f Funds) take(e domain.Event, w exchange.Worth, date domain.Date) (Funds, error) {
	free, err := f.Left().Sub(w)
	if err != nil {
		return f, err
	}
	if w.Amount.Sign() <= 0 || w.Base.Sign() < 0 || !free.Sound() || date < f.Since {
		return f, domain.OutOfSequence("funds with less free", e)
	}
	f.Free, f.FreeBase, f.Last = free.Amount, free.Base, max(f.Last, date)
	return f, nil
}

func (f Funds) allocate(e *Allocated) (Funds, error) {
	f, err := f.take(e, e.Funds(), e.Date)
	if err != nil {
		return f, err
	}
	use, at := f.At(e.Target)
	f.Uses = slices.Clone(f.Uses)
	if at < 0 {
		f.Uses = append(f.Uses, Use{
			Target: e.Target, Amount: e.Amount, Base: Sides{e.Funds().Base, e.Other().Base}, Date: e.Date,
		})
		return f, nil
	}
	use.Date = max(use.Date, e.Date)
	f.Uses[at], err = use.change(e.Funds(), e.Other(), exchange.Worth.Add)
	return f, err
}

func (f Funds) release(e *Released) (Funds, error) {
	use, at := f.At(e.Target)
	if at < 0 || e.Amount.Sign() <= 0 || e.Date < use.Date {
		return f, domain.OutOfSequence("funds that are used otherwise", e)
	}
	use, err := use.change(e.Funds(), e.Other(), exchange.Worth.Sub)
	if err != nil {
		return f, err
	}
	if funds, item := use.Worth(); !funds.Sound() || !item.Sound() {
		return f, domain.OutOfSequence("funds with less used", e)
	}
	free, err := f.Left().Add(e.Funds())
	if err != nil {
		return f, err
	}
	f.Free, f.FreeBase = free.Amount, free.Base
	f.Uses = slices.Clone(f.Uses)
	if use.Amount.IsZero() {
		if f.Uses = slices.Delete(f.Uses, at, at+1); len(f.Uses) == 0 {
			f.Uses = nil // as it is stored
		}
	} else {
		f.Uses[at] = use
	}
	f.Since, f.Last = max(f.Since, e.Date), max(f.Last, e.Date)
	return f, nil
}

// change adds to a use, or takes off it.
func (u Use) change(funds, item exchange.Worth, op func(a, b exchange.Worth) (exchange.Worth, error)) (Use, error) {
	ofFunds, ofItem := u.Worth()
	ofFunds, err := op(ofFunds, funds)
	if err != nil {
		return u, err
	}
	ofItem, err = op(ofItem, item)
	u.Amount, u.Base = ofFunds.Amount, Sides{ofFunds.Base, ofItem.Base}
	return u, err
}
