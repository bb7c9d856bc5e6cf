package ubl

import (
	"context"
	"errors"
	"strings"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/domain/credit"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/importer"
)

// Options says where to and how.
type Options struct {
	Book importer.Book
	// Currency and Seller are the book's.
	Currency money.Currency
	Seller   book.Seller
	// Rates are what other currencies are worth in the book's. A credit note on an
	// invoice needs none: it is at that of the invoice.
	Rates map[money.Currency]exchange.Rate
	// AnySeller enters the documents of other suppliers as well.
	AnySeller bool
	// OnAccount enters credit notes on account, whatever invoice they name.
	OnAccount bool
	// Issued gives the date of issue of a document in the book, empty if it has
	// none. It is asked where a reference is taken, or a date to be compared.
	Issued func(context.Context, domain.StreamID) (domain.Date, error)
}

// Enter enters the files that were read and can be entered, invoices before
// credit notes, and says in each file's Result what became of it. Documents that
// the book refuses are refused; an error, an *importer.Stopped, ends the run,
// which may be repeated.
func Enter(ctx context.Context, files []*File, o Options) error {
	for _, kind := range []domain.Kind{domain.KindInvoice, domain.KindCredit} {
		for _, f := range files {
			if !f.ready || f.doc.Kind != kind {
				continue
			}
			if err := (&entering{Options: o, File: f}).enter(ctx); err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				return &importer.Stopped{Number: f.doc.Number, Line: 1, Err: err}
			}
		}
	}
	return nil
}

// entering is one document on its way into the book.
type entering struct {
	Options
	*File
	// supplier is empty for the book's own seller, and else what stands for the
	// supplier in ids and references.
	supplier string
	id       uuid.UUID
}

func (e *entering) enter(ctx context.Context) error {
	outcome, err := e.give(ctx)
	var refusal *domain.Refusal
	switch {
	case err == nil:
		r := &e.Result
		r.Status, r.ID, r.Repeated = Entered, e.id, outcome.AlreadyEntered
		r.Code, r.Message, r.Hint = "", "", ""
		e.ready = false
		return nil
	case errors.As(err, &refusal):
		code, message, final := importer.RefusedAs(refusal)
		if final && code != CodeForeignCurrency && code != CodeRateMissing {
			return err
		}
		hint := refusal.Hint
		if code == importer.CodeChangedDocument {
			hint = "what was entered before stays; correct it with a credit note"
		}
		e.refused(code, message, hint)
		return nil
	}
	return err
}

// give makes the document's command and gives it to the book.
func (e *entering) give(ctx context.Context) (importer.Outcome, error) {
	if err := e.belongs(); err != nil {
		return importer.Outcome{}, err
	}
	label := "import/ubl/" + strings.Join([]string{e.supplier, e.doc.Number, string(e.doc.Date)}, "\x00")
	e.id = e.Book.DeriveID(label)
	reference, err := e.reference(ctx)
	if err != nil {
		return importer.Outcome{}, err
	}
	on, err := e.credited(ctx)
	if err != nil {
		return importer.Outcome{}, err
	}
	rate, err := e.rate(on)
	if err != nil {
		return importer.Outcome{}, err
	}
	buyer, err := e.buyer(ctx)
	if err != nil {
		return importer.Outcome{}, err
	}
	content := e.doc.Content
	content.Customer, content.Reference, content.Exchange = buyer, reference, rate
	command := e.command(content, on)
	if err := command.Validate(); err != nil {
		return importer.Outcome{}, err
	}
	e.Result.Reference = reference
	return e.Book.Enter(ctx, e.Book.DeriveID("import/command/ubl/"+label), command)
}

// belongs refuses what is not this book's to enter.
func (e *entering) belongs() error {
	p := e.doc.Supplier
	if !isSeller(e.Seller, p) {
		if !e.AnySeller {
			return domain.Refuse(CodeOtherSupplier, "the supplier is %.100q, VAT id %.40q, and the book is %.100q's, VAT id %.40q",
				p.Name, p.VATID, e.Seller.Name, e.Seller.VATID).
				WithHint("correct the book's seller (daybook book edit), or enter documents of any supplier as the book's own: --any-seller")
		}
		if e.supplier = normalVATID(p.VATID); e.supplier == "" {
			// A name is no part of facts, which are never erased.
			id := e.Book.DeriveID("import/ubl/supplier/" + p.LegalID + "\x00" + strings.ToLower(p.Name))
			e.supplier = "supplier-" + id.String()[:8]
		}
	}
	return nil
}

// rate gives what the document's currency is worth, no rate in the book's own.
func (e *entering) rate(on uuid.UUID) (exchange.Rate, error) {
	if e.currency() == e.Currency || on != uuid.Nil {
		return exchange.Rate{}, nil
	}
	rate, given := e.Rates[e.currency()]
	if !given {
		return rate, domain.Refuse(CodeRateMissing, "the document is in %s, and the book is kept in %s", e.currency(), e.Currency).
			WithHint("say what it is worth, such as --rate %s=0.8567@ECB; --check computes it without", e.currency())
	}
	return rate, nil
}

// isSeller compares the VAT ids where both have one, and else the names.
func isSeller(s book.Seller, p Party) bool {
	if own, other := normalVATID(s.VATID), normalVATID(p.VATID); own != "" && other != "" {
		return own == other
	}
	name := oneLine(s.Name)
	return strings.EqualFold(name, p.Name) || p.TradingName != "" && strings.EqualFold(name, p.TradingName)
}

// normalVATID is a VAT id in capitals, without what people put between its
// parts.
func normalVATID(id string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '+', r == '*':
			return r
		}
		return -1
	}, id)
}

