package transparency

import (
	"context"
	"errors"
	"runtime"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/page"
)

// job is one page on its way through Verify. Its results may be read once done
// is closed.
type job struct {
	number uint64
	body   []byte
	done   chan struct{}
	// readErr is the store's error in place of the page; missing tells that it
	// is a gap, after which reading went on.
	readErr error
	missing bool
	// page and leaves, or err, are what opening gave.
	page     page.Page
	leaves   []tlog.Hash
	prepared []any
	err      error
}

// open opens the page, hashes its commits and prepares them.
func (j *job) open(v *page.Verifier, prepare func(uint64, []byte) any) {
	defer close(j.done)
	if j.page, j.err = v.Open(j.body); j.err != nil {
		return
	}
	j.leaves = j.page.Leaves(nil)
	if prepare == nil {
		return
	}
	j.prepared = make([]any, len(j.page.Commits))
	for i, stored := range j.page.Commits {
		j.prepared[i] = prepare(j.page.OldSize+uint64(i), stored)
	}
}

// pageFeed reads pages and opens them on all cores. The jobs come out of ordered
// in the order of the log, perhaps before they are done.
type pageFeed struct {
	ordered chan *job
	open    chan *job
	workers sync.WaitGroup
}

// openPages starts reading the pages after o.From up to last. The feed ends at the end of the
// log, at an error after which no reading on makes sense (the last job then
// holds it), and with the context.
func openPages(ctx context.Context, store eventstore.Reader, v *page.Verifier, o Options, last uint64) *pageFeed {
	cores := runtime.GOMAXPROCS(0)
	// The buffer is all that holds pages: at most cores+2 beside those in hand.
	f := &pageFeed{ordered: make(chan *job, cores+2), open: make(chan *job)}
	for range cores {
		f.workers.Go(func() {
			for j := range f.open {
				j.open(v, o.Prepare)
			}
		})
	}
	f.workers.Go(func() {
		defer close(f.ordered)
		defer close(f.open)
		for next := o.From.Page + 1; next <= last; {
			var again bool
			if next, again = f.read(ctx, store, next, last); !again {
				return
			}
		}
	})
	return f
}

// read feeds the pages from first on. It gives the page to go on from after a
// gap, if there is one to go on from.
func (f *pageFeed) read(ctx context.Context, store eventstore.Reader, first, last uint64) (next uint64, again bool) {
	next = first
	for stored, err := range store.Read(ctx, first, last) {
		if err != nil {
			gap := errors.Is(err, eventstore.ErrGap)
			j := &job{number: next, readErr: err, missing: gap, done: make(chan struct{})}
			close(j.done)
			return next + 1, f.send(ctx, j, f.ordered) && gap
		}
		j := &job{number: stored.Number, body: stored.Body, done: make(chan struct{})}
		if !f.send(ctx, j, f.ordered) || !f.send(ctx, j, f.open) {
			return next, false
		}
		next = stored.Number + 1
	}
	return next, false
}

func (f *pageFeed) send(ctx context.Context, j *job, to chan<- *job) bool {
	select {
	case to <- j:
		return true
	case <-ctx.Done():
		return false
	}
}

// wait returns when every goroutine has ended; the context must have ended, or
// the feed been drained.
func (f *pageFeed) wait() { f.workers.Wait() }
