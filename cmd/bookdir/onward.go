package bookdir

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/daybook-ledger/daybook/eventstore"
)

// onward reads a log that is open without keys through whoever holds the book. When that
// process ends it goes on where it was, through the next holder or by holding the book.
type onward struct {
	log *Log
	// yields is how long another process may take to come before this one holds the book,
	// and wait how long it may take to answer.
	yields, wait time.Duration

	mu    sync.Mutex
	store eventstore.Reader
	// last is the newest page that the log was said to have.
	last uint64
}

// yieldFor is for a holder that is started again, as after a change of its settings: were
// the book held by a check of hours then, nobody could give commands meanwhile.
const yieldFor = 5 * time.Second

// Last implements eventstore.Reader.
func (o *onward) Last(ctx context.Context) (uint64, error) {
	for tries := 0; ; tries++ {
		store := o.reached()
		last, err := store.Last(ctx)
		if err == nil {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.last = max(o.last, last)
			return last, nil
		}
		if err := o.again(ctx, store, err, tries); err != nil {
			return 0, err
		}
	}
}

// Read implements eventstore.Reader.
func (o *onward) Read(ctx context.Context, first, last uint64) iter.Seq2[eventstore.Page, error] {
	return func(yield func(eventstore.Page, error) bool) {
		next := first
		for tries := 0; ; tries++ {
			store := o.reached()
			var failed error
			for p, err := range store.Read(ctx, next, last) {
				if failed = err; err != nil {
					break
				}
				if !yield(p, nil) {
					return
				}
				next, tries = p.Number+1, 0
			}
			if failed == nil {
				return
			}
			if err := o.again(ctx, store, failed, tries); err != nil {
				yield(eventstore.Page{}, err)
				return
			}
		}
	}
}

func (o *onward) reached() eventstore.Reader {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.store
}

// again is nil when what failed may be tried again, for the log is reached anew. It is
// bounded, for holders that come and go must not keep a call for ever.
func (o *onward) again(ctx context.Context, was eventstore.Reader, failed error, tries int) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.store != was {
		return nil // another reader has reached it, and closed what this one had
	}
	if ctx.Err() != nil || tries == maxReopen || !errors.Is(failed, eventstore.ErrUnavailable) {
		return failed
	}
	l := o.log
	if err := l.link.close(context.WithoutCancel(ctx)); err != nil {
		l.link.options.Log.Debug("what the former holder left could not be closed", "error", err)
	}
	o.store = &unreached{} // until it is, by this call or a later one
	next, err := reachLog(ctx, l.link.dir, o.yields, o.wait, l.link.options.Log)
	if err != nil {
		return err
	}
	return o.goOn(ctx, next)
}

// goOn goes on with the log as it was reached anew. The mutex is held.
func (o *onward) goOn(ctx context.Context, next *Log) error {
	if err := o.same(ctx, next); err != nil {
		err = errors.Join(err, next.Close(context.WithoutCancel(ctx)))
		if errors.Is(err, eventstore.ErrUnavailable) { // that holder has ended too
			return nil
		}
		return err
	}
	for _, f := range next.link.given() {
		o.log.link.onClose(f)
	}
	o.store = next.Store
	return nil
}

// unreached is a log that nobody has reached since its holder ended.
type unreached struct{ _ byte } // each is another one

// Last implements eventstore.Reader.
func (*unreached) Last(context.Context) (uint64, error) { return 0, eventstore.ErrUnavailable }

// Read implements eventstore.Reader.
func (*unreached) Read(context.Context, uint64, uint64) iter.Seq2[eventstore.Page, error] {
	return func(yield func(eventstore.Page, error) bool) { yield(eventstore.Page{}, eventstore.ErrUnavailable) }
}

// same refuses to go on with a log that became another one while nobody held it.
func (o *onward) same(ctx context.Context, next *Log) error {
	if !bytes.Equal(next.Info.signed, o.log.Info.signed) {
		return fmt.Errorf("%w: its keys were changed just now", ErrBusy)
	}
	last, err := next.Store.Last(ctx)
	if err == nil && last < o.last { // a page of which nobody was told may have gone with its writer
		err = fmt.Errorf("%w: the log ended at page %d, and does at %d since its holder ended", ErrBusy, o.last, last)
	}
	return err
}
