package bookdir

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/ledger/state"
)

// Wherever a process dies that makes the states anew, the next destroys the key of what
// it made, and removes that.
func TestStatesOfTheDead(t *testing.T) {
	dir := t.TempDir()
	ring, err := keyring.Create(filepath.Join(dir, "ring"), keyring.Secret(make([]byte, keyring.KeySize)))
	if err != nil {
		t.Fatal(err)
	}
	defer ring.Close()
	first, err := ring.New(keyring.State)
	if err == nil {
		err = ring.SetNamed(stateKey, first)
	}
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "state.db")
	s := &states{ring: ring, path: path}
	if _, _, err := s.open(); err != nil {
		t.Fatal(err)
	}
	gone := func(what string, id keyring.KeyID) {
		t.Helper()
		if _, is, err := ring.Destroyed(id); err != nil || !is {
			t.Errorf("%s: the key of what was made is live (%v)", what, err)
		}
	}
	made, err := s.renew()
	if err == nil {
		err = errors.Join(made.File.Write([]state.Row{{Key: []byte("key"), Value: []byte("Ada")}}), made.File.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	again, err := (&states{ring: ring, path: path}).renew()
	if err != nil {
		t.Fatal(err)
	}
	gone("while it is made", made.Key)
	if err := errors.Join(again.File.Close(), s.close(), ring.Destroy(first), state.Remove(path)); err != nil {
		t.Fatal(err)
	}
	last := &states{ring: ring, path: path}
	if _, _, err := last.open(); err != nil {
		t.Fatal(err)
	}
	gone("before it was in its place", again.Key)
	if _, err := os.Stat(path + newStates); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("before it was in its place: it is there still (%v)", err)
	}
	if err := last.close(); err != nil {
		t.Error(err)
	}
}
