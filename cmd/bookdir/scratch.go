package bookdir

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Scratch is a folder for what a process makes beside a book and removes again. What
// is in it is sealed under keys that nobody keeps, so that what a process leaves that
// dies cannot be read; the next one that makes a scratch folder removes it.
type Scratch struct {
	Dir  string
	lock *os.File // held while the folder is in use
}

const (
	scratches   = "daybook-scratch-*"
	scratchLock = "lock"
	// unlocked is how old a scratch folder must be, at least, to be one that its process
	// left, and not one that it is making.
	unlocked = time.Minute
)

// NewScratch makes a scratch folder in another, the system's for temporary files where
// that is empty.
func NewScratch(in string) (*Scratch, error) {
	in = cmp.Or(in, os.TempDir())
	sweepScratches(in)
	dir, err := os.MkdirTemp(in, scratches)
	if err != nil {
		return nil, fmt.Errorf("bookdir: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, scratchLock), os.O_CREATE|os.O_RDWR, 0o600)
	if err == nil {
		if err = flock(f); err != nil {
			err = errors.Join(err, f.Close())
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("bookdir: %w", err), os.RemoveAll(dir))
	}
	return &Scratch{dir, f}, nil
}

// Remove removes the folder with all that is in it.
func (s *Scratch) Remove() error {
	return errors.Join(os.RemoveAll(s.Dir), s.lock.Close())
}

// sweepScratches removes the scratch folders of this user whose processes ended
// without removing them. What cannot be removed is left to the next.
func sweepScratches(in string) {
	found, _ := filepath.Glob(filepath.Join(in, scratches)) // the pattern is well formed
	for _, dir := range found {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || time.Since(info.ModTime()) < unlocked {
			continue
		}
		if stat, is := info.Sys().(*syscall.Stat_t); !is || int(stat.Uid) != os.Geteuid() {
			continue
		}
		f, err := os.Open(filepath.Join(dir, scratchLock))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil && flock(f) == nil || errors.Is(err, os.ErrNotExist) {
			_ = os.RemoveAll(dir)
		}
		if err == nil {
			_ = f.Close()
		}
	}
}
