package tax

import (
	"github.com/daybook-ledger/daybook/domain/money"
)

// Document is what an invoice or credit note is computed from.
type Document struct {
	Currency money.Currency
	// PricesIncludeTax means that prices, and the amounts of allowances and
	// charges, are gross. Their sum is then what the document comes to, to the
	// cent; tax is taken out of it.
	PricesIncludeTax bool
	// Rounding must be given: money.HalfUp.
	Rounding money.Rounding
	Lines    []Line
	// Adjustments are allowances and charges on the whole document.
	Adjustments []Adjustment
	// Exemptions say why no tax is charged, once for each category. One whose
	// category the document does not use is ignored.
	Exemptions []Exemption
	// Prepaid (BT-113) was paid before issue; not negative.
	Prepaid money.Amount
	// RoundingAmount (BT-114) makes the due amount a round one; it is less
	// than one major unit, and has either sign.
	RoundingAmount money.Amount
}

// Line is one line of a document.
type Line struct {
	// Quantity (BT-129) may be negative, for what is taken back.
	Quantity money.Decimal
	// Price (BT-146) is for BaseQuantity units, and never negative.
	Price money.Decimal
	// BaseQuantity (BT-149) is positive; zero means 1.
	BaseQuantity money.Decimal
	// Adjustments are allowances and charges on this line.
	Adjustments []Adjustment
	Rate        Rate
	// Deducts marks a line that takes off what was invoiced before: percentages
	// of the document are not of it.
	Deducts bool
}

// Adjustment is an allowance, which takes from the line or document that it
// stands on, or a charge, which adds to it.
type Adjustment struct {
	Charge bool `cbor:"charge,omitempty" json:"charge,omitempty"`
	// Amount may be left zero where Percent is given, and must agree with it
	// otherwise. It may be negative, as on a line with a negative quantity.
	Amount money.Amount `cbor:"amount" json:"amount"`
	// Percent of Base; zero means that Amount was simply agreed.
	Percent money.Decimal `cbor:"percent,omitzero" json:"percent,omitzero"`
	// Base is what Percent is taken of. Zero means quantity × price of the
	// line, or the sum of the document's lines at Rate that deduct nothing.
	Base money.Amount `cbor:"base,omitzero" json:"base,omitzero"`
	// Reason says what it is for.
	Reason string `cbor:"reason,omitempty" json:"reason,omitempty"`
	// Rate is needed on a document's adjustment. A line's adjustments have the
	// line's rate.
	Rate Rate `cbor:"rate,omitzero" json:"rate,omitzero"`
}

// Exemption says why a category charges no tax: by a text (BT-120), a code of
// the VATEX list (BT-121), or both. Categories E, AE, K, G and O need it, Z may
// have it, S, L, M and B must not.
type Exemption struct {
	Category Category `cbor:"category" json:"category"`
	Reason   string   `cbor:"reason,omitempty" json:"reason,omitempty"`
	Code     string   `cbor:"code,omitempty" json:"code,omitempty"`
}

// Subtotal is the breakdown's group for one category and rate (BG-23).
type Subtotal struct {
	Rate Rate `cbor:"rate" json:"rate"`
	// Taxable (BT-116) is without tax.
	Taxable money.Amount `cbor:"taxable" json:"taxable"`
	// Tax (BT-117) is rounded once, here.
	Tax        money.Amount `cbor:"tax" json:"tax"`
	Reason     string       `cbor:"reason,omitempty" json:"reason,omitempty"`
	ReasonCode string       `cbor:"code,omitempty" json:"code,omitempty"`
}

// Totals are the figures of a document. All are in its currency, zero or not.
type Totals struct {
	// LineNets (BT-131) are without tax, in the order of the lines.
	LineNets []money.Amount `cbor:"line_nets" json:"line_nets"`
	// AdjustmentNets (BT-92, BT-99) are the document's allowances and charges
	// without tax, in their order, with the sign that they were given with: an
	// allowance counts as minus this.
	AdjustmentNets []money.Amount `cbor:"adjustment_nets,omitempty" json:"adjustment_nets,omitempty"`
	// Lines (BT-106) is the sum of the line nets.
	Lines money.Amount `cbor:"lines" json:"lines"`
	// Allowances (BT-107) and Charges (BT-108) are those of the document.
	Allowances money.Amount `cbor:"allowances" json:"allowances"`
	Charges    money.Amount `cbor:"charges" json:"charges"`
	// Net (BT-109) = Lines − Allowances + Charges.
	Net money.Amount `cbor:"net" json:"net"`
	// Tax (BT-110) is the sum of the breakdown's tax.
	Tax money.Amount `cbor:"tax" json:"tax"`
	// Gross (BT-112) = Net + Tax.
	Gross    money.Amount `cbor:"gross" json:"gross"`
	Prepaid  money.Amount `cbor:"prepaid" json:"prepaid"`
	Rounding money.Amount `cbor:"rounding" json:"rounding"`
	// Due (BT-115) = Gross − Prepaid + Rounding.
	Due money.Amount `cbor:"due" json:"due"`
	// Breakdown (BG-23) is sorted by category, then percentage.
	Breakdown []Subtotal `cbor:"breakdown" json:"breakdown"`
}
