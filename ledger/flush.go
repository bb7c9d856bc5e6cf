package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
)

// seal is the loop that turns commits into bytes; several run beside each other.
func (w *Writer) seal() {
	for {
		select {
		case e := <-w.sealing:
			e.bytes, e.err = w.Codec.Seal(e.commit, e.request.encoded)
			w.at("sealed")
			close(e.sealed)
		case <-w.unsettled.Done():
			return
		}
	}
}

// flush is the loop that makes pages of the commits that wait, one at a time.
func (w *Writer) flush() {
	for {
		batch, err := w.gather()
		switch {
		case err != nil:
		case batch == nil:
			err = w.replaceStates()
		default:
			err = w.publish(batch)
		}
		if errors.Is(err, errStopped) {
			w.fail(ErrClosed)
			return
		}
		if err != nil {
			w.fail(err)
			return
		}
	}
}

// gather waits for a sealed commit and gives it with the sealed ones that follow
// it, as many as a page should take; or nothing, where states that were made anew are
// ready to take the place of others.
func (w *Writer) gather() ([]*entry, error) {
	w.mu.Lock()
	for len(w.pending) == 0 && !w.renewed() && w.unsettled.Err() == nil {
		w.changed.Wait()
	}
	if w.renewed() {
		w.mu.Unlock()
		return nil, nil
	}
	if len(w.pending) == 0 {
		w.mu.Unlock()
		return nil, errStopped
	}
	first := w.pending[0]
	w.mu.Unlock()
	select {
	case <-first.sealed:
	case <-w.unsettled.Done():
		return nil, errStopped
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	size := 0
	for i, e := range w.pending {
		select {
		case <-e.sealed:
		default:
			return w.pending[:i:i], nil
		}
		size += len(e.bytes)
		if i > 0 && (size > w.PageTarget || e.err != nil) {
			return w.pending[:i:i], nil
		}
	}
	return w.pending[:len(w.pending):len(w.pending)], nil
}

// publish makes a page of the batch and sees it through to its end: durable,
// remembered and answered, or dropped. An error ends the writer.
func (w *Writer) publish(batch []*entry) error {
	if err := batch[0].err; err != nil {
		return w.refuse(batch[0], fmt.Errorf("ledger: seal: %w", err))
	}
	commits := make([][]byte, len(batch))
	leaves := make([]tlog.Hash, len(batch))
	edge := w.tree.Edge()
	for i, e := range batch {
		commits[i] = e.bytes
		e.commit.Entry = page.EntryHash(e.bytes)
		leaves[i] = page.EntryLeaf(e.commit.Entry)
		edge.Append(leaves[i], nil)
	}
	old := w.head
	after := page.Head{Page: old.Page + 1, Size: edge.Size(), Root: edge.Root()}
	body, err := w.Signer.Page(after, old.Size, commits)
	if err != nil {
		return err
	}
	if len(body) > w.Store.MaxPage() {
		if len(batch) > 1 {
			return w.publish(batch[:1])
		}
		return w.refuse(batch[0], domain.Refuse(CodeCommandTooLarge, "the command's events have %d bytes, more than a page of %d holds", len(body), w.Store.MaxPage()))
	}
	w.at("publish")
	number, err := w.append(body, after)
	switch {
	case err == nil:
		w.at("acknowledged")
		if err := w.tree.Append(leaves...); err != nil {
			w.Log.Warn("the tree's file cannot be written; it will be made anew at the next start", "error", err)
		}
		after.Page = max(after.Page, number)
		w.head = after
		return w.acknowledge(batch, old.Page+1)
	case errors.Is(err, errNotStored):
		return w.startOver()
	default:
		return err
	}
}

// startOver drops what is undurable, reads what others have written, and has the
// dropped commands decided again. Until all is read and remembered the writer is
// stalled: it decides nothing, and answers nobody, from what it knows in part.
func (w *Writer) startOver() error {
	w.mu.Lock()
	w.stalled = true
	w.drop()
	w.mu.Unlock()
	if err := w.catchUpPatiently(); err != nil {
		return err
	}
	if err := w.confirm(); err != nil {
		return err
	}
	if err := w.finishErasures(w.unsettled); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stalled = false
	w.changed.Broadcast()
	return nil
}

// refuse drops everything undurable and ends one of its commands with an error.
func (w *Writer) refuse(e *entry, err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.end(e.request, answer{err: err})
	w.pending = w.pending[1:]
	w.drop()
	for _, r := range e.refused {
		w.again([]*request{r.request})
	}
	w.changed.Broadcast()
	return nil
}

// errNotStored means that a page is not in the log and never will be.
var errNotStored = errors.New("ledger: the page was not stored")

// append stores the page that follows w.head, and settles an unclear outcome.
// It gives the number of the newest page known: the page's own, or that of the
// barrier which proved it stored. w.head itself stays as it is, except that
// barriers which proved the page absent count.
func (w *Writer) append(body []byte, after page.Head) (uint64, error) {
	d := w.logDelay()
	defer d.end()
	err := w.appendOnce(w.head.Page, body)
	switch {
	case err == nil:
		return after.Page, nil
	case errors.Is(err, eventstore.ErrFenced):
		// After an earlier unclear answer the page itself could stand there;
		// but that answer was settled before this page was made.
		return 0, errNotStored
	case w.unsettled.Err() != nil:
		return 0, errStopped
	case errors.Is(err, eventstore.ErrClosed):
		return 0, err
	}
	d.failed(err)
	number, err := w.settle(body, after, d)
	if !errors.Is(err, errStopped) {
		w.setUnclear(nil)
	}
	return number, err
}

func (w *Writer) appendOnce(after uint64, body []byte) error {
	ctx, cancel := context.WithTimeout(w.unsettled, w.AppendWithin)
	defer cancel()
	return w.Store.Append(ctx, after, body)
}

// settle finds out what became of a page: it tries to put a barrier where the
// page would stand. Once the barrier is acknowledged, the page is absent for
// ever; where the page is found instead, a barrier after it proves it durable.
func (w *Writer) settle(body []byte, after page.Head, d *delay) (uint64, error) {
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		number, err := w.settleOnce(body, after)
		if err == nil || hopeless(err) {
			return number, err
		}
		if !errors.Is(err, eventstore.ErrUnclear) {
			w.Log.Warn("an append is not settled yet", "page", after.Page, "error", err)
		}
		d.failed(err)
		select {
		case <-time.After(wait):
		case <-w.unsettled.Done():
			return 0, errStopped
		}
	}
}

