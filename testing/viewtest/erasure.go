package viewtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/codec"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/testing/given"
)

// erasedBook is a book, and whom it erased in the end.
type erasedBook struct {
	book   *given.Book
	erased map[uuid.UUID]customer.Scope
}

var someErasedBook = rapid.Custom(func(rt *rapid.T) erasedBook {
	b := RandomBook(rt, rapid.IntRange(1, 40).Draw(rt, "commands"))
	erased := map[uuid.UUID]customer.Scope{}
	for _, id := range slices.SortedFunc(maps.Keys(b.States()), compareStreams) {
		if id.Kind == domain.KindCustomer && rapid.Bool().Draw(rt, "erased") {
			erased[id.ID] = rapid.SampledFrom([]customer.Scope{customer.Contact, customer.All}).Draw(rt, "scope")
			change := domain.Change{Stream: id, Event: &customer.KeyDestroyed{Scope: erased[id.ID], Reason: "asked"}}
			if err := b.Apply(change); err != nil {
				rt.Fatal(err)
			}
			b.Log = append(b.Log, given.Commit{Moment: b.Moment(), Command: &customer.Change{ID: id.ID}, Changes: []domain.Change{change}})
		}
	}
	return erasedBook{b, erased}
})

func compareStreams(a, b domain.StreamID) int { return strings.Compare(a.String(), b.String()) }

// erasedBooks is how many books are tried: files take long to make.
const erasedBooks = 8

// testErasure: views that were there when a customer was erased answer as those
// that are made anew from a log in which that customer's data cannot be read.
func testErasure(t *testing.T, e Engine) {
	for n := range erasedBooks {
		b := someErasedBook.Example(n)
		var answers []string
		for i, log := range []*given.Book{b.book, redact(t, b.book, b.erased)} {
			s := filled(t, e, fmt.Sprintf("erased %d %d", n, i), NewLog(log, 1+n))
			answers = append(answers, everything(t, s))
		}
		if answers[0] != answers[1] {
			t.Fatalf("book %d: erased while it was there, and made anew:\n%s", n, difference(answers[0], answers[1]))
		}
	}
}

// redact gives a book whose log lacks what was erased.
func redact(t tester, b *given.Book, erased map[uuid.UUID]customer.Scope) *given.Book {
	t.Helper()
	copied := *b
	copied.Log = make([]given.Commit, len(b.Log))
	for i, c := range b.Log {
		c.Changes = slices.Clone(c.Changes)
		for j, change := range c.Changes {
			p, is := change.Event.(domain.Personal)
			if !is {
				continue
			}
			_, contact := change.Event.(domain.Contact)
			if scope := erased[p.Subject()]; scope != customer.All && (scope != customer.Contact || !contact) {
				continue
			}
			facts, _, schema := encoded(t, change.Event)
			event, err := codec.DecodeEvent(change.Event.EventType(), schema, facts, nil)
			if err != nil {
				t.Fatal(err)
			}
			c.Changes[j].Event = event
		}
		copied.Log[i] = c
	}
	return &copied
}

func encoded(t tester, e domain.Event) (facts, personal []byte, schema uint) {
	t.Helper()
	facts, personal, schema, err := codec.EncodeEvent(e)
	if err != nil {
		t.Fatal(err)
	}
	return facts, personal, schema
}
