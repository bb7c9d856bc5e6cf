package rules_test

import (
	"slices"

	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/credit"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/payment"
	"github.com/daybook-ledger/daybook/domain/period"
	"github.com/daybook-ledger/daybook/domain/tax"
	"github.com/daybook-ledger/daybook/testing/given"
)

// closing is a closed period as the model has it, and what the accounts held and
// the tax report said when it was closed.
type closing struct {
	through  domain.Date
	settled  bool
	balances map[string]int64
	tax      int64
}

// open says whether something may be booked on the day.
func (m *model) open(day domain.Date) bool {
	return len(m.closed) == 0 || day > m.closed[len(m.closed)-1].through
}

// bookedOn is the day on which a command books, empty where it books nothing.
func bookedOn(c domain.Command) domain.Date {
	switch c := c.(type) {
	case *invoice.Issue:
		return c.Date
	case *invoice.Enter:
		return c.Date
	case *invoice.WriteOff:
		return c.Date
	case *invoice.Relieve:
		return c.Date
	case *credit.Issue:
		return c.Date
	case *payment.Receive:
		return c.Date
	case *payment.Allocate:
		return c.Date
	case *payment.Unallocate:
		return c.Date
	case *payment.Refund:
		return c.Date
	case *payment.Reverse:
		return c.Date
	}
	return ""
}

// shut says whether the command books on a day that is closed.
func (m *model) shut(c domain.Command) bool {
	day := bookedOn(c)
	return day != "" && !m.open(day)
}

// periods closes, settles and reopens.
func (m *machine) periods(r *rapid.T) {
	rapid.SampledFrom([]func(*rapid.T){m.closePeriod, m.closePeriod, m.settle, m.settle, m.reopen}).Draw(r, "periods")(r)
}

// someEnd is a day on which a period may end: mostly the last of a month, this
// one or one before.
func (m *machine) someEnd(r *rapid.T) domain.Date {
	first := domain.Date(domain.DateOf(m.book.Now).Month() + "-01")
	for range rapid.IntRange(0, 2).Draw(r, "months ago") {
		first = domain.Date(first.AddDays(-1).Month() + "-01")
	}
	return first.AddDays(rapid.SampledFrom([]int{-1, -1, -1, -1, -2, 30}).Draw(r, "day"))
}

func (m *machine) closePeriod(r *rapid.T) {
	end := m.someEnd(r)
	whole := end.AddDays(1).Month() != end.Month()
	may := whole && end < domain.DateOf(m.book.Now) && m.model.open(end)
	if all := m.model.closed; len(all) > 0 {
		may = may && all[len(all)-1].settled
	}
	if m.do(r, &period.Close{Book: m.book.ID, Through: end}, may) != nil {
		balances, tax := m.held(r, end)
		m.model.closed = append(m.model.closed, closing{through: end, balances: balances, tax: tax})
	}
}

// settle enters what the model found when it closed, mostly for that period, and
// sometimes an amount that is not there.
func (m *machine) settle(r *rapid.T) {
	c := &period.Settle{Book: m.book.ID, Through: m.someEnd(r), Proof: period.Proof{Size: uint64(len(m.book.Log)), Root: make([]byte, 32)}}
	may := false
	if n := len(m.model.closed); n > 0 && rapid.IntRange(0, 5).Draw(r, "newest") > 0 {
		newest := m.model.closed[n-1]
		c.Through, may = newest.through, !newest.settled
		for name, amount := range newest.balances {
			if amount != 0 {
				c.Balances = append(c.Balances, period.NewBalance(name, money.New(amount, given.Pounds), money.New(amount, given.Pounds)))
			}
		}
		slices.SortFunc(c.Balances, period.Order)
		if len(c.Balances) > 0 && rapid.IntRange(0, 9).Draw(r, "unbalanced") == 0 {
			c.Balances, may = c.Balances[1:], false
		}
	} else if n > 0 && c.Through == m.model.closed[n-1].through {
		r.Skip("the newest after all")
	}
	if may && rapid.Bool().Draw(r, "revalued") {
		c.Balances = m.trial(r, c.Through)
		if m.usual != "GBP" {
			c.Rates = []period.Rate{{Currency: m.foreign(r), Exchange: given.Exchange(rapid.SampledFrom(currencies[m.usual]).Draw(r, "closing"))}}
		}
	}
	if changes := m.do(r, c, may); changes != nil {
		m.model.closed[len(m.model.closed)-1].settled = true
		m.revaluedAs(r, c, changes[0].Event.(*period.Settled))
	}
}

func (m *machine) reopen(r *rapid.T) {
	c := &period.Reopen{Book: m.book.ID, Through: m.someEnd(r), Reason: rapid.SampledFrom([]string{"a mistake", "a mistake", ""}).Draw(r, "reason")}
	n := len(m.model.closed)
	if n > 0 && rapid.Bool().Draw(r, "newest") {
		c.Through = m.model.closed[n-1].through
	}
	may := n > 0 && c.Through == m.model.closed[n-1].through && c.Reason != ""
	if m.do(r, c, may) != nil {
		m.model.closed = m.model.closed[:n-1]
	}
}

// held adds up what the accounts hold at the end of a day, and the tax that is
// reported up to it.
func (m *machine) held(r *rapid.T, day domain.Date) (balances map[string]int64, levied int64) {
	balances = map[string]int64{}
	for _, e := range m.book.Entries(r) {
		for _, p := range e.Postings {
			if e.Date <= day {
				balances[string(p.Account)] += p.Amount.Minor()
			}
			if p.Tax != nil && e.TaxPoint(p.Tax) <= day {
				levied -= p.Amount.Minor()
			}
		}
	}
	return balances, levied
}

// checkPeriods: what a closed period held and reported, it holds and reports.
func (m *machine) checkPeriods(r *rapid.T) {
	state, err := period.Load(m.book, m.book.ID)
	if err != nil || len(state.Closed) != len(m.model.closed) {
		r.Fatalf("closed: %+v, %v; the model has %+v", state, err, m.model.closed)
	}
	from := domain.Date("")
	for i, c := range m.model.closed {
		if got := state.Closed[i]; got.From != from || got.Through != c.through || got.Settled != c.settled {
			r.Fatalf("closed: %+v, the model has %+v", got, c)
		}
		from = c.through.AddDays(1)
		balances, levied := m.held(r, c.through)
		for name, amount := range balances {
			if amount != c.balances[name] {
				r.Fatalf("%s held %d at the end of %s when that was closed, and holds %d", name, c.balances[name], c.through, amount)
			}
		}
		if levied != c.tax {
			r.Fatalf("%d of tax was reported through %s when that was closed, and %d is", c.tax, c.through, levied)
		}
	}
}

// reportedOn is the tax point that an invoice of the dates must have.
func (m *model) reportedOn(date, supplied domain.Date) domain.Date {
	if m.basis != tax.BySupply || supplied == "" || supplied >= date || !m.open(supplied) {
		return date
	}
	return supplied
}
