package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/projections"
	"github.com/daybook-ledger/daybook/projections/views"
)

// Rebuild makes the views of a folder anew from the whole log, in a new file
// under a new key beside the live one, and then makes the new one live in one
// step. Meanwhile the live views are read and brought forward as before; they may
// also be damaged, newer than this program, or missing. Every process that has
// the folder open changes over by itself. The old file and its key are destroyed.
//
// Where Rebuild fails, or the process dies, the live views are as they were, and
// the next Rebuild goes on where this one was, if it was beside live ones.
// projections.ErrBusy where another process is rebuilding; *views.Disagreement
// where views come out otherwise.
func Rebuild(ctx context.Context, dir string, keys Keys, r views.Rebuild) error {
	err := views.CheckNames(r.Named)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return fmt.Errorf("sqlite: rebuild: %w", unwritable(dir, err))
	}
	unlock, err := lockFolder(ctx, dir, false)
	if err != nil {
		return fmt.Errorf("sqlite: rebuild: %w", unwritable(dir, err))
	}
	defer unlock()
	err = rebuild(ctx, dir, keys, r)
	if errors.Is(err, projections.ErrRebuild) && !r.Fresh { // what was begun is of another log
		r.Fresh = true
		err = rebuild(ctx, dir, keys, r)
	}
	if err != nil {
		return fmt.Errorf("sqlite: rebuild: %w", unwritable(dir, err))
	}
	return nil
}

func rebuild(ctx context.Context, dir string, keys Keys, r views.Rebuild) error {
	before, begun, err := readPointer(dir)
	if err != nil { // it names nothing that could be kept
		before, begun = 0, 0
	}
	if r.Fresh {
		begun = 0
	}
	id, next, err := resume(ctx, dir, keys, before, begun)
	if err != nil {
		return err
	}
	replacement := views.Replacement{Rebuild: r, Next: next.views, Index: func(ctx context.Context) error { return finish(ctx, next) }}
	var live *Store
	if before != 0 {
		if live, err = Open(ctx, dir, keys); err == nil {
			defer live.Close()
			replacement.Live = live
		}
	}
	if err := classify(replacement.Fill(ctx)); err != nil {
		err = errors.Join(err, next.close())
		if before == 0 { // nothing says that it was begun
			err = errors.Join(err, drop(dir, keys, id))
		}
		return err
	}
	if err := goLive(ctx, dir, id, next, live, r); err != nil {
		return errors.Join(err, next.close()) // where it is closed already that does nothing
	}
	return sweep(dir, keys, id)
}

// resume gives the file to be filled: the one that was begun, if it can be gone
// on with, or a new one.
func resume(ctx context.Context, dir string, keys Keys, before, begun keyring.KeyID) (keyring.KeyID, *live, error) {
	if before == 0 {
		return newFile(ctx, dir, keys) // what else is there is kept until this is live
	}
	if begun != 0 {
		if l := begunFile(ctx, dir, keys, begun); l != nil {
			return unlessFailed(begun, l, sweep(dir, keys, before, begun))
		}
	}
	if err := sweep(dir, keys, before); err != nil {
		return 0, nil, err
	}
	id, l, err := newFile(ctx, dir, keys)
	if err != nil {
		return 0, nil, err
	}
	return unlessFailed(id, l, writePointer(dir, before, id))
}

// unlessFailed gives a file, or closes it after an error.
func unlessFailed(id keyring.KeyID, l *live, err error) (keyring.KeyID, *live, error) {
	if err != nil {
		return 0, nil, errors.Join(err, l.close())
	}
	return id, l, nil
}

// goLive makes a file live. Nobody writes to the one before meanwhile, if it can
// be read: so the new one is as far.
func goLive(ctx context.Context, dir string, id keyring.KeyID, next *live, before *Store, r views.Rebuild) error {
	done := false
	change := func(size uint64) error {
		if done {
			return nil
		}
		runner := projections.Runner{View: next.views, Read: r.Log}
		if at, err := next.views.Cursor(ctx); err != nil {
			return err
		} else if at.Size < size {
			// Views that are farther than the log leads are of another one.
			if err := runner.CatchUp(ctx, size); err != nil && !errors.Is(err, projections.ErrBehind) {
				return err
			}
		}
		if err := errors.Join(next.close(), flush(dir, id), writePointer(dir, id, 0)); err != nil {
			return err
		}
		done = true
		return nil
	}
	if before != nil {
		if err := before.alone(ctx, change); err == nil || done || ctx.Err() != nil {
			return err
		}
	}
	return change(0)
}
