package bookdir

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"flag"
	"fmt"
	"iter"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain/audit"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/payment"
	"github.com/daybook-ledger/daybook/domain/period"
	"github.com/daybook-ledger/daybook/domain/series"
	"github.com/daybook-ledger/daybook/eventstore/head"
	"github.com/daybook-ledger/daybook/eventstore/jetstream"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
	"github.com/daybook-ledger/daybook/eventstore/witness"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/ledger/commit"
	"github.com/daybook-ledger/daybook/ledger/state"
	"github.com/daybook-ledger/daybook/projections"
	"github.com/daybook-ledger/daybook/projections/views"
	"github.com/daybook-ledger/daybook/testing/given"
)

var update = flag.Bool("update", false, "write the table of damages into docs/THREATS.md")

// damage is something that is done to a book, and what must find it.
type damage struct {
	// what is done, in words, and what it takes.
	what, takes string
	// by is what finds it, and code the code that it tells.
	by, code string
	// at is where it must say that it is: page and position, each only if set; empty
	// where the finding is about the book or the log as a whole.
	at   spot
	find func(t *testing.T) []transparency.Failure
}

// spot is that of a finding; positions count from 0, so that they need a flag.
type spot struct {
	page       uint64
	position   uint64
	positioned bool
}

func onPage(number int) spot { return spot{page: uint64(number)} }

// names says what of a place a finding must name.
func (p spot) names() string {
	switch {
	case p.positioned:
		return "page and position"
	case p.page > 0:
		return "page"
	}
	return "the whole"
}

// found reports whether the damage is among what was found, at its place.
func (d damage) found(all []transparency.Failure) bool {
	return slices.ContainsFunc(all, func(f transparency.Failure) bool {
		return f.Code == d.code && (d.at.page == 0 || f.Page == d.at.page) && (!d.at.positioned || f.Position == d.at.position)
	})
}

// What a damage takes.
const (
	disk    = "the disk"
	signing = "the signing key"
	retired = "a retired signing key"
	allKeys = "every key"
)

// What finds it.
const (
	byStart   = "start"
	byLists   = "lists and reports"
	byRebuild = "rebuild"
	byVerify  = "verify"
	byDeep    = "verify --deep"
	byReceipt = "a receipt"
	byCheckpt = "a checkpoint in other hands"
	byWitness = "a witness"
)

// TestDamages makes every damage of a good book, and expects what must find it to
// find it, and to name its place.
func TestDamages(t *testing.T) {
	t.Parallel()
	e, f := gather(t, create), bookkeeper(t, create)
	if found := e.found(t, e.pages, VerifyOptions{}); found != nil {
		t.Fatalf("in a good log: %+v", found)
	}
	for _, deep := range []bool{false, true} {
		if found := f.found(t, deep, f.commits...); found != nil {
			t.Fatalf("in a good book: %+v", found)
		}
	}
	all := slices.Concat(pageDamages(t, e), besideDamages(e), startDamages(f), viewDamages(f), signedDamages(t, f), keptDamages(f), sealedDamages(f))
	for _, d := range all {
		t.Run(d.what+", with "+d.takes, func(t *testing.T) {
			if found := d.find(t); !d.found(found) {
				t.Errorf("%s must find %s at %+v; found %+v", d.by, d.code, d.at, found)
			}
		})
	}
	if len(all) < 40 {
		t.Errorf("%d kinds of damage", len(all))
	}
	tabled(t, all)
}

