package invoice

import (
	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/money"
)

// Draft begins an invoice.
type Draft struct {
	ID       uuid.UUID `json:"id"`
	Content  Content   `json:"content"`
	Personal *Text     `cbor:"-" json:"personal,omitempty"`
}

// CommandType implements domain.Command.
func (*Draft) CommandType() string { return "invoice.draft" }

// Stream implements domain.Command.
func (c *Draft) Stream() domain.StreamID { return Stream(c.ID) }

// Subject implements domain.Personal.
func (c *Draft) Subject() uuid.UUID { return c.Content.Customer }

// PersonalPart implements domain.Personal.
func (c *Draft) PersonalPart() any { return &c.Personal }

// OnNoDocument implements domain.Contact.
func (*Draft) OnNoDocument() {}

// Edit replaces the content of a draft; an approved one needs approval again.
type Edit struct {
	ID       uuid.UUID `json:"id"`
	Content  Content   `json:"content"`
	Personal *Text     `cbor:"-" json:"personal,omitempty"`
}

// CommandType implements domain.Command.
func (*Edit) CommandType() string { return "invoice.edit" }

// Stream implements domain.Command.
func (c *Edit) Stream() domain.StreamID { return Stream(c.ID) }

// Subject implements domain.Personal.
func (c *Edit) Subject() uuid.UUID { return c.Content.Customer }

// PersonalPart implements domain.Personal.
func (c *Edit) PersonalPart() any { return &c.Personal }

// OnNoDocument implements domain.Contact.
func (*Edit) OnNoDocument() {}

// Approve makes a draft ready for issue.
type Approve struct {
	ID uuid.UUID `json:"id"`
}

// CommandType implements domain.Command.
func (*Approve) CommandType() string { return "invoice.approve" }

// Stream implements domain.Command.
func (c *Approve) Stream() domain.StreamID { return Stream(c.ID) }

// Issue issues an approved draft: it gets its number, and freezes.
type Issue struct {
	ID uuid.UUID `json:"id"`
	// Date is the date of issue.
	Date domain.Date `json:"date"`
	// Exchange is the rate of a currency that is not the book's, in place of the
	// draft's.
	Exchange exchange.Rate `json:"exchange,omitzero"`
}

// CommandType implements domain.Command.
func (*Issue) CommandType() string { return "invoice.issue" }

// Stream implements domain.Command.
func (c *Issue) Stream() domain.StreamID { return Stream(c.ID) }

// Discard ends a draft. A discarded draft keeps its external reference.
type Discard struct {
	ID uuid.UUID `json:"id"`
	// Reason is a fact that is never erased, and must not name a person.
	Reason string `json:"reason,omitempty"`
}

// CommandType implements domain.Command.
func (*Discard) CommandType() string { return "invoice.discard" }

// Stream implements domain.Command.
func (c *Discard) Stream() domain.StreamID { return Stream(c.ID) }

// Enter drafts, approves and issues an invoice at once.
type Enter struct {
	ID      uuid.UUID   `json:"id"`
	Content Content     `json:"content"`
	Date    domain.Date `json:"date"`
	// Imported marks an invoice that another system had issued: its date may
	// be any, and missing VAT ids are not held against it.
	Imported bool `json:"imported,omitempty"`
	// Buyer is the buyer's country where the document states another than the
	// customer's.
	Buyer    *Country       `json:"buyer,omitempty"`
	Personal *EnterPersonal `cbor:"-" json:"personal,omitempty"`
}

// EnterPersonal is the personal part of Enter.
type EnterPersonal struct {
	Text *Text `json:"text,omitempty"`
	// CountryText names the buyer's country where Enter.Buyer has no code for
	// it.
	CountryText string `json:"country_text,omitempty"`
}

// CommandType implements domain.Command.
func (*Enter) CommandType() string { return "invoice.enter" }

// Stream implements domain.Command.
func (c *Enter) Stream() domain.StreamID { return Stream(c.ID) }

// Subject implements domain.Personal.
func (c *Enter) Subject() uuid.UUID { return c.Content.Customer }

// PersonalPart implements domain.Personal.
func (c *Enter) PersonalPart() any { return &c.Personal }

// WriteOff gives up what is open of an invoice, or part of it.
type WriteOff struct {
	ID uuid.UUID `json:"id"`
	// Amount is what is given up, tax included; zero for all that is open.
	Amount money.Amount `json:"amount,omitzero"`
	Date   domain.Date  `json:"date"`
	// Reason is a fact that is never erased, and must not name a person.
	Reason string `json:"reason"`
}

// CommandType implements domain.Command.
func (*WriteOff) CommandType() string { return "invoice.write-off" }

// Stream implements domain.Command.
func (c *WriteOff) Stream() domain.StreamID { return Stream(c.ID) }

// Relieve takes the tax on what was written off back. Whether and from when on
// the law of the land allows it is for who gives the command to know.
type Relieve struct {
	ID   uuid.UUID   `json:"id"`
	Date domain.Date `json:"date"`
	// Reason is a fact that is never erased, and must not name a person.
	Reason string `json:"reason"`
}

// CommandType implements domain.Command.
func (*Relieve) CommandType() string { return "invoice.relieve" }

// Stream implements domain.Command.
func (c *Relieve) Stream() domain.StreamID { return Stream(c.ID) }
