package tax

import (
	"errors"
	"slices"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/money"
)

// Compute gives the totals of a document, or a *domain.Refusal:
//
//   - "no-lines": BR-16
//   - "unknown-currency", "unknown-rounding": not given
//   - "mixed-currencies": an amount in another currency than the document's
//   - "negative-price": BR-27
//   - "invalid-base-quantity": negative
//   - "unknown-tax-category", "invalid-rate": see Rate.Check, and a line's
//     adjustment with another rate than the line's
//   - "outside-scope-mixed": O beside another category, BR-O-11 to BR-O-14
//   - "split-payment-mixed": B beside S, BR-B-2
//   - "missing-exemption-reason", "unexpected-exemption-reason",
//     "ambiguous-exemption-reason": see Exemption; and two for one category
//   - "adjustment-mismatch": an amount that is not its percentage of its base
//   - "amount-overflow": a figure beyond 2⁶³ minor units
//   - "negative-total", "negative-prepaid", "prepaid-exceeds-total",
//     "rounding-amount-too-large": these come last, and the totals are
//     returned all the same, and stand in the refusal's Computed as a Totals
//
// It changes nothing and keeps nothing of the document.
func Compute(d Document) (Totals, error) {
	t, err := compute(d)
	if err != nil {
		if refusal := refusalOf(err); refusal != nil {
			return Totals{}, refusal
		}
		return Totals{}, err
	}
	if refusal := acceptable(d, t); refusal != nil {
		refusal.Computed = t
		return t, refusal
	}
	return t, nil
}

// refusalOf gives the refusal in an error, nil if there is none.
func refusalOf(err error) *domain.Refusal {
	var refusal *domain.Refusal
	errors.As(err, &refusal)
	return refusal
}

func compute(d Document) (Totals, error) {
	if err := check(d); err != nil {
		return Totals{}, err
	}
	c := &computation{d: d, groups: make([]group, 0, 4)}
	if err := c.collect(); err != nil {
		return Totals{}, err
	}
	slices.SortFunc(c.groups, func(a, b group) int { return a.Rate.Cmp(b.Rate) })
	if err := c.checkGroups(); err != nil {
		return Totals{}, err
	}
	if err := c.split(); err != nil {
		return Totals{}, err
	}
	return c.totals()
}

// computation is the work on one document.
type computation struct {
	d Document
	// lines and adjustments are as typed: with tax where prices include it,
	// then without; adjustments with the sign that they were given with.
	lines, adjustments []money.Amount
	groups             []group
}

// group is a subtotal in the making.
type group struct {
	Subtotal
	// typed is the sum of the group's parts as typed, base that of its lines
	// which deduct nothing.
	typed, base money.Amount
}

// collect computes each part as typed and adds it to its group.
func (c *computation) collect() error {
	c.lines = make([]money.Amount, len(c.d.Lines))
	for i := range c.d.Lines {
		line := &c.d.Lines[i]
		amount, err := lineAmount(&c.d, line)
		if err != nil {
			return at(err, "line", i)
		}
		c.lines[i] = amount
		g := c.group(line.Rate)
		if g.typed, err = g.typed.Add(amount); err == nil && !line.Deducts {
			g.base, err = g.base.Add(amount)
		}
		if err != nil {
			return at(err, "line", i)
		}
	}
	if len(c.d.Adjustments) == 0 {
		return nil
	}
	c.adjustments = make([]money.Amount, len(c.d.Adjustments))
	for i, a := range c.d.Adjustments {
		g := c.group(a.Rate)
		amount, err := adjust(a, g.base, c.d.Rounding)
		if err != nil {
			return at(err, partName(a), i)
		}
		c.adjustments[i] = amount
		if g.typed, err = apply(g.typed, a, amount); err != nil {
			return at(err, partName(a), i)
		}
	}
	return nil
}

// group finds or makes the group of a rate. There are few: a search is quicker
// than a map.
func (c *computation) group(r Rate) *group {
	for i := range c.groups {
		if c.groups[i].Rate == r {
			return &c.groups[i]
		}
	}
	zero := money.Zero(c.d.Currency)
	c.groups = append(c.groups, group{
		Subtotal: Subtotal{Rate: r, Taxable: zero, Tax: zero}, typed: zero, base: zero,
	})
	return &c.groups[len(c.groups)-1]
}

// lineAmount is a line's amount as typed: quantity × price ÷ base quantity,
// rounded, plus charges, minus allowances.
func lineAmount(d *Document, line *Line) (money.Amount, error) {
	base := line.BaseQuantity
	if base.IsZero() {
		base = money.IntegerDecimal(1)
	}
	extended, err := money.Extend(line.Quantity, line.Price, base, d.Currency, d.Rounding)
	if err != nil {
		return money.Amount{}, err
	}
	amount := extended
	for _, a := range line.Adjustments {
		adjustment, err := adjust(a, extended, d.Rounding)
		if err != nil {
			return money.Amount{}, err
		}
		if amount, err = apply(amount, a, adjustment); err != nil {
			return money.Amount{}, err
		}
	}
	return amount, nil
}

