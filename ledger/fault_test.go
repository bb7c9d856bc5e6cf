package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/testing/given"
)

var errCut = fmt.Errorf("%w: the connection was cut", eventstore.ErrUnclear)

// Every way in which an append can go wrong, by what the store does and answers.
func appendFaults(w *world) map[string]func(ctx context.Context, after uint64, body []byte) error {
	var late sync.WaitGroup
	w.t.Cleanup(late.Wait)
	return map[string]func(context.Context, uint64, []byte) error{
		"fails without effect": func(context.Context, uint64, []byte) error { return errCut },
		"fails with effect": func(ctx context.Context, after uint64, body []byte) error {
			if err := w.store.Append(ctx, after, body); err != nil {
				return err
			}
			return errCut
		},
		"takes effect after the answer": func(_ context.Context, after uint64, body []byte) error {
			late.Go(func() {
				time.Sleep(time.Millisecond)
				_ = w.store.Append(context.Background(), after, body) // the fence may have closed
			})
			return errCut
		},
		"never answers": func(ctx context.Context, _ uint64, _ []byte) error {
			<-ctx.Done()
			return fmt.Errorf("%w: %w", eventstore.ErrUnclear, ctx.Err())
		},
		"answers after the deadline": func(ctx context.Context, after uint64, body []byte) error {
			<-ctx.Done()
			if err := w.store.Append(context.Background(), after, body); err != nil {
				return err
			}
			return fmt.Errorf("%w: %w", eventstore.ErrUnclear, ctx.Err())
		},
	}
}

func TestEveryAppendFault(t *testing.T) {
	for name := range appendFaults(newWorld(t)) {
		// One fault strikes alone; two in a row also strike the barrier that
		// settles the first.
		for _, strikes := range []int{1, 2} {
			t.Run(fmt.Sprintf("%s %d times", name, strikes), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				fault := appendFaults(w)[name]
				var n atomic.Int64
				store := &hooked{Store: w.store, append: func(ctx context.Context, after uint64, body []byte) error {
					if i := n.Add(1); i > 4 && i%5 < int64(strikes) {
						return fault(ctx, after, body)
					}
					return w.store.Append(ctx, after, body)
				}}
				o := w.mustOpen("a", store)
				w.begin(o)
				var h history
				var group sync.WaitGroup
				for caller := range 4 {
					group.Go(func() {
						for i := range 5 {
							r, err := o.Do(t.Context(), w.enter(fmt.Sprint(caller, "/", i)))
							if err != nil {
								t.Errorf("%d/%d: %v", caller, i, err)
								return
							}
							h.add(r)
						}
					})
				}
				group.Wait()
				o.close(t)
				w.verify(&h, "a")
			})
		}
	}
}

// A store that does not come back makes the outcome unknown, and never a
// refusal; the same id, repeated, tells what happened.
func TestOutcomeUnknown(t *testing.T) {
	for name, fault := range map[string]func(w *world, ctx context.Context, after uint64, body []byte) error{
		"stored": func(w *world, ctx context.Context, after uint64, body []byte) error {
			_ = w.store.Append(ctx, after, body)
			return errCut
		},
		"not stored": func(*world, context.Context, uint64, []byte) error { return errCut },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			var down atomic.Bool
			var first sync.Once
			store := &hooked{Store: w.store}
			store.append = func(ctx context.Context, after uint64, body []byte) (err error) {
				if !down.Load() {
					return w.store.Append(ctx, after, body)
				}
				err = errCut
				first.Do(func() { err = fault(w, ctx, after, body) })
				return err
			}
			o := w.mustOpen("a", store)
			w.begin(o)
			down.Store(true)
			e := w.enter("x")
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			if _, err := o.Do(ctx, e); !errors.Is(err, ledger.ErrOutcomeUnknown) || refusalCode(err) != "" {
				t.Fatalf("while the store is down: %v", err)
			}
			if o.Unsettled() == nil {
				t.Error("nothing tells that an append is unsettled")
			}
			down.Store(false)
			var h history
			r, err := o.Do(t.Context(), e)
			if err != nil {
				t.Fatal(err)
			}
			h.add(r)
			o.close(t)
			w.verify(&h, "a")
		})
	}
}

