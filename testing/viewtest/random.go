package viewtest

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/audit"
	"github.com/daybook-ledger/daybook/domain/credit"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/series"
	"github.com/daybook-ledger/daybook/domain/tax"
	"github.com/daybook-ledger/daybook/testing/given"
)

// chance keeps a book by commands drawn at random, and forgets those that the
// rules refuse.
type chance struct {
	t         *rapid.T
	book      *given.Book
	customers []uuid.UUID
	invoices  []uuid.UUID
	funds     []domain.StreamID
	made      int
	// abroad lets documents and payments be in other currencies.
	abroad bool
	// audit is the check of the first commits, as many as were seen.
	audit *audit.Periods
	seen  int
}

// names are customers' names that are hard to search, sort and store.
var names = []string{
	"Ada", "ada", "ADA", "Ünal Çelik", "北京 Trading", "100% Cotton", "under_score", `back\slash`,
	"O'Brien; DROP TABLE documents", "Zoë", "zz", "Łódź", "a", "Ærø", "%", "_", "\"quoted\"",
}

// RandomBookAbroad is RandomBook in several currencies.
func RandomBookAbroad(t *rapid.T, commands int) *given.Book {
	c := newChance(t)
	c.abroad = true
	for range commands {
		c.step()
	}
	return c.book
}

// rates are what one unit of other currencies is worth in pounds, at times.
var rates = map[money.Currency][]string{
	given.Euros: {"0.8567", "0.9", "0.851234567891"}, given.Yen: {"0.0052", "0.0049"},
}

// money draws a currency and, where it is another than the book's, its rate.
func (c *chance) money() (money.Currency, exchange.Rate) {
	if !c.abroad {
		return given.Pounds, exchange.Rate{}
	}
	currency := rapid.SampledFrom([]money.Currency{given.Pounds, given.Euros, given.Euros, given.Yen}).Draw(c.t, "currency")
	return currency, c.rate(currency)
}

// rate draws a rate of a currency, none for the book's own.
func (c *chance) rate(currency money.Currency) exchange.Rate {
	if rates[currency] == nil {
		return exchange.Rate{}
	}
	return given.Exchange(rapid.SampledFrom(rates[currency]).Draw(c.t, "exchange"))
}

// in makes a document be in a currency, at the rate that is given.
func in(content *invoice.Content, currency money.Currency, rate exchange.Rate) {
	content.Currency, content.Exchange = currency, rate
	for i, a := range content.Adjustments {
		content.Adjustments[i].Amount = money.New(a.Amount.Minor(), currency)
	}
	if !content.Prepaid.IsZero() {
		content.Prepaid = money.New(content.Prepaid.Minor(), currency)
	}
}

// RandomBook keeps a book by about so many commands.
func RandomBook(t *rapid.T, commands int) *given.Book {
	c := newChance(t)
	for range commands {
		c.step()
	}
	return c.book
}

// largeBook keeps a book until it has at least so many events.
func largeBook(t *rapid.T, events int) *given.Book {
	c := newChance(t)
	for counted, made := 0, 0; made < events; {
		c.step()
		for ; counted < len(c.book.Log); counted++ {
			made += len(c.book.Log[counted].Changes)
		}
	}
	return c.book
}

func newChance(t *rapid.T) *chance {
	b := given.New()
	b.Strict = false
	c := &chance{t: t, book: b, audit: audit.NewPeriods()}
	c.do(given.Open(b.ID))
	for range 2 {
		c.register()
	}
	return c
}

// step gives some command.
func (c *chance) step() {
	c.book.Now = c.book.Now.Add(time.Duration(rapid.IntRange(0, 72).Draw(c.t, "hours")) * time.Hour)
	rapid.SampledFrom([]func(){
		c.register, c.change, c.draft, c.edit, c.approve, c.issue, c.issue, c.discard,
		c.enter, c.enter, c.enter, c.credit, c.credit, c.credit, c.onAccount, c.number,
		c.receive, c.receive, c.receive, c.allocate, c.allocate, c.release, c.refund, c.reverse, c.writeOff,
		c.closePeriod, c.settle, c.reopen, c.deposit, c.final, c.final,
	}).Draw(c.t, "step")()
}

func (c *chance) do(command domain.Command) bool {
	_, err := c.book.Do(command)
	if refusal := (*domain.Refusal)(nil); err != nil && !errors.As(err, &refusal) {
		c.t.Fatalf("%s: %v", command.CommandType(), err)
	}
	return err == nil
}

func (c *chance) id(what string) uuid.UUID {
	c.made++
	return given.ID(fmt.Sprintf("%s %d", what, c.made))
}

func (c *chance) today() domain.Date { return domain.DateOf(c.book.Now) }

func (c *chance) profile() customer.Profile {
	p := customer.Profile{Name: rapid.SampledFrom(names).Draw(c.t, "name"), City: "Leeds", VATID: "GB987654321"}
	if rapid.Bool().Draw(c.t, "referenced") {
		c.made++
		p.Reference = fmt.Sprintf("K-%d", c.made)
	}
	return p
}

func (c *chance) register() {
	id := c.id("customer")
	command, err := customer.NewRegister(id, "GB", c.profile())
	if err != nil {
		c.t.Fatal(err)
	}
	if c.do(command) {
		c.customers = append(c.customers, id)
	}
}

