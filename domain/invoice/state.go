package invoice

import (
	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// Status is where an invoice stands. Issued and later ones are derived from
// the amounts.
type Status string

// The statuses.
const (
	StatusDraft     Status = "draft"
	StatusApproved  Status = "approved"
	StatusDiscarded Status = "discarded"
	// StatusIssued is an invoice of which an amount is open, nothing of it paid.
	StatusIssued   Status = "issued"
	StatusPartPaid Status = "part-paid"
	// StatusPaid is an invoice of which nothing is open, or never was.
	StatusPaid Status = "paid"
	// StatusCredited is an invoice of which nothing is open because credit
	// notes took off all that was due.
	StatusCredited Status = "credited"
	// StatusUncollectible is an invoice of which nothing is open because what
	// was not paid was written off. What is paid after all makes it paid.
	StatusUncollectible Status = "uncollectible"
)

// Statuses lists all statuses in the order of an invoice's life.
func Statuses() []Status {
	return []Status{
		StatusDraft, StatusApproved, StatusDiscarded,
		StatusIssued, StatusPartPaid, StatusPaid, StatusCredited, StatusUncollectible,
	}
}

// StatusOf derives the status of an issued invoice from its amounts.
func StatusOf(due, open, allocated, credited, writtenOff money.Amount) Status {
	switch {
	case open.Sign() > 0 && allocated.Sign() > 0:
		return StatusPartPaid
	case open.Sign() > 0:
		return StatusIssued
	case writtenOff.Sign() > 0:
		return StatusUncollectible
	case due.Sign() > 0 && credited.Minor() == due.Minor():
		return StatusCredited
	default:
		return StatusPaid
	}
}

// RateSum is the sums of one category and rate.
type RateSum struct {
	Rate    tax.Rate     `json:"rate"`
	Taxable money.Amount `json:"taxable"`
	Tax     money.Amount `json:"tax"`
	// Base is the same in the book's currency; nil in that currency.
	Base *Sums `json:"base,omitempty"`
}

// State is what decisions need of an invoice. It is small once issued. The
// zero State is no invoice.
type State struct {
	// Stage is "", draft, approved, discarded or issued.
	Stage    Status    `json:"stage,omitempty"`
	Customer uuid.UUID `json:"customer,omitzero"`

	// Content and Text are those of a draft, and absent otherwise.
	Content *Content `json:"content,omitempty"`
	Text    *Text    `json:"text,omitempty"`

	// What follows is set at issue.
	Number   string         `json:"number,omitempty"`
	Date     domain.Date    `json:"date,omitempty"`
	DueDate  domain.Date    `json:"due_date,omitempty"`
	Currency money.Currency `json:"currency,omitzero"`
	// PricesIncludeTax is how the invoice was computed.
	PricesIncludeTax bool `json:"prices_include_tax,omitempty"`
	// Due is total − prepaid + rounding; Open is what is left of it.
	Due  money.Amount `json:"due"`
	Open money.Amount `json:"open"`
	// OpenBase and WrittenOffBase are what is open, and written off, worth in the
	// book's currency. Exchange is the invoice's rate.
	OpenBase       money.Amount  `json:"open_base"`
	WrittenOffBase money.Amount  `json:"written_off_base"`
	Exchange       exchange.Rate `json:"exchange,omitzero"`
	// Allocated, Credited (applied to the open amount) and WrittenOff are what
	// was taken off: Open = Due − Allocated − Credited − WrittenOff ≥ 0.
	Allocated  money.Amount `json:"allocated"`
	Credited   money.Amount `json:"credited"`
	WrittenOff money.Amount `json:"written_off"`
	// Rounding is the invoice's rounding amount; RoundingCredited is what
	// credit notes took back of it.
	Rounding         money.Amount `json:"rounding"`
	RoundingCredited money.Amount `json:"rounding_credited"`
	// Issued and CreditedByRate are the sums of the invoice and of its credit
	// notes, per category and rate, in the order of the invoice's breakdown.
	Issued         []RateSum `json:"issued,omitempty"`
	CreditedByRate []RateSum `json:"credited_by_rate,omitempty"`
	// Recovered is what of write-offs was taken back. Relieved is the relief
	// now, in the order of Issued; nil for none.
	Recovered money.Amount `json:"recovered"`
	Relieved  []RateSum    `json:"relieved,omitempty"`
	// Reopened is the last day on which an allocation was taken back, and
	// WrittenOffOn that of a write-off or relief; empty for none.
	Reopened     domain.Date `json:"reopened,omitempty"`
	WrittenOffOn domain.Date `json:"written_off_on,omitempty"`
	// Deposit says that it is a deposit invoice. Deducted is what other invoices
	// deduct of it now, in the order of Issued, nil for nothing; and Returned the
	// last day on which a deduction was given back.
	Deposit  bool        `json:"deposit,omitempty"`
	Deducted []RateSum   `json:"deducted,omitempty"`
	Returned domain.Date `json:"returned,omitempty"`
	// Deductions are what the invoice deducts of deposit invoices now.
	Deductions []Deduction `json:"deductions,omitempty"`
}

// Owed is what is open, with its worth.
func (s State) Owed() exchange.Worth { return exchange.Worth{Amount: s.Open, Base: s.OpenBase} }

// off is what is written off, with its worth.
func (s State) off() exchange.Worth {
	return exchange.Worth{Amount: s.WrittenOff, Base: s.WrittenOffBase}
}

// Status is where the invoice stands, "" for none.
func (s State) Status() Status {
	if s.Stage != StatusIssued {
		return s.Stage
	}
	return StatusOf(s.Due, s.Open, s.Allocated, s.Credited, s.WrittenOff)
}
