package csvfile

import (
	"slices"
	"strings"

	"github.com/daybook-ledger/daybook/domain"
)

// column is one column of a map file.
type column struct {
	key, column string
	required    bool
}

// all lists the columns in the order of the places in layout.
func (c *Columns) all() []column {
	return []column{
		{"number", c.Number, true},
		{"date", c.Date, true},
		{"quantity", c.Quantity, true},
		{"price", c.Price, true},
		{"item", c.Item, false},
		{"description", c.Description, false},
		{"unit", c.Unit, false},
		{"customer", c.Customer, false},
		{"customer_name", c.CustomerName, false},
		{"country", c.Country, false},
		{"currency", c.Currency, false},
		{"rate", c.Rate, false},
	}
}

// layout says at which places of a record the columns are; −1 where the map
// has none.
type layout struct {
	number, date, quantity, price, item, description, unit, customer, customerName, country, currency, rate int
	// used are those that the map has, in the order of the record.
	used []int
	// count is how many fields a record has.
	count int
	// names are the header's, for messages.
	names []string
}

// layout finds the map's columns in the header line: bad-header.
func (c *Columns) layout(header record) (layout, error) {
	l := layout{count: header.count, names: make([]string, len(header.fields))}
	for i, name := range header.fields {
		l.names[i] = strings.TrimSpace(name)
	}
	places := []*int{
		&l.number, &l.date, &l.quantity, &l.price, &l.item, &l.description, &l.unit,
		&l.customer, &l.customerName, &l.country, &l.currency, &l.rate,
	}
	for i, col := range c.all() {
		*places[i] = -1
		if col.column == "" {
			continue
		}
		first := slices.Index(l.names, col.column)
		if first < 0 {
			return layout{}, domain.Refuse(CodeBadHeader,
				"the header line has no column %.80q (columns.%s)", col.column, col.key).
				WithHint("its columns are: %.400s; is the delimiter right?", strings.Join(l.names, " | "))
		}
		if slices.Contains(l.names[first+1:], col.column) {
			return layout{}, domain.Refuse(CodeBadHeader,
				"the header line has the column %.80q (columns.%s) twice", col.column, col.key)
		}
		*places[i] = first
		l.used = append(l.used, first)
	}
	slices.Sort(l.used)
	return l, nil
}

// cell gives a field without the spaces around it; empty where there is none.
func cell(rec record, place int) string {
	if place < 0 || place >= len(rec.fields) {
		return ""
	}
	return strings.TrimSpace(rec.fields[place])
}

// name is a column's, for messages.
func (l *layout) name(place int) string {
	if place >= 0 && place < len(l.names) {
		return l.names[place]
	}
	return "?"
}
