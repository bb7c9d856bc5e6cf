package seal

import (
	"bytes"
	crand "crypto/rand"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/eventstore/keyring"
)

var update = flag.Bool("update", false, "write the golden files anew")

func sampleID(n byte) uuid.UUID {
	return uuid.UUID{0x01, 0x99, n, n, n, n, 0x70, n, 0x80, n, n, n, n, n, n, n}
}

func sampleHeader() Header {
	return Header{
		Book: sampleID(1), Epoch: 1, Position: 123_456, Command: sampleID(2),
		Principal: "ann@example.com", Recorded: 1_790_000_000_000_000, Correlation: sampleID(3),
		Events: []Event{
			{Type: "invoice.issued", Stream: Stream{Kind: "invoice", ID: sampleID(4)}, Revision: 3, Schema: 1},
			{Type: "series.drawn", Stream: Stream{Kind: "series", ID: sampleID(5)}, Revision: 4711, Schema: 1},
		},
	}
}

func sampleSections() []Section {
	return []Section{
		{Kind: Facts, Key: 1, Plain: bytes.Repeat([]byte("facts."), 50)},
		{Kind: Personal, Key: 2, Subject: sampleID(6), Plain: bytes.Repeat([]byte("person"), 50)},
		{Kind: Personal, Key: 300, Subject: sampleID(7), Plain: bytes.Repeat([]byte("person"), 50)},
	}
}

// sampleKeys gives each id a key of its own.
func sampleKeys(id keyring.KeyID) ([]byte, error) {
	return bytes.Repeat([]byte{byte(id), byte(id >> 8), 0x5a, 0xa5}, keyring.KeySize/4), nil
}

func keyOf(id keyring.KeyID) []byte {
	key, _ := sampleKeys(id)
	return key
}

func fixedRand() io.Reader {
	return rand.NewChaCha8([32]byte([]byte("daybook test vectors: no secret!")))
}

func sample(t testing.TB) []byte {
	t.Helper()
	commit, err := Seal(sampleHeader(), sampleSections(), sampleKeys, fixedRand())
	if err != nil {
		t.Fatal(err)
	}
	return commit
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want one that is %q", err, want)
	}
}

// openAll parses a commit and opens every section.
func openAll(commit []byte) (Sealed, [][]byte, error) {
	s, err := Parse(commit)
	if err != nil {
		return s, nil, err
	}
	var plain [][]byte
	for i, info := range s.Header.Sections {
		p, err := s.Open(i, keyOf(info.Key))
		if err != nil {
			return s, nil, err
		}
		plain = append(plain, p)
	}
	return s, plain, nil
}

