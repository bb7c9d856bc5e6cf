package account_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/domain/credit"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/payment"
	"github.com/daybook-ledger/daybook/domain/period"
	"github.com/daybook-ledger/daybook/testing/given"
)

// The worked cases are in a book in pounds. Figures beside a case are worked out
// by hand: an amount, and what it is worth at the rate, to the penny.

func in(code string) money.Currency {
	c, err := money.ParseCurrency(code)
	if err != nil {
		panic(err)
	}
	return c
}

func amountIn(code, text string) money.Amount {
	a, err := money.ParseAmount(text, in(code))
	if err != nil {
		panic(err)
	}
	return a
}

// foreign is an invoice in another currency.
func foreign(name, code, rate string, lines ...invoice.Line) *invoice.Enter {
	c := given.Enter(name, given.Content("ada", lines...))
	c.Content.Currency, c.Content.Exchange = in(code), given.Exchange(rate)
	return c
}

// paid is a payment in another currency, allocated to an invoice as far as it goes.
func paid(name, code, amount, rate, to string) *payment.Receive {
	c := given.Receive(name, "ada", "1")
	c.Amount, c.Exchange = amountIn(code, amount), given.Exchange(rate)
	if to != "" {
		c.Allocations = []payment.Share{{Target: invoice.Stream(given.ID(to))}}
	}
	return c
}

func creditIn(code, note, of string, lines ...invoice.Line) *credit.Issue {
	c := given.Credit(note, of, "ada", lines...)
	c.Content.Currency = in(code)
	return c
}

// sale is 100.00 and 20 % of tax.
func sale() invoice.Line { return given.Line("1", "100", "S 20") }

// with changes a command that is written into a case.
func with[C any](c C, change func(C)) C {
	change(c)
	return c
}

