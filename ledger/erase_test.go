package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/erasure"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/payment"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/ledger/commit"
	"github.com/daybook-ledger/daybook/ledger/state"
	"github.com/daybook-ledger/daybook/testing/given"
)

// long ago is a date of documents that need not be kept any more.
const longAgo domain.Date = "2010-05-05"

// old gives the commands by which a customer bought something long ago.
func old(who string) []domain.Command {
	enter := given.Enter(who+"'s", given.Content(who, given.Line("1", "10", "S 20")))
	enter.Date, enter.Imported = longAgo, true
	receive := given.Receive(who+" pays", who, "12")
	receive.Date, receive.Allocations = longAgo, []payment.Share{{Target: invoice.Stream(enter.ID)}}
	return []domain.Command{given.Register(who), given.Draft(who+"'s draft", given.Content(who, given.Line("1", "1", "Z 0"))), enter, receive}
}

func eraseCommand(who string, scope customer.Scope) domain.Command {
	return &erasure.Erase{Customer: given.ID(who), Scope: scope, Reason: "asked"}
}

func (w *world) do(o ledger.Book, commands ...domain.Command) {
	w.t.Helper()
	for _, c := range commands {
		if _, err := o.Do(w.t.Context(), w.envelope(c)); err != nil {
			w.t.Fatalf("%s: %v", c.CommandType(), err)
		}
	}
}

// customerState gives what the writer's state file says of a customer, and of a
// draft.
func (w *world) customerState(disk, who string) (customer.State, invoice.State) {
	w.t.Helper()
	// What it holds is seen through a decision's eyes: a fresh writer's.
	o := w.mustOpen(disk, w.store)
	defer o.close(w.t)
	states := ledger.StatesOf(o.Writer)
	person, err := customer.Load(states, given.ID(who))
	if err != nil {
		w.t.Fatal(err)
	}
	draft, err := invoice.Load(states, given.ID(who+"'s draft"))
	if err != nil {
		w.t.Fatal(err)
	}
	return person, draft
}

// keysOf gives the keys that seal something of a customer, and the note of each
// that is destroyed.
func (w *world) keysOf(who string) map[keyring.KeyID]keyring.Note {
	w.t.Helper()
	keys := map[keyring.KeyID]keyring.Note{}
	for _, c := range w.logged() {
		key, is := c.Subjects[given.ID(who)]
		if !is {
			continue
		}
		note, _, err := w.ring.Destroyed(key)
		if err != nil {
			w.t.Fatal(err)
		}
		keys[key] = note
	}
	return keys
}

func (w *world) logged() (all []commit.Commit) {
	w.t.Helper()
	chain, err := page.NewChain(w.signer.Verifier(), page.EmptyHead(), page.Edge{})
	if err != nil {
		w.t.Fatal(err)
	}
	for p, err := range commit.Replay(w.t.Context(), w.store, chain, w.codec, commit.End) {
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, p.Commits...)
	}
	return all
}

