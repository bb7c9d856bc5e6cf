package bookdir

import (
	"errors"
	"path/filepath"
	"testing"

	"filippo.io/age"

	"github.com/daybook-ledger/daybook/eventstore/page"
)

// forked is an archive whose first epoch went on after the second had begun at size 3:
// the first has one commit more.
func forked(t *testing.T) *archived {
	t.Helper()
	a := newArchived(t)
	a.enter(t, true, "Ada", "Bob")
	dir, o, _, err := a.restore(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	a.enter(t, true, "Eve")
	a.archiveAnew(t, dir, o)
	return a
}

// archiveAnew archives a restored book to the same place.
func (a *archived) archiveAnew(t *testing.T, dir string, o Options) {
	t.Helper()
	inBook(t, dir, o, func(b *Book) {
		if err := b.ArchiveTo(t.Context(), Archive{To: a.to, Recipients: []string{a.ids[0].(*age.X25519Identity).Recipient().String()}}); err != nil {
			t.Fatal(err)
		}
		a.backup(t, b)
	})
}

func (a *archived) check(t *testing.T, expected ...Checkpoint) ArchiveReport {
	t.Helper()
	report, err := ArchiveCheck{From: a.place, Identities: a.ids, Expected: expected, Log: quiet()}.Do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// isEve reports whether the commit that only the first epoch has is unaccounted.
func (a *archived) isEve(t *testing.T, all []Unaccounted) bool {
	t.Helper()
	return len(all) == 1 && all[0].From == 3 && all[0].To == 4 && all[0].Origin == info(t, a.dir).Origin
}

// TestAnEarlierEpochThatWentOn: what an archive holds of an earlier epoch and no later
// one accounts for is told, until it is accepted as lost.
func TestAnEarlierEpochThatWentOn(t *testing.T) {
	t.Parallel()
	a := forked(t)
	_, _, done, err := a.restore(t, nil)
	if err != nil || done.Info.Epoch != 3 || done.Loss != nil || !a.isEve(t, done.Unaccounted) {
		t.Fatalf("%+v, %v", done, err)
	}
	if report := a.check(t); !report.OK || !a.isEve(t, report.Unaccounted) {
		t.Errorf("%+v", report)
	}
	// Who has a checkpoint of it is told of a loss, with its number.
	eve := a.receipts[2].Receipt.Checkpoint
	if report := a.check(t, Checkpoint{File: "eve", Signed: eve}); report.OK || report.Failures[0].Code != CodeLoss || report.Failures[0].Position != 3 {
		t.Errorf("%+v", report)
	}
	for _, accept := range []*uint64{nil, new(uint64(2))} {
		var loss *Loss
		_, _, _, err := a.restore(t, func(r *Restore) { r.Expected, r.AcceptLoss = []Checkpoint{{File: "eve", Signed: eve}}, accept })
		if !errors.As(err, &loss) || loss.Commits() != 1 || !a.isEve(t, loss.Earlier) {
			t.Errorf("%v", err)
		}
	}
	dir, o, done, err := a.restore(t, func(r *Restore) { r.Expected, r.AcceptLoss = []Checkpoint{{File: "eve", Signed: eve}}, new(uint64(1)) })
	if err != nil || done.Loss.Commits() != 1 || len(done.Unaccounted) != 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	sound(t, dir, o, a.receipts[:2]...)
	a.archiveAnew(t, dir, o)
	if report := a.check(t, Checkpoint{File: "eve", Signed: eve}); !report.OK || len(report.Unaccounted) != 0 {
		t.Errorf("after it was accepted: %+v", report)
	}
	if _, _, done, err = a.restore(t, func(r *Restore) { r.Expected = []Checkpoint{{File: "eve", Signed: eve}} }); err != nil || done.Loss != nil || len(done.Unaccounted) != 0 {
		t.Errorf("after it was accepted: %+v, %v", done, err)
	}
}

// TestALossThatWasAcceptedIsAccountedFor: an epoch that was opened over a known loss says
// so itself.
func TestALossThatWasAcceptedIsAccountedFor(t *testing.T) {
	t.Parallel()
	a := newArchived(t)
	a.enter(t, true, "Ada", "Bob")
	dir, o, _, err := a.restore(t, func(r *Restore) { r.UntilSize, r.AcceptLoss = 2, new(uint64(1)) })
	if err != nil {
		t.Fatal(err)
	}
	a.archiveAnew(t, dir, o)
	if _, _, done, err := a.restore(t, nil); err != nil || len(done.Unaccounted) != 0 {
		t.Errorf("%+v, %v", done, err)
	}
	a.enter(t, true, "Eve") // and this goes on beyond it
	if _, _, done, err := a.restore(t, nil); err != nil || !a.isEve(t, done.Unaccounted) {
		t.Errorf("%+v, %v", done, err)
	}
}

// TestSeveralEpochsThatWentOn: what several epochs acknowledged beyond their ends is
// accepted as lost at once.
func TestSeveralEpochsThatWentOn(t *testing.T) {
	a := newArchived(t)
	a.enter(t, true, "Ada", "Bob")
	var given []Checkpoint
	dir, o := a.dir, a.options
	for range 2 {
		next, with, _, err := a.restore(t, nil)
		if err != nil {
			t.Fatal(err)
		}
		inBook(t, dir, o, func(b *Book) {
			r, err := b.Do(t.Context(), register("Eve"))
			if err != nil {
				t.Fatal(err)
			}
			given = append(given, Checkpoint{File: "eve", Signed: r.Receipt.Checkpoint})
			a.backup(t, b)
		})
		a.archiveAnew(t, next, with)
		dir, o = next, with
	}
	if report := a.check(t); len(report.Unaccounted) != 2 {
		t.Fatalf("%+v", report)
	}
	dir, o, done, err := a.restore(t, func(r *Restore) { r.Expected, r.AcceptLoss = given, new(uint64(2)) })
	if err != nil || len(done.Loss.Earlier) != 2 || len(done.Unaccounted) != 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	a.archiveAnew(t, dir, o)
	if report := a.check(t, given...); !report.OK || len(report.Unaccounted) != 0 {
		t.Errorf("after it was accepted: %+v", report)
	}
	if _, _, done, err = a.restore(t, func(r *Restore) { r.Expected = given }); err != nil || done.Loss != nil || len(done.Unaccounted) != 0 {
		t.Errorf("after it was accepted: %+v, %v", done, err)
	}
}

// TestAnEarlierEpochThatCannotBeRead costs no restore.
func TestAnEarlierEpochThatCannotBeRead(t *testing.T) {
	t.Parallel()
	a := forked(t)
	segments, err := filepath.Glob(filepath.Join(a.to, info(t, a.dir).Origin, "segments", "*.age"))
	if err != nil || len(segments) == 0 {
		t.Fatal(segments, err)
	}
	for _, path := range segments {
		flip(t, path, -40)
	}
	if _, _, done, err := a.restore(t, nil); err != nil || len(done.Unaccounted) != 0 {
		t.Errorf("%+v, %v", done, err)
	}
}

// TestACheckpointOfNoEpoch is refused as before.
func TestACheckpointOfNoEpoch(t *testing.T) {
	t.Parallel()
	a, other := forked(t), archivedOf(t, createAnother)
	other.enter(t, true, "Mallory")
	_, _, _, err := a.restore(t, func(r *Restore) {
		r.Expected = []Checkpoint{{File: "other", Signed: other.receipts[0].Receipt.Checkpoint}}
	})
	if err == nil || errors.Is(err, page.ErrKeyRange) {
		t.Errorf("%v", err)
	}
}