// named is the reference of a document of a number.
func (e *entering) named(number string) string {
	if e.supplier == "" {
		return number
	}
	return e.supplier + " " + number
}

func dated(reference string, d domain.Date) string { return reference + " (" + string(d) + ")" }

// reference is the number; where a document of another date bears that already,
// the number and the date.
func (e *entering) reference(ctx context.Context) (string, error) {
	reference := e.named(e.doc.Number)
	holder, taken, err := e.find(ctx, domain.DocumentReference, reference)
	if err != nil || !taken || holder.ID == e.id {
		return reference, err
	}
	date, err := e.Issued(ctx, holder)
	if err != nil {
		return "", err
	}
	again := dated(reference, e.doc.Date)
	if date != "" && date != e.doc.Date {
		if holder, taken, err = e.find(ctx, domain.DocumentReference, again); err != nil || !taken || holder.ID == e.id {
			return again, err
		}
	}
	return "", domain.Refuse("reference-taken", "the %s bears the reference %.80q", holder, reference)
}

func (e *entering) find(ctx context.Context, kind domain.ReferenceKind, value string) (domain.StreamID, bool, error) {
	return e.Book.Find(ctx, domain.Reference{Kind: kind, Value: value})
}

// buyer finds the customer by its reference, or registers it.
func (e *entering) buyer(ctx context.Context) (uuid.UUID, error) {
	reference := e.customerReference()
	stream, found, err := e.find(ctx, domain.CustomerReference, reference)
	if err != nil || found {
		return stream.ID, err
	}
	id := e.Book.DeriveID("import/ubl/customer/" + reference)
	register, err := customer.NewRegister(id, e.doc.Buyer.Country, e.doc.Buyer.profile(reference))
	if err != nil {
		return uuid.Nil, err
	}
	_, err = e.Book.Enter(ctx, e.Book.DeriveID("import/command/ubl/customer/"+reference), register)
	var refusal *domain.Refusal
	if errors.As(err, &refusal) && (refusal.Code == "command-id-reused" || refusal.Code == "customer-exists") {
		// It is in the book, and was given another reference there since.
		return id, nil
	}
	return id, err
}

// customerReference is the buyer's identifier, which is the supplier's to give;
// else the VAT id, the register's, or the name and postcode.
func (e *entering) customerReference() string {
	switch p := e.doc.Buyer; {
	case p.ID != "":
		return e.named(p.ID)
	case normalVATID(p.VATID) != "":
		return normalVATID(p.VATID)
	case p.LegalID != "":
		return p.LegalID
	case p.Postcode != "":
		return p.Name + ", " + p.Postcode
	default:
		return p.Name
	}
}

// command is a command that checks its own form.
type command interface {
	domain.Command
	Validate() error
}

func (e *entering) command(content invoice.Content, on uuid.UUID) command {
	d := e.doc
	var country *invoice.Country
	if d.Buyer.Country != "" || d.Buyer.CountryText != "" {
		country = &invoice.Country{Code: d.Buyer.Country}
	}
	if d.Kind == domain.KindInvoice {
		return &invoice.Enter{
			ID: e.id, Content: content, Date: d.Date, Imported: true, Buyer: country,
			Personal: &invoice.EnterPersonal{Text: &d.Text, CountryText: d.Buyer.CountryText},
		}
	}
	note := &credit.Issue{
		ID: e.id, Invoice: on, Content: content, Date: d.Date, Imported: true, Buyer: country,
		Personal: &credit.IssuePersonal{Text: &d.Text, CountryText: d.Buyer.CountryText},
	}
	if on == uuid.Nil {
		note.Reason = d.reason()
	}
	return note
}

// reason says why a credit is given on account: it has no names, for it is kept
// for ever.
func (d *Document) reason() string {
	reason := "credit note " + d.Number
	for i, p := range d.Preceding {
		switch {
		case i == 0:
			reason += " on invoice " + p.Number
		case i < 10:
			reason += ", " + p.Number
		case i == 10:
			reason += " and others"
		}
	}
	return reason
}

// credited gives the invoice that a credit note is on: the one that it names;
// none where it names several or none, or is to be on account.
func (e *entering) credited(ctx context.Context) (uuid.UUID, error) {
	if e.doc.Kind != domain.KindCredit || len(e.doc.Preceding) != 1 || e.OnAccount {
		return uuid.Nil, nil
	}
	p := e.doc.Preceding[0]
	for _, name := range e.names(p) {
		stream, found, err := e.Book.Find(ctx, name)
		if err != nil {
			return uuid.Nil, err
		}
		if !found || stream.Kind != domain.KindInvoice {
			continue
		}
		if p.Date == "" {
			return stream.ID, nil
		}
		date, err := e.Issued(ctx, stream)
		if err != nil || date == p.Date {
			return stream.ID, err
		}
	}
	return uuid.Nil, domain.Refuse(CodeUnknownInvoice, "the invoice %.80q that is credited is not in the book", p.Number).
		WithHint("import the invoice first, or enter the credit on account: --on-account")
}

// names lists how an invoice may be called in the book: by its number at the
// supplier, or by the book's own. Where its date is told, it must be of that
// date.
func (e *entering) names(p Preceding) []domain.Reference {
	reference := e.named(p.Number)
	names := []domain.Reference{{Kind: domain.DocumentReference, Value: reference}}
	if p.Date != "" {
		names = append(names, domain.Reference{Kind: domain.DocumentReference, Value: dated(reference, p.Date)})
	}
	if e.supplier == "" {
		names = append(names, domain.Reference{Kind: domain.DocumentNumber, Value: p.Number})
	}
	return names
}
