package ledger_test

import (
	"context"
	"errors"
	"iter"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/ledger/commit"
	"github.com/daybook-ledger/daybook/testing/given"
)

// reads is a store whose reads a test decides on besides.
type reads struct {
	hooked
	read func(ctx context.Context, first, last uint64) iter.Seq2[eventstore.Page, error]
}

func (r *reads) Read(ctx context.Context, first, last uint64) iter.Seq2[eventstore.Page, error] {
	return r.read(ctx, first, last)
}

// answered waits for what a caller hears.
func answered(t *testing.T, answers <-chan error) error {
	t.Helper()
	select {
	case err := <-answers:
		return err
	case <-time.After(time.Minute):
		t.Fatal("a caller was left without an answer")
		return nil
	}
}

// When the log turns out to be damaged while commands are to be decided again,
// everybody is told, also those that gave the same id again.
func TestDamageWhileStartingOver(t *testing.T) {
	w := newWorld(t)
	var armed atomic.Bool
	publishing, release := make(chan struct{}), make(chan struct{})
	store := &reads{hooked: hooked{Store: w.store}}
	store.append = func(ctx context.Context, after uint64, body []byte) error {
		if !armed.CompareAndSwap(true, false) {
			return w.store.Append(ctx, after, body)
		}
		close(publishing)
		<-release
		if err := w.store.Append(context.Background(), after, []byte("not a page")); err != nil {
			t.Error(err)
		}
		return w.store.Append(context.Background(), after, body)
	}
	store.read = func(ctx context.Context, first, last uint64) iter.Seq2[eventstore.Page, error] {
		time.Sleep(50 * time.Millisecond)
		return w.store.Read(ctx, first, last)
	}
	o := w.mustOpen("a", store)
	w.begin(o)
	armed.Store(true)
	e := w.enter("x")
	answers := make(chan error, 2)
	do := func() {
		_, err := o.Do(context.Background(), e)
		answers <- err
	}
	go do()
	<-publishing
	go do()
	time.Sleep(50 * time.Millisecond)
	close(release)
	for range 2 {
		var bad *page.Error
		if err := answered(t, answers); !errors.As(err, &bad) {
			t.Errorf("a caller heard %v", err)
		}
	}
	o.close(t)
}

// A writer that is closed while it reads what others wrote decides nothing on
// what it has read so far.
func TestCloseWhileStartingOver(t *testing.T) {
	w := newWorld(t)
	w.init("b")
	var armed atomic.Bool
	reading := make(chan struct{})
	e := w.enter("x")
	store := &reads{hooked: hooked{Store: w.store}, read: w.store.Read}
	store.append = func(ctx context.Context, after uint64, body []byte) error {
		if armed.CompareAndSwap(true, false) {
			b := w.mustOpen("b", w.store)
			for _, e := range []ledger.Envelope{e, w.enter("y")} {
				if _, err := b.Do(context.Background(), e); err != nil {
					t.Error(err)
				}
			}
			b.close(t)
			store.read = func(ctx context.Context, first, last uint64) iter.Seq2[eventstore.Page, error] {
				return func(yield func(eventstore.Page, error) bool) {
					for p, err := range w.store.Read(ctx, first, first+1) {
						if !yield(p, err) {
							return
						}
					}
					close(reading)
					<-ctx.Done()
					time.Sleep(50 * time.Millisecond)
					yield(eventstore.Page{}, ctx.Err())
				}
			}
		}
		return w.store.Append(ctx, after, body)
	}
	o := w.mustOpen("a", store)
	w.begin(o)
	armed.Store(true)
	answers := make(chan error, 1)
	go func() {
		r, err := o.Do(context.Background(), e)
		if err == nil {
			signed, verr := r.Verify(w.signer.Verifier())
			if verr != nil {
				t.Error(verr)
			}
			if remembered := o.head.Head().Size; signed.Size > remembered {
				t.Errorf("a receipt of size %d, but size %d is remembered", signed.Size, remembered)
			}
		}
		answers <- err
	}()
	<-reading
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := o.Close(ctx); err != nil {
		t.Error(err)
	}
	if err := answered(t, answers); !errors.Is(err, ledger.ErrClosed) && !errors.Is(err, ledger.ErrOutcomeUnknown) {
		t.Errorf("the caller heard %v", err)
	}
	if err := errors.Join(o.state.Close(), o.head.Close()); err != nil {
		t.Error(err)
	}
}

