package commit

import (
	"context"
	"iter"
	"math"

	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/page"
)

// Page is a page of the log, verified and opened.
type Page struct {
	// Head is the log's state after the page.
	Head page.Head
	// Commits is empty in a barrier.
	Commits []Commit
	// Bytes is how long the page is as it is stored.
	Bytes int
}

// Replay yields the pages after the chain's head to the end of the log, or to
// page last where that is earlier, each verified to continue the log and opened.
// The first error ends the sequence.
func Replay(ctx context.Context, store eventstore.Store, chain *page.Chain, codec *Codec, last uint64) iter.Seq2[Page, error] {
	return replay(store.Read(ctx, chain.Head().Page+1, last), chain, codec)
}

// Follow does what Replay does, and then waits for new pages until the context
// ends.
func Follow(ctx context.Context, store eventstore.Store, chain *page.Chain, codec *Codec) iter.Seq2[Page, error] {
	return replay(store.Follow(ctx, chain.Head().Page+1), chain, codec)
}

// End is the last page number there can be: Replay to End reads the whole log.
const End = math.MaxUint64

func replay(stored iter.Seq2[eventstore.Page, error], chain *page.Chain, codec *Codec) iter.Seq2[Page, error] {
	return func(yield func(Page, error) bool) {
		for s, err := range stored {
			if err != nil {
				yield(Page{}, err)
				return
			}
			p, err := chain.Next(s)
			if err != nil {
				yield(Page{}, err)
				return
			}
			commits, err := codec.OpenPage(p)
			if err != nil {
				yield(Page{}, err)
				return
			}
			if !yield(Page{Head: p.Head, Commits: commits, Bytes: len(s.Body)}, nil) {
				return
			}
		}
	}
}
