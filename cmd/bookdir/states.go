package bookdir

import (
	"errors"

	"github.com/daybook-ledger/daybook/eventstore/keyring"
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

// renew destroys the file's key, and the file with it, and begins another.
func (s *states) renew() (*state.File, keyring.KeyID, error) {
	id, err := s.ring.Named(stateKey)
	if err != nil {
		return nil, 0, err
	}
	if err := errors.Join(s.close(), s.ring.Destroy(id)); err != nil {
		return nil, 0, err
	}
	return s.begin()
}

// begin begins a file under a new key. The old one is removed before the new key
// has its name: whatever stands at the path is under the key that is named.
// Naming it wraps the whole ring under a new book key, so that what is left on
// the disk of slots as they were opens no more.
func (s *states) begin() (*state.File, keyring.KeyID, error) {
	if err := state.Remove(s.path); err != nil {
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
