package bookdir

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/daybook-ledger/daybook/eventstore/archive"
)

// A backup that was killed leaves files, which may hold keys that are erased later: they
// go with the next one, with a pruning, and with the whole log.
func TestWhatAKilledBackupLeftIsSwept(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
	a := newArchived(t)
	a.enter(t, true, "Ada")
	a.enter(t, true, "Bob")
	a.enter(t, false, "Cy")
	rotate(t, a.dir, a.options)
	a.with(t, func(b *Book) {
		if done, err := b.Prune(t.Context()); err != nil || done.Merged != 3 {
			t.Fatalf("%+v, %v", done, err)
		}
	})
	if report := a.verify(t); !report.OK || report.Size != 4 {
		t.Errorf("%+v", report)
	}
}

// An archive is for the same recipients for ever, whatever other places the book was
// archived in meanwhile, and whether or not it remembers.
func TestAnArchiveIsForTheSameRecipients(t *testing.T) {
	t.Parallel()
	x, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	h, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string][]string{
		"others": {x.Recipient().String()}, "of another kind": {h.Recipient().String()}, "more": nil,
	} {
		for _, forgets := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, forgets %t", name, forgets), func(t *testing.T) {
				a := newArchived(t)
				a.enter(t, true, "Ada")
				mine := []string{a.ids[0].(*age.X25519Identity).Recipient().String()}
				if other == nil {
					other = append(slices.Clone(mine), x.Recipient().String())
				}
				a.with(t, func(b *Book) {
					if err := b.ArchiveTo(t.Context(), Archive{To: a.to, Recipients: other}); !errors.Is(err, ErrRecipientsChanged) {
						t.Errorf("where it is: %v", err)
					}
					if err := b.ArchiveTo(t.Context(), Archive{To: a.to + ".2", Recipients: other}); err != nil {
						t.Fatal(err)
					}
					a.backup(t, b)
					if forgets {
						remove(t, archivePath(a.dir))
					}
					if err := b.ArchiveTo(t.Context(), Archive{To: a.to, Recipients: other}); !errors.Is(err, ErrRecipientsChanged) {
						t.Errorf("back again: %v", err)
					}
					if err := b.ArchiveTo(t.Context(), Archive{To: a.to, Recipients: mine}); err != nil {
						t.Fatal(err)
					}
				})
				a.enter(t, true, "Bob")
				dir, o, _, err := a.restore(t, nil)
				if err != nil {
					t.Fatal(err)
				}
				sound(t, dir, o, a.receipts...)
			})
		}
	}
}

// Where a place cannot be read, the book remembers for whom it archived there.
func TestRecipientsOfAPlaceThatCannotBeRead(t *testing.T) {
	t.Parallel()
	a := newArchived(t)
	a.enter(t, true, "Ada")
	a.with(t, func(b *Book) {
		at, err := ReadArchive(a.dir)
		if err != nil {
			t.Fatal(err)
		}
		r, err := b.current().backupTo(at)
		if err != nil {
			t.Fatal(err)
		}
		r.writer.Place = unreadable{r.writer.Place}
		if err := r.forTheSame(t.Context()); err != nil {
			t.Errorf("nothing is known of it: %v", err)
		}
		r.archive.Before = map[string][]string{a.to: {"age1other"}}
		if err := r.forTheSame(t.Context()); !errors.Is(err, ErrRecipientsChanged) {
			t.Errorf("%v", err)
		}
	})
}

// unreadable is a place that can only be written to.
type unreadable struct{ archive.Place }

func (unreadable) Get(context.Context, string) ([]byte, error) { return nil, archive.ErrDenied }

func (unreadable) List(context.Context, string) ([]string, error) { return nil, archive.ErrDenied }

// What is replaced in an archive is written again where it is missing.
func TestWhatAnArchiveLostIsWrittenAgain(t *testing.T) {
	t.Parallel()
	for _, lost := range [][]string{{"ring.age"}, {"keys"}, {"book"}, {"book", "keys", "ring.age"}} {
		t.Run(strings.Join(lost, ","), func(t *testing.T) {
			a := newArchived(t)
			a.enter(t, true, "Ada")
			for _, object := range lost {
				remove(t, filepath.Join(a.to, info(t, a.dir).Origin, object))
			}
			a.enter(t, true)
			dir, o, _, err := a.restore(t, nil)
			if err != nil {
				t.Fatal(err)
			}
			sound(t, dir, o, a.receipts...)
		})
	}
}

