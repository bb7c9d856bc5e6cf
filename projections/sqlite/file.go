package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"
	"github.com/ncruces/go-sqlite3/vfs"
	wrap "github.com/ncruces/go-sqlite3/vfs/adiantum"
	"lukechampine.com/adiantum"
	"lukechampine.com/adiantum/hbsh"

	"github.com/daybook-ledger/daybook/projections"
)

// KeySize is the length of a file's key in bytes.
const KeySize = 32

const (
	readers     = 4
	busyTimeout = 30 * time.Second
	// Page caches, in KiB. What a connection once took it keeps.
	writerCache = 32 << 10
	readerCache = 4 << 10
)

// file is an open SQLite file: one connection that writes and a few that read.
// It is encrypted by Adiantum under a key of its own, with a checksum in each
// page, so that a page that was damaged, or altered without the key, is noticed
// when it is read. That pages were set back to what they once were is not.
type file struct {
	write, read *sql.DB
	vfs         string
	key         []byte
}

// openings numbers the files that this process opens, to name their ciphers.
var openings atomic.Uint64

// cipher hands SQLite's encryption the key of one file. It stands in for the
// module's own, which would have us write the key into the file's URI, and
// errors and traces could show that.
type cipher struct{ key []byte }

// HBSH implements adiantum.HBSHCreator.
func (c cipher) HBSH(key []byte) *hbsh.HBSH {
	if len(key) != KeySize {
		return nil
	}
	return adiantum.New(key)
}

// KDF implements adiantum.HBSHCreator: temporary files, which have no text, get
// a key of their own that nobody keeps; any text stands for the file's key.
func (c cipher) KDF(text string) []byte {
	if text == "" {
		key := make([]byte, KeySize)
		if _, err := rand.Read(key); err != nil {
			return nil
		}
		return key
	}
	return slices.Clone(c.key)
}

// create makes an empty file that nothing was at before, and opens it to be
// filled. It is not durable yet.
func create(path string, key []byte) (*file, error) {
	made, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err == nil {
		err = made.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("sqlite: create: %w", err)
	}
	f, err := openFile(path, key, filling)
	if err != nil {
		return nil, err
	}
	if err := f.enableChecksums(); err != nil {
		f.close()
		return nil, fmt.Errorf("sqlite: create: %w", classify(err))
	}
	return f, nil
}

// enableChecksums makes checksums a property of the file, which must be empty.
func (f *file) enableChecksums() error {
	conn, err := f.write.Conn(context.Background())
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Raw(func(c any) error { return c.(driver.Conn).Raw().EnableChecksums("main") })
}

// How the connection that writes works.
const (
	// writing: WAL lets readers and the one writer work side by side, across
	// processes. A loss of power may take the last transactions, whole: they are
	// in the log.
	writing = `PRAGMA temp_store = MEMORY; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 4000`
	// filling is for a file that nobody reads yet, and that is gone on with if its
	// process dies: a journal takes back the transaction that was under way. What a
	// loss of power leaves of it is caught by its checksums and, at the end, by the
	// hashes. Statements keep what they may have to take back in memory: through
	// temporary files, which are encrypted too, it would be half of the work.
	filling = `PRAGMA temp_store = MEMORY; PRAGMA synchronous = OFF; PRAGMA journal_mode = TRUNCATE`
	// indexing is for making the indexes: sorting may need more room than memory.
	indexing = `PRAGMA temp_store = FILE`
	// filled sets the file up as it is read and written by many.
	filled = `PRAGMA temp_store = MEMORY; PRAGMA synchronous = NORMAL; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 4000`
)

