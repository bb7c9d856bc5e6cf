package invoice

import (
	"slices"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// Evolve implements domain.State.
func (s State) Evolve(event domain.Event) (domain.State, error) {
	if !s.takes(event) {
		at := string(s.Stage)
		if at == "" {
			at = "nothing"
		}
		return nil, domain.OutOfSequence(at, event)
	}
	switch e := event.(type) {
	case *Drafted:
		return draft(&e.Content, e.Personal), nil
	case *Edited:
		return draft(&e.Content, e.Personal), nil
	case *Approved:
		s.Stage = StatusApproved
		return s, nil
	case *Discarded:
		return State{Stage: StatusDiscarded, Customer: s.Customer}, nil
	case *Issued:
		return issued(e), nil
	case *Credited:
		return s.credit(e)
	case *Allocated:
		return s.allocate(e)
	case *Unallocated:
		return s.unallocate(e)
	case *WrittenOff:
		return s.writeOff(e)
	case *Relieved:
		return s.relieve(e)
	case *Recovered:
		return s.recover(e)
	case *Deducted:
		return s.deduct(e)
	case *DeductionReturned:
		return s.returnDeduction(e)
	default:
		return nil, domain.OutOfSequence(string(s.Stage), event)
	}
}

// takes reports whether the event may follow at the invoice's stage.
func (s State) takes(event domain.Event) bool {
	draft := s.Stage == StatusDraft || s.Stage == StatusApproved
	switch event.(type) {
	case *Drafted:
		return s.Stage == ""
	case *Edited, *Discarded:
		return draft
	case *Approved:
		return s.Stage == StatusDraft
	case *Issued:
		return s.Stage == "" || s.Stage == StatusApproved
	case *Credited, *Allocated, *Unallocated, *WrittenOff, *Relieved, *Recovered:
		return s.Stage == StatusIssued
	case *Deducted, *DeductionReturned:
		return s.Stage == StatusIssued && s.Deposit
	default:
		return false
	}
}

func draft(c *Content, t *Text) State {
	return State{Stage: StatusDraft, Customer: c.Customer, Content: c, Text: t}
}

func issued(e *Issued) State {
	zero := money.Zero(e.Content.Currency)
	figures := e.Base.Figures(e.Totals)
	s := State{
		Stage: StatusIssued, Customer: e.Content.Customer,
		Number: e.Number, Date: e.Date, DueDate: e.DueDate, Currency: e.Content.Currency,
		PricesIncludeTax: e.Content.PricesIncludeTax,
		Due:              e.Totals.Due, Open: e.Totals.Due,
		OpenBase: figures.Due.Base, WrittenOffBase: money.Zero(figures.Due.Base.Currency()), Exchange: e.Content.Exchange,
		Allocated: zero, Credited: zero, WrittenOff: zero, Recovered: zero,
		Rounding: e.Totals.Rounding, RoundingCredited: zero,
		Issued:         figures.Rates,
		CreditedByRate: make([]RateSum, len(e.Totals.Breakdown)),
		Deposit:        e.Content.Deposit, Deductions: e.Deductions,
	}
	for i, issued := range s.Issued {
		s.CreditedByRate[i] = issued.nothing()
	}
	return s
}

// credit takes a credit note off. It checks again what the decision checked:
// the open amount and the sums by rate do not go below nothing.
func (s State) credit(e *Credited) (domain.State, error) {
	open, err := s.Owed().Sub(e.applied())
	if err != nil {
		return nil, err
	}
	s.Open, s.OpenBase = open.Amount, open.Base
	if s.Credited, err = s.Credited.Add(e.Applied); err != nil {
		return nil, err
	}
	if s.RoundingCredited, err = s.RoundingCredited.Add(e.Rounding); err != nil {
		return nil, err
	}
	if !open.Sound() || e.Applied.Sign() < 0 || !within(s.RoundingCredited, s.Rounding) {
		return nil, domain.OutOfSequence("an invoice with less open", e)
	}
	s.CreditedByRate = slices.Clone(s.CreditedByRate)
	for i := range e.Breakdown {
		if err := s.creditRate(e, e.rate(i)); err != nil {
			return nil, err
		}
	}
	if !s.reliefFits() || !s.deductedFits() {
		return nil, domain.OutOfSequence("an invoice with less left", e)
	}
	s.Deductions, err = s.giveBack(e)
	return s, err
}

func (s State) creditRate(e *Credited, credited RateSum) error {
	at := s.at(credited.Rate)
	if at < 0 {
		return domain.OutOfSequence("an invoice without the rate", e)
	}
	sum := &s.CreditedByRate[at]
	var err error
	if *sum, err = sum.merge(credited, exchange.Worth.Add); err != nil {
		return err
	}
	if !within(sum.Taxable, s.Issued[at].Taxable) || !within(sum.Tax, s.Issued[at].Tax) {
		return domain.OutOfSequence("an invoice of less at the rate", e)
	}
	return nil
}

// at is where the sums of a rate stand, −1 where they do not.
func (s State) at(rate tax.Rate) int {
	at := slices.IndexFunc(s.Issued, func(sum RateSum) bool { return sum.Rate == rate })
	if at >= len(s.CreditedByRate) {
		return -1
	}
	return at
}

// within reports whether part lies between nothing and whole.
func within(part, whole money.Amount) bool {
	p, w := part.Minor(), whole.Minor()
	return 0 <= p && p <= w || w <= p && p <= 0
}

// Left is what is left to credit at a rate; found is false for a rate that is
// not on the invoice.
func (s State) Left(rate tax.Rate) (left RateSum, found bool, err error) {
	at := s.at(rate)
	if at < 0 {
		return RateSum{}, false, nil
	}
	left, err = s.Issued[at].merge(s.CreditedByRate[at], exchange.Worth.Sub)
	return left, true, err
}
