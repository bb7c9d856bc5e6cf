package book

import (
	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/access"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// Open begins a book, with its two number series. Any principal may give it
// where there is no book yet.
type Open struct {
	Book     uuid.UUID      `json:"book"`
	Seller   Seller         `json:"seller"`
	Currency money.Currency `json:"currency"`
	Owner    string         `json:"owner"`
	Origin   string         `json:"origin,omitempty"`
	// TaxBasis may be empty, for tax.ByInvoice.
	TaxBasis tax.Basis `json:"tax_basis,omitempty"`
}

// CommandType implements domain.Command.
func (*Open) CommandType() string { return "book.open" }

// Stream implements domain.Command.
func (c *Open) Stream() domain.StreamID { return Stream(c.Book) }

// ChangeSeller replaces the seller on documents issued from now on.
type ChangeSeller struct {
	Book   uuid.UUID `json:"book"`
	Seller Seller    `json:"seller"`
}

// CommandType implements domain.Command.
func (*ChangeSeller) CommandType() string { return "book.change-seller" }

// Stream implements domain.Command.
func (c *ChangeSeller) Stream() domain.StreamID { return Stream(c.Book) }

// OpenEpoch goes on, under another name, with a log that was brought back. It is
// the first command of the epoch.
type OpenEpoch struct {
	Book    uuid.UUID   `json:"book"`
	Origin  string      `json:"origin"`
	Follows Checkpoint  `json:"follows"`
	Lost    *Checkpoint `json:"lost,omitempty"`
	// LostEarlier is as in EpochOpened.
	LostEarlier []Checkpoint `json:"lost_earlier,omitempty"`
	// Erased is what the log that is gone on from says beyond that state of it, of
	// customers whose keys are destroyed therefore; in its order.
	Erased []Erased `json:"erased,omitempty"`
	Reason string   `json:"reason"`
}

// Erased is an erasure that a log says beyond what was brought back of it.
type Erased struct {
	Customer     uuid.UUID             `json:"customer"`
	KeyDestroyed customer.KeyDestroyed `json:"key_destroyed"`
}

// CommandType implements domain.Command.
func (*OpenEpoch) CommandType() string { return "book.open-epoch" }

// Stream implements domain.Command.
func (c *OpenEpoch) Stream() domain.StreamID { return Stream(c.Book) }

// Grant gives a principal a role, in place of any that it has.
type Grant struct {
	Book      uuid.UUID   `json:"book"`
	Principal string      `json:"principal"`
	Role      access.Role `json:"role"`
}

// CommandType implements domain.Command.
func (*Grant) CommandType() string { return "book.grant" }

// Stream implements domain.Command.
func (c *Grant) Stream() domain.StreamID { return Stream(c.Book) }

// Revoke takes a principal's role away.
type Revoke struct {
	Book      uuid.UUID `json:"book"`
	Principal string    `json:"principal"`
}

// CommandType implements domain.Command.
func (*Revoke) CommandType() string { return "book.revoke" }

// Stream implements domain.Command.
func (c *Revoke) Stream() domain.StreamID { return Stream(c.Book) }
