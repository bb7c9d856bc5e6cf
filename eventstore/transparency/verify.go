package transparency

import (
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/page"
)

// The codes of failures besides those of package page.
const (
	// CodeMissing: a page that must be there is missing.
	CodeMissing = "page-missing"
	// CodeForeign: the stream holds what does not belong to the book.
	CodeForeign = "log-foreign"
	// CodeLost: the log ends before the remembered head.
	CodeLost = "log-lost"
	// CodeContradiction: the log has another root than was remembered.
	CodeContradiction = "log-contradiction"
	// CodeCommit: Options.Commit refused a commit without a code of its own.
	CodeCommit = "commit"
	// CodeStopped: too many failures; the rest of the log was not looked at.
	CodeStopped = "stopped"
)

// maxFailures bounds a report. A log with more is not damaged but no log.
const maxFailures = 1000

// Options of Verify; the zero value checks the log alone.
type Options struct {
	// From is a head that was verified before, to go on from, and Edge is its
	// edge; the zero values stand for the beginning of the log.
	From page.Head
	Edge page.Edge
	// Expected are heads that the log must contain, none before From.
	Expected []Expectation
	// Prepare, unless nil, is called with the stored bytes of every commit, on all
	// cores and in no order; Commit is given what it gives.
	Prepare func(position uint64, stored []byte) any
	// Commit, unless nil, is called for every commit that could be read, in the
	// order of positions, by one goroutine at a time. An error is a finding, a
	// *Failure one with a code of its own, and the check goes on; an error of the
	// context ends it.
	Commit func(c Leaf) error
	// Proved, unless nil, is called after every page while nothing was found, with
	// the head from which, and the edge, another Verify can go on. Its error ends
	// the check.
	Proved func(h page.Head, edge func() page.Edge) error
	// Progress, unless nil, is called after every page with its number and the
	// number of pages that the log had when Verify began.
	Progress func(pages, of uint64)
}

// Expectation is a head that somebody holds. Where its Page is 0 the log must
// have had the root when it had the size, whichever page that was.
type Expectation struct {
	page.Head
	// Whose says in words what holds it: "the remembered head".
	Whose string
}

// Remembered is the expectation of a remembered head.
func Remembered(h page.Head) Expectation { return Expectation{h, "the remembered head"} }

// Leaf is a commit in its place.
type Leaf struct {
	Position, Page uint64
	Stored         []byte
	// Prepared is what Options.Prepare gave.
	Prepared any
}

// Failure is one bad place in a log. As an error it is what Options.Commit may
// return; Verify then sets Page and Position.
type Failure struct {
	// Page is the number of the page, 0 where the failure is the log's.
	Page uint64 `json:"page"`
	// Position of the commit, or of the first commit of the page, as far as it
	// is known.
	Position uint64 `json:"position"`
	// Code is stable: one of package page's, or of the Code constants.
	Code string `json:"code"`
	// What says in words what was found.
	What string `json:"what"`
}

func (f *Failure) Error() string {
	return fmt.Sprintf("%s: page %d, position %d: %s", f.Code, f.Page, f.Position, f.What)
}

// Report is the result of Verify.
type Report struct {
	// OK holds when the whole log was checked and nothing was found.
	OK bool `json:"ok"`
	// Pages, Size and Root are the head of the log; where OK does not hold, that
	// of the last page that is signed by the log's key and says its place.
	Pages uint64    `json:"pages"`
	Size  uint64    `json:"size"`
	Root  tlog.Hash `json:"root"`
	// Failures in the order in which they were found.
	Failures []Failure `json:"failures,omitempty"`
	// Unproved is the number of pages that are signed and in order, but whose
	// commits could not be checked against a root because of a failure before
	// them.
	Unproved uint64 `json:"unproved,omitempty"`
}

// Verify reads a log from its first page, or from where an earlier Verify came,
// to the last one that it has when Verify begins, and recomputes everything that can be recomputed without a decryption
// key: form, signature, order and size of every page, every leaf, every root. It
// uses all cores, and memory for a few pages only.
//
// What is wrong with the log stands in the report. After a failure the check
// goes on where it can: signatures and order of later pages stay certain, and
// roots are again once one fits. An error means that the log could not be read,
// and that the report is not the whole truth.
func Verify(ctx context.Context, store eventstore.Reader, v *page.Verifier, o Options) (Report, error) {
	last, err := store.Last(ctx)
	if err != nil {
		return Report{}, fmt.Errorf("transparency: verify: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	c, err := newChecker(v, o)
	if err != nil {
		cancel()
		return Report{}, err
	}
	feed := openPages(ctx, store, v, o, last)
	defer feed.wait() // after cancel: runs last
	defer cancel()
	for job := range feed.ordered {
		select {
		case <-job.done:
		case <-ctx.Done(): // the job may never be done
		}
		if err := ctx.Err(); err != nil {
			return c.result(false), fmt.Errorf("transparency: verify page %d: %w", job.number, err)
		}
		if err := c.take(job); err != nil {
			return c.result(false), fmt.Errorf("transparency: verify page %d: %w", job.number, err)
		}
		if c.full {
			return c.result(false), nil
		}
		if o.Progress != nil && !job.missing {
			o.Progress(job.number, last)
		}
	}
	if err := ctx.Err(); err != nil {
		return c.result(false), fmt.Errorf("transparency: verify: %w", err)
	}
	c.end(last)
	return c.result(true), nil
}
