package period

import (
	"cmp"
	"crypto/sha256"
	"slices"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/domain/field"
	"github.com/daybook-ledger/daybook/domain/money"
)

// Validate checks the form of the command.
func (c *Close) Validate() error { return lastOfMonth(c.Through) }

// Decide implements domain.Command.
func (c *Close) Decide(s domain.States, m domain.Moment) ([]domain.Change, error) {
	state, err := load(s, m, c.Book)
	if err != nil {
		return nil, err
	}
	newest := state.newest()
	switch today := domain.DateOf(m.Recorded); {
	case c.Through <= newest.Through:
		return nil, domain.Refuse("already-closed", "the book is closed through %s already", newest.Through).
			WithHint("what corrects a closed period is dated in an open one")
	case len(state.Closed) > 0 && !newest.Settled:
		return nil, domain.Refuse("period-unsettled", "the period through %s is closed, but its balances are not entered yet", newest.Through).
			WithHint("close %s again: that enters them", newest.Through.Month())
	case c.Through >= today:
		return nil, domain.Refuse("period-not-over", "the period ends on %s, and today is %s", c.Through, today).
			WithHint("close it from %s on", c.Through.AddDays(1))
	}
	return one(c, &Closed{From: state.First(), Through: c.Through}), nil
}

// Validate checks the form of the command: the balances of a trial balance are
// in order, each account and currency once, none even, and sum to nothing in
// each currency. Whether they are those of the book only the log can tell.
func (c *Settle) Validate() error {
	if err := lastOfMonth(c.Through); err != nil {
		return err
	}
	if c.Proof.Size == 0 || len(c.Proof.Root) != sha256.Size {
		return domain.Refuse("invalid-proof", "the balances were read at %d commits with a root of %d bytes",
			c.Proof.Size, len(c.Proof.Root))
	}
	if err := validateRates(c.Rates); err != nil {
		return err
	}
	var amounts []money.Amount
	bases := make([]money.Amount, len(c.Balances))
	for i, b := range c.Balances {
		if b.Account == "" || b.Amount.Currency().IsZero() || b.Amount.IsZero() && b.Base.IsZero() {
			return domain.Refuse("invalid-balance", "%.40q has a balance of %s %s", b.Account, b.Amount, b.Amount.Currency())
		}
		if i > 0 && Order(c.Balances[i-1], b) >= 0 {
			return domain.Refuse("invalid-balance", "the balances are out of order at %.40q", b.Account)
		}
		amounts, bases[i] = append(amounts, b.Amount), b.Base
	}
	for _, currency := range currencies(amounts) {
		if err := even(currency, amounts); err != nil {
			return err
		}
	}
	for _, base := range currencies(bases) {
		if err := even(base, bases); err != nil {
			return err
		}
	}
	return nil
}

// currencies gives the currencies of amounts, each once.
func currencies(amounts []money.Amount) (all []money.Currency) {
	for _, a := range amounts {
		if c := a.Currency(); !c.IsZero() && !slices.Contains(all, c) {
			all = append(all, c)
		}
	}
	return all
}

// even refuses amounts whose debits and credits differ in the currency.
func even(currency money.Currency, amounts []money.Amount) error {
	var own []money.Amount
	for _, a := range amounts {
		if a.Currency() == currency {
			own = append(own, a)
		}
	}
	if sum, err := money.Sum(currency, own...); err != nil || !sum.IsZero() {
		return domain.Refuse("invalid-balance", "the balances in %s are not even: debits and credits are %s apart", currency, sum)
	}
	return nil
}

// Order is the order of balances: by account, then by currency.
func Order(a, b Balance) int {
	return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Amount.Currency().String(), b.Amount.Currency().String()))
}

// Decide implements domain.Command.
func (c *Settle) Decide(s domain.States, m domain.Moment) ([]domain.Change, error) {
	state, err := load(s, m, c.Book)
	if err != nil {
		return nil, err
	}
	newest := state.newest()
	switch {
	case c.Through > newest.Through:
		return nil, domain.Refuse("not-closed", "no period that is closed ends on %s", c.Through).
			WithHint("close it first")
	case c.Through < newest.Through || newest.Settled:
		return nil, domain.Refuse("already-settled", "the balances at the end of %s are entered already", c.Through)
	}
	settings, err := book.Settings(s, m)
	if err != nil {
		return nil, err
	}
	revaluations, err := c.revalue(settings.Currency)
	if err != nil {
		return nil, err
	}
	return one(c, &Settled{Through: c.Through, Proof: c.Proof, Balances: c.Balances, Revaluations: revaluations}), nil
}

// Validate checks the form of the command.
func (c *Reopen) Validate() error {
	if err := lastOfMonth(c.Through); err != nil {
		return err
	}
	return field.Reason("reopening", c.Reason)
}

// Decide implements domain.Command.
func (c *Reopen) Decide(s domain.States, m domain.Moment) ([]domain.Change, error) {
	state, err := load(s, m, c.Book)
	if err != nil {
		return nil, err
	}
	newest := state.newest()
	if c.Through < newest.Through {
		return nil, domain.Refuse("not-the-newest", "the book is closed through %s: what was closed last is opened first", newest.Through).
			WithHint("reopen the period through %s first", newest.Through)
	}
	if c.Through > newest.Through {
		return nil, domain.Refuse("not-closed", "no period that is closed ends on %s", c.Through).
			WithHint("it is open")
	}
	return one(c, &Reopened{
		From: newest.From, Through: newest.Through, Reason: c.Reason, Revaluations: newest.Revaluations,
	}), nil
}

// lastOfMonth refuses a day that does not end a month: invalid-period.
func lastOfMonth(day domain.Date) error {
	if next := day.AddDays(1); !day.Valid() || next.Month() == day.Month() {
		return domain.Refuse("invalid-period", "a period ends with a month, and %.20q is not the last day of one", string(day)).
			WithHint("months are closed whole, such as through 2026-03-31")
	}
	return nil
}

func load(s domain.States, m domain.Moment, id uuid.UUID) (State, error) {
	if id != m.Book {
		return State{}, domain.Refuse("other-book", "the command is for book %s, but this is book %s", id, m.Book)
	}
	return Load(s, id)
}

func one(c domain.Command, e domain.Event) []domain.Change {
	return []domain.Change{{Stream: c.Stream(), Event: e}}
}
