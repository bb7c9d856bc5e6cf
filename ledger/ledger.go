// Package ledger is the command side of a book: the one writer that decides
// commands against the newest state of the whole book, seals their events into
// commits, gathers the commits that wait into pages, and answers each command
// with a receipt once its page is durable and remembered.
//
// The way of a command:
//
//	Do ── encode, digest ──> decide (one goroutine, in order)
//	                           │ new states count at once, but are undurable
//	                           v
//	                         seal (all cores, order kept)
//	                           │
//	                           v
//	                         page (one under way) ── append behind the fence
//	                           │ acknowledged
//	                           v
//	                         remembered head, public checkpoint, receipts
//	                           │
//	                           v
//	                         state store (acknowledged pages only)
//
// If an append fails, everything undurable is dropped, and the commands that
// still wait are decided and sealed anew. If its outcome is unclear, a barrier
// settles it first; callers meanwhile hear ErrOutcomeUnknown at worst, never a
// refusal.
package ledger

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
)

// Book takes commands. Writer is the book's one writer; remote.Book hands
// commands to a writer in another process.
type Book interface {
	// Do enters a command and gives its receipt, which is evidence that the
	// commit is durable. A command id that is already in the book is answered
	// with a receipt for the original commit, whatever its age.
	//
	// A *domain.Refusal means that nothing was written and the id is not used
	// up. ErrOutcomeUnknown means that the command may or may not have been
	// entered: repeat it with the same id. After any other error nothing was
	// entered.
	Do(ctx context.Context, e Envelope) (Receipt, error)
	// Submit does what Do does in two parts: it returns once the command has
	// its place, and the function that it gives waits for the answer. Commands
	// that one goroutine submits are decided in that order. The context bounds
	// both parts. The function is to be called, once.
	Submit(ctx context.Context, e Envelope) (wait func() (Receipt, error))
	// Find gives the stream that has a reference, including what was decided
	// and is not yet durable.
	Find(ctx context.Context, r domain.Reference) (domain.StreamID, bool, error)
}

// Envelope is a command and what its caller says about it.
type Envelope struct {
	// ID is chosen by the caller, a UUIDv7 unless it is derived from the
	// command's content. The same id always means the same command.
	ID uuid.UUID
	// Principal is who gives the command.
	Principal string
	// Command is what is asked.
	Command domain.Command
	// Expect is the revision of the command's stream that the caller has seen;
	// nil where it does not matter.
	Expect *uint64
	// Correlation groups the commits of one piece of work, and Causation is the
	// command that led to this one; uuid.Nil where there is none.
	Correlation, Causation uuid.UUID
}

// Receipt is the answer to a command: proof that the log holds its commit.
type Receipt struct {
	// Receipt is the portable proof: checkpoint and inclusion proof.
	transparency.Receipt
	// Command is the command's id.
	Command uuid.UUID
	// Page is the page that holds the commit.
	Page uint64
	// Recorded is when the commit was decided, in UTC.
	Recorded time.Time
	// Repeated means that the commit was in the book already.
	Repeated bool
}

// Errors of the writer.
var (
	// ErrOutcomeUnknown means that the command may or may not have been entered.
	ErrOutcomeUnknown = errors.New("ledger: outcome unknown: repeat the command with the same id")
	// ErrClosed means that the writer was closed before the command was decided.
	ErrClosed = errors.New("ledger: closed")
	// ErrLogShort means that the log ends before what was acknowledged: it has
	// lost something.
	ErrLogShort = errors.New("ledger: the log has lost acknowledged pages")
	// ErrContradiction means that the log holds other content than what was
	// acknowledged.
	ErrContradiction = errors.New("ledger: the log contradicts what was acknowledged")
)

// Refusal codes of the writer itself; the rules have their own.
const (
	// CodeCommandIDReused: the id belongs to a command of other content.
	CodeCommandIDReused = "command-id-reused"
	// CodeRevisionConflict: the stream has moved on since the caller saw it.
	CodeRevisionConflict = "revision-conflict"
	// CodeCommandTooLarge: the command cannot fit into a page.
	CodeCommandTooLarge = "command-too-large"
	// CodeClockJumped: the clock jumped by more than five minutes.
	CodeClockJumped = "clock-jumped"
	// CodeEpochUnopened: the log has a new name, and nothing in it says which log it
	// goes on from.
	CodeEpochUnopened = "epoch-unopened"
	// CodeInvalidCommandID: the id is missing.
	CodeInvalidCommandID = "invalid-command-id"
)
