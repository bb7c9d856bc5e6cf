package payment

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/field"
	"github.com/daybook-ledger/daybook/domain/funds"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
)

// Load gives the state of a payment, or refuses: unknown-payment.
func Load(s domain.States, id uuid.UUID) (State, error) {
	held, err := s.State(Stream(id))
	if err != nil {
		return State{}, err
	}
	if held == nil {
		return State{}, domain.Refuse("unknown-payment", "no payment has the id %s", id)
	}
	state, ok := held.(State)
	if !ok {
		return State{}, fmt.Errorf("payment: the stream of payment %s holds a %T", id, held)
	}
	return state, nil
}

// Validate checks the form of the command and of its personal part.
func (c *Receive) Validate() error {
	if err := field.ID("payment", c.ID); err != nil {
		return err
	}
	if err := field.ID("customer", c.Customer); err != nil {
		return err
	}
	if err := positive(c.Amount); err != nil {
		return err
	}
	if err := c.Exchange.Validate(); err != nil {
		return err
	}
	if err := field.Date("date of the payment", c.Date); err != nil {
		return err
	}
	if err := field.Lines(
		field.Named{Name: "method", Text: c.Method, Limit: field.MaxCode},
		field.Named{Name: "reference", Text: c.Reference, Limit: field.MaxName},
	); err != nil {
		return err
	}
	if err := validateText(c.Personal); err != nil {
		return err
	}
	return validateShares(c.Allocations)
}

func validateText(t *funds.Text) error {
	if t == nil {
		return nil
	}
	return field.Block("reference text", t.Text, field.MaxReason)
}

// positive checks an amount that must be given.
func positive(amount money.Amount) error {
	if amount.Sign() <= 0 || amount.Minor() > invoice.MaxAmount {
		return domain.Refuse("invalid-amount", "%s is no amount of money to move: it must be above zero, and within what a book can hold", amount)
	}
	return nil
}

func validateShares(shares []Share) error {
	if len(shares) > MaxShares {
		return domain.Refuse("too-many-lines", "there are %d allocations, more than %d", len(shares), MaxShares)
	}
	for _, share := range shares {
		switch share.Target.Kind {
		case domain.KindInvoice, domain.KindPayment:
		default:
			return domain.Refuse("invalid-target", "nothing can be allocated to %s", share.Target).
				WithHint("name an invoice, or a reversed payment")
		}
		if err := field.ID("item", share.Target.ID); err != nil {
			return err
		}
		if share.Amount == (money.Amount{}) {
			continue
		}
		if err := positive(share.Amount); err != nil {
			return err
		}
	}
	return nil
}

func validateSource(source domain.StreamID) error {
	switch source.Kind {
	case domain.KindPayment, domain.KindCredit:
		return field.ID("payment", source.ID)
	default:
		return domain.Refuse("invalid-source", "%s has no funds", source).
			WithHint("name a payment, or a credit note")
	}
}

// Decide implements domain.Command.
func (c *Receive) Decide(s domain.States, m domain.Moment) ([]domain.Change, error) {
	switch held, err := s.State(c.Stream()); {
	case err != nil:
		return nil, err
	case held != nil:
		return nil, domain.Refuse("payment-exists", "a payment with the id %s exists already", c.ID)
	}
	settings, err := book.Settings(s, m)
	if err != nil {
		return nil, err
	}
	if err := c.Exchange.Check(c.Amount.Currency(), settings.Currency); err != nil {
		return nil, err
	}
	rate := c.Exchange.On(c.Date)
	received, err := rate.Value(c.Amount, settings.Currency)
	if err != nil {
		return nil, err
	}
	if _, err := customer.Load(s, c.Customer); err != nil {
		return nil, err
	}
	if err := field.NotAhead("date of the payment", c.Date, m); err != nil {
		return nil, err
	}
	for _, ref := range references(c.Reference) {
		holder, taken, err := s.Find(ref)
		if err != nil {
			return nil, err
		}
		if taken {
			return nil, domain.Refuse("reference-taken", "the payment %s bears the reference %.80q", holder.ID, ref.Value).
				WithHint("look it up as ext:%.80s", ref.Value)
		}
	}
	w := newMoves(s, c.Stream(), c.Date)
	if err := w.do(c.Stream(), &Received{
		Customer: c.Customer, Amount: c.Amount, Exchange: rate, Base: received.Told(), Date: c.Date,
		Method: c.Method, Reference: c.Reference, Personal: c.Personal,
	}); err != nil {
		return nil, err
	}
	w.customer, w.moved = c.Customer, received
	for _, share := range c.Allocations {
		if err := w.allocate(share); err != nil {
			return nil, err
		}
	}
	return w.end()
}

// Validate checks the form of the command.
func (c *Allocate) Validate() error { return validateMoves(c.Source, c.Allocations, c.Date) }

func validateMoves(source domain.StreamID, shares []Share, date domain.Date) error {
	if err := validateSource(source); err != nil {
		return err
	}
	if err := field.Date("date of the allocation", date); err != nil {
		return err
	}
	if len(shares) == 0 {
		return domain.Refuse("no-allocations", "nothing is named to allocate to or to take back").
			WithHint("name the invoices")
	}
	return validateShares(shares)
}

// Decide implements domain.Command.
func (c *Allocate) Decide(s domain.States, m domain.Moment) ([]domain.Change, error) {
	w := newMoves(s, c.Source, c.Date)
	if err := w.begin(); err != nil {
		return nil, err
	}
	if err := field.NotAhead("date of the allocation", c.Date, m); err != nil {
		return nil, err
	}
	for _, share := range c.Allocations {
		if err := w.allocate(share); err != nil {
			return nil, err
		}
	}
	return w.end()
}

