package csvfile

import (
	"errors"
	"fmt"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/importer"
)

// Codes of documents that are rejected whole for what their lines say together.
const (
	// CodeUnknownKind: no prefix of the map matches the number.
	CodeUnknownKind = "unknown-kind"
	// CodeInconsistent: the lines name two days, customers, countries, currencies
	// or rates.
	CodeInconsistent = "inconsistent"
	// CodeNegativePrice: a line has a price below zero.
	CodeNegativePrice = "negative-price"
	// CodeNoValue: the total is zero.
	CodeNoValue = "no-value"
	// CodeWrongSign: the total of an invoice is below zero, or of a credit note
	// above zero in the file's own sign.
	CodeWrongSign = "wrong-sign"
)

// add takes the next line of the document.
func (d *group) add(l line) {
	first := d.lines.Count() == 0
	d.lines.Add(l.at)
	d.size += lineOverhead // of the line's number, at least
	if first {
		d.total = money.Zero(l.currency)
	}
	switch sum, err := d.total.Add(l.amount); {
	case err == nil:
		d.total = sum
	case errors.Is(err, money.ErrCurrency): // differs tells
	default:
		l.blame(CodeAmountOverflow, "the document's total is more than can be held")
	}
	if l.negativePrice && d.negativePrice == 0 {
		d.negativePrice = l.at
	}
	switch {
	case first:
		d.date, d.customer, d.exchange = l.date, l.customer, l.exchange
	case l.fault != nil || d.inconsistent != "" || d.fault != nil:
	default:
		d.inconsistent = differs(d, l)
	}
	if d.fault == nil {
		d.fault = l.fault
	}
	if d.rejectable() {
		d.content = nil
		return
	}
	d.content = append(d.content, l.content)
	d.size += l.size
}

// differs says in what a line differs from the document, empty if in nothing.
func differs(d *group, l line) string {
	country := func(c importer.Customer) string { return c.Country + "\x00" + c.CountryText }
	switch {
	case l.date != d.date:
		return fmt.Sprintf("line %d is of %s, and the document of %s", l.at, l.date, d.date)
	case l.customer.Reference != d.customer.Reference:
		return fmt.Sprintf("line %d names another customer than the lines before", l.at)
	case l.currency != d.total.Currency():
		return fmt.Sprintf("line %d is in %s, and the document in %s", l.at, l.currency, d.total.Currency())
	case l.exchange != d.exchange:
		return fmt.Sprintf("line %d has another rate than the lines before", l.at)
	case country(l.customer) != country(d.customer):
		return fmt.Sprintf("line %d names another country than the lines before", l.at)
	}
	return ""
}

// rejectable reports whether the document is rejected whatever else comes.
func (d *group) rejectable() bool {
	return d.kind == "" || d.fault != nil || d.inconsistent != "" || d.negativePrice != 0
}

// item is the document, or its rejection, once all lines are there. The fault
// that a reader of the rejects file has to mend first is told.
func (d *group) item(m *Map) importer.Item {
	sign := d.total.Sign()
	if d.kind == domain.KindCredit {
		sign = -sign
	}
	switch {
	case d.kind == "":
		return d.rejected(fault{CodeUnknownKind, "no prefix in the map's kinds matches the number"})
	case d.fault != nil:
		return d.rejected(*d.fault)
	case d.inconsistent != "":
		return d.rejected(fault{CodeInconsistent, d.inconsistent})
	case d.negativePrice != 0:
		return d.rejected(fault{CodeNegativePrice, fmt.Sprintf("line %d has a price below zero", d.negativePrice)})
	case sign == 0:
		return d.rejected(fault{CodeNoValue, "the total is zero"})
	case sign < 0:
		return d.rejected(fault{CodeWrongSign, fmt.Sprintf("the total is %s, the wrong sign for its kind (%s)", d.total, d.kind)})
	}
	return importer.Item{Number: d.number, Lines: d.lines, Total: d.total, Document: d.document(m)}
}

func (d *group) rejected(f fault) importer.Item {
	return importer.Item{
		Number: shown(d.number), Lines: d.lines, Total: d.total,
		Rejection: &importer.Rejection{Code: f.code, Message: f.message},
	}
}

func (d *group) document(m *Map) *importer.Document {
	doc := &importer.Document{
		Kind: d.kind, Date: d.date, Currency: d.total.Currency(), Exchange: d.exchange, PricesIncludeTax: m.gross,
		Customer: d.customer, Lines: d.content, Rate: m.rate, Exemption: m.exemption, Size: d.size,
	}
	if d.kind == domain.KindCredit {
		doc.Reason = m.creditReason
		for i := range doc.Lines {
			doc.Lines[i].Quantity = doc.Lines[i].Quantity.Neg()
		}
	}
	return doc
}
