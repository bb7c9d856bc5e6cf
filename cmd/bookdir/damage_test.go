package bookdir

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/daybook-ledger/daybook/eventstore/memory"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
)

// evidence is a good book's log, to be damaged.
type evidence struct {
	dir    string
	info   Info
	pages  [][]byte
	signer *page.Signer
}

// gather makes a book of a few commits, each in a page of its own, and takes its
// pages and its signing key.
func gather(t *testing.T) evidence {
	t.Helper()
	dir, o := create(t)
	b, err := Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close(context.Background())
	for _, name := range []string{"Ada", "Bob", "Cem"} {
		if _, err := b.Do(t.Context(), register(name)); err != nil {
			t.Fatal(err)
		}
	}
	e := evidence{dir: dir, info: b.Info, signer: b.current().signs}
	for p, err := range b.Store().Read(t.Context(), 1, 99) {
		if err != nil {
			t.Fatal(err)
		}
		e.pages = append(e.pages, p.Body)
	}
	return e
}

// found gives the codes that a verification of damaged pages finds, in order.
func (e evidence) found(t *testing.T, pages [][]byte) (codes []string, first transparency.Failure) {
	t.Helper()
	store := memory.New()
	for i, body := range pages {
		if err := store.Append(t.Context(), uint64(i), body); err != nil {
			t.Fatal(err)
		}
	}
	verifier, err := e.info.Verifier()
	if err != nil {
		t.Fatal(err)
	}
	l := &Log{Info: e.info, Store: store, Verifier: verifier, link: &link{dir: e.dir, info: e.info}}
	report, err := l.Verify(t.Context(), VerifyOptions{Unkept: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Failures {
		codes = append(codes, f.Code)
		if f.Page != 0 && first.Page == 0 {
			first = f
		}
	}
	return codes, first
}

// with gives copies of the pages, of which one was changed.
func (e evidence) with(number int, change func(body []byte) []byte) [][]byte {
	pages := make([][]byte, len(e.pages))
	for i, body := range e.pages {
		pages[i] = bytes.Clone(body)
		if i == number-1 {
			pages[i] = change(pages[i])
		}
	}
	return pages
}

// full is the number of the last page but one that holds a commit.
func (e evidence) full() (number int) {
	var all []int
	for i, body := range e.pages {
		if p, err := e.signer.Verifier().Open(body); err == nil && !p.Barrier() {
			all = append(all, i+1)
		}
	}
	return all[len(all)-2]
}

// resign signs a page anew after a change, by any key.
func (e evidence) resign(t *testing.T, body []byte, by *page.Signer, change func(p *page.Page)) []byte {
	t.Helper()
	p, err := e.signer.Verifier().Open(body)
	if err != nil {
		t.Fatal(err)
	}
	change(&p)
	signed, err := by.Page(p.Head, p.OldSize, p.Commits)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func flipAt(at func(body []byte) int) func([]byte) []byte {
	return func(body []byte) []byte {
		body[at(body)] ^= 1
		return body
	}
}

// commitStart is where the first commit of a page begins.
func commitStart(body []byte) int {
	return 4 + int(binary.BigEndian.Uint32(body)) + page.CommitOverhead
}

// Whatever is done to the stored pages, verification finds it without a key and
// names the page where it begins.
func TestDamageOfPagesIsFoundAndNamed(t *testing.T) {
	e := gather(t)
	n := e.full()
	stranger, err := page.NewSigner(e.info.Origin, ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	other := gather(t)
	same := func(*page.Page) {}
	note := func(text string) func([]byte) int {
		return func(body []byte) int { return bytes.Index(body, []byte(text)) + len(text) }
	}
	for _, c := range []struct {
		name  string
		pages [][]byte
		code  string
		page  int // 0: the end of the log, which no page names
	}{
		{"a bit of the note's length", e.with(n, flipAt(func([]byte) int { return 3 })), "page-form", n},
		{"a bit of the origin", e.with(n, flipAt(func([]byte) int { return 6 })), "page-signature", n},
		{"a bit of the number", e.with(n, flipAt(note("\npage "))), "page-signature", n},
		{"a bit of the old size", e.with(n, flipAt(note("\nafter "))), "page-signature", n},
		{"a bit of the signature", e.with(n, flipAt(func(b []byte) int { return commitStart(b) - page.CommitOverhead - 20 })), "page-signature", n},
		{"a bit of a commit's length", e.with(n, flipAt(func(b []byte) int { return commitStart(b) - 1 })), "page-form", n},
		{"a bit of a commit's header", e.with(n, flipAt(func(b []byte) int { return commitStart(b) + 40 })), "page-root", n},
		{"a bit of a ciphertext", e.with(n, flipAt(func(b []byte) int { return len(b) - 1 })), "page-root", n},
		{"bytes cut off the end", e.with(n, func(b []byte) []byte { return b[:len(b)-3] }), "page-form", n},
		{"bytes added at the end", e.with(n, func(b []byte) []byte { return append(b, 0, 0, 0) }), "page-form", n},
		{"a page of nothing", e.with(n, func([]byte) []byte { return []byte{0} }), "page-form", n},
		{"two pages swapped", func() [][]byte {
			p := slices.Clone(e.pages)
			p[n-1], p[n-2] = p[n-2], p[n-1]
			return p
		}(), "page-order", n - 1},
		{"a page dropped from the middle", slices.Delete(slices.Clone(e.pages), n-1, n), "page-order", n},
		{"a page twice", slices.Insert(slices.Clone(e.pages), n, e.pages[n-1]), "page-order", n + 1},
		{"the tail dropped", e.pages[:n-1], CodeShort, 0},
		{"the whole log dropped", nil, CodeShort, 0},
		{"a page of another book", e.with(n, func([]byte) []byte { return other.pages[n-1] }), "page-signature", n},
		{"signed by another key", e.with(n, func(b []byte) []byte { return e.resign(t, b, stranger, same) }), "page-signature", n},
		{"another root, signed by the log's key", e.with(n, func(b []byte) []byte {
			return e.resign(t, b, e.signer, func(p *page.Page) { p.Root[0] ^= 1 })
		}), "page-root", n},
		{"a commit of another book, signed by the log's key", e.with(n, func(b []byte) []byte {
			theirs, err := other.signer.Verifier().Open(other.pages[n-1])
			if err != nil {
				t.Fatal(err)
			}
			return e.resign(t, b, e.signer, func(p *page.Page) { p.Commits = theirs.Commits })
		}), "page-root", n},
		{"a barrier in place of a page, signed by the log's key", e.with(n, func(b []byte) []byte {
			return e.resign(t, b, e.signer, func(p *page.Page) { p.Commits, p.Size = nil, p.OldSize })
		}), "page-root", n},
	} {
		t.Run(c.name, func(t *testing.T) {
			codes, first := e.found(t, c.pages)
			if !slices.Contains(codes, c.code) || c.page != 0 && first.Page != uint64(c.page) {
				t.Errorf("found %v, first %+v; want %s at page %d", codes, first, c.code, c.page)
			}
		})
	}
	if codes, _ := e.found(t, e.pages); codes != nil {
		t.Errorf("in a good log: %v", codes)
	}
}

// What stands beside the log is held against it.
func TestDamageBesideTheLogIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		file   string
		change func(data []byte) []byte // nil removes the file
		code   string
	}{
		"the remembered head removed": {"head", nil, CodeHeadMissing},
		"the remembered head damaged": {"head", func(d []byte) []byte { return make([]byte, len(d)) }, CodeHeadDamaged},
		"a checkpoint that is none":   {"checkpoint", func([]byte) []byte { return []byte("rubbish\n") }, "checkpoint-form"},
		"a cosigned one that is none": {"cosigned", func([]byte) []byte { return []byte("rubbish\n") }, "checkpoint-form"},
	} {
		t.Run(name, func(t *testing.T) {
			e := gather(t)
			path := filepath.Join(e.dir, c.file)
			if c.change == nil {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			} else {
				data, err := os.ReadFile(path)
				if err != nil && !os.IsNotExist(err) {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, c.change(data), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if codes, _ := e.found(t, e.pages); !slices.Contains(codes, c.code) {
				t.Errorf("found %v, want %s", codes, c.code)
			}
		})
	}
}
