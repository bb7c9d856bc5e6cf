package bookdir

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/archive"
	"github.com/daybook-ledger/daybook/eventstore/page"
)

// CodeLoss is the code of a loss that nobody accepted.
const CodeLoss = "loss"

// Loss is what a restore does not bring back of what is known to have been
// acknowledged. As an error it means that nobody accepted that.
type Loss struct {
	// Restored and Known are sizes of the log: the commits from the position of the
	// first on, up to the second, are lost.
	Restored, Known uint64
	// Newest is the newest state that is known, and lost.
	Newest page.Head
	// Earlier is what earlier epochs of the log are known to have acknowledged besides.
	Earlier []Unaccounted
}

// Commits is how many are lost.
func (l *Loss) Commits() uint64 {
	commits := l.Known - l.Restored
	for _, e := range l.Earlier {
		commits += e.Commits()
	}
	return commits
}

// Positions tells which.
func (l *Loss) Positions() string {
	var parts []string
	if l.Known > l.Restored {
		parts = append(parts, fmt.Sprintf("positions %d to %d", l.Restored, l.Known-1))
	}
	for _, e := range l.Earlier {
		parts = append(parts, e.String())
	}
	return strings.Join(parts, " and ")
}

func (l *Loss) Error() string {
	return fmt.Sprintf("bookdir: %s were acknowledged and are not brought back", l.Positions())
}

// checkpoints are the newest states that are lost, as the log says it: of the log that is
// brought back, and of earlier epochs of it.
func (l *Loss) checkpoints(origin string) (all []book.Checkpoint) {
	if l.Known > l.Restored {
		all = append(all, checkpointOf(origin, l.Newest))
	}
	for _, e := range l.Earlier {
		all = append(all, checkpointOf(e.Origin, e.Newest))
	}
	return all
}

// loss tells what is known to have been acknowledged and was not brought back, and
// refuses it where nobody accepted it.
func (r Restore) loss(ctx context.Context, reader *archive.Reader, h page.Head, expected []page.Head, earlier []Unaccounted) (*Loss, error) {
	newest, err := newestKnown(ctx, reader, expected)
	if err != nil {
		return nil, err
	}
	if err := proven(newest, h); err != nil && r.UntilSize == 0 && r.UntilTime.IsZero() {
		return nil, err
	}
	return accepted(r.AcceptLoss, h, newest, r.ReadOnly, earlier...)
}

// newestKnown is the newest state of the log that is known.
func newestKnown(ctx context.Context, reader *archive.Reader, expected []page.Head) (page.Head, error) {
	newest, err := reader.Latest(ctx)
	for _, e := range expected {
		if e.Size > newest.Size {
			newest = e
		}
	}
	return newest, err
}

// Unsound means that an archive cannot be read as far as it should be: something of it
// is damaged or missing.
type Unsound struct {
	// Sound is the size up to which it can be, Known the newest that is known.
	Sound, Known uint64
	Err          error
}

func (u *Unsound) Error() string {
	return fmt.Sprintf("%v: the archive is sound up to size %d", u.Err, u.Sound)
}

// Unwrap gives what is wrong.
func (u *Unsound) Unwrap() error { return u.Err }

// unsound adds to an error of reading the archive how far it is sound.
func (r Restore) unsound(ctx context.Context, reader *archive.Reader, h page.Head, expected []page.Head, err error) error {
	if badPage := (*page.Error)(nil); !errors.Is(err, eventstore.ErrGap) && !errors.As(err, &badPage) {
		return err
	}
	newest, latestErr := newestKnown(ctx, reader, expected)
	if latestErr != nil {
		return errors.Join(err, latestErr)
	}
	return &Unsound{Sound: h.Size, Known: max(h.Size, newest.Size), Err: err}
}

// accepted gives the loss between a head and the newest that is known, nil where
// there is none, and refuses it where not exactly that was accepted.
func accepted(commits *uint64, h, newest page.Head, anyway bool, earlier ...Unaccounted) (*Loss, error) {
	newest.Page = 0
	lost := &Loss{Restored: h.Size, Known: max(h.Size, newest.Size), Newest: newest, Earlier: earlier}
	if lost.Commits() == 0 {
		if commits != nil && *commits != 0 {
			return nil, ErrNoLoss
		}
		return nil, nil
	}
	if !anyway && (commits == nil || *commits != lost.Commits()) {
		return nil, lost
	}
	return lost, nil
}

// ErrNoLoss means that a loss was accepted and nothing is lost.
var ErrNoLoss = errors.New("bookdir: nothing that is known is lost")