// hopeless reports whether trying again would tell the same: what became of the
// page is known, or never will be.
func hopeless(err error) bool {
	return errors.Is(err, errNotStored) || errors.Is(err, errStopped) ||
		errors.Is(err, ErrLogShort) || errors.Is(err, eventstore.ErrClosed)
}

func (w *Writer) settleOnce(body []byte, after page.Head) (uint64, error) {
	if w.unsettled.Err() != nil {
		return 0, errStopped
	}
	recovering, cancel := context.WithTimeout(w.unsettled, 3*w.AppendWithin)
	defer cancel()
	if err := w.Store.Recover(recovering); err != nil {
		return 0, err
	}
	barrier, err := w.barrier(w.head)
	if err != nil {
		return 0, err
	}
	err = w.appendOnce(w.head.Page, barrier)
	if err == nil {
		w.head.Page++
		return 0, errNotStored
	}
	if !errors.Is(err, eventstore.ErrFenced) {
		return 0, err
	}
	if _, err := w.last(recovering); err != nil {
		return 0, err
	}
	found, err := w.read(w.head.Page + 1)
	if err != nil {
		return 0, err
	}
	if !bytes.Equal(found, body) {
		return 0, errNotStored // another writer's, or a barrier: catching up tells
	}
	proof, err := w.barrier(after)
	if err != nil {
		return 0, err
	}
	err = w.appendOnce(after.Page, proof)
	switch {
	case err == nil:
		return after.Page + 1, nil
	case errors.Is(err, eventstore.ErrFenced):
		// Something follows the page, so it is durable. It may be this proof
		// itself, stored without a clear answer; the next fence will tell.
		return after.Page, nil
	default:
		return 0, err
	}
}

// barrier is the empty page that follows a head.
func (w *Writer) barrier(h page.Head) ([]byte, error) {
	after := h
	after.Page++
	return w.Signer.Page(after, h.Size, nil)
}

