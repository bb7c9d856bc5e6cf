package page

import (
	"errors"
	"testing"

	"github.com/daybook-ledger/daybook/eventstore"
)

const nextOrigin = testOrigin + "/2"

// epochs is the verifier of a log that goes on under another name from size 5.
func epochs(t *testing.T) (v *Verifier, first, second *Signer) {
	t.Helper()
	v, err := NewVerifier(testOrigin,
		KeyRange{Public: public(1), Until: 5, Counts: 5},
		KeyRange{Public: public(2), Origin: nextOrigin, From: 5, Until: MaxSize, Counts: MaxSize})
	if err != nil {
		t.Fatal(err)
	}
	if second, err = v.Signer(testKey(2)); err != nil {
		t.Fatal(err)
	}
	return v, testSigner(t), second
}

func TestANewEpochGoesOnUnderItsName(t *testing.T) {
	v, a, b := epochs(t)
	if v.Origin() != nextOrigin || b.Origin() != nextOrigin || a.Origin() != testOrigin {
		t.Errorf("origins %s, %s, %s", v.Origin(), a.Origin(), b.Origin())
	}
	for position, want := range map[uint64]uint64{0: 1, 4: 1, 5: 2, MaxSize: 2} {
		if got := v.Epoch(position); got != want {
			t.Errorf("position %d is in epoch %d", position, got)
		}
	}
	chain, err := NewChain(v, EmptyHead(), Edge{})
	if err != nil {
		t.Fatal(err)
	}
	pages := grow(t, []*Signer{a, a, b}, 2, 3, 2)
	for _, p := range pages {
		if _, err := chain.Next(p); err != nil {
			t.Fatal(err)
		}
	}
	// What the log goes on to sign under its old name is not this one's.
	other := grow(t, []*Signer{a, a, a}, 2, 3, 2)[2]
	chain, _ = NewChain(v, EmptyHead(), Edge{})
	for _, p := range []eventstore.Page{pages[0], pages[1]} {
		if _, err := chain.Next(p); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := chain.Next(other); !errors.Is(err, ErrKeyRange) {
		t.Errorf("a page under the old name: %v", err)
	}
}

func TestCheckpointsOfEachEpoch(t *testing.T) {
	v, a, b := epochs(t)
	for name, c := range map[string]struct {
		by   *Signer
		size uint64
		want error
	}{
		"the old name's": {a, 5, nil}, "the old name's beyond": {a, 6, ErrKeyRange},
		"the new name's": {b, 6, nil}, "the new name's before": {b, 4, ErrKeyRange},
	} {
		text, err := c.by.Checkpoint(Head{Size: c.size, Root: EmptyRoot})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Checkpoint(text); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The new key does not sign under the old name.
	forger, err := NewSigner(testOrigin, testKey(2))
	if err != nil {
		t.Fatal(err)
	}
	text, err := forger.Checkpoint(Head{Size: 6, Root: EmptyRoot})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Checkpoint(text); !errors.Is(err, ErrCheckpointSignature) {
		t.Errorf("the new key under the old name: %v", err)
	}
}

func TestAnOriginDoesNotComeBack(t *testing.T) {
	_, err := NewVerifier(testOrigin,
		KeyRange{Public: public(1), Until: 5, Counts: 5},
		KeyRange{Public: public(2), Origin: nextOrigin, From: 5, Until: 6, Counts: 6},
		KeyRange{Public: public(3), Origin: testOrigin, From: 6, Until: MaxSize, Counts: MaxSize})
	if !errors.Is(err, ErrKey) {
		t.Errorf("%v", err)
	}
}
