package invoice

import (
	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/field"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// The greatest sizes of a document.
const (
	MaxLines       = 10_000
	MaxAdjustments = 1_000
	MaxExemptions  = 20
	// MaxDueDays is the greatest number of days from issue to due date.
	MaxDueDays = 3650
	// MaxAmount is the greatest magnitude of any amount of a document, in minor
	// units. It leaves room to sum thousands of such documents in 64 bits.
	MaxAmount = 1_000_000_000_000_000
)

func (c *Content) references() []domain.Reference {
	if c.Reference == "" {
		return nil
	}
	return []domain.Reference{{Kind: domain.DocumentReference, Value: c.Reference}}
}

// Validate checks the form of the content and of its text, which may be nil.
func (c *Content) Validate(text *Text) error {
	if err := field.ID("customer", c.Customer); err != nil {
		return err
	}
	if len(c.Lines) > MaxLines {
		return domain.Refuse("too-many-lines", "the document has %d lines, more than %d", len(c.Lines), MaxLines).
			WithHint("divide it into several documents")
	}
	if len(c.Exemptions) > MaxExemptions {
		return domain.Refuse("too-many-exemptions", "the document has %d exemption reasons, more than %d",
			len(c.Exemptions), MaxExemptions)
	}
	if err := c.Exchange.Validate(); err != nil {
		return err
	}
	if err := c.validateDates(); err != nil {
		return err
	}
	if err := c.validateTexts(); err != nil {
		return err
	}
	if err := c.validateDeductions(); err != nil {
		return err
	}
	return text.validate(len(c.Lines))
}

func (c *Content) validateDates() error {
	if err := field.OptionalDate("date of supply", c.SupplyDate); err != nil {
		return err
	}
	if err := field.OptionalDate("due date", c.DueDate); err != nil {
		return err
	}
	if c.DueDays < 0 || c.DueDays > MaxDueDays {
		return domain.Refuse("invalid-due", "%d is not a number of days from 0 to %d", c.DueDays, MaxDueDays)
	}
	if c.DueDays != 0 && c.DueDate != "" {
		return domain.Refuse("invalid-due", "a due date and a number of days are both given")
	}
	return nil
}

func (c *Content) validateTexts() error {
	if err := field.Line("reference", c.Reference, field.MaxName); err != nil {
		return err
	}
	for i := range c.Lines {
		line := &c.Lines[i]
		if err := field.Line("item", line.Item, field.MaxName); err != nil {
			return err
		}
		if err := field.Line("unit", line.Unit, field.MaxCode); err != nil {
			return err
		}
		if err := validateAdjustments(line.Adjustments); err != nil {
			return err
		}
	}
	for _, e := range c.Exemptions {
		if err := field.Block("exemption reason", e.Reason, field.MaxReason); err != nil {
			return err
		}
		if err := field.Line("exemption code", e.Code, field.MaxCode); err != nil {
			return err
		}
	}
	return validateAdjustments(c.Adjustments)
}

func validateAdjustments(adjustments []tax.Adjustment) error {
	if len(adjustments) > MaxAdjustments {
		return domain.Refuse("too-many-adjustments", "there are %d allowances and charges, more than %d",
			len(adjustments), MaxAdjustments)
	}
	for _, a := range adjustments {
		if err := field.Block("reason of the allowance or charge", a.Reason, field.MaxReason); err != nil {
			return err
		}
	}
	return nil
}

func (t *Text) validate(lines int) error {
	if t == nil {
		return nil
	}
	if len(t.Lines) != 0 && len(t.Lines) != lines {
		return domain.Refuse("wrong-text", "there are %d descriptions for %d lines", len(t.Lines), lines)
	}
	for _, description := range t.Lines {
		if err := field.Block("description", description, field.MaxDescription); err != nil {
			return err
		}
	}
	if err := field.Block("note", t.Note, field.MaxNote); err != nil {
		return err
	}
	return field.Block("terms", t.Terms, field.MaxNote)
}

// Compute gives the content in full, with the rounding rule that counts, and
// its totals, or refuses as tax.Compute does, and what is beyond MaxAmount
// (amount-overflow).
func (c Content) Compute() (Content, tax.Totals, error) {
	if c.Rounding == "" {
		c.Rounding = money.HalfUp
	}
	lines := make([]tax.Line, len(c.Lines))
	for i := range c.Lines {
		line := &c.Lines[i]
		lines[i] = tax.Line{
			Quantity: line.Quantity, Price: line.Price, BaseQuantity: line.BaseQuantity,
			Adjustments: line.Adjustments, Rate: line.Rate, Deducts: line.Deducts != uuid.Nil,
		}
	}
	totals, err := tax.Compute(tax.Document{
		Currency: c.Currency, PricesIncludeTax: c.PricesIncludeTax, Rounding: c.Rounding,
		Lines: lines, Adjustments: c.Adjustments, Exemptions: c.Exemptions,
		Prepaid: c.Prepaid, RoundingAmount: c.RoundingAmount,
	})
	if err != nil {
		return c, totals, err
	}
	return c, totals, withinLimit(totals)
}

// decide is Compute for a document that may deduct deposits, or be one. It
// gives the deductions too, as the deposit invoices stand now.
func (c Content) decide(s domain.States) (Content, tax.Totals, []Deduction, error) {
	c, totals, err := c.Compute()
	if err != nil {
		return c, totals, nil, err
	}
	totals, deductions, err := c.deductions(s, totals)
	return c, totals, deductions, err
}

func withinLimit(t tax.Totals) error {
	amounts := []money.Amount{t.Lines, t.Allowances, t.Charges, t.Net, t.Tax, t.Gross, t.Prepaid, t.Due}
	for _, subtotal := range t.Breakdown {
		amounts = append(amounts, subtotal.Taxable, subtotal.Tax)
	}
	for _, a := range amounts {
		if a.Minor() > MaxAmount || a.Minor() < -MaxAmount {
			return domain.Refuse("amount-overflow", "the amount %s %s is larger than a book can hold", a, a.Currency())
		}
	}
	return nil
}

// Parties checks what a document needs of the book around it, and gives its
// seller's book and its buyer. self is the document's own stream.
func (c *Content) Parties(s domain.States, m domain.Moment, self domain.StreamID) (book.State, customer.State, error) {
	settings, err := book.Settings(s, m)
	if err != nil {
		return book.State{}, customer.State{}, err
	}
	if err := c.Exchange.CheckDraft(c.Currency, settings.Currency); err != nil {
		return book.State{}, customer.State{}, err
	}
	buyer, err := customer.Load(s, c.Customer)
	if err != nil {
		return book.State{}, customer.State{}, err
	}
	if err := buyer.CheckKnown(c.Customer); err != nil {
		return book.State{}, customer.State{}, err
	}
	for _, ref := range c.references() {
		holder, taken, err := s.Find(ref)
		if err != nil {
			return book.State{}, customer.State{}, err
		}
		if taken && holder != self {
			return book.State{}, customer.State{}, domain.Refuse("reference-taken",
				"the document %s bears the reference %.80q", holder, ref.Value).
				WithHint("look it up as ext:%.80s", ref.Value)
		}
	}
	return settings, buyer, nil
}

// CheckVATIDs refuses a document that charges tax, or leaves it to the buyer,
// without the VAT ids that this needs: seller-vat-id-missing (BR-S-2, BR-AE-2,
// BR-IC-2) and customer-vat-id-missing (BR-AE-2, BR-IC-2).
func CheckVATIDs(seller book.Seller, buyer customer.State, breakdown []tax.Subtotal) error {
	for _, subtotal := range breakdown {
		category := subtotal.Rate.Category
		switch category {
		case tax.Standard, tax.ReverseCharge, tax.IntraCommunity:
		default:
			continue
		}
		if seller.VATID == "" {
			return domain.Refuse("seller-vat-id-missing", "category %s needs the seller's VAT id", category).
				WithHint("add the VAT id to the book's settings first")
		}
		if category != tax.Standard && !buyer.HasVATID {
			return domain.Refuse("customer-vat-id-missing", "category %s needs the customer's VAT id", category).
				WithHint("add the VAT id to the customer first")
		}
	}
	return nil
}
