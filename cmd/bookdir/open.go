package bookdir

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/head"
	"github.com/daybook-ledger/daybook/eventstore/jetstream"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/ledger/commit"
	"github.com/daybook-ledger/daybook/ledger/remote"
	"github.com/daybook-ledger/daybook/ledger/state"
)

// Options say how a book is opened.
type Options struct {
	// Root is the ring's root key.
	Root keyring.Root
	// RingOptions are for tests.
	RingOptions []keyring.Option
	Clock       ledger.Clock
	Log         *slog.Logger
	// Progress is told how far the writer has come with pages that its state
	// file lacks; may be nil.
	Progress func(done, last uint64)
	// Wait is how long to wait for a process that holds the book and does not
	// answer, as one does that is just starting or ending; 15 s when 0.
	Wait time.Duration
}

// Book is an open book. It is safe for concurrent use.
type Book struct {
	Dir  string
	Info Info
	// Store is the log; whoever does not hold the book cannot append to it.
	Store eventstore.Store
	Codec *commit.Codec
	// Keys is the key ring.
	Keys *keyring.Ring
	// Unclean is the folder with copies of the newest log files, made because
	// the last holder did not stop cleanly; "" if it did.
	Unclean string

	options Options
	mu      sync.Mutex // guards inner while it is replaced
	inner   ledger.Book
	head    func() (page.Head, error)
	closers []func(context.Context) error
}

// connection is what the file connect holds.
type connection struct {
	URL     string `json:"url"`
	Seed    []byte `json:"seed"`
	Process int    `json:"process"`
}

// Open opens the book in a folder: as its holder, or through the process that
// holds it.
func Open(ctx context.Context, dir string, o Options) (*Book, error) {
	info, err := ReadInfo(dir)
	if err != nil {
		return nil, err
	}
	if o.Wait == 0 {
		o.Wait = 15 * time.Second
	}
	deadline := time.Now().Add(o.Wait)
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, 250*time.Millisecond) {
		b, err := hold(ctx, dir, info, o)
		if !errors.Is(err, jetstream.ErrHeld) {
			return b, err
		}
		b, err = join(ctx, dir, info, o)
		if err == nil {
			return b, nil
		}
		if !again(err) || time.Now().After(deadline) {
			return nil, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// again reports whether an error may pass: the holder is starting or ending.
func again(err error) bool {
	return errors.Is(err, ErrBusy) || errors.Is(err, jetstream.ErrUnavailable) || errors.Is(err, remote.ErrUnreachable)
}

// hold opens the book as its holder; jetstream.ErrHeld if there is one already.
func hold(ctx context.Context, dir string, info Info, o Options) (_ *Book, err error) {
	b := &Book{Dir: dir, Info: info, options: o}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.Close(context.WithoutCancel(ctx)))
		}
	}()
	// The passphrase is checked before the lock is taken, and the lock before
	// anything of the log is touched.
	signer, err := b.unlock()
	if err != nil {
		return nil, err
	}
	seed, err := jetstream.NewSeed()
	if err != nil {
		return nil, err
	}
	server, err := jetstream.Start(jetstream.Config{Dir: filepath.Join(dir, "store"), Book: info.Book, Seed: seed, Log: o.Log})
	if err != nil {
		return nil, err
	}
	b.onClose(func(context.Context) error { return server.Shutdown() })
	b.Unclean = server.Unclean()
	store, err := jetstream.Open(ctx, server, info.Book)
	if err != nil {
		return nil, err
	}
	b.Store = store
	b.onClose(func(context.Context) error { return store.Close() })
	writer, err := b.write(ctx, store, signer)
	if err != nil {
		return nil, err
	}
	b.inner = roomy{writer, dir}
	b.head = func() (page.Head, error) { return writer.Durable(), nil }
	transport, err := named(b.Keys, transportKey)
	if err != nil {
		return nil, err
	}
	defer clear(transport)
	commands, err := remote.Serve(server.Conn(), info.Book, transport, b.inner, o.Log)
	if err != nil {
		return nil, err
	}
	b.onClose(func(context.Context) error { return commands.Close() })
	return b, b.announce(server.ClientURL(), seed)
}

// unlock opens the ring, and checks that it is this book's.
func (b *Book) unlock() (*page.Signer, error) {
	ring, err := keyring.Open(filepath.Join(b.Dir, "ring"), b.options.Root, b.options.RingOptions...)
	if err != nil {
		return nil, err
	}
	b.Keys = ring
	b.onClose(func(context.Context) error { return ring.Close() })
	seed, err := named(ring, signingKey)
	if err != nil {
		return nil, err
	}
	defer clear(seed)
	signer, err := page.NewSigner(b.Info.Origin, ed25519.NewKeyFromSeed(seed))
	if err != nil {
		return nil, err
	}
	if signer.Verifier().VerifierKey() != b.Info.Key {
		return nil, fmt.Errorf("%w: its public key is not that of the ring", ErrDamaged)
	}
	facts, err := ring.Named(factsKey)
	if err != nil {
		return nil, err
	}
	digest, err := named(ring, digestKey)
	if err != nil {
		return nil, err
	}
	b.Codec = commit.NewCodec(b.Info.Book, b.Info.Epoch, ring, facts, digest)
	return signer, nil
}

