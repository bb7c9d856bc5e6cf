package bookdir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"time"

	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/jetstream"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/ledger/commit"
	"github.com/daybook-ledger/daybook/projections"
	"github.com/daybook-ledger/daybook/projections/views"
)

// Views are the views of an open book. Every process that opens the book may
// have them open, and brings them forward itself.
type Views struct {
	*views.Queries
	store    viewStore
	book     *Book
	runner   projections.Runner
	progress func(done, last uint64)
}

// inBulk is how many commits empty views must lack to be filled beside themselves,
// as a rebuild fills them: that is quicker than going forward, and has a price of
// its own.
var inBulk uint64 = 5000

// OpenViews opens the views of the book as far as they are; CatchUp brings them
// forward. Progress is told how many commits of how many they hold while they
// catch up; it may be nil. They are closed apart from the book, and before it.
func (b *Book) OpenViews(ctx context.Context, progress func(done, last uint64)) (*Views, error) {
	if err := b.freshViews(ctx, progress); err != nil {
		return nil, err
	}
	at, err := b.place()
	if err != nil {
		return nil, err
	}
	store, queries, err := at.open(ctx)
	if err != nil {
		return nil, err
	}
	v := &Views{Queries: queries, store: store, book: b, progress: progress}
	v.runner = projections.Runner{View: store, Read: b.source}
	if progress != nil {
		v.runner.Progress = func(p projections.Progress) { progress(p.At.Size, p.Target) }
	}
	return v, nil
}

// Close closes the views.
func (v *Views) Close() error { return v.store.Close() }

// CatchUp brings the views to the book's durable head: whoever waits for it
// after a receipt reads what was written.
func (v *Views) CatchUp(ctx context.Context) error {
	return v.book.retry(ctx, func() error {
		at, err := v.store.Cursor(ctx)
		if err != nil {
			return err
		}
		durable, err := v.book.Head() // after that: the log is never behind its views
		if err != nil {
			return err
		}
		if at.Size > durable.Size || at.Size == durable.Size && at.Page != 0 && at.Root != durable.Root {
			return fmt.Errorf("bookdir: at %d commits: %w", at.Size, projections.ErrRebuild)
		}
		if at.Size == 0 && durable.Size >= inBulk {
			err := v.book.RebuildViews(ctx, views.Rebuild{}, v.progress)
			if err != nil && !errors.Is(err, projections.ErrBusy) { // somebody else fills them
				return err
			}
		}
		return v.runner.CatchUp(ctx, durable.Size)
	})
}

// RebuildViews makes the views anew from the whole log, beside the live ones; r
// says how, but for the log.
func (b *Book) RebuildViews(ctx context.Context, r views.Rebuild, progress func(done, last uint64)) error {
	defer inBulkWork()()
	return b.retry(ctx, func() error {
		durable, err := b.Head()
		if err != nil {
			return err
		}
		r.Log = b.source
		if progress != nil {
			r.Progress = func(p projections.Progress) { progress(p.At.Size, max(durable.Size, p.At.Size)) }
		}
		at, err := b.place()
		if err != nil {
			return err
		}
		former, err := exists(b.formerPath())
		if err != nil {
			return err
		}
		r.Fresh = r.Fresh || former // what was begun before is of the log before, too
		if err := at.rebuild(ctx, r); err != nil || !former {
			return err
		}
		if err := os.Remove(b.formerPath()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("bookdir: %w", err)
		}
		return nil
	})
}

func (b *Book) formerPath() string { return filepath.Join(b.Dir, formerName) }