func (c *chance) change() {
	p := c.profile()
	c.do(&customer.Change{ID: c.customer(), Country: "GB", HasVATID: true, Personal: &p})
}

func (c *chance) customer() uuid.UUID { return rapid.SampledFrom(c.customers).Draw(c.t, "customer") }

func (c *chance) invoice() uuid.UUID {
	if len(c.invoices) == 0 {
		return given.ID("none")
	}
	return rapid.SampledFrom(c.invoices).Draw(c.t, "invoice")
}

func (c *chance) content(who uuid.UUID) invoice.Content {
	content := invoice.Content{Customer: who, Currency: given.Pounds}
	for range rapid.IntRange(1, 4).Draw(c.t, "lines") {
		line := given.Line(
			rapid.SampledFrom([]string{"1", "2", "3.5", "10", "-1"}).Draw(c.t, "quantity"),
			rapid.SampledFrom([]string{"0", "0.05", "9.99", "12.50", "1000"}).Draw(c.t, "price"),
			rapid.SampledFrom([]string{"S 20", "S 20", "S 5", "Z 0", "E 0"}).Draw(c.t, "rate"))
		line.Item = rapid.SampledFrom([]string{"", "TEA", "ITEM"}).Draw(c.t, "item")
		content.Lines = append(content.Lines, line)
	}
	if rapid.IntRange(0, 4).Draw(c.t, "adjusted") == 0 {
		content.Adjustments = []tax.Adjustment{{
			Charge: rapid.Bool().Draw(c.t, "charge"), Amount: given.GBP("0.75"), Rate: content.Lines[0].Rate, Reason: "agreed",
		}}
	}
	content.Exemptions = []tax.Exemption{{Category: tax.Exempt, Reason: "insurance"}}
	content.PricesIncludeTax = rapid.Bool().Draw(c.t, "gross")
	if rapid.IntRange(0, 3).Draw(c.t, "referenced") == 0 {
		c.made++
		content.Reference = fmt.Sprintf("EXT/%d", c.made)
	}
	currency, rate := c.money()
	in(&content, currency, rate)
	return content
}

func (c *chance) due(content *invoice.Content) {
	content.DueDays = rapid.IntRange(0, 60).Draw(c.t, "due")
	if rapid.IntRange(0, 5).Draw(c.t, "prepaid") == 0 {
		content.Prepaid = money.New(100, content.Currency)
	}
}

func (c *chance) draft() {
	id := c.id("invoice")
	content := c.content(c.customer())
	c.due(&content)
	if c.do(&invoice.Draft{ID: id, Content: content, Personal: given.Text(len(content.Lines))}) {
		c.invoices = append(c.invoices, id)
	}
}

func (c *chance) edit() {
	content := c.content(c.customer())
	c.due(&content)
	c.do(&invoice.Edit{ID: c.invoice(), Content: content})
}

func (c *chance) approve() { c.do(&invoice.Approve{ID: c.invoice()}) }

func (c *chance) issue() {
	id := c.invoice()
	c.do(&invoice.Approve{ID: id})
	c.do(&invoice.Issue{ID: id, Date: c.today()})
}

func (c *chance) discard() { c.do(&invoice.Discard{ID: c.invoice(), Reason: "a mistake"}) }

func (c *chance) enter() {
	id := c.id("invoice")
	content := c.content(c.customer())
	c.due(&content)
	command := &invoice.Enter{ID: id, Content: content, Date: c.today(), Personal: &invoice.EnterPersonal{Text: given.Text(len(content.Lines))}}
	if command.Imported = rapid.IntRange(0, 4).Draw(c.t, "imported") == 0; command.Imported {
		command.Date = c.today().AddDays(-rapid.IntRange(0, 400).Draw(c.t, "days ago"))
	}
	if c.do(command) {
		c.invoices = append(c.invoices, id)
	}
}

func (c *chance) credit() {
	id := c.invoice()
	state, err := c.book.State(invoice.Stream(id))
	if err != nil || state == nil {
		return
	}
	content := c.content(state.(invoice.State).Customer)
	content.Lines = content.Lines[:1]
	content.PricesIncludeTax = state.(invoice.State).PricesIncludeTax
	in(&content, state.(invoice.State).Due.Currency(), exchange.Rate{}) // at the invoice's
	c.issueCredit(&credit.Issue{ID: c.id("credit"), Invoice: id, Content: content, Date: c.today()})
}

func (c *chance) onAccount() {
	content := c.content(c.customer())
	c.issueCredit(&credit.Issue{ID: c.id("credit"), Content: content, Date: c.today(), Reason: "goodwill"})
}

func (c *chance) issueCredit(command *credit.Issue) {
	if c.do(command) {
		c.funds = append(c.funds, command.Stream())
	}
}

func (c *chance) number() {
	kind := rapid.SampledFrom(series.Kinds()).Draw(c.t, "kind")
	c.do(&series.Configure{Kind: kind, Format: series.Format{
		Prefix: string(kind[:1]) + rapid.SampledFrom([]string{"-", "N", ""}).Draw(c.t, "prefix"),
		Width:  rapid.IntRange(1, 6).Draw(c.t, "width"), YearlyReset: rapid.Bool().Draw(c.t, "yearly"),
	}})
}
