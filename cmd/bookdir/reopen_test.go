package bookdir

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
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
