package book_test

import (
	"testing"

	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/testing/given"
)

func opensEpoch(b *given.Book) *book.OpenEpoch {
	return &book.OpenEpoch{
		Book: b.ID, Origin: "acme.example/book/2", Reason: "the disk died",
		Follows: book.Checkpoint{Origin: "acme.example/book", Size: 1, Root: make([]byte, 32)},
	}
}

func TestOpenEpoch(t *testing.T) {
	b := given.Opened(t)
	b.Take(t, opensEpoch(b))
	if got := settings(t, b).Origin; got != "acme.example/book/2" {
		t.Errorf("origin %q", got)
	}
	b.Refuse(t, opensEpoch(b), "invalid-epoch") // the log is another one now
	next := opensEpoch(b)
	next.Origin, next.Follows.Origin, next.Follows.Size = "acme.example/book/3", "acme.example/book/2", 2
	next.Lost = &book.Checkpoint{Origin: "acme.example/book/2", Size: 9, Root: make([]byte, 32)}
	b.Take(t, next)
}

func TestOpenEpochRefused(t *testing.T) {
	for name, c := range map[string]struct {
		code   string
		change func(*book.OpenEpoch)
	}{
		"another book":          {"other-book", func(c *book.OpenEpoch) { c.Book = given.ID("other") }},
		"no reason":             {"reason-missing", func(c *book.OpenEpoch) { c.Reason = " " }},
		"no name":               {"invalid-epoch", func(c *book.OpenEpoch) { c.Origin = "" }},
		"the same name":         {"invalid-epoch", func(c *book.OpenEpoch) { c.Origin = c.Follows.Origin }},
		"of another log":        {"invalid-epoch", func(c *book.OpenEpoch) { c.Follows.Origin = "other.example/book" }},
		"of an empty log":       {"invalid-epoch", func(c *book.OpenEpoch) { c.Follows.Size = 0 }},
		"of a short root":       {"invalid-epoch", func(c *book.OpenEpoch) { c.Follows.Root = c.Follows.Root[:31] }},
		"lost and kept":         {"invalid-epoch", func(c *book.OpenEpoch) { c.Lost = &c.Follows }},
		"lost earlier and kept": {"invalid-epoch", func(c *book.OpenEpoch) { c.LostEarlier = []book.Checkpoint{c.Follows} }},
		"lost earlier alone": {"invalid-epoch", func(c *book.OpenEpoch) {
			lost := c.Follows
			lost.Origin = "earlier.example/book"
			c.Lost, c.LostEarlier = nil, []book.Checkpoint{lost}
		}},
		"lost without root": {"invalid-epoch", func(c *book.OpenEpoch) {
			c.Lost = &book.Checkpoint{Origin: c.Follows.Origin, Size: 9}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := given.Opened(t)
			command := opensEpoch(b)
			c.change(command)
			b.Refuse(t, command, c.code)
		})
	}
	b := given.Opened(t)
	b.Take(t, &book.Grant{Book: b.ID, Principal: "bob", Role: "bookkeeper"})
	b.Principal = "bob"
	b.Refuse(t, opensEpoch(b), "not-permitted")
}

// TestOpenEpochErases: who was erased beyond what was brought back is erased, whatever
// stands in the way of an erasure else, and whoever is not known here is left out.
func TestOpenEpochErases(t *testing.T) {
	b := given.Opened(t)
	for _, who := range []string{"bob", "eve"} {
		b.Take(t, given.Register(who))
	}
	b.Take(t, given.Enter("i", given.Content("ada", given.Line("1", "100", "S 20")))) // which is open
	c := opensEpoch(b)
	for _, e := range []struct {
		who   string
		scope customer.Scope
	}{{"ada", customer.Contact}, {"bob", customer.Contact}, {"bob", customer.All}, {"nobody", customer.All}} {
		c.Erased = append(c.Erased, book.Erased{
			Customer: given.ID(e.who), KeyDestroyed: customer.KeyDestroyed{Scope: e.scope, Reason: "asked"},
		})
	}
	if changes := b.Take(t, c); len(changes) != 4 {
		t.Errorf("%d changes", len(changes))
	}
	for who, want := range map[string]customer.Scope{"ada": customer.Contact, "bob": customer.All, "eve": ""} {
		if state, err := customer.Load(b, given.ID(who)); err != nil || state.Erased != want {
			t.Errorf("%s: erased %q, %v", who, state.Erased, err)
		}
	}
	c.Erased[0].KeyDestroyed.Scope = "some"
	b.Refuse(t, c, "invalid-epoch")
}

// TestLostInAnEarlierEpoch: what an earlier epoch acknowledged may be of any size.
func TestLostInAnEarlierEpoch(t *testing.T) {
	b := given.Opened(t)
	c := opensEpoch(b)
	c.Follows.Size = 9
	c.Lost = &book.Checkpoint{Origin: "acme.example/book/0", Size: 3, Root: make([]byte, 32)}
	b.Take(t, c)
}
