package book

import (
	"crypto/sha256"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/field"
)

// Validate checks the form of the command.
func (c *OpenEpoch) Validate() error {
	if err := field.Reason("new epoch of the log", c.Reason); err != nil {
		return err
	}
	if c.Origin == "" || c.Origin == c.Follows.Origin {
		return domain.Refuse("invalid-epoch", "the new epoch of the log needs a name of its own")
	}
	if err := field.Line("origin", c.Origin, field.MaxName); err != nil {
		return err
	}
	if err := c.Follows.validate(); err != nil {
		return err
	}
	for _, e := range c.Erased {
		if e.KeyDestroyed.Scope != customer.All && e.KeyDestroyed.Scope != customer.Contact {
			return domain.Refuse("invalid-epoch", "nothing of customer %s was erased that this program knows", e.Customer)
		}
	}
	lost := c.LostEarlier
	switch {
	case c.Lost != nil:
		lost = append([]Checkpoint{*c.Lost}, lost...)
	case len(lost) > 0:
		return domain.Refuse("invalid-epoch", "states of further epochs are lost only besides one that is lost")
	}
	for _, l := range lost {
		if l.Origin == c.Follows.Origin && l.Size <= c.Follows.Size {
			return domain.Refuse("invalid-epoch", "size %d of the log is not lost where size %d was brought back", l.Size, c.Follows.Size)
		}
		if err := l.validate(); err != nil {
			return err
		}
	}
	return nil
}

func (c Checkpoint) validate() error {
	if c.Origin == "" || c.Size == 0 || len(c.Root) != sha256.Size {
		return domain.Refuse("invalid-epoch", "a state of the log needs its name, a size and a root of %d bytes", sha256.Size)
	}
	return field.Line("origin", c.Origin, field.MaxName)
}

// Decide implements domain.Command.
func (c *OpenEpoch) Decide(s domain.States, m domain.Moment) ([]domain.Change, error) {
	state, err := settings(s, m, c.Book)
	if err != nil {
		return nil, err
	}
	if state.Origin != "" && state.Origin != c.Follows.Origin {
		return nil, domain.Refuse("invalid-epoch", "the book's log is %s, and not %s", state.Origin, c.Follows.Origin)
	}
	changes := one(c, &EpochOpened{Origin: c.Origin, Follows: c.Follows, Lost: c.Lost, LostEarlier: c.LostEarlier, Reason: c.Reason})
	for _, e := range c.Erased {
		// The keys are gone: nothing that stands in the way of an erasure counts any
		// more. Whoever was registered beyond that state is not known here.
		id := customer.Stream(e.Customer)
		if held, err := s.State(id); err != nil {
			return nil, err
		} else if held != nil {
			changes = append(changes, domain.Change{Stream: id, Event: &e.KeyDestroyed})
		}
	}
	return changes, nil
}
