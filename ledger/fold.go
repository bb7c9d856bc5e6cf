package ledger

import (
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/codec"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/rules"
	"github.com/daybook-ledger/daybook/domain/standing"
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
	if err := f.forget(id, e, row.State); err != nil {
		return 0, err
	}
	if row.State, err = row.State.Evolve(e); err != nil {
		return 0, fmt.Errorf("ledger: %s after revision %d of %s: %w", e.EventType(), row.Revision, id, err)
	}
	row.Revision++
	f.set(streamKey(id), row)
	if err := f.follow(id, e); err != nil {
		return 0, err
	}
	if referenced, ok := e.(domain.Referenced); ok {
		for _, r := range referenced.References() {
			f.set(referenceKey(r), referenceRow(id))
		}
	}
	return row.Revision, nil
}

// forget takes from a customer who is erased the reference that they had before.
func (f *folder) forget(id domain.StreamID, e domain.Event, before domain.State) error {
	person, is := before.(customer.State)
	if _, erases := e.(*customer.KeyDestroyed); !erases || !is || person.Profile == nil || person.Profile.Reference == "" {
		return nil
	}
	key := referenceKey(domain.Reference{Kind: domain.CustomerReference, Value: person.Profile.Reference})
	holder, err := f.over.get(key)
	if err == nil && holder == referenceRow(id) {
		f.set(key, referenceRow{})
	}
	return err
}

// follow folds what follows from an event in other streams, which have no
// events of their own.
func (f *folder) follow(id domain.StreamID, e domain.Event) error {
	changes, err := standing.Follows(e, id)
	if err != nil {
		return fmt.Errorf("ledger: what follows from %s of %s: %w", e.EventType(), id, err)
	}
	for _, c := range changes {
		row, err := f.stream(c.Stream)
		if err != nil {
			return err
		}
		row.Kind = c.Stream.Kind
		if row.State, err = rules.Evolve(row.Kind, row.State, c.Event); err != nil {
			return fmt.Errorf("ledger: what follows from %s of %s: %w", e.EventType(), id, err)
		}
		f.set(streamKey(c.Stream), row)
	}
	return nil
}

// subject gives the keys of a customer.
func (f *folder) subject(id uuid.UUID) (row subjectRow, err error) {
	value, found := f.changed[subjectKey(id)]
	if !found {
		if value, err = f.over.get(subjectKey(id)); err != nil {
			return subjectRow{}, err
		}
	}
	if value != nil {
		row = value.(subjectRow)
	}
	return row, nil
}

// seals takes note of a key that seals personal data of a customer.
func (f *folder) seals(id uuid.UUID, onNoDocument bool, key keyring.KeyID) error {
	row, err := f.subject(id)
	if err != nil {
		return err
	}
	list := &row.Documents
	if onNoDocument {
		list = &row.Contact
	}
	if slices.Contains(*list, key) {
		return nil
	}
	*list = append(slices.Clone(*list), key)
	slices.Sort(*list)
	f.set(subjectKey(id), row)
	return nil
}

// erase takes note of the erasures among a commit's events, and takes the keys
// that they destroy from those of the customer.
func (f *folder) erase(c *commit.Commit) error {
	for _, e := range c.Events {
		destroyed, is := e.Event.(*customer.KeyDestroyed)
		if !is {
			continue
		}
		row, err := f.subject(e.Stream.ID)
		if err != nil {
			return err
		}
		keys, left := row.destroyed(destroyed.Scope)
		f.set(subjectKey(e.Stream.ID), left)
		count, err := f.erasures()
		if err != nil {
			return err
		}
		f.set(erasureKey(count), erasureRow{Customer: e.Stream.ID, Keys: keys, Page: c.Page, Position: c.Position})
		f.set(erasuresKey, count+1)
	}
	return nil
}

func (f *folder) erasures() (erasuresRow, error) {
	if value, found := f.changed[erasuresKey]; found {
		return value.(erasuresRow), nil
	}
	return f.over.erasures()
}

// destroyed gives the keys that an erasure destroys, and those that it leaves.
func (r subjectRow) destroyed(scope customer.Scope) (keys []keyring.KeyID, left subjectRow) {
	if scope == customer.All {
		keys = append(slices.Clone(r.Contact), r.Documents...)
		slices.Sort(keys)
		return slices.Compact(keys), subjectRow{}
	}
	left = subjectRow{Documents: r.Documents}
	for _, key := range r.Contact {
		if slices.Contains(r.Documents, key) {
			left.Contact = append(left.Contact, key) // it seals what must be kept
		} else {
			keys = append(keys, key)
		}
	}
	return keys, left
}

func (f *folder) updates() []update {
	updates := make([]update, len(f.order))
	for i, key := range f.order {
		updates[i] = update{key, f.changed[key]}
	}
	return updates
}

// fold folds a commit that was read from the log, and so is durable.
func (o *overlay) fold(c commit.Commit) ([]update, error) {
	updates, err := foldCommit(o, c)
	if err == nil {
		o.acknowledged(c.Position, updates)
	}
	return updates, err
}

// foldCommit gives the rows that a commit which was read from the log changes.
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
		if err := f.seals(subject, c.OnNoDocument(subject), key); err != nil {
			return nil, err
		}
	}
	if err := f.erase(&c); err != nil {
		return nil, err
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
