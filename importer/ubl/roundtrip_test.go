package ubl_test

import (
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/field"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
	"github.com/daybook-ledger/daybook/importer/ubl"
)

var (
	word     = rapid.Map(rapid.StringMatching(`[A-Za-z<&"'ß漢][A-Za-z0-9 <>&"'ß漢-]{0,20}[A-Za-z0-9>&"'ß漢]`), single)
	perhaps  = rapid.OneOf(rapid.Just(""), word)
	day      = rapid.IntRange(0, 3000)
	rateText = rapid.SampledFrom([]string{"S 20", "S 5.5", "Z 0", "E 0", "AE 0", "K 0", "G 0", "L 7"})
)

// single has no two spaces in a row, which a line of text does not keep.
func single(text string) string {
	var kept []rune
	for _, r := range text {
		if r != ' ' || kept[len(kept)-1] != ' ' {
			kept = append(kept, r)
		}
	}
	return string(kept)
}

func drawDecimal(t *rapid.T, name string, most int64, places uint8) money.Decimal {
	d, err := money.NewDecimal(rapid.Int64Range(1, most).Draw(t, name), places)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func drawAdjustment(t *rapid.T, c money.Currency) tax.Adjustment {
	a := tax.Adjustment{Charge: rapid.Bool().Draw(t, "charge"), Reason: perhaps.Draw(t, "reason")}
	if rapid.Bool().Draw(t, "as a percentage") {
		a.Percent = drawDecimal(t, "percent", 9999, 2)
		a.Base = money.New(rapid.Int64Range(1, 1_000_000).Draw(t, "base"), c)
		amount, err := money.Percent(a.Base, a.Percent, money.HalfUp)
		if err != nil {
			t.Fatal(err)
		}
		if a.Amount = amount; !amount.IsZero() {
			return a
		}
		a.Percent, a.Base = money.Decimal{}, money.Amount{}
	}
	a.Amount = money.New(rapid.Int64Range(0, 10_000).Draw(t, "amount"), c)
	return a
}

func drawParty(t *rapid.T) ubl.Party {
	p := ubl.Party{
		Name: word.Draw(t, "name"), TradingName: perhaps.Draw(t, "trading name"), VATID: perhaps.Draw(t, "VAT id"),
		ID: perhaps.Draw(t, "id"), LegalID: perhaps.Draw(t, "legal id"), City: perhaps.Draw(t, "city"),
		Postcode: perhaps.Draw(t, "postcode"), Email: perhaps.Draw(t, "e-mail"),
		Country: rapid.SampledFrom([]string{"", "GB", "DE"}).Draw(t, "country"),
	}
	if line := perhaps.Draw(t, "address"); line != "" {
		p.Address = []string{line}
	}
	if p.Country == "" {
		p.CountryText = perhaps.Draw(t, "country text")
		if field.IsCountry(p.CountryText) {
			p.CountryText = "" // what reads like a code is read as one
		}
	}
	return p
}

func drawDocument(t *rapid.T) *ubl.Document {
	currencies := money.Currencies()
	c := currencies[rapid.IntRange(0, len(currencies)-1).Draw(t, "currency")]
	d := &ubl.Document{
		Kind: domain.KindInvoice, Type: "380", Number: word.Draw(t, "number"), Date: domain.Date("2020-01-01").AddDays(day.Draw(t, "date")),
		Supplier: drawParty(t), Buyer: drawParty(t),
		Text:    invoice.Text{Note: perhaps.Draw(t, "note"), Terms: perhaps.Draw(t, "terms")},
		Content: invoice.Content{Currency: c, Rounding: money.HalfUp, Prepaid: money.Zero(c), RoundingAmount: money.Zero(c)},
	}
	for range rapid.IntRange(0, 2).Draw(t, "preceding") {
		p := ubl.Preceding{Number: word.Draw(t, "preceding number")}
		if rapid.Bool().Draw(t, "dated") {
			p.Date = "2019-12-31"
		}
		d.Preceding = append(d.Preceding, p)
	}
	if rapid.Bool().Draw(t, "credit note") {
		d.Kind, d.Type = domain.KindCredit, "381"
	} else {
		d.Content.DueDate = d.Date.AddDays(rapid.IntRange(0, 90).Draw(t, "due"))
		d.Content.Prepaid = money.New(rapid.Int64Range(0, 100).Draw(t, "prepaid"), c)
	}
	if rapid.Bool().Draw(t, "supplied") {
		d.Content.SupplyDate = d.Date
	}
	drawContent(t, d)
	return d
}

func drawContent(t *rapid.T, d *ubl.Document) {
	rate := func() tax.Rate {
		r, err := tax.ParseRate(rateText.Draw(t, "rate"))
		if err != nil {
			t.Fatal(err)
		}
		if r.Category.NeedsReason() && !slices.ContainsFunc(d.Content.Exemptions, func(e tax.Exemption) bool { return e.Category == r.Category }) {
			d.Content.Exemptions = append(d.Content.Exemptions, tax.Exemption{Category: r.Category, Reason: word.Draw(t, "why"), Code: perhaps.Draw(t, "code")})
		}
		return r
	}
	for range rapid.IntRange(1, 6).Draw(t, "lines") {
		line := invoice.Line{
			Item: perhaps.Draw(t, "item"), Unit: rapid.SampledFrom([]string{"C62", "HUR"}).Draw(t, "unit"),
			Quantity: drawDecimal(t, "quantity", 1_000_000, 3), Price: drawDecimal(t, "price", 1_000_000, 4), Rate: rate(),
		}
		if rapid.IntRange(0, 4).Draw(t, "taken back") == 0 {
			line.Quantity = line.Quantity.Neg()
		}
		if rapid.Bool().Draw(t, "base quantity") {
			line.BaseQuantity = money.IntegerDecimal(rapid.Int64Range(2, 1000).Draw(t, "units"))
		}
		for range rapid.IntRange(0, 2).Draw(t, "adjustments") {
			line.Adjustments = append(line.Adjustments, drawAdjustment(t, d.Content.Currency))
		}
		d.Content.Lines = append(d.Content.Lines, line)
		d.Text.Lines = append(d.Text.Lines, word.Draw(t, "description"))
	}
	for range rapid.IntRange(0, 2).Draw(t, "document adjustments") {
		a := drawAdjustment(t, d.Content.Currency)
		a.Rate = rate()
		d.Content.Adjustments = append(d.Content.Adjustments, a)
	}
	slices.SortFunc(d.Content.Exemptions, func(a, b tax.Exemption) int {
		return tax.Rate{Category: a.Category}.Cmp(tax.Rate{Category: b.Category})
	})
}

// TestRoundTrip writes generated documents and reads them: content, parties,
// texts and totals are the same, and agree with what was stated.
func TestRoundTrip(t *testing.T) {
	documents := 0
	rapid.Check(t, func(t *rapid.T) {
		d := drawDocument(t)
		_, totals, err := d.Content.Compute()
		if err != nil {
			return // such as a negative total
		}
		documents++
		file := ubl.Read("x", []byte(render(t, d)), false)
		if r := file.Result; r.Status != ubl.Agrees || r.Computed.Gross != totals.Gross.String() || r.Stated.Due != totals.Due.String() {
			t.Fatalf("%s %s: %s\n%+v", r.Status, r.Code, r.Message, r)
		}
		got, err := ubl.Parse([]byte(render(t, d)))
		if err != nil {
			t.Fatal(err)
		}
		d.Stated = got.Stated // compared above
		if !reflect.DeepEqual(got, d) {
			t.Fatalf("read\n%+v\nwritten\n%+v", got, d)
		}
	})
	if documents < 20 {
		t.Errorf("only %d documents were compared", documents)
	}
}
