package invoice

import (
	"slices"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/money"
)

// LoadIssued gives the state of an issued invoice, or refuses: unknown-invoice,
// not-issued.
func LoadIssued(s domain.States, c domain.StreamID) (State, error) {
	state, err := Load(s, c.ID)
	if err == nil && state.Stage != StatusIssued {
		err = domain.Refuse("not-issued", "the invoice %s is %s, and nothing is open of it", c.ID, state.Stage).
			WithHint("edit, issue or discard the draft instead")
	}
	return state, err
}

// OpenFrom refuses a date on which what is open now was not yet open:
// before-invoice.
func (s State) OpenFrom(date domain.Date) error {
	if date < s.Date {
		return domain.Refuse("before-invoice", "%s is before %s, the date of the invoice %s", date, s.Date, s.Number)
	}
	if date < s.Reopened {
		return domain.Refuse("before-invoice", "%s is before %s, the date on which the invoice %s was opened again",
			date, s.Reopened, s.Number)
	}
	return nil
}

// settle takes an amount off what is open, and adds it to one of the sums of
// what was taken off.
func (s *State) settle(e domain.Event, moved exchange.Worth, sum *money.Amount) error {
	open, err := s.Owed().Sub(moved)
	if err != nil {
		return err
	}
	s.Open, s.OpenBase = open.Amount, open.Base
	if *sum, err = sum.Add(moved.Amount); err != nil {
		return err
	}
	if moved.Amount.Sign() <= 0 || !open.Sound() {
		return domain.OutOfSequence("an invoice with less open", e)
	}
	return nil
}

// reopen is the reverse of settle.
func (s *State) reopen(e domain.Event, moved exchange.Worth, sum *money.Amount) error {
	open, err := s.Owed().Add(moved)
	if err != nil {
		return err
	}
	s.Open, s.OpenBase = open.Amount, open.Base
	if *sum, err = sum.Sub(moved.Amount); err != nil {
		return err
	}
	if moved.Amount.Sign() < 0 || sum.Sign() < 0 || !open.Sound() {
		return domain.OutOfSequence("an invoice of which less was taken off", e)
	}
	return nil
}

func (s State) allocate(e *Allocated) (domain.State, error) {
	if e.Date < s.Reopened {
		return nil, domain.OutOfSequence("an invoice that was open later", e)
	}
	err := s.settle(e, exchange.Of(e.Amount, e.Base), &s.Allocated)
	return s, err
}

func (s State) unallocate(e *Unallocated) (domain.State, error) {
	s.Reopened = max(s.Reopened, e.Date)
	err := s.reopen(e, exchange.Of(e.Amount, e.Base), &s.Allocated)
	return s, err
}

func (s State) writeOff(e *WrittenOff) (domain.State, error) {
	if e.Date < s.Reopened {
		return nil, domain.OutOfSequence("an invoice that was open later", e)
	}
	s.WrittenOffOn = max(s.WrittenOffOn, e.Date)
	moved := exchange.Of(e.Amount, e.Base)
	off, err := s.off().Add(moved)
	if err != nil {
		return nil, err
	}
	s.WrittenOffBase = off.Base
	err = s.settle(e, moved, &s.WrittenOff)
	return s, err
}

func (s State) relieve(e *Relieved) (domain.State, error) {
	s.WrittenOffOn = max(s.WrittenOffOn, e.Date)
	relieved, err := s.summed(s.Relieved, e.Relief, exchange.Worth.Add)
	if err != nil {
		return nil, err
	}
	s.Relieved = relieved
	if s.WrittenOff.Sign() <= 0 || !s.reliefFits() {
		return nil, domain.OutOfSequence("an invoice of which less was written off", e)
	}
	return s, nil
}

func (s State) recover(e *Recovered) (domain.State, error) {
	moved := exchange.Of(e.Amount, e.Base)
	off, err := s.off().Sub(moved)
	if err != nil {
		return nil, err
	}
	if err := s.reopen(e, moved, &s.WrittenOff); err != nil {
		return nil, err
	}
	if s.WrittenOffBase = off.Base; !off.Sound() {
		return nil, domain.OutOfSequence("an invoice of which less was written off", e)
	}
	if s.Recovered, err = s.Recovered.Add(e.Amount); err != nil {
		return nil, err
	}
	if s.Relieved, err = s.summed(s.Relieved, e.Relief, exchange.Worth.Sub); err != nil {
		return nil, err
	}
	if !s.reliefFits() || s.WrittenOff.IsZero() && s.Relieved != nil {
		return nil, domain.OutOfSequence("an invoice of which less was relieved", e)
	}
	return s, nil
}

// summed gives sums in the order of Issued, nil for none, with others added or
// taken off; nil where nothing is left.
func (s State) summed(all, sums []RateSum, change func(a, b exchange.Worth) (exchange.Worth, error)) ([]RateSum, error) {
	all = s.whole(all)
	for _, sum := range sums {
		at := s.at(sum.Rate)
		if at < 0 {
			return nil, domain.OutOfSequence("an invoice without the rate", &Relieved{})
		}
		var err error
		if all[at], err = all[at].merge(sum, change); err != nil {
			return nil, err
		}
	}
	if !slices.ContainsFunc(all, RateSum.any) {
		return nil, nil
	}
	return all, nil
}

func (r RateSum) any() bool { return !r.Taxable.IsZero() || !r.Tax.IsZero() }

// whole is a copy of sums, one for each rate of the invoice: of nothing where
// they are nil.
func (s State) whole(sums []RateSum) []RateSum {
	if sums != nil {
		return slices.Clone(sums)
	}
	sums = make([]RateSum, len(s.Issued))
	for i := range sums {
		sums[i] = s.Issued[i].nothing()
	}
	return sums
}

// reliefFits reports whether no more is relieved at any rate than is left of it:
// what was issued less what was credited.
func (s State) reliefFits() bool {
	for _, sum := range s.Relieved {
		left, _, err := s.Left(sum.Rate)
		if err != nil || !within(sum.Taxable, left.Taxable) || !within(sum.Tax, left.Tax) {
			return false
		}
	}
	return true
}
