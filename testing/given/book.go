// Package given is a book in memory for tests: the states that decisions ask
// for, the commands that it took, and the documents that tests write. It takes
// commands by the rules that the real book takes them by, and knows no log,
// keys or views.
//
// A strict book, as the constructors make it, checks after every event that no
// state was changed in place and that events and states survive their stored
// form.
package given

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/domain/codec"
	"github.com/daybook-ledger/daybook/domain/rules"
	"github.com/daybook-ledger/daybook/domain/standing"
)

// Commit is a command that the book took, and the events that it caused.
type Commit struct {
	Moment  domain.Moment
	Command domain.Command
	Changes []domain.Change
}

// Book is a book in memory. It implements domain.States. It is not safe for
// concurrent use.
type Book struct {
	// ID is the book's; Principal and Now are those of the next commands.
	ID        uuid.UUID
	Principal string
	Now       time.Time
	// Strict makes Apply check what the package comment says.
	Strict bool
	// Log holds what the book took, in order.
	Log []Commit

	states map[domain.StreamID]domain.State
	refs   map[domain.Reference]domain.StreamID
}

// New is a strict book that is not open yet.
func New() *Book {
	return &Book{
		ID: ID("book"), Principal: Owner, Now: Now, Strict: true,
		states: make(map[domain.StreamID]domain.State),
		refs:   make(map[domain.Reference]domain.StreamID),
	}
}

// Opened is a strict book in pounds that is open and has the customer Ada.
func Opened(t testing.TB) *Book {
	t.Helper()
	b := New()
	b.Take(t, Open(b.ID))
	b.Take(t, Register("ada"))
	return b
}

// State implements domain.States.
func (b *Book) State(id domain.StreamID) (domain.State, error) {
	if state, known := b.states[id]; known {
		return state, nil
	}
	return nil, nil
}

// Find implements domain.States.
func (b *Book) Find(ref domain.Reference) (domain.StreamID, bool, error) {
	id, found := b.refs[ref]
	return id, found, nil
}

// States gives all states by stream; the map is the caller's.
func (b *Book) States() map[domain.StreamID]domain.State { return maps.Clone(b.states) }

// Moment is the circumstances of the next command.
func (b *Book) Moment() domain.Moment {
	return domain.Moment{Recorded: b.Now, Principal: b.Principal, Book: b.ID}
}

// Do decides a command and applies what it causes.
func (b *Book) Do(c domain.Command) ([]domain.Change, error) {
	m := b.Moment()
	changes, err := rules.Decide(b, m, c)
	if err != nil {
		return nil, err
	}
	if err := b.Apply(changes...); err != nil {
		return nil, err
	}
	b.Log = append(b.Log, Commit{Moment: m, Command: c, Changes: changes})
	return changes, nil
}

// Take is Do for a command that must be taken.
func (b *Book) Take(t testing.TB, c domain.Command) []domain.Change {
	t.Helper()
	changes, err := b.Do(c)
	if err != nil {
		t.Fatalf("%s was not taken: %v", c.CommandType(), err)
	}
	return changes
}

// Refuse is Do for a command that must be refused with a code, leaving
// everything as it was.
func (b *Book) Refuse(t testing.TB, c domain.Command, code string) *domain.Refusal {
	t.Helper()
	before := b.fingerprint(t)
	_, err := b.Do(c)
	if err == nil {
		t.Fatalf("%s was taken, but should be refused: %s", c.CommandType(), code)
	}
	refusal := (*domain.Refusal)(nil)
	if !errors.As(err, &refusal) || refusal.Code != code {
		t.Fatalf("%s: got %v, want refusal %s", c.CommandType(), err, code)
	}
	if after := b.fingerprint(t); !bytes.Equal(before, after) {
		t.Fatalf("%s was refused (%s), but changed a state", c.CommandType(), code)
	}
	return refusal
}

