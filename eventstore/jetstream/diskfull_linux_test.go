package jetstream_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/jetstream"
)

// smallDisk mounts a file system of so many bytes, or skips the test where the
// process may not.
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

// TestDiskFull fills the disk. The server gives no answer then, which must end
// as unclear; once there is room, Recover makes the log usable with every
// acknowledged page in it.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, "24m")
	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 18<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	e := start(t, jetstream.Config{Dir: filepath.Join(disk, "book")})
	create(t, e)
	s := open(t, e)
	acked := uint64(0)
	var end error
	for end == nil && acked < 1000 {
		ctx, cancel := context.WithTimeout(within(t), 500*time.Millisecond)
		if end = s.Append(ctx, acked, childPage(acked+1)); end == nil {
			acked++
		}
		cancel()
	}
	if !errors.Is(end, eventstore.ErrUnclear) {
		t.Fatalf("after %d pages: %v; want an unclear answer", acked, end)
	}
	t.Logf("the disk was full after %d pages: %v", acked, end)
	if err := s.Recover(within(t)); err != nil {
		t.Logf("recover on a full disk: %v", err)
	} else {
		wantStored(t, s, acked)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := s.Recover(within(t)); err != nil {
		t.Fatal(err)
	}
	last := wantStored(t, s, acked)
	for after := last; after < last+10; after++ {
		if err := s.Append(within(t), after, childPage(after+1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Shutdown(); err != nil {
		t.Fatal(err)
	}
	wantStored(t, open(t, start(t, jetstream.Config{Dir: filepath.Join(disk, "book")})), last+10)
}

// wantStored checks that the acknowledged pages are there, and gives the last.
func wantStored(t *testing.T, s eventstore.Store, acked uint64) uint64 {
	t.Helper()
	last := uint64(0)
	for page, err := range s.Read(within(t), 1, 1<<62) {
		if err != nil {
			t.Fatal(err)
		}
		last = page.Number
		if string(page.Body) != string(childPage(last)) {
			t.Fatalf("page %d is not what was appended", last)
		}
	}
	if last != acked && last != acked+1 {
		t.Fatalf("%d pages, of which %d were acknowledged", last, acked)
	}
	return last
}
