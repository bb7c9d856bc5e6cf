// Package audit checks a book's history by adding up again what its events say,
// without trust in whoever decided or folded them before.
package audit

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/period"
)

// The codes of findings.
const (
	// CodeBooked: something is booked into a period that was closed.
	CodeBooked = "booked-into-closed"
	// CodeBalance: a settled balance is not what the entries amount to.
	CodeBalance = "balance-differs"
	// CodeProof: a settled balance names a state that the log never had, or one
	// from before the period was closed.
	CodeProof = "balance-unproved"
)

// Finding is something that is not as it must be.
type Finding struct {
	// Position is that of the commit.
	Position uint64 `json:"position"`
	Code     string `json:"code"`
	What     string `json:"what"`
}

// Periods checks a book's periods, from its first commit on: that nothing is
// booked into a closed one, that each settled balance is the sum of the entries
// up to its day, and that its proof is a state of this log. Its memory grows with
// the days that have entries, not with their number.
type Periods struct {
	state period.State
	sums  map[posted]worth
	// closedAt is the number of commits up to and with the one that closed the
	// newest period; roots are the log's from there on until it is settled.
	closedAt uint64
	roots    map[uint64][]byte
	settled  int
}

// posted is what amounts are summed by.
type posted struct {
	date     domain.Date
	account  account.Account
	currency money.Currency
}

// worth is an amount, and what it is worth in the book's currency.
type worth struct{ amount, base money.Amount }

func (w worth) add(v worth) (sum worth, err error) {
	if sum.amount, err = w.amount.Add(v.amount); err != nil {
		return worth{}, err
	}
	sum.base, err = w.base.Add(v.base)
	return sum, err
}

// NewPeriods begins the check.
func NewPeriods() *Periods {
	return &Periods{sums: map[posted]worth{}, roots: map[uint64][]byte{}}
}

// Settled is how many balances were checked.
func (p *Periods) Settled() int { return p.settled }

// Head takes the log's root at a number of commits, all of which were taken.
func (p *Periods) Head(size uint64, root []byte) {
	if p.closedAt > 0 && size >= p.closedAt {
		p.roots[size] = bytes.Clone(root)
	}
}

// Commit takes the events of the commit at a position. An error means that they
// cannot be posted or do not follow from those before.
func (p *Periods) Commit(position uint64, changes []domain.Change) (found []Finding, err error) {
	for _, change := range changes {
		entries, err := account.Post(change.Event, change.Stream)
		if err != nil {
			return found, fmt.Errorf("audit: commit %d: %w", position, err)
		}
		if change.Stream.Kind == domain.KindPeriod { // before its own entries, which balances are without
			more, err := p.period(position, change.Event)
			if err != nil {
				return found, fmt.Errorf("audit: commit %d: %w", position, err)
			}
			found = append(found, more...)
		}
		for _, e := range entries {
			if !p.state.Open(e.Date) && change.Stream.Kind != domain.KindPeriod {
				found = append(found, Finding{position, CodeBooked, fmt.Sprintf("%s is dated %s, and the book was closed through %s",
					e.Document, e.Date, p.state.Through())})
			}
			if err := p.add(e); err != nil {
				return found, fmt.Errorf("audit: commit %d: %w", position, err)
			}
		}
	}
	return found, nil
}

func (p *Periods) add(e account.Entry) error {
	for _, posting := range e.Postings {
		key := posted{e.Date, posting.Account, posting.Amount.Currency()}
		sum, err := p.sums[key].add(worth{posting.Amount, posting.Base})
		if err != nil {
			return err
		}
		p.sums[key] = sum
	}
	return nil
}

// period follows the events of periods.
func (p *Periods) period(position uint64, event domain.Event) (found []Finding, err error) {
	next, err := p.state.Evolve(event)
	if err != nil {
		return nil, err
	}
	p.state = next.(period.State)
	switch e := event.(type) {
	case *period.Closed:
		p.closedAt = position + 1
	case *period.Settled:
		p.settled++
		found, err = p.settle(position, e)
		p.forget()
	case *period.Reopened:
		p.forget()
	}
	return found, err
}

// forget lets go of what only an unsettled period needs.
func (p *Periods) forget() {
	p.closedAt = 0
	clear(p.roots)
}

func (p *Periods) settle(position uint64, e *period.Settled) (found []Finding, err error) {
	if root := p.roots[e.Proof.Size]; e.Proof.Size > position || !bytes.Equal(root, e.Proof.Root) || root == nil {
		found = append(found, Finding{position, CodeProof, fmt.Sprintf(
			"the balances at the end of %s were read at %d commits, where the log was not as it says, or not closed yet", e.Through, e.Proof.Size)})
	}
	want, err := p.Balances(e.Through)
	if err != nil {
		return found, err
	}
	if !slices.Equal(want, e.Balances) {
		found = append(found, Finding{position, CodeBalance, fmt.Sprintf(
			"the balances at the end of %s are entered as %v, and the entries amount to %v", e.Through, e.Balances, want)})
	}
	return found, nil
}

// Balances adds up what the accounts hold at the end of a day, by the commits
// that were taken: in the order of package period, without those that are even.
func (p *Periods) Balances(through domain.Date) ([]period.Balance, error) {
	sums := map[posted]worth{}
	for key, posted := range p.sums {
		if key.date > through {
			continue
		}
		key.date = ""
		sum, err := sums[key].add(posted)
		if err != nil {
			return nil, fmt.Errorf("audit: the balances at the end of %s: %w", through, err)
		}
		sums[key] = sum
	}
	var balances []period.Balance
	for key, sum := range sums {
		if !sum.amount.IsZero() || !sum.base.IsZero() {
			balances = append(balances, period.NewBalance(string(key.account), sum.amount, sum.base))
		}
	}
	slices.SortFunc(balances, period.Order)
	return balances, nil
}
