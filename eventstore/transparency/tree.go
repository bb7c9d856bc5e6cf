// Package transparency is the book's Merkle log: the tree over all commits with
// its proofs (Tree), the signed receipt that a commit's caller gets (Receipt),
// and the check of a whole log by whoever holds no decryption key (Verify).
//
// The tree is that of RFC 6962 over the SHA-256 of each commit's stored bytes,
// kept as the dense sequence of hashes that golang.org/x/mod/sumdb/tlog defines.
// Nothing in it is a source of truth: it can be rebuilt from the log's pages.
package transparency

import (
	"errors"
	"fmt"
	"io"
	"math/bits"
	"os"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-ledger/daybook/eventstore/page"
)

var (
	// ErrTreeDamaged means that the tree's file is missing, too short or not
	// that of the log. It holds nothing that the log does not: make it anew
	// with CreateFile and append every leaf of the log again.
	ErrTreeDamaged = errors.New("transparency: the tree file does not fit the log: rebuild it")
	// ErrTreeSize means that something was asked of a tree that has not, or no
	// longer, as many leaves.
	ErrTreeSize = errors.New("transparency: the tree has not as many leaves")
)

const (
	hashSize = tlog.HashSize
	// tailMax and tailKeep bound, in hashes, what a file's tree keeps in memory:
	// at tailMax the tail is written, and all but the last tailKeep forgotten.
	tailMax  = 1 << 16
	tailKeep = 1 << 14
)

// hashFile is what the tree asks of its file.
type hashFile interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
	Sync() error
	Close() error
}

// Tree is an append-only Merkle tree. One goroutine may append and truncate
// while others prove; all methods are safe for concurrent use.
type Tree struct {
	mu   sync.RWMutex
	edge page.Edge
	root tlog.Hash // the edge's
	// tail holds the stored hashes from index first on; those before index
	// written are in the file too. Without a file the tail holds all hashes.
	tail    []tlog.Hash
	first   int64
	written int64
	file    hashFile
}

// NewMemory makes an empty tree in memory: 64 bytes a leaf.
func NewMemory() *Tree { return &Tree{root: page.EmptyRoot} }

// CreateFile makes an empty tree in a file, whose contents, if any, are lost.
func CreateFile(path string) (*Tree, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("transparency: make the tree file: %w", err)
	}
	return &Tree{root: page.EmptyRoot, file: f}, nil
}

// OpenFile opens the tree in a file as it was at a head of the log, which must
// be trusted; what the file holds beyond is cut off. ErrTreeDamaged when it does
// not reproduce the head's root; the file is then left as it is.
func OpenFile(path string, at page.Head) (*Tree, error) {
	if at == (page.Head{}) {
		at = page.EmptyHead()
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", ErrTreeDamaged, err)
	}
	if err != nil {
		return nil, fmt.Errorf("transparency: open the tree file: %w", err)
	}
	t, err := openTree(f, at)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return t, nil
}

func openTree(f hashFile, at page.Head) (*Tree, error) {
	if at.Size > page.MaxSize {
		return nil, fmt.Errorf("%w: asked for %d leaves", ErrTreeSize, at.Size)
	}
	count := tlog.StoredHashCount(int64(at.Size))
	t := &Tree{file: f, first: count, written: count}
	edge, err := t.readEdge(at.Size)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTreeDamaged, err)
	}
	if err := edge.Check(at); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTreeDamaged, err)
	}
	if err := f.Truncate(count * hashSize); err != nil {
		return nil, fmt.Errorf("transparency: cut the tree file: %w", err)
	}
	t.edge, t.root = edge, edge.Root()
	return t, nil
}

// Size is the number of leaves.
func (t *Tree) Size() uint64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.edge.Size()
}

// Root is the tree's hash.
func (t *Tree) Root() tlog.Hash {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.root
}

// Edge gives a copy of the tree's right edge. Appending leaves to the copy tells
// what the root would be, and leaves the tree as it is.
func (t *Tree) Edge() page.Edge {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.edge.Clone()
}