// openFile opens a file that exists, its writer set up by the pragmas.
func openFile(path string, key []byte, writer string) (*file, error) {
	if len(key) != KeySize {
		return nil, fmt.Errorf("sqlite: open: a key has %d bytes, not %d", KeySize, len(key))
	}
	if err := Compile(""); err != nil {
		return nil, err
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("sqlite: open: %w", err)
	}
	f := &file{key: slices.Clone(key), vfs: "daybook-" + strconv.FormatUint(openings.Add(1), 10)}
	vfs.Register(f.vfs, wrap.Wrap(vfs.Find(""), cipher{f.key}))
	uri := (&url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path), RawQuery: url.Values{
		"mode":    {"rw"}, // never create: a file that was replaced stays gone
		"vfs":     {f.vfs},
		"textkey": {"the cipher has it"},
	}.Encode()}).String()

	if f.write, err = driver.Open(uri, pragmas(writerCache, writer)); err == nil {
		f.read, err = driver.Open(uri, pragmas(readerCache, `PRAGMA temp_store = MEMORY; PRAGMA query_only = ON`))
	}
	if err != nil {
		f.close()
		return nil, fmt.Errorf("sqlite: open: %w", classify(err))
	}
	f.write.SetMaxOpenConns(1)
	f.read.SetMaxOpenConns(readers)
	f.read.SetMaxIdleConns(readers)
	return f, nil
}

func pragmas(cache int, more string) func(*sqlite3.Conn) error {
	return func(c *sqlite3.Conn) error {
		if err := c.BusyTimeout(busyTimeout); err != nil {
			return err
		}
		return c.Exec(fmt.Sprintf(`PRAGMA cache_size = -%d; PRAGMA trusted_schema = OFF; %s`, cache, more))
	}
}

// close releases the file and wipes its key.
func (f *file) close() error {
	var errs []error
	for _, db := range []*sql.DB{f.read, f.write} { // the writer last: it tidies up the WAL
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	// A transaction whose context ended is rolled back by a goroutine of its own,
	// which closes the connection after Close has returned.
	for _, db := range []*sql.DB{f.read, f.write} {
		for wait := time.Millisecond; db != nil && db.Stats().OpenConnections > 0; wait *= 2 {
			if wait > time.Minute/10 {
				return errors.Join(append(errs, errors.New("sqlite: close: the file is still in use"))...)
			}
			time.Sleep(wait)
		}
	}
	vfs.Unregister(f.vfs)
	clear(f.key)
	return errors.Join(errs...)
}

// remove deletes a file with what SQLite keeps beside it.
func remove(path string) error {
	var errs []error
	for _, suffix := range []string{"-wal", "-shm", "-journal", ""} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// classify marks errors that mean damage, or a key that does not fit.
func classify(err error) error {
	for _, code := range []error{
		sqlite3.NOTADB, sqlite3.CORRUPT, sqlite3.IOERR_BADKEY, sqlite3.IOERR_DATA,
		sqlite3.IOERR_CORRUPTFS, sqlite3.IOERR_SHORT_READ,
	} {
		if errors.Is(err, code) && !errors.Is(err, projections.ErrDamaged) {
			return fmt.Errorf("%w: %w", projections.ErrDamaged, err)
		}
	}
	return err
}

// tried is how many bytes a folder must take to count as one that can be written.
const tried = 256 << 10

// unwritable marks errors that come from a folder that cannot be written. SQLite does
// not say so, and says the same of other things: so that is tried.
func unwritable(dir string, err error) error {
	var fault *projections.Fault
	if err == nil || errors.As(err, &fault) {
		return err
	}
	may := slices.ContainsFunc([]error{
		sqlite3.CANTOPEN, sqlite3.READONLY, sqlite3.PERM, sqlite3.IOERR, sqlite3.FULL,
		fs.ErrPermission, syscall.EROFS, syscall.ENOSPC, syscall.EDQUOT,
	}, func(cause error) bool { return errors.Is(err, cause) })
	if !may {
		return err
	}
	why := try(dir)
	if why == nil {
		return err
	}
	if at := (*fs.PathError)(nil); errors.As(why, &at) {
		why = at.Err // the name that was tried tells nothing
	}
	return fmt.Errorf("%w: %s: %w: %w", projections.ErrUnwritable, dir, why, err)
}

// try writes something to a folder.
func try(dir string) error {
	f, err := os.CreateTemp(dir, "try-*")
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, tried))
	return errors.Join(err, f.Close(), os.Remove(f.Name()))
}
