// Package membook is a book in memory for the tests of importers: it decides
// commands by the rules of the domain and keeps what they lead to, but stores
// nothing.
package membook

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/rules"
	"github.com/daybook-ledger/daybook/importer"
)

// ID is the id of every such book.
var ID = uuid.MustParse("0b5e0a0e-58a1-4c1c-9d0e-6a8a1f2b3c4d")

// ErrStore is what Fail makes the book say.
var ErrStore = errors.New("membook: the store has failed")

// Book is a book in memory. It is safe for concurrent use.
type Book struct {
	// Fail, where it is set, is asked before each command, and makes it fail
	// with ErrStore, or have effect and fail all the same.
	Fail func() (fails, withEffect bool)
	// Before is called before each command, without a lock.
	Before func(cmd domain.Command)

	mu       sync.Mutex
	states   map[domain.StreamID]domain.State
	refs     map[domain.Reference]domain.StreamID
	commands map[uuid.UUID][sha256.Size]byte
	events   []domain.Change
}

// New opens a book in a currency.
func New(c money.Currency) (*Book, error) {
	b := &Book{
		states:   map[domain.StreamID]domain.State{},
		refs:     map[domain.Reference]domain.StreamID{},
		commands: map[uuid.UUID][sha256.Size]byte{},
	}
	_, err := b.Enter(context.Background(), uuid.New(), &book.Open{
		Book: ID, Currency: c, Owner: "owner", Seller: book.Seller{Name: "Acme Ltd", Country: "GB", VATID: "GB123456789"},
	})
	return b, err
}

// Enter implements importer.Book.
func (b *Book) Enter(ctx context.Context, id uuid.UUID, cmd domain.Command) (importer.Outcome, error) {
	if err := ctx.Err(); err != nil {
		return importer.Outcome{}, err
	}
	if b.Before != nil {
		b.Before(cmd)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.Fail != nil {
		fails, withEffect := b.Fail()
		if fails && withEffect {
			_, _ = b.enter(id, cmd)
		}
		if fails {
			return importer.Outcome{}, ErrStore
		}
	}
	return b.enter(id, cmd)
}

func (b *Book) enter(id uuid.UUID, cmd domain.Command) (importer.Outcome, error) {
	digest, err := digest(cmd)
	if err != nil {
		return importer.Outcome{}, err
	}
	if known, ok := b.commands[id]; ok {
		if known == digest {
			return importer.Outcome{AlreadyEntered: true}, nil
		}
		return importer.Outcome{}, domain.Refuse("command-id-reused", "the id belongs to another command")
	}
	now := time.Unix(1_700_000_000, 0).UTC()
	changes, err := rules.Decide(states{b}, domain.Moment{Book: ID, Recorded: now, Principal: "owner"}, cmd)
	if err != nil {
		return importer.Outcome{}, err
	}
	if err := b.apply(changes); err != nil {
		return importer.Outcome{}, err
	}
	b.commands[id] = digest
	return importer.Outcome{}, nil
}

// digest tells commands of different content apart.
func digest(cmd domain.Command) ([sha256.Size]byte, error) {
	parts := []any{cmd.CommandType(), cmd}
	if p, ok := cmd.(domain.Personal); ok {
		parts = append(parts, p.PersonalPart())
	}
	text, err := cbor.Marshal(parts)
	return sha256.Sum256(text), err
}

func (b *Book) apply(changes []domain.Change) error {
	for _, c := range changes {
		at := func(id domain.StreamID) (domain.State, error) { return b.states[id], nil }
		set := func(id domain.StreamID, s domain.State) { b.states[id] = s }
		if err := rules.Fold(c, at, set); err != nil {
			return err
		}
		if r, ok := c.Event.(domain.Referenced); ok {
			for _, ref := range r.References() {
				if holder, taken := b.refs[ref]; taken && holder != c.Stream {
					return fmt.Errorf("membook: %v already names %s", ref, holder)
				}
				b.refs[ref] = c.Stream
			}
		}
		b.events = append(b.events, c)
	}
	return nil
}

// Find implements importer.Book.
func (b *Book) Find(ctx context.Context, r domain.Reference) (domain.StreamID, bool, error) {
	if err := ctx.Err(); err != nil {
		return domain.StreamID{}, false, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	stream, found := b.refs[r]
	return stream, found, nil
}

// DeriveID implements importer.Book.
func (b *Book) DeriveID(label string) uuid.UUID { return uuid.NewSHA1(ID, []byte(label)) }

// Events gives the events so far, in order.
func (b *Book) Events() []domain.Change {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.events)
}

// States gives the states so far.
func (b *Book) States() map[domain.StreamID]domain.State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.states)
}

// states is the book for Decide, under its lock.
type states struct{ b *Book }

func (s states) State(id domain.StreamID) (domain.State, error) {
	state, ok := s.b.states[id]
	if !ok {
		return nil, nil
	}
	return state, nil
}

func (s states) Find(r domain.Reference) (domain.StreamID, bool, error) {
	stream, found := s.b.refs[r]
	return stream, found, nil
}

// Ordered is the book as an importer.Submitter.
type Ordered struct{ *Book }

// Submit implements importer.Submitter.
func (o Ordered) Submit(ctx context.Context, id uuid.UUID, cmd domain.Command) func() (importer.Outcome, error) {
	outcome, err := o.Enter(ctx, id, cmd)
	return func() (importer.Outcome, error) { return outcome, err }
}
