package bookdir

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
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
	// Views is where the views are: InFolder or the URL of a database; empty for
	// what is recorded.
	Views string
	Clock ledger.Clock
	Log   *slog.Logger
	// Progress is told how far the writer has come with pages that its state
	// file lacks; may be nil.
	Progress func(done, last uint64)
	// ScrubAfter is how long after the opening, and after each pass, the log is
	// checked in the background; a minute, and then each hour, when 0.
	ScrubAfter time.Duration
	// Wait is how long to wait for a process that holds the book and does not
	// answer, as one does that is just starting or ending; 15 s when 0.
	Wait time.Duration
	// beside begins to make views beside the writer's states; may be nil.
	beside func(*link) (*beside, error)
	// alone holds the book for this process only: no other is served, and nothing is
	// signed but what the caller does.
	alone bool
	// beyond are erasures beyond the end of the log, of a copy that is being made.
	beyond []commit.Beyond
}

// Book is an open book. It is safe for concurrent use. When the process that
// held it ends, it goes on: through the next holder, or as the holder itself.
type Book struct {
	Dir  string
	Info Info

	options   Options
	mu        sync.Mutex // guards link
	link      *link
	reopening sync.Mutex
}

// link is what a Book has while the same process holds the book.
type link struct {
	dir     string
	info    Info
	options Options
	ledger  ledger.Book
	store   eventstore.Store
	codec   *commit.Codec
	keys    *keyring.Ring
	unclean string
	signs   *page.Signer
	head    func() (page.Head, error)
	beyond  []commit.Beyond
	beside  *beside // nil unless views are made while the writer opens

	closing sync.Mutex // guards closers
	closers []func(context.Context) error

	scrubbing sync.Mutex // guards scrubbed
	scrubbed  Scrubbed
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
	if o.Wait == 0 {
		o.Wait = 15 * time.Second
	}
	l, err := connect(ctx, dir, o)
	if err != nil {
		return nil, err
	}
	return &Book{Dir: dir, Info: l.info, options: o, link: l}, nil
}

// connect holds the book, or reaches the process that does.
func connect(ctx context.Context, dir string, o Options) (*link, error) {
	deadline := time.Now().Add(o.Wait)
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, 250*time.Millisecond) {
		info, err := ReadInfo(dir)
		if err != nil {
			return nil, err
		}
		l, err := hold(ctx, dir, info, o)
		if errors.Is(err, jetstream.ErrHeld) {
			l, err = join(ctx, dir, info, o)
		}
		if err == nil {
			return l, nil
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
func hold(ctx context.Context, dir string, info Info, o Options) (_ *link, err error) {
	l := &link{dir: dir, info: info, options: o}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.close(context.WithoutCancel(ctx)))
		}
	}()
	// The passphrase is checked before the lock is taken, and the lock before
	// anything of the log is touched.
	signer, err := l.unlock()
	if err != nil {
		return nil, err
	}
	seed, err := jetstream.NewSeed()
	if err != nil {
		return nil, err
	}
	server, err := jetstream.Start(jetstream.Config{Dir: filepath.Join(dir, "store"), Book: info.Book, Seed: seed, DontListen: o.alone, Log: o.Log})
	if err != nil {
		return nil, err
	}
	l.onClose(func(context.Context) error { return server.Shutdown() })
	l.unclean = server.Unclean()
	if err := l.unchanged(); err != nil {
		return nil, err
	}
	store, err := jetstream.Open(ctx, server, info.Book)
	if err != nil {
		return nil, err
	}
	l.store = store
	l.codec.ProveErasures(store, signer.Verifier())
	l.onClose(func(context.Context) error { return store.Close() })
	if o.beside != nil {
		if l.beside, err = o.beside(l); err != nil {
			return nil, err
		}
	}
	writer, err := l.write(ctx, store, signer)
	if err != nil {
		return nil, err
	}
	l.ledger = writer
	l.head = func() (page.Head, error) { return writer.Durable(), nil }
	if o.alone {
		return l, l.certified()
	}
	l.scrub(signer.Verifier())
	if l.info.ReadOnly {
		l.ledger = readOnly{writer}
	} else if err := l.goesOn(writer); err != nil {
		return nil, err
	}
	transport, err := named(l.keys, transportKey)
	if err != nil {
		return nil, err
	}
	defer clear(transport)
	commands, err := remote.Serve(server.Conn(), info.Book, transport, l.ledger, o.Log)
	if err != nil {
		return nil, err
	}
	l.onClose(func(context.Context) error { return commands.Close() })
	return l, l.announce(server.ClientURL(), seed)
}

// goesOn starts what a book has that takes commands.
func (l *link) goesOn(writer *ledger.Writer) error {
	if err := l.certified(); err != nil {
		return err
	}
	l.backups()
	return l.cosign(writer)
}

// readOnly is a book that takes no commands.
type readOnly struct{ *ledger.Writer }

func (r readOnly) Submit(context.Context, ledger.Envelope) func() (ledger.Receipt, error) {
	return func() (ledger.Receipt, error) { return ledger.Receipt{}, refuseReadOnly() }
}

func refuseReadOnly() error {
	return domain.Refuse("read-only", "this copy of the book was restored to be read only").
		WithHint("give the command to the book itself, or restore it without --read-only")
}

func (r readOnly) Do(ctx context.Context, e ledger.Envelope) (ledger.Receipt, error) {
	return r.Submit(ctx, e)()
}

