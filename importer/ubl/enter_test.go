package ubl_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/domain/credit"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/importer"
	"github.com/daybook-ledger/daybook/importer/internal/membook"
	"github.com/daybook-ledger/daybook/importer/ubl"
)

// desk is a book and how documents are entered into it.
type desk struct {
	t      testing.TB
	book   *membook.Book
	o      ubl.Options
	accept bool
}

func newDesk(t testing.TB, code string) *desk {
	t.Helper()
	b, err := membook.New(currency(t, code))
	if err != nil {
		t.Fatal(err)
	}
	return &desk{t: t, book: b, o: ubl.Options{
		Book: b, Currency: currency(t, code), Seller: book.Seller{Name: "Acme Ltd", Country: "GB", VATID: "GB123456789"},
		Issued: func(_ context.Context, stream domain.StreamID) (domain.Date, error) {
			switch s := b.States()[stream].(type) {
			case invoice.State:
				return s.Date, nil
			case credit.State:
				return s.Date, nil
			}
			return "", nil
		},
	}}
}

// enter gives files to the book and what became of each: "entered", with
// "again" where it was there, or the code.
func (d *desk) enter(texts ...string) []string {
	d.t.Helper()
	files := make([]*ubl.File, len(texts))
	for i, text := range texts {
		files[i] = ubl.Read(fmt.Sprint(i), []byte(text), d.accept)
	}
	if err := ubl.Enter(context.Background(), files, d.o); err != nil {
		d.t.Fatal(err)
	}
	outcomes := make([]string, len(files))
	for i, f := range files {
		switch r := f.Result; {
		case r.Status == ubl.Entered && r.Repeated:
			outcomes[i] = "again"
		case r.Status == ubl.Entered:
			outcomes[i] = "entered"
		default:
			if outcomes[i] = r.Code; r.Message == "" || r.ID != uuid.Nil {
				d.t.Errorf("result: %+v", r)
			}
		}
	}
	return outcomes
}

func (d *desk) expect(want string, texts ...string) {
	d.t.Helper()
	if got := fmt.Sprint(d.enter(texts...)); got != "["+want+"]" {
		d.t.Errorf("%s, not [%s]", got, want)
	}
}

func (d *desk) file(f func(*ubl.Document)) string {
	d.t.Helper()
	doc := sale(d.t)
	f(doc)
	return render(d.t, doc)
}

// events gives the events of a type.
func events[E domain.Event](d *desk) (all []E) {
	for _, c := range d.book.Events() {
		if e, is := c.Event.(E); is {
			all = append(all, e)
		}
	}
	return all
}

func TestEnter(t *testing.T) {
	d := newDesk(t, "GBP")
	file := render(t, sale(t))
	d.expect("entered", file)
	d.expect("again", file)
	d.expect("again again", file, change(t, file, "GB123456789", "gb 123 4567-89"))
	all := events[*invoice.Issued](d)
	if len(all) != 1 {
		t.Fatalf("%d invoices", len(all))
	}
	e := all[0]
	if e.Number != "INV-00001" || e.Date != "2026-01-31" || e.DueDate != "2026-03-02" || e.SupplyDate != "2026-01-15" || !e.Imported {
		t.Errorf("%+v", e)
	}
	if e.Content.Reference != "4711" || e.Totals.Due.String() != "72.00" || e.BuyerCountry != "GB" {
		t.Errorf("%+v", e)
	}
	if p := e.Personal; p.Buyer.Name != "Ada Lovelace" || p.Text.Note != "Thank you" || p.Text.Terms != "30 days" || p.Text.Lines[1] != "Flyers" {
		t.Errorf("%+v", p)
	}
	if c := events[*customer.Registered](d); len(c) != 1 || c[0].Personal.Reference != "C-1" || c[0].Personal.City != "London" {
		t.Errorf("customers: %+v", c)
	}
}

