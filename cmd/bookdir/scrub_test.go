package bookdir

import (
	"context"
	"testing"
	"time"

	"github.com/daybook-ledger/daybook/eventstore/memory"
	"github.com/daybook-ledger/daybook/eventstore/page"
)

// An open book reads its log again and again.
func TestABookIsScrubbedWhileItIsOpen(t *testing.T) {
	t.Parallel()
	dir, o := create(t)
	o.ScrubAfter = time.Millisecond
	b, err := Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Do(t.Context(), register("Ada")); err != nil {
		t.Fatal(err)
	}
	h, err := b.Head()
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		s := b.Scrubbed()
		if s.Passes > 2 && s.Report.OK && s.Report.Size == h.Size && s.Report.Root == h.Root {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("after 30 s: %+v", s)
		}
	}
	if err := b.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// What a pass finds, it tells.
func TestAScrubTellsWhatItFinds(t *testing.T) {
	t.Parallel()
	dir, o := create(t)
	b, err := Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close(context.Background())
	damaged := memory.New()
	for p, err := range b.Store().Read(t.Context(), 1, 99) {
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Body) > 500 { // the one with a commit
			p.Body[len(p.Body)-1] ^= 1
		}
		if err := damaged.Append(t.Context(), p.Number-1, p.Body); err != nil {
			t.Fatal(err)
		}
	}
	verifier, err := b.Info.Verifier()
	if err != nil {
		t.Fatal(err)
	}
	l := b.current()
	l.scrubOnce(t.Context(), &Log{Info: b.Info, Store: damaged, Verifier: verifier, link: l})
	s := b.Scrubbed()
	if s.Passes != 1 || s.Report.OK || len(s.Report.Failures) == 0 || s.Report.Failures[0].Code != page.ErrRoot.Code {
		t.Errorf("%+v", s)
	}
}