// TestGolden: commits that a release has written are read by every later one.
func TestGolden(t *testing.T) {
	full := sampleHeader()
	full.Causation, full.Proof = sampleID(8), bytes.Repeat([]byte{0xee}, 220)
	for name, c := range map[string]struct {
		header   Header
		sections []Section
	}{
		"three-sections": {sampleHeader(), sampleSections()},
		"proof":          {full, sampleSections()[:1]},
		"least":          {Header{Book: sampleID(1), Command: sampleID(2)}, nil},
		"largest": {Header{
			Book: sampleID(1), Epoch: math.MaxUint64, Position: math.MaxUint64, Command: sampleID(2),
			Principal: strings.Repeat("ü", MaxPrincipal/2), Recorded: math.MinInt64,
			Events: []Event{{Type: strings.Repeat("t", MaxName), Stream: Stream{Kind: "k"}, Revision: math.MaxUint64, Schema: math.MaxUint64}},
		}, []Section{{Kind: Personal, Key: math.MaxUint32, Subject: sampleID(9), Plain: nil}}},
	} {
		golden := filepath.Join("testdata", "v1-"+name+".hex")
		commit, err := Seal(c.header, c.sections, sampleKeys, fixedRand())
		if err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(golden, []byte(hex.EncodeToString(commit)+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		want, err := hex.DecodeString(strings.TrimSpace(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(commit, want) {
			t.Errorf("%s: the bytes of a commit have changed", name)
		}
		got, plain, err := openAll(want)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got.Header.Sections = nil
		c.header.Events = append([]Event{}, c.header.Events...)
		if fmt.Sprintf("%+v", got.Header) != fmt.Sprintf("%+v", c.header) {
			t.Errorf("%s: header %+v", name, got.Header)
		}
		for i, s := range c.sections {
			if !bytes.Equal(plain[i], s.Plain) {
				t.Errorf("%s: section %d opens to other bytes", name, i)
			}
		}
	}
}

// TestCanonical holds the hand-written outer arrays against the CBOR library.
func TestCanonical(t *testing.T) {
	commit := sample(t)
	var outer struct {
		_        struct{} `cbor:",toarray"`
		Header   []byte
		Sections [][3][]byte
	}
	if err := cbor.Unmarshal(commit, &outer); err != nil {
		t.Fatal(err)
	}
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := mode.Marshal(outer)
	if err != nil || !bytes.Equal(again, commit) {
		t.Errorf("the library writes another commit (%v)", err)
	}
	var header map[int]any
	if err := cbor.Unmarshal(outer.Header, &header); err != nil {
		t.Fatal(err)
	}
	again, err = mode.Marshal(header)
	if err != nil || !bytes.Equal(again, outer.Header) {
		t.Errorf("the library writes another header (%v)", err)
	}
	for _, n := range []uint64{0, 23, 24, 255, 256, 65535, 65536, 1<<32 - 1, 1 << 32, math.MaxUint64} {
		want, _ := mode.Marshal(n)
		if got := appendHead(nil, majorUint, n); !bytes.Equal(got, want) || len(got) != headSize(n) {
			t.Errorf("%d: head %x, want %x", n, got, want)
		}
	}
}

func genHeader() *rapid.Generator[Header] {
	id := rapid.Custom(func(t *rapid.T) uuid.UUID {
		var u uuid.UUID
		copy(u[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
		return u
	})
	name := rapid.StringMatching(`[a-zé]{1,20}`)
	event := rapid.Custom(func(t *rapid.T) Event {
		return Event{
			Type: name.Draw(t, "type"), Stream: Stream{name.Draw(t, "kind"), id.Draw(t, "stream")},
			Revision: rapid.Uint64().Draw(t, "revision"), Schema: rapid.Uint64().Draw(t, "schema"),
		}
	})
	return rapid.Custom(func(t *rapid.T) Header {
		return Header{
			Book: id.Draw(t, "book"), Epoch: rapid.Uint64().Draw(t, "epoch"), Position: rapid.Uint64().Draw(t, "position"),
			Command: id.Draw(t, "command"), Principal: rapid.StringN(0, 60, MaxPrincipal).Draw(t, "principal"),
			Recorded: rapid.Int64().Draw(t, "recorded"), Correlation: id.Draw(t, "correlation"), Causation: id.Draw(t, "causation"),
			Events: rapid.SliceOfN(event, 0, 30).Draw(t, "events"),
			Proof:  rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "proof"),
		}
	})
}

// TestRoundTrip: whatever is sealed opens to the same, and is not larger than
// Bound said.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := genHeader().Draw(t, "header")
		var sections []Section
		for i := range rapid.IntRange(0, 30).Draw(t, "sections") {
			s := Section{Key: keyring.KeyID(rapid.Uint32Min(1).Draw(t, "key")), Plain: rapid.SliceOf(rapid.Byte()).Draw(t, "plain")}
			if i > 0 {
				s.Kind, s.Subject = Personal, sampleID(byte(i))
			}
			sections = append(sections, s)
		}
		bound := Bound(h, sections)
		commit, err := Seal(h, sections, sampleKeys, crand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if len(commit) > bound {
			t.Fatalf("%d bytes, bound %d", len(commit), bound)
		}
		got, plain, err := openAll(commit)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range sections {
			if !bytes.Equal(plain[i], s.Plain) || got.Header.Sections[i] != (SectionInfo{s.Kind, s.Key, s.Subject}) {
				t.Fatalf("section %d came back as another", i)
			}
		}
		got.Header.Sections = nil
		if len(h.Proof) == 0 {
			h.Proof = nil
		}
		if fmt.Sprintf("%#v", got.Header) != fmt.Sprintf("%#v", h) {
			t.Fatalf("header\n%#v\nwant\n%#v", got.Header, h)
		}
	})
}

func TestEveryFlippedBitIsDetected(t *testing.T) {
	sections := sampleSections()
	for i := range sections {
		sections[i].Plain = []byte("short")
	}
	commit, err := Seal(sampleHeader(), sections, sampleKeys, crand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for bit := range len(commit) * 8 {
		bad := bytes.Clone(commit)
		bad[bit/8] ^= 1 << (bit % 8)
		if _, _, err := openAll(bad); err == nil {
			t.Fatalf("bit %d of byte %d", bit%8, bit/8)
		} else if !typed(err) {
			t.Fatalf("bit %d of byte %d: untyped error %v", bit%8, bit/8, err)
		}
	}
	for n := range commit {
		if _, err := Parse(commit[:n]); !errors.Is(err, ErrForm) {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
	_, err = Parse(append(bytes.Clone(commit), 0))
	wantErr(t, err, ErrForm)
}

func typed(err error) bool {
	for _, want := range []error{ErrForm, ErrTooLarge, ErrNewer, ErrSection} {
		if errors.Is(err, want) {
			return true
		}
	}
	return false
}

func TestSectionsStayWhereTheyAre(t *testing.T) {
	s, err := Parse(sample(t))
	if err != nil {
		t.Fatal(err)
	}
	h := sampleHeader()
	h.Position++
	other, err := Seal(h, sampleSections(), sampleKeys, crand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	o, err := Parse(other)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Open(0, keyOf(2))
	wantErr(t, err, ErrSection)

	between := s // the section of another commit, same key and index
	between.sections = append([]section{o.sections[0]}, s.sections[1:]...)
	_, err = between.Open(0, keyOf(1))
	wantErr(t, err, ErrSection)

	within := s // two sections of this commit, opened with either key
	within.sections = []section{s.sections[0], s.sections[2], s.sections[1]}
	for i := 1; i < 3; i++ {
		for _, key := range []keyring.KeyID{2, 300} {
			_, err = within.Open(i, keyOf(key))
			wantErr(t, err, ErrSection)
		}
	}

	altered := s // the header says something else
	altered.HeaderBytes = o.HeaderBytes
	_, err = altered.Open(0, keyOf(1))
	wantErr(t, err, ErrSection)

	kind := s // a personal section passed off as facts
	kind.Header.Sections = []SectionInfo{s.Header.Sections[0], {Kind: Facts, Key: 2}, s.Header.Sections[2]}
	_, err = kind.Open(1, keyOf(2))
	wantErr(t, err, ErrSection)

	for _, i := range []int{-1, 3} {
		_, err = s.Open(i, keyOf(1))
		wantErr(t, err, ErrForm)
	}
	for _, key := range [][]byte{nil, make([]byte, 16), make([]byte, 33)} {
		_, err = s.Open(0, key)
		wantErr(t, err, ErrForm)
	}
}

// TestSameKeySwapped: sections under one data key cannot change places either.
func TestSameKeySwapped(t *testing.T) {
	sections := sampleSections()
	sections[2].Key = sections[1].Key
	commit, err := Seal(sampleHeader(), sections, sampleKeys, crand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Parse(commit)
	if err != nil {
		t.Fatal(err)
	}
	s.sections[1], s.sections[2] = s.sections[2], s.sections[1]
	for i := 1; i < 3; i++ {
		_, err = s.Open(i, keyOf(2))
		wantErr(t, err, ErrSection)
	}
}

// TestCommitmentIsChecked: a ciphertext that authenticates is not enough.
func TestCommitmentIsChecked(t *testing.T) {
	s, err := Parse(sample(t))
	if err != nil {
		t.Fatal(err)
	}
	for i := range commitmentSize {
		bad := s
		bad.sections = append([]section{}, s.sections...)
		bad.sections[0].commitment = bytes.Clone(s.sections[0].commitment)
		bad.sections[0].commitment[i] ^= 0x80
		_, err = bad.Open(0, keyOf(1))
		wantErr(t, err, ErrSection)
	}
}

// TestFreshSalts: the same content sealed twice shares no key and no byte of
// ciphertext that could be told apart.
func TestFreshSalts(t *testing.T) {
	seen := map[string]bool{}
	for range 50 {
		commit, err := Seal(sampleHeader(), sampleSections(), sampleKeys, crand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Parse(commit)
		if err != nil {
			t.Fatal(err)
		}
		for _, section := range s.sections {
			for _, part := range [][]byte{section.salt, section.commitment, section.ciphertext[:16]} {
				if seen[string(part)] {
					t.Fatal("a salt, commitment or ciphertext came twice")
				}
				seen[string(part)] = true
			}
		}
	}
}

func TestNothingSecretIsPrinted(t *testing.T) {
	var out strings.Builder
	s, err := Parse(sample(t))
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Open(0, keyOf(2))
	fmt.Fprintf(&out, "%v %+v", err, s)
	_, err = s.Open(0, keyOf(1)[:31])
	fmt.Fprintln(&out, err)
	sections := sampleSections()
	sections[0].Kind = 9
	_, err = Seal(sampleHeader(), sections, sampleKeys, crand.Reader)
	fmt.Fprintln(&out, err)
	for _, secret := range []string{string(keyOf(1)), string(keyOf(2)), "facts.facts"} {
		if strings.Contains(out.String(), secret) || strings.Contains(out.String(), hex.EncodeToString([]byte(secret))) {
			t.Errorf("printed: %q", secret)
		}
	}
}
