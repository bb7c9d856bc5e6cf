// Package jetstream keeps a book's log in NATS JetStream: one stream a book,
// one subject, one message a page; the stream's sequence is the page's number.
//
// A Store speaks to a server through a Connection. Embedded runs the server in
// this process, for a book on one machine, and lets other processes on the
// machine read through it. External is a connection to a server elsewhere: the
// embedded server of another process, or a cluster.
//
// # What is trusted
//
// JetStream is trusted with neither integrity nor completeness. Readers get
// ErrGap where a page is missing and ErrForeign where a message is not a page;
// content is checked by the layers above. A page carries the fence it was
// stored behind (the header Nats-Expected-Last-Sequence, equal to its number
// less one), so a message that was published without one is seen to be foreign.
//
// # Durability
//
// An acknowledgement of the embedded server means that the page was flushed
// with fsync. The server does not flush the folder when it begins a new block
// file, nor those above it when it makes a stream; this package does, before
// Append or Create returns. What a process that was killed had written and not
// flushed is flushed by the next Start, before anybody reads it. On an external
// server with one replica the acknowledgement means what the server's
// sync_interval makes of it, and on a cluster that a quorum has the page: neither
// can be checked from here.
//
// # Permissions
//
// Whoever may send requests of the JetStream API can make the server publish
// its answer on any subject of the same account, the pages' included, by naming
// that subject as the reply. Permissions on publishing do not stop this. So
// readers must be in another account than the stream, and reach the few
// requests they need by service imports; Embedded does this, and for the same
// reason readers do without consumers: Read pages by batched direct gets, and
// Follow is woken by the headers that the stream republishes. On a cluster the
// operator has to do the same; readers need, under any prefix:
//
//	STREAM.INFO.<stream>  STREAM.MSG.GET.<stream>  DIRECT.GET.<stream>
//	and to subscribe to book.<id>.stored
//
// The writer needs these and to publish on book.<id>.pages. Nobody who appends
// should be able to update, purge or delete the stream.
package jetstream

import (
	"errors"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/eventstore"
)

// Errors that callers branch on, besides those of package eventstore.
var (
	// ErrNoStream means that the server answers, but holds no log of this book.
	ErrNoStream = errors.New("eventstore: the server holds no log of this book: make one with init, or bring it back from a backup with restore")
	// ErrExists means that the server already holds a log of this book.
	ErrExists = errors.New("eventstore: the server already holds a log of this book")
	// ErrHeld means that another process runs the server of this folder.
	ErrHeld = errors.New("eventstore: the folder is held by another process")
	// ErrUnavailable means that the server could not be reached, or did not
	// answer in time. Trying again later may succeed.
	ErrUnavailable = eventstore.ErrUnavailable
)

// StreamName is the name of the stream that holds a book's log.
func StreamName(book uuid.UUID) string { return "book-" + book.String() }

// PagesSubject is the subject on which pages are published.
func PagesSubject(book uuid.UUID) string { return "book." + book.String() + ".pages" }

// StoredSubject is the subject on which the server tells the headers of each
// page once it is stored.
func StoredSubject(book uuid.UUID) string { return "book." + book.String() + ".stored" }

// RequestSubject is a subject for requests to the process that holds the book.
// The name may have several parts, divided by dots.
func RequestSubject(book uuid.UUID, name string) string {
	return "daybook." + book.String() + "." + name
}

// readerPrefix stands for $JS.API in the account of the readers.
func readerPrefix(book uuid.UUID) string { return "book." + book.String() + ".api" }

const apiPrefix = "$JS.API"
