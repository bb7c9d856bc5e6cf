package page

import (
	"crypto/ed25519"
	"errors"
	"testing"

	"github.com/daybook-ledger/daybook/eventstore"
)

func public(seed byte) ed25519.PublicKey { return testKey(seed).Public().(ed25519.PublicKey) }

// rotated is the verifier of a log whose first key signed up to size 5 and
// counts up to counts, and the signers of both keys.
func rotated(t *testing.T, counts uint64) (v *Verifier, first, second *Signer) {
	t.Helper()
	v, err := NewVerifier(testOrigin,
		KeyRange{Public: public(1), Until: 5, Counts: counts},
		KeyRange{Public: public(2), From: 5, Until: MaxSize, Counts: MaxSize})
	if err != nil {
		t.Fatal(err)
	}
	if second, err = v.Signer(testKey(2)); err != nil {
		t.Fatal(err)
	}
	return v, testSigner(t), second
}

// grow signs pages with the given numbers of commits, each by its signer, as a
// log.
func grow(t *testing.T, by []*Signer, counts ...int) (pages []eventstore.Page) {
	t.Helper()
	var edge Edge
	for i, n := range counts {
		old := edge.Size()
		var commits [][]byte
		for range n {
			commits = append(commits, []byte{byte(edge.Size() + 1)})
			edge.Append(LeafHash(commits[len(commits)-1]), nil)
		}
		h := Head{Page: uint64(i + 1), Size: edge.Size(), Root: edge.Root()}
		body, err := by[i].Page(h, old, commits)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, eventstore.Page{Number: h.Page, Body: body})
	}
	return pages
}

func TestEachKeySignsItsOwnSizes(t *testing.T) {
	v, a, b := rotated(t, 5)
	for _, c := range []struct {
		name   string
		by     []*Signer
		counts []int
		want   error
	}{
		{"the first up to 5, the second from there", []*Signer{a, a, b}, []int{2, 3, 1}, nil},
		{"barriers of both at 5, in order", []*Signer{a, a, b, b}, []int{5, 0, 0, 1}, nil},
		{"the first again at 5", []*Signer{a, b, a}, []int{5, 0, 0}, ErrKeyRange},
		{"the first after 5", []*Signer{a, a}, []int{5, 1}, ErrKeyRange},
		{"the first across 5", []*Signer{a, a}, []int{4, 2}, ErrKeyRange},
		{"the second before 5", []*Signer{a, b}, []int{4, 1}, ErrKeyRange},
		{"a third", []*Signer{a, signerOf(t, 3)}, []int{5, 1}, ErrSignature},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := replay(t, v, grow(t, c.by, c.counts...)); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

func signerOf(t *testing.T, seed byte) *Signer {
	t.Helper()
	s, err := NewSigner(testOrigin, testKey(seed))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// After a compromise the old key's pages stay readable, vouched for by the later
// roots, and its checkpoints count up to the last cosigned size only.
func TestCheckpointsCountInTheirRange(t *testing.T) {
	for _, c := range []struct {
		counts, size uint64
		by           byte
		want         error
	}{
		{5, 5, 1, nil},
		{5, 6, 1, ErrKeyRange},
		{5, 5, 2, nil},
		{5, 9, 2, nil},
		{5, 4, 2, ErrKeyRange},
		{3, 3, 1, nil},
		{3, 4, 1, ErrKeyRange},
		{3, 5, 1, ErrKeyRange},
		{3, 5, 2, nil},
		{0, 1, 1, ErrKeyRange},
	} {
		v, a, b := rotated(t, c.counts)
		s := map[byte]*Signer{1: a, 2: b}[c.by]
		signed, err := s.Checkpoint(Head{Size: c.size, Root: EntryLeaf([32]byte{9})})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Checkpoint(signed); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v", c, err)
		}
		if _, err := replay(t, v, grow(t, []*Signer{a, a, b}, 3, 2, 1)); err != nil {
			t.Errorf("the pages of a compromised key: %v", err)
		}
	}
}

func TestRangesThatNoLogHas(t *testing.T) {
	first := KeyRange{Public: public(1), Until: 5, Counts: 5}
	last := KeyRange{Public: public(2), From: 5, Until: MaxSize, Counts: MaxSize}
	gap, counts, ended, twice := last, first, last, last
	gap.From, counts.Counts, ended.Until, ended.Counts, twice.Public = 6, 6, 9, 9, first.Public
	for name, ranges := range map[string][]KeyRange{
		"none": nil, "a gap": {first, gap}, "counts beyond its end": {counts, last},
		"no key in use": {first, ended}, "one key twice": {first, twice}, "starts late": {last},
		"the newest is compromised": {first, {Public: public(2), From: 5, Until: MaxSize, Counts: 7}},
	} {
		if _, err := NewVerifier(testOrigin, ranges...); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	v, _, _ := rotated(t, 5)
	if _, err := v.Signer(testKey(1)); !errors.Is(err, ErrKey) {
		t.Errorf("signing with a retired key: %v", err)
	}
	if len(v.Ranges()) != 2 || !v.PublicKey().Equal(public(2)) {
		t.Error("the keys are not those given")
	}
}
