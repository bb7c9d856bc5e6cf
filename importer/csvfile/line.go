package csvfile

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/field"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/importer"
)

// Codes of lines that cannot be read, which reject their document. A text that
// a rule of the book does not take, such as one with control characters, has
// that rule's code.
const (
	CodeBadFieldCount = "bad-field-count"
	CodeInvalidUTF8   = "invalid-utf8"
	CodeTextTooLong   = "text-too-long"
	CodeBadQuantity   = "bad-quantity"
	CodeBadPrice      = "bad-price"
	CodeBadDate       = "bad-date"
	CodeBadCurrency   = "bad-currency"
	CodeBadRate       = "bad-rate"
	CodeNoCustomer    = "no-customer"
	// CodeAmountOverflow: the amount of a line, or of the document, is beyond
	// what can be held.
	CodeAmountOverflow = "amount-overflow"
	// CodeMissingNumber rejects a line alone that names no document.
	CodeMissingNumber = "missing-number"
)

// fault is what is wrong with a line or document.
type fault struct{ code, message string }

// line is a data line, read as the map says.
type line struct {
	at       int // physical line
	number   string
	date     domain.Date
	customer importer.Customer
	currency money.Currency
	exchange exchange.Rate
	// amount is half-up(quantity × price); zero where it cannot be told.
	amount        money.Amount
	negativePrice bool
	content       importer.Line
	size          int
	fault         *fault
}

// lineReader reads records as the map says.
type lineReader struct {
	m *Map
	layout
}

// read reads a record. What is wrong with it is the line's fault; then the
// line holds at least what it counts for: its number and, where it can be told,
// its amount.
func (r *lineReader) read(rec record) line {
	l := line{at: rec.line, number: cell(rec, r.number), currency: r.m.currency, amount: money.Zero(r.m.currency)}
	l.fault = r.form(rec)
	if r.badNumber(&l) {
		return l
	}
	if rec.count != r.count {
		return l // what its cells mean is anybody's guess
	}
	r.money(rec, &l)
	date := cell(rec, r.date)
	day, ok := r.m.day(date)
	if !ok {
		l.blame(CodeBadDate, "%.40q is not a date of the forms that the map lists", date)
	}
	l.date = day
	l.customer = r.m.customer(cell(rec, r.customer), cell(rec, r.customerName), cell(rec, r.country))
	if l.customer.Reference == "" {
		l.blame(CodeNoCustomer, "no customer is named, and the map has no no_customer")
	}
	l.content.Item = cell(rec, r.item)
	l.content.Unit = cell(rec, r.unit)
	l.content.Description = cell(rec, r.description)
	if len(l.content.Description) > field.MaxDescription {
		l.blame(CodeTextTooLong, "the description has %d bytes, more than %d",
			len(l.content.Description), field.MaxDescription)
	}
	for _, text := range rec.fields {
		l.size += len(text)
	}
	return l
}

// blame notes what is wrong with the line; what was noted first stays.
func (l *line) blame(code, format string, args ...any) {
	if l.fault == nil {
		l.fault = &fault{code, fmt.Sprintf("line %d: ", l.at) + fmt.Sprintf(format, args...)}
	}
}

// form says what is wrong with the record as such. Columns that the map does
// not use may hold anything.
func (r *lineReader) form(rec record) *fault {
	l := line{at: rec.line}
	if rec.count != r.count {
		l.blame(CodeBadFieldCount, "%d fields, and the header line has %d", rec.count, r.count)
		return l.fault
	}
	for _, place := range r.used {
		switch {
		case place >= len(rec.fields):
		case slices.Contains(rec.cut, place):
			l.blame(CodeTextTooLong, "column %.80q has more than %d bytes", r.name(place), maxField)
		case !utf8.ValidString(rec.fields[place]):
			l.blame(CodeInvalidUTF8, "column %.80q is not valid UTF-8", r.name(place))
		}
	}
	return l.fault
}

// badNumber notes that a line names no document that could be told apart from
// others: it is rejected alone, without a number.
func (r *lineReader) badNumber(l *line) bool {
	switch {
	case l.number == "":
		l.blame(CodeMissingNumber, "column %.80q is empty", r.name(r.number))
	case len(l.number) > field.MaxName:
		l.fault = nil
		l.blame(CodeTextTooLong, "the number has more than %d bytes", field.MaxName)
	default:
		return false
	}
	l.number = ""
	return true
}

// money reads the currency and what it is worth, and then the amounts in it.
func (r *lineReader) money(rec record, l *line) {
	if code := cell(rec, r.currency); code != "" {
		currency, err := money.ParseCurrency(code)
		if err != nil {
			l.blame(CodeBadCurrency, "%.40q is no currency of ISO 4217", code)
			return
		}
		l.currency = currency
	}
	rate, err := r.m.exchange(cell(rec, r.rate))
	if err != nil {
		l.blame(CodeBadRate, "%s", reason(err))
	}
	l.exchange = rate
	r.amounts(rec, l)
}

// amounts reads quantity and price, and their product.
func (r *lineReader) amounts(rec record, l *line) {
	quantity, price := cell(rec, r.quantity), cell(rec, r.price)
	var quantityErr, priceErr error
	if l.content.Quantity, quantityErr = r.m.decimal(quantity); quantityErr != nil {
		l.blame(CodeBadQuantity, "%s", reason(quantityErr))
	}
	if l.content.Price, priceErr = r.m.decimal(price); priceErr != nil {
		l.blame(CodeBadPrice, "%s", reason(priceErr))
	}
	if quantityErr != nil || priceErr != nil {
		return
	}
	l.negativePrice = l.content.Price.Sign() < 0
	amount, err := money.Extend(l.content.Quantity, l.content.Price, money.IntegerDecimal(1), l.currency, money.HalfUp)
	if err != nil {
		l.blame(CodeAmountOverflow, "%s × %s is more than can be held", quantity, price)
		return
	}
	l.amount = amount
}

// reason is an error's message without its code.
func reason(err error) string {
	var refusal *domain.Refusal
	if errors.As(err, &refusal) {
		return refusal.Message
	}
	return err.Error()
}

// shown is a document number for a message or file, of sane length.
func shown(number string) string {
	if len(number) > field.MaxName {
		number = number[:field.MaxName]
	}
	if !utf8.ValidString(number) {
		return strings.ToValidUTF8(number, "\uFFFD")
	}
	return number
}
