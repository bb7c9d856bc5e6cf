package projections

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/daybook-ledger/daybook/ledger/commit"
)

// counted is a view that only counts, and remembers its transactions.
type counted struct {
	mu      sync.Mutex
	at      Cursor
	batches [][]Page
	before  func() // called in Apply, before the cursor is read
}

func (c *counted) Cursor(context.Context) (Cursor, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at, nil
}

func (c *counted) Apply(_ context.Context, pages []Page) (Cursor, error) {
	if c.before != nil {
		c.before()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	pages, err := Follows(c.at, pages)
	if err != nil || len(pages) == 0 {
		return c.at, err
	}
	c.batches = append(c.batches, pages)
	c.at = pages[len(pages)-1].Cursor
	return c.at, nil
}

// some makes pages of so many commits and bytes each.
func some(n, commits, bytes int) (pages []Page) {
	var at Cursor
	for range n {
		at = Cursor{Epoch: 1, Page: at.Page + 1, Size: at.Size, Root: [32]byte{byte(at.Page), byte(at.Page >> 8)}}
		p := Page{Bytes: bytes}
		for range commits {
			p.Commits = append(p.Commits, commit.Commit{Position: at.Size})
			at.Size++
		}
		p.Cursor = at
		pages = append(pages, p)
	}
	return pages
}

func from(pages []Page, yielded *int) Source {
	return func(_ context.Context, after Cursor) iter.Seq2[Page, error] {
		return func(yield func(Page, error) bool) {
			for _, p := range pages {
				if p.Cursor.Page <= after.Page {
					continue
				}
				if yielded != nil {
					*yielded++
				}
				if !yield(p, nil) {
					return
				}
			}
		}
	}
}

func TestBatchesAreBounded(t *testing.T) {
	for name, pages := range map[string][]Page{
		"commits": some(500, 64, 0),
		"bytes":   some(100, 1, 512<<10),
		"large":   some(5, 3, 3*maxBytes),
	} {
		view := &counted{}
		runner := Runner{View: view, Read: from(pages, nil)}
		if err := runner.CatchUp(context.Background(), 0); err != nil {
			t.Fatal(err)
		}
		if view.at != pages[len(pages)-1].Cursor {
			t.Errorf("%s: ended at %+v", name, view.at)
		}
		for i, batch := range view.batches {
			var commits, bytes int
			for _, p := range batch[:len(batch)-1] { // the last page may be what filled it
				commits += len(p.Commits)
				bytes += p.Bytes
			}
			if commits >= maxCommits || bytes >= maxBytes {
				t.Errorf("%s: a batch of %d commits and %d bytes", name, commits, bytes)
			}
			last := batch[len(batch)-1]
			full := commits+len(last.Commits) >= maxCommits || bytes+last.Bytes >= maxBytes
			if !full && i < len(view.batches)-1 {
				t.Errorf("%s: batch %d of %d pages is not full", name, i, len(batch))
			}
		}
	}
}

// TestReadingIsBounded: while a transaction takes its time, no more is read than
// the next one holds.
func TestReadingIsBounded(t *testing.T) {
	pages := some(100, 1, maxBytes/4)
	var mu sync.Mutex
	yielded := 0
	source := func(ctx context.Context, after Cursor) iter.Seq2[Page, error] {
		return func(yield func(Page, error) bool) {
			for p, err := range from(pages, nil)(ctx, after) {
				mu.Lock()
				yielded++
				mu.Unlock()
				if !yield(p, err) {
					return
				}
			}
		}
	}
	applied := 0
	view := &counted{before: func() {
		time.Sleep(2 * time.Millisecond)
		mu.Lock()
		defer mu.Unlock()
		if waiting := yielded - applied; waiting > 4+4+1 {
			t.Errorf("%d pages were read ahead", waiting)
		}
		applied += 4
	}}
	runner := Runner{View: view, Read: source}
	if err := runner.CatchUp(context.Background(), 0); err != nil {
		t.Fatal(err)
	}
}

// TestOvertaken: where another process moves the view on, or puts back an
// earlier one, the runner goes on from there.
func TestOvertaken(t *testing.T) {
	pages := some(100, 64, 0)
	view := &counted{}
	moves := []Cursor{pages[70].Cursor, {}, pages[10].Cursor}
	view.before = func() {
		if len(moves) > 0 {
			view.mu.Lock()
			view.at, moves = moves[0], moves[1:]
			view.mu.Unlock()
		}
	}
	runner := Runner{View: view, Read: from(pages, nil)}
	if err := runner.CatchUp(context.Background(), 0); err != nil {
		t.Fatal(err)
	}
	if view.at != pages[99].Cursor || len(moves) > 0 {
		t.Fatalf("ended at %+v", view.at)
	}
}

func TestCatchUpReadsNoMoreThanAsked(t *testing.T) {
	pages := some(100, 10, 0)
	yielded := 0
	view := &counted{}
	runner := Runner{View: view, Read: from(pages, &yielded)}
	if err := runner.CatchUp(context.Background(), 35); err != nil {
		t.Fatal(err)
	}
	if view.at != pages[3].Cursor || yielded != 4 {
		t.Fatalf("%d pages were read, and the view is at %+v", yielded, view.at)
	}
	if err := runner.CatchUp(context.Background(), 40); err != nil || yielded != 4 {
		t.Fatalf("asked for what is there: %v, %d pages", err, yielded)
	}
	if err := runner.CatchUp(context.Background(), 1001); !errors.Is(err, ErrBehind) {
		t.Fatalf("beyond the end: %v", err)
	}
}

func TestErrors(t *testing.T) {
	broken := errors.New("broken")
	failing := func(context.Context, Cursor) iter.Seq2[Page, error] {
		return func(yield func(Page, error) bool) { yield(Page{}, broken) }
	}
	runner := Runner{View: &counted{}, Read: failing, Tail: failing}
	if err := runner.CatchUp(context.Background(), 0); !errors.Is(err, broken) {
		t.Errorf("catch up: %v", err)
	}
	runner.Read = from(nil, nil)
	if err := runner.Follow(context.Background()); !errors.Is(err, broken) {
		t.Errorf("follow: %v", err)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	runner.Read = from(some(3, 1, 0), nil)
	if err := runner.CatchUp(ended, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
	if err := runner.Wait(ended, 99); !errors.Is(err, context.Canceled) {
		t.Errorf("wait after the end: %v", err)
	}
}

func TestFollows(t *testing.T) {
	pages := some(10, 2, 0)
	changed := func(i int, change func(*Page)) []Page {
		all := slices.Clone(pages)
		change(&all[i])
		return all
	}
	for name, c := range map[string]struct {
		at    Cursor
		pages []Page
		rest  int
		err   error
	}{
		"all":           {Cursor{}, pages, 10, nil},
		"rest":          {pages[3].Cursor, pages, 6, nil},
		"none":          {pages[9].Cursor, pages, 0, nil},
		"older":         {pages[9].Cursor, pages[:4], 0, nil},
		"farther":       {pages[3].Cursor, pages[5:], 0, nil},
		"empty":         {pages[3].Cursor, nil, 0, nil},
		"other root":    {Cursor{Epoch: 1, Page: 4, Size: 8, Root: [32]byte{9}}, pages, 0, ErrRebuild},
		"other size":    {Cursor{Epoch: 1, Page: 4, Size: 7, Root: pages[3].Cursor.Root}, pages[4:], 0, ErrRebuild},
		"other epoch":   {Cursor{Epoch: 2, Page: 4, Size: 8, Root: pages[3].Cursor.Root}, pages, 0, ErrRebuild},
		"page left out": {Cursor{}, slices.Delete(slices.Clone(pages), 5, 6), 0, ErrOrder},
		"before it":     {pages[7].Cursor, slices.Delete(slices.Clone(pages), 5, 6), 0, ErrOrder},
		"position":      {Cursor{}, changed(4, func(p *Page) { p.Commits = slices.Clone(p.Commits); p.Commits[1].Position = 77 }), 0, ErrOrder},
		"size below":    {Cursor{}, changed(0, func(p *Page) { p.Cursor.Size = 1 }), 0, ErrOrder},
	} {
		rest, err := Follows(c.at, c.pages)
		if len(rest) != c.rest || !errors.Is(err, c.err) || c.err == nil && err != nil {
			t.Errorf("%s: %d pages, %v; want %d, %v", name, len(rest), err, c.rest, c.err)
		}
	}
}
