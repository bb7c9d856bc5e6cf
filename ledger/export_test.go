package ledger

import "github.com/daybook-ledger/daybook/domain"

// WithStep has a writer call f at each named step of a command's way.
func WithStep(c Config, f func(step string)) Config {
	c.step = f
	return c
}

// StatesOf shows a writer's states as decisions see them. The writer must be
// idle.
func StatesOf(w *Writer) domain.States { return locked{w} }

type locked struct{ w *Writer }

func (l locked) State(id domain.StreamID) (domain.State, error) {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	return states{l.w.over}.State(id)
}

func (l locked) Find(r domain.Reference) (domain.StreamID, bool, error) {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	return states{l.w.over}.Find(r)
}
