package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"

	"github.com/daybook-ledger/daybook/eventstore/keyring"
)

const (
	saltSize       = 32
	commitmentSize = 32
	tagSize        = 16
)

// fixedNonce is the nonce of every section. AES-GCM breaks when one key meets
// one nonce twice; here no key is used twice. Each section's key is derived with
// a salt of 32 random bytes of its own, so that two sections under one data key
// would need the same 256 random bits to share a key. (Random nonces under the
// data key itself would be 96 bits only, and the data key of a busy book would
// have to be changed after some four billion sections.)
var fixedNonce [12]byte

// purpose begins the derivation's info: what the keys are for, and the version.
// Another format version must have another one.
const purpose = "daybook/section/1"

// sectionKeys derives what seals the section of index i: the cipher and the
// commitment.
//
// The commitment is there because AES-GCM does not commit to its key: one
// ciphertext can be made to open under two keys, to two different contents, so
// that one invoice could be shown to two people with different amounts while
// the log proves both. HKDF's output is collision-resistant in its input, so a
// commitment fits one data key (and salt, kind and index) only.
func sectionKeys(key, salt []byte, kind SectionKind, i int) (cipher.AEAD, []byte, error) {
	secret, err := sectionSecret(key, salt)
	if err != nil {
		return nil, nil, err
	}
	defer clear(secret)
	return secretKeys(secret, kind, i)
}

// sectionSecret is what both keys of a section follow from: HKDF's extraction.
func sectionSecret(key, salt []byte) ([]byte, error) {
	if len(key) != keyring.KeySize {
		return nil, fmt.Errorf("%w: a data key of %d bytes", ErrForm, len(key))
	}
	return hkdf.Extract(sha256.New, key, salt)
}

// secretKeys expands a section's secret.
func secretKeys(secret []byte, kind SectionKind, i int) (cipher.AEAD, []byte, error) {
	var info [len(purpose) + 5]byte
	copy(info[:], purpose)
	info[len(purpose)] = byte(kind)
	binary.BigEndian.PutUint32(info[len(purpose)+1:], uint32(i))
	derived, err := hkdf.Expand(sha256.New, secret, string(info[:]), 32+commitmentSize)
	if err != nil {
		return nil, nil, err
	}
	defer clear(derived[:32])
	block, err := aes.NewCipher(derived[:32])
	if err != nil {
		return nil, nil, err
	}
	aead, err := cipher.NewGCM(block)
	return aead, derived[32:], err
}

// Digest is the SHA-256 of a section as it is stored. It tells which section a
// copy of its content came from, and nothing of the content.
func (s Sealed) Digest(i int) [sha256.Size]byte { return sha256.Sum256(s.sections[i].stored) }

// Open gives the content of the section of index i, under the data key that
// Header.Sections[i].Key names.
//
// Errors: ErrSection; ErrForm for an index or a length of key that cannot be.
func (s Sealed) Open(i int, key []byte) ([]byte, error) {
	plain, err := s.open(i, key)
	if err != nil {
		return nil, fmt.Errorf("seal: open section %d of commit %d: %w", i, s.Header.Position, err)
	}
	return plain, nil
}

func (s Sealed) open(i int, key []byte) ([]byte, error) {
	if i < 0 || i >= len(s.sections) {
		return nil, fmt.Errorf("%w: there is no such section", ErrForm)
	}
	stored := s.sections[i]
	aead, commitment, err := sectionKeys(key, stored.salt, s.Header.Sections[i].Kind, i)
	if err != nil {
		return nil, err
	}
	return stored.open(aead, commitment, s.HeaderBytes)
}

// open opens a section by the keys that were derived for it.
func (s section) open(aead cipher.AEAD, commitment, header []byte) ([]byte, error) {
	// First, and without telling how much of it agrees.
	if subtle.ConstantTimeCompare(commitment, s.commitment) != 1 {
		return nil, ErrSection
	}
	plain, err := aead.Open(nil, fixedNonce[:], s.ciphertext, header)
	if err != nil {
		return nil, ErrSection
	}
	return plain, nil
}
