package book

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/access"
	"github.com/daybook-ledger/daybook/domain/field"
	"github.com/daybook-ledger/daybook/domain/series"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// Load gives the settings of the book id; found is false where it is not open.
func Load(s domain.States, id uuid.UUID) (state State, found bool, err error) {
	held, err := s.State(Stream(id))
	if err != nil || held == nil {
		return State{}, false, err
	}
	state, ok := held.(State)
	if !ok {
		return State{}, false, fmt.Errorf("book: the stream of book %s holds a %T", id, held)
	}
	return state, true, nil
}

// Settings gives the settings of the book that m is in, or refuses: no-book.
func Settings(s domain.States, m domain.Moment) (State, error) {
	state, found, err := Load(s, m.Book)
	if err != nil {
		return State{}, err
	}
	if !found {
		return State{}, domain.Refuse("no-book", "the book is not open yet")
	}
	return state, nil
}

// The formats of the series of a new book.
var (
	invoiceFormat = series.Format{Prefix: "INV-", Width: 5}
	creditFormat  = series.Format{Prefix: "CN-", Width: 5}
)

// Validate checks the form of the command.
func (c *Open) Validate() error {
	if err := field.ID("book", c.Book); err != nil {
		return err
	}
	if c.Currency.IsZero() {
		return domain.Refuse("unknown-currency", "the book needs a currency")
	}
	if _, err := tax.ParseBasis(string(c.TaxBasis)); err != nil {
		return err
	}
	if err := field.Line("origin", c.Origin, field.MaxName); err != nil {
		return err
	}
	if err := principal(c.Owner); err != nil {
		return err
	}
	return c.Seller.Validate()
}

// Decide implements domain.Command.
func (c *Open) Decide(s domain.States, m domain.Moment) ([]domain.Change, error) {
	if err := sameBook(c.Book, m); err != nil {
		return nil, err
	}
	switch _, found, err := Load(s, c.Book); {
	case err != nil:
		return nil, err
	case found:
		return nil, domain.Refuse("book-exists", "the book is already open")
	}
	return []domain.Change{
		{Stream: c.Stream(), Event: &Opened{
			Seller: c.Seller, Currency: c.Currency, Owner: c.Owner, Origin: c.Origin, TaxBasis: c.TaxBasis,
		}},
		{Stream: series.Stream(series.Invoice), Event: &series.Configured{Kind: series.Invoice, Format: invoiceFormat}},
		{Stream: series.Stream(series.Credit), Event: &series.Configured{Kind: series.Credit, Format: creditFormat}},
	}, nil
}

// Validate checks the form of the command.
func (c *ChangeSeller) Validate() error { return c.Seller.Validate() }

// Decide implements domain.Command.
func (c *ChangeSeller) Decide(s domain.States, m domain.Moment) ([]domain.Change, error) {
	if _, err := settings(s, m, c.Book); err != nil {
		return nil, err
	}
	return one(c, &SellerChanged{Seller: c.Seller}), nil
}

// Validate checks the form of the command.
func (c *Grant) Validate() error {
	if err := principal(c.Principal); err != nil {
		return err
	}
	_, err := access.ParseRole(string(c.Role))
	return err
}

// Decide implements domain.Command.
func (c *Grant) Decide(s domain.States, m domain.Moment) ([]domain.Change, error) {
	state, err := settings(s, m, c.Book)
	if err != nil {
		return nil, err
	}
	if state.Roles[c.Principal] == c.Role {
		return nil, domain.Refuse("no-change", "%.80q is %s already", c.Principal, c.Role)
	}
	if c.Role != access.Owner {
		if err := state.keepsOwner(c.Principal); err != nil {
			return nil, err
		}
	}
	return one(c, &Granted{Principal: c.Principal, Role: c.Role}), nil
}

// Validate checks the form of the command.
func (c *Revoke) Validate() error { return principal(c.Principal) }

// Decide implements domain.Command.
func (c *Revoke) Decide(s domain.States, m domain.Moment) ([]domain.Change, error) {
	state, err := settings(s, m, c.Book)
	if err != nil {
		return nil, err
	}
	if _, has := state.Roles[c.Principal]; !has {
		return nil, domain.Refuse("unknown-principal", "%.80q has no role in this book", c.Principal)
	}
	if err := state.keepsOwner(c.Principal); err != nil {
		return nil, err
	}
	return one(c, &Revoked{Principal: c.Principal}), nil
}

// keepsOwner refuses to take the owner's role from the only one who has it.
func (s State) keepsOwner(from string) error {
	if s.Roles[from] != access.Owner {
		return nil
	}
	for principal, role := range s.Roles {
		if role == access.Owner && principal != from {
			return nil
		}
	}
	return domain.Refuse("last-owner", "%.80q is the only owner of this book", from).
		WithHint("make another principal an owner first")
}

// Validate checks the form of the seller.
func (s Seller) Validate() error {
	if field.Blank(s.Name) {
		return domain.Refuse("seller-name-missing", "the seller needs a name")
	}
	if s.Country == "" {
		return domain.Refuse("unknown-country", "the seller needs a country").
			WithHint("use a code of two capital letters of ISO 3166, such as GB")
	}
	if err := field.Country(s.Country); err != nil {
		return err
	}
	if err := field.Address(s.Address); err != nil {
		return err
	}
	return field.Lines(
		field.Named{Name: "seller's name", Text: s.Name, Limit: field.MaxName},
		field.Named{Name: "city", Text: s.City, Limit: field.MaxName},
		field.Named{Name: "postcode", Text: s.Postcode, Limit: field.MaxCode},
		field.Named{Name: "VAT id", Text: s.VATID, Limit: field.MaxCode},
		field.Named{Name: "email address", Text: s.Email, Limit: field.MaxName},
	)
}

func principal(name string) error {
	if field.Blank(name) {
		return domain.Refuse("principal-missing", "the principal needs a name")
	}
	return field.Line("principal", name, field.MaxName)
}

func sameBook(id uuid.UUID, m domain.Moment) error {
	if id == m.Book {
		return nil
	}
	return domain.Refuse("other-book", "the command is for book %s, but this is book %s", id, m.Book)
}

func settings(s domain.States, m domain.Moment, id uuid.UUID) (State, error) {
	if err := sameBook(id, m); err != nil {
		return State{}, err
	}
	return Settings(s, m)
}

func one(c domain.Command, e domain.Event) []domain.Change {
	return []domain.Change{{Stream: c.Stream(), Event: e}}
}
