package bundle

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// python is Debian's interpreter, which has Debian's modules.
const python = "/usr/bin/python3"

// checked runs the checker that was written from docs/FORMAT.md alone.
func checked(t *testing.T, data, keys []byte) (ok bool, opened map[string]string, what string) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string][]byte{"bundle": data, "KEYS": keys} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command(python, "../../testing/scripts/check.py", filepath.Join(dir, "bundle"), filepath.Join(dir, "KEYS")).Output()
	var answer struct {
		OK     bool
		Opened map[string]string
		What   string
	}
	if json.Unmarshal(out, &answer) != nil || answer.OK != (err == nil) {
		t.Fatalf("the checker says %q: %v", out, err)
	}
	return answer.OK, answer.Opened, answer.What
}

// An independent checker, in another language and sharing no code, accepts a good
// bundle and refuses tampered ones.
func TestAnIndependentCheckerAgrees(t *testing.T) {
	if err := exec.Command(python, "-c", "import cbor2, cryptography").Run(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("python3-cbor2 and python3-cryptography are not installed")
		}
		t.Skip("python3-cbor2 and python3-cryptography are not installed")
	}
	good, list := fixture(t)
	keys := good.Keys
	data, err := good.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	ok, opened, what := checked(t, data, keys)
	if !ok || opened["1/0"] != hex.EncodeToString([]byte("the facts")) || opened["3/1"] != hex.EncodeToString([]byte("the person")) || len(opened) != 2 {
		t.Fatalf("a good bundle: %v, %v, %s", ok, opened, what)
	}
	other := list
	other.Serial, other.Origin = 2, "example.com/books/other"
	other.Keys = slices.Clone(list.Keys)
	other.Keys[0].Origin = other.Origin
	otherKeys, err := other.Sign(key(7))
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(b *Bundle){
		"a byte of a commit":         func(b *Bundle) { b.Commits[0].Stored[40] ^= 1 },
		"a byte of a ciphertext":     func(b *Bundle) { b.Commits[0].Stored[len(b.Commits[0].Stored)-1] ^= 1 },
		"another position":           func(b *Bundle) { b.Commits[0].Position, b.Secrets = 0, b.Secrets[1:] },
		"a commit of another place":  func(b *Bundle) { b.Commits[0].Stored = b.Commits[1].Stored },
		"a hash of a proof":          func(b *Bundle) { b.Commits[1].Proof[0][5] ^= 1 },
		"a proof too short":          func(b *Bundle) { b.Commits[1].Proof = b.Commits[1].Proof[1:] },
		"the size of the checkpoint": func(b *Bundle) { b.Checkpoint = bytes.Replace(b.Checkpoint, []byte("\n5\n"), []byte("\n6\n"), 1) },
		"the log's signature":        func(b *Bundle) { i := bytes.Index(b.Checkpoint, []byte("— ")) + 60; b.Checkpoint[i] ^= 1 },
		"a cosignature":              func(b *Bundle) { i := bytes.Index(b.Checkpoint, []byte("w1 ")) + 40; b.Checkpoint[i] ^= 1 },
		"a secret":                   func(b *Bundle) { b.Secrets[0].Secret[0] ^= 1 },
		"another section's secret":   func(b *Bundle) { b.Secrets[0].Section = 1 },
		"the list of keys":           func(b *Bundle) { b.Keys = bytes.Replace(b.Keys, []byte("serial 1"), []byte("serial 2"), 1) },
		"another log's list of keys": func(b *Bundle) { b.Keys = otherKeys },
	} {
		bad, _ := fixture(t)
		change(&bad)
		tampered, err := encoding.Marshal(bad)
		if err != nil {
			t.Fatal(err)
		}
		if ok, _, _ := checked(t, tampered, keys); ok {
			t.Errorf("%s is accepted", name)
		}
		if parsed, err := Parse(tampered); err == nil {
			if _, err := parsed.Verify(list); err == nil {
				t.Errorf("%s is accepted by our own", name)
			}
		}
	}
	if ok, _, _ := checked(t, append(data, 0), keys); ok {
		t.Error("a byte more is accepted")
	}
}
