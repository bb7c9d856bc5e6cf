package bookdir

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/ledger/commit"
	"github.com/daybook-ledger/daybook/ledger/remote"
)

func (b *Book) current() *link {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.link
}

// Store is the log as it is reached now; whoever does not hold the book cannot
// append to it.
func (b *Book) Store() eventstore.Store { return b.current().store }

// Codec opens the book's commits.
func (b *Book) Codec() *commit.Codec { return b.current().codec }

// Keys is the key ring.
func (b *Book) Keys() *keyring.Ring { return b.current().keys }

// DeriveID gives the id that the book always gives to a label.
func (b *Book) DeriveID(label string) uuid.UUID { return b.current().codec.DeriveID(label) }

// Unclean is the folder with copies of the newest log files, made because the
// last holder did not stop cleanly; "" if it did.
func (b *Book) Unclean() string { return b.current().unclean }

// Head is the log's state as far as it was acknowledged and remembered.
func (b *Book) Head() (page.Head, error) { return b.current().head() }

// Close releases the book. A holder first settles the commands under way.
func (b *Book) Close(ctx context.Context) error { return b.current().close(ctx) }

// Do implements ledger.Book. When the process that held the book has ended, the
// book is opened again, perhaps as its holder, and the command repeated: its id
// makes that safe.
func (b *Book) Do(ctx context.Context, e ledger.Envelope) (ledger.Receipt, error) {
	return b.Submit(ctx, e)()
}

// Submit implements ledger.Book. Where the holder ends in between, commands that
// are repeated may be decided in another order.
func (b *Book) Submit(ctx context.Context, e ledger.Envelope) func() (ledger.Receipt, error) {
	l := b.current()
	wait := l.ledger.Submit(ctx, e)
	return func() (ledger.Receipt, error) {
		receipt, err := wait()
		unknown := false
		for tries := 0; gone(err) && tries < maxReopen; tries++ {
			unknown = unknown || errors.Is(err, ledger.ErrOutcomeUnknown)
			var next *link
			if next, err = b.reopen(ctx, l); err == nil {
				l = next
				receipt, err = l.ledger.Do(ctx, e)
			}
		}
		if unknown && !tells(err) {
			// Not wrapped: what went wrong since says nothing of what was entered before.
			err = fmt.Errorf("%w (then: %s)", ledger.ErrOutcomeUnknown, err)
		}
		return receipt, err
	}
}

// tells reports whether the answer to a command that was given again tells what became
// of it the first time: it is in the book, or it is refused as it stands.
func tells(err error) bool {
	var refusal *domain.Refusal
	if errors.As(err, &refusal) {
		// These are given before anybody looks whether the command is there.
		return refusal.Code != ledger.CodeLogBehind && refusal.Code != ledger.CodeArchiveBehind
	}
	return err == nil || errors.Is(err, ledger.ErrOutcomeUnknown)
}

// Find implements ledger.Book.
func (b *Book) Find(ctx context.Context, r domain.Reference) (domain.StreamID, bool, error) {
	l := b.current()
	stream, found, err := l.ledger.Find(ctx, r)
	for tries := 0; gone(err) && tries < maxReopen; tries++ {
		var next *link
		if next, err = b.reopen(ctx, l); err == nil {
			l = next
			stream, found, err = l.ledger.Find(ctx, r)
		}
	}
	return stream, found, err
}

// maxReopen bounds how often one call opens the book again: holders that come
// and go, as one command after the other does, must not keep it for ever.
const maxReopen = 20

// gone reports whether an error means that the holder has ended.
func gone(err error) bool {
	return errors.Is(err, remote.ErrUnreachable) || errors.Is(err, remote.ErrLost)
}

// reopen replaces a link whose holder has gone, once for all who find it gone.
func (b *Book) reopen(ctx context.Context, was *link) (*link, error) {
	b.reopening.Lock()
	defer b.reopening.Unlock()
	if now := b.current(); now != was {
		return now, nil
	}
	if err := was.close(ctx); err != nil {
		b.options.Log.Debug("what the former holder left could not be closed", "error", err)
	}
	l, err := connect(ctx, b.Dir, b.options)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.link = l
	return l, nil
}
