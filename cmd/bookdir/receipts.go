package bookdir

import (
	"fmt"

	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
)

// receiptCheck holds a log against receipts that were given for it: each commit
// must stand where its receipt says, and the log must have had the root that the
// receipt's checkpoint signs when it had that size. So a log that was cut short
// or rewritten since is found, even by who has nothing but a receipt.
type receiptCheck struct {
	receipts []given
	// edge is that of the log so far, while no commit is missing.
	edge page.Edge
}

// given is a receipt and the head that its checkpoint signs.
type given struct {
	transparency.Receipt
	head page.Head
}

// newReceiptCheck checks the receipts by themselves first.
func newReceiptCheck(v *page.Verifier, receipts []transparency.Receipt) (*receiptCheck, error) {
	c := new(receiptCheck)
	for _, r := range receipts {
		h, err := r.Verify(v)
		if err != nil {
			return nil, err
		}
		c.receipts = append(c.receipts, given{r, h})
	}
	return c, nil
}

// check looks at the next commit.
func (c *receiptCheck) check(position uint64, stored []byte) error {
	if len(c.receipts) == 0 {
		return nil
	}
	entry := page.EntryHash(stored)
	whole := c.edge.Size() == position
	if whole {
		c.edge.Append(page.EntryLeaf(entry), nil)
	}
	for _, r := range c.receipts {
		if r.Position == position && r.Entry != entry {
			return &transparency.Failure{Code: transparency.CodeContradiction, What: "a receipt was given for another commit than stands here"}
		}
		if whole && r.head.Size == position+1 && r.head.Root != c.edge.Root() {
			return &transparency.Failure{Code: transparency.CodeContradiction, What: fmt.Sprintf(
				"a receipt's checkpoint signs another root for a log of %d commits", r.head.Size)}
		}
	}
	return nil
}

// end tells which receipts the log does not reach.
func (c *receiptCheck) end(size uint64) (failures []transparency.Failure) {
	for _, r := range c.receipts {
		if r.head.Size > size {
			failures = append(failures, transparency.Failure{Code: CodeShort, Position: size, What: fmt.Sprintf(
				"the log ends with size %d, and a receipt was given when it had %d: what was acknowledged after is lost", size, r.head.Size)})
		}
	}
	return failures
}
