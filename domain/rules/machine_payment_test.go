package rules_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/domain/credit"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/funds"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/payment"
	"github.com/daybook-ledger/daybook/testing/given"
)

// sources are all funds, in the order in which they came.
func (m *model) sources() []domain.StreamID {
	return slices.SortedFunc(maps.Keys(m.funds), func(a, b domain.StreamID) int {
		return cmp.Compare(m.funds[a].order, m.funds[b].order)
	})
}

// someSource is mostly funds that there are.
func (m *machine) someSource(r *rapid.T) domain.StreamID {
	all := m.model.sources()
	if len(all) == 0 || rapid.IntRange(0, 9).Draw(r, "any") == 0 {
		return rapid.SampledFrom([]domain.StreamID{payment.Stream(given.ID("none")), credit.Stream(given.ID("none"))}).Draw(r, "none")
	}
	return rapid.SampledFrom(all).Draw(r, "source")
}

// someTarget is mostly an open item of the customer in a currency, which may be
// none for any.
func (m *machine) someTarget(r *rapid.T, who uuid.UUID, c money.Currency) domain.StreamID {
	var items []domain.StreamID
	for _, id := range sorted(m.model.issued) {
		if d := m.model.issued[id]; d.customer == who && d.open+d.off > 0 && (c.IsZero() || d.currency == c) {
			items = append(items, invoice.Stream(id))
		}
	}
	for _, id := range m.model.sources() {
		if f := m.model.funds[id]; f.customer == who && f.claim > 0 && (c.IsZero() || f.currency == c) {
			items = append(items, id)
		}
	}
	if len(items) == 0 || rapid.IntRange(0, 9).Draw(r, "any") == 0 {
		if all := m.model.sources(); len(all) > 0 && rapid.Bool().Draw(r, "funds") {
			if id := rapid.SampledFrom(all).Draw(r, "fund"); id.Kind == domain.KindPayment {
				return id
			}
		}
		return invoice.Stream(id(r, documents))
	}
	return rapid.SampledFrom(items).Draw(r, "item")
}

// someShare is what of an amount is moved: all of it, a part, or too much.
func someShare(r *rapid.T, most int64) int64 {
	return rapid.SampledFrom([]int64{0, 0, most, most/2 + 1, 1, most + 1}).Draw(r, "share")
}

func (m *machine) ahead(date domain.Date) bool {
	return date > domain.DateOf(m.book.Now).AddDays(31)
}

// owed is what can be allocated to an item.
func (m *model) owed(target domain.StreamID) int64 {
	if d := m.issued[target.ID]; d != nil && target.Kind == domain.KindInvoice {
		return d.open + d.off
	}
	if f := m.funds[target]; f != nil {
		return f.claim
	}
	return 0
}

func (m *machine) receive(r *rapid.T) {
	date := someDate(r, m)
	c := &payment.Receive{
		ID: given.ID(fmt.Sprint("payment ", len(m.model.funds))), Customer: id(r, buyers), Date: date,
		Method: "bank", Personal: &funds.Text{Text: "secret"},
		Reference: rapid.SampledFrom([]string{"", "", "", "P", "Q"}).Draw(r, "reference"),
	}
	amount := rapid.Int64Range(-1, 20000).Draw(r, "amount")
	target := m.someTarget(r, c.Customer, money.Currency{})
	currency := m.someCurrency(r)
	if of := m.model.currency(target); !of.IsZero() && rapid.IntRange(0, 9).Draw(r, "its currency") > 0 {
		currency = of
	}
	if owed := m.model.owed(target); owed > 0 && rapid.Bool().Draw(r, "exactly") {
		amount = owed + rapid.SampledFrom([]int64{0, 0, 500, -1}).Draw(r, "more")
	}
	c.Amount, c.Exchange = money.New(amount, currency), someExchange(r, currency)
	if m.model.funds[c.Stream()] != nil {
		r.Skip("taken")
	}
	ref := "payment " + c.Reference
	may := amount > 0 && rated(currency, c.Exchange) && m.model.customers[c.Customer] != "" && !m.ahead(date) &&
		(c.Reference == "" || m.model.refs[ref] == uuid.Nil)
	trial := m.model.trial()
	trial.give(c.Stream(), c.Customer, c.Amount, date)
	var back int64
	if rapid.Bool().Draw(r, "allocated") {
		share := someShare(r, min(amount, m.model.owed(target)))
		if share < 0 {
			share = 0
		}
		c.Allocations = []payment.Share{{Target: target, Amount: shareOf(share, currency)}}
		allocated := false
		if may {
			back, allocated = trial.allocate(c.Stream(), target, share, date)
		}
		may = may && allocated
	}
	if changes := m.do(r, c, may); changes != nil {
		m.become(trial)
		m.relievedAs(r, changes, back)
		if c.Reference != "" {
			m.model.refs[ref] = c.ID
		}
	}
}

