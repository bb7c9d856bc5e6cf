package book_test

import (
	"strings"
	"testing"

	"github.com/daybook-ledger/daybook/domain/access"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/testing/given"
)

func drilled(b *given.Book) *book.RecordDrill {
	return &book.RecordDrill{Book: b.ID, Drill: book.Drill{
		Archive: "/elsewhere", Milliseconds: 120,
		Restored: &book.Checkpoint{Origin: "acme.example/book", Size: 1, Root: make([]byte, 32)},
	}}
}

func TestRecordDrill(t *testing.T) {
	b := given.Opened(t)
	before := settings(t, b)
	b.Take(t, drilled(b))
	failed := drilled(b)
	failed.Restored, failed.Failure = nil, "page-missing: page 3"
	b.Take(t, failed)
	if got := settings(t, b); got.Origin != before.Origin || len(got.Roles) != len(before.Roles) {
		t.Errorf("a drill changed the settings: %+v", got)
	}
	b.Take(t, &book.Grant{Book: b.ID, Principal: "bob", Role: access.Bookkeeper})
	b.Principal = "bob"
	b.Take(t, drilled(b))
}

func TestRecordDrillRefused(t *testing.T) {
	for name, c := range map[string]struct {
		code   string
		change func(*book.RecordDrill)
	}{
		"another book":   {"other-book", func(c *book.RecordDrill) { c.Book = given.ID("other") }},
		"no archive":     {"invalid-drill", func(c *book.RecordDrill) { c.Archive = " " }},
		"nothing":        {"invalid-drill", func(c *book.RecordDrill) { c.Restored = nil }},
		"a short root":   {"invalid-drill", func(c *book.RecordDrill) { c.Restored.Root = nil }},
		"before it was":  {"invalid-drill", func(c *book.RecordDrill) { c.Milliseconds = -1 }},
		"a long failure": {"text-too-long", func(c *book.RecordDrill) { c.Failure = strings.Repeat("x", 100_000) }},
		"two lines":      {"control-character", func(c *book.RecordDrill) { c.Failure = "a\nb" }},
	} {
		t.Run(name, func(t *testing.T) {
			b := given.Opened(t)
			command := drilled(b)
			c.change(command)
			b.Refuse(t, command, c.code)
		})
	}
}
