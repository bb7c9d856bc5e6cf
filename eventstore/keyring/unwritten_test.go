package keyring

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Where a power cut left slots that were never written, for only the file's length had
// come to the disk, the ring is used and wrapped anew as before; a slot that was written
// and is zeros is damage.
func TestSlotsThatWereNeverWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ring")
	root := Secret(bytes.Repeat([]byte{0xd7}, minKeyFile))
	r := must[*Ring](t)(Create(path, root))
	first := must[KeyID](t)(r.New(Subject))
	key := must[[]byte](t)(r.Key(first))
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	info := must[os.FileInfo](t)(os.Stat(path))
	if err := os.Truncate(path, info.Size()+2*slotSize); err != nil {
		t.Fatal(err)
	}
	r = must[*Ring](t)(Open(path, root))
	next := must[KeyID](t)(r.New(Subject))
	if next != first+3 {
		t.Errorf("the next key is %d after %d and two that nobody has", next, first)
	}
	for range 2 { // they are slots like others after the first
		if err := r.Rotate(); err != nil {
			t.Fatal(err)
		}
		if ids := must[[]KeyID](t)(r.IDs(Subject)); !slices.Equal(ids, []KeyID{first, next}) {
			t.Errorf("live are %v", ids)
		}
	}
	if got := must[[]byte](t)(r.Key(first)); !bytes.Equal(got, key) {
		t.Error("another key")
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	file := must[*os.File](t)(os.OpenFile(path, os.O_RDWR, 0))
	if _, err := file.WriteAt(make([]byte, slotSize), slotOffset(first)); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	r = must[*Ring](t)(Open(path, root))
	defer r.Close()
	wantErr(t, r.Rotate(), ErrDamaged)
}
