package views

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/domain/codec"
	"github.com/daybook-ledger/daybook/domain/credit"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// Document is a document whole: as its newest draft has it, or as it was issued.
type Document struct {
	Summary
	SupplyDate       domain.Date `json:"supply_date,omitempty"`
	PricesIncludeTax bool        `json:"prices_include_tax,omitempty"`
	// Seller and Buyer are frozen at issue; a draft has none. Buyer is nil once
	// erased, and Erased says so.
	Seller       *book.Seller      `json:"seller,omitempty"`
	Buyer        *customer.Profile `json:"buyer,omitempty"`
	BuyerCountry string            `json:"buyer_country,omitempty"`
	// Erased says that the document's personal data were erased.
	Erased      bool         `json:"erased,omitempty"`
	Lines       []Line       `json:"lines"`
	Adjustments []Adjustment `json:"adjustments,omitempty"`
	// Breakdown is the tax by category and rate, with the reason where none is
	// charged.
	Breakdown  []Subtotal `json:"breakdown"`
	LinesTotal string     `json:"lines_total"`
	// Exchange is the rate of a document in another currency than the book's, and
	// Base its figures in the book's; a draft may be without, and has no figures.
	Exchange   *Exchange  `json:"exchange,omitempty"`
	Base       *Converted `json:"base,omitempty"`
	Allowances string     `json:"allowances"`
	Charges    string     `json:"charges"`
	Prepaid    string     `json:"prepaid"`
	Rounding   string     `json:"rounding"`
	// Credited is what credit notes took off an invoice.
	Credited string `json:"credited,omitempty"`
	// Applied is what a credit note took off its invoice, and Excess what it
	// gave the customer as credit.
	Applied string `json:"applied,omitempty"`
	Excess  string `json:"excess,omitempty"`
	// InvoiceNumber is the number of the credited invoice.
	InvoiceNumber string `json:"invoice_number,omitempty"`
	// Reason is that of a credit note on account.
	Reason string `json:"reason,omitempty"`
	Note   string `json:"note,omitempty"`
	Terms  string `json:"terms,omitempty"`
	// Allocated, WrittenOff, Recovered (of what was written off) and Relieved (tax
	// on what is written off) are an invoice's, and Payments are the payments and
	// credit notes that were allocated to it.
	Allocated  string       `json:"allocated,omitempty"`
	WrittenOff string       `json:"written_off,omitempty"`
	Recovered  string       `json:"recovered,omitempty"`
	Relieved   string       `json:"relieved,omitempty"`
	Payments   []Allocation `json:"payments,omitempty"`
	// Free and Refunded say what became of a credit note's excess, and
	// Allocations what it is allocated to.
	Free        string       `json:"free,omitempty"`
	Refunded    string       `json:"refunded,omitempty"`
	Allocations []Allocation `json:"allocations,omitempty"`
	// Undeducted is what is left to deduct of a deposit invoice, and DeductedBy
	// the invoices that deduct it.
	Undeducted []RateSum   `json:"undeducted,omitempty"`
	DeductedBy []Deduction `json:"deducted_by,omitempty"`
	// CreditNotes are those on this invoice, in the order of their entry.
	CreditNotes []Summary `json:"credit_notes,omitempty"`
}

// Line is a line of a document. Net is its net amount, without tax.
type Line struct {
	Item         string        `json:"item,omitempty"`
	Description  string        `json:"description,omitempty"`
	Quantity     string        `json:"quantity"`
	Unit         string        `json:"unit,omitempty"`
	Price        string        `json:"price"`
	BaseQuantity string        `json:"base_quantity,omitempty"`
	Adjustments  []Adjustment  `json:"adjustments,omitempty"`
	Category     tax.Category  `json:"category"`
	Percent      money.Decimal `json:"percent"`
	Net          string        `json:"net"`
	// Deducts is the deposit invoice that the line deducts or, on a credit note,
	// gives the deduction back of.
	Deducts *Deducted `json:"deducts,omitempty"`
}

// Adjustment is an allowance, or a charge, on a line or on the document.
type Adjustment struct {
	Charge   bool           `json:"charge,omitempty"`
	Amount   string         `json:"amount"`
	Percent  *money.Decimal `json:"percent,omitempty"`
	Base     string         `json:"base,omitempty"`
	Reason   string         `json:"reason,omitempty"`
	Category tax.Category   `json:"category,omitempty"`
	Rate     *money.Decimal `json:"rate,omitempty"`
}

