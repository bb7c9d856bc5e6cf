package book

import (
	"crypto/sha256"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/field"
)

// Attest enters what the views of the book were at a state of its log.
type Attest struct {
	Book uuid.UUID `json:"book"`
	Attestation
}

// Attestation is the hashes of a book's views at a state of its log. Whoever
// makes the views of that version from that part of the log finds the same.
type Attestation struct {
	// Size is the number of commits that the views were made from.
	Size uint64 `json:"size"`
	// Root is the Merkle tree hash over them, 32 bytes.
	Root []byte `json:"root"`
	// Schema is the version of the views: those of two versions have other hashes.
	Schema int `json:"schema"`
	// Views are in the order of their names, each once.
	Views []ViewHash `json:"views"`
}

// ViewHash is the canonical hash of a view, 32 bytes.
type ViewHash struct {
	View string `json:"view"`
	Hash []byte `json:"hash"`
}

// Attested says what the views of the book were at a state of its log.
type Attested struct{ Attestation }

// EventType implements domain.Event.
func (*Attested) EventType() string { return "book.attested" }

// CommandType implements domain.Command.
func (*Attest) CommandType() string { return "book.attest" }

// Stream implements domain.Command.
func (c *Attest) Stream() domain.StreamID { return Stream(c.Book) }

// Validate checks the form of the command.
func (c *Attest) Validate() error {
	if c.Size == 0 || len(c.Root) != sha256.Size || c.Schema <= 0 {
		return domain.Refuse("invalid-attestation", "hashes of views need the size of the log that they were made from, its root of %d bytes, and their version",
			sha256.Size)
	}
	if len(c.Views) == 0 {
		return domain.Refuse("invalid-attestation", "there are no hashes of views")
	}
	before := ""
	for _, v := range c.Views {
		if err := field.Line("view", v.View, field.MaxName); err != nil {
			return err
		}
		if v.View <= before || len(v.Hash) != sha256.Size {
			return domain.Refuse("invalid-attestation", "the hash of view %.40q has %d bytes, not %d, or is out of order", v.View, len(v.Hash), sha256.Size)
		}
		before = v.View
	}
	return nil
}

// Decide implements domain.Command. Whether the hashes are right is checked by
// whoever has the log and its keys, and makes the views from it.
func (c *Attest) Decide(s domain.States, m domain.Moment) ([]domain.Change, error) {
	if _, err := settings(s, m, c.Book); err != nil {
		return nil, err
	}
	return one(c, &Attested{c.Attestation}), nil
}
