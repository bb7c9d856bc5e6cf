package viewtest

import (
	"context"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/projections"
	"github.com/daybook-ledger/daybook/projections/views"
	"github.com/daybook-ledger/daybook/testing/given"
)

func attest(t tester, s Store) views.Attestation {
	t.Helper()
	return must[views.Attestation](t)(s.Attest(within(t)))
}

// testAttested: hashes do not depend on how the log was applied, differ where
// rows do, and are those of no other view.
func testAttested(t *testing.T, e Engine) {
	l, all := pages(t)
	whole := filled(t, e, "whole", l)
	single := open(t, e, "single")
	hashes := map[views.Hash]string{}
	for _, p := range all {
		apply(t, single, []Page{p})
	}
	a := attest(t, whole)
	same(t, "attestation", attest(t, single), a)
	same(t, "place", a.Cursor, l.End())
	for _, name := range views.Names() {
		if other := hashes[a.Views[name]]; other != "" {
			t.Errorf("%s has the hash of %s", name, other)
		}
		hashes[a.Views[name]] = name
	}
	same(t, "views", len(a.Views), len(views.Names()))
	before := attest(t, open(t, e, "empty"))
	for name, hash := range a.Views {
		if before.Views[name] == hash && name != "periods" { // none is closed
			t.Errorf("%s has the hash of an empty one", name)
		}
	}
}

// Same compares engines by the hashes of a book of at least so many random
// events, applied to each in pages of another size and then made anew.
func Same(t *testing.T, events int, engines ...Engine) {
	t.Helper()
	b := rapid.Custom(func(rt *rapid.T) *given.Book { return largeBook(rt, events) }).Example(events)
	var first views.Attestation
	for i, e := range engines {
		l := NewLog(b, 64) // pages are the log's, whatever reads it
		place := fmt.Sprintf("same %d", i)
		s := open(t, e, place)
		runner := projections.Runner{View: s, Read: l.Source()}
		if err := runner.CatchUp(context.Background(), 0); err != nil {
			t.Fatalf("engine %d: %v", i, err)
		}
		a := must[views.Attestation](t)(s.Attest(context.Background()))
		if i == 0 {
			first = a
		}
		same(t, fmt.Sprintf("attestation of engine %d", i), a, first)
		if err := e.Rebuild(place, views.Rebuild{Log: l.Source()}); err != nil {
			t.Fatalf("engine %d: %v", i, err)
		}
		same(t, fmt.Sprintf("attestation of engine %d after a rebuild", i), must[views.Attestation](t)(s.Attest(context.Background())), first)
	}
}
