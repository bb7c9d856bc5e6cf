package views

import (
	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/credit"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/series"
)

// begun gives the row of the event's document, which the stream's first event
// begins.
func (b *batch) begun(p place) (*document, error) {
	if p.event.Revision != 1 {
		d, err := b.document(p.event.Stream)
		if err == nil {
			d.changed = true
		}
		return d, err
	}
	d := &document{seq: p.key(), stream: p.event.Stream, recorded: p.recorded()}
	b.documents[d.stream] = d
	b.fresh[d.seq] = true
	return d, nil
}

// keep keeps the event that says what the document says.
func (b *batch) keep(d *document, p place) {
	stored := p.event.Stored
	var personal any // NULL where there is nothing personal, or no longer
	if stored.Personal != nil {
		personal = stored.Personal
	}
	b.contents[d.seq] = []any{d.seq, p.event.Event.EventType(), int64(stored.Schema), stored.Facts, p.section(), personal}
}

// amounts sets a document's amounts.
func (d *document) amounts(currency money.Currency, net, tax, gross, due money.Amount) {
	d.currency = currency.String()
	d.net, d.tax, d.gross, d.payable = net.Minor(), tax.Minor(), gross.Minor(), due.Minor()
}

func (b *batch) foldDraft(p place, content *invoice.Content, net, tax, gross, due money.Amount) error {
	d, err := b.begun(p)
	if err != nil {
		return err
	}
	who, err := b.person(content.Customer)
	if err != nil {
		return err
	}
	d.stage = invoice.StatusDraft
	d.customer, d.name = content.Customer, who.name()
	d.reference, d.due, d.deposit = content.Reference, content.DueDate, content.Deposit
	d.amounts(content.Currency, net, tax, gross, due)
	b.keep(d, p)
	return nil
}

func (b *batch) foldInvoice(p place, e *invoice.Issued) error {
	d, err := b.begun(p)
	if err != nil {
		return err
	}
	d.stage = invoice.StatusIssued
	d.number, d.reference = e.Number, e.Content.Reference
	d.date, d.due, d.imported = e.Date, e.DueDate, e.Imported
	d.customer, d.name = e.Content.Customer, ""
	if e.Personal != nil {
		d.name = buyerName(e.Personal.Buyer)
	}
	d.open, d.openBase = 0, 0 // posting it opens it
	d.amounts(e.Content.Currency, e.Totals.Net, e.Totals.Tax, e.Totals.Gross, e.Totals.Due)
	d.deposit = e.Content.Deposit
	if err := b.leave(d, e.Totals.Breakdown, +1); err != nil {
		return err
	}
	if err := b.dated(d); err != nil {
		return err
	}
	b.keep(d, p)
	return nil
}

func (b *batch) foldCredit(p place, e *credit.Issued) error {
	d, err := b.begun(p)
	if err != nil {
		return err
	}
	d.stage = invoice.StatusIssued
	d.number, d.reference = e.Number, e.Content.Reference
	d.date, d.imported = e.Date, e.Imported
	d.customer, d.invoice, d.deposit = e.Content.Customer, e.Invoice, e.Content.Deposit
	if _, excess := e.Shares(); excess.Amount.Sign() > 0 {
		b.funds[d.seq] = newFunds(worthIn(excess))
	}
	if e.Personal != nil {
		d.name = buyerName(e.Personal.Buyer)
	}
	d.amounts(e.Content.Currency, e.Totals.Net, e.Totals.Tax, e.Totals.Gross, e.Totals.Due)
	if err := b.dated(d); err != nil {
		return err
	}
	b.keep(d, p)
	return nil
}

func buyerName(buyer *customer.Profile) string {
	if buyer == nil {
		return ""
	}
	return buyer.Name
}

// foldStep takes the events that change a row a little. What they mean for
// accounts and balances is posted by the documents' own events.
func (b *batch) foldStep(p place) error {
	if p.event.Stream.Kind == domain.KindCustomer {
		return nil
	}
	d, err := b.document(p.event.Stream)
	if err != nil {
		return err
	}
	d.changed = true
	switch e := p.event.Event.(type) {
	case *invoice.Approved:
		d.stage = invoice.StatusApproved
	case *invoice.Discarded:
		d.stage = invoice.StatusDiscarded
	case *invoice.Credited:
		if d.credited, err = add(d.credited, e.Applied.Minor()); err != nil {
			return err
		}
		return b.leave(d, e.Breakdown, -1)
	case *invoice.Deducted:
		return b.deduct(d, e.Invoice, e.Sums, +1)
	case *invoice.DeductionReturned:
		return b.deduct(d, e.Invoice, e.Sums, -1)
	case *invoice.WrittenOff:
		d.writtenOff, err = add(d.writtenOff, e.Amount.Minor())
	case *invoice.Relieved:
		return d.relieve(e.Relief, +1)
	case *invoice.Recovered:
		if d.writtenOff, err = add(d.writtenOff, -e.Amount.Minor()); err != nil {
			return err
		}
		if d.recovered, err = add(d.recovered, e.Amount.Minor()); err != nil {
			return err
		}
		return d.relieve(e.Relief, -1)
	}
	return err
}

// relieve adds to the tax that is relieved, or takes off it.
func (d *document) relieve(relief []invoice.RateSum, sign int64) (err error) {
	for _, r := range relief {
		if d.relieved, err = add(d.relieved, sign*r.Tax.Minor()); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) foldSeries(p place) error {
	switch e := p.event.Event.(type) {
	case *series.Configured:
		return b.exec(`INSERT INTO series (kind, prefix, width, yearly, last_number, last_date) VALUES ($1, $2, $3, $4, '', '')
			ON CONFLICT (kind) DO UPDATE SET prefix = excluded.prefix, width = excluded.width, yearly = excluded.yearly`,
			string(e.Kind), e.Format.Prefix, int64(e.Format.Width), flag(e.Format.YearlyReset))
	case *series.Drawn:
		kind, err := seriesKind(p.event.Stream.ID)
		if err != nil {
			return err
		}
		if b.drawn[kind] == nil {
			b.drawn[kind] = &drawn{counters: map[int]uint64{}}
		}
		row := b.drawn[kind]
		row.counters[e.Year] = e.Counter
		row.number = e.Number
		if !e.Imported {
			row.date = max(row.date, e.Date)
		}
	}
	return nil
}

func seriesKind(id uuid.UUID) (series.Kind, error) {
	for _, kind := range series.Kinds() {
		if series.Stream(kind).ID == id {
			return kind, nil
		}
	}
	return "", damaged("no series has the stream %s", id)
}

// drawn is what a batch drew from a series.
type drawn struct {
	counters map[int]uint64
	number   string
	date     domain.Date
}

func (b *batch) writeSeries() error {
	for _, kind := range series.Kinds() {
		row := b.drawn[kind]
		if row == nil {
			continue
		}
		if err := b.exec(`UPDATE series SET last_number = $1, last_date = CASE WHEN last_date < $2 THEN $2 ELSE last_date END WHERE kind = $3`,
			row.number, string(row.date), string(kind)); err != nil {
			return err
		}
		var counters []any
		for year, counter := range row.counters {
			counters = append(counters, string(kind), int64(year), int64(counter))
		}
		if err := b.w.Put(b.ctx, countersTable, counters, true); err != nil {
			return err
		}
	}
	return nil
}
