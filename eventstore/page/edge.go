package page

import (
	"encoding/binary"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// Edge is the right edge of a Merkle tree: the roots of the full subtrees that
// it consists of, widest first, at most one for each bit of the size. It is all
// that is needed to append leaves and to know the root. The zero Edge is that
// of the empty tree. Copies share memory: use Clone before appending to one.
type Edge struct {
	size   uint64
	hashes []tlog.Hash
}

// NewEdge makes an edge from the number of leaves and the roots of the full
// subtrees, widest first.
func NewEdge(size uint64, hashes []tlog.Hash) (Edge, error) {
	if size > MaxSize || bits.OnesCount64(size) != len(hashes) {
		return Edge{}, fail(ErrEdge, 0, "%d hashes for %d leaves", len(hashes), size)
	}
	return Edge{size: size, hashes: append([]tlog.Hash(nil), hashes...)}, nil
}

// Size is the number of leaves.
func (e Edge) Size() uint64 { return e.size }

// Hashes gives a copy of the roots of the full subtrees, widest first.
func (e Edge) Hashes() []tlog.Hash { return append([]tlog.Hash(nil), e.hashes...) }

// Clone gives a copy that shares no memory.
func (e Edge) Clone() Edge { return Edge{size: e.size, hashes: e.Hashes()} }

// CopyFrom makes e a copy of other, reusing e's memory.
func (e *Edge) CopyFrom(other *Edge) {
	e.size = other.size
	e.hashes = append(e.hashes[:0], other.hashes...)
}

// Append adds a leaf and calls stored, unless nil, with each hash that the leaf
// completes, from the leaf up: the order in which tlog stores hashes.
func (e *Edge) Append(leaf tlog.Hash, stored func(tlog.Hash)) {
	h := leaf
	if stored != nil {
		stored(h)
	}
	for n := e.size; n&1 == 1; n >>= 1 {
		last := len(e.hashes) - 1
		h = tlog.NodeHash(e.hashes[last], h)
		e.hashes = e.hashes[:last]
		if stored != nil {
			stored(h)
		}
	}
	e.hashes = append(e.hashes, h)
	e.size++
}

// Root is the Merkle tree hash.
func (e Edge) Root() tlog.Hash {
	if len(e.hashes) == 0 {
		return EmptyRoot
	}
	root := e.hashes[len(e.hashes)-1]
	for i := len(e.hashes) - 2; i >= 0; i-- {
		root = tlog.NodeHash(e.hashes[i], root)
	}
	return root
}

// Check reports, as ErrEdge, when the edge is not that of the head.
func (e Edge) Check(h Head) error {
	if e.size != h.Size {
		return fail(ErrEdge, h.Page, "an edge of %d leaves for a log of %d", e.size, h.Size)
	}
	if root := e.Root(); root != h.Root {
		return fail(ErrEdge, h.Page, "the edge gives root %v, the head has %v", root, h.Root)
	}
	return nil
}

// MarshalBinary gives the stored form: the size as u64 big-endian, then the
// hashes, 32 bytes each, widest subtree first.
func (e Edge) MarshalBinary() ([]byte, error) {
	out := make([]byte, 0, 8+len(e.hashes)*tlog.HashSize)
	out = binary.BigEndian.AppendUint64(out, e.size)
	for i := range e.hashes {
		out = append(out, e.hashes[i][:]...)
	}
	return out, nil
}

// UnmarshalBinary reads what MarshalBinary gives.
func (e *Edge) UnmarshalBinary(data []byte) error {
	if len(data) < 8 {
		return fail(ErrEdge, 0, "%d bytes are no edge", len(data))
	}
	size := binary.BigEndian.Uint64(data)
	data = data[8:]
	if size > MaxSize || len(data) != bits.OnesCount64(size)*tlog.HashSize {
		return fail(ErrEdge, 0, "%d bytes of hashes for %d leaves", len(data), size)
	}
	hashes := make([]tlog.Hash, len(data)/tlog.HashSize)
	for i := range hashes {
		copy(hashes[i][:], data[i*tlog.HashSize:])
	}
	e.size, e.hashes = size, hashes
	return nil
}
