package bookdir

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/erasure"
	"github.com/daybook-ledger/daybook/eventstore/head"
	"github.com/daybook-ledger/daybook/eventstore/jetstream"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/projections"
	"github.com/daybook-ledger/daybook/projections/views"
)

// listing is every file of a folder, with a digest of what it holds.
func listing(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	found := map[string][32]byte{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			found[path] = [32]byte{}
			return err
		}
		data, err := os.ReadFile(path)
		found[path] = sha256.Sum256(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// same holds that a folder is as it was.
func same(t *testing.T, dir string, was map[string][32]byte) {
	t.Helper()
	is := listing(t, dir)
	for _, path := range slices.Sorted(maps.Keys(is)) {
		if before, there := was[path]; !there {
			t.Errorf("%s was not there", path)
		} else if before != is[path] {
			t.Errorf("%s is another", path)
		}
	}
	for path := range was {
		if _, there := is[path]; !there {
			t.Errorf("%s is gone", path)
		}
	}
}

// cut cuts bytes off the end of the log.
func cut(t *testing.T, dir string, bytes int64) {
	t.Helper()
	all := blocks(t, dir)
	info, err := os.Stat(all[len(all)-1])
	if err == nil {
		err = os.Truncate(all[len(all)-1], info.Size()-bytes)
	}
	if err != nil {
		t.Fatal(err)
	}
	dropIndex(t, dir)
}

// A repair that is refused leaves everything as it was.
func TestARefusedRepairChangesNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		damage func(t *testing.T, a *archived)
		repair func(r *Repair)
		is     func(error) bool
	}{
		"a loss that nobody accepted": {
			func(t *testing.T, a *archived) { cut(t, a.dir, 200) },
			func(r *Repair) { r.From = nil },
			func(err error) bool { var loss *Loss; return errors.As(err, &loss) },
		},
		"by who owns nothing": {
			func(t *testing.T, a *archived) { cut(t, a.dir, 200) },
			func(r *Repair) { r.From, r.AcceptLoss, r.Principal = nil, new(uint64(1)), "nobody" },
			func(err error) bool { var refusal *domain.Refusal; return errors.As(err, &refusal) },
		},
		"nothing is left": {
			func(t *testing.T, a *archived) { removeAll(t, filepath.Join(a.dir, "store")) },
			func(r *Repair) { r.From, r.AcceptLoss = nil, new(uint64(4)) },
			func(err error) bool { return errors.Is(err, ErrNothingLeft) },
		},
		"another's key": {
			func(t *testing.T, a *archived) { cut(t, a.dir, 200) },
			func(r *Repair) { r.Root = keyring.Passphrase([]byte("another")) },
			func(err error) bool { return errors.Is(err, keyring.ErrPassphrase) },
		},
		"nothing is wrong": {
			func(*testing.T, *archived) {}, func(*Repair) {},
			func(err error) bool { return errors.Is(err, ErrSound) },
		},
		"the identity is elsewhere": {
			func(t *testing.T, a *archived) {
				admin := openAdmin(t, a.dir, a.options)
				if err := errors.Join(admin.TakeOffline(filepath.Join(t.TempDir(), "identity")), admin.Close(t.Context())); err != nil {
					t.Fatal(err)
				}
				cut(t, a.dir, 200)
			},
			func(r *Repair) { r.From, r.AcceptLoss = nil, new(uint64(1)) },
			func(err error) bool { return errors.Is(err, ErrOffline) },
		},
		"an erasure is lost": {
			func(t *testing.T, a *archived) {
				a.erase(t)
				cut(t, a.dir, 200)
			},
			func(r *Repair) { r.From, r.AcceptLoss = nil, new(uint64(1)) },
			func(err error) bool { return errors.Is(err, ErrErasureLost) },
		},
		"the folder is older than its archive": {
			func(t *testing.T, a *archived) {
				old := t.TempDir()
				if err := os.CopyFS(old, os.DirFS(a.dir)); err != nil {
					t.Fatal(err)
				}
				a.enter(t, true, "Di", "Eve")
				removeAll(t, a.dir)
				if err := os.CopyFS(a.dir, os.DirFS(old)); err != nil {
					t.Fatal(err)
				}
			},
			func(*Repair) {},
			func(err error) bool { return errors.Is(err, ErrRingOlder) },
		},
		"the folder is older, and went on": {
			func(t *testing.T, a *archived) {
				old := t.TempDir()
				if err := os.CopyFS(old, os.DirFS(a.dir)); err != nil {
					t.Fatal(err)
				}
				a.enter(t, true, "Di", "Eve")
				removeAll(t, a.dir)
				if err := os.CopyFS(a.dir, os.DirFS(old)); err != nil {
					t.Fatal(err)
				}
				removeAll(t, filepath.Join(a.dir, "archive.json"))
				ring, err := keyring.Open(ringPath(a.dir), a.options.Root)
				if err != nil {
					t.Fatal(err)
				}
				_, err = ring.Reserve(keyring.Subject, 8)
				if err := errors.Join(err, ring.Close()); err != nil {
					t.Fatal(err)
				}
			},
			func(*Repair) {},
			func(err error) bool { return errors.Is(err, ErrRingOlder) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newArchived(t)
			a.enter(t, true, "Ada", "Bob", "Cy")
			c.damage(t, a)
			was := listing(t, a.dir)
			if _, err := a.repair(t, c.repair); !c.is(err) {
				t.Errorf("%v", err)
			}
			same(t, a.dir, was)
		})
	}
}

