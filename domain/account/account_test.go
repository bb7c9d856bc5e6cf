package account_test

import (
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
	"github.com/daybook-ledger/daybook/testing/given"
)

// line is a posting as a test writes it.
type line struct {
	account       account.Account
	amount        string
	rate, taxable string
}

func compare(t *testing.T, e account.Entry, want []line) {
	t.Helper()
	if len(e.Postings) != len(want) {
		t.Fatalf("%d postings, want %d: %+v", len(e.Postings), len(want), e.Postings)
	}
	for i, p := range e.Postings {
		w := want[i]
		if p.Account != w.account || p.Amount.Minor() != given.GBP(w.amount).Minor() || (p.Tax != nil) != (w.rate != "") {
			t.Errorf("posting %d: %s %s, want %+v", i, p.Account, p.Amount, w)
			continue
		}
		if p.Tax != nil && (p.Tax.Rate != given.Rate(w.rate) || p.Tax.Taxable.Minor() != given.GBP(w.taxable).Minor()) {
			t.Errorf("posting %d: tax mark %+v, want %+v", i, p.Tax, w)
		}
	}
}

func TestInvoice(t *testing.T) {
	b := given.Opened(t)
	content := given.Content("ada", given.Line("1", "100", "S 20"), given.Line("1", "10.01", "Z 0"))
	content.Prepaid, content.RoundingAmount = given.GBP("30"), given.GBP("-0.01")
	b.Take(t, given.Enter("i", content))
	e := b.Entries(t)[0]
	compare(t, e, []line{
		{account.Receivables, "100", "", ""},
		{account.Prepayments, "30", "", ""},
		{account.Revenue, "-110.01", "", ""},
		{account.TaxPayable, "-20", "S 20", "100"},
		{account.TaxPayable, "0", "Z 0", "10.01"},
		{account.Rounding, "0.01", "", ""},
	})
	if e.Document != invoice.Stream(given.ID("i")) || e.Customer != given.ID("ada") || e.Date != given.Today || e.Postings[0].Item != invoice.Stream(given.ID("i")) {
		t.Errorf("entry: %+v", e)
	}
}

func TestCreditNotes(t *testing.T) {
	b := given.Opened(t)
	content := given.Content("ada", given.Line("1", "100", "S 20"), given.Line("1", "10.01", "Z 0"))
	content.Prepaid, content.RoundingAmount = given.GBP("30"), given.GBP("-0.01")
	b.Take(t, given.Enter("i", content))
	b.Take(t, given.Credit("c", "i", "ada", content.Lines...))
	b.Take(t, given.OnAccount("d", "ada", given.Line("1", "5", "S 20")))
	entries := b.Entries(t)
	if len(entries) != 3 {
		t.Fatalf("%d entries: one document is posted twice", len(entries))
	}
	compare(t, entries[1], []line{
		{account.Revenue, "110.01", "", ""},
		{account.TaxPayable, "20", "S 20", "-100"},
		{account.TaxPayable, "0", "Z 0", "-10.01"},
		{account.Rounding, "-0.01", "", ""},
		{account.Receivables, "-100", "", ""},
		{account.CustomerCredit, "-30", "", ""},
	})
	if entries[1].Postings[4].Item != invoice.Stream(given.ID("i")) {
		t.Errorf("receivables of %s", entries[1].Postings[4].Item)
	}
	compare(t, entries[2], []line{
		{account.Revenue, "5", "", ""},
		{account.TaxPayable, "1", "S 20", "-5"},
		{account.CustomerCredit, "-6", "", ""},
	})
}

func TestNoFinancialEffect(t *testing.T) {
	for _, e := range []domain.Event{
		&invoice.Drafted{}, &invoice.Approved{}, &invoice.Discarded{},
		&invoice.Credited{Applied: given.GBP("5")}, &customer.Credited{Amount: given.GBP("5")},
	} {
		if entries, err := account.Post(e, domain.StreamID{}); err != nil || entries != nil {
			t.Errorf("%s: %v, %v", e.EventType(), entries, err)
		}
	}
}

