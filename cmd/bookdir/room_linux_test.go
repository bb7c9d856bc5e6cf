package bookdir

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
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

// TestADiskThatCanOnlyBeRead: while a process has the book open others read through it,
// and else the disk is said to be what it is.
func TestADiskThatCanOnlyBeRead(t *testing.T) {
	dir, o := create(t)
	seen := t.TempDir() // the same folder, that can only be read
	if err := syscall.Mount(dir, seen, "", syscall.MS_BIND, ""); err != nil {
		t.Skipf("a folder cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(seen, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	if err := syscall.Mount("", seen, "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	inBook(t, dir, o, func(b *Book) {
		receipt, err := b.Do(t.Context(), register("Ada"))
		if err != nil {
			t.Fatal(err)
		}
		sound(t, seen, o, receipt)
		inBook(t, seen, o, func(b *Book) {
			if p, err := b.ReadPage(t.Context(), receipt.Page); err != nil || len(p.Commits) != 1 {
				t.Errorf("%+v, %v", p, err)
			}
			if _, err := b.Keys().New(keyring.Subject); !errors.Is(err, syscall.EROFS) {
				t.Errorf("a new key: %v", err)
			}
		})
	})
	if _, err := Open(t.Context(), seen, o); !errors.Is(err, syscall.EROFS) {
		t.Errorf("opened: %v", err)
	}
	if _, err := OpenLog(t.Context(), seen, 0, quiet()); !errors.Is(err, syscall.EROFS) {
		t.Errorf("the log opened: %v", err)
	}
}

// TestAFullDiskIsRead: the log can be verified where nothing can be written.
func TestAFullDiskIsRead(t *testing.T) {
	made, _ := create(t)
	dir := filepath.Join(smallDisk(t, "8m"), "book")
	if err := os.CopyFS(dir, os.DirFS(made)); err != nil {
		t.Fatal(err)
	}
	_ = os.WriteFile(filepath.Join(filepath.Dir(dir), "ballast"), make([]byte, 9<<20), 0o600)
	l, err := OpenLog(t.Context(), dir, 0, quiet())
	if err != nil {
		t.Fatal(err)
	}
	report, err := l.Verify(t.Context(), VerifyOptions{})
	if err := errors.Join(err, l.Close(t.Context())); err != nil || !report.OK {
		t.Errorf("%+v, %v", report, err)
	}
}
