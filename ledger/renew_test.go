package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/ledger/commit"
	"github.com/daybook-ledger/daybook/testing/given"
)

// held has a writer wait wherever it comes to a step, until it is let go on.
func (w *world) held(step string) (came <-chan struct{}, goOn chan<- struct{}) {
	at, on := make(chan struct{}), make(chan struct{})
	w.step = func(s string) {
		if s == step {
			at <- struct{}{}
			<-on
		}
	}
	return at, on
}

// erased gives an erasure in a goroutine of its own.
func (w *world) erased(o ledger.Book, who string) <-chan error {
	done := make(chan error, 1)
	e := w.envelope(eraseCommand(who, customer.All))
	go func() {
		_, err := o.Do(context.Background(), e)
		done <- err
	}()
	return done
}

// unread is the log, which cannot be read from a first page on while it is away.
func (w *world) unread(away func(first uint64) bool) eventstore.Store {
	store := &reads{hooked: hooked{Store: w.store, append: w.store.Append}}
	store.read = func(ctx context.Context, first, last uint64) iter.Seq2[eventstore.Page, error] {
		if away(first) {
			return func(yield func(eventstore.Page, error) bool) {
				yield(eventstore.Page{}, fmt.Errorf("%w: for a while", eventstore.ErrUnavailable))
			}
		}
		return w.store.Read(ctx, first, last)
	}
	return store
}

