package seal

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/google/uuid"
)

// The outer arrays of a commit, and its header, are written and read here and not by the CBOR
// library, so that ciphertext is made where it will stand and read where it
// stands. The tests hold this against the library.

// major is a CBOR major type in its place in the first byte.
type major byte

const (
	majorUint     major = 0 << 5
	majorNegative major = 1 << 5
	majorBytes    major = 2 << 5
	majorText     major = 3 << 5
	majorArray    major = 4 << 5
	majorMap      major = 5 << 5
)

// null is the CBOR item of that name.
const null = 0xf6

// appendHead appends the shortest head with that argument.
func appendHead(b []byte, m major, n uint64) []byte {
	switch {
	case n < 24:
		return append(b, byte(m)|byte(n))
	case n < 1<<8:
		return append(b, byte(m)|24, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, byte(m)|25), uint16(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(b, byte(m)|26), uint32(n))
	default:
		return binary.BigEndian.AppendUint64(append(b, byte(m)|27), n)
	}
}

// headSize is the length of what appendHead appends.
func headSize(n uint64) int {
	switch {
	case n < 24:
		return 1
	case n < 1<<8:
		return 2
	case n < 1<<16:
		return 3
	case n < 1<<32:
		return 5
	default:
		return 9
	}
}

// reader reads CBOR heads and byte strings, in their shortest form only.
type reader struct{ rest []byte }

// head reads a head of major type m and gives its argument.
func (r *reader) head(m major) (uint64, error) {
	if len(r.rest) == 0 {
		return 0, fmt.Errorf("%w: cut short", ErrForm)
	}
	first := r.rest[0]
	if major(first&0xe0) != m {
		return 0, fmt.Errorf("%w: another CBOR type than expected", ErrForm)
	}
	low := first & 0x1f
	if low < 24 {
		r.rest = r.rest[1:]
		return uint64(low), nil
	}
	if low > 27 {
		return 0, fmt.Errorf("%w: indefinite or reserved length", ErrForm)
	}
	size := 1 << (low - 24)
	if len(r.rest) < 1+size {
		return 0, fmt.Errorf("%w: cut short", ErrForm)
	}
	var n uint64
	for _, c := range r.rest[1 : 1+size] {
		n = n<<8 | uint64(c)
	}
	if headSize(n) != 1+size {
		return 0, fmt.Errorf("%w: a length is not in its shortest form", ErrForm)
	}
	r.rest = r.rest[1+size:]
	return n, nil
}

// bytes reads a byte string of at least low and at most high bytes.
func (r *reader) bytes(low, high int) ([]byte, error) { return r.content(majorBytes, low, high) }

// text reads a text of at most high bytes. Whether it is UTF-8 is for the caller.
func (r *reader) text(high int) (string, error) {
	b, err := r.content(majorText, 0, high)
	return string(b), err
}

func (r *reader) content(m major, low, high int) ([]byte, error) {
	n, err := r.head(m)
	if err != nil {
		return nil, err
	}
	if n > uint64(high) {
		return nil, fmt.Errorf("%w: a string of %d bytes", ErrTooLarge, n)
	}
	if n < uint64(low) {
		return nil, fmt.Errorf("%w: a string of %d bytes", ErrForm, n)
	}
	if n > uint64(len(r.rest)) {
		return nil, fmt.Errorf("%w: cut short", ErrForm)
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b, nil
}

// array reads the head of an array of n elements.
func (r *reader) array(n uint64) error {
	have, err := r.head(majorArray)
	if err == nil && have != n {
		err = fmt.Errorf("%w: an array of %d elements, not %d", ErrForm, have, n)
	}
	return err
}

// count reads the head of an array of at most high elements.
func (r *reader) count(high int) (int, error) {
	n, err := r.head(majorArray)
	if err == nil && n > uint64(high) {
		err = fmt.Errorf("%w: an array of %d elements", ErrTooLarge, n)
	}
	if err == nil && n > uint64(len(r.rest)) {
		err = fmt.Errorf("%w: cut short", ErrForm)
	}
	return int(n), err
}

// integer reads an integer of either sign.
func (r *reader) integer() (int64, error) {
	negative := len(r.rest) > 0 && major(r.rest[0]&0xe0) == majorNegative
	m := majorUint
	if negative {
		m = majorNegative
	}
	n, err := r.head(m)
	if err == nil && n > math.MaxInt64 {
		err = fmt.Errorf("%w: an integer beyond 64 bits", ErrForm)
	}
	if negative {
		return -1 - int64(n), err
	}
	return int64(n), err
}

// id reads an id.
func (r *reader) id() (id uuid.UUID, err error) {
	b, err := r.bytes(len(id), len(id))
	if err != nil {
		return id, fmt.Errorf("%w: an id: %w", ErrForm, err)
	}
	copy(id[:], b)
	return id, nil
}

// presentID reads an id that is left out where it is zero.
func (r *reader) presentID() (uuid.UUID, error) {
	id, err := r.id()
	if err == nil && id == uuid.Nil {
		err = fmt.Errorf("%w: an id of nothing", ErrForm)
	}
	return id, err
}
