package bookdir

import (
	"context"
	"errors"
	"time"

	"github.com/daybook-ledger/daybook/eventstore/page"
)

// requiredArchive is the archive that a writer's receipts may need. What it is to
// be is read anew each time: another process may change it.
type requiredArchive struct {
	link *link
	// begun is the place and the log of which it was seen that nobody else writes
	// there.
	begun string
}

// requiredWait is how long one try waits for another process that writes there, before
// that is told.
const requiredWait = time.Second

// Required implements ledger.Archive. Where it cannot be told it is.
func (r *requiredArchive) Required() bool {
	a, err := ReadArchive(r.link.dir)
	return err == nil && a.Required || err != nil && !errors.Is(err, ErrNoArchive)
}

// Write implements ledger.Archive. While another process writes there it comes back soon,
// to say so.
func (r *requiredArchive) Write(ctx context.Context, h page.Head) error {
	waiting, cancel := context.WithTimeout(ctx, requiredWait)
	defer cancel()
	return r.link.locked(waiting, func(b *backup) error {
		at := b.archive.To + " " + r.link.info.Origin
		b.alone = at == r.begun
		r.begun = "" // after a failure all that is there is looked at
		_, err := b.run(ctx, h, nil)
		if err == nil {
			r.begun = at
		}
		return err
	})
}
