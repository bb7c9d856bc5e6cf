package viewtest

import (
	"fmt"
	"testing"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/domain/series"
	"github.com/daybook-ledger/daybook/projections/views"
	"github.com/daybook-ledger/daybook/testing/given"
)

// testAging: an item is overdue from the day after it was due, and stands in the
// column of its days.
func testAging(t *testing.T, e Engine) {
	b := bookOf(t, "ada", "bob", "cyd")
	for i, days := range []int{-1, 0, 1, 30, 31, 60, 61, 90, 91, 400} { // overdue on Today
		who := []string{"ada", "bob"}[i%2]
		command := given.Enter(fmt.Sprint("due ", days), given.Content(who, given.Line("1", fmt.Sprint(1+i), "Z 0")))
		command.Content.DueDays, command.Imported = 0, true
		command.Date = given.Today.AddDays(-days)
		b.Take(t, command)
	}
	s := filled(t, e, "aging", NewLog(b, 1000))
	items := must[views.OpenItems](t)(s.OpenItems(within(t), views.OpenFilter{AsOf: given.Today}))
	same(t, "aging", items.Aging, []views.Aging{{
		Currency: "GBP", Open: "55.00", NotDue: "3.00", Days30: "7.00", Days60: "11.00", Days90: "15.00", Older: "19.00",
	}})
	for day, want := range map[domain.Date][]views.Aging{
		given.Today: {
			{Currency: "GBP", Open: "54.00", NotDue: "2.00", Days30: "7.00", Days60: "11.00", Days90: "15.00", Older: "19.00"},
			{Currency: "GBP", Open: "24.00", NotDue: "0.00", Days30: "3.00", Days60: "5.00", Days90: "7.00", Older: "9.00"},
			{Currency: "GBP", Open: "30.00", NotDue: "2.00", Days30: "4.00", Days60: "6.00", Days90: "8.00", Older: "10.00"},
		},
		given.Today.AddDays(-30): {
			{Currency: "GBP", Open: "49.00", NotDue: "4.00", Days30: "11.00", Days60: "15.00", Days90: "9.00", Older: "10.00"},
			{Currency: "GBP", Open: "21.00", NotDue: "0.00", Days30: "5.00", Days60: "7.00", Days90: "9.00", Older: "0.00"},
			{Currency: "GBP", Open: "28.00", NotDue: "4.00", Days30: "6.00", Days60: "8.00", Days90: "0.00", Older: "10.00"},
		},
	} {
		report := must[views.AgingReport](t)(s.AgingReport(within(t), views.AgingFilter{Date: day}))
		got := []views.Aging{report.Totals[0].Aging}
		for _, row := range report.Rows {
			got = append(got, row.Aging)
		}
		same(t, "aging of "+string(day), got, want)
	}
	var days []int
	for _, item := range items.Items {
		days = append(days, item.DaysOverdue)
		same(t, "overdue", item.Overdue, item.DaysOverdue > 0)
	}
	same(t, "days", days, []int{400, 91, 90, 61, 60, 31, 30, 1, 0, 0})
	ada := must[views.OpenItems](t)(s.OpenItems(within(t), views.OpenFilter{AsOf: given.Today, Customer: given.ID("ada"), Limit: 2}))
	same(t, "one customer's", []any{len(ada.Items), ada.Aging[0].Open, ada.Next != ""}, []any{2, "25.00", true})
	overdue := allDocuments(t, s, views.Filter{AsOf: given.Today, Overdue: true, Sort: "due"}, 3)
	same(t, "overdue", len(overdue), 8)
}

// testTaxMonths: a range of months is both ends and what lies between.
func testTaxMonths(t *testing.T, e Engine) {
	b := bookOf(t, "ada")
	for i, date := range []domain.Date{"2025-12-31", "2026-01-01", "2026-01-31", "2026-02-01"} {
		command := given.Enter(fmt.Sprint("taxed ", i), given.Content("ada", given.Line("1", fmt.Sprint(100*(i+1)), "S 20")))
		command.Date, command.Imported = date, true
		b.Take(t, command)
	}
	s := filled(t, e, "tax", NewLog(b, 1000))
	for _, c := range []struct {
		from, to     string
		months       int
		taxable, tax string
	}{
		{"", "", 3, "1000.00", "200.00"},
		{"2026-01", "2026-01", 1, "500.00", "100.00"},
		{"2026-01", "", 2, "900.00", "180.00"},
		{"", "2025-12", 1, "100.00", "20.00"},
	} {
		report := must[views.TaxReport](t)(s.TaxReport(within(t), views.TaxFilter{From: c.from, To: c.to}))
		same(t, c.from+" to "+c.to, []any{len(report.Periods), report.Rows[0].Taxable, report.Rows[0].Tax},
			[]any{c.months, c.taxable, c.tax})
	}
	none := must[views.TaxReport](t)(s.TaxReport(within(t), views.TaxFilter{From: "2027-01"}))
	same(t, "nothing", []int{len(none.Periods), len(none.Rows)}, []int{0, 0})
}