// TestIdentity: supplier, number and date say which document it is.
func TestIdentity(t *testing.T) {
	d := newDesk(t, "GBP")
	d.expect("entered", render(t, sale(t)))
	cheaper := d.file(func(s *ubl.Document) { s.Content.Lines = s.Content.Lines[:1]; s.Text.Lines = s.Text.Lines[:1] })
	d.expect("changed-document", cheaper)
	note := d.file(func(s *ubl.Document) { s.Kind, s.Type, s.Content.DueDate = domain.KindCredit, "381", "" })
	d.expect("changed-document", note)

	nextYear := d.file(func(s *ubl.Document) { s.Date, s.Content.DueDate = "2027-01-31", "" })
	d.expect("entered again", nextYear, render(t, sale(t)))
	d.expect("again again", nextYear, render(t, sale(t)))
	var references []string
	for _, e := range events[*invoice.Issued](d) {
		references = append(references, e.Content.Reference)
	}
	if fmt.Sprint(references) != "[4711 4711 (2027-01-31)]" {
		t.Errorf("references: %v", references)
	}
}

// TestReferenceTaken: a document of the number that did not come from UBL is
// not doubled where it is of the same date.
func TestReferenceTaken(t *testing.T) {
	d := newDesk(t, "GBP")
	ctx := context.Background()
	register, err := customer.NewRegister(uuid.New(), "GB", customer.Profile{Name: "Ada"})
	if err != nil {
		t.Fatal(err)
	}
	content := sale(t).Content
	content.Customer, content.Reference = register.ID, "4711"
	for _, c := range []domain.Command{register, &invoice.Enter{ID: uuid.New(), Content: content, Date: "2026-01-31", Imported: true}} {
		if _, err := d.book.Enter(ctx, uuid.New(), c); err != nil {
			t.Fatal(err)
		}
	}
	d.expect("changed-document", render(t, sale(t)))
	if n := len(events[*customer.Registered](d)); n != 1 {
		t.Errorf("%d customers", n)
	}
}

func TestSupplier(t *testing.T) {
	with := func(name, trading, vatID string) func(*ubl.Document) {
		return func(s *ubl.Document) {
			s.Supplier.Name, s.Supplier.TradingName, s.Supplier.VATID = name, trading, vatID
		}
	}
	for name, c := range map[string]struct {
		supplier func(*ubl.Document)
		want     string
	}{
		"other name, same VAT id":    {with("Acme Holdings", "", "GB 123 456 789"), "entered"},
		"same name, other VAT id":    {with("Acme Ltd", "", "GB999999973"), ubl.CodeOtherSupplier},
		"same name, none":            {with("ACME  ltd", "", ""), "entered"},
		"same trading name":          {with("A. Smith", "Acme Ltd", ""), "entered"},
		"other name, none":           {with("Bolts & Co", "", ""), ubl.CodeOtherSupplier},
		"no VAT id and nothing same": {with("Acme", "Acme Limited", ""), ubl.CodeOtherSupplier},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, "GBP")
			d.expect(c.want, d.file(c.supplier))
			if c.want != "entered" && len(events[*customer.Registered](d)) != 0 {
				t.Error("a customer was registered")
			}
		})
	}
}

// TestAnySeller: the numbers, customers and ids of suppliers are kept apart.
func TestAnySeller(t *testing.T) {
	d := newDesk(t, "GBP")
	d.o.AnySeller = true
	bolts := d.file(func(s *ubl.Document) { s.Supplier = ubl.Party{Name: "Bolts & Co", VATID: "DE 1234"} })
	nuts := d.file(func(s *ubl.Document) { s.Supplier = ubl.Party{Name: "Nuts & Co"} })
	d.expect("entered entered entered", render(t, sale(t)), bolts, nuts)
	d.expect("again again again", render(t, sale(t)), bolts, nuts)
	all := events[*invoice.Issued](d)
	if all[0].Content.Reference != "4711" || all[1].Content.Reference != "DE1234 4711" {
		t.Errorf("references %q and %q", all[0].Content.Reference, all[1].Content.Reference)
	}
	if r := all[2].Content.Reference; len(r) != len("supplier-12345678 4711") || r[:9] != "supplier-" {
		t.Errorf("reference %q", r)
	}
	if n := len(events[*customer.Registered](d)); n != 3 {
		t.Errorf("%d customers", n)
	}
}

