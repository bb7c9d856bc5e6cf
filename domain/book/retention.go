package book

import (
	"time"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/field"
	"github.com/daybook-ledger/daybook/domain/retention"
)

// SetRetention says how long the business keeps its documents.
type SetRetention struct {
	Book uuid.UUID `json:"book"`
	// Years is in place of the country's; 0 for those.
	Years int `json:"years,omitempty"`
	// YearEnd is the month with which the financial year ends, 1 to 12.
	YearEnd int `json:"year_end"`
	// Reason is why: it is kept for ever.
	Reason string `json:"reason"`
}

// CommandType implements domain.Command.
func (*SetRetention) CommandType() string { return "book.set-retention" }

// Stream implements domain.Command.
func (c *SetRetention) Stream() domain.StreamID { return Stream(c.Book) }

// Validate checks the form of the command.
func (c *SetRetention) Validate() error {
	if c.Years < 0 || c.Years > 100 {
		return domain.Refuse("invalid-retention", "%d is not a number of years from 1 to 100", c.Years)
	}
	if c.YearEnd < 1 || c.YearEnd > 12 {
		return domain.Refuse("invalid-retention", "%d is not a month from 1 to 12", c.YearEnd)
	}
	return field.Reason("retention", c.Reason)
}

// Decide implements domain.Command.
func (c *SetRetention) Decide(s domain.States, m domain.Moment) ([]domain.Change, error) {
	if _, err := settings(s, m, c.Book); err != nil {
		return nil, err
	}
	return one(c, &RetentionSet{Years: c.Years, YearEnd: c.YearEnd, Reason: c.Reason}), nil
}

// RetentionRule is how long the business keeps its documents: what was set, or
// what the law of its country says.
func (s State) RetentionRule() retention.Rule {
	rule := retention.For(s.Seller.Country)
	if s.Retention != nil && s.Retention.Years != 0 {
		rule.Years, rule.Law = s.Retention.Years, ""
	}
	return rule
}

// YearEnd is the month with which the financial year ends.
func (s State) YearEnd() time.Month {
	if s.Retention == nil {
		return time.December
	}
	return time.Month(s.Retention.YearEnd)
}
