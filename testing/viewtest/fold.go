package viewtest

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/credit"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/funds"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/payment"
	"github.com/daybook-ledger/daybook/projections/views"
	"github.com/daybook-ledger/daybook/testing/given"
)

// testRandomBooks: after any sequence of commands every answer is what the
// domain's own states add up to.
func testRandomBooks(t *testing.T, e Engine) {
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		b := RandomBook(rt, rapid.IntRange(1, 40).Draw(rt, "commands"))
		l := NewLog(b, rapid.IntRange(1, 20).Draw(rt, "page"))
		s, err := e.Open(fmt.Sprintf("random %d", n))
		if err != nil {
			rt.Fatal(err)
		}
		defer s.Close()
		catchUp(rt, s, l)
		agree(rt, s, b)
	})
}

// testBatches: it does not show how many pages were applied at a time, nor how
// many commits each had.
func testBatches(t *testing.T, e Engine) {
	b := busyBook(t)
	whole := filled(t, e, "whole", NewLog(b, 1000))
	l := NewLog(b, 0)
	for i, c := range b.Log {
		l.AddPage(c)
		if i%3 == 0 {
			l.AddPage() // a barrier
		}
	}
	single := open(t, e, "single")
	for _, p := range l.all(t) {
		apply(t, single, []Page{p})
	}
	strip := func(text string) string { // pages differ, and what is told of them
		var lines []string
		for _, line := range strings.Split(text, "\n") {
			if !strings.Contains(line, `"page":`) && !strings.Contains(line, `"Page":`) {
				lines = append(lines, line)
			}
		}
		return strings.Join(lines, "\n")
	}
	if one, all := strip(everything(t, single)), strip(everything(t, whole)); one != all {
		t.Fatalf("applied one by one and all at once differ:\n%s", difference(one, all))
	}
	agree(t, single, b)
}

// difference shows where two texts first differ.
func difference(a, b string) string {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(as), len(bs)) {
		if as[i] != bs[i] {
			return fmt.Sprintf("line %d:\n%s\n%s", i+1, as[i], bs[i])
		}
	}
	return fmt.Sprintf("%d and %d lines", len(as), len(bs))
}

// busyBook has documents in every status.
func busyBook(t *testing.T) *given.Book {
	t.Helper()
	b := bookOf(t, "ada", "bob", "eve")
	reference := func(c invoice.Content, reference string) invoice.Content {
		c.Reference = reference
		return c
	}
	for i, who := range []string{"ada", "bob", "eve", "ada", "bob"} {
		line := given.Line(fmt.Sprint(i+1), "10", "S 20")
		b.Take(t, given.Draft(fmt.Sprintf("draft %d", i), given.Content(who, line)))
		b.Take(t, given.Enter(fmt.Sprintf("entered %d", i), reference(given.Content(who, line, given.Line("1", "3.33", "S 5")), fmt.Sprintf("X/%d", i))))
	}
	b.Take(t, &invoice.Approve{ID: given.ID("draft 1")})
	b.Take(t, &invoice.Discard{ID: given.ID("draft 2"), Reason: "twice"})
	b.Take(t, &invoice.Approve{ID: given.ID("draft 3")})
	b.Take(t, &invoice.Issue{ID: given.ID("draft 3"), Date: given.Today})
	edit := given.Content("eve", given.Line("7", "1", "Z 0"))
	b.Take(t, &invoice.Edit{ID: given.ID("draft 4"), Content: edit, Personal: given.Text(1)})
	b.Take(t, given.Credit("credited whole", "draft 3", "ada", given.Line("4", "10", "S 20")))
	b.Take(t, given.Credit("credited part", "entered 0", "ada", given.Line("1", "2.50", "S 20")))
	b.Take(t, given.OnAccount("on account", "bob", given.Line("1", "9.99", "S 20")))
	b.Take(t, given.Enter("nothing due", given.Content("ada", given.Line("1", "0", "S 20"))))
	pay(t, b)
	return b
}

// testLargeDocument: a document of 10,000 lines is shown whole.
func testLargeDocument(t *testing.T, e Engine) {
	b := bookOf(t, "ada")
	content := given.Content("ada")
	for i := range 10_000 {
		content.Lines = append(content.Lines, given.Line("1", fmt.Sprintf("0.%02d", i%100), "S 20"))
	}
	command := given.Enter("large", content)
	for i := range command.Personal.Text.Lines {
		command.Personal.Text.Lines[i] = fmt.Sprintf("Ding №%d", i)
	}
	b.Take(t, command)
	s := filled(t, e, "large", NewLog(b, 1000))
	doc := must[*views.Document](t)(s.Document(within(t), stream(domain.KindInvoice, "large"), ""))
	same(t, "lines", len(doc.Lines), 10_000)
	same(t, "net", doc.Net, "4950.00")
	same(t, "tax", doc.Tax, "990.00")
	for _, i := range []int{0, 1, 4_999, 9_999} {
		same(t, "line", []string{doc.Lines[i].Description, doc.Lines[i].Net}, []string{fmt.Sprintf("Ding №%d", i), fmt.Sprintf("0.%02d", i%100)})
	}
}

