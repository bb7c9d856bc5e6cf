package keyring

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"slices"
)

const (
	magic      = "daybook/keyring\n"
	version    = 1
	headerSize = 1024
	nonceSize  = 12
	tagSize    = 16

	maxNames    = 24
	maxNameSize = 27
	nameEntry   = 1 + maxNameSize + 4
)

// Where the parts of the header begin.
const (
	atVersion  = 16
	atRing     = 20
	atEpoch    = 36
	atMode     = 44
	atThreads  = 45
	atZero     = 46
	atTime     = 48
	atMemory   = 52
	atSlots    = 56
	atSalt     = 60
	atWrapped  = 92 // nonce, wrapped book key, tag
	atNames    = 152
	atReserved = atNames + maxNames*nameEntry // 920, zero
	atMAC      = headerSize - 2*sha256.Size
	atChecksum = headerSize - sha256.Size
)

// header is the content of the ring's header.
type header struct {
	ring  [16]byte
	epoch uint64 // of the book key; every rewriting of the file begins one
	mode  rootMode
	param Params // zero with a key file
	slots uint32 // how many slots there were when the header was written
	salt  [32]byte
	names map[string]KeyID
}

// bookKeys is what the book key unlocks. The book key itself is not kept.
type bookKeys struct {
	slots  cipher.AEAD // wraps the keys in the slots
	header [32]byte    // authenticates the header
}

func newBookKeys(book, ring []byte) (*bookKeys, error) {
	derived, err := hkdf.Key(sha256.New, book, ring, "daybook/keyring/1/book", 64)
	if err != nil {
		return nil, err
	}
	defer clear(derived)
	slots, err := newGCM(derived[:32])
	if err != nil {
		return nil, err
	}
	keys := &bookKeys{slots: slots}
	copy(keys.header[:], derived[32:])
	return keys, nil
}

