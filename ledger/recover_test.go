package ledger_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/eventstore/memory"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/seal"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/ledger/state"
	"github.com/daybook-ledger/daybook/testing/given"
)

// fill enters n invoices, one page each, and closes the writer.
func (w *world) fill(h *history, n int) {
	w.t.Helper()
	o := w.mustOpen("a", w.store)
	w.begin(o)
	for i := range n {
		r, err := o.Do(w.t.Context(), w.enter(fmt.Sprint(i)))
		if err != nil {
			w.t.Fatal(err)
		}
		h.add(r)
	}
	o.close(w.t)
}

// The tree and the state file are conveniences: without either the writer comes
// to the same place.
func TestConveniencesAreMadeAnew(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(t *testing.T, w *world){
		"no state":       func(t *testing.T, w *world) { remove(t, w, "state-a", "state-a-wal", "state-a-shm") },
		"no tree":        func(t *testing.T, w *world) { remove(t, w, "tree-a") },
		"neither":        func(t *testing.T, w *world) { remove(t, w, "tree-a", "state-a", "state-a-wal", "state-a-shm") },
		"a cut tree":     func(t *testing.T, w *world) { truncate(t, w.path("tree-a"), 100) },
		"a foreign tree": func(t *testing.T, w *world) { spoil(t, w.path("tree-a")) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			var h history
			w.fill(&h, 6)
			harm(t, w)
			o := w.mustOpen("a", w.store)
			again, err := o.Do(t.Context(), w.enter("more"))
			if err != nil {
				t.Fatal(err)
			}
			h.add(again)
			o.close(t)
			w.verify(&h, "a")
		})
	}
}

func remove(t *testing.T, w *world, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := os.Remove(w.path(name)); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
}

func truncate(t *testing.T, path string, size int64) {
	t.Helper()
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}

