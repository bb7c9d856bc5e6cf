package seal

import (
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/eventstore/keyring"
)

// The header is a CBOR map in core deterministic form. Its keys are integers, for
// compactness; they never change their meaning, and a new one needs a new format
// version. Like the arrays around it, it is written and read here: every commit
// that is verified, folded or shown is read, and the library, which must write a
// header again to know that it was in that form, takes ten times as long. The tests
// hold this against the library.
const (
	keyFormat = iota + 1
	keyBook
	keyEpoch
	keyPosition
	keyCommand
	keyPrincipal
	keyRecorded
	keyCorrelation // left out where it is zero
	keyCausation   // likewise
	keyEvents
	keySections
	keyProof // left out where it is empty
)

// check holds h against the limits; it is the same for sealing and parsing.
func (h *Header) check() error {
	switch {
	case len(h.Principal) > MaxPrincipal, len(h.Proof) > MaxProof,
		len(h.Events) > MaxEvents, len(h.Sections) > MaxSections:
		return fmt.Errorf("%w: the header", ErrTooLarge)
	case !utf8.ValidString(h.Principal):
		return fmt.Errorf("%w: the principal is not UTF-8", ErrForm)
	}
	for i := range h.Events {
		if e := &h.Events[i]; !validName(e.Type) || !validName(e.Stream.Kind) {
			return fmt.Errorf("%w: type or stream kind of event %d", ErrForm, i)
		}
	}
	for i, s := range h.Sections {
		if s.Kind > Personal || s.Key == 0 || (s.Kind == Personal) != (s.Subject != uuid.Nil) {
			return fmt.Errorf("%w: kind, key or subject of section %d", ErrForm, i)
		}
	}
	return nil
}

func validName(name string) bool {
	return name != "" && len(name) <= MaxName && utf8.ValidString(name)
}

// append appends the header's bytes to b.
func (h *Header) append(b []byte) []byte {
	fields := uint64(keyProof)
	for _, absent := range []bool{h.Correlation == uuid.Nil, h.Causation == uuid.Nil, len(h.Proof) == 0} {
		if absent {
			fields--
		}
	}
	b = appendHead(b, majorMap, fields)
	b = appendNumber(b, keyFormat, Version)
	b = appendBytes(append(b, keyBook), majorBytes, h.Book[:])
	b = appendNumber(b, keyEpoch, h.Epoch)
	b = appendNumber(b, keyPosition, h.Position)
	b = appendBytes(append(b, keyCommand), majorBytes, h.Command[:])
	b = appendBytes(append(b, keyPrincipal), majorText, h.Principal)
	if b = append(b, keyRecorded); h.Recorded < 0 {
		b = appendHead(b, majorNegative, uint64(-1-h.Recorded))
	} else {
		b = appendHead(b, majorUint, uint64(h.Recorded))
	}
	if h.Correlation != uuid.Nil {
		b = appendBytes(append(b, keyCorrelation), majorBytes, h.Correlation[:])
	}
	if h.Causation != uuid.Nil {
		b = appendBytes(append(b, keyCausation), majorBytes, h.Causation[:])
	}
	b = appendHead(append(b, keyEvents), majorArray, uint64(len(h.Events)))
	for i := range h.Events {
		e := &h.Events[i]
		b = appendBytes(appendHead(b, majorArray, 4), majorText, e.Type)
		b = appendBytes(appendHead(b, majorArray, 2), majorText, e.Stream.Kind)
		b = appendBytes(b, majorBytes, e.Stream.ID[:])
		b = appendHead(b, majorUint, e.Revision)
		b = appendHead(b, majorUint, e.Schema)
	}
	b = appendHead(append(b, keySections), majorArray, uint64(len(h.Sections)))
	for i := range h.Sections {
		s := &h.Sections[i]
		b = appendHead(b, majorArray, 3)
		b = appendHead(b, majorUint, uint64(s.Kind))
		b = appendHead(b, majorUint, uint64(s.Key))
		if s.Subject == uuid.Nil {
			b = append(b, null)
		} else {
			b = appendBytes(b, majorBytes, s.Subject[:])
		}
	}
	if len(h.Proof) > 0 {
		b = appendBytes(append(b, keyProof), majorBytes, h.Proof)
	}
	return b
}

func appendNumber(b []byte, key byte, n uint64) []byte {
	return appendHead(append(b, key), majorUint, n)
}

func appendBytes[T string | []byte](b []byte, m major, content T) []byte {
	return append(appendHead(b, m, uint64(len(content))), content...)
}