func (k *bookKeys) mac(encoded []byte) []byte {
	h := hmac.New(sha256.New, k.header[:])
	h.Write(encoded[:atMAC])
	return h.Sum(nil)
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// encode gives the header's bytes with a fresh book key, wrapped under the root
// key, and what the new book key unlocks.
func (h *header) encode(root []byte, rand io.Reader) ([]byte, *bookKeys, error) {
	b := h.encodePlain()
	var book [KeySize]byte
	defer clear(book[:])
	if _, err := io.ReadFull(rand, book[:]); err != nil {
		return nil, nil, fmt.Errorf("read random bytes: %w", err)
	}
	nonce := b[atWrapped : atWrapped+nonceSize]
	if _, err := io.ReadFull(rand, nonce); err != nil {
		return nil, nil, fmt.Errorf("read random bytes: %w", err)
	}
	aead, err := newGCM(root)
	if err != nil {
		return nil, nil, err
	}
	aead.Seal(b[atWrapped+nonceSize:atWrapped+nonceSize], nonce, book[:], b[:atWrapped])
	keys, err := newBookKeys(book[:], h.ring[:])
	if err != nil {
		return nil, nil, err
	}
	copy(b[atMAC:], keys.mac(b))
	sum := sha256.Sum256(b[:atChecksum])
	copy(b[atChecksum:], sum[:])
	return b, keys, nil
}

// encodePlain gives the header's bytes but for what needs a key.
func (h *header) encodePlain() []byte {
	b := make([]byte, headerSize)
	copy(b, magic)
	binary.BigEndian.PutUint32(b[atVersion:], version)
	copy(b[atRing:], h.ring[:])
	binary.BigEndian.PutUint64(b[atEpoch:], h.epoch)
	b[atMode] = byte(h.mode)
	b[atThreads] = h.param.Threads
	binary.BigEndian.PutUint32(b[atTime:], h.param.Time)
	binary.BigEndian.PutUint32(b[atMemory:], h.param.Memory)
	binary.BigEndian.PutUint32(b[atSlots:], h.slots)
	copy(b[atSalt:], h.salt[:])
	entry := b[atNames:]
	for _, name := range slices.Sorted(maps.Keys(h.names)) {
		entry[0] = byte(len(name))
		copy(entry[1:], name)
		binary.BigEndian.PutUint32(entry[1+maxNameSize:], uint32(h.names[name]))
		entry = entry[nameEntry:]
	}
	return b
}

// decodeHeader reads what can be read without a key. It vouches for nothing but
// that the bytes are those that were once written, unless by malice.
func decodeHeader(b []byte) (*header, error) {
	if len(b) < headerSize || string(b[:atVersion]) != magic {
		return nil, fmt.Errorf("%w: not a key ring, or cut short", ErrDamaged)
	}
	if v := binary.BigEndian.Uint32(b[atVersion:]); v > version {
		return nil, fmt.Errorf("%w: format %d", ErrNewer, v)
	}
	sum := sha256.Sum256(b[:atChecksum])
	if !bytes.Equal(sum[:], b[atChecksum:headerSize]) {
		return nil, fmt.Errorf("%w: the header's checksum does not match", ErrDamaged)
	}
	h := &header{
		epoch: binary.BigEndian.Uint64(b[atEpoch:]),
		mode:  rootMode(b[atMode]),
		param: Params{
			Threads: b[atThreads],
			Time:    binary.BigEndian.Uint32(b[atTime:]),
			Memory:  binary.BigEndian.Uint32(b[atMemory:]),
		},
		slots: binary.BigEndian.Uint32(b[atSlots:]),
	}
	copy(h.ring[:], b[atRing:])
	copy(h.salt[:], b[atSalt:])
	if !h.sane(b) {
		return nil, fmt.Errorf("%w: the header holds what no version of this program writes", ErrDamaged)
	}
	return h, nil
}

func (h *header) sane(b []byte) bool {
	switch h.mode {
	case modePassphrase:
		if !h.param.valid() {
			return false
		}
	case modeKeyFile:
		if h.param != (Params{}) {
			return false
		}
	default:
		return false
	}
	return binary.BigEndian.Uint32(b[atVersion:]) == version && h.epoch > 0 &&
		allZero(b[atZero:atTime]) && allZero(b[atReserved:atMAC])
}

// unlock unwraps the book key with the root key, authenticates the header and
// reads the rest of it.
func (h *header) unlock(b, root []byte) (*bookKeys, error) {
	aead, err := newGCM(root)
	if err != nil {
		return nil, err
	}
	nonce, wrapped := b[atWrapped:atWrapped+nonceSize], b[atWrapped+nonceSize:atNames]
	book, err := aead.Open(nil, nonce, wrapped, b[:atWrapped])
	if err != nil {
		// Not the error of the cipher: it says nothing more.
		return nil, ErrPassphrase
	}
	defer clear(book)
	keys, err := newBookKeys(book, h.ring[:])
	if err != nil {
		return nil, err
	}
	if !hmac.Equal(keys.mac(b), b[atMAC:atChecksum]) {
		return nil, fmt.Errorf("%w: the header was altered", ErrDamaged)
	}
	if h.names, err = decodeNames(b[atNames:atReserved], h.slots); err != nil {
		return nil, err
	}
	return keys, nil
}

func decodeNames(b []byte, slots uint32) (map[string]KeyID, error) {
	names := make(map[string]KeyID)
	for entry := range slices.Chunk(b, nameEntry) {
		n := int(entry[0])
		if n == 0 && allZero(entry) {
			continue
		}
		id := KeyID(binary.BigEndian.Uint32(entry[1+maxNameSize:]))
		if n > maxNameSize || !validName(string(entry[1:1+n])) || !allZero(entry[1+n:1+maxNameSize]) ||
			id == 0 || uint32(id) > slots {
			return nil, fmt.Errorf("%w: a name in the header", ErrDamaged)
		}
		names[string(entry[1:1+n])] = id
	}
	return names, nil
}

// validName allows 1 to 27 of a-z, 0-9 and -./_ .
func validName(name string) bool {
	if name == "" || len(name) > maxNameSize {
		return false
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '-' || c > '9') && c != '_' {
			return false
		}
	}
	return true
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
