package tax_test

import (
	"math"
	"strings"
	"testing"

	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// good is a document that each refusal's case spoils in one way.
func good(t *testing.T) tax.Document {
	return document(t, "EUR", "1 × 10 S 20", "1 × 5 S 5")
}

func TestGoodDocumentIsAccepted(t *testing.T) {
	if _, err := tax.Compute(good(t)); err != nil {
		t.Fatal(err)
	}
}

func TestRefusals(t *testing.T) {
	eur, gbp := currency(t, "EUR"), currency(t, "GBP")
	one := amount(t, "1", eur)
	for _, c := range []struct {
		code, what string
		spoil      func(*tax.Document)
	}{
		{"no-lines", "BR-16", func(d *tax.Document) { d.Lines = nil }},
		{"unknown-currency", "none", func(d *tax.Document) { d.Currency = money.Currency{} }},
		{"unknown-rounding", "none", func(d *tax.Document) { d.Rounding = "" }},
		{"unknown-rounding", "another", func(d *tax.Document) { d.Rounding = "half-even" }},
		{"negative-price", "BR-27", func(d *tax.Document) { d.Lines[1] = line(t, "1 × -0.01 S 20") }},
		{"negative-price", "BR-27 with a negative quantity", func(d *tax.Document) { d.Lines[1] = line(t, "-1 × -5 S 20") }},
		{"invalid-base-quantity", "negative", func(d *tax.Document) { d.Lines[0].BaseQuantity = decimal(t, "-1") }},
		{"unknown-tax-category", "line", func(d *tax.Document) { d.Lines[1].Rate = rate(t, "X 20") }},
		{"unknown-tax-category", "no rate", func(d *tax.Document) { d.Lines[1].Rate = tax.Rate{} }},
		{"unknown-tax-category", "no rate on an allowance", func(d *tax.Document) { d.Adjustments = []tax.Adjustment{{Amount: one}} }},
		{"unknown-tax-category", "exemption", func(d *tax.Document) { d.Exemptions[0].Category = "e" }},
		{"invalid-rate", "BR-S-5", func(d *tax.Document) { d.Lines[1].Rate = rate(t, "S 0") }},
		{"invalid-rate", "BR-S-5, negative", func(d *tax.Document) { d.Lines[1].Rate = rate(t, "S -5") }},
		{"invalid-rate", "BR-S-6", func(d *tax.Document) {
			d.Adjustments = []tax.Adjustment{{Amount: one, Rate: rate(t, "S 0")}}
		}},
		{"invalid-rate", "BR-Z-5", func(d *tax.Document) { d.Lines[1].Rate = rate(t, "Z 5") }},
		{"invalid-rate", "BR-E-5", func(d *tax.Document) { d.Lines[1].Rate = rate(t, "E 5") }},
		{"invalid-rate", "BR-AE-5", func(d *tax.Document) { d.Lines[1].Rate = rate(t, "AE 20") }},
		{"invalid-rate", "BR-IC-5", func(d *tax.Document) { d.Lines[1].Rate = rate(t, "K 20") }},
		{"invalid-rate", "BR-G-5", func(d *tax.Document) { d.Lines[1].Rate = rate(t, "G 20") }},
		{"invalid-rate", "BR-O-5", func(d *tax.Document) { d.Lines[1].Rate = rate(t, "O 20") }},
		{"invalid-rate", "BR-IG-5", func(d *tax.Document) { d.Lines[1].Rate = rate(t, "L -1") }},
		{"invalid-rate", "a line's adjustment has another", func(d *tax.Document) {
			d.Lines[0].Adjustments = []tax.Adjustment{{Amount: one, Rate: rate(t, "S 5")}}
		}},
		{"outside-scope-mixed", "BR-O-11, BR-O-12", func(d *tax.Document) { d.Lines[1].Rate = rate(t, "O 0") }},
		{"outside-scope-mixed", "BR-O-13, BR-O-14", func(d *tax.Document) {
			d.Adjustments = []tax.Adjustment{{Charge: true, Amount: one, Rate: rate(t, "O 0")}}
		}},
		{"split-payment-mixed", "BR-B-2", func(d *tax.Document) { d.Lines[1].Rate = rate(t, "B 22") }},
		{"missing-exemption-reason", "BR-E-10", func(d *tax.Document) { withoutReason(t, d, "E 0") }},
		{"missing-exemption-reason", "BR-AE-10", func(d *tax.Document) { withoutReason(t, d, "AE 0") }},
		{"missing-exemption-reason", "BR-IC-10", func(d *tax.Document) { withoutReason(t, d, "K 0") }},
		{"missing-exemption-reason", "BR-G-10", func(d *tax.Document) { withoutReason(t, d, "G 0") }},
		{"missing-exemption-reason", "BR-O-10", func(d *tax.Document) {
			withoutReason(t, d, "O 0")
			d.Lines = d.Lines[:1]
		}},
		{"missing-exemption-reason", "an empty one", func(d *tax.Document) {
			withoutReason(t, d, "E 0")
			d.Exemptions = append(d.Exemptions, tax.Exemption{Category: tax.Exempt})
		}},
		{"unexpected-exemption-reason", "BR-S-10", func(d *tax.Document) {
			d.Exemptions = []tax.Exemption{{Category: tax.Standard, Reason: "none"}}
		}},
		{"ambiguous-exemption-reason", "two", func(d *tax.Document) {
			d.Exemptions = append(d.Exemptions, tax.Exemption{Category: tax.Exempt, Reason: "other"})
		}},
		{"mixed-currencies", "line allowance", func(d *tax.Document) {
			d.Lines[0].Adjustments = []tax.Adjustment{{Amount: amount(t, "1", gbp)}}
		}},
		{"mixed-currencies", "line allowance's base", func(d *tax.Document) {
			d.Lines[0].Adjustments = []tax.Adjustment{{Percent: decimal(t, "1"), Base: amount(t, "1", gbp)}}
		}},
		{"mixed-currencies", "charge", func(d *tax.Document) {
			d.Adjustments = []tax.Adjustment{{Charge: true, Amount: amount(t, "1", gbp), Rate: rate(t, "S 20")}}
		}},
		{"mixed-currencies", "prepaid", func(d *tax.Document) { d.Prepaid = amount(t, "1", gbp) }},
		{"mixed-currencies", "rounding amount", func(d *tax.Document) { d.RoundingAmount = amount(t, "0.01", gbp) }},
		{"adjustment-mismatch", "line", func(d *tax.Document) {
			d.Lines[0].Adjustments = []tax.Adjustment{{Amount: amount(t, "1.01", eur), Percent: decimal(t, "10")}}
		}},
		{"adjustment-mismatch", "document", func(d *tax.Document) {
			d.Adjustments = []tax.Adjustment{{
				Amount: one, Percent: decimal(t, "10"), Base: amount(t, "11", eur), Rate: rate(t, "S 20"),
			}}
		}},
		{"amount-overflow", "a line", func(d *tax.Document) { d.Lines[1] = line(t, "92233720368547758.08 × 1 S 20") }},
		{"amount-overflow", "the lines of a group", func(d *tax.Document) { d.Lines[1] = line(t, "92233720368547758 × 1 S 20") }},
		{"amount-overflow", "the lines", func(d *tax.Document) { d.Lines[1] = line(t, "92233720368547758 × 1 Z 0") }},
		{"amount-overflow", "the tax", func(d *tax.Document) { d.Lines[1] = line(t, "9223372036854775 × 1 S 100000") }},
		{"amount-overflow", "the gross", func(d *tax.Document) { d.Lines[1] = line(t, "92233720368547000 × 1 S 5") }},
		{"amount-overflow", "the due amount", func(d *tax.Document) {
			d.Prepaid = money.New(math.MinInt64, eur)
		}},
	} {
		d := good(t)
		c.spoil(&d)
		totals, err := tax.Compute(d)
		if codeOf(err) != c.code {
			t.Errorf("%s (%s): got %v", c.code, c.what, err)
			continue
		}
		if totals.Breakdown != nil || refusalOf(err).Computed != nil {
			t.Errorf("%s (%s): totals are told: %v", c.code, c.what, totals)
		}
	}
}

func withoutReason(t *testing.T, d *tax.Document, text string) {
	d.Lines[0].Rate = rate(t, text)
	d.Exemptions = nil
}

func TestRefusalNamesTheLine(t *testing.T) {
	d := good(t)
	d.Lines[1].Rate = rate(t, "S 0")
	if _, err := tax.Compute(d); err == nil || !strings.Contains(err.Error(), "line 2: ") {
		t.Errorf("%v", err)
	}
	d = good(t)
	d.Lines[1] = line(t, "9223372036854775807 × 9 S 5")
	if _, err := tax.Compute(d); err == nil || !strings.Contains(err.Error(), "line 2: ") {
		t.Errorf("%v", err)
	}
}

// Refused for what they come to, documents still tell it.
func TestRefusedTotalsAreTold(t *testing.T) {
	for _, c := range []struct{ code, line, prepaid, rounding, gross, due string }{
		{"negative-total", "-1 × 10 S 20", "", "", "-12.00", "-12.00"},
		{"negative-total", "-1 × 10 S 20", "1", "5", "-12.00", "-8.00"},
		{"negative-prepaid", "1 × 10 S 20", "-0.01", "", "12.00", "12.01"},
		{"prepaid-exceeds-total", "1 × 10 S 20", "12.01", "", "12.00", "-0.01"},
		{"prepaid-exceeds-total", "1 × 10 S 20", "12", "-0.01", "12.00", "-0.01"},
		{"rounding-amount-too-large", "1 × 10 S 20", "", "1", "12.00", "13.00"},
		{"rounding-amount-too-large", "1 × 10 S 20", "", "-1", "12.00", "11.00"},
		{"rounding-amount-too-large", "0 × 10 S 20", "", "-0.01", "0.00", "-0.01"},
	} {
		eur := currency(t, "EUR")
		d := document(t, "EUR", c.line)
		d.Prepaid, d.RoundingAmount = amount(t, c.prepaid, eur), amount(t, c.rounding, eur)
		totals, err := tax.Compute(d)
		if codeOf(err) != c.code {
			t.Errorf("%s: got %v", c.code, err)
			continue
		}
		if totals.Gross.String() != c.gross || totals.Due.String() != c.due || len(totals.LineNets) != 1 {
			t.Errorf("%s: totals %+v", c.code, totals)
		}
		if told, ok := refusalOf(err).Computed.(tax.Totals); !ok || figures(told) != figures(totals) {
			t.Errorf("%s: the refusal tells %v", c.code, refusalOf(err).Computed)
		}
	}
	d := document(t, "JPY", "1 × 10 S 20")
	d.RoundingAmount = money.New(1, d.Currency)
	if _, err := tax.Compute(d); codeOf(err) != "rounding-amount-too-large" {
		t.Errorf("a yen of rounding: %v", err)
	}
}

func TestParseCategory(t *testing.T) {
	for _, code := range strings.Fields("S Z E AE K G O L M B") {
		if c, err := tax.ParseCategory(code); err != nil || string(c) != code {
			t.Errorf("%s: %s, %v", code, c, err)
		}
	}
	for _, code := range []string{"", "s", "SS", "A", "AE ", "\xff"} {
		if _, err := tax.ParseCategory(code); codeOf(err) != "unknown-tax-category" {
			t.Errorf("%q: %v", code, err)
		}
	}
}
