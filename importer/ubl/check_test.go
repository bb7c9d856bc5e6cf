package ubl_test

import (
	"strings"
	"testing"

	"github.com/daybook-ledger/daybook/importer/ubl"
)

// edits changes several things of a good invoice.
func edits(t testing.TB, pairs ...string) []byte {
	t.Helper()
	file := render(t, sale(t))
	for i := 0; i+1 < len(pairs); i += 2 {
		file = change(t, file, pairs[i], pairs[i+1])
	}
	return []byte(file)
}

// TestDiffers states other figures than follow from the lines.
func TestDiffers(t *testing.T) {
	const (
		due, gross, net = `>72.00</cbc:PayableAmount>`, `>72.00</cbc:TaxInclusiveAmount>`, `>60.00</cbc:TaxExclusiveAmount>`
		line, first     = `<cbc:LineExtensionAmount currencyID="GBP">60.00`, `<cbc:LineExtensionAmount currencyID="GBP">49.50`
		second, taxable = `<cbc:LineExtensionAmount currencyID="GBP">10.50`, `>60.00</cbc:TaxableAmount>`
	)
	for name, c := range map[string]struct {
		pairs                  []string
		code, accepted, adding string
		differences            string
	}{
		"a penny more due":   {[]string{due, ">72.01</cbc:PayableAmount>"}, ubl.CodeTotalsDiffer, "", "0.01", "due 72.01 72.00"},
		"a penny less due":   {[]string{due, ">71.99</cbc:PayableAmount>"}, ubl.CodeTotalsDiffer, "", "-0.01", "due 71.99 72.00"},
		"nearly a pound":     {[]string{due, ">72.99</cbc:PayableAmount>"}, ubl.CodeTotalsDiffer, "", "0.99", "due 72.99 72.00"},
		"a pound":            {[]string{due, ">73.00</cbc:PayableAmount>"}, ubl.CodeTotalsDiffer, ubl.CodeDifferenceTooLarge, "", "due 73.00 72.00"},
		"a pound less":       {[]string{due, ">71.00</cbc:PayableAmount>"}, ubl.CodeTotalsDiffer, ubl.CodeDifferenceTooLarge, "", "due 71.00 72.00"},
		"gross and due":      {[]string{due, ">72.01</cbc:PayableAmount>", gross, ">72.01</cbc:TaxInclusiveAmount>"}, ubl.CodeTotalsDiffer, "", "0.01", "gross 72.01 72.00, due 72.01 72.00"},
		"net alone":          {[]string{net, ">60.01</cbc:TaxExclusiveAmount>"}, ubl.CodeTotalsDiffer, "", "", "net 60.01 60.00"},
		"net by far":         {[]string{net, ">50.00</cbc:TaxExclusiveAmount>"}, ubl.CodeTotalsDiffer, ubl.CodeDifferenceTooLarge, "", "net 50.00 60.00"},
		"sum of lines":       {[]string{line, `<cbc:LineExtensionAmount currencyID="GBP">60.02`}, ubl.CodeTotalsDiffer, "", "", "line 60.02 60.00"},
		"lines to and fro":   {[]string{first, `<cbc:LineExtensionAmount currencyID="GBP">49.49`, second, `<cbc:LineExtensionAmount currencyID="GBP">10.51`}, ubl.CodeLinesDiffer, "", "", "line 1 49.49 49.50, line 2 10.51 10.50"},
		"breakdown":          {[]string{taxable, ">60.01</cbc:TaxableAmount>"}, ubl.CodeBreakdownDiffers, "", "", "taxable S 20 60.01 60.00"},
		"rounding not added": {[]string{`>0.00</cbc:PayableRoundingAmount>`, `>0.50</cbc:PayableRoundingAmount>`}, ubl.CodeTotalsDiffer, "", "-0.50", "due 72.00 72.50"},
		"rounding runs over": {[]string{`>0.00</cbc:PayableRoundingAmount>`, `>0.50</cbc:PayableRoundingAmount>`, due, ">73.10</cbc:PayableAmount>"}, ubl.CodeTotalsDiffer, ubl.CodeDifferenceTooLarge, "", "due 73.10 72.50"},
		"other rate":         {[]string{"<cbc:Percent>20</cbc:Percent>\n<cac:TaxScheme>\n<cbc:ID>VAT</cbc:ID>\n</cac:TaxScheme>\n</cac:TaxCategory>", "<cbc:Percent>19</cbc:Percent>\n<cac:TaxScheme>\n<cbc:ID>VAT</cbc:ID>\n</cac:TaxScheme>\n</cac:TaxCategory>"}, ubl.CodeBreakdownDiffers, ubl.CodeDifferenceTooLarge, "", "taxable S 19 60.00 0.00, tax S 19 12.00 0.00, taxable S 20 0.00 60.00, tax S 20 0.00 12.00"},
	} {
		t.Run(name, func(t *testing.T) {
			r := ubl.Read("x", edits(t, c.pairs...), false).Result
			var all []string
			for _, d := range r.Differences {
				all = append(all, d.What+" "+d.Stated+" "+d.Computed)
			}
			if r.Status != ubl.Differs || r.Code != c.code || strings.Join(all, ", ") != c.differences {
				t.Errorf("%s %s %q", r.Status, r.Code, all)
			}
			if r.Computed.Net != "60.00" || r.Computed.Tax != "12.00" || r.Hint == "" || r.Rounding != "" {
				t.Errorf("%+v", r)
			}
			r = ubl.Read("x", edits(t, c.pairs...), true).Result
			if c.accepted == "" && (r.Status != ubl.Differs || r.Code != c.code) || c.accepted != "" && (r.Status != ubl.Refused || r.Code != c.accepted) {
				t.Errorf("accepted: %s %s", r.Status, r.Code)
			}
			if r.Rounding != c.adding {
				t.Errorf("%q is added to the rounding amount, not %q", r.Rounding, c.adding)
			}
		})
	}
}

