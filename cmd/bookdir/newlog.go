package bookdir

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"syscall"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/jetstream"
	"github.com/daybook-ledger/daybook/eventstore/page"
)

// newLog makes a book's log anew from pages that are elsewhere, bit for bit.
type newLog struct {
	book     uuid.UUID
	verifier *page.Verifier
	reader   eventstore.Reader
	// agrees refuses the log after a page; beyond ends it before one, and complete
	// after one, so that none behind it need be read; complete may be nil.
	agrees   func(page.Head) error
	beyond   func(page.Page) bool
	complete func(page.Head) bool
	// laid is told of each page that was written; may be nil.
	laid func(page.Page)
	log  *slog.Logger
	// progress may be nil.
	progress func(pages, of uint64)
}

// lay makes the log in a store's folder, each page checked before it is written, and
// gives its head. It is durable then. After an error the head is how far it came.
func (n newLog) lay(ctx context.Context, dir string) (_ page.Head, err error) {
	store, err := n.open(ctx, dir, true)
	if err != nil {
		return page.Head{}, err
	}
	defer func() { err = errors.Join(err, store.close()) }()
	chain, err := page.NewChain(n.verifier, page.EmptyHead(), page.Edge{})
	if err != nil {
		return page.Head{}, err
	}
	last, err := n.reader.Last(ctx)
	if err != nil {
		return page.Head{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	ahead := openAhead(ctx, n.reader, n.verifier, last)
	defer func() {
		cancel()
		for range ahead { // nobody reads any more when this returns
		}
	}()
	for ready := range ahead {
		if ready.err != nil {
			return chain.Head(), ready.err
		}
		if n.beyond(ready.page) {
			break
		}
		if err := chain.Accept(ready.stored.Number, ready.page, ready.leaves); err != nil {
			return chain.Head(), err
		}
		if err := n.agrees(chain.Head()); err != nil {
			return chain.Head(), err
		}
		if err := store.hasRoom(ready.stored.Body); err != nil {
			return chain.Head(), err
		}
		if err := store.Append(ctx, ready.stored.Number-1, ready.stored.Body); err != nil {
			return chain.Head(), err
		}
		if n.laid != nil {
			n.laid(ready.page)
		}
		if store.written += len(ready.stored.Body) + besidePage; store.written >= laidTogether {
			if err := store.close(); err != nil {
				return chain.Head(), err
			}
			if store, err = n.open(ctx, dir, false); err != nil {
				return chain.Head(), err
			}
		}
		if n.progress != nil {
			n.progress(ready.stored.Number, last)
		}
		if n.complete != nil && n.complete(chain.Head()) {
			break
		}
	}
	return chain.Head(), ctx.Err()
}

// laidTogether is after how many bytes the store is opened anew: it keeps what was
// written lately in memory, and this is faster than it forgets. Tests make it less.
var laidTogether = 128 << 20

// besidePage is what a page takes in a store besides its own bytes, at most.
const besidePage = 256

// bulkStore is a store that is written in bulk.
type bulkStore struct {
	*jetstream.Store
	server *jetstream.Embedded
	// written is how many bytes it was given; free is what was on the disk before.
	written int
	free    uint64
}

// hasRoom refuses a page for which the disk has no room: the server would not answer.
func (s *bulkStore) hasRoom(body []byte) error {
	if s.free < uint64(s.written+len(body)+besidePage+noRoom) {
		return fmt.Errorf("bookdir: write the log anew: %w", syscall.ENOSPC)
	}
	return nil
}

func (n newLog) open(ctx context.Context, dir string, create bool) (*bulkStore, error) {
	server, err := jetstream.Start(jetstream.Config{Dir: dir, Book: n.book, Bulk: true, Log: n.log})
	if err != nil {
		return nil, err
	}
	if create {
		err = jetstream.Create(ctx, server, n.book, 1)
	}
	s := &bulkStore{server: server, free: math.MaxUint64}
	if left, known := free(dir); known {
		s.free = left
	}
	if err == nil {
		s.Store, err = jetstream.Open(ctx, server, n.book)
	}
	if err != nil {
		return nil, errors.Join(err, server.Shutdown())
	}
	return s, nil
}

// close flushes what was written. A nil store is closed.
func (s *bulkStore) close() error {
	if s == nil {
		return nil
	}
	return errors.Join(s.Store.Close(), s.server.Shutdown())
}

// openedPage is a page that was opened ahead, on another core.
type openedPage struct {
	stored eventstore.Page
	page   page.Page
	leaves []tlog.Hash
	err    error
}

func openAhead(ctx context.Context, reader eventstore.Reader, v *page.Verifier, last uint64) <-chan openedPage {
	out := make(chan openedPage, 16)
	go func() {
		defer close(out)
		for stored, err := range reader.Read(ctx, 1, last) {
			one := openedPage{stored: stored, err: err}
			if err == nil {
				if one.page, err = v.Open(stored.Body); err != nil {
					one.err = page.At(err, stored.Number)
				}
				one.leaves = one.page.Leaves(nil)
			}
			select {
			case out <- one:
			case <-ctx.Done():
				return
			}
			if one.err != nil {
				return
			}
		}
	}()
	return out
}
