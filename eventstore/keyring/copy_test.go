package keyring

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestACopyComesBackUnderAnotherRoot(t *testing.T) {
	r, path := tempRing(t)
	ids := must[[]KeyID](t)(r.Reserve(Subject, 3))
	if err := errors.Join(r.SetNamed("facts", ids[0]), r.Destroy(ids[1])); err != nil {
		t.Fatal(err)
	}
	first := must[[]byte](t)(r.Key(ids[0]))
	c := must[Copy](t)(r.Copy())
	if n, err := c.Check(); err != nil || n != 3 {
		t.Errorf("%d slots, %v", n, err)
	}
	other := filepath.Join(t.TempDir(), "ring")
	key := writeKeyFile(t, bytes.Repeat([]byte{5}, 32))
	restored, err := Restore(other, c, KeyFile(key), cheap)
	if err != nil {
		t.Fatal(err)
	}
	if got := must[[]byte](t)(restored.Key(ids[0])); !bytes.Equal(got, first) {
		t.Error("another key came back")
	}
	if id := must[KeyID](t)(restored.Named("facts")); id != ids[0] {
		t.Errorf("facts is key %d", id)
	}
	_, err = restored.Key(ids[1])
	wantErr(t, err, ErrDestroyed)
	if err := restored.Close(); err != nil {
		t.Fatal(err)
	}
	// Only the new root opens it, and the copy's root key no longer.
	again := must[*Ring](t)(Open(other, KeyFile(key)))
	_ = again.Close()
	_, err = Open(other, Passphrase(secretPhrase))
	wantErr(t, err, ErrPassphrase)
	c.File = must[[]byte](t)(os.ReadFile(other))
	_, err = c.Check()
	wantErr(t, err, ErrPassphrase)
	_, err = Restore(path, must[Copy](t)(r.Copy()), KeyFile(key))
	wantErr(t, err, ErrExists)
}

func TestADamagedCopyIsRefused(t *testing.T) {
	r, _ := tempRing(t)
	if _, err := r.Reserve(Subject, 2); err != nil {
		t.Fatal(err)
	}
	if err := r.Rotate(); err != nil { // so that the header knows of both slots
		t.Fatal(err)
	}
	good := must[Copy](t)(r.Copy())
	key := writeKeyFile(t, bytes.Repeat([]byte{5}, 32))
	for name, change := range map[string]func(c *Copy){
		"a byte of the header": func(c *Copy) { c.File[30] ^= 1 },
		"a byte of a slot":     func(c *Copy) { c.File[headerSize+20] ^= 1 },
		"a slot less":          func(c *Copy) { c.File = c.File[:len(c.File)-slotSize] },
		"nothing":              func(c *Copy) { c.File = nil },
		"a short root key":     func(c *Copy) { c.Root = c.Root[1:] },
		"another root key":     func(c *Copy) { c.Root[0] ^= 1 },
	} {
		bad := Copy{bytes.Clone(good.File), bytes.Clone(good.Root)}
		change(&bad)
		if _, err := bad.Check(); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrPassphrase) {
			t.Errorf("%s: checked: %v", name, err)
		}
		path := filepath.Join(t.TempDir(), "ring")
		if _, err := Restore(path, bad, KeyFile(key)); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrPassphrase) {
			t.Errorf("%s: restored: %v", name, err)
		}
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s: a ring was left behind", name)
		}
	}
}
