package bookdir

import (
	"context"
	"time"

	"github.com/daybook-ledger/daybook/eventstore/page"
)

// A holder reads its whole log again and again in the background, so that a
// medium that loses something is found while there are still copies of it.
const (
	// scrubAfter is how long a book is open before the first pass: commands that
	// come and go do not begin one.
	scrubAfter = time.Minute
	// scrubPause is the time from one pass to the next.
	scrubPause = time.Hour
	// scrubRest is how much longer the scrub rests than it works.
	scrubRest = 4
)

// Scrubbed is what the passes of a scrub found.
type Scrubbed struct {
	// Passes is how many have ended; the newest is Report.
	Passes int
	Report Report
}

// Scrubbed tells what the scrub found so far, where this process holds the book.
func (b *Book) Scrubbed() Scrubbed {
	l := b.current()
	l.scrubbing.Lock()
	defer l.scrubbing.Unlock()
	return l.scrubbed
}

// scrub starts the background check; it ends when the link is closed.
func (l *link) scrub(v *page.Verifier) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	log := &Log{Info: l.info, Store: l.store, Verifier: v, link: l}
	after, pause := scrubAfter, scrubPause
	if l.options.ScrubAfter > 0 {
		after, pause = l.options.ScrubAfter, l.options.ScrubAfter
	}
	go func() {
		defer close(done)
		for wait := after; ; wait = pause {
			select {
			case <-time.After(wait):
				l.scrubOnce(ctx, log)
			case <-ctx.Done():
				return
			}
		}
	}()
	l.onClose(func(context.Context) error {
		stop()
		<-done
		return nil
	})
}

// scrubOnce makes one pass, and says what it found.
func (l *link) scrubOnce(ctx context.Context, log *Log) {
	last := time.Now()
	report, err := log.Verify(ctx, VerifyOptions{Unkept: true, Slow: func() {
		select {
		case <-time.After(scrubRest * time.Since(last)):
		case <-ctx.Done():
		}
		last = time.Now()
	}})
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		l.options.Log.Warn("the scrub could not read the log to its end; it will be tried again", "error", err)
		return
	}
	for _, f := range report.Failures {
		l.options.Log.Error("the log is not as it should be: "+f.What, "code", f.Code, "page", f.Page, "position", f.Position)
	}
	l.scrubbing.Lock()
	defer l.scrubbing.Unlock()
	l.scrubbed = Scrubbed{Passes: l.scrubbed.Passes + 1, Report: report}
}
