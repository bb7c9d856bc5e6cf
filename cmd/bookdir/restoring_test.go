package bookdir

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/daybook-ledger/daybook/eventstore/keyring"
)

// A restore that fails leaves nothing on the disk that opens: what it had made of the
// ring has all keys of the book.
func TestARestoreThatFailsLeavesNoRing(t *testing.T) {
	t.Parallel()
	a := newArchived(t)
	a.enter(t, true, "Ada", "Bob")
	dir := filepath.Join(t.TempDir(), "restored")
	var ring *os.File
	_, err := Restore{
		From: a.place, Identities: a.ids, Root: a.options.Root, Principal: "nobody", Clock: SystemClock(), Log: quiet(),
		Progress: func(uint64, uint64) {
			if ring == nil {
				ring, _ = os.Open(filepath.Join(dir, "ring"))
			}
		},
	}.Do(t.Context(), dir)
	if err == nil || ring == nil {
		t.Fatalf("%v, %v", ring, err)
	}
	defer ring.Close()
	content := make([]byte, 1<<20)
	n, _ := ring.ReadAt(content, 0) // as far as it goes
	left := filepath.Join(t.TempDir(), "ring")
	if err := os.WriteFile(left, content[:n], 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err := keyring.Open(left, a.options.Root); err == nil {
		t.Error("what is left of the ring opens")
		r.Close()
	}
}

// A restore that was killed is done again in the same folder, which another may not use
// meanwhile; a book is not taken for what one left.
func TestARestoreThatWasKilledIsDoneAgain(t *testing.T) {
	t.Parallel()
	a := newArchived(t)
	a.enter(t, true, "Ada", "Bob")
	dir := filepath.Join(t.TempDir(), "restored")
	r := Restore{
		From: a.place, Identities: a.ids, Root: a.options.Root, Principal: "owner", Clock: SystemClock(), Log: quiet(),
	}
	left := filepath.Join(t.TempDir(), "left")
	r.Progress = func(uint64, uint64) {
		if _, err := os.Stat(left); err == nil {
			return
		}
		if err := os.CopyFS(left, os.DirFS(dir)); err != nil {
			t.Error(err)
		}
		again := r
		again.Progress = nil
		if _, err := again.Do(t.Context(), dir); !errors.Is(err, ErrBusy) {
			t.Errorf("beside one that is under way: %v", err)
		}
	}
	if _, err := r.Do(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	r.Progress = nil
	if _, err := r.Do(t.Context(), dir); !errors.Is(err, ErrExists) {
		t.Errorf("over a book: %v", err)
	}
	sound(t, dir, a.options, a.receipts...)
	if _, err := os.Stat(filepath.Join(left, "ring")); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Do(t.Context(), left); err != nil { // as it lay when the process died
		t.Fatal(err)
	}
	sound(t, left, a.options, a.receipts...)
}
