package rules_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/domain/codec"
	"github.com/daybook-ledger/daybook/domain/credit"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/payment"
	"github.com/daybook-ledger/daybook/domain/rules"
	"github.com/daybook-ledger/daybook/domain/series"
	"github.com/daybook-ledger/daybook/domain/tax"
	"github.com/daybook-ledger/daybook/testing/given"
)

// check holds the invariants of the book.
func (m *machine) check(t *testing.T, r *rapid.T) {
	m.checkAccounts(t, r)
	m.checkInvoices(r)
	m.checkNumbers(r)
	m.checkFrozen(r)
	m.checkFunds(r)
	m.checkRelief(r)
	m.checkPeriods(r)
	m.checkWorth(t, r)
	m.checkErased(r)
}

// checkAccounts adds up the journal by itself.
func (m *machine) checkAccounts(t *testing.T, r *rapid.T) {
	balance := map[account.Account]int64{}
	open := map[domain.StreamID]int64{}
	owed := map[uuid.UUID]int64{}
	taxable, levied := map[tax.Rate]int64{}, map[tax.Rate]int64{}
	for _, e := range m.book.Entries(t) {
		sum := map[string]int64{}
		for _, p := range e.Postings {
			sum[p.Amount.Currency().String()] += p.Amount.Minor()
			balance[p.Account] += p.Amount.Minor()
			switch p.Account {
			case account.Receivables:
				open[p.Item] += p.Amount.Minor()
			case account.CustomerCredit:
				owed[e.Customer] -= p.Amount.Minor()
			case account.TaxPayable:
				taxable[p.Tax.Rate] += p.Tax.Taxable.Minor()
				levied[p.Tax.Rate] -= p.Amount.Minor()
			}
		}
		for currency, n := range sum {
			if n != 0 {
				r.Fatalf("the entry of %s is %d %s off", e.Document, n, currency)
			}
		}
	}
	m.checkSubledgers(r, balance, open, owed)
	m.checkTaxReport(r, balance, taxable, levied)
	m.checkDeposits(r, balance)
}

// checkSubledgers: open items are the receivables, and the customers' credits
// the customer credit account, one by one and in sum.
func (m *machine) checkSubledgers(r *rapid.T, balance map[account.Account]int64, open map[domain.StreamID]int64, owed map[uuid.UUID]int64) {
	var openItems, credits int64
	for id, state := range m.book.States() {
		switch s := state.(type) {
		case invoice.State:
			openItems += s.Open.Minor()
			if open[id] != s.Open.Minor() {
				r.Fatalf("%s is open of %s, but the journal has %d", s.Open, id, open[id])
			}
		case payment.State: // what a reversed payment left to be paid back is open too
			openItems += s.Open.Minor()
			if open[id] != s.Open.Minor() {
				r.Fatalf("%s is to be paid back of %s, but the journal has %d", s.Open, id, open[id])
			}
		case customer.State:
			var n int64 // in sum: checkWorth looks at each currency
			for _, credit := range s.Credit {
				n += credit.Minor()
			}
			credits += n
			if owed[id.ID] != n || n < 0 {
				r.Fatalf("%s has a credit of %d, but the journal has %d", id, n, owed[id.ID])
			}
		}
	}
	if balance[account.Receivables] != openItems || balance[account.CustomerCredit] != -credits {
		r.Fatalf("open %d, credits %d, accounts %v", openItems, credits, balance)
	}
}

// checkTaxReport: the tax report is tax payable, and what the documents say.
func (m *machine) checkTaxReport(r *rapid.T, balance map[account.Account]int64, taxable, levied map[tax.Rate]int64) {
	wantTaxable, wantLevied := map[tax.Rate]int64{}, map[tax.Rate]int64{}
	add := func(sign int64, breakdown []tax.Subtotal) {
		for _, s := range breakdown {
			wantTaxable[s.Rate] += sign * s.Taxable.Minor()
			wantLevied[s.Rate] += sign * s.Tax.Minor()
		}
	}
	m.events(func(_ domain.StreamID, e domain.Event) {
		switch e := e.(type) {
		case *invoice.Issued:
			add(1, e.Totals.Breakdown)
		case *credit.Issued:
			add(-1, e.Totals.Breakdown)
		case *invoice.Relieved:
			add(-1, subtotals(e.Relief))
		case *invoice.Recovered:
			add(1, subtotals(e.Relief))
		}
	})
	var sum int64
	for rate, n := range levied {
		sum += n
		if n != wantLevied[rate] || taxable[rate] != wantTaxable[rate] {
			r.Fatalf("at %s the report has %d and %d of tax, the documents %d and %d",
				rate, taxable[rate], n, wantTaxable[rate], wantLevied[rate])
		}
	}
	if len(levied) != len(wantLevied) || balance[account.TaxPayable] != -sum {
		r.Fatalf("tax report %d, tax payable %d", sum, balance[account.TaxPayable])
	}
}

func (m *machine) events(visit func(domain.StreamID, domain.Event)) {
	for _, commit := range m.book.Log {
		for _, change := range commit.Changes {
			visit(change.Stream, change.Event)
		}
	}
}

