package seal

import (
	"fmt"
	"io"
)

// sectionFrame is what a section takes besides the ciphertext and its head: the
// array's head, salt and commitment with theirs.
const sectionFrame = 1 + 2 + saltSize + 2 + commitmentSize

func sealCommit(h *Header, sections []Section, keys Keys, rand io.Reader) ([]byte, error) {
	h.Sections = make([]SectionInfo, len(sections))
	for i := range sections {
		s := &sections[i]
		h.Sections[i] = SectionInfo{Kind: s.Kind, Key: s.Key, Subject: s.Subject}
	}
	if err := h.check(); err != nil {
		return nil, fmt.Errorf("seal: commit %d: %w", h.Position, err)
	}
	encoded := h.append(make([]byte, 0, 512))
	size := frameSize(len(encoded), sections)
	if len(encoded) > MaxHeader || size > MaxCommit {
		return nil, fmt.Errorf("seal: commit %d of %d bytes: %w", h.Position, size, ErrTooLarge)
	}
	out := make([]byte, 0, size)
	out = appendHead(out, majorArray, 2)
	out = appendBytes(out, majorBytes, encoded)
	header := out[len(out)-len(encoded):]
	out = appendHead(out, majorArray, uint64(len(sections)))
	for i := range sections {
		var err error
		if out, err = appendSection(out, header, i, &sections[i], keys, rand); err != nil {
			return nil, fmt.Errorf("seal: section %d of commit %d: %w", i, h.Position, err)
		}
	}
	return out, nil
}

// appendSection seals a section into out, which has room for it.
func appendSection(out, header []byte, i int, s *Section, keys Keys, rand io.Reader) ([]byte, error) {
	key, err := keys(s.Key)
	if err != nil {
		return nil, err
	}
	out = appendHead(out, majorArray, 3)
	out = appendHead(out, majorBytes, saltSize)
	out = out[:len(out)+saltSize]
	salt := out[len(out)-saltSize:]
	if _, err := io.ReadFull(rand, salt); err != nil {
		return nil, fmt.Errorf("read random bytes: %w", err)
	}
	aead, commitment, err := sectionKeys(key, salt, s.Kind, i)
	if err != nil {
		return nil, err
	}
	out = appendHead(out, majorBytes, commitmentSize)
	out = append(out, commitment...)
	out = appendHead(out, majorBytes, uint64(len(s.Plain)+tagSize))
	return aead.Seal(out, fixedNonce[:], s.Plain, header), nil
}

// frameSize is the length of a commit with a header of that length.
func frameSize(header int, sections []Section) int {
	size := 1 + headSize(uint64(header)) + header + headSize(uint64(len(sections)))
	for i := range sections {
		sealed := len(sections[i].Plain) + tagSize
		size += sectionFrame + headSize(uint64(sealed)) + sealed
	}
	return size
}

// Bound is a length that Seal does not exceed for h and the sections, whatever
// the numbers in them (position, epoch, time, revisions, schemas, key ids) will
// be: so a commit can be refused as too large before it is given a position.
// Compare it with MaxCommit and with what the store takes.
func Bound(h Header, sections []Section) int {
	const (
		integer = 9
		ref     = 1 + 16
	)
	// The map's head, its twelve keys, and the values.
	header := 1 + 12 + 1 + 4*ref + 3*integer + 2*5 + len(h.Principal) + len(h.Proof) + 2*5
	for i := range h.Events {
		e := &h.Events[i]
		header += 1 + 2 + len(e.Type) + 1 + 2 + len(e.Stream.Kind) + ref + 2*integer
	}
	header += len(sections) * (1 + 2 + 5 + ref)
	return frameSize(header, sections)
}

// Parse reads a commit. It accepts no bytes but those that Seal could have
// written, and opens nothing. commit must not be changed while the result is in
// use.
//
// Errors: ErrForm, ErrTooLarge, ErrNewer.
func Parse(commit []byte) (Sealed, error) {
	s, err := parse(commit)
	if err != nil {
		return Sealed{}, fmt.Errorf("seal: parse: %w", err)
	}
	return s, nil
}

func parse(commit []byte) (Sealed, error) {
	if len(commit) > MaxCommit {
		return Sealed{}, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(commit))
	}
	r := reader{commit}
	if err := r.array(2); err != nil {
		return Sealed{}, err
	}
	encoded, err := r.bytes(1, MaxHeader)
	if err != nil {
		return Sealed{}, err
	}
	header, err := decodeHeader(encoded)
	if err != nil {
		return Sealed{}, err
	}
	s := Sealed{Header: header, HeaderBytes: encoded, sections: make([]section, len(header.Sections))}
	if err := r.array(uint64(len(s.sections))); err != nil {
		return Sealed{}, err
	}
	for i := range s.sections {
		if s.sections[i], err = r.section(); err != nil {
			return Sealed{}, fmt.Errorf("section %d: %w", i, err)
		}
	}
	if len(r.rest) != 0 {
		return Sealed{}, fmt.Errorf("%w: %d bytes follow the commit", ErrForm, len(r.rest))
	}
	return s, nil
}

func (r *reader) section() (s section, err error) {
	stored := r.rest
	if err = r.array(3); err != nil {
		return s, err
	}
	if s.salt, err = r.bytes(saltSize, saltSize); err != nil {
		return s, err
	}
	if s.commitment, err = r.bytes(commitmentSize, commitmentSize); err != nil {
		return s, err
	}
	s.ciphertext, err = r.bytes(tagSize, MaxCommit)
	s.stored = stored[:len(stored)-len(r.rest)]
	return s, err
}
