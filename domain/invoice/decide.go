package invoice

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/field"
)

// Load gives the state of an invoice, or refuses: unknown-invoice.
func Load(s domain.States, id uuid.UUID) (State, error) {
	state, found, err := load(s, id)
	if err != nil {
		return State{}, err
	}
	if !found {
		return State{}, domain.Refuse("unknown-invoice", "no invoice has the id %s", id)
	}
	return state, nil
}

func load(s domain.States, id uuid.UUID) (state State, found bool, err error) {
	held, err := s.State(Stream(id))
	if err != nil || held == nil {
		return State{}, false, err
	}
	state, ok := held.(State)
	if !ok {
		return State{}, false, fmt.Errorf("invoice: the stream of invoice %s holds a %T", id, held)
	}
	return state, true, nil
}

func unused(s domain.States, id uuid.UUID) error {
	_, found, err := load(s, id)
	if err == nil && found {
		err = domain.Refuse("invoice-exists", "an invoice with the id %s exists already", id)
	}
	return err
}

// editable gives the state of a draft, approved or not, or refuses.
func editable(s domain.States, id uuid.UUID) (State, error) {
	state, err := Load(s, id)
	if err != nil {
		return State{}, err
	}
	switch state.Stage {
	case StatusIssued:
		return State{}, domain.Refuse("already-issued", "the invoice was issued as %s and changes no more", state.Number).
			WithHint("issue a credit note on it, and a new invoice")
	case StatusDiscarded:
		return State{}, domain.Refuse("discarded", "the draft %s was discarded", id).
			WithHint("draft a new invoice")
	}
	return state, nil
}

// Validate checks the form of the command and of its personal part.
func (c *Draft) Validate() error {
	if err := field.ID("invoice", c.ID); err != nil {
		return err
	}
	return c.Content.Validate(c.Personal)
}

// Decide implements domain.Command.
func (c *Draft) Decide(s domain.States, m domain.Moment) ([]domain.Change, error) {
	if err := unused(s, c.ID); err != nil {
		return nil, err
	}
	if _, _, err := c.Content.Parties(s, m, c.Stream()); err != nil {
		return nil, err
	}
	content, totals, _, err := c.Content.decide(s)
	if err != nil {
		return nil, err
	}
	return one(c, &Drafted{Content: content, Totals: totals, Personal: c.Personal}), nil
}

// Validate checks the form of the command and of its personal part.
func (c *Edit) Validate() error { return c.Content.Validate(c.Personal) }

// Decide implements domain.Command.
func (c *Edit) Decide(s domain.States, m domain.Moment) ([]domain.Change, error) {
	if _, err := editable(s, c.ID); err != nil {
		return nil, err
	}
	if _, _, err := c.Content.Parties(s, m, c.Stream()); err != nil {
		return nil, err
	}
	content, totals, _, err := c.Content.decide(s)
	if err != nil {
		return nil, err
	}
	return one(c, &Edited{Content: content, Totals: totals, Personal: c.Personal}), nil
}

// Decide implements domain.Command.
func (c *Approve) Decide(s domain.States, _ domain.Moment) ([]domain.Change, error) {
	state, err := editable(s, c.ID)
	if err != nil {
		return nil, err
	}
	if state.Stage == StatusApproved {
		return nil, domain.Refuse("not-a-draft", "the draft %s is approved already", c.ID)
	}
	return one(c, &Approved{}), nil
}

// Validate checks the form of the command.
func (c *Discard) Validate() error { return field.Block("reason", c.Reason, field.MaxReason) }

// Decide implements domain.Command.
func (c *Discard) Decide(s domain.States, _ domain.Moment) ([]domain.Change, error) {
	if _, err := editable(s, c.ID); err != nil {
		return nil, err
	}
	return one(c, &Discarded{Reason: c.Reason}), nil
}

// Validate checks the form of the command.
func (c *Issue) Validate() error {
	if err := c.Exchange.Validate(); err != nil {
		return err
	}
	return field.Date("date of issue", c.Date)
}

// Decide implements domain.Command.
func (c *Issue) Decide(s domain.States, m domain.Moment) ([]domain.Change, error) {
	state, err := editable(s, c.ID)
	if err != nil {
		return nil, err
	}
	if state.Stage != StatusApproved || state.Content == nil {
		return nil, domain.Refuse("not-approved", "the draft %s is not approved", c.ID).
			WithHint("approve it first; a change of the draft needs approval again")
	}
	content := *state.Content
	if !c.Exchange.IsZero() {
		content.Exchange = c.Exchange
	}
	return issuing{stream: c.Stream(), content: content, date: c.Date, text: state.Text}.decide(s, m)
}

// Validate checks the form of the command and of its personal part.
func (c *Enter) Validate() error {
	if err := field.ID("invoice", c.ID); err != nil {
		return err
	}
	if err := field.Date("date of issue", c.Date); err != nil {
		return err
	}
	var text *Text
	if c.Personal != nil {
		text = c.Personal.Text
		if err := field.Line("country", c.Personal.CountryText, field.MaxName); err != nil {
			return err
		}
	}
	if c.Buyer != nil {
		if err := field.Country(c.Buyer.Code); err != nil {
			return err
		}
	}
	return c.Content.Validate(text)
}

// Decide implements domain.Command.
func (c *Enter) Decide(s domain.States, m domain.Moment) ([]domain.Change, error) {
	if err := unused(s, c.ID); err != nil {
		return nil, err
	}
	i := issuing{stream: c.Stream(), content: c.Content, date: c.Date, imported: c.Imported, country: c.Buyer}
	if c.Personal != nil {
		i.text, i.countryText = c.Personal.Text, c.Personal.CountryText
	}
	return i.decide(s, m)
}

func one(c domain.Command, e domain.Event) []domain.Change {
	return []domain.Change{{Stream: c.Stream(), Event: e}}
}
