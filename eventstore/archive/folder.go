package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// unfinished begins the name of a file that is being written.
const unfinished = ".new-"

// Folder is a Place in a file system: another disk, or one of another machine.
type Folder struct{ root string }

// NewFolder names a folder. It need not be there: Begin makes it.
func NewFolder(path string) (*Folder, error) {
	root, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	return &Folder{root}, nil
}

// String implements Place.
func (f *Folder) String() string { return f.root }

// path is where an object lies. Names of objects are made of ids and numbers; one
// that leaves the folder is refused all the same.
func (f *Folder) path(name string) (string, error) {
	if name != "" && !filepath.IsLocal(filepath.FromSlash(name)) {
		return "", fmt.Errorf("%w: the name %q", ErrUnreachable, name)
	}
	return filepath.Join(f.root, filepath.FromSlash(name)), nil
}

func unreachable(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: %w", ErrDenied, err)
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}

// Begin implements Place.
func (f *Folder) Begin(_ context.Context, folder string) error {
	path, err := f.path(folder)
	if err != nil {
		return err
	}
	if err := f.makeFolder(path); err != nil {
		return unreachable(err)
	}
	return nil
}

// Put implements Place.
func (f *Folder) Put(_ context.Context, name string, content []byte) error {
	return f.write(name, content, func(temporary, path string) error {
		// A link fails where there is a file; a rename would replace it.
		err := os.Link(temporary, path)
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%w: %s", ErrExists, path)
		}
		if err != nil { // some file systems have no links
			if _, there := os.Lstat(path); there == nil {
				return fmt.Errorf("%w: %s", ErrExists, path)
			}
			err = os.Rename(temporary, path)
		}
		if err != nil {
			return unreachable(err)
		}
		return nil
	})
}

// Replace implements Place. What stood there is overwritten before its room is
// given back, for what that is worth on the disk below; but not before the name is
// known to be that of the new file, for a power cut may bring the old one back.
func (f *Folder) Replace(_ context.Context, name string, content []byte) error {
	path, err := f.path(name)
	if err != nil {
		return err
	}
	old, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return unreachable(err)
	}
	err = f.write(name, content, func(temporary, path string) error {
		if err := os.Rename(temporary, path); err != nil {
			return unreachable(err)
		}
		return nil
	})
	switch {
	case old == nil:
		return err
	case err != nil:
		return errors.Join(err, old.Close())
	}
	return overwrite(old)
}

func overwrite(old *os.File) error {
	info, err := old.Stat()
	if err == nil {
		zeros := make([]byte, 64<<10)
		for left := info.Size(); left > 0 && err == nil; left -= int64(len(zeros)) {
			_, err = old.Write(zeros[:min(left, int64(len(zeros)))])
		}
	}
	if err = errors.Join(err, old.Sync(), old.Close()); err != nil {
		return unreachable(err)
	}
	return nil
}

// write makes a flushed file beside its place, has it put there, and flushes the
// names. It makes no folder: where the disk went away under a log's archive, nothing is
// written to what stands there in its place.
func (f *Folder) write(name string, content []byte, place func(temporary, path string) error) (err error) {
	path, err := f.path(name)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), unfinished+"*")
	if err != nil {
		return unreachable(err)
	}
	lock(file) // so that a sweep of another process leaves alone what is being written
	defer func() {
		if gone := os.Remove(file.Name()); gone != nil && !errors.Is(gone, fs.ErrNotExist) && err == nil {
			err = unreachable(gone)
		}
	}()
	_, err = file.Write(content)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return unreachable(err)
	}
	if err := place(file.Name(), path); err != nil {
		return err
	}
	if err := syncFolder(filepath.Dir(path)); err != nil {
		return unreachable(err)
	}
	return nil
}

// lock takes the lock of a file that is being written, which ends with its process.
// It reports whether another process has it.
func lock(file *os.File) (taken bool) {
	return errors.Is(unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB), unix.EWOULDBLOCK)
}

// Sweep implements Place. What a living process writes stays. Where the file system has
// no locks it goes too, and whoever wrote it has to do so again.
func (f *Folder) Sweep(_ context.Context, folder string) error {
	path, err := f.path(folder)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return unreachable(err)
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), unfinished) || !entry.Type().IsRegular() {
			continue
		}
		left := filepath.Join(path, entry.Name())
		file, err := os.OpenFile(left, os.O_WRONLY, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue // its writer was done
		}
		if err != nil {
			return unreachable(err)
		}
		if lock(file) {
			err = file.Close()
		} else {
			err = discard(file)
		}
		if err != nil {
			return unreachable(err)
		}
	}
	return nil
}

// discard removes a file that is open, and overwrites it where it has no other name: its
// writer may have put it in its place, and not have come to remove this one.
func discard(file *os.File) error {
	if err := os.Remove(file.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, file.Close())
	}
	var stat unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &stat); err != nil || stat.Nlink > 0 {
		return errors.Join(err, file.Close())
	}
	return overwrite(file)
}

// makeFolder makes a folder, and makes its name and those above it durable.
func (f *Folder) makeFolder(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for ; len(dir) >= len(f.root); dir = filepath.Dir(dir) {
		if err := syncFolder(filepath.Dir(dir)); err != nil {
			return err
		}
	}
	return nil
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Get implements Place.
func (f *Folder) Get(_ context.Context, name string) ([]byte, error) {
	path, err := f.path(name)
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: %s", ErrNotFound, path)
	case err != nil:
		return nil, unreachable(err)
	}
	return content, nil
}

// List implements Place.
func (f *Folder) List(_ context.Context, folder string) ([]string, error) {
	path, err := f.path(folder)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, unreachable(err)
	}
	var names []string
	for _, entry := range entries {
		switch {
		case strings.HasPrefix(entry.Name(), "."): // left by a write that was cut short
		case entry.IsDir():
			names = append(names, entry.Name()+"/")
		default:
			names = append(names, entry.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// Remove implements Place.
func (f *Folder) Remove(_ context.Context, name string) error {
	path, err := f.path(name)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return unreachable(err)
	}
	if err := syncFolder(filepath.Dir(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return unreachable(err)
	}
	return nil
}
