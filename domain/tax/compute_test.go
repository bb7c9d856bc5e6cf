package tax_test

import (
	"reflect"
	"testing"

	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
)

func TestWorkedCases(t *testing.T) {
	for _, c := range []struct {
		rule, currency string
		lines          []string
		want           string
	}{
		{
			"BR-CO-17: tax once per category and rate; per line it would be 0.03", "GBP",
			[]string{"1 × 0.10 S 5", "1 × 0.10 S 5", "1 × 0.10 S 5"},
			"0.10 0.10 0.10 | S 5: 0.30 + 0.02 | 0.30 + 0.02 = 0.32",
		},
		{
			"BR-CO-17: a tie of 0.125 goes up", "GBP",
			[]string{"1 × 0.50 S 25"},
			"0.50 | S 25: 0.50 + 0.13 | 0.50 + 0.13 = 0.63",
		},
		{
			"BR-CO-17: a tie of 0.025 goes up from an even digit", "GBP",
			[]string{"1 × 0.50 S 5"},
			"0.50 | S 5: 0.50 + 0.03 | 0.50 + 0.03 = 0.53",
		},
		{
			"BT-131: the line net is rounded before it is summed (BR-CO-10)", "GBP",
			[]string{"1 × 1.005 Z 0", "1 × 2.675 Z 0", "3 × 0.333 Z 0"},
			"1.01 2.68 1.00 | Z 0: 4.69 + 0.00 | 4.69 + 0.00 = 4.69",
		},
		{
			"BG-23: one group for each category and rate, sorted by value", "EUR",
			[]string{"1 × 10 S 20", "2 × 5 S 5.5", "1 × 7 Z 0", "1 × 1 S 20.0", "1 × 3 E 0"},
			"10.00 10.00 7.00 1.00 3.00 | E 0: 3.00 + 0.00 | S 5.5: 10.00 + 0.55 | S 20: 11.00 + 2.20 | Z 0: 7.00 + 0.00 | 31.00 + 2.75 = 33.75",
		},
		{
			"BR-AE-9: reverse charge has no tax", "EUR",
			[]string{"2 × 450 AE 0"},
			"900.00 | AE 0: 900.00 + 0.00 | 900.00 + 0.00 = 900.00",
		},
		{
			"BR-IC-9 and BR-G-9 beside each other", "EUR",
			[]string{"1 × 5 G 0", "1 × 6 K 0"},
			"5.00 6.00 | G 0: 5.00 + 0.00 | K 0: 6.00 + 0.00 | 11.00 + 0.00 = 11.00",
		},
		{
			"BR-O-9: outside scope, alone", "SEK",
			[]string{"1 × 3200 O 0"},
			"3200.00 | O 0: 3200.00 + 0.00 | 3200.00 + 0.00 = 3200.00",
		},
		{
			"BR-IG-5, BR-IP-5: IGIC and IPSI may be 0 or more", "EUR",
			[]string{"1 × 100 L 7", "1 × 100 L 0", "1 × 100 M 4"},
			"100.00 100.00 100.00 | L 0: 100.00 + 0.00 | L 7: 100.00 + 7.00 | M 4: 100.00 + 4.00 | 300.00 + 11.00 = 311.00",
		},
		{
			"BR-B-1: split payment computes tax", "EUR",
			[]string{"1 × 100 B 22"},
			"100.00 | B 22: 100.00 + 22.00 | 100.00 + 22.00 = 122.00",
		},
		{
			"negative quantities take back, with their tax", "GBP",
			[]string{"3 × 2.55 S 20", "-1 × 2.55 S 20", "-1 × 0.005 Z 0"},
			"7.65 -2.55 -0.01 | S 20: 5.10 + 1.02 | Z 0: -0.01 + 0.00 | 5.09 + 1.02 = 6.11",
		},
		{
			"a group may be negative where the total is not: -0.5 of a cent goes down", "GBP",
			[]string{"1 × 10 Z 0", "-1 × 0.10 S 5"},
			"10.00 -0.10 | S 5: -0.10 + -0.01 | Z 0: 10.00 + 0.00 | 9.90 + -0.01 = 9.89",
		},
		{
			"JPY has no minor unit: 2.5 of tax goes up", "JPY",
			[]string{"1 × 24.5 S 10"},
			"25 | S 10: 25 + 3 | 25 + 3 = 28",
		},
		{
			"BHD has three decimal places", "BHD",
			[]string{"3 × 1.1115 S 10"},
			"3.335 | S 10: 3.335 + 0.334 | 3.335 + 0.334 = 3.669",
		},
		{
			"hundreds of millions", "EUR",
			[]string{"123456 × 4567.891 S 19", "1 × 999999999.99 S 19"},
			"563933551.30 999999999.99 | S 19: 1563933551.29 + 297147374.75 | 1563933551.29 + 297147374.75 = 1861080926.04",
		},
		{
			"zero-priced lines count as lines", "GBP",
			[]string{"5 × 0 S 20", "1 × 1 Z 0"},
			"0.00 1.00 | S 20: 0.00 + 0.00 | Z 0: 1.00 + 0.00 | 1.00 + 0.00 = 1.00",
		},
	} {
		totals, err := tax.Compute(document(t, c.currency, c.lines...))
		if got := figures(totals); err != nil || got != c.want {
			t.Errorf("%s:\n got %s, %v\nwant %s", c.rule, got, err, c.want)
		}
	}
}

