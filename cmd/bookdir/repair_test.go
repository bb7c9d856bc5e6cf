package bookdir

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/daybook-ledger/daybook/eventstore/jetstream"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
)

// repair repairs the book from its archive.
func (a *archived) repair(t *testing.T, change func(*Repair)) (Repaired, error) {
	t.Helper()
	r := Repair{From: a.place, Identities: a.ids, Root: a.options.Root, Principal: "owner", Clock: SystemClock(), Log: quiet()}
	if change != nil {
		change(&r)
	}
	return r.Do(t.Context(), a.dir)
}

// blocks are the files of the log.
func blocks(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "store", "jetstream", "*", "streams", "*", "msgs", "*.blk"))
	if err != nil || len(found) == 0 {
		t.Fatal(found, err)
	}
	return found
}

// flipIn turns a bit of a block where a text is.
func flipIn(t *testing.T, dir, text string) {
	t.Helper()
	for _, path := range blocks(t, dir) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if at := bytes.Index(data, []byte(text)); at >= 0 {
			data[at] ^= 1
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("%q is in no block", text)
}

// dropIndex removes what would spare the server the reading of its blocks.
func dropIndex(t *testing.T, dir string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "store", "jetstream", "*", "streams", "*", "msgs", "index.db"))
	if err != nil || len(found) == 0 {
		t.Fatal(found, err)
	}
	for _, path := range found {
		remove(t, path)
	}
}

func TestALogIsMended(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		damage func(t *testing.T, a *archived)
		mended uint64 // at least
	}{
		"a bit of a page": {func(t *testing.T, a *archived) { flipIn(t, a.dir, "\npage 3\n") }, 1},
		"a bit, and no index": {func(t *testing.T, a *archived) {
			flipIn(t, a.dir, "\npage 3\n")
			dropIndex(t, a.dir)
		}, 1},
		"the end cut off": {func(t *testing.T, a *archived) {
			all := blocks(t, a.dir)
			info, err := os.Stat(all[len(all)-1])
			if err == nil {
				err = os.Truncate(all[len(all)-1], info.Size()*2/3)
			}
			if err != nil {
				t.Fatal(err)
			}
			dropIndex(t, a.dir)
		}, 1},
		"all of it": {func(t *testing.T, a *archived) {
			if err := os.RemoveAll(filepath.Join(a.dir, "store", "jetstream")); err != nil {
				t.Fatal(err)
			}
		}, 6},
		"the folder": {func(t *testing.T, a *archived) {
			if err := os.RemoveAll(filepath.Join(a.dir, "store")); err != nil {
				t.Fatal(err)
			}
		}, 6},
	} {
		t.Run(name, func(t *testing.T) {
			a := newArchived(t)
			a.enter(t, true, "Ada", "Bob", "Cy")
			before := sound(t, a.dir, a.options, a.receipts...)
			c.damage(t, a)
			done, err := a.repair(t, nil)
			if err != nil {
				t.Fatal(err)
			}
			if done.Mended < c.mended || done.Loss != nil || done.Info.Epoch != 1 || done.Head.Root != before.Root {
				t.Errorf("%+v", done)
			}
			if after := sound(t, a.dir, a.options, a.receipts...); after.Root != before.Root || after.Pages != before.Pages {
				t.Errorf("%+v, before %+v", after, before)
			}
			a.enter(t, true, "Di") // and it goes on
			sound(t, a.dir, a.options, a.receipts...)
			if _, err := os.Stat(filepath.Join(done.Kept, "store")); err != nil {
				t.Errorf("the damaged log was not kept: %v", err)
			}
			if _, err := a.repair(t, nil); !errors.Is(err, ErrSound) {
				t.Errorf("repaired again: %v", err)
			}
		})
	}
}

// What was acknowledged after the last backup survives, if the disk still has it.
func TestWhatTheArchiveLacksSurvives(t *testing.T) {
	t.Parallel()
	a := newArchived(t)
	a.enter(t, true, "Ada", "Bob")
	a.enter(t, false, "Cy", "Di")
	flipIn(t, a.dir, "\npage 3\n")
	done, err := a.repair(t, nil)
	if err != nil || done.Mended != 1 || done.Loss != nil {
		t.Fatalf("%+v, %v", done, err)
	}
	sound(t, a.dir, a.options, a.receipts...)
}

func TestWhatStaysLostMustBeAccepted(t *testing.T) {
	t.Parallel()
	for _, withArchive := range []bool{true, false} {
		t.Run(fmt.Sprintf("archive=%t", withArchive), func(t *testing.T) {
			a := newArchived(t)
			a.enter(t, true, "Ada", "Bob")
			a.enter(t, false, "Cy", "Di", "Eve")
			flipIn(t, a.dir, "\npage 8\n") // of what was not archived
			sources := func(r *Repair) {
				if !withArchive {
					r.From = nil
				}
			}
			var loss *Loss
			if _, err := a.repair(t, sources); !errors.As(err, &loss) || loss.Known != 6 {
				t.Fatalf("%v", err)
			}
			if _, err := os.Stat(filepath.Join(a.dir, repairingName)); err == nil {
				t.Error("a repair that was refused left its log behind")
			}
			if _, err := a.repair(t, func(r *Repair) { sources(r); r.AcceptLoss = new(loss.Commits() + 1) }); !errors.As(err, &loss) {
				t.Fatalf("%v", err)
			}
			done, err := a.repair(t, func(r *Repair) { sources(r); r.AcceptLoss = new(loss.Commits()) })
			if err != nil || done.Info.Epoch != 2 || done.Loss.Commits() != loss.Commits() {
				t.Fatalf("%+v, %v", done, err)
			}
			kept := a.receipts[:0:0]
			for _, r := range a.receipts {
				if r.Position < loss.Restored {
					kept = append(kept, r)
				}
			}
			sound(t, a.dir, a.options, kept...)
			a.enter(t, false, "Flo")
			a.with(t, func(b *Book) {
				v, err := b.OpenViews(t.Context(), nil)
				if err != nil {
					t.Fatal(err)
				}
				if err := errors.Join(v.CatchUp(t.Context()), v.Close()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Without the remembered head nobody knows what was lost: the log goes on under
// another name.
func TestAMissingHeadBeginsAnEpoch(t *testing.T) {
	t.Parallel()
	a := newArchived(t)
	a.enter(t, true, "Ada")
	remove(t, filepath.Join(a.dir, "head"))
	done, err := a.repair(t, nil)
	if err != nil || done.Info.Epoch != 2 || done.Loss != nil || done.Head.Size != 2 {
		t.Fatalf("%+v, %v", done, err)
	}
	sound(t, a.dir, a.options, a.receipts...)
}

func TestARepairNeedsTheBookForItself(t *testing.T) {
	a := newArchived(t)
	a.enter(t, true, "Ada")
	a.with(t, func(*Book) {
		if _, err := a.repair(t, nil); !errors.Is(err, jetstream.ErrHeld) {
			t.Errorf("%v", err)
		}
	})
	if _, err := a.repair(t, func(r *Repair) { r.Root = keyring.KeyFile(keyFile(t)) }); !errors.Is(err, keyring.ErrPassphrase) {
		t.Errorf("%v", err)
	}
	sound(t, a.dir, a.options, a.receipts...)
}
