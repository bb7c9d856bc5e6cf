package page

import "fmt"

// Error is what is wrong with a page or a checkpoint. errors.Is compares the
// code alone: errors.Is(err, ErrRoot) holds for every wrong root.
type Error struct {
	// Code is stable, such as "page-root".
	Code string
	// Page is the number of the page, as far as it is known, else 0.
	Page uint64
	// What says in words what was found.
	What string
}

// The kinds of errors of pages and checkpoints.
var (
	// ErrForm: the bytes are not in the form of a page.
	ErrForm = &Error{Code: "page-form"}
	// ErrSignature: the page is not signed by the log's key.
	ErrSignature = &Error{Code: "page-signature"}
	// ErrOrder: the page's number is not the next one, or not the number under
	// which it is stored.
	ErrOrder = &Error{Code: "page-order"}
	// ErrSize: the page does not continue the log at its size, or does not hold
	// as many commits as it signs.
	ErrSize = &Error{Code: "page-size"}
	// ErrRoot: the commits do not give the root that the page signs.
	ErrRoot = &Error{Code: "page-root"}
	// ErrEdge: the hashes of an edge are not those of the head that they were
	// kept for.
	ErrEdge = &Error{Code: "edge"}
	// ErrCheckpointForm: the bytes are not a checkpoint of this log.
	ErrCheckpointForm = &Error{Code: "checkpoint-form"}
	// ErrCheckpointSignature: the checkpoint is not signed by the log's key.
	ErrCheckpointSignature = &Error{Code: "checkpoint-signature"}
	// ErrKeyRange: a page or a checkpoint is signed by a key of the log that does
	// not count at its size: one that was replaced, or that somebody else had.
	ErrKeyRange = &Error{Code: "key-range"}
	// ErrKey: an origin or a key cannot be used.
	ErrKey = &Error{Code: "log-key"}
)

func (e *Error) Error() string {
	at := e.Code
	if e.Page != 0 {
		at = fmt.Sprintf("%s: page %d", at, e.Page)
	}
	if e.What == "" {
		return at
	}
	return at + ": " + e.What
}

// Is reports whether target is an *Error with the same code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// fail makes an error of a kind.
func fail(kind *Error, page uint64, format string, args ...any) error {
	return &Error{Code: kind.Code, Page: page, What: fmt.Sprintf(format, args...)}
}
