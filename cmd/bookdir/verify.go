package bookdir

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/daybook-ledger/daybook/eventstore/head"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
)

// Codes of findings besides those of package transparency.
const (
	// CodeHeadMissing: there is no remembered head to hold the log against.
	CodeHeadMissing = "head-missing"
	// CodeHeadDamaged: the remembered head cannot be read.
	CodeHeadDamaged = "head-damaged"
	// CodeCommitForm: a commit is not in the form of one.
	CodeCommitForm = "commit-form"
	// CodeCommitPlace: a commit names another book, log epoch or position than
	// those where it stands.
	CodeCommitPlace = "commit-place"
	// CodeCommitTime: a commit's recorded time is before that of the one before.
	CodeCommitTime = "commit-time"
	// CodeCommitNewer: a newer version of the program wrote the commit.
	CodeCommitNewer = "newer-version"
	// CodeForeign: the stream holds what does not belong to the book.
	CodeForeign = "foreign-message"
	// CodeShort: the log ends before the remembered head.
	CodeShort = "log-short"
)

// told are the codes that users of a book know for those of package transparency.
var told = map[string]string{transparency.CodeForeign: CodeForeign, transparency.CodeLost: CodeShort}

// VerifyOptions say how much is verified; the zero value verifies the whole log
// by the public keys alone.
type VerifyOptions struct {
	// Checkpoints are of heads that the log must contain.
	Checkpoints []Checkpoint
	// Receipts must be honoured.
	Receipts []transparency.Receipt
	// Resume goes on from where an earlier verification came, as the folder
	// remembers it: what was verified before is not looked at again.
	Resume bool
	// Deep, unless nil, opens and replays every commit too, from the beginning, and
	// makes the views whose hashes stand in the log.
	Deep *Deep
	// Progress may be nil.
	Progress func(pages, of uint64)
	// Views is told how many commits hold the views that Deep makes, of how many
	// that they must hold; it may be nil.
	Views func(done, of uint64)
	// Slow, unless nil, is called after every page, to make room for others.
	Slow func()
	// Ask asks the witnesses what they have cosigned.
	Ask bool
	// Unkept does not remember how far the verification came.
	Unkept bool

	keepEvery time.Duration // 30 s when 0
}

// Report is what a verification found.
type Report struct {
	transparency.Report
	// Events is how many events the commits hold that could be read.
	Events uint64
	// From is the size from which the verification went on; 0 for the whole log.
	From uint64
	// Asked is what the witnesses said.
	Asked []Asked
	// Attested is what became of the hashes of views in the log, with
	// VerifyOptions.Deep.
	Attested AttestedReport
}

// Verify checks the log, by the public keys alone: every page's form, signature
// and place, every root; that the log has the remembered head, the heads that are
// expected and the one that witnesses cosigned; that every commit's header says
// where it stands and that no stream has a gap; and that the receipts are
// honoured. Memory does not grow with the log. What is wrong stands in the
// report; an error means that the log could not be read to its end, or that a
// receipt is none of this log's.
func (l *Log) Verify(ctx context.Context, o VerifyOptions) (_ Report, err error) {
	if o.Deep != nil {
		o.Deep.link.codec.ProveErasures(l.Store, l.Verifier)
		defer func() { err = errors.Join(err, o.Deep.replayer.Wait()) }()
	}
	v := &verification{log: l, headers: headerCheck{info: l.Info, epoch: l.Verifier.Epoch}, options: o, kept: time.Now()}
	defer v.headers.revisions.close()
	expected, err := v.expect()
	if err != nil {
		return Report{}, err
	}
	known, edge := v.resume(expected)
	if o.Deep != nil && !o.Deep.kept.of(known) {
		known, edge = verified{}, page.Edge{}
		v.headers.forget()
		if err := o.Deep.restart(); err != nil {
			return Report{}, err
		}
	}
	from := known.head()
	v.report.From, v.next = from.Size, from.Size
	v.expected = slices.Clone(expected)
	if err := v.before(ctx, from, &expected); err != nil {
		return v.report, err
	}
	v.report.Report, err = transparency.Verify(ctx, l.Store, l.Verifier, transparency.Options{
		From: from, Edge: edge, Expected: expected, Prepare: v.prepare, Commit: v.commit, Proved: v.proved,
		Progress: o.Progress,
	})
	if o.Deep != nil && o.Deep.broken != nil {
		return v.report, o.Deep.broken
	}
	if err != nil {
		if v.last == nil && v.foundAny() {
			v.withdraw()
		}
		if o.Deep != nil && v.last != nil && v.last.Size != o.Deep.size {
			return v.report, err // what was replayed since is of no page that was proved
		}
		return v.report, errors.Join(err, v.keep(nil)) // an interrupted check goes on from there
	}
	if o.Deep != nil {
		if err := v.attested(ctx); err != nil {
			return v.report, err
		}
	}
	if o.Ask {
		answers, failures, err := v.askWitnesses(ctx)
		if err != nil {
			return v.report, err
		}
		v.report.Asked, v.report.Failures = answers, append(v.report.Failures, failures...)
	}
	if v.foundAny() {
		v.last = nil
	}
	err = v.keep(func(f transparency.Failure) { v.found = append(v.found, f) })
	if v.foundAny() {
		v.withdraw()
	}
	return v.end(), err
}

