// Package postgres keeps views in PostgreSQL or CockroachDB, reached by a URL.
//
// A database may hold the views of many books. The table daybook.books says
// which generation of a book's views is live; each generation is a schema of its
// own, daybook_<book>_<number>. A rebuild makes the next generation beside the
// live one and then changes the row in one step; every process notices by the
// row, which each transaction looks at, and the old schema is dropped.
//
// Several processes may use the views at once: all read side by side; whoever
// writes locks the row of the book first, and the others wait.
//
// What views hold is readable to whoever can read the database: nothing here
// encrypts it.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/daybook-ledger/daybook/projections"
	"github.com/daybook-ledger/daybook/projections/views"
)

// Options say where views are.
type Options struct {
	// URL names the database, as ParseURL takes it.
	URL string
	// Book is the book's id.
	Book uuid.UUID
	// Erasure numbers the newest erasure of the book: views that were begun before
	// it may hold what was erased, and are not gone on with. Numbers grow.
	Erasure int64
	// Within is how long the database may be silent, once asked, before its
	// connection is taken for one that hangs; two minutes when 0.
	Within time.Duration
	// Trace, if not nil, is told of every statement.
	Trace pgx.QueryTracer
}

// Store is the views of one book. It implements projections.Store, and its
// queries always ask the generation that is live. It is safe for concurrent use.
type Store struct {
	*views.Queries
	db *database

	mu     sync.RWMutex // held to use the generation, held alone to change it
	live   *generation
	closed bool
}

// Look tells how far the views of a book are, and of which erasure. It changes
// nothing, and asks for no more than it needs: where there are no views, the
// answer is empty.
func Look(ctx context.Context, o Options) (status views.Status, erasure int64, err error) {
	db, err := newDatabase(o)
	for again := err == nil; again; again = replaced(err) && ctx.Err() == nil { // by another generation meanwhile
		status, erasure, err = db.look(ctx)
	}
	if err != nil {
		return status, 0, fmt.Errorf("postgres: look: %w", classify(err))
	}
	return status, erasure, nil
}

// Schema names the schema that is live, for tests and for whoever looks into the
// database.
func Schema(ctx context.Context, o Options) (string, error) {
	db, err := newDatabase(o)
	if err != nil {
		return "", err
	}
	c, err := db.connect(ctx)
	if err != nil {
		return "", fmt.Errorf("postgres: %w", classify(err))
	}
	defer c.Close(context.WithoutCancel(ctx))
	var number int64
	if err := c.QueryRow(ctx, liveQuery, db.book[:]).Scan(&number); err != nil {
		return "", fmt.Errorf("postgres: %w", classify(err))
	}
	return db.schema(number), nil
}

// Open opens the views of a book, and begins them where there are none.
// projections.ErrUnreachable where there is no way to the database, ErrDamaged
// where the views cannot be read, and ErrNewer where a newer program made them:
// Rebuild makes others.
func Open(ctx context.Context, o Options) (*Store, error) {
	db, err := newDatabase(o)
	if err != nil {
		return nil, fmt.Errorf("postgres: open: %w", err)
	}
	s := &Store{db: db}
	s.Queries = views.NewQueries(s)
	if err := s.reopen(ctx, 0); err != nil {
		return nil, fmt.Errorf("postgres: open: %w", classify(err))
	}
	return s, nil
}

// Cursor implements projections.Store.
func (s *Store) Cursor(ctx context.Context) (at projections.Cursor, err error) {
	err = s.use(ctx, func(g *generation) error {
		at, err = g.views.Cursor(ctx)
		return err
	})
	return at, err
}

// Apply implements projections.Store.
func (s *Store) Apply(ctx context.Context, pages []projections.Page) (at projections.Cursor, err error) {
	err = s.use(ctx, func(g *generation) error {
		at, err = g.views.Apply(ctx, pages)
		return err
	})
	return at, err
}

// Read implements views.Reader.
func (s *Store) Read(ctx context.Context, f func(views.Tx) error) error {
	return s.use(ctx, func(g *generation) error { return g.engine.Read(ctx, f) })
}

// Close closes the views.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.live != nil {
		s.live.close()
		s.live = nil
	}
	return nil
}

// use runs f with the live generation, and again with the one that replaced it.
func (s *Store) use(ctx context.Context, f func(*generation) error) error {
	for {
		s.mu.RLock()
		if s.closed {
			s.mu.RUnlock()
			return errors.New("postgres: the views are closed")
		}
		number := s.live.number
		err := f(s.live)
		s.mu.RUnlock()
		if !replaced(err) || ctx.Err() != nil {
			return classify(err)
		}
		if again := s.reopen(ctx, number); again != nil {
			return classify(errors.Join(again, err))
		}
	}
}

// reopen opens the generation that is live in place of the one of that number.
func (s *Store) reopen(ctx context.Context, number int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.live != nil && s.live.number != number {
		return nil // closed, or another goroutine was quicker
	}
	g, err := s.db.openLive(ctx)
	if err != nil {
		return err
	}
	if s.live != nil {
		s.live.close()
	}
	s.live = g
	return nil
}
