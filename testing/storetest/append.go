package storetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/daybook-ledger/daybook/eventstore"
)

func testFirstPages(t *testing.T, h Harness) {
	mustLast(t, h.Store, 0)
	fill(t, h.Store, 0, 5)
	mustLast(t, h.Store, 5)
	wantPages(t, collect(t, h.Store, 1, 5), 1, 5)
}

func testWrongNumber(t *testing.T, h Harness) {
	wrong := func(after, last uint64) {
		t.Helper()
		err := h.Store.Append(background(t), after, body(99, 10))
		wantError(t, fmt.Sprintf("append after page %d, the last being %d", after, last), err, eventstore.ErrFenced)
		if errors.Is(err, eventstore.ErrUnclear) {
			t.Fatalf("a fenced append is not unclear: %v", err)
		}
		mustLast(t, h.Store, last)
	}
	wrong(1, 0)
	wrong(math.MaxUint64, 0)
	fill(t, h.Store, 0, 3)
	for _, after := range []uint64{0, 1, 2, 4, 5, 1000, math.MaxUint64} {
		wrong(after, 3)
	}
	// What was fenced must not come up later either.
	fill(t, h.Store, 3, 4)
	wantPages(t, collect(t, h.Store, 1, math.MaxUint64), 1, 4)
}

func testOneWinsPerNumber(t *testing.T, h Harness) {
	const writers, pages = 8, 20
	won := make([][]uint64, writers)
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for number := uint64(1); number <= pages; number++ {
				err := h.Store.Append(background(t), number-1, writerBody(w, number))
				switch {
				case err == nil:
					won[w] = append(won[w], number)
				case !errors.Is(err, eventstore.ErrFenced):
					t.Errorf("writer %d, page %d: %v", w, number, err)
					return
				default:
					// Fenced may also mean: too early. Wait for the others.
					for last := uint64(0); last < number; {
						var err error
						if last, err = h.Store.Last(background(t)); err != nil {
							t.Error(err)
							return
						}
					}
				}
			}
		})
	}
	group.Wait()
	winner := map[uint64]int{}
	for w, numbers := range won {
		for _, number := range numbers {
			if other, twice := winner[number]; twice {
				t.Fatalf("writers %d and %d were both told that page %d is theirs", other, w, number)
			}
			winner[number] = w
		}
	}
	got := collect(t, h.Store, 1, math.MaxUint64)
	if len(got) != pages {
		t.Fatalf("%d pages, want %d", len(got), pages)
	}
	for _, page := range got {
		wantPage(t, page, page.Number, writerBody(winner[page.Number], page.Number))
	}
}

func writerBody(writer int, number uint64) []byte {
	return fmt.Appendf(nil, "writer %d page %d", writer, number)
}

func testTwoStores(t *testing.T, h Harness) {
	if h.Another == nil {
		t.Skip("the log has one store only")
	}
	second := h.Another(t)
	defer func() { _ = second.Close() }()
	fill(t, h.Store, 0, 2)
	fill(t, second, 2, 3)
	wantError(t, "the first store after the second appended",
		h.Store.Append(background(t), 2, body(3, smallPage)), eventstore.ErrFenced)
	fill(t, h.Store, 3, 4)
	mustLast(t, second, 4)
	wantPages(t, collect(t, second, 1, 9), 1, 4)
}

func testWholePages(t *testing.T, h Harness) {
	sizes := []int{1, 2, 4095, 4096, 1 << 19, h.Store.MaxPage() - 1, h.Store.MaxPage(), 7}
	for i, size := range sizes {
		mustAppend(t, h.Store, uint64(i), body(uint64(i+1), size))
	}
	pages := collect(t, h.Store, 1, math.MaxUint64)
	if len(pages) != len(sizes) {
		t.Fatalf("%d pages, want %d", len(pages), len(sizes))
	}
	for i, page := range pages {
		wantPage(t, page, uint64(i+1), body(uint64(i+1), sizes[i]))
	}
}

func testTooLarge(t *testing.T, h Harness) {
	if h.Store.MaxPage() < 1<<16 {
		t.Fatalf("a store that takes pages of %d bytes is of no use", h.Store.MaxPage())
	}
	for _, after := range []uint64{0, 7} {
		err := h.Store.Append(background(t), after, make([]byte, h.Store.MaxPage()+1))
		wantError(t, "a page too large", err, eventstore.ErrTooLarge)
	}
	mustLast(t, h.Store, 0)
	fill(t, h.Store, 0, 1)
	wantPages(t, collect(t, h.Store, 1, 9), 1, 1)
}

