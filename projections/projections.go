// Package projections keeps views: tables folded from a book's log, by which
// people find and sum what the log holds. No view is a source of truth: each can
// be dropped and rebuilt.
//
// A view applies whole pages in order and keeps its cursor, the place in the log
// that it has reached, in the same transaction as its rows. So a view is always
// exactly what the log amounts to at its cursor, whatever dies when. Package
// views has the tables and queries, package sqlite the embedded engine.
package projections

import (
	"context"
	"iter"

	"github.com/daybook-ledger/daybook/ledger/commit"
)

// Cursor is a place in a log: just after a page. The zero Cursor is the
// beginning.
type Cursor struct {
	// Epoch is the log epoch, from 1; 0 only at the beginning.
	Epoch uint64
	// Page is the number of the last page that was applied.
	Page uint64
	// Size is the number of commits up to and with that page.
	Size uint64
	// Root is the Merkle tree hash over those commits.
	Root [32]byte
	// Edge is what a Source needs besides to go on verifying the log from here,
	// in a form of its own: views keep it and do not look into it.
	Edge string
}

// Page is a verified page of the log, opened.
type Page struct {
	// Cursor is the place just after the page.
	Cursor Cursor
	// Commits holds the commits in order; none in a barrier.
	Commits []commit.Commit
	// Bytes is the page's stored size, by which batches are bounded; 0 where it
	// is not known.
	Bytes int
}

// Start is the number of commits in the log before the page.
func (p Page) Start() uint64 { return p.Cursor.Size - uint64(len(p.Commits)) }

// Source yields the pages that follow a cursor, verified and in order. Where the
// log does not extend the cursor (it ends before it, has another root there, or
// is of another epoch) it yields an error that wraps ErrRebuild. Any error ends
// the sequence. The receiver owns the pages.
type Source func(ctx context.Context, after Cursor) iter.Seq2[Page, error]

// Store is a view that can be brought forward. Implementations are safe for
// concurrent use, by several processes too.
type Store interface {
	// Cursor is how far the view has got.
	Cursor(ctx context.Context) (Cursor, error)

	// Apply takes the view's write lock, then reads its cursor, then applies
	// those of the pages (which follow one another) that follow the cursor, and
	// moves the cursor, all in one transaction. It returns the cursor as it is
	// afterwards. Pages that the view has already are passed over; if the view
	// is not so far that the first page could follow, nothing is applied and the
	// cursor tells. Pages that contradict the cursor are ErrRebuild.
	//
	// After an error nothing was applied, or, where the transaction's end itself
	// failed, either all or nothing; the cursor tells.
	Apply(ctx context.Context, pages []Page) (Cursor, error)
}

// Follows finds the pages that a view at the cursor lacks, for implementations
// of Store: it gives the rest of pages that starts just after the cursor, nil if
// there is none or if pages begin farther on. Pages that contradict the cursor
// are ErrRebuild.
func Follows(at Cursor, pages []Page) ([]Page, error) {
	for i, p := range pages {
		if p.Cursor.Size < uint64(len(p.Commits)) {
			return nil, pageOrder(at, p)
		}
		if i > 0 && !next(pages[i-1].Cursor, p) {
			return nil, pageOrder(pages[i-1].Cursor, p)
		}
		switch {
		case at.Page != 0 && p.Cursor.Epoch != at.Epoch:
			return nil, diverged(at, p)
		case p.Cursor.Page == at.Page && p.Cursor != at:
			return nil, diverged(at, p)
		case p.Cursor.Page == at.Page+1:
			if p.Start() != at.Size {
				return nil, diverged(at, p)
			}
			if err := ordered(pages[i:]); err != nil {
				return nil, err
			}
			return pages[i:], nil
		case p.Cursor.Page > at.Page:
			return nil, nil
		}
	}
	return nil, nil
}

// ordered checks that each page follows the one before it and that commits stand
// where they say.
func ordered(pages []Page) error {
	for i, p := range pages {
		if i > 0 && !next(pages[i-1].Cursor, p) {
			return pageOrder(pages[i-1].Cursor, p)
		}
		for j, c := range p.Commits {
			if c.Position != p.Start()+uint64(j) {
				return pageOrder(p.Cursor, p)
			}
		}
	}
	return nil
}

func next(at Cursor, p Page) bool {
	return p.Cursor.Page == at.Page+1 && p.Cursor.Epoch == at.Epoch &&
		p.Cursor.Size >= uint64(len(p.Commits)) && p.Start() == at.Size
}