// Append adds leaves. Most of the time it only writes to memory; an error means
// that the file could not be written, and that the leaves are in the tree all
// the same.
func (t *Tree) Append(leaves ...tlog.Hash) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	keep := func(h tlog.Hash) { t.tail = append(t.tail, h) }
	for _, leaf := range leaves {
		t.edge.Append(leaf, keep)
	}
	t.root = t.edge.Root()
	if t.file == nil || len(t.tail) < tailMax {
		return nil
	}
	if err := t.flush(); err != nil {
		return err
	}
	drop := len(t.tail) - tailKeep
	t.tail = t.tail[:copy(t.tail, t.tail[drop:])]
	t.first += int64(drop)
	return nil
}

// Truncate takes back every leaf from the given size on. It costs no more than
// a few hashes read, however many leaves there are.
func (t *Tree) Truncate(size uint64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if size == t.edge.Size() {
		return nil
	}
	if size > t.edge.Size() {
		return fmt.Errorf("%w: truncate %d to %d", ErrTreeSize, t.edge.Size(), size)
	}
	edge, err := t.readEdge(size)
	if err != nil {
		return err
	}
	count := tlog.StoredHashCount(int64(size))
	if count < t.written {
		if err := t.file.Truncate(count * hashSize); err != nil {
			return fmt.Errorf("transparency: cut the tree file: %w", err)
		}
		t.written = count
	}
	if count < t.first {
		t.first, t.tail = count, t.tail[:0]
	} else {
		t.tail = t.tail[:count-t.first]
	}
	t.edge, t.root = edge, edge.Root()
	return nil
}

// Flush hands what is in memory only to the operating system.
func (t *Tree) Flush() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.flush()
}

// Sync makes the tree durable as it is now.
func (t *Tree) Sync() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.flush(); err != nil || t.file == nil {
		return err
	}
	if err := t.file.Sync(); err != nil {
		return fmt.Errorf("transparency: flush the tree file: %w", err)
	}
	return nil
}

// Close writes what is in memory only, and closes the file. A tree in memory
// stays usable.
func (t *Tree) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.file == nil {
		return nil
	}
	return errors.Join(t.flush(), t.file.Close())
}

// flush writes the unwritten part of the tail.
func (t *Tree) flush() error {
	end := t.first + int64(len(t.tail))
	if t.file == nil || t.written == end {
		return nil
	}
	fresh := t.tail[t.written-t.first:]
	buf := make([]byte, 0, len(fresh)*hashSize)
	for i := range fresh {
		buf = append(buf, fresh[i][:]...)
	}
	if _, err := t.file.WriteAt(buf, t.written*hashSize); err != nil {
		return fmt.Errorf("transparency: write the tree file: %w", err)
	}
	t.written = end
	return nil
}

// readEdge reads the edge that the tree had at a size.
func (t *Tree) readEdge(size uint64) (page.Edge, error) {
	var indexes []int64
	for lo := uint64(0); lo < size; {
		level := bits.Len64(size-lo) - 1
		indexes = append(indexes, tlog.StoredHashIndex(level, int64(lo>>level)))
		lo += 1 << level
	}
	hashes, err := t.readHashes(indexes)
	if err != nil {
		return page.Edge{}, err
	}
	return page.NewEdge(size, hashes)
}

// readHashes is the tlog.HashReader of the tree; the lock must be held.
func (t *Tree) readHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		if index >= t.first {
			if index-t.first >= int64(len(t.tail)) {
				return nil, fmt.Errorf("%w: hash %d", ErrTreeSize, index)
			}
			hashes[i] = t.tail[index-t.first]
			continue
		}
		if _, err := t.file.ReadAt(hashes[i][:], index*hashSize); err != nil {
			return nil, fmt.Errorf("transparency: read the tree file: %w", err)
		}
	}
	return hashes, nil
}
