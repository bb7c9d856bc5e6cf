package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/eventstore/page"
)

// CodeArchiveBehind is the code of the refusal of commands while the archive, which
// every receipt needs, cannot be written.
const CodeArchiveBehind = "archive-behind"

// Archive is a second place that keeps the log. It is used by one goroutine at a
// time, but for Required.
type Archive interface {
	// Required reports whether it must have a page before anybody else.
	Required() bool
	// Write writes the log up to a head to it, and first the keys that it uses.
	Write(ctx context.Context, h page.Head) error
}

// archives reports whether receipts need the archive.
func (w *Writer) archives() bool { return w.Archive != nil && w.Archive.Required() }

// archive has the log archived up to the head, where receipts need that, however
// often it must be tried. Commands are not kept waiting for it for ever.
func (w *Writer) archive() error {
	if !w.archives() {
		return nil
	}
	// What is slow goes on: only those who wait are answered.
	written := false // on w.mu
	behind := func(cause error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if !written {
			w.fallBehind(cause)
		}
	}
	slow := time.AfterFunc(w.ArchiveWithin, func() { behind(errSlow) })
	defer func() {
		slow.Stop()
		w.mu.Lock()
		defer w.mu.Unlock()
		written, w.behind = true, nil
	}()
	begun, told := w.Clock.Elapsed(), false
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		var err error
		if w.archives() {
			err = w.Archive.Write(w.unsettled, w.head)
		}
		if w.unsettled.Err() != nil {
			return errStopped
		}
		w.setUnclear(err)
		if err == nil {
			return nil
		}
		if !told {
			told = true
			w.Log.Warn("the archive cannot be written; no receipt is given until it is", "page", w.head.Page, "error", err)
		}
		if w.Clock.Elapsed()-begun >= w.ArchiveWithin {
			behind(err)
		}
		select {
		case <-time.After(wait):
		case <-w.unsettled.Done():
			return errStopped
		}
	}
}

// errSlow is the cause where the archive has not failed yet.
var errSlow = errors.New("it has not taken it in time")

// fallBehind begins or goes on with the refusal of commands, and answers those that
// wait. The mutex is held.
func (w *Writer) fallBehind(cause error) {
	w.behind = domain.Refuse(CodeArchiveBehind, "no receipt is given before the archive has what it is for, and the archive cannot be written: %v", cause).
		WithHint("repeat the command, with the same id, when the archive can be written again; daybook backup --required=false goes on without it")
	unknown := unknownBehind(w.behind)
	nothing := func(r *request) { r.finishAll(answer{err: w.behind}) }
	for _, e := range w.pending {
		e.request.finishAll(answer{err: unknown})
		for _, r := range e.refused {
			nothing(r.request)
		}
	}
	for _, r := range w.redo {
		switch {
		case r.stage.CompareAndSwap(waiting, abandoned):
			nothing(r)
		case r.stage.Load() == taken:
			r.finishAll(answer{err: unknown})
		}
	}
}

// unknownBehind is the answer for a command that will be in the book when the archive
// is written, and is no refusal.
func unknownBehind(behind error) error { return fmt.Errorf("%w (%s)", ErrOutcomeUnknown, behind) }

// whyBehind is the refusal of commands, nil while they are not refused.
func (w *Writer) whyBehind() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.behind
}
