package seal

import (
	"fmt"
)

// SecretSize is the length of what Disclose gives.
const SecretSize = 32

// Disclose gives the secret that opens the section of index i of this commit, and
// no other section: both key and commitment are derived from it, and it is derived
// from the data key with the section's own salt. The section is opened first, so
// that no secret is given that opens nothing.
func (s Sealed) Disclose(i int, key []byte) ([]byte, error) {
	if _, err := s.Open(i, key); err != nil {
		return nil, err
	}
	secret, err := sectionSecret(key, s.sections[i].salt)
	if err != nil {
		return nil, fmt.Errorf("seal: disclose section %d of commit %d: %w", i, s.Header.Position, err)
	}
	return secret, nil
}

// OpenDisclosed gives the content of the section of index i by the secret that
// Disclose gave. Errors: as Open's.
func (s Sealed) OpenDisclosed(i int, secret []byte) ([]byte, error) {
	if len(secret) != SecretSize || i < 0 || i >= len(s.sections) {
		return nil, fmt.Errorf("seal: open section %d of commit %d: %w: no secret of a section", i, s.Header.Position, ErrForm)
	}
	aead, commitment, err := secretKeys(secret, s.Header.Sections[i].Kind, i)
	if err == nil {
		var plain []byte
		if plain, err = s.sections[i].open(aead, commitment, s.HeaderBytes); err == nil {
			return plain, nil
		}
	}
	return nil, fmt.Errorf("seal: open section %d of commit %d: %w", i, s.Header.Position, err)
}
