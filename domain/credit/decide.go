package credit

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/field"
	"github.com/daybook-ledger/daybook/domain/funds"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/series"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// Validate checks the form of the command and of its personal part.
func (c *Issue) Validate() error {
	if err := field.ID("credit note", c.ID); err != nil {
		return err
	}
	if err := field.Date("date of issue", c.Date); err != nil {
		return err
	}
	if err := field.Block("reason", c.Reason, field.MaxReason); err != nil {
		return err
	}
	if c.Buyer != nil {
		if err := field.Country(c.Buyer.Code); err != nil {
			return err
		}
	}
	if c.Personal == nil {
		return c.Content.Validate(nil)
	}
	if err := field.Line("country", c.Personal.CountryText, field.MaxName); err != nil {
		return err
	}
	return c.Content.Validate(c.Personal.Text)
}

// Decide implements domain.Command.
func (c *Issue) Decide(s domain.States, m domain.Moment) ([]domain.Change, error) {
	switch held, err := s.State(c.Stream()); {
	case err != nil:
		return nil, err
	case held != nil:
		return nil, domain.Refuse("credit-exists", "a credit note with the id %s exists already", c.ID)
	}
	if err := c.checkFields(); err != nil {
		return nil, err
	}
	settings, buyer, err := c.Content.Parties(s, m, c.Stream())
	if err != nil {
		return nil, err
	}
	content, totals, err := c.Content.Compute()
	if err != nil {
		return nil, err
	}
	note := crediting{Issue: c, content: content, totals: totals, settings: settings, buyer: buyer}
	if c.Invoice == uuid.Nil {
		err = note.onAccount()
	} else {
		err = note.onInvoice(s)
	}
	if err != nil {
		return nil, err
	}
	return note.changes(s, m)
}

// checkFields refuses what does not belong on a credit note.
func (c *Issue) checkFields() error {
	onAccount := c.Invoice == uuid.Nil
	switch {
	case c.Content.DueDate != "" || c.Content.DueDays != 0:
		return domain.Refuse("not-on-credit-note", "a credit note has no due date")
	case !c.Content.Prepaid.IsZero():
		return domain.Refuse("not-on-credit-note", "a credit note has no prepaid amount")
	case onAccount && (c.Content.Deposit || c.Content.Deducts()):
		return domain.Refuse("not-on-credit-note", "a credit note on account has nothing to do with deposits").
			WithHint("name the invoice that is credited")
	case onAccount && !c.Content.RoundingAmount.IsZero():
		return domain.Refuse("not-on-credit-note", "a credit note on account has no rounding amount")
	case onAccount && field.Blank(c.Reason):
		return domain.Refuse("reason-missing", "a credit note on account needs a reason").
			WithHint("say why, or name the invoice that is credited")
	}
	return nil
}

// crediting is a credit note about to be issued.
type crediting struct {
	*Issue
	content  invoice.Content
	totals   tax.Totals
	settings book.State
	buyer    customer.State
	// number is that of the invoice; applied and excess divide the total.
	number          string
	applied, excess money.Amount
	// base is the figures in the book's currency, nil where that is the document's.
	base *Converted
	// recovered takes back what was written off of the invoice; nil for nothing.
	recovered *invoice.Recovered
	// returned are the deductions of deposits that are given back.
	returned []invoice.Deduction
}

// onAccount makes all of the credit the customer's.
func (c *crediting) onAccount() error {
	if c.totals.Gross.IsZero() {
		return noValue()
	}
	for _, subtotal := range c.totals.Breakdown {
		if subtotal.Taxable.Sign() < 0 {
			return negative(subtotal)
		}
	}
	if !c.Imported {
		if err := invoice.CheckVATIDs(c.settings.Seller, c.buyer, c.totals.Breakdown); err != nil {
			return err
		}
	}
	c.applied, c.excess = money.Zero(c.content.Currency), c.totals.Due
	if err := c.content.Exchange.Check(c.content.Currency, c.settings.Currency); err != nil {
		return err
	}
	c.content.Exchange = c.content.Exchange.On(c.Date)
	rates, err := c.content.Value(c.totals.Breakdown, c.settings.Currency)
	if err != nil {
		return err
	}
	return c.value(rates, exchange.Worth{Amount: c.applied, Base: money.Zero(c.settings.Currency)})
}

