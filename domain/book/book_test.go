package book_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/access"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/series"
	"github.com/daybook-ledger/daybook/testing/given"
)

func settings(t *testing.T, b *given.Book) book.State {
	t.Helper()
	state, found, err := book.Load(b, b.ID)
	if err != nil || !found {
		t.Fatalf("Load: %t, %v", found, err)
	}
	return state
}

func TestOpen(t *testing.T) {
	b := given.New()
	b.Take(t, given.Open(b.ID))
	state := settings(t, b)
	if state.Currency != given.Pounds || state.Seller.Name != "Acme Ltd" || state.Roles[given.Owner] != access.Owner {
		t.Errorf("settings: %+v", state)
	}
	for kind, prefix := range map[series.Kind]string{series.Invoice: "INV-", series.Credit: "CN-"} {
		numbers, err := series.Load(b, kind)
		if err != nil || numbers.Format != (series.Format{Prefix: prefix, Width: 5}) {
			t.Errorf("series %s: %+v, %v", kind, numbers, err)
		}
	}
}

func TestOpenRefused(t *testing.T) {
	for name, c := range map[string]struct {
		code   string
		change func(*book.Open)
	}{
		"another book":    {"other-book", func(c *book.Open) { c.Book = given.ID("other") }},
		"no id":           {"invalid-id", func(c *book.Open) { c.Book = uuid.Nil }},
		"no currency":     {"unknown-currency", func(c *book.Open) { c.Currency = money.Currency{} }},
		"no seller":       {"seller-name-missing", func(c *book.Open) { c.Seller.Name = " " }},
		"no country":      {"unknown-country", func(c *book.Open) { c.Seller.Country = "" }},
		"country by name": {"unknown-country", func(c *book.Open) { c.Seller.Country = "England" }},
		"no owner":        {"principal-missing", func(c *book.Open) { c.Owner = "" }},
		"escape in owner": {"control-character", func(c *book.Open) { c.Owner = "\x1b[2J" }},
		"bad UTF-8":       {"invalid-utf8", func(c *book.Open) { c.Seller.City = "K\xf6ln" }},
		"long name":       {"text-too-long", func(c *book.Open) { c.Seller.Name = strings.Repeat("x", 501) }},
		"long origin":     {"text-too-long", func(c *book.Open) { c.Origin = strings.Repeat("x", 501) }},
		"long address":    {"too-many-lines", func(c *book.Open) { c.Seller.Address = make([]string, 11) }},
	} {
		t.Run(name, func(t *testing.T) {
			b := given.New()
			command := given.Open(b.ID)
			c.change(command)
			b.Refuse(t, command, c.code)
		})
	}
}

func TestOpenTwice(t *testing.T) {
	b := given.Opened(t)
	b.Refuse(t, given.Open(b.ID), "book-exists")
	b.Principal = "eve"
	b.Refuse(t, given.Open(b.ID), "unknown-principal")
}

func TestNothingBeforeOpen(t *testing.T) {
	b := given.New()
	b.Refuse(t, given.Register("ada"), "no-book")
	b.Refuse(t, &book.Grant{Book: b.ID, Principal: "bob", Role: access.Clerk}, "no-book")
}

func TestChangeSeller(t *testing.T) {
	b := given.Opened(t)
	seller := given.Seller()
	seller.Name = "Acme Holdings"
	b.Take(t, &book.ChangeSeller{Book: b.ID, Seller: seller})
	if got := settings(t, b).Seller.Name; got != "Acme Holdings" {
		t.Errorf("seller: %q", got)
	}
	seller.Name = ""
	b.Refuse(t, &book.ChangeSeller{Book: b.ID, Seller: seller}, "seller-name-missing")
	b.Refuse(t, &book.ChangeSeller{Book: given.ID("other"), Seller: given.Seller()}, "other-book")
}

func TestRoles(t *testing.T) {
	b := given.Opened(t)
	grant := func(principal string, role access.Role) *book.Grant {
		return &book.Grant{Book: b.ID, Principal: principal, Role: role}
	}
	revoke := func(principal string) *book.Revoke { return &book.Revoke{Book: b.ID, Principal: principal} }

	b.Refuse(t, grant("bob", "king"), "unknown-role")
	b.Refuse(t, grant("", access.Clerk), "principal-missing")
	b.Refuse(t, &book.Grant{Book: given.ID("other"), Principal: "bob", Role: access.Clerk}, "other-book")
	b.Refuse(t, revoke("bob"), "unknown-principal")

	b.Take(t, grant("bob", access.Clerk))
	b.Refuse(t, grant("bob", access.Clerk), "no-change")

	// The only owner can neither be revoked nor made less.
	b.Refuse(t, revoke(given.Owner), "last-owner")
	b.Refuse(t, grant(given.Owner, access.Clerk), "last-owner")
	b.Take(t, grant("bob", access.Owner))
	b.Take(t, revoke(given.Owner))
	b.Refuse(t, revoke("bob"), "unknown-principal") // the principal who asks has no role any more

	b.Principal = "bob"
	b.Refuse(t, revoke("bob"), "last-owner")
	b.Take(t, grant("ann", access.Auditor))
	b.Principal = "ann"
	b.Refuse(t, given.Register("cy"), "not-permitted")
	b.Refuse(t, grant("ann", access.Owner), "not-permitted")
	b.Principal = "bob"
	b.Take(t, revoke("ann"))
	b.Principal = "ann"
	b.Refuse(t, given.Register("cy"), "unknown-principal")
}

func TestEvolveOutOfSequence(t *testing.T) {
	opened, err := (book.State{}).Evolve(&book.Opened{Currency: given.Pounds, Owner: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		state domain.State
		event domain.Event
	}{
		{book.State{}, &book.Granted{Principal: "bob", Role: access.Clerk}},
		{book.State{}, &book.Revoked{Principal: "bob"}},
		{book.State{}, &book.SellerChanged{}},
		{opened, &book.Opened{Currency: given.Pounds, Owner: "eve"}},
		{opened, &series.Drawn{}},
	} {
		given.OutOfSequence(t, c.state, c.event)
	}
}
