package bookdir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/daybook-ledger/daybook/eventstore/jetstream"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/ledger/state"
)

// A repair makes all that it changes in a folder in the book's, repairing. Once that is
// complete and durable it is renamed to repaired. That is the moment of the repair:
// before it the book is as it was, and from it on every piece only has to be put in its
// place, which the next repair goes on with where it was cut short. Nothing else opens
// the book meanwhile.
const (
	repairingName = "repairing"
	repairedName  = "repaired"
	// replacedName is a folder in it for what stood in the pieces' places and is kept.
	replacedName = "replaced"
	// doneName is the file in it that says what the repair did.
	doneName = "done.json"
	// formerName is a file in the book's that says that its lists are of the log before
	// a repair; whoever makes them anew removes it.
	formerName = "former-lists"
)

// ErrRepairing means that a repair is being brought to its end, or was cut short there.
var ErrRepairing = errors.New("bookdir: a repair is not at its end")

// repaired is ErrRepairing while a folder has what a repair made and is to put in place.
func repaired(dir string) error {
	there, err := exists(filepath.Join(dir, repairedName))
	if err == nil && there {
		err = fmt.Errorf("%w: %s", ErrRepairing, dir)
	}
	return err
}

func exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("bookdir: %w", err)
	}
	return true, nil
}

func ringPath(dir string) string { return filepath.Join(dir, "ring") }

// lockStore locks a book's store, which may be gone. What it makes for that goes again
// where nothing came of it.
func lockStore(store string) (release func(failed bool) error, err error) {
	there, err := exists(store)
	if err != nil {
		return nil, err
	}
	lock, err := jetstream.Lock(store)
	if err != nil {
		return nil, err
	}
	return func(failed bool) error {
		if failed && !there {
			_ = os.Remove(filepath.Join(store, "lock"))
			_ = os.Remove(store) // unless a log is there by now
		}
		return lock.Close()
	}, nil
}

// discard removes a folder in which a repair made a book, its ring so that it opens no
// more.
func discard(fresh string) error {
	if _, err := os.Lstat(fresh); errors.Is(err, fs.ErrNotExist) {
		return nil // a disk that can only be read would refuse to remove even that
	}
	if err := keyring.Discard(ringPath(fresh)); err != nil {
		return err
	}
	if err := os.RemoveAll(fresh); err != nil {
		return fmt.Errorf("bookdir: %w", err)
	}
	return nil
}

// prepare begins the folder with copies of the ring and of what is kept besides the
// log, and gives the ring's bytes.
func (r Repair) prepare(dir, fresh string) ([]byte, error) {
	replaced := filepath.Join(fresh, replacedName)
	if err := os.MkdirAll(replaced, 0o700); err != nil {
		return nil, fmt.Errorf("bookdir: %w", err)
	}
	for _, name := range []string{"keys", "head", "book.json"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("bookdir: %w", err)
		}
		if err := writeDurably(filepath.Join(replaced, name), data, 0o600); err != nil {
			return nil, err
		}
	}
	return keyring.Duplicate(ringPath(dir), ringPath(fresh))
}

// complete says what the repair did, and makes all of it durable.
func complete(dir, fresh string, done *Repaired) error {
	for number := 1; ; number++ {
		done.Kept = filepath.Join(dir, "damaged", strconv.Itoa(number))
		if there, err := exists(done.Kept); err != nil {
			return err
		} else if !there {
			break
		}
	}
	data, err := json.Marshal(done)
	if err != nil {
		return fmt.Errorf("bookdir: %w", err)
	}
	if err := writeDurably(filepath.Join(fresh, doneName), data, 0o600); err != nil {
		return err
	}
	return filepath.WalkDir(fresh, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && (entry.IsDir() || entry.Type().IsRegular()) {
			err = syncDir(path)
		}
		return err
	})
}

