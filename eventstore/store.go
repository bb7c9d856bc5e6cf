// Package eventstore is the append-only log of a book: numbered pages of
// opaque bytes behind a fence. It knows nothing of invoices. The packages below
// it store pages (memory, jetstream), give them their form and proof (page,
// transparency), sign and encrypt what they carry (seal), hold the keys
// (keyring) and remember how far the log went (head).
package eventstore

import (
	"context"
	"errors"
	"iter"
)

// Store is one book's log. Implementations are safe for concurrent use.
//
// Pages are numbered from 1 without gaps, in the order in which they became
// durable. A page is whole or absent, and never changes.
type Store interface {
	Reader

	// Append stores body as page after+1, provided that after is the number of
	// the last page: the fence. The fence compares numbers, not content, so a
	// caller may append only where it knows the content of page after, because
	// it was acknowledged or read; and therefore one page at a time.
	//
	// A nil error means that the page is durable: flushed to disk on a single
	// node, flushed or replicated to a quorum on a cluster. It survives the
	// loss of the process and of power.
	//
	// ErrFenced means that the page is not and never will be stored, because
	// after is not the last page. ErrTooLarge means that it can never be
	// stored. ErrClosed means that the store was closed before the call, and
	// that nothing was sent. Every other error wraps ErrUnclear, whatever else
	// it wraps: the page is stored, or is not, or may yet be. Append does not
	// retry.
	//
	// body has at least one byte. It may be kept; the caller must not change it
	// afterwards.
	Append(ctx context.Context, after uint64, body []byte) error

	// Follow yields the pages from first on in order, then waits for new ones.
	// It goes on over Recover, and waits while a server is away; it ends with
	// the context's error, with ErrClosed, or with what no waiting mends.
	Follow(ctx context.Context, first uint64) iter.Seq2[Page, error]

	// MaxPage is the largest body, in bytes, that Append takes.
	MaxPage() int

	// Recover makes the store's answers dependable again after ErrUnclear: an
	// embedded server is restarted, so that nothing is served from a memory
	// that the disk refused. Pages that are stored are kept. Followers go on;
	// it is not safe beside other calls. After an error it can be tried again.
	Recover(ctx context.Context) error

	// Close releases the store. Appends under way end with ErrUnclear.
	Close() error
}

// Reader is a log that can be read.
type Reader interface {
	// Read yields the pages from first to last (both included) in order, and
	// ends early, without an error, where the log ends. Numbers below 1 or
	// above the end are allowed. A page that should be there and is not, or
	// any other failure, is yielded as an error and ends the sequence: a gap
	// is never skipped.
	Read(ctx context.Context, first, last uint64) iter.Seq2[Page, error]

	// Last is the number of the newest page, 0 in an empty log, asked from the
	// node that appends go to.
	Last(ctx context.Context) (uint64, error)
}

// Page is one stored message of the log.
type Page struct {
	// Number counts from 1.
	Number uint64
	// Body is the stored bytes, which the receiver owns.
	Body []byte
}

// Errors that callers of a Store branch on.
var (
	ErrFenced   = errors.New("eventstore: fenced: the log has other pages than expected")
	ErrUnclear  = errors.New("eventstore: unclear whether the page was stored")
	ErrTooLarge = errors.New("eventstore: page too large for the store")
	// ErrGap means that a page which must be there is missing: damage.
	ErrGap = errors.New("eventstore: a page is missing from the log")
	// ErrForeign means that the stream holds a message that no writer of this
	// book put there, or is not configured as a book's log must be.
	ErrForeign = errors.New("eventstore: the stream holds what does not belong to the book")
	// ErrUnavailable means that the log could not be read, because what holds it
	// cannot be reached or does not answer in time. Trying again may succeed.
	ErrUnavailable = errors.New("eventstore: the server does not answer")
	// ErrClosed means that the store was closed.
	ErrClosed = errors.New("eventstore: closed")
)