func shareOf(n int64, c money.Currency) money.Amount {
	if n == 0 {
		return money.Amount{}
	}
	return money.New(n, c)
}

// currency is that of an item, none for what is none.
func (m *model) currency(target domain.StreamID) money.Currency {
	if d := m.issued[target.ID]; d != nil {
		return d.currency
	}
	if f := m.funds[target]; f != nil {
		return f.currency
	}
	return money.Currency{}
}

// become makes what was tried true.
func (m *machine) become(trial *model) { m.model.funds, m.model.issued = trial.funds, trial.issued }

func (m *machine) allocate(r *rapid.T) {
	source, date := m.someSource(r), someDate(r, m)
	who, currency := given.ID("ada"), money.Currency{}
	if f := m.model.funds[source]; f != nil && rapid.IntRange(0, 9).Draw(r, "own") > 0 {
		who, currency = f.customer, f.currency
	}
	c := &payment.Allocate{Source: source, Date: date}
	trial, may := m.model.trial(), !m.ahead(date)
	var backs int64
	for range rapid.IntRange(1, 2).Draw(r, "shares") {
		target := m.someTarget(r, who, currency)
		share := max(someShare(r, m.model.owed(target)), 0)
		c.Allocations = append(c.Allocations, payment.Share{Target: target, Amount: shareOf(share, m.model.currency(source))})
		if may {
			var back int64
			back, may = trial.allocate(source, target, share, date)
			backs += back
		}
	}
	if changes := m.do(r, c, may); changes != nil {
		m.become(trial)
		m.relievedAs(r, changes, backs)
	}
}

func (m *machine) release(r *rapid.T) {
	source, date := m.someSource(r), someDate(r, m)
	c := &payment.Unallocate{Source: source, Date: date}
	trial, may := m.model.trial(), !m.ahead(date)
	target := invoice.Stream(id(r, documents))
	if f := m.model.funds[source]; f != nil {
		for used := range f.uses { // of several any: the model is asked about the same
			if target = used; used.Kind == domain.KindInvoice {
				target = leastOf(f)
				break
			}
		}
		target = leastOr(f, target)
	}
	var held int64
	if f := m.model.funds[source]; f != nil {
		held = f.uses[target].amount
	}
	share := max(someShare(r, held), 0)
	c.Allocations = []payment.Share{{Target: target, Amount: shareOf(share, m.model.currency(source))}}
	may = may && trial.release(source, target, share, date)
	if m.do(r, c, may) != nil {
		m.become(trial)
	}
}

func leastOf(f *fund) domain.StreamID { return leastOr(f, domain.StreamID{}) }

// leastOr is the first of the uses in a fixed order.
func leastOr(f *fund, none domain.StreamID) domain.StreamID {
	all := slices.SortedFunc(maps.Keys(f.uses), func(a, b domain.StreamID) int { return cmp.Compare(a.String(), b.String()) })
	if len(all) == 0 {
		return none
	}
	return all[0]
}

func (m *machine) refund(r *rapid.T) {
	source, date := m.someSource(r), someDate(r, m)
	f := m.model.funds[source]
	c := &payment.Refund{Source: source, Date: date, Customer: given.ID("ada"), Method: "bank"}
	may := f != nil && !m.ahead(date)
	var n int64
	if f != nil {
		if rapid.IntRange(0, 9).Draw(r, "own") > 0 {
			c.Customer = f.customer
		}
		n = max(someShare(r, f.free), 0)
		c.Amount, c.Exchange = shareOf(n, f.currency), someExchange(r, f.currency)
		if n == 0 {
			n = f.free
		}
		may = may && rated(f.currency, c.Exchange) && !f.reversed && c.Customer == f.customer && n > 0 && n <= f.free && date >= f.since
	}
	if m.do(r, c, may) != nil {
		f.free -= n
		f.refunded += n
		f.last = max(f.last, date)
	}
}