// Subtotal is the tax of one category and rate.
type Subtotal struct {
	Category   tax.Category  `json:"category"`
	Percent    money.Decimal `json:"percent"`
	Taxable    string        `json:"taxable"`
	Tax        string        `json:"tax"`
	Reason     string        `json:"reason,omitempty"`
	ReasonCode string        `json:"reason_code,omitempty"`
}

// Document gives a document whole, or the fault unknown-document. It is overdue
// by asOf, which may be empty.
func (q *Queries) Document(ctx context.Context, stream domain.StreamID, asOf domain.Date) (*Document, error) {
	var doc *Document
	err := q.reader.Read(ctx, func(tx Tx) (err error) {
		doc, err = readDocument(ctx, tx, stream, asOf)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("views: document %s: %w", stream, err)
	}
	return doc, nil
}

func readDocument(ctx context.Context, tx Tx, stream domain.StreamID, asOf domain.Date) (*Document, error) {
	if stream.Kind == domain.KindPayment {
		return nil, unknownDocument(stream.String())
	}
	var row document
	var eventType string
	var version uint
	var facts, personal []byte
	err := row.scan(also{
		tx.QueryRowContext(ctx, `SELECT `+documentColumns+`, type, version, facts, personal
		FROM documents JOIN contents ON document = seq WHERE id = $1 AND kind = $2`, stream.ID[:], string(stream.Kind)),
		[]any{&eventType, &version, &facts, &personal},
	})
	if err != nil {
		if none, err := absent(err); !none {
			return nil, err
		}
		return nil, unknownDocument(stream.String())
	}
	event, err := codec.DecodeEvent(eventType, version, facts, personal)
	if err != nil {
		return nil, damaged("the content of %s: %v", stream, err)
	}
	doc := new(Document)
	if doc.Summary, err = row.summary(asOf); err != nil {
		return nil, err
	}
	if err := doc.fill(event, &row); err != nil {
		return nil, err
	}
	for _, more := range []func(context.Context, Tx, document) error{doc.settle, doc.deposit, doc.nameDeposits} {
		if err := more(ctx, tx, row); err != nil {
			return nil, err
		}
	}
	if stream.Kind != domain.KindInvoice {
		return doc, nil
	}
	return doc, load(ctx, tx, `SELECT `+documentColumns+` FROM documents WHERE invoice = $1 ORDER BY seq`, []any{stream.ID[:]},
		func(r scanner) error {
			var note document
			if err := note.scan(r); err != nil {
				return err
			}
			s, err := note.summary(asOf)
			doc.CreditNotes = append(doc.CreditNotes, s)
			return err
		})
}

// fill adds what the event says.
func (doc *Document) fill(event domain.Event, row *document) error {
	switch e := event.(type) {
	case *invoice.Drafted:
		doc.content(&e.Content, e.Totals, e.Personal)
	case *invoice.Edited:
		doc.content(&e.Content, e.Totals, e.Personal)
	case *invoice.Issued:
		var personal invoice.IssuedPersonal
		if e.Personal != nil {
			personal = *e.Personal
		}
		doc.content(&e.Content, e.Totals, personal.Text)
		doc.Seller, doc.Buyer, doc.BuyerCountry = &e.Seller, personal.Buyer, e.BuyerCountry
		doc.SupplyDate, doc.Erased = e.SupplyDate, personal.Buyer == nil
		text, err := decimals(row.currency)
		if err != nil {
			return err
		}
		doc.Credited = text(row.credited)
		if doc.Base = baseOf(e.Base, e.Totals); doc.Base != nil {
			doc.Base.Open = money.New(row.openBase, e.Base.Net.Currency()).String()
		}
	case *credit.Issued:
		var personal credit.IssuedPersonal
		if e.Personal != nil {
			personal = *e.Personal
		}
		doc.content(&e.Content, e.Totals, personal.Text)
		doc.Seller, doc.Buyer, doc.BuyerCountry = &e.Seller, personal.Buyer, e.BuyerCountry
		doc.SupplyDate, doc.Erased = e.SupplyDate, personal.Buyer == nil
		doc.InvoiceNumber, doc.Reason = e.InvoiceNumber, e.Reason
		doc.Applied, doc.Excess = e.Applied.String(), e.Excess.String()
		if e.Base != nil {
			doc.Base = baseOf(&e.Base.Converted, e.Totals)
			doc.Base.Applied, doc.Base.Excess = e.Base.Applied.String(), e.Base.Excess.String()
		}
	default:
		return damaged("the content of %s is a %s", row.stream, event.EventType())
	}
	return nil
}

func (doc *Document) content(c *invoice.Content, totals tax.Totals, text *invoice.Text) {
	if text == nil {
		text = new(invoice.Text)
	}
	doc.PricesIncludeTax, doc.SupplyDate = c.PricesIncludeTax, c.SupplyDate
	doc.Exchange = exchangeOf(c.Exchange)
	doc.Note, doc.Terms = text.Note, text.Terms
	doc.Lines = make([]Line, len(c.Lines))
	for i, l := range c.Lines {
		doc.Lines[i] = Line{
			Item: l.Item, Quantity: l.Quantity.String(), Unit: l.Unit, Price: l.Price.String(),
			Adjustments: adjustments(l.Adjustments), Category: l.Rate.Category, Percent: l.Rate.Percent,
		}
		if !l.BaseQuantity.IsZero() {
			doc.Lines[i].BaseQuantity = l.BaseQuantity.String()
		}
		if l.Deducts != uuid.Nil {
			doc.Lines[i].Deducts = &Deducted{ID: l.Deducts}
		}
		if i < len(text.Lines) {
			doc.Lines[i].Description = text.Lines[i]
		}
		if i < len(totals.LineNets) {
			doc.Lines[i].Net = totals.LineNets[i].String()
		}
	}
	doc.Adjustments = adjustments(c.Adjustments)
	doc.Breakdown = make([]Subtotal, len(totals.Breakdown))
	for i, s := range totals.Breakdown {
		doc.Breakdown[i] = Subtotal{s.Rate.Category, s.Rate.Percent, s.Taxable.String(), s.Tax.String(), s.Reason, s.ReasonCode}
	}
	doc.LinesTotal, doc.Allowances, doc.Charges = totals.Lines.String(), totals.Allowances.String(), totals.Charges.String()
	doc.Prepaid, doc.Rounding = totals.Prepaid.String(), totals.Rounding.String()
}

func adjustments(all []tax.Adjustment) []Adjustment {
	var list []Adjustment
	for _, a := range all {
		adjustment := Adjustment{Charge: a.Charge, Amount: a.Amount.String(), Reason: a.Reason, Category: a.Rate.Category}
		if !a.Percent.IsZero() {
			adjustment.Percent = &a.Percent
		}
		if !a.Base.IsZero() {
			adjustment.Base = a.Base.String()
		}
		if !a.Rate.IsZero() {
			adjustment.Rate = &a.Rate.Percent
		}
		list = append(list, adjustment)
	}
	return list
}

// Happening is one event of a stream: where in the log it is to be read.
type Happening struct {
	Position  uint64    `json:"position"`
	Page      uint64    `json:"page"`
	Event     int       `json:"event"` // place in the commit, from 0
	Revision  uint64    `json:"revision"`
	Type      string    `json:"type"`
	Recorded  time.Time `json:"recorded"`
	Principal string    `json:"principal"`
}

// Activity lists the events of a stream in order, and none for an unknown one.
// Numbers drawn from series are not among them: they stand on the documents.
func (q *Queries) Activity(ctx context.Context, stream domain.StreamID) ([]Happening, error) {
	all := []Happening{}
	err := q.reader.Read(ctx, func(tx Tx) error {
		return load(ctx, tx, `SELECT position, page, event, revision, type, recorded, principal FROM activity
			WHERE kind = $1 AND id = $2 ORDER BY revision`, []any{string(stream.Kind), stream.ID[:]},
			func(r scanner) error {
				var h Happening
				var recorded int64
				if err := r.Scan(&h.Position, &h.Page, &h.Event, &h.Revision, &h.Type, &recorded, &h.Principal); err != nil {
					return err
				}
				h.Recorded = instant(recorded)
				all = append(all, h)
				return nil
			})
	})
	if err != nil {
		return nil, fmt.Errorf("views: activity of %s: %w", stream, err)
	}
	return all, nil
}