// BT-149: the price is for so many units.
func TestBaseQuantity(t *testing.T) {
	d := document(t, "EUR", "7 × 10 S 20", "7 × 10 S 20", "-7 × 10 S 20")
	d.Lines[0].BaseQuantity = decimal(t, "12")
	d.Lines[2].BaseQuantity = decimal(t, "0.5")
	d.Lines = append(d.Lines, line(t, "1000 × 1 S 20"))
	totals, err := tax.Compute(d)
	if got, want := figures(totals), "5.83 70.00 -140.00 1000.00 | S 20: 935.83 + 187.17 | 935.83 + 187.17 = 1123.00"; err != nil || got != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
}

// BG-27, BG-28: allowances and charges of a line come off before tax.
func TestLineAdjustments(t *testing.T) {
	eur := currency(t, "EUR")
	d := document(t, "EUR", "10 × 9.99 S 20", "-2 × 10 S 20")
	d.Lines[0].Adjustments = []tax.Adjustment{
		{Percent: decimal(t, "12.5"), Reason: "Season"},                                   // 12.4875
		{Charge: true, Amount: amount(t, "1.50", eur), Reason: "Packing"},                 //
		{Percent: decimal(t, "10"), Base: amount(t, "50.05", eur), Rate: rate(t, "S 20")}, // 5.005
	}
	d.Lines[1].Adjustments = []tax.Adjustment{{Percent: decimal(t, "10")}} // −2 of −20
	totals, err := tax.Compute(d)
	if got, want := figures(totals), "83.90 -18.00 | S 20: 65.90 + 13.18 | 65.90 + 13.18 = 79.08"; err != nil || got != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
	if !totals.Allowances.IsZero() || !totals.Charges.IsZero() {
		t.Errorf("line adjustments are counted as the document's: %s, %s", totals.Allowances, totals.Charges)
	}
}

// BG-20, BG-21: those of the document belong to a category and rate: BR-S-8,
// BR-CO-11, BR-CO-12, BR-CO-13.
func TestDocumentAdjustments(t *testing.T) {
	eur := currency(t, "EUR")
	d := document(t, "EUR", "1 × 100 S 20", "1 × 50 S 20", "1 × 60 S 5")
	d.Adjustments = []tax.Adjustment{
		{Percent: decimal(t, "10"), Rate: rate(t, "S 20"), Reason: "Discount"}, // of 150
		{Charge: true, Amount: amount(t, "4.99", eur), Rate: rate(t, "S 20"), Reason: "Freight"},
		{Amount: amount(t, "6", eur), Percent: decimal(t, "10"), Rate: rate(t, "S 5"), Reason: "Discount"},
		{Charge: true, Amount: amount(t, "2", eur), Rate: rate(t, "E 0"), Reason: "Stamps"},
		{Charge: true, Amount: amount(t, "10", eur), Percent: decimal(t, "5"), Base: amount(t, "200", eur), Rate: rate(t, "S 5")},
	}
	totals, err := tax.Compute(d)
	want := "100.00 50.00 60.00 | E 0: 2.00 + 0.00 | S 5: 64.00 + 3.20 | S 20: 139.99 + 28.00 | 205.99 + 31.20 = 237.19"
	if got := figures(totals); err != nil || got != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
	if totals.Lines != amount(t, "210", eur) || totals.Allowances != amount(t, "21", eur) || totals.Charges != amount(t, "16.99", eur) {
		t.Errorf("lines %s, allowances %s, charges %s", totals.Lines, totals.Allowances, totals.Charges)
	}
	wantNets := []money.Amount{
		amount(t, "15", eur), amount(t, "4.99", eur), amount(t, "6", eur), amount(t, "2", eur), amount(t, "10", eur),
	}
	if !reflect.DeepEqual(totals.AdjustmentNets, wantNets) {
		t.Errorf("adjustments %v", totals.AdjustmentNets)
	}
}

