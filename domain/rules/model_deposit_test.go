package rules_test

import (
	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
)

// deducted names what a line deducts.
type deducted struct {
	deposit uuid.UUID
	rate    string
}

// undeducted is what is left of a deposit at a rate.
func (d *document) undeducted(rate string) sums {
	left, taken := *d.left[rate], d.taken[rate]
	return sums{left.net - taken.net, left.tax - taken.tax}
}

// part is what a line that deducts takes of what is left.
func (l line) part(left sums, gross bool) (sums, bool) {
	p := percent[l.rate]
	if !gross {
		tax := min(halfUp(l.pence*p, 100), left.tax)
		if l.pence == left.net {
			tax = left.tax
		}
		return sums{l.pence, tax}, l.pence <= left.net
	}
	tax := halfUp(l.pence*p, 100+p)
	if net := l.pence - tax; net > left.net { // more of the tax, then
		tax = l.pence - left.net
	}
	tax = min(tax, left.tax)
	return sums{l.pence - tax, tax}, l.pence <= left.net+left.tax
}

// deductible says whether the document may deduct what it does, as the deposits
// are now. date is empty for a draft.
func (m *model) deductible(d *document, date domain.Date) bool {
	if d.deposit {
		for _, s := range byRate(d.lines, d.gross) {
			if s.net < 0 {
				return false
			}
		}
	}
	seen := map[deducted]bool{}
	for _, l := range d.lines {
		if l.deducts == uuid.Nil {
			continue
		}
		of, key := m.issued[l.deducts], deducted{l.deducts, l.rate}
		if d.deposit || of == nil || !of.deposit || of.customer != d.customer || of.currency != d.currency || seen[key] || of.left[l.rate] == nil || l.pence == 0 {
			return false
		}
		seen[key] = true
		if date != "" && (date < of.date || date < of.returned) {
			return false
		}
		if _, fits := l.part(of.undeducted(l.rate), d.gross); !fits {
			return false
		}
	}
	return true
}

// deduct takes what an issued document deducts off the deposits.
func (m *model) deduct(d *document) {
	d.deducts = map[deducted]sums{}
	for _, l := range d.lines {
		if l.deducts == uuid.Nil {
			continue
		}
		of := m.issued[l.deducts]
		part, _ := l.part(of.undeducted(l.rate), d.gross)
		d.deducts[deducted{l.deducts, l.rate}] = part
		of.take(l.rate, part, 1)
	}
}

// take takes a part of a deposit, or gives it back.
func (d *document) take(rate string, part sums, sign int64) {
	if d.taken == nil {
		d.taken = map[string]sums{}
	}
	taken := d.taken[rate]
	d.taken[rate] = sums{taken.net + sign*part.net, taken.tax + sign*part.tax}
}

// givesBack says whether a credit note of such lines gives back no more than the
// document deducts, and what.
func (d *document) givesBack(lines []line, gross bool) (parts map[deducted]sums, may bool) {
	parts = map[deducted]sums{}
	for _, l := range lines {
		if l.deducts == uuid.Nil {
			continue
		}
		key := deducted{l.deducts, l.rate}
		left, known := d.deducts[key]
		part, fits := l.part(left, gross)
		if _, twice := parts[key]; !known || !fits || twice || left == (sums{}) || l.pence == 0 {
			return nil, false
		}
		parts[key] = part
	}
	return parts, true
}
