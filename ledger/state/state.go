// Package state keeps the command side's folded states in a local file: a
// key-value table whose rows are sealed and authenticated one by one. It is a
// projection of the log that can be rebuilt from it at any time, never a source
// of truth; it exists so that neither the cost of a command nor the start of the
// program grows with the book's history.
//
// The file shows how many rows there are and how long they are, and nothing
// else: row names are digests under a key, values are XChaCha20-Poly1305 with
// the row's digest as additional data, so that no row can be altered, or put in
// another's place, unseen. Where all of it was set back to an earlier copy, its
// cursor lies behind the log, and the pages since are folded again. What the file
// does not show is that a single row was taken away or set back, by whoever may
// write to it and kept a copy: that shows only in the log, to a replay. A file that
// was opened by OpenSummed shows that too, when it is opened the next time.
package state

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"net/url"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/ncruces/go-sqlite3"
	_ "github.com/ncruces/go-sqlite3/embed" // the SQLite build
	"golang.org/x/crypto/chacha20poly1305"
)

// ErrDamaged means that the file cannot be used: a row does not authenticate, or
// SQLite finds the file corrupt. Delete the file: it is rebuilt from the log.
var ErrDamaged = errors.New("state: damaged")

// errClosed means that the file was closed while it was still used.
var errClosed = errors.New("closed")

// Row is a named value.
type Row struct {
	Key   []byte
	Value []byte
}

// File is a state file. It is safe for concurrent use.
type File struct {
	names  hash.Hash
	namesM sync.Mutex
	values cipher.AEAD

	reading sync.Mutex // guards reader, get and begun
	reader  *sqlite3.Conn
	get     *sqlite3.Stmt
	// begun says that the reader is in a transaction. Each statement by itself would
	// take and give back the file's locks, which costs more than the reading: so one
	// transaction lasts from one Write to the next.
	begun bool

	writing sync.Mutex // guards writer, put, old and sum
	writer  *sqlite3.Conn
	put     *sqlite3.Stmt
	// old reads the row that a write replaces, and sum is that of all rows; nil where
	// the file is not summed.
	old *sqlite3.Stmt
	sum *sum
}

// Open opens or creates the file under a 32-byte key. A file that was written
// under another key opens, but every Get of a row that exists fails.
func Open(path string, key []byte) (*File, error) {
	f, err := open(path, key)
	if err != nil {
		return nil, fmt.Errorf("state: open: %w", classify(err))
	}
	return f, nil
}

func open(path string, key []byte) (_ *File, err error) {
	f := new(File)
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	nameKey, err := hkdf.Key(sha256.New, key, nil, "daybook/state/names/1", 32)
	if err != nil {
		return nil, err
	}
	valueKey, err := hkdf.Key(sha256.New, key, nil, "daybook/state/values/1", 32)
	if err != nil {
		return nil, err
	}
	f.names = hmac.New(sha256.New, nameKey)
	if f.values, err = chacha20poly1305.NewX(valueKey); err != nil {
		return nil, err
	}
	// SQLite would create it readable by all; only the first opening matters.
	if created, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, err
	} else if err := created.Close(); err != nil {
		return nil, err
	}
	uri := (&url.URL{Scheme: "file", OmitHost: true, Path: path}).String()
	if f.writer, err = sqlite3.Open(uri); err != nil {
		return nil, err
	}
	if err := f.writer.BusyTimeout(5 * time.Second); err != nil {
		return nil, err
	}
	if err := f.writer.Exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY;
		PRAGMA cache_size = -8192; PRAGMA wal_autocheckpoint = 4000;
		CREATE TABLE IF NOT EXISTS rows (name BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID`); err != nil {
		return nil, err
	}
	if f.put, _, err = f.writer.PrepareFlags(`INSERT INTO rows VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, sqlite3.PREPARE_PERSISTENT); err != nil {
		return nil, err
	}
	if f.reader, err = sqlite3.Open(uri); err != nil {
		return nil, err
	}
	if err := f.reader.Exec(`PRAGMA query_only = ON; PRAGMA cache_size = -8192`); err != nil {
		return nil, err
	}
	if f.get, _, err = f.reader.PrepareFlags(`SELECT value FROM rows WHERE name = ?`, sqlite3.PREPARE_PERSISTENT); err != nil {
		return nil, err
	}
	return f, nil
}