// A place that cannot be written does not take the place of one that can.
func TestAPlaceIsTriedFirst(t *testing.T) {
	t.Parallel()
	a := newArchived(t)
	a.enter(t, true, "Ada")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	before, err := ReadArchive(a.dir)
	if err != nil {
		t.Fatal(err)
	}
	a.with(t, func(b *Book) {
		for to, want := range map[string]error{
			"ftp://example.com/": archive.ErrPlace, "": archive.ErrPlace, file: archive.ErrUnreachable, filepath.Join(file, "below"): archive.ErrUnreachable,
		} {
			next := before
			next.To = to
			if err := b.ArchiveTo(t.Context(), next); !errors.Is(err, want) {
				t.Errorf("%q: %v", to, err)
			}
		}
	})
	if after, err := ReadArchive(a.dir); err != nil || !reflect.DeepEqual(before, after) {
		t.Errorf("%+v, %v", after, err)
	}
	a.enter(t, true, "Bob")
}

// Where nothing can be read, a backup of nothing new finds out whether it could write.
func TestAPlaceThatPermitsNothing(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root is permitted everything")
	}
	a := newArchived(t)
	a.enter(t, true, "Ada")
	a.with(t, func(b *Book) {
		a.backup(t, b)
		if err := os.Chmod(a.to, 0); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.Chmod(a.to, 0o700) }() // so that it can be removed
		if _, err := b.Backup(t.Context(), nil); !errors.Is(err, archive.ErrDenied) {
			t.Errorf("%v", err)
		}
	})
}

// Where the book is gone a log ends before what is damaged in its archive, if that is
// said, and right before it.
func TestALogEndsBeforeADamagedSegment(t *testing.T) {
	t.Parallel()
	a := newArchived(t)
	for _, name := range []string{"Ada", "Bob", "Cy"} {
		a.enter(t, true, name)
	}
	segments, err := filepath.Glob(filepath.Join(a.to, "*", "*", "*", "segments", "*"))
	if err != nil || len(segments) != 3 {
		t.Fatal(segments, err)
	}
	flip(t, segments[1], -40)
	dir, o, done, err := a.restore(t, func(r *Restore) { r.UntilSize, r.AcceptLoss = 2, new(uint64(2)) })
	if err != nil || done.Head.Size != 2 {
		t.Fatalf("%+v, %v", done, err)
	}
	sound(t, dir, o, a.receipts[0])
	if _, _, _, err := a.restore(t, func(r *Restore) { r.UntilSize, r.AcceptLoss = 3, new(uint64(1)) }); !errors.Is(err, archive.ErrDamaged) {
		t.Errorf("what is damaged was asked for: %v", err)
	}
}

// The note of why the archive cannot be written is not written anew at each try because
// a number in it is another, as that of a temporary file is or of a port; and a place
// that answers at length does not make it long.
func TestTheNoteOfAFailureIsWrittenOnce(t *testing.T) {
	t.Parallel()
	a := newArchived(t)
	a.with(t, func(b *Book) {
		told := func(text string) []byte {
			err := b.current().locked(t.Context(), func(r *backup) error {
				r.failed(errors.New(text))
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(archivePath(a.dir))
			if err != nil {
				t.Fatal(err)
			}
			return data
		}
		at := func() os.FileInfo {
			info, err := os.Stat(archivePath(a.dir))
			if err != nil {
				t.Fatal(err)
			}
			return info
		}
		told("open /mnt/.unfinished-123: read-only file system")
		was := at()
		if told("open /mnt/.unfinished-4567: read-only file system"); !os.SameFile(was, at()) {
			t.Error("it was written again")
		}
		if text := told("open /mnt/.unfinished-4567: no space left"); !strings.Contains(string(text), "no space left") {
			t.Errorf("%s", text)
		}
		if text := told(strings.Repeat("<html>", 100_000)); len(text) > 10*maxFailure {
			t.Errorf("it has %d bytes", len(text))
		}
	})
}
