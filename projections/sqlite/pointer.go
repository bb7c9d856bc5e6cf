package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/projections"
	"github.com/daybook-ledger/daybook/projections/views"
)

const (
	pointerName = "views.json"
	lockName    = "views.lock"
)

// pointer is the content of views.json.
type pointer struct {
	Version int `json:"version"`
	// File is the name of the live file, which has the id of its key.
	File string `json:"file"`
}

func fileName(id keyring.KeyID) string {
	return "views." + strconv.FormatUint(uint64(id), 10) + ".db"
}

// fileKey gives the key id in a file's name.
func fileKey(name string) (keyring.KeyID, bool) {
	digits, found := strings.CutPrefix(name, "views.")
	digits, ends := strings.CutSuffix(digits, ".db")
	id, err := strconv.ParseUint(digits, 10, 32)
	return keyring.KeyID(id), found && ends && err == nil && id != 0 && fileName(keyring.KeyID(id)) == name
}

// LiveKey gives the id of the key of a folder's live file. os.ErrNotExist where
// there is none.
func LiveKey(dir string) (keyring.KeyID, error) {
	id, err := readPointer(dir)
	if err != nil {
		return 0, fmt.Errorf("sqlite: live file: %w", err)
	}
	return id, nil
}

// readPointer gives the live file's key id. A pointer that makes no sense is
// damage; a missing one is os.ErrNotExist.
func readPointer(dir string) (keyring.KeyID, error) {
	data, err := os.ReadFile(filepath.Join(dir, pointerName))
	if err != nil {
		return 0, err
	}
	var p pointer
	if err := json.Unmarshal(data, &p); err != nil {
		return 0, fmt.Errorf("%w: %s: %w", projections.ErrDamaged, pointerName, err)
	}
	if p.Version > 1 {
		return 0, fmt.Errorf("%s has version %d: %w", pointerName, p.Version, projections.ErrNewer)
	}
	id, ok := fileKey(p.File)
	if !ok {
		return 0, fmt.Errorf("%w: %s names no file of views", projections.ErrDamaged, pointerName)
	}
	return id, nil
}

// writePointer makes a file live, durably and in one step.
func writePointer(dir string, id keyring.KeyID) error {
	data, err := json.Marshal(pointer{Version: 1, File: fileName(id)})
	if err != nil {
		return err
	}
	next := filepath.Join(dir, pointerName+".next")
	f, err := os.OpenFile(next, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(data, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(next, filepath.Join(dir, pointerName)); err != nil {
		return err
	}
	return syncDir(dir)
}

// lockFolder takes the folder's lock, under which files are made and replaced,
// waiting where wait is set and else giving projections.ErrBusy. It ends with
// the process.
func lockFolder(ctx context.Context, dir string, wait bool) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		ours, err := tryLock(f)
		switch {
		case err != nil:
			f.Close()
			return nil, err
		case ours:
			return func() { f.Close() }, nil
		case !wait:
			f.Close()
			return nil, projections.ErrBusy
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		}
	}
}

// begin makes the folder's first file where there is none.
func begin(ctx context.Context, dir string, keys Keys) error {
	if _, err := readPointer(dir); !errors.Is(err, os.ErrNotExist) {
		return nil // what is wrong with it shows when it is opened
	}
	unlock, err := lockFolder(ctx, dir, true)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := readPointer(dir); !errors.Is(err, os.ErrNotExist) {
		return nil // another process was quicker
	}
	if err := sweep(dir, keys, 0); err != nil {
		return err
	}
	id, l, err := newFile(ctx, dir, keys)
	if err != nil {
		return err
	}
	if err := errors.Join(finish(ctx, l), l.close()); err != nil {
		return err
	}
	if err := flush(dir, id); err != nil {
		return err
	}
	return writePointer(dir, id)
}

// newFile makes a file under a new key, to be filled by one connection and then
// finished.
func newFile(ctx context.Context, dir string, keys Keys) (keyring.KeyID, *live, error) {
	id, err := keys.New(keyring.View)
	if err != nil {
		return 0, nil, fmt.Errorf("a new key: %w", err)
	}
	key, err := viewKey(keys, id)
	if err != nil {
		return 0, nil, fmt.Errorf("a new key: %w", err)
	}
	defer clear(key)
	f, err := create(filepath.Join(dir, fileName(id)), key)
	if err != nil {
		return 0, nil, err
	}
	l := newLive(f)
	if err := l.engine.migrate(ctx, true); err != nil {
		l.close()
		return 0, nil, classify(err)
	}
	return id, l, nil
}

// finish gives a file its indexes and the mode in which live files are.
func finish(ctx context.Context, l *live) error {
	if err := l.engine.define(ctx, func(d views.Definer) error { return views.Index(ctx, d) }); err != nil {
		return classify(err)
	}
	_, err := l.file.write.ExecContext(ctx, `PRAGMA journal_mode = WAL`)
	return classify(err)
}

// viewKey gives a key that is a view's: names of files are not to be trusted with
// others.
func viewKey(keys Keys, id keyring.KeyID) ([]byte, error) {
	kind, err := keys.Kind(id)
	if err != nil {
		return nil, err
	}
	if kind != keyring.View {
		return nil, fmt.Errorf("key %d is not a view's", id)
	}
	return keys.Key(id)
}

// flush makes a closed file durable.
func flush(dir string, id keyring.KeyID) error {
	f, err := os.OpenFile(filepath.Join(dir, fileName(id)), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close(), syncDir(dir))
}

// sweep destroys the keys of all files of views but one, and then removes them:
// what was replaced, and what a process that died had begun. It needs the
// folder's lock. A file that cannot be removed yet, because a process has it open
// on a system that minds, is removed the next time.
func sweep(dir string, keys Keys, keep keyring.KeyID) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var gone []keyring.KeyID
	for _, entry := range entries {
		if id, ours := fileKey(entry.Name()); ours && id != keep {
			gone = append(gone, id)
		}
	}
	return drop(dir, keys, gone...)
}

// drop destroys the keys of files and removes the files.
func drop(dir string, keys Keys, ids ...keyring.KeyID) error {
	var theirs []keyring.KeyID
	for _, id := range ids {
		// A planted name must not cost another key.
		if kind, err := keys.Kind(id); err == nil && kind == keyring.View {
			theirs = append(theirs, id)
		}
	}
	if len(theirs) > 0 {
		if err := keys.Destroy(theirs...); err != nil {
			return fmt.Errorf("destroy the keys of old views: %w", err)
		}
	}
	for _, id := range ids {
		_ = remove(filepath.Join(dir, fileName(id))) // unreadable now; the next time, then
	}
	return nil
}
