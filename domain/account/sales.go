package account

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/credit"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// Sold says what a Sale is the revenue of.
type Sold string

// What revenue is made of.
const (
	// SoldItem is lines with the seller's code of an item.
	SoldItem Sold = "item"
	// SoldUncoded is lines without one. Their descriptions are personal data, and
	// no report may stand or fall with those.
	SoldUncoded Sold = "uncoded"
	// SoldAdjustment is allowances and charges on whole documents.
	SoldAdjustment Sold = "adjustment"
)

// Sale is a part of what an event posts to Revenue.
type Sale struct {
	Sold Sold
	// Item is the seller's code; empty but for SoldItem.
	Item string
	// Amount is without tax: above zero for what was sold, below for what was
	// credited.
	Amount money.Amount
}

// Sales divides what an event posts to Revenue by item, in the order in which
// the document first has them; the parts add up to it. There are none for an
// event that posts nothing there, as a deposit invoice, and none for lines that
// deduct a deposit.
func Sales(e domain.Event) ([]Sale, error) {
	switch e := e.(type) {
	case *invoice.Issued:
		return divide(&e.Content, e.Totals, false)
	case *credit.Issued:
		return divide(&e.Content, e.Totals, true)
	default:
		return nil, nil
	}
}

func divide(c *invoice.Content, totals tax.Totals, credited bool) ([]Sale, error) {
	if len(totals.LineNets) != len(c.Lines) || len(totals.AdjustmentNets) != len(c.Adjustments) {
		return nil, fmt.Errorf("account: the totals are those of %d lines and %d adjustments, and there are %d and %d",
			len(totals.LineNets), len(totals.AdjustmentNets), len(c.Lines), len(c.Adjustments))
	}
	d := division{at: make(map[Sale]int, 4)}
	if c.Deposit {
		return nil, nil
	}
	for i, line := range c.Lines {
		if line.Deducts != uuid.Nil {
			continue
		}
		of := Sale{Sold: SoldItem, Item: line.Item}
		if line.Item == "" {
			of.Sold = SoldUncoded
		}
		d.add(of, totals.LineNets[i], credited)
	}
	for i, adjustment := range c.Adjustments {
		d.add(Sale{Sold: SoldAdjustment}, totals.AdjustmentNets[i], credited == adjustment.Charge)
	}
	return d.sales, d.err
}

// division collects sales; the first error sticks.
type division struct {
	sales []Sale
	at    map[Sale]int // by sales without their amount
	err   error
}

func (d *division) add(of Sale, net money.Amount, taken bool) {
	at, known := d.at[of]
	if !known {
		at = len(d.sales)
		d.at[of] = at
		of.Amount = money.Zero(net.Currency())
		d.sales = append(d.sales, of)
	}
	change := money.Amount.Add
	if taken {
		change = money.Amount.Sub
	}
	sum, err := change(d.sales[at].Amount, net)
	if err != nil && d.err == nil {
		d.err = fmt.Errorf("account: sales: %w", err)
	}
	d.sales[at].Amount = sum
}