// Of a page that cannot be folded nothing gets into the state file.
func TestHalfAPageIsNotKept(t *testing.T) {
	w := newWorld(t)
	w.init("b")
	w.fill(new(history), 4)
	good := pages(t, w.store)
	chain, err := page.NewChain(w.signer.Verifier(), page.EmptyHead(), page.Edge{})
	if err != nil {
		t.Fatal(err)
	}
	var all []commit.Commit
	heads := []page.Head{page.EmptyHead()}
	edges := []page.Edge{{}}
	for p, err := range commit.Replay(t.Context(), w.store, chain, w.codec, commit.End) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p.Commits...)
		heads, edges = append(heads, p.Head), append(edges, chain.Edge())
	}
	// The last page but one, with a commit besides whose revision is wrong.
	from := len(good) - 2
	head, edge := heads[from], edges[from]
	whole := all[head.Size]
	wrong := all[head.Size+1]
	wrong.Events = append([]commit.Event(nil), wrong.Events...)
	wrong.Events[0].Revision += 5
	var sealed [][]byte
	for _, c := range []commit.Commit{whole, wrong} {
		command, err := w.codec.EncodeCommand(c.Command)
		if err != nil {
			t.Fatal(err)
		}
		stored, err := w.codec.Seal(c, command)
		if err != nil {
			t.Fatal(err)
		}
		sealed = append(sealed, stored)
		edge.Append(page.LeafHash(stored), func(tlog.Hash) {})
	}
	body, err := w.signer.Page(page.Head{Page: head.Page + 1, Size: edge.Size(), Root: edge.Root()}, head.Size, sealed)
	if err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	w.step = func(at string) {
		if at == "persist" {
			once.Do(func() { time.Sleep(100 * time.Millisecond) }) // so that the rest is written together
		}
	}
	if _, err := w.open("b", store(t, append(append([][]byte(nil), good[:from]...), body))); !errors.Is(err, ledger.ErrContradiction) {
		t.Fatalf("a log with a wrong revision: %v", err)
	}
	w.step = nil
	o, err := w.open("b", w.store)
	if err != nil {
		t.Fatalf("the log as it was: %v", err)
	}
	o.close(t)
}

// Closing ends also while commits that were dropped, and those that were decided
// after them, wait to be sealed.
func TestCloseWhileSealingIsBehind(t *testing.T) {
	w := newWorld(t)
	w.init("b")
	const callers = 4400 // more than may be pending
	var armed, behind atomic.Bool
	var decided atomic.Int64
	w.step = func(at string) {
		switch {
		case at == "decided":
			decided.Add(1)
		case at == "sealed" && behind.Load():
			time.Sleep(3 * time.Millisecond)
		}
	}
	full := make(chan struct{})
	o := w.mustOpen("a", &hooked{Store: w.store, append: func(ctx context.Context, after uint64, body []byte) error {
		if armed.CompareAndSwap(true, false) {
			behind.Store(true)
			<-full
			b := w.mustOpen("b", w.store)
			if _, err := b.Do(context.Background(), w.envelope(given.Register("bob"))); err != nil {
				t.Error(err)
			}
			b.close(t)
		}
		return w.store.Append(context.Background(), after, body)
	}})
	w.step = nil
	w.begin(o)
	decided.Store(0)
	armed.Store(true)
	answers := make(chan error, callers)
	for range callers {
		go func() {
			_, err := o.Do(context.Background(), w.enter(uuid.NewString()))
			answers <- err
		}()
	}
	waitFor(t, func() bool { return behind.Load() && decided.Load() >= 4000 })
	before := decided.Load()
	close(full)
	waitFor(t, func() bool { return decided.Load() > before+50 }) // again
	time.Sleep(100 * time.Millisecond)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	closed := make(chan error, 1)
	go func() { closed <- o.Close(ctx) }()
	if err := answered(t, closed); err != nil {
		t.Error(err)
	}
	for range callers {
		if err := answered(t, answers); err != nil && !errors.Is(err, ledger.ErrClosed) && !errors.Is(err, ledger.ErrOutcomeUnknown) {
			t.Errorf("a caller heard %v", err)
		}
	}
	if err := errors.Join(o.state.Close(), o.head.Close()); err != nil {
		t.Error(err)
	}
}

// swapped is a store whose log can be put in another's place.
type swapped struct {
	eventstore.Store
	to atomic.Pointer[eventstore.Store]
}

func (s *swapped) now() eventstore.Store {
	if to := s.to.Load(); to != nil {
		return *to
	}
	return s.Store
}

func (s *swapped) Append(ctx context.Context, after uint64, body []byte) error {
	return s.now().Append(ctx, after, body)
}

func (s *swapped) Read(ctx context.Context, first, last uint64) iter.Seq2[eventstore.Page, error] {
	return s.now().Read(ctx, first, last)
}

func (s *swapped) Last(ctx context.Context) (uint64, error) { return s.now().Last(ctx) }

