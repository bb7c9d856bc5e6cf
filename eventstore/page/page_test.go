package page

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-ledger/daybook/eventstore"
)

var update = flag.Bool("update", false, "write the golden vectors anew")

const testOrigin = "example.com/books/acme"

// testKey is fixed, so that every signature is: Ed25519 is deterministic.
func testKey(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

func testSigner(tb testing.TB) *Signer {
	tb.Helper()
	s, err := NewSigner(testOrigin, testKey(1))
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// golden compares with a file of testdata, or writes it with -update.
func golden(tb testing.TB, name string, got []byte) {
	tb.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		tb.Errorf("%s: the bytes have changed: every stored log would be unreadable", name)
	}
}

// build signs a log whose pages hold the given numbers of commits.
func build(tb testing.TB, s *Signer, counts ...int) []eventstore.Page {
	tb.Helper()
	var pages []eventstore.Page
	var edge Edge
	for i, n := range counts {
		old := edge.Size()
		var commits [][]byte
		for range n {
			c := fmt.Appendf(nil, "commit %d of a log", edge.Size())
			commits = append(commits, c)
			edge.Append(LeafHash(c), nil)
		}
		h := Head{Page: uint64(i + 1), Size: edge.Size(), Root: edge.Root()}
		body, err := s.Page(h, old, commits)
		if err != nil {
			tb.Fatal(err)
		}
		pages = append(pages, eventstore.Page{Number: h.Page, Body: body})
	}
	return pages
}

// replay runs pages through a new chain.
func replay(tb testing.TB, v *Verifier, pages []eventstore.Page) (*Chain, error) {
	tb.Helper()
	c, err := NewChain(v, EmptyHead(), Edge{})
	if err != nil {
		tb.Fatal(err)
	}
	for _, p := range pages {
		if _, err := c.Next(p); err != nil {
			return c, err
		}
	}
	return c, nil
}

func TestGoldenVectors(t *testing.T) {
	s := testSigner(t)
	pages := build(t, s, 3, 0, 2)
	golden(t, "page-1.bin", pages[0].Body)
	golden(t, "page-2-barrier.bin", pages[1].Body)
	golden(t, "page-3.bin", pages[2].Body)
	c, err := replay(t, s.Verifier(), pages)
	if err != nil {
		t.Fatal(err)
	}
	checkpoint, err := s.Checkpoint(c.Head())
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "checkpoint.txt", checkpoint)
	edge := c.Edge()
	stored, err := edge.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "edge.bin", stored)
	golden(t, "keys.txt", []byte(s.Verifier().VerifierKey()+"\n"+s.Verifier().PageKey()+"\n"))
}

func TestOpenGivesWhatWasSigned(t *testing.T) {
	s := testSigner(t)
	pages := build(t, s, 2, 0, 1)
	for i, want := range []struct {
		size, old uint64
		commits   string
	}{{2, 0, "commit 0 of a log|commit 1 of a log"}, {2, 2, ""}, {3, 2, "commit 2 of a log"}} {
		p, err := s.Verifier().Open(pages[i].Body)
		if err != nil {
			t.Fatal(err)
		}
		if p.Page != uint64(i+1) || p.Size != want.size || p.OldSize != want.old ||
			string(bytes.Join(p.Commits, []byte("|"))) != want.commits || p.Barrier() != (want.commits == "") {
			t.Errorf("page %d opens as %+v", i+1, p)
		}
		again, err := s.Page(p.Head, p.OldSize, p.Commits)
		if err != nil || !bytes.Equal(again, pages[i].Body) {
			t.Errorf("page %d signed again differs (%v)", i+1, err)
		}
	}
}

func TestEmptyLogMayBeginWithABarrier(t *testing.T) {
	s := testSigner(t)
	if _, err := replay(t, s.Verifier(), build(t, s, 0, 0, 1)); err != nil {
		t.Fatal(err)
	}
}

