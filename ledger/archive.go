package ledger

import (
	"context"
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
	// Write writes the log up to a head to it, and first the keys that it uses. Its
	// context ends when it is required no more.
	Write(ctx context.Context, h page.Head) error
}

// archives reports whether receipts need the archive.
func (w *Writer) archives() bool { return w.Archive != nil && w.Archive.Required() }

// archive has the log archived up to the head, where receipts need that, however
// often it must be tried. What is slow goes on: only those who wait are answered.
func (w *Writer) archive() error {
	if !w.archives() {
		return nil
	}
	d := w.delay(func(cause error) error {
		return domain.Refuse(CodeArchiveBehind, "no receipt is given before the archive has what it is for, and the archive cannot be written: %v", cause).
			WithHint("repeat the command, with the same id, when the archive can be written again; daybook backup --required=false goes on without it")
	}, w.archives)
	defer d.end()
	ctx, stop := w.whileArchived()
	defer stop()
	for wait, told := 10*time.Millisecond, false; ctx.Err() == nil; wait = min(2*wait, 2*time.Second) {
		err := w.Archive.Write(ctx, w.head)
		if ctx.Err() != nil {
			break
		}
		d.failed(err)
		if err == nil {
			return nil
		}
		if !told {
			told = true
			w.Log.Warn("the archive cannot be written; no receipt is given until it is", "page", w.head.Page, "error", err)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
	if w.unsettled.Err() != nil {
		return errStopped
	}
	d.failed(nil)
	return nil
}

// whileArchived is a context that ends when receipts need the archive no more, which
// another process may say at any time, or the writer ends.
func (w *Writer) whileArchived() (context.Context, context.CancelFunc) {
	ctx, stop := context.WithCancel(w.unsettled)
	go func() {
		defer stop()
		look := time.NewTicker(lookArchive)
		defer look.Stop()
		for {
			select {
			case <-look.C:
				if !w.archives() {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return ctx, stop
}

// lookArchive is how often it is looked whether receipts need an archive still that has
// them wait.
const lookArchive = 50 * time.Millisecond
