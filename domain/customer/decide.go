package customer

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/field"
	"github.com/daybook-ledger/daybook/domain/money"
)

// Load gives the state of a customer, or refuses: unknown-customer.
func Load(s domain.States, id uuid.UUID) (State, error) {
	state, found, err := load(s, id)
	if err != nil {
		return State{}, err
	}
	if !found {
		return State{}, domain.Refuse("unknown-customer", "no customer has the id %s", id)
	}
	return state, nil
}

// CheckKnown refuses what needs to know who the customer is, once that was
// erased: customer-erased.
func (s State) CheckKnown(id uuid.UUID) error {
	if s.Erased == "" {
		return nil
	}
	return Refusal(id)
}

// CheckSealable refuses what would keep something personal of a customer whose
// every key is destroyed: customer-erased.
func (s State) CheckSealable(id uuid.UUID) error {
	if s.Erased != All {
		return nil
	}
	return Refusal(id)
}

// Refusal is that of a command about an erased customer.
func Refusal(id uuid.UUID) *domain.Refusal {
	return domain.Refuse("customer-erased", "the personal data of customer %s was erased", id).
		WithHint("register the customer anew if there is business with them again")
}

func load(s domain.States, id uuid.UUID) (state State, found bool, err error) {
	held, err := s.State(Stream(id))
	if err != nil || held == nil {
		return State{}, false, err
	}
	state, ok := held.(State)
	if !ok {
		return State{}, false, fmt.Errorf("customer: the stream of customer %s holds a %T", id, held)
	}
	return state, true, nil
}

// NewRegister makes a valid command to register a customer.
func NewRegister(id uuid.UUID, country string, p Profile) (*Register, error) {
	c := &Register{ID: id, Country: country, HasVATID: p.VATID != "", Personal: &p}
	return c, c.Validate()
}

// Validate checks the form of the command and of its personal part.
func (c *Register) Validate() error { return validate(c.ID, c.Country, c.HasVATID, c.Personal) }

// Decide implements domain.Command.
func (c *Register) Decide(s domain.States, _ domain.Moment) ([]domain.Change, error) {
	switch _, found, err := load(s, c.ID); {
	case err != nil:
		return nil, err
	case found:
		return nil, domain.Refuse("customer-exists", "a customer with the id %s is already registered", c.ID)
	}
	return []domain.Change{{Stream: c.Stream(), Event: &Registered{
		ID: c.ID, Country: c.Country, HasVATID: c.HasVATID, Personal: c.Personal,
	}}}, nil
}

// NewChange makes a valid command to change a customer.
func NewChange(id uuid.UUID, country string, p Profile) (*Change, error) {
	c := &Change{ID: id, Country: country, HasVATID: p.VATID != "", Personal: &p}
	return c, c.Validate()
}

// Validate checks the form of the command and of its personal part.
func (c *Change) Validate() error { return validate(c.ID, c.Country, c.HasVATID, c.Personal) }

// Decide implements domain.Command.
func (c *Change) Decide(s domain.States, _ domain.Moment) ([]domain.Change, error) {
	state, err := Load(s, c.ID)
	if err != nil {
		return nil, err
	}
	if err := state.CheckKnown(c.ID); err != nil {
		return nil, err
	}
	return []domain.Change{{Stream: c.Stream(), Event: &Changed{
		ID: c.ID, Country: c.Country, HasVATID: c.HasVATID, Personal: c.Personal,
	}}}, nil
}

// checkReference refuses a reference that another customer bears. As it looks
// at personal data it stands before the decision and not in it.
func checkReference(s domain.States, id uuid.UUID, p *Profile) error {
	for _, ref := range references(p) {
		holder, taken, err := s.Find(ref)
		if err != nil {
			return err
		}
		if taken && holder.ID != id {
			return domain.Refuse("reference-taken", "another customer bears the reference %.80q", ref.Value).
				WithHint("look it up as ext:%.80s", ref.Value)
		}
	}
	return nil
}

// Precheck refuses a reference that another customer bears: reference-taken.
func (c *Register) Precheck(s domain.States) error { return checkReference(s, c.ID, c.Personal) }

// Precheck refuses a reference that another customer bears: reference-taken.
func (c *Change) Precheck(s domain.States) error { return checkReference(s, c.ID, c.Personal) }

func validate(id uuid.UUID, country string, hasVATID bool, p *Profile) error {
	if err := field.ID("customer", id); err != nil {
		return err
	}
	if err := field.Country(country); err != nil {
		return err
	}
	if p == nil || field.Blank(p.Name) {
		return domain.Refuse("customer-name-missing", "the customer needs a name")
	}
	if hasVATID != (p.VATID != "") {
		return domain.Refuse("vat-id-mismatch", "the command says wrongly whether the customer has a VAT id")
	}
	if err := field.Address(p.Address); err != nil {
		return err
	}
	return field.Lines(
		field.Named{Name: "customer's name", Text: p.Name, Limit: field.MaxName},
		field.Named{Name: "city", Text: p.City, Limit: field.MaxName},
		field.Named{Name: "postcode", Text: p.Postcode, Limit: field.MaxCode},
		field.Named{Name: "country", Text: p.CountryText, Limit: field.MaxName},
		field.Named{Name: "email address", Text: p.Email, Limit: field.MaxName},
		field.Named{Name: "VAT id", Text: p.VATID, Limit: field.MaxCode},
		field.Named{Name: "reference", Text: p.Reference, Limit: field.MaxName},
	)
}

// OnDocument is what of the profile is frozen into a document; nil for nil.
func (p *Profile) OnDocument() *Profile {
	if p == nil {
		return nil
	}
	frozen := *p
	frozen.Email = ""
	return &frozen
}

// CreditIn is the customer's credit in a currency.
func (s State) CreditIn(c money.Currency) money.Amount {
	for _, credit := range s.Credit {
		if credit.Currency() == c {
			return credit
		}
	}
	return money.Zero(c)
}
