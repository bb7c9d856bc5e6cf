package bookdir

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/daybook-ledger/daybook/eventstore/archive"
)

// A backup that was killed leaves files, which may hold keys that are erased later: they
// go with the next one, with a pruning, and with the whole log.
func TestWhatAKilledBackupLeftIsSwept(t *testing.T) {
	for name, next := range map[string]func(b *Book, log archive.Log) error{
		"a backup":       func(b *Book, _ archive.Log) error { _, err := b.Backup(t.Context(), nil); return err },
		"a pruning":      func(b *Book, _ archive.Log) error { _, err := b.Prune(t.Context()); return err },
		"removing a log": func(_ *Book, log archive.Log) error { return log.RemoveAll(t.Context()) },
	} {
		t.Run(name, func(t *testing.T) {
			a := newArchived(t)
			a.enter(t, true, "Ada")
			origin := info(t, a.dir).Origin
			left := []string{filepath.Join(a.to, origin, ".new-1"), filepath.Join(a.to, origin, "segments", ".new-2")}
			for _, path := range left {
				if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			a.with(t, func(b *Book) {
				if err := next(b, archive.Log{Place: a.place, Origin: origin}); err != nil {
					t.Fatal(err)
				}
			})
			for _, path := range left {
				if _, err := os.Lstat(path); err == nil {
					t.Errorf("%s is still there", path)
				}
			}
		})
	}
}

// What is merged after a rotation is under a checkpoint that counts, though the archive
// was behind.
func TestAPruningAfterARotation(t *testing.T) {
	a := newArchived(t)
	a.enter(t, true, "Ada")
	a.enter(t, true, "Bob")
	a.enter(t, false, "Cy")
	admin, err := OpenAdmin(t.Context(), a.dir, "", a.options)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := admin.Rotate(false); err != nil {
		t.Fatal(err)
	}
	if err := admin.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.with(t, func(b *Book) {
		if done, err := b.Prune(t.Context()); err != nil || done.Merged != 3 {
			t.Fatalf("%+v, %v", done, err)
		}
	})
	if report := a.verify(t); !report.OK || report.Size != 4 {
		t.Errorf("%+v", report)
	}
}
