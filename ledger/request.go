package ledger

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/ledger/commit"
)

// request is a command on its way through the writer.
type request struct {
	Envelope
	encoded  commit.Command
	sequence uint64       // the order in which requests came in
	stage    atomic.Int32 // waiting, then taken or abandoned
	joined   []*request   // others with the same id, answered after this one
	answers  chan answer
}

// The stages of a request.
const (
	waiting int32 = iota
	taken
	abandoned
)

type answer struct {
	row        commandRow
	size       uint64 // of the tree that the checkpoint signs
	checkpoint []byte
	repeated   bool
	err        error
}

// finishAll answers a request and those that joined it.
func (r *request) finishAll(a answer) {
	r.finish(a)
	for _, joined := range r.joined {
		joined.finishAll(a)
	}
	r.joined = nil
}

// giveUp answers a request that will not be decided any more, and those that
// joined it. Nothing was entered if it never was decided; otherwise it, or the
// one that it had joined, may be in the book.
func (r *request) giveUp(err error) {
	if !r.stage.CompareAndSwap(waiting, taken) {
		err = fmt.Errorf("%w (%w)", ErrOutcomeUnknown, err)
	}
	r.finishAll(answer{err: err})
}

// finish answers a request; joined requests are not answered.
func (r *request) finish(a answer) {
	select {
	case r.answers <- a:
	default: // answered already: a delay was too long
	}
}

// Do implements Book.
func (w *Writer) Do(ctx context.Context, e Envelope) (Receipt, error) { return w.Submit(ctx, e)() }

// Submit implements Book.
func (w *Writer) Submit(ctx context.Context, e Envelope) func() (Receipt, error) {
	r, err := w.hand(ctx, e)
	if err != nil {
		return func() (Receipt, error) { return Receipt{}, err }
	}
	return func() (Receipt, error) { return w.await(ctx, r) }
}

// hand gives a command to the deciding loop.
func (w *Writer) hand(ctx context.Context, e Envelope) (*request, error) {
	if e.ID == uuid.Nil {
		return nil, domain.Refuse(CodeInvalidCommandID, "the command has no id")
	}
	encoded, err := w.Codec.EncodeCommand(e.Command)
	if err != nil {
		return nil, err
	}
	if size := encoded.Size(); size > maxCommand {
		return nil, domain.Refuse(CodeCommandTooLarge, "the command has %d bytes, of at most %d", size, maxCommand)
	}
	r := &request{Envelope: e, encoded: encoded, answers: make(chan answer, 1)}
	for {
		select {
		case w.requests <- r:
			return r, nil
		case <-time.After(lookEvery): // nobody may be deciding
			w.mu.Lock()
			err := w.whyBehind()
			w.mu.Unlock()
			if err != nil {
				return nil, err
			}
		case <-ctx.Done():
			return nil, fmt.Errorf("ledger: nothing was entered: %w", context.Cause(ctx))
		case <-w.unsettled.Done():
			return nil, w.whyClosed()
		}
	}
}

// await waits for the answer to a command, no longer than its context lasts.
func (w *Writer) await(ctx context.Context, r *request) (Receipt, error) {
	select {
	case a := <-r.answers:
		return w.receipt(r, a)
	case <-ctx.Done():
	}
	if r.stage.CompareAndSwap(waiting, abandoned) {
		return Receipt{}, fmt.Errorf("ledger: nothing was entered: %w", context.Cause(ctx))
	}
	select {
	case a := <-r.answers:
		return w.receipt(r, a)
	default:
	}
	if cause := w.Unsettled(); cause != nil {
		return Receipt{}, fmt.Errorf("%w (%w)", ErrOutcomeUnknown, cause)
	}
	return Receipt{}, fmt.Errorf("%w (%w)", ErrOutcomeUnknown, context.Cause(ctx))
}

func (w *Writer) whyClosed() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken != nil {
		return w.broken
	}
	return ErrClosed
}