func testOwned(t *testing.T, h Harness) {
	fill(t, h.Store, 0, 3)
	for _, page := range collect(t, h.Store, 1, 3) {
		for i := range page.Body {
			page.Body[i] = 0
		}
		_ = append(page.Body, 0, 0, 0)
	}
	wantPages(t, collect(t, h.Store, 1, 3), 1, 3)
}

func testCancelledAppend(t *testing.T, h Harness) {
	fill(t, h.Store, 0, 1)
	ctx, cancel := context.WithCancel(background(t))
	cancel()
	err := h.Store.Append(ctx, 1, body(2, smallPage))
	wantError(t, "append with a cancelled context", err, eventstore.ErrUnclear)
	wantError(t, "append with a cancelled context", err, context.Canceled)
	_, err = h.Store.Last(ctx)
	wantError(t, "last with a cancelled context", err, context.Canceled)
	settle(t, h.Store, 1)
}

// settle finds out by a barrier what became of page after+1.
func settle(t *testing.T, s eventstore.Store, after uint64) (stored bool) {
	t.Helper()
	barrier := []byte("barrier")
	err := s.Append(background(t), after, barrier)
	if err != nil && !errors.Is(err, eventstore.ErrFenced) {
		t.Fatalf("the barrier at page %d: %v", after+1, err)
	}
	for page, readErr := range s.Read(background(t), after+1, after+1) {
		if readErr != nil {
			t.Fatal(readErr)
		}
		if (string(page.Body) == string(barrier)) != (err == nil) {
			t.Fatalf("the barrier was answered %v, but page %d holds %d other bytes", err, after+1, len(page.Body))
		}
		return err != nil
	}
	t.Fatalf("there is no page %d, though the barrier was answered: %v", after+1, err)
	return false
}

func testUnclearStored(t *testing.T, h Harness)    { testUnclear(t, h, true) }
func testUnclearNotStored(t *testing.T, h Harness) { testUnclear(t, h, false) }

func testUnclear(t *testing.T, h Harness, stored bool) {
	if h.Unclear == nil {
		t.Skip("this store's answers are never unclear")
	}
	fill(t, h.Store, 0, 2)
	h.Unclear(t, stored)
	err := h.Store.Append(background(t), 2, body(3, smallPage))
	wantError(t, "the disturbed append", err, eventstore.ErrUnclear)
	for _, other := range []error{eventstore.ErrFenced, eventstore.ErrTooLarge, eventstore.ErrClosed} {
		if errors.Is(err, other) {
			t.Fatalf("an unclear answer claims to be clear: %v", err)
		}
	}
	if err := h.Store.Recover(background(t)); err != nil {
		t.Fatalf("recover: %v", err)
	}
	if got := settle(t, h.Store, 2); got != stored {
		t.Fatalf("the page is there: %t; want %t", got, stored)
	}
	mustLast(t, h.Store, 3)
	mustAppend(t, h.Store, 3, body(4, smallPage))
	if stored {
		wantPages(t, collect(t, h.Store, 1, math.MaxUint64), 1, 4)
	}
}

// testModel compares random operations with a slice of pages.
func testModel(t *testing.T, h Harness) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	var model [][]byte
	for range 300 {
		last := uint64(len(model))
		switch random.IntN(4) {
		case 0, 1:
			content := body(random.Uint64(), 1+random.IntN(3000))
			mustAppend(t, h.Store, last, content)
			model = append(model, content)
		case 2:
			after := random.Uint64N(last + 5)
			if after == last {
				continue
			}
			wantError(t, "a wrong number", h.Store.Append(background(t), after, body(after, 5)), eventstore.ErrFenced)
		case 3:
			first, end := random.Uint64N(last+3), random.Uint64N(last+3)
			number := max(first, 1)
			for _, page := range collect(t, h.Store, first, end) {
				wantPage(t, page, number, model[number-1])
				number++
			}
			if stop := min(end, last); max(first, 1) <= stop && number != stop+1 {
				t.Fatalf("read %d to %d of %d pages ended before page %d", first, end, last, number)
			}
		}
	}
	mustLast(t, h.Store, uint64(len(model)))
}
