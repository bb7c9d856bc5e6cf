package bookdir

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/daybook-ledger/daybook/domain"
)

// smallDisk mounts a file system of so many bytes, which takes root.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("daybook-test", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("a small file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

// TestARestoreToASmallDisk: what has no room is said at once, and leaves nothing.
func TestARestoreToASmallDisk(t *testing.T) {
	a := newArchived(t)
	names := make([]string, 300)
	for i := range names {
		names[i] = "Ada"
	}
	a.enter(t, true, names...)
	for _, size := range []string{"200k", "600k", "1100k"} {
		disk := smallDisk(t, size)
		for _, readOnly := range []bool{true, false} {
			r := Restore{
				From: a.place, Identities: a.ids, Root: a.options.Root, Principal: "owner", ReadOnly: readOnly,
				Clock: SystemClock(), Log: quiet(),
			}
			begun := time.Now()
			_, err := r.Do(t.Context(), filepath.Join(disk, "restored"))
			var refusal *domain.Refusal
			if full := errors.As(err, &refusal) && refusal.Code == CodeDiskFull; !full && !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("%s, read only %t: %v", size, readOnly, err)
			}
			if took := time.Since(begun); took > 8*time.Second {
				t.Errorf("%s, read only %t: it took %s", size, readOnly, took)
			}
			if left, err := os.ReadDir(disk); err != nil || len(left) > 0 {
				t.Errorf("%s, read only %t: it left %v, %v", size, readOnly, left, err)
			}
		}
	}
}
