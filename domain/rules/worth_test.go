package rules_test

import (
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/domain/credit"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/funds"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/payment"
	"github.com/daybook-ledger/daybook/domain/period"
	"github.com/daybook-ledger/daybook/testing/given"
)

// The currencies of random books, with two, no and three decimal places, and some
// rates of each in pounds.
var currencies = map[string][]string{
	"GBP": nil,
	"EUR": {"0.8567", "0.8567", "0.9", "0.851234567891"},
	"JPY": {"0.0052", "0.0049", "0.005"},
	"BHD": {"2.1", "2.0987"},
}

func (m *machine) someCurrency(r *rapid.T) money.Currency {
	code := m.usual
	if rapid.IntRange(0, 4).Draw(r, "unusual") == 0 {
		code = rapid.SampledFrom([]string{"GBP", "EUR", "JPY", "BHD"}).Draw(r, "currency")
	}
	c, err := money.ParseCurrency(code)
	if err != nil {
		r.Fatal(err)
	}
	return c
}

// someExchange is mostly a rate where one is needed, and none where not.
func someExchange(r *rapid.T, c money.Currency) exchange.Rate {
	rates := currencies[c.String()]
	if wrong := rapid.IntRange(0, 19).Draw(r, "wrong rate") == 0; wrong == (c != given.Pounds) {
		return exchange.Rate{}
	}
	if rates == nil {
		rates = []string{"1", "0.85"}
	}
	return given.Exchange(rapid.SampledFrom(rates).Draw(r, "exchange"))
}

// rated says whether amounts of a currency have a rate as they should.
func rated(c money.Currency, e exchange.Rate) bool { return (c == given.Pounds) == e.IsZero() }

// worth is what an amount in minor units is worth in pence: rounded half away
// from zero, by another way than the code.
func worth(r *rapid.T, amount money.Amount, e exchange.Rate) int64 {
	if e.IsZero() {
		return amount.Minor()
	}
	rate, ok := new(big.Rat).SetString(e.Rate.String())
	units, of := new(big.Rat).SetString(amount.String())
	if !ok || !of {
		r.Fatalf("%s at %s", amount, e.Rate)
	}
	return roundPence(new(big.Rat).Mul(rate.Mul(rate, units), big.NewRat(100, 1)))
}

func roundPence(x *big.Rat) int64 {
	half := big.NewRat(1, 2)
	if x.Sign() < 0 {
		half.Neg(half)
	}
	x = new(big.Rat).Add(x, half)
	return new(big.Int).Quo(x.Num(), x.Denom()).Int64() // cut towards zero
}

// sumsIn are amounts by currency, and all of their worth in pence.
type sumsIn struct {
	amounts map[string]int64
	base    int64
}

func (s *sumsIn) add(amount, base money.Amount, sign int64) {
	if s.amounts == nil {
		s.amounts = map[string]int64{}
	}
	s.amounts[amount.Currency().String()] += sign * amount.Minor()
	s.base += sign * base.Minor()
}

func (s *sumsIn) same(o *sumsIn) bool {
	for currency := range currencies {
		if s.amounts[currency] != o.amounts[currency] {
			return false
		}
	}
	return s.base == o.base
}

