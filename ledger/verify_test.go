package ledger_test

import (
	"context"
	"fmt"
	"os"
	"sync"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain/series"
	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/ledger/commit"
)

// history is what callers were told.
type history struct {
	mu       sync.Mutex
	receipts []ledger.Receipt
}

func (h *history) add(r ledger.Receipt) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.receipts = append(h.receipts, r)
}

// verify checks the log against what callers were told: the log verifies without
// any key and agrees with what the disks remember; every receipt is honoured; no
// command stands in it twice; numbers are gapless; and a writer that starts from
// nothing but the log comes to its end.
func (w *world) verify(h *history, disks ...string) {
	w.t.Helper()
	v := w.signer.Verifier()
	tree := transparency.NewMemory()
	positions, entries := make(map[uuid.UUID]uint64), make(map[uint64][32]byte)
	numbers := make(map[string]int)
	chain, err := page.NewChain(v, page.EmptyHead(), page.Edge{})
	if err != nil {
		w.t.Fatal(err)
	}
	for p, err := range commit.Replay(context.Background(), w.store, chain, w.codec, commit.End) {
		if err != nil {
			w.t.Fatalf("replay: %v", err)
		}
		for _, c := range p.Commits {
			if at, found := positions[c.ID]; found {
				w.t.Errorf("command %s stands at %d and at %d", c.ID, at, c.Position)
			}
			positions[c.ID], entries[c.Position] = c.Position, c.Entry
			if err := tree.Append(page.EntryLeaf(c.Entry)); err != nil {
				w.t.Fatal(err)
			}
			for _, e := range c.Events {
				if drawn, ok := e.Event.(*series.Drawn); ok {
					numbers[drawn.Number]++
				}
			}
		}
	}
	for n := 1; n <= len(numbers); n++ {
		if numbers[fmt.Sprintf("INV-%05d", n)] != 1 {
			w.t.Errorf("number %d of %d was drawn %d times", n, len(numbers), numbers[fmt.Sprintf("INV-%05d", n)])
		}
	}
	for _, r := range h.receipts {
		if at, found := positions[r.Command]; !found || at != r.Position || entries[at] != r.Entry {
			w.t.Errorf("the receipt of %s for position %d is not honoured: found %v at %d", r.Command, r.Position, found, at)
			continue
		}
		signed, err := r.Verify(v)
		if err != nil {
			w.t.Errorf("the receipt of %s: %v", r.Command, err)
			continue
		}
		if root, err := tree.RootAt(signed.Size); err != nil || root != signed.Root {
			w.t.Errorf("the receipt of %s is of a tree that the log never was (size %d, %v)", r.Command, signed.Size, err)
		}
	}
	for _, disk := range disks {
		o := w.mustOpen(disk, w.store)
		remembered := o.head.Head().Head
		o.close(w.t)
		report, err := transparency.Verify(context.Background(), w.store, v, transparency.Options{Expected: []transparency.Expectation{transparency.Remembered(remembered)}})
		if err != nil || !report.OK {
			w.t.Errorf("verify against disk %s: %+v, %v", disk, report, err)
		}
	}
	w.init("fresh")
	defer func() {
		for _, name := range []string{"head-fresh", "state-fresh", "state-fresh-wal", "state-fresh-shm", "tree-fresh"} {
			if err := os.Remove(w.path(name)); err != nil && !os.IsNotExist(err) {
				w.t.Error(err)
			}
		}
	}()
	fresh := w.mustOpen("fresh", w.store)
	if fresh.Durable() != chain.Head() {
		w.t.Errorf("a fresh writer comes to %+v, the log to %+v", fresh.Durable(), chain.Head())
	}
	fresh.close(w.t)
}

// hooked is a store whose appends a test decides on.
type hooked struct {
	eventstore.Store
	append func(ctx context.Context, after uint64, body []byte) error
}

func (h *hooked) Append(ctx context.Context, after uint64, body []byte) error {
	return h.append(ctx, after, body)
}

// commits is the number of commits in a page.
func (w *world) commits(body []byte) int {
	p, err := w.signer.Verifier().Open(body)
	if err != nil {
		w.t.Error(err)
	}
	return len(p.Commits)
}