// freshViews makes views anew that are of the log before a repair, or were begun before
// the newest erasure: until then their file may hold what was erased. The key of the
// writer's state tells, for it is made anew at each erasure, after the keys were
// destroyed.
func (b *Book) freshViews(ctx context.Context, progress func(done, last uint64)) error {
	for {
		erased, err := b.Keys().Named(stateKey)
		if err != nil {
			return err
		}
		at, err := b.place()
		if err != nil {
			return err
		}
		stale, err := exists(b.formerPath())
		if err == nil && !stale {
			stale, err = at.stale(ctx, erased)
		}
		if err != nil || !stale {
			return err
		}
		err = b.RebuildViews(ctx, views.Rebuild{Fresh: true}, progress)
		if !errors.Is(err, projections.ErrBusy) {
			return err
		}
		select { // somebody else does it, or began before the erasure
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// ForgetErased makes the views anew after an erasure, as far as nobody else has
// yet.
func (b *Book) ForgetErased(ctx context.Context, progress func(done, last uint64)) error {
	b.Keys().ForgetAll()
	return b.freshViews(ctx, progress)
}

// ReadPage reads one page, verified by its signature, and opens it.
func (b *Book) ReadPage(ctx context.Context, number uint64) (p commit.Page, err error) {
	err = b.retry(ctx, func() error {
		store, codec := b.reading()
		verifier, err := b.current().info.Verifier()
		if err != nil {
			return err
		}
		for stored, err := range store.Read(ctx, number, number) {
			if err != nil {
				return err
			}
			p, err = openAlone(verifier, codec, stored)
			return err
		}
		return fmt.Errorf("bookdir: page %d: %w", number, eventstore.ErrGap)
	})
	return p, err
}

// openAlone opens a page whose signature is all that vouches for it.
func openAlone(verifier *page.Verifier, codec *commit.Codec, stored eventstore.Page) (commit.Page, error) {
	opened, err := verifier.Open(stored.Body)
	if err != nil {
		return commit.Page{}, page.At(err, stored.Number)
	}
	if opened.Page != stored.Number {
		return commit.Page{}, fmt.Errorf("bookdir: page %d: %w", stored.Number, page.ErrOrder)
	}
	commits, err := codec.OpenPage(opened)
	return commit.Page{Head: opened.Head, Commits: commits}, err
}

func (b *Book) viewsDir() string { return filepath.Join(b.Dir, "views") }

// reading gives the log and the codec as they are now: both are replaced when
// the process that held the book has ended.
func (b *Book) reading() (eventstore.Store, *commit.Codec) {
	l := b.current()
	return l.store, l.codec
}

// source is a projections.Source: the pages after a cursor up to the durable
// head. What lies beyond it was not acknowledged, and may yet vanish.
func (b *Book) source(ctx context.Context, after projections.Cursor) iter.Seq2[projections.Page, error] {
	return func(yield func(projections.Page, error) bool) {
		if err := b.feed(ctx, after, yield); err != nil {
			yield(projections.Page{}, err)
		}
	}
}

// feed yields the pages; an error of its own it returns.
func (b *Book) feed(ctx context.Context, after projections.Cursor, yield func(projections.Page, error) bool) error {
	durable, err := b.Head()
	if err != nil {
		return err
	}
	r, err := b.reader()
	if err != nil {
		return err
	}
	r.erased = b.Keys().ForgetAll // whoever destroyed the keys, they are not used here any more
	return r.feed(ctx, after, durable.Page, yield)
}

// reader reads the log as it is reached now.
func (b *Book) reader() (reader, error) {
	store, codec := b.reading()
	verifier, err := b.current().info.Verifier()
	return reader{store: store, verifier: verifier, codec: codec, epoch: b.Info.Epoch}, err
}

// retry runs f, and again after opening the book anew while the process that
// holds it keeps ending.
func (b *Book) retry(ctx context.Context, f func() error) error {
	for tries := 0; ; tries++ {
		l := b.current()
		err := f()
		if err == nil || tries == 5 || ctx.Err() != nil || !errors.Is(err, jetstream.ErrUnavailable) {
			return err
		}
		if _, err := b.reopen(ctx, l); err != nil {
			return err
		}
	}
}

// currentKeys is the ring of a book as it is now.
type currentKeys struct{ b *Book }

func (k currentKeys) New(kind keyring.Kind) (keyring.KeyID, error) { return k.b.Keys().New(kind) }

func (k currentKeys) Key(id keyring.KeyID) ([]byte, error) { return k.b.Keys().Key(id) }

func (k currentKeys) Kind(id keyring.KeyID) (keyring.Kind, error) { return k.b.Keys().Kind(id) }

func (k currentKeys) Destroy(ids ...keyring.KeyID) error { return k.b.Keys().Destroy(ids...) }