// onInvoice divides the credit between the invoice's open amount and the
// customer. VAT ids are not asked for again: what was issued can be taken back.
func (c *crediting) onInvoice(s domain.States) error {
	credited, err := invoice.Load(s, c.Invoice)
	if err != nil {
		return err
	}
	if credited.Stage != invoice.StatusIssued {
		return domain.Refuse("not-issued", "the invoice %s is %s and cannot be credited", c.Invoice, credited.Stage).
			WithHint("edit or discard the draft instead")
	}
	if credited.Customer != c.content.Customer {
		return domain.Refuse("customer-mismatch", "the invoice %s is another customer's", credited.Number)
	}
	if c.Date < credited.Date {
		return domain.Refuse("before-invoice", "the date of issue %s is before %s, the date of the invoice %s",
			c.Date, credited.Date, credited.Number)
	}
	if err := c.atRateOf(credited); err != nil {
		return err
	}
	if err := c.onDeposit(credited); err != nil {
		return err
	}
	if c.totals, err = fit(credited, c.content, c.totals); err != nil {
		return err
	}
	if err := c.giveBack(credited); err != nil {
		return err
	}
	c.number = credited.Number
	rates, err := credited.Credit(c.totals.Breakdown, c.settings.Currency)
	if err != nil {
		return err
	}
	open, err := c.divide(credited, rates)
	if err != nil {
		return err
	}
	if c.excess, err = c.totals.Due.Sub(c.applied); err != nil {
		return err
	}
	applied, err := open.Part(c.applied)
	if err != nil {
		return err
	}
	return c.value(rates, applied)
}

// atRateOf takes the invoice's currency and rate of exchange, and refuses others.
func (c *crediting) atRateOf(credited invoice.State) error {
	if c.content.Currency != credited.Currency {
		return domain.Refuse("foreign-currency", "the invoice %s is in %s, not in %s", credited.Number, credited.Currency, c.content.Currency)
	}
	if own := c.content.Exchange; !own.IsZero() && own.Rate != credited.Exchange.Rate {
		return domain.Refuse("rate-unexpected", "a credit note on the invoice %s is at its rate, %s, not %s", credited.Number, credited.Exchange.Rate, own.Rate).
			WithHint("leave the rate out")
	}
	c.content.Exchange = credited.Exchange
	return nil
}

// value gives the figures in the book's currency, of which applied is what is
// taken off the invoice. On account all of it becomes the customer's; otherwise
// what does is worth what it is at the rate of exchange, and the cents that are
// left are rounding.
func (c *crediting) value(rates []invoice.RateSum, applied exchange.Worth) error {
	figures, err := invoice.Convert(rates, c.settings.Currency)
	if err != nil || figures == nil {
		return err
	}
	excess, err := c.content.Exchange.Value(c.excess, c.settings.Currency)
	if err != nil {
		return err
	}
	sold, err := figures.Net.Add(figures.Tax)
	if err != nil {
		return err
	}
	if c.Invoice == uuid.Nil {
		excess.Base = sold
	}
	if figures.Due, err = applied.Base.Add(excess.Base); err != nil {
		return err
	}
	if figures.Rounding, err = figures.Due.Sub(sold); err != nil {
		return err
	}
	c.base = &Converted{Converted: *figures, Applied: applied.Base, Excess: excess.Base}
	return nil
}

// divide says how much of the total is applied to the invoice: what is open,
// and what would be had nothing been written off. It gives what is open then.
func (c *crediting) divide(credited invoice.State, rates []invoice.RateSum) (exchange.Worth, error) {
	open := credited.Owed()
	owed, err := credited.Open.Add(credited.WrittenOff)
	if err != nil {
		return open, err
	}
	c.applied = c.totals.Due
	if c.applied.Minor() > owed.Minor() {
		c.applied = owed
	}
	if credited.WrittenOff.IsZero() {
		return open, nil
	}
	back := money.New(max(c.applied.Minor()-credited.Open.Minor(), 0), credited.Currency)
	if c.recovered, err = credited.Recover(back, c.Stream(), c.Date, rates); err != nil || c.recovered == nil {
		return open, err
	}
	return open.Add(exchange.Of(c.recovered.Amount, c.recovered.Base))
}