// testFrozen: what is issued keeps its seller and buyer, and a draft follows its
// customer.
func testFrozen(t *testing.T, e Engine) {
	b := bookOf(t, "ada")
	content := given.Content("ada", given.Line("2", "10", "S 20"))
	b.Take(t, given.Enter("issued", content))
	b.Take(t, given.Draft("draft", content))
	b.Take(t, given.Draft("discarded", content))
	b.Take(t, &invoice.Discard{ID: given.ID("discarded")})
	l := NewLog(b, 1000)
	s := filled(t, e, "frozen", l)

	profile := given.Profile("Ada Lovelace")
	b.Take(t, &customer.Change{ID: given.ID("ada"), Country: "GB", HasVATID: true, Personal: &profile})
	b.Take(t, given.Draft("later", content))
	l.Flush(1)
	catchUp(t, s, l)

	for name, want := range map[string]string{
		"issued": "ada & Co", "draft": "Ada Lovelace & Co", "later": "Ada Lovelace & Co", "discarded": "ada & Co",
	} {
		doc := must[*views.Document](t)(s.Document(within(t), stream(domain.KindInvoice, name), ""))
		same(t, name, doc.CustomerName, want)
	}
	doc := must[*views.Document](t)(s.Document(within(t), stream(domain.KindInvoice, "issued"), ""))
	same(t, "buyer", []string{doc.Buyer.Name, doc.Buyer.City, doc.Buyer.VATID}, []string{"ada & Co", "Leeds", "GB987654321"})
	same(t, "seller", *doc.Seller, given.Seller())
	same(t, "erased", doc.Erased, false)
	found := allDocuments(t, s, views.Filter{Search: "lovelace"}, 10)
	same(t, "found by the new name", len(found), 2)
	agree(t, s, b)
}

// testErased: where a customer's key was destroyed, views made anew know the
// amounts and not the person.
func testErased(t *testing.T, e Engine) {
	b := busyBook(t)
	l := NewLog(b, 1000)
	before := filled(t, e, "before", l)
	erased := erase(t, b, "ada")
	after := filled(t, e, "after", NewLog(erased, 1000))
	for _, d := range allDocuments(t, after, views.Filter{}, 100) {
		if d.Customer != given.ID("ada") {
			continue
		}
		same(t, "name", d.CustomerName, "")
		id := domain.StreamID{Kind: d.Kind, ID: d.ID}
		doc := must[*views.Document](t)(after.Document(within(t), id, ""))
		if doc.Status != invoice.StatusDraft && doc.Status != invoice.StatusApproved && !doc.Erased {
			t.Errorf("%s does not say that it was erased", id)
		}
		known := must[*views.Document](t)(before.Document(within(t), id, ""))
		same(t, "amounts", []string{doc.Total, doc.Open}, []string{known.Total, known.Open})
	}
	ada := must[views.Customer](t)(after.Customer(within(t), given.ID("ada")))
	same(t, "customer", []any{ada.Name, ada.Profile == nil, ada.Erased}, []any{"", true, true})
	if whole := everything(t, after); strings.Contains(whole, "ada & Co") || strings.Contains(whole, "ada@") {
		t.Error("the views still name the person")
	}
	same(t, "attestation", attest(t, after), attest(t, before))

	// Views that are there when it happens know no more than those.
	l.AddPage(given.Commit{Moment: b.Moment(), Command: &customer.Change{ID: given.ID("ada")}, Changes: []domain.Change{{
		Stream: domain.StreamID{Kind: domain.KindCustomer, ID: given.ID("ada")},
		Event:  &customer.KeyDestroyed{Scope: customer.All, Reason: "asked"},
	}}})
	catchUp(t, before, l)
	if whole := everything(t, before); strings.Contains(whole, "ada & Co") || strings.Contains(whole, "ada@") {
		t.Error("the views that were there still name the person")
	}
	raw := must[*sql.DB](t)(e.Raw("before"))
	defer raw.Close()
	var kept int
	id := given.ID("ada")
	if err := raw.QueryRowContext(within(t), `SELECT count(*) FROM contents WHERE personal IS NOT NULL
		AND document IN (SELECT seq FROM documents WHERE customer = $1)`, id[:]).Scan(&kept); err != nil || kept != 0 {
		t.Errorf("the views that were there keep %d texts of the person (%v)", kept, err)
	}
	same(t, "trial balance", must[views.TrialBalance](t)(after.TrialBalance(within(t), views.BalanceFilter{})),
		must[views.TrialBalance](t)(before.TrialBalance(within(t), views.BalanceFilter{})))
}

// erase gives the book without the personal data of a customer.
func erase(t tester, b *given.Book, name string) *given.Book {
	t.Helper()
	erased := given.New()
	for _, c := range b.Log {
		kept := given.Commit{Moment: c.Moment, Command: c.Command}
		for _, change := range c.Changes {
			event := change.Event
			if p, is := event.(domain.Personal); is && p.Subject() == given.ID(name) {
				event = without(t, event)
			}
			kept.Changes = append(kept.Changes, domain.Change{Stream: change.Stream, Event: event})
		}
		erased.Log = append(erased.Log, kept)
	}
	return erased
}

func without(t tester, event domain.Event) domain.Event {
	t.Helper()
	switch e := event.(type) {
	case *customer.Registered:
		copied := *e
		copied.Personal = nil
		return &copied
	case *customer.Changed:
		copied := *e
		copied.Personal = nil
		return &copied
	case *invoice.Drafted:
		copied := *e
		copied.Personal = nil
		return &copied
	case *invoice.Edited:
		copied := *e
		copied.Personal = nil
		return &copied
	case *invoice.Issued:
		copied := *e
		copied.Personal = nil
		return &copied
	case *payment.Received:
		copied := *e
		copied.Personal = nil
		return &copied
	case *funds.Refunded:
		copied := *e
		copied.Personal = nil
		return &copied
	case *credit.Issued:
		copied := *e
		copied.Personal = nil
		return &copied
	default:
		t.Fatalf("%s is personal, and this test does not know it", event.EventType())
		return nil
	}
}
