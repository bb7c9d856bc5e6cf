package ledger_test

import (
	"errors"
	"os"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/ledger/state"
)

// put writes a row of a writer's state file.
func (w *world) put(disk, key string, value any) {
	w.t.Helper()
	f, _, err := w.openState(disk)
	if err != nil {
		w.t.Fatal(err)
	}
	data, err := cbor.Marshal(value)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := errors.Join(f.Write([]state.Row{{Key: []byte(key), Value: data}}), f.Close()); err != nil {
		w.t.Fatal(err)
	}
}

// A state file whose rows have the form of another release is not used.
func TestRowsOfAnotherRelease(t *testing.T) {
	w := newWorld(t)
	var h history
	w.fill(&h, 3)
	last := w.mustOpen("a", w.store)
	head := last.Durable()
	last.close(t)
	older := []any{1, head.Page, head.Size, head.Root[:], 0, 2}
	for name, cursor := range map[string][]any{"before forms were told": older, "other forms": append(older, make([]byte, 32))} {
		w.put("a", "cursor", cursor)
		if _, err := w.open("a", w.store); !errors.Is(err, state.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	remove(t, w, "state-a", "state-a-wal", "state-a-shm")
	w.verify(&h, "a")
}

// A row that proves damaged when a command asks for it is not damaged for ever:
// the next start says that the file must be made anew.
func TestADamagedRowIsNotKept(t *testing.T) {
	w := newWorld(t)
	var h history
	w.fill(&h, 3)
	w.put("a", "s"+string(w.book[:])+"book", "no state")
	o := w.mustOpen("a", w.store)
	if _, err := o.Do(t.Context(), w.enter("more")); !errors.Is(err, state.ErrDamaged) {
		t.Errorf("with a damaged row: %v", err)
	}
	o.close(t)
	if _, err := w.open("a", w.store); !errors.Is(err, state.ErrDamaged) {
		t.Errorf("at the next start: %v", err)
	}
	remove(t, w, "state-a", "state-a-wal", "state-a-shm")
	w.verify(&h, "a")
}

// A ring from before some keys were made is refused: it would give their ids to
// new keys.
func TestAnOlderRing(t *testing.T) {
	w := newWorld(t)
	older, err := os.ReadFile(w.path("ring"))
	if err != nil {
		t.Fatal(err)
	}
	w.fill(new(history), 1)
	if err := w.ring.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.path("ring"), older, 0o600); err != nil {
		t.Fatal(err)
	}
	if w.ring, err = keyring.Open(w.path("ring"), keyring.KeyFile(w.path("key"))); err != nil {
		t.Fatal(err)
	}
	if _, err := w.open("a", w.store); !errors.Is(err, keyring.ErrDamaged) {
		t.Errorf("with an older ring: %v", err)
	}
}
