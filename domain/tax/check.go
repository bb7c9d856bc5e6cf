package tax

import (
	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/money"
)

// check refuses what can be seen before any arithmetic.
func check(d Document) error {
	if d.Currency.IsZero() {
		return domain.Refuse("unknown-currency", "the document has no currency")
	}
	if _, err := money.ParseRounding(string(d.Rounding)); err != nil {
		return err
	}
	if len(d.Lines) == 0 { // BR-16
		return domain.Refuse("no-lines", "a document needs at least one line")
	}
	if err := checkLines(d.Lines); err != nil {
		return err
	}
	for i, a := range d.Adjustments {
		if err := checkRate(a.Rate, partName(a), i); err != nil {
			return err
		}
	}
	return checkExemptions(d.Exemptions)
}

func checkLines(lines []Line) error {
	for i := range lines {
		line := &lines[i]
		if line.Price.Sign() < 0 { // BR-27
			return domain.Refuse("negative-price", "line %d: the price %s is negative", i+1, line.Price).
				WithHint("make the quantity negative instead")
		}
		if line.BaseQuantity.Sign() < 0 {
			return domain.Refuse("invalid-base-quantity", "line %d: the price is for %s units", i+1, line.BaseQuantity).
				WithHint("leave the base quantity out for a price per unit")
		}
		if i == 0 || line.Rate != lines[i-1].Rate {
			if err := checkRate(line.Rate, "line", i); err != nil {
				return err
			}
		}
		for _, a := range line.Adjustments {
			if !a.Rate.IsZero() && a.Rate != line.Rate {
				return domain.Refuse("invalid-rate", "line %d: its %s has the rate %s, the line %s",
					i+1, partName(a), a.Rate, line.Rate)
			}
		}
	}
	return nil
}

func checkExemptions(exemptions []Exemption) error {
	for i, e := range exemptions {
		if _, err := ParseCategory(string(e.Category)); err != nil {
			return err
		}
		if e.Category.ForbidsReason() {
			return domain.Refuse("unexpected-exemption-reason",
				"category %s is taxed and has no exemption reason", e.Category)
		}
		for _, other := range exemptions[:i] {
			if other.Category == e.Category {
				return domain.Refuse("ambiguous-exemption-reason",
					"category %s has two exemption reasons", e.Category)
			}
		}
	}
	return nil
}

// checkGroups refuses categories that cannot stand together or lack a reason,
// and gives the others theirs.
func (c *computation) checkGroups() error {
	var outside, split, standard bool
	for i := range c.groups {
		g := &c.groups[i]
		switch g.Rate.Category {
		case OutsideScope:
			outside = true
		case SplitPayment:
			split = true
		case Standard:
			standard = true
		}
		for _, e := range c.d.Exemptions {
			if e.Category == g.Rate.Category {
				g.Reason, g.ReasonCode = e.Reason, e.Code
			}
		}
		if g.Rate.Category.NeedsReason() && g.Reason == "" && g.ReasonCode == "" {
			return domain.Refuse("missing-exemption-reason",
				"category %s needs a reason why no tax is charged", g.Rate.Category).
				WithHint("give a reason, such as %q", exampleReason(g.Rate.Category))
		}
	}
	if outside && len(c.groups) > 1 { // BR-O-11 to BR-O-14
		return domain.Refuse("outside-scope-mixed",
			"what is outside the scope of tax (O) cannot stand beside other categories").
			WithHint("use a document of its own")
	}
	if split && standard { // BR-B-2
		return domain.Refuse("split-payment-mixed",
			"split payment (B) cannot stand beside the standard category (S)").
			WithHint("use a document of its own")
	}
	return nil
}

func exampleReason(c Category) string {
	switch c {
	case ReverseCharge:
		return "Reverse charge"
	case IntraCommunity:
		return "Intra-Community supply"
	case Export:
		return "Export outside the EU"
	case OutsideScope:
		return "Not subject to VAT"
	default:
		return "Exempt from VAT"
	}
}

// acceptable refuses totals that no document may have.
func acceptable(d Document, t Totals) *domain.Refusal {
	payable, err := t.Gross.Add(t.Rounding)
	if err != nil {
		return refusalOf(err)
	}
	due := t.Due.Sign()
	limit := int64(1)
	for range d.Currency.Exponent() {
		limit *= 10
	}
	switch rounding := t.Rounding.Minor(); {
	case t.Gross.Sign() < 0:
		return domain.Refuse("negative-total", "the total with tax is %s %s", t.Gross, d.Currency).
			WithHint("issue a credit note for what is given back")
	case rounding <= -limit || rounding >= limit:
		return domain.Refuse("rounding-amount-too-large",
			"the rounding amount %s is not less than one whole unit of %s", t.Rounding, d.Currency)
	case payable.Sign() < 0:
		return domain.Refuse("rounding-amount-too-large",
			"the rounding amount %s makes the total of %s negative", t.Rounding, t.Gross)
	case t.Prepaid.Sign() < 0:
		return domain.Refuse("negative-prepaid", "the prepaid amount %s is negative", t.Prepaid)
	case due < 0:
		return domain.Refuse("prepaid-exceeds-total", "%s of %s is prepaid", t.Prepaid, payable).
			WithHint("enter what was paid beyond the total as a payment")
	}
	return nil
}

func partName(a Adjustment) string {
	if a.Charge {
		return "charge"
	}
	return "allowance"
}