// adjust gives the amount of an allowance or charge, whose percentage is of
// base unless it names its own.
func adjust(a Adjustment, base money.Amount, r money.Rounding) (money.Amount, error) {
	if a.Percent.IsZero() {
		return money.Zero(base.Currency()).Add(a.Amount)
	}
	if !a.Base.IsZero() {
		base = a.Base
	}
	amount, err := money.Percent(base, a.Percent, r)
	if err != nil {
		return money.Amount{}, err
	}
	if !a.Amount.IsZero() && a.Amount != amount {
		return money.Amount{}, domain.Refuse("adjustment-mismatch",
			"%s %% of %s is %s, not %s", a.Percent, base, amount, a.Amount).
			WithHint("give the amount alone, or the percentage alone")
	}
	return amount, nil
}

// apply adds a charge's amount to a sum, or takes an allowance's from it.
func apply(sum money.Amount, a Adjustment, amount money.Amount) (money.Amount, error) {
	if a.Charge {
		return sum.Add(amount)
	}
	return sum.Sub(amount)
}

// split divides each group into what is taxable and its tax, and makes the
// lines and adjustments net.
func (c *computation) split() error {
	for i := range c.groups {
		g := &c.groups[i]
		var err error
		switch {
		case !c.d.PricesIncludeTax: // BR-CO-17
			g.Taxable = g.typed
			g.Tax, err = money.Percent(g.Taxable, g.Rate.Percent, c.d.Rounding)
		case g.Rate.Percent.IsZero():
			g.Taxable = g.typed
		default:
			err = c.takeOut(g)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// takeOut splits a group of gross parts. The group's tax is rounded once; the
// parts then share its net by largest remainder.
func (c *computation) takeOut(g *group) error {
	var parts []money.Amount // as they count: allowances negative
	for i := range c.lines {
		if c.d.Lines[i].Rate == g.Rate {
			parts = append(parts, c.lines[i])
		}
	}
	for i, a := range c.d.Adjustments {
		if a.Rate == g.Rate {
			part, err := apply(money.Zero(c.d.Currency), a, c.adjustments[i])
			if err != nil {
				return err
			}
			parts = append(parts, part)
		}
	}
	nets, tax, err := money.NetsWithin(c.d.Currency, parts, g.Rate.Percent, c.d.Rounding)
	if err != nil {
		return err
	}
	g.Tax = tax
	if g.Taxable, err = g.typed.Sub(tax); err != nil {
		return err
	}
	for i := range c.lines {
		if c.d.Lines[i].Rate == g.Rate {
			c.lines[i], nets = nets[0], nets[1:]
		}
	}
	for i, a := range c.d.Adjustments {
		if a.Rate == g.Rate {
			if c.adjustments[i], err = apply(money.Zero(c.d.Currency), a, nets[0]); err != nil {
				return err
			}
			nets = nets[1:]
		}
	}
	return nil
}

// totals sums up: BR-CO-10 to BR-CO-16.
func (c *computation) totals() (Totals, error) {
	zero := money.Zero(c.d.Currency)
	t := Totals{
		LineNets: c.lines, AdjustmentNets: c.adjustments,
		Allowances: zero, Charges: zero, Tax: zero,
		Breakdown: make([]Subtotal, len(c.groups)),
	}
	var err error
	if t.Lines, err = money.Sum(c.d.Currency, c.lines...); err != nil {
		return Totals{}, err
	}
	for i, a := range c.d.Adjustments {
		sum := &t.Allowances
		if a.Charge {
			sum = &t.Charges
		}
		if *sum, err = sum.Add(c.adjustments[i]); err != nil {
			return Totals{}, err
		}
	}
	for i, g := range c.groups {
		t.Breakdown[i] = g.Subtotal
		if t.Tax, err = t.Tax.Add(g.Tax); err != nil {
			return Totals{}, err
		}
	}
	return t, t.conclude(c.d)
}

// conclude fills in what follows from the sums.
func (t *Totals) conclude(d Document) error {
	net, err := t.Lines.Sub(t.Allowances)
	if err != nil {
		return err
	}
	if t.Net, err = net.Add(t.Charges); err != nil { // BR-CO-13
		return err
	}
	if t.Gross, err = t.Net.Add(t.Tax); err != nil { // BR-CO-15
		return err
	}
	zero := money.Zero(d.Currency)
	if t.Prepaid, err = zero.Add(d.Prepaid); err != nil {
		return err
	}
	if t.Rounding, err = zero.Add(d.RoundingAmount); err != nil {
		return err
	}
	due, err := t.Gross.Sub(t.Prepaid)
	if err != nil {
		return err
	}
	t.Due, err = due.Add(t.Rounding) // BR-CO-16
	return err
}
