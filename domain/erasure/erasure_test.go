package erasure_test

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/domain/codec"
	"github.com/daybook-ledger/daybook/domain/credit"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/erasure"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/payment"
	"github.com/daybook-ledger/daybook/domain/rules"
	"github.com/daybook-ledger/daybook/domain/standing"
	"github.com/daybook-ledger/daybook/testing/given"
	"github.com/daybook-ledger/daybook/testing/viewtest"
)

func erase(who string, scope customer.Scope) *erasure.Erase {
	return &erasure.Erase{Customer: given.ID(who), Scope: scope, Reason: "asked"}
}

// paid is a book in which Ada bought something and paid for it.
func paid(t testing.TB) *given.Book {
	t.Helper()
	b := given.Opened(t)
	b.Take(t, given.Register("bob"))
	b.Take(t, given.Draft("d", given.Content("ada", given.Line("1", "5", "S 20"))))
	b.Take(t, given.Enter("i", given.Content("ada", given.Line("1", "100", "S 20"))))
	receive := given.Receive("p", "ada", "120")
	receive.Allocations = []payment.Share{{Target: invoice.Stream(given.ID("i"))}}
	b.Take(t, receive)
	return b
}

// later sets the day on which the next command is recorded.
func later(b *given.Book, day domain.Date) {
	at, _ := time.Parse(time.DateOnly, string(day))
	b.Now = at.Add(12 * time.Hour)
}