// Get gives a row's value, or false when there is no such row.
func (f *File) Get(key []byte) ([]byte, bool, error) {
	name := f.name(key)
	f.reading.Lock()
	defer f.reading.Unlock()
	if f.get == nil {
		return nil, false, fmt.Errorf("state: get: %w", errClosed)
	}
	if !f.begun {
		if err := f.reader.Exec(`BEGIN`); err != nil {
			return nil, false, fmt.Errorf("state: get: %w", classify(err))
		}
		f.begun = true
	}
	defer f.get.Reset()
	if err := f.get.BindBlob(1, name); err != nil {
		return nil, false, fmt.Errorf("state: get: %w", err)
	}
	if !f.get.Step() {
		if err := f.get.Err(); err != nil {
			return nil, false, fmt.Errorf("state: get: %w", classify(err))
		}
		return nil, false, nil
	}
	sealed := f.get.ColumnRawBlob(0)
	if len(sealed) < chacha20poly1305.NonceSizeX {
		return nil, false, fmt.Errorf("%w: a row is too short", ErrDamaged)
	}
	nonce, sealed := sealed[:chacha20poly1305.NonceSizeX], sealed[chacha20poly1305.NonceSizeX:]
	value, err := f.values.Open(nil, nonce, sealed, name)
	if err != nil {
		return nil, false, fmt.Errorf("%w: a row does not authenticate", ErrDamaged)
	}
	return value, true, nil
}

// Write puts all rows in one transaction, the later of two with the same key
// last. They survive the loss of the process; a loss of power may take the last
// transactions whole, but never part of one.
func (f *File) Write(rows []Row) (err error) {
	f.writing.Lock()
	defer f.writing.Unlock()
	if f.put == nil {
		return fmt.Errorf("state: write: %w", errClosed)
	}
	if f.sum != nil {
		before := f.sum.total
		defer func() {
			if err != nil {
				f.sum.total = before
			}
		}()
	}
	txn, err := f.writer.BeginImmediate()
	if err != nil {
		return fmt.Errorf("state: write: %w", classify(err))
	}
	defer func() {
		txn.End(&err)
		err = errors.Join(err, f.seen())
	}()
	// In the order of their names rows meet each page of the file once.
	named := make([]Row, len(rows))
	for i, row := range rows {
		named[i] = Row{f.name(row.Key), row.Value}
	}
	slices.SortStableFunc(named, func(a, b Row) int { return bytes.Compare(a.Key, b.Key) })
	var buffer []byte
	for _, row := range named {
		if f.sum != nil {
			if err := f.sumRow(row.Key); err != nil {
				return fmt.Errorf("state: write: %w", classify(err))
			}
		}
		if buffer, err = f.seal(buffer, row); err != nil {
			return fmt.Errorf("state: write: %w", err)
		}
		if f.sum != nil {
			f.sum.toggle(row.Key, buffer)
		}
		if err := f.putRow(row.Key, buffer); err != nil {
			return fmt.Errorf("state: write: %w", classify(err))
		}
	}
	if f.sum != nil {
		row := Row{f.name([]byte(sumKey)), f.sum.total[:]}
		if buffer, err = f.seal(buffer, row); err != nil {
			return fmt.Errorf("state: write: %w", err)
		}
		if err := f.putRow(row.Key, buffer); err != nil {
			return fmt.Errorf("state: write: %w", classify(err))
		}
	}
	return nil
}

// seal gives a row's value as it is stored, under the name that the row has as key.
func (f *File) seal(buffer []byte, row Row) ([]byte, error) {
	buffer = append(buffer[:0], make([]byte, chacha20poly1305.NonceSizeX)...)
	if _, err := rand.Read(buffer); err != nil {
		return nil, err
	}
	return f.values.Seal(buffer, buffer[:chacha20poly1305.NonceSizeX], row.Value, row.Key), nil
}

// seen ends what the reader has begun: from now on it sees what was written.
func (f *File) seen() error {
	f.reading.Lock()
	defer f.reading.Unlock()
	if !f.begun {
		return nil
	}
	f.begun = false
	if err := f.reader.Exec(`COMMIT`); err != nil {
		return fmt.Errorf("state: write: %w", classify(err))
	}
	return nil
}

func (f *File) putRow(name, value []byte) error {
	defer f.put.Reset()
	if err := f.put.BindBlob(1, name); err != nil {
		return err
	}
	if err := f.put.BindBlob(2, value); err != nil {
		return err
	}
	return f.put.Exec()
}

// Close releases the file, once whoever uses it is done.
func (f *File) Close() error {
	f.reading.Lock()
	defer f.reading.Unlock()
	f.writing.Lock()
	defer f.writing.Unlock()
	var errs []error
	if f.reader != nil {
		errs = append(errs, f.get.Close(), f.reader.Close())
	}
	if f.writer != nil {
		errs = append(errs, f.put.Close(), f.old.Close(), f.writer.Close())
	}
	f.reader, f.get, f.writer, f.put, f.old = nil, nil, nil, nil, nil
	return errors.Join(errs...)
}

// Remove deletes a state file with its journals. A missing file is not an error.
func Remove(path string) error {
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("state: remove: %w", err)
		}
	}
	return nil
}

func (f *File) name(key []byte) []byte {
	f.namesM.Lock()
	defer f.namesM.Unlock()
	f.names.Reset()
	f.names.Write(key)
	return f.names.Sum(nil)[:16]
}

func classify(err error) error {
	if errors.Is(err, sqlite3.CORRUPT) || errors.Is(err, sqlite3.NOTADB) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}
