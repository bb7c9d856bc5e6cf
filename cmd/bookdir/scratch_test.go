package bookdir

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// What a process that died left of its scratch folders is removed by the next; what is
// in use, too new to tell, or no scratch folder is not.
func TestScratchOfTheDead(t *testing.T) {
	in := t.TempDir()
	scratch := func() *Scratch {
		t.Helper()
		s, err := NewScratch(in)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Remove() })
		if err := os.WriteFile(filepath.Join(s.Dir, "made"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		return s
	}
	aged := func(path string) {
		t.Helper()
		long := time.Now().Add(-time.Hour)
		if err := os.Chtimes(path, long, long); err != nil {
			t.Fatal(err)
		}
	}
	dies := func(s *Scratch) {
		t.Helper()
		if err := s.lock.Close(); err != nil { // as the system does for who dies
			t.Fatal(err)
		}
	}
	used, dead, lockless, recent := scratch(), scratch(), scratch(), scratch()
	for _, s := range []*Scratch{dead, lockless, recent} {
		dies(s)
	}
	if err := os.Remove(filepath.Join(lockless.Dir, scratchLock)); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(in, "other")
	if err := os.Mkdir(other, 0o700); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(in, "daybook-scratch-link")
	if err := os.Symlink(other, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{used.Dir, dead.Dir, lockless.Dir, other} {
		aged(path)
	}
	scratch()
	for path, want := range map[string]bool{used.Dir: true, dead.Dir: false, lockless.Dir: false, recent.Dir: true, other: true, link: true} {
		if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) == want || err != nil && want {
			t.Errorf("%s: %v, is to be there: %v", path, err, want)
		}
	}
	if err := used.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(used.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after it was removed: %v", err)
	}
}
