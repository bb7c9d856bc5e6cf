package storetest

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/daybook-ledger/daybook/eventstore"
)

func testRanges(t *testing.T, h Harness) {
	const last = 12
	fill(t, h.Store, 0, last)
	for _, r := range []struct{ first, last, from, to uint64 }{
		{1, last, 1, last},
		{0, last, 1, last},
		{0, math.MaxUint64, 1, last},
		{5, 5, 5, 5},
		{last, last, last, last},
		{last, last + 100, last, last},
		{3, 7, 3, 7},
	} {
		wantPages(t, collect(t, h.Store, r.first, r.last), r.from, r.to)
	}
	for _, r := range []struct{ first, last uint64 }{
		{last + 1, last + 1},
		{last + 50, math.MaxUint64},
		{math.MaxUint64, math.MaxUint64},
		{7, 6},
		{0, 0},
	} {
		if pages := collect(t, h.Store, r.first, r.last); len(pages) != 0 {
			t.Fatalf("pages %d to %d: %d pages, want none", r.first, r.last, len(pages))
		}
	}
}

func testEmpty(t *testing.T, h Harness) {
	if pages := collect(t, h.Store, 0, math.MaxUint64); len(pages) != 0 {
		t.Fatalf("%d pages in an empty log", len(pages))
	}
	mustLast(t, h.Store, 0)
}

// testManyPages reads more than any implementation would get at once, in pages
// and in bytes.
func testManyPages(t *testing.T, h Harness) {
	const small, large, size = 1200, 12, 1 << 19
	fill(t, h.Store, 0, small)
	for number := uint64(small + 1); number <= small+large; number++ {
		mustAppend(t, h.Store, number-1, body(number, size))
	}
	next := uint64(1)
	for page, err := range h.Store.Read(background(t), 1, math.MaxUint64) {
		if err != nil {
			t.Fatal(err)
		}
		if next <= small {
			wantPage(t, page, next, body(next, smallPage))
		} else {
			wantPage(t, page, next, body(next, size))
		}
		next++
	}
	if next != small+large+1 {
		t.Fatalf("the read ended before page %d", next)
	}
}

// Who stops reading is let go at once, also where a store has read ahead.
func testReadStopped(t *testing.T, h Harness) {
	const small, large, size = 10, 24, 256 << 10
	fill(t, h.Store, 0, small)
	for n := uint64(small + 1); n <= small+large; n++ {
		mustAppend(t, h.Store, n-1, body(n, size))
	}
	for range 50 {
		for page, err := range h.Store.Read(background(t), 1, math.MaxUint64) {
			if err != nil {
				t.Fatal(err)
			}
			if page.Number == 3 {
				break
			}
		}
	}
	wantPages(t, collect(t, h.Store, 1, small), 1, small)
}

func testReadCancelled(t *testing.T, h Harness) {
	fill(t, h.Store, 0, 10)
	ctx, cancel := context.WithCancel(background(t))
	cancel()
	var got error
	for _, err := range h.Store.Read(ctx, 1, 10) {
		got = err
	}
	wantError(t, "read with a cancelled context", got, context.Canceled)
}

// following runs Follow and hands over its pages.
type following struct {
	pages  chan eventstore.Page
	ended  chan error
	cancel context.CancelFunc
}

func follow(t *testing.T, s eventstore.Store, first uint64) *following {
	t.Helper()
	ctx, cancel := context.WithCancel(background(t))
	f := &following{pages: make(chan eventstore.Page, 1), ended: make(chan error, 1), cancel: cancel}
	var group sync.WaitGroup
	group.Go(func() {
		for page, err := range s.Follow(ctx, first) {
			if err != nil {
				f.ended <- err
				return
			}
			select {
			case f.pages <- page:
			case <-ctx.Done():
			}
		}
		f.ended <- errors.New("follow ended without an error")
	})
	t.Cleanup(func() { cancel(); group.Wait() })
	return f
}

func (f *following) want(t *testing.T, first, last uint64) {
	t.Helper()
	for number := first; number <= last; number++ {
		select {
		case page := <-f.pages:
			wantPage(t, page, number, body(number, smallPage))
		case err := <-f.ended:
			t.Fatalf("follow ended before page %d: %v", number, err)
		case <-time.After(limit):
			t.Fatalf("page %d did not come", number)
		}
	}
}

func (f *following) wantEnd(t *testing.T, want error) {
	t.Helper()
	select {
	case page := <-f.pages:
		t.Fatalf("page %d came where follow should end", page.Number)
	case err := <-f.ended:
		wantError(t, "the end of follow", err, want)
	case <-time.After(limit):
		t.Fatal("follow did not end")
	}
}

