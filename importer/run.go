package importer

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
)

// Run enters what a source delivers. It returns when everything that it began
// is settled, with a summary of what is known to have happened, whatever the
// error. An error that the source delivers ends the run and is returned as it
// is; so is ctx's, when it ended first; an error of the book is a *Stopped.
func Run(ctx context.Context, items iter.Seq2[Item, error], o Options) (Summary, error) {
	r, err := newRun(o)
	if err != nil {
		return Summary{}, err
	}
	for it, err := range items {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		if err == nil {
			err = r.begin(ctx, it)
		}
		if err != nil {
			r.fail(err)
			break
		}
		for r.err == nil && r.full() {
			r.settleOldest(ctx)
		}
		if r.err != nil {
			break
		}
	}
	for len(r.queue) > 0 {
		r.settleOldest(ctx)
	}
	r.fail(r.rejects.flush())
	return r.tally.summary(), r.err
}

// run is one import under way. Its goroutine alone changes it.
type run struct {
	book      Book
	ordered   Submitter // nil where the book is none
	inFlight  int
	progress  func(int)
	rejects   *rejects
	customers *customers
	tally     tally
	// queue holds what is under way, in the order of the source.
	queue []*underWay
	size  int // of the documents in the queue
	err   error
}

// underWay is an item whose outcome is not known yet. A rejection waits in line
// as well, so that the rejects file is in the order of the source.
type underWay struct {
	item    Item
	command uuid.UUID
	stream  uuid.UUID
	buyer   *buyer
	buyerID uuid.UUID // as the document was given to the book
	outcome waiter    // nil for a rejection
}

func newRun(o Options) (*run, error) {
	out, err := newRejects(o.Rejects)
	if err != nil {
		return nil, err
	}
	r := &run{book: o.Book, inFlight: o.InFlight, progress: o.Progress, rejects: out}
	if r.inFlight <= 0 {
		r.inFlight = DefaultInFlight
	}
	r.ordered, _ = o.Book.(Submitter)
	r.customers = newCustomers(max(minCustomers, 4*r.inFlight))
	r.tally.book = o.Currency
	return r, nil
}

func (r *run) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *run) full() bool {
	return len(r.queue) >= r.inFlight || r.size > maxInFlightSize
}

// begin gives an item to the book.
func (r *run) begin(ctx context.Context, it Item) error {
	u := &underWay{item: it}
	if d := it.Document; d != nil {
		b, err := r.buyer(ctx, d.Customer)
		if err != nil {
			return stopped(ctx, it, err)
		}
		u.buyer, u.buyerID = b, b.id
		u.command = r.book.DeriveID("import/command/" + string(d.Kind) + "/" + it.Number)
		u.stream = r.book.DeriveID("import/" + string(d.Kind) + "/" + it.Number)
		u.outcome = r.submit(ctx, u.command, d.command(u.stream, b.id, it.Number, r.tally.book), b.registering)
		r.size += d.Size
	}
	r.queue = append(r.queue, u)
	return nil
}

// submit gives a command to the book, after that of another waiter was
// answered, and does not wait.
func (r *run) submit(ctx context.Context, id uuid.UUID, cmd domain.Command, after waiter) waiter {
	if r.ordered != nil {
		return sync.OnceValues(r.ordered.Submit(ctx, id, cmd))
	}
	var (
		outcome Outcome
		err     error
		done    = make(chan struct{})
	)
	go func() {
		defer close(done)
		if after != nil {
			_, _ = after() // settled, and its error told, with the buyer
		}
		outcome, err = r.book.Enter(ctx, id, cmd)
	}()
	return func() (Outcome, error) {
		<-done
		return outcome, err
	}
}

// settleOldest waits for the outcome of the oldest item under way and counts
// it. Once the run has failed, only what was entered is counted: a refusal may
// be a consequence of the failure, and the next run finds out.
func (r *run) settleOldest(ctx context.Context) {
	u := r.queue[0]
	r.queue = slices.Delete(r.queue, 0, 1)
	if u.outcome == nil {
		if r.err == nil {
			r.reject(u.item, u.item.Rejection.Code, u.item.Rejection.Message, u.item.Rejection.Alone)
		}
		return
	}
	r.size -= u.item.Document.Size
	outcome, err := r.settle(ctx, u)
	var refusal *domain.Refusal
	switch {
	case err == nil && outcome.AlreadyEntered:
		r.tally.already(u.item)
	case err == nil:
		r.tally.entered(u.item)
	case r.err != nil:
		return
	case errors.As(err, &refusal) && !endsRun(refusal):
		code, message := rejection(refusal)
		r.reject(u.item, code, message, false)
		return
	default:
		r.fail(stopped(ctx, u.item, err))
		return
	}
	r.report()
}

// settle waits for a document's outcome. A document whose customer turned out
// to be another than was thought is given to the book again, for that one.
func (r *run) settle(ctx context.Context, u *underWay) (Outcome, error) {
	buyerErr := r.settleBuyer(ctx, u.buyer)
	outcome, err := u.outcome()
	switch {
	case err == nil:
		return outcome, nil
	case buyerErr != nil:
		return Outcome{}, buyerErr
	case u.buyer.refused != nil:
		return Outcome{}, u.buyer.refused
	case u.buyer.id != u.buyerID:
		again := u.item.Document.command(u.stream, u.buyer.id, u.item.Number, r.tally.book)
		return r.submit(ctx, u.command, again, nil)()
	}
	return outcome, err
}

func (r *run) reject(it Item, code, message string, alone bool) {
	r.tally.reject(it, alone)
	r.fail(r.rejects.add(it, code, message))
	r.report()
}

func (r *run) report() {
	if r.progress != nil {
		r.progress(r.tally.Documents)
	}
}

// rejection is how a refused document stands in the rejects file.
func rejection(refusal *domain.Refusal) (code, message string) {
	switch refusal.Code {
	case "command-id-reused", "reference-taken", "invoice-exists", "credit-exists":
		return CodeChangedDocument, "a document of this number is in the book with other content"
	}
	return refusal.Code, refusal.Message
}

// RefusedAs says how a document that a book refused is told: final means that
// the refusal would meet every document, and that an import ends with it.
func RefusedAs(refusal *domain.Refusal) (code, message string, final bool) {
	code, message = rejection(refusal)
	return code, message, endsRun(refusal)
}

// endsRun tells the refusals that would meet every document.
func endsRun(refusal *domain.Refusal) bool {
	switch refusal.Code {
	case "not-permitted", "unknown-principal", "no-book", "foreign-currency",
		"unknown-series", "number-taken", "clock-jumped", "disk-full", "archive-behind", "log-behind":
		return true
	}
	return false
}

// stopped is the error of a book that could not take a document. A run that was
// cancelled has not met an error of the book.
func stopped(ctx context.Context, it Item, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &Stopped{Number: it.Number, Line: it.Lines.First(), Err: err}
}