func TestEveryFlippedBitIsNoticed(t *testing.T) {
	s := testSigner(t)
	v := s.Verifier()
	pages := build(t, s, 2, 0, 1, 3)
	for i, p := range pages {
		before, err := replay(t, v, pages[:i])
		if err != nil {
			t.Fatal(err)
		}
		for bit := range len(p.Body) * 8 {
			body := bytes.Clone(p.Body)
			body[bit/8] ^= 1 << (bit % 8)
			_, err := before.Next(eventstore.Page{Number: p.Number, Body: body})
			var e *Error
			if !errors.As(err, &e) || e.Page != p.Number {
				t.Fatalf("page %d with bit %d flipped: %v", p.Number, bit, err)
			}
		}
		if _, err := before.Next(p); err != nil {
			t.Fatalf("page %d after %d refused ones: %v", p.Number, len(p.Body)*8, err)
		}
	}
}

func TestEveryCutAndEveryAdditionIsNoticed(t *testing.T) {
	s := testSigner(t)
	body := build(t, s, 2)[0].Body
	for n := range body {
		if _, err := s.Verifier().Open(body[:n]); err == nil {
			t.Fatalf("a page cut to %d bytes opens", n)
		}
	}
	for _, tail := range []string{"\x00", "\x00\x00\x00\x00", "\x00\x00\x00\x01x", "\n"} {
		if _, err := s.Verifier().Open(append(bytes.Clone(body), tail...)); err == nil {
			t.Errorf("a page with %q added opens", tail)
		}
	}
}

// withNote puts another note into a page.
func withNote(body []byte, change func(note string) string) []byte {
	n := binary.BigEndian.Uint32(body)
	note := change(string(body[4 : 4+n]))
	out := binary.BigEndian.AppendUint32(nil, uint32(len(note)))
	return append(append(out, note...), body[4+n:]...)
}

func TestANoteHasOneForm(t *testing.T) {
	s := testSigner(t)
	body := build(t, s, 1)[0].Body
	other, err := NewSigner("example.com/books/other", testKey(2))
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := other.page.sign("x\n")
	if err != nil {
		t.Fatal(err)
	}
	foreignLine := string(foreign[strings.Index(string(foreign), "\n\n")+2:])
	last := func(note string) string { return note[strings.Index(note, "\n\n")+2:] }
	for name, change := range map[string]func(string) string{
		"signature twice":           func(n string) string { return n + last(n) },
		"a foreign signature after": func(n string) string { return n + foreignLine },
		"a foreign one before": func(n string) string {
			return strings.Replace(n, "\n\n", "\n\n"+foreignLine, 1)
		},
		"loose base64 at the end": func(n string) string {
			at := len(n) - 3 // the last digit before "=\n" has two free bits
			return n[:at] + string(looser(n[at])) + n[at+1:]
		},
		"carriage return in base64": func(n string) string { return n[:len(n)-9] + "\r" + n[len(n)-9:] },
		"a key nobody asked for":    func(n string) string { return strings.Replace(n, last(n), foreignLine, 1) },
	} {
		if p, err := s.Verifier().Open(withNote(body, change)); err == nil {
			t.Errorf("%s: opens as %+v", name, p.Head)
		}
	}
}

// looser changes only bits of a base64 digit that stand for nothing.
func looser(digit byte) byte {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	return digits[strings.IndexByte(digits, digit)^1]
}

func TestTheLooseFormIsOneThatNotesAccept(t *testing.T) {
	// Without this the case above could pass because the change breaks the note.
	s := testSigner(t)
	checkpoint, err := s.Checkpoint(EmptyHead())
	if err != nil {
		t.Fatal(err)
	}
	at := len(checkpoint) - 3
	checkpoint[at] = looser(checkpoint[at])
	if _, err := s.verifier.checkpoint.openAny(checkpoint); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Verifier().Checkpoint(checkpoint); !errors.Is(err, ErrCheckpointForm) {
		t.Errorf("a second form of the same checkpoint: %v", err)
	}
}

