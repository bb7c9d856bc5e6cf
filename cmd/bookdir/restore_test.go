package bookdir

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/erasure"
	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/archive"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/projections/views"
)

// archived is a book with an archive, and the escrow key to it.
type archived struct {
	dir, to string
	options Options
	ids     archive.Identities
	place   archive.Place
	// receipts are those of every command.
	receipts []ledger.Receipt
}

func newArchived(t *testing.T) *archived {
	t.Helper()
	return archivedOf(t, create)
}

func archivedOf(t *testing.T, create func(*testing.T) (string, Options)) *archived {
	t.Helper()
	escrow, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	a := &archived{to: filepath.Join(t.TempDir(), "elsewhere"), ids: archive.Identities{escrow}}
	a.dir, a.options = create(t)
	if a.place, err = archive.Open(a.to, time.Now); err != nil {
		t.Fatal(err)
	}
	a.with(t, func(b *Book) {
		if err := b.ArchiveTo(t.Context(), Archive{To: a.to, Recipients: []string{escrow.Recipient().String()}}); err != nil {
			t.Fatal(err)
		}
	})
	return a
}

// with opens the book for a moment.
func (a *archived) with(t *testing.T, do func(b *Book)) {
	t.Helper()
	inBook(t, a.dir, a.options, do)
}

