package rules_test

import (
	"maps"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// fund is a payment, or the excess of a credit note, as the model has it.
type fund struct {
	customer        uuid.UUID
	currency        money.Currency
	amount, free    int64
	uses            map[domain.StreamID]use
	refunded, drawn int64
	since, last     domain.Date
	reversed        bool
	claim           int64
	claimSince      domain.Date
	order           int
}

type use struct {
	amount int64
	date   domain.Date
}

// give makes funds of what a payment or credit note brought.
func (m *model) give(source domain.StreamID, customer uuid.UUID, amount money.Amount, date domain.Date) {
	m.funds[source] = &fund{
		customer: customer, currency: amount.Currency(), amount: amount.Minor(), free: amount.Minor(), uses: map[domain.StreamID]use{},
		since: date, last: date, order: len(m.funds),
	}
}

// trial is a copy of the model in which allocations can be tried.
func (m *model) trial() *model {
	t := *m
	t.funds, t.issued = maps.Clone(m.funds), maps.Clone(m.issued)
	for id, f := range t.funds {
		copied := *f
		copied.uses = maps.Clone(f.uses)
		t.funds[id] = &copied
	}
	for id, d := range t.issued {
		copied := *d
		t.issued[id] = &copied
	}
	return &t
}

// allocate moves funds to an item, 0 for as much as can be, and says whether
// that may be. back is what it takes back of a write-off.
func (m *model) allocate(source, target domain.StreamID, amount int64, date domain.Date) (back int64, may bool) {
	f := m.funds[source]
	d, claimed := m.issued[target.ID], m.funds[target]
	var owed int64
	switch {
	case f == nil || f.reversed:
		return 0, false
	case target.Kind == domain.KindInvoice:
		if d == nil || d.customer != f.customer || d.currency != f.currency || date < d.date || date < d.reopened {
			return 0, false
		}
		owed = d.open + d.off
	default:
		if claimed == nil || !claimed.reversed || claimed.customer != f.customer || claimed.currency != f.currency || date < claimed.claimSince {
			return 0, false
		}
		owed = claimed.claim
	}
	if amount == 0 {
		amount = min(owed, f.free)
	}
	if amount <= 0 || amount > owed || amount > f.free || date < f.since {
		return 0, false
	}
	if target.Kind == domain.KindInvoice {
		if back = max(amount-d.open, 0); back > 0 && date < d.offOn {
			return 0, false
		}
		d.off -= back
		d.open += back - amount
		d.allocated += amount
	} else {
		claimed.claim -= amount
	}
	f.free -= amount
	f.last = max(f.last, date)
	f.uses[target] = use{f.uses[target].amount + amount, max(f.uses[target].date, date)}
	return back, true
}

// release takes an allocation back, 0 for all of it.
func (m *model) release(source, target domain.StreamID, amount int64, date domain.Date) bool {
	f := m.funds[source]
	if f == nil || f.reversed {
		return false
	}
	u, used := f.uses[target]
	if amount == 0 {
		amount = u.amount
	}
	if !used || amount > u.amount || date < u.date {
		return false
	}
	if u.amount -= amount; u.amount == 0 {
		delete(f.uses, target)
	} else {
		f.uses[target] = u
	}
	f.free += amount
	f.since, f.last = max(f.since, date), max(f.last, date)
	if target.Kind == domain.KindInvoice {
		d := m.issued[target.ID]
		d.open += amount
		d.allocated -= amount
		d.reopened = max(d.reopened, date)
	} else {
		m.funds[target].claim += amount
		m.funds[target].claimSince = max(m.funds[target].claimSince, date)
	}
	return true
}

func subtotals(sums []invoice.RateSum) []tax.Subtotal {
	list := make([]tax.Subtotal, len(sums))
	for i, s := range sums {
		list[i] = tax.Subtotal{Rate: s.Rate, Taxable: s.Taxable, Tax: s.Tax}
	}
	return list
}
