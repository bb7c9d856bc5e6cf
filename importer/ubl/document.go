package ubl

import (
	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// Document is an invoice or credit note as a file states it. The comments name
// the business terms of EN 16931.
type Document struct {
	// Kind is domain.KindInvoice or domain.KindCredit, Type the code (BT-3).
	Kind domain.Kind
	Type string
	// Number is BT-1, Date BT-2.
	Number string
	Date   domain.Date
	// Supplier is BG-4, Buyer BG-7.
	Supplier, Buyer Party
	// Preceding names the invoices that this is about (BG-3).
	Preceding []Preceding
	// Content is all but the customer and the reference, which are the book's
	// to give. The content of a credit note is above zero where it credits.
	Content invoice.Content
	// Text is the descriptions, the note (BT-22) and the terms (BT-20).
	Text invoice.Text
	// Stated is what the document says of its figures.
	Stated Stated
	// Unsupported is the first thing that the document has and that cannot be
	// entered; nil where there is none. It is left out of Content.
	Unsupported *domain.Refusal
}

// Party is the supplier or the buyer.
type Party struct {
	// Name is the registered name (BT-27, BT-44), TradingName another (BT-28,
	// BT-45).
	Name, TradingName string
	// VATID is BT-31 or BT-48 as written.
	VATID string
	// ID is the first identifier (BT-29, BT-46), LegalID that of the register
	// (BT-30, BT-47): with its scheme and a colon before it where it has one.
	ID, LegalID string
	// Country is a code of ISO 3166; CountryText is what stands there else.
	Country, CountryText string
	Address              []string
	City, Postcode       string
	Email                string
}

// profile is what a customer record takes of a party.
func (p Party) profile(reference string) customer.Profile {
	return customer.Profile{
		Name: p.Name, Address: p.Address, City: p.City, Postcode: p.Postcode,
		CountryText: p.CountryText, Email: p.Email, VATID: p.VATID, Reference: reference,
	}
}

// Preceding is a reference to an earlier invoice: BT-25 and BT-26, which may be
// empty.
type Preceding struct {
	Number string
	Date   domain.Date
}

// Stated is the figures that stand on a document.
type Stated struct {
	// Line is BT-106, Net BT-109, Tax BT-110, Gross BT-112, Due BT-115.
	Line, Net, Tax, Gross, Due money.Amount
	// HasTax says whether there is a BT-110.
	HasTax bool
	// Lines is BT-131 of each line.
	Lines []money.Amount
	// Breakdown is BG-23.
	Breakdown []tax.Subtotal
}

func (d *Document) unsupported(code, format string, args ...any) {
	if d.Unsupported == nil {
		d.Unsupported = domain.Refuse(code, format, args...).
			WithHint("nothing of it is entered in part; enter it by hand: daybook invoice draft")
	}
}
