package ledger_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/ledger"
)

// Commands that were submitted one after the other stand in the log in that
// order, also where the page that had some of them failed and they were decided
// again.
func TestOrderOutlastsAFailedAppend(t *testing.T) {
	w := newWorld(t)
	release := make(chan struct{})
	var armed atomic.Bool
	o := w.mustOpen("a", &hooked{Store: w.store, append: func(ctx context.Context, after uint64, body []byte) error {
		if armed.CompareAndSwap(true, false) {
			<-release
			return errCut
		}
		return w.store.Append(ctx, after, body)
	}})
	w.begin(o)
	armed.Store(true)
	const commands = 8
	var waits []func() (ledger.Receipt, error)
	for i := range commands {
		waits = append(waits, o.Submit(t.Context(), w.enterReference(fmt.Sprint(i), fmt.Sprint("R-", i))))
	}
	waitFor(t, func() bool { // all are decided, and none is durable
		_, found, err := o.Find(t.Context(), domain.Reference{Kind: domain.DocumentReference, Value: fmt.Sprint("R-", commands-1)})
		return found && err == nil
	})
	close(release)
	var h history
	for i, wait := range waits {
		r, err := wait()
		if err != nil {
			t.Fatal(err)
		}
		if r.Position != uint64(2+i) {
			t.Errorf("command %d stands at position %d", i, r.Position)
		}
		h.add(r)
	}
	o.close(t)
	w.verify(&h, "a")
}
