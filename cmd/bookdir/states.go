package bookdir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/ledger/state"
)

// states is the state file of a book, under the key that the ring knows by name.
type states struct {
	ring *keyring.Ring
	path string
	file *state.File // nil while it is not open
}

// open opens the file. A key that was destroyed is what an erasure left that did
// not come to its end: the file goes, and another is begun.
func (s *states) open() (*state.File, keyring.KeyID, error) {
	id, err := s.ring.Named(stateKey)
	if err != nil {
		return nil, 0, err
	}
	key, err := s.ring.Key(id)
	if errors.Is(err, keyring.ErrDestroyed) {
		return s.begin()
	}
	if err != nil {
		return nil, 0, err
	}
	defer clear(key)
	if s.file, err = state.Open(s.path, key); err != nil {
		return nil, 0, err
	}
	return s.file, id, nil
}

// renew begins a file under a new key beside the one that is open.
func (s *states) renew() (ledger.Renewed, error) {
	if err := s.sweep(); err != nil {
		return ledger.Renewed{}, err
	}
	path := s.path + newStates
	id, err := s.ring.New(keyring.State)
	if err != nil {
		return ledger.Renewed{}, err
	}
	key, err := s.ring.Key(id)
	if err != nil {
		return ledger.Renewed{}, err
	}
	defer clear(key)
	file, err := state.Open(path, key)
	if err != nil {
		return ledger.Renewed{}, errors.Join(err, state.Remove(path))
	}
	return ledger.Renewed{
		File: file, Key: id,
		Replace: func() (*state.File, error) { return s.replace(file, path, id) },
		Discard: func() error { return errors.Join(file.Close(), state.Remove(path), s.ring.Destroy(id)) },
	}, nil
}

// replace destroys the file's key, and the file with it, and puts another in its
// place, under the key that has the name from then on. Naming it wraps the whole ring
// under a new book key, so that what is left on the disk of slots as they were opens no
// more. Wherever a process dies on the way, what stands at the path does not open under
// the key that is named, or is not there, and is made anew.
func (s *states) replace(by *state.File, from string, id keyring.KeyID) (*state.File, error) {
	old, err := s.ring.Named(stateKey)
	if err != nil {
		return nil, err
	}
	if err := by.Whole(); err != nil {
		return nil, err
	}
	if err := errors.Join(by.Close(), s.close(), s.ring.Destroy(old), state.Remove(s.path)); err != nil {
		return nil, err
	}
	if err := os.Rename(from, s.path); err != nil {
		return nil, fmt.Errorf("bookdir: %w", err)
	}
	if err := errors.Join(syncDir(filepath.Dir(s.path)), s.ring.SetNamed(stateKey, id)); err != nil {
		return nil, err
	}
	file, _, err := s.open()
	return file, err
}

// newStates is added to the path of the file that is to take the place of the one there.
const newStates = ".new"

// sweep removes a file that was to take the place of another, with its key, where a
// process died before it did.
func (s *states) sweep() error {
	if err := state.Remove(s.path + newStates); err != nil {
		return err
	}
	named, err := s.ring.Named(stateKey)
	if err != nil {
		return err
	}
	live, err := s.ring.IDs(keyring.State)
	if err != nil {
		return err
	}
	for _, id := range live {
		if id != named {
			err = errors.Join(err, s.ring.Destroy(id))
		}
	}
	return err
}

// begin begins a file under a new key. The old one is removed before the new key
// has its name: whatever stands at the path is under the key that is named.
func (s *states) begin() (*state.File, keyring.KeyID, error) {
	if err := errors.Join(s.sweep(), state.Remove(s.path)); err != nil {
		return nil, 0, err
	}
	id, err := s.ring.New(keyring.State)
	if err != nil {
		return nil, 0, err
	}
	if err := s.ring.SetNamed(stateKey, id); err != nil {
		return nil, 0, err
	}
	return s.open()
}

func (s *states) close() error {
	if s.file == nil {
		return nil
	}
	file := s.file
	s.file = nil
	return file.Close()
}
