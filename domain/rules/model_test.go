package rules_test

import (
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/series"
	"github.com/daybook-ledger/daybook/domain/tax"
	"github.com/daybook-ledger/daybook/testing/given"
)

// The model keeps a book in the plainest way, in pence and maps, apart from the
// code that it is compared with.
type model struct {
	customers map[uuid.UUID]string // the name now
	seller    string
	refs      map[string]uuid.UUID
	drafts    map[uuid.UUID]*document
	gone      map[uuid.UUID]bool // discarded
	issued    map[uuid.UUID]*document
	notes     map[uuid.UUID]bool
	funds     map[domain.StreamID]*fund
	last      map[series.Kind]domain.Date
	formats   map[series.Kind]series.Format
	counters  map[series.Kind]map[int]int
	basis     tax.Basis
	closed    []closing
	erased    map[uuid.UUID]customer.Scope
	kept      keeping
}

// document is an invoice as the model has it.
type document struct {
	content  invoice.Content
	customer uuid.UUID
	currency money.Currency
	lines    []line
	gross    bool
	prepaid  int64
	rounding int64
	approved bool

	// Since issue:
	buyer, seller string
	date          domain.Date
	open          int64
	left          map[string]*sums
	roundingLeft  int64
	// What was allocated and written off, the dates from which it is open and
	// was written off, and what is relieved by rate.
	allocated, off  int64
	reopened, offOn domain.Date
	relieved        map[string]sums

	// Of a deposit, what is deducted by rate, and the last day on which some was
	// given back; of another, what it deducts.
	deposit  bool
	taken    map[string]sums
	returned domain.Date
	deducts  map[deducted]sums
}

// sums is net and tax of one rate, in pence.
type sums struct{ net, tax int64 }

// line is a line in tenths of a piece and pence.
type line struct {
	tenths, pence int64
	rate          string
	deducts       uuid.UUID // a deposit
}

var percent = map[string]int64{"S 20": 20, "S 5": 5, "Z 0": 0}

func newModel() *model {
	return &model{
		customers: map[uuid.UUID]string{given.ID("ada"): "ada & Co"},
		seller:    "Acme Ltd",
		refs:      map[string]uuid.UUID{},
		drafts:    map[uuid.UUID]*document{},
		gone:      map[uuid.UUID]bool{},
		issued:    map[uuid.UUID]*document{},
		erased:    map[uuid.UUID]customer.Scope{},
		kept:      keeping{6, 12}, // as in Great Britain
		notes:     map[uuid.UUID]bool{},
		funds:     map[domain.StreamID]*fund{},
		last:      map[series.Kind]domain.Date{},
		formats: map[series.Kind]series.Format{
			series.Invoice: {Prefix: "INV-", Width: 5}, series.Credit: {Prefix: "CN-", Width: 5},
		},
		counters: map[series.Kind]map[int]int{series.Invoice: {}, series.Credit: {}},
	}
}

// halfUp is n ÷ d, rounded half away from zero; d is above zero.
func halfUp(n, d int64) int64 {
	if n < 0 {
		return -halfUp(-n, d)
	}
	return (2*n + d) / (2 * d)
}

// byRate sums up lines, each rounded, the tax rounded once a rate.
func byRate(lines []line, gross bool) map[string]*sums {
	all := map[string]*sums{}
	for _, l := range lines {
		if all[l.rate] == nil {
			all[l.rate] = &sums{}
		}
		all[l.rate].net += halfUp(l.tenths*l.pence, 10)
	}
	for rate, s := range all {
		if gross {
			s.tax = halfUp(s.net*percent[rate], 100+percent[rate])
			s.net -= s.tax
		} else {
			s.tax = halfUp(s.net*percent[rate], 100)
		}
	}
	return all
}

// total is net plus tax of all rates.
func total(all map[string]*sums) (n int64) {
	for _, s := range all {
		n += s.net + s.tax
	}
	return n
}

// due is what is to be paid.
func (d *document) due() int64 { return total(byRate(d.lines, d.gross)) + d.rounding - d.prepaid }

// sound says whether the document may be.
func (d *document) sound() bool {
	gross := total(byRate(d.lines, d.gross))
	if unit := map[int]int64{0: 1, 2: 100, 3: 1000}[d.currency.Exponent()]; abs(d.rounding) >= unit {
		return false
	}
	return len(d.lines) > 0 && gross >= 0 && d.prepaid >= 0 && gross+d.rounding >= 0 && d.due() >= 0
}

// referable says whether id may bear the reference.
func (m *model) referable(id uuid.UUID, ref string) bool {
	holder, taken := m.refs[ref]
	return ref == "" || !taken || holder == id
}

func (m *model) used(id uuid.UUID) bool {
	return m.drafts[id] != nil || m.gone[id] || m.issued[id] != nil
}

// datable says whether a document may be issued at the date now.
func (m *model) datable(kind series.Kind, date, today domain.Date, imported bool) bool {
	return imported || date >= m.last[kind] && date <= today.AddDays(31)
}

// number draws the next number.
func (m *model) number(kind series.Kind, date domain.Date, imported bool) string {
	format, year, infix := m.formats[kind], 0, ""
	if format.YearlyReset {
		year = date.Year()
		infix = fmt.Sprintf("%d-", year)
	}
	m.counters[kind][year]++
	if !imported && date > m.last[kind] {
		m.last[kind] = date
	}
	return fmt.Sprintf("%s%s%0*d", format.Prefix, infix, format.Width, m.counters[kind][year])
}

// issue makes a document an issued one.
func (m *model) issue(id uuid.UUID, d *document, date domain.Date) {
	delete(m.drafts, id)
	d.buyer, d.seller, d.date = m.customers[d.customer], m.seller, date
	d.open, d.left, d.roundingLeft = d.due(), byRate(d.lines, d.gross), d.rounding
	m.deduct(d)
	m.issued[id] = d
}

// creditable says whether a credit note of such lines may be on the invoice:
// sure is false where the model leaves it to the invariants.
func (d *document) creditable(lines []line, gross bool) (may, sure bool) {
	value := slices.ContainsFunc(lines, func(l line) bool { return l.deducts != uuid.Nil })
	for rate, want := range byRate(lines, gross) {
		if d.left[rate] == nil {
			return false, true
		}
		left := d.undeducted(rate)
		if left.net < 0 || left.tax < 0 || byRate(d.lines, d.gross)[rate].net <= 0 {
			return false, false
		}
		switch {
		case want.net < 0,
			gross && want.net+want.tax > left.net+left.tax,
			!gross && want.net > left.net:
			return false, true
		}
		value = value || want.net+want.tax != 0
	}
	return value, true
}

func (l line) invoiceLine(c money.Currency) invoice.Line {
	made := given.Line("1", money.New(l.pence, c).String(), l.rate)
	made.Deducts = l.deducts
	made.Quantity = given.Number(fmt.Sprintf("%s%d.%d", sign(l.tenths), abs(l.tenths)/10, abs(l.tenths)%10))
	return made
}

func sign(n int64) string {
	if n < 0 {
		return "-"
	}
	return ""
}

func abs(n int64) int64 { return max(n, -n) }

func contentOf(customer uuid.UUID, currency money.Currency, lines []line, gross bool) invoice.Content {
	c := invoice.Content{Customer: customer, Currency: currency, PricesIncludeTax: gross}
	for _, l := range lines {
		c.Lines = append(c.Lines, l.invoiceLine(currency))
	}
	return c
}
