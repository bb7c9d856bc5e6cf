// Package storetest is the conformance suite of eventstore.Store: what every
// implementation must do, and what the layers above rely on.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/daybook-ledger/daybook/eventstore"
)

// Harness is one empty log under test, and the ways in which the suite may
// disturb it. Fields that an implementation has no use for are nil, and the
// tests that need them are skipped.
type Harness struct {
	// Store is the log under test. The suite closes it.
	Store eventstore.Store
	// Another opens the same log once more, as a second process would. The
	// suite closes what it gives.
	Another func(t *testing.T) eventstore.Store
	// Reopen ends the first store, and whatever served it, cleanly, and opens
	// the same log again. The suite closes what it gives.
	Reopen func(t *testing.T) eventstore.Store
	// Unclear makes the next append of Store end with ErrUnclear, after the
	// page was stored (true) or before (false). The suite calls Recover then.
	Unclear func(t *testing.T, stored bool)
}

// Run runs the suite. It calls open once for each test.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Harness){
		"Fence/FirstPages":        testFirstPages,
		"Fence/WrongNumber":       testWrongNumber,
		"Fence/OneWinsPerNumber":  testOneWinsPerNumber,
		"Fence/TwoStores":         testTwoStores,
		"Page/Whole":              testWholePages,
		"Page/TooLarge":           testTooLarge,
		"Page/Owned":              testOwned,
		"Read/Ranges":             testRanges,
		"Read/Empty":              testEmpty,
		"Read/ManyPages":          testManyPages,
		"Read/Stopped":            testReadStopped,
		"Read/Cancelled":          testReadCancelled,
		"Follow/Live":             testFollowLive,
		"Follow/Ahead":            testFollowAhead,
		"Follow/Another":          testFollowAnother,
		"Follow/Cancelled":        testFollowCancelled,
		"Follow/Closed":           testFollowClosed,
		"Follow/Recovered":        testFollowRecovered,
		"Close/Calls":             testClosed,
		"Context/Cancelled":       testCancelledAppend,
		"Durable/Reopen":          testReopen,
		"Recover/KeepsPages":      testRecoverKeeps,
		"Unclear/Stored":          testUnclearStored,
		"Unclear/NotStored":       testUnclearNotStored,
		"Model/RandomOperations":  testModel,
		"Concurrent/ReadersAlong": testReadersAlong,
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			t.Cleanup(func() { _ = h.Store.Close() })
			test(t, h)
		})
	}
}

// limit ends a test that would hang.
const limit = 30 * time.Second

func background(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

// body makes the content of a page: size bytes that differ from page to page.
func body(number uint64, size int) []byte {
	pattern := fmt.Appendf(nil, "page %x of %d bytes;", number*0x9E3779B97F4A7C15, size)
	return bytes.Repeat(pattern, size/len(pattern)+1)[:size]
}

func mustAppend(t *testing.T, s eventstore.Store, after uint64, content []byte) {
	t.Helper()
	if err := s.Append(background(t), after, content); err != nil {
		t.Fatalf("append after page %d: %v", after, err)
	}
}

// fill appends pages after+1 to last, of a few bytes each.
func fill(t *testing.T, s eventstore.Store, after, last uint64) {
	t.Helper()
	for number := after + 1; number <= last; number++ {
		mustAppend(t, s, number-1, body(number, smallPage))
	}
}

const smallPage = 40

func mustLast(t *testing.T, s eventstore.Store, want uint64) {
	t.Helper()
	got, err := s.Last(background(t))
	if err != nil || got != want {
		t.Fatalf("last page: %d, %v; want %d", got, err, want)
	}
}

// collect reads a range to its end.
func collect(t *testing.T, s eventstore.Store, first, last uint64) []eventstore.Page {
	t.Helper()
	var pages []eventstore.Page
	for page, err := range s.Read(background(t), first, last) {
		if err != nil {
			t.Fatalf("read pages %d to %d: %v", first, last, err)
		}
		pages = append(pages, page)
	}
	return pages
}

// wantPages checks that the pages are first to last as fill made them.
func wantPages(t *testing.T, pages []eventstore.Page, first, last uint64) {
	t.Helper()
	if len(pages) != int(last+1-first) {
		t.Fatalf("%d pages, want pages %d to %d", len(pages), first, last)
	}
	for i, page := range pages {
		wantPage(t, page, first+uint64(i), body(first+uint64(i), smallPage))
	}
}

func wantPage(t *testing.T, page eventstore.Page, number uint64, content []byte) {
	t.Helper()
	if page.Number != number {
		t.Fatalf("page %d where page %d should be", page.Number, number)
	}
	if string(page.Body) != string(content) {
		t.Fatalf("page %d: %d bytes, not the %d that were appended", number, len(page.Body), len(content))
	}
}

func wantError(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%s: %v; want %v", what, err, want)
	}
}