func person(t testing.TB, b *given.Book, who string) customer.State {
	t.Helper()
	state, err := customer.Load(b, given.ID(who))
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// The newest document is of 2026-03-01, and the seller is in Great Britain: six
// years from the end of 2026.
func TestRetention(t *testing.T) {
	b := paid(t)
	b.Refuse(t, erase("ada", customer.All), "retention")
	later(b, "2032-12-31")
	b.Refuse(t, erase("ada", customer.All), "retention")
	later(b, "2033-01-01")
	changes := b.Take(t, erase("ada", customer.All))
	want := &customer.KeyDestroyed{
		Scope: customer.All, Reason: "asked", Newest: given.Today, Kept: "2032-12-31", Years: 6, Basis: "financial-year",
	}
	if len(changes) != 1 || !reflect.DeepEqual(changes[0].Event, want) {
		t.Errorf("decided %+v, want %+v", changes[0].Event, want)
	}
}

func TestTheBookSetsItsOwnRetention(t *testing.T) {
	b := paid(t)
	set := &book.SetRetention{Book: b.ID, Years: 2, YearEnd: 3, Reason: "small business"}
	b.Take(t, set)
	later(b, "2028-03-31")
	b.Refuse(t, erase("ada", customer.All), "retention")
	later(b, "2028-04-01")
	b.Take(t, erase("ada", customer.All))
	for _, wrong := range []book.SetRetention{
		{Book: b.ID, Years: -1, YearEnd: 1, Reason: "x"},
		{Book: b.ID, Years: 101, YearEnd: 1, Reason: "x"},
		{Book: b.ID, Years: 1, YearEnd: 0, Reason: "x"},
		{Book: b.ID, Years: 1, YearEnd: 13, Reason: "x"},
	} {
		b.Refuse(t, &wrong, "invalid-retention")
	}
	b.Refuse(t, &book.SetRetention{Book: b.ID, Years: 1, YearEnd: 1}, "reason-missing")
	b.Refuse(t, &book.SetRetention{Book: given.ID("other"), Years: 1, YearEnd: 1, Reason: "x"}, "other-book")
}

func TestWithoutDocuments(t *testing.T) {
	b := paid(t)
	b.Take(t, erase("bob", customer.All))
	if state := person(t, b, "bob"); state.Profile != nil || state.Erased != customer.All {
		t.Errorf("%+v", state)
	}
}

// Contact data goes although documents are kept, and then the rest.
func TestContactFirst(t *testing.T) {
	b := paid(t)
	b.Take(t, erase("ada", customer.Contact))
	if state := person(t, b, "ada"); state.Profile != nil || state.Erased != customer.Contact {
		t.Errorf("%+v", state)
	}
	b.Refuse(t, erase("ada", customer.Contact), "customer-erased")
	b.Refuse(t, erase("ada", customer.All), "retention")
	later(b, "2033-01-01")
	b.Take(t, erase("ada", customer.All))
	b.Refuse(t, erase("ada", customer.All), "customer-erased")
	b.Refuse(t, erase("ada", customer.Contact), "customer-erased")
}

// Whatever is open stands in the way of both.
func TestNotSettled(t *testing.T) {
	for name, command := range map[string]domain.Command{
		"an open invoice":   given.Enter("j", given.Content("ada", given.Line("1", "1", "Z 0"))),
		"credit":            given.Receive("q", "ada", "1"),
		"credit on account": given.OnAccount("c", "ada", given.Line("1", "1", "Z 0")),
		"a chargeback":      &payment.Reverse{ID: given.ID("p"), Date: given.Today, Reason: "returned"},
	} {
		t.Run(name, func(t *testing.T) {
			b := paid(t)
			b.Take(t, command)
			for _, scope := range []customer.Scope{customer.Contact, customer.All} {
				b.Refuse(t, erase("ada", scope), "not-settled")
			}
		})
	}
}

// A deposit that is paid and not deducted yet is owed as goods.
func TestADepositIsNotSettled(t *testing.T) {
	b := paid(t)
	b.Take(t, given.Enter("dep", given.Deposit("ada", given.Line("1", "10", "S 20"))))
	receive := given.Receive("q", "ada", "12")
	receive.Allocations = []payment.Share{{Target: invoice.Stream(given.ID("dep"))}}
	b.Take(t, receive)
	b.Refuse(t, erase("ada", customer.Contact), "not-settled")
}

func TestErasureForm(t *testing.T) {
	b := paid(t)
	b.Refuse(t, erase("nobody", customer.All), "unknown-customer")
	b.Refuse(t, &erasure.Erase{Scope: customer.All, Reason: "x"}, "invalid-id")
	b.Refuse(t, erase("ada", "some"), "unknown-scope")
	b.Refuse(t, &erasure.Erase{Customer: given.ID("ada"), Scope: customer.All}, "reason-missing")
}

// Nothing personal of an erased customer comes into the book again; what is left
// of the business can still be settled where the documents are kept.
func TestCommandsOnTheErased(t *testing.T) {
	about := map[string]domain.Command{
		"change":  &customer.Change{ID: given.ID("ada"), Personal: &customer.Profile{Name: "Ada"}},
		"draft":   given.Draft("d2", given.Content("ada", given.Line("1", "1", "Z 0"))),
		"edit":    &invoice.Edit{ID: given.ID("d"), Content: given.Content("ada", given.Line("1", "1", "Z 0")), Personal: given.Text(1)},
		"enter":   given.Enter("i2", given.Content("ada", given.Line("1", "1", "Z 0"))),
		"credit":  given.Credit("c", "i", "ada", given.Line("1", "1", "S 20")),
		"account": given.OnAccount("c", "ada", given.Line("1", "1", "Z 0")),
	}
	b := paid(t)
	b.Take(t, &invoice.Approve{ID: given.ID("d")})
	about["issue"] = &invoice.Issue{ID: given.ID("d"), Date: given.Today}
	b.Take(t, erase("ada", customer.Contact))
	for name, command := range about {
		t.Run("contact/"+name, func(t *testing.T) { b.Refuse(t, command, "customer-erased") })
	}
	b.Take(t, given.Receive("q", "ada", "1")) // money may come all the same, and is given back
	b.Take(t, &payment.Refund{Source: payment.Stream(given.ID("q")), Customer: given.ID("ada"), Date: given.Today})
	b.Take(t, &invoice.Discard{ID: given.ID("d")})
	later(b, "2034-01-01")
	b.Take(t, erase("ada", customer.All))
	about["receive"] = given.Receive("r", "ada", "1")
	delete(about, "issue")
	delete(about, "edit")
	for name, command := range about {
		t.Run("all/"+name, func(t *testing.T) { b.Refuse(t, command, "customer-erased") })
	}
	// Somebody else is not concerned.
	b.Take(t, given.Enter("k", given.Content("bob", given.Line("1", "1", "Z 0"))))
}

func TestOnlyAnOwnerErases(t *testing.T) {
	b := paid(t)
	b.Take(t, &book.Grant{Book: b.ID, Principal: "keeper", Role: "bookkeeper"})
	b.Principal = "keeper"
	b.Refuse(t, erase("bob", customer.All), "not-permitted")
}

// A standing is what the journal adds up to, after any sequence of commands.
func TestStandingIsTheJournal(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		b := viewtest.RandomBook(r, rapid.IntRange(1, 60).Draw(r, "commands"))
		want := map[uuid.UUID]standing.State{}
		open := map[uuid.UUID]map[account.Account]int64{}
		for _, e := range b.Entries(t) {
			s := want[e.Customer]
			s.Newest = max(s.Newest, e.Date)
			want[e.Customer] = s
			if open[e.Customer] == nil {
				open[e.Customer] = map[account.Account]int64{}
			}
			for _, p := range e.Postings {
				open[e.Customer][p.Account] += p.Amount.Minor()
			}
		}
		for id := range want {
			got, err := standing.Load(b, id)
			if err != nil || got.Newest != want[id].Newest {
				r.Fatalf("customer %s: %+v (%v), want the newest of %s", id, got, err, want[id].Newest)
			}
			for _, a := range []account.Account{account.Receivables, account.CustomerCredit, account.Deposits} {
				var sum int64
				for _, o := range got.Open {
					if o.Account == a {
						sum += o.Amount.Minor()
					}
					if o.Amount.IsZero() {
						r.Fatalf("customer %s: nothing is kept as open", id)
					}
				}
				if sum != open[id][a] {
					r.Fatalf("customer %s: %s is %d, and %d in the journal", id, a, sum, open[id][a])
				}
			}
		}
	})
}

