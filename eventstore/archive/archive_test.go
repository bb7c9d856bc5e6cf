package archive

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/eventstore/memory"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
)

var update = flag.Bool("update", false, "write the golden vectors anew")

const origin = "example.com/books/acme"

// testLog is a log of so many pages of two commits of a size each.
type testLog struct {
	store  *memory.Store
	signer *page.Signer
	heads  []page.Head // after each page; the first is of none
}

func newLog(tb testing.TB, pages, bytesOfCommit int) *testLog {
	tb.Helper()
	signer, err := page.NewSigner(origin, ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize)))
	if err != nil {
		tb.Fatal(err)
	}
	l := &testLog{memory.New(), signer, []page.Head{page.EmptyHead()}}
	var edge page.Edge
	for number := uint64(1); number <= uint64(pages); number++ {
		old := edge.Size()
		commits := [][]byte{fmt.Appendf(make([]byte, bytesOfCommit), "%d", old), fmt.Appendf(nil, "%d", old+1)}
		for _, c := range commits {
			edge.Append(page.LeafHash(c), nil)
		}
		h := page.Head{Page: number, Size: edge.Size(), Root: edge.Root()}
		body, err := signer.Page(h, old, commits)
		if err != nil {
			tb.Fatal(err)
		}
		if err := l.store.Append(tb.Context(), number-1, body); err != nil {
			tb.Fatal(err)
		}
		l.heads = append(l.heads, h)
	}
	return l
}

// write archives the pages after one up to another.
func (l *testLog) write(t *testing.T, w Writer, from, to int) {
	t.Helper()
	checkpoint, err := l.signer.Checkpoint(l.heads[to])
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Pages(t.Context(), l.store, l.signer.Verifier(), l.heads[from], l.heads[to], checkpoint, nil); err != nil {
		t.Fatal(err)
	}
}

func newWriter(tb testing.TB) (Writer, Identities) {
	tb.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		tb.Fatal(err)
	}
	place, err := NewFolder(filepath.Join(tb.TempDir(), "place"))
	if err != nil {
		tb.Fatal(err)
	}
	return Writer{Log{place, origin}, Recipients{id.Recipient()}}, Identities{id}
}

// begin makes the folder of a log.
func begin(tb testing.TB, w Writer) {
	tb.Helper()
	if err := w.Begin(tb.Context()); err != nil {
		tb.Fatal(err)
	}
}

