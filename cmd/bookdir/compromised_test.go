package bookdir

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"filippo.io/age"

	"github.com/daybook-ledger/daybook/eventstore/archive"
	"github.com/daybook-ledger/daybook/eventstore/memory"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/ledger"
)

// compromise has somebody else have the log's signing key, up to which size the
// witnesses had cosigned, rotates it, and gives what the other signs with.
func (a *archived) compromise(t *testing.T, cosigned uint64) *page.Signer {
	t.Helper()
	admin := openAdmin(t, a.dir, a.options)
	seed, err := named(admin.link.keys, signingKey)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := admin.Info.Verifier()
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := verifier.Signer(ed25519.NewKeyFromSeed(seed))
	if err != nil {
		t.Fatal(err)
	}
	if cosigned > 0 {
		if err := os.WriteFile(cosignedPath(a.dir), a.receipts[cosigned-2].Receipt.Checkpoint, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if counts, _, err := admin.Rotate(true); err != nil || counts != cosigned {
		t.Fatal(counts, err)
	}
	if err := admin.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return theirs
}

func (a *archived) verify(t *testing.T) ArchiveReport {
	t.Helper()
	report, err := ArchiveCheck{From: a.place, Identities: a.ids}.Do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// A key that was compromised signed what was archived: its checkpoints count no more,
// and the pages come back all the same, under those of the key that came after.
func TestAnArchiveOfACompromisedKey(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cosigned uint64
		archived bool // before the rotation
		more     []string
	}{
		"nothing cosigned": {0, true, []string{"Di", "Eve"}}, "cosigned": {2, true, []string{"Di", "Eve"}},
		"nothing more": {0, true, nil}, "cosigned, nothing more": {3, true, nil}, "archived afterwards": {2, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			a := newArchived(t)
			a.enter(t, c.archived, "Ada")
			a.enter(t, c.archived, "Bob", "Cy")
			a.compromise(t, c.cosigned)
			for _, customer := range c.more {
				a.enter(t, true, customer)
			}
			a.enter(t, true)
			size := uint64(len(a.receipts) + 1)
			if report := a.verify(t); !report.OK || report.Size != size {
				t.Errorf("%+v", report)
			}
			dir, o, done, err := a.restore(t, nil)
			if err != nil || done.Head.Size != size || done.Loss != nil {
				t.Fatalf("%+v, %v", done, err)
			}
			sound(t, dir, o)
			if _, _, _, err := a.restore(t, func(r *Restore) { r.ReadOnly, r.UntilSize = true, 2 }); err != nil {
				t.Error(err)
			}
		})
	}
}

// What whoever had the key puts in the place of the pages is refused, also where they
// remove all that a later key signed.
func TestAForgedPageOfACompromisedKey(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(t *testing.T, a *archived, segments []string)
		want   error
	}{
		"under later pages": {func(t *testing.T, a *archived, _ []string) {
			a.say(t, func(said *archivedBook) { said.Checkpoint = "" })
		}, page.ErrRoot},
		"at the end": {func(t *testing.T, _ *archived, s []string) {
			for _, path := range s[1:] {
				remove(t, path)
			}
		}, ledger.ErrContradiction},
		"at the end, and nothing said of it": {func(t *testing.T, a *archived, s []string) {
			for _, path := range s[1:] {
				remove(t, path)
			}
			a.say(t, func(said *archivedBook) { said.Checkpoint = "" })
		}, ErrUnproved},
	} {
		t.Run(name, func(t *testing.T) {
			a := newArchived(t)
			a.enter(t, true, "Ada")
			theirs := a.compromise(t, 0)
			a.enter(t, true) // the list of keys first, and then more under it
			a.enter(t, true, "Bob")
			segments, err := filepath.Glob(filepath.Join(a.to, "*", "*", "*", "segments", "*"))
			if err != nil || len(segments) != 2 {
				t.Fatal(segments, err)
			}
			a.forge(t, theirs, segments[0])
			c.change(t, a, segments)
			if _, _, _, err := a.restore(t, nil); !errors.Is(err, c.want) {
				t.Errorf("%v", err)
			}
			if report := a.verify(t); report.OK {
				t.Error("it is verified")
			}
		})
	}
}

// forge puts another segment in the place of the first, whose last commit is another.
func (a *archived) forge(t *testing.T, theirs *page.Signer, segment string) {
	t.Helper()
	var edge page.Edge
	var at page.Head
	forged := memory.New()
	a.with(t, func(b *Book) {
		for stored, err := range b.Store().Read(t.Context(), 1, 100) {
			if err != nil {
				t.Fatal(err)
			}
			p, err := theirs.Verifier().Open(stored.Body)
			if err != nil {
				return // by the key that came after
			}
			if p.Size == 2 && len(p.Commits) > 0 {
				p.Commits[0] = append(bytes.Clone(p.Commits[0]), 0)
			}
			for _, leaf := range p.Leaves(nil) {
				edge.Append(leaf, nil)
			}
			at = page.Head{Page: p.Page, Size: edge.Size(), Root: edge.Root()}
			body, err := theirs.Page(at, p.OldSize, p.Commits)
			if err == nil {
				err = forged.Append(t.Context(), p.Page-1, body)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	})
	remove(t, segment)
	checkpoint, err := theirs.Checkpoint(at)
	if err != nil {
		t.Fatal(err)
	}
	to := archive.Recipients{a.ids[0].(*age.X25519Identity).Recipient()}
	w := archive.Writer{Log: archive.Log{Place: a.place, Origin: theirs.Origin()}, To: to}
	if err := w.Pages(t.Context(), forged, theirs.Verifier(), page.EmptyHead(), at, checkpoint, nil); err != nil {
		t.Fatal(err)
	}
}

// say changes what the archive says in clear.
func (a *archived) say(t *testing.T, change func(*archivedBook)) {
	t.Helper()
	path := filepath.Join(a.to, info(t, a.dir).Origin, "book")
	data, err := os.ReadFile(path)
	var said archivedBook
	if err == nil {
		err = json.Unmarshal(data, &said)
	}
	if err == nil {
		change(&said)
		data, err = json.Marshal(said)
	}
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
