// Package bookdir is a book in a folder: it wires the embedded JetStream server,
// the key ring, the remembered head, the writer and the views together.
//
//	book.json   what the book is: ids, origin, public key; readable by anyone
//	keys        which keys sign the log at which sizes, signed by the identity
//	checkpoint  the newest checkpoint that witnesses were asked to cosign
//	cosigned    the newest one that they did cosign
//	ring        the wrapped keys
//	head        the remembered head
//	store/      JetStream's files
//	tree        the Merkle log's hashes       made anew from the log if lost
//	state.db    the writer's folded states    made anew from the log if lost
//	views/      the views                     made anew from the log if lost
//	beyond      pages that erase beyond the end of a copy that takes no commands
//	views.url   where the views are, if not in the folder
//	connect     how other processes reach the one that holds the book
//	archive.json  where the archive is, and how far it reaches
//	damaged/    logs as they were before a repair
//	repairing/  what a repair makes, until it is complete
//	repaired/   and then, until all of it is in its place
//	unclean/    copies of the newest log files, made after an unclean stop
//
// One process holds the book: it runs the server and the writer. Any other
// process on the machine reads the log through that server, and hands its
// commands to that writer.
package bookdir

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
)

// Format is the newest format of a book's folder that this program reads, and
// the one that it makes.
const Format = 1

// Errors that callers branch on.
var (
	// ErrNoBook means that the folder holds no book.
	ErrNoBook = errors.New("bookdir: no book here")
	// ErrExists means that the folder holds something already.
	ErrExists = errors.New("bookdir: the folder is not empty")
	// ErrFileExists means that a file is there already, and is not written over.
	ErrFileExists = errors.New("the file is there already")
	// ErrNewer means that a newer version of the program made the book.
	ErrNewer = errors.New("bookdir: the book was made by a newer version of the program")
	// ErrDamaged means that book.json cannot be used.
	ErrDamaged = errors.New("bookdir: book.json is damaged")
	// ErrBusy means that another process holds the book and does not answer.
	ErrBusy = errors.New("bookdir: the book is held by a process that takes no commands")
)

// Info is what book.json holds: all that is needed to verify the log, and
// nothing secret.
type Info struct {
	Format  int       `json:"format"`
	Book    uuid.UUID `json:"book"`
	Epoch   uint64    `json:"epoch"`
	Origin  string    `json:"origin"`
	Key     string    `json:"key"` // the first public key of the log's epoch, as a note verifier key
	Created time.Time `json:"created"`
	KeyFile string    `json:"key_file,omitempty"` // where the root key is, if it is a file
	// ReadOnly is a copy that takes no commands.
	ReadOnly bool `json:"read_only,omitempty"`
	// Identity is the public key that signs the list of the log's keys; empty in a
	// book of before there was one.
	Identity string `json:"identity,omitempty"`

	// list is the list of keys, in the file beside, and signed the same as it
	// stands there; nil where the book has none.
	list   *transparency.KeyList
	signed []byte
}

// Verifier checks the log, whichever of its keys signed.
func (i Info) Verifier() (*page.Verifier, error) {
	if i.list != nil {
		return i.list.Verifier()
	}
	v, err := page.ParseVerifierKey(i.Key)
	if err != nil {
		return nil, fmt.Errorf("%w: its key: %w", ErrDamaged, err)
	}
	if v.Origin() != i.Origin {
		return nil, fmt.Errorf("%w: its key is of another origin", ErrDamaged)
	}
	return v, nil
}

// origin is the name of a book's log in an epoch that begins with a key. It is a
// schema-less URL under a domain that can never be registered, so that it names
// this log and no host. From the second epoch on, two copies of the log that go on
// by themselves have different keys, and so different names.
func origin(book uuid.UUID, epoch uint64, first ed25519.PublicKey) string {
	if epoch == 1 {
		return fmt.Sprintf("daybook.invalid/%s/1", book)
	}
	digest := sha256.Sum256(first)
	return fmt.Sprintf("daybook.invalid/%s/%d-%x", book, epoch, digest[:8])
}

// Find gives the folder of the nearest book: dir itself or one of its parents.
func Find(dir string) (string, error) {
	start, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("bookdir: %w", err)
	}
	for at := start; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "book.json")); err == nil {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("%w: neither %s nor a folder above it holds a book", ErrNoBook, start)
		}
	}
}

// ReadInfo reads a folder's book.json. ErrRepairing while a repair has yet to put
// pieces of the book in their places.
func ReadInfo(dir string) (Info, error) {
	if err := repaired(dir); err != nil {
		return Info{}, err
	}
	data, err := os.ReadFile(filepath.Join(dir, "book.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return Info{}, fmt.Errorf("%w: %s", ErrNoBook, dir)
	}
	if err != nil {
		return Info{}, fmt.Errorf("bookdir: %w", err)
	}
	i, err := parseInfo(data)
	if err != nil {
		return i, err
	}
	return i, i.readKeys(dir)
}

// parseInfo reads the content of book.json.
func parseInfo(data []byte) (Info, error) {
	var i Info
	if err := json.Unmarshal(data, &i); err != nil {
		return Info{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if i.Format > Format {
		return Info{}, fmt.Errorf("%w: it has format %d, this program knows %d", ErrNewer, i.Format, Format)
	}
	if i.Format < 1 || i.Book == uuid.Nil || i.Epoch == 0 {
		return Info{}, ErrDamaged
	}
	v, err := i.Verifier()
	if err == nil && i.Origin != origin(i.Book, i.Epoch, v.PublicKey()) {
		err = ErrDamaged
	}
	return i, err
}

func writeInfo(dir string, i Info) error {
	data, err := json.MarshalIndent(i, "", "  ")
	if err != nil {
		return fmt.Errorf("bookdir: %w", err)
	}
	return writeDurably(filepath.Join(dir, "book.json"), append(data, '\n'), 0o644)
}

// NewFile opens a file that was not there; ErrFileExists where one was.
func NewFile(path string, mode fs.FileMode) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%w: %s", ErrFileExists, path)
	}
	return file, err
}

// writeDurably puts a whole file in place at once, or not at all.
func writeDurably(path string, data []byte, mode fs.FileMode) (err error) {
	file, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, mode)
	if err != nil {
		return fmt.Errorf("bookdir: %w", err)
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("bookdir: write %s: %w", path, err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("bookdir: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("bookdir: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("bookdir: sync %s: %w", dir, err)
	}
	return nil
}

// verifierKey is the public half of a log's key.
func verifierKey(origin string, key ed25519.PrivateKey) (string, error) {
	signer, err := page.NewSigner(origin, key)
	if err != nil {
		return "", err
	}
	return signer.Verifier().VerifierKey(), nil
}
