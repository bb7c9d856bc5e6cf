package bookdir

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/daybook-ledger/daybook/domain"
)

// CodeDiskFull is the code of the refusal for want of disk space.
const CodeDiskFull = "disk-full"

// minRoom is the free space, in bytes, below which no new command is taken: what
// is under way must still fit, and JetStream does not answer once it does not.
const minRoom = 64 << 20

// noRoom is the free space, in bytes, below which there is none.
const noRoom = 1 << 20

// free is the free space where a path is, in bytes; false where that cannot be told.
func free(path string) (uint64, bool) {
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return 0, false
	}
	return fs.Bavail * uint64(fs.Bsize), true
}

// room refuses new commands while the disk is nearly full, when a clear answer
// can still be given.
func room(dir string) func() error {
	return func() error {
		left, known := free(dir)
		if !known {
			return nil // the append itself will tell
		}
		if left < minRoom {
			return domain.Refuse(CodeDiskFull, "%d MiB are free where the book is, of at least %d that it needs",
				left>>20, minRoom>>20).WithHint("make room on the disk and repeat the command")
		}
		return nil
	}
}

// Full reports whether there is no room at all where a book is, or where its views
// are: then an error that does not say so may still come from that.
func Full(dir string) bool { return without(dir) || without(filepath.Join(dir, "views")) }

func without(path string) bool {
	left, known := free(path)
	return known && left < noRoom
}

// fullDisk says of an error of writing on a full disk that it comes from that: SQLite
// and the server do not. A refusal says what it means itself.
func fullDisk(dir string, err error) error {
	var refusal *domain.Refusal
	if err == nil || errors.As(err, &refusal) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, context.Canceled) || !Full(dir) {
		return err
	}
	return fmt.Errorf("%w: %v", syscall.ENOSPC, err) //nolint:errorlint // what it is else misleads
}
