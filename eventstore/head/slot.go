package head

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/daybook-ledger/daybook/eventstore/page"
)

// The file is two slots of one sector each, 4,096 bytes apart, so that no write
// to one can tear the other on a disk with sectors of either common size.
//
//	 0   8  magic "daybkhd\n"
//	 8   4  version, u32 big-endian: 1
//	12   4  zero
//	16   8  sequence, u64: counts the slots ever written
//	24   8  log epoch, u64
//	32   8  page, u64
//	40   8  size, u64
//	48  32  root
//	80  32  SHA-256 of bytes 0 to 79
//	112     zeros up to 512
//
// What lies between the slots and after the second is zero, up to 8,192 bytes.
const (
	magic      = "daybkhd\n"
	version    = 1
	slotSize   = 512
	slotOffset = 4096
	fileSize   = 2 * slotOffset
	summed     = 80
)

// slot is one slot's contents.
type slot struct {
	sequence uint64
	head     Head
}

// encode gives the bytes of a slot.
func (s slot) encode() []byte {
	out := make([]byte, 0, slotSize)
	out = append(out, magic...)
	out = binary.BigEndian.AppendUint32(out, version)
	out = binary.BigEndian.AppendUint32(out, 0)
	out = binary.BigEndian.AppendUint64(out, s.sequence)
	out = binary.BigEndian.AppendUint64(out, s.head.Epoch)
	out = binary.BigEndian.AppendUint64(out, s.head.Page)
	out = binary.BigEndian.AppendUint64(out, s.head.Size)
	out = append(out, s.head.Root[:]...)
	sum := sha256.Sum256(out)
	out = append(out, sum[:]...)
	return out[:slotSize] // the rest is zero
}

// decodeSlot reads a slot that is whole, or says what is wrong: ErrNewer when it
// is whole but of a later version.
func decodeSlot(b []byte) (slot, error) {
	if len(b) != slotSize {
		return slot{}, fmt.Errorf("%d bytes", len(b))
	}
	if string(b[:8]) != magic {
		return slot{}, fmt.Errorf("no magic")
	}
	if sum := sha256.Sum256(b[:summed]); !bytes.Equal(sum[:], b[summed:summed+sha256.Size]) {
		return slot{}, fmt.Errorf("the checksum does not fit")
	}
	if v := binary.BigEndian.Uint32(b[8:]); v != version {
		return slot{}, fmt.Errorf("%w: version %d, known is %d", ErrNewer, v, version)
	}
	s := slot{sequence: binary.BigEndian.Uint64(b[16:]), head: Head{
		Epoch: binary.BigEndian.Uint64(b[24:]),
		Head:  page.Head{Page: binary.BigEndian.Uint64(b[32:]), Size: binary.BigEndian.Uint64(b[40:])},
	}}
	copy(s.head.Root[:], b[48:summed])
	if !bytes.Equal(s.encode(), b) {
		return slot{}, fmt.Errorf("bytes that must be zero are not")
	}
	return s, nil
}

// decode reads the file's two slots and tells which one is the newest, and where
// it stands. One damaged slot is what a write cut short leaves behind.
func decode(b []byte) (newest slot, at int, err error) {
	if len(b) != fileSize {
		return slot{}, 0, fmt.Errorf("%w: it has %d bytes instead of %d", ErrDamaged, len(b), fileSize)
	}
	first, err0 := decodeSlot(b[:slotSize])
	second, err1 := decodeSlot(b[slotOffset : slotOffset+slotSize])
	switch {
	case errors.Is(err0, ErrNewer):
		return slot{}, 0, err0
	case errors.Is(err1, ErrNewer):
		return slot{}, 0, err1
	case err0 != nil && err1 != nil:
		return slot{}, 0, fmt.Errorf("%w: first slot: %w; second slot: %w", ErrDamaged, err0, err1)
	case err1 != nil:
		return first, 0, nil
	case err0 != nil:
		return second, 1, nil
	case first.sequence == second.sequence:
		return slot{}, 0, fmt.Errorf("%w: both slots have sequence %d", ErrDamaged, first.sequence)
	case first.sequence > second.sequence:
		return first, 0, nil
	}
	return second, 1, nil
}
