package bookdir

import (
	"context"
	"iter"
	"path/filepath"
	"sync"

	"github.com/daybook-ledger/daybook/eventstore/head"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/ledger/commit"
	"github.com/daybook-ledger/daybook/projections"
	"github.com/daybook-ledger/daybook/projections/views"
)

// beside makes the views of a book that is being opened, in its folder and as far as
// its remembered head, from the pages that its writer folds meanwhile: so each page
// is read, verified and opened once, and two cores have work.
type beside struct {
	link  *link
	pages chan projections.Page
	// given is the page that was given last, and last the one that they end with.
	given, last uint64
	// making ends when nobody takes pages any more; stop ends it.
	making context.Context
	stop   context.CancelFunc
	done   sync.WaitGroup
}

// besidePages is how many pages wait for the views while the writer folds others.
const besidePages = 16

// viewsBeside begins to make the views. They are a convenience: where they cannot be
// made, the first who asks for them is told why.
func (l *link) viewsBeside(ctx context.Context, progress func(done, of uint64)) (*beside, error) {
	remembered, err := head.Read(filepath.Join(l.dir, "head"))
	if err != nil {
		return nil, err
	}
	making, stop := context.WithCancel(ctx)
	s := &beside{link: l, pages: make(chan projections.Page, besidePages), last: remembered.Page, making: making, stop: stop}
	b := &Book{Dir: l.dir, Info: l.info, link: &link{
		info: l.info, store: l.store, codec: l.codec, keys: l.keys,
		head: func() (page.Head, error) { return remembered.Head, nil },
	}}
	rebuild := views.Rebuild{Log: s.source(b)}
	if progress != nil {
		rebuild.Progress = func(p projections.Progress) { progress(p.At.Size, remembered.Size) }
	}
	s.done.Go(func() {
		defer stop()
		if err := (inFolder{b}).rebuild(making, rebuild); err != nil && making.Err() == nil {
			l.options.Log.Warn("the views could not be made while the book was opened for the first time", "error", err)
		}
	})
	l.onClose(func(context.Context) error { stop(); s.done.Wait(); return nil })
	return s, nil
}

// wait waits for the views once the writer is open. Where it had folded pages before,
// which they would lack, they are not made.
func (s *beside) wait() {
	if s.given < s.last {
		s.stop()
	}
	s.done.Wait()
}

// folded takes a page that the writer has folded, and the edge of the tree after it.
func (s *beside) folded(p commit.Page, edge page.Edge) error {
	if p.Head.Page != s.given+1 {
		s.stop()
		return nil
	}
	s.given++
	kept, err := edge.MarshalBinary()
	if err != nil {
		return err
	}
	at := projections.Cursor{
		Epoch: s.link.info.Epoch, Page: p.Head.Page, Size: p.Head.Size, Root: p.Head.Root, Edge: string(kept),
	}
	select {
	case s.pages <- projections.Page{Cursor: at, Commits: p.Commits, Bytes: p.Bytes}:
	case <-s.making.Done():
	}
	return nil
}

// source gives the pages that the writer folds, once, and else those of the log.
func (s *beside) source(b *Book) projections.Source {
	begun := false
	return func(ctx context.Context, after projections.Cursor) iter.Seq2[projections.Page, error] {
		if begun || after.Page != 0 {
			return b.source(ctx, after)
		}
		begun = true
		return func(yield func(projections.Page, error) bool) {
			for at := uint64(0); at < s.last; {
				select {
				case p := <-s.pages:
					at = p.Cursor.Page
					if !yield(p, nil) {
						return
					}
				case <-ctx.Done():
					return
				}
			}
		}
	}
}