// Once an erasure is answered, its keys are destroyed, what they sealed reads as
// nothing, the state file and its key are new ones, and everything else is as it
// was.
func TestErase(t *testing.T) {
	w := newWorld(t)
	o := w.mustOpen("a", w.store)
	w.begin(o)
	w.do(o, old("bob")...)
	kept := w.enter("kept")
	before, err := o.Do(t.Context(), kept)
	if err != nil {
		t.Fatal(err)
	}
	stateKey, err := w.ring.Named("state/a")
	if err != nil {
		t.Fatal(err)
	}
	e := w.envelope(eraseCommand("bob", customer.All))
	r, err := o.Do(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Verify(w.signer.Verifier()); err != nil {
		t.Errorf("its receipt: %v", err)
	}
	keys := w.keysOf("bob")
	if len(keys) != 2 {
		t.Errorf("%d keys for contact data and documents", len(keys))
	}
	for key, note := range keys {
		at, is := commit.ErasureOf(note)
		if !is || at.Position != r.Position || at.Page != r.Page {
			t.Errorf("key %d is destroyed for %+v", key, at)
		}
	}
	for _, c := range w.logged() {
		for _, about := range append([]any{c.Command}, events(c)...) {
			if p, is := about.(domain.Personal); is && p.Subject() == given.ID("bob") && domain.HasPersonalPart(p) {
				t.Errorf("position %d: %T has its personal part still", c.Position, about)
			}
		}
	}
	if _, err := w.ring.Key(stateKey); !errors.Is(err, keyring.ErrDestroyed) {
		t.Errorf("the key of the former state file: %v", err)
	}
	if _, err := o.Do(t.Context(), w.envelope(given.Receive("more", "bob", "1"))); refusalCode(err) != "customer-erased" {
		t.Errorf("money from the erased: %v", err)
	}
	for name, envelope := range map[string]ledger.Envelope{"erase": e, "kept": kept} {
		again, err := o.Do(t.Context(), envelope)
		if err != nil || !again.Repeated {
			t.Errorf("%s again: %+v, %v", name, again, err)
		}
	}
	w.do(o, given.Register("eve"))
	if _, err := o.Do(t.Context(), w.enter("after")); err != nil {
		t.Error(err)
	}
	o.close(t)
	if signed, err := before.Verify(w.signer.Verifier()); err != nil || signed.Size == 0 {
		t.Errorf("a receipt from before: %v", err)
	}
	person, draft := w.customerState("a", "bob")
	if person.Profile != nil || person.Erased != customer.All || draft.Text != nil {
		t.Errorf("the state has %+v, %+v", person, draft)
	}
	if ada, _ := customer.Load(statesOf(t, w), given.ID("ada")); ada.Profile == nil {
		t.Error("Ada was erased too")
	}
}

func statesOf(t *testing.T, w *world) domain.States {
	t.Helper()
	o := w.mustOpen("a", w.store)
	t.Cleanup(func() { o.close(t) })
	return ledger.StatesOf(o.Writer)
}

func events(c commit.Commit) []any {
	all := make([]any, len(c.Events))
	for i, e := range c.Events {
		all[i] = e.Event
	}
	return all
}

// Contact data goes, and what stands on documents stays.
func TestEraseContact(t *testing.T) {
	w := newWorld(t)
	o := w.mustOpen("a", w.store)
	w.begin(o)
	w.do(o, old("bob")...)
	w.do(o, eraseCommand("bob", customer.Contact))
	var buyer *customer.Profile
	for _, c := range w.logged() {
		for _, e := range c.Events {
			switch e := e.Event.(type) {
			case *customer.Registered:
				if e.ID == given.ID("bob") && e.Personal != nil {
					t.Error("the profile is there still")
				}
			case *invoice.Drafted:
				if e.Personal != nil {
					t.Error("the draft's text is there still")
				}
			case *invoice.Issued:
				buyer = e.Personal.Buyer
			}
		}
	}
	if buyer == nil || buyer.Name != given.Profile("bob").Name {
		t.Errorf("the buyer on the document: %+v", buyer)
	}
	w.do(o, eraseCommand("bob", customer.All))
	for key, note := range w.keysOf("bob") {
		if _, is := commit.ErasureOf(note); !is {
			t.Errorf("key %d is live", key)
		}
	}
	o.close(t)
}

// While customers are erased others go on giving commands; none is lost, and the
// state at the end is that of the log.
func TestEraseAmongOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.mustOpen("a", w.store)
	w.begin(o)
	const erased = 8
	for i := range erased {
		w.do(o, old(fmt.Sprint("bob ", i))...)
	}
	var group sync.WaitGroup
	var h history
	for caller := range 4 {
		group.Go(func() {
			for i := range 25 {
				r, err := o.Do(context.Background(), w.enter(fmt.Sprint(caller, "/", i)))
				if err != nil {
					t.Error(err)
					return
				}
				h.add(r)
			}
		})
	}
	for i := range erased {
		group.Go(func() {
			r, err := o.Do(context.Background(), w.envelope(eraseCommand(fmt.Sprint("bob ", i), customer.All)))
			if err != nil {
				t.Error(err)
				return
			}
			h.add(r)
		})
	}
	group.Wait()
	o.close(t)
	for i := range erased {
		for key, note := range w.keysOf(fmt.Sprint("bob ", i)) {
			if _, is := commit.ErasureOf(note); !is {
				t.Errorf("key %d is live", key)
			}
		}
	}
	w.verify(&h, "a")
}

