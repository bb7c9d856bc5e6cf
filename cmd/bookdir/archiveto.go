package bookdir

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-ledger/daybook/eventstore/archive"
	"github.com/daybook-ledger/daybook/eventstore/page"
)

// Archive is where a book's archive is, who can read it, and how far it reaches.
type Archive struct {
	// To names the place, as archive.Open reads it.
	To string `json:"to"`
	// Recipients are those of age.
	Recipients []string `json:"recipients"`
	// Every is how often an open book writes to it, in nanoseconds; 0 for never.
	Every time.Duration `json:"every,omitempty"`
	// Required says that no receipt is given before it has what the receipt is for.
	Required bool `json:"required,omitempty"`
	// DrillIdentity is the path of the file whose identity opened the archive when a
	// restore was last tried and succeeded; what is in the file is never kept.
	DrillIdentity string `json:"drill_identity,omitempty"`

	// Origin is the log whose pages were archived, up to the head.
	Origin string    `json:"origin,omitempty"`
	Page   uint64    `json:"page"`
	Size   uint64    `json:"size"`
	Root   tlog.Hash `json:"root"`
	// At is when everything that was acknowledged by then was archived.
	At time.Time `json:"at,omitzero"`
	// Failed is why it could not be written the last time; nil where it could.
	Failed *ArchiveFailure `json:"failed,omitempty"`
	// Written are the digests of what was replaced last.
	Written []byte `json:"written,omitempty"`
	// Before are the recipients of other places that the log was archived in.
	Before map[string][]string `json:"before,omitempty"`
}

// ArchiveFailure is why an archive cannot be written, and since when no try succeeded.
type ArchiveFailure struct {
	What  string    `json:"what"`
	Since time.Time `json:"since"`
}

func (a Archive) head() page.Head { return page.Head{Page: a.Page, Size: a.Size, Root: a.Root} }

func archivePath(dir string) string { return filepath.Join(dir, "archive.json") }

// ReadArchive reads where a book's archive is. ErrNoArchive.
func ReadArchive(dir string) (Archive, error) {
	data, err := os.ReadFile(archivePath(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return Archive{}, ErrNoArchive
	}
	if err != nil {
		return Archive{}, fmt.Errorf("bookdir: %w", err)
	}
	var a Archive
	if err := json.Unmarshal(data, &a); err != nil {
		return Archive{}, fmt.Errorf("bookdir: %s: %w", archivePath(dir), err)
	}
	return a, nil
}

func (a Archive) write(dir string) error {
	data, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return fmt.Errorf("bookdir: %w", err)
	}
	return writeDurably(archivePath(dir), append(data, '\n'), 0o600)
}

// ArchiveTo says where the book's archive is to be, for whom and when it is written;
// how far it reaches is not looked at, nor whether receipts wait for it, which
// RequireArchive says alone. Another place is tried first, which writes to it what every
// backup replaces: after an error the place of before stands. What was archived in a
// place before is gone on from; it must be for the same recipients.
func (b *Book) ArchiveTo(ctx context.Context, next Archive) error {
	l := b.current()
	if l.info.ReadOnly {
		return refuseReadOnly()
	}
	if is, err := l.archivesSo(next); is || err != nil {
		return err
	}
	was, err := ReadArchive(l.dir)
	if err != nil && !errors.Is(err, ErrNoArchive) {
		return err
	}
	if was.To == next.To { // else it waits for no backup, whose place may stand still
		unlock, err := lockArchive(ctx, l.dir)
		if err != nil {
			return err
		}
		defer unlock()
	}
	holds := was.Origin == l.info.Origin && was.Page > 0
	if was.To == next.To && holds {
		return fmt.Errorf("%w: %s", ErrRecipientsChanged, next.To)
	}
	next = Archive{To: next.To, Recipients: next.Recipients, Every: next.Every}
	if was.Origin == l.info.Origin {
		next.Before = maps.Clone(was.Before)
	}
	if holds {
		if next.Before == nil {
			next.Before = map[string][]string{}
		}
		next.Before[was.To] = was.Recipients
	}
	r, err := l.backupTo(next)
	if err != nil {
		return err
	}
	r.tries = true
	if err := r.forTheSame(ctx); err != nil {
		return err
	}
	to, err := l.head()
	if err != nil {
		return err
	}
	if err := r.begin(ctx, to); err != nil {
		return err
	}
	settled, err := lockSettings(l.dir)
	if err != nil {
		return err
	}
	defer settled()
	now, err := ReadArchive(l.dir) // another process may have said more while the place was tried
	if err != nil && !errors.Is(err, ErrNoArchive) {
		return err
	}
	if now.To != was.To {
		return fmt.Errorf("%w: to %s", ErrArchiveMoved, now.To)
	}
	r.archive.Required, r.archive.DrillIdentity = now.Required, now.DrillIdentity // whose owner chose the recipients, too
	if next.Every == was.Every {
		r.archive.Every = now.Every
	}
	return r.archive.write(l.dir)
}

// archivesSo reports whether the archive is in that place, for those recipients, and if
// so says when it is written from now on. It waits for no backup.
func (l *link) archivesSo(next Archive) (bool, error) {
	unlock, err := lockSettings(l.dir)
	if err != nil {
		return false, err
	}
	defer unlock()
	was, err := ReadArchive(l.dir)
	if errors.Is(err, ErrNoArchive) {
		return false, nil
	}
	if err != nil || was.To != next.To || !sameRecipients(was.Recipients, next.Recipients) {
		return false, err
	}
	was.Every = next.Every
	return true, was.write(l.dir)
}

// forTheSame refuses a place that holds the log for other recipients: nobody could open
// all of it. Where it cannot be read, what the book remembers of it counts.
func (r *backup) forTheSame(ctx context.Context) error {
	there := r.archive.Before[r.archive.To]
	data, err := r.writer.Book(ctx)
	switch {
	case errors.Is(err, archive.ErrNotFound):
		return nil
	case errors.Is(err, archive.ErrDenied):
	case err != nil:
		return err
	default:
		var said archivedBook
		if err := json.Unmarshal(data, &said); err != nil {
			return fmt.Errorf("%w: what it says of the book: %w", archive.ErrDamaged, err)
		}
		if said.Recipients != nil { // one of before they were recorded has none
			there = said.Recipients
		}
	}
	if there != nil && !sameRecipients(there, r.archive.Recipients) {
		return fmt.Errorf("%w: %s", ErrRecipientsChanged, r.archive.To)
	}
	return nil
}

// sameRecipients compares them in any order.
func sameRecipients(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// RequireArchive says whether receipts wait for the archive from now on.
func (b *Book) RequireArchive(required bool) error {
	return settle(b.Dir, func(a *Archive) { a.Required = required })
}

// RememberDrillIdentity says which file a drill opens the archive with from now on,
// where none is named. The path is an absolute one.
func (b *Book) RememberDrillIdentity(path string) error {
	return settle(b.Dir, func(a *Archive) { a.DrillIdentity = path })
}

// settle changes what is said of a book's archive. It waits for no backup: the archive
// may be what stands still.
func settle(dir string, change func(*Archive)) error {
	unlock, err := lockSettings(dir)
	if err != nil {
		return err
	}
	defer unlock()
	a, err := ReadArchive(dir)
	if err != nil {
		return err
	}
	change(&a)
	return a.write(dir)
}
