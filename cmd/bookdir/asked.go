package bookdir

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
	"github.com/daybook-ledger/daybook/eventstore/witness"
)

const (
	// CodeWitnessAhead: a witness cosigned more than the log has, or another log.
	CodeWitnessAhead = "witness-contradiction"
	// CodeWitnessUnproven: nothing at hand shows that the log is what a witness
	// cosigned.
	CodeWitnessUnproven = "witness-unproven"
)

// errUnproven means that no signed checkpoint at hand reaches what a witness has
// cosigned.
var errUnproven = errors.New("nothing shows that the log is what it cosigned")

// errNowhere means that the list of keys names a witness, and nothing says where it
// is reached.
var errNowhere = errors.New("it stands in the list of keys, and witnesses.json has no address for it: nobody knows where to ask it")

// askAgain is how often a witness is asked anew, where the process that holds the
// book has more cosigned meanwhile.
const askAgain = 10

// Asked is what a witness says of the log.
type Asked struct {
	Witness string `json:"witness"`
	// Size is the newest size that it cosigned; 0 where it told none.
	Size uint64 `json:"size,omitempty"`
	// Error is why it told none, or what is wrong with the one that it told.
	Error string `json:"error,omitempty"`
}

// signed is a checkpoint that is at hand, and the head that it signs.
type signed struct {
	text []byte
	head page.Head
}

// questions are put to the witnesses: whether the log is what they cosigned. They
// take a signed checkpoint, and a verification has no key to sign one.
type questions struct {
	log *Log
	// given are checkpoints besides those beside the log.
	given []signed
	// shown reports whether the verification has shown that a head is the log's.
	shown func(page.Head) bool
	// tree is that of the log as it is, nil until it is needed; chain adds to it.
	tree  *transparency.Tree
	chain *page.Chain
}

// askWitnesses asks each witness whether the log is the one that it cosigned. What
// contradicts it is a failure, and so is what cannot be shown.
func (v *verification) askWitnesses(ctx context.Context) (answers []Asked, failures []transparency.Failure, err error) {
	l := v.log
	q := &questions{log: l, given: v.given, shown: v.shown}
	defer q.close()
	all, err := witnesses(l.link.dir, l.Info)
	if err != nil {
		return nil, nil, err
	}
	for _, w := range all {
		seen, err := q.ask(ctx, w)
		if f := v.judged(w, seen, err); f != nil {
			failures = append(failures, *f)
		}
		answer := Asked{Witness: w.key.Name, Size: seen}
		if err != nil {
			answer.Error = err.Error()
		}
		answers = append(answers, answer)
	}
	return answers, failures, nil
}

// judged is the failure that an answer is; nil where it is none, as where a witness
// cannot be reached.
func (v *verification) judged(w *asked, seen uint64, err error) *transparency.Failure {
	f := transparency.Failure{Position: min(seen, v.report.Size)}
	switch {
	case errors.Is(err, errContradicts):
		f.Code, f.What = CodeWitnessAhead, fmt.Sprintf(
			"the witness %s has cosigned size %d of another log, or of more than this one with size %d: it was set back or rewritten",
			w.key.Name, seen, v.report.Size)
	case errors.Is(err, errUnproven) && (!v.report.OK || len(v.report.Failures) > 0):
		return nil // the log is not as it should be, which comes first
	case errors.Is(err, errUnproven) && seen == 0:
		f.Code, f.What = CodeWitnessUnproven, fmt.Sprintf("the witness %s could not be asked; %v", w.key.Name, err)
	case errors.Is(err, errUnproven):
		f.Code, f.What = CodeWitnessUnproven, fmt.Sprintf("the witness %s has cosigned size %d; %v", w.key.Name, seen, err)
	default:
		return nil
	}
	return &f
}

// shown reports whether the log was held against a head and has it.
func (v *verification) shown(h page.Head) bool {
	is := func(e transparency.Expectation) bool { return e.Head == h }
	not := func(f transparency.Failure) bool {
		return f.Code == transparency.CodeContradiction && f.Position == h.Size
	}
	return h.Size <= v.report.Size && slices.ContainsFunc(v.expected, is) && !slices.ContainsFunc(v.report.Failures, not)
}

