package ledger_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/head"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/eventstore/memory"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/ledger/commit"
	"github.com/daybook-ledger/daybook/ledger/state"
	"github.com/daybook-ledger/daybook/testing/given"
)

const owner = given.Owner

// world is a book whose writers come and go: what lies on its disk outlives them.
type world struct {
	t      testing.TB
	dir    string
	book   uuid.UUID
	store  eventstore.Store // the log itself, beneath any faults
	ring   *keyring.Ring
	signer *page.Signer
	codec  *commit.Codec
	now    atomic.Int64 // nanoseconds that the wall clock was set ahead
	start  time.Time
	facts  keyring.KeyID // the key of the facts
	room   func() error  // of the writers that are opened from now on
	step   func(string)  // called at each step by the writers that are opened from now on
	// archive is that of the writers that are opened from now on.
	archive      ledger.Archive
	answerWithin time.Duration
}

func newWorld(t testing.TB) *world {
	t.Helper()
	dir := t.TempDir()
	// The root key and the signing key; a process that is killed finds them again.
	for _, name := range []string{"key", "seed"} {
		key := make([]byte, 32)
		if _, err := rand.Read(key); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), key, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ring, err := keyring.Create(filepath.Join(dir, "ring"), keyring.KeyFile(filepath.Join(dir, "key")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ring.New(keyring.Facts); err != nil {
		t.Fatal(err)
	}
	if err := ring.Close(); err != nil {
		t.Fatal(err)
	}
	w := openWorld(t, dir, memory.New())
	w.init("a")
	return w
}

// openWorld is the world that newWorld made in a folder, over a store.
func openWorld(t testing.TB, dir string, log eventstore.Store) *world {
	t.Helper()
	w := &world{t: t, dir: dir, book: given.ID("book"), store: log, start: time.Now(), facts: 1}
	var err error
	if w.ring, err = keyring.Open(w.path("ring"), keyring.KeyFile(w.path("key"))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.ring.Close() })
	seed, err := os.ReadFile(w.path("seed"))
	if err != nil {
		t.Fatal(err)
	}
	if w.signer, err = page.NewSigner("daybook.invalid/test/1", ed25519.NewKeyFromSeed(seed)); err != nil {
		t.Fatal(err)
	}
	w.codec = commit.NewCodec(w.book, func(uint64) uint64 { return 1 }, w.ring, seed)
	w.codec.ProveErasures(current{w}, w.signer.Verifier())
	return w
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

// init makes the remembered head of a writer's own disk, and the key of its state
// file.
func (w *world) init(disk string) {
	w.t.Helper()
	f, err := head.Create(w.path("head-"+disk), head.Head{Epoch: 1, Head: page.EmptyHead()})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := errors.Join(f.Close(), w.newStateKey(disk)); err != nil {
		w.t.Fatal(err)
	}
}

// writer is a running writer with what it holds.
type writer struct {
	*ledger.Writer
	head  *head.File
	state *state.File
}

// current is the log that a world has now.
type current struct{ w *world }

func (c current) Read(ctx context.Context, first, last uint64) iter.Seq2[eventstore.Page, error] {
	return c.w.store.Read(ctx, first, last)
}

func (w *world) newStateKey(disk string) error {
	id, err := w.ring.New(keyring.State)
	if err != nil {
		return err
	}
	return w.ring.SetNamed("state/"+disk, id)
}

// openState opens a disk's state file under a key of its own.
func (w *world) openState(disk string) (*state.File, keyring.KeyID, error) {
	id, err := w.ring.Named("state/" + disk)
	if err != nil {
		return nil, 0, err
	}
	key, err := w.ring.Key(id)
	if errors.Is(err, keyring.ErrDestroyed) { // at an erasure
		if err = errors.Join(state.Remove(w.path("state-"+disk)), w.newStateKey(disk)); err == nil {
			return w.openState(disk)
		}
	}
	if err != nil {
		return nil, 0, err
	}
	file, err := state.Open(w.path("state-"+disk), key)
	return file, id, err
}

// renew begins another state file of a disk.
func (w *world) renew(disk string, o *writer) (ledger.Renewed, error) {
	path := w.path("state-" + disk)
	id, err := w.ring.New(keyring.State)
	if err != nil {
		return ledger.Renewed{}, err
	}
	key, err := w.ring.Key(id)
	if err != nil {
		return ledger.Renewed{}, err
	}
	if err := state.Remove(path + ".new"); err != nil {
		return ledger.Renewed{}, err
	}
	file, err := state.Open(path+".new", key)
	return ledger.Renewed{
		File: file, Key: id,
		Replace: func() (*state.File, error) {
			old, err := w.ring.Named("state/" + disk)
			err = errors.Join(err, file.Close(), o.state.Close(), w.ring.Destroy(old), state.Remove(path), os.Rename(path+".new", path), w.ring.SetNamed("state/"+disk, id))
			if err != nil {
				return nil, err
			}
			o.state, _, err = w.openState(disk)
			return o.state, err
		},
		Discard: func() error { return errors.Join(file.Close(), state.Remove(path+".new"), w.ring.Destroy(id)) },
	}, err
}

// open starts a writer of one disk over a store, which is the log or wraps it.
func (w *world) open(disk string, store eventstore.Store) (*writer, error) {
	var o writer
	var err error
	if o.head, err = head.Open(w.path("head-" + disk)); err != nil {
		return nil, err
	}
	var stateKey keyring.KeyID
	if o.state, stateKey, err = w.openState(disk); err != nil {
		return nil, err
	}
	renew := func() (ledger.Renewed, error) { return w.renew(disk, &o) }
	o.Writer, err = ledger.Open(w.t.Context(), ledger.WithStep(ledger.Config{
		Book: w.book, Epoch: 1, Store: store, Signer: w.signer, Codec: w.codec, Keys: w.ring,
		TreePath: w.path("tree-" + disk), Head: o.head, State: o.state, StateKey: stateKey, Room: w.room,
		Facts: func() (keyring.KeyID, error) { return w.facts, nil }, Renew: renew,
		Clock: ledger.Clock{
			Now:     func() time.Time { return time.Now().Add(time.Duration(w.now.Load())) },
			Elapsed: func() time.Duration { return time.Since(w.start) },
		},
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), AppendWithin: 60 * time.Millisecond,
		Archive: w.archive, AnswerWithin: w.answerWithin,
	}, w.step))
	if err != nil {
		return nil, errors.Join(err, o.head.Close(), o.state.Close())
	}
	return &o, nil
}

func (w *world) mustOpen(disk string, store eventstore.Store) *writer {
	w.t.Helper()
	o, err := w.open(disk, store)
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

func (o *writer) close(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := errors.Join(o.Close(ctx), o.state.Close(), o.head.Close()); err != nil {
		t.Error(err)
	}
}

func (w *world) envelope(c domain.Command) ledger.Envelope {
	return ledger.Envelope{ID: uuid.Must(uuid.NewV7()), Principal: owner, Command: c}
}

// enter enters an invoice of a name for the customer Ada.
func (w *world) enter(name string) ledger.Envelope {
	return w.envelope(given.Enter(name, given.Content("ada", given.Line("2", "49.50", "S 20"), given.Line("1", "10", "S 5"))))
}

// enterReference enters an invoice with an external reference, which only one
// document can have.
func (w *world) enterReference(name, reference string) ledger.Envelope {
	content := given.Content("ada", given.Line("1", "10", "S 20"))
	content.Reference = reference
	return w.envelope(given.Enter(name, content))
}

// begin opens the book and registers the customer Ada.
func (w *world) begin(o ledger.Book) {
	w.t.Helper()
	for _, c := range []domain.Command{given.Open(w.book), given.Register("ada")} {
		if _, err := o.Do(w.t.Context(), w.envelope(c)); err != nil {
			w.t.Fatal(err)
		}
	}
}

func refusalCode(err error) string {
	var refusal *domain.Refusal
	if errors.As(err, &refusal) {
		return refusal.Code
	}
	return ""
}

func TestManyCallersShareFewPages(t *testing.T) {
	w := newWorld(t)
	o := w.mustOpen("a", w.store)
	w.begin(o)
	const callers, each = 32, 20
	var group sync.WaitGroup
	positions := make(chan uint64, callers*each)
	for caller := range callers {
		group.Go(func() {
			for i := range each {
				r, err := o.Do(t.Context(), w.enter(fmt.Sprint(caller, "/", i)))
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := r.Verify(w.signer.Verifier()); err != nil {
					t.Error(err)
				}
				positions <- r.Position
			}
		})
	}
	group.Wait()
	close(positions)
	seen := make(map[uint64]bool)
	for p := range positions {
		if seen[p] {
			t.Errorf("position %d was given twice", p)
		}
		seen[p] = true
	}
	if len(seen) != callers*each || o.Durable().Size != callers*each+2 {
		t.Errorf("%d commits, log of %d", len(seen), o.Durable().Size)
	}
	if pages := o.Durable().Page; pages > callers*each/2 {
		t.Errorf("%d pages for %d commits by %d callers", pages, callers*each, callers)
	}
	o.close(t)
}

// Without room new commands are refused; those that the book holds are answered.
func TestNoRoom(t *testing.T) {
	w := newWorld(t)
	var full atomic.Bool
	w.room = func() error {
		if full.Load() {
			return domain.Refuse("disk-full", "no room")
		}
		return nil
	}
	o := w.mustOpen("a", w.store)
	w.begin(o)
	held := w.enter("x")
	if _, err := o.Do(t.Context(), held); err != nil {
		t.Fatal(err)
	}
	full.Store(true)
	if _, err := o.Do(t.Context(), w.enter("y")); refusalCode(err) != "disk-full" {
		t.Errorf("a new command: %v", err)
	}
	if r, err := o.Do(t.Context(), held); err != nil || !r.Repeated {
		t.Errorf("a command that the book holds: %+v, %v", r, err)
	}
	o.close(t)
}
