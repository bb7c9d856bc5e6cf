package transparency

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/transparency-dev/formats/proof"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/eventstore/page"
)

// testReceipt is the receipt of a position in a log of a size.
func testReceipt(tb testing.TB, position, size uint64) Receipt {
	tb.Helper()
	tree := NewMemory()
	for p := range size {
		if err := tree.Append(page.LeafHash(commitAt(p))); err != nil {
			tb.Fatal(err)
		}
	}
	checkpoint, err := testSigner(tb, 1).Checkpoint(page.Head{Size: size, Root: tree.Root()})
	if err != nil {
		tb.Fatal(err)
	}
	r, err := NewReceipt(tree, position, page.EntryHash(commitAt(position)), size, checkpoint)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func marshal(tb testing.TB, r Receipt) []byte {
	tb.Helper()
	text, err := r.Marshal()
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

func TestReceiptGolden(t *testing.T) {
	golden(t, "receipt.tlog-proof", marshal(t, testReceipt(t, 2, 7)))
	golden(t, "receipt-only.tlog-proof", marshal(t, testReceipt(t, 0, 1)))
}

func TestReceiptProvesItsCommitAndNoOther(t *testing.T) {
	v := testSigner(t, 1).Verifier()
	for size := uint64(1); size <= 9; size++ {
		for p := range size {
			text := marshal(t, testReceipt(t, p, size))
			r, err := ParseReceipt(text)
			if err != nil {
				t.Fatal(err)
			}
			h, err := r.VerifyCommit(v, commitAt(p))
			if err != nil || h.Size != size {
				t.Fatalf("position %d of %d: %+v, %v", p, size, h, err)
			}
			if _, err := r.VerifyCommit(v, commitAt(p+1)); !errors.Is(err, ErrReceiptProof) {
				t.Errorf("position %d of %d proves another commit: %v", p, size, err)
			}
			if _, err := r.Verify(testSigner(t, 2).Verifier()); !errors.Is(err, page.ErrCheckpointSignature) {
				t.Errorf("position %d of %d proves itself under another key: %v", p, size, err)
			}
		}
	}
}

func TestReceiptIsC2SPs(t *testing.T) {
	r := testReceipt(t, 2, 7)
	text := marshal(t, r)
	var theirs proof.TLogProof
	if err := theirs.Unmarshal(text); err != nil {
		t.Fatal(err)
	}
	if theirs.Index != r.Position || !bytes.Equal(theirs.Checkpoint, r.Checkpoint) ||
		len(theirs.Hashes) != len(r.Proof) || !bytes.Equal(theirs.ExtraData, r.Entry[:]) {
		t.Errorf("others read %+v", theirs)
	}
	for i, h := range theirs.Hashes {
		if tlog.Hash(h) != r.Proof[i] {
			t.Errorf("others read another hash %d", i)
		}
	}
	if again := theirs.Marshal(); !bytes.Equal(again, text) {
		t.Errorf("others write\n%s\nours is\n%s", again, text)
	}
}

func TestReceiptThatSaysSomethingElse(t *testing.T) {
	v := testSigner(t, 1).Verifier()
	for name, change := range map[string]func(*Receipt){
		"position":        func(r *Receipt) { r.Position++ },
		"beyond":          func(r *Receipt) { r.Position = 7 },
		"entry":           func(r *Receipt) { r.Entry[0] ^= 1 },
		"proof":           func(r *Receipt) { r.Proof[1][31] ^= 1 },
		"proof shorter":   func(r *Receipt) { r.Proof = r.Proof[:2] },
		"proof longer":    func(r *Receipt) { r.Proof = append(r.Proof, tlog.Hash{}) },
		"no proof":        func(r *Receipt) { r.Proof = nil },
		"later log":       func(r *Receipt) { r.Checkpoint = testReceipt(t, 2, 8).Checkpoint },
		"another's proof": func(r *Receipt) { r.Proof = testReceipt(t, 3, 7).Proof },
	} {
		r := testReceipt(t, 2, 7)
		change(&r)
		if _, err := r.Verify(v); !errors.Is(err, ErrReceiptProof) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNewReceiptNoticesAnotherCommit(t *testing.T) {
	tree := NewMemory()
	if err := tree.Append(page.LeafHash(commitAt(0))); err != nil {
		t.Fatal(err)
	}
	if _, err := NewReceipt(tree, 0, page.EntryHash(commitAt(1)), 1, nil); !errors.Is(err, ErrTreeDamaged) {
		t.Errorf("%v", err)
	}
	if _, err := NewReceipt(tree, 1, page.EntryHash(commitAt(1)), 1, nil); !errors.Is(err, ErrTreeSize) {
		t.Errorf("%v", err)
	}
}

func TestReceiptHasOneForm(t *testing.T) {
	good := string(marshal(t, testReceipt(t, 2, 7)))
	lines := strings.Split(good, "\n")
	for name, bad := range map[string]string{
		"empty":           "",
		"other magic":     strings.Replace(good, "@v1", "@v2", 1),
		"no extra":        strings.Replace(good, lines[1]+"\n", "", 1),
		"short entry":     strings.Replace(good, lines[1], "extra AAAA", 1),
		"zeros before":    strings.Replace(good, "index 2", "index 02", 1),
		"sign before":     strings.Replace(good, "index 2", "index +2", 1),
		"two blanks":      strings.Replace(good, "index 2", "index  2", 1),
		"no word":         strings.Replace(good, "index 2", "2", 1),
		"out of bounds":   strings.Replace(good, "index 2", "index 9007199254740992", 1),
		"carriage return": strings.ReplaceAll(good, "\n", "\r\n"),
		"loose base64":    strings.Replace(good, lines[3], loose(lines[3]), 1),
		"no checkpoint":   strings.Join(lines[:6], "\n") + "\n\n",
		"blank before":    "\n" + good,
		"cut":             good[:len(good)-1],
		"tall":            strings.Replace(good, lines[3]+"\n", strings.Repeat(lines[3]+"\n", maxProof), 1),
		"long":            good + strings.Repeat("x\n", MaxReceipt),
	} {
		if _, err := ParseReceipt([]byte(bad)); !errors.Is(err, ErrReceiptForm) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What stands after the first blank line is the checkpoint, good or not.
	r, err := ParseReceipt([]byte(strings.Replace(good, lines[3]+"\n", lines[3]+"\n\n", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Verify(testSigner(t, 1).Verifier()); !errors.Is(err, page.ErrCheckpointSignature) {
		t.Errorf("proof lines in the checkpoint: %v", err)
	}
}

// loose changes the free bits at the end of a hash's base64.
func loose(hash string) string {
	raw, _ := base64.StdEncoding.DecodeString(hash)
	for _, digit := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" {
		other := hash[:42] + string(digit) + "="
		if again, err := base64.StdEncoding.DecodeString(other); err == nil && bytes.Equal(again, raw) && other != hash {
			return other
		}
	}
	return hash
}

func TestEveryFlippedBitOfAReceiptIsNoticed(t *testing.T) {
	text := marshal(t, testReceipt(t, 2, 7))
	v := testSigner(t, 1).Verifier()
	for bit := range len(text) * 8 {
		flipped := bytes.Clone(text)
		flipped[bit/8] ^= 1 << (bit % 8)
		r, err := ParseReceipt(flipped)
		if err != nil {
			if code, ok := Code(err); !ok || code != "receipt-form" {
				t.Fatalf("bit %d: %v", bit, err)
			}
			continue
		}
		if h, err := r.VerifyCommit(v, commitAt(2)); err == nil {
			t.Fatalf("bit %d: verifies at %+v", bit, h)
		} else if _, ok := Code(err); !ok {
			t.Fatalf("bit %d: an error without a code: %v", bit, err)
		}
	}
}

func TestReceiptRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Receipt{
			Position:   rapid.Uint64Range(0, page.MaxSize).Draw(t, "position"),
			Proof:      tlog.RecordProof{},
			Checkpoint: []byte(rapid.StringMatching(`[^\n](.|\n){0,50}\n`).Draw(t, "checkpoint")),
		}
		copy(r.Entry[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "entry"))
		for range rapid.IntRange(0, maxProof).Draw(t, "hashes") {
			r.Proof = append(r.Proof, leafN(rapid.Int().Draw(t, "hash")))
		}
		text, err := r.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseReceipt(text)
		if err != nil {
			t.Fatal(err)
		}
		again, err := got.Marshal()
		if err != nil || !bytes.Equal(again, text) || got.Position != r.Position || got.Entry != r.Entry {
			t.Fatalf("%+v came back as %+v (%v)", r, got, err)
		}
	})
}

func FuzzParseReceipt(f *testing.F) {
	text := marshal(f, testReceipt(f, 2, 7))
	f.Add(text)
	f.Add(text[:len(text)/2])
	f.Add([]byte(receiptMagic + "\nindex 0\n\nx\n"))
	v := testSigner(f, 1).Verifier()
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := ParseReceipt(text)
		if err != nil {
			return
		}
		if again, err := r.Marshal(); err != nil || !bytes.Equal(again, text) {
			t.Fatal("a receipt has a second form")
		}
		if h, err := r.Verify(v); err == nil && h.Size != 7 {
			t.Fatalf("a receipt of a log that was never signed: %+v", h)
		}
	})
}
