package sqlite

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// ours trusts the folder's inherited access list: a user's own folders are
// closed to others unless someone opened them.
func ours(os.FileInfo) bool { return true }

// tryLock takes the file's lock, which ends with the file or the process, and
// reports whether it was free.
func tryLock(f *os.File) (bool, error) {
	err := windows.LockFileEx(windows.Handle(f.Fd()),
		windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, new(windows.Overlapped))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	return err == nil, err
}

// syncDir does nothing: the file system journals names.
func syncDir(string) error { return nil }
