// Package importer enters documents that other systems issued into a book. A
// source, such as package csvfile, delivers them one by one; Run enters them,
// many at a time and in order, and says what became of each.
//
// # Running it again changes nothing
//
// Every id that an import gives is derived from what the source says: that of a
// document and of its command from kind and number, that of a customer from its
// reference. So an import that was stopped, by an error, a signal or a power
// cut, goes on when the same import is run again: what was entered is found and
// counted as already entered, and nothing is doubled. A document of a known
// number with other content is rejected as changed-document, and what was
// entered before stays as it is.
//
// # Customers
//
// A customer is found by its external reference, and else registered with the
// name and country of the first document that names it. Each document freezes
// the country that it states itself.
//
// # Codes
//
// Rejections have the code of the source, or of the rule that refused the
// document, or one of these:
//
//	changed-document  the number is known, with other content
//
// A refusal that concerns whoever imports, or the book, and not the document
// (not-permitted, for instance) is no rejection: it ends the run.
package importer

import (
	"context"
	"fmt"
	"io"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/money"
)

// Book is what an import needs of a book. It is called by several goroutines at
// once.
type Book interface {
	// Enter checks a command's form (its Validate), gives it to the book, and
	// returns when its commit is durable.
	// The same id with the same command is answered with the outcome of the
	// original. A *domain.Refusal means that nothing was written: with the code
	// "command-id-reused" where the id belongs to another command. After any
	// other error the command may or may not have been entered; the same id may
	// be given again.
	Enter(ctx context.Context, id uuid.UUID, cmd domain.Command) (Outcome, error)
	// Find gives the stream that has a reference.
	Find(ctx context.Context, r domain.Reference) (domain.StreamID, bool, error)
	// DeriveID gives the id that belongs to a label in this book: always the
	// same one, and one that nobody without the book's keys can tell from a
	// random one.
	DeriveID(label string) uuid.UUID
}

// Submitter is a Book that can take a command without waiting for its outcome.
// Where a Book implements it, documents are numbered in the order of the
// source, whatever happens on the way: a run that was stopped and repeated ends
// with the same numbers as one that went through. With Enter alone, documents
// that are under way together are decided in any order.
type Submitter interface {
	// Submit gives a command to the book; wait returns what Enter would, and is
	// called once. Commands are decided in the order of the calls, each in the
	// states that those before it left. Submit may block while the book has
	// too much to do, and must not outlast ctx.
	Submit(ctx context.Context, id uuid.UUID, cmd domain.Command) (wait func() (Outcome, error))
}

// Outcome is what became of a command.
type Outcome struct {
	// AlreadyEntered means that the command was in the book before.
	AlreadyEntered bool
}

// DefaultInFlight is how many documents are under way at a time.
const DefaultInFlight = 256

// maxInFlightSize bounds the memory of the documents under way, in bytes.
const maxInFlightSize = 16 << 20

// Options says where to and how.
type Options struct {
	Book Book
	// Currency is the book's.
	Currency money.Currency
	// Rejects gets the rejects file; nil where nobody wants it.
	Rejects io.Writer
	// InFlight bounds how many documents are under way; 0 means DefaultInFlight.
	InFlight int
	// Progress, where it is set, is called after each document or line of which
	// the outcome is known, with the number of documents so far. It must be
	// quick, and is called by one goroutine at a time.
	Progress func(documents int)
}

// CodeChangedDocument rejects a document whose number is in the book with other
// content.
const CodeChangedDocument = "changed-document"

// Stopped is the error of a run that ended at a document, because the book
// could not take it. Everything before that document is entered or rejected,
// and some after it may be; running the same import again goes on.
type Stopped struct {
	// Number and Line are the document's number and first line in the source.
	Number string
	Line   int
	Err    error
}

func (s *Stopped) Error() string {
	return fmt.Sprintf("importer: stopped at document %.64q (line %d): %v", s.Number, s.Line, s.Err)
}

// Unwrap gives the cause.
func (s *Stopped) Unwrap() error { return s.Err }

// Hint says how to go on.
func (s *Stopped) Hint() string {
	return "run the same import again: what was entered stays and is not entered twice"
}
