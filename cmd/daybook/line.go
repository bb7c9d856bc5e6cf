package main

import (
	"regexp"
	"strings"

	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// The grammar of --line:
//
//	line     = quantity [ unit ] "x" price [ "/" base ] { "@" tax | "#" item } description
//	quantity = decimal                     3, 2.5, -1
//	unit     = a word                      h, kg, box
//	price    = decimal                     49.50, per unit, or per base units
//	tax      = category [ percent ]        S20, S5.5, Z, AE
//
// as in "3 x 49.50 Consulting in March", "2.5 h x 80 @S20 #DEV Development" and
// "500 x 12.40/100 @Z Flyers".
var lineForm = regexp.MustCompile(
	`(?s)^(-?[0-9.]+)(?:\s*|\s+(\S+)\s+)[x×*]\s*(-?[0-9.]+)(?:/([0-9.]+))?((?:\s+[@#]\S+)*)(?:\s+(\S.*))?$`)

const lineHint = `write a line as QUANTITY x PRICE DESCRIPTION, such as "3 x 49.50 Consulting", ` +
	`with unit, tax and item as in "2 h x 80.00 @S20 #DEV Development"`

// parseLine reads a --line. Where it names no tax it has the one given, which
// may be none.
func parseLine(text string, rate tax.Rate) (line invoice.Line, description string, err error) {
	parts := lineForm.FindStringSubmatch(strings.TrimSpace(text))
	if parts == nil {
		return line, "", fail(codeBadLine, lineHint, "%.80q is not a line", text)
	}
	line.Unit, line.Rate, description = parts[2], rate, parts[6]
	if line.Quantity, err = money.ParseDecimal(parts[1]); err != nil {
		return line, "", err
	}
	if line.Price, err = money.ParseDecimal(parts[3]); err != nil {
		return line, "", err
	}
	if parts[4] != "" {
		if line.BaseQuantity, err = money.ParseDecimal(parts[4]); err != nil {
			return line, "", err
		}
	}
	for _, option := range strings.Fields(parts[5]) {
		if item, is := strings.CutPrefix(option, "#"); is {
			line.Item = item
			continue
		}
		if line.Rate, err = parseRate(strings.TrimPrefix(option, "@")); err != nil {
			return line, "", err
		}
	}
	if line.Rate.IsZero() {
		return line, "", fail(codeBadLine, "say --tax S20 for all lines, or @S20 on this one", "the line %.80q has no tax", text)
	}
	return line, description, nil
}

var rateForm = regexp.MustCompile(`^([A-Za-z]+)\s*([0-9.]+)?\s*%?$`)

// parseRate reads a tax category and percentage: S20, S 20, S20%, AE.
func parseRate(text string) (tax.Rate, error) {
	parts := rateForm.FindStringSubmatch(strings.TrimSpace(text))
	if parts == nil {
		return tax.ParseRate(text) // which says what is wrong with it
	}
	category, err := tax.ParseCategory(strings.ToUpper(parts[1]))
	if err != nil {
		return tax.Rate{}, err
	}
	rate := tax.Rate{Category: category}
	if parts[2] != "" {
		if rate.Percent, err = money.ParseDecimal(parts[2]); err != nil {
			return tax.Rate{}, err
		}
	}
	return rate, rate.Check()
}
