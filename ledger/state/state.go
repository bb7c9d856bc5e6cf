// Package state keeps the command side's folded states in a local file: a
// key-value table whose rows are sealed and authenticated one by one. It is a
// projection of the log that can be rebuilt from it at any time, never a source
// of truth; it exists so that neither the cost of a command nor the start of the
// program grows with the book's history.
//
// The file shows how many rows there are, how long they are, and the first bytes of
// their keys (PlaceSize), by which they are in order; nothing else: the rest of a row's
// name is a digest under a key, values are XChaCha20-Poly1305 with the row's name as
// additional data, so that no row can be altered, or put in another's place, unseen. Where all of it was set back to an earlier copy, its
// cursor lies behind the log, and the pages since are folded again. What the file
// does not show is that a single row was taken away or set back, by whoever may
// write to it and kept a copy: that shows only in the log, to a replay. A file that
// was opened by OpenSummed shows that too, when it is opened the next time.
package state

import (
	"bytes"
	"cmp"
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

// PlaceSize is how many bytes of a key, from its first, stand in the file in clear.
// Rows whose keys begin alike stand together: where rows that are written at the same
// time do, as those of identifiers that begin with the time, a write meets few pages of
// the file, however large it is, and costs a fifth of what it would.
const PlaceSize = 8

// format is the version of the form of the file, kept as SQLite's user_version.
const format = 2

// Row is a named value.
type Row struct {
	// Key is of any length. Nothing secret is in its first PlaceSize bytes.
	Key   []byte
	Value []byte
}

// File is a state file. It is safe for concurrent use.
type File struct {
	names  hash.Hash
	namesM sync.Mutex
	values cipher.AEAD

	reading sync.Mutex // guards reader, get, newest, last and begun
	reader  *sqlite3.Conn
	get     *sqlite3.Stmt
	// last is the greatest name of those that begin with a byte, once it is asked for:
	// whatever is greater is not there, and most that is asked for and is not there is.
	last   [256][]byte
	newest *sqlite3.Stmt
	// begun says that the reader is in a transaction. Each statement by itself would
	// take and give back the file's locks, which costs more than the reading: so one
	// transaction lasts from one Write to the next.
	begun bool

	writing sync.Mutex // guards writer, put, old, sum and logged; who takes both takes it first
	writer  *sqlite3.Conn
	logged  int // pages in the write-ahead log
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
		PRAGMA cache_size = -8192; PRAGMA wal_autocheckpoint = 0;
		CREATE TABLE IF NOT EXISTS rows (name BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID`); err != nil {
		return nil, err
	}
	f.writer.WALHook(func(_ *sqlite3.Conn, _ string, pages int) error { f.logged = pages; return nil })
	if err := f.checkFormat(); err != nil {
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
	if f.newest, _, err = f.reader.PrepareFlags(`SELECT name FROM rows WHERE name < ? ORDER BY name DESC LIMIT 1`, sqlite3.PREPARE_PERSISTENT); err != nil {
		return nil, err
	}
	return f, nil
}

// checkFormat gives a new file its format, and refuses one of another.
func (f *File) checkFormat() error {
	version, empty, err := f.form()
	if err != nil {
		return err
	}
	if version == format {
		return nil
	}
	if version != 0 || !empty {
		return fmt.Errorf("%w: it has the form of another release", ErrDamaged)
	}
	return f.writer.Exec(fmt.Sprintf(`PRAGMA user_version = %d`, format))
}

func (f *File) form() (version int, empty bool, err error) {
	s, _, err := f.writer.Prepare(`SELECT user_version, NOT EXISTS (SELECT 1 FROM rows) FROM pragma_user_version`)
	if err != nil {
		return 0, false, err
	}
	defer s.Close()
	if s.Step() {
		version, empty = s.ColumnInt(0), s.ColumnBool(1)
	}
	return version, empty, s.Err()
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
	if f.last[name[0]] == nil {
		if err := f.findLast(name[0]); err != nil {
			return nil, false, fmt.Errorf("state: get: %w", classify(err))
		}
	}
	if bytes.Compare(name, f.last[name[0]]) > 0 {
		return nil, false, nil
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

// findLast finds the greatest name of those that begin with a byte.
func (f *File) findLast(first byte) error {
	defer f.newest.Reset()
	end := []byte{first + 1}
	if first == 0xff {
		end = bytes.Repeat([]byte{0xff}, PlaceSize+17)
	}
	if err := f.newest.BindBlob(1, end); err != nil {
		return err
	}
	last := []byte{first} // less than any
	if f.newest.Step() && f.newest.ColumnRawBlob(0)[0] == first {
		last = f.newest.ColumnBlob(0, nil)
	}
	if err := f.newest.Err(); err != nil {
		return err
	}
	f.last[first] = last
	return nil
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
	var named []Row
	txn, err := f.writer.BeginImmediate()
	if err != nil {
		return fmt.Errorf("state: write: %w", classify(err))
	}
	defer func() {
		txn.End(&err)
		err = errors.Join(err, f.seen(named))
		f.checkpoint()
	}()
	// In the order of their names rows meet each page of the file once.
	named = make([]Row, len(rows))
	for i, row := range rows {
		named[i] = Row{f.name(row.Key), row.Value}
	}
	order := make([]int, len(named)) // which is quicker to sort than the rows, stably
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Or(bytes.Compare(named[i].Key, named[j].Key), cmp.Compare(i, j)) })
	var buffer []byte
	for _, i := range order {
		row := named[i]
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

// seen ends what the reader has begun: from now on it sees what was written, rows in
// the order of their names.
func (f *File) seen(written []Row) error {
	f.reading.Lock()
	defer f.reading.Unlock()
	for _, row := range written {
		if last := &f.last[row.Key[0]]; *last != nil && bytes.Compare(row.Key, *last) > 0 {
			*last = row.Key
		}
	}
	if !f.begun {
		return nil
	}
	f.begun = false
	if err := f.reader.Exec(`COMMIT`); err != nil {
		return fmt.Errorf("state: write: %w", classify(err))
	}
	return nil
}

// maxLogged is how many pages the write-ahead log holds before they are moved to the
// file; a page has 4 KiB.
const maxLogged = 4000

// checkpoint moves what the write-ahead log holds to the file, once that is much. The
// reader begins anew after that, and reads the file alone: so the next write begins the
// log from its start, which as long as there are readers of it grows. What was written
// is written: where this fails the next write tries it again.
func (f *File) checkpoint() {
	if f.logged < maxLogged {
		return
	}
	if _, _, err := f.writer.WALCheckpoint("main", sqlite3.CHECKPOINT_PASSIVE); err == nil {
		_ = f.seen(nil) // a reader that could not end is one of those that are waited for
	}
}

// Whole moves all that was written from the write-ahead log to the file, which then can
// be closed and moved by itself.
func (f *File) Whole() error {
	f.writing.Lock()
	defer f.writing.Unlock()
	err := f.seen(nil)
	if err == nil {
		_, _, err = f.writer.WALCheckpoint("main", sqlite3.CHECKPOINT_TRUNCATE)
	}
	if err != nil {
		return fmt.Errorf("state: %w", classify(err))
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
	f.writing.Lock() // first, as Write does
	defer f.writing.Unlock()
	f.reading.Lock()
	defer f.reading.Unlock()
	var errs []error
	if f.reader != nil {
		errs = append(errs, f.get.Close(), f.newest.Close(), f.reader.Close())
	}
	if f.writer != nil {
		errs = append(errs, f.put.Close(), f.old.Close(), f.writer.Close())
	}
	f.reader, f.get, f.newest, f.writer, f.put, f.old = nil, nil, nil, nil, nil, nil
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

// name is the place of a key, filled with zeros, and 16 bytes of its digest.
func (f *File) name(key []byte) []byte {
	name := make([]byte, PlaceSize, PlaceSize+sha256.Size)
	copy(name, key)
	f.namesM.Lock()
	defer f.namesM.Unlock()
	f.names.Reset()
	f.names.Write(key)
	return f.names.Sum(name)[:PlaceSize+16]
}

func classify(err error) error {
	if errors.Is(err, sqlite3.CORRUPT) || errors.Is(err, sqlite3.NOTADB) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}