// write opens the writer. A state file that cannot be used is made anew.
func (b *Book) write(ctx context.Context, store eventstore.Store, signer *page.Signer) (*ledger.Writer, error) {
	remembered, err := head.Open(filepath.Join(b.Dir, "head"))
	if err != nil {
		return nil, err
	}
	b.onClose(func(context.Context) error { return remembered.Close() })
	key, err := named(b.Keys, stateKey)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	path := filepath.Join(b.Dir, "state.db")
	for fresh := false; ; fresh = true {
		writer, file, err := b.openWriter(ctx, store, signer, remembered, path, key)
		if errors.Is(err, state.ErrDamaged) && !fresh {
			b.options.Log.Warn("the state file cannot be used and is made anew from the log", "error", err)
			if err := state.Remove(path); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		b.onClose(func(context.Context) error { return file.Close() })
		b.onClose(writer.Close)
		return writer, nil
	}
}

func (b *Book) openWriter(ctx context.Context, store eventstore.Store, signer *page.Signer, remembered *head.File, path string, key []byte) (*ledger.Writer, *state.File, error) {
	file, err := state.Open(path, key)
	if err != nil {
		return nil, nil, err
	}
	writer, err := ledger.Open(ctx, ledger.Config{
		Book: b.Info.Book, Epoch: b.Info.Epoch, Store: store, Signer: signer, Codec: b.Codec, Keys: b.Keys,
		TreePath: filepath.Join(b.Dir, "tree"), Head: remembered, State: file,
		Clock: b.options.Clock, Log: b.options.Log, Progress: b.options.Progress,
	})
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return writer, file, nil
}

// announce tells other processes of this user how to reach this one.
func (b *Book) announce(url string, seed []byte) error {
	data, err := json.Marshal(connection{URL: url, Seed: seed, Process: os.Getpid()})
	if err != nil {
		return fmt.Errorf("bookdir: %w", err)
	}
	path := filepath.Join(b.Dir, "connect")
	if err := writeDurably(path, data, 0o600); err != nil {
		return err
	}
	b.onClose(func(context.Context) error { return os.Remove(path) })
	return nil
}

// join opens the book through the process that holds it.
func join(ctx context.Context, dir string, info Info, o Options) (_ *Book, err error) {
	b := &Book{Dir: dir, Info: info, options: o}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.Close(context.WithoutCancel(ctx)))
		}
	}()
	if _, err := b.unlock(); err != nil {
		return nil, err
	}
	external, err := reach(dir, info)
	if err != nil {
		return nil, err
	}
	b.onClose(func(context.Context) error { external.Close(); return nil })
	store, err := jetstream.Open(ctx, external, info.Book)
	if err != nil {
		return nil, err
	}
	b.Store = store
	b.onClose(func(context.Context) error { return store.Close() })
	transport, err := named(b.Keys, transportKey)
	if err != nil {
		return nil, err
	}
	defer clear(transport)
	if b.inner, err = remote.Dial(external.Conn(), info.Book, transport); err != nil {
		return nil, err
	}
	b.head = func() (page.Head, error) {
		h, err := head.Read(filepath.Join(dir, "head"))
		return h.Head, err
	}
	return b, nil
}

// reach connects to the server of the process that holds the book.
func reach(dir string, info Info) (*jetstream.External, error) {
	data, err := os.ReadFile(filepath.Join(dir, "connect"))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBusy, err)
	}
	var c connection
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBusy, err)
	}
	external, err := jetstream.DialReader(c.URL, c.Seed, info.Book)
	if err != nil {
		return nil, fmt.Errorf("%w: process %d: %w", ErrBusy, c.Process, err)
	}
	return external, nil
}

func (b *Book) onClose(f func(context.Context) error) { b.closers = append(b.closers, f) }

// Close releases the book. A holder first settles the commands under way.
func (b *Book) Close(ctx context.Context) error {
	b.mu.Lock()
	closers := b.closers
	b.closers = nil
	b.mu.Unlock()
	var errs []error
	for i := len(closers) - 1; i >= 0; i-- {
		errs = append(errs, closers[i](ctx))
	}
	return errors.Join(errs...)
}

// Head is the log's state as far as it was acknowledged and remembered.
func (b *Book) Head() (page.Head, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.head()
}

// Do implements ledger.Book. When the process that held the book has ended, the
// book is opened again, perhaps as its holder, and the command repeated: its id
// makes that safe.
func (b *Book) Do(ctx context.Context, e ledger.Envelope) (ledger.Receipt, error) {
	receipt, err := b.current().Do(ctx, e)
	if !gone(err) {
		return receipt, err
	}
	if err := b.reopen(ctx); err != nil {
		return ledger.Receipt{}, err
	}
	return b.current().Do(ctx, e)
}

// Find implements ledger.Book.
func (b *Book) Find(ctx context.Context, r domain.Reference) (domain.StreamID, bool, error) {
	stream, found, err := b.current().Find(ctx, r)
	if !gone(err) {
		return stream, found, err
	}
	if err := b.reopen(ctx); err != nil {
		return domain.StreamID{}, false, err
	}
	return b.current().Find(ctx, r)
}

// gone reports whether an error means that the holder has ended.
func gone(err error) bool {
	return errors.Is(err, remote.ErrUnreachable) || errors.Is(err, remote.ErrLost)
}

func (b *Book) current() ledger.Book {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.inner
}

// reopen opens the book anew after its holder has gone.
func (b *Book) reopen(ctx context.Context) error {
	if err := b.Close(ctx); err != nil {
		b.options.Log.Debug("what the former holder left could not be closed", "error", err)
	}
	opened, err := Open(ctx, b.Dir, b.options)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.Store, b.Codec, b.Keys, b.Unclean = opened.Store, opened.Codec, opened.Keys, opened.Unclean
	b.inner, b.head, b.closers = opened.inner, opened.head, opened.closers
	return nil
}
