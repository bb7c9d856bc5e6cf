package projections

import (
	"context"
	"sync"
)

// The bounds of one transaction: large enough that its own cost does not show,
// small enough that another process waits a second at most. What is under way
// and what waits is bounded by twice as much, and with it the memory.
const (
	maxCommits = 2000
	maxBytes   = 4 << 20
)

// queue holds the pages that wait for the next transaction.
type queue struct {
	ctx context.Context

	mu      sync.Mutex
	moved   *sync.Cond
	pages   []Page
	commits int
	bytes   int
	ended   bool
	err     error
}

// newQueue makes a queue that no longer waits once the context is done.
func newQueue(ctx context.Context) *queue {
	q := &queue{ctx: ctx}
	q.moved = sync.NewCond(&q.mu)
	context.AfterFunc(ctx, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.moved.Broadcast()
	})
	return q
}

func (q *queue) full() bool { return q.commits >= maxCommits || q.bytes >= maxBytes }

// put adds a page, waiting while the queue is full.
func (q *queue) put(p Page) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.full() && q.ctx.Err() == nil {
		q.moved.Wait()
	}
	if err := q.ctx.Err(); err != nil {
		return err
	}
	q.pages = append(q.pages, p)
	q.commits += len(p.Commits)
	q.bytes += p.Bytes
	q.moved.Broadcast()
	return nil
}

// end says that no more pages come, and why.
func (q *queue) end(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended, q.err = true, err
	q.moved.Broadcast()
}

// take gives the pages that wait, at least one; where full is set it waits until
// the queue is full or ended. No pages mean the end, with its error.
func (q *queue) take(full bool) ([]Page, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.ended && q.ctx.Err() == nil && (len(q.pages) == 0 || full && !q.full()) {
		q.moved.Wait()
	}
	if err := q.ctx.Err(); err != nil {
		return nil, err
	}
	pages := q.pages
	q.pages, q.commits, q.bytes = nil, 0, 0
	q.moved.Broadcast()
	if len(pages) == 0 {
		return nil, q.err
	}
	return pages, nil
}
