package account

import (
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/credit"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/period"
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
	case *period.Settled, *period.Reopened:
		return postPeriod(e, stream)
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

func (p *postings) debit(a Account, w exchange.Worth) {
	p.post(Posting{Account: a, Amount: w.Amount, Base: w.Base})
}

func (p *postings) credit(a Account, w exchange.Worth) { p.debit(a, p.neg(w)) }

// receivable debits Receivables for an open item.
func (p *postings) receivable(item domain.StreamID, w exchange.Worth) {
	p.post(Posting{Account: Receivables, Amount: w.Amount, Base: w.Base, Item: item})
}

func (p *postings) post(posting Posting) {
	if !posting.Amount.IsZero() || !posting.Base.IsZero() {
		p.list = append(p.list, posting)
	}
}

// tax credits TaxPayable, also with nothing: the tax report counts what was
// sold without tax as well.
func (p *postings) tax(r invoice.RateSum) {
	taxable, levied := r.Worths()
	credited := p.neg(levied)
	p.list = append(p.list, Posting{
		Account: TaxPayable, Amount: credited.Amount, Base: credited.Base,
		Tax: &TaxMark{Rate: r.Rate, Taxable: taxable.Amount, Base: taxable.Base},
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

// realise posts what two sides of a movement differ by in the book's currency: a
// gain where taken was worth more than given, else a loss. Where the movement is
// taken back, so is that.
func (p *postings) realise(taken, given exchange.Worth, back bool) {
	difference := p.add(exchange.Worth{Base: taken.Base}, p.neg(exchange.Worth{Base: given.Base}))
	difference.Amount = money.Zero(taken.Amount.Currency())
	to := ExchangeGain
	if difference.Base.Sign() < 0 {
		to = ExchangeLoss
	}
	if back {
		difference = p.neg(difference)
	}
	p.credit(to, difference)
}

func (p *postings) add(a, b exchange.Worth) exchange.Worth { return p.keep(a.Add(b)) }

func (p *postings) neg(w exchange.Worth) exchange.Worth { return p.keep(exchange.Worth{}.Sub(w)) }

func (p *postings) keep(w exchange.Worth, err error) exchange.Worth {
	if err != nil && p.err == nil {
		p.err = err
	}
	return w
}

func postInvoice(e *invoice.Issued, id uuid.UUID) ([]Posting, error) {
	var p postings
	f := e.Base.Figures(e.Totals)
	p.receivable(invoice.Stream(id), f.Due)
	p.debit(Prepayments, f.Prepaid)
	p.sell(&e.Content, e.Totals, f, e.Deductions, false)
	p.reportBy(e.TaxPoint)
	return p.list, p.err
}

func postCredit(e *credit.Issued) ([]Posting, error) {
	var p postings
	p.sell(&e.Content, e.Totals, e.Figures(), e.Returned, true)
	applied, excess := e.Shares()
	p.receivable(invoice.Stream(e.Invoice), p.neg(applied))
	p.credit(CustomerCredit, excess)
	return p.list, p.err
}

// sell credits what a document sells: a deposit to Deposits, else to Revenue what
// the parts come to that deduct no deposit, and debits the deposits deducted. On a
// credit note everything is turned round.
func (p *postings) sell(c *invoice.Content, t tax.Totals, f invoice.Figures, deductions []invoice.Deduction, back bool) {
	credit := func(a Account, w exchange.Worth) {
		if back {
			w = p.neg(w)
		}
		p.credit(a, w)
	}
	nothing := exchange.Worth{Amount: money.Zero(c.Currency), Base: money.Zero(f.Net.Base.Currency())}
	invoiced := nothing // of what is deducted
	for _, d := range deductions {
		taxable, _ := d.Sum.Worths()
		invoiced = p.add(invoiced, taxable)
	}
	off := p.odd(c, t, invoiced)
	if c.Deposit {
		credit(Deposits, f.Net)
	} else {
		credit(Revenue, p.add(p.add(f.Net, invoiced), p.neg(off)))
		credit(Deposits, p.neg(invoiced))
	}
	for _, r := range f.Rates {
		if back {
			taxable, levied := r.Worths()
			r = r.With(p.neg(taxable), p.neg(levied))
		}
		p.tax(r)
	}
	credit(Rounding, p.add(f.Rounding, off))
}

// odd is the cents by which the lines that deduct deposits are off what was
// invoiced.
func (p *postings) odd(c *invoice.Content, t tax.Totals, invoiced exchange.Worth) exchange.Worth {
	off := exchange.Worth{Amount: invoiced.Amount}
	for i := range c.Lines {
		if c.Lines[i].Deducts != uuid.Nil {
			off = p.add(off, exchange.Worth{Amount: t.LineNets[i]})
		}
	}
	return p.keep(c.Exchange.Value(off.Amount, invoiced.Base.Currency()))
}
