package customer

import (
	"slices"
	"strings"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/exchange"
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
	case *KeyDestroyed:
		if s.Erased == All || s.Erased == e.Scope {
			return nil, domain.OutOfSequence("its erasure", event)
		}
		s.Erased, s.Profile = e.Scope, nil
		return s, nil
	case *Credited:
		return s.credit(e.Amount)
	case *CreditMoved:
		return s.move(e)
	default:
		return nil, domain.OutOfSequence("the customer's registration", event)
	}
}

// move moves credit, and the lot of the payment that it is of.
func (s State) move(e *CreditMoved) (domain.State, error) {
	if e.Source.Kind == domain.KindPayment {
		if err := s.moveLot(e); err != nil {
			return nil, err
		}
	}
	moved, err := s.credit(e.Amount)
	if err != nil {
		return nil, err
	}
	if moved.CreditIn(e.Amount.Currency()).Sign() < 0 {
		return nil, domain.OutOfSequence("a customer with less credit", e)
	}
	return moved, nil
}

func (s *State) moveLot(e *CreditMoved) error {
	lots := slices.Clone(s.Received)
	at := slices.IndexFunc(lots, func(l Lot) bool { return l.Payment == e.Source.ID })
	if at < 0 {
		at = len(lots)
		lots = append(lots, Lot{Payment: e.Source.ID})
	}
	lot := &lots[at]
	sum, err := lot.Worth().Add(exchange.Of(e.Amount, e.Base))
	if err != nil {
		return err
	}
	lot.Amount, lot.Base = sum.Amount, sum.Base
	if !sum.Sound() {
		return domain.OutOfSequence("a customer with less credit of the payment", e)
	}
	lot.Since = max(lot.Since, e.Since)
	if lot.Amount.IsZero() {
		if lots = slices.Delete(lots, at, at+1); len(lots) == 0 {
			lots = nil // as it is stored
		}
	}
	s.Received = lots
	return nil
}

func (s State) credit(amount money.Amount) (State, error) {
	sum, err := s.CreditIn(amount.Currency()).Add(amount)
	if err != nil {
		return State{}, err
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
