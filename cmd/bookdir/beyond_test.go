package bookdir

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"filippo.io/age"
	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/erasure"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/ledger/commit"
	"github.com/daybook-ledger/daybook/projections/views"
)

// people are customers of a book by name.
type people map[string]uuid.UUID

func (p people) enter(t *testing.T, b *Book, names ...string) {
	t.Helper()
	for _, name := range names {
		e := register(name)
		p[name] = e.Command.(*customer.Register).ID
		if _, err := b.Do(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

func (p people) erase(t *testing.T, b *Book, name string, scope customer.Scope) {
	t.Helper()
	_, err := b.Do(t.Context(), ledger.Envelope{
		ID: uuid.Must(uuid.NewV7()), Principal: "owner",
		Command: &erasure.Erase{Customer: p[name], Scope: scope, Reason: "asked"},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// check looks in a book for who is erased and who is not.
func (p people) check(t *testing.T, dir string, o Options, erased map[string]bool) {
	t.Helper()
	sound(t, dir, o)
	o.Views = InFolder
	inBook(t, dir, o, func(b *Book) {
		v, err := b.OpenViews(t.Context(), nil)
		if err == nil {
			err = v.CatchUp(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		for name, is := range erased {
			got, err := v.Customer(t.Context(), p[name])
			if err != nil || got.Erased != is || (got.Name == "") != is {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
		}
	})
}

// TestErasedBeyondTheEndOfACopy: who was erased after the moment that a copy shows is
// erased in it, whatever ring came back, and nobody else is.
func TestErasedBeyondTheEndOfACopy(t *testing.T) {
	t.Parallel()
	for _, readOnly := range []bool{true, false} {
		for _, stale := range []bool{true, false} {
			t.Run(fmt.Sprintf("read-only=%t, stale=%t", readOnly, stale), func(t *testing.T) {
				a := newArchived(t)
				p := people{}
				ring := filepath.Join(a.to, info(t, a.dir).Origin, "ring.age")
				a.with(t, func(b *Book) {
					p.enter(t, b, "Ada", "Bob", "Cy", "Di", "Eve")
					p.erase(t, b, "Di", customer.Contact)
					a.backup(t, b)
				})
				until := uint64(7)
				old, err := os.ReadFile(ring)
				if err != nil {
					t.Fatal(err)
				}
				a.with(t, func(b *Book) {
					p.enter(t, b, "Fay")
					p.erase(t, b, "Ada", customer.All)
					p.erase(t, b, "Fay", customer.All)
					p.erase(t, b, "Bob", customer.Contact)
					a.backup(t, b)
					p.erase(t, b, "Cy", customer.Contact)
					p.erase(t, b, "Cy", customer.All)
					p.erase(t, b, "Di", customer.All)
					a.backup(t, b)
				})
				if stale {
					if err := os.WriteFile(ring, old, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				dir, o, done, err := a.restore(t, func(r *Restore) {
					r.ReadOnly, r.UntilSize = readOnly, until
					if !readOnly {
						r.AcceptLoss = new(uint64(7))
					}
				})
				if err != nil || done.Head.Size != until {
					t.Fatalf("%+v, %v", done, err)
				}
				erased := map[string]bool{"Ada": true, "Bob": true, "Cy": true, "Di": true, "Eve": false}
				p.check(t, dir, o, erased)
				p.check(t, dir, o, erased) // as later openings find it
				if readOnly {
					return
				}
				inBook(t, dir, o, func(b *Book) {
					change := ledger.Envelope{ID: uuid.Must(uuid.NewV7()), Principal: "owner", Command: &customer.Change{
						ID: p["Ada"], Country: "GB", Personal: &customer.Profile{Name: "Ada"},
					}}
					var refusal *domain.Refusal
					if _, err := b.Do(t.Context(), change); !errors.As(err, &refusal) || refusal.Code != "customer-erased" {
						t.Errorf("%v", err)
					}
					recipient := a.ids[0].(*age.X25519Identity).Recipient().String()
					if err := b.ArchiveTo(t.Context(), Archive{To: a.to, Recipients: []string{recipient}}); err != nil {
						t.Fatal(err)
					}
					a.backup(t, b)
				})
				// The new epoch's own archive proves them again, whole and cut short.
				for _, size := range []uint64{0, until} {
					dir, o, _, err := a.restore(t, func(r *Restore) { r.ReadOnly, r.UntilSize = true, size })
					if err != nil {
						t.Fatal(err)
					}
					p.check(t, dir, o, erased)
				}
			})
		}
	}
}

// TestAProofThatIsNone: a copy takes no erasure as proved that its pages do not prove.
func TestAProofThatIsNone(t *testing.T) {
	t.Parallel()
	a := newArchived(t)
	p := people{}
	a.with(t, func(b *Book) {
		p.enter(t, b, "Ada", "Bob")
		p.erase(t, b, "Ada", customer.All)
		a.backup(t, b)
	})
	dir, o, _, err := a.restore(t, func(r *Restore) { r.ReadOnly, r.UntilSize = true, 3 })
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(beyondPath(dir))
	if err != nil {
		t.Fatal(err)
	}
	altered := append([]byte(nil), whole...)
	altered[len(altered)/2] ^= 1
	for name, content := range map[string][]byte{"none": nil, "no pages": []byte("[]"), "no form": []byte("{"), "altered": altered} {
		if err := os.WriteFile(beyondPath(dir), content, 0o600); err != nil {
			t.Fatal(err)
		}
		if content == nil {
			remove(t, beyondPath(dir))
		}
		if err := errors.Join(os.RemoveAll(filepath.Join(dir, "state.db")), os.RemoveAll(filepath.Join(dir, "views"))); err != nil {
			t.Fatal(err)
		}
		b, err := Open(t.Context(), dir, o)
		if err == nil { // where the state file survives only the log's readers see it
			err = b.RebuildViews(t.Context(), views.Rebuild{}, nil)
			_ = b.Close(context.Background())
		}
		if !errors.Is(err, commit.ErrNotErased) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A backup that ends after it wrote the ring, from which keys are gone, and before it
// wrote the pages, leaves an archive that comes back as far as its pages go.
func TestABackupEndsAfterTheRing(t *testing.T) {
	t.Parallel()
	a := newArchived(t)
	p := people{}
	a.with(t, func(b *Book) {
		p.enter(t, b, "Ada", "Bob")
		a.backup(t, b)
		p.enter(t, b, "Cy")
		p.erase(t, b, "Ada", customer.All)
		p.enter(t, b, "Di")
		if err := b.current().upToDate(t.Context(), func(r *backup, to page.Head) error { return r.begin(t.Context(), to) }); err != nil {
			t.Fatal(err)
		}
	})
	_, _, _, err := a.restore(t, nil)
	var unsound *Unsound
	if !errors.As(err, &unsound) || unsound.Sound != 3 || unsound.Known != 5 {
		t.Fatalf("all of it: %v", err)
	}
	for _, readOnly := range []bool{true, false} {
		dir, o, done, err := a.restore(t, func(r *Restore) {
			if r.ReadOnly, r.UntilSize = readOnly, 3; !readOnly {
				r.AcceptLoss = new(uint64(2))
			}
		})
		if err != nil || done.Head.Size != 3 {
			t.Fatalf("read-only=%t: %+v, %v", readOnly, done, err)
		}
		p.check(t, dir, o, map[string]bool{"Ada": true, "Bob": false})
	}
	a.with(t, func(b *Book) { a.backup(t, b) }) // gone on with
	dir, o, done, err := a.restore(t, nil)
	if err != nil || done.Head.Size != 6 || done.Loss != nil {
		t.Fatalf("%+v, %v", done, err)
	}
	p.check(t, dir, o, map[string]bool{"Ada": true, "Bob": false, "Cy": false, "Di": false})
}