// redacted gives a copy of a command or an event without its personal part.
func redacted[T any](t testing.TB, v T, encode func(T) ([]byte, []byte, uint, error), decode func(uint, []byte) (T, error)) T {
	t.Helper()
	facts, _, schema, err := encode(v)
	if err != nil {
		t.Fatal(err)
	}
	out, err := decode(schema, facts)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Decided again without anything personal, by whoever replays the log after the
// erasures, every command gives the facts that it gave.
func TestReplayAfterErasure(t *testing.T) {
	b := paid(t)
	b.Take(t, given.Credit("c", "i", "ada", given.Line("1", "10", "S 20")))
	b.Take(t, &payment.Refund{Source: credit.Stream(given.ID("c")), Customer: given.ID("ada"), Date: given.Today})
	b.Take(t, erase("ada", customer.Contact))
	b.Take(t, erase("bob", customer.All))
	later(b, "2033-06-01")
	b.Take(t, erase("ada", customer.All))
	again := given.New()
	for _, c := range b.Log {
		command := redacted(t, c.Command, codec.EncodeCommand, func(schema uint, facts []byte) (domain.Command, error) {
			return codec.DecodeCommand(c.Command.CommandType(), schema, facts, nil)
		})
		changes, err := rules.Replay(again, c.Moment, command)
		if err != nil {
			t.Fatalf("%s: %v", command.CommandType(), err)
		}
		if len(changes) != len(c.Changes) {
			t.Fatalf("%s decided %d events, and %d before", command.CommandType(), len(changes), len(c.Changes))
		}
		for i, change := range changes {
			was := c.Changes[i]
			got, _, _, err := codec.EncodeEvent(change.Event)
			if err != nil {
				t.Fatal(err)
			}
			want, _, _, err := codec.EncodeEvent(was.Event)
			if err != nil {
				t.Fatal(err)
			}
			if change.Stream != was.Stream || !bytes.Equal(got, want) {
				t.Errorf("%s decided %s %x, and before %s %x", command.CommandType(), change.Stream, got, was.Stream, want)
			}
		}
		if err := again.Apply(changes...); err != nil {
			t.Fatal(err)
		}
	}
}
