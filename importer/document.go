package importer

import (
	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/credit"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// Item is what a source delivers: a document that can be entered, or a
// rejection. Exactly one of Document and Rejection is set.
type Item struct {
	// Number is the document's number in the source.
	Number string
	// Lines is where the document, or the rejected part of one, stands.
	Lines Lines
	// Total is the sum of the line amounts, each half-up(quantity × price),
	// with the sign that the source gives it. Lines of a rejection whose
	// amount cannot be told count nothing, nor do those in another currency than
	// the first.
	Total money.Amount

	Document  *Document
	Rejection *Rejection
}

// Rejection says why a document, or a line alone, is not entered.
type Rejection struct {
	// Code is stable; Message is a sentence for people.
	Code, Message string
	// Alone marks a line that is rejected by itself and counts as no document.
	Alone bool
}

// Document is an invoice or credit note that another system issued.
type Document struct {
	// Kind is domain.KindInvoice or domain.KindCredit.
	Kind     domain.Kind
	Date     domain.Date
	Currency money.Currency
	// Exchange is the rate of another currency than the book's. That of the book's
	// own may be 1, which is none.
	Exchange         exchange.Rate
	PricesIncludeTax bool
	Customer         Customer
	// Lines are in the order of the source. On credit notes their quantities
	// are negated already: what is credited is above zero.
	Lines []Line
	// Rate is that of every line, and Exemption says why there is no tax,
	// where there is none.
	Rate      tax.Rate
	Exemption *tax.Exemption
	// Reason is why a credit note is given; empty on invoices.
	Reason string
	// Size is about how many bytes of memory the document takes.
	Size int
}

// Line is one line of a document.
type Line struct {
	Item, Description, Unit string
	Quantity, Price         money.Decimal
}

// Customer is the buyer as the source states it.
type Customer struct {
	// Reference names the customer in the source; never empty.
	Reference string
	// Name is used where the customer is not yet in the book.
	Name string
	// Country is an ISO 3166 alpha-2 code, CountryText the source's own name of
	// a country without one; both empty where the source states none.
	Country, CountryText string
}

// buyer is the country that the document states. It is told even where it is
// the customer's own, so that a document's command is the same whatever the
// book knows of the customer.
func (c Customer) buyer() *invoice.Country {
	if c.Country == "" && c.CountryText == "" {
		return nil
	}
	return &invoice.Country{Code: c.Country}
}

// registration is the command that begins the customer.
func (c Customer) registration(id uuid.UUID) *customer.Register {
	return &customer.Register{
		ID:      id,
		Country: c.Country,
		Personal: &customer.Profile{
			Name:        c.Name,
			CountryText: c.CountryText,
			Reference:   c.Reference,
		},
	}
}

// command is the command that enters the document under an id, into a book that
// is kept in a currency.
func (d *Document) command(id, buyer uuid.UUID, number string, book money.Currency) domain.Command {
	content, text := d.content(buyer, number)
	if one := money.IntegerDecimal(1); d.Currency == book && content.Exchange.Rate == one {
		content.Exchange = exchange.Rate{}
	}
	if d.Kind == domain.KindCredit {
		return &credit.Issue{
			ID: id, Content: content, Date: d.Date, Reason: d.Reason, Imported: true, Buyer: d.Customer.buyer(),
			Personal: &credit.IssuePersonal{Text: text, CountryText: d.Customer.CountryText},
		}
	}
	return &invoice.Enter{
		ID: id, Content: content, Date: d.Date, Imported: true, Buyer: d.Customer.buyer(),
		Personal: &invoice.EnterPersonal{Text: text, CountryText: d.Customer.CountryText},
	}
}

func (d *Document) content(buyer uuid.UUID, number string) (invoice.Content, *invoice.Text) {
	content := invoice.Content{
		Customer:         buyer,
		Currency:         d.Currency,
		Exchange:         d.Exchange,
		PricesIncludeTax: d.PricesIncludeTax,
		Rounding:         money.HalfUp,
		Lines:            make([]invoice.Line, len(d.Lines)),
		Reference:        number,
	}
	if d.Exemption != nil {
		content.Exemptions = []tax.Exemption{*d.Exemption}
	}
	descriptions, described := make([]string, len(d.Lines)), false
	for i, l := range d.Lines {
		content.Lines[i] = invoice.Line{Item: l.Item, Quantity: l.Quantity, Unit: l.Unit, Price: l.Price, Rate: d.Rate}
		descriptions[i] = l.Description
		described = described || l.Description != ""
	}
	if !described {
		return content, nil
	}
	return content, &invoice.Text{Lines: descriptions}
}
