package transparency

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/page"
)

// codes gives a report's failures as "code@page".
func codes(r Report) string {
	var out []string
	for _, f := range r.Failures {
		out = append(out, fmt.Sprintf("%s@%d", f.Code, f.Page))
	}
	return strings.Join(out, " ")
}

func verify(tb testing.TB, store eventstore.Store, o Options) Report {
	tb.Helper()
	r, err := Verify(context.Background(), store, testSigner(tb, 1).Verifier(), o)
	if err != nil {
		tb.Fatal(err)
	}
	if r.OK != (len(r.Failures) == 0) {
		tb.Errorf("OK is %v with failures %v", r.OK, r.Failures)
	}
	return r
}

func TestVerifyAWholeLog(t *testing.T) {
	counts := []int{1, 0, 5, 2, 0, 0, 9}
	for range 40 {
		counts = append(counts, 3)
	}
	store, heads := buildLog(t, testSigner(t, 1), counts...)
	last := heads[len(heads)-1]
	var positions, pages []uint64
	r := verify(t, store, Options{
		Expected: []Expectation{Remembered(heads[5])},
		Commit: func(l Leaf) error {
			position, pageNo, stored := l.Position, l.Page, l.Stored
			if !bytes.Equal(stored, commitAt(position)) || heads[pageNo].Size <= position || heads[pageNo-1].Size > position {
				t.Errorf("commit %q at %d of page %d", stored, position, pageNo)
			}
			positions = append(positions, position)
			return nil
		},
		Progress: func(n, of uint64) {
			pages = append(pages, n)
			if of != last.Page {
				t.Errorf("of %d pages", of)
			}
		},
	})
	if !r.OK || r.Pages != last.Page || r.Size != last.Size || r.Root != last.Root || r.Unproved != 0 {
		t.Errorf("%+v", r)
	}
	if uint64(len(positions)) != last.Size || !slices.IsSorted(positions) {
		t.Errorf("commits in the order %v", positions)
	}
	if uint64(len(pages)) != last.Page || !slices.IsSorted(pages) {
		t.Errorf("pages in the order %v", pages)
	}
}

func TestVerifyAnEmptyLog(t *testing.T) {
	empty := page.EmptyHead()
	if r := verify(t, &sliceStore{}, Options{Expected: []Expectation{Remembered(empty)}}); !r.OK || r.Pages != 0 || r.Root != page.EmptyRoot {
		t.Errorf("%+v", r)
	}
}

