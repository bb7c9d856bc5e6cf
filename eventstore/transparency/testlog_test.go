package transparency

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"flag"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/page"
)

var update = flag.Bool("update", false, "write the golden vectors anew")

const testOrigin = "example.com/books/acme"

func testSigner(tb testing.TB, key byte) *page.Signer {
	tb.Helper()
	s, err := page.NewSigner(testOrigin, ed25519.NewKeyFromSeed(bytes.Repeat([]byte{key}, ed25519.SeedSize)))
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func golden(tb testing.TB, name string, got []byte) {
	tb.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		tb.Errorf("%s: the bytes have changed: receipts that were given would be unreadable", name)
	}
}

// commitAt is the commit at a position of every test log.
func commitAt(position uint64) []byte { return fmt.Appendf(nil, "commit %d of a log", position) }

// naiveRoot is RFC 6962 section 2.1, as it is written there.
func naiveRoot(leaves []tlog.Hash) tlog.Hash {
	switch len(leaves) {
	case 0:
		return page.EmptyRoot
	case 1:
		return leaves[0]
	}
	k := split(len(leaves))
	return tlog.NodeHash(naiveRoot(leaves[:k]), naiveRoot(leaves[k:]))
}

// naivePath is PATH(m, D[n]) of section 2.1.1.
func naivePath(m int, leaves []tlog.Hash) []tlog.Hash {
	if len(leaves) == 1 {
		return nil
	}
	if k := split(len(leaves)); m < k {
		return append(naivePath(m, leaves[:k]), naiveRoot(leaves[k:]))
	} else {
		return append(naivePath(m-k, leaves[k:]), naiveRoot(leaves[:k]))
	}
}

// naiveProof is SUBPROOF(m, D[n], b) of section 2.1.2.
func naiveProof(m int, leaves []tlog.Hash, whole bool) []tlog.Hash {
	if m == len(leaves) {
		if whole {
			return nil
		}
		return []tlog.Hash{naiveRoot(leaves)}
	}
	if k := split(len(leaves)); m <= k {
		return append(naiveProof(m, leaves[:k], whole), naiveRoot(leaves[k:]))
	} else {
		return append(naiveProof(m-k, leaves[k:], false), naiveRoot(leaves[:k]))
	}
}

// split is the largest power of two smaller than n.
func split(n int) int {
	k := 1
	for k*2 < n {
		k *= 2
	}
	return k
}

// sliceStore is a Store of pages that stand in memory, to be damaged at will.
type sliceStore struct {
	eventstore.Store // nil: what Verify does not use
	pages            [][]byte
	// last, unless 0, is what Last claims.
	last uint64
	// errs are yielded in place of pages.
	errs map[uint64]error
}

func (s *sliceStore) Last(context.Context) (uint64, error) {
	if s.last != 0 {
		return s.last, nil
	}
	return uint64(len(s.pages)), nil
}

func (s *sliceStore) Read(ctx context.Context, first, last uint64) iter.Seq2[eventstore.Page, error] {
	return func(yield func(eventstore.Page, error) bool) {
		for n := max(first, 1); n <= last && n <= uint64(len(s.pages)); n++ {
			err := s.errs[n]
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(eventstore.Page{}, err)
				return
			}
			if !yield(eventstore.Page{Number: n, Body: s.pages[n-1]}, nil) {
				return
			}
		}
	}
}

// clone copies the store, so that its pages can be changed.
func (s *sliceStore) clone() *sliceStore {
	out := &sliceStore{errs: map[uint64]error{}}
	for _, p := range s.pages {
		out.pages = append(out.pages, bytes.Clone(p))
	}
	return out
}

// sign is a page made by hand.
func sign(tb testing.TB, s *page.Signer, h page.Head, old uint64, commits ...[]byte) []byte {
	tb.Helper()
	body, err := s.Page(h, old, commits)
	if err != nil {
		tb.Fatal(err)
	}
	return body
}

// buildLog makes a log whose pages hold the given numbers of commits, and the
// heads after each.
func buildLog(tb testing.TB, s *page.Signer, counts ...int) (*sliceStore, []page.Head) {
	tb.Helper()
	var edge page.Edge
	heads := []page.Head{page.EmptyHead()}
	store := &sliceStore{}
	for i, n := range counts {
		old := edge.Size()
		var commits [][]byte
		for range n {
			commits = append(commits, commitAt(edge.Size()))
			edge.Append(page.LeafHash(commitAt(edge.Size())), nil)
		}
		h := page.Head{Page: uint64(i + 1), Size: edge.Size(), Root: edge.Root()}
		heads = append(heads, h)
		store.pages = append(store.pages, sign(tb, s, h, old, commits...))
	}
	return store, heads
}
