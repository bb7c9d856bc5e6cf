package csvfile_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"strings"
	"testing"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/credit"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/importer"
	"github.com/daybook-ledger/daybook/importer/csvfile"
	"github.com/daybook-ledger/daybook/importer/internal/membook"
)

func currency(t testing.TB, code string) money.Currency {
	t.Helper()
	c, err := money.ParseCurrency(code)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func gbp(t testing.TB) money.Currency { t.Helper(); return currency(t, "GBP") }

func newBook(t testing.TB) *membook.Book {
	t.Helper()
	b, err := membook.New(gbp(t))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// entered is a document as the book holds it.
type entered struct {
	kind      domain.Kind
	number    string
	reference string
	date      domain.Date
	total     money.Amount
	content   invoice.Content
	text      *invoice.Text
	country   string
	buyer     string
	countryAs string
	reason    string
	imported  bool
}

// documents gives all documents of a book in the order of their entry.
func documents(b *membook.Book) []entered {
	var all []entered
	for _, c := range b.Events() {
		switch e := c.Event.(type) {
		case *invoice.Issued:
			d := entered{
				kind: domain.KindInvoice, number: e.Number, reference: e.Content.Reference, date: e.Date,
				total: e.Totals.Due, content: e.Content, country: e.BuyerCountry, text: e.Personal.Text,
				buyer: e.Personal.Buyer.Name, countryAs: e.Personal.Buyer.CountryText, imported: e.Imported,
			}
			all = append(all, d)
		case *credit.Issued:
			d := entered{
				kind: domain.KindCredit, number: e.Number, reference: e.Content.Reference, date: e.Date,
				total: e.Totals.Due, content: e.Content, country: e.BuyerCountry, text: e.Personal.Text,
				buyer: e.Personal.Buyer.Name, countryAs: e.Personal.Buyer.CountryText, reason: e.Reason, imported: e.Imported,
			}
			all = append(all, d)
		}
	}
	return all
}

// header is that of the files of tests, as testMap has it.
const header = "No,Item,Text,Qty,Date,Price,Cust,Land\n"

const testMap = `
currency = "GBP"
prices = "net"
time_zone = "Europe/London"
dates = ["YYYY-MM-DD hh:mm:ss", "YYYY-MM-DD", "YYYY-MM-DDThh:mm:ssZ"]
[columns]
number = "No"
item = "Item"
description = "Text"
quantity = "Qty"
date = "Date"
price = "Price"
customer = "Cust"
country = "Land"
[kinds]
"5" = "invoice"
"C" = "credit"
[tax]
category = "O"
rate = "0"
reason = "no VAT data"
[no_customer]
reference = "nobody"
name = "Not named"
[countries]
"United Kingdom" = "GB"
"EIRE" = "IE"
`

func parseMap(t testing.TB, text string) *csvfile.Map {
	t.Helper()
	m, err := csvfile.ParseMap([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// result is what an import of a small file did.
type result struct {
	importer.Summary
	// rejects are the rows of the rejects file without its header.
	rejects [][]string
	err     error
}

// codes lists the rejects as "document code lines".
func (r result) codes() string {
	var all []string
	for _, row := range r.rejects {
		all = append(all, strings.Join(row[:3], " "))
	}
	return strings.Join(all, "; ")
}

// enter imports a small file.
func enter(t testing.TB, b importer.Book, m *csvfile.Map, file string) result {
	t.Helper()
	source, err := csvfile.Open("-", strings.NewReader(file))
	if err != nil {
		return result{err: err}
	}
	var out bytes.Buffer
	var r result
	r.Summary, r.err = csvfile.Import(context.Background(), source, m, csvfile.Options{
		Options: importer.Options{Book: b, Currency: gbp(t), Rejects: &out},
		TempDir: t.TempDir(),
	})
	if err := source.Close(); err != nil {
		t.Error(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if r.Currency == "" && r.err != nil {
		return r // refused before it began
	}
	if err != nil || len(rows) == 0 || strings.Join(rows[0], ",") != importer.RejectsHeader {
		t.Fatalf("the rejects file: %v %q", err, rows)
	}
	r.rejects = rows[1:]
	checkLines(t, r.Summary)
	return r
}

// checkLines holds every summary to its promise that no line is lost.
func checkLines(t testing.TB, s importer.Summary) {
	t.Helper()
	if s.Lines != s.LinesIssued+s.LinesCredited+s.LinesAlreadyEntered+s.RejectedLines {
		t.Errorf("lines are lost: %+v", s)
	}
	if s.Documents != s.Issued+s.Credited+s.AlreadyEntered+s.Rejected {
		t.Errorf("documents are lost: %+v", s)
	}
}
