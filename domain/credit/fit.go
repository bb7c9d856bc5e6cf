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
	value := !t.Rounding.IsZero() || content.Deducts()
	for i, subtotal := range t.Breakdown {
		left, found, err := inv.Undeducted(subtotal.Rate)
		if err != nil {
			return t, err
		}
		if !found {
			return t, domain.Refuse("rate-not-on-invoice", "the invoice %s has nothing at %s", inv.Number, subtotal.Rate).
				WithHint("credit at the rates of the invoice")
		}
		part, err := fitRate(inv, subtotal, left, content.PricesIncludeTax)
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
func fitRate(inv invoice.State, subtotal tax.Subtotal, left invoice.RateSum, gross bool) (tax.Subtotal, error) {
	sign := int64(1)
	if left.Taxable.Sign() < 0 || left.Taxable.IsZero() && left.Tax.Sign() < 0 {
		sign = -1
	}
	if sign*subtotal.Taxable.Minor() < 0 || sign*subtotal.Tax.Minor() < 0 {
		if left.Taxable.IsZero() && left.Tax.IsZero() {
			return subtotal, over(inv, subtotal, left)
		}
		return subtotal, negative(subtotal)
	}
	part, fits := signed(left, sign).Part(signed(invoice.RateSum{Rate: subtotal.Rate, Taxable: subtotal.Taxable, Tax: subtotal.Tax}, sign), gross)
	if !fits {
		return subtotal, over(inv, subtotal, left)
	}
	part = signed(part, sign)
	subtotal.Taxable, subtotal.Tax = part.Taxable, part.Tax
	return subtotal, nil
}

// signed gives a sum times 1 or −1.
func signed(s invoice.RateSum, sign int64) invoice.RateSum {
	s.Taxable = money.New(sign*s.Taxable.Minor(), s.Taxable.Currency())
	s.Tax = money.New(sign*s.Tax.Minor(), s.Tax.Currency())
	return s
}

func over(inv invoice.State, subtotal tax.Subtotal, left invoice.RateSum) error {
	hint := "credit what is beyond the invoice on account, with a reason"
	if inv.Deducted != nil {
		hint = "credit the invoices that deduct it first"
	}
	return domain.Refuse("over-credited", "%s and %s of tax would be credited at %s, but only %s and %s are left of the invoice",
		subtotal.Taxable, subtotal.Tax, subtotal.Rate, left.Taxable, left.Tax).
		WithHint("%s", hint)
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
	if !net.IsZero() {
		if err := content.MoveNet(t, part.Rate, net); err != nil {
			return err
		}
	}
	return add(
		sum{&t.Net, net}, sum{&t.Tax, levied},
		sum{&t.Gross, net}, sum{&t.Gross, levied}, sum{&t.Due, net}, sum{&t.Due, levied},
	)
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
