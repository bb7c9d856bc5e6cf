package customer

import (
	"slices"
	"strings"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/money"
)

// Evolve implements domain.State.
func (s State) Evolve(event domain.Event) (domain.State, error) {
	if _, begins := event.(*Registered); begins == s.Registered {
		at := "nothing"
		if s.Registered {
			at = "the customer's registration"
		}
		return nil, domain.OutOfSequence(at, event)
	}
	switch e := event.(type) {
	case *Registered:
		return State{Registered: true, Country: e.Country, HasVATID: e.HasVATID, Profile: e.Personal}, nil
	case *Changed:
		s.Country, s.HasVATID, s.Profile = e.Country, e.HasVATID, e.Personal
		return s, nil
	case *Credited:
		return s.credit(e.Amount)
	default:
		return nil, domain.OutOfSequence("the customer's registration", event)
	}
}

func (s State) credit(amount money.Amount) (domain.State, error) {
	sum, err := s.CreditIn(amount.Currency()).Add(amount)
	if err != nil {
		return nil, err
	}
	others := slices.DeleteFunc(slices.Clone(s.Credit), func(a money.Amount) bool {
		return a.Currency() == sum.Currency()
	})
	s.Credit = append(others, sum)
	slices.SortFunc(s.Credit, func(a, b money.Amount) int {
		return strings.Compare(a.Currency().String(), b.Currency().String())
	})
	return s, nil
}
