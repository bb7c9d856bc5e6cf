// Package series numbers documents: one series for each kind of document,
// gapless, drawn at issue in the commit that issues, optionally starting again
// at 1 with each year.
//
// Refusals:
//
//	unknown-series      the book has no series of this kind
//	invalid-width       the width is not 1 to 12 digits
//	prefix-taken        the other kind's series has the same prefix
//	no-change           the series is already configured so
//	date-runs-back      the issue date is before one already in the series
//	date-in-future      the issue date is more than 31 days after today
//	invalid-date        the issue date is no date
//	number-taken        another document bears the number that comes next
//	text-too-long, invalid-utf8, control-character: as in package field, for the prefix
package series

import (
	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
)

// Kind is the kind of document that a series numbers.
type Kind string

// The kinds of series.
const (
	Invoice Kind = "invoice"
	Credit  Kind = "credit"
)

// Kinds lists all kinds.
func Kinds() []Kind { return []Kind{Invoice, Credit} }

// The streams of the series have the same ids in every book.
var (
	invoiceID = uuid.MustParse("b6e6e5a0-6f0d-5c1a-9d55-1f5f3a7c0001")
	creditID  = uuid.MustParse("b6e6e5a0-6f0d-5c1a-9d55-1f5f3a7c0002")
)

// Stream is the stream of a kind's series.
func Stream(k Kind) domain.StreamID {
	id := invoiceID
	if k == Credit {
		id = creditID
	}
	return domain.StreamID{Kind: domain.KindSeries, ID: id}
}

// Format is how a series writes its numbers: the prefix, then with a yearly
// reset the year and a hyphen, then the counter with leading zeros.
type Format struct {
	Prefix string `json:"prefix,omitempty"`
	// Width is the least number of digits of the counter, 1 to 12.
	Width int `json:"width"`
	// YearlyReset starts the counter at 1 with each year of issue.
	YearlyReset bool `json:"yearly_reset,omitempty"`
}

// Configured says how the series writes its numbers from now on. The counter
// runs on; the yearly counters and the continuous one are kept apart.
type Configured struct {
	Kind   Kind   `json:"kind"`
	Format Format `json:"format"`
}

// EventType implements domain.Event.
func (*Configured) EventType() string { return "series.configured" }

// Drawn takes the next number for a document.
type Drawn struct {
	// Number is the number as it stands on the document.
	Number string `json:"number"`
	// Year is the year whose counter was drawn from, 0 for the continuous one.
	Year int `json:"year,omitempty"`
	// Counter counts from 1.
	Counter uint64 `json:"counter"`
	// Date is the document's date of issue.
	Date domain.Date `json:"date"`
	// Imported marks a number drawn for a document of another system: its date
	// stands outside the order of dates.
	Imported bool `json:"imported,omitempty"`
	// Document is the stream of the document.
	Document uuid.UUID `json:"document"`
}

// EventType implements domain.Event.
func (*Drawn) EventType() string { return "series.drawn" }

// Configure changes how a series writes its numbers.
type Configure struct {
	Kind   Kind   `json:"kind"`
	Format Format `json:"format"`
}

// CommandType implements domain.Command.
func (*Configure) CommandType() string { return "series.configure" }

// Stream implements domain.Command.
func (c *Configure) Stream() domain.StreamID { return Stream(c.Kind) }

// State is a series' configuration and counters.
type State struct {
	Kind   Kind   `json:"kind"`
	Format Format `json:"format"`
	// Counters holds the last counter drawn, by year; under 0 the continuous
	// one.
	Counters map[int]uint64 `json:"counters,omitempty"`
	// LastDate is the latest date of issue so far, imports not counted.
	LastDate domain.Date `json:"last_date,omitempty"`
}
