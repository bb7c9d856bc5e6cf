package rules_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/domain/codec"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/rules"
	"github.com/daybook-ledger/daybook/domain/tax"
	"github.com/daybook-ledger/daybook/testing/given"
)

// wrong is a command that decides what it likes, under the name of another.
type wrong struct {
	domain.Command
	changes []domain.Change
	err     error
}

func (w *wrong) Decide(domain.States, domain.Moment) ([]domain.Change, error) {
	return w.changes, w.err
}

// TestWrongDecisions gives decisions that must never be written.
func TestWrongDecisions(t *testing.T) {
	unbalanced := &invoice.Issued{Number: "X", Content: given.Content("ada"), Totals: tax.Totals{Due: given.GBP("1")}}
	euro, err := money.ParseCurrency("EUR")
	if err != nil {
		t.Fatal(err)
	}
	hundred := money.New(10000, euro)
	euros := &invoice.Issued{Number: "X", Content: given.Content("ada"), Totals: tax.Totals{
		Net: hundred, Gross: hundred, Due: hundred,
		Breakdown: []tax.Subtotal{{Rate: given.Rate("Z 0"), Taxable: hundred, Tax: money.Zero(euro)}},
	}}
	euros.Content.Currency = euro
	stream := invoice.Stream(given.ID("i"))
	for name, c := range map[string]struct {
		changes []domain.Change
		want    error
	}{
		"nothing":    {nil, nil},
		"unbalanced": {[]domain.Change{{Stream: stream, Event: unbalanced}}, account.ErrUnbalanced},
		"not in the book's currency": {[]domain.Change{
			{Stream: stream, Event: &invoice.Drafted{}}, {Stream: stream, Event: euros},
		}, account.ErrBase},
		"out of sequence": {[]domain.Change{{Stream: stream, Event: &invoice.Approved{}}}, domain.ErrSequence},
		"twice": {[]domain.Change{
			{Stream: stream, Event: &invoice.Drafted{}}, {Stream: stream, Event: &invoice.Drafted{}},
		}, domain.ErrSequence},
		"unknown kind": {[]domain.Change{{Stream: domain.StreamID{Kind: "x"}, Event: &invoice.Drafted{}}}, codec.ErrUnknownType},
	} {
		t.Run(name, func(t *testing.T) {
			b := given.Opened(t)
			command := &wrong{Command: given.Enter("i", given.Content("ada")), changes: c.changes}
			changes, err := rules.Decide(b, b.Moment(), command)
			if err == nil || changes != nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("Decide: %v, %v", changes, err)
			}
			if refusal := (*domain.Refusal)(nil); errors.As(err, &refusal) {
				t.Errorf("a defect is called a refusal: %v", err)
			}
		})
	}
}

// TestArithmeticIsRefused gives the refusal that arithmetic wraps.
func TestArithmeticIsRefused(t *testing.T) {
	b := given.Opened(t)
	_, overflow := money.New(1<<62, given.Pounds).Add(money.New(1<<62, given.Pounds))
	_, err := rules.Decide(b, b.Moment(), &wrong{Command: given.Enter("i", given.Content("ada")), err: overflow})
	if refusal, is := err.(*domain.Refusal); !is || refusal.Code != "amount-overflow" {
		t.Errorf("Decide: %v", err)
	}
}

// TestCreditOverflow credits a customer until 64 bits are full: the last credit
// note is refused, and nothing of it stays.
func TestCreditOverflow(t *testing.T) {
	b := given.Opened(t)
	full := money.New(1<<63-1-100, given.Pounds)
	state, err := b.State(given.Register("ada").Stream())
	if err != nil {
		t.Fatal(err)
	}
	crowded := overfull{Book: b, stream: given.Register("ada").Stream(), state: state, amount: full}
	_, err = rules.Decide(crowded, b.Moment(), given.OnAccount("c", "ada", given.Line("1", "1.01", "Z 0")))
	if refusal, is := err.(*domain.Refusal); !is || refusal.Code != "amount-overflow" {
		t.Errorf("Decide: %v", err)
	}
	if _, err = rules.Decide(crowded, b.Moment(), given.OnAccount("c", "ada", given.Line("1", "1", "Z 0"))); err != nil {
		t.Errorf("Decide: %v", err)
	}
}

