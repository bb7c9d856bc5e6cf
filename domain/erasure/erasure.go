// Package erasure destroys what a book knows of a person, as far as the law
// allows it: keys of the customer's personal data are destroyed, and nothing
// that they sealed can be read again. What is left are facts: amounts, dates,
// items, countries.
//
// A customer's personal data is of two scopes. What stands on documents (the
// frozen buyer, texts of documents and payments) must be kept as long as the
// documents; contact data (the profile, texts of drafts) stands on none, is
// sealed under a key of its own, and may go as soon as nothing is open any more.
//
// Refusals:
//
//	unknown-customer  no customer has this id
//	customer-erased   it is erased already
//	not-settled       something is open between the customer and the business
//	retention         a document of the customer must be kept still
//	unknown-scope     the scope is neither all nor contact
//	reason-missing    a reason is needed
//	invalid-id        the customer's id is empty
//	text-too-long, invalid-utf8, control-character: as in package field
package erasure

import (
	"strings"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/field"
	"github.com/daybook-ledger/daybook/domain/retention"
	"github.com/daybook-ledger/daybook/domain/standing"
)

// Erase destroys the keys of a customer's personal data.
type Erase struct {
	Customer uuid.UUID `json:"customer"`
	// Scope is what goes: all, or contact data alone.
	Scope customer.Scope `json:"scope"`
	// Reason is a fact that is never erased, and must not name a person.
	Reason string `json:"reason"`
}

// CommandType implements domain.Command.
func (*Erase) CommandType() string { return "customer.erase" }

// Stream implements domain.Command.
func (c *Erase) Stream() domain.StreamID { return customer.Stream(c.Customer) }

// Validate checks the form of the command.
func (c *Erase) Validate() error {
	if err := field.ID("customer", c.Customer); err != nil {
		return err
	}
	if c.Scope != customer.All && c.Scope != customer.Contact {
		return domain.Refuse("unknown-scope", "there is no scope %.40q", string(c.Scope)).
			WithHint("the scopes are all and contact")
	}
	return field.Reason("erasure", c.Reason)
}

// Decide implements domain.Command.
func (c *Erase) Decide(s domain.States, m domain.Moment) ([]domain.Change, error) {
	person, err := customer.Load(s, c.Customer)
	if err != nil {
		return nil, err
	}
	if person.Erased == customer.All || person.Erased == c.Scope {
		return nil, customer.Refusal(c.Customer)
	}
	settings, err := book.Settings(s, m)
	if err != nil {
		return nil, err
	}
	stands, err := standing.Load(s, c.Customer)
	if err != nil {
		return nil, err
	}
	if len(stands.Open) > 0 {
		return nil, notSettled(c.Customer, stands.Open)
	}
	event := &customer.KeyDestroyed{Scope: c.Scope, Reason: c.Reason, Newest: stands.Newest}
	if stands.Newest != "" {
		rule := settings.RetentionRule()
		event.Years, event.Basis = rule.Years, rule.Basis
		event.Kept = rule.Through(stands.Newest, settings.YearEnd())
	}
	if c.Scope == customer.All && event.Kept >= domain.DateOf(m.Recorded) {
		return nil, retained(event, settings.RetentionRule())
	}
	return []domain.Change{{Stream: c.Stream(), Event: event}}, nil
}

func retained(e *customer.KeyDestroyed, rule retention.Rule) *domain.Refusal {
	law := ""
	if rule.Law != "" {
		law = " (" + rule.Law + ")"
	}
	return domain.Refuse("retention", "the customer's newest document, of %s, must be kept through %s: %d years%s",
		e.Newest, e.Kept, e.Years, law).
		WithHint("erase what stands on no document now, and the rest from %s on", e.Kept.AddDays(1))
}

func notSettled(id uuid.UUID, open []standing.Balance) *domain.Refusal {
	var parts []string
	for _, b := range open {
		what, amount := "owes ", b.Amount
		if b.Account != account.Receivables {
			if what = "has in credit "; b.Account == account.Deposits {
				what = "has in deposits "
			}
			if negated, err := amount.Neg(); err == nil {
				amount = negated
			}
		}
		parts = append(parts, what+amount.String()+" "+amount.Currency().String())
	}
	return domain.Refuse("not-settled", "the customer %s %s", id, strings.Join(parts, " and ")).
		WithHint("collect, refund or write off what is open first")
}
