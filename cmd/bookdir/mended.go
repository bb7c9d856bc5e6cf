package bookdir

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"path/filepath"

	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/archive"
	"github.com/daybook-ledger/daybook/eventstore/jetstream"
	"github.com/daybook-ledger/daybook/eventstore/page"
)

// mended reads a log from a store that lost pages, and from an archive what it lacks.
// It ends where neither has the next page.
type mended struct {
	verifier *page.Verifier
	// store is what survived, nil where nothing did. last is the number of the last page
	// that it says to have, survived that of the last good one, and newest what that
	// signs. framed says that the server's own files were made anew around the blocks.
	store          *jetstream.Store
	server         *jetstream.Embedded
	last, survived uint64
	newest         page.Head
	framed         bool
	archived       *archive.Reader
	// mended counts pages of the archive, and belongs to the reading.
	mended uint64
}

// mend opens what there is of a log: of the store, which is locked, copies in the
// folder scratch, so that the store stays as it is whatever a server does with it.
func (r Repair) mend(ctx context.Context, store, scratch string, info Info, v *page.Verifier) (*mended, error) {
	m := &mended{verifier: v}
	if r.From != nil {
		found, err := openArchive(ctx, r.From, info.Origin, info.signed)
		if err != nil {
			return nil, err
		}
		if info.list != nil && found.info.list.Serial > info.list.Serial {
			return nil, fmt.Errorf("%w: the archive has a newer list of keys than the folder", ErrRingOlder)
		}
		if m.archived, err = found.open(ctx, r.Identities, v); err != nil {
			return nil, err
		}
	}
	copied := filepath.Join(scratch, "store")
	if err := jetstream.PreserveAll(store, copied); err != nil {
		return nil, err
	}
	err := m.open(ctx, copied, info, r.Log)
	if err == nil {
		return m, nil
	}
	m.close()
	framed := filepath.Join(scratch, "framed")
	blocks, again := jetstream.Reframe(ctx, store, framed, info.Book)
	if again == nil && blocks > 0 {
		m.framed = true
		again = m.open(ctx, framed, info, r.Log)
	}
	switch {
	case blocks == 0:
		r.Log.Warn("nothing of the log is left in the folder", "error", err)
	case again != nil:
		m.close()
		r.Log.Warn("the blocks of the log are in the folder and cannot be read", "blocks", blocks, "error", again)
	}
	return m, nil
}

// open opens a store, and finds the last page of it that is good.
func (m *mended) open(ctx context.Context, dir string, info Info, log *slog.Logger) (err error) {
	if m.server, err = jetstream.Start(jetstream.Config{Dir: dir, Book: info.Book, Log: log}); err != nil {
		return err
	}
	if m.store, err = jetstream.Open(ctx, m.server, info.Book); err != nil {
		return err
	}
	if m.last, err = m.store.Last(ctx); err != nil {
		return err
	}
	for m.survived = m.last; m.survived > 0; m.survived-- {
		if p, good := m.surviving(ctx, m.survived); good {
			m.newest = p.Head
			break
		}
	}
	return nil
}

func (m *mended) close() {
	if m.store != nil {
		_ = m.store.Close()
	}
	if m.server != nil {
		_ = m.server.Shutdown() // it may have found its files damaged, which they are
	}
	m.store, m.server = nil, nil
}

// surviving reads one page of the store, if it is there and signed as it should be.
func (m *mended) surviving(ctx context.Context, number uint64) (page.Page, bool) {
	for stored, err := range m.store.Read(ctx, number, number) {
		if err != nil {
			return page.Page{}, false
		}
		p, err := m.verifier.Open(stored.Body)
		return p, err == nil && p.Page == number
	}
	return page.Page{}, false
}

// Last implements eventstore.Reader: the last page that either has.
func (m *mended) Last(ctx context.Context) (uint64, error) {
	if m.archived == nil {
		return m.survived, nil
	}
	last, err := m.archived.Last(ctx)
	return max(last, m.survived), err
}

// Read implements eventstore.Reader.
func (m *mended) Read(ctx context.Context, first, last uint64) iter.Seq2[eventstore.Page, error] {
	return func(yield func(eventstore.Page, error) bool) {
		for next := first; next <= last; {
			var again bool
			if next, again = m.fromStore(ctx, next, min(last, m.survived), yield); !again {
				return
			}
			was := next
			if next, again = m.fromArchive(ctx, next, last, yield); !again {
				return
			}
			if next == was { // neither has it
				return
			}
		}
	}
}

// fromStore yields pages as long as the store has good ones.
func (m *mended) fromStore(ctx context.Context, next, last uint64, yield func(eventstore.Page, error) bool) (uint64, bool) {
	if m.store == nil {
		return next, true
	}
	for stored, err := range m.store.Read(ctx, next, last) {
		if err != nil {
			break
		}
		if p, err := m.verifier.Open(stored.Body); err != nil || p.Page != next {
			break
		}
		if !yield(stored, nil) {
			return next, false
		}
		next++
	}
	return next, true
}

// fromArchive yields pages of the archive until the store has the next one again.
func (m *mended) fromArchive(ctx context.Context, next, last uint64, yield func(eventstore.Page, error) bool) (uint64, bool) {
	if m.archived == nil {
		return next, true
	}
	for stored, err := range m.archived.Read(ctx, next, last) {
		if errors.Is(err, eventstore.ErrGap) {
			break
		}
		if !yield(stored, err) || err != nil {
			return next, false
		}
		m.mended++
		next++
		if next <= m.survived && m.store != nil {
			if _, good := m.surviving(ctx, next); good {
				break
			}
		}
	}
	return next, true
}
