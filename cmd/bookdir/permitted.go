package bookdir

import (
	"errors"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/domain/rules"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/ledger/commit"
)

// permitted refuses what opens the epoch where the book will: that would show only
// when all of the log was folded. Where it cannot be told here, it shows then.
func (r Restore) permitted(from archivedLog, ring *keyring.Ring, settings [][]byte, open *book.OpenEpoch) error {
	digest, err := named(ring, digestKey)
	if err != nil {
		return err
	}
	defer clear(digest)
	codec := commit.NewCodec(from.info.Book, from.verifier.Epoch, ring, digest)
	s := ownStates{stream: open.Stream(), state: book.State{}}
	for _, stored := range settings {
		c, err := codec.Open(stored)
		if err != nil || s.take(c) != nil {
			return nil //nolint:nilerr // the book tells what is wrong, when it is opened
		}
	}
	var refusal *domain.Refusal
	_, err = rules.Decide(s, domain.Moment{Book: from.info.Book, Recorded: r.Clock.Now().UTC(), Principal: r.Principal}, open)
	if errors.As(err, &refusal) {
		return err
	}
	return nil
}

// ownStates is the states of a book of which only its own is known.
type ownStates struct {
	stream domain.StreamID
	state  domain.State
}

func (s *ownStates) take(c commit.Commit) (err error) {
	for _, e := range c.Events {
		if e.Stream == s.stream {
			if s.state, err = s.state.Evolve(e.Event); err != nil {
				return err
			}
		}
	}
	return nil
}

// State implements domain.States.
func (s ownStates) State(id domain.StreamID) (domain.State, error) {
	if id == s.stream {
		return s.state, nil
	}
	return nil, nil
}

// Find implements domain.States.
func (ownStates) Find(domain.Reference) (domain.StreamID, bool, error) {
	return domain.StreamID{}, false, nil
}
