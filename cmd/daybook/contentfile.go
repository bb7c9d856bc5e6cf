package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// maxContent bounds a --from file, in bytes: what is larger is no document.
const maxContent = 64 << 20

// contentFile is the JSON form of a document's content, as --from reads it.
// docs/CLI.md describes it.
type contentFile struct {
	Customer         string           `json:"customer"`
	Currency         string           `json:"currency"`
	Exchange         *fileExchange    `json:"exchange"`
	PricesIncludeTax bool             `json:"prices_include_tax"`
	Deposit          bool             `json:"deposit"`
	Tax              string           `json:"tax"`
	Lines            []fileLine       `json:"lines"`
	Adjustments      []fileAdjustment `json:"adjustments"`
	Exemptions       []tax.Exemption  `json:"exemptions"`
	SupplyDate       string           `json:"supply_date"`
	Due              string           `json:"due"`
	Prepaid          numeral          `json:"prepaid"`
	RoundingAmount   numeral          `json:"rounding_amount"`
	Reference        string           `json:"reference"`
	Note             string           `json:"note"`
	Terms            string           `json:"terms"`
}

// fileExchange is the rate of another currency than the book's.
type fileExchange struct {
	Rate   numeral `json:"rate"`
	Source string  `json:"source"`
	Date   string  `json:"date"`
}

type fileLine struct {
	Item         string           `json:"item"`
	Description  string           `json:"description"`
	Quantity     numeral          `json:"quantity"`
	Unit         string           `json:"unit"`
	Price        numeral          `json:"price"`
	BaseQuantity numeral          `json:"base_quantity"`
	Tax          string           `json:"tax"`
	Adjustments  []fileAdjustment `json:"adjustments"`
	// Deducts names the deposit invoice that the line deducts.
	Deducts string `json:"deducts"`
}

type fileAdjustment struct {
	Charge  bool    `json:"charge"`
	Amount  numeral `json:"amount"`
	Percent numeral `json:"percent"`
	Base    numeral `json:"base"`
	Reason  string  `json:"reason"`
	Tax     string  `json:"tax"`
}

// numeral is a number's text, from a JSON string or number, digit by digit as
// it is written.
type numeral string

// UnmarshalJSON reads a string or a number.
func (n *numeral) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		var text string
		err := json.Unmarshal(data, &text)
		*n = numeral(text)
		return err
	}
	if string(data) == "null" {
		return nil
	}
	if !json.Valid(data) || strings.IndexByte("-0123456789", data[0]) < 0 {
		return fmt.Errorf("%.40q is not a number", data)
	}
	*n = numeral(data)
	return nil
}

const contentHint = `docs/CLI.md has the form of a document's content ("The content file")`

// readContent reads a --from file; "-" is stdin.
func (a *app) readContent(path string) (*contentFile, error) {
	in := a.stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		in = file
	}
	text, err := io.ReadAll(io.LimitReader(in, maxContent+1))
	if err != nil {
		return nil, fmt.Errorf("read the content: %w", err)
	}
	return parseContent(text)
}

