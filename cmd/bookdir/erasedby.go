package bookdir

import (
	"context"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/ledger/commit"
)

// ErasedBy gives the customer whom a command of this id erased: no name leads there any
// more, and whoever repeats the command has nothing else. uuid.Nil where it erased
// nobody. The ring says where the log erases, so that only those pages are read.
func (b *Book) ErasedBy(ctx context.Context, command uuid.UUID) (uuid.UUID, error) {
	durable, err := b.Head()
	if err != nil {
		return uuid.Nil, err
	}
	keys, _, err := b.Keys().List()
	if err != nil {
		return uuid.Nil, err
	}
	looked := map[uint64]bool{}
	for _, k := range keys {
		if k.Kind != keyring.Subject || !k.Destroyed {
			continue
		}
		note, _, err := b.Keys().Destroyed(k.ID)
		if err != nil {
			return uuid.Nil, err
		}
		at, is := commit.ErasureOf(note)
		if !is || looked[at.Page] || at.Page > durable.Page { // beyond it, as ADR 22 says
			continue
		}
		looked[at.Page] = true
		p, err := b.ReadPage(ctx, at.Page)
		if err != nil {
			return uuid.Nil, err
		}
		for _, c := range p.Commits {
			if c.ID != command {
				continue
			}
			for _, e := range c.Events {
				if _, is := e.Event.(*customer.KeyDestroyed); is {
					return e.Stream.ID, nil
				}
			}
		}
	}
	return uuid.Nil, nil
}
