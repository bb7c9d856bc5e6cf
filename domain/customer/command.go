package customer

import (
	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
)

// Register begins a customer.
type Register struct {
	ID uuid.UUID `json:"id"`
	// Country is an ISO 3166 alpha-2 code, or empty where it is not known.
	Country string `json:"country,omitempty"`
	// HasVATID must say whether the profile has a VAT id: NewRegister sets it.
	HasVATID bool     `json:"has_vat_id,omitempty"`
	Personal *Profile `cbor:"-" json:"personal,omitempty"`
}

// CommandType implements domain.Command.
func (*Register) CommandType() string { return "customer.register" }

// Stream implements domain.Command.
func (c *Register) Stream() domain.StreamID { return Stream(c.ID) }

// Subject implements domain.Personal.
func (c *Register) Subject() uuid.UUID { return c.ID }

// PersonalPart implements domain.Personal.
func (c *Register) PersonalPart() any { return &c.Personal }

// OnNoDocument implements domain.Contact.
func (*Register) OnNoDocument() {}

// Change replaces everything that is known of a customer. Documents issued
// before keep what they froze.
type Change struct {
	ID       uuid.UUID `json:"id"`
	Country  string    `json:"country,omitempty"`
	HasVATID bool      `json:"has_vat_id,omitempty"`
	Personal *Profile  `cbor:"-" json:"personal,omitempty"`
}

// CommandType implements domain.Command.
func (*Change) CommandType() string { return "customer.change" }

// Stream implements domain.Command.
func (c *Change) Stream() domain.StreamID { return Stream(c.ID) }

// Subject implements domain.Personal.
func (c *Change) Subject() uuid.UUID { return c.ID }

// PersonalPart implements domain.Personal.
func (c *Change) PersonalPart() any { return &c.Personal }

// OnNoDocument implements domain.Contact.
func (*Change) OnNoDocument() {}
