package invoice

import (
	"slices"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// Deduction is what one line deducts of a deposit invoice at one rate.
type Deduction struct {
	Invoice uuid.UUID `json:"invoice"`
	// Number (BT-25) and Date (BT-26) are the deposit invoice's.
	Number string      `json:"number"`
	Date   domain.Date `json:"date"`
	// Sum is the part of the deposit invoice, above zero: its net, and the tax
	// that goes with it. The tax of the deducting invoice is computed by itself
	// (BR-CO-17), and may differ from it by the cents of rounding.
	Sum RateSum `json:"sum"`
}

// Deducts reports whether a line of the content deducts a deposit.
func (c *Content) Deducts() bool {
	return slices.ContainsFunc(c.Lines, func(l Line) bool { return l.Deducts != uuid.Nil })
}

// validateDeductions checks the form of the lines that deduct deposits.
func (c *Content) validateDeductions() error {
	seen := map[deduction]bool{}
	for i := range c.Lines {
		line := &c.Lines[i]
		if line.Deducts == uuid.Nil {
			continue
		}
		key := deduction{line.Deducts, line.Rate}
		amount, whole := line.deducted(c.Currency)
		switch {
		case c.Deposit:
			return domain.Refuse("deposit-deducts", "line %d: a deposit invoice deducts no other", i+1)
		case !whole || amount.Sign() <= 0 || line.Quantity != money.IntegerDecimal(-1) || !line.BaseQuantity.IsZero() || line.Adjustments != nil:
			return domain.Refuse("invalid-deduction", "line %d: a deposit is deducted with the quantity -1 and, as price, an amount above zero", i+1).
				WithHint("leave out base quantity, allowances and charges")
		case seen[key]:
			return domain.Refuse("invalid-deduction", "line %d: the deposit invoice is deducted at %s in another line already", i+1, line.Rate).
				WithHint("deduct the sum in one line")
		}
		seen[key] = true
	}
	return nil
}

// deduction is what a line deducts: a deposit invoice, at one of its rates.
type deduction struct {
	invoice uuid.UUID
	rate    tax.Rate
}

// deducted is the amount that a line deducts, with tax where prices include it;
// whole is false where its price is no amount of the currency.
func (l *Line) deducted(c money.Currency) (amount money.Amount, whole bool) {
	amount, err := money.ParseAmount(l.Price.String(), c)
	return amount, err == nil
}

// deductions gives what the content deducts of deposit invoices as they are now,
// and the totals with the deducted nets as they were invoiced.
func (c *Content) deductions(s domain.States, t tax.Totals) (tax.Totals, []Deduction, error) {
	if c.Deposit {
		return t, nil, checkDeposit(t)
	}
	var all []Deduction
	for i := range c.Lines {
		line := &c.Lines[i]
		if line.Deducts == uuid.Nil {
			continue
		}
		deposit, err := c.deposit(s, line.Deducts)
		if err != nil {
			return t, nil, err
		}
		left, found, err := deposit.Undeducted(line.Rate)
		if err != nil {
			return t, nil, err
		}
		if !found {
			return t, nil, domain.Refuse("rate-not-on-invoice", "the deposit invoice %s has nothing at %s", deposit.Number, line.Rate).
				WithHint("deduct at the rates of the deposit invoice")
		}
		sum, fits, err := c.Part(line, left)
		if err != nil {
			return t, nil, err
		}
		if !fits {
			return t, nil, domain.Refuse("over-deducted", "%s would be deducted at %s, but only %s and %s of tax are left of the deposit invoice %s",
				line.Price, line.Rate, left.Taxable, left.Tax, deposit.Number).
				WithHint("deduct what was invoiced, less what was credited and deducted of it")
		}
		if sum, err = left.share(sum); err != nil {
			return t, nil, err
		}
		all = append(all, Deduction{Invoice: line.Deducts, Number: deposit.Number, Date: deposit.Date, Sum: sum})
	}
	return t, all, c.SettleDeductions(&t, all)
}

// checkDeposit refuses a deposit invoice that gives something back.
func checkDeposit(t tax.Totals) error {
	for _, subtotal := range t.Breakdown {
		if subtotal.Taxable.Sign() < 0 {
			return domain.Refuse("negative-deposit", "the amount at %s is %s: a deposit gives nothing back", subtotal.Rate, subtotal.Taxable)
		}
	}
	return nil
}

// deposit gives a deposit invoice that the content may deduct, or refuses.
func (c *Content) deposit(s domain.States, id uuid.UUID) (State, error) {
	state, err := LoadIssued(s, Stream(id))
	switch {
	case err != nil:
		return state, err
	case !state.Deposit:
		return state, domain.Refuse("not-a-deposit", "the invoice %s is not a deposit invoice", state.Number).
			WithHint("take back what was sold by a credit note")
	case state.Customer != c.Customer:
		return state, domain.Refuse("customer-mismatch", "the deposit invoice %s is another customer's", state.Number)
	case state.Currency != c.Currency:
		return state, domain.Refuse("foreign-currency", "the deposit invoice %s is in %s, not in %s", state.Number, state.Currency, c.Currency)
	}
	return state, nil
}

// Part gives what a line that deducts takes of what is left at its rate; fits is
// false where that is less.
func (c *Content) Part(line *Line, left RateSum) (sum RateSum, fits bool, err error) {
	amount, whole := line.deducted(c.Currency)
	if !whole {
		return sum, false, nil
	}
	sum = RateSum{Rate: line.Rate, Taxable: amount}
	if !c.PricesIncludeTax {
		sum.Tax, err = money.Percent(amount, line.Rate.Percent, c.Rounding)
	} else if sum.Tax, err = money.TaxWithin(amount, line.Rate.Percent, c.Rounding); err == nil {
		sum.Taxable, err = amount.Sub(sum.Tax)
	}
	if err != nil {
		return sum, false, err
	}
	sum, fits = left.Part(sum, c.PricesIncludeTax)
	return sum, fits, nil
}

// Part gives the part of what is left that a sum takes, neither below zero; fits
// is false where the sum is more. Where it was computed from gross prices its
// total stands, and tax gives way; else its net stands. It takes no more tax than
// is left, and with the last of the net the last of the tax.
func (left RateSum) Part(sum RateSum, gross bool) (part RateSum, fits bool) {
	net, levied := sum.Taxable.Minor(), sum.Tax.Minor()
	leftNet, leftTax := left.Taxable.Minor(), left.Tax.Minor()
	total := net + levied
	switch {
	case gross && total > leftNet+leftTax, !gross && net > leftNet:
		return sum, false
	case gross:
		levied = min(max(levied, total-leftNet), leftTax)
		net = total - levied
	case net == leftNet && net > 0:
		levied = leftTax
	default:
		levied = min(levied, leftTax)
	}
	currency := sum.Taxable.Currency()
	return RateSum{Rate: sum.Rate, Taxable: money.New(net, currency), Tax: money.New(levied, currency)}, true
}

// SettleDeductions puts the deducted nets, as they were invoiced, on the lines
// that deduct them. Where prices include tax a line's share of its rate's net may
// be a cent off that; the cent goes to another part of the rate. A rate that has
// nothing but deductions keeps what it comes to.
func (c *Content) SettleDeductions(t *tax.Totals, all []Deduction) error {
	for i := range c.Lines {
		if c.Lines[i].Deducts == uuid.Nil || len(all) == 0 {
			continue
		}
		net := all[0].Sum.Taxable
		all = all[1:]
		off, err := t.LineNets[i].Add(net)
		if err != nil {
			return err
		}
		if off.IsZero() || !c.others(c.Lines[i].Rate) {
			continue
		}
		if err := c.MoveNet(t, c.Lines[i].Rate, off); err != nil {
			return err
		}
		if t.LineNets[i], err = net.Neg(); err != nil {
			return err
		}
		if t.Lines, err = t.Lines.Sub(off); err != nil {
			return err
		}
	}
	return nil
}

// others reports whether a rate has parts that deduct nothing.
func (c *Content) others(rate tax.Rate) bool {
	return slices.ContainsFunc(c.Lines, func(l Line) bool { return l.Rate == rate && l.Deducts == uuid.Nil }) ||
		slices.ContainsFunc(c.Adjustments, func(a tax.Adjustment) bool { return a.Rate == rate })
}

// MoveNet adds a difference to the largest line of a rate that deducts nothing;
// where there is none, to its first allowance or charge, or else to a line that
// deducts.
func (c *Content) MoveNet(t *tax.Totals, rate tax.Rate, difference money.Amount) error {
	largest, deducting := -1, -1
	for i := range c.Lines {
		switch {
		case c.Lines[i].Rate != rate:
		case c.Lines[i].Deducts != uuid.Nil:
			deducting = i
		case largest < 0 || t.LineNets[i].Minor() > t.LineNets[largest].Minor():
			largest = i
		}
	}
	at := slices.IndexFunc(c.Adjustments, func(a tax.Adjustment) bool { return a.Rate == rate })
	part, whole := (*money.Amount)(nil), &t.Lines
	switch {
	case largest >= 0:
		part = &t.LineNets[largest]
	case at >= 0 && c.Adjustments[at].Charge:
		part, whole = &t.AdjustmentNets[at], &t.Charges
	case at >= 0:
		part, whole = &t.AdjustmentNets[at], &t.Allowances
		negated, err := difference.Neg()
		if err != nil {
			return err
		}
		difference = negated
	case deducting >= 0:
		part = &t.LineNets[deducting]
	default:
		return nil
	}
	var err error
	if *part, err = part.Add(difference); err != nil {
		return err
	}
	*whole, err = whole.Add(difference)
	return err
}
