package keyring

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"syscall"
)

// newSuffix names the file that is to take the ring's place. One name is
// enough, for it is written under the lock.
const newSuffix = ".new"

// openFile opens the ring's file and reads its header. The caller holds the
// lock, so that the file is not replaced meanwhile.
func openFile(path string) (*os.File, []byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, ErrMissing
	}
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%w: not a regular file", ErrDamaged)
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, syscall.EROFS) { // the lock refuses changes
		file, err = os.Open(path)
	}
	if err != nil {
		return nil, nil, err
	}
	head := make([]byte, headerSize)
	if _, err := file.ReadAt(head, 0); err != nil {
		file.Close()
		if errors.Is(err, io.EOF) {
			return nil, nil, fmt.Errorf("%w: not a key ring, or cut short", ErrDamaged)
		}
		return nil, nil, err
	}
	return file, head, nil
}

// checkLength notices that slots are gone that were there when the header was
// written, or that the file is longer than a ring can be.
func checkLength(file *os.File, h *header) (os.FileInfo, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if have := slotsIn(info.Size()); have < int64(h.slots) || have > math.MaxUint32 {
		return nil, fmt.Errorf("%w: %d slots where at least %d were written", ErrDamaged, have, h.slots)
	}
	return info, nil
}

// replace puts a file at path in one step: written beside it, flushed, renamed.
// It gives the open file. named says that the file stands at path now, though
// an error may mean that a power cut can still bring back the one before.
func replace(path string, sync flush, write func(io.Writer) error) (file *os.File, named bool, err error) {
	if err := dropUnfinished(path); err != nil {
		return nil, false, err
	}
	file, err = os.OpenFile(path+newSuffix, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, false, err
	}
	abandon := func(err error) (*os.File, bool, error) {
		file.Close()
		return nil, false, errors.Join(err, os.Remove(path+newSuffix))
	}
	if err := write(file); err != nil {
		return abandon(err)
	}
	if err := sync(file); err != nil {
		return abandon(err)
	}
	if err := os.Rename(path+newSuffix, path); err != nil {
		return abandon(err)
	}
	return file, true, syncFolder(path, sync)
}

// syncFolder makes it durable which file stands at path.
func syncFolder(path string, sync flush) error {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(sync(folder), folder.Close())
}

// flush makes a file or folder durable: (*os.File).Sync but in tests, which
// look at what is flushed when, and make it fail.
type flush func(*os.File) error

// dropUnfinished removes what a crash left of a replacement: it may hold keys
// that are destroyed since.
func dropUnfinished(path string) error {
	if err := os.Remove(path + newSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