func (w *Writer) read(number uint64) ([]byte, error) {
	for p, err := range w.Store.Read(w.unsettled, number, number) {
		if err != nil {
			return nil, err
		}
		return p.Body, nil
	}
	return nil, fmt.Errorf("%w: page %d", eventstore.ErrGap, number)
}

// takeOver makes sure that no page of an earlier writer can come after what was
// read: it puts a barrier at the end of the log.
func (w *Writer) takeOver() error {
	for {
		after := w.head
		after.Page++
		barrier, err := w.barrier(w.head)
		if err != nil {
			return err
		}
		number, err := w.append(barrier, after)
		if err == nil {
			w.head.Page = number
			if err := w.confirm(); err != nil {
				return err
			}
			return w.finishErasures(w.unsettled)
		}
		if !errors.Is(err, errNotStored) {
			return err
		}
		if err := w.catchUpPatiently(); err != nil {
			return err
		}
	}
}

// catchUpPatiently catches up however long the log cannot be read.
func (w *Writer) catchUpPatiently() error {
	d := w.logDelay()
	defer d.end()
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := w.catchUp(w.unsettled)
		if w.unsettled.Err() != nil {
			return errStopped
		}
		if !errors.Is(err, eventstore.ErrUnavailable) {
			return err
		}
		d.failed(err)
		select {
		case <-time.After(wait):
		case <-w.unsettled.Done():
			return errStopped
		}
	}
}

// confirm remembers the head, whose page is known to be durable, and makes it
// the one that receipts are for.
func (w *Writer) confirm() error {
	if err := w.remember(); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.durableHead, w.checkpoint = w.head, nil
	w.next = w.head.Size
	return nil
}

// remember writes the remembered head, once the archive has what it stands for. Until it is written no receipt may leave;
// and a file that failed once fails for good, so an error ends the writer.
func (w *Writer) remember() error {
	if err := w.archive(); err != nil {
		return err
	}
	err := w.Head.Remember(w.remembered())
	w.setUnclear(err)
	if err != nil {
		return fmt.Errorf("ledger: no receipt is given: %w", err)
	}
	return nil
}

// acknowledge remembers the page, and answers its commands. One that erases is
// answered when what it erases is gone from the states too.
func (w *Writer) acknowledge(batch []*entry, number uint64) error {
	if err := w.remember(); err != nil {
		return err
	}
	w.at("remembered")
	checkpoint, err := w.Signer.Checkpoint(w.head)
	if err != nil {
		return err
	}
	return w.erase(w.settled(batch, number, checkpoint))
}

// settled makes a page's commits durable, and answers its commands but those
// that erase, which it gives.
func (w *Writer) settled(batch []*entry, number uint64, checkpoint []byte) (erases []*entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pending = w.pending[len(batch):]
	w.durableHead, w.checkpoint = w.head, checkpoint
	for _, e := range batch {
		e.commit.Page = number
		row := rowOf(e.commit)
		e.updates = append(placed(e.updates, number), update{commandKey(e.commit.ID), row})
		w.over.acknowledged(e.commit.Position, e.updates)
		w.durable = e.commit.Recorded
		w.uses(e.commit)
		answered := answer{row: row, size: w.head.Size, checkpoint: checkpoint}
		if e.erases() {
			erases, w.erasing = append(erases, e), append(w.erasing, erasing{e.request, answered})
		} else {
			w.end(e.request, answered)
		}
		for _, r := range e.refused {
			w.end(r.request, answer{err: r.refusal})
		}
		w.writes = append(w.writes, write{updates: e.updates})
	}
	w.writes = append(w.writes, write{cursor: w.cursor()})
	w.changed.Broadcast()
	return erases
}

func (w *Writer) setUnclear(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unclear = err
}

// receipt makes the proof for an answered command.
func (w *Writer) receipt(r *request, a answer) (Receipt, error) {
	if a.err != nil {
		return Receipt{}, a.err
	}
	proven, err := transparency.NewReceipt(w.tree, a.row.Position, a.row.Entry, a.size, a.checkpoint)
	if err != nil {
		return Receipt{}, fmt.Errorf("%w (the command is in the book, but its receipt cannot be made: %w)", ErrOutcomeUnknown, err)
	}
	return Receipt{
		Receipt: proven,
		Command: r.ID, Page: a.row.Page, Recorded: time.UnixMicro(a.row.Recorded).UTC(), Repeated: a.repeated,
	}, nil
}