func TestForeignCurrency(t *testing.T) {
	d := newDesk(t, "EUR")
	file := ubl.Read("x", []byte(render(t, sale(t))), false)
	if err := ubl.Enter(context.Background(), []*ubl.File{file}, d.o); err != nil {
		t.Fatal(err)
	}
	if r := file.Result; r.Status != ubl.Refused || r.Code != ubl.CodeRateMissing || r.Hint == "" || r.Computed.Due != "72.00" {
		t.Errorf("%+v", r)
	}
	if n := len(d.book.Events()); n != len(newDesk(t, "EUR").book.Events()) {
		t.Errorf("%d events", n)
	}
}

// TestCreditNotes: invoices are entered first, whatever the order of the files.
func TestCreditNotes(t *testing.T) {
	d := newDesk(t, "GBP")
	d.expect(ubl.CodeUnknownInvoice, render(t, refund(t)))
	d.expect("entered entered", render(t, refund(t)), render(t, sale(t)))
	d.expect("again again", render(t, refund(t)), render(t, sale(t)))
	notes := events[*credit.Issued](d)
	if len(notes) != 1 || notes[0].InvoiceNumber != "INV-00001" || notes[0].Applied.String() != "59.40" || notes[0].Reason != "" {
		t.Fatalf("%+v", notes)
	}
	over := refund(t)
	over.Number = "C-2"
	d.expect("over-credited", render(t, over))
	over.Preceding[0].Date = "2025-01-31"
	d.expect(ubl.CodeUnknownInvoice, render(t, over))
	d.o.OnAccount = true
	d.expect("entered", render(t, over))
	if note := events[*credit.Issued](d)[1]; note.Invoice != uuid.Nil || note.Reason != "credit note C-2 on invoice 4711" || note.Excess.String() != "59.40" {
		t.Errorf("%+v", note)
	}
}

func TestCreditNoteByOwnNumberAndOnAccount(t *testing.T) {
	d := newDesk(t, "GBP")
	d.expect("entered", render(t, sale(t)))
	own := refund(t)
	own.Preceding = []ubl.Preceding{{Number: "INV-00001"}}
	d.expect("entered", render(t, own))
	several, none := refund(t), refund(t)
	several.Number, none.Number, none.Preceding = "C-8", "C-9", nil
	several.Preceding = append(several.Preceding, ubl.Preceding{Number: "4712"})
	d.expect("entered entered", render(t, several), render(t, none))
	notes := events[*credit.Issued](d)
	if notes[0].InvoiceNumber != "INV-00001" || notes[1].Reason != "credit note C-8 on invoice 4711, 4712" || notes[2].Reason != "credit note C-9" {
		t.Errorf("%q %q %q", notes[0].InvoiceNumber, notes[1].Reason, notes[2].Reason)
	}
}

// TestAcceptedTotals: what is posted as revenue and tax is what was computed;
// what is owed is what the document says.
func TestAcceptedTotals(t *testing.T) {
	d := newDesk(t, "GBP")
	file := string(edits(t, `>72.00</cbc:PayableAmount>`, `>72.01</cbc:PayableAmount>`))
	d.expect(ubl.CodeTotalsDiffer, file)
	if n := len(events[*invoice.Issued](d)); n != 0 {
		t.Fatalf("%d invoices", n)
	}
	d.accept = true
	d.expect("entered", file)
	d.expect("again", file)
	e := events[*invoice.Issued](d)[0].Totals
	if e.Net.String() != "60.00" || e.Tax.String() != "12.00" || e.Rounding.String() != "0.01" || e.Due.String() != "72.01" {
		t.Errorf("%+v", e)
	}
}

