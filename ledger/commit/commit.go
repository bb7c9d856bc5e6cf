// Package commit is where the domain meets the event store: a Commit is the
// events of one command, in domain terms; Codec turns it into the sealed bytes
// that a page carries, and back; Replay reads a book's log verified and opened.
package commit

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
)

// Commit is one command's effect on a book. It is whole or absent.
type Commit struct {
	// Book is the book's id.
	Book uuid.UUID
	// Epoch is the log epoch, from 1.
	Epoch uint64
	// Position is the commit's place in the log, from 0: its leaf index.
	Position uint64
	// Page is the number of the page that holds the commit, 0 while it has none.
	Page uint64
	// ID is the command's id, chosen by its caller.
	ID uuid.UUID
	// Principal is who gave the command.
	Principal string
	// Recorded is when the commit was decided, in UTC, to the microsecond. It
	// never runs back from one commit to the next.
	Recorded time.Time
	// Correlation groups the commits of one piece of work, and Causation is the
	// command that led to this one; uuid.Nil where there is none.
	Correlation, Causation uuid.UUID
	// Rules is the version of the rules that decided.
	Rules uint
	// Command is what was asked. Its personal part is nil once its subject's
	// key was destroyed.
	Command domain.Command
	// Digest identifies the command's content: a digest under a key of the book.
	Digest [32]byte
	// Events holds at least one event. Personal parts are nil once their
	// subject's key was destroyed.
	Events []Event
	// Subjects gives, for each customer whose personal data the commit holds,
	// the key that seals them.
	Subjects map[uuid.UUID]keyring.KeyID
	// Facts is the key that seals the facts.
	Facts keyring.KeyID
	// Sections gives, for each of those customers, the digest of the sealed section
	// that holds the data: SHA-256 over the section as it is stored. It stays what
	// it is when the key is destroyed. Only an opened commit has it.
	Sections map[uuid.UUID][32]byte
	// Entry is the log entry: the SHA-256 of the stored bytes.
	Entry [32]byte
}

// OnNoDocument reports whether all that the commit holds of a customer stands on
// no document: then it is sealed under a key for such data.
func (c *Commit) OnNoDocument(customer uuid.UUID) bool {
	onNone := func(v any) bool {
		p, is := v.(domain.Personal)
		if !is || p.Subject() != customer {
			return true
		}
		_, is = v.(domain.Contact)
		return is
	}
	return onNone(c.Command) && !slices.ContainsFunc(c.Events, func(e Event) bool { return !onNone(e.Event) })
}

// Event is an event in its place.
type Event struct {
	// Stream is the aggregate that it happened to.
	Stream domain.StreamID
	// Revision is its place in that stream, from 1.
	Revision uint64
	// Event is what happened.
	Event domain.Event
	// Stored is the event as the log has it. Only that of an opened commit is set.
	Stored Stored
}

// Stored is an event as package codec encoded it.
type Stored struct {
	// Schema is the version of its form.
	Schema uint
	// Facts and Personal are its parts: Personal is nil where there is none or it was
	// erased.
	Facts, Personal []byte
}
