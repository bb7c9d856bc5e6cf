package transparency

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// RootAt is the root that the tree had at a size.
func (t *Tree) RootAt(size uint64) (tlog.Hash, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.rootAt(size)
}

func (t *Tree) rootAt(size uint64) (tlog.Hash, error) {
	switch have := t.edge.Size(); {
	case size == have:
		return t.root, nil
	case size > have:
		return tlog.Hash{}, fmt.Errorf("%w: %d of %d", ErrTreeSize, size, have)
	}
	edge, err := t.readEdge(size)
	if err != nil {
		return tlog.Hash{}, err
	}
	return edge.Root(), nil
}

// Leaf is the leaf hash at a position.
func (t *Tree) Leaf(position uint64) (tlog.Hash, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if position >= t.edge.Size() {
		return tlog.Hash{}, fmt.Errorf("%w: position %d of %d", ErrTreeSize, position, t.edge.Size())
	}
	return t.leaf(position)
}

func (t *Tree) leaf(position uint64) (tlog.Hash, error) {
	hashes, err := t.readHashes([]int64{tlog.StoredHashIndex(0, int64(position))})
	if err != nil {
		return tlog.Hash{}, err
	}
	return hashes[0], nil
}

// ProveRecord proves that the leaf at a position is in the tree of a size, at
// most the present one. The proof has been checked against the stored leaf and
// root: ErrTreeDamaged where the file's hashes contradict one another.
func (t *Tree) ProveRecord(position, size uint64) (tlog.RecordProof, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if size > t.edge.Size() || position >= size {
		return nil, fmt.Errorf("%w: position %d in size %d of %d", ErrTreeSize, position, size, t.edge.Size())
	}
	proof, err := tlog.ProveRecord(int64(size), int64(position), tlog.HashReaderFunc(t.readHashes))
	if err != nil {
		return nil, fmt.Errorf("transparency: prove position %d: %w", position, err)
	}
	leaf, err := t.leaf(position)
	if err != nil {
		return nil, err
	}
	root, err := t.rootAt(size)
	if err != nil {
		return nil, err
	}
	if err := tlog.CheckRecord(proof, int64(size), root, int64(position), leaf); err != nil {
		return nil, fmt.Errorf("%w: position %d: %w", ErrTreeDamaged, position, err)
	}
	return proof, nil
}

// ProveTree proves that the tree of a size begins with the tree of an older
// size, of at least one leaf. Like ProveRecord it checks what it gives.
func (t *Tree) ProveTree(old, size uint64) (tlog.TreeProof, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if size > t.edge.Size() || old > size || old == 0 {
		return nil, fmt.Errorf("%w: from %d to %d of %d", ErrTreeSize, old, size, t.edge.Size())
	}
	proof, err := tlog.ProveTree(int64(size), int64(old), tlog.HashReaderFunc(t.readHashes))
	if err != nil {
		return nil, fmt.Errorf("transparency: prove size %d: %w", old, err)
	}
	oldRoot, err := t.rootAt(old)
	if err != nil {
		return nil, err
	}
	root, err := t.rootAt(size)
	if err != nil {
		return nil, err
	}
	if err := tlog.CheckTree(proof, int64(size), root, int64(old), oldRoot); err != nil {
		return nil, fmt.Errorf("%w: size %d: %w", ErrTreeDamaged, old, err)
	}
	return proof, nil
}
