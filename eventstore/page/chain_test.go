package page

import (
	"bytes"
	"errors"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/eventstore"
)

// naiveRoot is RFC 6962 section 2.1, as it is written there.
func naiveRoot(leaves []tlog.Hash) tlog.Hash {
	switch len(leaves) {
	case 0:
		return EmptyRoot
	case 1:
		return leaves[0]
	}
	k := 1
	for k*2 < len(leaves) {
		k *= 2
	}
	return tlog.NodeHash(naiveRoot(leaves[:k]), naiveRoot(leaves[k:]))
}

func TestLeafIsTheRecordHashOfTheEntry(t *testing.T) {
	commit := []byte("a commit")
	entry := EntryHash(commit)
	if LeafHash(commit) != tlog.RecordHash(entry[:]) {
		t.Error("the leaf is not RFC 6962's over the SHA-256 of the bytes")
	}
}

func TestEdgeAgreesWithTheNaiveTree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 300).Draw(t, "leaves")
		var edge Edge
		var leaves, stored []tlog.Hash
		for i := range n {
			leaf := LeafHash([]byte{byte(i), byte(i >> 8)})
			leaves = append(leaves, leaf)
			edge.Append(leaf, func(h tlog.Hash) { stored = append(stored, h) })
		}
		if edge.Root() != naiveRoot(leaves) {
			t.Fatalf("root of %d leaves", n)
		}
		if int64(len(stored)) != tlog.StoredHashCount(int64(n)) {
			t.Fatalf("%d stored hashes for %d leaves", len(stored), n)
		}
		reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
			var out []tlog.Hash
			for _, i := range indexes {
				out = append(out, stored[i])
			}
			return out, nil
		})
		if root, err := tlog.TreeHash(int64(n), reader); err != nil || root != edge.Root() {
			t.Fatalf("the stored hashes are not tlog's: %v", err)
		}
		data, err := edge.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		var again Edge
		if err := again.UnmarshalBinary(data); err != nil {
			t.Fatal(err)
		}
		if err := again.Check(Head{Size: uint64(n), Root: edge.Root()}); err != nil {
			t.Fatal(err)
		}
	})
}

func TestEdgeRefusesOtherForms(t *testing.T) {
	var e Edge
	for _, data := range [][]byte{
		nil,
		{0},
		make([]byte, 7), make([]byte, 9), append(make([]byte, 7), 1),
		append(append(make([]byte, 7), 1), make([]byte, 31)...),
		append(append(make([]byte, 7), 1), make([]byte, 64)...),
		bytes.Repeat([]byte{0xff}, 8+64*32),
	} {
		if err := e.UnmarshalBinary(data); !errors.Is(err, ErrEdge) {
			t.Errorf("%d bytes: %v", len(data), err)
		}
	}
	if _, err := NewEdge(3, make([]tlog.Hash, 1)); !errors.Is(err, ErrEdge) {
		t.Error("three leaves need two hashes")
	}
}

func TestChainResumesFromItsEdge(t *testing.T) {
	s := testSigner(t)
	pages := build(t, s, 1, 3, 0, 7, 2, 5)
	for cut := range pages {
		before, err := replay(t, s.Verifier(), pages[:cut])
		if err != nil {
			t.Fatal(err)
		}
		edge := before.Edge()
		after, err := NewChain(s.Verifier(), before.Head(), edge)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range pages[cut:] {
			if _, err := after.Next(p); err != nil {
				t.Fatalf("cut at %d: %v", cut, err)
			}
		}
		if cut == 0 {
			continue
		}
		h := before.Head()
		h.Root[0] ^= 1
		if _, err := NewChain(s.Verifier(), h, edge); !errors.Is(err, ErrEdge) {
			t.Errorf("an edge of another root is taken: %v", err)
		}
		h = before.Head()
		h.Size++
		if _, err := NewChain(s.Verifier(), h, edge); !errors.Is(err, ErrEdge) {
			t.Errorf("an edge of another size is taken: %v", err)
		}
		// The edge is still what it was, though a chain went on from it.
		if err := edge.Check(before.Head()); err != nil {
			t.Errorf("cut at %d: %v", cut, err)
		}
		// What the chain gave away is not what it goes on with.
		edge.Append(tlog.Hash{}, nil)
		for _, p := range pages[cut:] {
			if _, err := before.Next(p); err != nil {
				t.Fatalf("cut at %d, after its edge was appended to: %v", cut, err)
			}
		}
	}
}

