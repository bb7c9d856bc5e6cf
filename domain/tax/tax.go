// Package tax computes a document's totals as EN 16931 prescribes: line nets,
// allowances and charges, the breakdown by tax category and rate, and what is
// due. Tax is rounded once per category and rate, never per line. The comments
// name the standard's business terms (BT-…) and rules (BR-…).
package tax

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/money"
)

// Category is a tax category, a code of UNCL 5305 in EN 16931's selection.
type Category string

// The tax categories.
const (
	// Standard is taxed at a rate above zero, standard or reduced.
	Standard Category = "S"
	// ZeroRated is taxed at 0 %.
	ZeroRated Category = "Z"
	// Exempt is exempt from tax.
	Exempt Category = "E"
	// ReverseCharge leaves the tax to the buyer.
	ReverseCharge Category = "AE"
	// IntraCommunity is a supply of goods to another EU state, exempt.
	IntraCommunity Category = "K"
	// Export leaves the EU, not taxed.
	Export Category = "G"
	// OutsideScope is not subject to VAT at all.
	OutsideScope Category = "O"
	// CanaryIslands is taxed with IGIC, at 0 % or more.
	CanaryIslands Category = "L"
	// CeutaMelilla is taxed with IPSI, at 0 % or more.
	CeutaMelilla Category = "M"
	// SplitPayment is Italian VAT that the buyer pays to the state.
	SplitPayment Category = "B"
)

// ParseCategory finds a category by its code, and else refuses with
// "unknown-tax-category".
func ParseCategory(code string) (Category, error) {
	switch c := Category(code); c {
	case Standard, ZeroRated, Exempt, ReverseCharge, IntraCommunity, Export, OutsideScope,
		CanaryIslands, CeutaMelilla, SplitPayment:
		return c, nil
	default:
		return "", domain.Refuse("unknown-tax-category", "%.20q is not a tax category", code).
			WithHint("use one of S Z E AE K G O L M B")
	}
}

// NeedsReason reports whether a document must say why no tax is charged in the
// category: BR-E-10, BR-AE-10, BR-IC-10, BR-G-10, BR-O-10.
func (c Category) NeedsReason() bool {
	switch c {
	case Exempt, ReverseCharge, IntraCommunity, Export, OutsideScope:
		return true
	default:
		return false
	}
}

// ForbidsReason reports whether a document must not give such a reason, because
// tax is charged: BR-S-10, BR-IG-10, BR-IP-10.
func (c Category) ForbidsReason() bool {
	switch c {
	case Standard, CanaryIslands, CeutaMelilla, SplitPayment:
		return true
	default:
		return false
	}
}

// Rate is a category and its percentage, such as S at 20 %. It is comparable,
// and a map key in CBOR and JSON alike.
type Rate struct {
	Category Category
	// Percent is 20 for 20 %, and 0 where no tax is charged.
	Percent money.Decimal
}

// IsZero reports whether r is no rate.
func (r Rate) IsZero() bool { return r == Rate{} }

// Check refuses an unknown category ("unknown-tax-category") and a percentage
// that the category cannot have ("invalid-rate").
func (r Rate) Check() error {
	if _, err := ParseCategory(string(r.Category)); err != nil {
		return err
	}
	switch r.Category {
	case Standard: // BR-S-5, BR-S-6, BR-S-7
		if r.Percent.Sign() <= 0 {
			return domain.Refuse("invalid-rate", "category S needs a rate above 0, not %s", r.Percent).
				WithHint("what is taxed at 0 %% has category Z")
		}
	case CanaryIslands, CeutaMelilla, SplitPayment: // BR-IG-5, BR-IP-5
		if r.Percent.Sign() < 0 {
			return domain.Refuse("invalid-rate", "category %s cannot have the rate %s", r.Category, r.Percent)
		}
	default: // BR-Z-5, BR-E-5, BR-AE-5, BR-IC-5, BR-G-5, BR-O-5
		if !r.Percent.IsZero() {
			return domain.Refuse("invalid-rate", "category %s has no rate but 0, not %s", r.Category, r.Percent)
		}
	}
	return nil
}

// String is the category and the percentage, "S 20"; empty for no rate.
func (r Rate) String() string {
	if r.IsZero() {
		return ""
	}
	return string(r.Category) + " " + r.Percent.String()
}

// Cmp orders rates by category, then by percentage.
func (r Rate) Cmp(s Rate) int {
	return cmp.Or(cmp.Compare(r.Category, s.Category), r.Percent.Cmp(s.Percent))
}

// ParseRate reads the form that String gives. Refusals "unknown-tax-category",
// "invalid-decimal" and "invalid-rate".
func ParseRate(text string) (Rate, error) {
	code, percent, found := strings.Cut(text, " ")
	if !found {
		return Rate{}, domain.Refuse("invalid-rate", "%.40q is not a tax rate", text).
			WithHint("write the category and the percentage, such as \"S 20\"")
	}
	category, err := ParseCategory(code)
	if err != nil {
		return Rate{}, err
	}
	number, err := money.ParseDecimal(percent)
	if err != nil {
		return Rate{}, err
	}
	r := Rate{category, number}
	if err := r.Check(); err != nil {
		return Rate{}, err
	}
	return r, nil
}

// checkRate is Check for the rate of a named part of the document.
func checkRate(r Rate, part string, index int) error {
	if err := r.Check(); err != nil {
		return at(err, part, index)
	}
	return nil
}

// at says in a refusal which part of the document it is about.
func at(err error, part string, index int) error {
	refusal := refusalOf(err)
	if refusal == nil {
		return fmt.Errorf("tax: %s %d: %w", part, index+1, err)
	}
	told := *refusal
	told.Message = fmt.Sprintf("%s %d: %s", part, index+1, refusal.Message)
	return &told
}