// unlock opens the ring, and checks that it is this book's.
func (l *link) unlock() (*page.Signer, error) {
	ring, err := keyring.Open(filepath.Join(l.dir, "ring"), l.options.Root, l.options.RingOptions...)
	if err != nil {
		return nil, err
	}
	l.keys = ring
	l.onClose(func(context.Context) error { return ring.Close() })
	signer, err := l.signer(ring)
	if err != nil {
		return nil, err
	}
	l.signs = signer
	digest, err := named(ring, digestKey)
	if err != nil {
		return nil, err
	}
	l.codec = commit.NewCodec(l.info.Book, signer.Verifier().Epoch, ring, digest)
	if l.beyond, err = l.erasedBeyond(signer.Verifier()); err != nil {
		return nil, err
	}
	l.codec.ErasedBeyond(l.beyond)
	return signer, nil
}

// unchanged refuses to go on with a list of keys that was read before this process, or
// the one that it reaches, had the book, and is another by now: ErrBusy, for the next
// try reads anew; and with a folder in which a repair is being brought to its end.
func (l *link) unchanged() error {
	now, err := os.ReadFile(keysPath(l.dir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("bookdir: %w", err)
	}
	if !bytes.Equal(now, l.info.signed) {
		return fmt.Errorf("%w: its keys were changed just now", ErrBusy)
	}
	if err := repaired(l.dir); err != nil {
		return err
	}
	return discard(filepath.Join(l.dir, repairingName)) // of a repair that was cut short: it has keys
}

// certified gives a book of before there were identities one. Such a book.json
// is not there while the book is being made.
func (l *link) certified() error {
	if l.info.Identity != "" {
		return nil
	}
	if err := l.info.certify(l.dir, l.keys); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(l.dir, "book.json")); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return writeInfo(l.dir, l.info)
}

// write opens the writer. A state file that cannot be used is made anew.
func (l *link) write(ctx context.Context, store eventstore.Store, signer *page.Signer) (*ledger.Writer, error) {
	remembered, err := head.Open(filepath.Join(l.dir, "head"))
	if err != nil {
		return nil, err
	}
	l.onClose(func(context.Context) error { return remembered.Close() })
	s := &states{ring: l.keys, path: filepath.Join(l.dir, "state.db")}
	l.onClose(func(context.Context) error { return s.close() })
	for fresh := false; ; fresh = true {
		writer, err := l.openWriter(ctx, store, signer, remembered, s)
		if errors.Is(err, state.ErrDamaged) && !fresh {
			l.options.Log.Warn("the state file cannot be used and is made anew from the log", "error", err)
			if err := errors.Join(s.close(), state.Remove(s.path)); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		l.onClose(writer.Close)
		return writer, nil
	}
}

func (l *link) openWriter(ctx context.Context, store eventstore.Store, signer *page.Signer, remembered *head.File, s *states) (*ledger.Writer, error) {
	file, key, err := s.open()
	if err != nil {
		return nil, err
	}
	c := ledger.Config{
		Book: l.info.Book, Epoch: l.info.Epoch, Store: store, Signer: signer, Codec: l.codec, Keys: l.keys,
		TreePath: filepath.Join(l.dir, "tree"), Head: remembered, State: file, StateKey: key, Renew: s.renew,
		Facts: func() (keyring.KeyID, error) { return l.keys.Named(factsKey) },
		Clock: l.options.Clock, Room: room(l.dir), Log: l.options.Log, Progress: l.options.Progress,
		Archive: &requiredArchive{link: l},
	}
	if l.beside != nil {
		c.Folded = l.beside.folded
	}
	if l.info.ReadOnly {
		c.Beyond = l.beyond
	}
	return ledger.Open(ctx, c)
}

// announce tells other processes of this user how to reach this one.
func (l *link) announce(url string, seed []byte) error {
	data, err := json.Marshal(connection{URL: url, Seed: seed, Process: os.Getpid()})
	if err != nil {
		return fmt.Errorf("bookdir: %w", err)
	}
	path := filepath.Join(l.dir, "connect")
	if err := writeDurably(path, data, 0o600); err != nil {
		return err
	}
	l.onClose(func(context.Context) error { return os.Remove(path) })
	return nil
}

// join opens the book through the process that holds it.
func join(ctx context.Context, dir string, info Info, o Options) (_ *link, err error) {
	l := &link{dir: dir, info: info, options: o}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.close(context.WithoutCancel(ctx)))
		}
	}()
	signer, err := l.unlock()
	if err != nil {
		return nil, err
	}
	external, err := reach(dir, info)
	if err != nil {
		return nil, err
	}
	l.onClose(func(context.Context) error { external.Close(); return nil })
	if err := l.unchanged(); err != nil {
		return nil, err
	}
	store, err := jetstream.Open(ctx, external, info.Book)
	if err != nil {
		return nil, err
	}
	l.store = store
	l.codec.ProveErasures(store, signer.Verifier())
	l.onClose(func(context.Context) error { return store.Close() })
	transport, err := named(l.keys, transportKey)
	if err != nil {
		return nil, err
	}
	defer clear(transport)
	if l.ledger, err = remote.Dial(external.Conn(), info.Book, transport); err != nil {
		return nil, err
	}
	l.head = func() (page.Head, error) {
		h, err := head.Read(filepath.Join(dir, "head"))
		return h.Head, err
	}
	return l, nil
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

func (l *link) onClose(f func(context.Context) error) {
	l.closing.Lock()
	defer l.closing.Unlock()
	l.closers = append(l.closers, f)
}

// given gives what the link has to release, which from now on somebody else releases.
func (l *link) given() []func(context.Context) error {
	l.closing.Lock()
	defer l.closing.Unlock()
	closers := l.closers
	l.closers = nil
	return closers
}

// close releases what the link has, once: what stands in its place afterwards is
// another holder's. A holder first settles the commands under way.
func (l *link) close(ctx context.Context) error {
	closers := l.given()
	var errs []error
	for i := len(closers) - 1; i >= 0; i-- {
		errs = append(errs, closers[i](ctx))
	}
	return errors.Join(errs...)
}
