package seal

import (
	"bytes"
	"fmt"
	"sync"
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/eventstore/keyring"
)

// id is a uuid.UUID without its methods: the CBOR library then writes it as a
// byte string without a detour.
type id [16]byte

// The header as stored. Map keys are integers, for compactness; they never
// change their meaning, and a new one needs a new format version.
type wireHeader struct {
	Format      uint64        `cbor:"1,keyasint"`
	Book        id            `cbor:"2,keyasint"`
	Epoch       uint64        `cbor:"3,keyasint"`
	Position    uint64        `cbor:"4,keyasint"`
	Command     id            `cbor:"5,keyasint"`
	Principal   string        `cbor:"6,keyasint"`
	Recorded    int64         `cbor:"7,keyasint"`
	Correlation id            `cbor:"8,keyasint,omitzero"`
	Causation   id            `cbor:"9,keyasint,omitzero"`
	Events      []wireEvent   `cbor:"10,keyasint"`
	Sections    []wireSection `cbor:"11,keyasint"`
	Proof       []byte        `cbor:"12,keyasint,omitempty"`
}

type wireEvent struct {
	_        struct{} `cbor:",toarray"`
	Type     string
	Stream   wireStream
	Revision uint64
	Schema   uint64
}

type wireStream struct {
	_    struct{} `cbor:",toarray"`
	Kind string
	ID   id
}

type wireSection struct {
	_       struct{} `cbor:",toarray"`
	Kind    uint8
	Key     uint32
	Subject []byte // 16 bytes, or nil: null
}

var encMode, decMode = modes()

func modes() (cbor.UserBufferEncMode, cbor.DecMode) {
	enc, err := cbor.CoreDetEncOptions().UserBufferEncMode()
	if err != nil {
		panic(err) // the options are constants, and every test would see it
	}
	dec, err := cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		MaxNestedLevels:   4, // header, events, event, stream
		MaxArrayElements:  max(MaxEvents, MaxSections),
		MaxMapPairs:       16,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return enc, dec
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

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

// encode appends the header's bytes to b.
func (h *Header) encode(b *bytes.Buffer) error {
	w := wireHeader{
		Format: Version, Book: id(h.Book), Epoch: h.Epoch, Position: h.Position,
		Command: id(h.Command), Principal: h.Principal, Recorded: h.Recorded,
		Correlation: id(h.Correlation), Causation: id(h.Causation), Proof: h.Proof,
		Events:   make([]wireEvent, len(h.Events)),
		Sections: make([]wireSection, len(h.Sections)),
	}
	for i := range h.Events {
		e := &h.Events[i]
		w.Events[i] = wireEvent{
			Type: e.Type, Stream: wireStream{Kind: e.Stream.Kind, ID: id(e.Stream.ID)},
			Revision: e.Revision, Schema: e.Schema,
		}
	}
	for i := range h.Sections {
		s := &h.Sections[i]
		w.Sections[i] = wireSection{Kind: uint8(s.Kind), Key: uint32(s.Key)}
		if s.Subject != uuid.Nil {
			w.Sections[i].Subject = s.Subject[:]
		}
	}
	if err := encMode.MarshalToBuffer(&w, b); err != nil {
		return fmt.Errorf("encode header: %w", err)
	}
	return nil
}

// decodeHeader reads a header and accepts no bytes but those that encode gives.
func decodeHeader(b []byte) (Header, error) {
	if err := checkVersion(b); err != nil {
		return Header{}, err
	}
	var w wireHeader
	if err := decMode.Unmarshal(b, &w); err != nil {
		return Header{}, fmt.Errorf("%w: header: %w", ErrForm, err)
	}
	h, err := w.header()
	if err != nil {
		return Header{}, err
	}
	if err := h.check(); err != nil {
		return Header{}, err
	}
	again := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(again)
	again.Reset()
	if err := h.encode(again); err != nil {
		return Header{}, err
	}
	if !bytes.Equal(again.Bytes(), b) {
		return Header{}, fmt.Errorf("%w: the header is not in canonical form", ErrForm)
	}
	return h, nil
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

func (w *wireHeader) header() (Header, error) {
	h := Header{
		Book: uuid.UUID(w.Book), Epoch: w.Epoch, Position: w.Position,
		Command: uuid.UUID(w.Command), Principal: w.Principal, Recorded: w.Recorded,
		Correlation: uuid.UUID(w.Correlation), Causation: uuid.UUID(w.Causation), Proof: w.Proof,
		Events:   make([]Event, len(w.Events)),
		Sections: make([]SectionInfo, len(w.Sections)),
	}
	for i := range w.Events {
		e := &w.Events[i]
		h.Events[i] = Event{
			Type: e.Type, Stream: Stream{Kind: e.Stream.Kind, ID: uuid.UUID(e.Stream.ID)},
			Revision: e.Revision, Schema: e.Schema,
		}
	}
	for i := range w.Sections {
		s := &w.Sections[i]
		h.Sections[i] = SectionInfo{Kind: SectionKind(s.Kind), Key: keyring.KeyID(s.Key)}
		if s.Subject == nil {
			continue
		}
		if len(s.Subject) != len(uuid.UUID{}) {
			return Header{}, fmt.Errorf("%w: subject of section %d", ErrForm, i)
		}
		h.Sections[i].Subject = uuid.UUID(s.Subject)
	}
	return h, nil
}
