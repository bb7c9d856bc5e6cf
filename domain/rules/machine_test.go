package rules_test

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/domain/credit"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/series"
	"github.com/daybook-ledger/daybook/domain/tax"
	"github.com/daybook-ledger/daybook/testing/given"
)

// machine gives random commands to a book and tells the model of those that it
// took.
type machine struct {
	book   *given.Book
	model  *model
	frozen map[uuid.UUID][]byte
	usual  string // the currency of most amounts
}

// TestRandomCommands takes books through random sequences of all commands.
// After each, the book must agree with a plain model, and hold its invariants.
func TestRandomCommands(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		m := begin(t, r)
		r.Repeat(map[string]func(*rapid.T){
			"":         func(r *rapid.T) { m.check(t, r) },
			"around":   m.around,
			"draft":    m.draft,
			"edit":     m.edit,
			"approve":  m.approve,
			"discard":  m.discard,
			"issue":    m.issue,
			"enter":    m.enter,
			"credit":   m.credit,
			"all":      m.creditAllOfIt,
			"account":  m.onAccount,
			"back":     m.giveBack,
			"receive":  m.receive,
			"allocate": func(r *rapid.T) { m.allocate(r) },
			"again":    func(r *rapid.T) { m.allocate(r) },
			"release":  m.release,
			"refund":   m.refund,
			"reverse":  m.reverse,
			"off":      m.writeOff,
			"relieve":  m.relieve,
			"periods":  m.periods,
			"erase":    m.erase,
		})
		m.replay(r)
	})
}

// begin opens a book on either basis of tax.
func begin(t *testing.T, r *rapid.T) *machine {
	m := &machine{book: given.New(), model: newModel(), frozen: map[uuid.UUID][]byte{}}
	m.usual = rapid.SampledFrom([]string{"GBP", "EUR", "EUR", "JPY", "BHD"}).Draw(r, "usual")
	m.model.basis = rapid.SampledFrom(tax.Bases()).Draw(r, "basis")
	open := given.Open(m.book.ID)
	open.TaxBasis = m.model.basis
	m.book.Take(t, open)
	m.book.Take(t, given.Register("ada"))
	return m
}