// Finish puts in place what an earlier repair made that was cut short, and reports
// whether there was anything. It needs nothing of the repair's.
func (r Repair) Finish(dir string) (done Repaired, is bool, err error) {
	if err := repaired(dir); !errors.Is(err, ErrRepairing) {
		return done, false, err
	}
	err = keyring.Alone(ringPath(dir), func() error {
		if err := repaired(dir); !errors.Is(err, ErrRepairing) {
			return err // another process was about to
		}
		if is, err = exists(filepath.Join(dir, repairedName, doneName)); err != nil || !is {
			if err == nil { // all is in place
				err = os.RemoveAll(filepath.Join(dir, repairedName))
			}
			return err
		}
		done, err = r.put(dir)
		return err
	})
	return done, is, err
}

// put puts every piece in its place, while nobody else uses the ring. Done again after
// it was cut short it goes on.
func (r Repair) put(dir string) (done Repaired, err error) {
	from := filepath.Join(dir, repairedName)
	data, err := os.ReadFile(filepath.Join(from, doneName))
	if err != nil {
		return done, fmt.Errorf("bookdir: %w", err)
	}
	if err := json.Unmarshal(data, &done); err != nil {
		return done, fmt.Errorf("bookdir: what a repair did: %w", err)
	}
	done.Kept = filepath.Join(dir, "damaged", filepath.Base(done.Kept)) // the folder may be elsewhere by now
	if err := r.putStore(dir, from); err != nil {
		return done, err
	}
	for _, name := range []string{"state.db", "tree", "ring", "keys", "head", "book.json"} {
		if err := putFile(dir, from, name); err != nil {
			return done, err
		}
		r.at(name)
	}
	if done.Begun { // what was verified, or cosigned, or listed, may be lost
		err := errors.Join(state.Remove(filepath.Join(dir, "verified.states")), writeDurably(filepath.Join(dir, formerName), nil, 0o600))
		for _, name := range []string{"verified", "verified.streams", "checkpoint", "cosigned"} {
			if e := os.Remove(filepath.Join(dir, name)); !errors.Is(e, fs.ErrNotExist) {
				err = errors.Join(err, e)
			}
		}
		if err != nil {
			return done, fmt.Errorf("bookdir: %w", err)
		}
	}
	if err := keep(filepath.Join(from, replacedName), done.Kept); err != nil {
		return done, err
	}
	r.at("kept")
	if err := os.RemoveAll(from); err != nil {
		return done, fmt.Errorf("bookdir: %w", err)
	}
	r.at("put")
	done.Info, err = ReadInfo(dir)
	return done, errors.Join(err, syncDir(dir))
}

// putStore puts the new store in the place of the damaged one, which is kept.
func (r Repair) putStore(dir, from string) error {
	fresh, store, kept := filepath.Join(from, "store"), filepath.Join(dir, "store"), filepath.Join(from, replacedName, "store")
	waits, err := exists(fresh)
	if err != nil || !waits {
		return err
	}
	moved, err := exists(kept)
	if err != nil {
		return err
	}
	if moved { // what stands there since is of a process that found no log, and wrote none
		if err := os.RemoveAll(store); err != nil {
			return fmt.Errorf("bookdir: %w", err)
		}
	} else if err := renamed(store, kept); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	r.at("replaced")
	if err := renamed(fresh, store); err != nil {
		return err
	}
	r.at("store")
	return nil
}

// putFile puts a file in its place, if it is not there yet.
func putFile(dir, from, name string) error {
	fresh, path := filepath.Join(from, name), filepath.Join(dir, name)
	if waits, err := exists(fresh); err != nil || !waits {
		return err
	}
	switch name {
	case "ring":
		return keyring.Supersede(path, fresh)
	case "state.db": // with what a process that died left beside it
		if err := state.Remove(path); err != nil {
			return err
		}
	}
	return renamed(fresh, path)
}

// keep puts what was replaced where it is kept.
func keep(replaced, kept string) error {
	if waits, err := exists(replaced); err != nil || !waits {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(kept), 0o700); err != nil {
		return fmt.Errorf("bookdir: %w", err)
	}
	if err := syncDir(filepath.Dir(filepath.Dir(kept))); err != nil {
		return err
	}
	return renamed(replaced, kept)
}

// renamed renames a file or folder, durably.
func renamed(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return fmt.Errorf("bookdir: %w", err)
	}
	return errors.Join(syncDir(filepath.Dir(to)), syncDir(filepath.Dir(from)))
}
