package bookdir

import (
	"context"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/audit"
	"github.com/daybook-ledger/daybook/ledger/commit"
	"github.com/daybook-ledger/daybook/projections"
)

// PeriodCheck is what a check of a book's periods found.
type PeriodCheck struct {
	// Size is how many commits were read, Settled how many balances added up.
	Size    uint64
	Settled int
	Found   []audit.Finding
}

// CheckPeriods reads the whole log, verified and opened, and adds up again what
// was entered as the balances of closed periods. It needs the book's keys and
// nothing that was derived from the log before.
func (b *Book) CheckPeriods(ctx context.Context, progress func(done, last uint64)) (PeriodCheck, error) {
	var check PeriodCheck
	err := b.retry(ctx, func() error {
		durable, err := b.Head()
		if err != nil {
			return err
		}
		check = PeriodCheck{}
		sums := audit.NewPeriods()
		for p, err := range b.source(ctx, projections.Cursor{}) {
			if err != nil {
				return err
			}
			for _, c := range p.Commits {
				found, err := sums.Commit(c.Position, changesOf(c))
				if err != nil {
					return err
				}
				check.Found = append(check.Found, found...)
			}
			sums.Head(p.Cursor.Size, p.Cursor.Root[:])
			check.Size = p.Cursor.Size
			if progress != nil {
				progress(p.Cursor.Size, durable.Size)
			}
		}
		check.Settled = sums.Settled()
		return nil
	})
	return check, err
}

// changesOf gives the events of a commit as they were decided.
func changesOf(c commit.Commit) []domain.Change {
	changes := make([]domain.Change, len(c.Events))
	for i, e := range c.Events {
		changes[i] = domain.Change{Stream: e.Stream, Event: e.Event}
	}
	return changes
}
