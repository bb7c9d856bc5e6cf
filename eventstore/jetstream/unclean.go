package jetstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"github.com/google/uuid"
	"github.com/nats-io/nats-server/v2/server"
)

const (
	lockFile   = "lock"
	markerFile = "running"

	// keptBlocks is how many blocks of a stream are copied: the newest, which
	// the server may cut, and the one before, in case the newest was just begun.
	keptBlocks = 2
	// keptCopies bounds what copies take: each has at most two blocks of 8 MiB
	// (one page more if it is larger).
	keptCopies = 3
)

// lockDir makes the folder and takes its lock, which ends with the process.
func lockDir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if errors.Is(err, syscall.EROFS) && heldAnyway(filepath.Join(dir, lockFile)) {
		return nil, ErrHeld
	}
	if err != nil {
		return nil, fmt.Errorf("open the lock: %w", err)
	}
	if err := tryLock(f); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// heldAnyway reports whether another process has the lock of a folder that can only be
// read by now: it goes on reading, and others through it.
func heldAnyway(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(tryLock(f), ErrHeld)
}

// setMarker says, durably, that the server runs.
func setMarker(dir string) error {
	f, err := os.OpenFile(filepath.Join(dir, markerFile), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("set the marker: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("set the marker: %w", err)
	}
	return syncDir(dir)
}

// ends are the newest block of a stream and its index, nil where it has none: what a
// server that writes to the stream changes.
type ends struct{ block, index os.FileInfo }

// readEnds gives those of each stream under the server's folder.
func readEnds(dir string) (map[string]ends, error) {
	streams, err := streamDirs(dir)
	if err != nil {
		return nil, err
	}
	all := map[string]ends{}
	for _, stream := range streams {
		if all[stream], err = endsOf(filepath.Join(stream, "msgs")); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func endsOf(messages string) (e ends, err error) {
	blocks, err := listBlocks(messages)
	if err != nil || len(blocks) == 0 {
		return ends{}, err
	}
	if e.block, err = os.Stat(filepath.Join(messages, strconv.Itoa(blocks[len(blocks)-1])+blockSuffix)); err != nil {
		return ends{}, fmt.Errorf("the newest block: %w", err)
	}
	e.index, err = os.Stat(filepath.Join(messages, indexFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return ends{}, fmt.Errorf("the index: %w", err)
	}
	return e, nil
}

// clearMarker says, durably, that the server stopped as it should. It takes what the
// streams ended with when the server was started.
func clearMarker(dir string, started map[string]ends) error {
	stopped, err := readEnds(dir)
	if err != nil {
		return err
	}
	for stream, e := range stopped {
		if err := e.stoppedAfter(started[stream]); err != nil {
			return err
		}
	}
	if err := os.Remove(filepath.Join(dir, markerFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("clear the marker: %w", err)
	}
	return syncDir(dir)
}

// stoppedAfter tells whether a stream was stopped cleanly. The server does not say
// whether it could write everything, but it writes the index last: a stream whose index
// is older than its newest block was not. A server that wrote nothing leaves the times
// as it found them, whatever they are: those of a copy are of when it was made.
func (e ends) stoppedAfter(started ends) error {
	switch {
	case e.block == nil:
		return nil
	case e.index == nil:
		return errors.New("the server did not write its index")
	case unchanged(e.block, started.block) && unchanged(e.index, started.index):
		return nil
	case e.index.ModTime().Before(e.block.ModTime()):
		return errors.New("the server did not write its index after its newest block")
	}
	return nil
}

// unchanged reports whether a file was not written since it was looked at.
func unchanged(now, then os.FileInfo) bool {
	return then != nil && os.SameFile(now, then) && now.Size() == then.Size() && now.ModTime().Equal(then.ModTime())
}

// PreserveUnclean copies the newest blocks and the index of each stream under
// dir to a new folder in into, if the marker of an unclean stop is there, and
// gives the folder's path. Recovery after an unclean stop may cut a block at
// the first damage it meets, so this comes before a server opens the files. The
// newest three copies are kept. Without a marker the path is empty.
func PreserveUnclean(dir, into string) (string, error) {
	switch _, err := os.Stat(filepath.Join(dir, markerFile)); {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("eventstore: copy the newest blocks: %w", err)
	}
	path, err := preserve(dir, into)
	if err != nil {
		return "", fmt.Errorf("eventstore: copy the newest blocks: %w", err)
	}
	return path, nil
}

func preserve(dir, into string) (string, error) {
	streams, err := streamDirs(dir)
	if err != nil || len(streams) == 0 {
		return "", err
	}
	copies, err := listCopies(into)
	if err != nil {
		return "", err
	}
	number := 1
	if len(copies) > 0 {
		number = copies[len(copies)-1] + 1
	}
	path := filepath.Join(into, copyName(number))
	// Under another name until it is whole; a rest of an earlier try goes.
	partial := filepath.Join(into, "partial")
	if err := os.RemoveAll(partial); err != nil {
		return "", err
	}
	for _, stream := range streams {
		if err := copyStream(stream, filepath.Join(partial, filepath.Base(stream))); err != nil {
			_ = os.RemoveAll(partial) // it may be the disk that is full
			return "", err
		}
	}
	if err := os.Rename(partial, path); err != nil {
		return "", err
	}
	if err := syncDir(into); err != nil {
		return "", err
	}
	copies = append(copies, number)
	for _, old := range copies[:max(len(copies)-keptCopies, 0)] {
		if err := os.RemoveAll(filepath.Join(into, copyName(old))); err != nil {
			return "", err
		}
	}
	return path, nil
}

// copyStream copies what names the stream, its index and its newest blocks.
func copyStream(stream, into string) error {
	messages := filepath.Join(stream, "msgs")
	blocks, err := listBlocks(messages)
	if err != nil {
		return err
	}
	names := []string{filepath.Join("msgs", indexFile), "meta.inf", "meta.sum"}
	for _, block := range blocks[max(len(blocks)-keptBlocks, 0):] {
		names = append(names, filepath.Join("msgs", strconv.Itoa(block)+blockSuffix))
	}
	if err := os.MkdirAll(filepath.Join(into, "msgs"), 0o700); err != nil {
		return err
	}
	for _, name := range names {
		err := copyFile(filepath.Join(stream, name), filepath.Join(into, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return errors.Join(syncDir(filepath.Join(into, "msgs")), syncDir(into), syncDir(filepath.Dir(into)))
}

func copyFile(from, to string) (err error) {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	if _, err := io.Copy(target, source); err != nil {
		return err
	}
	return target.Sync()
}

// streamDirs lists the folders of the streams under the server's folder.
func streamDirs(dir string) ([]string, error) {
	accounts := filepath.Join(dir, server.JetStreamStoreDir)
	entries, err := os.ReadDir(accounts)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var dirs []string
	for _, entry := range entries {
		if !entry.IsDir() {
			continue // a server that was killed while it tried whether it can write left a file
		}
		streams := filepath.Join(accounts, entry.Name(), "streams")
		names, err := os.ReadDir(streams)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			stream := filepath.Join(streams, name.Name())
			if _, err := os.Stat(filepath.Join(stream, "msgs")); err == nil {
				dirs = append(dirs, stream)
			}
		}
	}
	return dirs, nil
}

func copyName(number int) string { return fmt.Sprintf("%06d", number) }

func listCopies(into string) ([]int, error) {
	entries, err := os.ReadDir(into)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var numbers []int
	for _, entry := range entries {
		if number, err := strconv.Atoi(entry.Name()); err == nil && entry.IsDir() {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// Lock takes the lock of a server's folder, which it makes if it is missing: until it
// is closed no server runs there. ErrHeld means that one does.
func Lock(dir string) (io.Closer, error) {
	lock, err := lockDir(dir)
	if err != nil {
		return nil, fmt.Errorf("eventstore: lock %s: %w", dir, err)
	}
	return lock, nil
}

// PreserveAll copies every file of a server, whose folder is locked, into a folder that
// is not there yet.
func PreserveAll(dir, into string) error {
	if err := os.CopyFS(into, os.DirFS(dir)); err != nil {
		return fmt.Errorf("eventstore: copy %s: %w", dir, err)
	}
	if err := syncAll(into); err != nil {
		return fmt.Errorf("eventstore: copy %s: %w", dir, err)
	}
	return nil
}

// Reframe makes the server's files of a log anew in the folder into, which is not there
// yet, around the blocks that are left of it in dir, whose folder is locked: what the
// server knows of a stream besides, it reads from its blocks. It gives how many there
// are; where there are none it does nothing.
func Reframe(ctx context.Context, dir, into string, book uuid.UUID) (blocks int, err error) {
	from := messageDir(dir, book)
	found, err := listBlocks(from)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(found) == 0 {
		return 0, nil
	}
	if err == nil {
		err = reframe(ctx, from, found, into, book)
	}
	if err != nil {
		return len(found), fmt.Errorf("eventstore: read what is left in %s: %w", from, err)
	}
	return len(found), nil
}

func reframe(ctx context.Context, from string, blocks []int, into string, book uuid.UUID) error {
	server, err := start(Config{Dir: into, Book: book})
	if err != nil {
		return err
	}
	if err := errors.Join(Create(ctx, server, book, 1), server.Shutdown()); err != nil {
		return err
	}
	to := messageDir(into, book)
	if err := os.RemoveAll(to); err != nil { // with the index, which says that there are none
		return err
	}
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	for _, block := range blocks {
		name := strconv.Itoa(block) + blockSuffix
		if err := copyFile(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
			return err
		}
	}
	return nil
}
