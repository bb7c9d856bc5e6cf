package bookdir

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/daybook-ledger/daybook/ledger"
)

// While another process writes to the archive, as a long backup does, or one whose disk
// stands still, a book whose receipts wait for it can be closed.
func TestClosingBesideAnotherBackup(t *testing.T) {
	a := newArchived(t)
	b, err := Open(t.Context(), a.dir, a.options)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.RequireArchive(true); err != nil {
		t.Fatal(err)
	}
	unlock, err := lockArchive(t.Context(), a.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := b.Do(ctx, register("Ada")); err == nil {
		t.Error("a receipt without the archive")
	}
	if _, err := b.Backup(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a backup beside another: %v", err)
	}
	closed := make(chan error, 1)
	go func() { closed <- b.Close(ctx) }()
	select {
	case <-closed:
	case <-time.After(20 * time.Second):
		t.Error("it is not closed when its context ends")
	}
}

// Receipts are given at once as soon as that is said, whoever has the archive.
func TestReceiptsAtOnceBesideAnotherBackup(t *testing.T) {
	a := newArchived(t)
	a.with(t, func(b *Book) {
		if err := b.RequireArchive(true); err != nil {
			t.Fatal(err)
		}
		unlock, err := lockArchive(t.Context(), a.dir)
		if err != nil {
			t.Fatal(err)
		}
		defer unlock()
		type answer struct {
			receipt ledger.Receipt
			err     error
		}
		answered := make(chan answer, 1)
		go func() {
			receipt, err := b.Do(context.Background(), register("Ada"))
			answered <- answer{receipt, err}
		}()
		select {
		case early := <-answered:
			t.Errorf("answered without the archive: %v", early.err)
		case <-time.After(100 * time.Millisecond):
		}
		if err := b.RequireArchive(false); err != nil {
			t.Fatal(err)
		}
		select {
		case late := <-answered:
			if late.err != nil || late.receipt.Position != 1 {
				t.Errorf("%+v, %v", late.receipt, late.err)
			}
		case <-time.After(20 * time.Second):
			t.Error("it waits all the same")
		}
	})
}

// A backup does not take back what was said of the archive while it ran, and what it
// wrote to a place that is left behind does not count for the next.
func TestSettingsThatChangeDuringABackup(t *testing.T) {
	a := newArchived(t)
	a.enter(t, true, "Ada")
	a.with(t, func(b *Book) {
		now, err := ReadArchive(a.dir)
		if err != nil {
			t.Fatal(err)
		}
		err = b.current().locked(t.Context(), func(r *backup) error {
			now.Every = time.Hour
			if err := errors.Join(b.ArchiveTo(t.Context(), now), b.RequireArchive(true), b.RememberDrillIdentity("/safe/drill")); err != nil {
				t.Fatal(err)
			}
			return r.keep()
		})
		if kept, e := ReadArchive(a.dir); err != nil || e != nil || kept.Every != time.Hour || !kept.Required || kept.DrillIdentity != "/safe/drill" || kept.Size != now.Size {
			t.Errorf("kept %+v, %v, %v", kept, err, e)
		}
		now.To = filepath.Join(t.TempDir(), "another")
		err = b.current().locked(t.Context(), func(r *backup) error {
			if err := b.ArchiveTo(t.Context(), now); err != nil {
				t.Fatal(err)
			}
			return r.keep()
		})
		if kept, e := ReadArchive(a.dir); !errors.Is(err, ErrArchiveMoved) || e != nil || kept.To != now.To || kept.Size != 0 {
			t.Errorf("kept %+v, %v, %v", kept, err, e)
		}
	})
}

// What is said of the archive while another place is tried stays said, and a place that
// was named meanwhile is not left behind.
func TestSettingsThatChangeWhileAPlaceIsTried(t *testing.T) {
	a := newArchived(t)
	a.enter(t, true, "Ada")
	a.with(t, func(b *Book) {
		if err := b.RequireArchive(true); err != nil {
			t.Fatal(err)
		}
		next, err := ReadArchive(a.dir)
		if err != nil {
			t.Fatal(err)
		}
		to := func(meanwhile func() error) error {
			next.To = filepath.Join(t.TempDir(), "another")
			now := b.link.options.Clock.Now
			b.link.options.Clock.Now = func() time.Time { // it is asked when the trying begins
				b.link.options.Clock.Now = now
				if err := meanwhile(); err != nil {
					t.Fatal(err)
				}
				return now()
			}
			return b.ArchiveTo(t.Context(), next)
		}
		err = to(func() error {
			same, err := ReadArchive(a.dir)
			same.Every = time.Hour
			return errors.Join(err, b.ArchiveTo(t.Context(), same), b.RequireArchive(false))
		})
		if kept, e := ReadArchive(a.dir); err != nil || e != nil || kept.To != next.To || kept.Required || kept.Every != time.Hour {
			t.Errorf("kept %+v, %v, %v", kept, err, e)
		}
		third := filepath.Join(t.TempDir(), "third")
		err = to(func() error {
			same, err := ReadArchive(a.dir)
			same.To = third
			return errors.Join(err, b.ArchiveTo(t.Context(), same))
		})
		if kept, e := ReadArchive(a.dir); !errors.Is(err, ErrArchiveMoved) || e != nil || kept.To != third {
			t.Errorf("kept %+v, %v, %v", kept, err, e)
		}
	})
}
