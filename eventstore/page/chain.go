package page

import (
	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-ledger/daybook/eventstore"
)

// Chain checks that pages continue a log, one after the other. It holds the
// head and the edge of the log so far, nothing more. It is not safe for
// concurrent use. After an error it stands where it stood before.
type Chain struct {
	verifier *Verifier
	head     Head
	edge     Edge
	// key is the newest of the log's keys that signed so far.
	key int
	// next and leaves are reused from page to page.
	next   Edge
	leaves []tlog.Hash
}

// NewChain makes a chain that stands at a head whose edge is known: EmptyHead
// (or the zero Head) and the zero Edge before the first page. The edge is
// checked against the head (ErrEdge), so it need not come from a trusted place;
// the head must.
func NewChain(v *Verifier, from Head, edge Edge) (*Chain, error) {
	if from == (Head{}) {
		from = EmptyHead()
	}
	if err := edge.Check(from); err != nil {
		return nil, err
	}
	return &Chain{verifier: v, head: from, edge: edge.Clone()}, nil
}

// Head is the head of the last page that was accepted.
func (c *Chain) Head() Head { return c.head }

// Edge gives a copy of the edge that belongs to Head, to continue from later.
func (c *Chain) Edge() Edge { return c.edge.Clone() }

// Next opens the next stored page and accepts it if it continues the log:
// ErrForm, ErrSignature, ErrKeyRange, ErrOrder, ErrSize or ErrRoot otherwise, with the
// number under which the page is stored.
func (c *Chain) Next(stored eventstore.Page) (Page, error) {
	p, err := c.verifier.Open(stored.Body)
	if err != nil {
		return Page{}, At(err, stored.Number)
	}
	if err := c.follows(stored.Number, p); err != nil {
		return Page{}, err
	}
	c.leaves = p.Leaves(c.leaves[:0])
	if err := c.extend(p, c.leaves); err != nil {
		return Page{}, err
	}
	return p, nil
}

// Accept does what Next does with a page that was opened, and whose leaves were
// hashed, elsewhere: with the Verifier's Open and the page's Leaves, perhaps on
// another core.
func (c *Chain) Accept(number uint64, p Page, leaves []tlog.Hash) error {
	if err := c.follows(number, p); err != nil {
		return err
	}
	return c.extend(p, leaves)
}

// follows checks number and old size.
func (c *Chain) follows(number uint64, p Page) error {
	switch {
	case p.Page != number:
		return fail(ErrOrder, number, "the page says it is page %d", p.Page)
	case number != c.head.Page+1:
		return fail(ErrOrder, number, "the page before was %d", c.head.Page)
	case p.OldSize != c.head.Size:
		return fail(ErrSize, number, "follows size %d, the log has %d", p.OldSize, c.head.Size)
	case p.Key < c.key:
		// At the size where one key follows the other both sign, in that order.
		return fail(ErrKeyRange, number, "a later key of the log has signed before it")
	}
	return nil
}

// extend checks the root and moves the chain on.
func (c *Chain) extend(p Page, leaves []tlog.Hash) error {
	if uint64(len(leaves)) != p.Size-p.OldSize {
		return fail(ErrSize, p.Page, "holds %d commits and signs %d", len(leaves), p.Size-p.OldSize)
	}
	c.next.CopyFrom(&c.edge)
	for _, leaf := range leaves {
		c.next.Append(leaf, nil)
	}
	if root := c.next.Root(); root != p.Root {
		return fail(ErrRoot, p.Page, "positions %d to %d give root %v, the page signs %v",
			p.OldSize, p.Size, root, p.Root)
	}
	c.edge, c.next = c.next, c.edge
	c.head, c.key = p.Head, p.Key
	return nil
}

// At gives an *Error the number under which the page is stored.
func At(err error, number uint64) error {
	if e, ok := err.(*Error); ok {
		return &Error{Code: e.Code, Page: number, What: e.What}
	}
	return err
}
