package keyring

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// A secret opens what a key file of the same bytes made, and is printed by nothing.
func TestASecretIsAKeyFileInMemory(t *testing.T) {
	dir := t.TempDir()
	secret := bytes.Repeat([]byte{0xd7}, minKeyFile)
	file := filepath.Join(dir, "key")
	if err := os.WriteFile(file, secret, 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "ring")
	r := must[*Ring](t)(Create(path, KeyFile(file)))
	id := must[KeyID](t)(r.New(Facts))
	want := must[[]byte](t)(r.Key(id))
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r = must[*Ring](t)(Open(path, Secret(secret)))
	if got := must[[]byte](t)(r.Key(id)); !bytes.Equal(got, want) {
		t.Error("another key")
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := Open(path, Secret(bytes.Repeat([]byte{0xd8}, minKeyFile)))
	wantErr(t, err, ErrPassphrase)
	_, err = Create(path+"2", Secret(secret[1:]))
	wantErr(t, err, ErrInvalid)
	for _, form := range []string{"%v", "%s", "%x", "%+v", "%#v"} {
		if text := fmt.Sprintf(form, Secret(secret)); text != "secret" {
			t.Errorf("%s prints %q", form, text)
		}
	}
}