// TestCustomerReference: an identifier, else the VAT id, the register's, the
// name.
func TestCustomerReference(t *testing.T) {
	d := newDesk(t, "GBP")
	for i, b := range []ubl.Party{
		{Name: "A", ID: "C-1", VATID: "GB1", LegalID: "L1"},
		{Name: "B", VATID: "GB 1", LegalID: "L1"},
		{Name: "C", LegalID: "L1", Postcode: "N1"},
		{Name: "D", Postcode: "N1"},
		{Name: "D"},
		{Name: "A bis", ID: "C-1"},
	} {
		d.expect("entered", d.file(func(s *ubl.Document) { s.Number, s.Buyer = fmt.Sprint(i), b }))
	}
	var references []string
	for _, c := range events[*customer.Registered](d) {
		references = append(references, c.Personal.Reference)
	}
	if fmt.Sprintf("%q", references) != `["C-1" "GB1" "L1" "D, N1" "D"]` {
		t.Errorf("%q", references)
	}
}

// TestCountry: a country that is no code of ISO 3166 stays as a text.
func TestCountry(t *testing.T) {
	d := newDesk(t, "GBP")
	d.expect("entered", d.file(func(s *ubl.Document) { s.Buyer.Country, s.Buyer.CountryText = "", "EL" }))
	if e := events[*invoice.Issued](d)[0]; e.BuyerCountry != "" || e.Personal.Buyer.CountryText != "EL" {
		t.Errorf("%q %+v", e.BuyerCountry, e.Personal.Buyer)
	}
}

// TestStopped: an error of the book ends the run, and the next goes on.
func TestStopped(t *testing.T) {
	d := newDesk(t, "GBP")
	calls := 0
	d.book.Fail = func() (bool, bool) { calls++; return calls == 2, true }
	files := func() []*ubl.File { return []*ubl.File{ubl.Read("x", []byte(render(t, sale(t))), false)} }
	err := ubl.Enter(context.Background(), files(), d.o)
	var stopped *importer.Stopped
	if !errors.As(err, &stopped) || stopped.Number != "4711" || !errors.Is(err, membook.ErrStore) {
		t.Fatalf("%v", err)
	}
	d.expect("again", render(t, sale(t)))
	if n := len(events[*invoice.Issued](d)); n != 1 {
		t.Errorf("%d invoices", n)
	}
}

// TestSamplesEnter enters the official samples as they are.
func TestSamplesEnter(t *testing.T) {
	d := newDesk(t, "EUR")
	d.o.AnySeller = true
	for _, path := range samples(t) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want, again := "entered", "again"
		switch filepath.Base(path) {
		case "04.01a-INVOICE_ubl.xml":
			want, again = ubl.CodeSubLines, ubl.CodeSubLines
		case "05.01a-INVOICE_ubl.xml":
			want, again = ubl.CodeThirdPartyPrepayments, ubl.CodeThirdPartyPrepayments
		case "02.01a-cvd_INVOICE_ubl.xml", "02.04a-INVOICE_ubl.xml":
			want, again = "changed-document", "changed-document" // supplier, number and date of 01.03
		}
		if got := d.enter(string(data))[0]; got != want {
			t.Errorf("%s: %s, not %s", path, got, want)
		}
		if got := d.enter(string(data))[0]; got != again {
			t.Errorf("%s again: %s, not %s", path, got, again)
		}
	}
	if n := len(events[*invoice.Issued](d)); n != 8 {
		t.Errorf("%d invoices", n)
	}
	var due int64
	for _, e := range events[*invoice.Issued](d) {
		due += e.Totals.Due.Minor()
	}
	// 12829.69 + 120 + 2825.87 + 305.37 + 336.91 + 233 + 10686.20 + 1804
	if due != 2914104 {
		t.Errorf("%d cents are due", due)
	}
}