// checkWorth: entries balance by their worth, which is in pounds; open items and
// credits stand as the journal has them, one by one and in sum, in each currency
// and in pounds; and where nothing is open, nothing of its worth is left.
func (m *machine) checkWorth(t *testing.T, r *rapid.T) {
	accounts := map[account.Account]*sumsIn{}
	for _, info := range account.Chart() {
		accounts[info.Account] = &sumsIn{}
	}
	open := map[domain.StreamID]*sumsIn{}
	for _, e := range m.book.Entries(t) {
		var entry sumsIn
		for _, p := range e.Postings {
			if p.Base.Currency() != given.Pounds && !p.Base.IsZero() || p.Amount.Currency() == given.Pounds && p.Base.Minor() != p.Amount.Minor() {
				r.Fatalf("%s posts %s %s worth %s %s", e.Document, p.Amount, p.Amount.Currency(), p.Base, p.Base.Currency())
			}
			entry.add(p.Amount, p.Base, 1)
			accounts[p.Account].add(p.Amount, p.Base, 1)
			if p.Account == account.Receivables {
				if open[p.Item] == nil {
					open[p.Item] = &sumsIn{}
				}
				open[p.Item].add(p.Amount, p.Base, 1)
			}
		}
		if !entry.same(&sumsIn{}) {
			r.Fatalf("the entry of %s is off by %+v", e.Document, entry)
		}
	}
	var receivables, credits, deposits sumsIn
	for id, state := range m.book.States() {
		switch s := state.(type) {
		case invoice.State:
			m.checkOpen(r, id, s.Owed(), open[id])
			receivables.add(s.Open, s.OpenBase, 1)
			m.undeducted(r, s, &deposits)
		case payment.State:
			m.checkOpen(r, id, s.Owed(), open[id])
			receivables.add(s.Open, s.OpenBase, 1)
			checkLots(r, id, s.Funds, &credits)
		case credit.State:
			checkLots(r, id, s.Funds, &credits)
		}
	}
	if !receivables.same(accounts[account.Receivables]) || !credits.same(accounts[account.CustomerCredit]) ||
		!deposits.same(accounts[account.Deposits]) {
		r.Fatalf("open %+v, credits %+v, deposits %+v; the accounts have %+v, %+v and %+v", receivables, credits, deposits,
			accounts[account.Receivables], accounts[account.CustomerCredit], accounts[account.Deposits])
	}
	m.checkTaxWorth(r, accounts[account.TaxPayable])
}

func (m *machine) checkOpen(r *rapid.T, id domain.StreamID, owed exchange.Worth, posted *sumsIn) {
	var want sumsIn
	want.add(owed.Amount, owed.Base, 1)
	if posted == nil {
		posted = &sumsIn{}
	}
	if !want.same(posted) || !owed.Sound() {
		r.Fatalf("%s is open of %s, worth %s, and the journal has %+v", owed.Amount, id, owed.Base, posted)
	}
}

// checkLots: nothing free is worth nothing, and the uses and what is free are
// never worth more than there was.
func checkLots(r *rapid.T, id domain.StreamID, f funds.Funds, credits *sumsIn) {
	credits.add(f.Free, f.FreeBase, -1)
	used := f.FreeBase.Minor()
	for _, u := range f.Uses {
		ofFunds, ofItem := u.Worth()
		if !ofFunds.Sound() || !ofItem.Sound() {
			r.Fatalf("%s: %+v", id, u)
		}
		used += ofFunds.Base.Minor()
	}
	if !f.Left().Sound() || used > f.Base.Minor() {
		r.Fatalf("%s: %+v", id, f)
	}
}

// undeducted adds what is left of a deposit invoice.
func (m *machine) undeducted(r *rapid.T, s invoice.State, into *sumsIn) {
	if !s.Deposit {
		return
	}
	for _, issued := range s.Issued {
		left, _, err := s.Undeducted(issued.Rate)
		if err != nil {
			r.Fatal(err)
		}
		taxable, _ := left.Worths()
		into.add(taxable.Amount, taxable.Base, -1)
	}
}

