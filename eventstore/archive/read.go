package archive

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/page"
)

// Reader reads the pages of an archived log. It is safe for concurrent use.
type Reader struct {
	log      Log
	ids      Identities
	verifier *page.Verifier
	all      []Segment
	last     uint64

	mu     sync.Mutex
	known  map[uint64]tlog.Hash
	newest page.Head
	bad    map[Segment]error
}

var _ eventstore.Reader = (*Reader)(nil)

// Open lists the segments of a log. The verifier is that of its list of keys.
func (l Log) Open(ctx context.Context, ids Identities, v *page.Verifier) (*Reader, error) {
	all, err := l.Segments(ctx)
	if err != nil {
		return nil, err
	}
	r := &Reader{log: l, ids: ids, verifier: v, all: all, known: map[uint64]tlog.Hash{}, bad: map[Segment]error{}}
	for _, s := range all {
		r.last = max(r.last, s.Last)
	}
	return r, nil
}

// Segments are those of the log, as they were listed.
func (r *Reader) Segments() []Segment { return r.all }

// Last implements eventstore.Reader: the last page of any segment.
func (r *Reader) Last(context.Context) (uint64, error) { return r.last, nil }

// Read implements eventstore.Reader. A segment that is damaged is a gap; ErrIdentity
// where the identities do not open one.
func (r *Reader) Read(ctx context.Context, first, last uint64) iter.Seq2[eventstore.Page, error] {
	first, last = max(first, 1), min(last, r.last)
	return func(yield func(eventstore.Page, error) bool) {
		if first > last {
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		chosen, _ := Cover(r.all, first)
		next := first
		for opened := range r.ahead(ctx, chosen) {
			if opened.err != nil {
				yield(eventstore.Page{}, opened.err)
				return
			}
			for _, p := range opened.pages {
				switch {
				case p.Number < next:
					continue
				case p.Number > last:
					return
				case !yield(p, nil):
					return
				}
				next++
			}
			if next > last {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(eventstore.Page{}, err)
			return
		}
		yield(eventstore.Page{}, fmt.Errorf("%w: %w: page %d is in no segment of %s", eventstore.ErrGap, ErrNotFound, next, r.log.Place))
	}
}

// After gives the first page after one that a segment begins with: where reading can go
// on after a gap.
func (r *Reader) After(number uint64) (next uint64, more bool) {
	for _, s := range r.all {
		if s.First > number && (!more || s.First < next) {
			next, more = s.First, true
		}
	}
	return next, more
}

type opened struct {
	pages []eventstore.Page
	err   error
}

// ahead opens segments beside each other, a few ahead, and gives them in order.
func (r *Reader) ahead(ctx context.Context, chosen []Segment) <-chan opened {
	const waiting = 2
	ordered := make(chan chan opened, waiting)
	out := make(chan opened)
	go func() {
		defer close(ordered)
		for _, s := range chosen {
			one := make(chan opened, 1)
			select {
			case ordered <- one:
			case <-ctx.Done():
				return
			}
			go func() {
				pages, err := r.segment(ctx, s)
				one <- opened{pages, err}
			}()
		}
	}()
	go func() {
		defer close(out)
		for one := range ordered {
			select {
			case out <- <-one:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// segment opens one.
func (r *Reader) segment(ctx context.Context, s Segment) ([]eventstore.Page, error) {
	r.mu.Lock()
	err := r.bad[s]
	r.mu.Unlock()
	if err != nil {
		return nil, err
	}
	c, err := r.content(ctx, s)
	switch {
	case err == nil:
		if err := r.Know(c.checkpoint); err != nil {
			return c.pages, fmt.Errorf("%s: %w", s.Name(), err)
		}
		return c.pages, nil
	case errors.Is(err, ErrDamaged), errors.Is(err, ErrNotFound):
		err = fmt.Errorf("%w: %s: %w", eventstore.ErrGap, s.Name(), err)
		r.mu.Lock()
		r.bad[s] = err
		r.mu.Unlock()
	}
	return nil, err
}

func (r *Reader) content(ctx context.Context, s Segment) (content, error) {
	sealed, err := r.log.Place.Get(ctx, r.log.name(s.Name()))
	if err != nil {
		return content{}, err
	}
	plain, err := r.ids.open(sealed)
	if err != nil {
		return content{}, err
	}
	c, err := decode(plain)
	if err != nil {
		return content{}, err
	}
	if c.origin != r.log.Origin || c.pages[0].Number != s.First || c.pages[len(c.pages)-1].Number != s.Last {
		return content{}, fmt.Errorf("%w: it holds pages %d to %d of %s", ErrDamaged, c.pages[0].Number, c.pages[len(c.pages)-1].Number, c.origin)
	}
	return c, nil
}

// Know takes note of a checkpoint of the log, as it is of each segment's.
func (r *Reader) Know(checkpoint []byte) error {
	h, err := r.verifier.Checkpoint(checkpoint)
	if errors.Is(err, page.ErrKeyRange) || errors.Is(err, page.ErrCheckpointSignature) {
		return nil // by a key that was compromised since, or that the list has not: it proves nothing
	}
	if err != nil {
		return fmt.Errorf("%w: its checkpoint: %w", ErrDamaged, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if was, known := r.known[h.Size]; known && was != h.Root {
		return fmt.Errorf("%w: two checkpoints of size %d contradict one another", ErrDamaged, h.Size)
	}
	r.known[h.Size] = h.Root
	if h.Size > r.newest.Size {
		r.newest = h
	}
	return nil
}

// Contradicts reports whether a checkpoint that is known says another root at a head's
// size.
func (r *Reader) Contradicts(h page.Head) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	root, known := r.known[h.Size]
	return known && root != h.Root
}

// Latest is the newest checkpoint of the last segment, or of one that is known;
// its page is 0. It tells how far the log is known to have come, even where pages
// are missing.
func (r *Reader) Latest(ctx context.Context) (page.Head, error) {
	for _, s := range r.all {
		if s.Last != r.last {
			continue
		}
		if _, err := r.segment(ctx, s); err != nil && !errors.Is(err, eventstore.ErrGap) {
			return page.Head{}, err
		}
	}
	return r.Newest(), nil
}

// Newest is the newest checkpoint that is known and counts; its page is 0.
func (r *Reader) Newest() page.Head {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.newest
}
