package ledger

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/codec"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/ledger/commit"
)

// folder folds the events of one commit over an overlay and gathers the rows
// that change. It serves deciding and replaying alike.
type folder struct {
	over    *overlay
	order   []rowKey
	changed map[rowKey]any
}

func newFolder(o *overlay) *folder { return &folder{over: o, changed: make(map[rowKey]any)} }

func (f *folder) set(key rowKey, value any) {
	if _, found := f.changed[key]; !found {
		f.order = append(f.order, key)
	}
	f.changed[key] = value
}

func (f *folder) stream(id domain.StreamID) (streamRow, error) {
	if value, found := f.changed[streamKey(id)]; found {
		return value.(streamRow), nil
	}
	return f.over.stream(id)
}

// event folds one event and gives its revision.
func (f *folder) event(id domain.StreamID, e domain.Event) (uint64, error) {
	row, err := f.stream(id)
	if err != nil {
		return 0, err
	}
	if row.State == nil {
		row.Kind = id.Kind
		if row.State, err = codec.NewState(id.Kind); err != nil {
			return 0, err
		}
	}
	if row.State, err = row.State.Evolve(e); err != nil {
		return 0, fmt.Errorf("ledger: %s after revision %d of %s: %w", e.EventType(), row.Revision, id, err)
	}
	row.Revision++
	f.set(streamKey(id), row)
	if referenced, ok := e.(domain.Referenced); ok {
		for _, r := range referenced.References() {
			f.set(referenceKey(r), referenceRow(id))
		}
	}
	return row.Revision, nil
}

func (f *folder) subject(id uuid.UUID, key keyring.KeyID) { f.set(subjectKey(id), subjectRow(key)) }

func (f *folder) updates() []update {
	updates := make([]update, len(f.order))
	for i, key := range f.order {
		updates[i] = update{key, f.changed[key]}
	}
	return updates
}

// foldCommit folds a commit that was read from the log.
func foldCommit(o *overlay, c commit.Commit) ([]update, error) {
	f := newFolder(o)
	for _, e := range c.Events {
		revision, err := f.event(e.Stream, e.Event)
		if err != nil {
			return nil, err
		}
		if revision != e.Revision {
			return nil, fmt.Errorf("%w: revision %d of %s at position %d, where %d is due",
				ErrContradiction, e.Revision, e.Stream, c.Position, revision)
		}
	}
	for subject, key := range c.Subjects {
		known, err := o.get(subjectKey(subject))
		if err != nil {
			return nil, err
		}
		if known != subjectRow(key) {
			f.subject(subject, key)
		}
	}
	f.set(commandKey(c.ID), rowOf(c))
	return f.updates(), nil
}

func rowOf(c commit.Commit) commandRow {
	return commandRow{
		Position: c.Position, Page: c.Page, Recorded: c.Recorded.UnixMicro(),
		Digest: c.Digest, Entry: c.Entry,
	}
}
