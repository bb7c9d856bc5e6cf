package bookdir

import (
	"context"
	"errors"
	"fmt"

	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
)

// receiptCheck holds a log against receipts that were given for it: each commit
// must stand where its receipt says. That the log has the root that the receipt's
// checkpoint signs is expected besides.
type receiptCheck map[uint64][]transparency.Receipt

// newReceiptCheck checks the receipts by themselves first, and gives the heads
// that their checkpoints sign.
func newReceiptCheck(v *page.Verifier, receipts []transparency.Receipt) (receiptCheck, []transparency.Expectation, error) {
	c := make(receiptCheck)
	var heads []transparency.Expectation
	for _, r := range receipts {
		h, err := r.Verify(v)
		if err != nil {
			return nil, nil, err
		}
		c[r.Position] = append(c[r.Position], r)
		heads = append(heads, transparency.Expectation{Head: h, Whose: "a receipt's checkpoint"})
	}
	return c, heads, nil
}

// check looks at the next commit.
func (c receiptCheck) check(position uint64, stored []byte) *transparency.Failure {
	for _, r := range c[position] {
		if r.Entry != page.EntryHash(stored) {
			return &transparency.Failure{Code: transparency.CodeContradiction, What: "a receipt was given for another commit than stands here"}
		}
	}
	return nil
}

// before reports whether a receipt is for a position below size.
func (c receiptCheck) before(size uint64) bool {
	for position := range c {
		if position < size {
			return true
		}
	}
	return false
}

// errReached ends the reading of a log where a receipt's checkpoint ends.
var errReached = errors.New("bookdir: the log has what the receipt proves")

func givenUp(at uint64) string {
	return fmt.Sprintf("the book opened a new epoch at size %d and gave up what came after", at)
}

// Honours tells whether the log honours a receipt that is genuine by a list of keys
// that leads to the log's: it has the entry at the receipt's position, and the tree
// head that its checkpoint signs. It reads the log up to there, and gives what is
// wrong, nil if nothing is. Where the log is damaged up to there, that cannot be told:
// the error is then a *transparency.Failure, the damage.
func (l *Log) Honours(ctx context.Context, r transparency.Receipt, trusted transparency.KeyList, progress func(pages, of uint64)) (*transparency.Failure, error) {
	if own := l.Info.list; own != nil {
		if at, is := trusted.GivenUp(*own, r.Checkpoint); is {
			return &transparency.Failure{Position: r.Position, Code: page.ErrKeyRange.Code, What: givenUp(at)}, nil
		}
	}
	held, heads, err := newReceiptCheck(l.Verifier, []transparency.Receipt{r})
	if err != nil {
		return nil, err
	}
	report, err := transparency.Verify(ctx, l.Store, l.Verifier, transparency.Options{
		Expected: heads, Progress: progress,
		Commit: func(leaf transparency.Leaf) error {
			if f := held.check(leaf.Position, leaf.Stored); f != nil {
				return f
			}
			return nil
		},
		Proved: func(h page.Head, _ func() page.Edge) error {
			if h.Size >= heads[0].Size {
				return errReached
			}
			return nil
		},
	})
	if errors.Is(err, errReached) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	// Everything before the first failure is proved: it alone says something of what
	// the receipt proves.
	first := report.Failures[0]
	if code, other := told[first.Code]; other {
		first.Code = code
	}
	if first.Code == transparency.CodeContradiction || first.Code == CodeShort {
		return &first, nil
	}
	return nil, fmt.Errorf("bookdir: whether the log honours the receipt cannot be told: %w", &first)
}
