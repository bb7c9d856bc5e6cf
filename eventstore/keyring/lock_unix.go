//go:build unix

package keyring

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// withLock runs do while it holds the lock beside the ring: alone, or together
// with others that only read. A process that dies lets go of it.
func withLock(path string, alone bool, do func() error) error {
	file, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, unix.EROFS) && !alone { // the disk can only be read, and so can the ring
		file, err = os.Open(path + ".lock")
	}
	if err != nil {
		return err
	}
	defer file.Close() // which unlocks
	how := unix.LOCK_SH
	if alone {
		how = unix.LOCK_EX
	}
	for {
		err := unix.Flock(int(file.Fd()), how)
		if err == nil {
			return do()
		}
		if !errors.Is(err, unix.EINTR) {
			return &os.PathError{Op: "lock", Path: file.Name(), Err: err}
		}
	}
}
