package keyring

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// A slot: state, kind, two zero bytes, nonce, wrapped key, tag. 64 bytes divide
// a disk sector, so that overwriting one is never torn by a power cut.
const (
	slotSize  = 64
	slotHead  = 4
	slotNonce = slotHead + nonceSize
)

// slotState says whether a slot holds a key.
type slotState uint8

const (
	live slotState = 1
	// destroyed slots hold a Note, wrapped like a key: nobody without the book
	// key can make a key look destroyed, nor say why it was.
	destroyed slotState = 2
)

// slot is an opened slot. The key of a destroyed one is a Note.
type slot struct {
	state slotState
	kind  Kind
	key   [KeySize]byte
}

func slotOffset(id KeyID) int64 { return headerSize + int64(id-1)*slotSize }

// slotsIn is the number of complete slots in a file of that size. An
// incomplete one at the end is what a crash left of an append that never
// returned: it is not there.
func slotsIn(size int64) int64 { return max(0, size-headerSize) / slotSize }

// unwritten reports whether a slot is what a power cut left of an append that never
// returned, of which only the file's new length had come to the disk: nobody has its id.
// The next rewrite of the ring makes it one that is destroyed.
func unwritten(b []byte, h *header, id KeyID) bool {
	return uint32(id) > h.slots && bytes.Equal(b, make([]byte, slotSize))
}

// slotContext is the additional data: a slot copied to another place, ring or
// epoch, or given another kind or state, does not open.
func slotContext(h *header, id KeyID, head []byte) []byte {
	const purpose = "daybook/keyring/1/slot"
	context := make([]byte, 0, len(purpose)+len(h.ring)+8+4+slotHead)
	context = append(context, purpose...)
	context = append(context, h.ring[:]...)
	context = binary.BigEndian.AppendUint64(context, h.epoch)
	context = binary.BigEndian.AppendUint32(context, uint32(id))
	return append(context, head...)
}

// appendSlot appends the slot's bytes to b.
func (k *bookKeys) appendSlot(b []byte, h *header, id KeyID, s *slot, rand io.Reader) ([]byte, error) {
	b = append(b, byte(s.state), byte(s.kind), 0, 0)
	head := b[len(b)-slotHead:]
	var nonce [nonceSize]byte
	if _, err := io.ReadFull(rand, nonce[:]); err != nil {
		return nil, fmt.Errorf("read random bytes: %w", err)
	}
	context := slotContext(h, id, head)
	b = append(b, nonce[:]...)
	return k.slots.Seal(b, nonce[:], s.key[:], context), nil
}

// openSlot reads the bytes of slot id.
func (k *bookKeys) openSlot(b []byte, h *header, id KeyID) (*slot, error) {
	s := &slot{state: slotState(b[0]), kind: Kind(b[1])}
	_, err := k.slots.Open(s.key[:0], b[slotHead:slotNonce], b[slotNonce:slotSize], slotContext(h, id, b[:slotHead]))
	if err != nil || (s.state != live && s.state != destroyed) || b[2] != 0 || b[3] != 0 {
		clear(s.key[:])
		return nil, fmt.Errorf("slot %d: %w", id, ErrDamaged)
	}
	return s, nil
}
