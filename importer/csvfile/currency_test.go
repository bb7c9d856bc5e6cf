package csvfile_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/importer/csvfile"
	"github.com/daybook-ledger/daybook/importer/internal/membook"
)

// currencyMap has the two columns of other currencies.
var currencyMap = strings.NewReplacer(
	"[columns]\n", "rate_source = \"ECB\"\n[columns]\ncurrency = \"Cur\"\nrate = \"Rate\"\n",
).Replace(testMap)

const currencyHeader = "No,Item,Text,Qty,Date,Price,Cust,Land,Cur,Rate\n"

// paid is a line of number with a price, in a currency at a rate.
func paid(number, quantity, price, currency, rate string) string {
	return fmt.Sprintf("%s,A1,thing,%s,%s,%s,%s,%s,%s\n", number, quantity, day, price, buyer, currency, rate)
}

func TestCurrencies(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		file string
		// entered are currency, total, rate and source of the documents.
		entered string
		// totals are those of the book's currency and, after them, of others.
		totals  string
		rejects string
	}{
		"the book's, told and not": {
			paid("51", "1", "2.00", "GBP", "") + paid("52", "1", "3.00", "", ""),
			"GBP 2.00 ; GBP 3.00 ", "5.00 0.00 0.00 GBP", "",
		},
		"the book's at one": {paid("51", "1", "2.00", "GBP", "1.000"), "GBP 2.00 ", "2.00 0.00 0.00 GBP", ""},
		"euros, at the source of the map and at their own": {
			paid("51", "2", "2.00", "EUR", "0.8567") + paid("52", "1", "3.00", "EUR", "1/1.25@HMRC") + paid("C1", "-1", "1.50", "EUR", "0.9"),
			"EUR 4.00 0.8567 ECB; EUR 3.00 0.8 HMRC; EUR 1.50 0.9 ECB",
			"0.00 0.00 0.00 GBP 7.00 1.50 0.00 EUR", "",
		},
		"minor units of three, two and none": {
			paid("51", "1", "0.0055", "BHD", "2.1") + paid("52", "1", "0.0055", "", "") + paid("53", "3", "1.5", "JPY", "0.0052") + paid("54", "1", "0.5", "EUR", "0.85"),
			"BHD 0.006 2.1 ECB; GBP 0.01 ; JPY 5 0.0052 ECB; EUR 0.50 0.85 ECB",
			"0.01 0.00 0.00 GBP 0.006 0.000 0.000 BHD 0.50 0.00 0.00 EUR 5 0 0 JPY", "",
		},
		"no rate": {
			paid("51", "1", "2.00", "EUR", "") + paid("52", "1", "1.00", "", ""),
			"GBP 1.00 ", "1.00 0.00 0.00 GBP 0.00 0.00 2.00 EUR", "51 rate-missing 2",
		},
		"a rate of the book's own currency": {
			paid("51", "1", "2.00", "GBP", "0.85"), "", "0.00 0.00 2.00 GBP", "51 rate-unexpected 2",
		},
		"no currency":           {paid("51", "1", "2.00", "EURO", "0.85"), "", "0.00 0.00 0.00 GBP", "51 bad-currency 2"},
		"no number as rate":     {paid("51", "1", "2.00", "EUR", "x"), "", "0.00 0.00 0.00 GBP 0.00 0.00 2.00 EUR", "51 bad-rate 2"},
		"a rate of nothing":     {paid("51", "1", "2.00", "EUR", "0"), "", "0.00 0.00 0.00 GBP 0.00 0.00 2.00 EUR", "51 bad-rate 2"},
		"a rate below zero":     {paid("51", "1", "2.00", "EUR", "-1"), "", "0.00 0.00 0.00 GBP 0.00 0.00 2.00 EUR", "51 bad-rate 2"},
		"an inverse of nothing": {paid("51", "1", "2.00", "EUR", "1/0"), "", "0.00 0.00 0.00 GBP 0.00 0.00 2.00 EUR", "51 bad-rate 2"},
		"two currencies": {
			paid("51", "1", "2.00", "EUR", "0.85") + paid("51", "1", "9.00", "JPY", "0.85"),
			"", "0.00 0.00 0.00 GBP 0.00 0.00 2.00 EUR", "51 inconsistent 2-3",
		},
		"two rates": {
			paid("51", "1", "2.00", "EUR", "0.85") + paid("51", "1", "1.00", "EUR", "0.86"),
			"", "0.00 0.00 0.00 GBP 0.00 0.00 3.00 EUR", "51 inconsistent 2-3",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			book, m := newBook(t), parseMap(t, currencyMap)
			ordered := membook.Ordered{Book: book}
			for again := range 2 {
				r := enter(t, ordered, m, currencyHeader+test.file)
				if r.err != nil {
					t.Fatal(r.err)
				}
				totals := r.Totals
				told := fmt.Sprint(totals.IssuedTotal, " ", totals.CreditedTotal, " ", totals.RejectedTotal, " ", totals.Currency)
				for _, c := range r.Currencies {
					told += fmt.Sprint(" ", c.IssuedTotal, " ", c.CreditedTotal, " ", c.RejectedTotal, " ", c.Currency)
				}
				if r.codes() != test.rejects || again == 0 && told != test.totals {
					t.Errorf("totals %s, want %s; rejects %s, want %s", told, test.totals, r.codes(), test.rejects)
				}
				var all []string
				for _, d := range documents(book) {
					e := d.content.Exchange
					rate := ""
					if !e.IsZero() {
						rate = e.Rate.String() + " " + e.Source
						if e.Date != d.date {
							t.Errorf("%s has the rate of %s", d.reference, e.Date)
						}
					}
					all = append(all, fmt.Sprint(d.content.Currency, " ", d.total, " ", rate))
				}
				if got := strings.Join(all, "; "); got != test.entered {
					t.Errorf("entered %s, want %s", got, test.entered)
				}
			}
		})
	}
}

