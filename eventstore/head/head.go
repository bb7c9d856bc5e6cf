// Package head keeps the remembered head: how far the log had come when the last
// receipt was given, in a small file outside the log's own folder. A log that
// ends before its remembered head has lost something and is not served.
//
// A head that Remember took survives the end of the process at once, and a power
// cut once it was flushed, at most a second later. The file is never newer than
// the log, for only acknowledged pages are remembered; and it is never made anew
// in silence: whoever could delete it could otherwise hide a loss.
package head

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/daybook-ledger/daybook/eventstore/page"
)

// Head is what is remembered.
type Head struct {
	// Epoch is the log epoch: which generation of the log the page is in. It
	// grows when a log is replaced, as by a restore.
	Epoch uint64
	page.Head
}

// Errors that callers branch on.
var (
	// ErrMissing means that there is no file.
	ErrMissing = errors.New("head: the remembered head is missing; " +
		"without it a loss at the log's end would go unnoticed: " +
		"bring the file back from a backup, or check the log against a receipt, a witness or the archive and make it anew by a repair")
	// ErrDamaged means that neither slot of the file is whole.
	ErrDamaged = errors.New("head: the remembered head is damaged; " +
		"bring the file back from a backup, or check the log against a receipt, a witness or the archive and make it anew by a repair")
	// ErrNewer means that the file was written by a later version of the program.
	ErrNewer = errors.New("head: the remembered head was written by a newer version of the program: use that version")
	// ErrExists means that there is a file already.
	ErrExists = errors.New("head: there is a remembered head already")
	// ErrBackwards means that the head to be remembered contradicts, or lies
	// before, the one that is remembered.
	ErrBackwards = errors.New("head: the log cannot go back")
	// ErrClosed means that the file was closed.
	ErrClosed = errors.New("head: closed")
)

// flushDelay is how long after a write the file is flushed. It leaves a disk
// that is slow to flush the rest of the second.
const flushDelay = 500 * time.Millisecond

// disk is what the remembered head asks of its file.
type disk interface {
	io.WriterAt
	Sync() error
	Close() error
}

// File is an open remembered head. It is safe for concurrent use, by one process.
type File struct {
	mu     sync.Mutex
	disk   disk
	newest slot
	// kept is the slot that the last flush covered. Until the next flush only
	// the other one is written, so that whatever a power cut does to it, the
	// head of the last flush is still there.
	kept   int
	dirty  bool
	timer  *time.Timer
	delay  time.Duration
	failed error
	closed bool
}

// Create makes the file, durably, with a first head, page.EmptyHead for a new
// log. ErrExists when there is one.
func Create(path string, h Head) (*File, error) {
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("%w: %s", ErrExists, path)
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("head: create: %w", err)
	}
	// Both slots hold the head, so that the first write to either can be cut
	// short; and the file appears whole or not at all.
	content := make([]byte, fileSize)
	copy(content, slot{sequence: 0, head: h}.encode())
	copy(content[slotOffset:], slot{sequence: 1, head: h}.encode())
	if err := writeWhole(path, content); err != nil {
		return nil, fmt.Errorf("head: create: %w", err)
	}
	return Open(path)
}

// writeWhole makes a file durable under its name.
func writeWhole(path string, content []byte) (err error) {
	temporary := path + ".new"
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes a new name in a folder durable.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Open opens the file for the log's one writer. ErrMissing, ErrDamaged, ErrNewer.
func Open(path string) (*File, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, openError(path, err)
	}
	newest, at, err := load(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w (%s)", err, path), f.Close())
	}
	// What was found may be in the operating system's memory only, if the
	// process before was killed: kept must be on disk before the other slot is
	// written.
	if err := f.Sync(); err != nil {
		return nil, errors.Join(fmt.Errorf("head: flush %s: %w", path, err), f.Close())
	}
	return newFile(f, newest, at, flushDelay), nil
}

func newFile(d disk, newest slot, at int, delay time.Duration) *File {
	return &File{disk: d, newest: newest, kept: at, delay: delay}
}

// Read gives the remembered head without holding the file, so also while its
// writer runs. ErrMissing, ErrDamaged, ErrNewer.
func Read(path string) (Head, error) {
	f, err := os.Open(path)
	if err != nil {
		return Head{}, openError(path, err)
	}
	newest, _, err := load(f)
	if err != nil {
		err = fmt.Errorf("%w (%s)", err, path)
	}
	return newest.head, errors.Join(err, f.Close())
}

func openError(path string, err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w (%s)", ErrMissing, path)
	}
	return fmt.Errorf("head: open: %w", err)
}

// load reads the file; one byte more than it should have, to notice others.
func load(r io.ReaderAt) (slot, int, error) {
	content := make([]byte, fileSize+1)
	n, err := r.ReadAt(content, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return slot{}, 0, fmt.Errorf("head: read: %w", err)
	}
	return decode(content[:n])
}

// Head is the newest remembered head.
func (f *File) Head() Head {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.newest.head
}

// Remember writes the head of a page that was acknowledged. When it returns nil
// the head survives the end of the process; the flush follows within a second.
// Within an epoch heads go forward only, else ErrBackwards and nothing is
// written. Once a write or a flush has failed, also one in the background, every
// Remember returns that error, for nobody knows what the disk holds: open the
// file again.
func (f *File) Remember(h Head) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.closed:
		return ErrClosed
	case f.failed != nil:
		return f.failed
	case h == f.newest.head:
		return nil
	}
	if err := follows(f.newest.head, h); err != nil {
		return err
	}
	next := slot{sequence: f.newest.sequence + 1, head: h}
	if _, err := f.disk.WriteAt(next.encode(), int64(1-f.kept)*slotOffset); err != nil {
		f.failed = fmt.Errorf("head: remember page %d: %w", h.Page, err)
		return f.failed
	}
	f.newest = next
	if !f.dirty {
		f.dirty = true
		f.timer = time.AfterFunc(f.delay, f.flushLate)
	}
	return nil
}

// follows refuses a head that cannot come after another.
func follows(old, h Head) error {
	back := h.Epoch < old.Epoch
	if h.Epoch == old.Epoch {
		same := h.Size == old.Size && h.Root == old.Root
		back = h.Page <= old.Page || h.Size < old.Size || h.Size == old.Size && !same
	}
	if back {
		return fmt.Errorf("%w: page %d of epoch %d (size %d) after page %d of epoch %d (size %d)",
			ErrBackwards, h.Page, h.Epoch, h.Size, old.Page, old.Epoch, old.Size)
	}
	return nil
}

// flushLate is the background flush. Its error is kept for the next Remember.
func (f *File) flushLate() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed {
		_ = f.flush()
	}
}

// Flush makes what was remembered durable now.
func (f *File) Flush() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return ErrClosed
	}
	return f.flush()
}

// flush holds Remember up while the disk works, about once a second: a write to
// the slot that is being flushed would leave neither slot known to be on disk.
func (f *File) flush() error {
	if f.failed != nil || !f.dirty {
		return f.failed
	}
	f.timer.Stop()
	if err := f.disk.Sync(); err != nil {
		f.failed = fmt.Errorf("head: flush page %d: %w", f.newest.head.Page, err)
		return f.failed
	}
	f.kept, f.dirty = 1-f.kept, false
	return nil
}

// Close flushes and closes the file. A second Close does nothing.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	err := f.flush()
	if f.timer != nil {
		f.timer.Stop()
	}
	f.closed = true
	if cerr := f.disk.Close(); cerr != nil {
		err = errors.Join(err, fmt.Errorf("head: close: %w", cerr))
	}
	return err
}
