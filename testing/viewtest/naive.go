package viewtest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/domain/credit"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/payment"
	"github.com/daybook-ledger/daybook/domain/tax"
	"github.com/daybook-ledger/daybook/projections/views"
	"github.com/daybook-ledger/daybook/testing/given"
)

// agree compares every answer of the views with what the book's own states and
// events add up to.
func agree(t tester, s Store, b *given.Book) {
	t.Helper()
	agreeDocuments(t, s, b)
	agreeCustomers(t, s, b)
	agreeAccounts(t, s, b)
	agreeTax(t, s, b)
	agreeJournal(t, s, b)
	agreeActivity(t, s, b)
	agreePayments(t, s, b)
	agreePeriods(t, s, b)
	agreeDeposits(t, s, b)
	agreeReports(t, s, b)
}

func text(minor int64) string { return money.New(minor, given.Pounds).String() }

// minor reads an amount that the views gave.
func minor(t tester, amount string) int64 {
	t.Helper()
	return must[money.Amount](t)(money.ParseAmount(amount, given.Pounds)).Minor()
}

func same(t tester, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		t.Fatalf("%s:\n got %s\nwant %s", what, g, w)
	}
}

func agreeDocuments(t tester, s Store, b *given.Book) {
	t.Helper()
	listed := map[domain.StreamID]views.Summary{}
	for _, d := range allDocuments(t, s, views.Filter{}, 7) {
		listed[domain.StreamID{Kind: d.Kind, ID: d.ID}] = d
	}
	var open int64
	for id, state := range b.States() {
		d, found := listed[id]
		switch state := state.(type) {
		case invoice.State:
			if !found {
				t.Fatalf("%s is not listed", id)
			}
			agreeInvoice(t, d, state)
			open += state.Open.Minor()
		case credit.State:
			if !found {
				t.Fatalf("%s is not listed", id)
			}
			same(t, id.String(), []any{d.Number, d.Date, d.Customer, d.Invoice, d.Due, d.Status},
				[]any{state.Number, state.Date, state.Customer, state.Invoice, state.Amount.String(), "issued"})
		case payment.State: // what is to be paid back of it is open
			open += state.Open.Minor()
			continue
		default:
			continue
		}
		delete(listed, id)
	}
	if len(listed) > 0 {
		t.Fatalf("listed, but not in the book: %v", listed)
	}
	items := must[views.OpenItems](t)(s.OpenItems(within(t), views.OpenFilter{AsOf: "2026-06-01", Limit: views.MaxLimit}))
	var sum int64
	for _, item := range items.Items {
		sum += minor(t, item.Open)
	}
	for _, aging := range items.Aging {
		same(t, "aging", minor(t, aging.Open), open)
		same(t, "parts of aging", minor(t, aging.NotDue)+minor(t, aging.Days30)+minor(t, aging.Days60)+
			minor(t, aging.Days90)+minor(t, aging.Older), open)
	}
	same(t, "open items", text(sum), text(open))
	same(t, "receivables", text(balanceOf(t, s, account.Receivables)), text(open))
}

func agreeInvoice(t tester, d views.Summary, state invoice.State) {
	t.Helper()
	if state.Stage != invoice.StatusIssued {
		same(t, "draft", []any{d.Status, d.Customer, d.Number, d.Open}, []any{state.Stage, state.Customer, "", "0.00"})
		return
	}
	same(t, "invoice "+d.Number,
		[]any{d.Status, d.Customer, d.Number, d.Date, d.DueDate, d.Due, d.Open},
		[]any{
			invoice.StatusOf(state.Due, state.Open, state.Allocated, state.Credited, state.WrittenOff), state.Customer, state.Number,
			state.Date, state.DueDate, state.Due.String(), state.Open.String(),
		})
}

func balanceOf(t tester, s Store, a account.Account) int64 {
	t.Helper()
	for _, row := range must[views.TrialBalance](t)(s.TrialBalance(within(t), views.BalanceFilter{})).Accounts {
		if row.Account == a {
			return minor(t, row.Debit) - minor(t, row.Credit)
		}
	}
	return 0
}

