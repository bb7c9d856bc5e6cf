package sqlite_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/projections/sqlite"
	"github.com/daybook-ledger/daybook/projections/views"
	"github.com/daybook-ledger/daybook/testing/compiled"
	"github.com/daybook-ledger/daybook/testing/effort"
	"github.com/daybook-ledger/daybook/testing/viewtest"
)

func TestMain(m *testing.M) {
	compiled.SQLite()
	if place := os.Getenv(victimPlace); place != "" {
		victim(place)
		return
	}
	effort.Checks(effort.Of(100, 30))
	os.Exit(m.Run())
}

// ring is a key ring in memory. It gives keys of a kind only.
type ring struct {
	mu   sync.Mutex
	keys map[keyring.KeyID][]byte
	kind map[keyring.KeyID]keyring.Kind
}

func newRing() *ring {
	return &ring{keys: map[keyring.KeyID][]byte{}, kind: map[keyring.KeyID]keyring.Kind{}}
}

func (r *ring) New(kind keyring.Kind) (keyring.KeyID, error) {
	key := make([]byte, keyring.KeySize)
	if _, err := rand.Read(key); err != nil {
		return 0, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	id := keyring.KeyID(len(r.kind) + 1)
	r.keys[id], r.kind[id] = key, kind
	return id, nil
}

func (r *ring) Key(id keyring.KeyID) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if key := r.keys[id]; key != nil {
		return append([]byte(nil), key...), nil
	}
	if r.kind[id] != 0 {
		return nil, keyring.ErrDestroyed
	}
	return nil, keyring.ErrUnknownKey
}

func (r *ring) Kind(id keyring.KeyID) (keyring.Kind, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if kind := r.kind[id]; kind != 0 {
		return kind, nil
	}
	return 0, keyring.ErrUnknownKey
}

func (r *ring) Destroy(ids ...keyring.KeyID) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range ids {
		if r.kind[id] == 0 {
			return keyring.ErrUnknownKey
		}
		delete(r.keys, id)
	}
	return nil
}

// live gives the ids of the keys that exist.
func (r *ring) live() (ids []keyring.KeyID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id := range r.keys {
		ids = append(ids, id)
	}
	return ids
}

func TestConformance(t *testing.T) {
	viewtest.Run(t, func(t *testing.T) viewtest.Engine {
		dir, keys := t.TempDir(), newRing()
		return viewtest.Engine{
			Open: func(place string) (viewtest.Store, error) {
				s, err := sqlite.Open(context.Background(), filepath.Join(dir, place), keys)
				if err != nil {
					return viewtest.Store{}, err
				}
				return viewtest.Store{Store: s, Queries: s.Queries, Close: s.Close}, nil
			},
			Rebuild: func(place string, r views.Rebuild) error {
				return sqlite.Rebuild(context.Background(), filepath.Join(dir, place), keys, r)
			},
			Raw: func(place string) (*sql.DB, error) {
				return sqlite.Raw(filepath.Join(dir, place), keys)
			},
		}
	})
}

func fileOf(id keyring.KeyID) string { return "views." + strconv.Itoa(int(id)) + ".db" }