// atHand gives the checkpoints of the log that are at hand, the newest first. A
// process that holds the book may put newer ones there at any time.
func (q *questions) atHand() []signed {
	all := slices.Clone(q.given)
	if text, h, err := q.log.newest(); err == nil && text != nil {
		all = append(all, signed{text, h})
	}
	if c, err := ReadCosigned(q.log.link.dir, q.log.Info); err == nil || errors.Is(err, transparency.ErrQuorum) {
		all = append(all, signed{c.Checkpoint, c.Head})
	}
	slices.SortStableFunc(all, func(a, b signed) int { return cmp.Compare(b.head.Size, a.head.Size) })
	return slices.DeleteFunc(all, func(s signed) bool { return s.head.Size == 0 })
}

// newest is the newest checkpoint at hand whose head the log has; nil where there
// is none.
func (q *questions) newest(ctx context.Context) (*signed, error) {
	for _, s := range q.atHand() {
		is, err := q.has(ctx, s.head)
		if err != nil {
			return nil, err
		}
		if is {
			return &s, nil
		}
	}
	return nil, nil
}

// first is a checkpoint to begin with: the newest of those that the verification has
// seen, so that the log need not be read again.
func (q *questions) first(ctx context.Context) (*signed, error) {
	all := q.atHand()
	if i := slices.IndexFunc(all, func(s signed) bool { return q.shown(s.head) }); i >= 0 {
		return &all[i], nil
	}
	return q.newest(ctx)
}

// grown has the tree reach a size, if the log does by now.
func (q *questions) grown(ctx context.Context, size uint64) (err error) {
	switch {
	case q.tree == nil:
		q.tree, q.chain, err = q.log.tree(ctx, nil)
	case size > q.tree.Size():
		err = q.log.fill(ctx, q.tree, q.chain, nil)
	}
	return err
}

// has reports whether the log, as it is now, has a head.
func (q *questions) has(ctx context.Context, h page.Head) (bool, error) {
	if err := q.grown(ctx, h.Size); err != nil {
		return false, err
	}
	root, err := q.tree.RootAt(h.Size)
	if errors.Is(err, transparency.ErrTreeSize) {
		return false, nil
	}
	return root == h.Root, err
}

func (q *questions) close() {
	if q.tree != nil {
		_ = q.tree.Close() // a scratch file
	}
}

// ask gives the newest size that a witness cosigned, and errContradicts where the
// log does not have that head, errUnproven where nothing at hand shows that it does.
func (q *questions) ask(ctx context.Context, w *asked) (uint64, error) {
	if w.client.URL == "" {
		return 0, errNowhere
	}
	by, err := q.first(ctx)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errUnproven, err)
	}
	if by == nil {
		return 0, fmt.Errorf("no signed checkpoint of the log is at hand to ask by: %w", errUnproven)
	}
	old, told := by.head.Size, uint64(0)
	for range askAgain {
		r := witness.Request{Old: old, Checkpoint: by.text}
		if old < by.head.Size {
			if r.Proof, err = q.prove(ctx, old, by.head.Size); err != nil {
				return old, fmt.Errorf("%w: %w", errUnproven, err)
			}
		}
		_, err = w.client.AddCheckpoint(ctx, r)
		var conflict *witness.Conflict
		var refused *witness.Refused
		switch {
		case err == nil:
			return by.head.Size, nil
		case errors.As(err, &refused) && refused.Status == http.StatusUnprocessableEntity:
			return told, errContradicts
		case !errors.As(err, &conflict) && told > 0:
			return told, fmt.Errorf("%w: %w", errUnproven, err)
		case !errors.As(err, &conflict):
			return 0, err
		case conflict.Size == 0:
			return 0, nil
		case conflict.Size == old:
			return old, errContradicts
		}
		old, told = conflict.Size, conflict.Size
		if old > by.head.Size {
			if by, err = q.reaching(ctx, old, by); err != nil {
				return old, err
			}
		}
	}
	return old, errUnproven
}

// prove proves that the log of a size goes on from an older one.
func (q *questions) prove(ctx context.Context, old, size uint64) (tlog.TreeProof, error) {
	if err := q.grown(ctx, size); err != nil {
		return nil, err
	}
	return q.tree.ProveTree(old, size)
}

// reaching gives a checkpoint of the log that reaches what a witness has cosigned,
// in place of one that does not: whoever holds the book may have signed it since.
func (q *questions) reaching(ctx context.Context, size uint64, than *signed) (*signed, error) {
	if last, err := q.log.Last(ctx); err == nil && size > last.Size {
		return nil, errContradicts
	}
	by, err := q.newest(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnproven, err)
	}
	if by == nil {
		by = than
	}
	if by.head.Size < size {
		return nil, fmt.Errorf("the newest signed checkpoint at hand is of size %d: %w", by.head.Size, errUnproven)
	}
	return by, nil
}