// BR-CO-16: what is due.
func TestDue(t *testing.T) {
	eur := currency(t, "EUR")
	for _, c := range []struct{ prepaid, rounding, due string }{
		{"", "", "9.57"},
		{"5", "", "4.57"},
		{"9.57", "", "0"},
		{"", "0.43", "10"},
		{"", "-0.02", "9.55"},
		{"9.55", "-0.02", "0"},
		{"10", "0.43", "0"},
		{"", "0.99", "10.56"},
	} {
		d := document(t, "EUR", "1 × 9.57 Z 0")
		d.Prepaid, d.RoundingAmount = amount(t, c.prepaid, eur), amount(t, c.rounding, eur)
		totals, err := tax.Compute(d)
		if err != nil || totals.Due != amount(t, c.due, eur) || totals.Gross != amount(t, "9.57", eur) {
			t.Errorf("prepaid %q, rounding %q: due %s of %s, %v", c.prepaid, c.rounding, totals.Due, totals.Gross, err)
		}
		if totals.Prepaid.Currency() != eur || totals.Rounding.Currency() != eur {
			t.Errorf("a figure has no currency: %v", totals)
		}
	}
}

// The document comes to what was typed; the tax in it is that of the category.
func TestPricesIncludingTax(t *testing.T) {
	for _, c := range []struct {
		what, currency string
		lines          []string
		want           string
	}{
		{
			"a simple one", "GBP",
			[]string{"1 × 120 S 20"},
			"100.00 | S 20: 100.00 + 20.00 | 100.00 + 20.00 = 120.00",
		},
		{
			"each net would be 8.325; they share 24.97", "GBP",
			[]string{"1 × 9.99 S 20", "1 × 9.99 S 20", "1 × 9.99 S 20"},
			"8.33 8.32 8.32 | S 20: 24.97 + 5.00 | 24.97 + 5.00 = 29.97",
		},
		{
			"taxed by itself each line would have 0.00 of tax", "EUR",
			[]string{"1 × 0.02 S 20", "1 × 0.02 S 20", "1 × 0.02 S 20"},
			"0.02 0.02 0.01 | S 20: 0.05 + 0.01 | 0.05 + 0.01 = 0.06",
		},
		{
			"several rates, each by itself", "EUR",
			[]string{"1 × 11.90 S 19", "3 × 1.07 S 7", "2 × 5 Z 0", "1 × 1 S 19"},
			"10.00 3.00 10.00 0.84 | S 7: 3.00 + 0.21 | S 19: 10.84 + 2.06 | Z 0: 10.00 + 0.00 | 23.84 + 2.27 = 26.11",
		},
		{
			"what is given back in full takes its tax along", "GBP",
			[]string{"1 × 120 S 20", "-1 × 120 S 20", "1 × 1 Z 0"},
			"100.00 -100.00 1.00 | S 20: 0.00 + 0.00 | Z 0: 1.00 + 0.00 | 1.00 + 0.00 = 1.00",
		},
		{
			"yen", "JPY",
			[]string{"1 × 108 S 8", "1 × 105 S 10", "1 × 110 S 10"},
			"100 95 100 | S 8: 100 + 8 | S 10: 195 + 20 | 295 + 28 = 323",
		},
	} {
		d := document(t, c.currency, c.lines...)
		d.PricesIncludeTax = true
		totals, err := tax.Compute(d)
		if got := figures(totals); err != nil || got != c.want {
			t.Errorf("%s:\n got %s, %v\nwant %s", c.what, got, err, c.want)
		}
	}
}

