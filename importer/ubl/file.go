package ubl

import (
	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/money"
)

// Result is what became of one file. Its JSON form is stable.
type Result struct {
	File   string `json:"file"`
	Status Status `json:"status"`
	// Code says why a document differs or is refused; empty else.
	Code string `json:"code"`
	// Stated and Computed are nil where the file could not be read; Computed
	// also where a figure is more than can be held.
	Stated   *Totals `json:"stated"`
	Computed *Totals `json:"computed"`
	// Currency is empty where the file could not be read.
	Currency string `json:"currency"`
	// Kind is "invoice" or "credit".
	Kind     domain.Kind `json:"kind,omitempty"`
	Number   string      `json:"number,omitempty"`
	Date     domain.Date `json:"date,omitempty"`
	Supplier string      `json:"supplier,omitempty"`
	// Differences lists each figure that differs.
	Differences []Difference `json:"differences,omitempty"`
	// ID and Reference name the document in the book, Rounding is what was
	// added to its rounding amount; Repeated says that an earlier run had
	// entered it.
	ID        uuid.UUID `json:"id,omitzero"`
	Reference string    `json:"reference,omitempty"`
	Rounding  string    `json:"rounding_added,omitempty"`
	Repeated  bool      `json:"repeated,omitempty"`
	// Message is a sentence for people, Hint how to go on.
	Message string `json:"message,omitempty"`
	Hint    string `json:"hint,omitempty"`
}

// File is a file that was read and checked. Nothing was entered yet.
type File struct {
	Result Result
	doc    *Document
	ready  bool
}

// Read parses and checks a file. With accept, a document whose figures differ
// may be entered (see Enter), if the differences are small.
func Read(name string, data []byte, accept bool) *File {
	f := &File{Result: Result{File: name}}
	doc, err := Parse(data)
	if err != nil {
		f.refuse(refusalOf(err))
		return f
	}
	check := doc.Check()
	f.doc = doc
	r := &f.Result
	r.Kind, r.Number, r.Date, r.Supplier = doc.Kind, doc.Number, doc.Date, doc.Supplier.Name
	r.Currency = doc.Content.Currency.String()
	r.Stated, r.Computed, r.Differences = doc.Stated.totals(), computedTotals(check.Computed), check.Differences
	switch {
	case check.Refusal != nil:
		f.refuse(check.Refusal)
	case check.Code == "":
		r.Status, f.ready = Agrees, true
	default:
		f.differs(check, accept)
	}
	return f
}

func (f *File) differs(c Check, accept bool) {
	r, first := &f.Result, c.Differences[0]
	r.Status, r.Code = Differs, c.Code
	r.Message = first.What + " is " + first.Stated + ", and " + first.Computed + " follows from the lines"
	r.Hint = "have the document corrected, or enter what follows from its lines: --accept-stated-totals"
	if !accept {
		return
	}
	before := f.doc.Content.RoundingAmount
	if refusal := f.doc.accept(c); refusal != nil {
		f.refuse(refusal)
		return
	}
	if added, err := f.doc.Content.RoundingAmount.Sub(before); err == nil && !added.IsZero() {
		r.Rounding = added.String()
	}
	f.ready = true
}

func (f *File) refuse(refusal *domain.Refusal) {
	f.refused(refusal.Code, refusal.Message, refusal.Hint)
}

func (f *File) refused(code, message, hint string) {
	r := &f.Result
	r.Status, r.Code, r.Message, r.Hint, r.Rounding = Refused, code, message, hint, ""
	f.ready = false
}

// currency is the document's.
func (f *File) currency() money.Currency { return f.doc.Content.Currency }