// foundAny reports whether anything was found so far.
func (v *verification) foundAny() bool { return len(v.found)+len(v.report.Failures) > 0 }

// attested holds the hashes of views in the log against those that it gives. Where
// something was found before, views cannot always be made.
func (v *verification) attested(ctx context.Context) error {
	d := v.options.Deep
	attested, found, err := d.heldAgainst(ctx, d.source(v.log, v.report.Pages), v.options.Views)
	v.report.Attested, v.found = attested, append(v.found, found...)
	if v.foundAny() && ctx.Err() == nil {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("bookdir: make the lists from the log: %w", err)
	}
	return nil
}

// verification is a Verify under way.
type verification struct {
	log      *Log
	options  VerifyOptions
	report   Report
	found    []transparency.Failure // besides those of package transparency
	headers  headerCheck
	receipts receiptCheck
	// given are the checkpoints of the options, beside the heads of those beside the
	// log, and expected all the heads that the log must contain.
	given            []signed
	beside, expected []transparency.Expectation
	// next is the position of the commit that is due.
	next uint64
	// last is how far the log is proved, nil once something was found.
	last *verified
	edge page.Edge
	kept time.Time
}

// end puts the report together.
func (v *verification) end() Report {
	r := v.report
	r.Events = v.headers.events
	for i, failure := range r.Failures {
		if code, other := told[failure.Code]; other {
			r.Failures[i].Code = code
		}
	}
	r.Failures = slices.Concat(v.found, r.Failures)
	slices.SortStableFunc(r.Failures, func(a, b transparency.Failure) int {
		return cmp.Or(cmp.Compare(a.Page, b.Page), cmp.Compare(a.Position, b.Position))
	})
	r.OK = r.OK && len(r.Failures) == 0
	return r
}

// checkpoints gives the heads that the given checkpoints sign.
func (v *verification) checkpoints() (expected []transparency.Expectation, err error) {
	for _, c := range v.options.Checkpoints {
		e, err := c.Expect(v.log.Verifier)
		if errors.Is(err, page.ErrKeyRange) {
			v.found = append(v.found, v.uncounted("the checkpoint in "+c.File, 0, c.Signed, err))
			continue
		}
		if err != nil {
			return nil, err
		}
		v.given, expected = append(v.given, signed{c.Signed, e.Head}), append(expected, e)
	}
	return expected, nil
}

// counted gives the receipts whose checkpoints count. That others count no more is
// found, whatever the log has.
func (v *verification) counted() (receipts []transparency.Receipt) {
	for _, r := range v.options.Receipts {
		if _, err := r.Verify(v.log.Verifier); errors.Is(err, page.ErrKeyRange) {
			v.found = append(v.found, v.uncounted("a receipt's checkpoint", r.Position, r.Checkpoint, err))
			continue
		}
		receipts = append(receipts, r)
	}
	return receipts
}

// uncounted is the failure of a checkpoint by a key that does not count at its size.
func (v *verification) uncounted(whose string, position uint64, checkpoint []byte, err error) transparency.Failure {
	what := err.Error()
	var uncounted *page.Error
	if errors.As(err, &uncounted) {
		what = uncounted.What
	}
	if list := v.log.Info.list; list != nil {
		if at, is := list.GivenUp(*list, checkpoint); is {
			what = givenUp(at)
		}
	}
	return transparency.Failure{Position: position, Code: page.ErrKeyRange.Code, What: whose + ": " + what}
}

// expect gathers the heads that the log must contain.
func (v *verification) expect() ([]transparency.Expectation, error) {
	l := v.log
	expected, err := v.checkpoints()
	if err != nil {
		return nil, err
	}
	remembered, missing, err := l.remembered()
	if err != nil {
		return nil, err
	}
	if missing != nil {
		v.found = append(v.found, *missing)
	} else {
		expected = append(expected, transparency.Remembered(*remembered))
	}
	kept, err := ReadCosigned(l.link.dir, l.Info)
	switch {
	case err == nil:
		kept.Head.Page = 0
		v.beside = append(v.beside, transparency.Expectation{Head: kept.Head, Whose: "the cosigned checkpoint"})
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, transparency.ErrQuorum):
	default:
		code, _ := transparency.Code(err)
		v.found = append(v.found, transparency.Failure{Code: code, What: "the cosigned checkpoint: " + err.Error()})
	}
	if text, h, err := l.newest(); err != nil {
		code, _ := transparency.Code(err)
		v.found = append(v.found, transparency.Failure{Code: cmp.Or(code, page.ErrCheckpointForm.Code), What: "the newest checkpoint: " + err.Error()})
	} else if text != nil {
		v.beside = append(v.beside, transparency.Expectation{Head: h, Whose: "the newest checkpoint"})
	}
	given, heads, err := newReceiptCheck(l.Verifier, v.counted())
	v.receipts = given
	return slices.Concat(expected, v.beside, heads), err
}