func TestCurrencies(t *testing.T) {
	day := given.Today
	p := payment.Stream(given.ID("p"))
	atBank := given.Exchange("0.87")
	for name, c := range map[string]struct {
		given []domain.Command
		when  domain.Command
		then  []string // account, amount, worth of the last command's postings
	}{
		// 100 × 0.8567 = 85.67, 20 × 0.8567 = 17.134; what is owed is their sum.
		"an invoice": {nil, foreign("i", "EUR", "0.8567", sale()), []string{
			"receivables 120.00 102.80", "revenue -100.00 -85.67", "tax-payable -20.00 -17.13",
		}},
		// 120 × 0.86 = 103.20: worth 0.40 more than what it pays.
		"paid at a better rate": {
			[]domain.Command{foreign("i", "EUR", "0.8567", sale())},
			paid("p", "EUR", "120", "0.86", "i"),
			[]string{
				"cash 120.00 103.20", "customer-credit -120.00 -103.20",
				"customer-credit 120.00 103.20", "receivables -120.00 -102.80", "exchange-gain 0.00 -0.40",
			},
		},
		// 50 × 0.84 = 42.00 for 50/120 of 102.80 = 42.8333.
		"a part at a worse rate": {
			[]domain.Command{foreign("i", "EUR", "0.8567", sale())},
			paid("p", "EUR", "50", "0.84", "i"),
			[]string{
				"cash 50.00 42.00", "customer-credit -50.00 -42.00",
				"customer-credit 50.00 42.00", "receivables -50.00 -42.83", "exchange-loss 0.00 0.83",
			},
		},
		// 70 × 0.87 = 60.90 for what is left, 102.80 − 42.83 = 59.97.
		"the last part": {
			[]domain.Command{foreign("i", "EUR", "0.8567", sale()), paid("p", "EUR", "50", "0.84", "i")},
			paid("q", "EUR", "70", "0.87", "i"),
			[]string{
				"cash 70.00 60.90", "customer-credit -70.00 -60.90",
				"customer-credit 70.00 60.90", "receivables -70.00 -59.97", "exchange-gain 0.00 -0.93",
			},
		},
		// 30/50 of 42.00 = 25.20, and of 42.83 = 25.698.
		"a part taken back": {
			[]domain.Command{foreign("i", "EUR", "0.8567", sale()), paid("p", "EUR", "50", "0.84", "i")},
			&payment.Unallocate{Source: p, Date: day, Allocations: []payment.Share{{Target: invoice.Stream(given.ID("i")), Amount: given.EUR("30")}}},
			[]string{"receivables 30.00 25.70", "customer-credit -30.00 -25.20", "exchange-loss 0.00 -0.50"},
		},
		// 40/100 of 85.00 = 34.00; 40 × 0.88 = 35.20 leave the bank.
		"a refund at a worse rate": {
			[]domain.Command{paid("p", "EUR", "100", "0.85", "")},
			&payment.Refund{Source: p, Customer: given.ID("ada"), Amount: given.EUR("40"), Exchange: given.Exchange("0.88"), Date: day},
			[]string{"customer-credit 40.00 34.00", "cash -40.00 -35.20", "exchange-loss 0.00 1.20"},
		},
		"a payment taken back at its own rate": {
			[]domain.Command{
				paid("p", "EUR", "100", "0.85", ""),
				&payment.Refund{Source: p, Customer: given.ID("ada"), Amount: given.EUR("40"), Exchange: given.Exchange("0.85"), Date: day},
			},
			&payment.Reverse{ID: given.ID("p"), Date: day, Reason: "returned"},
			[]string{"customer-credit 60.00 51.00", "receivables 40.00 34.00", "cash -100.00 -85.00"},
		},
		// 100 × 0.87 = 87.00.
		"a payment taken back at the bank's rate": {
			[]domain.Command{paid("p", "EUR", "100", "0.85", "")},
			&payment.Reverse{ID: given.ID("p"), Date: day, Reason: "returned", Exchange: atBank},
			[]string{"customer-credit 100.00 85.00", "cash -100.00 -87.00", "exchange-loss 0.00 2.00"},
		},
		// Half was paid: half of 102.80 is open, and 60 × 0.8567 = 51.402.
		"a credit note on a part-paid invoice": {
			[]domain.Command{foreign("i", "EUR", "0.8567", sale()), paid("p", "EUR", "60", "0.85", "i")},
			creditIn("EUR", "c", "i", sale()),
			[]string{
				"revenue 100.00 85.67", "tax-payable 20.00 17.13",
				"receivables -60.00 -51.40", "customer-credit -60.00 -51.40",
			},
		},
		// 33.33 × 0.8567 = 28.554, 6.67 × 0.8567 = 5.714; 40/120 of 102.80 = 34.267.
		"the first of three credit notes": {
			[]domain.Command{foreign("i", "EUR", "0.8567", sale())},
			creditIn("EUR", "c", "i", given.Line("1", "33.33", "S 20")),
			[]string{"revenue 33.33 28.55", "tax-payable 6.67 5.71", "rounding 0.00 0.01", "receivables -40.00 -34.27"},
		},
		// What is left: 85.67 − 2 × 28.55 = 28.57, 17.13 − 2 × 5.71 = 5.71, and of
		// 102.80 − 34.27 − 34.27 = 34.26: the rounding of all three is nothing.
		"the last of three credit notes": {
			[]domain.Command{
				foreign("i", "EUR", "0.8567", sale()), creditIn("EUR", "c", "i", given.Line("1", "33.33", "S 20")),
				creditIn("EUR", "d", "i", given.Line("1", "33.33", "S 20")),
			},
			creditIn("EUR", "e", "i", given.Line("1", "33.34", "S 20")),
			[]string{"revenue 33.34 28.57", "tax-payable 6.66 5.71", "rounding 0.00 -0.02", "receivables -40.00 -34.26"},
		},
		"a credit note on account": {
			nil, with(given.OnAccount("c", "ada", sale()), func(c *credit.Issue) {
				c.Content.Currency, c.Content.Exchange = given.Euros, given.Exchange("0.8567")
			}),
			[]string{"revenue 100.00 85.67", "tax-payable 20.00 17.13", "customer-credit -120.00 -102.80"},
		},
		// 10 × 0.8335 = 8.335, 2 × 0.8335 = 1.667, −12 × 0.8335 = −10.002: a penny
		// of nothing that is owed.
		"nothing owed": {
			nil, foreign("i", "EUR", "0.8335", given.Line("1", "10", "S 20"), given.Line("-1", "12", "Z 0")),
			[]string{"revenue 2.00 1.66", "tax-payable -2.00 -1.67", "tax-payable 0.00 0.00", "rounding 0.00 0.01"},
		},
		// 50 × 0.84 = 42.00 were received; 50/120 of 102.80 = 42.8333 are prepaid.
		"prepaid": {
			[]domain.Command{paid("p", "EUR", "50", "0.84", "")},
			with(foreign("i", "EUR", "0.8567", sale()), func(c *invoice.Enter) { c.Content.Prepaid = given.EUR("50") }),
			[]string{
				"receivables 70.00 59.97", "prepayments 50.00 42.83", "revenue -100.00 -85.67", "tax-payable -20.00 -17.13",
				"customer-credit 50.00 42.00", "prepayments -50.00 -42.83", "exchange-loss 0.00 0.83",
			},
		},
		"written off": {
			[]domain.Command{foreign("i", "EUR", "0.8567", sale())},
			&invoice.WriteOff{ID: given.ID("i"), Date: day, Reason: "bankrupt"},
			[]string{"bad-debt 120.00 102.80", "receivables -120.00 -102.80"},
		},
		"relieved": {
			[]domain.Command{foreign("i", "EUR", "0.8567", sale()), &invoice.WriteOff{ID: given.ID("i"), Date: day, Reason: "bankrupt"}},
			&invoice.Relieve{ID: given.ID("i"), Date: day, Reason: "six months"},
			[]string{"tax-payable 20.00 17.13", "bad-debt -20.00 -17.13"},
		},
		// Half comes back: 51.40 of 102.80; of 17.13 half stays relieved, 8.565, so
		// that 8.56 is payable again. 60 × 0.90 = 54.00.
		"paid after all": {
			[]domain.Command{
				foreign("i", "EUR", "0.8567", sale()), &invoice.WriteOff{ID: given.ID("i"), Date: day, Reason: "bankrupt"},
				&invoice.Relieve{ID: given.ID("i"), Date: day, Reason: "six months"},
			},
			paid("p", "EUR", "60", "0.9", "i"),
			[]string{
				"cash 60.00 54.00", "customer-credit -60.00 -54.00",
				"receivables 60.00 51.40", "bad-debt -60.00 -51.40", "tax-payable -10.00 -8.56", "bad-debt 10.00 8.56",
				"customer-credit 60.00 54.00", "receivables -60.00 -51.40", "exchange-gain 0.00 -2.60",
			},
		},
		// The deposit was worth 85.00 when it was invoiced, and is so still when it is
		// deducted (IFRIC 22); the rest is 400 × 0.90 and its tax 80 × 0.90.
		"a deposit deducted": {
			[]domain.Command{with(foreign("l", "EUR", "0.85", sale()), func(c *invoice.Enter) { c.Content.Deposit = true })},
			foreign("m", "EUR", "0.9", given.Line("1", "500", "S 20"), given.Deduct("l", "100", "S 20")),
			[]string{
				"receivables 480.00 432.00", "revenue -500.00 -445.00", "deposits 100.00 85.00", "tax-payable -80.00 -72.00",
			},
		},
		// No decimal places: 10,000 × 0.0052 = 52.00, 2,000 × 0.0052 = 10.40.
		"yen": {nil, foreign("i", "JPY", "0.0052", given.Line("1", "10000", "S 20")), []string{
			"receivables 12000 62.40", "revenue -10000 -52.00", "tax-payable -2000 -10.40",
		}},
		// One yen is worth 0.0049, nothing; 1/12,000 of 62.40 is a ha'penny.
		"one yen": {
			[]domain.Command{foreign("i", "JPY", "0.0052", given.Line("1", "10000", "S 20"))},
			paid("p", "JPY", "1", "0.0049", "i"),
			[]string{
				"cash 1 0.00", "customer-credit -1 0.00",
				"customer-credit 1 0.00", "receivables -1 -0.01", "exchange-loss 0 0.01",
			},
		},
		// Three decimal places: 10.005 × 2.1 = 21.0105, and 2.001 × 2.1 = 4.2021.
		"dinars": {nil, foreign("i", "BHD", "2.1", given.Line("1", "10.005", "S 20")), []string{
			"receivables 12.006 25.21", "revenue -10.005 -21.01", "tax-payable -2.001 -4.20",
		}},
		// A tie goes up: 1.50 × 0.85 = 1.275. Hundred millions keep their pence:
		// 98,765,432.10 × 0.8567 = 84,612,345.680...
		"a tie": {nil, foreign("i", "EUR", "0.85", given.Line("1", "1.50", "Z 0")), []string{
			"receivables 1.50 1.28", "revenue -1.50 -1.28", "tax-payable 0.00 0.00",
		}},
		"hundred millions": {nil, foreign("i", "EUR", "0.8567", given.Line("1", "98765432.10", "Z 0")), []string{
			"receivables 98765432.10 84612345.68", "revenue -98765432.10 -84612345.68", "tax-payable 0.00 0.00",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := given.Opened(t)
			for _, command := range c.given {
				b.Take(t, command)
			}
			n := len(b.Entries(t))
			b.Take(t, c.when)
			var got []string
			for _, e := range b.Entries(t)[n:] {
				for _, p := range e.Postings {
					got = append(got, fmt.Sprintf("%s %s %s", p.Account, p.Amount, p.Base))
					if p.Base.Currency() != given.Pounds {
						t.Errorf("%s: %s is worth %s %q", p.Account, p.Amount, p.Base, p.Base.Currency())
					}
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(c.then) {
				t.Errorf("\n got %q\nwant %q", got, c.then)
			}
		})
	}
}

// TestTaxMarks: the tax report is in the book's currency.
func TestTaxMarks(t *testing.T) {
	b := given.Opened(t)
	b.Take(t, foreign("i", "EUR", "0.8567", sale(), given.Line("1", "10.01", "Z 0")))
	b.Take(t, creditIn("EUR", "c", "i", given.Line("1", "50", "S 20")))
	want := []string{"S 20 100.00 85.67", "Z 0 10.01 8.58", "S 20 -50.00 -42.84"} // 8.5756, 42.835
	var got []string
	for _, e := range b.Entries(t) {
		for _, p := range e.Postings {
			if p.Account == account.TaxPayable {
				got = append(got, fmt.Sprintf("%s %s %s", p.Tax.Rate, p.Tax.Taxable, p.Tax.Base))
			}
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestCurrencyRefused: what has no rate, one too many, or another currency.
func TestCurrencyRefused(t *testing.T) {
	item := []payment.Share{{Target: invoice.Stream(given.ID("i"))}}
	for name, c := range map[string]struct {
		code    string
		command domain.Command
	}{
		"no rate":         {"rate-missing", with(foreign("x", "EUR", "1", sale()), func(c *invoice.Enter) { c.Content.Exchange.Rate = money.Decimal{}; c.Content.Exchange.Source = "" })},
		"rate of nothing": {"invalid-exchange-rate", foreign("x", "EUR", "0", sale())},
		"rate below":      {"invalid-exchange-rate", foreign("x", "EUR", "-0.85", sale())},
		"no source":       {"rate-source-missing", with(foreign("x", "EUR", "0.85", sale()), func(c *invoice.Enter) { c.Content.Exchange.Source = " " })},
		"no day":          {"invalid-date", with(foreign("x", "EUR", "0.85", sale()), func(c *invoice.Enter) { c.Content.Exchange.Date = "2026-02-30" })},
		"pounds":          {"rate-unexpected", foreign("x", "GBP", "1", sale())},
		"too much":        {"amount-overflow", foreign("x", "EUR", "1000000", given.Line("1", "9999999999.99", "Z 0"))},
		"payment":         {"rate-missing", with(paid("q", "EUR", "1", "1", ""), func(c *payment.Receive) { c.Exchange = given.Exchange("0"); c.Exchange.Source = "" })},
		"payment pounds":  {"rate-unexpected", paid("q", "GBP", "1", "1", "")},
		"pays euros":      {"foreign-currency", with(given.Receive("q", "ada", "10"), func(c *payment.Receive) { c.Allocations = item })},
		"pays with yen":   {"foreign-currency", paid("q", "JPY", "10", "0.005", "i")},
		"refund":          {"rate-missing", &payment.Refund{Source: payment.Stream(given.ID("p")), Customer: given.ID("ada"), Date: given.Today}},
		"reversal pounds": {"rate-unexpected", &payment.Reverse{ID: given.ID("g"), Date: given.Today, Reason: "returned", Exchange: given.Exchange("1")}},
		"credit pounds":   {"foreign-currency", given.Credit("c", "i", "ada", sale())},
		"credit's rate":   {"rate-unexpected", with(creditIn("EUR", "c", "i", sale()), func(c *credit.Issue) { c.Content.Exchange = given.Exchange("0.9") })},
		"on account":      {"rate-missing", with(given.OnAccount("c", "ada", sale()), func(c *credit.Issue) { c.Content.Currency = given.Euros })},
		"draft of pounds": {"rate-unexpected", given.Draft("x", foreign("x", "GBP", "1", sale()).Content)},
		"issue":           {"rate-missing", &invoice.Issue{ID: given.ID("d"), Date: given.Today}},
		"issue wrongly":   {"invalid-exchange-rate", &invoice.Issue{ID: given.ID("d"), Date: given.Today, Exchange: given.Exchange("-1")}},
		"deducts":         {"foreign-currency", given.Enter("x", given.Content("ada", given.Line("1", "500", "S 20"), given.Deduct("l", "100", "S 20")))},
	} {
		t.Run(name, func(t *testing.T) {
			b := given.Opened(t)
			b.Take(t, foreign("i", "EUR", "0.8567", sale()))
			b.Take(t, paid("p", "EUR", "100", "0.85", ""))
			b.Take(t, given.Receive("g", "ada", "100"))
			b.Take(t, with(foreign("l", "EUR", "0.85", sale()), func(c *invoice.Enter) { c.Content.Deposit = true }))
			draft := given.Draft("d", given.Content("ada", sale()))
			draft.Content.Currency = given.Euros
			b.Take(t, draft)
			b.Take(t, &invoice.Approve{ID: draft.ID})
			b.Refuse(t, c.command, c.code)
		})
	}
}

// TestRateAtIssue: a draft without a rate gets it when it is issued, and the day
// of the rate is the day of issue unless it names another.
func TestRateAtIssue(t *testing.T) {
	b := given.Opened(t)
	draft := given.Draft("d", given.Content("ada", sale()))
	draft.Content.Currency = given.Euros
	b.Take(t, draft)
	b.Take(t, &invoice.Approve{ID: draft.ID})
	e := b.Take(t, &invoice.Issue{ID: draft.ID, Date: given.Today, Exchange: given.Exchange("0.8567")})[0].Event.(*invoice.Issued)
	want := given.Exchange("0.8567")
	want.Date = given.Today
	if e.Content.Exchange != want || e.Base.Tax != given.GBP("17.13") {
		t.Errorf("issued at %+v, with %+v", e.Content.Exchange, e.Base)
	}
	note := b.Take(t, creditIn("EUR", "c", "d", sale()))[0].Event.(*credit.Issued)
	if note.Content.Exchange != want {
		t.Errorf("credited at %+v", note.Content.Exchange)
	}
}

// TestRevaluation: what is owed at the end of a period is revalued there, taken
// back on the day after, and undone where the period is opened again.
func TestRevaluation(t *testing.T) {
	b := given.Opened(t)
	invoiced := foreign("i", "EUR", "0.8567", sale()) // 120.00 = 102.80
	invoiced.Date = "2026-02-10"
	b.Take(t, invoiced)
	received := paid("p", "EUR", "150", "0.86", "i") // 129.00, of which 25.80 stay credit
	received.Date, received.Allocations[0].Amount = "2026-02-11", given.EUR("100")
	b.Take(t, received)
	yen := foreign("y", "JPY", "0.0052", given.Line("1", "10000", "Z 0")) // no rate: not revalued
	yen.Date = "2026-02-12"
	b.Take(t, yen)
	sums := map[[2]string][2]int64{}
	for _, e := range b.Entries(t) {
		for _, p := range e.Postings {
			key := [2]string{string(p.Account), p.Amount.Currency().String()}
			sums[key] = [2]int64{sums[key][0] + p.Amount.Minor(), sums[key][1] + p.Base.Minor()}
		}
	}
	settle := &period.Settle{
		Book: b.ID, Through: "2026-02-28", Proof: period.Proof{Size: 1, Root: make([]byte, 32)},
		Rates: []period.Rate{{Currency: given.Euros, Exchange: given.Exchange("0.9")}},
	}
	for key, sum := range sums {
		if sum != [2]int64{} {
			settle.Balances = append(settle.Balances, period.NewBalance(key[0], money.New(sum[0], in(key[1])), money.New(sum[1], given.Pounds)))
		}
	}
	slices.SortFunc(settle.Balances, period.Order)
	b.Take(t, &period.Close{Book: b.ID, Through: "2026-02-28"})
	posts := func(c domain.Command) (got []string) {
		n := len(b.Entries(t))
		b.Take(t, c)
		for _, e := range b.Entries(t)[n:] {
			for _, p := range e.Postings {
				got = append(got, fmt.Sprintf("%s %s %s %s", e.Date, p.Account, p.Amount, p.Base))
			}
		}
		return got
	}
	// 20 × 0.9 = 18.00 for 102.80 − 85.67 = 17.13; 50 × 0.9 = 45.00 for 43.00 owed.
	want := []string{
		"2026-02-28 revaluation 0.00 -2.00", "2026-02-28 unrealised-exchange 0.00 2.00",
		"2026-02-28 revaluation 0.00 0.87", "2026-02-28 unrealised-exchange 0.00 -0.87",
		"2026-03-01 revaluation 0.00 2.00", "2026-03-01 unrealised-exchange 0.00 -2.00",
		"2026-03-01 revaluation 0.00 -0.87", "2026-03-01 unrealised-exchange 0.00 0.87",
	}
	if got := posts(settle); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("settled:\n got %q\nwant %q", got, want)
	}
	for i := range want[:4] { // all of it the other way round
		want[i], want[4+i] = want[i][:10]+want[4+i][10:], want[4+i][:10]+want[i][10:]
	}
	if got := posts(&period.Reopen{Book: b.ID, Through: "2026-02-28", Reason: "a bill came late"}); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("opened again:\n got %q\nwant %q", got, want)
	}
}

// TestClosingRatesRefused: a rate for the book's own currency, none, or two.
func TestClosingRatesRefused(t *testing.T) {
	rate := func(code, rate string) period.Rate {
		return period.Rate{Currency: in(code), Exchange: given.Exchange(rate)}
	}
	for name, c := range map[string]struct {
		code  string
		rates []period.Rate
	}{
		"pounds":   {"rate-unexpected", []period.Rate{rate("GBP", "1")}},
		"nothing":  {"invalid-exchange-rate", []period.Rate{rate("EUR", "0")}},
		"none":     {"invalid-exchange-rate", []period.Rate{{Currency: given.Euros}}},
		"two":      {"invalid-exchange-rate", []period.Rate{rate("EUR", "0.9"), rate("EUR", "0.91")}},
		"unsigned": {"rate-source-missing", []period.Rate{{Currency: given.Euros, Exchange: exchange.Rate{Rate: given.Number("0.9")}}}},
	} {
		t.Run(name, func(t *testing.T) {
			b := given.Opened(t)
			b.Take(t, &period.Close{Book: b.ID, Through: "2026-02-28"})
			b.Refuse(t, &period.Settle{
				Book: b.ID, Through: "2026-02-28", Proof: period.Proof{Size: 1, Root: make([]byte, 32)}, Rates: c.rates,
			}, c.code)
		})
	}
}
