package faults_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/memory"
	"github.com/daybook-ledger/daybook/testing/faults"
	"github.com/daybook-ledger/daybook/testing/storetest"
)

// TestConformance: without a fault the store is like any other, and its unclear
// answers are as the suite wants them.
func TestConformance(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Harness {
		log := memory.NewLog(0)
		s := faults.Wrap(memory.Open(log))
		open := func(*testing.T) eventstore.Store { return faults.Wrap(memory.Open(log)) }
		return storetest.Harness{
			Store: s, Another: open, Reopen: open,
			Unclear: func(_ *testing.T, stored bool) {
				if stored {
					s.Next(faults.Fault{Kind: faults.With})
				} else {
					s.Next(faults.Fault{Kind: faults.Without})
				}
			},
		}
	})
}

// pages gives the log's pages as text.
func pages(t *testing.T, s eventstore.Store) []string {
	t.Helper()
	var texts []string
	for page, err := range s.Read(t.Context(), 1, 1<<62) {
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(page.Body))
	}
	return texts
}

func want(t *testing.T, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("%s: %v; want %v", what, got, want)
	}
}

func wantError(t *testing.T, what string, err error, wants ...error) {
	t.Helper()
	for _, want := range wants {
		if !errors.Is(err, want) {
			t.Fatalf("%s: %v; want %v", what, err, want)
		}
	}
}

func TestNextInOrder(t *testing.T) {
	s := faults.Wrap(memory.New())
	s.Next(faults.Fault{}, faults.Fault{Kind: faults.Without}, faults.Fault{Kind: faults.With})
	wantError(t, "first", s.Append(t.Context(), 0, []byte("a")))
	wantError(t, "second", s.Append(t.Context(), 1, []byte("b")), eventstore.ErrUnclear, faults.ErrInjected)
	want(t, "pages", pages(t, s), []string{"a"})
	wantError(t, "third", s.Append(t.Context(), 1, []byte("c")), eventstore.ErrUnclear, faults.ErrInjected)
	want(t, "pages", pages(t, s), []string{"a", "c"})
	if err := s.Append(t.Context(), 2, []byte("d")); err != nil {
		t.Fatalf("after the faults: %v", err)
	}
	var kinds []faults.Kind
	for _, event := range s.Events() {
		kinds = append(kinds, event.Kind)
	}
	want(t, "kinds", kinds, []faults.Kind{faults.None, faults.Without, faults.With, faults.None})
}

func TestAtComesFirstAndOnce(t *testing.T) {
	s := faults.Wrap(memory.New())
	s.Next(faults.Fault{Kind: faults.With})
	s.At(0, faults.Fault{Kind: faults.Without})
	s.At(9, faults.Fault{Kind: faults.Without})
	wantError(t, "first", s.Append(t.Context(), 0, []byte("a")), eventstore.ErrUnclear)
	want(t, "pages", len(pages(t, s)), 0)
	wantError(t, "again", s.Append(t.Context(), 0, []byte("a")), eventstore.ErrUnclear)
	want(t, "pages", pages(t, s), []string{"a"})
	if err := s.Append(t.Context(), 1, []byte("b")); err != nil {
		t.Fatal(err)
	}
}

func TestPlant(t *testing.T) {
	s := faults.Wrap(memory.New())
	s.Next(faults.Fault{Kind: faults.Plant, Page: []byte("theirs")})
	wantError(t, "append", s.Append(t.Context(), 0, []byte("ours")), eventstore.ErrFenced)
	want(t, "pages", pages(t, s), []string{"theirs"})
}

func TestLate(t *testing.T) {
	s := faults.Wrap(memory.New())
	s.Next(faults.Fault{Kind: faults.Late}, faults.Fault{Kind: faults.Late})
	wantError(t, "append", s.Append(t.Context(), 0, []byte("late")), eventstore.ErrUnclear)
	wantError(t, "append", s.Append(t.Context(), 0, []byte("later")), eventstore.ErrUnclear)
	want(t, "pages", len(pages(t, s)), 0)
	errs := s.Release(t.Context())
	want(t, "answers", len(errs), 2)
	wantError(t, "the first", errs[0])
	wantError(t, "the second", errs[1], eventstore.ErrFenced)
	want(t, "pages", pages(t, s), []string{"late"})
	want(t, "answers", len(s.Release(t.Context())), 0)

	// A barrier that comes before a late page keeps it out for good.
	s.Next(faults.Fault{Kind: faults.Late})
	wantError(t, "append", s.Append(t.Context(), 1, []byte("page")), eventstore.ErrUnclear)
	if err := s.Append(t.Context(), 1, []byte("barrier")); err != nil {
		t.Fatal(err)
	}
	wantError(t, "the late page", s.Release(t.Context())[0], eventstore.ErrFenced)
	want(t, "pages", pages(t, s), []string{"late", "barrier"})
}