func TestVerifyNoticesEveryFlippedBit(outer *testing.T) {
	s := testSigner(outer, 1)
	rapid.Check(outer, func(t *rapid.T) {
		counts := rapid.SliceOfN(rapid.IntRange(0, 3), 1, 6).Draw(t, "counts")
		store, _ := buildLog(outer, s, counts...)
		at := rapid.IntRange(0, len(counts)-1).Draw(t, "page")
		bit := rapid.IntRange(0, len(store.pages[at])*8-1).Draw(t, "bit")
		store.pages[at][bit/8] ^= 1 << (bit % 8)
		r, err := Verify(context.Background(), store, s.Verifier(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if r.OK || r.Failures[0].Page != uint64(at+1) {
			t.Fatalf("page %d, bit %d: %+v", at+1, bit, r)
		}
	})
}

func TestVerifyNamesTheBadPlaceAndGoesOn(t *testing.T) {
	s, stranger := testSigner(t, 1), testSigner(t, 2)
	whole, heads := buildLog(t, s, 2, 3, 0, 1, 2, 4)
	other := page.Head{Page: 3, Size: 5, Root: page.LeafHash([]byte("no tree"))}
	for name, c := range map[string]struct {
		change   func(*sliceStore)
		want     string
		unproved uint64
	}{
		"commit changed": {func(l *sliceStore) {
			l.pages[1][len(l.pages[1])-1] ^= 1
		}, "page-root@2", 4},
		"commit and a later signature": {func(l *sliceStore) {
			l.pages[1][len(l.pages[1])-1] ^= 1
			l.pages[4] = signAgain(t, stranger, s, l.pages[4])
		}, "page-root@2 page-signature@5", 3},
		"a wrong root is signed": {func(l *sliceStore) {
			l.pages[2] = sign(t, s, other, 5)
		}, "page-root@3", 0},
		"a wrong root is signed, and later a commit changed": {func(l *sliceStore) {
			l.pages[2] = sign(t, s, other, 5)
			l.pages[4][len(l.pages[4])-1] ^= 1
		}, "page-root@3 page-root@5", 1},
		"a stranger's page": {func(l *sliceStore) {
			l.pages[2] = signAgain(t, stranger, s, l.pages[2])
		}, "page-signature@3", 3},
		"rubbish": {func(l *sliceStore) {
			l.pages[0] = []byte("rubbish")
		}, "page-form@1", 5},
		"two pages exchanged": {func(l *sliceStore) {
			l.pages[1], l.pages[2] = l.pages[2], l.pages[1]
		}, "page-order@2 page-order@3", 3},
		"a page left out": {func(l *sliceStore) {
			l.pages = slices.Delete(l.pages, 1, 2)
		}, "page-order@2 page-order@3 page-order@4 page-order@5", 0},
		"a page of another log": {func(l *sliceStore) {
			l.pages[3] = sign(t, s, page.Head{Page: 4, Size: 9, Root: other.Root}, 8, []byte("x"))
		}, "page-size@4 page-size@5", 3 - 1},
		"the store does not know its end": {func(l *sliceStore) {
			l.last = 9
		}, "page-missing@7", 0},
		"a gap": {func(l *sliceStore) {
			l.errs[3] = fmt.Errorf("read: %w", eventstore.ErrGap)
		}, "page-missing@3", 3},
		"a gap of two": {func(l *sliceStore) {
			l.errs[3], l.errs[4] = eventstore.ErrGap, eventstore.ErrGap
		}, "page-missing@3 page-missing@4", 2},
		"a gap at the end": {func(l *sliceStore) {
			l.errs[6] = eventstore.ErrGap
		}, "page-missing@6", 0},
		"a foreign message": {func(l *sliceStore) {
			l.errs[3] = fmt.Errorf("read: %w", eventstore.ErrForeign)
		}, "log-foreign@3", 0},
	} {
		store := whole.clone()
		c.change(store)
		r := verify(t, store, Options{})
		if codes(r) != c.want || r.Unproved != c.unproved {
			t.Errorf("%s: %s with %d unproved, want %s with %d", name, codes(r), r.Unproved, c.want, c.unproved)
		}
		if len(r.Failures) > 0 && r.Failures[0].Page > 1 && r.Failures[0].Page <= 6 {
			if want := heads[r.Failures[0].Page-1].Size; r.Failures[0].Position != want {
				t.Errorf("%s: at position %d, want %d", name, r.Failures[0].Position, want)
			}
		}
	}
}

// signAgain signs a page's head and commits under another key.
func signAgain(tb testing.TB, with, was *page.Signer, body []byte) []byte {
	tb.Helper()
	p, err := was.Verifier().Open(body)
	if err != nil {
		tb.Fatal(err)
	}
	return sign(tb, with, p.Head, p.OldSize, p.Commits...)
}

func TestVerifyComparesWithTheRememberedHead(t *testing.T) {
	s := testSigner(t, 1)
	store, heads := buildLog(t, s, 2, 3, 0, 1)
	otherRoot := heads[2]
	otherRoot.Root[0] ^= 1
	otherSize := heads[3]
	otherSize.Size--
	checkpoint := func(h page.Head) page.Head { h.Page = 0; return h }
	var inside page.Edge
	for p := range uint64(3) {
		inside.Append(page.LeafHash(commitAt(p)), nil)
	}
	for name, c := range map[string]struct {
		remembered page.Head
		want       string
	}{
		"the last":                     {heads[4], ""},
		"an earlier one":               {heads[2], ""},
		"the empty log":                {heads[0], ""},
		"a page more":                  {page.Head{Page: 5, Size: 7}, "log-lost@0"},
		"another root":                 {otherRoot, "log-contradiction@2"},
		"another size":                 {otherSize, "log-contradiction@3"},
		"checkpoint":                   {checkpoint(heads[2]), ""},
		"checkpoint of more":           {checkpoint(page.Head{Size: 7}), "log-lost@0"},
		"checkpoint of another root":   {checkpoint(otherRoot), "log-contradiction@2"},
		"checkpoint inside of a page":  {page.Head{Size: 3, Root: inside.Root()}, ""},
		"another root inside of one":   {page.Head{Size: 3}, "log-contradiction@2"},
		"of a log that lost its start": {page.Head{Page: 1, Size: 9}, "log-contradiction@1"},
	} {
		if r := verify(t, store, Options{Expected: []Expectation{Remembered(c.remembered)}}); codes(r) != c.want {
			t.Errorf("%s: %q, want %q", name, codes(r), c.want)
		}
	}
	foreign := store.clone()
	foreign.errs[2] = eventstore.ErrForeign
	if r := verify(t, foreign, Options{Expected: []Expectation{Remembered(heads[4])}}); codes(r) != "log-foreign@2" {
		t.Errorf("what was not read is not lost: %q", codes(r))
	}
}

func TestVerifyReportsWhatTheCallbackFinds(t *testing.T) {
	store, _ := buildLog(t, testSigner(t, 1), 2, 2)
	r := verify(t, store, Options{Commit: func(l Leaf) error {
		position := l.Position
		switch position {
		case 1:
			return errors.New("unreadable")
		case 2:
			return fmt.Errorf("deep: %w", &Failure{Code: "commit-revision", What: "out of order"})
		}
		return nil
	}})
	want := []Failure{
		{Page: 1, Position: 1, Code: CodeCommit, What: "unreadable"},
		{Page: 2, Position: 2, Code: "commit-revision", What: "out of order"},
	}
	if !slices.Equal(r.Failures, want) {
		t.Errorf("%+v", r.Failures)
	}
}

func TestVerifyStopsAfterTooManyFailures(t *testing.T) {
	store := &sliceStore{}
	for range maxFailures + 500 {
		store.pages = append(store.pages, []byte("rubbish"))
	}
	r := verify(t, store, Options{})
	if len(r.Failures) != maxFailures+1 || r.Failures[maxFailures].Code != CodeStopped {
		t.Errorf("%d failures, the last %+v", len(r.Failures), r.Failures[len(r.Failures)-1])
	}
}

func TestVerifyThatCannotReadIsAnError(t *testing.T) {
	store, _ := buildLog(t, testSigner(t, 1), 2, 2, 1)
	store.errs = map[uint64]error{2: errors.New("connection lost")}
	r, err := Verify(context.Background(), store, testSigner(t, 1).Verifier(), Options{})
	if !errors.Is(err, store.errs[2]) || r.OK {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestVerifyEndsWithItsContext(t *testing.T) {
	counts := make([]int, 50)
	store, _ := buildLog(t, testSigner(t, 1), counts...)
	v := testSigner(t, 1).Verifier()
	for stop := range uint64(10) {
		ctx, cancel := context.WithCancel(context.Background())
		if stop == 0 {
			cancel()
		}
		r, err := Verify(ctx, store, v, Options{Progress: func(n, _ uint64) {
			if n == stop {
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) || r.OK {
			t.Errorf("cancelled at page %d: %+v, %v", stop, r, err)
		}
		cancel()
	}
}

func BenchmarkVerify(b *testing.B) {
	counts := make([]int, 500)
	for i := range counts {
		counts[i] = 16
	}
	store, _ := buildLog(b, testSigner(b, 1), counts...)
	for b.Loop() {
		verify(b, store, Options{})
	}
}

// A check that was stopped goes on where it came to, and finds the same.
func TestVerifyGoesOn(t *testing.T) {
	store, heads := buildLog(t, testSigner(t, 1), 2, 3, 0, 1, 4)
	for stop := range heads {
		var from page.Head
		var edge page.Edge
		var prepared int
		first := &sliceStore{pages: store.pages[:stop]}
		verify(t, first, Options{Proved: func(h page.Head, e func() page.Edge) error {
			from, edge = h, e()
			return nil
		}})
		if from.Page != uint64(stop) {
			t.Fatalf("proved to page %d of %d", from.Page, stop)
		}
		r := verify(t, store, Options{
			From: from, Edge: edge, Expected: []Expectation{Remembered(heads[5])},
			Prepare: func(position uint64, _ []byte) any { return position },
			Commit: func(l Leaf) error {
				prepared++
				if l.Prepared != l.Position {
					t.Errorf("position %d was prepared as %v", l.Position, l.Prepared)
				}
				return nil
			},
		})
		if !r.OK || r.Pages != 5 || r.Size != 10 || r.Root != heads[5].Root || prepared != int(10-from.Size) {
			t.Errorf("from page %d: %+v, %d commits", stop, r, prepared)
		}
	}
	damaged := store.clone()
	damaged.pages[1][len(damaged.pages[1])-1] ^= 1
	verify(t, damaged, Options{Proved: func(h page.Head, _ func() page.Edge) error {
		if h.Page > 1 {
			t.Errorf("page %d counts as proved after damage", h.Page)
		}
		return nil
	}})
	wrong := heads[2]
	wrong.Root[0] ^= 1
	if _, err := Verify(context.Background(), store, testSigner(t, 1).Verifier(), Options{From: wrong}); !errors.Is(err, page.ErrEdge) {
		t.Errorf("an edge of another head: %v", err)
	}
}
