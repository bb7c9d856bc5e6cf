package viewtest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/payment"
	"github.com/daybook-ledger/daybook/projections/views"
	"github.com/daybook-ledger/daybook/testing/given"
)

// posted is an entry and the event that is posted.
type posted struct {
	account.Entry
	position, event int
	change          domain.Change
}

// naive is the accounts of a book, added up from all its entries each time.
type naive struct {
	tester
	store Store
	book  *given.Book
	all   []posted
}

// agreeReports compares every report on some days, and the evidence for each of
// its figures, with what the entries add up to.
func agreeReports(t tester, s Store, b *given.Book) {
	t.Helper()
	n := naive{tester: t, store: s, book: b}
	days := []domain.Date{given.Today.AddDays(-500), given.Today.AddDays(500)}
	for position, c := range b.Log {
		for i, change := range c.Changes {
			for _, e := range must[[]account.Entry](t)(account.Post(change.Event, change.Stream)) {
				n.all = append(n.all, posted{e, position, i, change})
				days = append(days, e.Date)
			}
		}
	}
	slices.Sort(days)
	some := sample(days, 4)
	for _, day := range some {
		n.aging(day)
		n.balances(day)
	}
	n.openItems()
	n.taxes()
	for _, span := range [][2]domain.Date{{"", ""}, {some[1], some[2]}, {some[2], ""}, {"", some[1]}, {some[1], some[1]}} {
		n.statements(span[0], span[1])
		n.ledger(span[0], span[1])
		n.revenue(span[0], span[1])
	}
}

// within reports whether a date lies within bounds; empty for none.
func (p posted) within(from, to domain.Date) bool {
	return p.Date >= from && (to == "" || p.Date <= to)
}

// balance adds up what was posted within bounds where keep says so.
func (n naive) balance(from, to domain.Date, keep func(posted, account.Posting) bool) (sum int64) {
	for _, p := range n.all {
		for _, posting := range p.Postings {
			if p.within(from, to) && keep(p, posting) {
				sum += posting.Amount.Minor()
			}
		}
	}
	return sum
}

// proven checks that entries, by the names of figures, add up to those of a row,
// and that each is an event of the log that posted something.
func (n naive) proven(what string, row any, entries []views.Evidence, figures ...string) {
	n.Helper()
	fields := map[string]any{}
	if err := json.Unmarshal(must[[]byte](n)(json.Marshal(row)), &fields); err != nil {
		n.Fatal(err)
	}
	sums := map[string]int64{}
	for _, e := range entries {
		n.caused(what, e.Cause)
		for name, amount := range e.Figures {
			sums[name] += minor(n, amount)
		}
	}
	for _, name := range figures {
		want, is := fields[name].(string)
		if !is {
			n.Fatalf("%s has no figure %s", what, name)
		}
		same(n, what+": evidence for "+name, text(sums[name]), want)
		delete(sums, name)
	}
	for name := range sums {
		n.Fatalf("%s: evidence for %s, which is no figure of it", what, name)
	}
}

// caused checks that a line names an event of the log, and its document.
func (n naive) caused(what string, c views.Cause) {
	n.Helper()
	at := slices.IndexFunc(n.all, func(p posted) bool { return p.position == int(c.Position) && p.event == c.Event })
	if at < 0 {
		n.Fatalf("%s: event %d of commit %d posted nothing", what, c.Event, c.Position)
	}
	p := n.all[at]
	same(n, what+": cause", []any{c.Type, c.Date, c.Kind, c.Document}, []any{p.change.Event.EventType(), p.Date, p.Document.Kind, p.Document.ID})
}

// due is the day on which an open item is due.
func (n naive) due(item domain.StreamID) domain.Date {
	n.Helper()
	switch s := must[domain.State](n)(n.book.State(item)).(type) {
	case invoice.State:
		return s.DueDate
	case payment.State:
		return s.Reversed
	default:
		n.Fatalf("%s is no open item", item)
		return ""
	}
}

