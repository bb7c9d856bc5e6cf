package ledger_test

import (
	"context"
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
