package bookdir

import (
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/eventstore/transparency"
)

// The revisions of any log are found wrong where a map in memory finds them
// wrong, however small the memory and wherever the check was interrupted.
func TestRevisionsAgreeWithAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "revisions")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		r := &revisions{limit: rapid.IntRange(1, 9).Draw(t, "limit")}
		defer func() { r.close() }()
		last := map[byte]uint64{}
		var want, got []uint64
		found := func(f transparency.Failure) {
			if f.Code != CodeRevision || f.Page != f.Position/2 {
				t.Errorf("%+v", f)
			}
			got = append(got, f.Position)
		}
		for position := range uint64(rapid.IntRange(0, 60).Draw(t, "events")) {
			stream := rapid.ByteRange(0, 4).Draw(t, "stream")
			number := last[stream] + 1
			if rapid.IntRange(0, 9).Draw(t, "wrong") == 0 {
				number = uint64(rapid.IntRange(1, 5).Draw(t, "revision"))
			}
			if number != last[stream]+1 {
				want = append(want, position)
			}
			last[stream] = number
			if err := r.add(revision{[16]byte{stream}, number}, position, position/2); err != nil {
				t.Fatal(err)
			}
			if rapid.IntRange(0, 19).Draw(t, "interrupted") > 0 {
				continue
			}
			base, err := os.CreateTemp(dir, "base")
			if err != nil {
				t.Fatal(err)
			}
			if err := r.check(base, found); err != nil {
				t.Fatal(err)
			}
			if err := r.rebase(base); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.check(nil, found); err != nil {
			t.Fatal(err)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("found %v, want %v", got, want)
		}
	})
}
