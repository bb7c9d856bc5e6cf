package csvfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	_ "time/tzdata" // the zones of map files, on machines that have no database of them
	"unicode/utf8"

	"github.com/BurntSushi/toml"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/field"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
	"github.com/daybook-ledger/daybook/importer"
)

// CodeInvalidMap refuses a map file; the message names the key.
const CodeInvalidMap = "invalid-map"

// maxMap bounds the size of a map file, in bytes.
const maxMap = 1 << 20

// Map says what the columns of a file mean. It is made by ParseMap or ReadMap
// and not changed afterwards.
type Map struct {
	columns  Columns
	kinds    []prefix       // the longest first
	currency money.Currency // of documents that name none
	// rateSource says where rates are from that do not say so themselves.
	rateSource string
	gross      bool
	rate       tax.Rate
	// exemption is nil where the category has no reason.
	exemption    *tax.Exemption
	zone         *time.Location // the business's: it says which day it is
	sourceZone   *time.Location // of times that name no zone
	layouts      []string
	decimalComma bool
	delimiter    byte
	creditReason string
	customerName string
	stranger     *NoCustomer
	countries    map[string]string
}

type prefix struct {
	text string
	kind domain.Kind
}

// Columns names the columns of the file, as its header line has them.
type Columns struct {
	Number       string `toml:"number"`
	Date         string `toml:"date"`
	Quantity     string `toml:"quantity"`
	Price        string `toml:"price"`
	Item         string `toml:"item"`
	Description  string `toml:"description"`
	Unit         string `toml:"unit"`
	Customer     string `toml:"customer"`
	CustomerName string `toml:"customer_name"`
	Country      string `toml:"country"`
	Currency     string `toml:"currency"`
	Rate         string `toml:"rate"`
}

// NoCustomer is the customer who stands in for documents that name none.
type NoCustomer struct {
	Reference string `toml:"reference"`
	Name      string `toml:"name"`
}

// mapFile is the map file as it is written: docs/IMPORT.md.
type mapFile struct {
	Currency       string            `toml:"currency"`
	RateSource     string            `toml:"rate_source"`
	Prices         string            `toml:"prices"`
	TimeZone       string            `toml:"time_zone"`
	SourceTimeZone string            `toml:"source_time_zone"`
	Dates          []string          `toml:"dates"`
	DecimalComma   bool              `toml:"decimal_comma"`
	Delimiter      *string           `toml:"delimiter"`
	CreditReason   string            `toml:"credit_reason"`
	CustomerName   string            `toml:"customer_name"`
	Columns        Columns           `toml:"columns"`
	Kinds          map[string]string `toml:"kinds"`
	Tax            struct {
		Category   string `toml:"category"`
		Rate       string `toml:"rate"`
		Reason     string `toml:"reason"`
		ReasonCode string `toml:"reason_code"`
	} `toml:"tax"`
	NoCustomer *NoCustomer       `toml:"no_customer"`
	Countries  map[string]string `toml:"countries"`
}

// ReadMap reads the map file at a path. A file that cannot be read is an error
// of the system; one that is no map is refused with "invalid-map".
func ReadMap(path string) (*Map, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("importer/csvfile: map file: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxMap+1))
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("importer/csvfile: map file: %w", err)
	}
	return ParseMap(text)
}

// ParseMap reads a map file's text. Everything wrong with it, an unknown key
// too, is refused with "invalid-map".
func ParseMap(text []byte) (*Map, error) {
	if len(text) > maxMap {
		return nil, badMap("the map file has more than %d bytes", maxMap)
	}
	if !utf8.Valid(text) {
		return nil, badMap("the map file is not valid UTF-8")
	}
	var f mapFile
	meta, err := toml.NewDecoder(bytes.NewReader(text)).Decode(&f)
	if err != nil {
		return nil, badMap("the map file is not what it should be: %v", err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return nil, badMap("the map file has the unknown key %q", unknown[0].String())
	}
	return f.compile()
}

func badMap(format string, args ...any) *domain.Refusal {
	return domain.Refuse(CodeInvalidMap, format, args...).
		WithHint("docs/IMPORT.md describes the keys of a map file, and examples/ has one")
}

// Currency is the currency of the prices of documents that name none.
func (m *Map) Currency() money.Currency { return m.currency }

// kind finds a document's kind by its number; empty where no prefix matches.
func (m *Map) kind(number string) domain.Kind {
	for _, p := range m.kinds {
		if strings.HasPrefix(number, p.text) {
			return p.kind
		}
	}
	return ""
}

// country gives the code of a country's name, or else the name itself.
func (m *Map) country(name string) (code, text string) {
	if code, ok := m.countries[name]; ok {
		return code, ""
	}
	if field.IsCountry(name) {
		return name, ""
	}
	return "", name
}

// referenceMark stands for the customer's reference in customer_name.
const referenceMark = "{reference}"

// customer is the buyer that lines with these cells have; a customer without a
// reference is one that nobody stands in for.
func (m *Map) customer(reference, name, country string) importer.Customer {
	c := importer.Customer{Reference: reference, Name: name}
	if reference == "" && m.stranger != nil {
		c.Reference, c.Name = m.stranger.Reference, m.stranger.Name
	}
	if c.Name == "" {
		c.Name = strings.ReplaceAll(m.customerName, referenceMark, c.Reference)
	}
	c.Country, c.CountryText = m.country(country)
	return c
}

// decimal reads a quantity or price.
func (m *Map) decimal(text string) (money.Decimal, error) {
	text, err := m.point(text)
	if err != nil {
		return money.Decimal{}, err
	}
	return money.ParseDecimal(text)
}

// exchange reads what one unit of a currency is worth in the book's, and where
// that is from; no rate where the cell is empty.
func (m *Map) exchange(text string) (exchange.Rate, error) {
	if text == "" {
		return exchange.Rate{}, nil
	}
	number, source, _ := strings.Cut(text, "@")
	number, err := m.point(number)
	if err != nil {
		return exchange.Rate{}, err
	}
	rate, err := exchange.ParseRate(number)
	if rate.Source = strings.TrimSpace(source); rate.Source == "" {
		rate.Source = m.rateSource
	}
	return rate, errors.Join(err, rate.Validate())
}

// point gives a number as it is written with a decimal point.
func (m *Map) point(number string) (string, error) {
	if !m.decimalComma {
		return number, nil
	}
	if strings.Contains(number, ".") {
		return "", domain.Refuse("invalid-decimal", "%.40q has a point, and the map says decimal comma", number)
	}
	return strings.Replace(number, ",", ".", 1), nil
}

// day reads a date and gives its day in the business's time zone.
func (m *Map) day(text string) (domain.Date, bool) {
	for _, layout := range m.layouts {
		if t, err := time.ParseInLocation(layout, text, m.sourceZone); err == nil {
			day := domain.DateOf(t.In(m.zone))
			return day, day.Valid()
		}
	}
	return "", false
}
