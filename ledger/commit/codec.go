package commit

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/codec"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/eventstore/seal"
)

// ErrForm means that a commit's sections do not hold what its header says.
var ErrForm = errors.New("commit: not a commit of this book")

// Keys gives the data keys of a book. *keyring.Ring is one.
type Keys interface {
	Key(keyring.KeyID) ([]byte, error)
	Destroyed(keyring.KeyID) (keyring.Note, bool, error)
}

// Codec seals and opens the commits of one book. It is safe for concurrent use.
type Codec struct {
	book   uuid.UUID
	epoch  func(position uint64) uint64
	keys   Keys
	digest []byte
	erasures
}

// NewCodec makes a codec. epoch tells the log epoch of a position; digestKey, 32
// bytes, keys the digests of commands.
func NewCodec(book uuid.UUID, epoch func(position uint64) uint64, keys Keys, digestKey []byte) *Codec {
	return &Codec{book: book, epoch: epoch, keys: keys, digest: digestKey}
}

// Command is an encoded command.
type Command struct {
	kind            string
	schema          uint
	facts, personal []byte
	// Digest identifies the content, under a key of the book.
	Digest [32]byte
}

// Size is the number of bytes of the content.
func (c Command) Size() int { return len(c.facts) + len(c.personal) }

// EncodeCommand encodes a command for Seal.
func (c *Codec) EncodeCommand(command domain.Command) (Command, error) {
	facts, personal, schema, err := codec.EncodeCommand(command)
	if err != nil {
		return Command{}, fmt.Errorf("commit: %w", err)
	}
	encoded := Command{kind: command.CommandType(), schema: schema, facts: facts, personal: personal}
	mac := hmac.New(sha256.New, c.digest)
	for _, part := range [][]byte{[]byte(encoded.kind), binary.BigEndian.AppendUint64(nil, uint64(schema)), facts, personal} {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		mac.Write(part)
	}
	mac.Sum(encoded.Digest[:0])
	return encoded, nil
}

// DeriveID gives the id that this book always gives to a label: a UUID of
// version 8 made by a digest under a key of the book, so that it says nothing
// about the label to whoever lacks the key.
func (c *Codec) DeriveID(label string) uuid.UUID {
	mac := hmac.New(sha256.New, c.digest)
	mac.Write([]byte("daybook/derived-id/1\x00"))
	mac.Write([]byte(label))
	id := uuid.UUID(mac.Sum(nil)[:16])
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id
}

// factsSection is the plain text of a commit's facts.
type factsSection struct {
	_       struct{} `cbor:",toarray"`
	Rules   uint
	Kind    string // of the command
	Schema  uint
	Command []byte
	Digest  [32]byte
	Events  [][]byte
}

// personalSection is the plain text of a commit's personal data of one subject.
type personalSection struct {
	_       struct{} `cbor:",toarray"`
	Command []byte   // nil unless the command is about this subject
	Events  []personalEvent
}

type personalEvent struct {
	_     struct{} `cbor:",toarray"`
	Index int
	Part  []byte
}

var (
	encoding = must(cbor.CoreDetEncOptions().EncMode())
	decoding = must(cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden, TagsMd: cbor.TagsForbidden,
		MaxArrayElements: 1 << 17, MaxNestedLevels: 8, ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
	}.DecMode())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // options that are constant
	}
	return v
}

// Seal gives the stored bytes of a commit, whose command is given encoded. Each
// call uses fresh salts.
func (c *Codec) Seal(commit Commit, command Command) ([]byte, error) {
	h := seal.Header{
		Book: commit.Book, Epoch: commit.Epoch, Position: commit.Position, Command: commit.ID,
		Principal: commit.Principal, Recorded: commit.Recorded.UnixMicro(),
		Correlation: commit.Correlation, Causation: commit.Causation,
		Events: make([]seal.Event, len(commit.Events)),
	}
	facts := factsSection{
		Rules: commit.Rules, Kind: command.kind, Schema: command.schema, Command: command.facts,
		Digest: command.Digest, Events: make([][]byte, len(commit.Events)),
	}
	var order []uuid.UUID
	parts := make(map[uuid.UUID]*personalSection)
	part := func(subject uuid.UUID) *personalSection {
		if parts[subject] == nil {
			parts[subject] = &personalSection{Events: []personalEvent{}}
			order = append(order, subject)
		}
		return parts[subject]
	}
	for i, e := range commit.Events {
		plain, personal, schema, err := codec.EncodeEvent(e.Event)
		if err != nil {
			return nil, fmt.Errorf("commit: encode %s: %w", e.Event.EventType(), err)
		}
		h.Events[i] = seal.Event{
			Type: e.Event.EventType(), Stream: seal.Stream{Kind: string(e.Stream.Kind), ID: e.Stream.ID},
			Revision: e.Revision, Schema: uint64(schema),
		}
		facts.Events[i] = plain
		if personal != nil {
			p := part(e.Event.(domain.Personal).Subject())
			p.Events = append(p.Events, personalEvent{Index: i, Part: personal})
		}
	}
	if command.personal != nil {
		part(commit.Command.(domain.Personal).Subject()).Command = command.personal
	}
	plain, err := encoding.Marshal(facts)
	if err != nil {
		return nil, fmt.Errorf("commit: encode: %w", err)
	}
	sections := []seal.Section{{Kind: seal.Facts, Key: commit.Facts, Plain: plain}}
	for _, subject := range order {
		if plain, err = encoding.Marshal(parts[subject]); err != nil {
			return nil, fmt.Errorf("commit: encode: %w", err)
		}
		sections = append(sections, seal.Section{Kind: seal.Personal, Key: commit.Subjects[subject], Subject: subject, Plain: plain})
	}
	return seal.Seal(h, sections, c.keys.Key, rand.Reader)
}
