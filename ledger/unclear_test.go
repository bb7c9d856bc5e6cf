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

// A page without a clear answer may still come up, however much later. Before
// its commands are decided again, and perhaps refused, its place is taken: what
// somebody was told is refused never comes to be.
func TestWhatWasRefusedNeverComesToBe(t *testing.T) {
	w := newWorld(t)
	late := make(chan struct{})
	struck, stored := false, make(chan error, 1)
	store := &hooked{Store: w.store, append: func(ctx context.Context, after uint64, body []byte) error {
		if struck || w.now.Load() == 0 || w.commits(body) == 0 {
			return w.store.Append(ctx, after, body)
		}
		struck = true
		w.now.Store(int64(time.Hour)) // from now on every command is refused
		go func() {
			<-late
			stored <- w.store.Append(context.Background(), after, body)
		}()
		return errCut
	}}
	o := w.mustOpen("a", store)
	w.begin(o)
	w.now.Store(1)
	_, err := o.Do(t.Context(), w.enterReference("x", "R-1"))
	if refusalCode(err) != ledger.CodeClockJumped {
		t.Fatalf("decided again after the clock jumped: %v", err)
	}
	close(late)
	if err := <-stored; err == nil {
		t.Error("the page was stored after its command was refused")
	}
	w.now.Store(0)
	o.close(t)
	again := w.mustOpen("a", w.store)
	if _, found, err := again.Find(t.Context(), domain.Reference{Kind: domain.DocumentReference, Value: "R-1"}); found || err != nil {
		t.Errorf("what was refused is in the book: %v, %v", found, err)
	}
	again.close(t)
	w.verify(new(history), "a")
}

// A page that an earlier writer sent may come up after it died. The writer that
// takes over takes its place before it decides anything, refusals included.
func TestTakingOverComesBeforeRefusing(t *testing.T) {
	w := newWorld(t)
	w.init("b")
	late, sent := make(chan struct{}), make(chan struct{})
	stored := make(chan error, 1)
	var armed, cut atomic.Bool
	a := w.mustOpen("a", &hooked{Store: w.store, append: func(ctx context.Context, after uint64, body []byte) error {
		switch {
		case cut.Load():
			return errCut
		case !armed.Load():
			return w.store.Append(ctx, after, body)
		}
		cut.Store(true)
		go func() {
			<-late
			stored <- w.store.Append(context.Background(), after, body)
		}()
		close(sent)
		return errCut
	}})
	w.begin(a)
	armed.Store(true)
	e := w.enterReference("x", "R-1")
	wait := a.Submit(t.Context(), e)
	<-sent
	abandon, cancel := context.WithCancel(context.Background())
	cancel()
	if err := errors.Join(a.Close(abandon), a.state.Close(), a.head.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := wait(); !errors.Is(err, ledger.ErrOutcomeUnknown) {
		t.Errorf("the earlier writer's caller heard %v", err)
	}
	b := w.mustOpen("b", w.store)
	w.now.Store(int64(time.Hour)) // from now on every command is refused
	if _, err := b.Do(t.Context(), e); refusalCode(err) != ledger.CodeClockJumped {
		t.Fatalf("the same command: %v", err)
	}
	close(late)
	if err := <-stored; err == nil {
		t.Error("the earlier writer's page was stored after its command was refused")
	}
	w.now.Store(0)
	b.close(t)
	w.verify(new(history), "b")
}
