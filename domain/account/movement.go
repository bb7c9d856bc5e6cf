package account

import (
	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/exchange"
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
		received := exchange.Of(e.Amount, e.Base)
		p.debit(Cash, received)
		p.credit(CustomerCredit, received)
	case *payment.Reversed:
		customer, date = e.Customer, e.Date
		whole, claim, free, err := e.Worths()
		if err != nil {
			return Entry{}, err
		}
		p.debit(CustomerCredit, free)
		p.receivable(stream, claim)
		p.credit(Cash, whole)
		p.realise(p.add(free, claim), whole, false)
	case *funds.Allocated:
		customer, date = e.Customer, e.Date
		p.debit(CustomerCredit, e.Funds())
		p.receivable(e.Target, p.neg(e.Other()))
		p.realise(e.Funds(), e.Other(), false)
	case *funds.Released:
		customer, date = e.Customer, e.Date
		p.receivable(e.Target, e.Other())
		p.credit(CustomerCredit, e.Funds())
		p.realise(e.Funds(), e.Other(), true)
	case *funds.Refunded:
		customer, date = e.Customer, e.Date
		p.debit(CustomerCredit, e.Funds())
		p.credit(Cash, e.Other())
		p.realise(e.Funds(), e.Other(), false)
	case *funds.Drawn:
		customer, date = e.Customer, e.Date
		p.debit(CustomerCredit, e.Funds())
		p.credit(Prepayments, e.Other())
		p.realise(e.Funds(), e.Other(), false)
	case *invoice.WrittenOff:
		customer, date = e.Customer, e.Date
		off := exchange.Of(e.Amount, e.Base)
		p.debit(BadDebt, off)
		p.receivable(stream, p.neg(off))
	case *invoice.Relieved:
		customer, date = e.Customer, e.Date
		p.relieve(e.Relief, false)
	case *invoice.Recovered:
		customer, date = e.Customer, e.Date
		back := exchange.Of(e.Amount, e.Base)
		p.receivable(stream, back)
		p.credit(BadDebt, back)
		p.relieve(e.Relief, true)
	}
	return Entry{Document: stream, Customer: customer, Date: date, Postings: p.list}, p.err
}

// relieve takes tax back from what is payable, to the good of bad debt; or gives
// it back.
func (p *postings) relieve(relief []invoice.RateSum, back bool) {
	for _, r := range relief {
		taxable, levied := r.Worths()
		if !back {
			taxable, levied = p.neg(taxable), p.neg(levied)
		}
		p.tax(r.With(taxable, levied))
		p.debit(BadDebt, levied)
	}
}
