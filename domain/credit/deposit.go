package credit

import (
	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/invoice"
)

// onDeposit says on the credit note whether its invoice is a deposit invoice, of
// which no more can be credited on a date than is not deducted.
func (c *crediting) onDeposit(credited invoice.State) error {
	if c.content.Deposit && !credited.Deposit {
		return domain.Refuse("not-a-deposit", "the invoice %s is not a deposit invoice", credited.Number)
	}
	c.content.Deposit = credited.Deposit
	return credited.UndeductedFrom(c.Date)
}

// giveBack gives back to deposit invoices what the credit note's lines name of
// the invoice's deductions.
func (c *crediting) giveBack(credited invoice.State) error {
	for i := range c.content.Lines {
		line := &c.content.Lines[i]
		if line.Deducts == uuid.Nil {
			continue
		}
		deducted, found := credited.Deduction(line.Deducts, line.Rate)
		if !found {
			return domain.Refuse("not-deducted", "line %d: the invoice %s deducts no such deposit at %s", i+1, credited.Number, line.Rate)
		}
		sum, fits, err := c.content.Part(line, deducted.Sum)
		if err != nil {
			return err
		}
		if !fits {
			return domain.Refuse("not-deducted", "line %d: %s would be given back, but the invoice %s deducts %s and %s of tax of %s",
				i+1, line.Price, credited.Number, deducted.Sum.Taxable, deducted.Sum.Tax, deducted.Number)
		}
		if deducted, err = deducted.Share(sum); err != nil {
			return err
		}
		c.returned = append(c.returned, deducted)
	}
	return c.content.SettleDeductions(&c.totals, c.returned)
}