func testFollowLive(t *testing.T, h Harness) {
	fill(t, h.Store, 0, 3)
	all, tail := follow(t, h.Store, 0), follow(t, h.Store, 3)
	all.want(t, 1, 3)
	tail.want(t, 3, 3)
	fill(t, h.Store, 3, 60)
	all.want(t, 4, 60)
	tail.want(t, 4, 60)
	fill(t, h.Store, 60, 61)
	all.want(t, 61, 61)
	tail.want(t, 61, 61)
}

func testFollowAhead(t *testing.T, h Harness) {
	f := follow(t, h.Store, 4)
	fill(t, h.Store, 0, 6)
	f.want(t, 4, 6)
}

func testFollowAnother(t *testing.T, h Harness) {
	if h.Another == nil {
		t.Skip("the log has one store only")
	}
	second := h.Another(t)
	defer func() { _ = second.Close() }()
	f := follow(t, second, 1)
	fill(t, h.Store, 0, 4)
	f.want(t, 1, 4)
	f.cancel()
	f.wantEnd(t, context.Canceled)
}

func testFollowCancelled(t *testing.T, h Harness) {
	fill(t, h.Store, 0, 2)
	f := follow(t, h.Store, 1)
	f.want(t, 1, 2)
	f.cancel()
	f.wantEnd(t, context.Canceled)
}

func testFollowClosed(t *testing.T, h Harness) {
	fill(t, h.Store, 0, 2)
	f := follow(t, h.Store, 1)
	f.want(t, 1, 2)
	if err := h.Store.Close(); err != nil {
		t.Fatal(err)
	}
	f.wantEnd(t, eventstore.ErrClosed)
}

func testFollowRecovered(t *testing.T, h Harness) {
	fill(t, h.Store, 0, 2)
	f := follow(t, h.Store, 1)
	f.want(t, 1, 2)
	for last := uint64(2); last < 8; last += 2 {
		if err := h.Store.Recover(background(t)); err != nil {
			t.Fatalf("recover: %v", err)
		}
		fill(t, h.Store, last, last+2)
		f.want(t, last+1, last+2)
	}
}

func testRecoverKeeps(t *testing.T, h Harness) {
	fill(t, h.Store, 0, 5)
	if err := h.Store.Recover(background(t)); err != nil {
		t.Fatalf("recover: %v", err)
	}
	mustLast(t, h.Store, 5)
	wantPages(t, collect(t, h.Store, 1, 9), 1, 5)
	fill(t, h.Store, 5, 6)
	wantPages(t, collect(t, h.Store, 1, 9), 1, 6)
}

func testClosed(t *testing.T, h Harness) {
	fill(t, h.Store, 0, 2)
	for range 2 {
		if err := h.Store.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
	}
	err := h.Store.Append(background(t), 2, body(3, smallPage))
	wantError(t, "append after close", err, eventstore.ErrClosed)
	_, err = h.Store.Last(background(t))
	wantError(t, "last after close", err, eventstore.ErrClosed)
	wantError(t, "recover after close", h.Store.Recover(background(t)), eventstore.ErrClosed)
	for _, err := range h.Store.Read(background(t), 1, 2) {
		wantError(t, "read after close", err, eventstore.ErrClosed)
	}
	for _, err := range h.Store.Follow(background(t), 1) {
		wantError(t, "follow after close", err, eventstore.ErrClosed)
	}
	if h.Another != nil {
		again := h.Another(t)
		defer func() { _ = again.Close() }()
		wantPages(t, collect(t, again, 1, 9), 1, 2)
	}
}

func testReopen(t *testing.T, h Harness) {
	if h.Reopen == nil {
		t.Skip("the store cannot be reopened")
	}
	fill(t, h.Store, 0, 7)
	if err := h.Store.Close(); err != nil {
		t.Fatal(err)
	}
	again := h.Reopen(t)
	defer func() { _ = again.Close() }()
	mustLast(t, again, 7)
	wantPages(t, collect(t, again, 1, 99), 1, 7)
	wantError(t, "append after page 6", again.Append(background(t), 6, body(7, 5)), eventstore.ErrFenced)
	fill(t, again, 7, 9)
	wantPages(t, collect(t, again, 1, 99), 1, 9)
}

// testReadersAlong reads and follows while pages are appended.
func testReadersAlong(t *testing.T, h Harness) {
	const pages = 100
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			for seen := uint64(0); seen < pages; {
				next := uint64(1)
				for page, err := range h.Store.Read(background(t), 1, math.MaxUint64) {
					if err != nil || page.Number != next {
						t.Errorf("read: page %d, %v; want page %d", page.Number, err, next)
						return
					}
					next++
				}
				if next-1 < seen {
					t.Errorf("the log had %d pages and has %d now", seen, next-1)
					return
				}
				seen = next - 1
			}
		})
	}
	f := follow(t, h.Store, 1)
	fill(t, h.Store, 0, pages)
	f.want(t, 1, pages)
	group.Wait()
}
