package viewtest

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/payment"
	"github.com/daybook-ledger/daybook/projections"
	"github.com/daybook-ledger/daybook/projections/views"
	"github.com/daybook-ledger/daybook/testing/given"
)

// crowded has many documents that are alike in what lists are sorted by.
func crowded(t *testing.T, documents int) *given.Book {
	t.Helper()
	b := bookOf(t)
	for i, name := range names {
		profile := customer.Profile{Name: name}
		b.Take(t, must[*customer.Register](t)(customer.NewRegister(given.ID(fmt.Sprint("customer ", i)), "", profile)))
	}
	for i := range documents {
		content := given.Content(fmt.Sprint("customer ", i%len(names)), given.Line(fmt.Sprint(1+i%7), "3", "S 20"))
		content.DueDays = i % 5
		name := fmt.Sprint("document ", i)
		if i%3 == 0 {
			b.Take(t, given.Draft(name, content))
			continue
		}
		command := given.Enter(name, content)
		command.Imported, command.Date = true, given.Today.AddDays(-i%11)
		b.Take(t, command)
		if i%6 == 1 {
			b.Take(t, given.Credit("credit "+name, name, fmt.Sprint("customer ", i%len(names)), given.Line("1", "1", "S 20")))
		}
	}
	return b
}

// testPagination: in every order, page by page, everything is listed once and in
// order.
func testPagination(t *testing.T, e Engine) {
	s := filled(t, e, "crowded", NewLog(crowded(t, 48), 1000))
	keys := map[string]func(views.Summary) string{
		"recorded": func(d views.Summary) string { return d.Recorded.Format("2006-01-02T15:04:05.000000") },
		"number":   func(d views.Summary) string { return d.Number },
		"date":     func(d views.Summary) string { return string(d.Date) },
		"due":      func(d views.Summary) string { return string(d.DueDate) },
		"total":    func(d views.Summary) string { return fmt.Sprintf("%012d", minor(t, d.Total)) },
		"customer": func(d views.Summary) string { return strings.ToLower(d.CustomerName) },
	}
	whole := allDocuments(t, s, views.Filter{}, views.MaxLimit)
	same(t, "documents", len(whole), 48+8)
	for name, key := range keys {
		var ascending []views.Summary
		for _, sort := range []string{name, "-" + name} {
			for _, size := range []int{3, 55, 56} {
				all := allDocuments(t, s, views.Filter{Sort: sort}, size)
				same(t, sort+": rows", len(all), len(whole))
				if !slices.IsSortedFunc(all, func(a, b views.Summary) int {
					if order := cmp.Compare(key(a), key(b)); sort == name {
						return order
					} else {
						return -order
					}
				}) {
					t.Fatalf("not in the order %s", sort)
				}
				if sort == name {
					ascending = all
				}
			}
			if sort != name {
				all := allDocuments(t, s, views.Filter{Sort: sort}, 1)
				slices.Reverse(all)
				same(t, "backwards", all, ascending)
			}
		}
	}
}

func testFilters(t *testing.T, e Engine) {
	b := crowded(t, 60)
	content := given.Content("customer 0", given.Line("1", "5", "S 20"))
	content.Reference = "EXT-7"
	b.Take(t, given.Enter("referenced", content))
	s := filled(t, e, "filters", NewLog(b, 1000))
	whole := allDocuments(t, s, views.Filter{}, views.MaxLimit)
	for name, c := range map[string]struct {
		filter views.Filter
		keep   func(views.Summary) bool
	}{
		"kind":     {views.Filter{Kind: domain.KindCredit}, func(d views.Summary) bool { return d.Kind == domain.KindCredit }},
		"invoices": {views.Filter{Kind: domain.KindInvoice}, func(d views.Summary) bool { return d.Kind == domain.KindInvoice }},
		"status": {
			views.Filter{Status: []invoice.Status{invoice.StatusDraft, invoice.StatusCredited}},
			func(d views.Summary) bool { return d.Status == "draft" || d.Status == "credited" },
		},
		"customer": {views.Filter{Customer: given.ID("customer 3")}, func(d views.Summary) bool { return d.Customer == given.ID("customer 3") }},
		"dates": {
			views.Filter{From: given.Today.AddDays(-5), To: given.Today.AddDays(-2)},
			func(d views.Summary) bool {
				return d.Date >= given.Today.AddDays(-5) && d.Date <= given.Today.AddDays(-2)
			},
		},
		"number":    {views.Filter{Number: "INV-00007"}, func(d views.Summary) bool { return d.Number == "INV-00007" }},
		"reference": {views.Filter{Reference: "EXT-7"}, func(d views.Summary) bool { return d.Reference == "EXT-7" }},
		"nobody":    {views.Filter{Customer: given.ID("nobody")}, func(views.Summary) bool { return false }},
		"two": {
			views.Filter{Customer: given.ID("customer 1"), Status: []invoice.Status{invoice.StatusIssued}, Sort: "total"},
			func(d views.Summary) bool { return d.Customer == given.ID("customer 1") && d.Status == "issued" },
		},
	} {
		want := map[uuid.UUID]bool{}
		for _, d := range whole {
			if c.keep(d) {
				want[d.ID] = true
			}
		}
		if len(want) == 0 && name != "nobody" {
			t.Errorf("%s: nothing to find", name)
		}
		got := allDocuments(t, s, c.filter, 3)
		for _, d := range got {
			if !want[d.ID] {
				t.Errorf("%s: %s %s should not be listed", name, d.Kind, d.Number)
			}
		}
		same(t, name+": rows", len(got), len(want))
	}
}

