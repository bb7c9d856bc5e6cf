package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/testing/given"
)

// vault is an archive that can be out of reach.
type vault struct {
	away atomic.Bool
	free atomic.Bool // receipts do not need it
	size atomic.Uint64
	slow chan struct{} // unless nil, it answers when this is closed
}

var errAway = errors.New("the archive is away")

func (v *vault) Required() bool { return !v.free.Load() }

func (v *vault) Write(ctx context.Context, h page.Head) error {
	if v.slow != nil {
		select {
		case <-v.slow:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if v.away.Load() {
		return errAway
	}
	v.size.Store(max(v.size.Load(), h.Size))
	return nil
}

// patiently repeats a command until it is answered with a receipt.
func patiently(t *testing.T, b ledger.Book, e ledger.Envelope) ledger.Receipt {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		r, err := b.Do(t.Context(), e)
		if err == nil {
			return r
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Whoever has a receipt finds what it is for in the archive, and so does whoever
// reads what is durable.
func TestNoReceiptBeforeTheArchive(t *testing.T) {
	w := newWorld(t)
	var v vault
	w.archive, w.answerWithin = &v, 100*time.Millisecond
	o := w.mustOpen("a", w.store)
	w.begin(o)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 20 {
				r, err := o.Do(t.Context(), w.enterReference(time.Now().String(), ""))
				if err != nil {
					continue // two of one name
				}
				if at := v.size.Load(); r.Position >= at {
					t.Errorf("a receipt for position %d, and the archive has %d commits", r.Position, at)
				}
				if durable := o.Durable().Size; durable > v.size.Load() {
					t.Errorf("%d commits are durable, and the archive has fewer", durable)
				}
			}
		})
	}
	group.Wait()
	o.close(t)
	w.archive = nil
	w.verify(new(history), "a")
}

// While the archive is away nobody waits for ever, and nothing is lost or entered
// twice when it is back.
func TestArchiveBehind(t *testing.T) {
	w := newWorld(t)
	var v vault
	w.archive, w.answerWithin = &v, 100*time.Millisecond
	o := w.mustOpen("a", w.store)
	w.begin(o)
	before := o.Durable()
	v.away.Store(true)
	first, second := w.enter("x"), w.enter("y")
	if _, err := o.Do(t.Context(), first); !errors.Is(err, ledger.ErrOutcomeUnknown) {
		t.Errorf("the command under way: %v", err)
	}
	for range 2 {
		if _, err := o.Do(t.Context(), second); refusalCode(err) != ledger.CodeArchiveBehind {
			t.Errorf("another command: %v", err)
		}
		if _, err := o.Do(t.Context(), first); !errors.Is(err, ledger.ErrOutcomeUnknown) || refusalCode(err) != "" {
			t.Errorf("the same command again: %v", err)
		}
	}
	if now := o.Durable(); now != before {
		t.Errorf("readers have %+v, and the archive %+v", now, before)
	}
	if err := o.Unsettled(); !errors.Is(err, errAway) {
		t.Errorf("it says of itself: %v", err)
	}
	v.away.Store(false)
	if r := patiently(t, o, first); r.Position != before.Size {
		t.Errorf("the first command is at %d, and not at %d", r.Position, before.Size)
	}
	if r := patiently(t, o, second); r.Position != before.Size+1 || r.Repeated {
		t.Errorf("the second command: %+v", r)
	}
	if got := o.Durable().Size; got != before.Size+2 {
		t.Errorf("%d commits, and not %d", got, before.Size+2)
	}
	o.close(t)
	w.archive = nil
	w.verify(new(history), "a")
}

// While the log takes nothing nobody waits for ever either, and nothing is lost or
// entered twice when it does again.
func TestLogBehind(t *testing.T) {
	w := newWorld(t)
	w.answerWithin = 100 * time.Millisecond
	var away atomic.Bool
	o := w.mustOpen("a", &hooked{Store: w.store, append: func(ctx context.Context, after uint64, body []byte) error {
		if away.Load() {
			return errCut
		}
		return w.store.Append(ctx, after, body)
	}})
	w.begin(o)
	before := o.Durable()
	away.Store(true)
	first, second := w.enter("x"), w.enter("y")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := o.Do(ctx, first); !errors.Is(err, ledger.ErrOutcomeUnknown) || refusalCode(err) != "" || ctx.Err() != nil {
		t.Errorf("the command under way: %v", err)
	}
	if _, err := o.Do(ctx, second); refusalCode(err) != ledger.CodeLogBehind {
		t.Errorf("another command: %v", err)
	}
	if _, err := o.Do(ctx, first); !errors.Is(err, ledger.ErrOutcomeUnknown) {
		t.Errorf("the same command again: %v", err)
	}
	away.Store(false)
	patiently(t, o, first)
	patiently(t, o, second)
	if got := o.Durable().Size; got != before.Size+2 {
		t.Errorf("%d commits, and not %d", got, before.Size+2)
	}
	o.close(t)
	w.verify(new(history), "a")
}

// A slow archive is waited for, but not by those who gave the commands.
func TestArchiveSlow(t *testing.T) {
	w := newWorld(t)
	var v vault
	v.slow = make(chan struct{})
	w.archive, w.answerWithin = &v, 100*time.Millisecond
	o := w.mustOpen("a", w.store)
	e := w.envelope(given.Open(w.book))
	if _, err := o.Do(t.Context(), e); refusalCode(err) != ledger.CodeArchiveBehind {
		t.Errorf("the first command: %v", err)
	}
	close(v.slow)
	patiently(t, o, e)
	o.close(t)
}

// As soon as receipts do not need the archive, no command is told that it is behind, be
// it away or slow.
func TestArchiveNeededNoMore(t *testing.T) {
	for _, slow := range []bool{false, true} {
		w := newWorld(t)
		var v vault
		w.archive, w.answerWithin = &v, 100*time.Millisecond
		o := w.mustOpen("a", w.store)
		w.begin(o)
		if slow {
			v.slow = make(chan struct{})
		} else {
			v.away.Store(true)
		}
		for round := range 2 {
			first := w.enter(fmt.Sprint("x", round))
			for _, e := range []ledger.Envelope{first, w.enter(fmt.Sprint("y", round))} {
				if _, err := o.Do(t.Context(), e); err == nil {
					t.Fatal("a receipt without the archive")
				}
			}
			time.Sleep(200 * time.Millisecond) // the pauses between tries become longer
			v.free.Store(true)
			for i := range 3 {
				if _, err := o.Do(t.Context(), w.enter(fmt.Sprint("z", round, i))); err != nil {
					t.Errorf("slow %t: %v", slow, err)
				}
			}
			if r, err := o.Do(t.Context(), first); err != nil || !r.Repeated {
				t.Errorf("slow %t: what was under way: %+v, %v", slow, r, err)
			}
			if err := o.Unsettled(); err != nil {
				t.Errorf("it says of itself: %v", err)
			}
			v.free.Store(false)
		}
		v.free.Store(true)
		o.close(t)
		w.archive = nil
		w.verify(new(history), "a")
	}
}

// What a process left that ended while the archive was away is archived by the
// next one, before that answers anything.
func TestArchiveBehindAtStart(t *testing.T) {
	w := newWorld(t)
	var v vault
	w.archive, w.answerWithin = &v, 100*time.Millisecond
	o := w.mustOpen("a", w.store)
	w.begin(o)
	before := o.Durable().Size
	v.away.Store(true)
	left := w.enter("x")
	if _, err := o.Do(t.Context(), left); !errors.Is(err, ledger.ErrOutcomeUnknown) {
		t.Fatal(err)
	}
	abandon, cancel := context.WithCancel(context.Background())
	cancel()
	if err := errors.Join(o.Close(abandon), o.state.Close(), o.head.Close()); err != nil {
		t.Fatal(err)
	}
	again := w.mustOpen("a", w.store)
	if now := again.Durable().Size; now != before {
		t.Errorf("readers have %d commits, and the archive %d", now, before)
	}
	for range 2 { // the first begins, the second comes while it does
		if _, err := again.Do(t.Context(), w.enter("y")); refusalCode(err) != ledger.CodeArchiveBehind {
			t.Errorf("another command: %v", err)
		}
	}
	v.away.Store(false)
	if r := patiently(t, again, left); r.Position != before || !r.Repeated {
		t.Errorf("what was left: %+v", r)
	}
	if got := v.size.Load(); got != before+1 {
		t.Errorf("the archive has %d commits, and not %d", got, before+1)
	}
	if got := patiently(t, again, w.enter("z")).Position; got != before+1 {
		t.Errorf("the next command is at %d, and not at %d: what was refused is in the book", got, before+1)
	}
	again.close(t)
	w.archive = nil
	w.verify(new(history), "a")
}
