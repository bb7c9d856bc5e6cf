package sqlite

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/projections/views"
)

// Scratch is views in a file that one caller fills, asks and throws away. It
// implements projections.Store.
type Scratch struct {
	*views.Views
	live *live
	path string
}

// NewScratch makes empty views in a folder, encrypted under a key that nobody
// keeps; of what is dated up to a day, unless that is empty.
func NewScratch(ctx context.Context, dir string, until domain.Date) (*Scratch, error) {
	key := make([]byte, KeySize)
	defer clear(key)
	_, _ = rand.Read(key) // it never fails
	path := filepath.Join(dir, "scratch.db")
	f, err := create(path, key)
	if err != nil {
		return nil, errors.Join(err, removeMade(err, path))
	}
	s := &Scratch{live: newLive(f), path: path}
	s.Views = views.NewEffective(s.live.engine, until)
	if err := s.live.engine.migrate(ctx, true); err != nil {
		return nil, errors.Join(fmt.Errorf("sqlite: scratch: %w", classify(err)), s.Close())
	}
	return s, nil
}

// removeMade removes a file that was made and could not be opened, and leaves one
// that was there before.
func removeMade(err error, path string) error {
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	return remove(path)
}

// Index makes the indexes that queries need, and that hinder filling.
func (s *Scratch) Index(ctx context.Context) error {
	return s.live.engine.define(ctx, func(d views.Definer) error { return views.Index(ctx, d) })
}

// Close removes the views.
func (s *Scratch) Close() error { return errors.Join(s.live.close(), remove(s.path)) }
