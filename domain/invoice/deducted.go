package invoice

import (
	"slices"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// Undeducted is what is left of an invoice at a rate to deduct or to credit:
// what was issued, less what was credited and what is deducted. found is false
// for a rate that is not on the invoice.
func (s State) Undeducted(rate tax.Rate) (left RateSum, found bool, err error) {
	left, found, err = s.Left(rate)
	if err != nil || !found || s.Deducted == nil {
		return left, found, err
	}
	left, err = left.merge(s.Deducted[s.at(rate)], exchange.Worth.Sub)
	return left, true, err
}

// UndeductedFrom refuses a date on which what is left of a deposit now was still
// deducted: before-invoice.
func (s State) UndeductedFrom(date domain.Date) error {
	if date < s.Returned {
		return domain.Refuse("before-invoice", "%s is before %s, the date on which a deduction of the deposit invoice %s was given back",
			date, s.Returned, s.Number)
	}
	return nil
}

// take gives the events by which deposit invoices are deducted at issue, one for
// each. It refuses a date on which there was less to deduct: before-invoice.
func (i issuing) take(s domain.States, all []Deduction) (changes []domain.Change, err error) {
	for id, sums := range byDeposit(all) {
		deposit, err := Load(s, id)
		if err != nil {
			return nil, err
		}
		if i.date < deposit.Date {
			return nil, domain.Refuse("before-invoice", "the date of issue %s is before %s, the date of the deposit invoice %s",
				i.date, deposit.Date, deposit.Number)
		}
		if err := deposit.UndeductedFrom(i.date); err != nil {
			return nil, err
		}
		changes = append(changes, domain.Change{
			Stream: Stream(id), Event: &Deducted{Invoice: i.stream.ID, Sums: sums, Date: i.date},
		})
	}
	return changes, nil
}

// GiveBack gives the events by which a credit note gives deductions back to the
// deposit invoices, one for each.
func GiveBack(invoice, credit uuid.UUID, date domain.Date, all []Deduction) (changes []domain.Change) {
	for id, sums := range byDeposit(all) {
		changes = append(changes, domain.Change{
			Stream: Stream(id), Event: &DeductionReturned{Invoice: invoice, Credit: credit, Sums: sums, Date: date},
		})
	}
	return changes
}

// byDeposit gives the sums of each deposit invoice, in the order in which they
// first come.
func byDeposit(all []Deduction) func(yield func(uuid.UUID, []RateSum) bool) {
	return func(yield func(uuid.UUID, []RateSum) bool) {
		for i, first := range all {
			if slices.ContainsFunc(all[:i], func(d Deduction) bool { return d.Invoice == first.Invoice }) {
				continue
			}
			var sums []RateSum
			for _, d := range all[i:] {
				if d.Invoice == first.Invoice {
					sums = append(sums, d.Sum)
				}
			}
			if !yield(first.Invoice, sums) {
				return
			}
		}
	}
}

func (s State) deduct(e *Deducted) (domain.State, error) {
	if e.Date < s.Date || e.Date < s.Returned {
		return nil, domain.OutOfSequence("a deposit invoice of which less was left", e)
	}
	return s.deducted(e, e.Sums, exchange.Worth.Add)
}

func (s State) returnDeduction(e *DeductionReturned) (domain.State, error) {
	s.Returned = max(s.Returned, e.Date)
	return s.deducted(e, e.Sums, exchange.Worth.Sub)
}

// deducted gives the state with sums deducted, or given back. It checks again
// what the decision checked: no more is deducted than is left.
func (s State) deducted(e domain.Event, sums []RateSum, change func(a, b exchange.Worth) (exchange.Worth, error)) (domain.State, error) {
	all, err := s.summed(s.Deducted, sums, change)
	if err != nil {
		return nil, err
	}
	if s.Deducted = all; len(sums) == 0 || !s.deductedFits() {
		return nil, domain.OutOfSequence("a deposit invoice with less left", e)
	}
	return s, nil
}

// deductedFits reports whether no more is deducted at any rate than is left of it.
func (s State) deductedFits() bool {
	for _, sum := range s.Deducted {
		left, _, err := s.Left(sum.Rate)
		if err != nil || !within(sum.Taxable, left.Taxable) || !within(sum.Tax, left.Tax) {
			return false
		}
	}
	return true
}

// Deduction gives what the invoice deducts now of a deposit invoice at a rate;
// found is false for nothing.
func (s State) Deduction(deposit uuid.UUID, rate tax.Rate) (d Deduction, found bool) {
	at := slices.IndexFunc(s.Deductions, func(d Deduction) bool { return d.Invoice == deposit && d.Sum.Rate == rate })
	if at < 0 {
		return d, false
	}
	return s.Deductions[at], true
}

// Share gives a part of what is deducted, with its share of the worth.
func (d Deduction) Share(part RateSum) (Deduction, error) {
	sum, err := d.Sum.share(part)
	d.Sum = sum
	return d, err
}

// giveBack takes deductions off what the invoice deducts, nil where nothing is
// left.
func (s State) giveBack(e *Credited) ([]Deduction, error) {
	left := slices.Clone(s.Deductions)
	for _, back := range e.Returned {
		at := slices.IndexFunc(left, func(d Deduction) bool { return d.Invoice == back.Invoice && d.Sum.Rate == back.Sum.Rate })
		if at < 0 {
			return nil, domain.OutOfSequence("an invoice that deducts no such deposit", e)
		}
		sum := &left[at].Sum
		if !within(back.Sum.Taxable, sum.Taxable) || !within(back.Sum.Tax, sum.Tax) {
			return nil, domain.OutOfSequence("an invoice that deducts less", e)
		}
		var err error
		if *sum, err = sum.merge(back.Sum, exchange.Worth.Sub); err != nil {
			return nil, err
		}
		if !sum.any() {
			left = slices.Delete(left, at, at+1)
		}
	}
	if len(left) == 0 {
		return nil, nil
	}
	return left, nil
}
