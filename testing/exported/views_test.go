package exported_test

import (
	"context"
	"os"
	"sync"
	"testing"

	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/projections/sqlite"
	"github.com/daybook-ledger/daybook/testing/compiled"
	"github.com/daybook-ledger/daybook/testing/viewtest"
)

func TestMain(m *testing.M) {
	compiled.SQLite()
	os.Exit(m.Run())
}

// open opens views in a folder.
func open(dir string) (viewtest.Store, error) {
	s, err := sqlite.Open(context.Background(), dir, &ring{kinds: map[keyring.KeyID]keyring.Kind{}})
	if err != nil {
		return viewtest.Store{}, err
	}
	return viewtest.Store{Store: s, Queries: s.Queries, Close: s.Close}, nil
}

// ring is a key ring whose keys are worth nothing.
type ring struct {
	mu    sync.Mutex
	kinds map[keyring.KeyID]keyring.Kind
}

func (r *ring) New(kind keyring.Kind) (keyring.KeyID, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id := keyring.KeyID(len(r.kinds) + 1)
	r.kinds[id] = kind
	return id, nil
}

func (r *ring) Key(id keyring.KeyID) ([]byte, error) {
	key := make([]byte, keyring.KeySize)
	key[0] = byte(id)
	return key, nil
}

func (r *ring) Kind(id keyring.KeyID) (keyring.Kind, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if kind := r.kinds[id]; kind != 0 {
		return kind, nil
	}
	return 0, keyring.ErrUnknownKey
}

func (r *ring) Destroy(...keyring.KeyID) error { return nil }
