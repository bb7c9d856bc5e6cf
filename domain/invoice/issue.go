package invoice

import (
	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/funds"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/period"
	"github.com/daybook-ledger/daybook/domain/series"
)

// issuing is an invoice about to be issued.
type issuing struct {
	stream   domain.StreamID
	content  Content
	date     domain.Date
	imported bool
	// country replaces the buyer's where it is not nil.
	country *Country
	// text and countryText are personal, and only copied.
	text        *Text
	countryText string
}

// decide gives the event that freezes the document and the one that draws its
// number. Everything is computed anew: the book may have changed since the
// draft.
func (i issuing) decide(s domain.States, m domain.Moment) ([]domain.Change, error) {
	settings, buyer, err := i.content.Parties(s, m, i.stream)
	if err != nil {
		return nil, err
	}
	if err := i.content.Exchange.Check(i.content.Currency, settings.Currency); err != nil {
		return nil, err
	}
	content, totals, deductions, err := i.content.decide(s)
	if err != nil {
		return nil, err
	}
	content.Exchange = content.Exchange.On(i.date)
	base, err := content.base(totals, settings.Currency)
	if err != nil {
		return nil, err
	}
	deducted, err := i.take(s, deductions)
	if err != nil {
		return nil, err
	}
	if !i.imported {
		if err := CheckVATIDs(settings.Seller, buyer, totals.Breakdown); err != nil {
			return nil, err
		}
	}
	due, err := content.due(i.date)
	if err != nil {
		return nil, err
	}
	number, drawn, err := series.Draw(s, m, series.Invoice, series.Issuing{
		Document: i.stream, Date: i.date, Imported: i.imported,
	})
	if err != nil {
		return nil, err
	}
	country, profile := Freeze(buyer, i.country, i.countryText)
	issued := &Issued{
		Number: number, Date: i.date, SupplyDate: content.SupplyDate, DueDate: due,
		Seller: settings.Seller, BuyerCountry: country, BuyerHasVATID: buyer.HasVATID,
		Content: content, Totals: totals, Base: base, Deductions: deductions, Imported: i.imported,
		Personal: &IssuedPersonal{Buyer: profile, Text: i.text},
	}
	if profile == nil && i.text == nil {
		issued.Personal = nil
	}
	if issued.SupplyDate == "" {
		issued.SupplyDate = i.date
	}
	closed, err := period.Load(s, m.Book)
	if err != nil {
		return nil, err
	}
	// The tax on a deposit is due with it, whenever what it is for is supplied.
	if point := settings.TaxBasis.Point(issued.Date, issued.SupplyDate); !content.Deposit && point != issued.Date && closed.Open(point) {
		issued.TaxPoint = point
	}
	changes := append([]domain.Change{{Stream: i.stream, Event: issued}, drawn}, deducted...)
	if i.imported {
		return changes, nil
	}
	drawings, err := i.draw(buyer, base.Figures(totals).Prepaid)
	return append(changes, drawings...), err
}

// draw gives the events that take the prepaid amount off credit that the
// customer's payments left, the oldest first, where there is enough of it on
// the date of issue. Otherwise, and on imported invoices, it was paid elsewhere:
// it stays on the clearing account prepayments.
func (i issuing) draw(buyer customer.State, prepaid exchange.Worth) (changes []domain.Change, err error) {
	currency := prepaid.Amount.Currency()
	for _, lot := range buyer.Received {
		if lot.Amount.Currency() != currency || lot.Since > i.date || prepaid.Amount.IsZero() {
			continue
		}
		amount := money.New(min(prepaid.Amount.Minor(), lot.Amount.Minor()), currency)
		taken, err := lot.Worth().Part(amount)
		if err != nil {
			return nil, err
		}
		part, err := prepaid.Part(amount)
		if err != nil {
			return nil, err
		}
		if prepaid, err = prepaid.Sub(part); err != nil {
			return nil, err
		}
		moved, err := exchange.Worth{}.Sub(taken)
		if err != nil {
			return nil, err
		}
		source := domain.StreamID{Kind: domain.KindPayment, ID: lot.Payment}
		changes = append(changes, domain.Change{Stream: source, Event: &funds.Drawn{
			Customer: i.content.Customer, Invoice: i.stream.ID, Amount: amount, Base: funds.Told(taken, part), Date: i.date,
		}}, domain.Change{Stream: customer.Stream(i.content.Customer), Event: &customer.CreditMoved{
			Source: source, Amount: moved.Amount, Base: moved.Told(), Date: i.date, Since: lot.Since,
		}})
	}
	if !prepaid.Amount.IsZero() {
		return nil, nil
	}
	return changes, nil
}

// due is the due date of the content when issued at a date.
func (c *Content) due(issue domain.Date) (domain.Date, error) {
	due := c.DueDate
	if due == "" {
		due = issue.AddDays(c.DueDays)
	}
	if !due.Valid() {
		return "", domain.Refuse("invalid-due", "%d days after %s is no date", c.DueDays, issue)
	}
	if due < issue {
		return "", domain.Refuse("due-before-issue", "the due date %s is before the date of issue %s", due, issue).
			WithHint("change the due date, or give a number of days after issue")
	}
	return due, nil
}

// Freeze gives what of the buyer stands on a document: the country, which may
// be replaced, and the personal part, nil where that was erased.
func Freeze(buyer customer.State, country *Country, countryText string) (string, *customer.Profile) {
	profile := buyer.Profile.OnDocument()
	if country == nil {
		return buyer.Country, profile
	}
	if profile != nil {
		profile.CountryText = countryText
	}
	return country.Code, profile
}