// A refusal that saw an undurable commit is given only once that commit is
// durable, for a caller who acts on it must not find that it never happened.
func TestRefusalsWaitForWhatTheySaw(t *testing.T) {
	w := newWorld(t)
	var hold atomic.Bool
	release := make(chan struct{})
	store := &hooked{Store: w.store, append: func(ctx context.Context, after uint64, body []byte) error {
		if hold.Load() && w.commits(body) > 0 {
			<-release
		}
		return w.store.Append(context.WithoutCancel(ctx), after, body)
	}}
	o := w.mustOpen("a", store)
	w.begin(o)
	hold.Store(true)
	var h history
	first := make(chan error, 1)
	go func() {
		r, err := o.Do(t.Context(), w.enterReference("x", "R-1"))
		h.add(r)
		first <- err
	}()
	waitFor(t, func() bool {
		_, found, err := o.Find(t.Context(), domain.Reference{Kind: domain.DocumentReference, Value: "R-1"})
		return found && err == nil
	})
	second := make(chan error, 1)
	go func() {
		_, err := o.Do(t.Context(), w.enterReference("y", "R-1"))
		second <- err
	}()
	select {
	case err := <-second:
		t.Fatalf("refused before what it saw was durable: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	close(release)
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	if err := <-second; refusalCode(err) != "reference-taken" {
		t.Errorf("the second: %v", err)
	}
	o.close(t)
	w.verify(&h, "a")
}

// No receipt is given before the page is acknowledged and the head remembered.
func TestReceiptsComeLast(t *testing.T) {
	w := newWorld(t)
	var acknowledged atomic.Uint64
	store := &hooked{Store: w.store, append: func(ctx context.Context, after uint64, body []byte) error {
		time.Sleep(2 * time.Millisecond)
		err := w.store.Append(ctx, after, body)
		if err == nil {
			acknowledged.Store(after + 1)
		}
		return err
	}}
	o := w.mustOpen("a", store)
	w.begin(o)
	var group sync.WaitGroup
	for caller := range 4 {
		group.Go(func() {
			for i := range 10 {
				r, err := o.Do(t.Context(), w.enter(fmt.Sprint(caller, "/", i)))
				if err != nil {
					t.Error(err)
					return
				}
				if acknowledged.Load() < r.Page {
					t.Errorf("a receipt for page %d, but only %d are acknowledged", r.Page, acknowledged.Load())
				}
				if o.head.Head().Page < r.Page {
					t.Errorf("a receipt for page %d, but page %d is remembered", r.Page, o.head.Head().Page)
				}
			}
		})
	}
	group.Wait()
	o.close(t)
}

// One page is under way at a time, and each is published behind the newest page
// whose content is known.
func TestOnePageUnderWay(t *testing.T) {
	w := newWorld(t)
	var under atomic.Int32
	var last atomic.Uint64
	store := &hooked{Store: w.store, append: func(ctx context.Context, after uint64, body []byte) error {
		if under.Add(1) > 1 {
			t.Error("two pages are under way")
		}
		defer under.Add(-1)
		if after != last.Load() {
			t.Errorf("a page behind %d, but %d is the newest that was acknowledged", after, last.Load())
		}
		time.Sleep(time.Millisecond)
		err := w.store.Append(ctx, after, body)
		if err == nil {
			last.Store(after + 1)
		}
		return err
	}}
	o := w.mustOpen("a", store)
	w.begin(o)
	var group sync.WaitGroup
	for caller := range 16 {
		group.Go(func() {
			for i := range 5 {
				if _, err := o.Do(t.Context(), w.enter(fmt.Sprint(caller, "/", i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	o.close(t)
}

// Two writers, each with a disk of its own, take turns at one log: the fence
// alone keeps it whole.
func TestTwoWriters(t *testing.T) {
	w := newWorld(t)
	w.init("b")
	a := w.mustOpen("a", w.store)
	w.begin(a)
	b := w.mustOpen("b", w.store)
	var h history
	var group sync.WaitGroup
	for n, o := range []*writer{a, b} {
		for caller := range 3 {
			group.Go(func() {
				for i := range 8 {
					r, err := o.Do(t.Context(), w.enter(fmt.Sprint(n, "/", caller, "/", i)))
					if err != nil {
						t.Error(err)
						return
					}
					h.add(r)
				}
			})
		}
	}
	group.Wait()
	a.close(t)
	b.close(t)
	w.verify(&h, "a", "b")
	if len(h.receipts) != 48 {
		t.Errorf("%d receipts", len(h.receipts))
	}
}

// steps are the named steps of a command's way.
var steps = []string{"decided", "sealed", "publish", "acknowledged", "remembered", "persist", "persisted"}

// A second writer takes over between any two steps of the first.
func TestTakeOverAtEveryStep(t *testing.T) {
	for _, step := range steps {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.init("b")
			var h history
			var armed atomic.Bool
			var once sync.Once
			w.step = func(at string) {
				if at != step || !armed.Load() {
					return
				}
				once.Do(func() {
					w.step = nil
					b := w.mustOpen("b", w.store)
					for i := range 2 {
						r, err := b.Do(context.Background(), w.enter(fmt.Sprint("b/", i)))
						if err != nil {
							t.Error(err)
						}
						h.add(r)
					}
					b.close(t)
				})
			}
			a := w.mustOpen("a", w.store)
			w.begin(a)
			armed.Store(true)
			for i := range 3 {
				r, err := a.Do(t.Context(), w.enter(fmt.Sprint("a/", i)))
				if err != nil {
					t.Fatal(err)
				}
				h.add(r)
			}
			a.close(t)
			w.step = nil
			w.verify(&h, "a", "b")
			if len(h.receipts) != 5 {
				t.Errorf("%d receipts: the step was not reached", len(h.receipts))
			}
		})
	}
}

// The same id, given by many at once, is entered once; other content is refused.
func TestSameIDAtOnce(t *testing.T) {
	w := newWorld(t)
	o := w.mustOpen("a", w.store)
	w.begin(o)
	e, other := w.enter("x"), w.enter("y")
	other.ID = e.ID
	var group sync.WaitGroup
	var done, repeated, reused atomic.Int32
	var h history
	for i := range 16 {
		group.Go(func() {
			try := e
			if i%4 == 3 {
				try = other
			}
			r, err := o.Do(t.Context(), try)
			switch {
			case refusalCode(err) == ledger.CodeCommandIDReused:
				reused.Add(1)
			case err != nil:
				t.Error(err)
			case r.Repeated:
				repeated.Add(1)
				h.add(r)
			default:
				done.Add(1)
				h.add(r)
			}
		})
	}
	group.Wait()
	if done.Load() != 1 || done.Load()+repeated.Load()+reused.Load() != 16 || reused.Load() < 4 {
		t.Errorf("%d entered, %d repeated, %d refused", done.Load(), repeated.Load(), reused.Load())
	}
	o.close(t)
	w.verify(&h, "a")
}

// A refusal uses up no id.
func TestRefusalsUseNoID(t *testing.T) {
	w := newWorld(t)
	o := w.mustOpen("a", w.store)
	w.begin(o)
	e := w.envelope(given.Enter("x", given.Content("bob", given.Line("1", "10", "S 20"))))
	if _, err := o.Do(t.Context(), e); refusalCode(err) != "unknown-customer" {
		t.Fatalf("for an unknown customer: %v", err)
	}
	if _, err := o.Do(t.Context(), w.envelope(given.Register("bob"))); err != nil {
		t.Fatal(err)
	}
	r, err := o.Do(t.Context(), e)
	if err != nil || r.Repeated {
		t.Errorf("the same command later: %+v, %v", r, err)
	}
	o.close(t)
}

func waitFor(t *testing.T, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it never came to pass")
		}
	}
}
