package tax

import "github.com/daybook-ledger/daybook/domain"

// Basis says which day of an invoice is its tax point: the day by which tax is
// reported, BT-7. What a book's tax points go by depends on the law that it is
// kept under. Credit notes and changes of what was taxed have their own dates on
// every basis: a reduction counts when it is made.
type Basis string

// The bases.
const (
	// ByInvoice takes the date of issue: BT-8 code 3.
	ByInvoice Basis = "invoice"
	// BySupply takes the date of supply, BT-8 code 35; or the date of issue where
	// the invoice comes first.
	BySupply Basis = "supply"
)

// Bases lists all bases.
func Bases() []Basis { return []Basis{ByInvoice, BySupply} }

// ParseBasis finds a basis by its name, and else refuses with
// "unknown-tax-basis". No name means ByInvoice.
func ParseBasis(name string) (Basis, error) {
	switch b := Basis(name); b {
	case "", ByInvoice:
		return ByInvoice, nil
	case BySupply:
		return b, nil
	default:
		return "", domain.Refuse("unknown-tax-basis", "there is no tax basis %.40q", name).
			WithHint("tax points go by invoice (the date of issue) or by supply")
	}
}

// Point is the tax point of an invoice of the two dates.
func (b Basis) Point(issue, supply domain.Date) domain.Date {
	if b == BySupply && supply != "" && supply < issue {
		return supply
	}
	return issue
}
