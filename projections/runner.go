package projections

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Progress tells how far a view has got.
type Progress struct {
	// At is the cursor after the last transaction.
	At Cursor
	// Target is the size that is being caught up to, 0 where it is the end.
	Target uint64
}

// Runner brings a view forward. The fields are set once, before use; its methods
// are safe for concurrent use, though one Follow is enough.
type Runner struct {
	// View is brought forward.
	View Store
	// Read yields the pages up to the end that the log has when it is reached.
	Read Source
	// Tail yields what Read yields and then waits for more, until the context
	// ends. Only Follow needs it.
	Tail Source
	// Progress, if not nil, is called after every transaction, from the goroutine
	// that called CatchUp or Follow.
	Progress func(Progress)

	mu      sync.Mutex
	at      Cursor
	changed chan struct{} // closed and replaced when at moves
}

// CatchUp applies pages until the view holds at least size commits, or, where
// size is 0, up to the log's end. It returns at once, without asking the source,
// where the view is that far. ErrRebuild; ErrBehind where the log ends first.
func (r *Runner) CatchUp(ctx context.Context, size uint64) error {
	at, err := r.View.Cursor(ctx)
	if err != nil {
		return err
	}
	for size == 0 || at.Size < size {
		before := at
		var ended bool
		at, ended, err = r.pass(ctx, r.Read, at, size, true)
		if err != nil {
			return err
		}
		if ended && size == 0 {
			return nil
		}
		if ended && at.Size < size && at == before {
			return fmt.Errorf("projections: catch up to %d commits: the log has %d: %w", size, at.Size, ErrBehind)
		}
	}
	r.moved(at)
	return nil
}

// Follow catches up and then applies pages as they come, as many at a time as
// are waiting, until the context ends or something fails; it returns the error.
func (r *Runner) Follow(ctx context.Context) error {
	if err := r.CatchUp(ctx, 0); err != nil {
		return err
	}
	at, err := r.View.Cursor(ctx)
	for err == nil {
		var ended bool
		at, ended, err = r.pass(ctx, r.Tail, at, 0, false)
		if err == nil && ended {
			err = ctx.Err()
		}
	}
	return err
}

// Wait waits until a Follow or CatchUp of this runner has brought the view to at
// least size commits, so that a caller reads what it wrote.
func (r *Runner) Wait(ctx context.Context, size uint64) error {
	for {
		r.mu.Lock()
		if r.at.Size >= size {
			r.mu.Unlock()
			return nil
		}
		if r.changed == nil {
			r.changed = make(chan struct{})
		}
		changed := r.changed
		r.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("projections: wait for %d commits: %w", size, ctx.Err())
		}
	}
}

func (r *Runner) moved(at Cursor) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = at
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

// pass reads the source from the cursor and applies what comes, until the source
// ends (ended), size commits are reached, or the view turns out to be elsewhere
// than expected because another process moved or replaced it: then the caller
// begins another pass from there. Reading and applying run side by side.
func (r *Runner) pass(ctx context.Context, source Source, at Cursor, size uint64, full bool) (_ Cursor, ended bool, err error) {
	reading, stop := context.WithCancel(ctx)
	q := newQueue(reading)
	done := make(chan struct{})
	go func() {
		defer close(done)
		q.end(feed(reading, source, at, size, q))
	}()
	defer func() {
		stop()
		<-done // the source is not used after pass has returned
	}()
	for {
		pages, readErr := q.take(full)
		if len(pages) == 0 {
			if errors.Is(readErr, errEnough) {
				return at, false, nil
			}
			return at, readErr == nil, readErr
		}
		expected := pages[len(pages)-1].Cursor
		if at, err = r.View.Apply(ctx, pages); err != nil {
			return at, false, err
		}
		r.moved(at)
		if r.Progress != nil {
			r.Progress(Progress{At: at, Target: size})
		}
		if at != expected {
			return at, false, nil
		}
	}
}

var errEnough = errors.New("projections: as far as was asked for")

// feed sends the source's pages until size commits are covered (errEnough) or
// the source ends (nil).
func feed(ctx context.Context, source Source, at Cursor, size uint64, q *queue) error {
	for p, err := range source(ctx, at) {
		if err != nil {
			return fmt.Errorf("projections: read the log after page %d: %w", at.Page, err)
		}
		if err := q.put(p); err != nil {
			return err
		}
		at = p.Cursor
		if size != 0 && at.Size >= size {
			return errEnough
		}
	}
	return ctx.Err()
}
