package witness

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
)

// ErrHeld means that another process has the state: two witnesses that share a key
// and do not know what the other has cosigned would cosign two histories.
var ErrHeld = errors.New("witness: another process has the state")

// Folder is the state of a witness in a folder: its key, its name, and a file for each
// log, which is replaced whole. One process at a time has it.
type Folder struct {
	dir  string
	mu   sync.Mutex // guards lock
	lock *os.File   // nil once it was closed
}

// kept is the JSON of a log's file.
type kept struct {
	Origin string    `json:"origin"`
	Size   uint64    `json:"size"`
	Root   tlog.Hash `json:"root"`
	Keys   string    `json:"keys"`
}

// OpenFolder opens the state, and makes it, with a new key, where there is none.
// ErrHeld where another process has it.
func OpenFolder(dir string) (*Folder, ed25519.PrivateKey, error) {
	if err := os.MkdirAll(filepath.Join(dir, "logs"), 0o700); err != nil {
		return nil, nil, fmt.Errorf("witness: %w", err)
	}
	held, err := lock(dir)
	if err != nil {
		return nil, nil, err
	}
	f := &Folder{dir: dir, lock: held}
	key, err := f.key()
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, key, nil
}

// key is the witness's key, which is made where there is none.
func (f *Folder) key() (ed25519.PrivateKey, error) {
	path := filepath.Join(f.dir, "key")
	seed, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		seed = make([]byte, ed25519.SeedSize)
		if _, err := rand.Read(seed); err != nil {
			return nil, fmt.Errorf("witness: %w", err)
		}
		err = replace(path, seed)
	}
	if err != nil {
		return nil, fmt.Errorf("witness: the key: %w", err)
	}
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("witness: the key in %s has %d bytes", path, len(seed))
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// Name is the witness's name, which stands beside its key; "" before one was set.
func (f *Folder) Name() (string, error) {
	path := filepath.Join(f.dir, "name")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("witness: the name: %w", err)
	}
	name := strings.TrimSuffix(string(data), "\n")
	if !transparency.Nameable(name) {
		return "", fmt.Errorf("witness: the name in %s is %.100q, which no key can have", path, name)
	}
	return name, nil
}

// SetName sets the name. Logs know a witness by its name and key, so it stays.
func (f *Folder) SetName(name string) error {
	if err := replace(filepath.Join(f.dir, "name"), []byte(name+"\n")); err != nil {
		return fmt.Errorf("witness: the name: %w", err)
	}
	return nil
}

// Close lets another process have the state. What is under way keeps nothing more.
func (f *Folder) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lock == nil {
		return nil
	}
	err := f.lock.Close()
	f.lock = nil
	if err != nil {
		return fmt.Errorf("witness: %w", err)
	}
	return nil
}

// Logs is the number of logs that are known.
func (f *Folder) Logs() (int, error) {
	entries, err := os.ReadDir(filepath.Join(f.dir, "logs"))
	if err != nil {
		return 0, fmt.Errorf("witness: %w", err)
	}
	return len(entries), nil
}

func (f *Folder) path(origin string) string {
	sum := sha256.Sum256([]byte(origin))
	return filepath.Join(f.dir, "logs", hex.EncodeToString(sum[:])+".json")
}

// Get implements State.
func (f *Folder) Get(origin string) (Seen, bool, error) {
	data, err := os.ReadFile(f.path(origin))
	if errors.Is(err, fs.ErrNotExist) {
		return Seen{}, false, nil
	}
	var k kept
	if err == nil {
		err = json.Unmarshal(data, &k)
	}
	if err == nil && k.Origin != origin {
		err = fmt.Errorf("it is of %q", k.Origin)
	}
	if err != nil {
		return Seen{}, false, fmt.Errorf("witness: what was seen of %q: %w", origin, err)
	}
	return Seen{Keys: []byte(k.Keys), Head: page.Head{Size: k.Size, Root: k.Root}}, true, nil
}

// Put implements State.
func (f *Folder) Put(origin string, s Seen) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	data, err := json.MarshalIndent(kept{origin, s.Head.Size, s.Head.Root, string(s.Keys)}, "", "  ")
	if f.lock == nil {
		err = os.ErrClosed // another process may have it
	}
	if err == nil {
		err = replace(f.path(origin), append(data, '\n'))
	}
	if err != nil {
		return fmt.Errorf("witness: keep what was seen of %q: %w", origin, err)
	}
	return nil
}

// replace puts a file in place whole, durably.
func replace(path string, data []byte) error {
	file, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
