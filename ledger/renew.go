package ledger

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/ledger/commit"
	"github.com/daybook-ledger/daybook/ledger/state"
)

// Renewed is a state file that was begun beside the one in use.
type Renewed struct {
	// File is empty, and Key the id of the new key that it is under.
	File *state.File
	Key  keyring.KeyID
	// Replace puts it in the place of the one in use, which goes with its key, and gives
	// it as it is open there.
	Replace func() (*state.File, error)
	// Discard removes it with its key.
	Discard func() error
}

// renewal makes the writer's states anew from the log, beside those in use, upon which
// commands go on being decided. Between two pages it takes their place.
type renewal struct {
	Renewed
	writer *Writer
	over   *overlay
	chain  *page.Chain
	// recorded is that of the newest commit that was folded.
	recorded time.Time
	// covers is how many of the writer's erasures, the first, it does not know of.
	covers int
	// failed takes note of why the log cannot be read, or the file not be written, while
	// commands wait for that; nil while none does.
	failed func(error)
	stop   context.CancelFunc
	done   chan struct{}
	err    error // valid once done is closed
	// On the writer's mutex.
	ready bool // done is closed
	late  bool // whoever waits for it was answered: it cannot go on at present
}

// newRenewal begins one. It is the flusher's, or that of whoever runs alone.
func (w *Writer) newRenewal() (*renewal, error) {
	made, err := w.Renew()
	if err != nil {
		return nil, fmt.Errorf("ledger: make the state file anew: %w", err)
	}
	r := &renewal{Renewed: made, writer: w, over: newOverlay(made.File, w.CacheRows)}
	if r.chain, err = page.NewChain(w.Signer.Verifier(), page.EmptyHead(), page.Edge{}); err != nil {
		return nil, errors.Join(err, made.Discard())
	}
	w.mu.Lock()
	r.covers = len(w.erasing)
	w.mu.Unlock()
	return r, nil
}

// renew begins to make the states anew; where that is under way already, for other
// erasures, it begins again when that has ended.
func (w *Writer) renew() error {
	if w.renewal != nil {
		return nil
	}
	r, err := w.newRenewal()
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(w.unsettled)
	r.stop, r.done = stop, make(chan struct{})
	w.mu.Lock()
	w.renewal = r
	w.mu.Unlock()
	w.loops.Go(func() {
		r.err = r.follow(ctx)
		close(r.done)
		w.at("ready")
		w.mu.Lock()
		r.ready, r.late = true, false
		w.changed.Broadcast()
		w.mu.Unlock()
	})
	return nil
}

// renewed reports whether states that were made anew are ready. The mutex is held.
func (w *Writer) renewed() bool { return w.renewal != nil && w.renewal.ready }

// renewsLate reports whether those who wait for states to be made anew were answered, for
// that cannot go on at present. The mutex is held.
func (w *Writer) renewsLate() bool { return w.renewal != nil && w.renewal.late }

// abandonRenewal ends what makes the states anew, and removes what it made.
func (w *Writer) abandonRenewal() error {
	r := w.renewal
	if r == nil {
		return nil
	}
	w.mu.Lock()
	w.renewal = nil
	w.mu.Unlock()
	r.stop()
	<-r.done
	_ = r.over.moved() // it goes
	return r.Discard()
}

// replaceStates has the states that were made anew take the place of those in use, and
// answers the erasures that they do not know of.
func (w *Writer) replaceStates() error {
	r := w.renewal
	if r.err != nil {
		return errors.Join(r.err, w.abandonRenewal())
	}
	w.mu.Lock()
	w.renewal = nil
	w.mu.Unlock()
	if err := w.replace(w.unsettled, r); err != nil {
		return err
	}
	w.mu.Lock()
	again := len(w.erasing) > 0
	w.mu.Unlock()
	if again {
		return w.renew()
	}
	return nil
}

// renewNow makes the states anew while nothing else is done.
func (w *Writer) renewNow(ctx context.Context) error {
	if err := w.abandonRenewal(); err != nil {
		return err
	}
	r, err := w.newRenewal()
	if err != nil {
		return err
	}
	w.at("renewing")
	return w.replace(ctx, r)
}