func spoil(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range data {
		data[i] ^= 0x55
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestADamagedStateFileIsSaid(t *testing.T) {
	w := newWorld(t)
	w.fill(new(history), 3)
	spoil(t, w.path("state-a"))
	if _, err := w.open("a", w.store); !errors.Is(err, state.ErrDamaged) {
		t.Errorf("a spoilt state file: %v", err)
	}
}

// The pages of a store, to be put into another.
func pages(t *testing.T, s eventstore.Store) [][]byte {
	t.Helper()
	last, err := s.Last(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	for p, err := range s.Read(t.Context(), 1, last) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p.Body)
	}
	return all
}

func store(t *testing.T, bodies [][]byte) eventstore.Store {
	t.Helper()
	s := memory.New()
	for i, body := range bodies {
		if err := s.Append(t.Context(), uint64(i), body); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// A log that lost its tail is not served, however the state file stands.
func TestALogThatIsShort(t *testing.T) {
	for _, keep := range []string{"with state", "without state"} {
		t.Run(keep, func(t *testing.T) {
			w := newWorld(t)
			w.fill(new(history), 5)
			if keep == "without state" {
				remove(t, w, "state-a", "state-a-wal", "state-a-shm")
			}
			bodies := pages(t, w.store)
			if _, err := w.open("a", store(t, bodies[:len(bodies)-1])); !errors.Is(err, ledger.ErrLogShort) {
				t.Errorf("a log without its last page: %v", err)
			}
		})
	}
}

// A log of the same length with another history is not served.
func TestALogThatContradicts(t *testing.T) {
	for _, keep := range []string{"with state", "without state"} {
		t.Run(keep, func(t *testing.T) {
			w := newWorld(t)
			w.init("b")
			w.fill(new(history), 2)
			common := pages(t, w.store)
			mine := w.store
			w.store = store(t, common)
			b := w.mustOpen("b", w.store)
			for i := range 4 {
				if _, err := b.Do(t.Context(), w.enter(fmt.Sprint("b", i))); err != nil {
					t.Fatal(err)
				}
			}
			b.close(t)
			theirs := w.store
			w.store = mine
			a := w.mustOpen("a", w.store)
			for i := range 3 {
				if _, err := a.Do(t.Context(), w.enter(fmt.Sprint("a", i))); err != nil {
					t.Fatal(err)
				}
			}
			a.close(t)
			if keep == "without state" {
				remove(t, w, "state-a", "state-a-wal", "state-a-shm")
			}
			if _, err := w.open("a", theirs); !errors.Is(err, ledger.ErrContradiction) {
				t.Errorf("a log with another history: %v", err)
			}
		})
	}
}

// Any page altered in any way stops a writer that reads it.
func TestAnAlteredPageStopsTheWriter(t *testing.T) {
	w := newWorld(t)
	w.fill(new(history), 3)
	bodies := pages(t, w.store)
	_, other, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	forger, err := page.NewSigner(w.signer.Origin(), other)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := w.signer.Verifier().Open(bodies[2])
	if err != nil {
		t.Fatal(err)
	}
	forged, err := forger.Page(opened.Head, opened.OldSize, opened.Commits)
	if err != nil {
		t.Fatal(err)
	}
	// The log's own key signs a root that the commits do not give.
	wrong := opened.Head
	wrong.Root[0] ^= 1
	lying, err := w.signer.Page(wrong, opened.OldSize, opened.Commits)
	if err != nil {
		t.Fatal(err)
	}
	flipped := append([]byte(nil), bodies[2]...)
	flipped[len(flipped)-1] ^= 1
	for name, body := range map[string][]byte{"forged": forged, "lying": lying, "flipped": flipped, "repeated": bodies[1]} {
		t.Run(name, func(t *testing.T) {
			remove(t, w, "state-a", "state-a-wal", "state-a-shm", "tree-a")
			altered := append([][]byte(nil), bodies...)
			altered[2] = body
			var bad *page.Error
			if _, err := w.open("a", store(t, altered)); !errors.As(err, &bad) {
				t.Errorf("opened: %v", err)
			}
		})
	}
}

// A start reads only what the state file lacks, whatever the log's length.
func TestAStartReadsOnlyTheTail(t *testing.T) {
	w := newWorld(t)
	w.fill(new(history), 30)
	var read atomic.Int64
	o := w.mustOpen("a", &counted{w.store, &read})
	if _, err := o.Do(t.Context(), w.enter("more")); err != nil {
		t.Fatal(err)
	}
	o.close(t)
	if read.Load() > 3 {
		t.Errorf("a start and a command read %d pages", read.Load())
	}
}

type counted struct {
	eventstore.Store
	read *atomic.Int64
}

func (c *counted) Read(ctx context.Context, first, last uint64) iter.Seq2[eventstore.Page, error] {
	return func(yield func(eventstore.Page, error) bool) {
		for p, err := range c.Store.Read(ctx, first, last) {
			c.read.Add(1)
			if !yield(p, err) {
				return
			}
		}
	}
}

// Every key that a page uses is in the ring's file before the page is published.
func TestKeysComeBeforePages(t *testing.T) {
	w := newWorld(t)
	other, err := keyring.Open(w.path("ring"), keyring.KeyFile(w.path("key")))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	var sections atomic.Int64
	o := w.mustOpen("a", &hooked{Store: w.store, append: func(ctx context.Context, after uint64, body []byte) error {
		p, err := w.signer.Verifier().Open(body)
		if err != nil {
			t.Error(err)
		}
		for _, stored := range p.Commits {
			sealed, err := seal.Parse(stored)
			if err != nil {
				t.Error(err)
				continue
			}
			for i, info := range sealed.Header.Sections {
				key, err := other.Key(info.Key)
				if err != nil {
					t.Errorf("page %d: key %d: %v", after+1, info.Key, err)
					continue
				}
				if _, err := sealed.Open(i, key); err != nil {
					t.Error(err)
				}
				sections.Add(1)
			}
		}
		return w.store.Append(ctx, after, body)
	}})
	w.begin(o)
	for i := range 10 {
		if _, err := o.Do(t.Context(), w.envelope(given.Register(fmt.Sprint("customer ", i)))); err != nil {
			t.Fatal(err)
		}
	}
	o.close(t)
	if sections.Load() < 22 {
		t.Errorf("only %d sections seen", sections.Load())
	}
}

func TestTheClockJumps(t *testing.T) {
	for _, jump := range []time.Duration{6 * time.Minute, -6 * time.Minute} {
		t.Run(jump.String(), func(t *testing.T) {
			w := newWorld(t)
			o := w.mustOpen("a", w.store)
			w.begin(o)
			w.now.Store(int64(jump))
			if _, err := o.Do(t.Context(), w.enter("x")); refusalCode(err) != ledger.CodeClockJumped {
				t.Errorf("after a jump: %v", err)
			}
			w.now.Store(int64(jump / 2))
			if _, err := o.Do(t.Context(), w.enter("y")); err != nil {
				t.Errorf("after a small step: %v", err)
			}
			o.close(t)
			w.verify(new(history), "a")
		})
	}
}

// Recorded time never runs back, not even where the clock does a little.
func TestRecordedTimeNeverRunsBack(t *testing.T) {
	w := newWorld(t)
	o := w.mustOpen("a", w.store)
	w.begin(o)
	first, err := o.Do(t.Context(), w.enter("x"))
	if err != nil {
		t.Fatal(err)
	}
	w.now.Store(int64(-time.Minute))
	second, err := o.Do(t.Context(), w.enter("y"))
	if err != nil {
		t.Fatal(err)
	}
	if second.Recorded.Before(first.Recorded) {
		t.Errorf("recorded at %s after %s", second.Recorded, first.Recorded)
	}
	o.close(t)
}

func TestAnExpectedRevision(t *testing.T) {
	w := newWorld(t)
	o := w.mustOpen("a", w.store)
	w.begin(o)
	draft := given.Draft("x", given.Content("ada", given.Line("1", "10", "S 20")))
	if _, err := o.Do(t.Context(), w.envelope(draft)); err != nil {
		t.Fatal(err)
	}
	approve := func(revision uint64) error {
		e := w.envelope(approval(draft.ID))
		e.Expect = &revision
		_, err := o.Do(t.Context(), e)
		return err
	}
	if err := approve(2); refusalCode(err) != ledger.CodeRevisionConflict {
		t.Errorf("a revision that is not: %v", err)
	}
	if err := approve(1); err != nil {
		t.Errorf("the revision that is: %v", err)
	}
	o.close(t)
}

func TestCommandsThatAreTooLarge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.mustOpen("a", w.store)
	w.begin(o)
	content := given.Content("ada", given.Line("1", "10", "S 20"))
	enter := given.Enter("x", content)
	enter.Personal.Text.Lines[0] = strings.Repeat("long ", 1<<20)
	if _, err := o.Do(t.Context(), w.envelope(enter)); refusalCode(err) != ledger.CodeCommandTooLarge {
		t.Errorf("a description of 5 MiB: %v", err)
	}
	// The largest document that the rules allow fits into a page.
	for range 9_999 {
		content.Lines = append(content.Lines, given.Line("1", "10", "S 20"))
	}
	if _, err := o.Do(t.Context(), w.envelope(given.Enter("y", content))); err != nil {
		t.Errorf("10,000 lines: %v", err)
	}
	if _, err := o.Do(t.Context(), ledger.Envelope{Principal: owner, Command: enter}); refusalCode(err) != ledger.CodeInvalidCommandID {
		t.Errorf("no id: %v", err)
	}
	o.close(t)
	w.verify(new(history), "a")
}

// A page that several large commits would fill leaves some for the next.
func TestLargeCommitsShareNoPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	log := memory.NewLog(600 << 10)
	w.store = memory.Open(log)
	o := w.mustOpen("a", w.store)
	w.begin(o)
	content := given.Content("ada")
	for range 2_000 {
		content.Lines = append(content.Lines, given.Line("1", "10", "S 20"))
	}
	var h history
	done := make(chan error)
	for i := range 6 {
		go func() {
			r, err := o.Do(t.Context(), w.envelope(given.Enter(fmt.Sprint(i), content)))
			if err == nil {
				h.add(r)
			}
			done <- err
		}()
	}
	for range 6 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	o.close(t)
	w.verify(&h, "a")
}

// A command whose events cannot fit into the store's pages is refused, and those
// that were decided after it are entered all the same.
func TestACommitThatFitsNoPage(t *testing.T) {
	w := newWorld(t)
	w.store = memory.Open(memory.NewLog(32 << 10))
	o := w.mustOpen("a", w.store)
	w.begin(o)
	content := given.Content("ada")
	for range 2_000 {
		content.Lines = append(content.Lines, given.Line("1", "10", "S 20"))
	}
	large := make(chan error)
	go func() {
		_, err := o.Do(t.Context(), w.envelope(given.Enter("large", content)))
		large <- err
	}()
	var h history
	for i := range 5 {
		r, err := o.Do(t.Context(), w.enter(fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		h.add(r)
	}
	if err := <-large; refusalCode(err) != ledger.CodeCommandTooLarge {
		t.Errorf("a commit of more than a page: %v", err)
	}
	o.close(t)
	w.verify(&h, "a")
}

// Closing settles what was decided and answers the rest.
func TestCloseAnswersEverybody(t *testing.T) {
	w := newWorld(t)
	o := w.mustOpen("a", w.store)
	w.begin(o)
	var h history
	answers := make(chan error, 64)
	for i := range 64 {
		go func() {
			r, err := o.Do(context.Background(), w.enter(fmt.Sprint(i)))
			if err == nil {
				h.add(r)
			}
			answers <- err
		}()
	}
	time.Sleep(5 * time.Millisecond)
	o.close(t)
	for range 64 {
		select {
		case err := <-answers:
			if err != nil && !errors.Is(err, ledger.ErrClosed) && !errors.Is(err, ledger.ErrOutcomeUnknown) {
				t.Error(err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("a caller was left without an answer")
		}
	}
	if _, err := o.Do(t.Context(), w.enter("late")); !errors.Is(err, ledger.ErrClosed) {
		t.Errorf("after closing: %v", err)
	}
	w.verify(&h, "a")
}

func approval(id uuid.UUID) domain.Command { return &invoice.Approve{ID: id} }
