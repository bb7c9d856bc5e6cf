package commit

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/eventstore/seal"
)

// OpenRevealed gives the events of a commit of which some sections were revealed,
// by their indexes: nil where the facts are not among them; personal parts that
// were not revealed are nil.
func OpenRevealed(sealed seal.Sealed, sections map[int][]byte) ([]domain.Event, error) {
	if sections[0] == nil {
		return nil, nil
	}
	h := sealed.Header
	held := &contents{events: make(map[int]part), subjects: make(map[uuid.UUID]keyring.KeyID)}
	for i, info := range h.Sections {
		var err error
		switch {
		case (info.Kind == seal.Facts) != (i == 0):
			err = fmt.Errorf("%w: facts come first, and once", ErrForm)
		case i == 0:
			err = exactly(sections[0], &held.facts)
		default:
			err = held.personal(info, sections[i], len(h.Events))
		}
		if err != nil {
			return nil, fmt.Errorf("commit: position %d, section %d: %w", h.Position, i, err)
		}
	}
	if len(held.facts.Events) != len(h.Events) {
		return nil, fmt.Errorf("commit: position %d: %w: its facts do not fit its header", h.Position, ErrForm)
	}
	events := make([]domain.Event, len(h.Events))
	for i, e := range h.Events {
		opened, err := held.event(i, e)
		if err != nil {
			return nil, fmt.Errorf("commit: position %d, event %d: %w", h.Position, i, err)
		}
		events[i] = opened.Event
	}
	return events, nil
}
