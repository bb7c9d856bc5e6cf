package main

import (
	"slices"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// fillAmounts computes the amounts of allowances and charges that are given as a
// percentage alone, so that they stand on the document. The rules hold them
// against their own arithmetic, and tell what is wrong with what cannot be
// computed here.
func fillAmounts(c *invoice.Content) {
	sums := map[tax.Rate]money.Amount{}
	for i := range c.Lines {
		amount, err := fillLine(&c.Lines[i], c.Currency)
		if err == nil && c.Lines[i].Deducts == uuid.Nil {
			sums[c.Lines[i].Rate], err = sums[c.Lines[i].Rate].Add(amount)
		}
		if err != nil {
			return
		}
	}
	for i := range c.Adjustments {
		if fillAdjustment(&c.Adjustments[i], sums[c.Adjustments[i].Rate]) != nil {
			return
		}
	}
}

// unfill takes the amounts away that follow from the lines, before those change.
func unfill(c *invoice.Content) {
	c.Adjustments = slices.Clone(c.Adjustments)
	for i := range c.Adjustments {
		if a := &c.Adjustments[i]; !a.Percent.IsZero() {
			a.Amount = money.Amount{}
		}
	}
}

// fillLine gives what the line comes to.
func fillLine(line *invoice.Line, currency money.Currency) (money.Amount, error) {
	base := line.BaseQuantity
	if base.IsZero() {
		base = money.IntegerDecimal(1)
	}
	extended, err := money.Extend(line.Quantity, line.Price, base, currency, money.HalfUp)
	if err != nil {
		return money.Amount{}, err
	}
	amount := extended
	for i := range line.Adjustments {
		a := &line.Adjustments[i]
		if err := fillAdjustment(a, extended); err != nil {
			return money.Amount{}, err
		}
		if a.Charge {
			amount, err = amount.Add(a.Amount)
		} else {
			amount, err = amount.Sub(a.Amount)
		}
		if err != nil {
			return money.Amount{}, err
		}
	}
	return amount, nil
}

func fillAdjustment(a *tax.Adjustment, of money.Amount) (err error) {
	if a.Percent.IsZero() || !a.Amount.IsZero() {
		return nil
	}
	if !a.Base.IsZero() {
		of = a.Base
	}
	a.Amount, err = money.Percent(of, a.Percent, money.HalfUp)
	return err
}
