package tax_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// published is the figures of an example invoice that the keepers of EN 16931
// (ubl-tc434-…, others) or of Peppol BIS Billing 3.0 (peppol-…) publish with
// their validators, as stated there.
type published struct {
	Source   string
	Currency string
	Lines    []struct {
		Quantity, Price, Base, Rate, Net string
		Adjustments                      []publishedAdjustment
	}
	Adjustments []publishedAdjustment
	Breakdown   []struct{ Rate, Taxable, Tax, Reason string }
	Totals      map[string]string
}

type publishedAdjustment struct {
	Charge                      bool
	Amount, Percent, Base, Rate string
}

func (p publishedAdjustment) adjustment(t *testing.T, c money.Currency) tax.Adjustment {
	a := tax.Adjustment{Charge: p.Charge, Amount: amount(t, p.Amount, c)}
	if p.Base != "" {
		a.Percent, a.Base = decimal(t, p.Percent), amount(t, p.Base, c)
	}
	if p.Rate != "" {
		a.Rate = rate(t, p.Rate)
	}
	return a
}

func (p published) document(t *testing.T) tax.Document {
	c := currency(t, p.Currency)
	d := tax.Document{
		Currency: c, Rounding: money.HalfUp,
		Prepaid: amount(t, p.Totals["prepaid"], c), RoundingAmount: amount(t, p.Totals["rounding"], c),
	}
	for _, l := range p.Lines {
		made := tax.Line{
			Quantity: decimal(t, l.Quantity), Price: decimal(t, l.Price),
			BaseQuantity: decimal(t, l.Base), Rate: rate(t, l.Rate),
		}
		for _, a := range l.Adjustments {
			made.Adjustments = append(made.Adjustments, a.adjustment(t, c))
		}
		d.Lines = append(d.Lines, made)
	}
	for _, a := range p.Adjustments {
		d.Adjustments = append(d.Adjustments, a.adjustment(t, c))
	}
	for _, s := range p.Breakdown {
		if r := rate(t, s.Rate); s.Reason != "" {
			d.Exemptions = append(d.Exemptions, tax.Exemption{Category: r.Category, Reason: s.Reason})
		}
	}
	return d
}

func TestPublishedExamples(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "published.json"))
	if err != nil {
		t.Fatal(err)
	}
	var examples []published
	if err := json.Unmarshal(data, &examples); err != nil {
		t.Fatal(err)
	}
	for _, p := range examples {
		t.Run(p.Source, func(t *testing.T) {
			totals, err := tax.Compute(p.document(t))
			if negative := p.Totals["gross"][0] == '-'; negative != (codeOf(err) == "negative-total") || !negative && err != nil {
				t.Fatalf("refused: %v", err)
			}
			checkPublished(t, p, totals)
		})
	}
}

func checkPublished(t *testing.T, p published, totals tax.Totals) {
	c := currency(t, p.Currency)
	check := func(what, stated string, got money.Amount) {
		t.Helper()
		if stated != "" && amount(t, stated, c) != got {
			t.Errorf("%s is %s, stated %s", what, got, stated)
		}
	}
	for i, l := range p.Lines {
		check("line net", l.Net, totals.LineNets[i])
	}
	if len(totals.Breakdown) != len(p.Breakdown) {
		t.Errorf("breakdown has %d groups, stated %d", len(totals.Breakdown), len(p.Breakdown))
	}
	for _, stated := range p.Breakdown {
		for _, s := range totals.Breakdown {
			if s.Rate == rate(t, stated.Rate) {
				check(stated.Rate+" taxable", stated.Taxable, s.Taxable)
				check(stated.Rate+" tax", stated.Tax, s.Tax)
			}
		}
	}
	check("sum of lines (BT-106)", p.Totals["total_lines"], totals.Lines)
	check("allowances (BT-107)", p.Totals["allowances"], totals.Allowances)
	check("charges (BT-108)", p.Totals["charges"], totals.Charges)
	check("net (BT-109)", p.Totals["net"], totals.Net)
	check("tax (BT-110)", p.Totals["tax"], totals.Tax)
	check("gross (BT-112)", p.Totals["gross"], totals.Gross)
	check("due (BT-115)", p.Totals["due"], totals.Due)
}