func TestAdjustmentsIncludingTax(t *testing.T) {
	eur := currency(t, "EUR")
	d := document(t, "EUR", "1 × 60 S 20", "1 × 60 S 20", "1 × 10 Z 0")
	d.PricesIncludeTax = true
	d.Lines[0].Adjustments = []tax.Adjustment{{Amount: amount(t, "12", eur)}}
	d.Adjustments = []tax.Adjustment{
		{Percent: decimal(t, "10"), Rate: rate(t, "S 20")}, // of 108
		{Charge: true, Amount: amount(t, "1", eur), Rate: rate(t, "Z 0")},
		{Charge: true, Amount: amount(t, "5", eur), Rate: rate(t, "S 20")},
	}
	totals, err := tax.Compute(d)
	want := "40.00 50.00 10.00 | S 20: 85.17 + 17.03 | Z 0: 11.00 + 0.00 | 96.17 + 17.03 = 113.20"
	if got := figures(totals); err != nil || got != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
	wantNets := []money.Amount{amount(t, "9", eur), amount(t, "1", eur), amount(t, "4.17", eur)}
	if !reflect.DeepEqual(totals.AdjustmentNets, wantNets) {
		t.Errorf("adjustments %v", totals.AdjustmentNets)
	}
	if totals.Lines != amount(t, "100", eur) || totals.Allowances != amount(t, "9", eur) || totals.Charges != amount(t, "5.17", eur) {
		t.Errorf("lines %s, allowances %s, charges %s", totals.Lines, totals.Allowances, totals.Charges)
	}
}

// BR-E-10 and its like: each category that charges no tax says why.
func TestReasonsStandInTheBreakdown(t *testing.T) {
	for category, want := range map[string][2]string{
		"E": {"Exempt", ""}, "AE": {"Reverse charge", ""}, "K": {"", "VATEX-EU-IC"},
		"G": {"Export", "VATEX-EU-G"}, "O": {"Outside scope", ""}, "Z": {"", ""},
	} {
		totals, err := tax.Compute(document(t, "EUR", "1 × 5 "+category+" 0"))
		if err != nil || len(totals.Breakdown) != 1 {
			t.Fatalf("%s: %v, %v", category, totals, err)
		}
		if s := totals.Breakdown[0]; s.Reason != want[0] || s.ReasonCode != want[1] {
			t.Errorf("%s: reason %q, code %q", category, s.Reason, s.ReasonCode)
		}
	}
	d := document(t, "EUR", "1 × 5 Z 0")
	d.Exemptions = []tax.Exemption{{Category: tax.ZeroRated, Reason: "Books"}}
	totals, err := tax.Compute(d)
	if err != nil || totals.Breakdown[0].Reason != "Books" {
		t.Errorf("zero-rated with a reason: %v, %v", totals, err)
	}
}

func TestThousandLines(t *testing.T) {
	var lines []string
	for range 500 {
		lines = append(lines, "3 × 0.335 S 20", "1 × 0.01 S 5")
	}
	for _, including := range []bool{false, true} {
		d := document(t, "GBP", lines...)
		d.PricesIncludeTax = including
		totals, err := tax.Compute(d)
		if err != nil || len(totals.LineNets) != 1000 {
			t.Fatalf("%d line nets, %v", len(totals.LineNets), err)
		}
		totals.LineNets = nil
		want := " | S 5: 5.00 + 0.25 | S 20: 505.00 + 101.00 | 510.00 + 101.25 = 611.25"
		if including {
			want = " | S 5: 4.76 + 0.24 | S 20: 420.83 + 84.17 | 425.59 + 84.41 = 510.00"
		}
		if got := figures(totals); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
}

func TestComputeChangesNothing(t *testing.T) {
	make := func() tax.Document {
		d := document(t, "EUR", "1 × 60 S 20", "-1 × 10 S 5")
		d.PricesIncludeTax = true
		d.Adjustments = []tax.Adjustment{{Percent: decimal(t, "10"), Rate: rate(t, "S 20")}}
		return d
	}
	d := make()
	if _, err := tax.Compute(d); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(d, make()) {
		t.Error("the document was changed")
	}
}

func BenchmarkCompute(b *testing.B) {
	d := document(b, "GBP")
	for range 20 {
		d.Lines = append(d.Lines, line(b, "12 × 2.55 S 20"))
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tax.Compute(d); err != nil {
			b.Fatal(err)
		}
	}
}
