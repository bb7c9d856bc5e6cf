package bookdir

import (
	"context"
	"errors"
	"fmt"

	"github.com/daybook-ledger/daybook/eventstore/archive"
	"github.com/daybook-ledger/daybook/eventstore/page"
)

// Loss is what a restore does not bring back of what is known to have been
// acknowledged. As an error it means that nobody accepted that.
type Loss struct {
	// Restored and Known are sizes of the log: the commits from the position of the
	// first on, up to the second, are lost.
	Restored, Known uint64
	// Newest is the newest state that is known, and lost.
	Newest page.Head
}

// Commits is how many are lost.
func (l *Loss) Commits() uint64 { return l.Known - l.Restored }

func (l *Loss) Error() string {
	return fmt.Sprintf("bookdir: positions %d to %d were acknowledged and are not brought back", l.Restored, l.Known-1)
}

// expected reads the checkpoints that were given.
func (r Restore) expected(v *page.Verifier) (heads []page.Head, err error) {
	for _, given := range r.Expected {
		e, err := given.Expect(v)
		if err != nil {
			return nil, err
		}
		heads = append(heads, e.Head)
	}
	return heads, nil
}

// loss tells what is known to have been acknowledged and was not brought back, and
// refuses it where nobody accepted it.
func (r Restore) loss(ctx context.Context, from archivedLog, reader *archive.Reader, h page.Head, expected []page.Head) (*Loss, error) {
	newest, err := reader.Latest(ctx)
	if err != nil {
		return nil, err
	}
	for _, e := range expected {
		if e.Size > newest.Size {
			newest = e
		}
	}
	if err := proven(newest, h); err != nil && r.UntilSize == 0 && r.UntilTime.IsZero() {
		return nil, err
	}
	return accepted(r.AcceptLoss, h, newest, r.ReadOnly)
}

// accepted gives the loss between a head and the newest that is known, nil where
// there is none, and refuses it where not exactly that was accepted.
func accepted(commits *uint64, h, newest page.Head, anyway bool) (*Loss, error) {
	if newest.Size <= h.Size {
		if commits != nil && *commits != 0 {
			return nil, ErrNoLoss
		}
		return nil, nil
	}
	newest.Page = 0
	lost := &Loss{Restored: h.Size, Known: newest.Size, Newest: newest}
	if !anyway && (commits == nil || *commits != lost.Commits()) {
		return nil, lost
	}
	return lost, nil
}

// ErrNoLoss means that a loss was accepted and nothing is lost.
var ErrNoLoss = errors.New("bookdir: nothing that is known is lost")
