package ubl

import (
	"errors"
	"slices"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// Status is what became of a document. The values are stable.
type Status string

// The statuses.
const (
	// Agrees: the figures of the document are those that follow from its lines,
	// and it was only checked.
	Agrees Status = "agrees"
	// Differs: they are not, and it was not entered.
	Differs Status = "differs"
	// Entered: the document is in the book, by this run or an earlier one.
	Entered Status = "entered"
	// Refused: the document cannot be entered.
	Refused Status = "refused"
)

// Totals is five figures as texts in the document's currency. Tax is empty
// where the document states none. The JSON form is stable.
type Totals struct {
	Line  string `json:"line"`
	Net   string `json:"net"`
	Tax   string `json:"tax"`
	Gross string `json:"gross"`
	Due   string `json:"due"`
}

// Difference is one figure that is not what follows from the lines.
type Difference struct {
	// What says which: line, net, tax, gross, due; "line 2"; "taxable S 20",
	// "tax S 20".
	What     string `json:"what"`
	Stated   string `json:"stated"`
	Computed string `json:"computed"`
	// by is stated − computed.
	by money.Amount
}

// Check is what follows from a document alone, without a book.
type Check struct {
	// Refusal is why the document can be entered in no book; nil if it can.
	Refusal *domain.Refusal
	// Code is set where the figures differ: CodeTotalsDiffer, CodeLinesDiffer
	// or CodeBreakdownDiffers.
	Code        string
	Differences []Difference
	// Computed is nil only where a figure is more than can be held.
	Computed *tax.Totals
}

// Check computes a document and compares what comes out with what it states.
// Where the rules refuse the document, its totals are computed all the same.
func (d *Document) Check() Check {
	var c Check
	err := d.validate()
	_, totals, computeErr := d.Content.Compute()
	switch {
	case d.Unsupported != nil:
		c.Refusal = d.Unsupported
	case err != nil:
		c.Refusal = refusalOf(err)
	case computeErr != nil:
		c.Refusal = refusalOf(computeErr)
	}
	stated := d.Stated
	if computeErr != nil && len(totals.LineNets) == 0 {
		if totals, err = d.lenient(); err != nil {
			return c
		}
		stated.Breakdown = nil // its categories are not those of the document
	}
	c.Computed = &totals
	c.Code, c.Differences = stated.compare(totals)
	return c
}

// validate refuses what no book would take, whatever its figures.
func (d *Document) validate() error {
	content := d.Content
	content.Customer = uuid.Max // some customer: the form is checked whole
	content.Reference = d.Number
	switch err := content.Validate(&d.Text); {
	case err != nil:
		return err
	case content.DueDate != "" && content.DueDate < d.Date:
		return domain.Refuse("due-before-issue", "the due date %s is before the date of issue %s", content.DueDate, d.Date)
	case d.Kind == domain.KindCredit && !content.Prepaid.IsZero():
		return domain.Refuse("not-on-credit-note", "a credit note has no prepaid amount")
	}
	return nil
}

// refusalOf gives an error of the domain as the refusal that it is.
func refusalOf(err error) *domain.Refusal {
	var refusal *domain.Refusal
	if errors.As(err, &refusal) {
		return refusal
	}
	return domain.Refuse("failed", "%s", err)
}

// lenient computes a document that breaks rules which do not bear on the
// arithmetic: which category may have which rate and reason, or stand beside
// which other, and how the sign of a line is written. Every rate keeps its
// percentage under a category that may have any.
func (d *Document) lenient() (tax.Totals, error) {
	free := func(r tax.Rate) tax.Rate {
		if r.Category == tax.SplitPayment {
			return tax.Rate{Category: tax.CeutaMelilla, Percent: r.Percent}
		}
		return tax.Rate{Category: tax.CanaryIslands, Percent: r.Percent}
	}
	content := d.Content
	content.Exemptions = nil
	content.Lines = slices.Clone(content.Lines)
	for i := range content.Lines {
		line := &content.Lines[i]
		if line.Rate = free(line.Rate); line.Price.Sign() < 0 {
			line.Price, line.Quantity = line.Price.Neg(), line.Quantity.Neg()
		}
	}
	content.Adjustments = slices.Clone(content.Adjustments)
	for i := range content.Adjustments {
		content.Adjustments[i].Rate = free(content.Adjustments[i].Rate)
	}
	_, totals, err := content.Compute()
	if err != nil && len(totals.LineNets) == 0 {
		return totals, err
	}
	return totals, nil
}

// compare holds what is stated against what was computed.
func (s Stated) compare(t tax.Totals) (code string, all []Difference) {
	add := func(kind, what string, stated, computed money.Amount) {
		by, err := stated.Sub(computed)
		if err == nil && by.IsZero() {
			return
		}
		if err != nil { // beyond what can be held: as large as can be
			by = money.New(1<<62, s.Due.Currency())
		}
		if code == "" {
			code = kind
		}
		all = append(all, Difference{what, stated.String(), computed.String(), by})
	}
	add(CodeTotalsDiffer, "line", s.Line, t.Lines)
	add(CodeTotalsDiffer, "net", s.Net, t.Net)
	if s.HasTax {
		add(CodeTotalsDiffer, "tax", s.Tax, t.Tax)
	}
	add(CodeTotalsDiffer, "gross", s.Gross, t.Gross)
	add(CodeTotalsDiffer, "due", s.Due, t.Due)
	for i, stated := range s.Lines {
		add(CodeLinesDiffer, partName("line", i), stated, t.LineNets[i])
	}
	s.compareBreakdown(t, add)
	return code, all
}

// compareBreakdown compares the tax breakdown, where the document has one.
func (s Stated) compareBreakdown(t tax.Totals, add func(kind, what string, stated, computed money.Amount)) {
	if len(s.Breakdown) == 0 {
		return
	}
	zero := money.Zero(s.Due.Currency())
	find := func(in []tax.Subtotal, r tax.Rate) tax.Subtotal {
		for _, subtotal := range in {
			if subtotal.Rate == r {
				return subtotal
			}
		}
		return tax.Subtotal{Rate: r, Taxable: zero, Tax: zero}
	}
	both := func(r tax.Rate) {
		stated, computed := find(s.Breakdown, r), find(t.Breakdown, r)
		add(CodeBreakdownDiffers, "taxable "+r.String(), stated.Taxable, computed.Taxable)
		add(CodeBreakdownDiffers, "tax "+r.String(), stated.Tax, computed.Tax)
	}
	for _, subtotal := range s.Breakdown {
		both(subtotal.Rate)
	}
	for _, subtotal := range t.Breakdown {
		if !slices.ContainsFunc(s.Breakdown, func(other tax.Subtotal) bool { return other.Rate == subtotal.Rate }) {
			both(subtotal.Rate)
		}
	}
}

// accept puts the difference between what the document says is due and what
// follows from its lines into the rounding amount, so that what is owed is what
// the document says, and what is posted as revenue and tax is what was computed.
// It refuses where any figure is off by a whole unit or more.
func (d *Document) accept(c Check) *domain.Refusal {
	unit := int64(1)
	for range d.Content.Currency.Exponent() {
		unit *= 10
	}
	due := money.Zero(d.Content.Currency)
	for _, difference := range c.Differences {
		if by := difference.by.Minor(); by >= unit || by <= -unit {
			return domain.Refuse(CodeDifferenceTooLarge, "%s is %s, and %s follows from the lines: the difference is not less than one unit of %s",
				difference.What, difference.Stated, difference.Computed, d.Content.Currency)
		}
		if difference.What == "due" {
			due = difference.by
		}
	}
	if due.IsZero() {
		return nil
	}
	if d.Kind == domain.KindCredit { // its rounding amount is for what it credits to say
		return domain.Refuse(CodeDifferenceTooLarge, "a credit note has no rounding amount where a difference of %s could stand", due)
	}
	rounding, err := d.Content.RoundingAmount.Add(due)
	if err == nil {
		d.Content.RoundingAmount = rounding
		_, _, err = d.Content.Compute()
	}
	if err != nil {
		return domain.Refuse(CodeDifferenceTooLarge, "the difference of %s cannot stand in the rounding amount: %s",
			due, refusalOf(err).Message)
	}
	return nil
}

func (s Stated) totals() *Totals {
	t := &Totals{Line: s.Line.String(), Net: s.Net.String(), Gross: s.Gross.String(), Due: s.Due.String()}
	if s.HasTax {
		t.Tax = s.Tax.String()
	}
	return t
}

func computedTotals(t *tax.Totals) *Totals {
	if t == nil {
		return nil
	}
	return &Totals{t.Lines.String(), t.Net.String(), t.Tax.String(), t.Gross.String(), t.Due.String()}
}
