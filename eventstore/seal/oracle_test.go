package seal

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/eventstore/keyring"
)

// The header as the CBOR library reads and writes it: what our own code is held
// against.

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

// libraryEncode appends the header's bytes to b.
func libraryEncode(h *Header, b *bytes.Buffer) error {
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

// libraryDecode reads a header and accepts no bytes but those that libraryEncode
// gives.
func libraryDecode(b []byte) (Header, error) {
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
	again := new(bytes.Buffer)
	if err := libraryEncode(&h, again); err != nil {
		return Header{}, err
	}
	if !bytes.Equal(again.Bytes(), b) {
		return Header{}, fmt.Errorf("%w: the header is not in canonical form", ErrForm)
	}
	return h, nil
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

// TestTheLibraryAgrees: our own code writes what the library writes, and reads what
// it reads, whatever is in the header.
func TestTheLibraryAgrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := anyHeader(t)
		if err := h.check(); err != nil {
			t.Fatal(err)
		}
		var want bytes.Buffer
		if err := libraryEncode(&h, &want); err != nil {
			t.Fatal(err)
		}
		got := h.append(nil)
		if !bytes.Equal(got, want.Bytes()) {
			t.Fatalf("we write\n%x, the library\n%x", got, want.Bytes())
		}
		agree(t, got)
		// Whatever is done to the bytes, both take it or neither does.
		spoilt := bytes.Clone(got)
		switch at := rapid.IntRange(0, len(spoilt)-1).Draw(t, "at"); rapid.IntRange(0, 2).Draw(t, "spoil") {
		case 0:
			spoilt[at] = rapid.Byte().Draw(t, "byte")
		case 1:
			spoilt = append(spoilt[:at], spoilt[at+1:]...)
		case 2:
			spoilt = append(spoilt[:at], append([]byte{rapid.Byte().Draw(t, "byte")}, spoilt[at:]...)...)
		}
		agree(t, spoilt)
	})
}

// agree reads a header in both ways.
func agree(t interface{ Fatalf(string, ...any) }, encoded []byte) {
	got, err := decodeHeader(encoded)
	want, errWant := libraryDecode(encoded)
	if (err == nil) != (errWant == nil) || errors.Is(err, ErrNewer) != errors.Is(errWant, ErrNewer) {
		t.Fatalf("we read %x: %v, the library: %v", encoded, err, errWant)
	}
	if err == nil && fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", want) {
		t.Fatalf("we read %x as\n%#v, the library as\n%#v", encoded, got, want)
	}
}

func anyHeader(t *rapid.T) Header {
	number := rapid.OneOf(rapid.Uint64(), rapid.Uint64Range(0, 300), rapid.SampledFrom([]uint64{0, 23, 24, 255, 256, 65535, 65536, math.MaxUint32, math.MaxUint32 + 1, math.MaxUint64}))
	id := func() (id uuid.UUID) {
		if rapid.IntRange(0, 2).Draw(t, "an id") > 0 {
			copy(id[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
		}
		return id
	}
	name := rapid.StringN(1, 16, MaxName)
	h := Header{
		Book: id(), Epoch: number.Draw(t, "epoch"), Position: number.Draw(t, "position"), Command: id(),
		Principal: rapid.StringN(-1, -1, MaxPrincipal).Draw(t, "principal"), Recorded: rapid.Int64().Draw(t, "recorded"),
		Correlation: id(), Causation: id(), Events: []Event{}, Sections: []SectionInfo{},
		Proof: rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "proof"),
	}
	if len(h.Proof) == 0 {
		h.Proof = nil
	}
	for range rapid.IntRange(0, 30).Draw(t, "events") {
		h.Events = append(h.Events, Event{
			Type: name.Draw(t, "type"), Stream: Stream{Kind: name.Draw(t, "kind"), ID: id()},
			Revision: number.Draw(t, "revision"), Schema: number.Draw(t, "schema"),
		})
	}
	for range rapid.IntRange(0, 30).Draw(t, "sections") {
		s := SectionInfo{Key: keyring.KeyID(rapid.Uint32Min(1).Draw(t, "key"))}
		if subject := id(); subject != uuid.Nil {
			s.Kind, s.Subject = Personal, subject
		}
		h.Sections = append(h.Sections, s)
	}
	return h
}