// decodeHeader reads a header and accepts no bytes but those that append gives.
func decodeHeader(b []byte) (h Header, err error) {
	if err := checkVersion(b); err != nil {
		return Header{}, err
	}
	r := reader{b}
	fields, err := r.head(majorMap)
	if err != nil {
		return Header{}, err
	}
	last := uint64(0)
	for range fields {
		key, err := r.head(majorUint)
		if err != nil {
			return Header{}, err
		}
		if key <= last || key > keyProof || key > last+1 && !optional(last+1, key) {
			return Header{}, fmt.Errorf("%w: field %d of the header follows field %d", ErrForm, key, last)
		}
		last = key
		if err := h.field(key, &r); err != nil {
			return Header{}, fmt.Errorf("field %d of the header: %w", key, err)
		}
	}
	if last < keySections {
		return Header{}, fmt.Errorf("%w: the header ends with field %d", ErrForm, last)
	}
	if len(r.rest) != 0 {
		return Header{}, fmt.Errorf("%w: %d bytes follow the header", ErrForm, len(r.rest))
	}
	return h, h.check()
}

// optional reports whether all fields from one to before another may be left out.
func optional(from, to uint64) bool { return from >= keyCorrelation && to <= keyEvents }

// field reads the value of a field.
func (h *Header) field(key uint64, r *reader) (err error) {
	switch key {
	case keyFormat:
		_, err = r.head(majorUint) // checkVersion has looked at it
	case keyBook:
		h.Book, err = r.id()
	case keyEpoch:
		h.Epoch, err = r.head(majorUint)
	case keyPosition:
		h.Position, err = r.head(majorUint)
	case keyCommand:
		h.Command, err = r.id()
	case keyPrincipal:
		h.Principal, err = r.text(MaxPrincipal)
	case keyRecorded:
		h.Recorded, err = r.integer()
	case keyCorrelation:
		h.Correlation, err = r.presentID()
	case keyCausation:
		h.Causation, err = r.presentID()
	case keyEvents:
		h.Events, err = r.events()
	case keySections:
		h.Sections, err = r.infos()
	case keyProof:
		h.Proof, err = r.bytes(1, MaxProof)
	}
	return err
}

func (r *reader) events() ([]Event, error) {
	n, err := r.count(MaxEvents)
	if err != nil {
		return nil, err
	}
	events := make([]Event, n)
	for i := range events {
		if err := r.event(&events[i]); err != nil {
			return nil, fmt.Errorf("event %d: %w", i, err)
		}
	}
	return events, nil
}

func (r *reader) event(e *Event) (err error) {
	if err = r.array(4); err != nil {
		return err
	}
	if e.Type, err = r.text(MaxName); err != nil {
		return err
	}
	if err = r.array(2); err != nil {
		return err
	}
	if e.Stream.Kind, err = r.text(MaxName); err != nil {
		return err
	}
	if e.Stream.ID, err = r.id(); err != nil {
		return err
	}
	if e.Revision, err = r.head(majorUint); err != nil {
		return err
	}
	e.Schema, err = r.head(majorUint)
	return err
}

func (r *reader) infos() ([]SectionInfo, error) {
	n, err := r.count(MaxSections)
	if err != nil {
		return nil, err
	}
	infos := make([]SectionInfo, n)
	for i := range infos {
		if err := r.info(&infos[i]); err != nil {
			return nil, fmt.Errorf("section %d: %w", i, err)
		}
	}
	return infos, nil
}

func (r *reader) info(s *SectionInfo) error {
	if err := r.array(3); err != nil {
		return err
	}
	kind, err := r.head(majorUint)
	if err != nil {
		return err
	}
	key, err := r.head(majorUint)
	if err != nil {
		return err
	}
	if kind > math.MaxUint8 || key > math.MaxUint32 {
		return fmt.Errorf("%w: kind %d, key %d", ErrForm, kind, key)
	}
	s.Kind, s.Key = SectionKind(kind), keyring.KeyID(key)
	if len(r.rest) > 0 && r.rest[0] == null {
		r.rest = r.rest[1:]
		return nil
	}
	s.Subject, err = r.presentID()
	return err
}

// checkVersion comes before all else, for a newer header may hold anything
// after its first entry, which is always the version.
func checkVersion(b []byte) error {
	r := reader{b}
	if _, err := r.head(majorMap); err != nil {
		return err
	}
	if key, err := r.head(majorUint); err != nil || key != 1 {
		return fmt.Errorf("%w: the header has no version", ErrForm)
	}
	version, err := r.head(majorUint)
	switch {
	case err != nil:
		return err
	case version > Version:
		return fmt.Errorf("%w: format %d", ErrNewer, version)
	case version != Version:
		return fmt.Errorf("%w: format %d", ErrForm, version)
	}
	return nil
}
