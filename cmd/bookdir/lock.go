package bookdir

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// flock takes a file's lock, which ends with the file or the process; errLocked where
// another has it.
func flock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if errors.Is(err, unix.EWOULDBLOCK) {
			return errLocked
		}
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

var errLocked = errors.New("bookdir: another process has the lock")

// lockArchive lets one backup at a time write: an older copy of the ring must not
// take the place of a newer one. Another may take long, or stand still with its disk.
func lockArchive(ctx context.Context, dir string) (unlock func(), err error) {
	return lockFile(ctx, archivePath(dir)+".lock")
}

// lockSettings lets one at a time change archive.json. Nobody keeps it for longer than
// that takes, so that it needs no context.
func lockSettings(dir string) (unlock func(), err error) {
	return lockFile(context.Background(), archivePath(dir)+".change")
}

func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("bookdir: %w", err)
	}
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		err := flock(f)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, errLocked) {
			return nil, errors.Join(fmt.Errorf("bookdir: lock the archive: %w", err), f.Close())
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("bookdir: another process writes to the archive: %w", context.Cause(ctx)), f.Close())
		}
	}
}
