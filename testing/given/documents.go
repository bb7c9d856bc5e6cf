package given

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/domain/credit"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/funds"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/payment"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// Owner is the principal who owns the books that are given here.
const Owner = "owner@acme.example"

// Now is the time at which commands are recorded, unless a test sets another.
var Now = time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)

// Today is the day of Now.
const Today domain.Date = "2026-03-01"

// ID is an id that is the same in every run for the same name.
func ID(name string) uuid.UUID {
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte("daybook/given/"+name))
}

// Pounds is the currency of the books that are given here.
var Pounds = fixed(money.ParseCurrency("GBP"))

// GBP is an amount in pounds, written like "12.50".
func GBP(text string) money.Amount { return fixed(money.ParseAmount(text, Pounds)) }

// Number is a decimal, written like "2.5".
func Number(text string) money.Decimal { return fixed(money.ParseDecimal(text)) }

// Rate is a tax rate, written like "S 20".
func Rate(text string) tax.Rate { return fixed(tax.ParseRate(text)) }

// Euros is a currency that is not the book's.
var Euros = fixed(money.ParseCurrency("EUR"))

// Yen is a currency that is not the book's and has no smaller unit.
var Yen = fixed(money.ParseCurrency("JPY"))

// EUR is an amount in euros, written like "12.50".
func EUR(text string) money.Amount { return fixed(money.ParseAmount(text, Euros)) }

// Exchange is a rate of exchange as the ECB gives it, written like "0.8567".
func Exchange(rate string) exchange.Rate { return exchange.Rate{Rate: Number(rate), Source: "ECB"} }

// fixed serves values that are written into tests: a wrong one is a mistake of
// the test.
func fixed[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// Seller is the business whose books are given here.
func Seller() book.Seller {
	return book.Seller{
		Name: "Acme Ltd", Address: []string{"1 High Street"}, City: "London", Postcode: "N1 1AA",
		Country: "GB", VATID: "GB123456789", Email: "accounts@acme.example",
	}
}

// Open is the command that opens a book in pounds.
func Open(id uuid.UUID) *book.Open {
	return &book.Open{Book: id, Seller: Seller(), Currency: Pounds, Owner: Owner, Origin: "acme.example/book"}
}

// Profile is the profile of the customer of a name.
func Profile(name string) customer.Profile {
	return customer.Profile{
		Name: name + " & Co", Address: []string{"2 Low Road"}, City: "Leeds", Postcode: "LS1 1AA",
		Email: name + "@customer.example", VATID: "GB987654321",
	}
}

// Register is the command that registers the customer ID(name).
func Register(name string) *customer.Register {
	return fixed(customer.NewRegister(ID(name), "GB", Profile(name)))
}

// Line is a line of a document: a quantity, a price and a rate.
func Line(quantity, price, rate string) invoice.Line {
	return invoice.Line{Item: "ITEM", Quantity: Number(quantity), Price: Number(price), Rate: Rate(rate)}
}

// Content is a document in pounds for the customer ID(name).
func Content(name string, lines ...invoice.Line) invoice.Content {
	return invoice.Content{Customer: ID(name), Currency: Pounds, Lines: lines, DueDays: 14}
}

// Text is a text for a document of so many lines.
func Text(lines int) *invoice.Text {
	text := &invoice.Text{Note: "Thank you", Terms: "Payable within 14 days"}
	for range lines {
		text.Lines = append(text.Lines, "A useful thing")
	}
	return text
}

// Draft is the command that drafts the invoice ID(name).
func Draft(name string, c invoice.Content) *invoice.Draft {
	return &invoice.Draft{ID: ID(name), Content: c, Personal: Text(len(c.Lines))}
}

// Enter is the command that enters the invoice ID(name) with the date Today.
func Enter(name string, c invoice.Content) *invoice.Enter {
	return &invoice.Enter{
		ID: ID(name), Content: c, Date: Today,
		Personal: &invoice.EnterPersonal{Text: Text(len(c.Lines))},
	}
}

// Deposit is the content of a deposit invoice.
func Deposit(name string, lines ...invoice.Line) invoice.Content {
	c := Content(name, lines...)
	c.Deposit = true
	return c
}

// Deduct is a line that deducts an amount of the deposit invoice ID(name) at a
// rate.
func Deduct(name, amount, rate string) invoice.Line {
	return invoice.Line{Quantity: Number("-1"), Price: Number(amount), Rate: Rate(rate), Deducts: ID(name)}
}

// Credit is the command that credits the invoice ID(name) of the customer
// ID(buyer) with the lines, as the credit note ID(note), with the date Today.
func Credit(note, name, buyer string, lines ...invoice.Line) *credit.Issue {
	return &credit.Issue{ID: ID(note), Invoice: ID(name), Content: creditContent(buyer, lines), Date: Today}
}

// OnAccount is the command that credits the customer ID(buyer) on account, as
// the credit note ID(note), with the date Today.
func OnAccount(note, buyer string, lines ...invoice.Line) *credit.Issue {
	return &credit.Issue{ID: ID(note), Content: creditContent(buyer, lines), Date: Today, Reason: "goodwill"}
}

// Receive is the command that enters the payment ID(name) of the customer
// ID(payer), of an amount in pounds, with the date Today.
func Receive(name, payer, amount string) *payment.Receive {
	return &payment.Receive{
		ID: ID(name), Customer: ID(payer), Amount: GBP(amount), Date: Today,
		Method: "bank", Personal: &funds.Text{Text: "thanks"},
	}
}

func creditContent(buyer string, lines []invoice.Line) invoice.Content {
	c := Content(buyer, lines...)
	c.DueDays = 0
	return c
}

func sortedStreams(states map[domain.StreamID]domain.State) []domain.StreamID {
	return slices.SortedFunc(maps.Keys(states), func(a, b domain.StreamID) int {
		return cmp.Compare(a.String(), b.String())
	})
}
