package payment

import (
	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/funds"
	"github.com/daybook-ledger/daybook/domain/money"
)

// MaxShares is the greatest number of items that one command allocates to.
const MaxShares = 1000

// Share is what of funds goes to one open item, or comes back from it.
type Share struct {
	// Target is an invoice, or a reversed payment.
	Target domain.StreamID `json:"target"`
	// Amount is above zero; zero means as much as can be.
	Amount money.Amount `json:"amount,omitzero"`
}

// Receive enters a payment. What is not allocated is credit of the customer.
type Receive struct {
	ID       uuid.UUID `json:"id"`
	Customer uuid.UUID `json:"customer"`
	// Amount is above zero.
	Amount money.Amount `json:"amount"`
	// Exchange is the rate of an amount that is not in the book's currency.
	Exchange exchange.Rate `json:"exchange,omitzero"`
	// Date is that of the payment, and of the allocations that come with it.
	Date domain.Date `json:"date"`
	// Method and Reference are facts that are never erased, and must not name a
	// person. Reference is unique among payments.
	Method      string      `json:"method,omitempty"`
	Reference   string      `json:"reference,omitempty"`
	Allocations []Share     `json:"allocations,omitempty"`
	Personal    *funds.Text `cbor:"-" json:"personal,omitempty"`
}

// CommandType implements domain.Command.
func (*Receive) CommandType() string { return "payment.receive" }

// Stream implements domain.Command.
func (c *Receive) Stream() domain.StreamID { return Stream(c.ID) }

// Subject implements domain.Personal.
func (c *Receive) Subject() uuid.UUID { return c.Customer }

// PersonalPart implements domain.Personal.
func (c *Receive) PersonalPart() any { return &c.Personal }

// Allocate uses what is free of a payment or credit note for open items.
type Allocate struct {
	Source      domain.StreamID `json:"source"`
	Allocations []Share         `json:"allocations"`
	Date        domain.Date     `json:"date"`
}

// CommandType implements domain.Command.
func (*Allocate) CommandType() string { return "payment.allocate" }

// Stream implements domain.Command.
func (c *Allocate) Stream() domain.StreamID { return c.Source }

// Unallocate takes allocations back, whole or in part.
type Unallocate struct {
	Source      domain.StreamID `json:"source"`
	Allocations []Share         `json:"allocations"`
	Date        domain.Date     `json:"date"`
}

// CommandType implements domain.Command.
func (*Unallocate) CommandType() string { return "payment.unallocate" }

// Stream implements domain.Command.
func (c *Unallocate) Stream() domain.StreamID { return c.Source }

// Refund pays out what is free of a payment or credit note.
type Refund struct {
	Source domain.StreamID `json:"source"`
	// Customer is whose funds they are.
	Customer uuid.UUID `json:"customer"`
	// Amount is above zero; zero means all that is free.
	Amount money.Amount `json:"amount,omitzero"`
	// Exchange is the rate of an amount that is not in the book's currency.
	Exchange exchange.Rate `json:"exchange,omitzero"`
	Date     domain.Date   `json:"date"`
	// Method is a fact that is never erased, and must not name a person.
	Method   string      `json:"method,omitempty"`
	Personal *funds.Text `cbor:"-" json:"personal,omitempty"`
}

// CommandType implements domain.Command.
func (*Refund) CommandType() string { return "payment.refund" }

// Stream implements domain.Command.
func (c *Refund) Stream() domain.StreamID { return c.Source }

// Subject implements domain.Personal.
func (c *Refund) Subject() uuid.UUID { return c.Customer }

// PersonalPart implements domain.Personal.
func (c *Refund) PersonalPart() any { return &c.Personal }

// Reverse takes a payment back whole: a bank return, or a chargeback.
type Reverse struct {
	ID   uuid.UUID   `json:"id"`
	Date domain.Date `json:"date"`
	// Exchange is the rate at which the bank took it back, where that is not the
	// payment's own.
	Exchange exchange.Rate `json:"exchange,omitzero"`
	// Reason is a fact that is never erased, and must not name a person.
	Reason string `json:"reason"`
}

// CommandType implements domain.Command.
func (*Reverse) CommandType() string { return "payment.reverse" }

// Stream implements domain.Command.
func (c *Reverse) Stream() domain.StreamID { return Stream(c.ID) }