// TestMain lets the random sequences be longer than rapid's default of 30, in
// which few documents come to their end.
func TestMain(m *testing.M) {
	flag.Parse()
	if steps := flag.Lookup("rapid.steps"); steps != nil && steps.Value.String() == steps.DefValue {
		if err := steps.Value.Set("80"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// around changes what stands around the documents.
func (m *machine) around(r *rapid.T) {
	rapid.SampledFrom([]func(*rapid.T){
		m.register, m.register, m.change, m.seller, m.configure, m.roles, m.time, m.retain,
	}).Draw(r, "around")(r)
}

// do gives a command that may be taken or not, as the model says, but for what
// is closed and who is erased: the same holds for all that is booked, and for all
// that is kept of a customer.
func (m *machine) do(r *rapid.T, c domain.Command, may bool) []domain.Change {
	may = may && !m.model.shut(c) && !m.model.forgotten(c)
	changes, err := m.book.Do(c)
	if (err == nil) != may {
		r.Fatalf("%s %+v: the model says %t, the book says %v", c.CommandType(), c, may, err)
	}
	return changes
}

var (
	documents = []string{"d1", "d2", "d3", "d4", "d5", "d6", "d7", "d8", "d9", "d10", "d11", "d12", "d13", "d14"}
	notes     = []string{"n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8", "n9", "n10", "n11", "n12"}
	buyers    = []string{"ada", "ada", "ada", "bob", "cy"}
)

func id(r *rapid.T, names []string) uuid.UUID {
	return given.ID(rapid.SampledFrom(names).Draw(r, "id"))
}

func someDate(r *rapid.T, m *machine) domain.Date {
	today := domain.DateOf(m.book.Now)
	return today.AddDays(rapid.SampledFrom([]int{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, -1, -20, 20, 31, 32}).Draw(r, "days"))
}

// draftOf is an invoice, a draft where there is one, and mostly one that is
// approved or not as wanted.
func (m *machine) draftOf(r *rapid.T, approved bool) uuid.UUID {
	all := sorted(m.model.drafts)
	if len(all) == 0 || rapid.IntRange(0, 5).Draw(r, "any") == 0 {
		return id(r, documents)
	}
	for _, other := range all {
		if m.model.drafts[other].approved == approved {
			return other
		}
	}
	return rapid.SampledFrom(all).Draw(r, "draft")
}

func someLines(r *rapid.T, low int64) []line {
	low = rapid.SampledFrom([]int64{1, 1, 1, 0, low}).Draw(r, "low")
	least := rapid.SampledFrom([]int{1, 1, 1, 1, 1, 1, 1, 0}).Draw(r, "least")
	return rapid.SliceOfN(rapid.Custom(func(r *rapid.T) line {
		return line{
			tenths: rapid.Int64Range(low, 60).Draw(r, "tenths"),
			pence:  rapid.Int64Range(0, 2000).Draw(r, "pence"),
			rate:   rapid.SampledFrom([]string{"S 20", "S 20", "S 5", "Z 0"}).Draw(r, "rate"),
		}
	}), least, 4).Draw(r, "lines")
}

func (m *machine) someDocument(r *rapid.T) *document {
	d := &document{
		customer: id(r, buyers), currency: m.someCurrency(r), lines: someLines(r, -20), gross: rapid.Bool().Draw(r, "gross"),
		prepaid:  rapid.SampledFrom([]int64{0, 0, 0, 0, 0, 1, 500, 5000, -1}).Draw(r, "prepaid"),
		rounding: rapid.SampledFrom([]int64{0, 0, 0, 0, 1, -2, 99, -99}).Draw(r, "rounding"),
	}
	m.deposits(r, d)
	d.content = contentOf(d.customer, d.currency, d.lines, d.gross)
	d.content.Exchange = someExchange(r, d.currency)
	d.content.Deposit = d.deposit
	d.content.Prepaid = money.New(d.prepaid, d.currency)
	d.content.RoundingAmount = money.New(d.rounding, d.currency)
	if rapid.IntRange(0, 3).Draw(r, "supplied") == 0 {
		d.content.SupplyDate = someDate(r, m)
	}
	d.content.Reference = rapid.SampledFrom([]string{"", "", "", "", "", "A", "B", "C"}).Draw(r, "reference")
	return d
}

// may says whether the model lets the document be id's.
func (m *machine) may(id uuid.UUID, d *document) bool {
	return m.model.customers[d.customer] != "" && d.sound() && (d.currency != given.Pounds || d.content.Exchange.IsZero()) && m.model.deductible(d, "") && m.model.referable(id, d.content.Reference)
}

func (m *machine) register(r *rapid.T) {
	name := rapid.SampledFrom(buyers).Draw(r, "name")
	if m.do(r, given.Register(name), m.model.customers[given.ID(name)] == "") != nil {
		m.model.customers[given.ID(name)] = name + " & Co"
	}
}

func (m *machine) change(r *rapid.T) {
	buyer := id(r, buyers)
	name := "renamed " + rapid.StringMatching("[a-z]{3}").Draw(r, "name")
	c, err := customer.NewChange(buyer, "", customer.Profile{Name: name, VATID: "FR1"})
	if err != nil {
		r.Fatal(err)
	}
	if m.do(r, c, m.model.customers[buyer] != "") != nil {
		m.model.customers[buyer] = name
	}
}

func (m *machine) seller(r *rapid.T) {
	seller := given.Seller()
	seller.Name = "Seller " + rapid.StringMatching("[a-z]{3}").Draw(r, "name")
	m.do(r, &book.ChangeSeller{Book: m.book.ID, Seller: seller}, true)
	m.model.seller = seller.Name
}

func (m *machine) configure(r *rapid.T) {
	kind := rapid.SampledFrom(series.Kinds()).Draw(r, "kind")
	format := series.Format{
		Prefix: string(kind[:1]) + rapid.SampledFrom([]string{"-", "/"}).Draw(r, "prefix"),
		Width:  rapid.IntRange(1, 4).Draw(r, "width"), YearlyReset: rapid.Bool().Draw(r, "yearly"),
	}
	// A number that was given once must not come again in another format: the
	// prefix names the rest of the format.
	format.Prefix += fmt.Sprintf("%d%t-", format.Width, format.YearlyReset)
	if m.do(r, &series.Configure{Kind: kind, Format: format}, m.model.formats[kind] != format) != nil {
		m.model.formats[kind] = format
	}
}

func (m *machine) draft(r *rapid.T) {
	name, d := id(r, documents), m.someDocument(r)
	c := &invoice.Draft{ID: name, Content: d.content, Personal: &invoice.Text{Note: "secret"}}
	if m.do(r, c, !m.model.used(name) && m.may(name, d)) != nil {
		m.model.drafts[name] = d
		m.refer(name, d)
	}
}

func (m *machine) refer(name uuid.UUID, d *document) {
	if d.content.Reference != "" {
		m.model.refs[d.content.Reference] = name
	}
}

func (m *machine) edit(r *rapid.T) {
	name, d := m.draftOf(r, true), m.someDocument(r)
	if m.do(r, &invoice.Edit{ID: name, Content: d.content}, m.model.drafts[name] != nil && m.may(name, d)) != nil {
		m.model.drafts[name] = d // not approved
		m.refer(name, d)
	}
}

func (m *machine) approve(r *rapid.T) {
	name := m.draftOf(r, false)
	d := m.model.drafts[name]
	if m.do(r, &invoice.Approve{ID: name}, d != nil && !d.approved) != nil {
		d.approved = true
	}
}

func (m *machine) discard(r *rapid.T) {
	name := id(r, documents)
	if m.do(r, &invoice.Discard{ID: name}, m.model.drafts[name] != nil) != nil {
		delete(m.model.drafts, name)
		m.model.gone[name] = true
	}
}

func (m *machine) issue(r *rapid.T) {
	name, date := m.draftOf(r, true), someDate(r, m)
	d := m.model.drafts[name]
	c := &invoice.Issue{ID: name, Date: date}
	may := d != nil && d.approved && m.model.deductible(d, date) &&
		m.model.datable(series.Invoice, date, domain.DateOf(m.book.Now), false)
	if may {
		c.Exchange = rapid.SampledFrom([]exchange.Rate{{}, someExchange(r, d.currency)}).Draw(r, "exchange")
		may = rated(d.currency, cmp.Or(c.Exchange, d.content.Exchange))
	}
	if changes := m.do(r, c, may); changes != nil {
		m.issuedAs(r, changes, name, d, date, false)
	}
}

func (m *machine) enter(r *rapid.T) {
	name, d, date := id(r, documents), m.someDocument(r), someDate(r, m)
	imported := rapid.Bool().Draw(r, "imported")
	may := !m.model.used(name) && m.may(name, d) && rated(d.currency, d.content.Exchange) && m.model.deductible(d, date) &&
		m.model.datable(series.Invoice, date, domain.DateOf(m.book.Now), imported)
	c := &invoice.Enter{ID: name, Content: d.content, Date: date, Imported: imported}
	if changes := m.do(r, c, may); changes != nil {
		m.refer(name, d)
		m.issuedAs(r, changes, name, d, date, imported)
	}
}

// issuedAs compares an issued invoice with the model's.
func (m *machine) issuedAs(r *rapid.T, changes []domain.Change, name uuid.UUID, d *document, date domain.Date, imported bool) {
	m.model.issue(name, d, date)
	e := changes[0].Event.(*invoice.Issued)
	if want := m.model.number(series.Invoice, date, imported); e.Number != want {
		r.Fatalf("number %s, want %s", e.Number, want)
	}
	supplied := d.content.SupplyDate
	if d.deposit {
		supplied = "" // whenever it is: the tax is due with the deposit
	}
	if point := m.model.reportedOn(date, supplied); e.TaxPoint != point && (e.TaxPoint != "" || point != e.Date) {
		r.Fatalf("tax point %q, want %s", e.TaxPoint, point)
	}
	if e.Totals.Due.Minor() != d.open {
		r.Fatalf("due %s, want %d", e.Totals.Due, d.open)
	}
	if len(e.Totals.Breakdown) != len(d.left) {
		r.Fatalf("breakdown %+v", e.Totals.Breakdown)
	}
	for _, s := range e.Totals.Breakdown {
		want := d.left[s.Rate.String()]
		if want == nil || s.Taxable.Minor() != want.net || s.Tax.Minor() != want.tax {
			r.Fatalf("at %s %s and %s of tax, want %+v", s.Rate, s.Taxable, s.Tax, want)
		}
	}
	m.freeze(r, name, e)
	deductedAs(r, e.Deductions, d.deducts)
	m.drawnAs(r, withoutDeductions(changes[2:]), d, imported)
}

func (m *machine) credit(r *rapid.T) {
	c := &credit.Issue{
		ID: id(r, notes), Invoice: id(r, documents),
		Date: someDate(r, m), Imported: rapid.Bool().Draw(r, "imported"),
	}
	if all := sorted(m.model.issued); len(all) > 0 {
		c.Invoice = rapid.SampledFrom(all).Draw(r, "invoice")
	}
	lines, gross := someLines(r, -2), rapid.Bool().Draw(r, "gross")
	m.creditInvoice(r, c, lines, gross)
}

// creditAllOfIt credits all that is left of an invoice, rate by rate.
func (m *machine) creditAllOfIt(r *rapid.T) {
	all := sorted(m.model.issued)
	if len(all) == 0 {
		r.Skip("no invoice")
	}
	c := &credit.Issue{
		ID:      given.ID(fmt.Sprint("all ", len(m.model.notes))),
		Invoice: rapid.SampledFrom(all).Draw(r, "invoice"), Date: "2026-03-01", Imported: true,
	}
	d := m.model.issued[c.Invoice]
	if c.Date = d.date; !m.model.open(c.Date) {
		c.Date = m.model.closed[len(m.model.closed)-1].through.AddDays(1)
	}
	var lines []line
	for _, rate := range slices.Sorted(maps.Keys(d.left)) {
		tenths, left := int64(10), d.undeducted(rate).net
		if left < 0 {
			tenths = -10
		}
		lines = append(lines, line{tenths: tenths, pence: abs(left), rate: rate})
	}
	m.creditInvoice(r, c, lines, false)
}

func (m *machine) creditInvoice(r *rapid.T, c *credit.Issue, lines []line, gross bool) {
	d := m.model.issued[c.Invoice]
	buyer, currency := given.ID("ada"), given.Pounds
	if d != nil {
		buyer, currency = d.customer, d.currency
	}
	if rapid.IntRange(0, 19).Draw(r, "other currency") == 0 {
		currency = m.someCurrency(r)
	}
	c.Content = contentOf(buyer, currency, lines, gross)
	var back map[deducted]sums
	gives := d != nil && d.currency == currency
	if gives {
		back, gives = d.givesBack(lines, gross)
	}
	may := gives && len(lines) > 0 && !m.model.notes[c.ID] && c.Date >= d.date && c.Date >= d.returned &&
		m.model.datable(series.Credit, c.Date, domain.DateOf(m.book.Now), c.Imported) &&
		total(byRate(lines, gross)) >= 0
	sure := true
	may = may && !m.model.shut(c) && !m.model.forgotten(c)
	if may && d.off > 0 && c.Date < d.offOn {
		sure = false // whether it takes back what was written off
	} else if may {
		may, sure = d.creditable(lines, gross)
	}
	var changes []domain.Change
	if sure {
		changes = m.do(r, c, may)
	} else {
		changes, _ = m.book.Do(c)
	}
	if changes != nil {
		m.creditedAs(r, c, changes, d)
		m.givenBack(r, d, changes[0].Event.(*credit.Issued), back)
	}
}

// creditedAs takes a credit note off the model's invoice; the sums by rate are
// those of the event, which the invariants bound.
func (m *machine) creditedAs(r *rapid.T, c *credit.Issue, changes []domain.Change, d *document) {
	e := changes[0].Event.(*credit.Issued)
	m.model.notes[c.ID] = true
	if want := m.model.number(series.Credit, c.Date, c.Imported); e.Number != want {
		r.Fatalf("number %s, want %s", e.Number, want)
	}
	applied := min(d.open+d.off, e.Totals.Due.Minor())
	back := max(applied-d.open, 0)
	d.open, d.off = d.open+back, d.off-back
	m.relievedAs(r, changes, back)
	if e.Applied.Minor() != applied || e.Excess.Minor() != e.Totals.Due.Minor()-applied {
		r.Fatalf("applied %s and %s in excess of %s, with %d open", e.Applied, e.Excess, e.Totals.Due, d.open)
	}
	d.open -= applied
	d.roundingLeft -= e.Totals.Rounding.Minor()
	for _, s := range e.Totals.Breakdown {
		left := d.left[s.Rate.String()]
		left.net -= s.Taxable.Minor()
		left.tax -= s.Tax.Minor()
	}
	m.model.give(credit.Stream(c.ID), d.customer, e.Excess, c.Date)
}

func (m *machine) onAccount(r *rapid.T) {
	lines, gross := someLines(r, -2), rapid.Bool().Draw(r, "gross")
	c := &credit.Issue{
		ID: id(r, notes), Content: contentOf(id(r, buyers), m.someCurrency(r), lines, gross),
		Date: someDate(r, m), Imported: rapid.Bool().Draw(r, "imported"),
		Reason: rapid.SampledFrom([]string{"goodwill", "goodwill", ""}).Draw(r, "reason"),
	}
	c.Content.Exchange = someExchange(r, c.Content.Currency)
	all := byRate(lines, gross)
	may := len(lines) > 0 && c.Reason != "" && rated(c.Content.Currency, c.Content.Exchange) && !m.model.notes[c.ID] && m.model.customers[c.Content.Customer] != "" &&
		m.model.datable(series.Credit, c.Date, domain.DateOf(m.book.Now), c.Imported) && total(all) > 0
	for _, s := range all {
		may = may && s.net >= 0
	}
	if changes := m.do(r, c, may); changes != nil {
		m.model.notes[c.ID] = true
		e := changes[0].Event.(*credit.Issued)
		if want := m.model.number(series.Credit, c.Date, c.Imported); e.Number != want || e.Excess.Minor() != total(all) {
			r.Fatalf("number %s of %s, want %s of %d", e.Number, e.Excess, want, total(all))
		}
		m.model.give(credit.Stream(c.ID), c.Content.Customer, e.Excess, c.Date)
	}
}

// roles lets a principal who may not do anything try.
func (m *machine) roles(r *rapid.T) {
	m.book.Principal = rapid.SampledFrom([]string{"eve", "ann"}).Draw(r, "principal")
	defer func() { m.book.Principal = given.Owner }()
	m.do(r, given.Register("dee"), false)
	m.do(r, &book.Grant{Book: m.book.ID, Principal: m.book.Principal, Role: "owner"}, false)
	m.do(r, &book.Revoke{Book: m.book.ID, Principal: given.Owner}, false)
	m.book.Principal = given.Owner
	if state, _, _ := book.Load(m.book, m.book.ID); state.Roles["ann"] == "" {
		m.do(r, &book.Grant{Book: m.book.ID, Principal: "ann", Role: "auditor"}, true)
	} else {
		m.do(r, &book.Revoke{Book: m.book.ID, Principal: "ann"}, true)
	}
}

func (m *machine) time(r *rapid.T) {
	m.book.Now = m.book.Now.AddDate(0, 0, rapid.SampledFrom([]int{1, 30, 365}).Draw(r, "days"))
}

func sorted(documents map[uuid.UUID]*document) []uuid.UUID {
	return slices.SortedFunc(maps.Keys(documents), func(a, b uuid.UUID) int {
		return cmp.Compare(a.String(), b.String())
	})
}
