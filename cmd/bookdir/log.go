package bookdir

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/jetstream"
	"github.com/daybook-ledger/daybook/eventstore/page"
)

// Log is a book's log, open to be read without any key. While it is open and no
// other process holds the book, this one does, for readers alone: the commands
// of other processes wait for it to be closed.
type Log struct {
	Info Info
	// Store is the log. When the process that holds the book ends, it is read on through
	// the next holder, or by holding the book.
	Store eventstore.Reader
	// Verifier checks the log.
	Verifier *page.Verifier
	// Holder is the process that held the book when the log was opened, 0 where this one
	// did.
	Holder int
	// Unclean is as in Book.
	Unclean string

	// link has no keys.
	link *link
}

// ErrUnwritable means that a log cannot be opened where it lies, not to be read
// either: whoever opens one locks its folder, and the server in it writes there.
var ErrUnwritable = errors.New("bookdir: the book's folder cannot be written")

// unwritable is the error of a log that cannot be opened for that.
func unwritable(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: %w", ErrUnwritable, err)
	}
	return err
}

// OpenLog opens the log of the book in a folder: as its holder, or through the
// process that holds it. It waits, up to 15 s where wait is 0, for a holder that
// does not answer, as one does that is just starting or ending.
func OpenLog(ctx context.Context, dir string, wait time.Duration, log *slog.Logger) (*Log, error) {
	if wait == 0 {
		wait = 15 * time.Second
	}
	l, err := reachLog(ctx, dir, 0, wait, log)
	if err != nil {
		return nil, err
	}
	l.Store = &onward{log: l, yields: yieldFor, wait: wait, store: l.Store}
	return l, nil
}

// reachLog opens the log as it is reached now: for as long as it yields, through another
// process alone.
func reachLog(ctx context.Context, dir string, yields, wait time.Duration, log *slog.Logger) (*Log, error) {
	yielded := time.Now().Add(yields)
	deadline := yielded.Add(wait)
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 250*time.Millisecond) {
		info, err := ReadInfo(dir) // each time: whoever is waited for may change the keys
		if err != nil {
			return nil, err
		}
		verifier, err := info.Verifier()
		if err != nil {
			return nil, err
		}
		l := &Log{Info: info, Verifier: verifier, link: &link{dir: dir, info: info, options: Options{Log: log}}}
		err = jetstream.ErrHeld
		if !time.Now().Before(yielded) {
			err = l.hold(ctx)
		}
		if errors.Is(err, jetstream.ErrHeld) {
			err = l.join(ctx)
		}
		if err == nil {
			err = l.link.unchanged()
		}
		if err == nil {
			return l, nil
		}
		err = errors.Join(unwritable(err), l.Close(context.WithoutCancel(ctx)))
		if !again(err) || time.Now().After(deadline) {
			return nil, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (l *Log) hold(ctx context.Context) error {
	seed, err := jetstream.NewSeed()
	if err != nil {
		return err
	}
	server, err := jetstream.Start(jetstream.Config{
		Dir: filepath.Join(l.link.dir, "store"), Book: l.Info.Book, Seed: seed, Log: l.link.options.Log,
	})
	if err != nil {
		return err
	}
	l.link.onClose(func(context.Context) error { return server.Shutdown() })
	l.Unclean = server.Unclean()
	if err := l.open(ctx, server); err != nil {
		return err
	}
	err = l.link.announce(server.ClientURL(), seed)
	if errors.Is(err, syscall.ENOSPC) {
		return nil // a full disk can be read still; others wait meanwhile
	}
	return err
}

func (l *Log) join(ctx context.Context) error {
	external, err := reach(l.link.dir, l.Info)
	if err != nil {
		return err
	}
	l.link.onClose(func(context.Context) error { external.Close(); return nil })
	l.Holder = holder(l.link.dir)
	return l.open(ctx, external)
}

func (l *Log) open(ctx context.Context, on jetstream.Connection) error {
	store, err := jetstream.Open(ctx, on, l.Info.Book)
	if err != nil {
		return err
	}
	l.Store = store
	l.link.onClose(func(context.Context) error { return store.Close() })
	return nil
}

// holder is the process that says it holds the book; 0 where none does.
func holder(dir string) int {
	var c connection
	data, err := os.ReadFile(filepath.Join(dir, "connect"))
	if err != nil || json.Unmarshal(data, &c) != nil {
		return 0
	}
	return c.Process
}

// Close releases the log.
func (l *Log) Close(ctx context.Context) error { return l.link.close(ctx) }

// Last reads the newest page's head, by its signature alone: page.EmptyHead in
// an empty log.
func (l *Log) Last(ctx context.Context) (page.Head, error) {
	last, err := l.Store.Last(ctx)
	if err != nil || last == 0 {
		return page.EmptyHead(), err
	}
	return l.Head(ctx, last)
}

// Head reads a page's head, by its signature alone.
func (l *Log) Head(ctx context.Context, number uint64) (page.Head, error) {
	for stored, err := range l.Store.Read(ctx, number, number) {
		if err != nil {
			return page.Head{}, err
		}
		opened, err := l.Verifier.Open(stored.Body)
		if err != nil {
			return page.Head{}, page.At(err, number)
		}
		if opened.Page != number {
			return page.Head{}, page.At(page.ErrOrder, number)
		}
		return opened.Head, nil
	}
	return page.Head{}, fmt.Errorf("bookdir: page %d: %w", number, eventstore.ErrGap)
}