// checkInvoices: every invoice stands as the model has it, and no rate of it is
// credited beyond what was issued.
func (m *machine) checkInvoices(r *rapid.T) {
	for id, d := range m.model.issued {
		state, err := invoice.Load(m.book, id)
		if err != nil || state.Open.Minor() != d.open || d.open < 0 || state.Content != nil {
			r.Fatalf("invoice %s: %+v, %v; the model has %d open", id, state, err, d.open)
		}
		if d.open == 0 && state.Status() != invoice.StatusPaid && state.Status() != invoice.StatusCredited && state.Status() != invoice.StatusUncollectible {
			r.Fatalf("invoice %s with nothing open is %s", id, state.Status())
		}
		issued := byRate(d.lines, d.gross)
		for rate, left := range d.left {
			if !between(left.net, issued[rate].net) || !between(left.tax, issued[rate].tax) {
				r.Fatalf("invoice %s at %s: %+v is left of %+v", id, rate, *left, *issued[rate])
			}
		}
		if !between(d.roundingLeft, d.rounding) {
			r.Fatalf("invoice %s: rounding %d is left of %d", id, d.roundingLeft, d.rounding)
		}
	}
	for id, d := range m.model.drafts {
		state, err := invoice.Load(m.book, id)
		if err != nil || (state.Status() == invoice.StatusApproved) != d.approved || state.Content == nil {
			r.Fatalf("draft %s: %+v, %v", id, state, err)
		}
	}
	for id := range m.model.gone {
		if state, err := invoice.Load(m.book, id); err != nil || state.Status() != invoice.StatusDiscarded {
			r.Fatalf("discarded %s: %+v, %v", id, state, err)
		}
	}
}

func between(part, whole int64) bool {
	return 0 <= part && part <= whole || whole <= part && part <= 0
}

// checkNumbers: every series counts from 1 without a gap, every number stands
// on one document, and dates do not run back but for imports.
func (m *machine) checkNumbers(r *rapid.T) {
	next := map[string]uint64{}
	last := map[domain.StreamID]domain.Date{}
	drawn, borne := map[string]uuid.UUID{}, map[string]uuid.UUID{}
	m.events(func(stream domain.StreamID, e domain.Event) {
		switch e := e.(type) {
		case *series.Drawn:
			key := fmt.Sprint(stream, e.Year)
			next[key]++
			if _, twice := drawn[e.Number]; twice || e.Counter != next[key] {
				r.Fatalf("%s drew %s as number %d, want %d", stream, e.Number, e.Counter, next[key])
			}
			drawn[e.Number] = e.Document
			if !e.Imported {
				if e.Date < last[stream] {
					r.Fatalf("%s runs back from %s to %s", stream, last[stream], e.Date)
				}
				last[stream] = e.Date
			}
		case *invoice.Issued:
			borne[e.Number] = stream.ID
		case *credit.Issued:
			borne[e.Number] = stream.ID
		}
	})
	if fmt.Sprint(drawn) != fmt.Sprint(borne) {
		r.Fatalf("drawn %v, borne %v", drawn, borne)
	}
}

// freeze keeps the stored form of an invoice at its issue.
func (m *machine) freeze(r *rapid.T, id uuid.UUID, e *invoice.Issued) {
	facts, personal, _, err := codec.EncodeEvent(e)
	if err != nil {
		r.Fatal(err)
	}
	m.frozen[id] = append(facts, personal...)
}

// checkFrozen: an issued invoice stays byte for byte, with the parties that it
// had at issue.
func (m *machine) checkFrozen(r *rapid.T) {
	m.events(func(stream domain.StreamID, event domain.Event) {
		e, is := event.(*invoice.Issued)
		if !is {
			return
		}
		facts, personal, _, err := codec.EncodeEvent(e)
		if err != nil || !bytes.Equal(append(facts, personal...), m.frozen[stream.ID]) {
			r.Fatalf("%s changed after issue (%v)", stream, err)
		}
		d := m.model.issued[stream.ID]
		if e.Personal.Buyer.Name != d.buyer || e.Seller.Name != d.seller || e.Date != d.date {
			r.Fatalf("%s is from %q to %q, want %q to %q", stream, e.Seller.Name, e.Personal.Buyer.Name, d.seller, d.buyer)
		}
	})
}

// replay decides all commands again in a new book, without their personal
// parts: the facts are the same.
func (m *machine) replay(r *rapid.T) {
	again := given.New()
	for _, commit := range m.book.Log {
		facts, _, schema, err := codec.EncodeCommand(commit.Command)
		if err != nil {
			r.Fatal(err)
		}
		command, err := codec.DecodeCommand(commit.Command.CommandType(), schema, facts, nil)
		if err != nil {
			r.Fatal(err)
		}
		changes, err := rules.Replay(again, commit.Moment, command)
		if err != nil || len(changes) != len(commit.Changes) {
			r.Fatalf("replay of %s: %d events, %v", command.CommandType(), len(changes), err)
		}
		for i, change := range changes {
			got, _, _, err := codec.EncodeEvent(change.Event)
			if err != nil {
				r.Fatal(err)
			}
			want, _, _, err := codec.EncodeEvent(commit.Changes[i].Event)
			if err != nil || !bytes.Equal(got, want) || change.Stream != commit.Changes[i].Stream {
				r.Fatalf("replay of %s decides other facts (%v):\n%x\n%x", command.CommandType(), err, got, want)
			}
		}
		if err := again.Apply(changes...); err != nil {
			r.Fatal(err)
		}
	}
}