func testJournal(t *testing.T, e Engine) {
	b := busyBook(t)
	s := filled(t, e, "journal", NewLog(b, 3))
	whole := entries(t, b)
	for name, c := range map[string]struct {
		filter views.JournalFilter
		keep   func(account.Entry) bool
	}{
		"document": {
			views.JournalFilter{Document: stream(domain.KindCredit, "credited part")},
			func(e account.Entry) bool { return e.Document == stream(domain.KindCredit, "credited part") },
		},
		"account": {views.JournalFilter{Account: account.CustomerCredit}, func(e account.Entry) bool { return posts(e, account.CustomerCredit) }},
		"taxed":   {views.JournalFilter{Account: account.TaxPayable}, func(e account.Entry) bool { return posts(e, account.TaxPayable) }},
		"both": {
			views.JournalFilter{Account: account.Receivables, Document: stream(domain.KindInvoice, "entered 0")},
			func(e account.Entry) bool { return e.Document == stream(domain.KindInvoice, "entered 0") },
		},
		"neither": {
			views.JournalFilter{Account: account.BadDebt, Document: stream(domain.KindInvoice, "entered 0")},
			func(account.Entry) bool { return false },
		},
		"dates": {views.JournalFilter{From: given.Today, To: given.Today}, func(e account.Entry) bool { return e.Date == given.Today }},
		"later": {views.JournalFilter{From: given.Today.AddDays(1)}, func(e account.Entry) bool { return e.Date > given.Today }},
		"account's dates": {
			views.JournalFilter{Account: account.Revenue, To: given.Today.AddDays(-1)},
			func(e account.Entry) bool { return posts(e, account.Revenue) && e.Date < given.Today },
		},
	} {
		want := 0
		for _, entry := range whole {
			if c.keep(entry) {
				want++
			}
		}
		for _, size := range []int{1, 2, 100} {
			got := journal(t, s, c.filter, size)
			same(t, name+": entries", len(got), want)
			seen := map[string]bool{}
			for _, entry := range got {
				seen[fmt.Sprint(entry.Position, entry.Entry)] = true
				var sum int64
				for _, p := range entry.Postings {
					sum += minor(t, p.Debit) - minor(t, p.Credit)
				}
				same(t, name+": sum of an entry", sum, 0)
			}
			same(t, name+": once each", len(seen), want)
		}
	}
}

func posts(e account.Entry, a account.Account) bool {
	for _, p := range e.Postings {
		if p.Account == a {
			return true
		}
	}
	return false
}

func testSettings(t *testing.T, e Engine) {
	b := changedBook(t)
	s := filled(t, e, "settings", NewLog(b, 1000))
	got := must[views.Book](t)(s.Book(within(t)))
	seller := given.Seller()
	seller.City = "York"
	same(t, "book", []any{got.ID, got.Currency, got.Origin, got.Seller, got.Opened},
		[]any{b.ID, "GBP", "acme.example/book/2", seller, given.Now})
	roles := map[string]string{}
	for _, r := range got.Roles {
		roles[r.Principal] = string(r.Role)
	}
	same(t, "roles", roles, map[string]string{given.Owner: "owner", "eve": "auditor"})

	all := must[[]views.Series](t)(s.Series(within(t)))
	same(t, "series", len(all), 2)
	same(t, "invoices", all[0], views.Series{
		Kind: series.Invoice, Format: series.Format{Prefix: "R", Width: 3, YearlyReset: true},
		LastNumber: "R2026-001", LastDate: given.Today,
		Counters: []views.Counter{{Year: 0, Counter: 2}, {Year: 2026, Counter: 1}},
	})
	same(t, "credit notes", []any{all[1].Kind, all[1].LastNumber, len(all[1].Counters)}, []any{series.Credit, "", 0})
}

// changedBook has changed its seller, roles, series and the name of its log.
func changedBook(t *testing.T) *given.Book {
	t.Helper()
	b := bookOf(t, "ada")
	for i := range 2 {
		command := given.Enter(fmt.Sprint("old ", i), given.Content("ada", given.Line("1", "1", "S 20")))
		command.Imported, command.Date = true, given.Today.AddDays(20)
		b.Take(t, command)
	}
	seller := given.Seller()
	seller.City = "York"
	b.Take(t, &book.ChangeSeller{Book: b.ID, Seller: seller})
	b.Take(t, &book.OpenEpoch{
		Book: b.ID, Origin: "acme.example/book/2", Reason: "the disk died",
		Follows: book.Checkpoint{Origin: "acme.example/book", Size: uint64(len(b.Log)), Root: make([]byte, 32)},
	})
	b.Take(t, &book.RecordDrill{Book: b.ID, Drill: book.Drill{Archive: "/elsewhere", Failure: "it was not there"}})
	b.Take(t, &book.Attest{Book: b.ID, Attestation: book.Attestation{
		Size: 1, Root: make([]byte, 32), Schema: 1, Views: []book.ViewHash{{View: "book", Hash: make([]byte, 32)}},
	}})
	b.Take(t, &book.Grant{Book: b.ID, Principal: "bob", Role: "clerk"})
	b.Take(t, &book.Grant{Book: b.ID, Principal: "eve", Role: "clerk"})
	b.Take(t, &book.Grant{Book: b.ID, Principal: "eve", Role: "auditor"})
	b.Take(t, &book.Revoke{Book: b.ID, Principal: "bob"})
	b.Take(t, &series.Configure{Kind: series.Invoice, Format: series.Format{Prefix: "R", Width: 3, YearlyReset: true}})
	b.Take(t, given.Enter("new", given.Content("ada", given.Line("1", "1", "S 20"))))
	return b
}
