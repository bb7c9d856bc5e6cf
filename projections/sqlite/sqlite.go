// Package sqlite keeps views in a SQLite file that is encrypted at rest, the
// engine that needs nothing but the program.
//
// A folder holds the live file, views.<key id>.db, encrypted under a key of its
// own from the book's ring, and views.json, which says which file is live. A
// rebuild makes a new file under a new key beside the live one and then replaces
// views.json in one step; every process that has the folder open notices and
// changes over, and the old file and its key are destroyed. So whenever a process
// dies, views.json names a whole file.
//
// Several processes may use a folder at once: all read side by side, one at a
// time writes, the others wait.
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/projections"
	"github.com/daybook-ledger/daybook/projections/views"
)

// Keys gives the keys of files; *keyring.Ring does.
type Keys interface {
	New(kind keyring.Kind) (keyring.KeyID, error)
	Key(id keyring.KeyID) ([]byte, error)
	Kind(id keyring.KeyID) (keyring.Kind, error)
	Destroy(ids ...keyring.KeyID) error
}

// Store is the views of one folder. It implements projections.Store, and its
// queries always ask the file that is live. It is safe for concurrent use.
type Store struct {
	*views.Queries
	dir  string
	keys Keys

	mu     sync.RWMutex // held to use the file, held alone to change it
	live   *live
	seen   os.FileInfo // of the pointer that named it
	closed bool
}

// live is an open file with its views.
type live struct {
	file   *file
	engine *engine
	views  *views.Views
}

func newLive(f *file) *live {
	e := newEngine(f)
	return &live{f, e, views.New(e)}
}

// Open opens the views of a folder, and begins them where there are none.
// projections.ErrDamaged where the live file cannot be read, and ErrNewer where a
// newer program made it: Rebuild makes another.
func Open(ctx context.Context, dir string, keys Keys) (*Store, error) {
	s := &Store{dir: dir, keys: keys}
	s.Queries = views.NewQueries(s)
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = begin(ctx, dir, keys)
	}
	if err == nil {
		err = s.reopen(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("sqlite: open: %w", unwritable(dir, err))
	}
	return s, nil
}

// openLive opens a file and checks that it can be read and has the schema.
func openLive(ctx context.Context, path string, key []byte) (*live, error) {
	f, err := openFile(path, key, writing)
	if err != nil {
		return nil, err
	}
	l := newLive(f)
	if err := l.engine.migrate(ctx, false); err != nil {
		l.close()
		return nil, classify(err)
	}
	return l, nil
}

func (l *live) close() error { return errors.Join(l.engine.close(), l.file.close()) }

// Cursor implements projections.Store.
func (s *Store) Cursor(ctx context.Context) (at projections.Cursor, err error) {
	err = s.use(ctx, func(l *live) error {
		at, err = l.views.Cursor(ctx)
		return err
	})
	return at, err
}

// Apply implements projections.Store. What was applied to a file that was
// replaced meanwhile is applied again, to the one that replaced it.
func (s *Store) Apply(ctx context.Context, pages []projections.Page) (at projections.Cursor, err error) {
	for {
		var used *live
		err = s.use(ctx, func(l *live) error {
			used = l
			at, err = l.views.Apply(ctx, pages)
			return err
		})
		if err != nil {
			return at, err
		}
		l, _, err := s.current(ctx)
		if err != nil {
			return at, err
		}
		s.mu.RUnlock()
		if l == used {
			return at, nil
		}
	}
}

// alone runs f while nobody writes to the live file; f is told how many commits
// it holds.
func (s *Store) alone(ctx context.Context, f func(size uint64) error) error {
	return s.use(ctx, func(l *live) error {
		return l.engine.Write(ctx, func(views.Writer) error {
			at, err := l.views.Cursor(ctx)
			if err != nil {
				return err
			}
			return f(at.Size)
		})
	})
}

// Read implements views.Reader.
func (s *Store) Read(ctx context.Context, f func(views.Tx) error) error {
	return s.use(ctx, func(l *live) error { return l.engine.Read(ctx, f) })
}

// Close closes the views.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.live == nil {
		return nil
	}
	err := s.live.close()
	s.live = nil
	return err
}

// use runs f with the live file. A file that was replaced meanwhile may refuse to
// open another connection: then f runs again, with the one that replaced it.
func (s *Store) use(ctx context.Context, f func(*live) error) error {
	for {
		l, seen, err := s.current(ctx)
		if err != nil {
			return err
		}
		err = f(l)
		s.mu.RUnlock()
		if err == nil || ctx.Err() != nil || !s.replaced(seen) {
			return unwritable(s.dir, classify(err))
		}
	}
}

// current gives the live file with s.mu held for reading.
func (s *Store) current(ctx context.Context) (*live, os.FileInfo, error) {
	for {
		s.mu.RLock()
		switch {
		case s.closed:
			s.mu.RUnlock()
			return nil, nil, errors.New("sqlite: the views are closed")
		case s.live != nil && !s.replaced(s.seen):
			return s.live, s.seen, nil
		}
		s.mu.RUnlock()
		if err := s.reopen(ctx); err != nil {
			return nil, nil, err
		}
	}
}

// replaced reports whether another file is live than the one seen. A pointer
// that cannot be read changes nothing.
func (s *Store) replaced(seen os.FileInfo) bool {
	now, err := os.Stat(filepath.Join(s.dir, pointerName))
	return err == nil && (!os.SameFile(seen, now) || !seen.ModTime().Equal(now.ModTime()))
}

// reopen opens the file that is live.
func (s *Store) reopen(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.live != nil && !s.replaced(s.seen) {
		return nil // closed, or another goroutine was quicker
	}
	// The pointer may change between looking at it and opening what it names.
	var l *live
	var seen os.FileInfo
	for range 10 {
		var err error
		seen, err = os.Stat(filepath.Join(s.dir, pointerName))
		if err != nil {
			return err
		}
		if l, err = s.openPointed(ctx); err == nil {
			break
		}
		if !s.replaced(seen) {
			return err
		}
	}
	if l == nil {
		return fmt.Errorf("sqlite: the live file keeps changing: %w", projections.ErrBusy)
	}
	old := s.live
	s.live, s.seen = l, seen
	if old != nil {
		return old.close()
	}
	return nil
}

func (s *Store) openPointed(ctx context.Context) (*live, error) {
	id, _, err := readPointer(s.dir)
	if err != nil {
		return nil, err
	}
	key, err := viewKey(s.keys, id)
	if err != nil {
		return nil, fmt.Errorf("%w: its key: %w", projections.ErrDamaged, err)
	}
	defer clear(key)
	path := filepath.Join(s.dir, fileName(id))
	// An empty file would pass for a new database.
	if info, err := os.Stat(path); errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil, fmt.Errorf("%w: %s is missing or empty", projections.ErrDamaged, fileName(id))
	}
	return openLive(ctx, path, key)
}
