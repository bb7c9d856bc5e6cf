package bookdir

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"filippo.io/age"
	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/eventstore/archive"
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

// A ring that its own recipient does not open is damaged, which a drill enters; that a
// stranger does not open it says nothing.
func TestADrillOfADamagedRing(t *testing.T) {
	a := newArchived(t)
	a.enter(t, true, "Ada", "Bob")
	stranger, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	a.with(t, func(b *Book) {
		drill := func(ids archive.Identities) (Drilled, error) {
			return b.Drill(t.Context(), DrillOptions{Identities: ids, Scratch: t.TempDir(), Principal: "owner", ID: uuid.Must(uuid.NewV7())})
		}
		if done, err := drill(a.ids); err != nil || done.Failure != "" {
			t.Fatalf("%+v, %v", done, err)
		}
		a.backup(t, b)
		ring := filepath.Join(a.to, filepath.FromSlash(b.Info.Origin), "ring.age")
		data, err := os.ReadFile(ring)
		if err != nil {
			t.Fatal(err)
		}
		of := data[bytes.Index(data, []byte("-> X25519 "))+len("-> X25519 "):] // of who opens it
		if of[2] == 'A' {
			of[2] = 'B'
		} else {
			of[2] = 'A'
		}
		if err := os.WriteFile(ring, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if done, err := drill(archive.Identities{stranger}); !errors.Is(err, archive.ErrIdentity) || done.Failure != "" {
			t.Errorf("by a stranger: %+v, %v", done, err)
		}
		if done, err := drill(a.ids); err != nil || done.Failure == "" {
			t.Errorf("by its recipient: %+v, %v", done, err)
		}
	})
}