func inBook(t *testing.T, dir string, o Options, do func(b *Book)) {
	t.Helper()
	b, err := Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	do(b)
	if err := b.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// enter registers customers, and backs up unless told not to.
func (a *archived) enter(t *testing.T, backup bool, names ...string) {
	t.Helper()
	a.with(t, func(b *Book) {
		for _, name := range names {
			receipt, err := b.Do(t.Context(), register(name))
			if err != nil {
				t.Fatal(err)
			}
			a.receipts = append(a.receipts, receipt)
		}
		if backup {
			a.backup(t, b)
		}
	})
}

func (a *archived) backup(t *testing.T, b *Book) Archived {
	t.Helper()
	done, err := b.Backup(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// restore restores to a new folder under another root key.
func (a *archived) restore(t *testing.T, change func(*Restore)) (string, Options, Restored, error) {
	t.Helper()
	o := Options{Root: keyring.KeyFile(keyFile(t)), Clock: SystemClock(), Log: quiet()}
	r := Restore{From: a.place, Identities: a.ids, Root: o.Root, Principal: "owner", Clock: o.Clock, Log: o.Log}
	if change != nil {
		change(&r)
	}
	dir := filepath.Join(t.TempDir(), "restored")
	done, err := r.Do(t.Context(), dir)
	if err != nil {
		if _, there := os.Stat(dir); there == nil {
			t.Errorf("a restore that failed left %s", dir)
		}
	}
	return dir, o, done, err
}

// sound verifies a whole book, deeply.
func sound(t *testing.T, dir string, o Options, receipts ...ledger.Receipt) Report {
	t.Helper()
	l, err := OpenLog(t.Context(), dir, 0, quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close(context.Background())
	deep, err := OpenDeep(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	var given []transparency.Receipt
	for _, r := range receipts {
		given = append(given, r.Receipt)
	}
	report, err := l.Verify(t.Context(), VerifyOptions{Deep: deep, Unkept: true, Receipts: given})
	if err := errors.Join(err, deep.Close(context.Background())); err != nil {
		t.Fatal(err)
	}
	if !report.OK {
		t.Fatalf("%+v", report.Failures)
	}
	return report
}

func TestABookIsBroughtBack(t *testing.T) {
	a := newArchived(t)
	a.enter(t, true, "Ada", "Bob")
	a.enter(t, true, "Cy")
	segments, err := archive.Log{Place: a.place, Origin: info(t, a.dir).Origin}.Segments(t.Context())
	if err != nil || len(segments) != 2 {
		t.Fatalf("%v, %v", segments, err)
	}
	dir, o, done, err := a.restore(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	was := info(t, a.dir)
	if done.Loss != nil || done.Head.Size != 4 || done.Info.Epoch != 2 || done.Info.Origin == was.Origin ||
		!strings.HasPrefix(done.Info.Origin, strings.TrimSuffix(was.Origin, "1")+"2-") {
		t.Errorf("%+v", done)
	}
	// Receipts of before hold, and commands of before are known.
	sound(t, dir, o, a.receipts...)
	inBook(t, dir, o, func(b *Book) {
		receipt, err := b.Do(t.Context(), register("Di"))
		if err != nil || receipt.Position != 5 {
			t.Errorf("position %d, %v", receipt.Position, err)
		}
		verifier, _ := done.Info.Verifier()
		if _, err := receipt.Verify(verifier); err != nil {
			t.Error(err)
		}
		// The same place takes the new epoch's archive beside the old one's.
		if err := b.ArchiveTo(t.Context(), Archive{To: a.to, Recipients: []string{a.ids[0].(*age.X25519Identity).Recipient().String()}}); err != nil {
			t.Fatal(err)
		}
		if done := a.backup(t, b); done.Size != 6 {
			t.Errorf("archived %d", done.Size)
		}
	})
	// The next restore is of the newest epoch; its store is opened anew after each page.
	defer func(was int) { laidTogether = was }(laidTogether)
	laidTogether = 1
	dir, o, done, err = a.restore(t, nil)
	if err != nil || done.Info.Epoch != 3 || done.Head.Size != 6 {
		t.Fatalf("%+v, %v", done, err)
	}
	sound(t, dir, o, a.receipts...)
	// The old book goes on by itself, and contradicts nobody.
	a.enter(t, true, "Eve")
	if _, _, _, err = a.restore(t, nil); err != nil {
		t.Error(err)
	}
}

// TestWhoMayNotOpenAnEpoch: whoever may not is told before the log is folded, which in
// a large book takes minutes.
func TestWhoMayNotOpenAnEpoch(t *testing.T) {
	t.Parallel()
	a := newArchived(t)
	a.enter(t, true, "Ada", "Bob")
	opened := false
	_, _, _, err := a.restore(t, func(r *Restore) {
		r.Principal = "mallory"
		elapsed := r.Clock.Elapsed
		r.Clock.Elapsed = func() time.Duration { opened = true; return elapsed() } // which a writer asks
	})
	var refusal *domain.Refusal
	if !errors.As(err, &refusal) || refusal.Code != "unknown-principal" || opened {
		t.Errorf("%v; a writer was opened: %v", err, opened)
	}
	if _, _, _, err := a.restore(t, func(r *Restore) { r.Principal, r.ReadOnly = "mallory", true }); err != nil {
		t.Errorf("a copy to be read only: %v", err)
	}
}

func info(t *testing.T, dir string) Info {
	t.Helper()
	i, err := ReadInfo(dir)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestALossIsSaidAndMustBeAccepted(t *testing.T) {
	t.Parallel()
	a := newArchived(t)
	a.enter(t, true, "Ada")
	a.enter(t, false, "Bob", "Cy")
	newest := a.receipts[2].Receipt.Checkpoint
	for name, accept := range map[string]*uint64{"nobody": nil, "too little": new(uint64(1)), "too much": new(uint64(3))} {
		var loss *Loss
		_, _, _, err := a.restore(t, func(r *Restore) { r.Expected, r.AcceptLoss = []Checkpoint{{Signed: newest}}, accept })
		if !errors.As(err, &loss) || loss.Restored != 2 || loss.Known != 4 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, _, err := a.restore(t, func(r *Restore) { r.AcceptLoss = new(uint64(2)) }); !errors.Is(err, ErrNoLoss) {
		t.Errorf("a loss that nobody knows of: %v", err)
	}
	dir, o, done, err := a.restore(t, func(r *Restore) { r.Expected, r.AcceptLoss = []Checkpoint{{Signed: newest}}, new(uint64(2)) })
	if err != nil || done.Loss == nil || done.Loss.Commits() != 2 {
		t.Fatalf("%+v, %v", done, err)
	}
	sound(t, dir, o, a.receipts[0])
	// The receipt of what was lost is not honoured, and says why.
	verifier, err := info(t, dir).Verifier()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.receipts[2].Verify(verifier); !errors.Is(err, page.ErrKeyRange) {
		t.Errorf("the receipt of what was lost: %v", err)
	}
}

func TestWhatTheArchiveLacks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(t *testing.T, a *archived, segments []string)
		want   error
	}{
		"a segment in the middle": {func(t *testing.T, _ *archived, s []string) { remove(t, s[1]) }, eventstore.ErrGap},
		"the ring": {func(t *testing.T, a *archived, _ []string) {
			remove(t, filepath.Join(a.to, info(t, a.dir).Origin, "ring.age"))
		}, archive.ErrNotFound},
		"a byte of a segment": {func(t *testing.T, _ *archived, s []string) { flip(t, s[0], -40) }, archive.ErrDamaged},
		"a byte of its head":  {func(t *testing.T, _ *archived, s []string) { flip(t, s[0], 120) }, archive.ErrDamaged},
		"its end":             {func(t *testing.T, _ *archived, s []string) { cutShort(t, s[0]) }, archive.ErrDamaged},
		"a byte of the ring": {func(t *testing.T, a *archived, _ []string) {
			flip(t, filepath.Join(a.to, info(t, a.dir).Origin, "ring.age"), -40)
		}, archive.ErrDamaged},
		"the list of keys": {func(t *testing.T, a *archived, _ []string) {
			path := filepath.Join(a.to, info(t, a.dir).Origin, "keys")
			text, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(path, bytes.Replace(text, []byte("serial 1"), []byte("serial 2"), 1), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}, transparency.ErrKeysSignature},
		"another segment under its name": {func(t *testing.T, _ *archived, s []string) {
			data, err := os.ReadFile(s[1])
			if err == nil {
				err = os.WriteFile(s[0], data, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}, archive.ErrDamaged},
		"the right identity": {func(t *testing.T, a *archived, _ []string) {
			other, err := age.GenerateX25519Identity()
			if err != nil {
				t.Fatal(err)
			}
			a.ids = archive.Identities{other}
		}, archive.ErrIdentity},
		"everything": {func(t *testing.T, a *archived, _ []string) {
			if err := os.RemoveAll(a.to); err != nil {
				t.Fatal(err)
			}
		}, ErrNoLog},
	} {
		t.Run(name, func(t *testing.T) {
			a := newArchived(t)
			for _, customer := range []string{"Ada", "Bob", "Cy"} {
				a.enter(t, true, customer)
			}
			segments, err := filepath.Glob(filepath.Join(a.to, info(t, a.dir).Origin, "segments", "*.age"))
			if err != nil || len(segments) != 3 {
				t.Fatal(segments, err)
			}
			c.change(t, a, segments)
			if _, _, _, err := a.restore(t, nil); !errors.Is(err, c.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// flip flips a bit at a place of a file, from its end where at is below zero.
func flip(t *testing.T, path string, at int) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[(at+len(data))%len(data)] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func cutShort(t *testing.T, path string) {
	t.Helper()
	if err := os.Truncate(path, 600); err != nil {
		t.Fatal(err)
	}
}

func TestACopyToBeReadOnly(t *testing.T) {
	t.Parallel()
	a := newArchived(t)
	a.enter(t, true, "Ada")
	time.Sleep(2 * time.Millisecond)
	moment := time.Now()
	a.enter(t, true, "Bob", "Cy")
	for name, until := range map[string]func(r *Restore){
		"a size": func(r *Restore) { r.UntilSize = 2 }, "a time": func(r *Restore) { r.UntilTime = moment },
	} {
		dir, o, done, err := a.restore(t, func(r *Restore) { r.ReadOnly = true; until(r) })
		if err != nil || done.Head.Size != 2 || done.Info.Epoch != 1 || done.Loss.Commits() != 2 {
			t.Fatalf("%s: %+v, %v", name, done, err)
		}
		sound(t, dir, o, a.receipts[0])
		inBook(t, dir, o, func(b *Book) {
			var refusal *domain.Refusal
			if _, err := b.Do(t.Context(), register("Di")); !errors.As(err, &refusal) || refusal.Code != "read-only" {
				t.Errorf("%s: %v", name, err)
			}
			if _, _, err := b.Checkpoint(); err == nil {
				t.Errorf("%s: it signs", name)
			}
		})
	}
}

// A folder that is copied and goes on twice must not mix in one archive.
func TestTwoCopiesOfABookShareNoArchive(t *testing.T) {
	t.Parallel()
	a := newArchived(t)
	a.enter(t, true, "Ada")
	twin := *a
	twin.dir = filepath.Join(t.TempDir(), "twin")
	if err := os.CopyFS(twin.dir, os.DirFS(a.dir)); err != nil {
		t.Fatal(err)
	}
	a.enter(t, true, "Bob")
	twin.enter(t, false, "Eve")
	twin.with(t, func(b *Book) {
		if _, err := b.Backup(t.Context(), nil); !errors.Is(err, ErrTwin) {
			t.Errorf("%v", err)
		}
	})
}

// What a folder forgot of its archive is found in the archive.
func TestABackupGoesOn(t *testing.T) {
	t.Parallel()
	a := newArchived(t)
	a.enter(t, true, "Ada")
	kept, err := os.ReadFile(archivePath(a.dir))
	if err != nil {
		t.Fatal(err)
	}
	a.enter(t, true, "Bob")
	if err := os.WriteFile(archivePath(a.dir), kept, 0o600); err != nil {
		t.Fatal(err)
	}
	a.with(t, func(b *Book) {
		if done := a.backup(t, b); done.Pages != 0 {
			t.Errorf("wrote %d pages again", done.Pages)
		}
		if done := a.backup(t, b); done.Pages != 0 {
			t.Errorf("wrote %d pages of nothing new", done.Pages)
		}
		if err := b.ArchiveTo(t.Context(), Archive{To: a.to, Recipients: []string{"age1" + strings.Repeat("q", 58)}}); !errors.Is(err, archive.ErrRecipients) && !errors.Is(err, ErrRecipientsChanged) {
			t.Errorf("other recipients: %v", err)
		}
	})
	dir, o, _, err := a.restore(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	sound(t, dir, o, a.receipts...)
}

// A folder whose disk is not mounted is empty, and no archive: nothing is written
// there, and nothing is missing when the disk is back.
func TestAnArchiveThatIsGone(t *testing.T) {
	t.Parallel()
	a := newArchived(t)
	a.enter(t, true, "Ada")
	away := a.to + ".away"
	if err := errors.Join(os.Rename(a.to, away), os.Mkdir(a.to, 0o700)); err != nil {
		t.Fatal(err)
	}
	a.enter(t, false, "Bob")
	a.with(t, func(b *Book) {
		if _, err := b.Backup(t.Context(), nil); !errors.Is(err, ErrArchiveGone) {
			t.Errorf("backup into an empty folder: %v", err)
		}
		if err := b.RequireArchive(true); err != nil {
			t.Fatal(err)
		}
	})
	if left, err := os.ReadDir(a.to); err != nil || len(left) > 0 {
		t.Errorf("the empty folder holds %v, %v", left, err)
	}
	if err := errors.Join(os.Remove(a.to), os.Rename(away, a.to)); err != nil {
		t.Fatal(err)
	}
	a.enter(t, false, "Eve") // its receipt waits for Bob's pages
	dir, o, _, err := a.restore(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	sound(t, dir, o, a.receipts...)
}

// Segments that were removed are written again, with all that follow.
func TestAnArchiveThatLostSegments(t *testing.T) {
	t.Parallel()
	for _, which := range []string{"first", "last", "all"} {
		t.Run(which, func(t *testing.T) {
			a := newArchived(t)
			for _, name := range []string{"Ada", "Bob", "Eve"} {
				a.enter(t, true, name)
			}
			segments, err := filepath.Glob(filepath.Join(a.to, "*", "*", "*", "segments", "*"))
			if err != nil || len(segments) < 3 {
				t.Fatal(segments, err)
			}
			slices.Sort(segments)
			gone := map[string][]string{"first": segments[:1], "last": segments[len(segments)-1:], "all": segments}[which]
			for _, path := range gone {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			}
			a.with(t, func(b *Book) {
				if done := a.backup(t, b); done.Pages == 0 {
					t.Error("nothing was written again")
				}
			})
			dir, o, _, err := a.restore(t, nil)
			if err != nil {
				t.Fatal(err)
			}
			sound(t, dir, o, a.receipts...)
		})
	}
}

func TestAnErasureReachesTheArchive(t *testing.T) {
	t.Parallel()
	for _, stale := range []bool{false, true} {
		t.Run(fmt.Sprintf("stale=%t", stale), func(t *testing.T) {
			a := newArchived(t)
			id := uuid.Must(uuid.NewV7())
			entered := register("Ada Lovelace")
			entered.Command.(*customer.Register).ID = id
			ring := filepath.Join(a.to, info(t, a.dir).Origin, "ring.age")
			a.with(t, func(b *Book) {
				if _, err := b.Do(t.Context(), entered); err != nil {
					t.Fatal(err)
				}
				a.backup(t, b)
			})
			old, err := os.ReadFile(ring)
			if err != nil {
				t.Fatal(err)
			}
			a.with(t, func(b *Book) {
				erase := ledger.Envelope{ID: uuid.Must(uuid.NewV7()), Principal: "owner", Command: &erasure.Erase{Customer: id, Scope: customer.All, Reason: "asked"}}
				if _, err := b.Do(t.Context(), erase); err != nil {
					t.Fatal(err)
				}
				a.backup(t, b)
			})
			now, err := os.ReadFile(ring)
			if err != nil || bytes.Equal(old, now) {
				t.Fatalf("the archived ring is the same, %v", err)
			}
			if stale { // as a bucket that keeps versions may give it back
				if err := os.WriteFile(ring, old, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			dir, o, _, err := a.restore(t, nil)
			if err != nil {
				t.Fatal(err)
			}
			sound(t, dir, o)
			inBook(t, dir, o, func(b *Book) {
				for stored, err := range b.Store().Read(t.Context(), 1, 100) {
					if err != nil {
						t.Fatal(err)
					}
					verifier, _ := b.Info.Verifier()
					p, err := verifier.Open(stored.Body)
					if err != nil {
						t.Fatal(err)
					}
					for _, raw := range p.Commits {
						c, err := b.Codec().Open(raw)
						if err != nil {
							t.Fatal(err)
						}
						if r, is := c.Command.(*customer.Register); is && r.Personal != nil {
							t.Errorf("what was erased was brought back: %+v", r.Personal)
						}
					}
				}
			})
		})
	}
}

func TestAnOfflineIdentityIsAskedFor(t *testing.T) {
	t.Parallel()
	a := newArchived(t)
	file := filepath.Join(t.TempDir(), "identity")
	admin := openAdmin(t, a.dir, a.options)
	if err := errors.Join(admin.TakeOffline(file), admin.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	a.enter(t, true, "Ada")
	if _, _, _, err := a.restore(t, nil); !errors.Is(err, ErrOffline) {
		t.Errorf("%v", err)
	}
	dir, o, _, err := a.restore(t, func(r *Restore) { r.Identity = file })
	if err != nil {
		t.Fatal(err)
	}
	sound(t, dir, o, a.receipts...)
	if _, _, _, err := a.restore(t, func(r *Restore) { r.Identity = file; r.Principal = "eve" }); err == nil {
		t.Error("somebody without a role opened an epoch")
	}
}

func TestAnOpenBookBacksUpOnItsSchedule(t *testing.T) {
	t.Parallel()
	a := newArchived(t)
	a.with(t, func(b *Book) {
		if err := b.ArchiveTo(t.Context(), Archive{To: a.to, Recipients: []string{a.ids[0].(*age.X25519Identity).Recipient().String()}, Every: time.Millisecond}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Do(t.Context(), register("Ada")); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			if at, err := ReadArchive(a.dir); err == nil && at.Size == 2 {
				return
			}
			if time.Now().After(end) {
				t.Fatal("nothing was archived")
			}
		}
	})
}

func TestAFolderThatIsNotEmptyIsLeftAlone(t *testing.T) {
	t.Parallel()
	a := newArchived(t)
	a.enter(t, true, "Ada")
	r := Restore{From: a.place, Identities: a.ids, Root: a.options.Root, Principal: "owner", Clock: SystemClock(), Log: quiet()}
	if _, err := r.Do(t.Context(), a.dir); !errors.Is(err, ErrExists) {
		t.Errorf("%v", err)
	}
	sound(t, a.dir, a.options, a.receipts...)
}

// TestViewsOfARestoredBook: the views in the folder are made while the book is opened
// for the first time, those elsewhere are not, and either come out as a rebuild gives
// them, filled in bulk or going forward.
func TestViewsOfARestoredBook(t *testing.T) {
	a := newArchived(t)
	a.enter(t, true, "Ada", "Bob", "Cleo")
	t.Cleanup(func() { inBulk = 5000 })
	for _, bulk := range []uint64{1, 5000} {
		inBulk = bulk
		for _, at := range []string{"", "postgres://nowhere.invalid/books"} {
			dir, o, done, err := a.restore(t, func(r *Restore) { r.Views = at })
			if err != nil {
				t.Fatal(err)
			}
			o.Views = InFolder
			inBook(t, dir, o, func(b *Book) {
				hashes := viewHashes(t, b, func(size uint64) {
					if made := at == ""; made && size != done.Head.Size || !made && size != 0 {
						t.Errorf("views at %q hold %d commits of %d", at, size, done.Head.Size)
					}
				})
				if err := b.RebuildViews(t.Context(), views.Rebuild{}, nil); err != nil {
					t.Fatal(err)
				}
				if again := viewHashes(t, b, func(uint64) {}); !maps.Equal(hashes, again) {
					t.Errorf("a rebuild gives %v, there was %v", again, hashes)
				}
			})
		}
	}
}

// viewHashes gives the hashes of the views at the end of the log; it tells before how many
// commits they hold.
func viewHashes(t *testing.T, b *Book, before func(size uint64)) map[string]views.Hash {
	t.Helper()
	v, err := b.OpenViews(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	s, err := v.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	before(s.Size)
	if err := v.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	hashes, err := v.Attest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return hashes.Views
}

// TestADamagedSegmentCostsNothingBeforeIt: a segment that is damaged or missing costs no
// commit before it, and the refusal says how much that is.
func TestADamagedSegmentCostsNothingBeforeIt(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(t *testing.T, path string){
		"damaged": func(t *testing.T, path string) { flip(t, path, -40) }, "missing": remove,
	} {
		t.Run(name, func(t *testing.T) {
			a := newArchived(t)
			a.enter(t, true, "Ada", "Bob", "Cy")
			a.enter(t, true, "Di", "Eve")
			a.enter(t, true, "Fay")
			segments, err := filepath.Glob(filepath.Join(a.to, info(t, a.dir).Origin, "segments", "*.age"))
			if err != nil || len(segments) != 3 {
				t.Fatal(segments, err)
			}
			harm(t, segments[1])
			var unsound *Unsound
			if _, _, _, err := a.restore(t, nil); !errors.As(err, &unsound) || unsound.Sound != 4 || unsound.Known != 7 || !errors.Is(err, eventstore.ErrGap) {
				t.Fatalf("%v", err)
			}
			if _, _, _, err := a.restore(t, func(r *Restore) { r.UntilSize = 6 }); !errors.As(err, &unsound) || unsound.Sound != 4 {
				t.Errorf("into what is damaged: %v", err)
			}
			dir, o, done, err := a.restore(t, func(r *Restore) { r.UntilSize, r.AcceptLoss = 4, new(uint64(3)) })
			if err != nil || done.Head.Size != 4 || done.Loss.Commits() != 3 {
				t.Fatalf("%+v, %v", done, err)
			}
			sound(t, dir, o, a.receipts[:3]...)
		})
	}
}

// By the list of keys of a later epoch an archive of an earlier one comes back up to where
// that begins, also where a key signed in it that began after that and so is in that list
// no more.
func TestAnEarlierArchiveByTheKeysOfALaterEpoch(t *testing.T) {
	t.Parallel()
	a := newArchived(t)
	a.enter(t, true, "Ada", "Bob")
	rotate(t, a.dir, a.options)
	a.enter(t, true, "Cy")
	later, _, _, err := a.restore(t, func(r *Restore) { r.UntilSize, r.AcceptLoss = 2, new(uint64(2)) })
	if err != nil {
		t.Fatal(err)
	}
	for _, readOnly := range []bool{true, false} {
		dir, o, done, err := a.restore(t, func(r *Restore) { r.ReadOnly, r.UntilSize, r.Trust = readOnly, 2, info(t, later).signed })
		if err != nil || done.Head.Size != 2 {
			t.Fatalf("read-only=%t: %+v, %v", readOnly, done, err)
		}
		sound(t, dir, o)
	}
}
