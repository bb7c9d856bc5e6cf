package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/daybook-ledger/daybook/projections"
)

// Rebuild makes the views of a folder anew from the whole log, in a new file
// under a new key beside the live one, and then makes the new one live in one
// step. Meanwhile the live views are read and brought forward as before; they may
// also be damaged, newer than this program, or missing. Every process that has
// the folder open changes over by itself. The old file and its key are destroyed.
//
// Where Rebuild fails, or the process dies, the live views are as they were, and
// the next Rebuild begins anew. projections.ErrBusy where another process is
// rebuilding. progress may be nil.
func Rebuild(ctx context.Context, dir string, keys Keys, log projections.Source, progress func(projections.Progress)) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("sqlite: rebuild: %w", err)
	}
	unlock, err := lockFolder(ctx, dir, false)
	if err != nil {
		return fmt.Errorf("sqlite: rebuild: %w", err)
	}
	defer unlock()
	if err := rebuild(ctx, dir, keys, log, progress); err != nil {
		return fmt.Errorf("sqlite: rebuild: %w", err)
	}
	return nil
}

func rebuild(ctx context.Context, dir string, keys Keys, log projections.Source, progress func(projections.Progress)) error {
	before, err := readPointer(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		before = 0 // it names nothing that could be kept
	}
	if before != 0 {
		if err := sweep(dir, keys, before); err != nil {
			return err
		}
	}
	id, l, err := newFile(ctx, dir, keys)
	if err != nil {
		return err
	}
	err = errors.Join(fill(ctx, l, log, progress), l.close())
	if err == nil {
		err = flush(dir, id)
	}
	if err == nil {
		err = writePointer(dir, id)
	}
	if err != nil {
		return errors.Join(err, drop(dir, keys, id))
	}
	return sweep(dir, keys, id)
}

// fill folds the log: first all that there is, without indexes, then, with them,
// what came meanwhile.
func fill(ctx context.Context, l *live, log projections.Source, progress func(projections.Progress)) error {
	runner := projections.Runner{View: l.views, Read: log, Progress: progress}
	if err := runner.CatchUp(ctx, 0); err != nil {
		return classify(err)
	}
	if err := finish(ctx, l); err != nil {
		return err
	}
	return classify(runner.CatchUp(ctx, 0))
}
