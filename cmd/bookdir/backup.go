package bookdir

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/archive"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/ledger/commit"
)

// Errors of archives that callers branch on, besides those of package archive.
var (
	// ErrNoArchive means that the book was not told where its archive is.
	ErrNoArchive = errors.New("bookdir: the book has no archive yet")
	// ErrRecipientsChanged means that an archive was begun for others.
	ErrRecipientsChanged = errors.New("bookdir: the archive was begun for other recipients")
	// ErrTwin means that another copy of the book writes to the archive.
	ErrTwin = errors.New("bookdir: the archive holds what is not in this book's log")
	// ErrArchiveGone means that a place that was archived in holds nothing of it now.
	ErrArchiveGone = errors.New("bookdir: nothing is left there of what was archived")
	// ErrArchiveMoved means that the archive is to be elsewhere since the backup began.
	ErrArchiveMoved = errors.New("bookdir: the archive was moved while it was written")
	// ErrUnproved means that no checkpoint that counts is over all of an archived log.
	ErrUnproved = errors.New("bookdir: no checkpoint in the archive that still counts is over all of it")
)

// archivedBook is what an archive says in clear of the book.
type archivedBook struct {
	Book      Info   `json:"book"`
	Witnesses Places `json:"witnesses,omitempty"`
	// Recipients are those that the segments and the ring are encrypted to.
	Recipients []string `json:"recipients,omitempty"`
	// Checkpoint is over what was archived, where those in segments may count no more.
	Checkpoint string `json:"checkpoint,omitempty"`
}

// Archived is what a backup did.
type Archived struct {
	Archive
	// Pages is how many pages it wrote.
	Pages uint64
}

// Backup writes to the archive what it lacks of what was acknowledged up to now:
// first the key ring, then pages. What was interrupted is gone on with. Another
// backup under way is waited for.
func (b *Book) Backup(ctx context.Context, progress func(done, of uint64)) (done Archived, err error) {
	var before uint64 // pages that were written before the process that held the book ended
	err = b.retry(ctx, func() error {
		done, err = b.current().backup(ctx, progress)
		done.Pages += before
		before = done.Pages
		return err
	})
	return done, err
}

func (l *link) backup(ctx context.Context, progress func(done, of uint64)) (done Archived, err error) {
	err = l.upToDate(ctx, func(r *backup, to page.Head) error {
		done, err = r.run(ctx, to, progress)
		return err
	})
	return done, err
}

// upToDate runs f, which archives the log up to a head, while nobody else writes to
// the archive.
func (l *link) upToDate(ctx context.Context, f func(r *backup, to page.Head) error) error {
	if l.info.ReadOnly {
		return refuseReadOnly()
	}
	return l.locked(ctx, func(r *backup) error {
		// The head first: the ring has every key that the pages up to there use, and
		// the list every key that signed them.
		to, err := l.head()
		if err != nil {
			return err
		}
		return f(r, to)
	})
}

// locked runs f while nobody else writes to the archive. The context bounds how long
// whoever does is waited for.
func (l *link) locked(ctx context.Context, f func(r *backup) error) error {
	unlock, err := lockArchive(ctx, l.dir)
	if err != nil {
		return err
	}
	defer unlock()
	a, err := ReadArchive(l.dir)
	if err != nil {
		return err
	}
	r, err := l.backupTo(a)
	if err != nil {
		return err
	}
	return f(r)
}

// backupTo makes ready for a backup.
func (l *link) backupTo(a Archive) (r *backup, err error) {
	r = &backup{link: l, archive: a, begun: l.options.Clock.Now().UTC()}
	r.writer.Origin = l.info.Origin
	if r.writer.To, err = archive.ParseRecipients(a.Recipients); err != nil {
		return nil, err
	}
	r.writer.Place, err = archive.Open(a.To, l.options.Clock.Now)
	return r, err
}

// backup is one under way.
type backup struct {
	link    *link
	archive Archive
	writer  archive.Writer
	begun   time.Time
	// alone says that it is known already that nobody else writes there.
	alone bool
	// tries says that the place is not that of the book yet: nothing is remembered.
	tries bool
}

// run writes what the archive lacks up to a head, after the keys that it uses.
func (r *backup) run(ctx context.Context, to page.Head, progress func(done, of uint64)) (_ Archived, err error) {
	defer func() {
		if err != nil && ctx.Err() == nil {
			r.failed(err)
		}
	}()
	l := r.link
	if err := r.begin(ctx, to); err != nil {
		return Archived{}, err
	}
	from := r.archive.head()
	if to.Page > from.Page {
		verifier, err := l.info.Verifier()
		if err != nil {
			return Archived{}, err
		}
		checkpoint, err := l.signs.Checkpoint(to)
		if err != nil {
			return Archived{}, err
		}
		err = r.writer.Pages(ctx, l.store, verifier, from, to, checkpoint, func(h page.Head) error {
			if progress != nil {
				progress(h.Page-from.Page, to.Page-from.Page)
			}
			return r.reached(h)
		})
		if err != nil {
			return Archived{Pages: r.archive.Page - from.Page}, err
		}
	}
	r.archive.At, r.archive.Failed = r.begun, nil
	return Archived{r.archive, to.Page - min(to.Page, from.Page)}, r.keep()
}

