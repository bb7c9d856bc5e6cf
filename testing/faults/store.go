// Package faults makes what the ledger stands on fail, on purpose and
// repeatably. Store is an eventstore.Store that does so.
package faults

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/daybook-ledger/daybook/eventstore"
)

// Kind says what becomes of an append.
type Kind uint8

// The kinds of faults.
const (
	// None lets the append through.
	None Kind = iota
	// Without does not store the page, and ends with ErrUnclear.
	Without
	// With stores the page, and ends with ErrUnclear all the same.
	With
	// Late ends with ErrUnclear, and tries to store the page only when Release
	// is called: it may come up long after, or meet the fence.
	Late
	// Plant stores another page (Fault.Page) at the same number first, as a
	// second writer would. The append then meets the fence.
	Plant
)

var kindNames = [...]string{"none", "without effect", "with effect", "late", "plant"}

// String names the kind.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// ErrInjected is in the chain of every error that a fault made.
var ErrInjected = errors.New("faults: injected")

// Fault is what happens to one append.
type Fault struct {
	Kind Kind
	// Page is planted by Plant.
	Page []byte
	// Delay is waited before anything else, or until the context ends: then
	// nothing is stored and the append is unclear.
	Delay time.Duration
	// Before is called before the page goes to the store, After when what
	// becomes of it is decided and before Append returns. Either may panic or
	// end the process: a crash at that moment.
	Before, After func(after uint64, body []byte)
}

// Rates are the chances of each fault in random mode, each from 0 to 1. Their
// sum is at most 1; what is left are appends without a fault.
type Rates struct {
	Without, With, Late, Plant float64
	// MaxDelay delays each append by up to that much.
	MaxDelay time.Duration
	// Page makes the page that Plant stores at a number.
	Page func(number uint64) []byte
}

// Event is one append that came through a Store.
type Event struct {
	After uint64
	Kind  Kind
	// Err is what the caller was told.
	Err error
}

// Store passes everything to another store, but for the faults that it was told
// to make. It is safe for concurrent use.
type Store struct {
	inner eventstore.Store

	mu      sync.Mutex
	queue   []Fault
	at      map[uint64]Fault
	random  *rand.Rand
	rates   Rates
	late    []pending
	recover []error
	events  []Event
}

// pending is an append that waits for Release.
type pending struct {
	after uint64
	body  []byte
}

var _ eventstore.Store = (*Store)(nil)

// Wrap gives a store without faults so far.
func Wrap(inner eventstore.Store) *Store {
	return &Store{inner: inner, at: map[uint64]Fault{}}
}

// Next makes these faults happen to the next appends, one each, in order.
func (s *Store) Next(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(s.queue, faults...)
}

// At makes a fault happen to the next append after that page. It comes before
// those of Next.
func (s *Store) At(after uint64, fault Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at[after] = fault
}

// Random makes faults happen by chance where neither At nor Next says anything.
// The same seed gives the same faults to the same sequence of appends. Zero
// Rates switch it off.
func (s *Store) Random(seed uint64, rates Rates) error {
	for _, rate := range []float64{rates.Without, rates.With, rates.Late, rates.Plant} {
		if rate < 0 || rate > 1 {
			return fmt.Errorf("faults: rate %g is not a chance", rate)
		}
	}
	if sum := rates.Without + rates.With + rates.Late + rates.Plant; sum > 1 {
		return fmt.Errorf("faults: the rates sum up to %g, more than 1", sum)
	}
	if rates.Plant > 0 && rates.Page == nil {
		return errors.New("faults: there is nothing to plant")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.random, s.rates = rand.New(rand.NewPCG(seed, 0)), rates
	return nil
}

// FailRecover makes the next calls of Recover fail with these errors, one each,
// without reaching the store.
func (s *Store) FailRecover(errs ...error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recover = append(s.recover, errs...)
}

// Release tries to store the late pages, in the order in which they came, and
// gives what the store said to each.
func (s *Store) Release(ctx context.Context) []error {
	s.mu.Lock()
	late := s.late
	s.late = nil
	s.mu.Unlock()
	var errs []error
	for _, page := range late {
		errs = append(errs, s.inner.Append(ctx, page.after, page.body))
	}
	return errs
}

// Events are the appends so far, in the order in which they ended.
func (s *Store) Events() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Event(nil), s.events...)
}

