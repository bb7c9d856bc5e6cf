package transparency

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/page"
)

// checker is the part of Verify that goes through the pages in order.
type checker struct {
	options Options
	verify  *page.Verifier
	report  Report
	// full is set when the report is; stopped when the log could not be read on.
	full, stopped bool
	// number of the last page taken, whatever its state.
	number uint64
	// chain holds while everything before is proved; else nil, and then edge, if
	// known, is what the commits found so far amount to: if a later page signs
	// its root, the pages from there on are proved again.
	chain *page.Chain
	edge  *page.Edge
	// size of the log before the next page, if known.
	size      uint64
	sizeKnown bool
	// compared is set once the remembered head was met.
	compared bool
}

func newChecker(v *page.Verifier, o Options) (*checker, error) {
	chain, err := page.NewChain(v, page.EmptyHead(), page.Edge{})
	if err != nil {
		return nil, err
	}
	c := &checker{options: o, verify: v, chain: chain, sizeKnown: true}
	c.report.Root = page.EmptyRoot
	if r := o.Remembered; r != nil {
		c.compared = r.Page == 0 && r.Size == 0
	}
	return c, nil
}

// take checks one page. Its error is not a finding but ends the check.
func (c *checker) take(job *job) error {
	switch {
	case errors.Is(job.readErr, eventstore.ErrGap):
		c.lose(job.number, CodeMissing, job.readErr.Error())
		return nil
	case errors.Is(job.readErr, eventstore.ErrForeign):
		c.lose(job.number, CodeForeign, job.readErr.Error()+"; the pages from there on were not checked")
		c.stopped = true
		return nil
	case job.readErr != nil:
		return job.readErr
	case job.number != c.number+1:
		c.fail(job.number, page.ErrOrder.Code, fmt.Sprintf("the store gave it after page %d", c.number))
		c.forget()
	}
	c.number = job.number
	switch {
	case job.err != nil:
		c.found(job.number, page.At(job.err, job.number))
		c.forget()
		return nil
	case job.page.Page != job.number:
		c.fail(job.number, page.ErrOrder.Code, fmt.Sprintf("the page says it is page %d", job.page.Page))
		c.forget()
		return nil
	}
	if c.chain != nil {
		c.proved(job)
	} else {
		c.unproved(job)
	}
	c.size, c.sizeKnown = job.page.Size, true
	c.report.Pages, c.report.Size, c.report.Root = job.number, job.page.Size, job.page.Root
	c.compare(job.page)
	return c.commits(job.page)
}

// proved takes a page while everything before it is proved.
func (c *checker) proved(job *job) {
	err := c.chain.Accept(job.number, job.page, job.leaves)
	if err == nil {
		return
	}
	c.found(job.number, err)
	edge := c.chain.Edge()
	c.chain, c.edge = nil, nil
	if errors.Is(err, page.ErrRoot) {
		appendAll(&edge, job.leaves)
		c.edge = &edge
	}
}

// unproved takes a page after a failure: it checks the size, and whether
// the commits fit again.
func (c *checker) unproved(job *job) {
	p := job.page
	if c.sizeKnown && p.OldSize != c.size {
		c.fail(job.number, page.ErrSize.Code, fmt.Sprintf("follows size %d, the log has %d", p.OldSize, c.size))
		c.edge = nil
	}
	if c.edge != nil {
		appendAll(c.edge, job.leaves)
		if chain, err := page.NewChain(c.verify, p.Head, *c.edge); err == nil {
			c.chain, c.edge = chain, nil
			return
		}
	}
	c.report.Unproved++
}

// forget is for what comes after a page that could not be used.
func (c *checker) forget() { c.chain, c.edge, c.sizeKnown = nil, nil, false }

// lose takes a page that the store could not give.
func (c *checker) lose(number uint64, code, what string) {
	c.fail(number, code, what)
	c.number = number
	c.forget()
}

func appendAll(e *page.Edge, leaves []tlog.Hash) {
	for _, leaf := range leaves {
		e.Append(leaf, nil)
	}
}

// compare checks the remembered head against the page that it is about.
func (c *checker) compare(p page.Page) {
	r := c.options.Remembered
	if r == nil || c.compared {
		return
	}
	met := p.Page == r.Page
	if r.Page == 0 {
		met = p.Size >= r.Size
	}
	if !met {
		return
	}
	c.compared = true
	if p.Size != r.Size || p.Root != r.Root {
		c.fail(p.Page, CodeContradiction, fmt.Sprintf(
			"the log has size %d and root %v, remembered is size %d and root %v: it is not the log that receipts were given for",
			p.Size, p.Root, r.Size, r.Root))
	}
}

// commits calls the option for each commit of a page.
func (c *checker) commits(p page.Page) error {
	if c.options.Commit == nil {
		return nil
	}
	for i, stored := range p.Commits {
		position := p.OldSize + uint64(i)
		err := c.options.Commit(position, p.Page, stored)
		if err == nil {
			continue
		}
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		var finding *Failure
		if errors.As(err, &finding) {
			c.add(Failure{Page: p.Page, Position: position, Code: finding.Code, What: finding.What})
		} else {
			c.add(Failure{Page: p.Page, Position: position, Code: CodeCommit, What: err.Error()})
		}
	}
	return nil
}

// end checks that nothing is missing at the end.
func (c *checker) end(last uint64) {
	if c.stopped {
		return
	}
	if c.number < last {
		c.fail(c.number+1, CodeMissing, fmt.Sprintf("the log ends at page %d, the store counts %d", c.number, last))
	}
	r := c.options.Remembered
	if r == nil || c.compared {
		return
	}
	if r.Page == 0 || c.number < r.Page {
		c.fail(0, CodeLost, fmt.Sprintf(
			"the log ends at page %d with size %d, before the remembered head (page %d, size %d): what was acknowledged after is lost",
			c.report.Pages, c.report.Size, r.Page, r.Size))
	}
}

// found adds an error of package page.
func (c *checker) found(number uint64, err error) {
	var e *page.Error
	if errors.As(err, &e) {
		c.fail(number, e.Code, e.What)
		return
	}
	c.fail(number, page.ErrForm.Code, err.Error())
}

// fail adds a failure of a page.
func (c *checker) fail(number uint64, code, what string) {
	f := Failure{Page: number, Code: code, What: what}
	if c.sizeKnown {
		f.Position = c.size
	}
	c.add(f)
}

func (c *checker) add(f Failure) {
	if c.full {
		return
	}
	c.report.Failures = append(c.report.Failures, f)
	if len(c.report.Failures) == maxFailures {
		c.full = true
		c.report.Failures = append(c.report.Failures, Failure{
			Page: f.Page, Position: f.Position, Code: CodeStopped,
			What: fmt.Sprintf("%d failures: the pages after this one were not checked", maxFailures),
		})
	}
}

// result is the report; whole tells that the log was read to its end.
func (c *checker) result(whole bool) Report {
	c.report.OK = whole && len(c.report.Failures) == 0
	return c.report
}
