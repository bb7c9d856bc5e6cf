package bookdir

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/erasure"
	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/jetstream"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/ledger/commit"
)

// ending is a log whose holder ends once so many pages were read of it.
type ending struct {
	eventstore.Store
	pages int
	end   func()
}

func (e *ending) Read(ctx context.Context, first, last uint64) iter.Seq2[eventstore.Page, error] {
	return func(yield func(eventstore.Page, error) bool) {
		for next := max(first, 1); ; next++ {
			if e.pages--; e.pages == -1 {
				e.end()
			}
			there := false
			for p, err := range e.Store.Read(ctx, next, min(next, last)) {
				if there = true; !yield(p, err) || err != nil {
					return
				}
			}
			if !there {
				return
			}
		}
	}
}

// holders has a book held, and gives what ends that: after it nobody holds the book, or
// another one does until it is ended again, or the test.
func holders(t *testing.T, dir string, o Options, next bool) (end func()) {
	t.Helper()
	held, err := Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { held.Close(context.Background()) })
	return func() {
		if err := held.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if !next {
			return
		}
		next = false
		if held, err = Open(t.Context(), dir, o); err != nil {
			t.Error(err)
		}
	}
}

// Whoever reads a log goes on where it was when the process that holds it ends, through the
// next holder or by holding it, and says nothing else than had that not been.
func TestALogIsReadOn(t *testing.T) {
	f := bookkeeper(t, create)
	for _, c := range []struct{ next, deep bool }{{false, false}, {true, false}, {false, true}, {true, true}} {
		t.Run(fmt.Sprintf("next %t, deep %t", c.next, c.deep), func(t *testing.T) {
			for pages := range 5 {
				dir := copyOf(t, f.new)
				end := holders(t, dir, f.options, c.next)
				l, err := OpenLog(t.Context(), dir, 0, quiet())
				if err != nil {
					t.Fatal(err)
				}
				o := VerifyOptions{Unkept: true}
				if c.deep {
					if o.Deep, err = OpenDeep(dir, f.options); err != nil {
						t.Fatal(err)
					}
				}
				read := 0
				o.Progress = func(uint64, uint64) { read++ }
				reached := l.Store.(*onward)
				reached.yields = 0
				reached.store = &ending{reached.store.(eventstore.Store), pages, end}
				if pages == 0 {
					end()
					reached.store = reached.store.(*ending).Store
				}
				r, err := l.Verify(t.Context(), o)
				if err != nil || !r.OK || uint64(read) != r.Pages || read < 6 {
					t.Errorf("after %d pages: %+v of %d pages, %v", pages, r, read, err)
				}
				if _, is := reached.reached().(*ending); is {
					t.Errorf("after %d pages nobody ended", pages)
				}
				if o.Deep != nil {
					err = o.Deep.Close(context.Background())
				}
				if err := errors.Join(err, l.Close(context.Background())); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// What became another log while nobody held it is not read on, and accuses nobody.
func TestALogIsNotReadOnAsAnother(t *testing.T) {
	dir, o := create(t)
	end := holders(t, dir, o, false)
	l, err := OpenLog(t.Context(), dir, 0, quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close(context.Background())
	end()
	l.Store.(*onward).yields = 0
	rotate(t, dir, o)
	for range 2 { // whoever asks again is told the same
		if r, err := l.Verify(t.Context(), VerifyOptions{}); !errors.Is(err, ErrBusy) || len(r.Failures) > 0 {
			t.Errorf("after a rotation: %+v, %v", r, err)
		}
	}

	end = holders(t, dir, o, false)
	if l, err = OpenLog(t.Context(), dir, 0, quiet()); err != nil {
		t.Fatal(err)
	}
	defer l.Close(context.Background())
	l.Store.(*onward).yields = 0
	l.Store.(*onward).last = 1000 // as where the newest page had not been flushed
	end()
	if r, err := l.Verify(t.Context(), VerifyOptions{}); !errors.Is(err, ErrBusy) || len(r.Failures) > 0 {
		t.Errorf("of a log that became shorter: %+v, %v", r, err)
	}
}

// A holder that is started again takes the book back, and commands, while a check goes on.
func TestAHolderIsStartedAgain(t *testing.T) {
	dir, o := create(t)
	first, err := Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := OpenLog(t.Context(), dir, 0, quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close(context.Background())
	if err := first.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	read := make(chan error, 1)
	go func() {
		for _, err := range l.Store.Read(context.Background(), 1, 1) {
			read <- err
			return
		}
		read <- errors.New("no page")
	}()
	time.Sleep(300 * time.Millisecond) // as a service manager does
	again, err := Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close(context.Background())
	if err := <-read; err != nil {
		t.Error(err)
	}
	if _, err := again.Do(t.Context(), register("Ada")); err != nil {
		t.Error(err)
	}
}

// A holder that is reached, and ends at once, is not the last that is looked for.
func TestALogIsReadOnAfterAHolderThatEndsAtOnce(t *testing.T) {
	dir, o := create(t)
	end := holders(t, dir, o, true)
	l, err := OpenLog(t.Context(), dir, 0, quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close(context.Background())
	end()
	next, err := reachLog(t.Context(), dir, 0, 0, quiet())
	if err != nil {
		t.Fatal(err)
	}
	end()
	l.Store.(*onward).yields = 0
	if err := l.Store.(*onward).goOn(t.Context(), next); err != nil {
		t.Error(err)
	}
	if r, err := l.Verify(t.Context(), VerifyOptions{}); err != nil || !r.OK {
		t.Errorf("%+v, %v", r, err)
	}
}

// mute is a log that does not show a single page to who asks for it.
type mute struct {
	eventstore.Reader
	why error
}

func (m mute) Read(ctx context.Context, first, last uint64) iter.Seq2[eventstore.Page, error] {
	if first != last {
		return m.Reader.Read(ctx, first, last)
	}
	return func(yield func(eventstore.Page, error) bool) { yield(eventstore.Page{}, m.why) }
}

// That a log does not answer, or is not reached anew, is not taken for one that lacks an
// erasure; that it has no such page is.
func TestALogThatDoesNotAnswerAccusesNobody(t *testing.T) {
	dir, o := create(t)
	inBook(t, dir, o, func(b *Book) {
		ada := register("Ada")
		erase := ledger.Envelope{ID: uuid.Must(uuid.NewV7()), Principal: "owner", Command: &erasure.Erase{
			Customer: ada.Command.(*customer.Register).ID, Scope: customer.All, Reason: "asked",
		}}
		for _, e := range []ledger.Envelope{ada, erase} {
			if _, err := b.Do(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
	})
	l, err := OpenLog(t.Context(), dir, 0, quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close(context.Background())
	shown := l.Store
	for _, why := range []error{jetstream.ErrUnavailable, ErrBusy, eventstore.ErrClosed, context.DeadlineExceeded, eventstore.ErrGap} {
		d, err := OpenDeep(dir, o)
		if err != nil {
			t.Fatal(err)
		}
		l.Store = mute{shown, why}
		r, err := l.Verify(t.Context(), VerifyOptions{Deep: d, Unkept: true})
		if why == eventstore.ErrGap {
			if err != nil || len(r.Failures) == 0 || r.Failures[0].Code != CodeUnlogged {
				t.Errorf("%v: %+v, %v", why, r, err)
			}
		} else if !errors.Is(err, why) || errors.Is(err, commit.ErrNotErased) || len(r.Failures) > 0 {
			t.Errorf("%v: %+v, %v", why, r, err)
		}
		if err := d.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

// What a guest writes of the log, elsewhere, goes on too.
func TestABookIsReadOn(t *testing.T) {
	a := newArchived(t)
	reads := map[string]func(b *Book) error{
		"an export": func(b *Book) error {
			dir := filepath.Join(t.TempDir(), "tiles")
			for range 2 {
				e, err := b.NewTileExport(t.Context(), dir, nil)
				if err != nil {
					return err
				}
				if h, _, err := e.Update(t.Context(), nil); err != nil || h.Size != uint64(1+len(a.receipts)) {
					return fmt.Errorf("size %d: %w", h.Size, err)
				}
			}
			return nil
		},
		"a backup": func(b *Book) error {
			done, err := b.Backup(t.Context(), nil)
			if err == nil && done.Pages == 0 {
				err = errors.New("no page was written")
			}
			return err
		},
		"a pruning": func(b *Book) error {
			done, err := b.Prune(t.Context())
			if err == nil && done.Merged == 0 {
				err = errors.New("nothing was merged")
			}
			return err
		},
	}
	for name, read := range reads {
		for pages := range 4 {
			a.enter(t, true, fmt.Sprint("Ada ", name, pages))
			a.enter(t, true, fmt.Sprint("Bob ", name, pages))
			a.enter(t, false, fmt.Sprint("Cy ", name, pages))
			end := holders(t, a.dir, a.options, pages%2 == 0)
			b, err := Open(t.Context(), a.dir, a.options)
			if err != nil {
				t.Fatal(err)
			}
			if pages == 0 {
				end()
			} else {
				b.link.store = &ending{b.link.store, pages, end}
			}
			if err := read(b); err != nil {
				t.Errorf("%s, after %d pages: %v", name, pages, err)
			}
			if err := b.Close(context.Background()); err != nil {
				t.Error(err)
			}
			end() // whoever holds it now
		}
	}
	a.with(t, func(b *Book) { a.backup(t, b) })
	dir, o, _, err := a.restore(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	sound(t, dir, o, a.receipts...)
}

// An export goes on after the keys were changed, and not as that of another log.
func TestAnExportIsOfOneLog(t *testing.T) {
	dir, o := create(t)
	end := holders(t, dir, o, false)
	b, err := Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { b.Close(context.Background()) }()
	e, err := b.NewTileExport(t.Context(), filepath.Join(t.TempDir(), "tiles"), nil)
	if err == nil {
		_, _, err = e.Update(t.Context(), nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	end()
	rotate(t, dir, o)
	inBook(t, dir, o, func(other *Book) {
		if _, err := other.Do(t.Context(), register("Ada")); err != nil {
			t.Fatal(err)
		}
		if h, _, err := e.Update(t.Context(), nil); err != nil || h.Size != 2 {
			t.Errorf("size %d, %v", h.Size, err)
		}
	})
	b.link.info.Origin += "x" // as after a repair that began an epoch
	if _, _, err := e.Update(t.Context(), nil); !errors.Is(err, ErrOtherExport) {
		t.Errorf("as that of another log: %v", err)
	}
}
