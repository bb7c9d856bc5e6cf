package page

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/transparency-dev/formats/log"
	"golang.org/x/mod/sumdb/note"
)

// relabel moves a note's signature to another key name and key hash: whoever has
// a note can do that without the key.
func relabel(t *testing.T, signed []byte, from, to checkKey) []byte {
	t.Helper()
	n, err := note.Open(signed, note.VerifierList(from.known))
	if err != nil {
		t.Fatal(err)
	}
	again, err := note.Sign(&note.Note{Text: n.Text}, replayed{to.known, n.Sigs[0].Base64, t})
	if err != nil {
		t.Fatal(err)
	}
	return again
}

// replayed is a note.Signer that has but one old signature to give.
type replayed struct {
	note.Verifier
	base64 string
	t      *testing.T
}

func (r replayed) Sign([]byte) ([]byte, error) {
	raw, err := base64.StdEncoding.DecodeString(r.base64)
	if err != nil {
		r.t.Fatal(err)
	}
	return raw[4:], nil
}

func TestAPageIsNeverACheckpointNorTheReverse(t *testing.T) {
	s := testSigner(t)
	v := s.Verifier()
	body := build(t, s, 2)[0].Body
	n := binary.BigEndian.Uint32(body)
	pageNote, commits := body[4:4+n], body[4+n:]
	p, err := v.Open(body)
	if err != nil {
		t.Fatal(err)
	}
	checkpoint, err := s.Checkpoint(p.Head)
	if err != nil {
		t.Fatal(err)
	}
	asPage := func(note []byte) []byte {
		out := binary.BigEndian.AppendUint32(nil, uint32(len(note)))
		return append(append(out, note...), commits...)
	}

	if h, err := v.Checkpoint(pageNote); err == nil {
		t.Errorf("a page's note is taken for checkpoint %+v", h)
	}
	if p, err := v.Open(asPage(checkpoint)); err == nil {
		t.Errorf("a checkpoint is taken for page %+v", p)
	}

	// The same under the other's key name, where the signature holds: it is over
	// the text alone.
	relabelled := relabel(t, pageNote, v.page.newest(), v.checkpoint.newest())
	if _, err := v.checkpoint.openAny(relabelled); err != nil {
		t.Fatalf("the relabelled note should be a valid one: %v", err)
	}
	if h, err := v.Checkpoint(relabelled); !errors.Is(err, ErrCheckpointForm) {
		t.Errorf("a relabelled page is taken for checkpoint %+v (%v)", h, err)
	}
	relabelled = relabel(t, checkpoint, v.checkpoint.newest(), v.page.newest())
	if _, _, err := v.page.open(relabelled); err != nil {
		t.Fatalf("the relabelled note should be a valid one: %v", err)
	}
	if p, err := v.Open(asPage(relabelled)); !errors.Is(err, ErrForm) {
		t.Errorf("a relabelled checkpoint is taken for page %+v (%v)", p, err)
	}
	// Nor by others' programs, which allow for extension lines.
	known, err := note.NewVerifier(v.VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	relabelled = relabel(t, pageNote, v.page.newest(), v.checkpoint.newest())
	if cp, _, _, err := log.ParseCheckpoint(relabelled, testOrigin, known); err == nil {
		t.Errorf("another program takes a page for checkpoint %+v", cp)
	}
}

func TestCheckpointIsC2SPs(t *testing.T) {
	s := testSigner(t)
	h := Head{Page: 7, Size: 5, Root: EntryLeaf([32]byte{1})}
	signed, err := s.Checkpoint(h)
	if err != nil {
		t.Fatal(err)
	}
	known, err := note.NewVerifier(s.Verifier().VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	cp, rest, _, err := log.ParseCheckpoint(signed, testOrigin, known)
	if err != nil {
		t.Fatal(err)
	}
	if cp.Size != 5 || !bytes.Equal(cp.Hash, h.Root[:]) || len(rest) != 0 {
		t.Errorf("others read %+v", cp)
	}
	got, err := s.Verifier().Checkpoint(signed)
	h.Page = 0
	if err != nil || got != h {
		t.Errorf("read back as %+v (%v)", got, err)
	}
}

func TestCheckpointMayBeCosigned(t *testing.T) {
	s := testSigner(t)
	signed, err := s.Checkpoint(EmptyHead())
	if err != nil {
		t.Fatal(err)
	}
	witness, err := NewSigner("witness.example", testKey(9))
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open(signed, note.VerifierList(s.verifier.checkpoint.newest().known))
	if err != nil {
		t.Fatal(err)
	}
	cosigned, err := note.Sign(n, witness.checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Verifier().Checkpoint(cosigned); err != nil {
		t.Errorf("with a witness: %v", err)
	}
	if _, err := witness.Verifier().Checkpoint(cosigned); !errors.Is(err, ErrCheckpointForm) {
		t.Errorf("the witness's signature makes it the witness's checkpoint: %v", err)
	}
	stranger, err := NewVerifier(testOrigin, ForEver(testKey(3).Public().(ed25519.PublicKey)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stranger.Checkpoint(signed); !errors.Is(err, ErrCheckpointSignature) {
		t.Errorf("under another key of the same origin: %v", err)
	}
}

func TestCheckpointHasOneForm(t *testing.T) {
	s := testSigner(t)
	root := EntryLeaf([32]byte{}).String()
	good := testOrigin + "\n1\n" + root + "\n"
	for _, bad := range []string{
		strings.Replace(good, "\n1\n", "\n01\n", 1),
		strings.Replace(good, "\n1\n", "\n-1\n", 1),
		strings.Replace(good, "\n1\n", "\n0\n", 1),
		strings.Replace(good, "\n1\n", "\n9007199254740992\n", 1),
		strings.Replace(good, root, looseHash(root), 1),
		good + "extension\n",
		strings.Replace(good, testOrigin, "example.com/books/other", 1),
		testOrigin + "\n1\n",
	} {
		signed, err := s.checkpoint.sign(bad)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Verifier().Checkpoint(signed); !errors.Is(err, ErrCheckpointForm) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := s.Verifier().Checkpoint(make([]byte, MaxCheckpoint+1)); !errors.Is(err, ErrCheckpointForm) {
		t.Error("a checkpoint without bounds")
	}
	if _, err := s.Checkpoint(Head{}); !errors.Is(err, ErrCheckpointForm) {
		t.Error("an empty log with a root of zeros is signed")
	}
}

func TestEveryFlippedBitOfACheckpointIsNoticed(t *testing.T) {
	s := testSigner(t)
	signed, err := s.Checkpoint(EmptyHead())
	if err != nil {
		t.Fatal(err)
	}
	for bit := range len(signed) * 8 {
		flipped := bytes.Clone(signed)
		flipped[bit/8] ^= 1 << (bit % 8)
		if _, err := s.Verifier().Checkpoint(flipped); err == nil {
			t.Fatalf("bit %d", bit)
		}
	}
}

func TestOriginsAndKeys(t *testing.T) {
	for _, bad := range []string{
		"", "a b", "a+b", "a\nb", "a\x00b", "\xff", "a/page", strings.Repeat("x", MaxOrigin+1), "a\u00a0b",
	} {
		if _, err := NewSigner(bad, testKey(1)); !errors.Is(err, ErrKey) {
			t.Errorf("origin %q: %v", bad, err)
		}
	}
	if _, err := NewSigner("a", testKey(1)[:31]); !errors.Is(err, ErrKey) {
		t.Error("a short private key")
	}
	if _, err := NewVerifier("a", ForEver(nil)); !errors.Is(err, ErrKey) {
		t.Error("no public key")
	}
	v := testSigner(t).Verifier()
	again, err := ParseVerifierKey(v.VerifierKey())
	if err != nil || !again.PublicKey().Equal(v.PublicKey()) || again.PageKey() != v.PageKey() {
		t.Errorf("%v", err)
	}
	for _, bad := range []string{"", "x", v.PageKey(), v.VerifierKey() + "=", v.VerifierKey()[1:], strings.ToUpper(v.VerifierKey())} {
		if _, err := ParseVerifierKey(bad); !errors.Is(err, ErrKey) {
			t.Errorf("verifier key %q: %v", bad, err)
		}
	}
}
