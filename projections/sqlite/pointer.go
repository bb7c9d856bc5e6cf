package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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
	// Next is the name of the file that a rebuild fills, if any.
	Next string `json:"next,omitempty"`
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
	id, _, err := readPointer(dir)
	if err != nil {
		return 0, fmt.Errorf("sqlite: live file: %w", err)
	}
	return id, nil
}

// readPointer gives the key ids of the live file and of the one that is being
// filled, 0 for none. A pointer that makes no sense is damage; a missing one is
// os.ErrNotExist.
func readPointer(dir string) (live, next keyring.KeyID, err error) {
	data, err := os.ReadFile(filepath.Join(dir, pointerName))
	if err != nil {
		return 0, 0, err
	}
	var p pointer
	if err := json.Unmarshal(data, &p); err != nil {
		return 0, 0, fmt.Errorf("%w: %s: %w", projections.ErrDamaged, pointerName, err)
	}
	if p.Version > 1 {
		return 0, 0, fmt.Errorf("%s has version %d: %w", pointerName, p.Version, projections.ErrNewer)
	}
	live, ok := fileKey(p.File)
	if !ok {
		return 0, 0, fmt.Errorf("%w: %s names no file of views", projections.ErrDamaged, pointerName)
	}
	next, _ = fileKey(p.Next)
	return live, next, nil
}

// writePointer says which file is live and which, if any, is being filled,
// durably and in one step.
func writePointer(dir string, live, next keyring.KeyID) error {
	p := pointer{Version: 1, File: fileName(live)}
	if next != 0 {
		p.Next = fileName(next)
	}
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	beside := filepath.Join(dir, pointerName+".next")
	f, err := os.OpenFile(beside, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(data, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(beside, filepath.Join(dir, pointerName)); err != nil {
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
	if _, _, err := readPointer(dir); !errors.Is(err, os.ErrNotExist) {
		return nil // what is wrong with it shows when it is opened
	}
	unlock, err := lockFolder(ctx, dir, true)
	if err != nil {
		return err
	}
	defer unlock()
	if _, _, err := readPointer(dir); !errors.Is(err, os.ErrNotExist) {
		return nil // another process was quicker
	}
	if err := sweep(dir, keys); err != nil {
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
	return writePointer(dir, id, 0)
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

// begunFile opens a file that a rebuild began to fill and did not finish. nil
// where it cannot be gone on with.
func begunFile(ctx context.Context, dir string, keys Keys, id keyring.KeyID) *live {
	key, err := viewKey(keys, id)
	if err != nil {
		return nil
	}
	defer clear(key)
	path := filepath.Join(dir, fileName(id))
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		return nil
	}
	f, err := openFile(path, key, filling)
	if err != nil {
		return nil
	}
	l := newLive(f)
	if current, err := views.Current(ctx, plain{f.write}); err != nil || !current {
		l.close()
		return nil
	}
	return l
}

// finish gives a file its indexes, and makes it one for many.
func finish(ctx context.Context, l *live) error {
	_, err := l.file.write.ExecContext(ctx, indexing)
	if err == nil {
		err = l.engine.define(ctx, func(d views.Definer) error { return views.Index(ctx, d) })
	}
	if err == nil {
		_, err = l.file.write.ExecContext(ctx, filled)
	}
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

// sweep destroys the keys of all files of views but some, and then removes them:
// what was replaced, and what a process that died had begun and nobody goes on
// with. It needs the
// folder's lock. A file that cannot be removed yet, because a process has it open
// on a system that minds, is removed the next time.
func sweep(dir string, keys Keys, keep ...keyring.KeyID) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var gone []keyring.KeyID
	for _, entry := range entries {
		if id, ours := fileKey(entry.Name()); ours && !slices.Contains(keep, id) {
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
