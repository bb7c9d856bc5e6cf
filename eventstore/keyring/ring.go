package keyring

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// Ring is an open key ring. It is safe for concurrent use.
type Ring struct {
	path  string
	opts  options
	cache *cache

	// mu guards what follows and is held over every use of the file; keys in
	// the cache are had without it.
	mu     sync.Mutex
	closed bool
	file   *os.File
	info   os.FileInfo // of the file when it was opened, to know it again
	head   *header
	keys   *bookKeys
	root   []byte // the root key: a change of the header wraps a new book key
	// unsettled means that the folder could not be flushed after the file was
	// replaced: until it is, nothing in the new file is durable.
	unsettled bool
}

type options struct {
	params Params
	rand   io.Reader
	sync   flush
}

// Option changes how a ring is made.
type Option func(*options)

// WithParams sets the cost of argon2id for Create and ChangeRoot, instead of
// DefaultParams. Tests lower it.
func WithParams(p Params) Option { return func(o *options) { o.params = p } }

// WithRand sets the source of keys, salts and nonces, instead of crypto/rand.
// It is for test vectors: a source that repeats itself betrays the keys.
func WithRand(r io.Reader) Option { return func(o *options) { o.rand = r } }

func newRing(path string, given []Option) (*Ring, error) {
	// Later changes of the working folder must not matter.
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	// Whatever name a process uses, the lock must be the same one, and it is
	// the file that is replaced, not a link to it.
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	r := &Ring{path: path, cache: newCache(cacheSize)}
	r.opts = options{params: DefaultParams(), rand: rand.Reader, sync: (*os.File).Sync}
	for _, option := range given {
		option(&r.opts)
	}
	return r, nil
}

// Create makes a ring without keys at path, readable by its owner alone. It is
// durable when Create returns. A file at path is left alone: ErrExists. Other
// errors: ErrInvalid, ErrKeyFile.
func Create(path string, root Root, given ...Option) (*Ring, error) {
	r, err := newRing(path, given)
	if err == nil {
		err = r.create(root)
	}
	if err != nil {
		return nil, fmt.Errorf("keyring: create %s: %w", path, err)
	}
	return r, nil
}

func (r *Ring) create(root Root) (err error) {
	h := &header{epoch: 1, names: map[string]KeyID{}}
	if _, err := io.ReadFull(r.opts.rand, h.ring[:]); err != nil {
		return fmt.Errorf("read random bytes: %w", err)
	}
	if r.root, err = r.newRoot(h, root); err != nil {
		return err
	}
	return withLock(r.path, true, func() error {
		if err := r.absent(); err != nil {
			return err
		}
		encoded, keys, err := h.encode(r.root, r.opts.rand)
		if err != nil {
			return err
		}
		file, named, err := replace(r.path, r.opts.sync, func(w io.Writer) error {
			_, err := w.Write(encoded)
			return err
		})
		if err != nil {
			if named {
				err = errors.Join(err, file.Close(), os.Remove(r.path))
			}
			return err
		}
		return r.adopt(file, h, keys)
	})
}

// absent refuses to make a ring where there is a file already.
func (r *Ring) absent() error {
	if _, err := os.Lstat(r.path); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(ErrExists, err)
	}
	return nil
}

// newRoot gives h a new salt and the root's parameters, and makes the root key.
func (r *Ring) newRoot(h *header, root Root) ([]byte, error) {
	if _, err := io.ReadFull(r.opts.rand, h.salt[:]); err != nil {
		return nil, fmt.Errorf("read random bytes: %w", err)
	}
	h.mode, h.param = root.mode(), Params{}
	if h.mode == modePassphrase {
		h.param = r.opts.params
	}
	return root.rootKey(h.salt[:], h.param)
}

// adopt takes an opened file as the ring's.
func (r *Ring) adopt(file *os.File, h *header, keys *bookKeys) error {
	info, err := checkLength(file, h)
	if err != nil {
		file.Close()
		return err
	}
	if r.file != nil {
		r.file.Close()
		clear(r.keys.header[:])
	}
	r.file, r.info, r.head, r.keys = file, info, h, keys
	return nil
}

// Open opens the ring at path, in a time that does not grow with the number of
// its keys. Errors: ErrMissing, ErrPassphrase, ErrKeyFile, ErrDamaged, ErrNewer,
// ErrInvalid (an empty passphrase).
func Open(path string, root Root, given ...Option) (*Ring, error) {
	r, err := newRing(path, given)
	if err == nil {
		err = r.open(root)
	}
	if err != nil {
		return nil, fmt.Errorf("keyring: open %s: %w", path, err)
	}
	return r, nil
}