// failed takes note of why the archive could not be written, for whoever asks how far it
// reaches. Writing the same again at each try would only wear the disk; and it is the same
// where only numbers differ, as those of temporary files and of ports do at each try.
func (r *backup) failed(cause error) {
	what, dir := cause.Error(), r.link.dir
	if len(what) > maxFailure {
		what = strings.ToValidUTF8(what[:maxFailure], "")
	}
	now, err := ReadArchive(dir)
	if err != nil || now.To != r.archive.To || now.Failed != nil && numberless(now.Failed.What) == numberless(what) {
		return
	}
	_ = settle(dir, func(a *Archive) { // it is but a note, and the cause is told
		if a.To != r.archive.To {
			return
		}
		since := r.begun
		if a.Failed != nil {
			since = a.Failed.Since
		}
		a.Failed = &ArchiveFailure{what, since}
	})
}

// numberless is a text without its digits.
func numberless(text string) string {
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return -1
		}
		return r
	}, text)
}

// begin sees how far the archive reaches, and writes what is replaced there. The log was
// acknowledged up to a head.
func (r *backup) begin(ctx context.Context, to page.Head) error {
	i := r.link.info
	if i.list == nil {
		return ErrNoList
	}
	if r.archive.Origin != i.Origin {
		r.archive.Origin, r.archive.Before = i.Origin, nil
		r.archive.Page, r.archive.Size, r.archive.Root, r.archive.Written = 0, 0, page.EmptyRoot, nil
	}
	if err := r.stands(ctx); err != nil {
		return err
	}
	if !r.alone {
		if err := r.writer.Sweep(ctx); err != nil && !errors.Is(err, archive.ErrDenied) {
			return err
		}
		if err := r.resume(ctx); err != nil {
			return err
		}
	}
	return r.replace(ctx, to)
}

// reached takes note of how far the archive reaches.
func (r *backup) reached(h page.Head) error {
	r.archive.Page, r.archive.Size, r.archive.Root = h.Page, h.Size, h.Root
	return r.keep()
}

// keep keeps how far the archive reaches, beside what was said meanwhile of when it is
// written. What is written to a place that is not the archive's any more counts for
// nothing.
func (r *backup) keep() error {
	if r.tries {
		return nil
	}
	unlock, err := lockSettings(r.link.dir)
	if err != nil {
		return err
	}
	defer unlock()
	now, err := ReadArchive(r.link.dir)
	if err != nil {
		return err
	}
	if now.To != r.archive.To {
		return fmt.Errorf("%w: to %s", ErrArchiveMoved, now.To)
	}
	r.archive.Every, r.archive.Required, r.archive.DrillIdentity = now.Every, now.Required, now.DrillIdentity
	return r.archive.write(r.link.dir)
}

// log is the book's own, as far as a backup reads it.
func (r *backup) log() (*Log, error) {
	verifier, err := r.link.info.Verifier()
	return &Log{Info: r.link.info, Store: r.link.store, Verifier: verifier}, err
}

// stands sees that a place that was archived in still holds it. A folder whose disk
// is not mounted looks like one that was never written to, and what was put there
// would be lost together with the book, or out of sight once the disk is back.
func (r *backup) stands(ctx context.Context) error {
	if r.archive.Page == 0 {
		r.archive.Written = nil
		return r.writer.Begin(ctx)
	}
	if _, folder := r.writer.Place.(*archive.Folder); r.alone && !folder {
		return nil // a bucket is asked once, not before every page
	}
	some, whole, err := r.writer.Stands(ctx)
	switch {
	case errors.Is(err, archive.ErrDenied):
		whole = r.alone // a place that can only be written to, or not even that: writing tells
	case err != nil:
		return err
	case !some:
		return fmt.Errorf("%w: %s", ErrArchiveGone, r.writer.Place)
	}
	if !whole {
		r.archive.Written = nil // written again
	}
	return nil
}

// resume looks for segments that go on from where the archive is known to reach:
// those of a backup that was cut short, or of before the folder forgot. Anything
// else there was written by another copy of the book. Pages that the archive has
// no more are to be written again, with all that follow.
func (r *backup) resume(ctx context.Context) error {
	all, err := r.writer.Segments(ctx)
	if errors.Is(err, archive.ErrDenied) {
		return nil // a place that can only be written to
	}
	if err != nil {
		return err
	}
	log, err := r.log()
	if err != nil {
		return err
	}
	if _, has := archive.Cover(all, 1); has < r.archive.Page {
		at := page.EmptyHead()
		if has > 0 {
			if at, err = log.Head(ctx, has); err != nil {
				return err
			}
		}
		if err := r.reached(at); err != nil {
			return err
		}
	}
	for _, s := range all {
		if s.Last <= r.archive.Page {
			continue
		}
		at, err := log.Head(ctx, s.Last)
		if errors.Is(err, eventstore.ErrGap) || err == nil && !s.Ends(at) {
			return fmt.Errorf("%w: %s in %s", ErrTwin, s.Name(), r.writer.Place)
		}
		if err != nil {
			return err
		}
		if s.First <= r.archive.Page+1 {
			if err := r.reached(at); err != nil {
				return err
			}
		}
	}
	return nil
}

