package ledger

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/domain/rules"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/ledger/commit"
)

// decide is the loop that decides commands, one after the other.
func (w *Writer) decide() {
	for begun := false; ; {
		r := w.take()
		if r == nil {
			w.refuseRest()
			w.mu.Unlock()
			return
		}
		switch {
		case w.broken != nil:
			r.giveUp(w.broken)
		case !begun:
			w.redo = slices.Insert(w.redo, 0, r) // where it is answered whatever comes of this
			begun = w.begin()
		default:
			w.handle(r)
		}
		w.mu.Unlock()
	}
}

// begin takes over the log, before the first command is decided. It is false when
// the writer stops or breaks. The mutex is held, but not meanwhile: nothing is
// pending yet, so the flusher leaves head and tree alone.
func (w *Writer) begin() bool {
	w.mu.Unlock()
	defer w.mu.Lock()
	err := w.takeOver()
	if err != nil && !errors.Is(err, errStopped) {
		w.fail(err)
	}
	return err == nil
}

// take locks the mutex and gives the next request, once it can be decided: there
// is room for its commit, and the log is not being read again. As the mutex stays
// locked until the decision is made, nothing comes between. It is nil when the
// writer has stopped.
func (w *Writer) take() *request {
	w.mu.Lock()
	for {
		for (w.stalled || w.full()) && w.broken == nil && w.unsettled.Err() == nil {
			w.changed.Wait()
		}
		if w.unsettled.Err() != nil {
			return nil
		}
		if len(w.redo) > 0 {
			r := w.redo[0]
			w.redo = w.redo[1:]
			return r
		}
		w.admit()
	}
}

// full reports whether as much waits in memory as may. The mutex is held.
func (w *Writer) full() bool {
	return len(w.pending) >= maxWaiting || len(w.over.unwritten) >= maxUnwritten
}

// admit waits until a newcomer stands in line, or something else is to be looked
// at. While the writer closes, nobody is let in. The mutex is held, but not
// meanwhile.
func (w *Writer) admit() {
	requests := w.requests
	if w.closing {
		requests = nil
	}
	w.mu.Unlock()
	var newcomer *request
	select {
	case newcomer = <-requests:
	case <-w.look:
	case <-w.unsettled.Done():
	}
	w.mu.Lock()
	if newcomer != nil {
		w.sequence++
		newcomer.sequence = w.sequence
		w.redo = append(w.redo, newcomer) // behind whatever was dropped meanwhile
	}
}

// refuseRest answers the commands that will not be decided any more. The mutex is
// held.
func (w *Writer) refuseRest() {
	for _, r := range w.redo {
		r.giveUp(ErrClosed)
	}
	w.redo = nil
}

// handle decides one request. The mutex is held.
func (w *Writer) handle(r *request) {
	if !r.stage.CompareAndSwap(waiting, taken) && r.stage.Load() == abandoned {
		return
	}
	if first, found := w.under[r.ID]; found {
		if behind := w.whyBehind(); behind != nil {
			r.finish(answer{err: unknownBehind(behind)})
			return
		}
		first.joined = append(first.joined, r)
		return
	}
	known, err := w.over.durable(commandKey(r.ID))
	if err != nil {
		w.end(r, answer{err: w.condemn(err)})
		return
	}
	if known != nil {
		w.repeat(r, known.(commandRow))
		return
	}
	if behind := w.whyBehind(); behind != nil {
		w.end(r, answer{err: behind})
		return
	}
	e, err := w.decision(r)
	var refusal *domain.Refusal
	switch {
	case errors.As(err, &refusal):
		w.hold(r, refusal)
	case err != nil:
		w.end(r, answer{err: w.condemn(err)})
	default:
		w.at("decided")
		w.over.decided(e.commit.Position, e.updates)
		w.pending = append(w.pending, e)
		w.under[r.ID] = r
		w.next++
		w.recorded = e.commit.Recorded
		select {
		case w.sealing <- e:
		case <-w.unsettled.Done(): // nobody seals any more, and the flusher gives up what is pending
		}
		w.changed.Broadcast()
	}
}