func (m *machine) reverse(r *rapid.T) {
	source, date := m.someSource(r), someDate(r, m)
	f := m.model.funds[source]
	c := &payment.Reverse{ID: source.ID, Date: date, Reason: rapid.SampledFrom([]string{"returned", "returned", ""}).Draw(r, "reason")}
	if f != nil && rapid.IntRange(0, 3).Draw(r, "the bank's rate") == 0 {
		c.Exchange = someExchange(r, f.currency)
	}
	may := f != nil && (f.currency != given.Pounds || c.Exchange.IsZero()) && source.Kind == domain.KindPayment && !f.reversed && c.Reason != "" && date >= f.last && !m.ahead(date)
	if m.do(r, c, may) == nil {
		return
	}
	for target := range maps.Clone(f.uses) {
		if !m.model.release(source, target, 0, date) {
			r.Fatalf("%s cannot be released from %s", source, target)
		}
	}
	f.reversed, f.free, f.claim, f.claimSince = true, 0, f.refunded+f.drawn, date
}

func (m *machine) writeOff(r *rapid.T) {
	c := &invoice.WriteOff{ID: id(r, documents), Date: someDate(r, m), Reason: rapid.SampledFrom([]string{"bankrupt", "bankrupt", "bankrupt", " "}).Draw(r, "reason")}
	if all := sorted(m.model.issued); len(all) > 0 && rapid.IntRange(0, 9).Draw(r, "issued") > 0 {
		c.ID = rapid.SampledFrom(all).Draw(r, "invoice")
	}
	d := m.model.issued[c.ID]
	may, n := false, int64(0)
	if d != nil {
		n = max(someShare(r, d.open), 0)
		c.Amount = shareOf(n, d.currency)
		if n == 0 {
			n = d.open
		}
		may = n > 0 && n <= d.open && c.Date >= d.date && c.Date >= d.reopened && !m.ahead(c.Date) && c.Reason != " "
	}
	if m.do(r, c, may) != nil {
		d.open -= n
		d.off += n
		d.offOn = max(d.offOn, c.Date)
	}
}

// relieve takes tax back: where the model says that there is none the book must
// refuse; how much it is the event says, and checkRelief bounds it.
func (m *machine) relieve(r *rapid.T) {
	c := &invoice.Relieve{ID: id(r, documents), Date: someDate(r, m), Reason: "a year is over"}
	for _, name := range sorted(m.model.issued) {
		if m.model.issued[name].off > 0 {
			c.ID = name
		}
	}
	d := m.model.issued[c.ID]
	if d == nil || d.off == 0 || c.Date < d.offOn || m.ahead(c.Date) || m.model.shut(c) {
		m.do(r, c, false)
		return
	}
	changes, err := m.book.Do(c)
	if err != nil {
		return
	}
	d.offOn = max(d.offOn, c.Date)
	if d.relieved == nil {
		d.relieved = map[string]sums{}
	}
	left := d.roundingLeft
	for _, s := range d.left {
		left += s.net + s.tax
	}
	for _, sum := range changes[0].Event.(*invoice.Relieved).Relief {
		rate := sum.Rate.String()
		now := d.relieved[rate]
		now.net += sum.Taxable.Minor()
		now.tax += sum.Tax.Minor()
		d.relieved[rate] = now
		// Within a unit of the exact share: |relieved × left − of × off| < left.
		if off := min(d.off, left); abs(now.tax*left-d.left[rate].tax*off) >= left && sum.Tax.Sign() != 0 {
			r.Fatalf("%d of tax is relieved at %s, of %+v with %d of %d written off", now.tax, rate, *d.left[rate], off, left)
		}
	}
}

// relievedAs takes off the model what came back of reliefs, and compares how
// much of the write-off was taken back.
func (m *machine) relievedAs(r *rapid.T, changes []domain.Change, back int64) {
	for _, change := range changes {
		e, is := change.Event.(*invoice.Recovered)
		if !is {
			continue
		}
		back -= e.Amount.Minor()
		d := m.model.issued[change.Stream.ID]
		for _, sum := range e.Relief {
			now := d.relieved[sum.Rate.String()]
			now.net -= sum.Taxable.Minor()
			now.tax -= sum.Tax.Minor()
			d.relieved[sum.Rate.String()] = now
		}
	}
	if back != 0 {
		r.Fatalf("%d of the write-offs was not taken back", back)
	}
}