// With a copy of the ring from before, the erased is erased again at the start.
func TestARingFromBefore(t *testing.T) {
	w := newWorld(t)
	o := w.mustOpen("a", w.store)
	w.begin(o)
	w.do(o, old("bob")...)
	copied, err := os.ReadFile(w.path("ring"))
	if err != nil {
		t.Fatal(err)
	}
	w.do(o, eraseCommand("bob", customer.All))
	o.close(t)
	if err := os.WriteFile(w.path("ring"), copied, 0o600); err != nil {
		t.Fatal(err)
	}
	again := openWorld(t, w.dir, w.store)
	if n := len(again.keysOf("bob")); n != 2 {
		t.Fatalf("the copy has %d keys of bob's", n)
	}
	again.mustOpen("a", again.store).close(t)
	for key, note := range again.keysOf("bob") {
		if _, is := commit.ErasureOf(note); !is {
			t.Errorf("key %d is live again", key)
		}
	}
	if person, draft := again.customerState("a", "bob"); person.Profile != nil || draft.Text != nil {
		t.Errorf("the state has %+v, %+v", person, draft)
	}
}

// A key that was destroyed without the log saying so is damage, whatever its note
// pretends.
func TestDestroyedWithoutTheLog(t *testing.T) {
	for name, note := range map[string]func(w *world, erased ledger.Receipt) keyring.Note{
		"no note":       func(*world, ledger.Receipt) keyring.Note { return keyring.Note{} },
		"no page":       func(*world, ledger.Receipt) keyring.Note { return commit.Erasure{Page: 99, Position: 3}.Note() },
		"another event": func(*world, ledger.Receipt) keyring.Note { return commit.Erasure{Page: 2, Position: 0}.Note() },
		"another's": func(_ *world, r ledger.Receipt) keyring.Note {
			return commit.Erasure{Page: r.Page, Position: r.Position}.Note()
		},
		"another number": func(_ *world, r ledger.Receipt) keyring.Note {
			return commit.Erasure{Page: r.Page, Position: r.Position + 1}.Note()
		},
		"no erasure": func(*world, ledger.Receipt) keyring.Note { return keyring.Note{31: 1} },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			o := w.mustOpen("a", w.store)
			w.begin(o)
			w.do(o, old("bob")...)
			w.do(o, old("eve")...)
			r, err := o.Do(t.Context(), w.envelope(eraseCommand("bob", customer.All)))
			if err != nil {
				t.Fatal(err)
			}
			o.close(t)
			for key := range w.keysOf("eve") {
				if err := w.ring.DestroyFor(note(w, r), key); err != nil {
					t.Fatal(err)
				}
			}
			if err := state.Remove(w.path("state-a")); err != nil {
				t.Fatal(err)
			}
			if _, err := w.open("a", w.store); !errors.Is(err, commit.ErrNotErased) {
				t.Errorf("opened: %v", err)
			}
		})
	}
}

// After a rotation everything new is under new keys, the old is read as before,
// and an erasure reaches both.
func TestRotatedDataKeys(t *testing.T) {
	w := newWorld(t)
	o := w.mustOpen("a", w.store)
	w.begin(o)
	w.do(o, old("bob")...)
	facts, err := w.ring.New(keyring.Facts)
	if err != nil {
		t.Fatal(err)
	}
	o.close(t)
	w.facts = facts
	o = w.mustOpen("a", w.store)
	size := o.Durable().Size
	profile := given.Profile("bob")
	profile.City = "Rome"
	w.do(o, &customer.Change{ID: given.ID("bob"), Country: "GB", HasVATID: profile.VATID != "", Personal: &profile})
	more := given.Receive("more", "bob", "1")
	w.do(o, more, &payment.Refund{Source: more.Stream(), Customer: more.Customer, Date: more.Date})
	for _, c := range w.logged() {
		newer := c.Position >= size
		if (c.Facts == facts) != newer {
			t.Errorf("position %d: the facts are under key %d", c.Position, c.Facts)
		}
		for _, key := range c.Subjects {
			if (key > facts) != newer {
				t.Errorf("position %d: personal data under key %d", c.Position, key)
			}
		}
	}
	if n := len(w.keysOf("bob")); n != 4 {
		t.Errorf("bob has %d keys", n)
	}
	o.close(t)
	o = w.mustOpen("a", w.store)
	w.do(o, eraseCommand("bob", customer.Contact))
	o.close(t)
	live := 0
	for _, note := range w.keysOf("bob") {
		if note == (keyring.Note{}) {
			live++
		}
	}
	if live != 2 {
		t.Errorf("%d keys are live, want the two of documents", live)
	}
}

