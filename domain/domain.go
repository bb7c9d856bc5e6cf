// Package domain holds the words that every part of the ledger's law shares:
// streams, events, commands, states and refusals. The aggregates live in the
// packages below it. Everything here is pure: no I/O, clock, context, logging
// or randomness; time and ids arrive in the command and in the Moment.
package domain

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Kind names a family of aggregates.
type Kind string

// The kinds of aggregates.
const (
	KindBook     Kind = "book"
	KindCustomer Kind = "customer"
	KindInvoice  Kind = "invoice"
	KindCredit   Kind = "credit"
	KindSeries   Kind = "series"
	KindPayment  Kind = "payment"
	KindPeriod   Kind = "period"
)

// KindStanding is that of states which follow from the entries of other streams:
// no event has it.
const KindStanding Kind = "standing"

// Kinds lists all kinds.
func Kinds() []Kind {
	return []Kind{KindBook, KindCustomer, KindInvoice, KindCredit, KindSeries, KindPayment, KindPeriod}
}

// StreamID names one aggregate's stream of events.
type StreamID struct {
	Kind Kind      `json:"kind"`
	ID   uuid.UUID `json:"id"`
}

// String gives the stored form: the kind, a hyphen, the id.
func (s StreamID) String() string { return string(s.Kind) + "-" + s.ID.String() }

// ParseStreamID reads the form that String gives.
func ParseStreamID(text string) (StreamID, error) {
	kind, rest, found := strings.Cut(text, "-")
	if !found {
		return StreamID{}, fmt.Errorf("domain: stream id %q has no kind", text)
	}
	id, err := uuid.Parse(rest)
	if err != nil || len(rest) != 36 {
		return StreamID{}, fmt.Errorf("domain: stream id %q has no valid id", text)
	}
	switch k := Kind(kind); k {
	case KindBook, KindCustomer, KindInvoice, KindCredit, KindSeries, KindPayment, KindPeriod:
		return StreamID{Kind: k, ID: id}, nil
	default:
		return StreamID{}, fmt.Errorf("domain: stream id %q has an unknown kind", text)
	}
}

// Event is something that happened to one aggregate. Events are pointers to
// structs, and are never changed once made.
type Event interface {
	// EventType is the stable name under which the event is stored, such as
	// "invoice.issued".
	EventType() string
}

// Command asks for events. Commands are pointers to structs, and are never
// changed once given to the ledger.
type Command interface {
	// CommandType is the stable name under which the command is stored, such
	// as "invoice.issue"; access rights are granted by it.
	CommandType() string
	// Stream is the aggregate that the command is addressed to; an expected
	// revision is compared with this stream's.
	Stream() StreamID
	// Decide gives the events that the command causes in the given states, in
	// order and at least one, or a *Refusal. Any other error means that a
	// state could not be had. Decide changes nothing, and neither branches on
	// personal data nor reads anything but its arguments: the same command in
	// the same states always gives the same facts.
	Decide(States, Moment) ([]Change, error)
}

// Personal is an Event or a Command part of which is about a person. That part
// is sealed apart from the facts, under the key of that person's customer
// record, and is absent (nil) once the key was destroyed.
type Personal interface {
	// Subject is the customer whom the personal part is about.
	Subject() uuid.UUID
	// PersonalPart points to the field that holds the part, itself a pointer
	// to a struct: the codec encodes it from there and decodes into it. The
	// field itself is excluded from the facts (cbor:"-").
	PersonalPart() any
}

// HasPersonalPart reports whether the personal part is there.
func HasPersonalPart(p Personal) bool {
	return !reflect.ValueOf(p.PersonalPart()).Elem().IsNil()
}

// Contact is a Personal whose personal part stands on no document that the law
// wants to be kept: it is sealed under a key of its own, and can be erased
// before the documents.
type Contact interface {
	Personal
	// OnNoDocument does nothing.
	OnNoDocument()
}

// Change is one event of a decision, and the stream that it belongs to.
type Change struct {
	Stream StreamID
	Event  Event
}

// Moment is what a decision knows of its circumstances.
type Moment struct {
	// Recorded is the time at which the decision is entered, in UTC.
	Recorded time.Time
	// Principal is who asks.
	Principal string
	// Book is the book that the decision is entered in: its settings are the
	// stream {KindBook, Book}.
	Book uuid.UUID
}

// State is what an aggregate's past events amount to. States are values that
// are never changed: Evolve gives a new one and leaves the old as it was.
type State interface {
	// Evolve gives the state after the event. It fails only on an event that
	// cannot have followed, which means a damaged log or a defect.
	Evolve(Event) (State, error)
}

// ErrSequence means that an event cannot follow what its stream already holds.
// An Evolve that fails wraps it: the log is damaged, or a decision was wrong.
var ErrSequence = errors.New("domain: the event cannot follow in its stream")

// OutOfSequence is the error of an Evolve that cannot take event; at says in a
// few words where the stream stands.
func OutOfSequence(at string, event Event) error {
	return fmt.Errorf("%w: %s after %s", ErrSequence, event.EventType(), at)
}

// States answers, for Decide, what is true now.
type States interface {
	// State is the folded state of a stream, or nil when it has no events.
	State(StreamID) (State, error)
	// Find gives the stream that an event gave this reference to, if any.
	Find(Reference) (StreamID, bool, error)
}

// Reference is a name by which people find an aggregate. Within one kind a
// value names one stream.
type Reference struct {
	Kind  ReferenceKind
	Value string
}

// ReferenceKind is a space of names.
type ReferenceKind string

// The kinds of references.
const (
	// DocumentNumber is the number that a series gave to an invoice or credit
	// note at its issue.
	DocumentNumber ReferenceKind = "number"
	// DocumentReference is a document's external reference: its name in the
	// system that it came from. On the command line, ext:….
	DocumentReference ReferenceKind = "reference"
	// PaymentReference is a payment's external reference: its name at the bank
	// or in the system that it came from. On the command line, ext:….
	PaymentReference ReferenceKind = "payment"
	// CustomerReference is a customer's external reference.
	CustomerReference ReferenceKind = "customer"
)

// Referenced is an Event that gives its stream one or more references.
type Referenced interface {
	References() []Reference
}

// Refusal is a command's rejection by a rule: nothing was written. Its code is
// stable: programs may branch on it.
type Refusal struct {
	// Code is lower case with hyphens, such as "over-credited".
	Code string
	// Message says what was refused and why, in one sentence without a full stop.
	Message string
	// Hint says what to do next; may be empty.
	Hint string
	// Computed holds figures that the refusal still tells, such as the totals
	// of an invoice that was refused for its total; nil otherwise. It is for
	// callers in the same process and is not sent between processes.
	Computed any
}

func (r *Refusal) Error() string { return r.Code + ": " + r.Message }

// Refuse makes a Refusal with a formatted message.
func Refuse(code, format string, args ...any) *Refusal {
	return &Refusal{Code: code, Message: fmt.Sprintf(format, args...)}
}

// WithHint gives the refusal a hint.
func (r *Refusal) WithHint(format string, args ...any) *Refusal {
	r.Hint = fmt.Sprintf(format, args...)
	return r
}
