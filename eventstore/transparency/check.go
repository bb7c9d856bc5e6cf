package transparency

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

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
	// expected are the heads that were not met yet: those whose page is known, and
	// the others, smallest first.
	expectedPages, expected []Expectation
}

func newChecker(v *page.Verifier, o Options) (*checker, error) {
	if o.From == (page.Head{}) {
		o.From = page.EmptyHead()
	}
	chain, err := page.NewChain(v, o.From, o.Edge)
	if err != nil {
		return nil, err
	}
	c := &checker{options: o, verify: v, chain: chain, number: o.From.Page, size: o.From.Size, sizeKnown: true}
	c.report.Pages, c.report.Size, c.report.Root = o.From.Page, o.From.Size, o.From.Root
	for _, e := range o.Expected {
		if e.Size < o.From.Size || e.Page != 0 && e.Page < o.From.Page {
			return nil, fmt.Errorf("transparency: verify: %s is of size %d, and the check begins at %d", e.Whose, e.Size, o.From.Size)
		}
		if e.Page > 0 {
			c.expectedPages = append(c.expectedPages, e)
		} else if e.Size > 0 {
			c.expected = append(c.expected, e)
		}
	}
	slices.SortStableFunc(c.expected, func(a, b Expectation) int { return cmp.Compare(a.Size, b.Size) })
	c.compare(page.Page{Head: o.From, OldSize: o.From.Size}, nil, nil)
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
	before := c.before(job.page)
	if c.chain != nil {
		c.proved(job)
	} else {
		c.unproved(job)
	}
	c.size, c.sizeKnown = job.page.Size, true
	c.report.Pages, c.report.Size, c.report.Root = job.number, job.page.Size, job.page.Root
	c.compare(job.page, before, job.leaves)
	if err := c.commits(job); err != nil {
		return err
	}
	if c.options.Proved != nil && c.chain != nil && len(c.report.Failures) == 0 {
		return c.options.Proved(c.chain.Head(), c.chain.Edge)
	}
	return nil
}

// before is the edge before a page in the middle of which an expected head lies;
// nil where none does, or where the edge is not known.
func (c *checker) before(p page.Page) *page.Edge {
	if len(c.expected) == 0 || c.expected[0].Size >= p.Size {
		return nil
	}
	var edge page.Edge
	switch {
	case c.chain != nil:
		edge = c.chain.Edge()
	case c.edge != nil:
		edge = c.edge.Clone()
	default:
		return nil
	}
	return &edge
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

// compare checks the expected heads that a page reaches. before is the edge
// before the page where one lies in the middle of it.
func (c *checker) compare(p page.Page, before *page.Edge, leaves []tlog.Hash) {
	c.expectedPages = slices.DeleteFunc(c.expectedPages, func(e Expectation) bool {
		if p.Page == e.Page && p.Head != e.Head {
			c.contradict(p, e, fmt.Sprintf("the page leads to size %d and root %v", p.Size, p.Root))
		}
		return p.Page == e.Page
	})
	for len(c.expected) > 0 && c.expected[0].Size <= p.Size {
		e := c.expected[0]
		c.expected = c.expected[1:]
		root := p.Root
		switch {
		case e.Size == p.Size:
		case before != nil:
			for before.Size() < e.Size {
				before.Append(leaves[before.Size()-p.OldSize], nil)
			}
			root = before.Root()
		default:
			continue // what stands before is damaged, and says so itself
		}
		if root != e.Root {
			c.contradict(p, e, fmt.Sprintf("the log has root %v at that size", root))
		}
	}
}

// contradict adds the failure of an expected head that the log does not have.
func (c *checker) contradict(p page.Page, e Expectation, has string) {
	c.add(Failure{Page: p.Page, Position: e.Size, Code: CodeContradiction, What: fmt.Sprintf(
		"%s is of size %d with root %v, and %s: it is not the log that it was given for", e.Whose, e.Size, e.Root, has)})
}

// commits calls the option for each commit of a page.
func (c *checker) commits(job *job) error {
	if c.options.Commit == nil {
		return nil
	}
	p := job.page
	for i, stored := range p.Commits {
		leaf := Leaf{Position: p.OldSize + uint64(i), Page: p.Page, Stored: stored}
		if job.prepared != nil {
			leaf.Prepared = job.prepared[i]
		}
		err := c.options.Commit(leaf)
		if err == nil {
			continue
		}
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		var finding *Failure
		if errors.As(err, &finding) {
			c.add(Failure{Page: p.Page, Position: leaf.Position, Code: finding.Code, What: finding.What})
		} else {
			c.add(Failure{Page: p.Page, Position: leaf.Position, Code: CodeCommit, What: err.Error()})
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
	for _, e := range slices.Concat(c.expectedPages, c.expected) {
		if e.Page != 0 && e.Page <= c.number {
			continue // lost with a page that says so itself
		}
		c.add(Failure{Position: c.report.Size, Code: CodeLost, What: fmt.Sprintf(
			"the log ends at page %d with size %d, before %s (size %d): what was acknowledged after is lost",
			c.report.Pages, c.report.Size, e.Whose, e.Size)})
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