// A log that loses its end under a running writer is noticed.
func TestALogThatGetsShorter(t *testing.T) {
	for _, name := range []string{"fenced", "unclear"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			log := &swapped{Store: w.store}
			var cut atomic.Bool
			var appends atomic.Int64
			hooks := &hooked{Store: log, append: func(ctx context.Context, after uint64, body []byte) error {
				appends.Add(1)
				if cut.CompareAndSwap(true, false) {
					return errCut
				}
				return log.Append(ctx, after, body)
			}}
			o := w.mustOpen("a", hooks)
			w.begin(o)
			bodies := pages(t, w.store)
			shorter := store(t, bodies[:len(bodies)-1])
			log.to.Store(&shorter)
			cut.Store(name == "unclear")
			answers := make(chan error, 1)
			appends.Store(0)
			go func() {
				_, err := o.Do(context.Background(), w.enter("x"))
				answers <- err
			}()
			select {
			case err := <-answers:
				if !errors.Is(err, ledger.ErrLogShort) {
					t.Errorf("the caller heard %v", err)
				}
			case <-time.After(2 * time.Second):
				t.Errorf("no answer, after %d appends", appends.Load())
			}
			o.close(t)
		})
	}
}

// A head that cannot be remembered any more ends the writer: its callers are
// told, for repeating it cannot help.
func TestAHeadThatFails(t *testing.T) {
	w := newWorld(t)
	o := w.mustOpen("a", w.store)
	w.begin(o)
	if err := o.head.Close(); err != nil {
		t.Fatal(err)
	}
	answers := make(chan error, 1)
	e := w.enter("x")
	go func() {
		_, err := o.Do(context.Background(), e)
		answers <- err
	}()
	if err := answered(t, answers); !errors.Is(err, ledger.ErrOutcomeUnknown) {
		t.Errorf("the caller heard %v", err)
	}
	o.close(t)
	o = w.mustOpen("a", w.store)
	r, err := o.Do(t.Context(), e)
	if err != nil || !r.Repeated {
		t.Errorf("after opening again: %+v, %v", r, err)
	}
	o.close(t)
}

// The state file, the tree and the log of another history, side by side with the
// remembered head of this one, are noticed even where they end at the same page.
func TestAnotherHistoryOfTheSameLength(t *testing.T) {
	w := newWorld(t)
	w.init("b")
	w.fill(new(history), 2)
	mine := w.store
	theirs := store(t, nil)
	w.store = theirs
	b := w.mustOpen("b", w.store)
	w.begin(b)
	for _, name := range []string{"p", "q"} {
		if _, err := b.Do(t.Context(), w.enter(name)); err != nil {
			t.Fatal(err)
		}
	}
	b.close(t)
	if m, n := len(pages(t, mine)), len(pages(t, theirs)); m != n {
		t.Fatalf("%d and %d pages", m, n)
	}
	for _, name := range []string{"state", "tree"} {
		remove(t, w, name+"-a", name+"-a-wal", name+"-a-shm")
		rename(t, w, name+"-b", name+"-a")
	}
	if o, err := w.open("a", theirs); !errors.Is(err, ledger.ErrContradiction) {
		t.Errorf("opened: %v", err)
		o.close(t)
	}
}

// A receipt that cannot be made says that the outcome is unknown, for the command
// is in the book.
func TestAReceiptThatCannotBeMade(t *testing.T) {
	w := newWorld(t)
	w.fill(new(history), 9)
	o := w.mustOpen("a", w.store)
	spoil(t, w.path("tree-a"))
	if _, err := o.Do(t.Context(), w.enter("more")); !errors.Is(err, ledger.ErrOutcomeUnknown) {
		t.Errorf("with a spoilt tree: %v", err)
	}
	o.close(t)
}

// A writer that found the log contradicting appends nothing more to it.
func TestABrokenWriterAppendsNothing(t *testing.T) {
	w := newWorld(t)
	w.fill(new(history), 1)
	var appends atomic.Int64
	o := w.mustOpen("a", &hooked{Store: w.store, append: func(ctx context.Context, after uint64, body []byte) error {
		appends.Add(1)
		return w.store.Append(ctx, after, body)
	}})
	last, err := w.store.Last(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.store.Append(t.Context(), last, []byte("not a page")); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		var bad *page.Error
		if _, err := o.Do(t.Context(), w.enter("x")); !errors.As(err, &bad) {
			t.Errorf("the caller heard %v", err)
		}
	}
	if appends.Load() != 1 {
		t.Errorf("%d appends", appends.Load())
	}
	o.close(t)
}

func rename(t *testing.T, w *world, from, to string) {
	t.Helper()
	if err := os.Rename(w.path(from), w.path(to)); err != nil {
		t.Fatal(err)
	}
}
