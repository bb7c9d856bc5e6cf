package bookdir

import (
	"context"
	"fmt"
	"iter"
	"sort"
	"time"

	"github.com/daybook-ledger/daybook/ledger/commit"
)

// SizeAt is how many commits had been recorded by a moment. It reads as many
// pages as it takes to halve the log down to one.
func (b *Book) SizeAt(ctx context.Context, moment time.Time) (size uint64, err error) {
	durable, err := b.Head()
	if err != nil {
		return 0, err
	}
	later, err := b.firstPage(ctx, durable.Page, func(p commit.Page) bool {
		return p.Commits[len(p.Commits)-1].Recorded.After(moment)
	})
	if err != nil || later.Head.Page == 0 {
		return durable.Size, err
	}
	size = later.Head.Size - uint64(len(later.Commits))
	for _, c := range later.Commits {
		if !c.Recorded.After(moment) {
			size++
		}
	}
	return size, nil
}

// Between yields the commits at the positions from the first size on and before
// the second, verified by their pages' signatures and opened.
func (b *Book) Between(ctx context.Context, from, to uint64) iter.Seq2[commit.Commit, error] {
	return func(yield func(commit.Commit, error) bool) {
		if err := b.between(ctx, from, to, yield); err != nil {
			yield(commit.Commit{}, fmt.Errorf("bookdir: read the log: %w", err))
		}
	}
}

func (b *Book) between(ctx context.Context, from, to uint64, yield func(commit.Commit, error) bool) error {
	durable, err := b.Head()
	if err != nil || from >= min(to, durable.Size) {
		return err
	}
	p, err := b.firstPage(ctx, durable.Page, func(p commit.Page) bool { return p.Head.Size > from })
	for due := from; err == nil; p, err = b.ReadPage(ctx, p.Head.Page+1) {
		for _, c := range p.Commits {
			if c.Position < due {
				continue
			}
			if c.Position > due {
				return fmt.Errorf("%w: position %d is missing", commit.ErrForm, due)
			}
			if due++; !yield(c, nil) || due == min(to, durable.Size) {
				return nil
			}
		}
	}
	return err
}

// firstPage is the first page with commits of which the condition holds, as it
// does of all that follow it; the zero Page where it holds of none.
func (b *Book) firstPage(ctx context.Context, last uint64, holds func(commit.Page) bool) (found commit.Page, err error) {
	sort.Search(int(last), func(i int) bool {
		if err != nil {
			return true
		}
		var p commit.Page
		for n := uint64(i + 1); n <= last; n++ { // past barriers, which tell nothing
			if p, err = b.ReadPage(ctx, n); err != nil {
				return true
			}
			if len(p.Commits) > 0 {
				break
			}
		}
		if len(p.Commits) == 0 || holds(p) {
			if len(p.Commits) > 0 {
				found = p
			}
			return true
		}
		return false
	})
	return found, err
}