// before looks at the remembered head where it lies before the page from which
// the check goes on. Others there are those that the log was held against.
func (v *verification) before(ctx context.Context, from page.Head, expected *[]transparency.Expectation) error {
	var err error
	*expected = slices.DeleteFunc(*expected, func(e transparency.Expectation) bool {
		if err != nil || e.Page == 0 || e.Page >= from.Page {
			return e.Page == 0 && e.Size < from.Size
		}
		var at page.Head
		if at, err = v.log.Head(ctx, e.Page); err == nil && at != e.Head {
			v.found = append(v.found, transparency.Failure{
				Page: e.Page, Position: e.Size, Code: transparency.CodeContradiction,
				What: "the log has another tree head than " + e.Whose + ": it is not the log that receipts were given for",
			})
		}
		return true
	})
	return err
}

// prepared is what the cores find out about a commit beside each other.
type prepared struct {
	err      *transparency.Failure
	position uint64
	recorded int64
	events   []revision
	few      [3]revision // room for those of most commits
	opened   *opened     // with VerifyOptions.Deep
}

// prepare looks at a commit by itself.
func (v *verification) prepare(position uint64, stored []byte) any {
	p := v.headers.prepare(position, stored)
	if v.options.Deep != nil && p.err == nil {
		o := v.options.Deep.open(stored)
		p.opened = &o
	}
	return p
}

// commit looks at a commit after those before it.
func (v *verification) commit(leaf transparency.Leaf) error {
	p := leaf.Prepared.(*prepared)
	if leaf.Position > v.next {
		v.headers.revisions.unread = append(v.headers.revisions.unread, v.next)
	}
	v.next = leaf.Position + 1
	if err := v.receipts.check(leaf.Position, leaf.Stored); err != nil {
		v.found = append(v.found, at(err, leaf))
	}
	if p.err != nil {
		v.headers.revisions.unread = append(v.headers.revisions.unread, leaf.Position)
		return p.err
	}
	if err := v.headers.check(p, leaf); err != nil {
		return err
	}
	if v.options.Deep != nil {
		v.found = append(v.found, v.options.Deep.replay(*p.opened, leaf)...)
	}
	return nil
}

func at(f *transparency.Failure, leaf transparency.Leaf) transparency.Failure {
	return transparency.Failure{Page: leaf.Page, Position: leaf.Position, Code: f.Code, What: f.What}
}

// proved takes note of how far the log is proved.
func (v *verification) proved(h page.Head, edge func() page.Edge) error {
	if v.options.Slow != nil {
		v.options.Slow()
	}
	if v.options.Deep != nil && v.options.Deep.broken != nil {
		return v.options.Deep.broken
	}
	full := v.options.Deep != nil && v.options.Deep.proved(h)
	if v.options.Unkept || len(v.found) > 0 {
		v.last = nil
		if full {
			return v.options.Deep.write(h.Size, nil)
		}
		return nil
	}
	v.last = &verified{Page: h.Page, Size: h.Size, Root: h.Root, Events: v.headers.events, Recorded: v.headers.recorded}
	v.edge = edge()
	if full || time.Since(v.kept) > v.every() {
		if err := v.keep(nil); err != nil {
			return err
		}
	}
	if full && v.options.Deep.proved(h) { // which could not be kept
		return v.options.Deep.write(h.Size, nil)
	}
	return nil
}

// remembered gives the remembered head, or what is wrong with it.
func (l *Log) remembered() (*page.Head, *transparency.Failure, error) {
	h, err := head.Read(filepath.Join(l.link.dir, "head"))
	switch {
	case errors.Is(err, head.ErrMissing):
		return nil, &transparency.Failure{Code: CodeHeadMissing, What: "the remembered head is missing: a loss at the end of the log would not be seen"}, nil
	case errors.Is(err, head.ErrDamaged):
		return nil, &transparency.Failure{Code: CodeHeadDamaged, What: "the remembered head is damaged: a loss at the end of the log would not be seen"}, nil
	case err != nil:
		return nil, nil, err
	case h.Epoch != l.Info.Epoch:
		return nil, &transparency.Failure{Code: transparency.CodeContradiction, What: fmt.Sprintf("the remembered head is of log epoch %d, the book of %d", h.Epoch, l.Info.Epoch)}, nil
	}
	return &h.Head, nil, nil
}
