package ubl_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daybook-ledger/daybook/importer/ubl"
)

var update = flag.Bool("update", false, "write the golden files anew")

// samples finds the official samples of XRechnung, or skips the test.
func samples(t testing.TB) []string {
	t.Helper()
	folder := os.Getenv("DAYBOOK_DATA")
	if folder == "" {
		folder = filepath.Join("..", "..", "..", "shared", "data")
	}
	files, err := filepath.Glob(filepath.Join(folder, "ubl", "*.xml"))
	if err != nil || len(files) == 0 {
		t.Skipf("skipped: the samples are not here (DAYBOOK_DATA names their folder): %v", err)
	}
	return files
}

// TestSamples compares what each sample states, and what follows from it, with
// a table: file, status, code, and line, net, tax, gross and due as stated, then
// as computed where they differ.
func TestSamples(t *testing.T) {
	var table strings.Builder
	for _, path := range samples(t) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		r := ubl.Read(filepath.Base(path), data, false).Result
		if r.Stated == nil || r.Computed == nil {
			t.Fatalf("%s: %s %s", path, r.Code, r.Message)
		}
		fmt.Fprintf(&table, "%s %s %s\n", r.File, r.Status, r.Code)
		fmt.Fprintf(&table, "  stated   %s %s\n", figures(r.Stated), r.Currency)
		if *r.Computed != *r.Stated {
			fmt.Fprintf(&table, "  computed %s %s\n", figures(r.Computed), r.Currency)
		}
	}
	golden := filepath.Join("testdata", "samples.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(table.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if table.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s", table.String(), want)
	}
}

func figures(t *ubl.Totals) string {
	return strings.Join([]string{t.Line, t.Net, t.Tax, t.Gross, t.Due}, " ")
}

// TestSampleContent looks at one sample closely: percentages with their bases,
// exemptions, periods, identifiers with a scheme, several notes.
func TestSampleContent(t *testing.T) {
	for _, path := range samples(t) {
		if filepath.Base(path) != "02.01a-cvd_INVOICE_ubl.xml" {
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		d, err := ubl.Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		s, b, c := d.Supplier, d.Buyer, d.Content
		for what, pair := range map[string][2]string{
			"supplier":    {s.Name, "[Seller name]"},
			"trading as":  {s.TradingName, "[Seller trading name]"},
			"VAT id":      {s.VATID, "ATU123456789"},
			"id":          {s.ID, "0088:987654321"},
			"legal id":    {s.LegalID, "0088:123456789"},
			"address":     {strings.Join(s.Address, "|"), "[Seller address line 1]|[Seller address line 2]|[Seller address line 3]|Bayern"},
			"buyer":       {b.Name, "[Buyer name]"},
			"buyer id":    {b.ID, "138"},
			"buyer VAT":   {b.VATID, "DE12345ABC"},
			"country":     {b.Country, "DE"},
			"e-mail":      {b.Email, "tester@test.de"},
			"date":        {string(d.Date), "2018-04-13"},
			"supplied":    {string(c.SupplyDate), "2018-04-13"},
			"due":         {string(c.DueDate), "2018-04-13"},
			"note":        {d.Text.Note, "#AAC#Invoice Note Description\n#AAC#Invoice Note Description 2"},
			"preceding":   {fmt.Sprint(d.Preceding), "[{PIR1234567890 2018-02-04}]"},
			"adjustments": {fmt.Sprint(len(c.Adjustments)), "4"},
			"percent":     {c.Adjustments[0].Percent.String(), "10"},
			"base":        {c.Adjustments[0].Base.String(), "100000.00"},
			"exemption":   {fmt.Sprintf("%+v", c.Exemptions), "[{Category:E Reason:[VAT exemption reason text] Code:VATEX-EU-132-1A}]"},
			"lines":       {fmt.Sprint(len(c.Lines)), "2"},
			"price":       {c.Lines[1].Price.String(), "143750"},
		} {
			if pair[0] != pair[1] {
				t.Errorf("%s: %q, not %q", what, pair[0], pair[1])
			}
		}
		return
	}
	t.Error("the sample is not there")
}