// TestWithIsHonest: a page that the store refuses is refused, not unclear.
func TestWithIsHonest(t *testing.T) {
	s := faults.Wrap(memory.New())
	s.Next(faults.Fault{Kind: faults.With})
	err := s.Append(t.Context(), 5, []byte("page"))
	wantError(t, "append", err, eventstore.ErrFenced)
	if errors.Is(err, eventstore.ErrUnclear) {
		t.Fatalf("a refusal that is unclear: %v", err)
	}
}

func TestDelay(t *testing.T) {
	s := faults.Wrap(memory.New())
	s.Next(faults.Fault{Delay: time.Hour}, faults.Fault{Delay: 20 * time.Millisecond})
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	wantError(t, "append", s.Append(ctx, 0, []byte("page")), eventstore.ErrUnclear, context.DeadlineExceeded)
	want(t, "pages", len(pages(t, s)), 0)
	begun := time.Now()
	if err := s.Append(t.Context(), 0, []byte("page")); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took < 20*time.Millisecond {
		t.Fatalf("the delay took %s", took)
	}
}

// TestCrash crashes before and after the page is stored.
func TestCrash(t *testing.T) {
	s := faults.Wrap(memory.New())
	crash := func(fault faults.Fault) {
		t.Helper()
		defer func() {
			if recover() == nil {
				t.Error("nothing crashed")
			}
		}()
		s.Next(fault)
		_ = s.Append(t.Context(), 0, []byte("page"))
	}
	die := func(after uint64, body []byte) { panic(fmt.Sprint(after, body)) }
	crash(faults.Fault{Before: die})
	want(t, "pages", len(pages(t, s)), 0)
	crash(faults.Fault{After: die})
	want(t, "pages", pages(t, s), []string{"page"})
	if err := s.Append(t.Context(), 1, []byte("more")); err != nil {
		t.Fatal(err)
	}
}

func TestFailRecover(t *testing.T) {
	s := faults.Wrap(memory.New())
	cause := errors.New("the disk is full")
	s.FailRecover(cause)
	wantError(t, "recover", s.Recover(t.Context()), cause, faults.ErrInjected)
	if err := s.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestRandom: a seed repeats itself, another differs, and the rates are kept.
func TestRandom(t *testing.T) {
	rates := faults.Rates{
		Without: 0.2, With: 0.2, Late: 0.1, Plant: 0.1,
		Page: func(number uint64) []byte { return fmt.Appendf(nil, "planted %d", number) },
	}
	run := func(seed uint64) []faults.Kind {
		s := faults.Wrap(memory.New())
		if err := s.Random(seed, rates); err != nil {
			t.Fatal(err)
		}
		for range 2000 {
			last, err := s.Last(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			_ = s.Append(t.Context(), last, []byte("page"))
		}
		var kinds []faults.Kind
		for _, event := range s.Events() {
			kinds = append(kinds, event.Kind)
		}
		return kinds
	}
	first := run(7)
	want(t, "the same seed", run(7), first)
	if fmt.Sprint(run(8)) == fmt.Sprint(first) {
		t.Fatal("another seed gave the same faults")
	}
	count := map[faults.Kind]int{}
	for _, kind := range first {
		count[kind]++
	}
	for kind, rate := range map[faults.Kind]float64{
		faults.None: 0.4, faults.Without: 0.2, faults.With: 0.2, faults.Late: 0.1, faults.Plant: 0.1,
	} {
		if got := float64(count[kind]) / 2000; got < rate-0.05 || got > rate+0.05 {
			t.Errorf("%s: a rate of %g, want %g", kind, got, rate)
		}
	}
}

func TestRandomRefusesNonsense(t *testing.T) {
	s := faults.Wrap(memory.New())
	for _, rates := range []faults.Rates{{With: -0.1}, {Late: 1.1}, {With: 0.6, Without: 0.6}, {Plant: 0.1}} {
		if err := s.Random(1, rates); err == nil {
			t.Errorf("rates %+v were taken", rates)
		}
	}
	if err := s.Append(t.Context(), 0, []byte("page")); err != nil {
		t.Fatalf("nonsense had an effect: %v", err)
	}
}
