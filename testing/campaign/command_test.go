package campaign

import (
	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/erasure"
	"github.com/daybook-ledger/daybook/ledger"
)

// command is that of an id, which names it whole: to register a customer under it, or,
// where erasing gave it, to erase that customer.
func command(id uuid.UUID) ledger.Envelope {
	e := ledger.Envelope{ID: id, Principal: "owner"}
	if who, is := erases(id); is {
		e.Command = &erasure.Erase{Customer: who, Scope: customer.All, Reason: "asked"}
	} else {
		e.Command = &customer.Register{ID: id, Country: "GB", Personal: &customer.Profile{Name: "Ada " + id.String()}}
	}
	return e
}

// registering is the id of a new registration.
func registering() uuid.UUID {
	id := uuid.Must(uuid.NewV7())
	id[15] &^= 1
	return id
}

// erasing is the id of the erasure of who was registered under one.
func erasing(who uuid.UUID) uuid.UUID {
	who[15] |= 1
	return who
}

// erases tells whom a command of an id erases.
func erases(id uuid.UUID) (who uuid.UUID, is bool) {
	is = id[15]&1 == 1
	id[15] &^= 1
	return id, is
}
