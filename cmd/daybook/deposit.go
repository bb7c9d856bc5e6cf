package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
	"github.com/daybook-ledger/daybook/projections/views"
)

// deductNamed puts the ids of deposit invoices on the lines of a content file that
// name them.
func (s *session) deductNamed(ctx context.Context, file *contentFile, c *invoice.Content) error {
	for i := range file.Lines {
		if name := file.Lines[i].Deducts; name != "" {
			found, err := s.document(ctx, name, domain.KindInvoice)
			if err != nil {
				return inLine(i, err)
			}
			c.Lines[i].Deducts = found.ID
		}
	}
	return nil
}

// deduct puts lines in place that deduct deposit invoices: NAME for all that is
// left, or NAME=AMOUNT in the terms of the document's prices.
func (s *session) deduct(ctx context.Context, d *document, names []string) error {
	d.dropDeductions()
	for _, text := range names {
		name, part, given := cutLast(text)
		found, err := s.document(ctx, name, domain.KindInvoice)
		if err != nil {
			return err
		}
		v, err := s.views(ctx)
		if err != nil {
			return err
		}
		deposit, err := v.Document(ctx, invoice.Stream(found.ID), s.app.today())
		if err != nil {
			return err
		}
		parts, err := d.deductible(deposit)
		if err == nil && given {
			parts, err = d.portion(parts, part)
		}
		if err == nil {
			err = d.deductParts(deposit, parts)
		}
		if err != nil {
			return err
		}
	}
	unfill(&d.Content)
	fillAmounts(&d.Content)
	return nil
}

// dropDeductions takes the lines away that deduct deposits.
func (d *document) dropDeductions() {
	var lines []invoice.Line
	var texts []string
	for i, line := range d.Lines {
		if line.Deducts != uuid.Nil {
			continue
		}
		lines = append(lines, line)
		texts = append(texts, d.description(i))
	}
	d.Lines = lines
	d.describe(texts)
}

func (d *document) description(line int) string {
	if d.text == nil || line >= len(d.text.Lines) {
		return ""
	}
	return d.text.Lines[line]
}

// describe gives the lines their descriptions.
func (d *document) describe(lines []string) {
	text := invoice.Text{}
	if d.text != nil {
		text = *d.text
	}
	text.Lines = lines
	d.text = &text
}

// deductible gives how much is left to deduct of a deposit at each of its rates,
// in the order of what the deposit says is left, and with tax where prices have it.
func (d *document) deductible(deposit *views.Document) ([]money.Amount, error) {
	if !deposit.Deposit || deposit.Number == "" {
		return nil, domain.Refuse("not-a-deposit", "the invoice %s is not an issued deposit invoice", nameOrID(deposit.Summary))
	}
	if len(deposit.Undeducted) == 0 {
		return nil, domain.Refuse("over-deducted", "nothing is left to deduct of the deposit invoice %s", deposit.Number)
	}
	var parts []money.Amount
	for _, left := range deposit.Undeducted {
		amount, err := money.ParseAmount(left.Taxable, d.Currency)
		if err == nil && d.PricesIncludeTax {
			var levied money.Amount
			if levied, err = money.ParseAmount(left.Tax, d.Currency); err == nil {
				amount, err = amount.Add(levied)
			}
		}
		if err != nil {
			return nil, err
		}
		parts = append(parts, amount)
	}
	return parts, nil
}

// portion shares an amount out over rates, in proportion to what is left at each,
// so that the parts sum up to it and none is more than is left.
func (d *document) portion(left []money.Amount, text string) ([]money.Amount, error) {
	amount, err := numeral(text).amount(d.Currency)
	if err != nil {
		return nil, err
	}
	all, weights := money.Zero(d.Currency), make([]int64, len(left))
	for i, part := range left {
		weights[i] = part.Minor()
		if all, err = all.Add(part); err != nil {
			return nil, err
		}
	}
	if amount.Sign() <= 0 {
		return nil, usage("--deduct %s: less than the least amount cannot be deducted", text)
	}
	if amount.Minor() > all.Minor() {
		return nil, domain.Refuse("over-deducted", "%s would be deducted of the deposit, and %s is left", amount, all)
	}
	return amount.Allocate(weights)
}

// deductParts adds a line for each rate of which something is deducted, and why a
// rate is not taxed where the document does not say so yet.
func (d *document) deductParts(deposit *views.Document, parts []money.Amount) error {
	for i, left := range deposit.Undeducted {
		if parts[i].IsZero() {
			continue
		}
		price, err := money.ParseDecimal(parts[i].String())
		if err != nil {
			return err
		}
		d.Lines = append(d.Lines, invoice.Line{
			Quantity: money.IntegerDecimal(-1), Price: price, Deducts: deposit.ID,
			Rate: tax.Rate{Category: left.Category, Percent: left.Percent},
		})
		d.describe(append(d.text.Lines, fmt.Sprintf("Less deposit %s of %s", deposit.Number, deposit.Date)))
		d.exempt(deposit, left.Category)
	}
	return nil
}

func (d *document) exempt(deposit *views.Document, category tax.Category) {
	known := slices.ContainsFunc(d.Exemptions, func(e tax.Exemption) bool { return e.Category == category })
	for _, s := range deposit.Breakdown {
		if s.Category == category && !known && (s.Reason != "" || s.ReasonCode != "") {
			d.Exemptions = append(slices.Clone(d.Exemptions), tax.Exemption{Category: category, Reason: s.Reason, Code: s.ReasonCode})
			return
		}
	}
}

func nameOrID(s views.Summary) string {
	if s.Number != "" {
		return s.Number
	}
	return short(s.ID)
}

// tellDeposit tells what is left of a deposit invoice, and what deducts it.
func tellDeposit(w io.Writer, d *views.Document) {
	if len(d.DeductedBy) > 0 {
		fmt.Fprintln(w, "\nDeducted from")
		t := newTable("NUMBER", "DATE", "TAX", ">NET", ">TAX", "")
		for _, by := range d.DeductedBy {
			t.add(by.Number, string(by.Date), string(by.Category)+" "+by.Percent.String(), by.Taxable, by.Tax, d.Currency)
		}
		t.write(w)
	}
	if len(d.Undeducted) > 0 {
		fmt.Fprintln(w, "\nLeft to deduct")
		t := newTable("TAX", ">NET", ">TAX", "")
		for _, left := range d.Undeducted {
			t.add(string(left.Category)+" "+left.Percent.String(), left.Taxable, left.Tax, d.Currency)
		}
		t.write(w)
	}
}