// byName lists customers in the order of their names, then of their entry.
func (n naive) byName() (all []uuid.UUID) {
	for _, c := range n.book.Log {
		for _, change := range c.Changes {
			if _, is := change.Event.(*customer.Registered); is {
				all = append(all, change.Stream.ID)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b uuid.UUID) int {
		return cmp.Compare(strings.ToLower(n.name(a)), strings.ToLower(n.name(b)))
	})
	return all
}

func (n naive) name(id uuid.UUID) string {
	return must[domain.State](n)(n.book.State(customer.Stream(id))).(customer.State).Profile.Name
}

// columns of an aging row, and the days overdue with which each begins.
var columns = []struct {
	name        string
	first, last int
}{{"not_due", -100_000, 0}, {"days_1_30", 1, 30}, {"days_31_60", 31, 60}, {"days_61_90", 61, 90}, {"days_over_90", 91, 100_000}}

// aging compares the aging of a day with what its items add up to.
func (n naive) aging(day domain.Date) {
	n.Helper()
	report := must[views.AgingReport](n)(n.store.AgingReport(within(n), views.AgingFilter{Date: day, Explain: true}))
	var got, want []string
	for _, row := range report.Rows {
		got = append(got, fmt.Sprint(row.CustomerName, row.AgingTotal, row.OpenBase, row.CreditBase))
		n.proven("aging of "+row.CustomerName, row, row.Entries,
			"open", "not_due", "days_1_30", "days_31_60", "days_61_90", "days_over_90", "credit", "open_base", "credit_base")
	}
	for _, id := range n.byName() {
		if row := n.aged(id, day); row.Open != "0.00" || row.Credit != "0.00" {
			want = append(want, fmt.Sprint(n.name(id), row, row.Open, row.Credit))
		}
	}
	same(n, fmt.Sprintf("aging of %s", day), got, want)
	receivables := n.balance("", day, func(_ posted, p account.Posting) bool { return p.Account == account.Receivables })
	credit := -n.balance("", day, func(_ posted, p account.Posting) bool { return p.Account == account.CustomerCredit })
	totals := report.Totals
	if report.Base.Currency != "" { // the book is open
		totals = append(totals, report.Base)
	}
	for _, total := range totals {
		same(n, "total of aging", []string{total.Open, total.Credit}, []string{text(receivables), text(credit)})
		var columns, rows int64
		for i, amount := range []string{total.NotDue, total.Days30, total.Days60, total.Days90, total.Older} {
			columns += minor(n, amount)
			for _, row := range report.Rows {
				rows += minor(n, []string{row.NotDue, row.Days30, row.Days60, row.Days90, row.Older}[i])
			}
			same(n, "column of aging", columns, rows)
		}
		same(n, "columns of aging", text(columns), text(receivables))
	}
	if len(report.Totals) == 0 && receivables|credit != 0 {
		n.Fatalf("aging of %s has no total", day)
	}
	n.pages(day, report.Rows)
}

// aged is what a customer's items were on a day.
func (n naive) aged(id uuid.UUID, day domain.Date) views.AgingTotal {
	items := map[domain.StreamID]int64{}
	for _, p := range n.all {
		for _, posting := range p.Postings {
			if p.Customer == id && p.Date <= day && posting.Account == account.Receivables {
				items[posting.Item] += posting.Amount.Minor()
			}
		}
	}
	sums := map[string]int64{}
	for item, open := range items {
		sums["open"] += open
		overdue := 0
		for d := n.due(item); d < day; d = d.AddDays(1) {
			overdue++
		}
		for _, c := range columns {
			if overdue >= c.first && overdue <= c.last {
				sums[c.name] += open
			}
		}
	}
	credit := -n.balance("", day, func(p posted, posting account.Posting) bool {
		return p.Customer == id && posting.Account == account.CustomerCredit
	})
	return views.AgingTotal{Aging: views.Aging{
		Currency: "GBP", Open: text(sums["open"]), NotDue: text(sums["not_due"]), Days30: text(sums["days_1_30"]),
		Days60: text(sums["days_31_60"]), Days90: text(sums["days_61_90"]), Older: text(sums["days_over_90"]),
	}, Credit: text(credit)}
}

// pages reads the aging of a day customer by customer, and two at a time.
func (n naive) pages(day domain.Date, want []views.AgingRow) {
	n.Helper()
	var got []views.AgingRow
	f := views.AgingFilter{Date: day, Limit: 2, Explain: true}
	for {
		page := must[views.AgingReport](n)(n.store.AgingReport(within(n), f))
		got = append(got, page.Rows...)
		if f.After = page.Next; f.After == "" {
			break
		}
		same(n, "customers on a page", len(page.Rows), 2)
	}
	same(n, "pages of aging", got, want)
	for _, row := range want {
		one := must[views.AgingReport](n)(n.store.AgingReport(within(n), views.AgingFilter{Date: day, Customer: row.Customer, Explain: true}))
		same(n, "aging of one customer", []any{one.Rows, one.Totals}, []any{[]views.AgingRow{row}, []views.AgingTotal{row.AgingTotal}})
	}
}

// balances checks the evidence of a trial balance.
func (n naive) balances(until domain.Date) {
	n.Helper()
	balance := must[views.TrialBalance](n)(n.store.TrialBalance(within(n), views.BalanceFilter{At: views.Moment{Effective: until}, Explain: true}))
	for _, row := range balance.Accounts {
		sum := text(minor(n, row.Debit) - minor(n, row.Credit))
		posted := 0
		for _, p := range n.all {
			if p.Date <= until && posts(p.Entry, row.Account) {
				posted++
			}
		}
		same(n, "entries behind the balance of "+string(row.Account), len(row.Entries), posted)
		n.proven("balance of "+string(row.Account), map[string]string{
			"balance": sum, "balance_base": text(minor(n, row.DebitBase) - minor(n, row.CreditBase)),
		}, row.Entries, "balance", "balance_base")
	}
	for _, row := range balance.InBase {
		n.proven("balance in base of "+string(row.Account), map[string]string{"balance": text(minor(n, row.Debit) - minor(n, row.Credit))},
			row.Entries, "balance")
	}
}

// openItems checks the evidence of what is open now.
func (n naive) openItems() {
	n.Helper()
	items := must[views.OpenItems](n)(n.store.OpenItems(within(n), views.OpenFilter{AsOf: given.Today, Limit: views.MaxLimit, Explain: true}))
	for _, item := range items.Items {
		n.proven("open of "+item.Number, item, item.Entries, "open", "open_base")
	}
}

// taxes checks the evidence of the tax report.
func (n naive) taxes() {
	n.Helper()
	for _, f := range []views.TaxFilter{{Explain: true}, {From: given.Today.Month(), Explain: true}, {To: given.Today.Month(), Explain: true}} {
		for _, period := range must[views.TaxReport](n)(n.store.TaxReport(within(n), f)).Periods {
			for _, row := range period.Rows {
				n.proven(fmt.Sprintf("tax of %s at %s %s", period.Month, row.Category, row.Percent), row, row.Entries, "taxable", "tax")
				for _, e := range row.Entries {
					same(n, "month of an entry", cmp.Or(e.TaxPoint, e.Date).Month(), period.Month)
				}
			}
		}
	}
}

// theirs is the postings to a customer's two accounts.
func theirs(id uuid.UUID, a ...account.Account) func(posted, account.Posting) bool {
	return func(p posted, posting account.Posting) bool {
		return p.Customer == id && slices.Contains(a, posting.Account)
	}
}

// statements compares statements with the entries of each customer.
func (n naive) statements(from, to domain.Date) {
	n.Helper()
	all := must[views.Statements](n)(n.store.Statements(within(n), views.StatementFilter{From: from, To: to, Explain: true}))
	at := 0
	for _, id := range n.byName() {
		entries := n.entriesOf(id, from, to)
		closing := n.standing(id, to)
		if len(entries) == 0 && closing.Receivable == "0.00" && closing.Credit == "0.00" {
			continue
		}
		if at == len(all.Statements) {
			n.Fatalf("%s has no statement", n.name(id))
		}
		s := all.Statements[at]
		at++
		same(n, "statement", []any{s.Customer, s.CustomerName, s.Currency, s.Closing}, []any{id, n.name(id), "GBP", closing})
		opening := views.Standing{Receivable: "0.00", Credit: "0.00", Balance: "0.00", BalanceBase: "0.00"}
		if from != "" {
			opening = n.standing(id, from.AddDays(-1))
		}
		same(n, "opening of "+s.CustomerName, s.Opening, opening)
		n.proven("opening of "+s.CustomerName, s.Opening, s.Entries, "receivable", "credit", "balance", "balance_base")
		same(n, "lines of "+s.CustomerName, len(s.Lines), len(entries))
		sum := minor(n, s.Opening.Balance)
		for i, line := range s.Lines {
			n.caused("line", line.Cause)
			same(n, "line", []any{line.Position, line.Event}, []any{entries[i].position, entries[i].event})
			owed, credit := n.moved(entries[i])
			sum += owed - credit
			same(n, "amounts of a line", []string{line.Receivable, line.Credit, line.Amount, line.AmountBase, line.Balance, line.BalanceBase},
				[]string{text(owed), text(credit), text(owed - credit), text(owed - credit), text(sum), text(sum)})
		}
		same(n, "closing of "+s.CustomerName, s.Closing.Balance, text(sum))
		one := must[views.Statements](n)(n.store.Statements(within(n), views.StatementFilter{Customer: id, From: from, To: to, Explain: true}))
		same(n, "statement of one customer", one.Statements, []views.Statement{s})
	}
	same(n, "statements", len(all.Statements), at)
}

// entriesOf are those that post to a customer's accounts, by date.
func (n naive) entriesOf(id uuid.UUID, from, to domain.Date) (list []posted) {
	for _, p := range n.all {
		if p.Customer == id && p.within(from, to) && (posts(p.Entry, account.Receivables) || posts(p.Entry, account.CustomerCredit)) {
			list = append(list, p)
		}
	}
	slices.SortStableFunc(list, func(a, b posted) int { return cmp.Compare(a.Date, b.Date) })
	return list
}

// standing is how a customer stood at the end of a day; empty for now.
func (n naive) standing(id uuid.UUID, to domain.Date) views.Standing {
	owed := n.balance("", to, theirs(id, account.Receivables))
	credit := -n.balance("", to, theirs(id, account.CustomerCredit))
	return views.Standing{Receivable: text(owed), Credit: text(credit), Balance: text(owed - credit), BalanceBase: text(owed - credit)}
}

// moved is what an entry posts to receivables and to customer credit.
func (n naive) moved(p posted) (owed, credit int64) {
	for _, posting := range p.Postings {
		switch posting.Account {
		case account.Receivables:
			owed += posting.Amount.Minor()
		case account.CustomerCredit:
			credit -= posting.Amount.Minor()
		}
	}
	return owed, credit
}

// ledger compares the ledger of every account with its postings.
func (n naive) ledger(from, to domain.Date) {
	n.Helper()
	ledger := must[views.Ledger](n)(n.store.Ledger(within(n), views.LedgerFilter{From: from, To: to, Explain: true}))
	at := 0
	for _, info := range account.Chart() {
		on := func(_ posted, p account.Posting) bool { return p.Account == info.Account }
		before := int64(0)
		if from != "" {
			before = n.balance("", from.AddDays(-1), on)
		}
		var lines []string
		sorted := slices.Clone(n.all)
		slices.SortStableFunc(sorted, func(a, b posted) int { return cmp.Compare(a.Date, b.Date) })
		sum, ever := before, false
		for _, p := range sorted {
			for _, posting := range p.Postings {
				if posting.Account != info.Account || to != "" && p.Date > to {
					continue
				}
				if ever = true; !p.within(from, to) {
					continue
				}
				sum += posting.Amount.Minor()
				lines = append(lines, fmt.Sprint(p.position, p.event, p.Date, p.Customer, text(posting.Amount.Minor()), text(sum), text(sum)))
			}
		}
		if !ever {
			continue
		}
		if at == len(ledger.Accounts) {
			n.Fatalf("%s has no ledger", info.Account)
		}
		a := ledger.Accounts[at]
		at++
		var got []string
		for _, line := range a.Lines {
			n.caused("line", line.Cause)
			got = append(got, fmt.Sprint(line.Position, line.Event, line.Date, line.Customer,
				text(minor(n, line.Debit)-minor(n, line.Credit)), line.Balance, line.BalanceBase))
		}
		same(n, "lines of "+a.Name, got, lines)
		same(n, "ledger of "+a.Name, []any{a.Account, a.Name, a.Opening, a.OpeningBase, a.Closing, a.ClosingBase},
			[]any{info.Account, info.Name, text(before), text(before), text(sum), text(sum)})
		same(n, "sums of "+a.Name, minor(n, a.Opening)+minor(n, a.Debit)-minor(n, a.Credit), minor(n, a.Closing))
		n.proven("opening of "+a.Name, map[string]string{"balance": a.Opening, "balance_base": a.OpeningBase}, a.Entries, "balance", "balance_base")
		one := must[views.Ledger](n)(n.store.Ledger(within(n), views.LedgerFilter{Account: info.Account, From: from, To: to, Explain: true}))
		same(n, "ledger of one account", one.Accounts, []views.LedgerAccount{a})
	}
	same(n, "accounts", len(ledger.Accounts), at)
}

// part is what revenue is divided by.
type part struct {
	month    string
	customer uuid.UUID
	sold     account.Sold
	item     string
}

// revenue compares revenue, divided in every way, with the lines of documents and
// with the account.
func (n naive) revenue(from, to domain.Date) {
	n.Helper()
	total := -n.balance(from, to, func(_ posted, p account.Posting) bool { return p.Account == account.Revenue })
	for _, by := range [][]views.Dimension{nil, {views.ByMonth}, {views.ByCustomer}, {views.ByItem}, {views.ByItem, views.ByMonth}} {
		whole := len(by) == 0
		want := map[part]int64{}
		for _, p := range n.all {
			for _, sale := range must[[]account.Sale](n)(account.Sales(p.change.Event, p.Entry)) {
				var k part
				if whole || slices.Contains(by, views.ByMonth) {
					k.month = p.Date.Month()
				}
				if whole || slices.Contains(by, views.ByCustomer) {
					k.customer = p.Customer
				}
				if whole || slices.Contains(by, views.ByItem) {
					k.sold, k.item = sale.Sold, sale.Item
				}
				if p.within(from, to) {
					want[k] += sale.Amount.Minor()
				}
			}
		}
		report := must[views.RevenueReport](n)(n.store.Revenue(within(n), views.RevenueFilter{From: from, To: to, By: by, Explain: true}))
		same(n, "rows of revenue", len(report.Rows), len(want))
		for _, row := range report.Rows {
			sum, found := want[part{row.Month, row.Customer, row.Sold, row.Item}]
			same(n, "revenue", []any{found, row.Amount, row.AmountBase, row.Currency}, []any{true, text(sum), text(sum), "GBP"})
			n.proven("revenue", row, row.Entries, "amount", "amount_base")
			if row.Customer != uuid.Nil {
				same(n, "customer", row.CustomerName, n.name(row.Customer))
			}
		}
		var posted money.Amount = money.New(total, given.Pounds)
		for _, sum := range report.Totals {
			same(n, "revenue posted", []string{sum.Amount, sum.AmountBase}, []string{posted.String(), posted.String()})
		}
		if len(report.Totals) == 0 && !posted.IsZero() {
			n.Fatalf("%s was posted to revenue, and none is reported", posted)
		}
	}
}