// repeat answers a command whose id is in the book.
func (w *Writer) repeat(r *request, row commandRow) {
	if row.Digest != r.encoded.Digest {
		w.end(r, answer{err: domain.Refuse(CodeCommandIDReused, "the command id %s belongs to a command of other content", r.ID).
			WithHint("give each command an id of its own")})
		return
	}
	checkpoint, err := w.newest()
	w.end(r, answer{row: row, size: w.durableHead.Size, checkpoint: checkpoint, repeated: true, err: err})
}

// newest is the checkpoint of the durable head.
func (w *Writer) newest() ([]byte, error) {
	if w.checkpoint == nil {
		checkpoint, err := w.Signer.Checkpoint(w.durableHead)
		if err != nil {
			return nil, err
		}
		w.checkpoint = checkpoint
	}
	return w.checkpoint, nil
}

// end answers a request for good, and lets those that joined it be decided.
func (w *Writer) end(r *request, a answer) {
	r.finish(a)
	if w.under[r.ID] == r {
		delete(w.under, r.ID)
	}
	w.again(r.joined)
	r.joined = nil
}

// hold keeps a refusal until every state that it saw is durable: a caller who
// acts on it must not find later that what stood in the way never happened.
func (w *Writer) hold(r *request, refusal error) {
	if len(w.pending) == 0 {
		w.end(r, answer{err: refusal})
		return
	}
	last := w.pending[len(w.pending)-1]
	last.refused = append(last.refused, refused{r, refusal})
}

// decision decides a command and folds its events. Nothing is changed yet.
func (w *Writer) decision(r *request) (*entry, error) {
	if w.Room != nil {
		if err := w.Room(); err != nil {
			return nil, err
		}
	}
	if err := w.begun(r.Command); err != nil {
		return nil, err
	}
	moment, err := w.moment(r.Principal)
	if err != nil {
		return nil, err
	}
	if err := w.rotated(); err != nil {
		return nil, err
	}
	if r.Expect != nil {
		row, err := w.over.stream(r.Command.Stream())
		if err != nil {
			return nil, err
		}
		if row.Revision != *r.Expect {
			return nil, domain.Refuse(CodeRevisionConflict, "%s is at revision %d, not %d", r.Command.Stream(), row.Revision, *r.Expect).
				WithHint("look at it again and repeat the command against what it is now")
		}
	}
	changes, err := rules.Decide(states{w.over}, moment, r.Command)
	if err != nil {
		return nil, err
	}
	e := &entry{request: r, sealed: make(chan struct{}), commit: commit.Commit{
		Book: w.Book, Epoch: w.Epoch, Position: w.next, ID: r.ID, Principal: r.Principal,
		Recorded: moment.Recorded, Correlation: r.Correlation, Causation: r.Causation,
		Rules: rules.Version, Command: r.Command, Digest: r.encoded.Digest, Facts: w.facts,
		Events: make([]commit.Event, len(changes)), Subjects: make(map[uuid.UUID]keyring.KeyID),
	}}
	f := newFolder(w.over)
	for i, change := range changes {
		revision, err := f.event(change.Stream, change.Event)
		if err != nil {
			return nil, err
		}
		e.commit.Events[i] = commit.Event{Stream: change.Stream, Revision: revision, Event: change.Event}
	}
	if err := w.subjects(f, &e.commit); err != nil {
		return nil, err
	}
	if err := f.erase(&e.commit); err != nil {
		return nil, err
	}
	e.updates = f.updates()
	return e, nil
}

// begun refuses a command that would be the first of a log epoch without opening it:
// every reader would refuse the log from there on.
func (w *Writer) begun(c domain.Command) error {
	if _, opens := c.(*book.OpenEpoch); opens || !Unopened(w.Signer.Verifier(), w.next) {
		return nil
	}
	return domain.Refuse(CodeEpochUnopened, "the log has the name %s, and no commit says which log it goes on from", w.Signer.Origin()).
		WithHint("daybook repair enters what opens the log's epoch")
}

// Unopened reports whether a log of a size is in an epoch that has no commit yet: its
// next commit must open it.
func Unopened(v *page.Verifier, size uint64) bool {
	return size > 0 && v.Epoch(size) != v.Epoch(size-1)
}

