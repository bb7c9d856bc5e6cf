package invoice

import (
	"slices"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/field"
	"github.com/daybook-ledger/daybook/domain/money"
)

// Validate checks the form of the command.
func (c *WriteOff) Validate() error {
	if err := field.Date("date of the write-off", c.Date); err != nil {
		return err
	}
	return field.Reason("write-off", c.Reason)
}

// Decide implements domain.Command.
func (c *WriteOff) Decide(s domain.States, m domain.Moment) ([]domain.Change, error) {
	state, err := LoadIssued(s, c.Stream())
	if err != nil {
		return nil, err
	}
	amount := c.Amount
	if amount.IsZero() {
		amount = state.Open
	}
	switch {
	case amount.Currency() != state.Currency:
		return nil, domain.Refuse("foreign-currency", "the invoice %s is in %s, not in %s",
			state.Number, state.Currency, amount.Currency())
	case amount.Sign() < 0:
		return nil, domain.Refuse("invalid-amount", "%s cannot be written off", amount)
	case state.Open.IsZero():
		return nil, domain.Refuse("nothing-open", "nothing is open of the invoice %s", state.Number)
	case amount.Minor() > state.Open.Minor():
		return nil, domain.Refuse("over-written-off", "%s would be written off, but only %s is open of the invoice %s",
			amount, state.Open, state.Number)
	}
	if err := state.OpenFrom(c.Date); err != nil {
		return nil, err
	}
	if err := field.NotAhead("date of the write-off", c.Date, m); err != nil {
		return nil, err
	}
	off, err := state.Owed().Part(amount)
	if err != nil {
		return nil, err
	}
	return one(c, &WrittenOff{Customer: state.Customer, Amount: amount, Base: off.Told(), Date: c.Date, Reason: c.Reason}), nil
}

// Validate checks the form of the command.
func (c *Relieve) Validate() error {
	if err := field.Date("date of the relief", c.Date); err != nil {
		return err
	}
	return field.Reason("relief", c.Reason)
}

// Decide implements domain.Command.
func (c *Relieve) Decide(s domain.States, m domain.Moment) ([]domain.Change, error) {
	state, err := LoadIssued(s, c.Stream())
	if err != nil {
		return nil, err
	}
	if state.WrittenOff.IsZero() {
		return nil, domain.Refuse("not-written-off", "nothing of the invoice %s is written off", state.Number).
			WithHint("write it off first")
	}
	if err := state.writtenOffFrom(c.Date); err != nil {
		return nil, err
	}
	if err := field.NotAhead("date of the relief", c.Date, m); err != nil {
		return nil, err
	}
	relief, err := state.relievable()
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(relief, func(r RateSum) bool { return !r.Tax.IsZero() }) {
		return nil, domain.Refuse("nothing-to-relieve", "no tax is left to take back on what was written off of the invoice %s", state.Number)
	}
	return one(c, &Relieved{Customer: state.Customer, Relief: relief, Date: c.Date, Reason: c.Reason}), nil
}

// writtenOffFrom refuses a date on which what is written off, or relieved, now
// was not yet: before-write-off.
func (s State) writtenOffFrom(date domain.Date) error {
	if date < s.WrittenOffOn {
		return domain.Refuse("before-write-off", "%s is before %s, the date on which the invoice %s was written off or relieved",
			date, s.WrittenOffOn, s.Number)
	}
	return nil
}

// relievable is the tax on what is written off, less what is relieved already:
// of each rate the share that the write-off has in what is left of the invoice.
func (s State) relievable() ([]RateSum, error) {
	total := s.Rounding.Minor() - s.RoundingCredited.Minor()
	lefts := make([]RateSum, len(s.Issued))
	for i := range s.Issued {
		left, _, err := s.Left(s.Issued[i].Rate)
		if err != nil {
			return nil, err
		}
		lefts[i] = left
		total += left.Taxable.Minor() + left.Tax.Minor()
	}
	off := min(s.WrittenOff.Minor(), total)
	if off <= 0 {
		return nil, nil
	}
	relieved := s.whole(s.Relieved)
	var relief []RateSum
	for i, left := range lefts {
		sum := RateSum{Rate: left.Rate}
		var err error
		if sum.Taxable, err = lacking(left.Taxable, relieved[i].Taxable, off, total); err != nil {
			return nil, err
		}
		if sum.Tax, err = lacking(left.Tax, relieved[i].Tax, off, total); err != nil {
			return nil, err
		}
		if !sum.any() {
			continue
		}
		unrelieved, err := left.merge(relieved[i], exchange.Worth.Sub)
		if err != nil {
			return nil, err
		}
		if sum, err = unrelieved.share(sum); err != nil {
			return nil, err
		}
		relief = append(relief, sum)
	}
	return relief, nil
}

// lacking is the share off/total of an amount, less what there is of it already;
// nothing where there is more.
func lacking(of, already money.Amount, off, total int64) (money.Amount, error) {
	parts, err := of.Allocate([]int64{off, total - off})
	if err != nil {
		return of, err
	}
	lack, err := parts[0].Sub(already)
	if err != nil || lack.Sign() != of.Sign() {
		return money.Zero(of.Currency()), err
	}
	return lack, nil
}

// Recover gives the event that takes back so much of the write-off, and the
// relief pro rata, because of what by pays or credits on a date; nil where there
// is nothing to take back. credited is what a credit note is about to take off
// the invoice's rates: no more stays relieved than is left. It refuses a date
// before that of the write-off: before-write-off.
func (s State) Recover(amount money.Amount, by domain.StreamID, date domain.Date, credited []RateSum) (*Recovered, error) {
	recovered, err := s.off().Part(amount)
	if err != nil {
		return nil, err
	}
	e := &Recovered{Customer: s.Customer, By: by, Amount: amount, Base: recovered.Told(), Date: date}
	off := s.WrittenOff.Minor()
	for _, relieved := range s.Relieved {
		left, _, err := s.Left(relieved.Rate)
		if err != nil {
			return nil, err
		}
		for _, c := range credited {
			if c.Rate != relieved.Rate {
				continue
			}
			if left, err = left.merge(c, exchange.Worth.Sub); err != nil {
				return nil, err
			}
		}
		taxable, levied := relieved.Worths()
		leftTaxable, leftTax := left.Worths()
		if taxable, err = beyond(taxable, leftTaxable, amount.Minor(), off); err != nil {
			return nil, err
		}
		if levied, err = beyond(levied, leftTax, amount.Minor(), off); err != nil {
			return nil, err
		}
		if back := relieved.With(taxable, levied); back.any() {
			e.Relief = append(e.Relief, back)
		}
	}
	if amount.IsZero() && e.Relief == nil {
		return nil, nil
	}
	return e, s.writtenOffFrom(date)
}

// beyond is what of a relieved amount is taken back when so much of the
// write-off is: its share, and what would stay beyond what is left. Where all that
// is left stays relieved, so does all of its worth.
func beyond(relieved, left exchange.Worth, recovered, off int64) (exchange.Worth, error) {
	parts, err := relieved.Amount.Allocate([]int64{off - recovered, recovered})
	if err != nil {
		return relieved, err
	}
	stays, l := parts[0].Minor(), left.Amount.Minor()
	if relieved.Amount.Sign() < 0 {
		stays = min(max(stays, l), 0)
	} else {
		stays = max(min(stays, l), 0)
	}
	kept, err := relieved.Part(money.New(stays, relieved.Amount.Currency()))
	if err != nil {
		return relieved, err
	}
	if stays != 0 && (stays == l || !within(kept.Base, left.Base)) {
		kept.Base = left.Base
	}
	return relieved.Sub(kept)
}
