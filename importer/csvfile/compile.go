package csvfile

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/field"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// compile checks the file's values and makes a Map of them.
func (f *mapFile) compile() (*Map, error) {
	m := &Map{
		columns:      f.Columns,
		decimalComma: f.DecimalComma,
		creditReason: f.CreditReason,
		customerName: f.CustomerName,
		rateSource:   f.RateSource,
		stranger:     f.NoCustomer,
		countries:    f.Countries,
	}
	steps := []func(*Map) error{
		f.setColumns, f.setKinds, f.setMoney, f.setTax, f.setTimes, f.setForm, f.setCustomers, f.setCountries,
	}
	for _, step := range steps {
		if err := step(m); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (f *mapFile) setColumns(*Map) error {
	used := map[string]string{}
	for _, c := range f.Columns.all() {
		if c.column == "" && c.required {
			return badMap("columns.%s is missing", c.key)
		}
		if other, twice := used[c.column]; twice && c.column != "" {
			return badMap("columns.%s and columns.%s are the same column", other, c.key)
		}
		used[c.column] = c.key
	}
	return nil
}

func (f *mapFile) setKinds(m *Map) error {
	if len(f.Kinds) == 0 {
		return badMap("kinds is missing: it says which numbers are invoices and which credit notes")
	}
	for text, name := range f.Kinds {
		switch kind := domain.Kind(name); kind {
		case domain.KindInvoice, domain.KindCredit:
			m.kinds = append(m.kinds, prefix{text, kind})
		default:
			return badMap("kinds.%q is %q, and must be invoice or credit", text, name)
		}
	}
	slices.SortFunc(m.kinds, func(a, b prefix) int { return len(b.text) - len(a.text) })
	return nil
}

func (f *mapFile) setMoney(m *Map) (err error) {
	if m.currency, err = money.ParseCurrency(f.Currency); err != nil {
		return badMap("currency is %q, which is no currency of ISO 4217", f.Currency)
	}
	switch f.Prices {
	case "net":
	case "gross":
		m.gross = true
	default:
		return badMap("prices is %q, and must be net or gross", f.Prices)
	}
	switch {
	case f.RateSource == "":
		return nil
	case f.Columns.Rate == "":
		return badMap("rate_source says where rates are from, and there is no columns.rate")
	}
	return keyed("rate_source", field.Line("source", f.RateSource, field.MaxName))
}

// setTax lets the law of taxes judge the category, rate and reason, on a
// document that has nothing else wrong.
func (f *mapFile) setTax(m *Map) error {
	percent := money.Decimal{}
	if f.Tax.Rate != "" {
		var err error
		if percent, err = money.ParseDecimal(f.Tax.Rate); err != nil {
			return badMap("tax.rate: %v", err)
		}
	}
	m.rate = tax.Rate{Category: tax.Category(f.Tax.Category), Percent: percent}
	if f.Tax.Reason != "" || f.Tax.ReasonCode != "" {
		m.exemption = &tax.Exemption{Category: m.rate.Category, Reason: f.Tax.Reason, Code: f.Tax.ReasonCode}
	}
	one := money.IntegerDecimal(1)
	trial := tax.Document{
		Currency: m.currency, PricesIncludeTax: m.gross, Rounding: money.HalfUp,
		Lines: []tax.Line{{Quantity: one, Price: one, Rate: m.rate}},
	}
	if m.exemption != nil {
		trial.Exemptions = []tax.Exemption{*m.exemption}
	}
	if _, err := tax.Compute(trial); err != nil {
		return badMap("tax: %v", err)
	}
	return cmp.Or(keyed("tax.reason", field.Line("reason", f.Tax.Reason, field.MaxReason)), keyed("tax.reason_code", field.Line("reason code", f.Tax.ReasonCode, field.MaxCode)))
}

func (f *mapFile) setTimes(m *Map) (err error) {
	if m.zone, err = location(f.TimeZone); err != nil {
		return badMap("time_zone is %q, and must be the name of a time zone such as Europe/London", f.TimeZone)
	}
	m.sourceZone = m.zone
	if f.SourceTimeZone != "" {
		if m.sourceZone, err = location(f.SourceTimeZone); err != nil {
			return badMap("source_time_zone is %q, which is no time zone", f.SourceTimeZone)
		}
	}
	if len(f.Dates) == 0 {
		return badMap("dates is missing: it lists the forms of dates, such as \"YYYY-MM-DD hh:mm:ss\"")
	}
	for _, form := range f.Dates {
		layout, err := dateLayout(form)
		if err != nil {
			return badMap("dates: %v", err)
		}
		m.layouts = append(m.layouts, layout)
	}
	return nil
}

// location is time.LoadLocation without its names for no zone and this
// machine's: a map must mean the same everywhere.
func location(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return nil, errors.New("not a time zone")
	}
	return time.LoadLocation(name)
}

func (f *mapFile) setForm(m *Map) error {
	m.delimiter = ','
	if f.Delimiter != nil {
		d := *f.Delimiter
		if len(d) != 1 || d[0] >= utf8.RuneSelf || strings.ContainsAny(d, "\"\r\n\x00") {
			return badMap("delimiter is %q, and must be one ASCII character", d)
		}
		m.delimiter = d[0]
	}
	if m.creditReason == "" {
		m.creditReason = "as labelled in the source"
	}
	return keyed("credit_reason", field.Line("reason", m.creditReason, field.MaxReason))
}

func (f *mapFile) setCustomers(m *Map) error {
	if m.customerName == "" {
		m.customerName = referenceMark
	}
	if f.NoCustomer != nil {
		if field.Blank(f.NoCustomer.Reference) || field.Blank(f.NoCustomer.Name) {
			return badMap("no_customer needs a reference and a name")
		}
		if f.NoCustomer.Reference != strings.TrimSpace(f.NoCustomer.Reference) {
			return badMap("no_customer.reference begins or ends with a space")
		}
		err := cmp.Or(
			keyed("no_customer.reference", field.Line("reference", f.NoCustomer.Reference, field.MaxName)),
			keyed("no_customer.name", field.Line("name", f.NoCustomer.Name, field.MaxName)),
		)
		if err != nil {
			return err
		}
	}
	if f.Columns.Customer == "" && f.NoCustomer == nil {
		return badMap("there is neither columns.customer nor no_customer")
	}
	return keyed("customer_name", field.Line("name", m.customerName, field.MaxName))
}

func (f *mapFile) setCountries(m *Map) error {
	for _, name := range slices.Sorted(maps.Keys(f.Countries)) {
		if code := f.Countries[name]; !field.IsCountry(code) {
			return badMap("countries.%q is %q, which is no country code of ISO 3166", name, code)
		}
		if name != strings.TrimSpace(name) {
			return badMap("countries.%q begins or ends with a space", name)
		}
	}
	return nil
}

// keyed makes a refusal of what is wrong with a key's value.
func keyed(key string, err error) error {
	if err == nil {
		return nil
	}
	return badMap("%s: %v", key, err)
}
