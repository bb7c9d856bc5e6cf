package account

import (
	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/period"
)

// postPeriod gives the entries of a period's end, none for any other event: what
// is owed in other currencies revalued on its last day, and that taken back on the
// day after. Opening the period again undoes both.
func postPeriod(e domain.Event, stream domain.StreamID) ([]Entry, error) {
	switch e := e.(type) {
	case *period.Settled:
		return revalue(e.Revaluations, e.Through, stream, false)
	case *period.Reopened:
		return revalue(e.Revaluations, e.Through, stream, true)
	default:
		return nil, nil
	}
}

func revalue(all []period.Revaluation, through domain.Date, stream domain.StreamID, undo bool) ([]Entry, error) {
	if len(all) == 0 {
		return nil, nil
	}
	var on, after postings
	for _, r := range all {
		difference := exchange.Worth{Amount: money.Zero(r.Amount.Currency()), Base: r.Difference}
		back := on.neg(difference)
		if undo {
			difference, back = back, difference
		}
		on.debit(Revaluation, difference)
		on.debit(UnrealisedExchange, back)
		after.debit(Revaluation, back)
		after.debit(UnrealisedExchange, difference)
	}
	entries := []Entry{
		{Document: stream, Date: through, Postings: on.list},
		{Document: stream, Date: through.AddDays(1), Postings: after.list},
	}
	for _, entry := range entries {
		if err := entry.Check(); err != nil {
			return nil, err
		}
	}
	return entries, on.err
}
