package views

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
)

// Summary is a document in a list. Amounts are decimal texts in its currency.
type Summary struct {
	// Kind is invoice or credit, or payment.
	Kind domain.Kind `json:"kind"`
	ID   uuid.UUID   `json:"id"`
	// Number is empty until issue.
	Number string         `json:"number,omitempty"`
	Status invoice.Status `json:"status"`
	// Overdue says that an amount is open after the due date, on the day that
	// was asked about.
	Overdue  bool      `json:"overdue,omitempty"`
	Customer uuid.UUID `json:"customer"`
	// CustomerName is the buyer's as it stands on the document, a draft's
	// customer's as it is now; empty once erased.
	CustomerName string `json:"customer_name,omitempty"`
	Reference    string `json:"reference,omitempty"`
	// Invoice is the invoice that a credit note is on, if any.
	Invoice  uuid.UUID   `json:"invoice,omitzero"`
	Date     domain.Date `json:"date,omitempty"`
	DueDate  domain.Date `json:"due_date,omitempty"`
	Imported bool        `json:"imported,omitempty"`
	// Deposit says that it is a deposit invoice, or a credit note on one.
	Deposit  bool   `json:"deposit,omitempty"`
	Currency string `json:"currency"`
	Net      string `json:"net"`
	Tax      string `json:"tax"`
	// Total is net and tax; Due what is to be paid of it (or, on a credit note,
	// what is credited); Open what is left of that.
	Total string `json:"total"`
	Due   string `json:"due"`
	Open  string `json:"open"`
	// Recorded is when the document was begun.
	Recorded time.Time `json:"recorded"`
}

func (d *document) overdue(asOf domain.Date) bool {
	return asOf != "" && d.open != 0 && d.due < asOf
}

func (d *document) summary(asOf domain.Date) (Summary, error) {
	text, err := decimals(d.currency)
	if err != nil {
		return Summary{}, err
	}
	return Summary{
		Kind: d.stream.Kind, ID: d.stream.ID, Number: d.number, Status: d.status(), Overdue: d.overdue(asOf),
		Customer: d.customer, CustomerName: d.name, Reference: d.reference, Invoice: d.invoice,
		Date: d.date, DueDate: d.due, Imported: d.imported, Deposit: d.deposit, Currency: d.currency,
		Net: text(d.net), Tax: text(d.tax), Total: text(d.gross), Due: text(d.payable), Open: text(d.open),
		Recorded: instant(d.recorded),
	}, nil
}

// decimals gives the texts of amounts in a currency.
func decimals(currency string) (func(minor int64) string, error) {
	c, err := money.ParseCurrency(currency)
	if err != nil {
		return nil, damaged("currency %.10q", currency)
	}
	return func(minor int64) string { return money.New(minor, c).String() }, nil
}

// bookCurrency gives the book's currency, in which all bases are, and the texts of
// amounts in it. Before the book is open there are no amounts.
func bookCurrency(ctx context.Context, tx Tx) (string, func(minor int64) string, error) {
	var currency string
	err := tx.QueryRowContext(ctx, `SELECT currency FROM books`).Scan(&currency)
	if none, err := absent(err); err != nil || none {
		return "", func(int64) string { return "" }, err
	}
	text, err := decimals(currency)
	return currency, text, err
}

func instant(micros int64) time.Time { return time.UnixMicro(micros).UTC() }