// TestUnbalanced posts an event whose totals do not agree.
func TestUnbalanced(t *testing.T) {
	e := &invoice.Issued{Totals: tax.Totals{
		Net: given.GBP("100"), Tax: given.GBP("20"), Due: given.GBP("120.01"),
		Breakdown: []tax.Subtotal{{Rate: given.Rate("S 20"), Taxable: given.GBP("100"), Tax: given.GBP("20")}},
	}}
	if _, err := account.Post(e, invoice.Stream(uuid.Nil)); !errors.Is(err, account.ErrUnbalanced) {
		t.Errorf("Post: %v", err)
	}
}

// TestCheck balances in each currency and by bases, or not.
func TestCheck(t *testing.T) {
	euro, err := money.ParseCurrency("EUR")
	if err != nil {
		t.Fatal(err)
	}
	posting := func(amount int64, c money.Currency, base string) account.Posting {
		return account.Posting{Account: account.Cash, Amount: money.New(amount, c), Base: given.GBP(base)}
	}
	for name, c := range map[string]struct {
		postings []account.Posting
		want     error
	}{
		"euros at two rates, and the difference": {[]account.Posting{
			posting(10000, euro, "86"), posting(-10000, euro, "-85"), posting(0, euro, "-1"),
		}, nil},
		"two currencies": {[]account.Posting{
			posting(10000, euro, "86"), posting(-10000, euro, "-86"), posting(100, given.Pounds, "1"), posting(-100, given.Pounds, "-1"),
		}, nil},
		"in sum, but not in each currency": {[]account.Posting{
			posting(100, given.Pounds, "1"), posting(-100, euro, "-1"),
		}, account.ErrUnbalanced},
		"in its currency, but not by bases": {[]account.Posting{
			posting(10000, euro, "86"), posting(-10000, euro, "-85"),
		}, account.ErrUnbalanced},
		"bases in two currencies": {[]account.Posting{
			posting(100, euro, "1"), {Account: account.Cash, Amount: money.New(-100, euro), Base: money.New(-100, euro)},
		}, money.ErrCurrency},
	} {
		if err := (account.Entry{Postings: c.postings}).Check(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// TestBaseOfTheBook posts documents in the book's currency: bases are the amounts.
func TestBaseOfTheBook(t *testing.T) {
	b := given.Opened(t)
	b.Take(t, given.Enter("i", given.Content("ada", given.Line("1", "100", "S 20"), given.Line("1", "10.01", "Z 0"))))
	b.Take(t, given.Credit("c", "i", "ada", given.Line("1", "10.01", "Z 0")))
	b.Take(t, given.Receive("p", "ada", "150"))
	for _, e := range b.Entries(t) {
		for _, p := range e.Postings {
			if p.Base != p.Amount || p.Tax != nil && p.Tax.Base != p.Tax.Taxable {
				t.Errorf("%s: %+v, marked %+v", e.Document, p, p.Tax)
			}
		}
	}
}

func TestChart(t *testing.T) {
	seen := make(map[account.Account]bool)
	for _, info := range account.Chart() {
		if seen[info.Account] || info.Name == "" {
			t.Errorf("chart: %+v", info)
		}
		seen[info.Account] = true
		debit := info.Kind == account.Asset || info.Kind == account.Expense
		if debit != (info.Normal == account.Debit) {
			t.Errorf("%s: a normal %s does not go with %s", info.Account, info.Normal, info.Kind)
		}
	}
	for _, a := range []account.Account{
		account.Receivables, account.Revenue, account.TaxPayable, account.Cash,
		account.CustomerCredit, account.BadDebt, account.Rounding, account.Prepayments,
	} {
		if !seen[a] {
			t.Errorf("the chart lacks %s", a)
		}
	}
}
