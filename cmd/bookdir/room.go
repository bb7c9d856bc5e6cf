package bookdir

import (
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/daybook-ledger/daybook/domain"
)

// CodeDiskFull is the code of the refusal for want of disk space.
const CodeDiskFull = "disk-full"

// minRoom is the free space, in bytes, below which no new command is taken: what
// is under way must still fit, and JetStream does not answer once it does not.
const minRoom = 64 << 20

// room refuses new commands while the disk is nearly full, when a clear answer
// can still be given.
func room(dir string) func() error {
	return func() error {
		var fs unix.Statfs_t
		if err := unix.Statfs(dir, &fs); err != nil {
			return nil // the append itself will tell
		}
		if free := fs.Bavail * uint64(fs.Bsize); free < minRoom {
			return domain.Refuse(CodeDiskFull, "%d MiB are free where the book is, of at least %d that it needs",
				free>>20, minRoom>>20).WithHint("make room on the disk and repeat the command")
		}
		return nil
	}
}

// Full reports whether there is no room at all where a book is, or where its views
// are: then an error that does not say so may still come from that.
func Full(dir string) bool { return without(dir) || without(filepath.Join(dir, "views")) }

func without(path string) bool {
	var fs unix.Statfs_t
	return unix.Statfs(path, &fs) == nil && fs.Bavail*uint64(fs.Bsize) < 1<<20
}
