package tax_test

import (
	"errors"
	"strings"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// fataler is what *testing.T and *rapid.T have in common here.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func currency(t fataler, code string) money.Currency {
	t.Helper()
	c, err := money.ParseCurrency(code)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return c
}

// decimal reads a decimal; nothing stands for zero.
func decimal(t fataler, text string) money.Decimal {
	t.Helper()
	if text == "" {
		return money.Decimal{}
	}
	d, err := money.ParseDecimal(text)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return d
}

// amount reads an amount; nothing stands for one that is not given.
func amount(t fataler, text string, c money.Currency) money.Amount {
	t.Helper()
	if text == "" {
		return money.Amount{}
	}
	a, err := money.ParseAmount(text, c)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return a
}

// rate reads "S 20", valid or not.
func rate(t fataler, text string) tax.Rate {
	t.Helper()
	code, percent, _ := strings.Cut(text, " ")
	return tax.Rate{Category: tax.Category(code), Percent: decimal(t, percent)}
}

// line reads "<quantity> × <price> <category> <percent>".
func line(t fataler, text string) tax.Line {
	t.Helper()
	fields := strings.Fields(text)
	if len(fields) != 5 {
		t.Fatalf("no line: %s", text)
	}
	return tax.Line{
		Quantity: decimal(t, fields[0]), Price: decimal(t, fields[2]),
		Rate: rate(t, fields[3]+" "+fields[4]),
	}
}

// document makes a document of such lines, with a reason for every category
// that needs one.
func document(t fataler, code string, lines ...string) tax.Document {
	t.Helper()
	d := tax.Document{Currency: currency(t, code), Rounding: money.HalfUp, Exemptions: reasons()}
	for _, text := range lines {
		d.Lines = append(d.Lines, line(t, text))
	}
	return d
}

func reasons() []tax.Exemption {
	return []tax.Exemption{
		{Category: tax.Exempt, Reason: "Exempt"},
		{Category: tax.ReverseCharge, Reason: "Reverse charge"},
		{Category: tax.IntraCommunity, Code: "VATEX-EU-IC"},
		{Category: tax.Export, Reason: "Export", Code: "VATEX-EU-G"},
		{Category: tax.OutsideScope, Reason: "Outside scope"},
	}
}

// figures writes totals down for comparison: the line nets, the breakdown, the
// sums.
func figures(t tax.Totals) string {
	var b strings.Builder
	for i, net := range t.LineNets {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(net.String())
	}
	for _, s := range t.Breakdown {
		b.WriteString(" | " + s.Rate.String() + ": " + s.Taxable.String() + " + " + s.Tax.String())
	}
	b.WriteString(" | " + t.Net.String() + " + " + t.Tax.String() + " = " + t.Gross.String())
	return b.String()
}

func refusalOf(err error) *domain.Refusal {
	var refusal *domain.Refusal
	errors.As(err, &refusal)
	return refusal
}

func codeOf(err error) string {
	if refusal := refusalOf(err); refusal != nil {
		return refusal.Code
	}
	return ""
}
