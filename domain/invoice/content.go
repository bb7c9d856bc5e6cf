package invoice

import (
	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// Content is what a document says, without its personal part (Text). Credit
// notes have the same content, with amounts above zero, without the fields
// about payment.
type Content struct {
	Customer uuid.UUID      `json:"customer"`
	Currency money.Currency `json:"currency"`
	// Exchange is the rate of a currency that is not the book's. A draft may be
	// without; a credit note on an invoice has its invoice's.
	Exchange exchange.Rate `json:"exchange,omitzero"`
	// PricesIncludeTax says that prices and adjustments are gross.
	PricesIncludeTax bool `json:"prices_include_tax,omitempty"`
	// Deposit makes it a deposit invoice (UNTDID 1001 code 386): it asks for
	// money before anything is supplied. On a credit note it says that the
	// invoice is one.
	Deposit bool `json:"deposit,omitempty"`
	// Rounding names the rounding rule; empty in a command means half-up.
	Rounding money.Rounding `json:"rounding,omitempty"`
	Lines    []Line         `json:"lines"`
	// Adjustments are allowances and charges on the whole document.
	Adjustments []tax.Adjustment `json:"adjustments,omitempty"`
	// Exemptions give the reason for each category that is not taxed.
	Exemptions []tax.Exemption `json:"exemptions,omitempty"`
	// SupplyDate is empty where it is the date of issue.
	SupplyDate domain.Date `json:"supply_date,omitempty"`
	// DueDate or DueDays (after issue) says when to pay; without either the
	// invoice is due on its date of issue. Not on credit notes.
	DueDate domain.Date `json:"due_date,omitempty"`
	DueDays int         `json:"due_days,omitempty"`
	// Prepaid is what was paid before issue. Not on credit notes.
	Prepaid money.Amount `json:"prepaid,omitzero"`
	// RoundingAmount is added to the amount due, for cash rounding.
	RoundingAmount money.Amount `json:"rounding_amount,omitzero"`
	// Reference is the document's name in the system that it came from (ext:…),
	// unique in the book among invoices and credit notes. It is a fact that is
	// never erased, and must not name a person.
	Reference string `json:"reference,omitempty"`
}

// Line is one line of a document. Its description stands in Text.
type Line struct {
	// Item is the seller's code of the item; may be empty.
	Item     string        `json:"item,omitempty"`
	Quantity money.Decimal `json:"quantity"`
	// Unit is a unit of measure, such as a UN/ECE Recommendation 20 code.
	Unit  string        `json:"unit,omitempty"`
	Price money.Decimal `json:"price"`
	// BaseQuantity is the quantity that Price is for; zero means 1.
	BaseQuantity money.Decimal    `json:"base_quantity,omitzero"`
	Adjustments  []tax.Adjustment `json:"adjustments,omitempty"`
	Rate         tax.Rate         `json:"rate"`
	// Deducts is the deposit invoice that the line deducts (BT-25), at the rate
	// that it was invoiced at. Its quantity is −1. On a credit note the line
	// gives the deduction back.
	Deducts uuid.UUID `json:"deducts,omitzero"`
}

// Text is the personal part of a document's content: free text.
type Text struct {
	// Lines holds the description of each line; empty, or as many as lines.
	Lines []string `json:"lines,omitempty"`
	Note  string   `json:"note,omitempty"`
	Terms string   `json:"terms,omitempty"`
}

// Country is a buyer's country in place of the customer's own, as an imported
// document states it.
type Country struct {
	// Code is an ISO 3166 alpha-2 code, or empty where it is not known; the
	// country's name then stands in the command's personal part.
	Code string `json:"code,omitempty"`
}
