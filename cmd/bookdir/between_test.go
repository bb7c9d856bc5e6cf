package bookdir

import (
	"context"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/ledger"
)

// stepping is a clock that a test sets.
type stepping struct{ now time.Time }

func (s *stepping) clock() ledger.Clock {
	start := s.now
	return ledger.Clock{
		Now:     func() time.Time { return s.now },
		Elapsed: func() time.Duration { return s.now.Sub(start) },
	}
}

// Wherever pages and barriers end, the commits between two sizes are those, and
// the size at a moment is how many were recorded by then.
func TestBetween(t *testing.T) {
	t.Parallel()
	dir, o := create(t)
	clock := &stepping{time.Now().Add(time.Hour).UTC()}
	o.Clock = clock.clock()
	var recorded []time.Time
	for sitting := range 4 { // each begins with a barrier
		b, err := Open(t.Context(), dir, o)
		if err != nil {
			t.Fatal(err)
		}
		if sitting == 0 {
			for c, err := range b.Commits(t.Context(), nil) {
				if err != nil {
					t.Fatal(err)
				}
				recorded = append(recorded, c.Recorded)
			}
		}
		for i := range 3 + sitting {
			clock.now = clock.now.Add(time.Duration(i%2) * time.Minute) // some at the same time
			receipt, err := b.Do(t.Context(), register(fmt.Sprint("customer ", sitting, i)))
			if err != nil {
				t.Fatal(err)
			}
			recorded = append(recorded, receipt.Recorded)
		}
		if err := b.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	b, err := Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close(context.Background())
	end := len(recorded)
	rapid.Check(t, func(t *rapid.T) {
		from, to := rapid.IntRange(0, end+1).Draw(t, "from"), rapid.IntRange(0, end+2).Draw(t, "to")
		var got []uint64
		for c, err := range b.Between(context.Background(), uint64(from), uint64(to)) {
			if err != nil {
				t.Fatal(err)
			}
			if !c.Recorded.Equal(recorded[c.Position]) {
				t.Fatalf("position %d was recorded at %s, want %s", c.Position, c.Recorded, recorded[c.Position])
			}
			got = append(got, c.Position)
		}
		var want []uint64
		for n := from; n < min(to, end); n++ {
			want = append(want, uint64(n))
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("between %d and %d: %v, want %v", from, to, got, want)
		}
		moment := recorded[rapid.IntRange(0, end-1).Draw(t, "commit")].Add(
			rapid.SampledFrom([]time.Duration{0, -time.Microsecond, time.Microsecond, time.Hour, -48 * time.Hour}).Draw(t, "off"))
		by := 0
		for _, at := range recorded {
			if !at.After(moment) {
				by++
			}
		}
		if size, err := b.SizeAt(context.Background(), moment); err != nil || size != uint64(by) {
			t.Fatalf("at %s: %d, %v; want %d", moment, size, err, by)
		}
	})
}
