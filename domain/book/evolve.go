package book

import (
	"maps"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/access"
)

// Evolve implements domain.State.
func (s State) Evolve(event domain.Event) (domain.State, error) {
	if e, opens := event.(*Opened); opens {
		if s.opened() {
			return nil, domain.OutOfSequence("the book's opening", event)
		}
		return State{
			Currency: e.Currency, Seller: e.Seller, Origin: e.Origin, TaxBasis: e.TaxBasis,
			Roles: map[string]access.Role{e.Owner: access.Owner},
		}, nil
	}
	if !s.opened() {
		return nil, domain.OutOfSequence("nothing", event)
	}
	switch e := event.(type) {
	case *SellerChanged:
		s.Seller = e.Seller
	case *Drilled, *Attested: // they stand in the log, and change nothing
	case *EpochOpened:
		s.Origin = e.Origin
	case *RetentionSet:
		s.Retention = e
	case *Granted:
		roles := map[string]access.Role{e.Principal: e.Role}
		for principal, role := range s.Roles {
			if principal != e.Principal {
				roles[principal] = role
			}
		}
		s.Roles = roles
	case *Revoked:
		s.Roles = maps.Clone(s.Roles)
		delete(s.Roles, e.Principal)
	default:
		return nil, domain.OutOfSequence("the book's opening", event)
	}
	return s, nil
}

func (s State) opened() bool { return !s.Currency.IsZero() }
