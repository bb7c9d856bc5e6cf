package commit

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/seal"
)

// ErrNotErased means that a customer's key is destroyed, and that the log does
// not say so: that is damage, and no erasure.
var ErrNotErased = errors.New("commit: a key was destroyed, and the log does not say so")

// ErrUnread means that a customer's key is destroyed, and that the log could not be read
// to see whether it says so: that proves nothing, either way.
var ErrUnread = errors.New("commit: a key was destroyed, and the log cannot be read to see why")

// Erasure is where the log says that keys are destroyed. The ring keeps it in
// their places.
type Erasure struct {
	Page, Position uint64
	// Slots is the number of the ring's slots when the keys were destroyed: what
	// was made under a key with a higher id was made after that.
	Slots uint32
}

// Note is the form in which a ring keeps it: page and position, 8 bytes each,
// the number of slots, 4, and zeros.
func (e Erasure) Note() (note keyring.Note) {
	binary.BigEndian.PutUint64(note[:], e.Page)
	binary.BigEndian.PutUint64(note[8:], e.Position)
	binary.BigEndian.PutUint32(note[16:], e.Slots)
	return note
}

// ErasureOf reads a note; false for one that is none of an erasure.
func ErasureOf(note keyring.Note) (Erasure, bool) {
	e := Erasure{
		Page: binary.BigEndian.Uint64(note[:]), Position: binary.BigEndian.Uint64(note[8:]),
		Slots: binary.BigEndian.Uint32(note[16:]),
	}
	return e, e.Page != 0 && e.Note() == note
}

// readWithin is how long the log may take to show what it says of one key.
const readWithin = 30 * time.Second

// Pages gives the pages of the log. An eventstore.Store does.
type Pages interface {
	Read(ctx context.Context, first, last uint64) iter.Seq2[eventstore.Page, error]
}

// Beyond is an erasure that the log says beyond the end of a copy of it.
type Beyond struct {
	Page, Position uint64
	Customer       uuid.UUID
	Event          customer.KeyDestroyed
}

// erasures knows which keys the log says were destroyed.
type erasures struct {
	store    Pages
	verifier *page.Verifier
	known    sync.Map // the customer, by key id
	beyond   map[place]bool
}

// place is where the log says that a customer is erased.
type place struct {
	page, position uint64
	customer       uuid.UUID
}

// ProveErasures has the codec look up in the log whether a key that is missing
// was destroyed by an erasure. Without it none was.
func (c *Codec) ProveErasures(store Pages, verifier *page.Verifier) {
	c.store, c.verifier = store, verifier
}

// ErasedBeyond has the codec take erasures as proved that the log says where this
// copy of it does not reach. Whoever calls it has verified the pages.
func (c *Codec) ErasedBeyond(erasures []Beyond) {
	c.beyond = make(map[place]bool, len(erasures))
	for _, e := range erasures {
		c.beyond[place{e.Page, e.Position, e.Customer}] = true
	}
}

// Erasures gives those in a page. It opens no other commits of it, and so needs to
// know nothing of other keys that may be gone.
func (c *Codec) Erasures(p page.Page) (found []Beyond, err error) {
	for i, stored := range p.Commits {
		if !Erases(stored) {
			continue
		}
		opened, err := c.Open(stored)
		if err != nil {
			return nil, err
		}
		for _, e := range opened.Events {
			if destroyed, is := e.Event.(*customer.KeyDestroyed); is {
				found = append(found, Beyond{p.Head.Page, p.OldSize + uint64(i), e.Stream.ID, *destroyed})
			}
		}
	}
	return found, nil
}

// Erases reports whether a stored commit erases a customer, as its header tells in
// clear; false for what is no commit.
func Erases(stored []byte) bool {
	sealed, err := seal.Parse(stored)
	return err == nil && slices.ContainsFunc(sealed.Header.Events, erases)
}

// erases reports whether an event, as its header tells, erases a customer.
func erases(e seal.Event) bool {
	return e.Type == (*customer.KeyDestroyed)(nil).EventType() && e.Stream.Kind == string(domain.KindCustomer)
}

// erased is nil if the log says that the key of a customer's section was
// destroyed.
func (c *Codec) erased(section seal.SectionInfo) error {
	if whose, known := c.known.Load(section.Key); known && whose == section.Subject {
		return nil
	}
	err := c.proveErased(section)
	if errors.Is(err, ErrUnread) {
		return fmt.Errorf("%w: key %d, of customer %s", err, section.Key, section.Subject)
	}
	if err != nil {
		return fmt.Errorf("%w: key %d, of customer %s: %w", ErrNotErased, section.Key, section.Subject, err)
	}
	c.known.Store(section.Key, section.Subject)
	return nil
}

// unread is why a page could not be read: ErrUnread, unless that is damage of the log.
func unread(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, eventstore.ErrGap), errors.Is(err, eventstore.ErrForeign):
		return err
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w: %w", ErrUnread, eventstore.ErrUnavailable, err)
	}
	return fmt.Errorf("%w: %w", ErrUnread, err)
}

func (c *Codec) proveErased(section seal.SectionInfo) error {
	note, _, err := c.keys.Destroyed(section.Key)
	if err != nil {
		return err
	}
	at, is := ErasureOf(note)
	if !is || c.store == nil {
		return errors.New("the ring names no place in the log")
	}
	if c.beyond[place{at.Page, at.Position, section.Subject}] {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), readWithin)
	defer cancel()
	for stored, err := range c.store.Read(ctx, at.Page, at.Page) {
		if err != nil {
			return unread(ctx, err)
		}
		opened, err := c.verifier.Open(stored.Body)
		if err != nil {
			return err
		}
		if opened.Page != at.Page || at.Position < opened.OldSize || at.Position >= opened.Size {
			break
		}
		return c.saysErased(opened.Commits[at.Position-opened.OldSize], at.Position, section.Subject)
	}
	return fmt.Errorf("the log has nothing at page %d, position %d", at.Page, at.Position)
}

// saysErased looks into the header of a commit, which needs no key.
func (c *Codec) saysErased(stored []byte, position uint64, subject uuid.UUID) error {
	sealed, err := seal.Parse(stored)
	if err != nil {
		return err
	}
	h := sealed.Header
	says := slices.ContainsFunc(h.Events, func(e seal.Event) bool {
		return erases(e) && e.Stream.ID == subject
	})
	if h.Book != c.book || h.Epoch != c.epoch(position) || h.Position != position || !says {
		return fmt.Errorf("position %d of the log erases no such customer", position)
	}
	return nil
}