// checkTaxWorth: tax payable is what the documents say in pounds, each rate of an
// invoice converted by itself; of a credit note no more than a penny beside that,
// and of an invoice that nothing is left of, nothing.
func (m *machine) checkTaxWorth(r *rapid.T, payable *sumsIn) {
	var levied int64
	each := func(rates []invoice.RateSum, sign int64) {
		for _, rate := range rates {
			_, tax := rate.Worths()
			levied += sign * tax.Base.Minor()
		}
	}
	m.events(func(id domain.StreamID, e domain.Event) {
		switch e := e.(type) {
		case *invoice.Issued:
			rates := e.Base.Figures(e.Totals).Rates
			m.checkConverted(r, id, rates, e.Content.Exchange, 0)
			each(rates, 1)
		case *credit.Issued:
			rates := e.Figures().Rates
			off := int64(0)
			if e.InvoiceNumber != "" {
				off = 10 // the last takes what others left by rounding
			}
			m.checkConverted(r, id, rates, e.Content.Exchange, off)
			each(rates, -1)
		case *invoice.Relieved:
			each(e.Relief, -1)
		case *invoice.Recovered:
			each(e.Relief, 1)
		}
	})
	if payable.base != -levied {
		r.Fatalf("tax of %d pence was reported, and %d is payable", levied, -payable.base)
	}
	for id, d := range m.model.issued {
		state, err := invoice.Load(m.book, id)
		if err != nil {
			r.Fatal(err)
		}
		for rate := range d.left {
			left, _, err := state.Left(given.Rate(rate))
			taxable, tax := left.Worths()
			if err != nil || taxable.Amount.IsZero() && !taxable.Base.IsZero() || tax.Amount.IsZero() && !tax.Base.IsZero() {
				r.Fatalf("of invoice %s nothing is left at %s, worth %s and %s (%v)", id, rate, taxable.Base, tax.Base, err)
			}
		}
	}
}

func (m *machine) checkConverted(r *rapid.T, id domain.StreamID, rates []invoice.RateSum, e exchange.Rate, off int64) {
	for _, rate := range rates {
		taxable, levied := rate.Worths()
		for _, w := range []exchange.Worth{taxable, levied} {
			if abs(w.Base.Minor()-worth(r, w.Amount, e)) > off {
				r.Fatalf("%s: %s at %s is worth %s, want %d", id, w.Amount, e.Rate, w.Base, worth(r, w.Amount, e))
			}
		}
	}
}

// foreign is the usual currency, which is not the book's.
func (m *machine) foreign(r *rapid.T) money.Currency {
	c, err := money.ParseCurrency(m.usual)
	if err != nil {
		r.Fatal(err)
	}
	return c
}

// trial is the trial balance at the end of a day, in each currency and in pounds.
func (m *machine) trial(r *rapid.T, day domain.Date) []period.Balance {
	type held struct {
		account  account.Account
		currency money.Currency
	}
	amounts, bases := map[held]int64{}, map[held]int64{}
	for _, e := range m.book.Entries(r) {
		for _, p := range e.Postings {
			if e.Date <= day {
				amounts[held{p.Account, p.Amount.Currency()}] += p.Amount.Minor()
				bases[held{p.Account, p.Amount.Currency()}] += p.Base.Minor()
			}
		}
	}
	var all []period.Balance
	for of, amount := range amounts {
		if amount != 0 || bases[of] != 0 {
			all = append(all, period.NewBalance(string(of.account), money.New(amount, of.currency), money.New(bases[of], given.Pounds)))
		}
	}
	slices.SortFunc(all, period.Order)
	return all
}

// revaluedAs compares the revaluations of a period's end with what receivables and
// credits are worth at its rates.
func (m *machine) revaluedAs(r *rapid.T, c *period.Settle, e *period.Settled) {
	want := map[string]int64{}
	for _, b := range c.Balances {
		for _, rate := range c.Rates {
			owed := b.Account == string(account.Receivables) || b.Account == string(account.CustomerCredit)
			if difference := worth(r, b.Amount, rate.Exchange) - b.Base.Minor(); owed && b.Amount.Currency() == rate.Currency && difference != 0 {
				want[b.Account] = difference
			}
		}
	}
	if len(e.Revaluations) != len(want) {
		r.Fatalf("revalued %+v, want %v", e.Revaluations, want)
	}
	for _, got := range e.Revaluations {
		if got.Difference.Minor() != want[got.Account] {
			r.Fatalf("revalued %+v, want %v", got, want)
		}
	}
}
