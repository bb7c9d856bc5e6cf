package credit

import (
	"slices"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// fit holds the totals of a credit note within what is left of the invoice,
// per category and rate, and moves the odd cents of rounding as the package
// comment says. It refuses what is more than cents.
func fit(inv invoice.State, content invoice.Content, t tax.Totals) (tax.Totals, error) {
	t.Breakdown = slices.Clone(t.Breakdown)
	t.LineNets = slices.Clone(t.LineNets)
	t.AdjustmentNets = slices.Clone(t.AdjustmentNets)
	value := !t.Rounding.IsZero()
	for i, subtotal := range t.Breakdown {
		left, found, err := inv.Left(subtotal.Rate)
		if err != nil {
			return t, err
		}
		if !found {
			return t, domain.Refuse("rate-not-on-invoice", "the invoice %s has nothing at %s", inv.Number, subtotal.Rate).
				WithHint("credit at the rates of the invoice")
		}
		part, err := fitRate(subtotal, left, content.PricesIncludeTax)
		if err != nil {
			return t, err
		}
		if err := move(&t, content, i, part); err != nil {
			return t, err
		}
		value = value || !part.Taxable.IsZero() || !part.Tax.IsZero()
	}
	if !value {
		return t, noValue()
	}
	return fitRounding(inv, content, t)
}

// fitRate gives the part of what is left at a rate that a subtotal takes. A
// category below zero, such as a deposit deducted at another rate than the
// sale's, is taken back below zero: everything is then the other way round.
func fitRate(subtotal tax.Subtotal, left invoice.RateSum, gross bool) (tax.Subtotal, error) {
	sign := int64(1)
	if left.Taxable.Sign() < 0 || left.Taxable.IsZero() && left.Tax.Sign() < 0 {
		sign = -1
	}
	net, levied := sign*subtotal.Taxable.Minor(), sign*subtotal.Tax.Minor()
	leftNet, leftTax := sign*left.Taxable.Minor(), sign*left.Tax.Minor()
	if net < 0 || levied < 0 {
		if leftNet == 0 && leftTax == 0 {
			return subtotal, over(subtotal, left)
		}
		return subtotal, negative(subtotal)
	}
	total := net + levied
	switch {
	case gross && total > leftNet+leftTax, !gross && net > leftNet:
		return subtotal, over(subtotal, left)
	case gross:
		// The total stands, as typed; tax gives way.
		levied = min(max(levied, total-leftNet), leftTax)
		net = total - levied
	case net == leftNet && net > 0:
		levied = leftTax
	default:
		levied = min(levied, leftTax)
	}
	currency := subtotal.Taxable.Currency()
	subtotal.Taxable = money.New(sign*net, currency)
	subtotal.Tax = money.New(sign*levied, currency)
	return subtotal, nil
}

func over(subtotal tax.Subtotal, left invoice.RateSum) error {
	return domain.Refuse("over-credited", "%s and %s of tax would be credited at %s, but only %s and %s are left of the invoice",
		subtotal.Taxable, subtotal.Tax, subtotal.Rate, left.Taxable, left.Tax).
		WithHint("credit what is beyond the invoice on account, with a reason")
}

// move puts a subtotal in place of the one at index i of the totals, and what
// differs into all sums.
func move(t *tax.Totals, content invoice.Content, i int, part tax.Subtotal) error {
	net, err := part.Taxable.Sub(t.Breakdown[i].Taxable)
	if err != nil {
		return err
	}
	levied, err := part.Tax.Sub(t.Breakdown[i].Tax)
	if err != nil {
		return err
	}
	t.Breakdown[i] = part
	if net.IsZero() && levied.IsZero() {
		return nil
	}
	if err := moveNet(t, content, part.Rate, net); err != nil {
		return err
	}
	return add(
		sum{&t.Net, net}, sum{&t.Tax, levied},
		sum{&t.Gross, net}, sum{&t.Gross, levied}, sum{&t.Due, net}, sum{&t.Due, levied},
	)
}

// moveNet adds a difference to the largest line of a rate; where the rate has
// no line, to its first allowance or charge.
func moveNet(t *tax.Totals, content invoice.Content, rate tax.Rate, difference money.Amount) error {
	if difference.IsZero() {
		return nil
	}
	largest := -1
	for i := range content.Lines {
		if content.Lines[i].Rate != rate {
			continue
		}
		if largest < 0 || t.LineNets[i].Minor() > t.LineNets[largest].Minor() {
			largest = i
		}
	}
	if largest >= 0 {
		return add(sum{&t.LineNets[largest], difference}, sum{&t.Lines, difference})
	}
	for i, a := range content.Adjustments {
		switch {
		case a.Rate != rate:
			continue
		case a.Charge:
			return add(sum{&t.AdjustmentNets[i], difference}, sum{&t.Charges, difference})
		}
		less, err := difference.Neg()
		if err != nil {
			return err
		}
		return add(sum{&t.AdjustmentNets[i], less}, sum{&t.Allowances, less})
	}
	return nil
}

// sum is an amount to be added to another.
type sum struct {
	to     *money.Amount
	amount money.Amount
}

func add(sums ...sum) error {
	for _, s := range sums {
		result, err := s.to.Add(s.amount)
		if err != nil {
			return err
		}
		*s.to = result
	}
	return nil
}

// fitRounding holds the rounding amount within the invoice's, and takes all of
// it with the last of the invoice where the credit note states none.
func fitRounding(inv invoice.State, content invoice.Content, t tax.Totals) (tax.Totals, error) {
	left, err := inv.Rounding.Sub(inv.RoundingCredited)
	if err != nil {
		return t, err
	}
	if content.RoundingAmount.IsZero() && !left.IsZero() && takesLast(inv, t) && t.Gross.Minor()+left.Minor() >= 0 {
		if err := add(sum{&t.Rounding, left}, sum{&t.Due, left}); err != nil {
			return t, err
		}
	}
	r, l := t.Rounding.Minor(), left.Minor()
	if !(0 <= r && r <= l || l <= r && r <= 0) {
		return t, domain.Refuse("over-credited", "a rounding amount of %s would be credited, but %s is left of the invoice",
			t.Rounding, left)
	}
	if t.Due.Sign() < 0 {
		refusal := domain.Refuse("negative-total", "the total to credit is %s %s", t.Due, t.Due.Currency())
		refusal.Computed = t
		return t, refusal
	}
	return t, nil
}

// takesLast reports whether nothing is left of the invoice at any rate after
// the credit note.
func takesLast(inv invoice.State, t tax.Totals) bool {
	for _, issued := range inv.Issued {
		left, _, err := inv.Left(issued.Rate)
		if err != nil {
			return false
		}
		net, levied := left.Taxable.Minor(), left.Tax.Minor()
		for _, subtotal := range t.Breakdown {
			if subtotal.Rate == issued.Rate {
				net -= subtotal.Taxable.Minor()
				levied -= subtotal.Tax.Minor()
			}
		}
		if net != 0 || levied != 0 {
			return false
		}
	}
	return true
}
