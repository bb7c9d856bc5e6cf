package series

import (
	"fmt"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/field"
)

// maxAhead is how many days after the day of recording a document may be dated:
// a slip of the keyboard would block the series until its date comes.
const maxAhead = 31

const (
	maxPrefix = 40
	maxWidth  = 12
)

// Load gives the state of a series, or refuses: unknown-series.
func Load(s domain.States, kind Kind) (State, error) {
	held, err := s.State(Stream(kind))
	if err != nil {
		return State{}, err
	}
	if held == nil {
		return State{}, domain.Refuse("unknown-series", "the book has no series of numbers for %ss", kind)
	}
	state, ok := held.(State)
	if !ok {
		return State{}, fmt.Errorf("series: the stream of series %s holds a %T", kind, held)
	}
	return state, nil
}

// Validate checks the form of the command.
func (c *Configure) Validate() error {
	if c.Kind != Invoice && c.Kind != Credit {
		return domain.Refuse("unknown-series", "there is no series of kind %.40q", c.Kind).
			WithHint("the kinds are invoice and credit")
	}
	if c.Format.Width < 1 || c.Format.Width > maxWidth {
		return domain.Refuse("invalid-width", "%d is not a number of digits from 1 to %d", c.Format.Width, maxWidth)
	}
	return field.Line("prefix", c.Format.Prefix, maxPrefix)
}

// Decide implements domain.Command.
func (c *Configure) Decide(s domain.States, _ domain.Moment) ([]domain.Change, error) {
	state, err := Load(s, c.Kind)
	if err != nil {
		return nil, err
	}
	if state.Format == c.Format {
		return nil, domain.Refuse("no-change", "the series of %ss is configured so already", c.Kind)
	}
	for _, other := range Kinds() {
		if other == c.Kind {
			continue
		}
		theirs, err := Load(s, other)
		if err != nil {
			return nil, err
		}
		if theirs.Format.Prefix == c.Format.Prefix {
			return nil, domain.Refuse("prefix-taken", "the numbers of %ss already begin with %q", other, c.Format.Prefix).
				WithHint("choose another prefix")
		}
	}
	return []domain.Change{{
		Stream: c.Stream(), Event: &Configured{Kind: c.Kind, Format: c.Format},
	}}, nil
}

// Issuing describes a document that needs a number.
type Issuing struct {
	// Document is the stream of the document.
	Document domain.StreamID
	Date     domain.Date
	// Imported excepts the document from the order of dates.
	Imported bool
}

// Draw gives the next number of a kind's series, and the change that takes it,
// for the commit that issues the document. It refuses a date that runs back
// (date-runs-back), one too far ahead (date-in-future), and a number that a
// document already bears (number-taken).
func Draw(s domain.States, m domain.Moment, kind Kind, doc Issuing) (number string, change domain.Change, err error) {
	state, err := Load(s, kind)
	if err != nil {
		return "", domain.Change{}, err
	}
	if err := field.Date("date of issue", doc.Date); err != nil {
		return "", domain.Change{}, err
	}
	if !doc.Imported {
		if err := state.inOrder(doc.Date, m); err != nil {
			return "", domain.Change{}, err
		}
	}
	drawn := state.next(doc)
	holder, taken, err := s.Find(domain.Reference{Kind: domain.DocumentNumber, Value: drawn.Number})
	if err != nil {
		return "", domain.Change{}, err
	}
	if taken {
		return "", domain.Change{}, domain.Refuse("number-taken", "the next number %s stands on %s already", drawn.Number, holder).
			WithHint("give the series another prefix")
	}
	return drawn.Number, domain.Change{Stream: Stream(kind), Event: drawn}, nil
}

// inOrder refuses a date of issue that breaks the order of dates.
func (s State) inOrder(date domain.Date, m domain.Moment) error {
	if date < s.LastDate {
		return domain.Refuse("date-runs-back", "the date of issue %s is before %s, the date of the %s numbered last",
			date, s.LastDate, s.Kind).WithHint("issue it with a date from %s on", s.LastDate)
	}
	if latest := domain.DateOf(m.Recorded).AddDays(maxAhead); date > latest {
		return domain.Refuse("date-in-future", "the date of issue %s is more than %d days ahead", date, maxAhead).
			WithHint("issue it with a date up to %s", latest)
	}
	return nil
}

// next is the drawing of the next number.
func (s State) next(doc Issuing) *Drawn {
	drawn := &Drawn{Date: doc.Date, Imported: doc.Imported, Document: doc.Document.ID}
	year := ""
	if s.Format.YearlyReset {
		drawn.Year = doc.Date.Year()
		year = fmt.Sprintf("%04d-", drawn.Year)
	}
	drawn.Counter = s.Counters[drawn.Year] + 1
	drawn.Number = fmt.Sprintf("%s%s%0*d", s.Format.Prefix, year, s.Format.Width, drawn.Counter)
	return drawn
}

// Evolve implements domain.State.
func (s State) Evolve(event domain.Event) (domain.State, error) {
	switch e := event.(type) {
	case *Configured:
		if s.Kind != "" && s.Kind != e.Kind {
			return nil, domain.OutOfSequence("the configuration of series "+string(s.Kind), event)
		}
		s.Kind, s.Format = e.Kind, e.Format
		return s, nil
	case *Drawn:
		return s.draw(e)
	default:
		return nil, domain.OutOfSequence("the events of a series", event)
	}
}

func (s State) draw(e *Drawn) (domain.State, error) {
	if s.Kind == "" || e.Counter != s.Counters[e.Year]+1 {
		at := fmt.Sprintf("number %d of series %q", s.Counters[e.Year], s.Kind)
		return nil, domain.OutOfSequence(at, e)
	}
	counters := make(map[int]uint64, len(s.Counters)+1)
	for year, counter := range s.Counters {
		counters[year] = counter
	}
	counters[e.Year] = e.Counter
	s.Counters = counters
	if !e.Imported && e.Date > s.LastDate {
		s.LastDate = e.Date
	}
	return s, nil
}
