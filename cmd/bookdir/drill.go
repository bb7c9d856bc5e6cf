package bookdir

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/eventstore/archive"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/projections/views"
)

// DrillOptions say how a restore is tried.
type DrillOptions struct {
	Identities archive.Identities
	// Scratch is a folder to make a temporary one in; "" for the system's.
	Scratch string
	// Principal and ID are those of the command that enters the result.
	Principal string
	ID        uuid.UUID
	// Progress may be nil.
	Progress func(pages, of uint64)
}

// Drilled is what came of a restore that was tried.
type Drilled struct {
	book.Drill
	Receipt ledger.Receipt
}

// Drill brings the archive up to date, brings the book back from it in a scratch
// folder, verifies it deeply, compares every hash of its views with the book's own,
// and enters the result in the log, a failure too. The scratch folder is removed.
// archive.ErrIdentity, and nothing is entered, where no identity opens the archive's ring,
// and none is of its recipients: that says nothing of the archive.
func (b *Book) Drill(ctx context.Context, o DrillOptions) (done Drilled, err error) {
	clock := b.options.Clock
	at, err := b.attested(ctx)
	if err != nil {
		return done, err
	}
	backup, err := b.Backup(ctx, nil)
	if err != nil {
		return done, err
	}
	done.Archive = backup.To
	place, err := archive.Open(backup.To, clock.Now)
	if err != nil {
		return done, err
	}
	if copied, err := (archive.Log{Place: place, Origin: b.Info.Origin}).OpenRing(ctx, o.Identities); err == nil {
		clear(copied.Root)
	} else if errors.Is(err, archive.ErrIdentity) && !o.Identities.Of(backup.Recipients) {
		return done, err
	} // anything else is for the drill to find
	begun := clock.Elapsed()
	head, failure := b.try(ctx, o, place, at)
	if err := ctx.Err(); err != nil {
		return done, err
	}
	done.Milliseconds = int((clock.Elapsed() - begun).Milliseconds())
	if head.Size > 0 {
		restored := checkpointOf(b.Info.Origin, head)
		done.Restored = &restored
	}
	if failure != nil {
		done.Failure = oneLine(failure)
	}
	done.Receipt, err = b.Do(ctx, ledger.Envelope{
		ID: o.ID, Principal: o.Principal, Command: &book.RecordDrill{Book: b.Info.Book, Drill: done.Drill},
	})
	return done, err
}

// attested gives the hashes of the views as far as the log was acknowledged.
func (b *Book) attested(ctx context.Context) (_ views.Attestation, err error) {
	v, err := b.OpenViews(ctx, nil)
	if err != nil {
		return views.Attestation{}, err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	if err := v.CatchUp(ctx); err != nil {
		return views.Attestation{}, err
	}
	return v.Attest(ctx)
}

// try restores to a scratch folder, and holds what came of it against the book.
func (b *Book) try(ctx context.Context, o DrillOptions, place archive.Place, want views.Attestation) (h page.Head, err error) {
	scratch, err := NewScratch(o.Scratch)
	if err != nil {
		return h, err
	}
	defer func() { err = errors.Join(err, scratch.Remove()) }()
	// What is brought back has all keys of the book: what opens them is not written.
	root, forget := keyring.Transient()
	defer forget()
	dir := filepath.Join(scratch.Dir, "book")
	restored, err := Restore{
		From: place, Origin: b.Info.Origin, Identities: o.Identities, Root: root, RingOptions: b.options.RingOptions,
		UntilSize: want.Cursor.Size, ReadOnly: true, Clock: b.options.Clock, Log: b.options.Log, Progress: o.Progress,
	}.Do(ctx, dir)
	if err != nil {
		return h, err
	}
	opened := Options{Root: root, RingOptions: b.options.RingOptions, Views: InFolder, Clock: b.options.Clock, Log: b.options.Log}
	if err := verifyDeeply(ctx, dir, opened); err != nil {
		return restored.Head, err
	}
	copied, err := Open(ctx, dir, opened)
	if err != nil {
		return restored.Head, err
	}
	got, err := copied.attested(ctx)
	if err := errors.Join(err, copied.Close(context.WithoutCancel(ctx))); err != nil {
		return restored.Head, err
	}
	return restored.Head, differ(want, got)
}

// verifyDeeply verifies a book that nobody else uses.
func verifyDeeply(ctx context.Context, dir string, o Options) (err error) {
	l, err := OpenLog(ctx, dir, 0, o.Log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close(context.WithoutCancel(ctx))) }()
	deep, err := OpenDeep(dir, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, deep.Close(context.WithoutCancel(ctx))) }()
	report, err := l.Verify(ctx, VerifyOptions{Deep: deep, Unkept: true})
	if err == nil && !report.OK {
		err = &report.Failures[0]
	}
	return err
}

// differ says which views are others.
func differ(want, got views.Attestation) error {
	var others []string
	for _, name := range slices.Sorted(maps.Keys(want.Views)) {
		if want.Views[name] != got.Views[name] {
			others = append(others, name)
		}
	}
	switch {
	case got.Cursor.Size != want.Cursor.Size || got.Cursor.Root != want.Cursor.Root:
		return fmt.Errorf("bookdir: what was brought back has size %d, and the book %d", got.Cursor.Size, want.Cursor.Size)
	case len(others) > 0:
		return fmt.Errorf("bookdir: these views of what was brought back are others than the book's: %s", strings.Join(others, ", "))
	}
	return nil
}

// oneLine is an error's text as it can be entered in the log.
func oneLine(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	if len(text) > maxFailure {
		text = strings.ToValidUTF8(text[:maxFailure], "")
	}
	return text
}

// maxFailure bounds the text of a failure, in bytes.
const maxFailure = 1000
