package ledger_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/ledger"
)

// stuck is an archive whose disk stands still: whoever writes there comes back only when
// it moves again.
type stuck struct {
	free  atomic.Bool
	moves chan struct{}
}

func (s *stuck) Required() bool { return !s.free.Load() }

func (s *stuck) Write(context.Context, page.Head) error {
	if s.moves != nil {
		<-s.moves
	}
	return nil
}

// While the writer stands still in the archive nobody waits for ever, whether receipts
// need that still or not.
func TestArchiveStandsStill(t *testing.T) {
	w := newWorld(t)
	var s stuck
	w.archive, w.answerWithin = &s, 100*time.Millisecond
	o := w.mustOpen("a", w.store)
	w.begin(o)
	s.moves = make(chan struct{})
	first := w.enter("x")
	if _, err := o.Do(t.Context(), first); !errors.Is(err, ledger.ErrOutcomeUnknown) {
		t.Errorf("the command under way: %v", err)
	}
	s.free.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, name := range []string{"y", "z"} {
		_, err := o.Do(ctx, w.enter(name))
		if ctx.Err() != nil || !errors.Is(err, ledger.ErrOutcomeUnknown) && refusalCode(err) != ledger.CodeArchiveBehind {
			t.Fatalf("needed no more: %v", err)
		}
	}
	if _, err := o.Do(ctx, first); ctx.Err() != nil || !errors.Is(err, ledger.ErrOutcomeUnknown) {
		t.Errorf("what is under way still: %v", err)
	}
	close(s.moves)
	if r := patiently(t, o, first); r.Position == 0 {
		t.Errorf("%+v", r)
	}
	o.close(t)
	w.archive = nil
	w.verify(new(history), "a")
}
