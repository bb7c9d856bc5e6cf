package transparency

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/daybook-ledger/daybook/eventstore/page"
)

func testKey(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func testPublic(seed byte) ed25519.PublicKey { return testKey(seed).Public().(ed25519.PublicKey) }

func testWitness(name string, seed byte) WitnessKey { return WitnessKey{name, testPublic(seed)} }

// testList is a log's first list: key 1 signs, identity 7.
func testList(tb testing.TB) KeyList {
	tb.Helper()
	identity, err := note.NewEd25519VerifierKey("example.com/acme/identity", testPublic(7))
	if err != nil {
		tb.Fatal(err)
	}
	return KeyList{Identity: identity, Origin: testOrigin, Serial: 1, Keys: []page.KeyRange{{Public: testPublic(1), Origin: testOrigin, Until: page.MaxSize, Counts: page.MaxSize}}}
}

func witnessed(l KeyList) KeyList {
	l.Serial++
	l.Witnesses = Witnesses{Keys: []WitnessKey{testWitness("witness.example/w1", 21), testWitness("witness.example/w2", 22)}, Quorum: 1}
	return l
}

func signed(tb testing.TB, l KeyList) []byte {
	tb.Helper()
	text, err := l.Sign(testKey(7))
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

func TestKeyListVectors(t *testing.T) {
	first := testList(t)
	second := witnessed(first)
	third := second.Rotate(testPublic(2), 100, 100)
	fourth := third.Rotate(testPublic(3), 250, 120)
	for name, l := range map[string]KeyList{
		"keys-first.txt": first, "keys-witnessed.txt": second, "keys-rotated.txt": third, "keys-compromised.txt": fourth,
		"keys-succeeded.txt": fourth.Succeed(testOrigin+"/2", testPublic(4), 180),
	} {
		text := signed(t, l)
		golden(t, name, text)
		again, err := ParseKeyList(text)
		if err != nil || again.text() != l.text() {
			t.Errorf("%s: %v", name, err)
		}
	}
	if k := fourth.Keys[1]; k.Until != 250 || k.Counts != 120 || fourth.Serial != 4 {
		t.Errorf("after a compromise: %+v", fourth)
	}
}

func TestAKeyListHasOneForm(t *testing.T) {
	good := signed(t, witnessed(testList(t)))
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x01
		if _, err := ParseKeyList(bad); err == nil {
			t.Fatalf("byte %d may be another one", i)
		}
	}
	resign := func(change func(string) string) []byte {
		text, _, _ := strings.Cut(string(good), "\n\n")
		verifier, err := note.NewVerifier(testList(t).Identity)
		if err != nil {
			t.Fatal(err)
		}
		out, err := note.Sign(&note.Note{Text: change(text + "\n")}, noteSigner{verifier, testKey(7)})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if _, err := ParseKeyList(resign(func(s string) string { return s })); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(string) string{
		"another magic":     func(s string) string { return strings.Replace(s, "v1", "v2", 1) },
		"a leading zero":    func(s string) string { return strings.Replace(s, "serial 2", "serial 02", 1) },
		"serial 0":          func(s string) string { return strings.Replace(s, "serial 2", "serial 0", 1) },
		"the end in digits": func(s string) string { return strings.Replace(s, "key 0 -", "key 0 9007199254740991", 1) },
		"a late start":      func(s string) string { return strings.Replace(s, "key 0", "key 1", 1) },
		"a large quorum":    func(s string) string { return strings.Replace(s, "quorum 1", "quorum 3", 1) },
		"no quorum":         func(s string) string { return strings.Replace(s, "quorum 1", "quorum 0", 1) },
		"another line":      func(s string) string { return s + "more\n" },
		"witnesses twice":   func(s string) string { return s + s[strings.LastIndex(s, "witness "):] },
	} {
		if _, err := ParseKeyList(resign(change)); !errors.Is(err, ErrKeysForm) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := testList(t).Sign(testKey(1)); !errors.Is(err, ErrKeysSignature) {
		t.Errorf("signed by another than the identity: %v", err)
	}
}

func TestAKeyListFollowsTheTrustedOne(t *testing.T) {
	first := testList(t)
	rotated := first.Rotate(testPublic(2), 100, 100)
	compromised := first.Rotate(testPublic(2), 100, 40)
	compromised.Serial = 3
	for name, c := range map[string]struct{ trusted, given, want KeyList }{
		"the same": {first, first, first}, "a newer": {first, rotated, rotated}, "an older": {rotated, first, rotated},
		"what counts shrinks": {rotated, compromised, compromised}, "witnesses come": {first, witnessed(first), witnessed(first)},
	} {
		got, err := c.trusted.Follow(c.given)
		if err != nil || got.text() != c.want.text() {
			t.Errorf("%s: serial %d, %v", name, got.Serial, err)
		}
	}
	other, forked, grown, moved := first, first.Rotate(testPublic(3), 100, 100), rotated, rotated
	other.Identity = strings.Replace(other.Identity, "acme", "evil", 1)
	shrunk := first
	shrunk.Serial = 9
	forked.Serial = 9
	grown.Serial, grown.Keys = 9, append([]page.KeyRange{}, compromised.Keys...)
	moved.Serial, moved.Keys = 9, first.Rotate(testPublic(2), 99, 99).Keys
	raised := compromised
	raised.Serial, raised.Keys = 9, rotated.Keys
	sameSerial := witnessed(first)
	for name, c := range map[string]struct{ trusted, given KeyList }{
		"another identity": {first, other}, "a key less": {rotated, shrunk}, "another key": {rotated, forked},
		"another place": {rotated, moved}, "what counts grows": {compromised, raised}, "one serial twice": {rotated, sameSerial},
	} {
		if _, err := c.trusted.Follow(c.given); !errors.Is(err, ErrKeysHistory) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseKeyList(f *testing.F) {
	f.Add(signed(f, testList(f)))
	f.Add(signed(f, witnessed(testList(f)).Rotate(testPublic(2), 5, 3)))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := ParseKeyList(text)
		if err != nil {
			return
		}
		if again := l.text(); !strings.HasPrefix(string(text), again+"\n") {
			t.Errorf("%q was read as %q", text, again)
		}
	})
}

// testing/tessera has another implementation read the vector.
func TestCosignatureVector(t *testing.T) {
	checkpoint, err := testSigner(t, 1).Checkpoint(page.Head{Size: 1, Root: page.EntryLeaf([32]byte{1})})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1_790_000_000, 0).UTC()
	line, err := Cosign("witness.example/w1", testKey(21), checkpoint, at)
	if err != nil {
		t.Fatal(err)
	}
	both, err := AddCosignatures(checkpoint, line, line)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "checkpoint-cosigned.txt", both)
	w := testWitness("witness.example/w1", 21)
	if got, err := w.Cosigned(both); err != nil || !got.Equal(at) {
		t.Errorf("our own: %v, %v", got, err)
	}
	if again, err := ParseWitnessKey(w.String()); err != nil || again.String() != w.String() {
		t.Errorf("its key: %v", err)
	}
	if _, err := testSigner(t, 1).Verifier().Checkpoint(both); err != nil {
		t.Errorf("the log's own signature: %v", err)
	}
}

func TestQuorum(t *testing.T) {
	checkpoint, err := testSigner(t, 1).Checkpoint(page.Head{Size: 1, Root: page.EntryLeaf([32]byte{1})})
	if err != nil {
		t.Fatal(err)
	}
	ws := Witnesses{Keys: []WitnessKey{testWitness("a", 21), testWitness("b", 22), testWitness("c", 23)}, Quorum: 2}
	var lines [][]byte
	for i, w := range ws.Keys {
		if _, err := ws.Check(checkpoint); (err == nil) != (i >= 2) {
			t.Errorf("%d of 2: %v", i, err)
		}
		line, err := Cosign(w.Name, testKey(byte(21+i)), checkpoint, time.Unix(int64(1000+i), 0))
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
		if checkpoint, err = AddCosignatures(checkpoint, line); err != nil {
			t.Fatal(err)
		}
	}
	if at, err := ws.Check(checkpoint); err != nil || at.Unix() != 1001 {
		t.Errorf("cosigned at %v, %v", at, err)
	}
	if _, err := (Witnesses{}).Check(checkpoint); err != nil {
		t.Errorf("a log without witnesses: %v", err)
	}
	stranger := bytes.Replace(checkpoint, []byte("— a "), []byte("— z "), 1)
	if _, err := (Witnesses{Keys: ws.Keys[:1], Quorum: 1}).Check(stranger); !errors.Is(err, ErrQuorum) {
		t.Errorf("under another name: %v", err)
	}
	forged := bytes.Replace(checkpoint, lines[0], bytes.Replace(lines[0], lines[0][30:34], []byte("AAAA"), 1), 1)
	if _, err := ws.Check(forged); !errors.Is(err, ErrCosignature) && !errors.Is(err, ErrQuorum) {
		t.Errorf("a forged one: %v", err)
	}
}

func TestWitnessKeysThatAreNone(t *testing.T) {
	good := testWitness("w", 21).String()
	log, err := note.NewEd25519VerifierKey("w", testPublic(21))
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "w", good + "=", " " + good, log, strings.ToUpper(good), strings.Replace(good, "w+", "+", 1)} {
		if _, err := ParseWitnessKey(bad); !errors.Is(err, ErrCosignature) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// A list of a new epoch is followed from one of before, whatever came after the
// size where the epoch begins; a list of another epoch is not.
func TestAKeyListFollowsANewEpoch(t *testing.T) {
	first := testList(t)
	rotated := first.Rotate(testPublic(2), 100, 100)
	next := testOrigin + "/2"
	before, after := rotated.Succeed(next, testPublic(4), 60), rotated.Succeed(next, testPublic(4), 160)
	if len(before.Keys) != 2 || len(after.Keys) != 3 || before.Origin != next || before.Keys[0].Counts != 60 {
		t.Fatalf("%+v, %+v", before, after)
	}
	for name, c := range map[string]struct{ trusted, given KeyList }{
		"from the beginning": {first, after}, "with its keys": {rotated, after}, "before the rotation": {rotated, before},
		"before it, from the beginning": {first, before}, "an older list": {after, rotated},
		"a copy that has made more lists than the book": {rotated, first.Succeed(next, testPublic(4), 60).Rotate(testPublic(5), 70, 70)},
		"a rotation in the new epoch":                   {rotated, after.Rotate(testPublic(5), 300, 300)},
	} {
		newer := c.given
		if c.trusted.Serial > newer.Serial {
			newer = c.trusted
		}
		if got, err := c.trusted.Follow(c.given); err != nil || got.text() != newer.text() {
			t.Errorf("%s: %v", name, err)
		}
	}
	twin := rotated.Succeed(testOrigin+"/2-twin", testPublic(6), 160)
	longer := twin.Rotate(testPublic(7), 400, 400)
	went := rotated.Rotate(testPublic(3), 200, 200).Rotate(testPublic(8), 300, 300) // the old book went on
	changed := after
	changed.Serial, changed.Keys = 9, append([]page.KeyRange{}, after.Keys...)
	changed.Keys[1].Until, changed.Keys[2].From = 170, 170
	for name, c := range map[string]struct{ trusted, given KeyList }{
		"a twin": {after, twin}, "a twin with more": {after, longer}, "the old book going on": {after, went},
		"an epoch that begins elsewhere": {after, changed},
	} {
		if _, err := c.trusted.Follow(c.given); !errors.Is(err, ErrKeysHistory) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A checkpoint is given up only where a new epoch is why it counts no more.
func TestWhatANewEpochGivesUp(t *testing.T) {
	first := testList(t)
	rotated := first.Rotate(testPublic(2), 100, 100)
	compromised := first.Rotate(testPublic(2), 100, 40)
	next := testOrigin + "/2"
	for name, c := range map[string]struct {
		trusted, newer KeyList
		key            byte
		size, want     uint64
	}{
		"after the epoch begins":          {first, first.Succeed(next, testPublic(4), 60), 1, 61, 60},
		"before it":                       {first, first.Succeed(next, testPublic(4), 60), 1, 60, 0},
		"by the newest key":               {rotated, rotated.Succeed(next, testPublic(4), 160), 2, 161, 160},
		"by a key that is gone":           {rotated, rotated.Succeed(next, testPublic(4), 60), 2, 120, 60},
		"the list of the new epoch alone": {first.Succeed(next, testPublic(4), 60), first.Succeed(next, testPublic(4), 60), 1, 61, 60},
		"by a key that was replaced":      {first, rotated.Succeed(next, testPublic(4), 160), 1, 170, 0},
		"by a key that others had":        {first, compromised.Succeed(next, testPublic(4), 160), 1, 170, 0},
		"which counted less than that":    {first, compromised.Succeed(next, testPublic(4), 60), 1, 70, 0},
		"no new epoch":                    {first, compromised, 1, 70, 0},
		"by a stranger":                   {first, first.Succeed(next, testPublic(4), 60), 9, 70, 0},
	} {
		signed, err := testSigner(t, c.key).Checkpoint(page.Head{Size: c.size})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.trusted.Follow(c.newer); err != nil {
			t.Fatal(err)
		}
		if at, is := c.trusted.GivenUp(c.newer, signed); at != c.want || is != (c.want > 0) {
			t.Errorf("%s: %d, %v", name, at, is)
		}
	}
}