// drawnAs compares what a prepaid amount drew on: the oldest payments that left
// credit by then, if they left enough.
func (m *machine) drawnAs(r *rapid.T, changes []domain.Change, d *document, imported bool) {
	var sum, want int64
	for _, id := range m.model.sources() {
		if f := m.model.funds[id]; id.Kind == domain.KindPayment && f.customer == d.customer && f.currency == d.currency && f.since <= d.date && !f.reversed {
			sum += f.free
		}
	}
	if !imported && sum >= d.prepaid {
		want = d.prepaid
	}
	for _, change := range changes {
		switch e := change.Event.(type) {
		case *funds.Drawn:
			f := m.model.funds[change.Stream]
			n := e.Amount.Minor()
			if n <= 0 || n > f.free || f.since > d.date || f.customer != d.customer || f.currency != d.currency {
				r.Fatalf("%d was drawn on %+v", n, f)
			}
			f.free -= n
			f.drawn += n
			f.last = max(f.last, d.date)
			want -= n
		case *customer.CreditMoved:
		default:
			r.Fatalf("%s came of an issue", change.Event.EventType())
		}
	}
	if want != 0 {
		r.Fatalf("%d more should be drawn", want)
	}
}

// checkFunds: all funds stand as the model has them, and no customer's credit
// was below nothing on any day.
func (m *machine) checkFunds(r *rapid.T) {
	for id, f := range m.model.funds {
		state, err := m.book.State(id)
		if err != nil {
			r.Fatal(err)
		}
		var held funds.Funds
		switch s := state.(type) {
		case payment.State:
			held = s.Funds
			if s.Open.Minor() != f.claim || (s.Reversed != "") != f.reversed {
				r.Fatalf("%s: %+v, the model has %+v", id, s, f)
			}
		case credit.State:
			held = s.Funds
		}
		if held.Free.Minor() != f.free || held.Refunded.Minor() != f.refunded || held.Drawn.Minor() != f.drawn || len(held.Uses) != len(f.uses) {
			r.Fatalf("%s: %+v, the model has %+v", id, held, f)
		}
		for _, u := range held.Uses {
			if f.uses[u.Target] != (use{u.Amount.Minor(), u.Date}) {
				r.Fatalf("%s: %+v, the model has %+v", id, u, f.uses[u.Target])
			}
		}
	}
	m.checkDays(r)
}

func (m *machine) checkDays(r *rapid.T) {
	type purse struct {
		customer uuid.UUID
		currency money.Currency
	}
	days := map[purse]map[domain.Date]int64{}
	for _, commit := range m.book.Log {
		for _, change := range commit.Changes {
			entries, err := account.Post(change.Event, change.Stream)
			if err != nil {
				r.Fatal(err)
			}
			for _, e := range entries {
				for _, p := range e.Postings {
					if p.Account != account.CustomerCredit {
						continue
					}
					of := purse{e.Customer, p.Amount.Currency()}
					if days[of] == nil {
						days[of] = map[domain.Date]int64{}
					}
					days[of][e.Date] -= p.Amount.Minor()
				}
			}
		}
	}
	for who, byDate := range days { // of each currency
		var sum int64
		for _, day := range slices.Sorted(maps.Keys(byDate)) {
			if sum += byDate[day]; sum < 0 {
				r.Fatalf("on %s customer %s has a credit of %d %s", day, who.customer, sum, who.currency)
			}
		}
	}
}

// checkRelief: what was allocated, written off and relieved stands as the model
// has it, and no more is relieved of any rate than is left of it.
func (m *machine) checkRelief(r *rapid.T) {
	for id, d := range m.model.issued {
		state, err := invoice.Load(m.book, id)
		if err != nil || state.Allocated.Minor() != d.allocated || state.WrittenOff.Minor() != d.off {
			r.Fatalf("invoice %s: %+v, %v; the model has %d allocated, %d written off", id, state, err, d.allocated, d.off)
		}
		for _, s := range state.Relieved {
			now, left := d.relieved[s.Rate.String()], d.left[s.Rate.String()]
			if now.net != s.Taxable.Minor() || now.tax != s.Tax.Minor() || !between(now.net, left.net) || !between(now.tax, left.tax) {
				r.Fatalf("invoice %s at %s: %+v relieved, the model has %+v of %+v", id, s.Rate, s, now, *left)
			}
		}
		if d.off == 0 && state.Relieved != nil {
			r.Fatalf("invoice %s: nothing is written off, and %+v relieved", id, state.Relieved)
		}
	}
}
