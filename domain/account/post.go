package account

import (
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/credit"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// ErrUnbalanced means that an entry's debits and credits differ, in a currency
// or in the book's.
var ErrUnbalanced = errors.New("account: the entry does not balance")

// Post gives the entries that an event of a stream amounts to, none for an
// event without financial effect. What happens is posted once, by the event in
// the stream that it happens to: a credit note by its own, an allocation by that
// of the funds. Those that follow from it in the streams of invoices and
// customers have no entries. Every entry that is returned balances in each
// currency, and in the book's.
func Post(e domain.Event, stream domain.StreamID) ([]Entry, error) {
	entry := Entry{Document: stream}
	var err error
	switch e := e.(type) {
	case *invoice.Issued:
		entry.Customer, entry.Date = e.Content.Customer, e.Date
		entry.Postings, err = postInvoice(e, stream.ID)
	case *credit.Issued:
		entry.Customer, entry.Date = e.Content.Customer, e.Date
		entry.Postings, err = postCredit(e)
	default:
		if entry, err = postMovement(e, stream); entry.Postings == nil && err == nil {
			return nil, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("account: post %s: %w", e.EventType(), err)
	}
	if err := entry.Check(); err != nil {
		return nil, err
	}
	return []Entry{entry}, nil
}

// Check gives ErrUnbalanced unless the postings sum to nothing in each
// currency, and their bases in the book's.
func (e Entry) Check() error {
	seen := make(map[money.Currency]bool, 1)
	for _, p := range e.Postings {
		currency := p.Amount.Currency()
		if seen[currency] {
			continue
		}
		seen[currency] = true
		var amounts []money.Amount
		for _, q := range e.Postings {
			if q.Amount.Currency() == currency {
				amounts = append(amounts, q.Amount)
			}
		}
		if err := e.balance(currency, amounts); err != nil {
			return err
		}
	}
	var base money.Currency
	bases := make([]money.Amount, len(e.Postings))
	for i, p := range e.Postings {
		bases[i] = p.Base
		if base.IsZero() {
			base = p.Base.Currency()
		}
	}
	return e.balance(base, bases)
}

func (e Entry) balance(currency money.Currency, amounts []money.Amount) error {
	sum, err := money.Sum(currency, amounts...)
	if err != nil {
		return fmt.Errorf("account: add up %s: %w", e.Document, err)
	}
	if !sum.IsZero() {
		return fmt.Errorf("%w: %s is %s %s off", ErrUnbalanced, e.Document, sum, currency)
	}
	return nil
}

// postings collects the postings of an entry; the first error sticks.
type postings struct {
	list []Posting
	err  error
}

func (p *postings) debit(a Account, amount money.Amount) {
	if !amount.IsZero() {
		p.list = append(p.list, Posting{Account: a, Amount: amount, Base: amount})
	}
}

func (p *postings) credit(a Account, amount money.Amount) {
	p.debit(a, p.neg(amount))
}

// receivable debits Receivables for an open item.
func (p *postings) receivable(item domain.StreamID, amount money.Amount) {
	if !amount.IsZero() {
		p.list = append(p.list, Posting{Account: Receivables, Amount: amount, Base: amount, Item: item})
	}
}

// tax credits TaxPayable, also with nothing: the tax report counts what was
// sold without tax as well.
func (p *postings) tax(rate tax.Rate, taxable, levied money.Amount) {
	credited := p.neg(levied)
	p.list = append(p.list, Posting{
		Account: TaxPayable, Amount: credited, Base: credited,
		Tax: &TaxMark{Rate: rate, Taxable: taxable, Base: taxable},
	})
}

// reportBy sets the tax point of what was taxed so far.
func (p *postings) reportBy(point domain.Date) {
	for _, posting := range p.list {
		if posting.Tax != nil {
			posting.Tax.Point = point
		}
	}
}

func (p *postings) add(a, b money.Amount) money.Amount {
	sum, err := a.Add(b)
	if err != nil && p.err == nil {
		p.err = err
	}
	return sum
}

func (p *postings) neg(amount money.Amount) money.Amount {
	negated, err := amount.Neg()
	if err != nil && p.err == nil {
		p.err = err
	}
	return negated
}

func postInvoice(e *invoice.Issued, id uuid.UUID) ([]Posting, error) {
	var p postings
	p.receivable(invoice.Stream(id), e.Totals.Due)
	p.debit(Prepayments, e.Totals.Prepaid)
	p.sell(&e.Content, e.Totals, e.Deductions, false)
	p.reportBy(e.TaxPoint)
	return p.list, p.err
}

func postCredit(e *credit.Issued) ([]Posting, error) {
	var p postings
	p.sell(&e.Content, e.Totals, e.Returned, true)
	p.receivable(invoice.Stream(e.Invoice), p.neg(e.Applied))
	p.credit(CustomerCredit, e.Excess)
	return p.list, p.err
}

// sell credits what a document sells: a deposit to Deposits, else to Revenue what
// the parts come to that deduct no deposit, and debits the deposits deducted. On a
// credit note everything is turned round.
func (p *postings) sell(c *invoice.Content, t tax.Totals, deductions []invoice.Deduction, back bool) {
	credit := func(a Account, amount money.Amount) {
		if back {
			amount = p.neg(amount)
		}
		p.credit(a, amount)
	}
	net, invoiced := money.Zero(c.Currency), money.Zero(c.Currency) // of what is deducted, negative
	for i := range c.Lines {
		if c.Lines[i].Deducts != uuid.Nil {
			net = p.add(net, t.LineNets[i])
		}
	}
	for _, d := range deductions {
		invoiced = p.add(invoiced, p.neg(d.Sum.Taxable))
	}
	if c.Deposit {
		credit(Deposits, t.Net)
	} else {
		credit(Revenue, p.add(t.Net, p.neg(net)))
		credit(Deposits, invoiced)
	}
	for _, s := range t.Breakdown {
		if back {
			s.Taxable, s.Tax = p.neg(s.Taxable), p.neg(s.Tax)
		}
		p.tax(s.Rate, s.Taxable, s.Tax)
	}
	credit(Rounding, p.add(t.Rounding, p.add(net, p.neg(invoiced))))
}
