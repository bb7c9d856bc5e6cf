package rules_test

import (
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/domain/credit"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/erasure"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/payment"
	"github.com/daybook-ledger/daybook/testing/given"
)

// keeping is how long documents are kept, as the model has it: whole years after
// the end of the business year.
type keeping struct{ years, yearEnd int }

// through is the last day on which a document of that date is kept.
func (k keeping) through(date domain.Date) domain.Date {
	at, _ := time.Parse(time.DateOnly, string(date))
	for int(at.Month()) != k.yearEnd {
		at = at.AddDate(0, 0, 1)
	}
	month := at.Month()
	for at.AddDate(0, 0, 1).Month() == month {
		at = at.AddDate(0, 0, 1)
	}
	end := at.AddDate(k.years, 0, 0)
	if end.Month() != month { // the 29th of February, in a year without one
		end = end.AddDate(0, 0, -end.Day())
	}
	return domain.DateOf(end)
}

// retain changes how long documents are kept.
func (m *machine) retain(r *rapid.T) {
	set := keeping{rapid.SampledFrom([]int{0, 1, 1, 2, 101}).Draw(r, "years"), rapid.IntRange(0, 12).Draw(r, "year end")}
	c := &book.SetRetention{Book: m.book.ID, Years: set.years, YearEnd: set.yearEnd, Reason: "so decided"}
	if m.do(r, c, set.years <= 100 && set.yearEnd > 0) == nil {
		return
	}
	if set.years == 0 {
		set.years = 6 // as in Great Britain
	}
	m.model.kept = set
}

// erase forgets a customer, whole or but for what stands on documents.
func (m *machine) erase(r *rapid.T) {
	who := m.someoneEven(r)
	if rapid.Bool().Draw(r, "squared up") {
		m.squareUp(r, who)
	}
	c := &erasure.Erase{
		Customer: who, Scope: rapid.SampledFrom([]customer.Scope{customer.All, customer.Contact, "name"}).Draw(r, "scope"),
		Reason: rapid.SampledFrom([]string{"asked", "asked", "asked", " "}).Draw(r, "reason"),
	}
	newest, dealt := m.dealt(r, who)
	erased := m.model.erased[who]
	may := m.model.customers[who] != "" && c.Scope != "name" && c.Reason != " " && erased != customer.All && erased != c.Scope && m.model.even(who)
	if dealt && c.Scope == customer.All {
		if kept := m.model.kept.through(newest); rapid.Bool().Draw(r, "years later") && kept >= domain.DateOf(m.book.Now) {
			m.book.Now, _ = time.Parse(time.DateOnly, string(kept.AddDays(rapid.IntRange(0, 1).Draw(r, "days"))))
		}
		may = may && m.model.kept.through(newest) < domain.DateOf(m.book.Now)
	}
	changes := m.do(r, c, may)
	if changes == nil {
		return
	}
	m.model.erased[who] = c.Scope
	if e := changes[0].Event.(*customer.KeyDestroyed); e.Newest != newest || dealt && e.Kept != m.model.kept.through(newest) {
		r.Fatalf("erased as %+v, with the newest entry of %q, kept through %s", e, newest, m.model.kept.through(newest))
	}
}

// someoneEven is mostly a customer with whom nothing is open.
func (m *machine) someoneEven(r *rapid.T) uuid.UUID {
	if rapid.IntRange(0, 3).Draw(r, "any") > 0 {
		for _, name := range []string{"cy", "bob", "ada"} {
			who := given.ID(name)
			if _, dealt := m.dealt(r, who); dealt && m.model.even(who) && m.model.erased[who] != customer.All {
				return who
			}
		}
	}
	return id(r, buyers)
}

// squareUp writes off what a customer owes, and pays back what is at their disposal.
func (m *machine) squareUp(r *rapid.T, who uuid.UUID) {
	today := domain.DateOf(m.book.Now)
	for _, name := range sorted(m.model.issued) {
		d := m.model.issued[name]
		if d.customer != who || d.open == 0 {
			continue
		}
		c := &invoice.WriteOff{ID: name, Date: today, Reason: "to come to an end"}
		if m.do(r, c, today >= d.date && today >= d.reopened) != nil {
			d.off, d.open, d.offOn = d.off+d.open, 0, max(d.offOn, today)
		}
	}
	for _, source := range m.model.sources() {
		f := m.model.funds[source]
		if f.customer != who || f.free == 0 {
			continue
		}
		c := &payment.Refund{Source: source, Date: today, Customer: who, Method: "bank"}
		if rates := currencies[f.currency.String()]; rates != nil {
			c.Exchange = given.Exchange(rates[0])
		}
		if m.do(r, c, today >= f.since) != nil {
			f.refunded, f.free, f.last = f.refunded+f.free, 0, max(f.last, today)
		}
	}
}

// dealt is the date of the newest entry that names a customer.
func (m *machine) dealt(r *rapid.T, who uuid.UUID) (newest domain.Date, any bool) {
	m.events(func(stream domain.StreamID, event domain.Event) {
		entries, err := account.Post(event, stream)
		if err != nil {
			r.Fatal(err)
		}
		for _, e := range entries {
			if e.Customer == who {
				newest, any = max(newest, e.Date), true
			}
		}
	})
	return newest, any
}

// even says whether nothing is open between the customer and the business.
func (m *model) even(who uuid.UUID) bool {
	for _, d := range m.issued {
		if d.customer != who {
			continue
		}
		if d.open != 0 {
			return false
		}
		for rate := range d.left {
			if d.deposit && d.undeducted(rate).net != 0 {
				return false
			}
		}
	}
	for _, f := range m.funds {
		if f.customer == who && (f.free != 0 || f.claim != 0) {
			return false
		}
	}
	return true
}

// forgotten says whether a command needs to know, or would keep, something of a
// customer who was erased.
func (m *model) forgotten(c domain.Command) bool {
	known := func(who uuid.UUID) bool { return m.erased[who] == "" }
	switch c := c.(type) {
	case *customer.Change:
		return !known(c.ID)
	case *invoice.Draft:
		return !known(c.Content.Customer)
	case *invoice.Edit:
		return !known(c.Content.Customer)
	case *invoice.Enter:
		return !known(c.Content.Customer)
	case *invoice.Issue:
		return m.drafts[c.ID] != nil && !known(m.drafts[c.ID].customer)
	case *credit.Issue:
		return !known(c.Content.Customer)
	case *payment.Receive:
		return m.erased[c.Customer] == customer.All
	case *payment.Refund:
		return m.erased[c.Customer] == customer.All
	}
	return false
}

// checkErased: of every customer there is what the model has, and of the erased
// nothing.
func (m *machine) checkErased(r *rapid.T) {
	for who, name := range m.model.customers {
		state, err := customer.Load(m.book, who)
		if err != nil || state.Erased != m.model.erased[who] || (state.Profile != nil) != (state.Erased == "") {
			r.Fatalf("customer %s: %+v, %v; the model has %q", who, state, err, m.model.erased[who])
		}
		if state.Profile != nil && state.Profile.Name != name {
			r.Fatalf("customer %s is %q, want %q", who, state.Profile.Name, name)
		}
	}
	if state, _, err := book.Load(m.book, m.book.ID); err != nil || state.Seller.Country != given.Seller().Country {
		r.Fatalf("the book: %+v, %v", state, err)
	}
}
