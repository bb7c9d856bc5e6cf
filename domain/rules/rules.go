// Package rules is the law of a book as a whole: who may give a command, what
// it must look like, what it decides, and that what it decides can be posted
// and folded. Everything that enters a book comes through Decide.
//
// Refusals, besides those of the commands' own packages:
//
//	unknown-principal, not-permitted  as in package access
//	period-closed                     as in package period, for whatever is posted
//	customer-erased                   the command would keep something personal of an erased customer
package rules

import (
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/access"
	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/domain/codec"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/period"
	"github.com/daybook-ledger/daybook/domain/standing"
)

// Version is that of the rules, and stands in every commit: a decision can be
// replayed by the rules that made it. It goes up when the same command in the
// same states would give other facts.
const Version = 1

// ErrMoment means that a decision was asked for without a book or a time.
var ErrMoment = errors.New("rules: the moment has no book or no time")

// validator is a command that checks its own form, its personal part included.
type validator interface{ Validate() error }

// prechecker is a command whose personal part must agree with that of others.
type prechecker interface{ Precheck(domain.States) error }

// Decide gives the events that a command causes, or a *domain.Refusal: access
// first, then the form of the command, then its own decision. Any other error
// means that a state could not be had, or a defect; nothing was decided.
func Decide(s domain.States, m domain.Moment, c domain.Command) ([]domain.Change, error) {
	if err := permit(s, m, c); err != nil {
		return nil, err
	}
	if v, is := c.(validator); is {
		if err := v.Validate(); err != nil {
			return nil, err
		}
	}
	if p, is := c.(prechecker); is {
		if err := p.Precheck(s); err != nil {
			return nil, err
		}
	}
	return decide(s, m, c)
}

// Replay decides again a command that the book holds. It asks nothing of the
// personal parts, which may have been erased since: the facts that it gives are
// those that Decide gave.
func Replay(s domain.States, m domain.Moment, c domain.Command) ([]domain.Change, error) {
	if err := permit(s, m, c); err != nil {
		return nil, err
	}
	return decide(s, m, c)
}

// permit refuses a command that its principal may not give. A book that is not
// open has no roles: it can only be opened.
func permit(s domain.States, m domain.Moment, c domain.Command) error {
	if m.Book == uuid.Nil || m.Recorded.IsZero() {
		return ErrMoment
	}
	settings, found, err := book.Load(s, m.Book)
	if err != nil {
		return fmt.Errorf("rules: look up the book: %w", err)
	}
	if found {
		return access.Check(settings.Roles, m.Principal, c.CommandType())
	}
	if _, opens := c.(*book.Open); opens {
		return nil
	}
	return domain.Refuse("no-book", "the book is not open yet")
}

// decide asks the command, and checks what it gives.
func decide(s domain.States, m domain.Moment, c domain.Command) ([]domain.Change, error) {
	changes, err := c.Decide(s, m)
	if err != nil {
		return nil, told(err)
	}
	if len(changes) == 0 {
		return nil, fmt.Errorf("rules: %s decided nothing", c.CommandType())
	}
	if err := checkSealable(s, c, changes); err != nil {
		return nil, told(err)
	}
	if err := check(s, m, changes); err != nil {
		return nil, told(fmt.Errorf("rules: %s: %w", c.CommandType(), err))
	}
	return changes, nil
}

// checkSealable refuses to keep anything personal of a customer whose every key
// is destroyed, whatever the command: customer-erased.
func checkSealable(s domain.States, c domain.Command, changes []domain.Change) error {
	about := make([]any, 0, len(changes)+1)
	about = append(about, c)
	for _, change := range changes {
		about = append(about, change.Event)
	}
	seen := uuid.Nil
	for _, a := range about {
		p, is := a.(domain.Personal)
		if !is || p.Subject() == seen || p.Subject() == uuid.Nil {
			continue
		}
		seen = p.Subject()
		held, err := s.State(customer.Stream(seen))
		if err != nil {
			return err
		}
		if state, is := held.(customer.State); is {
			if err := state.CheckSealable(seen); err != nil {
				return err
			}
		}
	}
	return nil
}

// told gives the refusal alone where an error holds one: arithmetic wraps its
// own.
func told(err error) error {
	if refusal := (*domain.Refusal)(nil); errors.As(err, &refusal) {
		return refusal
	}
	return err
}

// check makes sure, before anything is written, that every event has balanced
// entries, worth something in the book's currency and dated in an open period, and
// can follow in its stream.
func check(s domain.States, m domain.Moment, changes []domain.Change) error {
	closed, err := period.Load(s, m.Book)
	if err != nil {
		return err
	}
	evolved := make(map[domain.StreamID]domain.State, len(changes))
	for _, change := range changes {
		entries, err := account.Post(change.Event, change.Stream)
		if err != nil {
			return err
		}
		if err := kept(s, m, entries); err != nil {
			return err
		}
		if change.Stream.Kind != domain.KindPeriod { // whose own entries are its end
			if err := dated(entries, closed); err != nil {
				return err
			}
		}
		state, known := evolved[change.Stream]
		if !known {
			if state, err = s.State(change.Stream); err != nil {
				return err
			}
		}
		if state, err = Evolve(change.Stream.Kind, state, change.Event); err != nil {
			return err
		}
		evolved[change.Stream] = state
	}
	return nil
}

// kept checks that entries are worth something in the book's currency.
func kept(s domain.States, m domain.Moment, entries []account.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	settings, err := book.Settings(s, m)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := e.CheckWorth(settings.Currency); err != nil {
			return err
		}
	}
	return nil
}

// dated refuses entries that are dated, or reported, in a closed period. It is
// the one place where that is held, for whatever decides.
func dated(entries []account.Entry, closed period.State) error {
	for _, e := range entries {
		if err := closed.Check(e.Date); err != nil {
			return err
		}
		for _, p := range e.Postings {
			if p.Tax == nil {
				continue
			}
			if err := closed.Check(e.TaxPoint(p.Tax)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Fold gives the states that an event changes: that of its stream, and those
// that follow from it in other streams, each as Evolve gives it. at gives a
// state as it was, nil for a stream without events; set takes what it has become.
func Fold(change domain.Change, at func(domain.StreamID) (domain.State, error), set func(domain.StreamID, domain.State)) error {
	follows, err := standing.Follows(change.Event, change.Stream)
	if err != nil {
		return err
	}
	for _, c := range append([]domain.Change{change}, follows...) {
		state, err := at(c.Stream)
		if err != nil {
			return err
		}
		if state, err = Evolve(c.Stream.Kind, state, c.Event); err != nil {
			return err
		}
		set(c.Stream, state)
	}
	return nil
}

// Evolve gives the state of a stream after an event. state is nil for a stream
// without events, and is not changed.
func Evolve(kind domain.Kind, state domain.State, e domain.Event) (domain.State, error) {
	if state == nil {
		var err error
		if state, err = codec.NewState(kind); err != nil {
			return nil, err
		}
	}
	return state.Evolve(e)
}