func (r *Ring) open(root Root) error {
	// Without a ring, not even a lock file is to be left.
	if _, err := os.Stat(r.path); errors.Is(err, fs.ErrNotExist) {
		return ErrMissing
	}
	var file *os.File
	var encoded []byte
	err := withLock(r.path, false, func() (err error) {
		file, encoded, err = openFile(r.path)
		return err
	})
	if err != nil {
		return err
	}
	// Making the root key takes long, so not under the lock.
	h, keys, err := r.unlock(encoded, root)
	if err != nil {
		file.Close()
		return err
	}
	return r.adopt(file, h, keys)
}

func (r *Ring) unlock(encoded []byte, root Root) (*header, *bookKeys, error) {
	h, err := decodeHeader(encoded)
	if err != nil {
		return nil, nil, err
	}
	if h.mode != root.mode() {
		return nil, nil, fmt.Errorf("%w: the ring is locked with %s", ErrPassphrase, h.mode)
	}
	if r.root, err = root.rootKey(h.salt[:], h.param); err != nil {
		return nil, nil, err
	}
	keys, err := h.unlock(encoded, r.root)
	if err != nil {
		clear(r.root)
		return nil, nil, err
	}
	return h, keys, nil
}

// Close wipes the keys that the ring holds in memory. The ring gives ErrClosed
// from then on. Copies that Key gave belong to their callers.
func (r *Ring) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	r.closed = true
	r.cache.dropAll()
	clear(r.root)
	clear(r.keys.header[:])
	r.keys = nil // the cipher's own copy cannot be wiped, only let go of
	return r.file.Close()
}

// String names the ring without its content.
func (r *Ring) String() string { return "key ring " + r.path }

// Format prints String whatever the verb, so that %+v shows no key.
func (r *Ring) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, r.String()) }

// use runs do with the newest file open.
func (r *Ring) use(do func() error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return ErrClosed
	}
	if err := r.refresh(func() error { return withLock(r.path, false, r.reload) }); err != nil {
		return err
	}
	return do()
}

// change runs do with the newest file open while no other process uses it.
func (r *Ring) change(do func() error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return ErrClosed
	}
	if _, err := os.Stat(r.path); errors.Is(err, fs.ErrNotExist) {
		return ErrMissing
	}
	return withLock(r.path, true, func() error {
		if err := r.refresh(r.reload); err != nil {
			return err
		}
		if err := dropUnfinished(r.path); err != nil {
			return err
		}
		if r.unsettled {
			if err := syncFolder(r.path, r.opts.sync); err != nil {
				return err
			}
			r.unsettled = false
		}
		return do()
	})
}

// refresh calls reload if another process replaced the file.
func (r *Ring) refresh(reload func() error) error {
	info, err := os.Stat(r.path)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrMissing
	}
	if err != nil {
		return err
	}
	// Our open file keeps its inode from being given to another one.
	if os.SameFile(info, r.info) {
		return nil
	}
	return reload()
}

// reload opens the file that took the place of ours. The lock is held.
func (r *Ring) reload() error {
	file, encoded, err := openFile(r.path)
	if err != nil {
		return err
	}
	h, keys, err := r.follow(encoded)
	if err != nil {
		file.Close()
		return err
	}
	// Whatever was changed there, destroyed keys included, holds here too.
	r.cache.dropAll()
	return r.adopt(file, h, keys)
}

// follow unlocks a header that must be a later one of the same ring.
func (r *Ring) follow(encoded []byte) (*header, *bookKeys, error) {
	h, err := decodeHeader(encoded)
	if err != nil {
		return nil, nil, err
	}
	if h.ring != r.head.ring {
		return nil, nil, fmt.Errorf("%w: another ring was put in this one's place", ErrDamaged)
	}
	if h.epoch <= r.head.epoch {
		return nil, nil, fmt.Errorf("%w: an older copy was put in the ring's place", ErrDamaged)
	}
	if h.salt != r.head.salt || h.mode != r.head.mode || h.param != r.head.param {
		return nil, nil, fmt.Errorf("%w: it was changed meanwhile; open the ring again", ErrPassphrase)
	}
	keys, err := h.unlock(encoded, r.root)
	if err != nil {
		return nil, nil, err
	}
	return h, keys, nil
}
