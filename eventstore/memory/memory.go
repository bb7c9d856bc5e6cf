// Package memory is an eventstore.Store that keeps a book's log in memory. It
// keeps every promise of the contract except that its pages end with the
// process: it serves tests and whatever needs a log for a moment.
//
// A Log is what a disk or a server would be; a Store is one opening of it. Two
// Stores on one Log are two processes at one book.
package memory

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/daybook-ledger/daybook/eventstore"
)

// DefaultMaxPage is the largest page, in bytes, of a log made by NewLog(0).
const DefaultMaxPage = 8 << 20

// Log holds the pages. It outlives the stores that are opened on it.
type Log struct {
	maxPage int

	mu    sync.Mutex
	pages [][]byte
	grown chan struct{} // closed and replaced when a page is added
}

// NewLog makes an empty log whose pages have at most maxPage bytes
// (DefaultMaxPage if maxPage is 0 or less).
func NewLog(maxPage int) *Log {
	if maxPage <= 0 {
		maxPage = DefaultMaxPage
	}
	return &Log{maxPage: maxPage, grown: make(chan struct{})}
}

// Store is one opening of a Log.
type Store struct {
	log  *Log
	done chan struct{}
	once sync.Once
}

var _ eventstore.Store = (*Store)(nil)

// New opens a store on a log of its own.
func New() *Store { return Open(NewLog(0)) }

// Open opens a store on log.
func Open(log *Log) *Store {
	return &Store{log: log, done: make(chan struct{})}
}

// Append stores a page behind the fence.
func (s *Store) Append(ctx context.Context, after uint64, body []byte) error {
	if s.closed() {
		return fmt.Errorf("eventstore: append page: %w", eventstore.ErrClosed)
	}
	if len(body) > s.log.maxPage {
		return fmt.Errorf("eventstore: append page of %d bytes: %w", len(body), eventstore.ErrTooLarge)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("eventstore: append page: %w: %w", eventstore.ErrUnclear, err)
	}
	return s.log.add(after, body)
}

// Read yields the pages from first to last.
func (s *Store) Read(ctx context.Context, first, last uint64) iter.Seq2[eventstore.Page, error] {
	return func(yield func(eventstore.Page, error) bool) {
		for number := max(first, 1); number <= last; number++ {
			if err := s.stopped(ctx); err != nil {
				yield(eventstore.Page{}, fmt.Errorf("eventstore: read page %d: %w", number, err))
				return
			}
			page, _, ok := s.log.page(number)
			if !ok || !yield(page, nil) {
				return
			}
		}
	}
}

// Follow yields the pages from first on, then those to come.
func (s *Store) Follow(ctx context.Context, first uint64) iter.Seq2[eventstore.Page, error] {
	return func(yield func(eventstore.Page, error) bool) {
		for number := max(first, 1); ; {
			if err := s.stopped(ctx); err != nil {
				yield(eventstore.Page{}, fmt.Errorf("eventstore: follow from page %d: %w", number, err))
				return
			}
			page, grown, ok := s.log.page(number)
			if ok {
				if !yield(page, nil) {
					return
				}
				number++
				continue
			}
			select {
			case <-grown:
			case <-ctx.Done():
			case <-s.done:
			}
		}
	}
}

// Last is the number of the newest page.
func (s *Store) Last(ctx context.Context) (uint64, error) {
	if err := s.stopped(ctx); err != nil {
		return 0, fmt.Errorf("eventstore: last page: %w", err)
	}
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return uint64(len(s.log.pages)), nil
}

// MaxPage is the largest body that Append takes.
func (s *Store) MaxPage() int { return s.log.maxPage }

// Recover has nothing to do: memory answers dependably.
func (s *Store) Recover(ctx context.Context) error {
	if err := s.stopped(ctx); err != nil {
		return fmt.Errorf("eventstore: recover: %w", err)
	}
	return nil
}

// Close releases the store. The log keeps its pages.
func (s *Store) Close() error {
	s.once.Do(func() { close(s.done) })
	return nil
}

func (s *Store) closed() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

func (s *Store) stopped(ctx context.Context) error {
	if s.closed() {
		return eventstore.ErrClosed
	}
	return ctx.Err()
}

func (l *Log) add(after uint64, body []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if last := uint64(len(l.pages)); after != last {
		return fmt.Errorf("eventstore: append after page %d, the last is %d: %w", after, last, eventstore.ErrFenced)
	}
	// A copy, so that the log keeps its page even where a caller breaks its
	// word and changes the body afterwards.
	l.pages = append(l.pages, slices.Clone(body))
	close(l.grown)
	l.grown = make(chan struct{})
	return nil
}

// page gives a copy, which the receiver owns, and otherwise the channel that
// tells of the next page.
func (l *Log) page(number uint64) (eventstore.Page, <-chan struct{}, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if number > uint64(len(l.pages)) {
		return eventstore.Page{}, l.grown, false
	}
	return eventstore.Page{Number: number, Body: slices.Clone(l.pages[number-1])}, nil, true
}