// tabled holds the table in docs/THREATS.md against the damages, or writes it.
func tabled(t *testing.T, all []damage) {
	t.Helper()
	const path, begin, end = "../../docs/THREATS.md", "<!-- damages -->\n", "<!-- /damages -->\n"
	var table strings.Builder
	fmt.Fprintf(&table, "\n| What is done | With | Found by | As | It names |\n|---|---|---|---|---|\n")
	for _, d := range all {
		fmt.Fprintf(&table, "| %s | %s | %s | `%s` | %s |\n", d.what, d.takes, d.by, d.code, d.at.names())
	}
	table.WriteString("\n")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begun := strings.Cut(string(text), begin)
	old, after, ended := strings.Cut(rest, end)
	if !begun || !ended {
		t.Fatalf("%s has no place for the table of damages", path)
	}
	if *update {
		if err := os.WriteFile(path, []byte(before+begin+table.String()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if old != table.String() {
		t.Errorf("the table of damages in %s is not what the tests find: go test ./cmd/bookdir -run TestDamages -update", path)
	}
}

// pageDamages are of the stored pages: verification finds them without a key.
func pageDamages(t *testing.T, e evidence) []damage {
	n := e.full()
	other := gather(t, createAnother)
	same := func(*page.Page) {}
	note := func(text string) func([]byte) int {
		return func(body []byte) int { return bytes.Index(body, []byte(text)) + len(text) }
	}
	flipped := func(at func(body []byte) int) [][]byte { return e.with(n, flipAt(at)) }
	inCommit := func(offset int) [][]byte { return flipped(func(b []byte) int { return commitStart(b) + offset }) }
	var all []damage
	for _, c := range []struct {
		what  string
		takes string
		pages [][]byte
		code  string
		page  int
	}{
		{"a bit of the length of a page's note turned", disk, flipped(func([]byte) int { return 3 }), "page-form", n},
		{"a bit of its origin", disk, flipped(func([]byte) int { return 6 }), "page-signature", n},
		{"a bit of its number", disk, flipped(note("\npage ")), "page-signature", n},
		{"a bit of its old size", disk, flipped(note("\nafter ")), "page-signature", n},
		{"its signature changed", disk, e.with(n, lettered(func(b []byte) int { return commitStart(b) - page.CommitOverhead - 20 })), "page-signature", n},
		{"a bit of a commit's length", disk, flipped(func(b []byte) int { return commitStart(b) - 1 }), "page-form", n},
		{"a bit of a commit's first bytes", disk, inCommit(0), "page-root", n},
		{"a bit of a commit's header", disk, inCommit(40), "page-root", n},
		{"a bit in the middle of a commit", disk, flipped(func(b []byte) int { return (commitStart(b) + len(b)) / 2 }), "page-root", n},
		{"a bit of a ciphertext", disk, flipped(func(b []byte) int { return len(b) - 1 }), "page-root", n},
		{"bytes cut off the end of a page", disk, e.with(n, func(b []byte) []byte { return b[:len(b)-3] }), "page-form", n},
		{"bytes added to the end of a page", disk, e.with(n, func(b []byte) []byte { return append(b, 0, 0, 0) }), "page-form", n},
		{"a page of nothing in the place of one", disk, e.with(n, func([]byte) []byte { return []byte{0} }), "page-form", n},
		{"two pages swapped", disk, func() [][]byte {
			p := slices.Clone(e.pages)
			p[n-1], p[n-2] = p[n-2], p[n-1]
			return p
		}(), "page-order", n - 1},
		{"a page dropped from the middle", disk, slices.Delete(slices.Clone(e.pages), n-1, n), "page-order", n},
		{"a page twice", disk, slices.Insert(slices.Clone(e.pages), n, e.pages[n-1]), "page-order", n + 1},
		{"the last pages dropped", disk, e.pages[:n-1], CodeShort, 0},
		{"the whole log dropped", disk, nil, CodeShort, 0},
		{"a page of another book put in", disk, e.with(n, func([]byte) []byte { return other.pages[n-1] }), "page-signature", n},
		{"a page signed anew by another key", disk, e.with(n, func(b []byte) []byte { return e.resign(t, b, stranger(e.info.Origin), same) }), "page-signature", n},
		{"a page signed anew with another root", signing, e.with(n, func(b []byte) []byte {
			return e.resign(t, b, e.signer, func(p *page.Page) { p.Root[0] ^= 1 })
		}), "page-root", n},
		{"a commit of another book put into a page, signed anew", signing, e.with(n, func(b []byte) []byte {
			theirs, err := other.signer.Verifier().Open(other.pages[n-1])
			if err != nil {
				t.Fatal(err)
			}
			return e.resign(t, b, e.signer, func(p *page.Page) { p.Commits = theirs.Commits })
		}), "page-root", n},
		{"a page's commits taken out, signed anew", signing, e.with(n, func(b []byte) []byte {
			return e.resign(t, b, e.signer, func(p *page.Page) { p.Commits, p.Size = nil, p.OldSize })
		}), "page-root", n},
	} {
		all = append(all, damage{c.what, c.takes, byVerify, c.code, onPage(c.page), func(t *testing.T) []transparency.Failure {
			return e.found(t, c.pages, VerifyOptions{})
		}})
	}
	return all
}

// stranger signs by a key that no book knows.
func stranger(origin string) *page.Signer {
	s, err := page.NewSigner(origin, ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	if err != nil {
		panic(err) // the origin is a book's
	}
	return s
}

// besideDamages are of what stands beside the log, and is held against it.
func besideDamages(e evidence) []damage {
	var all []damage
	for _, c := range []struct {
		what, file string
		data       []byte // nil removes the file
		code       string
	}{
		{"the remembered head removed", "head", nil, CodeHeadMissing},
		{"the remembered head overwritten", "head", make([]byte, 512), CodeHeadDamaged},
		{"the newest checkpoint overwritten", "checkpoint", []byte("rubbish\n"), "checkpoint-form"},
		{"the cosigned checkpoint overwritten", "cosigned", []byte("rubbish\n"), "checkpoint-form"},
	} {
		all = append(all, damage{c.what, disk, byVerify, c.code, spot{}, func(t *testing.T) []transparency.Failure {
			e := e
			e.dir = copyOf(t, e.dir)
			path := filepath.Join(e.dir, c.file)
			err := os.Remove(path)
			if c.data != nil {
				err = os.WriteFile(path, c.data, 0o600)
			}
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			return e.found(t, e.pages, VerifyOptions{})
		}})
	}
	return all
}

func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// madeAnew is in the place of a code where something is lost that follows from
// the log: it is made again, and everything is as before.
const madeAnew = "made anew"

// startDamages are of the folder of a book that is then opened.
func startDamages(f *forger) []damage {
	edit := func(file string, change func([]byte) []byte) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			data, err := os.ReadFile(filepath.Join(dir, file))
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, file), change(data), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	flip := func(at func(size int) int) func([]byte) []byte {
		return func(data []byte) []byte {
			data[at(len(data))] ^= 1
			return data
		}
	}
	half := func(size int) int { return size / 2 }
	removed := func(name string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	older := func(names ...string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			for _, name := range names {
				from, to := filepath.Join(f.old, name), filepath.Join(dir, name)
				info, err := os.Stat(from)
				if err == nil && info.IsDir() {
					err = errors.Join(os.RemoveAll(to), os.CopyFS(to, os.DirFS(from)))
				} else if err == nil {
					var data []byte
					if data, err = os.ReadFile(from); err == nil {
						err = os.WriteFile(to, data, 0o600)
					}
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	var all []damage
	for _, c := range []struct {
		what   string
		change func(t *testing.T, dir string)
		code   string
	}{
		{"an older copy of the store put in place", older("store"), CodeShort},
		{"an older copy of the store and of the remembered head", older("store", "head"), CodeShort},
		{"the store removed", removed("store"), "log-missing"},
		{"the remembered head removed", removed("head"), CodeHeadMissing},
		{"the remembered head overwritten", edit("head", func(d []byte) []byte { return make([]byte, len(d)) }), CodeHeadDamaged},
		{"the key ring removed", removed("ring"), "ring-missing"},
		{"a bit of the key ring's header turned", edit("ring", flip(func(int) int { return 100 })), "ring-damaged"},
		{"keys cut off the end of the ring", edit("ring", func(d []byte) []byte { return d[:len(d)-2*ringSlot] }), "ring-damaged"},
		{"an older copy of the key ring put in place", older("ring"), "ring-damaged"},
		{"the list of the log's keys removed", removed("keys"), "keys-missing"},
		{"the signature of the list of the log's keys changed", edit("keys", lettered(func(d []byte) int { return len(d) - 10 })), "keys-signature"},
		{"the log's key in book.json changed", edit("book.json", func(d []byte) []byte {
			return bytes.ReplaceAll(d, []byte(f.info.Key), []byte(stranger(f.info.Origin).Verifier().VerifierKey()))
		}), "book-damaged"},
		{"rows of the writer's states edited", edit("state.db", func(d []byte) []byte {
			for at := 5000; at < len(d); at += 300 {
				d[at] ^= 1
			}
			return d
		}), madeAnew},
		{"the writer's states removed", removed("state.db"), madeAnew},
		{"the hashes of the tree edited", edit("tree", flip(half)), madeAnew},
		{"the hashes of the tree removed, and with them the tiles", removed("tree"), madeAnew},
	} {
		all = append(all, damage{c.what, disk, byStart, c.code, spot{}, func(t *testing.T) []transparency.Failure {
			dir := copyOf(t, f.new)
			c.change(t, dir)
			return []transparency.Failure{{Code: started(t, f, dir)}}
		}})
	}
	return all
}

// started opens a book and gives the code of why it does not open; made anew where
// it does, at once or after the command that met the damage, and honours every
// receipt that was given.
func started(t *testing.T, f *forger, dir string) string {
	t.Helper()
	b, err := Open(t.Context(), dir, f.options)
	if err == nil {
		if _, damaged := b.Do(t.Context(), register("Bob")); errors.Is(damaged, state.ErrDamaged) {
			if err := b.Close(context.Background()); err != nil {
				return err.Error()
			}
			b, err = Open(t.Context(), dir, f.options)
		}
	}
	if code, is := transparency.Code(err); is {
		return code
	}
	for _, known := range []struct {
		err  error
		code string
	}{
		{ledger.ErrLogShort, CodeShort},
		{ledger.ErrContradiction, transparency.CodeContradiction},
		{jetstream.ErrNoStream, "log-missing"},
		{head.ErrMissing, CodeHeadMissing},
		{head.ErrDamaged, CodeHeadDamaged},
		{keyring.ErrMissing, "ring-missing"},
		{keyring.ErrDamaged, "ring-damaged"},
		{keyring.ErrPassphrase, "ring-damaged"}, // what opens no more may be either
		{ErrKeysMissing, "keys-missing"},
		{ErrDamaged, "book-damaged"},
	} {
		if errors.Is(err, known.err) {
			return known.code
		}
	}
	if err != nil {
		return err.Error()
	}
	defer b.Close(context.Background())
	receipt, err := b.Do(t.Context(), register("Cem"))
	if err != nil || receipt.Position < uint64(len(f.commits)) {
		return fmt.Sprintf("a command after the start: %+v, %v", receipt, err)
	}
	verifier, err := b.Info.Verifier()
	if err != nil {
		t.Fatal(err)
	}
	l := &Log{Info: b.Info, Store: b.Store(), Verifier: verifier, link: &link{dir: dir, info: b.Info}}
	report, err := l.Verify(t.Context(), VerifyOptions{Unkept: true, Receipts: append(slices.Clone(f.receipts), receipt.Receipt)})
	if err != nil || !report.OK {
		return fmt.Sprintf("verification after the start: %+v, %v", report, err)
	}
	return madeAnew
}

// viewDamages are of the views, which no decision reads.
func viewDamages(f *forger) []damage {
	// kept makes views of the book, of pages as they come out of a change.
	kept := func(t *testing.T, change func(projections.Page)) *Book {
		dir := copyOf(t, f.new)
		if err := os.RemoveAll(filepath.Join(dir, "views")); err != nil {
			t.Fatal(err)
		}
		b, err := Open(t.Context(), dir, f.options)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close(context.Background()) })
		at, err := b.place()
		if err != nil {
			t.Fatal(err)
		}
		store, _, err := at.open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		runner := projections.Runner{View: store, Read: func(ctx context.Context, after projections.Cursor) iter.Seq2[projections.Page, error] {
			return func(yield func(projections.Page, error) bool) {
				for p, err := range b.source(ctx, after) {
					change(p)
					if !yield(p, err) {
						return
					}
				}
			}
		}}
		if err := errors.Join(runner.CatchUp(t.Context(), 0), store.Close()); err != nil {
			t.Fatal(err)
		}
		return b
	}
	told := func(t *testing.T, err error) []transparency.Failure {
		var fault *projections.Fault
		if !errors.As(err, &fault) {
			t.Fatalf("told %v", err)
		}
		return []transparency.Failure{{Code: fault.Code, What: err.Error()}}
	}
	return []damage{
		{"bytes of the views turned", disk, byLists, projections.ErrDamaged.Code, spot{}, func(t *testing.T) []transparency.Failure {
			b := kept(t, func(projections.Page) {})
			files, err := filepath.Glob(filepath.Join(b.Dir, "views", "*.db"))
			if err != nil || len(files) == 0 {
				t.Fatalf("views: %v, %v", files, err)
			}
			data, err := os.ReadFile(files[0])
			if err != nil {
				t.Fatal(err)
			}
			for at := 0; at < len(data); at += 1000 {
				data[at] ^= 0xff
			}
			if err := os.WriteFile(files[0], data, 0o600); err != nil {
				t.Fatal(err)
			}
			v, err := b.OpenViews(t.Context(), nil)
			if err == nil {
				err = errors.Join(v.CatchUp(t.Context()), v.Close())
			}
			return told(t, err)
		}},
		{"an amount in the views edited", allKeys, byRebuild, projections.ErrDisagrees.Code, spot{}, func(t *testing.T) []transparency.Failure {
			b := kept(t, func(p projections.Page) {
				for _, c := range p.Commits {
					if e, is := c.Events[0].Event.(*payment.Received); is {
						e.Amount, _ = e.Amount.Add(e.Amount)
					}
				}
			})
			return told(t, b.RebuildViews(t.Context(), views.Rebuild{}, nil))
		}},
	}
}

// signedDamages are made by whoever has the signing key, and signs everything
// after them anew: the pages are as good as before.
func signedDamages(t *testing.T, f *forger) []damage {
	other := bookkeeper(t, createAnother)
	swapped := f.replaced(received, f.commits[closed])
	swapped[closed] = f.commits[received]
	broken := bytes.Clone(f.commits[received])
	broken[len(broken)-1] ^= 1
	deep := func(commits [][]byte) func(*testing.T) []transparency.Failure {
		return func(t *testing.T) []transparency.Failure { return f.found(t, true, commits...) }
	}
	shallow := func(commits [][]byte) func(*testing.T) []transparency.Failure {
		return func(t *testing.T) []transparency.Failure { return f.found(t, false, commits...) }
	}
	return []damage{
		{"two commits swapped", signing, byVerify, CodeCommitPlace, f.at(received), shallow(swapped)},
		{"a commit dropped from the middle", signing, byVerify, CodeCommitPlace, f.at(received), shallow(slices.Delete(slices.Clone(f.commits), received, received+1))},
		{"a commit twice", signing, byVerify, CodeCommitPlace, f.at(received + 1), shallow(slices.Insert(slices.Clone(f.commits), received, f.commits[received]))},
		{"a commit of another book replayed", signing, byVerify, CodeCommitPlace, f.at(received), shallow(f.replaced(received, other.commits[received]))},
		{"a commit that is none", signing, byVerify, CodeCommitForm, f.at(received), shallow(f.replaced(received, []byte{1, 2, 3}))},
		{"a sealed section changed", signing, byVerify, transparency.CodeContradiction, spot{}, shallow(f.replaced(received, broken))},
		{"a sealed section changed", signing, byDeep, CodeSection, f.at(received), deep(f.replaced(received, broken))},
		{"a page signed with it after it was retired", retired, byVerify, page.ErrKeyRange.Code, f.at(len(f.commits) - 1), f.signedByRetired},
	}
}

// signedByRetired signs the last page with a key that another has followed.
func (f *forger) signedByRetired(t *testing.T) []transparency.Failure {
	next := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	list, _, err := f.info.KeyList()
	if err != nil {
		t.Fatal(err)
	}
	list = list.Rotate(next.Public().(ed25519.PublicKey), uint64(len(f.commits)-1), uint64(len(f.commits)-1))
	info := f.info
	info.list = &list
	return checked(t, f.dir, info, f.pages(t, f.commits...), VerifyOptions{})
}

// keptDamages are whole and well signed, and differ from what others hold.
func keptDamages(f *forger) []damage {
	short := f.commits[:received+1]
	forked := func(t *testing.T) [][]byte {
		return f.replaced(entered, f.forge(t, entered, func(*commit.Commit) {}))
	}
	// pristine forgets what is remembered beside the log, as an auditor's copy.
	pristine := func(t *testing.T) string {
		dir := copyOf(t, f.new)
		for _, file := range []string{"head", "checkpoint", "cosigned"} {
			if err := os.RemoveAll(filepath.Join(dir, file)); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	held := func(o VerifyOptions, commits func(t *testing.T) [][]byte) func(*testing.T) []transparency.Failure {
		return func(t *testing.T) []transparency.Failure {
			return checked(t, pristine(t), f.info, f.pages(t, commits(t)...), o)
		}
	}
	receipts := VerifyOptions{Receipts: f.receipts}
	cut := func(*testing.T) [][]byte { return short }
	expected := func(t *testing.T) VerifyOptions {
		return VerifyOptions{Checkpoints: []Checkpoint{{File: "given", Signed: f.checkpoint(t, f.commits)}}}
	}
	return []damage{
		{"the whole folder put back to an older copy", disk, byReceipt, CodeShort, spot{}, held(receipts, cut)},
		{"the whole folder put back to an older copy", disk, byWitness, CodeWitnessAhead, spot{}, func(t *testing.T) []transparency.Failure {
			return f.witnessed(t, pristine(t), f.commits, short, short)
		}},
		{"the log forked", signing, byReceipt, transparency.CodeContradiction, f.at(entered), held(receipts, forked)},
		{"the log forked", signing, byVerify, transparency.CodeContradiction, spot{}, func(t *testing.T) []transparency.Failure {
			return f.found(t, false, forked(t)...)
		}},
		{"the log forked", signing, byWitness, CodeWitnessAhead, spot{}, func(t *testing.T) []transparency.Failure {
			fork := forked(t)
			return f.witnessed(t, pristine(t), f.commits, fork, fork)
		}},
		{"the log forked, and the checkpoint beside it set back to before", signing, byWitness, CodeWitnessUnproven, spot{}, func(t *testing.T) []transparency.Failure {
			return f.witnessed(t, pristine(t), f.commits, forked(t), short)
		}},
		{"the log forked, and the checkpoints beside it removed", signing, byWitness, CodeWitnessUnproven, spot{}, func(t *testing.T) []transparency.Failure {
			return f.witnessed(t, pristine(t), f.commits, forked(t), nil)
		}},
		{"two auditors served different histories", signing, byCheckpt, transparency.CodeContradiction, spot{}, func(t *testing.T) []transparency.Failure {
			return checked(t, pristine(t), f.info, f.pages(t, forked(t)...), expected(t))
		}},
	}
}

// checkpoint is a signed one of a log of commits, whichever page it ends with.
func (f *forger) checkpoint(t *testing.T, commits [][]byte) []byte {
	t.Helper()
	var edge page.Edge
	for _, stored := range commits {
		edge.Append(page.LeafHash(stored), nil)
	}
	signed, err := f.signer.Checkpoint(page.Head{Size: uint64(len(commits)), Root: edge.Root()})
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// witnessed has a witness cosign one log, and verifies another then, beside which
// lies the checkpoint of a third, or none.
func (f *forger) witnessed(t *testing.T, dir string, first, then, beside [][]byte) []transparency.Failure {
	t.Helper()
	folder, secret, err := witness.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	w := &witness.Witness{
		Name: "witness.example/w1", Key: secret, State: folder, Now: time.Now,
		Admit: func(transparency.KeyList) bool { return true },
	}
	server := httptest.NewServer(w.Handler())
	defer server.Close()
	client := witness.Client{URL: server.URL + "/", HTTP: server.Client()}
	if err := client.AddKeys(t.Context(), f.info.signed); err != nil {
		t.Fatal(err)
	}
	if _, err := client.AddCheckpoint(t.Context(), witness.Request{Checkpoint: f.checkpoint(t, first)}); err != nil {
		t.Fatal(err)
	}
	err = Places{w.Public().String(): client.URL}.write(dir)
	if err == nil && beside != nil {
		err = os.WriteFile(newestPath(dir), f.checkpoint(t, beside), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	list, _, err := f.info.KeyList()
	if err != nil {
		t.Fatal(err)
	}
	list.Witnesses = transparency.Witnesses{Keys: []transparency.WitnessKey{w.Public()}, Quorum: 1}
	info := f.info
	info.list = &list
	return checked(t, dir, info, f.pages(t, then...), VerifyOptions{Ask: true})
}

// sealedDamages are made by whoever has every key of the book, and enters what
// the rules do not let anybody enter.
func sealedDamages(f *forger) []damage {
	deep := func(commits func(t *testing.T) [][]byte) func(*testing.T) []transparency.Failure {
		return func(t *testing.T) []transparency.Failure { return f.found(t, true, commits(t)...) }
	}
	changed := func(index int, change func(c *commit.Commit)) func(*testing.T) []transparency.Failure {
		return deep(func(t *testing.T) [][]byte { return f.replaced(index, f.forge(t, index, change)) })
	}
	more := func(index int, change func(c *commit.Commit)) func(*testing.T) []transparency.Failure {
		return deep(func(t *testing.T) [][]byte { return f.appended(t, index, change) })
	}
	balances := func(change func(e *period.Settled)) func(*testing.T) []transparency.Failure {
		return changed(settled, func(c *commit.Commit) { change(c.Events[0].Event.(*period.Settled)) })
	}
	hashes := func(change func(a *book.Attestation)) func(*testing.T) []transparency.Failure {
		return changed(attested, func(c *commit.Commit) {
			change(&c.Command.(*book.Attest).Attestation)
			change(&c.Events[0].Event.(*book.Attested).Attestation)
		})
	}
	next := len(f.commits)
	return []damage{
		{"a commit backdated", allKeys, byVerify, CodeCommitTime, f.at(received), func(t *testing.T) []transparency.Failure {
			return f.found(t, false, f.replaced(received, f.forge(t, received, func(c *commit.Commit) { c.Recorded = c.Recorded.AddDate(0, -1, 0) }))...)
		}},
		{"a revision left out", allKeys, byVerify, CodeRevision, f.at(next), func(t *testing.T) []transparency.Failure {
			return f.found(t, false, f.appended(t, registered, func(c *commit.Commit) { c.Events[0].Revision = 9 })...)
		}},
		{"an amount changed", allKeys, byDeep, ledger.CodeDecision, f.at(received), changed(received, func(c *commit.Commit) {
			e := c.Events[0].Event.(*payment.Received)
			e.Amount, _ = e.Amount.Add(e.Amount)
		})},
		{"a command given by whom the book does not know", allKeys, byDeep, ledger.CodeDecision, f.at(received), changed(received, func(c *commit.Commit) {
			c.Principal = "mallory"
		})},
		{"a command entered twice", allKeys, byDeep, ledger.CodeCommandTwice, f.at(next), deep(func(t *testing.T) [][]byte {
			first, err := f.codec.Open(f.commits[received])
			if err != nil {
				t.Fatal(err)
			}
			return f.appended(t, received, func(c *commit.Commit) {
				c.ID, c.Events[0].Stream = first.ID, payment.Stream(uuid.Must(uuid.NewV7()))
			})
		})},
		{"entries that do not balance", allKeys, byDeep, ledger.CodeEntries, f.at(entered), changed(entered, func(c *commit.Commit) {
			e := c.Events[0].Event.(*invoice.Issued)
			e.Totals.Due, _ = e.Totals.Due.Add(e.Totals.Due)
		})},
		{"a number left out", allKeys, byDeep, ledger.CodeNumber, f.at(next), more(entered, func(c *commit.Commit) {
			c.Events = slices.DeleteFunc(c.Events, func(e commit.Event) bool {
				_, drawn := e.Event.(*series.Drawn)
				return !drawn
			})
			c.Events[0].Event.(*series.Drawn).Counter += 2
			c.Events[0].Revision++
		})},
		{"an event that cannot follow", allKeys, byDeep, ledger.CodeFold, f.at(next), more(closed, func(c *commit.Commit) {
			e := c.Events[0].Event.(*period.Closed)
			c.Events[0].Revision, c.Events[0].Event = 3, &period.Closed{Through: e.Through.AddDays(-40)}
		})},
		{"something booked into a closed period", allKeys, byDeep, audit.CodeBooked, f.at(next), more(received, func(c *commit.Commit) {
			c.Events[0].Stream, c.Events[0].Revision = payment.Stream(uuid.Must(uuid.NewV7())), 1
		})},
		{"a closed period's balance changed", allKeys, byDeep, audit.CodeBalance, f.at(settled), balances(func(e *period.Settled) {
			e.Balances[0].Amount, e.Balances[1].Amount = e.Balances[1].Amount, e.Balances[0].Amount
		})},
		{"a closed period's account left out", allKeys, byDeep, audit.CodeBalance, f.at(settled), balances(func(e *period.Settled) { e.Balances = nil })},
		{"balances with a root that never was", allKeys, byDeep, audit.CodeProof, f.at(settled), balances(func(e *period.Settled) { e.Proof.Root[0] ^= 1 })},
		{"balances read before the period was closed", allKeys, byDeep, audit.CodeProof, f.at(settled), balances(func(e *period.Settled) { e.Proof.Size-- })},
		{"another hash of a list entered", allKeys, byDeep, CodeAttestation, f.at(attested), hashes(func(a *book.Attestation) { a.Views[3].Hash[0] ^= 1 })},
		{"the hash of a list left out", allKeys, byDeep, CodeAttestation, f.at(attested), hashes(func(a *book.Attestation) { a.Views = a.Views[1:] })},
		{"hashes of lists with a root that never was", allKeys, byDeep, CodeAttestation, f.at(attested), hashes(func(a *book.Attestation) { a.Root[0] ^= 1 })},
		{"hashes of lists that were still to come", allKeys, byDeep, CodeAttestation, f.at(attested), hashes(func(a *book.Attestation) { a.Size += 2 })},
		{"a customer's key destroyed, and no erasure logged", allKeys, byDeep, CodeUnlogged, f.at(registered), f.unlogged},
		{"a key of the ring overwritten", disk, byDeep, CodeKeyMissing, f.at(registered), f.overwritten},
	}
}

// ringed verifies deeply after a change of the ring's file.
func (f *forger) ringed(t *testing.T, change func(dir string)) []transparency.Failure {
	t.Helper()
	dir := copyOf(t, f.new)
	change(dir)
	d, err := OpenDeep(dir, f.options)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close(context.Background())
	return checked(t, dir, f.info, f.pages(t, f.commits...), VerifyOptions{Deep: d})
}

// adas is the key of Ada's that sealed what is known of her.
func (f *forger) adas(t *testing.T) keyring.KeyID {
	t.Helper()
	c, err := f.codec.Open(f.commits[registered])
	if err != nil {
		t.Fatal(err)
	}
	return c.Subjects[given.ID("ada")]
}

// unlogged destroys a key as an erasure does, but for the log.
func (f *forger) unlogged(t *testing.T) []transparency.Failure {
	return f.ringed(t, func(dir string) {
		ring, err := keyring.Open(filepath.Join(dir, "ring"), f.options.Root)
		if err == nil {
			err = errors.Join(ring.Destroy(f.adas(t)), ring.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	})
}

// overwritten overwrites the slot of a key.
func (f *forger) overwritten(t *testing.T) []transparency.Failure {
	return f.ringed(t, func(dir string) {
		file, err := os.OpenFile(filepath.Join(dir, "ring"), os.O_RDWR, 0)
		if err == nil {
			_, err = file.WriteAt(make([]byte, ringSlot), ringHeader+int64(f.adas(t)-1)*ringSlot)
			err = errors.Join(err, file.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	})
}

// Sizes in the ring's file, as docs/FORMAT.md has them.
const ringHeader, ringSlot = 1024, 64