func registration(t *testing.T, who string, p customer.Profile) domain.Command {
	t.Helper()
	c, err := customer.NewRegister(given.ID(who), "GB", p)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (w *world) unanswered(erasures ...<-chan error) {
	w.t.Helper()
	for _, done := range erasures {
		select {
		case err := <-done:
			w.t.Errorf("an erasure was answered before the states were made anew: %v", err)
		default:
		}
	}
}

// While the states are made anew for an erasure, others give commands, and see that who
// is erased is; the erasure is answered when the states do not know of them any more.
// One that comes meanwhile has them made anew once more.
func TestCommandsGoOnWhileErasing(t *testing.T) {
	w := newWorld(t)
	came, goOn := w.held("renewing")
	o := w.mustOpen("a", w.store)
	w.begin(o)
	profile := given.Profile("cem")
	profile.Reference = "C-1"
	w.do(o, old("bob")...)
	w.do(o, old("dan")...)
	w.do(o, old("cem")...)
	w.do(o, &customer.Change{ID: given.ID("cem"), Country: "GB", HasVATID: true, Personal: &profile})
	var h history
	first := w.erased(o, "cem")
	<-came
	for i := range 20 {
		r, err := o.Do(t.Context(), w.enter(fmt.Sprint("meanwhile ", i)))
		if err != nil {
			t.Fatal(err)
		}
		h.add(r)
	}
	if _, err := o.Do(t.Context(), w.envelope(given.Receive("more", "cem", "1"))); refusalCode(err) != "customer-erased" {
		t.Errorf("money from who is being erased: %v", err)
	}
	if who, found, err := o.Find(t.Context(), domain.Reference{Kind: domain.CustomerReference, Value: "C-1"}); err != nil || found {
		t.Errorf("the reference of who is being erased is %v's (%v)", who, err)
	}
	second, third := w.erased(o, "bob"), w.erased(o, "dan")
	for n := 0; n < 2; { // both are durable
		n = 0
		for _, c := range w.logged() {
			for _, e := range c.Events {
				if _, is := e.Event.(*customer.KeyDestroyed); is && e.Stream.ID != given.ID("cem") {
					n++
				}
			}
		}
	}
	w.unanswered(first, second, third)
	goOn <- struct{}{}
	if err := <-first; err != nil {
		t.Error(err)
	}
	<-came
	w.unanswered(second, third)
	goOn <- struct{}{}
	for _, done := range []<-chan error{second, third} {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	taken := given.Profile("eve")
	taken.Reference = "C-1" // is free now
	w.do(o, registration(t, "eve", taken))
	o.close(t)
	w.step = nil
	for _, who := range []string{"bob", "cem", "dan"} {
		if person, _ := w.customerState("a", who); person.Profile != nil || person.Erased != customer.All {
			t.Errorf("the state has of %s %+v", who, person)
		}
		for key, note := range w.keysOf(who) {
			if _, is := commit.ErasureOf(note); !is {
				t.Errorf("key %d is live", key)
			}
		}
	}
	w.verify(&h, "a")
}

// What was decided upon the states of before, and is not durable when others take their
// place, is decided again upon those: nothing of who is erased comes back with it.
func TestDecidedBeforeTheStatesWereReplaced(t *testing.T) {
	w := newWorld(t)
	came, making := w.held("renewing")
	under, goOn := make(chan struct{}), make(chan struct{})
	var slow atomic.Bool
	o := w.mustOpen("a", &hooked{Store: w.store, append: func(ctx context.Context, after uint64, body []byte) error {
		if slow.CompareAndSwap(true, false) {
			under <- struct{}{}
			<-goOn
			ctx = context.WithoutCancel(ctx) // it took longer than an append may
		}
		return w.store.Append(ctx, after, body)
	}})
	w.begin(o)
	w.do(o, old("bob")...)
	erased := w.erased(o, "bob")
	<-came
	slow.Store(true)
	first := o.Submit(t.Context(), w.envelope(given.Register("eve")))
	<-under
	approve := w.envelope(&invoice.Approve{ID: given.ID("bob's draft")})
	second := o.Submit(t.Context(), approve)
	making <- struct{}{}
	time.Sleep(200 * time.Millisecond) // it is decided, and the new states are ready
	close(goOn)
	for what, wait := range map[string]func() (ledger.Receipt, error){"the command under way": first, "the one after it": second} {
		if _, err := wait(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := <-erased; err != nil {
		t.Error(err)
	}
	o.close(t)
	w.step = nil
	if person, draft := w.customerState("a", "bob"); person.Profile != nil || draft.Text != nil || draft.Status() != invoice.StatusApproved {
		t.Errorf("the state has %+v, %+v", person, draft)
	}
}

// A writer that is closed while the states are made anew does not answer the erasure,
// and leaves nothing of what it made; the next start brings it to its end.
func TestClosedWhileErasing(t *testing.T) {
	w := newWorld(t)
	came, goOn := w.held("renewing")
	o := w.mustOpen("a", w.store)
	w.begin(o)
	w.do(o, old("bob")...)
	done := w.erased(o, "bob")
	<-came
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	closed := make(chan error, 1)
	go func() { closed <- o.Close(ended) }()
	if err := <-done; !errors.Is(err, ledger.ErrClosed) && !errors.Is(err, ledger.ErrOutcomeUnknown) {
		t.Errorf("the erasure was answered with %v", err)
	}
	goOn <- struct{}{}
	if err := errors.Join(<-closed, o.state.Close(), o.head.Close()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(w.path("state-a.new")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what was made is there still: %v", err)
	}
	w.step = nil
	if person, draft := w.customerState("a", "bob"); person.Profile != nil || draft.Text != nil {
		t.Errorf("the state has %+v, %+v", person, draft)
	}
}

// A log that cannot be read for a moment while the states are made anew delays the
// erasure, and nothing else.
func TestTheLogIsAwayWhileErasing(t *testing.T) {
	w := newWorld(t)
	var cut atomic.Bool
	store := w.unread(func(first uint64) bool { return first == 1 && cut.CompareAndSwap(true, false) })
	o := w.mustOpen("a", store)
	w.begin(o)
	w.do(o, old("bob")...)
	cut.Store(true)
	w.do(o, eraseCommand("bob", customer.All))
	if cut.Load() {
		t.Error("the log was not read")
	}
	if _, err := o.Do(t.Context(), w.enter("x")); err != nil {
		t.Error(err)
	}
	o.close(t)
}

// While the log cannot be read for longer, whoever erases is told so, others are not kept
// from anything, and the writer can be closed: the next one makes the states anew.
func TestTheLogStaysAwayWhileErasing(t *testing.T) {
	for _, back := range []bool{true, false} {
		w := newWorld(t)
		w.answerWithin = 100 * time.Millisecond
		var away atomic.Bool
		store := w.unread(func(uint64) bool { return away.Load() })
		o := w.mustOpen("a", store)
		w.begin(o)
		w.do(o, old("bob")...)
		away.Store(true)
		e := w.envelope(eraseCommand("bob", customer.All))
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		for range 2 {
			if _, err := o.Do(ctx, e); !errors.Is(err, ledger.ErrOutcomeUnknown) || ctx.Err() != nil {
				t.Errorf("the erasure: %v", err)
			}
			w.do(o, given.Register(time.Now().String()))
		}
		if back {
			away.Store(false)
			if r := patiently(t, o, e); r.Command != e.ID {
				t.Errorf("%+v", r)
			}
		}
		closed := make(chan error, 1)
		go func() { closed <- o.Close(context.Background()) }()
		select {
		case err := <-closed:
			if err := errors.Join(err, o.state.Close(), o.head.Close()); err != nil {
				t.Error(err)
			}
		case <-ctx.Done():
			t.Fatal("it is not closed")
		}
		if person, _ := w.customerState("a", "bob"); person.Profile != nil || person.Erased != customer.All {
			t.Errorf("the state has %+v", person)
		}
	}
}

// Another writer takes the log over, and erases too, while the states are made anew:
// they are made anew for both at once.
func TestAnotherWriterErasesMeanwhile(t *testing.T) {
	w := newWorld(t)
	w.init("b")
	a := w.mustOpen("a", w.store)
	w.begin(a)
	w.do(a, old("bob")...)
	w.do(a, old("dan")...)
	b := w.mustOpen("b", w.store)
	a.close(t)
	came, goOn := w.held("renewing")
	a = w.mustOpen("a", w.store)
	w.step = nil
	w.do(a, given.Register("warm"))
	done := w.erased(a, "bob")
	<-came
	w.do(b, eraseCommand("dan", customer.All))
	met := make(chan error, 1)
	eve := w.envelope(given.Register("eve")) // finds the fence
	go func() {
		_, err := a.Do(context.Background(), eve)
		met <- err
	}()
	goOn <- struct{}{}
	<-came // once more, for what b erased
	goOn <- struct{}{}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := <-met; err != nil {
		t.Error(err)
	}
	a.close(t)
	b.close(t)
	for _, who := range []string{"bob", "dan"} {
		if person, draft := w.customerState("a", who); person.Profile != nil || draft.Text != nil {
			t.Errorf("the state has of %s %+v, %+v", who, person, draft)
		}
	}
}

// Another writer that reads an erasure from the log forgets as well.
func TestAnotherWriterErases(t *testing.T) {
	w := newWorld(t)
	w.init("b")
	a := w.mustOpen("a", w.store)
	w.begin(a)
	w.do(a, old("bob")...)
	b := w.mustOpen("b", w.store)
	key, err := w.ring.Named("state/a")
	if err != nil {
		t.Fatal(err)
	}
	w.do(b, eraseCommand("bob", customer.All))
	w.do(a, given.Register("eve")) // finds the fence, and reads what b wrote
	if _, err := w.ring.Key(key); !errors.Is(err, keyring.ErrDestroyed) {
		t.Errorf("the key of the state file that knew of bob: %v", err)
	}
	w.do(a, given.Register("zoe"))
	a.close(t)
	b.close(t)
	if person, draft := w.customerState("a", "bob"); person.Profile != nil || draft.Text != nil {
		t.Errorf("the state has %+v, %+v", person, draft)
	}
}

// While the new states cannot be brought to the log's end, for it cannot be read, nobody
// waits for ever: commands are told so, and go on when it can.
func TestTheLogIsAwayWhileStatesAreReplaced(t *testing.T) {
	w := newWorld(t)
	w.answerWithin = 100 * time.Millisecond
	var away atomic.Bool
	store := w.unread(func(uint64) bool { return away.Load() })
	came, goOn := w.held("ready")
	o := w.mustOpen("a", store)
	w.begin(o)
	w.do(o, old("bob")...)
	done := w.erased(o, "bob")
	<-came // the states are there, but for what comes now
	w.do(o, given.Register("eve"))
	away.Store(true)
	goOn <- struct{}{}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for o.Unsettled() == nil && ctx.Err() == nil {
		time.Sleep(time.Millisecond) // until they are about to be replaced
	}
	e := w.enter("x")
	if _, err := o.Do(ctx, e); ctx.Err() != nil || refusalCode(err) != ledger.CodeLogBehind && !errors.Is(err, ledger.ErrOutcomeUnknown) {
		t.Errorf("a command meanwhile: %v", err)
	}
	away.Store(false)
	patiently(t, o, e)
	if err := <-done; err != nil && !errors.Is(err, ledger.ErrOutcomeUnknown) {
		t.Error(err)
	}
	o.close(t)
	w.step = nil
	if person, _ := w.customerState("a", "bob"); person.Profile != nil {
		t.Errorf("the state has %+v", person)
	}
}
