package credit

import (
	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/funds"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// Stream is the stream of a credit note.
func Stream(id uuid.UUID) domain.StreamID {
	return domain.StreamID{Kind: domain.KindCredit, ID: id}
}

// Issue issues a credit note: on an invoice, or on account with a reason.
type Issue struct {
	ID uuid.UUID `json:"id"`
	// Invoice is the invoice that is credited; empty for a credit on account.
	Invoice uuid.UUID `json:"invoice,omitzero"`
	// Content says what is credited, with amounts above zero. Its customer is
	// the invoice's; due date, due days and prepaid are empty.
	Content invoice.Content `json:"content"`
	Date    domain.Date     `json:"date"`
	// Reason is required on account. It is a fact that is never erased, and
	// must not name a person.
	Reason string `json:"reason,omitempty"`
	// Imported marks a credit note that another system had issued: its date
	// may be any, and missing VAT ids are not held against it.
	Imported bool `json:"imported,omitempty"`
	// Buyer is the buyer's country where the document states another than the
	// customer's.
	Buyer    *invoice.Country `json:"buyer,omitempty"`
	Personal *IssuePersonal   `cbor:"-" json:"personal,omitempty"`
}

// IssuePersonal is the personal part of Issue.
type IssuePersonal struct {
	Text *invoice.Text `json:"text,omitempty"`
	// CountryText names the buyer's country where Issue.Buyer has no code for
	// it.
	CountryText string `json:"country_text,omitempty"`
}

// CommandType implements domain.Command.
func (*Issue) CommandType() string { return "credit.issue" }

// Stream implements domain.Command.
func (c *Issue) Stream() domain.StreamID { return Stream(c.ID) }

// Subject implements domain.Personal.
func (c *Issue) Subject() uuid.UUID { return c.Content.Customer }

// PersonalPart implements domain.Personal.
func (c *Issue) PersonalPart() any { return &c.Personal }

// Issued is the credit note as it was issued, whole.
type Issued struct {
	Number string      `json:"number"`
	Date   domain.Date `json:"date"`
	// SupplyDate is never empty.
	SupplyDate domain.Date `json:"supply_date"`
	// Invoice is the credited invoice, and InvoiceNumber its number; both are
	// empty for a credit on account.
	Invoice       uuid.UUID       `json:"invoice,omitzero"`
	InvoiceNumber string          `json:"invoice_number,omitempty"`
	Reason        string          `json:"reason,omitempty"`
	Seller        book.Seller     `json:"seller"`
	BuyerCountry  string          `json:"buyer_country,omitempty"`
	BuyerHasVATID bool            `json:"buyer_has_vat_id,omitempty"`
	Content       invoice.Content `json:"content"`
	// Totals are amounts to the customer's good: Due is what is credited.
	Totals tax.Totals `json:"totals"`
	// Base is the figures in the book's currency, nil where that is the credit
	// note's.
	Base *Converted `json:"base,omitempty"`
	// Returned is what the lines give back of the invoice's deductions, in their
	// order.
	Returned []invoice.Deduction `json:"returned,omitempty"`
	// Applied is what is taken off the invoice's open amount; Excess is the
	// rest, which becomes credit of the customer: all of a credit on account.
	Applied  money.Amount    `json:"applied"`
	Excess   money.Amount    `json:"excess"`
	Imported bool            `json:"imported,omitempty"`
	Personal *IssuedPersonal `cbor:"-" json:"personal,omitempty"`
}

// Converted is the figures of a credit note in another currency, in the book's.
type Converted struct {
	// Converted has the sums by rate. Rounding also holds the cents by which what is
	// taken off the invoice is off what its rates come to.
	invoice.Converted
	Applied money.Amount `json:"applied"`
	Excess  money.Amount `json:"excess"`
}

// Figures gives the figures of the document, with their worth.
func (e *Issued) Figures() invoice.Figures {
	if e.Base == nil {
		return (*invoice.Converted)(nil).Figures(e.Totals)
	}
	return e.Base.Converted.Figures(e.Totals)
}

// Shares gives what is taken off the invoice and what becomes the customer's, with
// their worth.
func (e *Issued) Shares() (applied, excess exchange.Worth) {
	if e.Base == nil {
		return exchange.Of(e.Applied, nil), exchange.Of(e.Excess, nil)
	}
	return exchange.Of(e.Applied, &e.Base.Applied), exchange.Of(e.Excess, &e.Base.Excess)
}

// IssuedPersonal is the personal part of an issued credit note.
type IssuedPersonal struct {
	Buyer *customer.Profile `json:"buyer,omitempty"`
	Text  *invoice.Text     `json:"text,omitempty"`
}

// EventType implements domain.Event.
func (*Issued) EventType() string { return "credit.issued" }

// Subject implements domain.Personal.
func (e *Issued) Subject() uuid.UUID { return e.Content.Customer }

// PersonalPart implements domain.Personal.
func (e *Issued) PersonalPart() any { return &e.Personal }

// References implements domain.Referenced.
func (e *Issued) References() []domain.Reference {
	refs := []domain.Reference{{Kind: domain.DocumentNumber, Value: e.Number}}
	if e.Content.Reference != "" {
		refs = append(refs, domain.Reference{Kind: domain.DocumentReference, Value: e.Content.Reference})
	}
	return refs
}

// State is what decisions need of a credit note. The zero State is none.
type State struct {
	Number   string       `json:"number,omitempty"`
	Date     domain.Date  `json:"date,omitempty"`
	Customer uuid.UUID    `json:"customer,omitzero"`
	Invoice  uuid.UUID    `json:"invoice,omitzero"`
	Amount   money.Amount `json:"amount"`
	// Funds are where the excess, which became the customer's credit, went.
	Funds funds.Funds `json:"funds"`
}