// replace writes what is in clear and the key ring, where they are not what was
// written last.
func (r *backup) replace(ctx context.Context, to page.Head) error {
	l := r.link
	info := l.info
	info.KeyFile = ""
	places, err := ReadPlaces(l.dir)
	if err != nil {
		return err
	}
	said := archivedBook{Book: info, Witnesses: places, Recipients: r.archive.Recipients}
	public, err := json.MarshalIndent(said, "", "  ")
	if err != nil {
		return fmt.Errorf("bookdir: %w", err)
	}
	copied, err := l.keys.Copy()
	if err != nil {
		return err
	}
	defer clear(copied.Root)
	sum := sha256.New()
	for _, part := range [][]byte{public, info.signed, copied.File} {
		digest := sha256.Sum256(part)
		sum.Write(digest[:])
	}
	written := sum.Sum(nil)
	if bytes.Equal(written, r.archive.Written) {
		return nil
	}
	if said.Checkpoint, err = r.provesAnew(ctx, to); err != nil {
		return err
	}
	if public, err = json.MarshalIndent(said, "", "  "); err != nil {
		return fmt.Errorf("bookdir: %w", err)
	}
	if err := r.writer.Public(ctx, append(public, '\n'), info.signed); err != nil {
		return err
	}
	if err := r.erasures(ctx); err != nil {
		return err
	}
	if err := r.writer.Ring(ctx, copied); err != nil {
		return err
	}
	r.archive.Written = written
	return r.keep()
}

// erasures writes the pages that erase somebody, and that the archive lacks, each by
// itself: before the ring from which the keys are gone, or a backup that ends between
// the two would leave an archive in which nothing says why. An archive that is only
// begun is none yet.
func (r *backup) erasures(ctx context.Context) error {
	l := r.link
	if r.archive.Page == 0 {
		return nil
	}
	newest, err := l.head() // after the ring was copied
	if err != nil {
		return err
	}
	log, err := r.log()
	if err != nil {
		return err
	}
	for stored, err := range l.store.Read(ctx, r.archive.Page+1, newest.Page) {
		if err != nil {
			return err
		}
		opened, err := log.Verifier.Open(stored.Body)
		if err != nil {
			return page.At(err, stored.Number)
		}
		if !slices.ContainsFunc(opened.Commits, commit.Erases) {
			continue
		}
		checkpoint, err := l.signs.Checkpoint(opened.Head)
		if err != nil {
			return err
		}
		before := page.Head{Page: opened.Page - 1, Size: opened.OldSize}
		if err := r.writer.Pages(ctx, l.store, log.Verifier, before, opened.Head, checkpoint, nil); err != nil {
			return err
		}
	}
	return nil
}

// provesAnew gives a checkpoint over what was archived, where a key of the log was
// compromised: that of the last segment may be by that key, and count no more.
func (r *backup) provesAnew(ctx context.Context, to page.Head) (string, error) {
	l := r.link
	if r.archive.Page == 0 || !slices.ContainsFunc(l.info.list.Keys, func(k page.KeyRange) bool { return k.Counts < k.Until }) {
		return "", nil
	}
	if r.archive.Page < to.Page { // else all that was acknowledged is there
		log, err := r.log()
		if err != nil {
			return "", err
		}
		if to, err = log.Head(ctx, r.archive.Page); err != nil {
			return "", err
		}
	}
	checkpoint, err := l.signs.Checkpoint(to)
	return string(checkpoint), err
}

// backups writes to the archive on its schedule while the book is held.
func (l *link) backups() {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		var again time.Time // not before
		for {
			if a, err := ReadArchive(l.dir); err == nil && a.Every > 0 {
				now := l.options.Clock.Now()
				if now.Sub(a.At) >= a.Every && !now.Before(again) {
					if _, err := l.backup(ctx, nil); err != nil && ctx.Err() == nil {
						l.options.Log.Warn("the archive could not be written; it will be tried again", "error", err)
						again = now.Add(min(a.Every, backupAgain))
					}
				}
			}
			select {
			case <-time.After(backupLook):
			case <-ctx.Done():
				return
			}
		}
	}()
	l.onClose(func(context.Context) error {
		stop()
		<-done
		return nil
	})
}

const (
	// backupLook is how often a holder looks whether a backup is due.
	backupLook = time.Second
	// backupAgain is how soon one that failed is tried again.
	backupAgain = time.Minute
)
