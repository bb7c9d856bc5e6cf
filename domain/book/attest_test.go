package book_test

import (
	"strings"
	"testing"

	"github.com/daybook-ledger/daybook/domain/access"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/testing/given"
)

func attest(b *given.Book) *book.Attest {
	return &book.Attest{Book: b.ID, Attestation: book.Attestation{
		Size: 1, Root: make([]byte, 32), Schema: 8,
		Views: []book.ViewHash{{View: "accounts", Hash: make([]byte, 32)}, {View: "book", Hash: make([]byte, 32)}},
	}}
}

func TestAttest(t *testing.T) {
	b := given.Opened(t)
	before := settings(t, b)
	b.Take(t, attest(b))
	if got := settings(t, b); got.Origin != before.Origin || len(got.Roles) != len(before.Roles) {
		t.Errorf("hashes of views changed the settings: %+v", got)
	}
	b.Take(t, &book.Grant{Book: b.ID, Principal: "bob", Role: access.Bookkeeper})
	b.Take(t, &book.Grant{Book: b.ID, Principal: "carol", Role: access.Auditor})
	b.Principal = "bob"
	b.Take(t, attest(b))
	b.Principal = "carol"
	b.Refuse(t, attest(b), "not-permitted")
}

func TestAttestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		code   string
		change func(*book.Attest)
	}{
		"another book":   {"other-book", func(c *book.Attest) { c.Book = given.ID("other") }},
		"an empty log":   {"invalid-attestation", func(c *book.Attest) { c.Size = 0 }},
		"a short root":   {"invalid-attestation", func(c *book.Attest) { c.Root = c.Root[1:] }},
		"no version":     {"invalid-attestation", func(c *book.Attest) { c.Schema = 0 }},
		"no views":       {"invalid-attestation", func(c *book.Attest) { c.Views = nil }},
		"a short hash":   {"invalid-attestation", func(c *book.Attest) { c.Views[1].Hash = c.Root[1:] }},
		"no name":        {"invalid-attestation", func(c *book.Attest) { c.Views[0].View = "" }},
		"out of order":   {"invalid-attestation", func(c *book.Attest) { c.Views[0].View = "tax" }},
		"one view twice": {"invalid-attestation", func(c *book.Attest) { c.Views[0].View = "book" }},
		"a long name":    {"text-too-long", func(c *book.Attest) { c.Views[1].View = strings.Repeat("x", 100_000) }},
		"two lines":      {"control-character", func(c *book.Attest) { c.Views[1].View = "b\nc" }},
	} {
		t.Run(name, func(t *testing.T) {
			b := given.Opened(t)
			command := attest(b)
			c.change(command)
			b.Refuse(t, command, c.code)
		})
	}
}
