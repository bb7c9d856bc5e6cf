// Package seal gives a commit its bytes: a header in clear, and sections sealed
// under keys of the key ring. docs/FORMAT.md has the bytes.
//
// A commit is deterministic CBOR, read strictly: of all the byte strings that a
// lenient reader would take for the same commit, Parse takes one. The log's
// leaves, proofs and signatures are over these bytes, never over a re-encoding.
//
// The header is the additional data of every section, so that no part of it can
// be altered, and no section moved to another commit, without the section
// refusing to open. Each section has keys of its own, derived from its data key,
// so that one can be opened to somebody without the others.
package seal

import (
	"errors"
	"io"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/eventstore/keyring"
)

// Version is the format of commits that this package writes, and the newest
// that it reads.
const Version = 1

// Limits of a commit. What exceeds one is neither sealed nor parsed.
const (
	MaxCommit    = 8 << 20 // bytes
	MaxHeader    = 1 << 20 // bytes, encoded
	MaxEvents    = 4096
	MaxSections  = 4096
	MaxPrincipal = 256  // bytes
	MaxName      = 64   // bytes of an event type or a stream kind
	MaxProof     = 8192 // bytes
)

// Errors that callers branch on. The errors that this package returns wrap them.
var (
	// ErrForm means bytes that are not a commit, or a header or section that
	// cannot be in one.
	ErrForm = errors.New("not a commit of the right form")
	// ErrTooLarge means that a limit of this package is exceeded.
	ErrTooLarge = errors.New("too large")
	// ErrNewer means a commit of a newer format.
	ErrNewer = errors.New("written by a newer version")
	// ErrSection means that a section does not open: it was sealed with
	// another key, or the section, its place or the header was altered.
	ErrSection = errors.New("section does not open")
)

// Header is the part of a commit that is stored in clear: ids and types, never
// names or amounts.
type Header struct {
	// Book is the book's id.
	Book uuid.UUID
	// Epoch is the log epoch.
	Epoch uint64
	// Position is the commit's place in the log, from 0.
	Position uint64
	// Command is the id of the command that was decided.
	Command uuid.UUID
	// Principal is who asked: valid UTF-8, at most MaxPrincipal bytes.
	Principal string
	// Recorded is when, in microseconds since 1970-01-01 UTC.
	Recorded int64
	// Correlation and Causation are ids given by the caller; zero means none.
	Correlation uuid.UUID
	Causation   uuid.UUID
	// Events are the events of the command, in order.
	Events []Event
	// Sections tells of each section. Seal fills it in, whatever was there.
	Sections []SectionInfo
	// Proof is the principal's own proof of the command; empty means none.
	Proof []byte
}

// Event is what the header tells of an event.
type Event struct {
	// Type is the event's stable name: valid UTF-8, 1 to MaxName bytes.
	Type string
	// Stream is the stream that the event belongs to.
	Stream Stream
	// Revision is the event's number within the stream.
	Revision uint64
	// Schema is the version of the event's encoding.
	Schema uint64
}

// Stream names a stream.
type Stream struct {
	// Kind is valid UTF-8, 1 to MaxName bytes.
	Kind string
	ID   uuid.UUID
}

// SectionKind says what a section holds. The numbers are stored.
type SectionKind uint8

// The kinds of sections.
const (
	// Facts are the accounting facts, under a key of the book.
	Facts SectionKind = 0
	// Personal is personal data, under the key of a data subject.
	Personal SectionKind = 1
)

// SectionInfo is what the header tells of a section.
type SectionInfo struct {
	Kind SectionKind
	// Key is the data key that the section was sealed with.
	Key keyring.KeyID
	// Subject is whom a Personal section is about; zero for Facts.
	Subject uuid.UUID
}

// Section is a section to be sealed.
type Section struct {
	Kind    SectionKind
	Key     keyring.KeyID
	Subject uuid.UUID
	// Plain is not changed, and not kept.
	Plain []byte
}

// Sealed is a parsed commit. It points into the bytes that were given to Parse.
type Sealed struct {
	Header Header
	// HeaderBytes is the header as stored.
	HeaderBytes []byte
	sections    []section
}

// section is a sealed section as stored.
type section struct {
	stored                       []byte // the whole of it
	salt, commitment, ciphertext []byte
}

// Keys gives the 32-byte data key of an id; keyring.Ring.Key is one. The bytes
// are only read.
type Keys func(keyring.KeyID) ([]byte, error)

// Seal gives the bytes of a commit. It may be called from many goroutines if
// keys and rand may. rand must be a cryptographic source: crypto/rand.Reader.
//
// Errors: ErrForm, ErrTooLarge, and those of keys and rand.
func Seal(h Header, sections []Section, keys Keys, rand io.Reader) ([]byte, error) {
	return sealCommit(&h, sections, keys, rand)
}
