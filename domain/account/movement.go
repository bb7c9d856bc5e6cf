package account

import (
	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/funds"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/payment"
)

// postMovement gives the entry of a movement of money or of a write-off, one
// without postings for any other event.
func postMovement(e domain.Event, stream domain.StreamID) (Entry, error) {
	var p postings
	var customer uuid.UUID
	var date domain.Date
	switch e := e.(type) {
	case *payment.Received:
		customer, date = e.Customer, e.Date
		p.debit(Cash, e.Amount)
		p.credit(CustomerCredit, e.Amount)
	case *payment.Reversed:
		customer, date = e.Customer, e.Date
		taken, err := e.Amount.Sub(e.Claim)
		if err != nil {
			return Entry{}, err
		}
		p.debit(CustomerCredit, taken)
		p.receivable(stream, e.Claim)
		p.credit(Cash, e.Amount)
	case *funds.Allocated:
		customer, date = e.Customer, e.Date
		p.debit(CustomerCredit, e.Amount)
		p.receivable(e.Target, p.neg(e.Amount))
	case *funds.Released:
		customer, date = e.Customer, e.Date
		p.receivable(e.Target, e.Amount)
		p.credit(CustomerCredit, e.Amount)
	case *funds.Refunded:
		customer, date = e.Customer, e.Date
		p.debit(CustomerCredit, e.Amount)
		p.credit(Cash, e.Amount)
	case *funds.Drawn:
		customer, date = e.Customer, e.Date
		p.debit(CustomerCredit, e.Amount)
		p.credit(Prepayments, e.Amount)
	case *invoice.WrittenOff:
		customer, date = e.Customer, e.Date
		p.debit(BadDebt, e.Amount)
		p.receivable(stream, p.neg(e.Amount))
	case *invoice.Relieved:
		customer, date = e.Customer, e.Date
		p.relieve(e.Relief, false)
	case *invoice.Recovered:
		customer, date = e.Customer, e.Date
		p.receivable(stream, e.Amount)
		p.credit(BadDebt, e.Amount)
		p.relieve(e.Relief, true)
	}
	return Entry{Document: stream, Customer: customer, Date: date, Postings: p.list}, p.err
}

// relieve takes tax back from what is payable, to the good of bad debt; or gives
// it back.
func (p *postings) relieve(relief []invoice.RateSum, back bool) {
	for _, r := range relief {
		taxable, levied := p.neg(r.Taxable), p.neg(r.Tax)
		if back {
			taxable, levied = r.Taxable, r.Tax
		}
		p.tax(r.Rate, taxable, levied)
		p.debit(BadDebt, levied)
	}
}
