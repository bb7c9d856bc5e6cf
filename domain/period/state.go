package period

import (
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
)

// State is which months of a book are closed. The zero State has none.
type State struct {
	// Closed holds the periods that are closed now, in order, each beginning
	// where the one before ends.
	Closed []Period `json:"closed,omitempty"`
}

// Period is some months that were closed together.
type Period struct {
	From    domain.Date `json:"from,omitempty"`
	Through domain.Date `json:"through"`
	Settled bool        `json:"settled,omitempty"`
	// Revaluations were posted when it was settled, and are undone when it is
	// opened again.
	Revaluations []Revaluation `json:"revaluations,omitempty"`
}

// Load gives which months of the book are closed.
func Load(s domain.States, book uuid.UUID) (State, error) {
	held, err := s.State(Stream(book))
	if err != nil || held == nil {
		return State{}, err
	}
	state, ok := held.(State)
	if !ok {
		return State{}, fmt.Errorf("period: the stream of periods holds a %T", held)
	}
	return state, nil
}

// newest is the period that was closed last, the zero Period before the first.
func (s State) newest() Period {
	if len(s.Closed) == 0 {
		return Period{}
	}
	return s.Closed[len(s.Closed)-1]
}

// Through is the last day that is closed, empty where none is.
func (s State) Through() domain.Date { return s.newest().Through }

// First is the first day that is open, empty where all are.
func (s State) First() domain.Date { return s.Through().AddDays(1) }

// Open reports whether something may be booked on the day.
func (s State) Open(day domain.Date) bool { return day > s.Through() }

// Check refuses a day that lies in a closed period: period-closed.
func (s State) Check(day domain.Date) error {
	if s.Open(day) {
		return nil
	}
	return domain.Refuse("period-closed", "%s lies in a period that is closed: the book is closed through %s", day, s.Through()).
		WithHint("date it %s or later; what corrects a closed period is dated in an open one", s.First())
}

// Evolve implements domain.State.
func (s State) Evolve(event domain.Event) (domain.State, error) {
	newest := s.newest()
	at := fmt.Sprintf("a book closed through %q", newest.Through)
	switch e := event.(type) {
	case *Closed:
		if e.Through <= newest.Through || e.From != s.First() || len(s.Closed) > 0 && !newest.Settled {
			return nil, domain.OutOfSequence(at, event)
		}
		s.Closed = append(slices.Clip(s.Closed), Period{From: e.From, Through: e.Through})
	case *Settled:
		if e.Through != newest.Through || newest.Settled {
			return nil, domain.OutOfSequence(at, event)
		}
		s.Closed = slices.Clone(s.Closed)
		s.Closed[len(s.Closed)-1].Settled = true
		s.Closed[len(s.Closed)-1].Revaluations = e.Revaluations
	case *Reopened:
		if e.Through != newest.Through || e.From != newest.From {
			return nil, domain.OutOfSequence(at, event)
		}
		s.Closed = slices.Clip(s.Closed[:len(s.Closed)-1])
		if len(s.Closed) == 0 {
			s.Closed = nil
		}
	default:
		return nil, domain.OutOfSequence("the events of periods", event)
	}
	return s, nil
}
