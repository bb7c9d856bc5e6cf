package ledger_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/daybook-ledger/daybook/ledger"
)

// While the head cannot be remembered no receipt leaves, though the page is in
// the log: a receipt that no head stands behind could be lost with the log's end
// and nobody would know. Once the head can be remembered, the same command tells
// that it is in the book.
func TestNoReceiptWithoutARememberedHead(t *testing.T) {
	w := newWorld(t)
	o := w.mustOpen("a", w.store)
	w.begin(o)
	before := o.head.Head()
	if err := o.head.Close(); err != nil { // nothing can be written to it any more
		t.Fatal(err)
	}
	e := w.enter("x")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := o.Do(ctx, e); !errors.Is(err, ledger.ErrOutcomeUnknown) {
		t.Errorf("answered without a remembered head: %v", err)
	}
	if o.Unsettled() == nil {
		t.Error("nothing tells that no receipt can be given")
	}
	if last, err := w.store.Last(t.Context()); err != nil || last <= before.Page {
		t.Errorf("the log ends at page %d (%v), as before: the head was not what held the receipt up", last, err)
	}
	abandon, cancel := context.WithCancel(context.Background())
	cancel()
	if err := errors.Join(o.Close(abandon), o.state.Close()); err != nil {
		t.Fatal(err)
	}
	again := w.mustOpen("a", w.store)
	var h history
	r, err := again.Do(t.Context(), e)
	if err != nil || !r.Repeated || r.Page <= before.Page {
		t.Errorf("the same command later: %+v, %v", r, err)
	}
	h.add(r)
	again.close(t)
	w.verify(&h, "a")
}
