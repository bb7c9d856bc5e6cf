// Package book holds a book's settings: who sells, in which currency, and who
// may do what.
//
// Refusals:
//
//	book-exists       the book is already open
//	no-book           the book is not open yet
//	other-book        the command names another book than the one it is given to
//	seller-name-missing  the seller has no name
//	last-owner        the change would leave the book without an owner
//	unknown-principal the principal has no role to revoke
//	unknown-role      no role has this name
//	no-change         the principal already has the role
//	unknown-tax-basis no basis of tax points has this name
//	unknown-currency  the book's currency is missing
//	invalid-epoch     the log's new epoch has no name or key of its own, or follows no log
//	invalid-drill     a restore that was tried says neither what it brought back nor what was wrong
//	invalid-attestation  hashes of views without a state of the log, or out of order
//	invalid-retention the years are not 1 to 100, or the month not 1 to 12
//	reason-missing    a reason is needed
//	principal-missing the principal has no name
//	invalid-id        the book's id is empty
//	unknown-country, text-too-long, too-many-lines, invalid-utf8, control-character: as in package field
package book

import (
	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/access"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// Seller is the business whose book it is, as it stands on its documents. It
// is part of the facts: the book's own data, not that of a customer.
type Seller struct {
	Name string `json:"name"`
	// Address is the lines of the address above the postcode and city.
	Address  []string `json:"address,omitempty"`
	City     string   `json:"city,omitempty"`
	Postcode string   `json:"postcode,omitempty"`
	// Country is an ISO 3166 alpha-2 code.
	Country string `json:"country"`
	VATID   string `json:"vat_id,omitempty"`
	Email   string `json:"email,omitempty"`
}

// Stream is the stream of a book's settings.
func Stream(id uuid.UUID) domain.StreamID {
	return domain.StreamID{Kind: domain.KindBook, ID: id}
}

// Opened begins a book.
type Opened struct {
	Seller   Seller         `json:"seller"`
	Currency money.Currency `json:"currency"`
	// Owner is the principal who owns the book at first.
	Owner string `json:"owner"`
	// Origin is the name of the book's log, as its checkpoints bear it.
	Origin string `json:"origin,omitempty"`
	// TaxBasis says which dates are tax points; empty means tax.ByInvoice. It
	// stays as long as the book.
	TaxBasis tax.Basis `json:"tax_basis,omitempty"`
}

// EventType implements domain.Event.
func (*Opened) EventType() string { return "book.opened" }

// SellerChanged replaces the seller on documents issued from now on.
type SellerChanged struct {
	Seller Seller `json:"seller"`
}

// EventType implements domain.Event.
func (*SellerChanged) EventType() string { return "book.seller-changed" }

// Granted gives a principal a role, in place of any that it had.
type Granted struct {
	Principal string      `json:"principal"`
	Role      access.Role `json:"role"`
}

// EventType implements domain.Event.
func (*Granted) EventType() string { return "book.granted" }

// Revoked takes a principal's role away.
type Revoked struct {
	Principal string `json:"principal"`
}

// EventType implements domain.Event.
func (*Revoked) EventType() string { return "book.revoked" }

// RetentionSet says how long the business keeps its documents, in place of what
// was said before.
type RetentionSet struct {
	// Years is in place of the country's; 0 for those.
	Years int `json:"years,omitempty"`
	// YearEnd is the month with which the financial year ends, 1 to 12.
	YearEnd int `json:"year_end"`
	// Reason is why.
	Reason string `json:"reason"`
}

// EventType implements domain.Event.
func (*RetentionSet) EventType() string { return "book.retention-set" }

// EpochOpened begins a new epoch of the log: a copy of it that was brought back
// goes on under another name and another key, so that it can never contradict
// what another copy signs.
type EpochOpened struct {
	// Origin is the log's name from here on.
	Origin string `json:"origin"`
	// Follows is the log that is gone on from, as it was brought back.
	Follows Checkpoint `json:"follows"`
	// Lost is the newest state of that log, or of an earlier epoch of it, that is known
	// and was not brought back; nil where nothing is known to be lost.
	Lost *Checkpoint `json:"lost,omitempty"`
	// LostEarlier are the newest states of further epochs that are known and lost.
	LostEarlier []Checkpoint `json:"lost_earlier,omitempty"`
	// Reason is why the log was brought back.
	Reason string `json:"reason"`
}

// EventType implements domain.Event.
func (*EpochOpened) EventType() string { return "book.epoch-opened" }

// Checkpoint is the state of a log under a name, as its checkpoints tell it.
type Checkpoint struct {
	Origin string `json:"origin"`
	// Size is the number of commits.
	Size uint64 `json:"size"`
	// Root is the Merkle tree hash over them, 32 bytes.
	Root []byte `json:"root"`
}

// State is a book's settings. The zero State is a book not yet opened.
type State struct {
	Currency money.Currency `json:"currency"`
	Seller   Seller         `json:"seller"`
	Origin   string         `json:"origin,omitempty"`
	TaxBasis tax.Basis      `json:"tax_basis,omitempty"`
	// Roles holds the role of each principal.
	Roles map[string]access.Role `json:"roles,omitempty"`
	// Retention is nil until it is set.
	Retention *RetentionSet `json:"retention,omitempty"`
}