var erasureSteps = []string{"decided", "publish", "acknowledged", "remembered", "destroyed", "renewing", "ready", "remade", "renewed"}

// TestErasedChild is the process that TestKilledWhileErasing kills.
func TestErasedChild(t *testing.T) {
	dir, step := os.Getenv("DAYBOOK_ERASE_DIR"), os.Getenv("DAYBOOK_ERASE_STEP")
	if dir == "" {
		t.Skip("only as a child of TestKilledWhileErasing")
	}
	w := openWorld(t, dir, nil)
	serve(t, w, false)
	armed := false
	w.step = func(at string) {
		if armed && at == step {
			if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
				t.Error(err)
			}
			select {}
		}
	}
	o := w.mustOpen("a", w.store)
	w.do(o, given.Register("warm")) // past the takeover
	armed = true
	e := w.envelope(eraseCommand("bob", customer.All))
	e.ID = uuid.MustParse(os.Getenv("DAYBOOK_ERASE_ID"))
	_, err := o.Do(t.Context(), e)
	t.Fatalf("it was not killed at %s: %v", step, err)
}

// Wherever a process dies in the middle of an erasure, either the log does not
// know of it and nothing is gone, or the next start brings it to its end.
func TestKilledWhileErasing(t *testing.T) {
	t.Parallel()
	for _, step := range erasureSteps {
		t.Run(step, func(t *testing.T) {
			w := newWorld(t)
			stop := serve(t, w, true)
			o := w.mustOpen("a", w.store)
			w.begin(o)
			w.do(o, old("bob")...)
			o.close(t)
			stop()
			id := uuid.Must(uuid.NewV7())
			child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestErasedChild$")
			child.Env = append(os.Environ(), "DAYBOOK_ERASE_DIR="+w.dir, "DAYBOOK_ERASE_STEP="+step, "DAYBOOK_ERASE_ID="+id.String())
			out, err := child.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
				t.Fatalf("%v: %s", err, bytes.TrimSpace(out))
			}
			defer serve(t, w, false)()
			o = w.mustOpen("a", w.store)
			states := ledger.StatesOf(o.Writer)
			person, err := customer.Load(states, given.ID("bob"))
			if err != nil {
				t.Fatal(err)
			}
			entered := step != "decided" && step != "publish"
			if (person.Erased == customer.All) != entered || (person.Profile == nil) != entered {
				t.Errorf("killed at %s, the state has %+v", step, person)
			}
			draft, err := invoice.Load(states, given.ID("bob's draft"))
			if err != nil || (draft.Text == nil) != entered {
				t.Errorf("killed at %s, the draft has %+v (%v)", step, draft.Text, err)
			}
			for key, note := range w.keysOf("bob") {
				if _, is := commit.ErasureOf(note); is != entered {
					t.Errorf("killed at %s, key %d is destroyed: %t", step, key, is)
				}
			}
			e := w.envelope(eraseCommand("bob", customer.All))
			e.ID = id
			r, err := o.Do(t.Context(), e)
			if err != nil || r.Repeated != entered {
				t.Errorf("killed at %s, repeated: %+v, %v", step, r, err)
			}
			for key, note := range w.keysOf("bob") {
				if _, is := commit.ErasureOf(note); !is {
					t.Errorf("key %d is live", key)
				}
			}
			o.close(t)
		})
	}
}
