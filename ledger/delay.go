package ledger

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/daybook-ledger/daybook/domain"
)

// CodeLogBehind is the code of the refusal of commands while the log takes no pages.
const CodeLogBehind = "log-behind"

// delay is something that must come to its end before commands can be answered, and
// that may take longer than whoever gave them should wait. From AnswerWithin on they
// are answered all the same: those under way with ErrOutcomeUnknown, others with a
// refusal. It is begun by one goroutine at a time.
type delay struct {
	writer  *Writer
	refusal func(cause error) error
	// needed reports whether what is delayed is waited for at all by now; nil where it
	// always is.
	needed func() bool
	timer  *time.Timer
	// On the writer's mutex.
	ended bool
	// still says that it was waited for no more when it was last late, and so should
	// have ended soon after.
	still bool
	cause error // of the newest failure
}

// errSlow is the cause of a delay in which nothing has failed yet.
var errSlow = errors.New("it has not answered yet")

// delay begins one; refusal tells what commands are told, with the newest cause.
func (w *Writer) delay(refusal func(cause error) error, needed func() bool) *delay {
	d := &delay{writer: w, refusal: refusal, needed: needed}
	w.mu.Lock()
	defer w.mu.Unlock() // before that is done it is not late
	d.timer = time.AfterFunc(w.AnswerWithin, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		d.late()
	})
	return d
}

// logDelay is that of the log itself.
func (w *Writer) logDelay() *delay {
	return w.delay(func(cause error) error {
		return domain.Refuse(CodeLogBehind, "the log takes nothing at present: %v", cause).
			WithHint("see what is wrong with the disk, or with the server that holds the log; repeat the command, with the same id, when it is well again")
	}, nil)
}

// failed takes note of why it was in vain this time, nil where it was not.
func (d *delay) failed(cause error) {
	w := d.writer
	w.setUnclear(cause)
	if cause == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if d.cause = cause; w.behind != nil && !d.still {
		d.late() // with the newer cause
	}
}

// end ends the delay, and the refusal of commands.
func (d *delay) end() {
	d.timer.Stop()
	d.writer.mu.Lock()
	defer d.writer.mu.Unlock()
	d.ended, d.writer.behind, d.writer.needed = true, nil, nil
}

// late begins or goes on with the refusal of commands, and answers those that wait.
// The mutex is held.
func (d *delay) late() {
	if d.ended {
		return
	}
	w := d.writer
	needed := d.needed
	if needed != nil {
		d.timer.Reset(w.AnswerWithin) // for commands that are taken when it is needed no more
		if needed() {
			d.still = false
		} else if !d.still {
			d.still = true
			return
		} else {
			needed = nil // it stands still, and all wait for it that come
		}
	}
	w.behind, w.needed = d.refusal(cmp.Or(d.cause, errSlow)), needed
	nothing := func(r *request) { r.finishAll(answer{err: w.behind}) }
	for _, e := range w.pending {
		e.request.finishAll(answer{err: unknownBehind(w.behind)})
		for _, r := range e.refused {
			nothing(r.request)
		}
		e.refused = nil // or they would be decided again where the commit is dropped
	}
	for _, e := range w.erasing {
		e.request.finishAll(answer{err: unknownBehind(w.behind)})
	}
	for _, r := range w.redo {
		switch {
		case r.stage.CompareAndSwap(waiting, abandoned):
			nothing(r)
		case r.stage.Load() == taken:
			r.finishAll(answer{err: unknownBehind(w.behind)})
		}
	}
}

// unknownBehind is the answer for a command that may be in the book when the delay is
// over, and is no refusal.
func unknownBehind(behind error) error { return fmt.Errorf("%w (%s)", ErrOutcomeUnknown, behind) }

// whyBehind is the refusal of commands, nil while they are not refused. From when on
// nothing waits for what is delayed they are not, though whoever waited sees that only
// soon after. The mutex is held.
func (w *Writer) whyBehind() error {
	if w.needed != nil && !w.needed() {
		return nil
	}
	return w.behind
}
