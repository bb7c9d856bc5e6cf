package bundle

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"flag"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/seal"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
)

var update = flag.Bool("update", false, "write the golden vector anew")

const origin = "example.com/books/acme"

func key(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

// counting is a source of "random" bytes that is the same each time.
type counting struct{ next byte }

func (c *counting) Read(p []byte) (int, error) {
	for i := range p {
		c.next++
		p[i] = c.next
	}
	return len(p), nil
}

// dataKey is the data key of an id.
func dataKey(id keyring.KeyID) ([]byte, error) { return bytes.Repeat([]byte{byte(id)}, 32), nil }

// sealed is the commit at a position: facts, and what is personal of a customer.
func sealed(tb testing.TB, position uint64, rand io.Reader) []byte {
	tb.Helper()
	id := func(b byte) uuid.UUID { return uuid.UUID(bytes.Repeat([]byte{b}, 16)) }
	stored, err := seal.Seal(seal.Header{
		Book: id(1), Epoch: 1, Position: position, Command: id(byte(10 + position)), Principal: "owner",
		Recorded: 1_790_000_000_000_000, Events: []seal.Event{{Type: "invoice.issued", Stream: seal.Stream{Kind: "invoice", ID: id(2)}, Revision: position + 1, Schema: 1}},
	}, []seal.Section{
		{Kind: seal.Facts, Key: 1, Plain: []byte("the facts")},
		{Kind: seal.Personal, Key: 2, Subject: id(3), Plain: []byte("the person")},
	}, dataKey, rand)
	if err != nil {
		tb.Fatal(err)
	}
	return stored
}

// fixture is a bundle of positions 1 and 3 in a log of 5, which opens the facts
// of 1 and what is personal of 3, and the list of keys that is trusted.
func fixture(tb testing.TB) (Bundle, transparency.KeyList) {
	tb.Helper()
	signer, err := page.NewSigner(origin, key(1))
	if err != nil {
		tb.Fatal(err)
	}
	identity, err := note.NewEd25519VerifierKey("example.com/acme/identity", key(7).Public().(ed25519.PublicKey))
	if err != nil {
		tb.Fatal(err)
	}
	w := transparency.WitnessKey{Name: "witness.example/w1", Public: key(21).Public().(ed25519.PublicKey)}
	list := transparency.KeyList{
		Identity: identity, Origin: origin, Serial: 1, Keys: signer.Verifier().Ranges(),
		Witnesses: transparency.Witnesses{Keys: []transparency.WitnessKey{w}, Quorum: 1},
	}
	signed, err := list.Sign(key(7))
	if err != nil {
		tb.Fatal(err)
	}
	tree, rand := transparency.NewMemory(), new(counting)
	var commits [][]byte
	for position := range uint64(5) {
		commits = append(commits, sealed(tb, position, rand))
		if err := tree.Append(page.LeafHash(commits[position])); err != nil {
			tb.Fatal(err)
		}
	}
	checkpoint, err := signer.Checkpoint(page.Head{Size: 5, Root: tree.Root()})
	if err != nil {
		tb.Fatal(err)
	}
	line, err := transparency.Cosign(w.Name, key(21), checkpoint, time.Unix(1_790_000_000, 0))
	if err != nil {
		tb.Fatal(err)
	}
	if checkpoint, err = transparency.AddCosignatures(checkpoint, line); err != nil {
		tb.Fatal(err)
	}
	b := Bundle{Version: Version, About: "invoice-02020202-0202-0202-0202-020202020202", Keys: signed, Checkpoint: checkpoint, Secrets: []Secret{}}
	for _, position := range []uint64{1, 3} {
		proof, err := tree.ProveRecord(position, 5)
		if err != nil {
			tb.Fatal(err)
		}
		b.Commits = append(b.Commits, Commit{Position: position, Stored: commits[position], Proof: append([]tlog.Hash{}, proof...)})
	}
	b.Secrets = append(b.Secrets, disclose(tb, commits[1], 1, 0), disclose(tb, commits[3], 3, 1))
	return b, list
}

func disclose(tb testing.TB, stored []byte, position, section uint64) Secret {
	tb.Helper()
	s, err := seal.Parse(stored)
	if err != nil {
		tb.Fatal(err)
	}
	data, err := dataKey(s.Header.Sections[section].Key)
	if err != nil {
		tb.Fatal(err)
	}
	secret, err := s.Disclose(int(section), data)
	if err != nil {
		tb.Fatal(err)
	}
	return Secret{Position: position, Section: section, Secret: secret}
}

func TestABundleProvesAndOpensExactlyItsSections(t *testing.T) {
	b, list := fixture(t)
	data, err := b.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("testdata/invoice.bundle", data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/invoice.bundle")
	if err != nil || !bytes.Equal(data, want) {
		t.Errorf("the bytes have changed: bundles that were given away would be unreadable (%v)", err)
	}
	again, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	v, err := again.Verify(list)
	if err != nil {
		t.Fatal(err)
	}
	if v.Head.Size != 5 || v.Cosigned.Unix() != 1_790_000_000 || len(v.Commits) != 2 ||
		string(v.Commits[0].Opened[0]) != "the facts" || string(v.Commits[1].Opened[1]) != "the person" ||
		len(v.Commits[0].Opened) != 1 || len(v.Commits[1].Opened) != 1 {
		t.Errorf("%+v", v)
	}
	// A secret opens its own section, in its own commit, and nothing else.
	for position, p := range v.Commits {
		for section := range 2 {
			for i, s := range b.Secrets {
				_, err := p.Sealed.OpenDisclosed(section, s.Secret)
				if own := position == i && section == int(s.Section); (err == nil) != own {
					t.Errorf("secret %d on section %d of commit %d: %v", i, section, position, err)
				}
			}
		}
	}
}

func TestABundleThatIsAlteredIsRefused(t *testing.T) {
	b, list := fixture(t)
	data, err := b.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for i := range data {
		bad := bytes.Clone(data)
		bad[i] ^= 1
		parsed, err := Parse(bad)
		var v Verified
		if err == nil {
			v, err = parsed.Verify(list)
		}
		// What it says to be about proves nothing, and an altered cosignature may
		// count as none.
		if err == nil && parsed.About == b.About && !v.Cosigned.IsZero() {
			t.Fatalf("byte %d may be another one", i)
		}
	}
	stranger, _ := fixture(t)
	otherList := list
	otherList.Origin, otherList.Keys = "example.com/books/other", slices.Clone(list.Keys)
	otherList.Keys[0].Origin = otherList.Origin
	for name, c := range map[string]struct {
		change func(b *Bundle)
		want   error
	}{
		"a position that is not its own": {func(b *Bundle) { b.Commits[0].Position = 0; b.Secrets = b.Secrets[1:] }, ErrProof},
		"a commit of another place":      {func(b *Bundle) { b.Commits[0].Stored = b.Commits[1].Stored }, ErrProof},
		"a position beyond the log":      {func(b *Bundle) { b.Commits[1].Position = 9; b.Secrets = b.Secrets[:1] }, ErrProof},
		"another's secret":               {func(b *Bundle) { b.Secrets[0].Secret = b.Secrets[1].Secret }, ErrSecret},
		"a section that is not there":    {func(b *Bundle) { b.Secrets[1].Section = 1 << 40 }, ErrSecret},
		"commits out of order":           {func(b *Bundle) { b.Commits[0], b.Commits[1] = b.Commits[1], b.Commits[0] }, ErrForm},
		"a secret twice":                 {func(b *Bundle) { b.Secrets[1] = b.Secrets[0] }, ErrForm},
		"a secret of no commit":          {func(b *Bundle) { b.Secrets[0].Position = 0 }, ErrForm},
		"no commit":                      {func(b *Bundle) { b.Commits = nil }, ErrForm},
		"not cosigned as it says":        {func(b *Bundle) { b.Checkpoint[len(b.Checkpoint)-10] ^= 4 }, nil},
	} {
		bad, _ := fixture(t)
		c.change(&bad)
		err := bad.check()
		var v Verified
		if err == nil {
			v, err = bad.Verify(list)
		}
		if c.want == nil && (err == nil && !v.Cosigned.IsZero()) || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := stranger.Verify(otherList); !errors.Is(err, transparency.ErrKeysHistory) {
		t.Errorf("another book's list: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	b, list := fixture(f)
	data, err := b.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(data[:100])
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := Parse(data)
		if err != nil {
			return
		}
		if again, err := b.Marshal(); err != nil || !bytes.Equal(again, data) {
			t.Errorf("another form: %v", err)
		}
		_, _ = b.Verify(list)
	})
}
