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
	// Base is the share that Amount has in the base of what was posted.
	Base money.Amount
}

// Sales divides what an entry of an event posts to Revenue by item, in the order
// in which the document first has them; the parts add up to it, and so do their
// bases. There are none for an event that posts nothing there, as a deposit
// invoice, and none for lines that deduct a deposit.
func Sales(e domain.Event, entry Entry) ([]Sale, error) {
	var sales []Sale
	var err error
	switch e := e.(type) {
	case *invoice.Issued:
		sales, err = divide(&e.Content, e.Totals, false)
	case *credit.Issued:
		sales, err = divide(&e.Content, e.Totals, true)
	}
	if err == nil {
		err = value(sales, entry)
	}
	if err != nil {
		return nil, fmt.Errorf("account: sales of %s: %w", entry.Document, err)
	}
	return sales, nil
}

// value gives sales their bases: the amounts themselves in the book's currency,
// else their shares of what was posted.
func value(sales []Sale, entry Entry) error {
	if len(sales) == 0 {
		return nil
	}
	var total int64
	weights := make([]int64, len(sales))
	for i, s := range sales {
		weights[i] = s.Amount.Minor()
		total += weights[i]
	}
	base, err := entry.revenue()
	if err != nil {
		return err
	}
	shares := make([]money.Amount, len(sales))
	switch {
	case base.Currency() == sales[0].Amount.Currency():
		for i, s := range sales {
			shares[i] = s.Amount
		}
	case total == 0: // nothing was posted
		for i := range shares {
			shares[i] = base
		}
	default:
		if shares, err = base.Allocate(weights); err != nil {
			return err
		}
	}
	for i := range sales {
		sales[i].Base = shares[i]
	}
	return nil
}

// revenue is the base of what the entry posts to Revenue.
func (e Entry) revenue() (money.Amount, error) {
	var base money.Amount
	for i, p := range e.Postings {
		if i == 0 {
			base = money.Zero(p.Base.Currency())
		}
		if p.Account != Revenue {
			continue
		}
		var err error
		if base, err = base.Sub(p.Base); err != nil {
			return base, err
		}
	}
	return base, nil
}

func divide(c *invoice.Content, totals tax.Totals, credited bool) ([]Sale, error) {
	if len(totals.LineNets) != len(c.Lines) || len(totals.AdjustmentNets) != len(c.Adjustments) {
		return nil, fmt.Errorf("the totals are those of %d lines and %d adjustments, and there are %d and %d",
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
		d.err = err
	}
	d.sales[at].Amount = sum
}