// TestComputedWhereRefused breaks rules that do not bear on the arithmetic: the
// totals are told all the same.
func TestComputedWhereRefused(t *testing.T) {
	inLine := func(category, percent string) []string { // of the first line, which is 49.50
		return []string{
			"<cbc:ID>DEV</cbc:ID>\n</cac:SellersItemIdentification>\n<cac:ClassifiedTaxCategory>\n<cbc:ID>S</cbc:ID>\n<cbc:Percent>20<",
			"<cbc:ID>DEV</cbc:ID>\n</cac:SellersItemIdentification>\n<cac:ClassifiedTaxCategory>\n<cbc:ID>" + category + "</cbc:ID>\n<cbc:Percent>" + percent + "<",
		}
	}
	for name, c := range map[string]struct {
		code, net, tax, due string
		pairs               []string
	}{
		"negative price":    {"negative-price", "-39.00", "-7.80", "-46.80", []string{">49.5</cbc:PriceAmount>", ">-49.5</cbc:PriceAmount>"}},
		"negative total":    {"negative-total", "-39.00", "-7.80", "-46.80", []string{`unitCode="HUR">1<`, `unitCode="HUR">-1<`}},
		"no reason":         {"missing-exemption-reason", "60.00", "2.10", "62.10", inLine("E", "0")},
		"taxed exemption":   {"invalid-rate", "60.00", "12.00", "72.00", inLine("E", "20")},
		"untaxed standard":  {"invalid-rate", "60.00", "2.10", "62.10", inLine("S", "0")},
		"unknown category":  {"unknown-tax-category", "60.00", "2.10", "62.10", inLine("QQ", "0")},
		"outside and in":    {"missing-exemption-reason", "60.00", "2.10", "62.10", inLine("O", "0")},
		"split and not":     {"split-payment-mixed", "60.00", "12.00", "72.00", inLine("B", "20")},
		"prepaid too much":  {"prepaid-exceeds-total", "60.00", "12.00", "-28.00", []string{">0.00</cbc:PrepaidAmount>", ">100.00</cbc:PrepaidAmount>"}},
		"rounding":          {"rounding-amount-too-large", "60.00", "12.00", "73.00", []string{">0.00</cbc:PayableRoundingAmount>", ">1.00</cbc:PayableRoundingAmount>"}},
		"due before issue":  {"due-before-issue", "60.00", "12.00", "72.00", []string{"2026-03-02", "2026-01-30"}},
		"long description":  {"text-too-long", "60.00", "12.00", "72.00", []string{"Consulting", strings.Repeat("x", 5000)}},
		"control character": {"control-character", "60.00", "12.00", "72.00", []string{">4711<", ">47\u008511\u009b<"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := ubl.Read("x", edits(t, c.pairs...), true).Result
			if r.Status != ubl.Refused || r.Code != c.code {
				t.Errorf("%s %s, want %s", r.Status, r.Code, c.code)
			}
			if r.Computed == nil || r.Computed.Net != c.net || r.Computed.Tax != c.tax || r.Computed.Due != c.due {
				t.Errorf("computed %+v", r.Computed)
			}
		})
	}
	r := ubl.Read("x", edits(t, ">49.5</cbc:PriceAmount>", ">999999999999999999</cbc:PriceAmount>"), true).Result
	if r.Status != ubl.Refused || r.Code != "amount-overflow" || r.Computed != nil || r.Stated == nil {
		t.Errorf("overflow: %+v", r)
	}
}

func TestPrepaidCreditNote(t *testing.T) {
	file := change(t, render(t, refund(t)), ">0.00</cbc:PrepaidAmount>", ">1.00</cbc:PrepaidAmount>")
	if r := ubl.Read("x", []byte(file), true).Result; r.Code != "not-on-credit-note" || r.Computed.Due != "58.40" {
		t.Errorf("%+v", r)
	}
	file = change(t, render(t, refund(t)), ">59.40</cbc:PayableAmount>", ">59.41</cbc:PayableAmount>")
	if r := ubl.Read("x", []byte(file), true).Result; r.Code != ubl.CodeDifferenceTooLarge {
		t.Errorf("%+v", r)
	}
}