// subjects finds or makes the keys of the customers of whom a commit holds
// something personal.
func (w *Writer) subjects(f *folder, c *commit.Commit) error {
	for i := -1; i < len(c.Events); i++ {
		var about any = c.Command
		if i >= 0 {
			about = c.Events[i].Event
		}
		personal, is := about.(domain.Personal)
		if !is || !domain.HasPersonalPart(personal) {
			continue
		}
		id := personal.Subject()
		if _, found := c.Subjects[id]; found {
			continue
		}
		key, err := w.key(f, id, c.OnNoDocument(id))
		if err != nil {
			return err
		}
		c.Subjects[id] = key
	}
	return nil
}

// key finds the key that seals a customer's data from now on, or makes one. Keys
// that are older than the key of the facts were rotated out.
func (w *Writer) key(f *folder, id uuid.UUID, onNoDocument bool) (keyring.KeyID, error) {
	row, err := f.subject(id)
	if err != nil {
		return 0, err
	}
	known := row.Documents
	if onNoDocument {
		known = row.Contact
	}
	if n := len(known); n > 0 && known[n-1] > w.facts && (!onNoDocument || !slices.Contains(row.Documents, known[n-1])) {
		return known[n-1], nil
	}
	key, err := w.newKey()
	if err != nil {
		return 0, err
	}
	return key, f.seals(id, onNoDocument, key)
}

// newKey gives a key that seals nothing yet. Keys are flushed before a page can
// use them. They are made ahead, ever more at a time, so that a short run wastes
// few and a long one seldom waits.
func (w *Writer) newKey() (keyring.KeyID, error) {
	for len(w.spare) > 0 && w.spare[0] < w.facts {
		w.spare = w.spare[1:] // rotated out before it was used
	}
	if len(w.spare) == 0 {
		var err error
		if w.spare, err = w.Keys.Reserve(keyring.Subject, w.pool); err != nil {
			return 0, fmt.Errorf("ledger: make a customer's key: %w", err)
		}
		w.pool = min(2*w.pool, 256)
	}
	key := w.spare[0]
	w.spare = w.spare[1:]
	return key, nil
}

// rotated looks, at most once in a while, whether the key of the facts is
// another by now. The mutex is held.
func (w *Writer) rotated() error {
	now := w.Clock.Elapsed()
	if w.facts != 0 && now-w.looked < lookEvery {
		return nil
	}
	facts, err := w.Facts()
	if err != nil {
		return fmt.Errorf("ledger: the key of the facts: %w", err)
	}
	w.facts, w.looked = facts, now
	return nil
}

// moment is the recorded time of the next commit, unless the clock jumped.
func (w *Writer) moment(principal string) (domain.Moment, error) {
	now := w.Clock.Now()
	jump := now.Sub(w.wall) - (w.Clock.Elapsed() - w.elapsed)
	if jump > maxJump || jump < -maxJump || now.Before(w.recorded.Add(-maxJump)) {
		return domain.Moment{}, domain.Refuse(CodeClockJumped,
			"the clock says %s, but the newest entry was recorded at %s and the clock has jumped by %s since the start",
			now.UTC().Format(time.RFC3339), w.recorded.Format(time.RFC3339), jump.Round(time.Second)).
			WithHint("set the machine's clock right and start again")
	}
	recorded := now.UTC().Truncate(time.Microsecond)
	if recorded.Before(w.recorded) {
		recorded = w.recorded
	}
	return domain.Moment{Book: w.Book, Recorded: recorded, Principal: principal}, nil
}

// drop forgets everything undurable; its commands will be decided again, in
// their old order and before any other. The mutex is held.
func (w *Writer) drop() {
	var again []*request
	for _, e := range w.pending {
		again = append(again, e.request)
		delete(w.under, e.request.ID)
		for _, r := range e.refused {
			again = append(again, r.request)
		}
	}
	w.pending = nil
	w.over.dropped()
	w.recorded = w.durable
	w.next = w.durableHead.Size
	w.again(again)
}

// again has requests decided again, before any newcomer. The mutex is held.
func (w *Writer) again(requests []*request) {
	if len(requests) == 0 {
		return
	}
	w.redo = append(w.redo, requests...)
	slices.SortStableFunc(w.redo, func(a, b *request) int { return cmp.Compare(a.sequence, b.sequence) })
	w.nudge()
}

// nudge makes the deciding loop look again.
func (w *Writer) nudge() {
	select {
	case w.look <- struct{}{}:
	default:
	}
}
