package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/daybook-ledger/daybook/projections"
	"github.com/daybook-ledger/daybook/projections/sqlite"
	"github.com/daybook-ledger/daybook/projections/views"
)

// TestAFolderThatCannotBeWritten: views in it say so, whether it can only be read or is
// full, and go on when it is well again.
func TestAFolderThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("daybook-test", dir, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("a small file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	keys := newRing()
	open := func() error {
		s, err := sqlite.Open(t.Context(), dir, keys)
		if err == nil {
			err = s.Close()
		}
		return err
	}
	remount := func(flags uintptr) {
		if err := syscall.Mount("daybook-test", dir, "tmpfs", syscall.MS_REMOUNT|flags, "size=8m"); err != nil {
			t.Fatal(err)
		}
	}
	ballast := filepath.Join(dir, "ballast")
	for _, begun := range []bool{false, true} {
		for name, c := range map[string]struct{ harm, mend func() }{
			"read only": {func() { remount(syscall.MS_RDONLY) }, func() { remount(0) }},
			"full": {
				func() { _ = os.WriteFile(ballast, make([]byte, 9<<20), 0o600) },
				func() { _ = os.Remove(ballast) },
			},
		} {
			c.harm()
			if err := open(); !errors.Is(err, projections.ErrUnwritable) {
				t.Errorf("%s, begun %t: %v", name, begun, err)
			}
			err := sqlite.Rebuild(t.Context(), dir, keys, views.Rebuild{})
			if !errors.Is(err, projections.ErrUnwritable) {
				t.Errorf("%s, begun %t: rebuild: %v", name, begun, err)
			}
			c.mend()
		}
		if err := open(); err != nil {
			t.Fatal(err)
		}
	}
}