func open(t *testing.T, w Writer, ids Identities, l *testLog) *Reader {
	t.Helper()
	r, err := w.Open(t.Context(), ids, l.signer.Verifier())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// whole checks that the pages from first to last come back, bit for bit.
func (l *testLog) whole(t *testing.T, r *Reader, first, last uint64) {
	t.Helper()
	next := first
	for p, err := range r.Read(t.Context(), first, last) {
		if err != nil {
			t.Fatal(err)
		}
		for want, err := range l.store.Read(t.Context(), next, next) {
			if err != nil || p.Number != next || !bytes.Equal(p.Body, want.Body) {
				t.Fatalf("page %d comes back as page %d, or other: %v", next, p.Number, err)
			}
		}
		next++
	}
	if next != last+1 {
		t.Errorf("read %d to %d of %d", first, next-1, last)
	}
}

func TestPagesComeBack(t *testing.T) {
	l := newLog(t, 12, 1<<20)
	w, ids := newWriter(t)
	begin(t, w)
	l.write(t, w, 0, 9)
	l.write(t, w, 9, 12)
	segments, err := w.Segments(t.Context())
	if err != nil || len(segments) != 4 { // three of at most 4 MiB, and one
		t.Fatalf("%v, %v", segments, err)
	}
	r := open(t, w, ids, l)
	l.whole(t, r, 1, 12)
	l.whole(t, r, 5, 7)
	if h := r.Newest(); h.Size != 24 || h.Root != l.heads[12].Root {
		t.Errorf("the newest checkpoint is %+v", h)
	}
	if r.Contradicts(l.heads[12]) || !r.Contradicts(page.Head{Size: 24, Root: page.EmptyRoot}) || r.Contradicts(page.Head{Size: 23}) {
		t.Error("what contradicts the checkpoints")
	}
	report, err := transparency.Verify(t.Context(), r, l.signer.Verifier(), transparency.Options{})
	if err != nil || !report.OK || report.Size != 24 {
		t.Errorf("%+v, %v", report, err)
	}
	if other, err := age.GenerateX25519Identity(); err == nil {
		for _, err := range open(t, w, Identities{other}, l).Read(t.Context(), 1, 1) {
			if !errors.Is(err, ErrIdentity) {
				t.Errorf("another's identity: %v", err)
			}
		}
	}
}

// Whatever runs of pages were written, in whatever order, the pages are read once
// each, up to the first that is missing.
func TestSegmentsThatOverlap(t *testing.T) {
	const pages = 12
	l := newLog(t, pages, 8)
	rapid.Check(t, func(rt *rapid.T) {
		w, ids := newWriter(t)
		begin(t, w)
		has := [pages + 1]bool{}
		for range rapid.IntRange(0, 6).Draw(rt, "runs") {
			from := rapid.IntRange(0, pages-1).Draw(rt, "from")
			to := rapid.IntRange(from+1, pages).Draw(rt, "to")
			l.write(t, w, from, to)
			for i := from + 1; i <= to; i++ {
				has[i] = true
			}
		}
		first := rapid.IntRange(1, pages).Draw(rt, "first")
		r := open(t, w, ids, l)
		last, _ := r.Last(t.Context())
		next := first
		var failed error
		for p, err := range r.Read(t.Context(), uint64(first), pages) {
			if failed = err; err == nil {
				if p.Number != uint64(next) {
					rt.Fatalf("page %d where %d is due", p.Number, next)
				}
				next++
			}
		}
		due := first
		for due <= pages && has[due] {
			due++
		}
		ends := due > int(last)
		if next != due || ends != (failed == nil) || !ends && !errors.Is(failed, eventstore.ErrGap) {
			rt.Fatalf("read %d to %d, then %v; there are %v", first, next-1, failed, has)
		}
	})
}

func TestALogThatIsShortIsNotArchived(t *testing.T) {
	l := newLog(t, 3, 8)
	w, _ := newWriter(t)
	begin(t, w)
	more := l.heads[3]
	more.Page++
	if err := w.Pages(t.Context(), l.store, l.signer.Verifier(), l.heads[0], more, nil, nil); err == nil {
		t.Error("a log that ends before what was acknowledged")
	}
	if err := w.Pages(t.Context(), l.store, l.signer.Verifier(), l.heads[2], l.heads[3], nil, func(page.Head) error { return os.ErrInvalid }); !errors.Is(err, os.ErrInvalid) {
		t.Errorf("%v", err)
	}
	wrong := l.heads[1]
	wrong.Size++
	if err := w.Pages(t.Context(), l.store, l.signer.Verifier(), wrong, l.heads[3], nil, nil); err == nil {
		t.Error("pages that do not follow")
	}
}

func TestLogs(t *testing.T) {
	w, _ := newWriter(t)
	if logs, err := Logs(t.Context(), w.Place); err != nil || len(logs) != 0 {
		t.Errorf("%q, %v", logs, err)
	}
	for _, o := range []string{"a.example/1/2", "b.example"} {
		one := Writer{Log{w.Place, o}, w.To}
		begin(t, one)
		if err := one.Public(t.Context(), []byte("{}"), []byte("keys")); err != nil {
			t.Fatal(err)
		}
	}
	begin(t, Writer{Log: Log{w.Place, "c.example"}})
	if err := w.Place.Put(t.Context(), "c.example/book", nil); err != nil { // no list of keys
		t.Fatal(err)
	}
	if logs, err := Logs(t.Context(), w.Place); err != nil || !slices.Equal(logs, []string{"a.example/1/2", "b.example"}) {
		t.Errorf("%q, %v", logs, err)
	}
}

func TestRecipients(t *testing.T) {
	x, _ := age.GenerateX25519Identity()
	h, _ := age.GenerateHybridIdentity()
	classic, hybrid := x.Recipient().String(), h.Recipient().String()
	for name, c := range map[string]struct {
		texts []string
		ok    bool
	}{
		"one": {[]string{classic}, true}, "hybrid": {[]string{hybrid, hybrid}, true}, "none": {nil, false},
		"both kinds": {[]string{classic, hybrid}, false}, "no recipient": {[]string{"age1nobody"}, false},
		"an identity": {[]string{x.String()}, false}, "two in one": {[]string{classic + "\n" + classic}, false},
		"a key of ssh": {[]string{"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ"}, false},
	} {
		to, err := ParseRecipients(c.texts)
		if (err == nil) != c.ok || err != nil && !errors.Is(err, ErrRecipients) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "SECRET-KEY-1"+x.String()[16:]) {
			t.Errorf("%s: the error tells a key", name)
		}
		if !c.ok {
			continue
		}
		if _, err := to.seal([]byte("x")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParseIdentities(strings.NewReader("AGE-SECRET-KEY-1NOTONE")); !errors.Is(err, ErrIdentity) || strings.Contains(err.Error(), "NOTONE") {
		t.Errorf("%v", err)
	}
}

func TestTheRingComesBack(t *testing.T) {
	w, ids := newWriter(t)
	begin(t, w)
	c := keyring.Copy{File: bytes.Repeat([]byte{7}, 1100), Root: bytes.Repeat([]byte{9}, keyring.KeySize)}
	if err := w.Ring(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	got, err := w.OpenRing(t.Context(), ids)
	if err != nil || !bytes.Equal(got.File, c.File) || !bytes.Equal(got.Root, c.Root) {
		t.Errorf("%v", err)
	}
	other := Log{w.Place, "example.com/other"}
	begin(t, Writer{Log: other})
	data, err := w.Place.Get(t.Context(), origin+"/ring.age")
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Place.Put(t.Context(), "example.com/other/ring.age", data); err != nil {
		t.Fatal(err)
	}
	if _, err := other.OpenRing(t.Context(), ids); !errors.Is(err, ErrDamaged) {
		t.Errorf("another log's ring: %v", err)
	}
}

// vector is a segment of three pages, of which every byte is fixed.
func vector(tb testing.TB) content {
	tb.Helper()
	l := newLog(tb, 3, 8)
	c := content{origin: origin}
	for p, err := range l.store.Read(tb.Context(), 1, 3) {
		if err != nil {
			tb.Fatal(err)
		}
		c.pages = append(c.pages, p)
	}
	var err error
	if c.checkpoint, err = l.signer.Checkpoint(l.heads[3]); err != nil {
		tb.Fatal(err)
	}
	return c
}

// TestGolden: segments that a release has written are opened by every later one,
// and by age with the identity that lies beside.
func TestGolden(t *testing.T) {
	want := vector(t).encode()
	identity, plain, sealed := filepath.Join("testdata", "identity.txt"), filepath.Join("testdata", "segment.plain"), filepath.Join("testdata", "segment.age")
	if *update {
		id, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		data, err := Recipients{id.Recipient()}.seal(want)
		if err = errors.Join(err, os.MkdirAll("testdata", 0o755), os.WriteFile(identity, []byte("# of test vectors: no secret\n"+id.String()+"\n"), 0o644),
			os.WriteFile(plain, want, 0o644), os.WriteFile(sealed, data, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.Open(identity)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	ids, err := ParseIdentities(file)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(sealed)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := ids.open(data)
	if err != nil || !bytes.Equal(opened, want) {
		t.Errorf("the sealed segment: %v", err)
	}
	if kept, err := os.ReadFile(plain); err != nil || !bytes.Equal(kept, want) {
		t.Errorf("the form of segments has changed: %v", err)
	}
	for i := range data {
		bad := bytes.Clone(data)
		bad[i] ^= 0x10
		if _, err := ids.open(bad); err == nil {
			t.Fatalf("byte %d of a sealed segment may be another one", i)
		}
	}
}

func FuzzSegment(f *testing.F) {
	good := vector(f).encode()
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := decode(data)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("%v", err)
			}
			return
		}
		if !bytes.Equal(c.encode(), data) {
			t.Error("two forms of one segment")
		}
	})
}

func FuzzRing(f *testing.F) {
	f.Add(frame(frame(frame(nil, []byte(ringMagic+"\n"+origin+"\n")), make([]byte, keyring.KeySize)), []byte("ring")))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := decodeRing(data, origin); err != nil && !errors.Is(err, ErrDamaged) {
			t.Errorf("%v", err)
		}
	})
}

func TestNamesOfSegments(t *testing.T) {
	s := Segment{1, 70, [8]byte{0xab}}
	name := strings.TrimPrefix(s.Name(), "segments/")
	if got, is := parseSegment(name); !is || got != s {
		t.Errorf("%s: %+v", name, got)
	}
	for _, other := range []string{"", "x.age", "1-2-ab.age", strings.ToUpper(name), name + ".age", strings.Replace(name, "0001-", "0000-", 1), strings.Replace(name, "-", "--", 1)} {
		if s, is := parseSegment(other); is {
			t.Errorf("%q is a segment: %+v", other, s)
		}
	}
}
