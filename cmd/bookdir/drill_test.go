package bookdir

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/uuid"
)

// While a drill runs nothing beside the book that it brings back opens it, so that what
// a drill leaves that is killed cannot be read; one that ends leaves nothing.
func TestDrillLeavesNothingThatOpens(t *testing.T) {
	t.Parallel()
	a := newArchived(t)
	a.enter(t, true, "Ada", "Bob")
	in := t.TempDir()
	var seen []string
	a.with(t, func(b *Book) {
		done, err := b.Drill(t.Context(), DrillOptions{
			Identities: a.ids, Scratch: in, Principal: "owner", ID: uuid.Must(uuid.NewV7()),
			Progress: func(uint64, uint64) {
				found, err := filepath.Glob(filepath.Join(in, "*", "*"))
				if err != nil {
					t.Error(err)
				}
				for _, path := range found {
					seen = append(seen, filepath.Base(path))
				}
			},
		})
		if err != nil || done.Failure != "" {
			t.Fatalf("%+v, %v", done, err)
		}
	})
	slices.Sort(seen)
	if seen = slices.Compact(seen); !slices.Equal(seen, []string{"book", scratchLock}) {
		t.Errorf("the scratch folder of a drill has %q", seen)
	}
	if left, err := os.ReadDir(in); err != nil || len(left) > 0 {
		t.Errorf("a drill left %v, %v", left, err)
	}
}
