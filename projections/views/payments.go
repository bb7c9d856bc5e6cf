package views

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/codec"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/payment"
	"github.com/daybook-ledger/daybook/projections"
)

// Payment is a payment in a list. Amounts are decimal texts in its currency.
type Payment struct {
	ID       uuid.UUID      `json:"id"`
	Status   payment.Status `json:"status"`
	Customer uuid.UUID      `json:"customer"`
	// CustomerName is the customer's as it is now; empty once erased.
	CustomerName string      `json:"customer_name,omitempty"`
	Reference    string      `json:"reference,omitempty"`
	Date         domain.Date `json:"date"`
	Currency     string      `json:"currency"`
	Amount       string      `json:"amount"`
	// Allocated, Refunded and Drawn (as the prepaid amount of invoices) are
	// where the money went, and Free is what is left as the customer's credit.
	Allocated string `json:"allocated"`
	Refunded  string `json:"refunded"`
	Drawn     string `json:"drawn"`
	Free      string `json:"free"`
	// Open is what is still to be paid back of a reversed payment.
	Open string `json:"open"`
	// Reversed is the date of the reversal; Reason says why.
	Reversed domain.Date `json:"reversed,omitempty"`
	Reason   string      `json:"reason,omitempty"`
	Recorded time.Time   `json:"recorded"`
}

// PaymentDetail is a payment whole.
type PaymentDetail struct {
	Payment
	Method string `json:"method,omitempty"`
	// Text is the reference text that stood on it; empty once erased.
	Text string `json:"text,omitempty"`
	// Exchange is the rate of another currency than the book's, and Base what the
	// payment is worth in that.
	Exchange *Exchange     `json:"exchange,omitempty"`
	Base     *PaymentWorth `json:"base,omitempty"`
	// Allocations are what it is allocated to now.
	Allocations []Allocation `json:"allocations"`
	// Payments are what was paid back of it after its reversal.
	Payments []Allocation `json:"payments,omitempty"`
}

// Allocation is an amount between funds and an open item: seen from the funds it
// names the item, seen from the item the funds.
type Allocation struct {
	// Kind is invoice or payment for an item, payment or credit for funds.
	Kind      domain.Kind `json:"kind"`
	ID        uuid.UUID   `json:"id"`
	Number    string      `json:"number,omitempty"`
	Reference string      `json:"reference,omitempty"`
	Amount    string      `json:"amount"`
	// Date is that of the newest allocation.
	Date domain.Date `json:"date"`
}

// PaymentPage is a part of a list of payments.
type PaymentPage struct {
	Payments []Payment `json:"payments"`
	Next     string    `json:"next,omitempty"`
}

