package rules_test

import (
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/domain/credit"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/testing/given"
)

// deposits makes a document a deposit invoice at times, or one that deducts some.
func (m *machine) deposits(r *rapid.T, d *document) {
	d.deposit = rapid.IntRange(0, 4).Draw(r, "deposit") == 0
	var all []uuid.UUID
	for _, name := range sorted(m.model.issued) {
		if m.model.issued[name].deposit {
			all = append(all, name)
		}
	}
	if len(all) == 0 || d.deposit || rapid.Bool().Draw(r, "deducts nothing") {
		return
	}
	name := rapid.SampledFrom(all).Draw(r, "deducted")
	of := m.model.issued[name]
	if rapid.IntRange(0, 9).Draw(r, "of another") != 0 {
		d.customer, d.currency = of.customer, of.currency
	}
	for _, rate := range slices.Sorted(maps.Keys(of.left)) {
		left := of.undeducted(rate)
		most := left.net
		if d.gross {
			most += left.tax
		}
		pence := rapid.SampledFrom([]int64{most, most, most / 2, most / 3, most + 1}).Draw(r, "pence")
		if pence > 0 || rapid.IntRange(0, 9).Draw(r, "of nothing") == 0 {
			d.lines = append(d.lines, line{-10, max(pence, 0), rate, name})
		}
	}
	if rapid.Bool().Draw(r, "enough") { // to deduct from
		d.lines = append(d.lines, line{10, 100_000, "S 20", uuid.Nil})
	}
}

// giveBack credits an invoice that deducts deposits: its lines, or those alone by
// which it deducts and one of what is sold for as much.
func (m *machine) giveBack(r *rapid.T) {
	var all []uuid.UUID
	for _, name := range sorted(m.model.issued) {
		if len(m.model.issued[name].deducts) > 0 {
			all = append(all, name)
		}
	}
	if len(all) == 0 {
		r.Skip("no invoice deducts anything")
	}
	c := &credit.Issue{ID: given.ID(fmt.Sprint("back ", len(m.model.notes))), Invoice: rapid.SampledFrom(all).Draw(r, "invoice"), Imported: true}
	d := m.model.issued[c.Invoice]
	c.Date = d.date.AddDays(rapid.IntRange(0, 5).Draw(r, "days"))
	lines := d.lines
	if rapid.Bool().Draw(r, "deductions alone") {
		lines = nil
		for _, l := range d.lines {
			if l.deducts != uuid.Nil {
				l.pence = rapid.SampledFrom([]int64{l.pence, l.pence / 2}).Draw(r, "pence")
				lines = append(lines, l, line{10, l.pence, l.rate, uuid.Nil})
			}
		}
	}
	m.creditInvoice(r, c, lines, d.gross)
}

// deductedAs compares the deductions of an issued invoice, or those that a credit
// note gives back, with the model's.
func deductedAs(r *rapid.T, all []invoice.Deduction, want map[deducted]sums) {
	if len(all) != len(want) {
		r.Fatalf("deductions %+v, want %+v", all, want)
	}
	for _, d := range all {
		if got := (sums{d.Sum.Taxable.Minor(), d.Sum.Tax.Minor()}); got != want[deducted{d.Invoice, d.Sum.Rate.String()}] {
			r.Fatalf("deducted %+v, want %+v", d, want)
		}
	}
}

// givenBack takes what a credit note gave back off the model.
func (m *machine) givenBack(r *rapid.T, d *document, e *credit.Issued, parts map[deducted]sums) {
	deductedAs(r, e.Returned, parts)
	for key, part := range parts {
		of := m.model.issued[key.deposit]
		of.take(key.rate, part, -1)
		of.returned = max(of.returned, e.Date)
		left := d.deducts[key]
		d.deducts[key] = sums{left.net - part.net, left.tax - part.tax}
	}
}

// checkDeposits: the deposits that are neither deducted nor credited are the
// account, and each rate of each stands as the model has it.
func (m *machine) checkDeposits(r *rapid.T, balance map[account.Account]int64) {
	var undeducted int64
	for id, d := range m.model.issued {
		state, err := invoice.Load(m.book, id)
		if err != nil || state.Deposit != d.deposit {
			r.Fatalf("invoice %s: %+v, %v", id, state, err)
		}
		for key, part := range d.deducts {
			got, _ := state.Deduction(key.deposit, given.Rate(key.rate))
			if sum := (sums{got.Sum.Taxable.Minor(), got.Sum.Tax.Minor()}); sum != part {
				r.Fatalf("invoice %s deducts %+v, want %+v", id, got, part)
			}
		}
		if !d.deposit {
			continue
		}
		for _, issued := range state.Issued {
			left, _, err := state.Undeducted(issued.Rate)
			want := d.undeducted(issued.Rate.String())
			if err != nil || left.Taxable.Minor() != want.net || left.Tax.Minor() != want.tax || want.net < 0 || want.tax < 0 {
				r.Fatalf("deposit %s: %+v is left (%v), the model has %+v", id, left, err, want)
			}
			undeducted += want.net
		}
	}
	if balance[account.Deposits] != -undeducted {
		r.Fatalf("deposits of %d are left, and the account has %d", undeducted, balance[account.Deposits])
	}
}

// withoutDeductions are the changes that deduct nothing.
func withoutDeductions(changes []domain.Change) []domain.Change {
	return slices.DeleteFunc(slices.Clone(changes), func(c domain.Change) bool {
		_, is := c.Event.(*invoice.Deducted)
		return is
	})
}