func agreeCustomers(t tester, s Store, b *given.Book) {
	t.Helper()
	owed := map[uuid.UUID]int64{}
	for _, state := range b.States() {
		if i, is := state.(invoice.State); is {
			owed[i.Customer] += i.Open.Minor()
		}
		if p, is := state.(payment.State); is {
			owed[p.Customer] += p.Open.Minor()
		}
	}
	var credits int64
	for id, state := range b.States() {
		c, is := state.(customer.State)
		if !is {
			continue
		}
		got := must[views.Customer](t)(s.Customer(within(t), id.ID))
		same(t, "profile", got.Profile, c.Profile)
		var receivable, held int64
		for _, balance := range got.Balances {
			receivable += minor(t, balance.Receivable)
			held += minor(t, balance.Credit)
		}
		same(t, "receivable of "+got.Name, text(receivable), text(owed[id.ID]))
		same(t, "credit of "+got.Name, text(held), text(c.CreditIn(given.Pounds).Minor()))
		credits += held
	}
	same(t, "customer credits", text(-balanceOf(t, s, account.CustomerCredit)), text(credits))
}

// agreeAccounts compares trial balances with the entries of all events.
func agreeAccounts(t tester, s Store, b *given.Book) {
	t.Helper()
	posted := entries(t, b)
	days := []domain.Date{""}
	for _, e := range posted {
		days = append(days, e.Date)
	}
	for _, until := range sample(days, 5) {
		want := map[account.Account]int64{}
		for _, e := range posted {
			for _, p := range e.Postings {
				if until == "" || e.Date <= until {
					want[p.Account] += p.Amount.Minor()
				}
			}
		}
		balance := must[views.TrialBalance](t)(s.TrialBalance(within(t), views.BalanceFilter{At: views.Moment{Effective: until}}))
		for _, row := range balance.Accounts {
			same(t, fmt.Sprintf("%s until %q", row.Account, until), text(minor(t, row.Debit)-minor(t, row.Credit)), text(want[row.Account]))
			delete(want, row.Account)
		}
		for a, sum := range want {
			t.Fatalf("%s has %d and is not in the balance until %q", a, sum, until)
		}
		for _, total := range balance.Totals {
			same(t, "the two sides", total.Debit, total.Credit)
		}
	}
}

// entries are those of all events, in order.
func entries(t tester, b *given.Book) (all []account.Entry) {
	t.Helper()
	for _, c := range b.Log {
		for _, change := range c.Changes {
			all = append(all, must[[]account.Entry](t)(account.Post(change.Event, change.Stream))...)
		}
	}
	return all
}

// sample is some of a list, the first and last among them.
func sample[T any](all []T, n int) []T {
	var some []T
	for i := range n {
		some = append(some, all[i*(len(all)-1)/max(n-1, 1)])
	}
	return some
}

type taxed struct {
	month string
	rate  tax.Rate
}

// agreeTax compares the tax report with the totals on the documents, and with
// what is payable.
func agreeTax(t tester, s Store, b *given.Book) {
	t.Helper()
	want := map[taxed][2]int64{}
	count := func(date domain.Date, breakdown []tax.Subtotal, sign int64) {
		for _, sub := range breakdown {
			sums := want[taxed{date.Month(), sub.Rate}]
			sums[0] += sign * sub.Taxable.Minor()
			sums[1] += sign * sub.Tax.Minor()
			want[taxed{date.Month(), sub.Rate}] = sums
		}
	}
	for _, c := range b.Log {
		for _, change := range c.Changes {
			switch e := change.Event.(type) {
			case *invoice.Issued:
				point := e.TaxPoint
				if point == "" {
					point = e.Date
				}
				count(point, e.Totals.Breakdown, +1)
			case *credit.Issued:
				count(e.Date, e.Totals.Breakdown, -1)
			case *invoice.Relieved:
				count(e.Date, subtotals(e.Relief), -1)
			case *invoice.Recovered:
				count(e.Date, subtotals(e.Relief), +1)
			}
		}
	}
	report := must[views.TaxReport](t)(s.TaxReport(within(t), views.TaxFilter{}))
	var sum, parts int64
	for _, period := range report.Periods {
		for _, row := range period.Rows {
			key := taxed{period.Month, tax.Rate{Category: row.Category, Percent: row.Percent}}
			sums := want[key]
			same(t, "tax of "+period.Month, []string{row.Taxable, row.Tax}, []string{text(sums[0]), text(sums[1])})
			delete(want, key)
			parts += minor(t, row.Tax)
		}
	}
	if len(want) > 0 {
		t.Fatalf("not in the tax report: %v", slices.Collect(maps.Keys(want)))
	}
	for _, row := range report.Rows {
		sum += minor(t, row.Tax)
	}
	same(t, "tax of all months", text(sum), text(parts))
	same(t, "tax payable", text(-balanceOf(t, s, account.TaxPayable)), text(sum))
}