// Payments lists payments, by the filter of documents; statuses are received and
// reversed. Faults as for Documents.
func (q *Queries) Payments(ctx context.Context, f Filter) (PaymentPage, error) {
	f.Kind = domain.KindPayment
	page, err := q.Documents(ctx, f)
	if err != nil {
		return PaymentPage{}, err
	}
	list := PaymentPage{Payments: make([]Payment, len(page.Documents)), Next: page.Next}
	err = q.reader.Read(ctx, func(tx Tx) error {
		for i, d := range page.Documents {
			if _, _, list.Payments[i], err = readPayment(ctx, tx, payment.Stream(d.ID)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return PaymentPage{}, fmt.Errorf("views: list payments: %w", err)
	}
	return list, nil
}

func unknownPayment(name string) *projections.Fault {
	return fault("unknown-payment", "there is no payment %.80q", "name it by the beginning of its id, or ext: and its reference", name)
}

// documentWithFunds reads the columns of a document, and then those of its funds.
const documentWithFunds = `SELECT ` + documentColumns + `, ` + fundsColumns + ` FROM documents JOIN funds ON document = seq
	WHERE id = $1 AND kind = $2`

func readPayment(ctx context.Context, tx Tx, stream domain.StreamID) (row document, f fundsRow, p Payment, err error) {
	if err := row.scan(also{tx.QueryRowContext(ctx, documentWithFunds, stream.ID[:], string(stream.Kind)), f.into()}); err != nil {
		if none, err := absent(err); !none {
			return row, f, p, err
		}
		return row, f, p, unknownPayment(stream.ID.String())
	}
	text, err := decimals(row.currency)
	if err != nil {
		return row, f, p, err
	}
	return row, f, Payment{
		ID: stream.ID, Status: payment.Status(row.stage), Customer: row.customer, CustomerName: row.name,
		Reference: row.reference, Date: row.date, Currency: row.currency, Amount: text(f.amount.amount),
		Allocated: text(f.allocated()), Refunded: text(f.refunded), Drawn: text(f.drawn), Free: text(f.free.amount),
		Open: text(row.open), Reversed: f.reversed, Reason: f.reason, Recorded: instant(row.recorded),
	}, nil
}

// Payment gives a payment whole, or the fault unknown-payment.
func (q *Queries) Payment(ctx context.Context, id uuid.UUID) (*PaymentDetail, error) {
	p := new(PaymentDetail)
	err := q.reader.Read(ctx, func(tx Tx) error {
		row, f, summary, err := readPayment(ctx, tx, payment.Stream(id))
		if err != nil {
			return err
		}
		p.Payment = summary
		received, err := readReceived(ctx, tx, row.seq)
		if err != nil {
			return err
		}
		p.fill(received, row, f)
		if p.Allocations, err = readUses(ctx, tx, row, targets); err != nil {
			return err
		}
		p.Payments, err = readUses(ctx, tx, row, sources)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("views: payment %s: %w", id, err)
	}
	return p, nil
}

// fill adds what the event of a payment says and its row does not.
func (p *PaymentDetail) fill(e *payment.Received, row document, f fundsRow) {
	p.Method = e.Method
	if e.Personal != nil {
		p.Text = e.Personal.Text
	}
	if p.Exchange = exchangeOf(e.Exchange); e.Base == nil {
		return
	}
	currency := e.Base.Currency()
	text := func(minor int64) string { return money.New(minor, currency).String() }
	p.Base = &PaymentWorth{currency.String(), text(f.amount.base), text(f.free.base), text(row.openBase)}
}

// readReceived gives the event that began a payment.
func readReceived(ctx context.Context, tx Tx, seq int64) (*payment.Received, error) {
	var eventType string
	var version uint
	var facts, personal []byte
	if err := tx.QueryRowContext(ctx, `SELECT type, version, facts, personal FROM contents WHERE document = $1`, seq).
		Scan(&eventType, &version, &facts, &personal); err != nil {
		return nil, err
	}
	event, err := codec.DecodeEvent(eventType, version, facts, personal)
	if err != nil {
		return nil, damaged("the content of a payment: %v", err)
	}
	received, is := event.(*payment.Received)
	if !is {
		return nil, damaged("the content of a payment is a %s", eventType)
	}
	return received, nil
}

// The two sides of an allocation, each as the statement that lists it.
const (
	targets = `SELECT d.kind, d.id, d.number, d.reference, a.amount, a.date FROM allocations a
		JOIN documents d ON d.seq = a.target WHERE a.source = $1 AND a.amount <> 0 ORDER BY a.date, d.seq`
	sources = `SELECT d.kind, d.id, d.number, d.reference, a.amount, a.date FROM allocations a
		JOIN documents d ON d.seq = a.source WHERE a.target = $1 AND a.amount <> 0 ORDER BY a.date, d.seq`
)

// readUses lists the other sides of a document's allocations.
func readUses(ctx context.Context, tx Tx, d document, query string) ([]Allocation, error) {
	text, err := decimals(d.currency)
	if err != nil {
		return nil, err
	}
	all := []Allocation{}
	err = load(ctx, tx, query, []any{d.seq}, func(r scanner) error {
		var a Allocation
		var amount int64
		if err := r.Scan(&a.Kind, &a.ID, &a.Number, &a.Reference, &amount, &a.Date); err != nil {
			return err
		}
		a.Amount = text(amount)
		all = append(all, a)
		return nil
	})
	return all, err
}

// settle adds what became of a document's amounts: of an invoice what was paid
// and written off, of a credit note where its excess went.
func (doc *Document) settle(ctx context.Context, tx Tx, row document) error {
	text, err := decimals(row.currency)
	if err != nil {
		return err
	}
	if row.stream.Kind == domain.KindInvoice {
		if row.number == "" {
			return nil
		}
		doc.Allocated, doc.WrittenOff, doc.Recovered, doc.Relieved = text(row.allocated()), text(row.writtenOff), text(row.recovered), text(row.relieved)
		doc.Payments, err = readUses(ctx, tx, row, sources)
		return err
	}
	var unused document
	var f fundsRow
	err = unused.scan(also{tx.QueryRowContext(ctx, documentWithFunds, row.stream.ID[:], string(row.stream.Kind)), f.into()})
	if none, err := absent(err); none || err != nil {
		doc.Free, doc.Refunded = text(0), text(0)
		return err
	}
	doc.Free, doc.Refunded = text(f.free.amount), text(f.refunded)
	doc.Allocations, err = readUses(ctx, tx, row, targets)
	return err
}

// FindFunds finds the payment or credit note that a person names, as
// FindDocument does. Fault unknown-payment.
func (q *Queries) FindFunds(ctx context.Context, name string) (Summary, error) {
	var found []Summary
	for _, kind := range []domain.Kind{domain.KindPayment, domain.KindCredit} {
		s, err := q.FindDocument(ctx, name, kind)
		var f *projections.Fault
		switch {
		case err == nil:
			found = append(found, s)
		case !errors.As(err, &f) || f.Code != "unknown-document" && f.Code != "unknown-payment":
			return Summary{}, err
		}
	}
	switch len(found) {
	case 0:
		return Summary{}, unknownPayment(name)
	case 1:
		return found[0], nil
	}
	ambiguous := &Ambiguous{Name: name}
	for _, s := range found {
		ambiguous.Candidates = append(ambiguous.Candidates, Candidate{s.Kind, s.ID, s.Number})
	}
	return Summary{}, ambiguous
}
