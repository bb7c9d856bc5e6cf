package keyring

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestARingIsSuperseded(t *testing.T) {
	path, root := filepath.Join(t.TempDir(), "ring"), KeyFile(writeKeyFile(t, bytes.Repeat([]byte{5}, 32)))
	ring, err := Create(path, root)
	if err != nil {
		t.Fatal(err)
	}
	id, err := ring.New(Facts)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ring.Key(id)
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "ring")
	content, err := Duplicate(path, other)
	if err != nil {
		t.Fatal(err)
	}
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, content) {
		t.Errorf("it gives other bytes, %v", err)
	}
	if _, err := Duplicate(path, other); !errors.Is(err, ErrExists) {
		t.Errorf("twice: %v", err)
	}
	if _, err := Duplicate(path+"s", other); !errors.Is(err, ErrMissing) {
		t.Errorf("of none: %v", err)
	}
	copied, err := Open(other, root)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(copied.SetNamed("facts", id), copied.Close()); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	former, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer former.Close()
	if err := Alone(link, func() error { return Supersede(link, other) }); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(other); err == nil {
		t.Error("the ring that was put in place is left where it was")
	}
	// Whoever has the ring open goes on with the new one.
	if found, err := ring.Named("facts"); err != nil || found != id {
		t.Errorf("%d, %v", found, err)
	}
	if again, err := ring.Key(id); err != nil || !bytes.Equal(again, key) {
		t.Errorf("another key, %v", err)
	}
	if err := ring.Close(); err != nil {
		t.Error(err)
	}
	head := make([]byte, headerSize)
	if _, err := former.ReadAt(head, 0); err != nil || !bytes.Equal(head, make([]byte, headerSize)) {
		t.Errorf("what is left of the former ring can be opened, %v", err)
	}
	if err := errors.Join(Discard(path), Discard(path)); err != nil {
		t.Error(err)
	}
}

// What a crash left of a ring that was to be there has all keys, too: it is discarded
// with the ring, and without one.
func TestDiscardingWhatACrashLeft(t *testing.T) {
	for _, whole := range []bool{true, false} {
		path := filepath.Join(t.TempDir(), "ring")
		ring, err := Create(path, Passphrase([]byte("secret")), cheap)
		if err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(path)
		if err = errors.Join(err, ring.Close(), os.WriteFile(path+newSuffix, content, 0o600)); err != nil {
			t.Fatal(err)
		}
		left, err := os.Open(path + newSuffix)
		if err != nil {
			t.Fatal(err)
		}
		if !whole {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
		if err := Discard(path); err != nil {
			t.Error(err)
		}
		head := make([]byte, headerSize)
		if _, err := left.ReadAt(head, 0); err != nil || !bytes.Equal(head, make([]byte, headerSize)) {
			t.Errorf("with the ring there (%t) what a crash left can be opened, %v", whole, err)
		}
		if _, err := os.Lstat(path + newSuffix); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("with the ring there (%t) what a crash left is there still, %v", whole, err)
		}
		if err := left.Close(); err != nil {
			t.Error(err)
		}
	}
}
