// Package customer keeps whom the business sells to, and the credit that each
// has with it.
//
// A customer's name, address, VAT id and references are personal data: they are
// sealed apart under the customer's own key and may be erased. What decisions
// need of them, the country and whether there is a VAT id, stands in the facts.
//
// Refusals:
//
//	customer-exists        the id is already registered
//	unknown-customer       no customer has this id
//	customer-name-missing  the customer has no name
//	reference-taken        another customer bears the reference
//	customer-erased        the customer's personal data was erased
//	vat-id-mismatch        the facts and the personal part disagree on a VAT id
//	invalid-id             the id is empty
//	unknown-country, text-too-long, too-many-lines, invalid-utf8, control-character: as in package field
package customer

import (
	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/retention"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// Profile is the personal part of a customer.
type Profile struct {
	Name string `json:"name"`
	// Address is the lines of the address above the postcode and city.
	Address  []string `json:"address,omitempty"`
	City     string   `json:"city,omitempty"`
	Postcode string   `json:"postcode,omitempty"`
	// CountryText names the country as it was given, where it has no code.
	CountryText string `json:"country_text,omitempty"`
	Email       string `json:"email,omitempty"`
	VATID       string `json:"vat_id,omitempty"`
	// Reference is the customer's name in another system: ext:… .
	Reference string `json:"reference,omitempty"`
}

// Stream is the stream of a customer.
func Stream(id uuid.UUID) domain.StreamID {
	return domain.StreamID{Kind: domain.KindCustomer, ID: id}
}

// Registered begins a customer.
type Registered struct {
	// ID is the customer's own: the personal part is about it.
	ID uuid.UUID `json:"id"`
	// Country is an ISO 3166 alpha-2 code, or empty where it is not known.
	Country string `json:"country,omitempty"`
	// HasVATID says whether the profile has a VAT id.
	HasVATID bool     `json:"has_vat_id,omitempty"`
	Personal *Profile `cbor:"-" json:"personal,omitempty"`
}

// EventType implements domain.Event.
func (*Registered) EventType() string { return "customer.registered" }

// Subject implements domain.Personal.
func (e *Registered) Subject() uuid.UUID { return e.ID }

// PersonalPart implements domain.Personal.
func (e *Registered) PersonalPart() any { return &e.Personal }

// OnNoDocument implements domain.Contact.
func (*Registered) OnNoDocument() {}

// References implements domain.Referenced.
func (e *Registered) References() []domain.Reference { return references(e.Personal) }

// Changed replaces everything that Registered said.
type Changed struct {
	ID       uuid.UUID `json:"id"`
	Country  string    `json:"country,omitempty"`
	HasVATID bool      `json:"has_vat_id,omitempty"`
	Personal *Profile  `cbor:"-" json:"personal,omitempty"`
}

// EventType implements domain.Event.
func (*Changed) EventType() string { return "customer.changed" }

// Subject implements domain.Personal.
func (e *Changed) Subject() uuid.UUID { return e.ID }

// PersonalPart implements domain.Personal.
func (e *Changed) PersonalPart() any { return &e.Personal }

// OnNoDocument implements domain.Contact.
func (*Changed) OnNoDocument() {}

// References implements domain.Referenced.
func (e *Changed) References() []domain.Reference { return references(e.Personal) }

func references(p *Profile) []domain.Reference {
	if p == nil || p.Reference == "" {
		return nil
	}
	return []domain.Reference{{Kind: domain.CustomerReference, Value: p.Reference}}
}

// Credited adds to what the business owes the customer. It stands in the
// commit that issues the credit note, which is what is posted.
type Credited struct {
	// Credit is the stream of the credit note.
	Credit uuid.UUID `json:"credit"`
	// Amount is above zero.
	Amount money.Amount `json:"amount"`
	// Breakdown is that of a credit note on account; a credit note on an
	// invoice has its own there.
	Breakdown []tax.Subtotal `json:"breakdown,omitempty"`
	// Reason is why, for a credit on account.
	Reason string `json:"reason,omitempty"`
}

// EventType implements domain.Event.
func (*Credited) EventType() string { return "customer.credited" }

// CreditMoved adds to what the business owes the customer, or takes from it. It
// stands in the commit of what it follows from, which is what is posted.
type CreditMoved struct {
	// Source is the payment or credit note that the credit is of.
	Source domain.StreamID `json:"source"`
	// Amount is above zero where credit came, below where it was used.
	Amount money.Amount `json:"amount"`
	// Base is what that is worth in the book's currency; nil where it is in that.
	Base *money.Amount `json:"base,omitempty"`
	Date domain.Date   `json:"date"`
	// Since is the day from which all that is free of the source may be used.
	Since domain.Date `json:"since,omitempty"`
}

// EventType implements domain.Event.
func (*CreditMoved) EventType() string { return "customer.credit-moved" }

// Scope is a part of what is personal of a customer.
type Scope string

// The scopes.
const (
	// Contact is what stands on no document: the profile, and texts of drafts.
	Contact Scope = "contact"
	// All is that, and what stands on documents.
	All Scope = "all"
)

// KeyDestroyed says that keys of the customer's personal data are destroyed:
// those that sealed what the scope covers, in all commits before this one. It is
// durable before they are, so that what it says comes true whatever happens. A
// key that sealed something outside the scope as well is kept.
type KeyDestroyed struct {
	Scope Scope `json:"scope"`
	// Reason is a fact that is never erased.
	Reason string `json:"reason"`
	// Newest is the date of the customer's newest document, empty without one;
	// Kept is the last day on which it must be kept: Years from Basis.
	Newest domain.Date     `json:"newest,omitempty"`
	Kept   domain.Date     `json:"kept,omitempty"`
	Years  int             `json:"years,omitempty"`
	Basis  retention.Basis `json:"basis,omitempty"`
}

// EventType implements domain.Event.
func (*KeyDestroyed) EventType() string { return "customer.key-destroyed" }

// Lot is the credit that one payment left free.
type Lot struct {
	// Payment is the stream of the payment.
	Payment uuid.UUID    `json:"payment"`
	Amount  money.Amount `json:"amount"`
	// Base is what the amount is worth in the book's currency.
	Base money.Amount `json:"base"`
	// Since is the day from which all of it may be used.
	Since domain.Date `json:"since"`
}

// Worth is the amount with its worth.
func (l Lot) Worth() exchange.Worth { return exchange.Worth{Amount: l.Amount, Base: l.Base} }

// State is what decisions need of a customer. The zero State is no customer.
type State struct {
	Registered bool   `json:"registered"`
	Country    string `json:"country,omitempty"`
	HasVATID   bool   `json:"has_vat_id,omitempty"`
	// Profile is frozen into documents at issue; nil once erased.
	Profile *Profile `json:"profile,omitempty"`
	// Erased is what of the customer was erased; empty for nothing.
	Erased Scope `json:"erased,omitempty"`
	// Credit is what the business owes the customer, one amount a currency,
	// sorted by currency.
	Credit []money.Amount `json:"credit,omitempty"`
	// Received is the part of it that was received in payments, the oldest
	// first: prepaid amounts draw on it.
	Received []Lot `json:"received,omitempty"`
}
