package book

import (
	"crypto/sha256"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/field"
)

// RecordDrill enters what came of a restore that was tried.
type RecordDrill struct {
	Book uuid.UUID `json:"book"`
	Drill
}

// Drill is a restore that was tried: the book was brought back from its archive to
// a scratch place, verified, and held against itself.
type Drill struct {
	// Archive names the place.
	Archive string `json:"archive"`
	// Restored is what was brought back; nil where nothing was.
	Restored *Checkpoint `json:"restored,omitempty"`
	// Milliseconds is how long it took.
	Milliseconds int `json:"milliseconds"`
	// Failure says what was wrong; empty where nothing was.
	Failure string `json:"failure,omitempty"`
}

// Drilled says what came of a restore that was tried.
type Drilled struct{ Drill }

// EventType implements domain.Event.
func (*Drilled) EventType() string { return "book.drilled" }

// CommandType implements domain.Command.
func (*RecordDrill) CommandType() string { return "book.record-drill" }

// Stream implements domain.Command.
func (c *RecordDrill) Stream() domain.StreamID { return Stream(c.Book) }

// Validate checks the form of the command.
func (c *RecordDrill) Validate() error {
	if field.Blank(c.Archive) || c.Milliseconds < 0 || c.Restored == nil && c.Failure == "" {
		return domain.Refuse("invalid-drill", "a drill needs its archive, and what was brought back or what was wrong")
	}
	if c.Restored != nil && (c.Restored.Origin == "" || c.Restored.Size == 0 || len(c.Restored.Root) != sha256.Size) {
		return domain.Refuse("invalid-drill", "what was brought back needs the log's name, a size and a root of %d bytes", sha256.Size)
	}
	return field.Lines(
		field.Named{Name: "archive", Text: c.Archive, Limit: field.MaxReason},
		field.Named{Name: "failure", Text: c.Failure, Limit: field.MaxReason},
	)
}

// Decide implements domain.Command.
func (c *RecordDrill) Decide(s domain.States, m domain.Moment) ([]domain.Change, error) {
	if _, err := settings(s, m, c.Book); err != nil {
		return nil, err
	}
	return one(c, &Drilled{c.Drill}), nil
}
