package bookdir

import (
	"context"
	"errors"
	"iter"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/ledger/commit"
	"github.com/daybook-ledger/daybook/projections"
	"github.com/daybook-ledger/daybook/projections/sqlite"
	"github.com/daybook-ledger/daybook/projections/views"
)

// Recalled is the views of a book as they were at a moment, in a temporary file
// under a key that nobody keeps. What was erased since is erased in them too.
type Recalled struct {
	*views.Queries
	views   *sqlite.Scratch
	scratch *Scratch
}

// Close removes the views.
func (r *Recalled) Close() error { return errors.Join(r.views.Close(), r.scratch.Remove()) }

func newRecalled(ctx context.Context, until domain.Date) (*Recalled, error) {
	scratch, err := NewScratch("")
	if err != nil {
		return nil, err
	}
	made, err := sqlite.NewScratch(ctx, scratch.Dir, until)
	if err != nil {
		return nil, errors.Join(err, scratch.Remove())
	}
	return &Recalled{made.Queries, made, scratch}, nil
}

// Recall makes the views as they were at a moment, from the whole log up to there.
// Progress is told how many commits of how many they hold; it may be nil.
func (b *Book) Recall(ctx context.Context, m views.Moment, progress func(done, last uint64)) (_ *Recalled, err error) {
	if m.Size == 0 {
		durable, err := b.Head()
		if err != nil {
			return nil, err
		}
		m.Size = durable.Size
	}
	r, err := newRecalled(ctx, m.Effective)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	runner := projections.Runner{View: r.views, Read: upTo(b.source, m.Size)}
	if progress != nil {
		runner.Progress = func(p projections.Progress) { progress(p.At.Size, m.Size) }
	}
	err = b.retry(ctx, func() error { return runner.CatchUp(ctx, m.Size) })
	if err == nil {
		err = r.views.Index(ctx)
	}
	return r, err
}

// RecallDocument makes the views as far as they tell one document as it was at a
// moment: from the commits that made it, which the book's own views know.
func (b *Book) RecallDocument(ctx context.Context, now *views.Queries, m views.Moment, document domain.StreamID) (_ *Recalled, err error) {
	var commits []commit.Commit
	err = b.retry(ctx, func() error {
		log, err := b.reader()
		if err != nil {
			return err
		}
		commits, err = now.CommitsOf(ctx, document, m.Size, log.commit)
		return err
	})
	if err != nil {
		return nil, err
	}
	r, err := newRecalled(ctx, m.Effective)
	if err != nil {
		return nil, err
	}
	if err := r.views.Pick(ctx, commits); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// upTo ends a source after so many commits, in the middle of a page where need be.
func upTo(source projections.Source, size uint64) projections.Source {
	return func(ctx context.Context, after projections.Cursor) iter.Seq2[projections.Page, error] {
		return func(yield func(projections.Page, error) bool) {
			for p, err := range source(ctx, after) {
				if err == nil && p.Cursor.Size > size {
					p.Commits = p.Commits[:size-p.Start()]
					p.Cursor.Size = size
				}
				if !yield(p, err) || err == nil && p.Cursor.Size == size {
					return
				}
			}
		}
	}
}