// Append makes the fault that is due, or appends.
func (s *Store) Append(ctx context.Context, after uint64, body []byte) error {
	fault := s.due(after)
	err := s.append(ctx, fault, after, body)
	s.mu.Lock()
	s.events = append(s.events, Event{After: after, Kind: fault.Kind, Err: err})
	s.mu.Unlock()
	if fault.After != nil {
		fault.After(after, body)
	}
	return err
}

func (s *Store) append(ctx context.Context, fault Fault, after uint64, body []byte) error {
	if err := wait(ctx, fault.Delay); err != nil {
		return unclear(after, err)
	}
	if fault.Before != nil {
		fault.Before(after, body)
	}
	switch fault.Kind {
	case Without:
		return unclear(after, ErrInjected)
	case With:
		// The store may have refused the page: then that is the answer, since
		// a refusal does not get lost as an acknowledgement does.
		if err := s.inner.Append(ctx, after, body); err != nil {
			return err
		}
		return unclear(after, ErrInjected)
	case Late:
		s.mu.Lock()
		s.late = append(s.late, pending{after, body})
		s.mu.Unlock()
		return unclear(after, ErrInjected)
	case Plant:
		if err := s.inner.Append(ctx, after, fault.Page); err != nil && !errors.Is(err, eventstore.ErrFenced) {
			return err
		}
		return s.inner.Append(ctx, after, body)
	default:
		return s.inner.Append(ctx, after, body)
	}
}

func unclear(after uint64, cause error) error {
	return fmt.Errorf("eventstore: append after page %d: %w: %w", after, eventstore.ErrUnclear, cause)
}

func wait(ctx context.Context, delay time.Duration) error {
	if delay <= 0 {
		return nil
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// due takes the fault for an append.
func (s *Store) due(after uint64) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	if fault, ok := s.at[after]; ok {
		delete(s.at, after)
		return fault
	}
	if len(s.queue) > 0 {
		fault := s.queue[0]
		s.queue = s.queue[1:]
		return fault
	}
	if s.random == nil {
		return Fault{}
	}
	return s.chance(after)
}

// chance draws a fault. It always draws twice, so that a seed means the same
// whatever the rates of delay are.
func (s *Store) chance(after uint64) Fault {
	kind, delay := s.random.Float64(), s.random.Float64()
	fault := Fault{Delay: time.Duration(delay * float64(s.rates.MaxDelay))}
	for _, chance := range []struct {
		kind Kind
		rate float64
	}{{Without, s.rates.Without}, {With, s.rates.With}, {Late, s.rates.Late}, {Plant, s.rates.Plant}} {
		if kind < chance.rate {
			fault.Kind = chance.kind
			if chance.kind == Plant {
				fault.Page = s.rates.Page(after + 1)
			}
			return fault
		}
		kind -= chance.rate
	}
	return fault
}

// Read reads from the store.
func (s *Store) Read(ctx context.Context, first, last uint64) iter.Seq2[eventstore.Page, error] {
	return s.inner.Read(ctx, first, last)
}

// Follow follows the store.
func (s *Store) Follow(ctx context.Context, first uint64) iter.Seq2[eventstore.Page, error] {
	return s.inner.Follow(ctx, first)
}

// Last asks the store.
func (s *Store) Last(ctx context.Context) (uint64, error) { return s.inner.Last(ctx) }

// MaxPage is the store's.
func (s *Store) MaxPage() int { return s.inner.MaxPage() }

// Recover recovers the store, but for the errors of FailRecover.
func (s *Store) Recover(ctx context.Context) error {
	s.mu.Lock()
	if len(s.recover) > 0 {
		err := s.recover[0]
		s.recover = s.recover[1:]
		s.mu.Unlock()
		return fmt.Errorf("eventstore: recover: %w: %w", ErrInjected, err)
	}
	s.mu.Unlock()
	return s.inner.Recover(ctx)
}

// Close closes the store. Late pages are lost.
func (s *Store) Close() error { return s.inner.Close() }