func TestHeadTextHasOneForm(t *testing.T) {
	s := testSigner(t)
	root := EntryLeaf([32]byte{}).String()
	sign := func(text string) []byte {
		note, err := s.page.sign(text)
		if err != nil {
			t.Fatal(err)
		}
		body := binary.BigEndian.AppendUint32(nil, uint32(len(note)))
		return append(append(body, note...), "\x00\x00\x00\x01x"...)
	}
	good := testOrigin + "/page\n1\n" + root + "\npage 1\nafter 0\n"
	if _, err := s.Verifier().Open(sign(good)); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		strings.Replace(good, "\n1\n", "\n01\n", 1),
		strings.Replace(good, "\n1\n", "\n+1\n", 1),
		strings.Replace(good, "page 1\n", "page  1\n", 1),
		strings.Replace(good, "page 1\n", "page 01\n", 1),
		strings.Replace(good, "\npage 1\n", "\n1\n", 1),
		strings.Replace(good, "page 1\n", "page 0\n", 1),
		strings.Replace(good, "page 1\n", "page 9007199254740992\n", 1),
		strings.Replace(good, "after 0\n", "after 00\n", 1),
		strings.Replace(good, "after 0\n", "after 2\n", 1),
		strings.Replace(good, "after 0\n", "after 0\nmore\n", 1),
		strings.Replace(good, "after 0\n", "", 1),
		strings.Replace(good, "\n1\n", "\n0\n", 1),
		strings.Replace(good, root, looseHash(root), 1),
		strings.Replace(good, "/page\n", "\n", 1),
		strings.Replace(good, testOrigin, "example.com/books/other", 1),
	} {
		if bad == good {
			t.Fatal("a case that changes nothing")
		}
		if _, err := s.Verifier().Open(sign(bad)); !errors.Is(err, ErrForm) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// looseHash changes the free bits of a hash's base64.
func looseHash(text string) string {
	at := len(text) - 2
	return text[:at] + string(looser(text[at])) + text[at+1:]
}

func TestACommitCountThatDiffersFromTheSignedOne(t *testing.T) {
	s := testSigner(t)
	body := build(t, s, 2)[0].Body
	if _, err := s.Verifier().Open(append(bytes.Clone(body), "\x00\x00\x00\x01x"...)); !errors.Is(err, ErrSize) {
		t.Errorf("one commit too many: %v", err)
	}
	n := 4 + binary.BigEndian.Uint32(body)
	if _, err := s.Verifier().Open(body[:n]); !errors.Is(err, ErrSize) {
		t.Errorf("no commits: %v", err)
	}
}

func TestPageRefusesWhatOpenWould(t *testing.T) {
	s := testSigner(t)
	one := [][]byte{[]byte("x")}
	for name, c := range map[string]struct {
		head    Head
		old     uint64
		commits [][]byte
		want    *Error
	}{
		"page zero":      {Head{Page: 0, Size: 1}, 0, one, ErrForm},
		"size runs back": {Head{Page: 1, Size: 1}, 2, one, ErrForm},
		"other count":    {Head{Page: 1, Size: 3}, 1, one, ErrSize},
		"empty commit":   {Head{Page: 1, Size: 1}, 0, [][]byte{{}}, ErrForm},
		"too large":      {Head{Page: 1, Size: 1}, 0, [][]byte{make([]byte, MaxBytes-100)}, ErrForm},
		"too many":       {Head{Page: 1, Size: MaxSize + 1}, MaxSize, one, ErrForm},
		"root of none":   {Head{Page: 1}, 0, nil, ErrForm},
	} {
		if _, err := s.Page(c.head, c.old, c.commits); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestRoomIsExactForTheLargestNumbers(t *testing.T) {
	s := testSigner(t)
	h := Head{Page: MaxSize, Size: MaxSize, Root: tlog.Hash{1}}
	body, err := s.Page(h, MaxSize, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(body) != s.Room() {
		t.Errorf("a barrier of %d bytes, room for %d", len(body), s.Room())
	}
	big := [][]byte{make([]byte, MaxBytes-s.Room()-CommitOverhead)}
	body, err = s.Page(h, MaxSize-1, big)
	if err != nil || len(body) != MaxBytes {
		t.Fatalf("%d bytes, %v", len(body), err)
	}
	if _, err := s.Verifier().Open(body); err != nil {
		t.Error(err)
	}
	long, err := NewSigner(strings.Repeat("o", MaxOrigin), testKey(1))
	if err != nil {
		t.Fatal(err)
	}
	if body, err = long.Page(h, MaxSize, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := long.Verifier().Open(body); err != nil {
		t.Errorf("with the longest origin: %v", err)
	}
}
