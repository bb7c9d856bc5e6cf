package keyring

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Duplicate makes a ring at to, where there is none, of the one at path: the same
// bytes, which it gives too, opened by the same root key. Errors: ErrMissing, ErrExists.
func Duplicate(path, to string) (content []byte, err error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("keyring: duplicate %s: %w", path, ErrMissing)
	}
	err = Alone(path, func() error {
		if content, err = os.ReadFile(path); err != nil {
			return err
		}
		if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
			return errors.Join(ErrExists, err)
		}
		return place(to, content)
	})
	if err != nil {
		return nil, fmt.Errorf("keyring: duplicate %s: %w", path, err)
	}
	return content, nil
}

// Alone runs do while no other process reads or changes the ring at path.
func Alone(path string, do func() error) error {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	return withLock(real, true, do)
}

// Supersede puts the ring at by in the place of the one at path, in one step, within
// Alone. What is left of the former on the disk opens with no root key then. Where by
// was erased it was put in its place before, by a call that was cut short: it goes.
func Supersede(path, by string) error {
	if err := supersede(path, by); err != nil {
		return fmt.Errorf("keyring: supersede %s: %w", path, err)
	}
	return nil
}

func supersede(path, by string) error {
	content, err := os.ReadFile(by)
	if err != nil {
		return err
	}
	if len(content) >= headerSize && bytes.Equal(content[:headerSize], make([]byte, headerSize)) {
		return Discard(by)
	}
	if _, err := decodeHeader(content); err != nil {
		return err
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	former, err := os.OpenFile(real, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	moved := false
	switch err = os.Rename(by, real); {
	case err == nil:
		moved = true
		err = errors.Join(syncFolder(real, (*os.File).Sync), syncFolder(by, (*os.File).Sync))
	case errors.Is(err, syscall.EXDEV): // path leads to another file system
		err = place(real, content)
	}
	if err == nil {
		err = erase(former)
	}
	if err = errors.Join(err, former.Close()); err != nil || moved {
		return errors.Join(err, dropUnfinished(by))
	}
	return Discard(by)
}

// Discard removes a ring that nobody uses, if there is one at path, and what a crash left
// of one that was to be there. What is left of them on the disk opens with no root key
// then.
func Discard(path string) error {
	if err := errors.Join(discard(path), discard(path+newSuffix)); err != nil {
		return fmt.Errorf("keyring: discard %s: %w", path, err)
	}
	return nil
}

func discard(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(erase(file), file.Close(), os.Remove(path))
}

// place puts a file with a ring's bytes at path, durably.
func place(path string, content []byte) error {
	file, _, err := replace(path, (*os.File).Sync, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
	if file != nil {
		err = errors.Join(err, file.Close())
	}
	return err
}

// erase overwrites the header, without which no slot opens.
func erase(file *os.File) error {
	if _, err := file.WriteAt(make([]byte, headerSize), 0); err != nil {
		return err
	}
	return file.Sync()
}
