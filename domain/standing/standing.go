// Package standing sums up what the journal says of each customer: when it was
// last entered, and what is still between the customer and the business. It is
// what decisions need that are about a customer as a whole and must not look
// through all of its documents.
//
// A standing follows from the entries that events are posted as. It has a stream
// id like any state, but no events of its own: whoever folds an event folds what
// Follows gives besides. Nothing of it is stored in the log.
package standing

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/domain/money"
)

// Stream names a customer's standing.
func Stream(customer uuid.UUID) domain.StreamID {
	return domain.StreamID{Kind: domain.KindStanding, ID: customer}
}

// open are the accounts whose balances are still to be settled with a customer.
var open = []account.Account{account.Receivables, account.CustomerCredit, account.Deposits}

// Balance is what an account says of a customer in one currency. It is not zero.
type Balance struct {
	Account account.Account `json:"account"`
	Amount  money.Amount    `json:"amount"`
}

// State is a customer's standing. The zero State is that of a customer whom no
// entry names.
type State struct {
	// Newest is the latest date of an entry.
	Newest domain.Date `json:"newest,omitempty"`
	// Open is what is still to be settled, by account and currency.
	Open []Balance `json:"open,omitempty"`
}

// Load gives a customer's standing.
func Load(s domain.States, customer uuid.UUID) (State, error) {
	held, err := s.State(Stream(customer))
	if err != nil || held == nil {
		return State{}, err
	}
	state, ok := held.(State)
	if !ok {
		return State{}, fmt.Errorf("standing: that of customer %s is a %T", customer, held)
	}
	return state, nil
}

// Posted stands for an entry, so that a standing can be folded as states are. It
// is never stored.
type Posted struct{ Entry account.Entry }

// EventType implements domain.Event.
func (*Posted) EventType() string { return "standing.posted" }

// Follows gives the changes of standings that follow from an event.
func Follows(e domain.Event, stream domain.StreamID) ([]domain.Change, error) {
	entries, err := account.Post(e, stream)
	if err != nil {
		return nil, err
	}
	var changes []domain.Change
	for _, entry := range entries {
		if entry.Customer != uuid.Nil {
			changes = append(changes, domain.Change{Stream: Stream(entry.Customer), Event: &Posted{entry}})
		}
	}
	return changes, nil
}

// Evolve implements domain.State.
func (s State) Evolve(event domain.Event) (domain.State, error) {
	e, is := event.(*Posted)
	if !is {
		return nil, domain.OutOfSequence("a standing", event)
	}
	s.Newest = max(s.Newest, e.Entry.Date)
	balances := slices.Clone(s.Open)
	for _, p := range e.Entry.Postings {
		if !slices.Contains(open, p.Account) {
			continue
		}
		var err error
		if balances, err = add(balances, Balance{p.Account, p.Amount}); err != nil {
			return nil, err
		}
	}
	if s.Open = balances; len(balances) == 0 {
		s.Open = nil // as it is stored
	}
	return s, nil
}

func add(balances []Balance, b Balance) ([]Balance, error) {
	at, found := slices.BinarySearchFunc(balances, b, func(x, y Balance) int {
		return cmp.Or(cmp.Compare(x.Account, y.Account), cmp.Compare(x.Amount.Currency().String(), y.Amount.Currency().String()))
	})
	if found {
		sum, err := balances[at].Amount.Add(b.Amount)
		if err != nil {
			return nil, err
		}
		if balances[at].Amount = sum; sum.IsZero() {
			balances = slices.Delete(balances, at, at+1)
		}
		return balances, nil
	}
	if b.Amount.IsZero() {
		return balances, nil
	}
	return slices.Insert(balances, at, b), nil
}