// Apply folds events into the states, as given or as decided.
func (b *Book) Apply(changes ...domain.Change) error {
	for _, change := range changes {
		next, err := b.evolve(change)
		if err != nil {
			return fmt.Errorf("given: apply %s to %s: %w", change.Event.EventType(), change.Stream, err)
		}
		b.states[change.Stream] = next
		if err := b.follow(change); err != nil {
			return err
		}
		named, is := change.Event.(domain.Referenced)
		if !is {
			continue
		}
		for _, ref := range named.References() {
			if holder, taken := b.refs[ref]; taken && holder != change.Stream {
				return fmt.Errorf("given: the reference %v of %s is that of %s", ref, change.Stream, holder)
			}
			b.refs[ref] = change.Stream
		}
	}
	return nil
}

// follow folds what follows from an event in the standings of customers.
func (b *Book) follow(change domain.Change) error {
	changes, err := standing.Follows(change.Event, change.Stream)
	if err != nil {
		return err
	}
	for _, c := range changes {
		next, err := rules.Evolve(c.Stream.Kind, b.states[c.Stream], c.Event)
		if err != nil {
			return fmt.Errorf("given: the standing after %s: %w", change.Event.EventType(), err)
		}
		b.states[c.Stream] = next
	}
	return nil
}

func (b *Book) evolve(change domain.Change) (domain.State, error) {
	kind, old := change.Stream.Kind, b.states[change.Stream]
	if !b.Strict {
		return rules.Evolve(kind, old, change.Event)
	}
	if old == nil {
		var err error
		if old, err = codec.NewState(kind); err != nil {
			return nil, err
		}
	}
	before, err := codec.EncodeState(kind, old)
	if err != nil {
		return nil, err
	}
	next, err := old.Evolve(change.Event)
	if err != nil {
		return nil, err
	}
	after, err := codec.EncodeState(kind, old)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(before, after) {
		return nil, errors.New("the old state was changed in place")
	}
	return next, sameStored(kind, before, change.Event, next)
}

// sameStored checks that the stored form of the old state, evolved by the
// stored form of the event, is the stored form of the next state.
func sameStored(kind domain.Kind, old []byte, e domain.Event, next domain.State) error {
	facts, personal, schema, err := codec.EncodeEvent(e)
	if err != nil {
		return err
	}
	event, err := codec.DecodeEvent(e.EventType(), schema, facts, personal)
	if err != nil {
		return err
	}
	state, err := codec.DecodeState(kind, old)
	if err != nil {
		return err
	}
	if state, err = state.Evolve(event); err != nil {
		return fmt.Errorf("from their stored form: %w", err)
	}
	got, err := codec.EncodeState(kind, state)
	if err != nil {
		return err
	}
	want, err := codec.EncodeState(kind, next)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return errors.New("the stored forms evolve to another state")
	}
	return nil
}

// Entries gives the journal: the entries of all events, in order.
func (b *Book) Entries(t tester) []account.Entry {
	t.Helper()
	var all []account.Entry
	for _, commit := range b.Log {
		for _, change := range commit.Changes {
			entries, err := account.Post(change.Event, change.Stream)
			if err != nil {
				t.Fatalf("post %s: %v", change.Event.EventType(), err)
			}
			all = append(all, entries...)
		}
	}
	return all
}

// tester is *testing.T and *rapid.T, as far as the journal needs them.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

// fingerprint is the stored form of all states.
func (b *Book) fingerprint(t testing.TB) []byte {
	t.Helper()
	var all []byte
	for _, id := range sortedStreams(b.states) {
		data, err := codec.EncodeState(id.Kind, b.states[id])
		if err != nil {
			t.Fatalf("encode the state of %s: %v", id, err)
		}
		all = append(append(all, id.String()...), data...)
	}
	return all
}

// OutOfSequence makes sure that an event cannot follow a state.
func OutOfSequence(t testing.TB, s domain.State, e domain.Event) {
	t.Helper()
	if _, err := s.Evolve(e); !errors.Is(err, domain.ErrSequence) {
		t.Errorf("%T takes %s: %v", s, e.EventType(), err)
	}
}
