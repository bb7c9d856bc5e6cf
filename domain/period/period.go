// Package period closes the book: whole calendar months, in order. Nothing is
// booked into a closed period; what corrects it is dated in an open one, and is
// reported there.
//
// Closing takes two commands, because a decision sees no balances. Close shuts
// the months: from its commit on no entry is dated in them, so what the accounts
// held at their end cannot change any more. Settle then enters these balances,
// as they were read at a size of the log after that commit, with the log's root
// there: their proof. Where a process dies in between, the period is closed and
// not settled; the balances are the same whenever they are read, so it is
// settled later.
//
// What is owed in other currencies can be revalued with that, at the rates of the
// last day. Only settling, and reopening, post into a period that is closed.
//
// Reopening is an act of its own, with a reason, and undoes only what was closed
// last: what was settled before stays true.
//
// Refusals, besides those of packages field and exchange:
//
//	other-book        the command names another book than the one it is given to
//	invalid-period    the day is not the last one of a month
//	period-not-over   the period has not ended yet
//	period-closed     the date lies in a closed period
//	already-closed    the months are closed already
//	period-unsettled  the period before has no balances yet
//	not-closed        no closed period ends on this day
//	already-settled   the period has its balances already
//	not-the-newest    a later period is closed
//	invalid-balance   the balances are not those of a trial balance
//	invalid-proof     the proof names no state of a log
package period

import (
	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/money"
)

// Stream is the stream of a book's periods.
func Stream(book uuid.UUID) domain.StreamID {
	return domain.StreamID{Kind: domain.KindPeriod, ID: book}
}

// Closed shuts a period: nothing that is dated in it, or before it, is booked
// from now on.
type Closed struct {
	// From is the first day; empty for the book's first period, which has no
	// beginning.
	From domain.Date `json:"from,omitempty"`
	// Through is the last day, that of a month.
	Through domain.Date `json:"through"`
}

// EventType implements domain.Event.
func (*Closed) EventType() string { return "period.closed" }

// Settled enters what the accounts held at the end of a closed period.
type Settled struct {
	Through domain.Date `json:"through"`
	Proof   Proof       `json:"proof"`
	// Balances are those of all accounts that are not even, by account and
	// currency, before the revaluations.
	Balances []Balance `json:"balances,omitempty"`
	// Revaluations are posted on the last day, and taken back on the day after.
	Revaluations []Revaluation `json:"revaluations,omitempty"`
}

// EventType implements domain.Event.
func (*Settled) EventType() string { return "period.settled" }

// Proof is the state of the log that balances were read from: after the commit
// that closed the period. Whoever has the log up to there can add them up.
type Proof struct {
	// Size is the number of commits.
	Size uint64 `json:"size"`
	// Root is the Merkle tree hash over them.
	Root []byte `json:"root"`
}

// Balance is what an account holds in one currency: above zero for a debit.
type Balance struct {
	Account string       `json:"account"`
	Amount  money.Amount `json:"amount"`
	// Base is what it is worth in the book's currency. Exchange differences are a
	// base of no amount.
	Base money.Amount `json:"base,omitzero"`
}

// NewBalance makes a balance in the one form that it has: a base of nothing is
// none.
func NewBalance(account string, amount, base money.Amount) Balance {
	if base.IsZero() {
		base = money.Amount{}
	}
	return Balance{Account: account, Amount: amount, Base: base}
}

// Reopened opens the period again that was closed last. Its balances no longer
// count.
type Reopened struct {
	From    domain.Date `json:"from,omitempty"`
	Through domain.Date `json:"through"`
	Reason  string      `json:"reason"`
	// Revaluations are those of the period, which are undone.
	Revaluations []Revaluation `json:"revaluations,omitempty"`
}

// EventType implements domain.Event.
func (*Reopened) EventType() string { return "period.reopened" }

// Close shuts all months that are open up to and with the one that ends on
// Through, as one period.
type Close struct {
	Book    uuid.UUID   `json:"book"`
	Through domain.Date `json:"through"`
}

// CommandType implements domain.Command.
func (*Close) CommandType() string { return "period.close" }

// Stream implements domain.Command.
func (c *Close) Stream() domain.StreamID { return Stream(c.Book) }

// Settle enters the balances of the period that was closed last.
type Settle struct {
	Book     uuid.UUID   `json:"book"`
	Through  domain.Date `json:"through"`
	Proof    Proof       `json:"proof"`
	Balances []Balance   `json:"balances,omitempty"`
	// Rates are those of other currencies at the end of the period; what is owed
	// in a currency without one is not revalued.
	Rates []Rate `json:"rates,omitempty"`
}

// CommandType implements domain.Command.
func (*Settle) CommandType() string { return "period.settle" }

// Stream implements domain.Command.
func (c *Settle) Stream() domain.StreamID { return Stream(c.Book) }

// Reopen opens the period again that ends on Through: the one closed last.
type Reopen struct {
	Book    uuid.UUID   `json:"book"`
	Through domain.Date `json:"through"`
	Reason  string      `json:"reason"`
}

// CommandType implements domain.Command.
func (*Reopen) CommandType() string { return "period.reopen" }

// Stream implements domain.Command.
func (c *Reopen) Stream() domain.StreamID { return Stream(c.Book) }
