package ledger_test

import (
	"testing"

	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/testing/given"
)

// A command that is in the book is never entered again, whoever asks and however
// the writer came by what it knows; the receipt is for the original.
func TestACommandIsKnownForEver(t *testing.T) {
	t.Parallel()
	again := func(t *testing.T, o *writer, e ledger.Envelope, first ledger.Receipt) {
		t.Helper()
		size := o.Durable().Size
		r, err := o.Do(t.Context(), e)
		if err != nil || !r.Repeated || r.Position != first.Position || r.Entry != first.Entry {
			t.Errorf("the same command again: %+v, %v", r, err)
		}
		if now := o.Durable().Size; now != size {
			t.Errorf("the log grew from %d to %d commits", size, now)
		}
	}
	for name, meanwhile := range map[string]func(t *testing.T, w *world, o *writer) *writer{
		"at once": func(_ *testing.T, _ *world, o *writer) *writer { return o },
		"after a start": func(t *testing.T, w *world, o *writer) *writer {
			o.close(t)
			return w.mustOpen("a", w.store)
		},
		"after the state file was lost": func(t *testing.T, w *world, o *writer) *writer {
			o.close(t)
			remove(t, w, "state-a", "state-a-wal", "state-a-shm")
			return w.mustOpen("a", w.store)
		},
		"by another writer": func(t *testing.T, w *world, o *writer) *writer {
			o.close(t)
			return w.mustOpen("b", w.store)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.init("b")
			o := w.mustOpen("a", w.store)
			w.begin(o)
			// A command whose repetition no state would refuse: an edit.
			content := given.Content("ada", given.Line("1", "10", "S 20"))
			draft := w.envelope(given.Draft("x", content))
			edit := w.envelope(&invoice.Edit{ID: given.ID("x"), Content: content, Personal: given.Text(1)})
			var receipts []ledger.Receipt
			for _, e := range []ledger.Envelope{draft, edit} {
				r, err := o.Do(t.Context(), e)
				if err != nil {
					t.Fatal(err)
				}
				receipts = append(receipts, r)
			}
			o = meanwhile(t, w, o)
			again(t, o, edit, receipts[1])
			again(t, o, draft, receipts[0])
			o.close(t)
			h := history{receipts: receipts}
			w.verify(&h, "a")
		})
	}
}
