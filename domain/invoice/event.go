package invoice

import (
	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// Stream is the stream of an invoice.
func Stream(id uuid.UUID) domain.StreamID {
	return domain.StreamID{Kind: domain.KindInvoice, ID: id}
}

// Drafted begins an invoice as a draft.
type Drafted struct {
	Content Content `json:"content"`
	// Totals are the draft's as computed then; those that count are Issued's.
	Totals   tax.Totals `json:"totals"`
	Personal *Text      `cbor:"-" json:"personal,omitempty"`
}

// EventType implements domain.Event.
func (*Drafted) EventType() string { return "invoice.drafted" }

// Subject implements domain.Personal.
func (e *Drafted) Subject() uuid.UUID { return e.Content.Customer }

// PersonalPart implements domain.Personal.
func (e *Drafted) PersonalPart() any { return &e.Personal }

// OnNoDocument implements domain.Contact.
func (*Drafted) OnNoDocument() {}

// References implements domain.Referenced.
func (e *Drafted) References() []domain.Reference { return e.Content.references() }

// Edited replaces the content of a draft, which needs approval (again).
type Edited struct {
	Content  Content    `json:"content"`
	Totals   tax.Totals `json:"totals"`
	Personal *Text      `cbor:"-" json:"personal,omitempty"`
}

// EventType implements domain.Event.
func (*Edited) EventType() string { return "invoice.edited" }

// Subject implements domain.Personal.
func (e *Edited) Subject() uuid.UUID { return e.Content.Customer }

// PersonalPart implements domain.Personal.
func (e *Edited) PersonalPart() any { return &e.Personal }

// OnNoDocument implements domain.Contact.
func (*Edited) OnNoDocument() {}

// References implements domain.Referenced.
func (e *Edited) References() []domain.Reference { return e.Content.references() }

// Approved makes a draft ready for issue.
type Approved struct{}

// EventType implements domain.Event.
func (*Approved) EventType() string { return "invoice.approved" }

// Discarded ends a draft. Its references stay its own.
type Discarded struct {
	Reason string `json:"reason,omitempty"`
}

// EventType implements domain.Event.
func (*Discarded) EventType() string { return "invoice.discarded" }

// Issued is the invoice as it was issued, whole: nothing that changes later
// changes it.
type Issued struct {
	Number string      `json:"number"`
	Date   domain.Date `json:"date"`
	// SupplyDate and DueDate are those that count, never empty.
	SupplyDate domain.Date `json:"supply_date"`
	DueDate    domain.Date `json:"due_date"`
	// TaxPoint is the day by which the tax is reported; empty where that is Date.
	TaxPoint domain.Date `json:"tax_point,omitempty"`
	Seller   book.Seller `json:"seller"`
	// BuyerCountry is an ISO 3166 alpha-2 code, or empty where not known.
	BuyerCountry string `json:"buyer_country,omitempty"`
	// BuyerHasVATID says whether the frozen buyer has a VAT id.
	BuyerHasVATID bool       `json:"buyer_has_vat_id,omitempty"`
	Content       Content    `json:"content"`
	Totals        tax.Totals `json:"totals"`
	// Base is the figures in the book's currency, nil where that is the
	// invoice's.
	Base *Converted `json:"base,omitempty"`
	// Deductions are what the lines deduct of deposit invoices, in their order.
	Deductions []Deduction `json:"deductions,omitempty"`
	// Imported marks an invoice that another system had issued.
	Imported bool            `json:"imported,omitempty"`
	Personal *IssuedPersonal `cbor:"-" json:"personal,omitempty"`
}

// IssuedPersonal is the personal part of an issued invoice.
type IssuedPersonal struct {
	Buyer *customer.Profile `json:"buyer,omitempty"`
	Text  *Text             `json:"text,omitempty"`
}

// EventType implements domain.Event.
func (*Issued) EventType() string { return "invoice.issued" }

// Subject implements domain.Personal.
func (e *Issued) Subject() uuid.UUID { return e.Content.Customer }

// PersonalPart implements domain.Personal.
func (e *Issued) PersonalPart() any { return &e.Personal }

// References implements domain.Referenced.
func (e *Issued) References() []domain.Reference {
	number := domain.Reference{Kind: domain.DocumentNumber, Value: e.Number}
	return append([]domain.Reference{number}, e.Content.references()...)
}

// Credited takes a credit note off the invoice. It stands in the commit that
// issues the credit note, which is what is posted.
type Credited struct {
	// Credit is the stream of the credit note.
	Credit uuid.UUID `json:"credit"`
	// Applied is what the credit note takes off the open amount; Excess is the
	// rest, which became credit of the customer. Neither is below zero.
	Applied money.Amount `json:"applied"`
	Excess  money.Amount `json:"excess"`
	// Breakdown is the credit note's, per category and rate.
	Breakdown []tax.Subtotal `json:"breakdown"`
	// Base is what it takes off in the book's currency, nil where that is the
	// invoice's.
	Base *CreditedWorth `json:"base,omitempty"`
	// Rounding is the credit note's rounding amount.
	Rounding money.Amount `json:"rounding,omitzero"`
	// Returned is what the credit note gives back of the invoice's deductions.
	Returned []Deduction `json:"returned,omitempty"`
}

// CreditedWorth is what a credit note takes off an invoice, in the book's currency.
type CreditedWorth struct {
	Applied money.Amount `json:"applied"`
	// Rates are in the order of the breakdown.
	Rates []Sums `json:"rates"`
}

// applied is what is taken off the open amount, with its worth.
func (e *Credited) applied() exchange.Worth {
	if e.Base == nil {
		return exchange.Of(e.Applied, nil)
	}
	return exchange.Of(e.Applied, &e.Base.Applied)
}

// rate is what is taken off at one rate of the breakdown.
func (e *Credited) rate(i int) RateSum {
	r := RateSum{Rate: e.Breakdown[i].Rate, Taxable: e.Breakdown[i].Taxable, Tax: e.Breakdown[i].Tax}
	if e.Base != nil && i < len(e.Base.Rates) {
		r.Base = &e.Base.Rates[i]
	}
	return r
}

// EventType implements domain.Event.
func (*Credited) EventType() string { return "invoice.credited" }

// Allocated takes funds of a payment or credit note off what is open. It stands
// in the commit of funds.Allocated, which is what is posted.
type Allocated struct {
	Source domain.StreamID `json:"source"`
	// Amount is above zero.
	Amount money.Amount `json:"amount"`
	// Base is what it was worth in the book's currency when it was opened; nil
	// in that currency.
	Base *money.Amount `json:"base,omitempty"`
	Date domain.Date   `json:"date"`
}

// EventType implements domain.Event.
func (*Allocated) EventType() string { return "invoice.allocated" }

// Unallocated takes an Allocated back, or part of it: the invoice is open again.
// It stands in the commit of funds.Released, which is what is posted.
type Unallocated struct {
	Source domain.StreamID `json:"source"`
	// Amount is above zero.
	Amount money.Amount `json:"amount"`
	// Base is what it was worth in the book's currency when it was opened; nil
	// in that currency.
	Base *money.Amount `json:"base,omitempty"`
	Date domain.Date   `json:"date"`
}

// EventType implements domain.Event.
func (*Unallocated) EventType() string { return "invoice.unallocated" }

// WrittenOff takes what will not be paid off the open amount, tax included.
type WrittenOff struct {
	Customer uuid.UUID `json:"customer"`
	// Amount is above zero.
	Amount money.Amount  `json:"amount"`
	Base   *money.Amount `json:"base,omitempty"`
	Date   domain.Date   `json:"date"`
	Reason string        `json:"reason"`
}

// EventType implements domain.Event.
func (*WrittenOff) EventType() string { return "invoice.written-off" }

// Relieved takes the tax on what was written off back from the tax payable.
type Relieved struct {
	Customer uuid.UUID `json:"customer"`
	// Relief is what is taken back, per category and rate.
	Relief []RateSum   `json:"relief"`
	Date   domain.Date `json:"date"`
	Reason string      `json:"reason"`
}

// EventType implements domain.Event.
func (*Relieved) EventType() string { return "invoice.relieved" }

// Recovered takes a write-off back, or part of it, because the invoice is paid
// or credited after all, and with it the relief, pro rata.
type Recovered struct {
	Customer uuid.UUID `json:"customer"`
	// By is what it is paid or credited with.
	By domain.StreamID `json:"by"`
	// Amount is what is open again; it is zero where a credit note takes back
	// what was relieved, and nothing else.
	Amount money.Amount  `json:"amount"`
	Base   *money.Amount `json:"base,omitempty"`
	// Relief is what is payable again, per category and rate.
	Relief []RateSum   `json:"relief,omitempty"`
	Date   domain.Date `json:"date"`
}

// EventType implements domain.Event.
func (*Recovered) EventType() string { return "invoice.recovered" }

// Deducted takes what an invoice deducts off a deposit invoice. It stands in the
// commit that issues the other invoice, which is what is posted.
type Deducted struct {
	Invoice uuid.UUID   `json:"invoice"`
	Sums    []RateSum   `json:"sums"`
	Date    domain.Date `json:"date"`
}

// EventType implements domain.Event.
func (*Deducted) EventType() string { return "invoice.deducted" }

// DeductionReturned takes a Deducted back, or part of it, because a credit note
// gives it back. It stands in the commit that issues the credit note, which is
// what is posted.
type DeductionReturned struct {
	Invoice uuid.UUID   `json:"invoice"`
	Credit  uuid.UUID   `json:"credit"`
	Sums    []RateSum   `json:"sums"`
	Date    domain.Date `json:"date"`
}

// EventType implements domain.Event.
func (*DeductionReturned) EventType() string { return "invoice.deduction-returned" }