// testDates: a list of some dates is what the whole list has of them, in every order.
func testDates(t *testing.T, e Engine) {
	b := crowded(t, 60)
	b.Take(t, given.Receive("early", "customer 1", "5.00"))
	b.Take(t, given.Receive("late", "customer 2", "7.00"))
	b.Take(t, &payment.Reverse{ID: given.ID("late"), Date: given.Today.AddDays(2), Reason: "returned"})
	s := filled(t, e, "dates", NewLog(b, 1000))
	day := given.Today
	for _, kind := range []domain.Kind{"", domain.KindPayment} {
		for _, name := range []string{"recorded", "number", "date", "due", "total", "customer"} {
			for _, sort := range []string{name, "-" + name} {
				whole := allDocuments(t, s, views.Filter{Kind: kind, Sort: sort}, views.MaxLimit)
				for _, f := range []views.Filter{
					{From: day.AddDays(-3)},
					{To: day.AddDays(-3)},
					{From: day.AddDays(-5), To: day.AddDays(-2)},
					{From: day, To: day},
					{From: day.AddDays(1)},
					{To: day.AddDays(-4000)},
				} {
					f.Kind, f.Sort = kind, sort
					want := slices.DeleteFunc(slices.Clone(whole), func(d views.Summary) bool {
						return d.Date < f.From || f.To != "" && d.Date > f.To
					})
					got := allDocuments(t, s, f, 3)
					same(t, fmt.Sprintf("%s from %q to %q by %s", kind, f.From, f.To, sort), fmt.Sprint(got), fmt.Sprint(want))
				}
			}
		}
	}
}

