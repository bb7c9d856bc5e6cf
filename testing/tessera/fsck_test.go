// Package tessera has programs of others read what a book publishes: the tiles of
// its log by tessera's fsck, a cosignature by the witnesses' own library. It is a
// module of its own, so that the product does not depend on them.
package tessera

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	cosig "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
)

const origin = "example.com/books/acme"

// publish writes the tiles and the checkpoint of a log of a size into a folder.
func publish(t *testing.T, dir string, size int) note.Verifier {
	t.Helper()
	tiles := transparency.NewTiles(func(path string, data []byte) error {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		return os.WriteFile(path, data, 0o644)
	})
	for i := range size {
		if err := tiles.Append(page.EntryHash(fmt.Appendf(nil, "commit %d of a log", i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := tiles.Flush(); err != nil {
		t.Fatal(err)
	}
	signer, err := page.NewSigner(origin, ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Checkpoint(tiles.Head())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "checkpoint"), signed, 0o644); err != nil {
		t.Fatal(err)
	}
	known, err := note.NewVerifier(signer.Verifier().VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	return known
}

// leaves hashes the entries of a bundle as RFC 6962 does.
func leaves(bundle []byte) (hashes [][]byte, err error) {
	for len(bundle) > 0 {
		if len(bundle) < 2 || len(bundle) < 2+int(bundle[0])<<8+int(bundle[1]) {
			return nil, fmt.Errorf("%d bytes after the last entry", len(bundle))
		}
		n := int(bundle[0])<<8 + int(bundle[1])
		h := tlog.RecordHash(bundle[2 : 2+n])
		hashes = append(hashes, h[:])
		bundle = bundle[2+n:]
	}
	return hashes, nil
}

func TestFsckAcceptsOurTiles(t *testing.T) {
	for _, size := range []int{1, 255, 256, 257, 1000, 65536 + 300} {
		dir := t.TempDir()
		known := publish(t, dir, size)
		check := fsck.New(origin, known, client.FileFetcher{Root: dir}, leaves, fsck.Opts{N: 2})
		if err := check.Check(t.Context()); err != nil {
			t.Errorf("size %d: %v", size, err)
		}
	}
}

// The golden cosigned checkpoint is one to the library that witnesses use.
func TestOurCosignatureIsC2SPs(t *testing.T) {
	signed, err := os.ReadFile("../../eventstore/transparency/testdata/checkpoint-cosigned.txt")
	if err != nil {
		t.Fatal(err)
	}
	public := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{21}, ed25519.SeedSize)).Public().(ed25519.PublicKey)
	w := transparency.WitnessKey{Name: "witness.example/w1", Public: public}
	known, err := cosig.NewVerifierForCosignatureV1(w.String())
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open(signed, note.VerifierList(known))
	if err != nil {
		t.Fatal(err)
	}
	if at, err := cosig.CoSigV1Timestamp(n.Sigs[0]); err != nil || at.Unix() != 1_790_000_000 {
		t.Errorf("cosigned at %v, %v", at, err)
	}
}

// What fsck accepts says something only if it refuses what is wrong: here tiles
// of one log under the checkpoint of another.
func TestFsckRefusesAnotherRoot(t *testing.T) {
	dir := t.TempDir()
	known := publish(t, dir, 600)
	signer, err := page.NewSigner(origin, ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	forged, err := signer.Checkpoint(page.Head{Size: 600, Root: page.EntryLeaf([32]byte{1})})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "checkpoint"), forged, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := fsck.New(origin, known, client.FileFetcher{Root: dir}, leaves, fsck.Opts{}).Check(t.Context()); err == nil {
		t.Error("tiles under another root are accepted")
	}
}