func parseContent(text []byte) (*contentFile, error) {
	if len(text) > maxContent {
		return nil, fail(codeBadContent, "a description has at most 4 KiB, a note 16 KiB", "the content has more than %d MiB", maxContent>>20)
	}
	if !utf8.Valid(text) { // the JSON package would replace what is not, in silence
		return nil, domain.Refuse("invalid-utf8", "the content is not valid UTF-8").WithHint("convert the text to UTF-8 first")
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var f contentFile
	if err := decoder.Decode(&f); err != nil {
		return nil, fail(codeBadContent, contentHint, "the content is not what it should be: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, fail(codeBadContent, contentHint, "something follows the content's JSON object")
	}
	return &f, nil
}

// currency is the file's, or else another.
func (f *contentFile) currency(other money.Currency) (money.Currency, error) {
	if f.Currency == "" {
		return other, nil
	}
	return money.ParseCurrency(f.Currency)
}

// rate is the file's rate, none where it has none.
func (e *fileExchange) rate() (exchange.Rate, error) {
	if e == nil {
		return exchange.Rate{}, nil
	}
	flags := exchangeFlags{rate: string(e.Rate), source: e.Source, date: e.Date}
	return flags.exchange()
}

// content converts what the file says; the customer, its name, is not looked up.
func (f *contentFile) content(currency money.Currency) (c invoice.Content, text *invoice.Text, err error) {
	c = invoice.Content{
		Currency: currency, PricesIncludeTax: f.PricesIncludeTax, Deposit: f.Deposit, Exemptions: f.Exemptions,
		SupplyDate: domain.Date(f.SupplyDate), Reference: f.Reference,
	}
	if c.Exchange, err = f.Exchange.rate(); err != nil {
		return c, nil, err
	}
	var rate tax.Rate
	if f.Tax != "" {
		if rate, err = parseRate(f.Tax); err != nil {
			return c, nil, err
		}
	}
	text = &invoice.Text{Note: f.Note, Terms: f.Terms, Lines: make([]string, len(f.Lines))}
	c.Lines = make([]invoice.Line, len(f.Lines))
	for i := range f.Lines {
		text.Lines[i] = f.Lines[i].Description
		if c.Lines[i], err = f.Lines[i].line(rate, currency); err != nil {
			return c, nil, inLine(i, err)
		}
	}
	for _, adjustment := range f.Adjustments {
		converted, err := adjustment.adjustment(currency)
		if err == nil && adjustment.Tax == "" && rate.IsZero() {
			err = fail(codeBadContent, contentHint, "an allowance or charge on the document needs a tax")
		}
		if err == nil {
			converted.Rate, err = rateOr(adjustment.Tax, rate)
		}
		if err != nil {
			return c, nil, err
		}
		c.Adjustments = append(c.Adjustments, converted)
	}
	if c.Prepaid, err = f.Prepaid.amount(currency); err != nil {
		return c, nil, err
	}
	if c.RoundingAmount, err = f.RoundingAmount.amount(currency); err != nil {
		return c, nil, err
	}
	fillAmounts(&c)
	return c, text, setDue(&c, f.Due)
}

// inLine says which line an error is about.
func inLine(i int, err error) error {
	f := *explain(err, nil)
	f.message = fmt.Sprintf("line %d: %s", i+1, f.message)
	return &f
}

func (l *fileLine) line(rate tax.Rate, currency money.Currency) (line invoice.Line, err error) {
	line = invoice.Line{Item: l.Item, Unit: l.Unit}
	if line.Rate, err = rateOr(l.Tax, rate); err != nil {
		return line, err
	}
	if line.Rate.IsZero() {
		return line, fail(codeBadContent, "give the line a tax, or the whole document", "it has no tax")
	}
	if l.Deducts != "" && l.Quantity == "" {
		l.Quantity = "-1"
	}
	for _, number := range []struct {
		to       *money.Decimal
		from     numeral
		optional bool
	}{{&line.Quantity, l.Quantity, false}, {&line.Price, l.Price, false}, {&line.BaseQuantity, l.BaseQuantity, true}} {
		if number.from == "" && number.optional {
			continue
		}
		if *number.to, err = money.ParseDecimal(string(number.from)); err != nil {
			return line, err
		}
	}
	for _, adjustment := range l.Adjustments {
		if adjustment.Tax != "" {
			return line, fail(codeBadContent, contentHint, "an allowance or charge on a line has the line's own tax")
		}
		converted, err := adjustment.adjustment(currency)
		if err != nil {
			return line, err
		}
		line.Adjustments = append(line.Adjustments, converted)
	}
	return line, nil
}

func (f *fileAdjustment) adjustment(currency money.Currency) (a tax.Adjustment, err error) {
	a = tax.Adjustment{Charge: f.Charge, Reason: f.Reason}
	if a.Amount, err = f.Amount.amount(currency); err != nil {
		return a, err
	}
	if a.Base, err = f.Base.amount(currency); err != nil {
		return a, err
	}
	if f.Percent != "" {
		a.Percent, err = money.ParseDecimal(string(f.Percent))
	}
	return a, err
}

// amount reads an amount; none is zero.
func (n numeral) amount(currency money.Currency) (money.Amount, error) {
	if n == "" {
		return money.Amount{}, nil
	}
	return money.ParseAmount(string(n), currency)
}

// rateOr reads a rate, or takes the other where none is given.
func rateOr(text string, rate tax.Rate) (tax.Rate, error) {
	if text == "" {
		return rate, nil
	}
	return parseRate(text)
}
