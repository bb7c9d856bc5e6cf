package bookdir

import (
	"context"
	"fmt"
	"slices"

	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/ledger/commit"
	"github.com/daybook-ledger/daybook/projections"
)

// reader reads a log in its order: verified, and opened.
type reader struct {
	store    eventstore.Reader
	verifier *page.Verifier
	codec    *commit.Codec
	epoch    uint64
	// erased, unless nil, is called after a page by which keys were destroyed.
	erased func()
}

// feed yields the pages after a cursor up to the last one that is wanted; an error
// of its own it returns.
func (r reader) feed(ctx context.Context, after projections.Cursor, last uint64, yield func(projections.Page, error) bool) error {
	if last <= after.Page {
		return nil
	}
	chain, err := r.chain(ctx, after)
	if err != nil {
		return err
	}
	for stored, err := range r.store.Read(ctx, after.Page+1, last) {
		if err != nil {
			return err
		}
		opened, err := chain.Next(stored)
		if err != nil {
			return err
		}
		commits, err := r.codec.OpenPage(opened)
		if err != nil {
			return err
		}
		if r.erased != nil && erases(commits) {
			r.erased()
		}
		edge := chain.Edge()
		kept, err := edge.MarshalBinary()
		if err != nil {
			return err
		}
		at := projections.Cursor{
			Epoch: r.epoch, Page: opened.Head.Page, Size: opened.Head.Size, Root: opened.Head.Root, Edge: string(kept),
		}
		if !yield(projections.Page{Cursor: at, Commits: commits, Bytes: len(stored.Body)}, nil) {
			return nil
		}
	}
	return nil
}

// commit reads one commit, verified by its page's signature and opened.
func (r reader) commit(ctx context.Context, number, position uint64) (commit.Commit, error) {
	for stored, err := range r.store.Read(ctx, number, number) {
		if err != nil {
			return commit.Commit{}, err
		}
		opened, err := r.verifier.Open(stored.Body)
		if err != nil {
			return commit.Commit{}, page.At(err, number)
		}
		if opened.Page != number || position < opened.OldSize || position >= opened.Size {
			return commit.Commit{}, fmt.Errorf("bookdir: page %d, position %d: %w", number, position, page.ErrOrder)
		}
		c, err := r.codec.Open(opened.Commits[position-opened.OldSize])
		if err == nil && c.Position != position {
			err = page.At(page.ErrOrder, number)
		}
		c.Page = number
		return c, err
	}
	return commit.Commit{}, fmt.Errorf("bookdir: page %d: %w", number, eventstore.ErrGap)
}

func erases(commits []commit.Commit) bool {
	return slices.ContainsFunc(commits, func(c commit.Commit) bool {
		return slices.ContainsFunc(c.Events, func(e commit.Event) bool {
			_, is := e.Event.(*customer.KeyDestroyed)
			return is
		})
	})
}

// chain makes a chain that stands at a cursor, once the log was seen to lead
// there.
func (r reader) chain(ctx context.Context, at projections.Cursor) (*page.Chain, error) {
	if at.Page == 0 {
		return page.NewChain(r.verifier, page.EmptyHead(), page.Edge{})
	}
	if at.Epoch != r.epoch {
		return nil, fmt.Errorf("bookdir: of log epoch %d, not %d: %w", at.Epoch, r.epoch, projections.ErrRebuild)
	}
	head := page.Head{Page: at.Page, Size: at.Size, Root: at.Root}
	for stored, err := range r.store.Read(ctx, at.Page, at.Page) {
		if err != nil {
			return nil, err
		}
		opened, err := r.verifier.Open(stored.Body)
		if err != nil {
			return nil, page.At(err, stored.Number)
		}
		if opened.Head != head {
			return nil, fmt.Errorf("bookdir: page %d leads to another tree head: %w", at.Page, projections.ErrRebuild)
		}
	}
	var edge page.Edge
	if err := edge.UnmarshalBinary([]byte(at.Edge)); err != nil {
		return nil, fmt.Errorf("bookdir: the views' edge: %w: %w", projections.ErrRebuild, err)
	}
	chain, err := page.NewChain(r.verifier, head, edge)
	if err != nil {
		return nil, fmt.Errorf("bookdir: the views' edge: %w: %w", projections.ErrRebuild, err)
	}
	return chain, nil
}
