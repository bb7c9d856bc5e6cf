package sqlite

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// TestPrivate: a cache that others can write to would let them choose what runs
// here.
func TestPrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("folders have access lists there")
	}
	dir := t.TempDir()
	fresh := filepath.Join(dir, "a", "b")
	if !private(fresh) {
		t.Error("a new folder is not used")
	}
	if info, err := os.Stat(fresh); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("a new folder: %v, %v", info.Mode(), err)
	}
	for _, mode := range []os.FileMode{0o777, 0o770, 0o702} {
		if err := os.Chmod(fresh, mode); err != nil {
			t.Fatal(err)
		}
		if private(fresh) {
			t.Errorf("a folder with %v is used", mode)
		}
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if private(file) || private(filepath.Join(file, "under")) {
		t.Error("what is no folder is used")
	}
}

func FuzzFileKey(f *testing.F) {
	for _, name := range []string{"views.1.db", "views.01.db", "views.0.db", "views.4294967296.db", "views.json", "../views.1.db", "views.+1.db"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if id, ok := fileKey(name); ok && fileName(id) != name {
			t.Errorf("%q is taken for %q", name, fileName(id))
		}
	})
}