func TestChainTellsWhatIsWrong(t *testing.T) {
	s := testSigner(t)
	v := s.Verifier()
	pages := build(t, s, 2, 1, 0, 1)
	stranger, err := NewSigner(testOrigin, testKey(2))
	if err != nil {
		t.Fatal(err)
	}
	at := func(p eventstore.Page, number uint64) eventstore.Page {
		return eventstore.Page{Number: number, Body: p.Body}
	}
	signed := func(h Head, old uint64, commits ...string) eventstore.Page {
		var raw [][]byte
		for _, c := range commits {
			raw = append(raw, []byte(c))
		}
		body, err := s.Page(h, old, raw)
		if err != nil {
			t.Fatal(err)
		}
		return eventstore.Page{Number: h.Page, Body: body}
	}
	rightRoot := func() tlog.Hash {
		p, err := v.Open(pages[1].Body)
		if err != nil {
			t.Fatal(err)
		}
		return p.Root
	}()
	for name, c := range map[string]struct {
		next eventstore.Page
		want *Error
	}{
		"no page":               {eventstore.Page{Number: 2}, ErrForm},
		"a stranger's":          {build(t, stranger, 2, 1)[1], ErrSignature},
		"the same again":        {pages[0], ErrOrder},
		"one left out":          {pages[2], ErrOrder},
		"stored elsewhere":      {at(pages[1], 3), ErrOrder},
		"another's place":       {at(pages[2], 2), ErrOrder},
		"a smaller log's":       {signed(Head{Page: 2, Size: 2, Root: rightRoot}, 1, "x"), ErrSize},
		"a larger log's":        {signed(Head{Page: 2, Size: 4, Root: rightRoot}, 3, "x"), ErrSize},
		"another commit":        {signed(Head{Page: 2, Size: 3, Root: rightRoot}, 2, "x"), ErrRoot},
		"a barrier with a root": {signed(Head{Page: 2, Size: 2, Root: rightRoot}, 2), ErrRoot},
	} {
		chain, err := replay(t, v, pages[:1])
		if err != nil {
			t.Fatal(err)
		}
		_, err = chain.Next(c.next)
		var e *Error
		if !errors.Is(err, c.want) || !errors.As(err, &e) || e.Page != c.next.Number {
			t.Errorf("%s: %v, want %v at page %d", name, err, c.want, c.next.Number)
		}
		for _, p := range pages[1:] {
			if _, err := chain.Next(p); err != nil {
				t.Errorf("%s: the chain has moved: %v", name, err)
			}
		}
	}
}

func TestAcceptCountsTheLeaves(t *testing.T) {
	s := testSigner(t)
	stored := build(t, s, 2)[0]
	p, err := s.Verifier().Open(stored.Body)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := NewChain(s.Verifier(), Head{}, Edge{})
	if err != nil {
		t.Fatal(err)
	}
	leaves := p.Leaves(nil)
	if err := chain.Accept(1, p, leaves[:1]); !errors.Is(err, ErrSize) {
		t.Errorf("a leaf less: %v", err)
	}
	if err := chain.Accept(1, p, leaves); err != nil {
		t.Error(err)
	}
}

func BenchmarkChainNext(b *testing.B) {
	s := testSigner(b)
	var edge Edge
	commits := make([][]byte, 64)
	for i := range commits {
		commits[i] = bytes.Repeat([]byte{byte(i)}, 800)
		edge.Append(LeafHash(commits[i]), nil)
	}
	body, err := s.Page(Head{Page: 1, Size: 64, Root: edge.Root()}, 0, commits)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		c, err := NewChain(s.Verifier(), EmptyHead(), Edge{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.Next(eventstore.Page{Number: 1, Body: body}); err != nil {
			b.Fatal(err)
		}
	}
}