func removeAll(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

// erase registers a customer, and erases all of that.
func (a *archived) erase(t *testing.T) {
	t.Helper()
	e := register("Zoe")
	a.with(t, func(b *Book) {
		for _, e := range []ledger.Envelope{e, {
			ID: uuid.Must(uuid.NewV7()), Principal: "owner",
			Command: &erasure.Erase{Customer: e.Command.(*customer.Register).ID, Scope: customer.All, Reason: "asked"},
		}} {
			receipt, err := b.Do(t.Context(), e)
			if err != nil {
				t.Fatal(err)
			}
			a.receipts = append(a.receipts, receipt)
		}
	})
}

// A last page that held no commit is lost, and nothing with it: the log goes on, but
// under another name, for under the old one that page was signed.
func TestALostPageWithoutCommits(t *testing.T) {
	t.Parallel()
	for _, withArchive := range []bool{true, false} {
		t.Run(fmt.Sprintf("archive=%t", withArchive), func(t *testing.T) {
			a := newArchived(t)
			a.enter(t, true, "Ada", "Bob")
			a.with(t, func(b *Book) {
				refused := register("Cy")
				refused.Principal = "nobody"
				var refusal *domain.Refusal
				if _, err := b.Do(t.Context(), refused); !errors.As(err, &refusal) {
					t.Fatalf("%v", err)
				}
			})
			cut(t, a.dir, 60)
			if _, err := Open(t.Context(), a.dir, a.options); !errors.Is(err, ledger.ErrLogShort) {
				t.Fatalf("%v", err)
			}
			done, err := a.repair(t, func(r *Repair) {
				if !withArchive {
					r.From = nil
				}
			})
			if err != nil || done.Loss != nil || done.Info.Epoch != 2 || done.Head.Size != 3 {
				t.Fatalf("%+v, %v", done, err)
			}
			sound(t, a.dir, a.options, a.receipts...)
			a.enter(t, false, "Di")
			sound(t, a.dir, a.options, a.receipts...)
			if _, err := a.repair(t, func(r *Repair) { r.From = nil }); !errors.Is(err, ErrSound) {
				t.Errorf("%v", err)
			}
		})
	}
}

// An erasure that the archive has comes back with its page.
func TestALostErasureIsArchived(t *testing.T) {
	t.Parallel()
	a := newArchived(t)
	a.enter(t, false, "Ada")
	a.erase(t)
	a.with(t, func(b *Book) { a.backup(t, b) })
	cut(t, a.dir, 200)
	done, err := a.repair(t, nil)
	if err != nil || done.Loss != nil || done.Begun || done.Mended == 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	a.enter(t, false, "Bob")
	sound(t, a.dir, a.options, a.receipts...)
}

// An epoch may be lost whole, or not be brought back: the next goes on from the one
// before it.
func TestALostEpoch(t *testing.T) {
	t.Parallel()
	a := newArchived(t)
	a.enter(t, true, "Ada", "Bob")
	remove(t, filepath.Join(a.dir, "head"))
	if done, err := a.repair(t, nil); err != nil || done.Info.Epoch != 2 {
		t.Fatalf("%+v, %v", done, err)
	}
	recipient := a.ids[0].(*age.X25519Identity).Recipient().String()
	a.with(t, func(b *Book) {
		if err := b.ArchiveTo(t.Context(), Archive{To: a.to, Recipients: []string{recipient}}); err != nil {
			t.Fatal(err)
		}
		a.backup(t, b)
	})
	dir, o, restored, err := a.restore(t, func(r *Restore) { r.UntilSize, r.AcceptLoss = 2, new(uint64(2)) })
	if err != nil || restored.Info.Epoch != 2 {
		t.Fatalf("%+v, %v", restored, err)
	}
	sound(t, dir, o, a.receipts[0])
	cut(t, a.dir, 200)
	done, err := a.repair(t, func(r *Repair) { r.From, r.AcceptLoss = nil, new(uint64(1)) })
	if err != nil || done.Info.Epoch != 3 || done.Head.Size != 3 {
		t.Fatalf("%+v, %v", done, err)
	}
	a.enter(t, false, "Cy")
	sound(t, a.dir, a.options, a.receipts...)
}

// Keys that were made while a repair was under way are not undone.
func TestTheRingIsChangedMeanwhile(t *testing.T) {
	t.Parallel()
	a := newArchived(t)
	a.enter(t, false, "Ada", "Bob")
	cut(t, a.dir, 200)
	var was map[string][32]byte
	_, err := a.repair(t, func(r *Repair) {
		r.From, r.AcceptLoss = nil, new(uint64(1))
		r.step = func(at string) {
			if at != "complete" {
				return
			}
			ring, err := keyring.Open(ringPath(a.dir), a.options.Root)
			if err == nil {
				_, err = ring.New(keyring.View)
				err = errors.Join(err, ring.Close())
			}
			if err != nil {
				t.Error(err)
			}
			was = listing(t, a.dir)
		}
	})
	if !errors.Is(err, ErrBusy) {
		t.Errorf("%v", err)
	}
	maps.DeleteFunc(was, func(path string, _ [32]byte) bool { return strings.Contains(path, repairingName) })
	same(t, a.dir, was)
}

// A process that finds no log, while a repair exchanges the two, stands in nobody's way.
func TestTheBookIsOpenedMeanwhile(t *testing.T) {
	t.Parallel()
	a := newArchived(t)
	a.enter(t, false, "Ada", "Bob")
	a.receipts = a.receipts[:1]
	cut(t, a.dir, 200)
	_, err := a.repair(t, func(r *Repair) {
		r.From, r.AcceptLoss = nil, new(uint64(1))
		r.step = func(at string) {
			if at != "replaced" {
				return
			}
			// As one that had read book.json before, to verify the log.
			lock, err := jetstream.Lock(filepath.Join(a.dir, "store"))
			if err == nil {
				err = lock.Close()
			}
			if err != nil {
				t.Error(err)
			}
		}
	})
	if err == nil {
		t.Error("there is no second store")
	}
	if done, is, err := (Repair{}).Finish(a.dir); err != nil || !is || done.Info.Epoch != 2 {
		t.Fatalf("%+v, %v", done, err)
	}
	a.enter(t, false, "Cy")
	sound(t, a.dir, a.options, a.receipts...)
}

// What the server keeps of a log besides its blocks can be made anew around them.
func TestBlocksAreReadByThemselves(t *testing.T) {
	t.Parallel()
	for file, damage := range map[string]func(path string) error{
		"meta.inf":  os.Remove,
		"meta.sum":  os.Remove,
		"meta.inf ": func(path string) error { return os.WriteFile(path, []byte("{"), 0o600) },
	} {
		t.Run(file, func(t *testing.T) {
			a := newArchived(t)
			a.enter(t, false, "Ada", "Bob", "Cy")
			a.with(t, func(b *Book) { list(t, b) })
			views := listing(t, filepath.Join(a.dir, "views"))
			found, err := filepath.Glob(filepath.Join(a.dir, "store", "jetstream", "*", "streams", "*", strings.TrimSpace(file)))
			if err != nil || len(found) != 1 {
				t.Fatal(found, err)
			}
			if err := damage(found[0]); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(t.Context(), a.dir, a.options); !errors.Is(err, jetstream.ErrNoStream) {
				t.Fatalf("%v", err)
			}
			done, err := a.repair(t, func(r *Repair) { r.From = nil })
			if err != nil || done.Loss != nil || done.Begun || done.Head.Size != 4 {
				t.Fatalf("%+v, %v", done, err)
			}
			same(t, filepath.Join(a.dir, "views"), views) // they are of this log
			sound(t, a.dir, a.options, a.receipts...)
			a.enter(t, true, "Di")
			a.with(t, func(b *Book) { list(t, b) })
			sound(t, a.dir, a.options, a.receipts...)
		})
	}
}

// A book whose epoch nothing opens takes no commands until a repair opens it.
func TestAnUnopenedEpoch(t *testing.T) {
	t.Parallel()
	a := newArchived(t)
	a.enter(t, false, "Ada")
	l := &link{dir: a.dir, info: info(t, a.dir), options: a.options}
	signer, err := l.unlock()
	if err != nil {
		t.Fatal(err)
	}
	done := Repaired{Begun: true}
	done.Info = l.info
	a.with(t, func(b *Book) {
		if done.Head, err = b.Head(); err != nil {
			t.Fatal(err)
		}
	})
	// As a release did that was cut short on the way.
	if _, err := (Repair{}).begin(a.dir, &done, l.keys, signer.Verifier()); err != nil {
		t.Fatal(err)
	}
	remove(t, filepath.Join(a.dir, "head"))
	if err := errors.Join(l.close(t.Context()), lay(a.dir, done.Info, head.Head{Epoch: 2, Head: done.Head})); err != nil {
		t.Fatal(err)
	}
	var refusal *domain.Refusal
	a.with(t, func(b *Book) {
		if _, err := b.Do(t.Context(), register("Bob")); !errors.As(err, &refusal) || refusal.Code != ledger.CodeEpochUnopened {
			t.Errorf("%v", err)
		}
	})
	again, err := a.repair(t, func(r *Repair) { r.From = nil })
	if err != nil || again.Info.Origin != done.Info.Origin || again.Begun {
		t.Fatalf("%+v, %v", again, err)
	}
	a.enter(t, false, "Bob")
	sound(t, a.dir, a.options, a.receipts...)
}

// list brings the views up to date.
func list(t *testing.T, b *Book) {
	t.Helper()
	v, err := b.OpenViews(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(v.CatchUp(t.Context()), v.Close()); err != nil {
		t.Error(err)
	}
}

// Lists that show what a repair gave up are made anew, though they are ahead of the log;
// where no repair says so, only by who says so.
func TestListsOfWhatWasGivenUp(t *testing.T) {
	t.Parallel()
	a := newArchived(t)
	a.enter(t, true, "Ada", "Bob")
	a.enter(t, false, "Cy", "Di", "Eve")
	o := a.options
	o.Views = InFolder
	lists := func(dir string) (names []string, err error) {
		t.Helper()
		inBook(t, dir, o, func(b *Book) {
			v, e := b.OpenViews(t.Context(), nil)
			if e != nil {
				t.Fatal(e)
			}
			defer v.Close()
			if err = v.CatchUp(t.Context()); err != nil {
				return
			}
			found, e := v.Customers(t.Context(), views.CustomerFilter{Sort: "registered"})
			if err = e; err == nil {
				for _, c := range found.Customers {
					names = append(names, c.Name)
				}
			}
		})
		return names, err
	}
	if names, err := lists(a.dir); err != nil || len(names) != 5 {
		t.Fatalf("%q, %v", names, err)
	}
	begun := copyOf(t, a.dir) // where a rebuild was cut short, besides
	inBook(t, begun, o, func(b *Book) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if err := b.RebuildViews(ctx, views.Rebuild{}, func(done, last uint64) {
			if done == last {
				cancel()
			}
		}); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	})
	for _, dir := range []string{a.dir, begun} {
		if err := os.RemoveAll(filepath.Join(dir, "store")); err != nil {
			t.Fatal(err)
		}
		of := *a
		of.dir = dir
		if _, err := of.repair(t, func(r *Repair) { r.AcceptLoss = new(uint64(3)) }); err != nil {
			t.Fatal(err)
		}
	}
	inBook(t, begun, o, func(b *Book) {
		if err := b.RebuildViews(t.Context(), views.Rebuild{}, nil); err != nil {
			t.Error(err)
		}
	})
	if names, err := lists(begun); err != nil || len(names) != 2 {
		t.Errorf("where a rebuild had begun: %q, %v", names, err)
	}
	unsaid := copyOf(t, a.dir)
	if names, err := lists(a.dir); err != nil || len(names) != 2 {
		t.Errorf("%q, %v", names, err)
	}
	if _, err := os.Stat(filepath.Join(a.dir, formerName)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("they are made anew again: %v", err)
	}
	if err := os.Remove(filepath.Join(unsaid, formerName)); err != nil {
		t.Fatal(err)
	}
	if names, err := lists(unsaid); !errors.Is(err, projections.ErrRebuild) {
		t.Errorf("lists that are ahead of the log: %q, %v", names, err)
	}
	inBook(t, unsaid, o, func(b *Book) {
		if err := b.RebuildViews(t.Context(), views.Rebuild{}, nil); err != nil {
			t.Error(err)
		}
	})
	if names, err := lists(unsaid); err != nil || len(names) != 2 {
		t.Errorf("made anew: %q, %v", names, err)
	}
}