// changes gives the events: the credit note, its number, and what it does to
// the invoice and the customer.
func (c *crediting) changes(s domain.States, m domain.Moment) ([]domain.Change, error) {
	number, drawn, err := series.Draw(s, m, series.Credit, series.Issuing{
		Document: c.Stream(), Date: c.Date, Imported: c.Imported,
	})
	if err != nil {
		return nil, err
	}
	changes := []domain.Change{{Stream: c.Stream(), Event: c.issued(number)}, drawn}
	if c.recovered != nil {
		changes = append(changes, domain.Change{Stream: invoice.Stream(c.Invoice), Event: c.recovered})
	}
	if c.Invoice != uuid.Nil {
		credited := &invoice.Credited{
			Credit: c.ID, Applied: c.applied, Excess: c.excess,
			Breakdown: c.totals.Breakdown, Rounding: c.totals.Rounding, Returned: c.returned,
		}
		if c.base != nil {
			credited.Base = &invoice.CreditedWorth{Applied: c.base.Applied, Rates: c.base.Rates}
		}
		changes = append(changes, domain.Change{Stream: invoice.Stream(c.Invoice), Event: credited})
	}
	changes = append(changes, invoice.GiveBack(c.Invoice, c.ID, c.Date, c.returned)...)
	if c.excess.Sign() > 0 {
		credited := &customer.Credited{Credit: c.ID, Amount: c.excess, Reason: c.Reason}
		if c.Invoice == uuid.Nil {
			credited.Breakdown = c.totals.Breakdown
		}
		changes = append(changes, domain.Change{
			Stream: customer.Stream(c.content.Customer), Event: credited,
		})
	}
	return changes, nil
}

func (c *crediting) issued(number string) *Issued {
	var text *invoice.Text
	var countryText string
	if c.Personal != nil {
		text, countryText = c.Personal.Text, c.Personal.CountryText
	}
	country, profile := invoice.Freeze(c.buyer, c.Buyer, countryText)
	e := &Issued{
		Number: number, Date: c.Date, SupplyDate: c.content.SupplyDate,
		Invoice: c.Invoice, InvoiceNumber: c.number, Reason: c.Reason,
		Seller: c.settings.Seller, BuyerCountry: country, BuyerHasVATID: c.buyer.HasVATID,
		Content: c.content, Totals: c.totals, Base: c.base, Returned: c.returned,
		Applied: c.applied, Excess: c.excess, Imported: c.Imported,
	}
	if profile != nil || text != nil {
		e.Personal = &IssuedPersonal{Buyer: profile, Text: text}
	}
	if e.SupplyDate == "" {
		e.SupplyDate = c.Date
	}
	return e
}

func noValue() error {
	return domain.Refuse("no-value", "the credit note credits nothing")
}

func negative(subtotal tax.Subtotal) error {
	return domain.Refuse("negative-credit", "the amount at %s is %s: a credit note cannot charge",
		subtotal.Rate, subtotal.Taxable).WithHint("issue an invoice for what is charged")
}

// Load gives the state of a credit note; found is false where there is none.
func Load(s domain.States, id uuid.UUID) (state State, found bool, err error) {
	held, err := s.State(Stream(id))
	if err != nil || held == nil {
		return State{}, false, err
	}
	state, ok := held.(State)
	if !ok {
		return State{}, false, fmt.Errorf("credit: the stream of credit note %s holds a %T", id, held)
	}
	return state, true, nil
}

// Evolve implements domain.State.
func (s State) Evolve(event domain.Event) (domain.State, error) {
	e, issues := event.(*Issued)
	if issues != (s.Number == "") {
		return nil, domain.OutOfSequence("credit note "+s.Number, event)
	}
	if issues {
		_, excess := e.Shares()
		return State{
			Number: e.Number, Date: e.Date, Customer: e.Content.Customer,
			Invoice: e.Invoice, Amount: e.Totals.Due, Funds: funds.New(excess, e.Date),
		}, nil
	}
	var err error
	s.Funds, err = s.Funds.Evolve(event)
	return s, err
}