// replace brings a renewal to the log's end and has it take the place of the states in
// use. What was decided upon those and is not durable is decided again. Meanwhile the
// writer is stalled.
func (w *Writer) replace(ctx context.Context, r *renewal) error {
	w.mu.Lock()
	w.stalled = true
	w.drop()
	w.mu.Unlock()
	var d *delay // from the first failure on: a long log takes its time
	r.failed = func(cause error) {
		if d == nil {
			d = w.logDelay()
		}
		d.failed(cause)
	}
	defer func() {
		if d != nil {
			d.end()
		}
	}()
	err := r.fold(ctx, w.head)
	if err == nil {
		err = r.move(ctx, true)
	}
	if err == nil {
		w.setUnclear(nil)
	}
	if err == nil {
		err = w.tree.Sync() // or the next start makes it anew, for it would be behind
	}
	if err != nil {
		_ = r.over.moved() // the error before says more
		return errors.Join(err, r.Discard())
	}
	w.at("remade")
	w.mu.Lock()
	file, err := r.Replace() // with the mutex, or the file that goes would still be written to
	if err == nil {
		w.State, w.StateKey, w.writes, w.condemned = file, r.Key, nil, false
		r.over.file, w.over = file, r.over
	}
	w.mu.Unlock()
	if err != nil {
		return fmt.Errorf("ledger: put the new state file in its place: %w", err)
	}
	w.at("renewed")
	w.mu.Lock()
	defer w.mu.Unlock()
	covered := min(r.covers, len(w.erasing)) // all were given up where the writer failed
	for _, e := range w.erasing[:covered] {
		w.end(e.request, e.answer)
	}
	w.erasing = w.erasing[covered:]
	w.stalled = false
	w.changed.Broadcast()
	return nil
}

// follow folds the log while it grows, until little is left: what came while the rest
// before was folded, as long as that becomes less. While the log is away it waits as long
// as the writer lasts, which goes on without it; those who erase do not.
func (r *renewal) follow(ctx context.Context) error {
	r.writer.at("renewing")
	var late <-chan time.Time // when it could not go on for so long; nil while it can
	r.failed = func(cause error) {
		if late == nil {
			late = time.After(r.writer.AnswerWithin)
		}
		select {
		case <-late:
			late = overdue // for what fails after it, too
			r.answerLate(cause)
		default:
		}
	}
	for before := uint64(math.MaxUint64); ; {
		r.writer.mu.Lock()
		to := r.writer.durableHead
		r.writer.mu.Unlock()
		rest := to.Page - r.chain.Head().Page
		if rest == 0 || rest > before/2 {
			return r.move(ctx, true)
		}
		if err := r.fold(ctx, to); err != nil {
			return err
		}
		before = rest
		late = nil
		r.writer.mu.Lock()
		r.late = false
		r.writer.mu.Unlock()
	}
}

// overdue is a time that has come.
var overdue = func() <-chan time.Time { c := make(chan time.Time); close(c); return c }()

// answerLate answers those who erase: their keys are destroyed, and the states know of
// them until they can be made anew.
func (r *renewal) answerLate(cause error) {
	w := r.writer
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.erasing {
		e.request.finishAll(answer{err: fmt.Errorf("%w (the keys are destroyed, and the states cannot be made anew at present: %s)", ErrOutcomeUnknown, cause)})
	}
	r.late = true
	w.changed.Broadcast()
}

// fold folds the pages up to a head, however long the log cannot be read.
func (r *renewal) fold(ctx context.Context, to page.Head) error {
	for wait := 10 * time.Millisecond; r.chain.Head().Page < to.Page; wait = min(2*wait, 2*time.Second) {
		err := r.foldOnce(ctx, to.Page)
		if ctx.Err() != nil {
			return errStopped
		}
		if err == nil {
			break
		}
		if !errors.Is(err, eventstore.ErrUnavailable) {
			return err
		}
		if err := r.pause(ctx, wait, "the states cannot be made anew at present", err); err != nil {
			return err
		}
	}
	if h := r.chain.Head(); h.Page == to.Page && h != to {
		return fmt.Errorf("%w: its pages to %d lead to another tree head", ErrContradiction, to.Page)
	}
	return nil
}

func (r *renewal) foldOnce(ctx context.Context, last uint64) error {
	for p, err := range commit.Replay(ctx, r.writer.Store, r.chain, r.writer.Codec, last) {
		if err != nil {
			return err
		}
		for _, c := range p.Commits {
			if _, err := r.over.fold(c); err != nil {
				return err
			}
			r.recorded = c.Recorded
		}
		if r.over.waiting() >= maxUnwritten/2 {
			if err := r.move(ctx, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// move begins to write what was folded, however long the file cannot be written, and
// waits until it is, where it is to.
func (r *renewal) move(ctx context.Context, whole bool) error {
	w, h := r.writer, r.chain.Head()
	w.mu.Lock()
	data, err := cbor.Marshal(w.cursorAt(h, r.recorded))
	w.mu.Unlock()
	if err != nil {
		return err
	}
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := r.over.move(h.Size, state.Row{Key: []byte(cursorKey), Value: data})
		if err == nil && whole {
			err = r.over.moved()
		}
		if err == nil {
			return nil
		}
		if err := r.pause(ctx, wait, "the new state file cannot be written; it will be tried again", err); err != nil {
			return err
		}
	}
}

// pause tells why something is to be tried again, and waits for a while; errStopped where
// the context ends.
func (r *renewal) pause(ctx context.Context, d time.Duration, what string, why error) error {
	r.writer.Log.Warn(what, "error", why)
	if r.failed != nil {
		r.failed(why)
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return errStopped
	}
}