// TestPermissionComesFirst tells a stranger nothing about what is wrong with
// the command.
func TestPermissionComesFirst(t *testing.T) {
	b := given.Opened(t)
	b.Principal = "eve"
	c := given.Register("bob")
	c.Personal.Name = ""
	b.Refuse(t, c, "unknown-principal")
	b.Principal = given.Owner
	b.Refuse(t, c, "customer-name-missing")
}

func TestMoment(t *testing.T) {
	b := given.Opened(t)
	for _, m := range []domain.Moment{
		{},
		{Recorded: given.Now, Principal: given.Owner},
		{Book: b.ID, Principal: given.Owner},
	} {
		if _, err := rules.Decide(b, m, given.Register("bob")); !errors.Is(err, rules.ErrMoment) {
			t.Errorf("Decide at %+v: %v", m, err)
		}
	}
}

var errDisk = errors.New("disk on fire")

// broken has no states to give.
type broken struct{ *given.Book }

func (broken) State(domain.StreamID) (domain.State, error) { return nil, errDisk }

// blind has states, but finds no references.
type blind struct{ *given.Book }

func (blind) Find(domain.Reference) (domain.StreamID, bool, error) {
	return domain.StreamID{}, false, errDisk
}

// TestStatesFail tells a failure of the states from a refusal.
func TestStatesFail(t *testing.T) {
	b := given.Opened(t)
	content := given.Content("ada", given.Line("1", "1", "Z 0"))
	content.Reference = "A"
	register := given.Register("bob")
	register.Personal.Reference = "B"
	for _, states := range []domain.States{broken{b}, blind{b}} {
		for _, c := range []domain.Command{given.Enter("i", content), register, given.OnAccount("c", "ada", content.Lines...)} {
			if _, err := rules.Decide(states, b.Moment(), c); !errors.Is(err, errDisk) {
				t.Errorf("%T: %s: %v", states, c.CommandType(), err)
			}
		}
	}
}

// TestEveryCommandHasNoClock decides the same at another time: only what is
// recorded differs, and that is not in the events.
func TestEveryCommandHasNoClock(t *testing.T) {
	b := given.Opened(t)
	m := b.Moment()
	c := given.Enter("i", given.Content("ada", given.Line("1", "1", "Z 0")))
	first, err := rules.Decide(b, m, c)
	if err != nil {
		t.Fatal(err)
	}
	m.Recorded = m.Recorded.Add(36 * time.Hour)
	second, err := rules.Decide(b, m, c)
	if err != nil || len(first) != len(second) {
		t.Fatal(err)
	}
	for i := range first {
		a, _, _, errA := codec.EncodeEvent(first[i].Event)
		z, _, _, errZ := codec.EncodeEvent(second[i].Event)
		if errA != nil || errZ != nil || string(a) != string(z) {
			t.Errorf("%s differs", first[i].Event.EventType())
		}
	}
}

func TestEvolveUnknownKind(t *testing.T) {
	if _, err := rules.Evolve("parcel", nil, &invoice.Drafted{}); !errors.Is(err, codec.ErrUnknownType) {
		t.Errorf("Evolve: %v", err)
	}
	_, err := rules.Evolve(domain.KindInvoice, nil, &invoice.Approved{})
	if !errors.Is(err, domain.ErrSequence) || !strings.Contains(err.Error(), "invoice.approved after nothing") {
		t.Errorf("Evolve: %v", err)
	}
}

// overfull is a book in which a customer's credit is nearly all that fits.
type overfull struct {
	*given.Book
	stream domain.StreamID
	state  domain.State
	amount money.Amount
}

func (o overfull) State(id domain.StreamID) (domain.State, error) {
	if id != o.stream {
		return o.Book.State(id)
	}
	return o.state.Evolve(&customer.Credited{Credit: uuid.Nil, Amount: o.amount})
}
