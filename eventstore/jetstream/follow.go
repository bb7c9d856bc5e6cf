package jetstream

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/daybook-ledger/daybook/eventstore"
)

const (
	// pollInterval is how often a follower looks for pages of which no word
	// came: such words are not kept for one who was away.
	pollInterval = time.Second
	// A follower that lost the server tries again after retryWait, then after
	// ever longer, at most retryWaitMax.
	retryWait    = 5 * time.Millisecond
	retryWaitMax = 500 * time.Millisecond
)

// Follow yields the pages from first on and waits for those to come. While the
// server is away, restarts, or is recovered, it waits too, for as long as the
// context allows, and goes on where it was. It ends with ErrGap where the log
// comes back without a page that was yielded.
func (s *Store) Follow(ctx context.Context, first uint64) iter.Seq2[eventstore.Page, error] {
	return func(yield func(eventstore.Page, error) bool) {
		f := &follower{
			store: s, ctx: ctx, next: max(first, 1), wait: retryWait,
			yield: func(p eventstore.Page) bool { return yield(p, nil) },
		}
		err := f.run()
		if err != nil && !errors.Is(err, errStop) {
			yield(eventstore.Page{}, fmt.Errorf("eventstore: follow, at page %d: %w", f.next, err))
		}
	}
}

type follower struct {
	store *Store
	ctx   context.Context
	yield func(eventstore.Page) bool
	next  uint64
	// seen is the last page that was yielded.
	seen uint64
	wait time.Duration
}

// run follows on one connection after the other.
func (f *follower) run() error {
	for {
		err := f.follow()
		if errors.Is(err, errStop) {
			return err
		}
		if err = f.store.reason(f.ctx, err); !errors.Is(err, ErrUnavailable) {
			return err
		}
		select {
		case <-time.After(f.wait):
		case <-f.ctx.Done():
			return f.ctx.Err()
		case <-f.store.life.Done():
			return eventstore.ErrClosed
		}
		f.wait = min(2*f.wait, retryWaitMax)
	}
}

// follow follows on one connection until it fails.
func (f *follower) follow() error {
	l, err := f.store.link()
	if err != nil {
		return err
	}
	stored := make(chan uint64, 1)
	sub, err := l.conn.Subscribe(StoredSubject(f.store.book), func(m *nats.Msg) { tell(stored, m) })
	if err != nil {
		return unavailable(f.ctx, err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := f.resume(); err != nil {
		return err
	}
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for {
		select {
		case <-l.alive.Done():
			return fmt.Errorf("%w: %w", ErrUnavailable, errLost)
		case number := <-stored:
			err = f.read(number)
		case <-poll.C:
			err = f.resume()
		case <-f.ctx.Done():
			return f.ctx.Err()
		case <-f.store.life.Done():
			return eventstore.ErrClosed
		}
		if err != nil {
			return err
		}
	}
}

// resume reads to the end of the log, and checks that it still holds what was
// yielded.
func (f *follower) resume() error {
	last, err := f.store.last(f.ctx)
	if err != nil {
		return err
	}
	if last < f.seen {
		return fmt.Errorf("the log now ends at page %d: %w", last, eventstore.ErrGap)
	}
	return f.read(last)
}

func (f *follower) read(last uint64) error {
	return f.store.read(f.ctx, &f.next, last, func(p eventstore.Page) bool {
		f.seen, f.wait = p.Number, retryWait
		return f.yield(p)
	})
}

// tell leaves the newest number in the channel.
func tell(stored chan uint64, m *nats.Msg) {
	number, err := strconv.ParseUint(m.Header.Get(jetstream.SequenceHeader), 10, 64)
	if err != nil {
		return
	}
	select {
	case <-stored:
	default:
	}
	select {
	case stored <- number:
	default:
	}
}