// testSearch: what is searched for is taken as it stands, whatever its case.
func testSearch(t *testing.T, e Engine) {
	s := filled(t, e, "search", NewLog(crowded(t, 2*len(names)), 1000))
	whole := allDocuments(t, s, views.Filter{}, views.MaxLimit)
	for _, text := range append([]string{"inv-0000", "00003", "100%", "r_s", `\`, "%%", "__", "çelik", "ÇELIK", "北京", "'", "zo", "no such"}, names...) {
		want := 0
		for _, d := range whole {
			found := false
			for _, part := range []string{d.Number, d.Reference, d.CustomerName} {
				found = found || strings.Contains(strings.ToLower(part), strings.ToLower(text))
			}
			if found {
				want++
			}
		}
		same(t, fmt.Sprintf("found for %q", text), len(allDocuments(t, s, views.Filter{Search: text}, 5)), want)
	}
}

func code(err error) string {
	fault := (*projections.Fault)(nil)
	if !errors.As(err, &fault) {
		return fmt.Sprint(err)
	}
	return fault.Code
}

func testBadInput(t *testing.T, e Engine) {
	s := filled(t, e, "bad", NewLog(crowded(t, 12), 1000))
	ctx := within(t)
	token := must[views.Page](t)(s.Documents(ctx, views.Filter{Sort: "date", Limit: 2})).Next
	forged := base64.RawURLEncoding.EncodeToString([]byte(`["date",7,{},"x"]`))
	for name, c := range map[string]struct {
		filter views.Filter
		code   string
	}{
		"order":           {views.Filter{Sort: "date; DROP TABLE documents"}, "invalid-sort"},
		"hyphens":         {views.Filter{Sort: "--date"}, "invalid-sort"},
		"limit":           {views.Filter{Limit: views.MaxLimit + 1}, "invalid-limit"},
		"negative limit":  {views.Filter{Limit: -1}, "invalid-limit"},
		"status":          {views.Filter{Status: []invoice.Status{"lost"}}, "invalid-status"},
		"search":          {views.Filter{Search: strings.Repeat("x", 201)}, "invalid-search"},
		"search's bytes":  {views.Filter{Search: "\xff"}, "invalid-search"},
		"token":           {views.Filter{After: "?"}, "invalid-page"},
		"forged token":    {views.Filter{Sort: "date", After: forged}, "invalid-page"},
		"token's order":   {views.Filter{Sort: "due", After: token}, "invalid-page"},
		"token backwards": {views.Filter{Sort: "-date", After: token}, "invalid-page"},
	} {
		if _, err := s.Documents(ctx, c.filter); code(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
	_, err := s.Document(ctx, stream(domain.KindInvoice, "none"), "")
	same(t, "unknown document", code(err), "unknown-document")
	_, err = s.Customer(ctx, given.ID("none"))
	same(t, "unknown customer", code(err), "unknown-customer")
	_, err = s.TaxReport(ctx, views.TaxFilter{From: "2026-13"})
	same(t, "month", code(err), "invalid-month")
	_, err = s.OpenItems(ctx, views.OpenFilter{AsOf: "yesterday"})
	same(t, "date", code(err), "invalid-date")
	_, err = s.OpenItems(ctx, views.OpenFilter{AsOf: given.Today, After: token})
	same(t, "token of another list", code(err), "invalid-page")
	_, err = s.Customers(ctx, views.CustomerFilter{Sort: "total"})
	same(t, "customers' order", code(err), "invalid-sort")
	_, err = s.Journal(ctx, views.JournalFilter{Limit: -1})
	same(t, "journal's limit", code(err), "invalid-limit")

	empty := open(t, e, "empty")
	_, err = empty.Book(ctx)
	same(t, "no book", code(err), "no-book")
	same(t, "nothing", must[views.Page](t)(empty.Documents(ctx, views.Filter{})), views.Page{})
}

func testCustomers(t *testing.T, e Engine) {
	s := filled(t, e, "customers", NewLog(crowded(t, 20), 1000))
	for _, sort := range []string{"name", "-name", "registered", "-registered"} {
		for _, size := range []int{1, 5, len(names), views.MaxLimit} {
			var all []string
			f := views.CustomerFilter{Sort: sort, Limit: size}
			for {
				page := must[views.CustomerPage](t)(s.Customers(within(t), f))
				for _, c := range page.Customers {
					all = append(all, c.Name)
				}
				if f.After = page.Next; f.After == "" || len(all) > len(names) {
					break
				}
			}
			want := slices.Clone(names)
			if strings.HasSuffix(sort, "name") {
				slices.SortStableFunc(want, func(a, b string) int { return cmp.Compare(strings.ToLower(a), strings.ToLower(b)) })
			}
			if sort[0] == '-' {
				slices.Reverse(want)
			}
			same(t, sort, all, want)
		}
	}
	for text, want := range map[string]int{"AD": 4, "%": 2, "_": 2, "Ü": 1, "ł": 1, "nobody": 0} {
		page := must[views.CustomerPage](t)(s.Customers(within(t), views.CustomerFilter{Search: text}))
		same(t, "found for "+text, len(page.Customers), want)
	}
}

// testFind: a document is found by each of its names, and by none that two bear.
func testFind(t *testing.T, e Engine) {
	b := bookOf(t, "ada")
	enter := func(id, reference string) {
		content := given.Content("ada", given.Line("1", "1", "S 20"))
		content.Reference = reference
		command := given.Enter(id, content)
		command.ID = uuid.MustParse(id)
		b.Take(t, command)
	}
	enter("abcd1111-0000-4000-8000-000000000001", "ext:odd/1")
	enter("abcd1111-0000-4000-8000-000000000002", "7000")
	enter("abcd2222-0000-4000-8000-000000000003", "")
	note := given.OnAccount("note", "ada", given.Line("1", "1", "S 20"))
	note.ID = uuid.MustParse("abcd2222-0000-4000-8000-000000000003") // as the invoice
	b.Take(t, note)
	s := filled(t, e, "find", NewLog(b, 1000))
	for name, want := range map[string]string{
		"INV-00002":                             "INV-00002",
		"CN-00001":                              "CN-00001",
		"ext:7000":                              "INV-00002",
		"ext:ext:odd/1":                         "INV-00001",
		"abcd1111-0000-4000-8000-000000000001":  "INV-00001",
		"ABCD1111000040008000000000000002":      "INV-00002",
		"abcd1111":                              "ambiguous",
		"abcd":                                  "ambiguous",
		"abcd2":                                 "ambiguous",
		"abc":                                   "unknown-document",
		"ext:":                                  "unknown-document",
		"":                                      "unknown-document",
		"inv-%":                                 "unknown-document",
		"7000":                                  "unknown-document",
		"ext:abcd1111":                          "unknown-document",
		"abcd1111-0000-4000-8000-000000000001-": "INV-00001",
		"abcd1111-0000-4000-8000-0000000000011": "unknown-document",
	} {
		found, err := s.FindDocument(within(t), name, "")
		got := found.Number
		if err != nil {
			got = code(err)
		}
		same(t, fmt.Sprintf("%q", name), got, want)
		if ambiguous := (*views.Ambiguous)(nil); want == "ambiguous" && (!errors.As(err, &ambiguous) || len(ambiguous.Candidates) < 2) {
			t.Errorf("%q: no candidates in %v", name, err)
		}
	}
	found := must[views.Summary](t)(s.FindDocument(within(t), "abcd2", domain.KindCredit))
	same(t, "with a kind", found.Number, "CN-00001")
	customer := must[views.Customer](t)(s.FindCustomer(within(t), "ADA & co"))
	same(t, "customer", customer.ID, given.ID("ada"))
	customer = must[views.Customer](t)(s.FindCustomer(within(t), given.ID("ada").String()[:8]))
	same(t, "customer", customer.ID, given.ID("ada"))
	_, err := s.FindCustomer(within(t), "ext:")
	same(t, "no customer", code(err), "unknown-customer")
}
