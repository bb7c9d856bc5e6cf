package ledger_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/ledger"
)

// What was refused stays so: a command that was refused while another waited for the
// log is not entered after all when that one turns out not to be stored.
func TestRefusedWhileTheLogIsBehind(t *testing.T) {
	w := newWorld(t)
	w.answerWithin = 100 * time.Millisecond
	var full, down atomic.Bool
	w.room = func() error {
		if full.Load() {
			return domain.Refuse("disk-full", "no room")
		}
		return nil
	}
	o := w.mustOpen("a", &hooked{Store: w.store, append: func(ctx context.Context, after uint64, body []byte) error {
		if down.Load() {
			return errCut
		}
		return w.store.Append(ctx, after, body)
	}})
	w.begin(o)
	down.Store(true)
	first := w.enterReference("x", "R-1")
	waits := o.Submit(t.Context(), first)
	if _, err := waits(); !errors.Is(err, ledger.ErrOutcomeUnknown) {
		t.Errorf("the command under way: %v", err)
	}
	down.Store(false)
	patiently(t, o, first)

	down.Store(true)
	waits = o.Submit(t.Context(), w.enterReference("y", "R-2"))
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if _, found, err := o.Find(t.Context(), domain.Reference{Kind: domain.DocumentReference, Value: "R-2"}); err != nil || found {
			break // it is decided
		}
	}
	full.Store(true)
	refused := w.enterReference("z", "R-3")
	if _, err := o.Do(t.Context(), refused); refusalCode(err) == "" {
		t.Errorf("a command that there is no room for: %v", err)
	}
	if _, err := waits(); !errors.Is(err, ledger.ErrOutcomeUnknown) {
		t.Errorf("the command under way: %v", err)
	}
	full.Store(false)
	down.Store(false)
	patiently(t, o, w.enterReference("last", "R-4"))
	if _, found, err := o.Find(t.Context(), domain.Reference{Kind: domain.DocumentReference, Value: "R-3"}); err != nil || found {
		t.Errorf("what was refused is in the book: %t, %v", found, err)
	}
	o.close(t)
	w.room = nil
	w.verify(new(history), "a")
}

// Who asks while nothing can be told, for the archive is away, waits no longer than its
// context.
func TestFindEndsWithItsContext(t *testing.T) {
	w := newWorld(t)
	w.answerWithin = 100 * time.Millisecond
	var v vault
	w.archive = &v
	var cut atomic.Bool
	o := w.mustOpen("a", &hooked{Store: w.store, append: func(ctx context.Context, after uint64, body []byte) error {
		if cut.CompareAndSwap(true, false) {
			v.away.Store(true)
			return errCut // it is not stored: a barrier settles that, and the writer starts over
		}
		return w.store.Append(ctx, after, body)
	}})
	w.begin(o)
	cut.Store(true)
	if _, err := o.Do(t.Context(), w.enterReference("x", "R-1")); !errors.Is(err, ledger.ErrOutcomeUnknown) {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := o.Find(ctx, domain.Reference{Kind: domain.DocumentReference, Value: "R-2"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("asked with a context that ends: %v", err)
	}
	v.away.Store(false)
	o.close(t)
}
