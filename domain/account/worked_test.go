package account_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/domain/credit"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/testing/given"
)

// many is so many lines alike.
func many(n int, line invoice.Line) []invoice.Line {
	lines := make([]invoice.Line, n)
	for i := range lines {
		lines[i] = line
	}
	return lines
}

// TestWorkedPostings takes an invoice through the whole way from prices to
// accounts, in currencies with two, three and no decimal places, and back by a
// credit note for all of it. The figures are worked out by hand.
func TestWorkedPostings(t *testing.T) {
	for _, c := range []struct {
		// source is the rule that decides, and the arithmetic.
		source, currency string
		gross            bool
		lines            []invoice.Line
		want             string
	}{
		{
			"BT-131, half-up: 1.005 is 1.01 and 2.675 is 2.68, ties which binary fractions lose; 3.69 × 20 % = 0.738", "GBP", false,
			[]invoice.Line{given.Line("1", "1.005", "S 20"), given.Line("1", "2.675", "S 20")},
			"receivables 4.43, tax-payable -0.74, revenue -3.69",
		},
		{
			"BR-CO-17, half-up: 0.60 × 2.5 % = 0.015, a tie, goes up", "EUR", false,
			[]invoice.Line{given.Line("1", "0.6", "S 2.5")},
			"receivables 0.62, tax-payable -0.02, revenue -0.60",
		},
		{
			"ISO 4217, yen without a minor unit: 24.5 is 25; 25 × 10 % = 2.5 goes up", "JPY", false,
			[]invoice.Line{given.Line("1", "24.5", "S 10")},
			"receivables 28, tax-payable -3, revenue -25",
		},
		{
			"yen with tax in the price: 1000 × 10 ÷ 110 = 90.909", "JPY", true,
			[]invoice.Line{given.Line("1", "1000", "S 10")},
			"receivables 1000, tax-payable -91, revenue -909",
		},
		{
			"ISO 4217, dinars with three places: 3 × 1.1115 = 3.3345 is 3.335; × 10 % = 0.3335 goes up", "BHD", false,
			[]invoice.Line{given.Line("3", "1.1115", "S 10")},
			"receivables 3.669, tax-payable -0.334, revenue -3.335",
		},
		{
			"dinars with tax in the price: 0.055 × 10 ÷ 110 = 0.005", "BHD", true,
			[]invoice.Line{given.Line("1", "0.055", "S 10")},
			"receivables 0.055, tax-payable -0.005, revenue -0.050",
		},
		{
			"1,000 lines of 0.335 are 0.34 each (BT-131), their tax is rounded once (BR-CO-17): 340.00 × 20 %", "GBP", false,
			many(1000, given.Line("1", "0.335", "S 20")),
			"receivables 408.00, tax-payable -68.00, revenue -340.00",
		},
		{
			"1,000 lines of 0.01 with tax: 10.00 × 20 ÷ 120 = 1.666…; line by line there would be no tax at all", "GBP", true,
			many(1000, given.Line("1", "0.01", "S 20")),
			"receivables 10.00, tax-payable -1.67, revenue -8.33",
		},
		{
			"hundreds of millions: 123,456 × 4,567.891 = 563,933,551.296; with 999,999,999.99 × 19 % = 297,147,374.7451", "EUR", false,
			[]invoice.Line{given.Line("123456", "4567.891", "S 19"), given.Line("1", "999999999.99", "S 19")},
			"receivables 1861080926.04, tax-payable -297147374.75, revenue -1563933551.29",
		},
		{
			"hundreds of millions of yen with tax: 999,999,999 × 10 ÷ 110 = 90,909,090.818", "JPY", true,
			[]invoice.Line{given.Line("1", "999999999", "S 10")},
			"receivables 999999999, tax-payable -90909091, revenue -909090908",
		},
	} {
		t.Run(c.source, func(t *testing.T) {
			currency, err := money.ParseCurrency(c.currency)
			if err != nil {
				t.Fatal(err)
			}
			b := given.New()
			open := given.Open(b.ID)
			open.Currency = currency
			b.Take(t, open)
			b.Take(t, given.Register("ada"))
			content := invoice.Content{Customer: given.ID("ada"), Currency: currency, PricesIncludeTax: c.gross, Lines: c.lines}
			b.Take(t, &invoice.Enter{ID: given.ID("i"), Content: content, Date: given.Today})
			if got := balances(t, b, currency); got != c.want {
				t.Errorf("posted %s\nwant %s", got, c.want)
			}
			b.Take(t, &credit.Issue{ID: given.ID("c"), Invoice: given.ID("i"), Content: content, Date: given.Today})
			if got := balances(t, b, currency); got != "" {
				t.Errorf("all is credited, and left are %s", got)
			}
		})
	}
}

// balances are those of all accounts that have one, debits above zero.
func balances(t *testing.T, b *given.Book, c money.Currency) string {
	t.Helper()
	sums := map[account.Account]int64{}
	for _, e := range b.Entries(t) {
		for _, p := range e.Postings {
			sums[p.Account] += p.Amount.Minor()
		}
	}
	var all []string
	for _, info := range account.Chart() {
		if sums[info.Account] != 0 {
			all = append(all, fmt.Sprintf("%s %s", info.Account, money.New(sums[info.Account], c)))
		}
	}
	return strings.Join(all, ", ")
}

// TestSalesOfDeposits: what is sold by item is what is posted to revenue: nothing
// by a deposit invoice, and of one that deducts it what its other lines are.
func TestSalesOfDeposits(t *testing.T) {
	b := given.Opened(t)
	content := given.Content("ada", given.Line("1", "50", "S 20"), given.Deduct("deposit", "10", "S 20"))
	deposit := given.Deposit("ada", given.Line("1", "10", "S 20"))
	content.PricesIncludeTax, deposit.PricesIncludeTax = true, true
	for _, c := range []struct {
		command *invoice.Enter
		want    string
	}{
		{given.Enter("deposit", deposit), "[]"},
		{given.Enter("final", content), "[{item ITEM 41.66 41.66}]"},
	} {
		changes := b.Take(t, c.command)
		entries, err := account.Post(changes[0].Event, changes[0].Stream)
		if err != nil {
			t.Fatal(err)
		}
		sales, err := account.Sales(changes[0].Event, entries[0])
		if err != nil || fmt.Sprint(sales) != c.want {
			t.Errorf("sold %v (%v), want %s", sales, err, c.want)
		}
	}
	if got := balances(t, b, given.Pounds); got != "receivables 50.00, tax-payable -8.34, revenue -41.66" {
		t.Errorf("posted %s", got)
	}
}