func agreeJournal(t tester, s Store, b *given.Book) {
	t.Helper()
	want := entries(t, b)
	slices.SortStableFunc(want, func(a, b account.Entry) int { return cmp.Compare(a.Date, b.Date) })
	got := journal(t, s, views.JournalFilter{}, 5)
	if len(got) != len(want) {
		t.Fatalf("the journal has %d entries, not %d", len(got), len(want))
	}
	for i, entry := range got {
		same(t, "entry", []any{entry.Kind, entry.Document, entry.Date, entry.Customer},
			[]any{want[i].Document.Kind, want[i].Document.ID, want[i].Date, want[i].Customer})
		if len(entry.Postings) != len(want[i].Postings) {
			t.Fatalf("entry of %s has %d postings, not %d", entry.Number, len(entry.Postings), len(want[i].Postings))
		}
		for j, p := range entry.Postings {
			posted := want[i].Postings[j]
			same(t, "posting", []any{p.Account, minor(t, p.Debit) - minor(t, p.Credit)}, []any{posted.Account, posted.Amount.Minor()})
			if posted.Tax != nil {
				same(t, "tax mark", []any{p.Category, p.Percent, p.Taxable},
					[]any{posted.Tax.Rate.Category, posted.Tax.Rate.Percent, posted.Tax.Taxable.String()})
			}
		}
	}
}

// journal reads the journal page by page.
func journal(t tester, s Store, f views.JournalFilter, size int) (all []views.Entry) {
	t.Helper()
	f.Limit = size
	for {
		part := must[views.Journal](t)(s.Journal(within(t), f))
		if n := len(all); n > 0 && len(part.Entries) > 0 && part.Entries[0].Position == all[n-1].Position && part.Entries[0].Entry == all[n-1].Entry {
			t.Fatalf("the journal has an entry of commit %d twice", all[n-1].Position)
		}
		all = append(all, part.Entries...)
		if part.Next == "" {
			return all
		}
		same(t, "entries of a page in the middle", len(part.Entries), size)
		f.After = part.Next
	}
}

// agreeActivity compares what happened to each stream with the log.
func agreeActivity(t tester, s Store, b *given.Book) {
	t.Helper()
	want := map[domain.StreamID][]string{}
	events := 0
	for position, c := range b.Log {
		for i, change := range c.Changes {
			events++
			if change.Event.EventType() == "series.drawn" {
				continue
			}
			want[change.Stream] = append(want[change.Stream], fmt.Sprint(position, i, change.Event.EventType(), c.Moment.Recorded.UnixMicro(), c.Moment.Principal))
		}
	}
	for stream, happened := range want {
		var got []string
		for i, h := range must[[]views.Happening](t)(s.Activity(within(t), stream)) {
			got = append(got, fmt.Sprint(h.Position, h.Event, h.Type, h.Recorded.UnixMicro(), h.Principal))
			if stream.Kind != domain.KindSeries {
				same(t, "revision", h.Revision, i+1)
			}
		}
		same(t, "activity of "+stream.String(), got, happened)
	}
	status := must[views.Status](t)(s.Status(within(t)))
	same(t, "events", status.Events, events)
	same(t, "size", status.Size, len(b.Log))
}