// A document that an earlier run entered at another rate is another document.
func TestARateThatChanged(t *testing.T) {
	book, m := newBook(t), parseMap(t, currencyMap)
	first := enter(t, book, m, currencyHeader+paid("51", "1", "2.00", "EUR", "0.85"))
	second := enter(t, book, m, currencyHeader+paid("51", "1", "2.00", "EUR", "0.86"))
	if first.Issued != 1 || second.codes() != "51 changed-document 2" {
		t.Errorf("first %+v, then %s", first.Summary, second.codes())
	}
}

// Decimal commas are those of rates too, and a map may be in another currency
// than the book as a whole.
func TestAForeignMap(t *testing.T) {
	text := strings.NewReplacer(`currency = "GBP"`, "currency = \"EUR\"\ndecimal_comma = true\ndelimiter = \";\"").Replace(currencyMap)
	book := newBook(t)
	r := enter(t, membook.Ordered{Book: book}, parseMap(t, text), strings.ReplaceAll(currencyHeader, ",", ";")+
		"51;A1;thing;2;"+day+";1,5;17850;GB;;0,85\n52;A1;thing;2;"+day+";1,5;17850;GB;;0.85\n53;A1;thing;2;"+day+";1,5;17850;GB;GBP;\n")
	if r.codes() != "52 bad-rate 3" || r.Issued != 2 {
		t.Errorf("%+v, %s", r.Summary, r.codes())
	}
	var issued *invoice.Issued
	for _, c := range book.Events() {
		if e, is := c.Event.(*invoice.Issued); is && issued == nil {
			issued = e
		}
	}
	if issued == nil || issued.Totals.Due.String() != "3.00" || issued.Base.Figures(issued.Totals).Due.Base.String() != "2.55" {
		t.Errorf("issued %+v", issued)
	}
}

func TestMapsOfRates(t *testing.T) {
	for name, change := range map[string][2]string{
		"a source of no rates":   {"rate = \"Rate\"\n", ""},
		"a source of two lines":  {"\"ECB\"", "\"ECB\\nHMRC\""},
		"one column for two":     {"\"Rate\"", "\"Cur\""},
		"a rate for a map alone": {"rate = \"Rate\"\n", "rates = 1\n"},
	} {
		_, err := csvfile.ParseMap([]byte(strings.Replace(currencyMap, change[0], change[1], 1)))
		var refusal *domain.Refusal
		if !errors.As(err, &refusal) || refusal.Code != "invalid-map" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
