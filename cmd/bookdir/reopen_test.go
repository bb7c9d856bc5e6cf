package bookdir

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/ledger/remote"
)

// hide takes a file of a book away, and gives what brings it back.
func hide(t *testing.T, path string) (back func()) {
	t.Helper()
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Rename(path+".away", path); err != nil {
			t.Error(err)
		}
	}
}

// A book that was opened again in vain, and is closed, leaves the next holder alone.
func TestWhoIsClosedTwiceLeavesTheNextHolderAlone(t *testing.T) {
	dir, o := create(t)
	o.Wait = 50 * time.Millisecond
	former, err := Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	back := hide(t, filepath.Join(dir, "book.json"))
	if _, err := former.reopen(t.Context(), former.current()); err == nil {
		t.Error("opened without its book.json")
	}
	back()
	inBook(t, dir, o, func(*Book) {
		if err := former.Close(context.Background()); err != nil {
			t.Error(err)
		}
		inBook(t, dir, o, func(guest *Book) {
			if _, err := guest.Do(t.Context(), register("Ada")); err != nil {
				t.Error(err)
			}
		})
	})
}

// deaf is a book whose answers are lost on the way.
type deaf struct{ ledger.Book }

func (d deaf) Do(ctx context.Context, e ledger.Envelope) (ledger.Receipt, error) {
	return d.Submit(ctx, e)()
}

func (d deaf) Submit(ctx context.Context, e ledger.Envelope) func() (ledger.Receipt, error) {
	wait := d.Book.Submit(ctx, e)
	return func() (ledger.Receipt, error) {
		_, err := wait()
		return ledger.Receipt{}, errors.Join(err, fmt.Errorf("%w (%w)", ledger.ErrOutcomeUnknown, remote.ErrLost))
	}
}

// A command whose answer was lost is not said to have failed because nobody can be
// reached afterwards; and once somebody can, it is answered.
func TestALostAnswerStaysUnknown(t *testing.T) {
	dir, o := create(t)
	inBook(t, dir, o, func(*Book) {
		o.Wait = 50 * time.Millisecond
		inBook(t, dir, o, func(guest *Book) {
			guest.link.ledger = deaf{guest.link.ledger}
			e := register("Ada")
			back := hide(t, filepath.Join(dir, "connect"))
			if _, err := guest.Do(t.Context(), e); !errors.Is(err, ledger.ErrOutcomeUnknown) || errors.Is(err, ErrBusy) {
				t.Errorf("the guest heard %v", err)
			}
			back()
			if receipt, err := guest.Do(t.Context(), e); err != nil || !receipt.Repeated {
				t.Errorf("repeated: %+v, %v", receipt, err)
			}
		})
	})
}

// Of a command that was given twice, only what looked for it first tells what became of
// it.
func TestWhatTellsOfACommand(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nil, true},
		{domain.Refuse("no-customer", "there is none"), true},
		{domain.Refuse(ledger.CodeArchiveBehind, "away"), false},
		{domain.Refuse(ledger.CodeLogBehind, "away"), false},
		{ErrBusy, false},
		{context.Canceled, false},
	} {
		if got := tells(c.err); got != c.want {
			t.Errorf("%v tells of it: %t", c.err, got)
		}
	}
}