// Validate checks the form of the command.
func (c *Unallocate) Validate() error { return validateMoves(c.Source, c.Allocations, c.Date) }

// Decide implements domain.Command.
func (c *Unallocate) Decide(s domain.States, m domain.Moment) ([]domain.Change, error) {
	w := newMoves(s, c.Source, c.Date)
	if err := w.begin(); err != nil {
		return nil, err
	}
	if err := field.NotAhead("date of the release", c.Date, m); err != nil {
		return nil, err
	}
	for _, share := range c.Allocations {
		if err := w.release(share); err != nil {
			return nil, err
		}
	}
	return w.end()
}

// Validate checks the form of the command and of its personal part.
func (c *Refund) Validate() error {
	if err := validateSource(c.Source); err != nil {
		return err
	}
	if err := field.ID("customer", c.Customer); err != nil {
		return err
	}
	if c.Amount != (money.Amount{}) {
		if err := positive(c.Amount); err != nil {
			return err
		}
	}
	if err := c.Exchange.Validate(); err != nil {
		return err
	}
	if err := field.Date("date of the refund", c.Date); err != nil {
		return err
	}
	if err := field.Line("method", c.Method, field.MaxCode); err != nil {
		return err
	}
	return validateText(c.Personal)
}

// Decide implements domain.Command.
func (c *Refund) Decide(s domain.States, m domain.Moment) ([]domain.Change, error) {
	w := newMoves(s, c.Source, c.Date)
	if err := w.begin(); err != nil {
		return nil, err
	}
	if c.Customer != w.customer {
		return nil, domain.Refuse("customer-mismatch", "the funds of %s are another customer's", c.Source)
	}
	if err := field.NotAhead("date of the refund", c.Date, m); err != nil {
		return nil, err
	}
	settings, err := book.Settings(s, m)
	if err != nil {
		return nil, err
	}
	held, err := w.free()
	if err != nil {
		return nil, err
	}
	amount := c.Amount
	if amount.IsZero() {
		amount = held.Free
	}
	taken, err := w.take(amount)
	if err != nil {
		return nil, err
	}
	if err := c.Exchange.Check(held.Free.Currency(), settings.Currency); err != nil {
		return nil, err
	}
	rate := c.Exchange.On(c.Date)
	paid, err := rate.Value(amount, settings.Currency)
	if err != nil {
		return nil, err
	}
	if err := w.do(c.Source, &funds.Refunded{
		Customer: c.Customer, Amount: amount, Exchange: rate, Base: funds.Told(taken, paid), Date: c.Date,
		Method: c.Method, Personal: c.Personal,
	}); err != nil {
		return nil, err
	}
	return w.end()
}

// Validate checks the form of the command.
func (c *Reverse) Validate() error {
	if err := field.ID("payment", c.ID); err != nil {
		return err
	}
	if err := c.Exchange.Validate(); err != nil {
		return err
	}
	if err := field.Date("date of the reversal", c.Date); err != nil {
		return err
	}
	return field.Reason("reversal", c.Reason)
}

// Decide implements domain.Command.
func (c *Reverse) Decide(s domain.States, m domain.Moment) ([]domain.Change, error) {
	w := newMoves(s, c.Stream(), c.Date)
	if err := w.begin(); err != nil {
		return nil, err
	}
	if err := field.NotAhead("date of the reversal", c.Date, m); err != nil {
		return nil, err
	}
	held, err := w.free()
	if err != nil {
		return nil, err
	}
	if c.Date < held.Last {
		return nil, domain.Refuse("before-use", "the date of the reversal %s is before %s, when the payment was last used",
			c.Date, held.Last).WithHint("reverse it with a date from %s on", held.Last)
	}
	for _, use := range held.Uses {
		if err := w.release(Share{Target: use.Target}); err != nil {
			return nil, err
		}
	}
	if held, err = w.free(); err != nil {
		return nil, err
	}
	reversed, err := c.reversed(s, m, held)
	if err != nil {
		return nil, err
	}
	reversed.Customer = w.customer
	if err := w.move(held.Left(), false); err != nil {
		return nil, err
	}
	if err := w.do(c.Stream(), reversed); err != nil {
		return nil, err
	}
	return w.end()
}

// reversed divides what is taken back of a payment, of which nothing is allocated
// any more: what is free of it is taken off the customer's credit, the rest is to
// be paid back.
func (c *Reverse) reversed(s domain.States, m domain.Moment, held funds.Funds) (*Reversed, error) {
	settings, err := book.Settings(s, m)
	if err != nil {
		return nil, err
	}
	if err := c.Exchange.CheckDraft(held.Amount.Currency(), settings.Currency); err != nil {
		return nil, err
	}
	whole := exchange.Worth{Amount: held.Amount, Base: held.Base}
	claim, err := whole.Sub(held.Left())
	if err != nil {
		return nil, err
	}
	rate := c.Exchange.On(c.Date)
	if !rate.IsZero() {
		if whole, err = rate.Value(held.Amount, settings.Currency); err != nil {
			return nil, err
		}
	}
	e := &Reversed{Amount: whole.Amount, Claim: claim.Amount, Exchange: rate, Date: c.Date, Reason: c.Reason}
	if whole.Told() != nil {
		e.Base = &ReversedWorth{Money: whole.Base, Claim: claim.Base, Free: held.FreeBase}
	}
	return e, nil
}
