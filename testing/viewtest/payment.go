package viewtest

import (
	"database/sql"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/credit"
	"github.com/daybook-ledger/daybook/domain/funds"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/payment"
	"github.com/daybook-ledger/daybook/domain/tax"
	"github.com/daybook-ledger/daybook/projections/views"
	"github.com/daybook-ledger/daybook/testing/given"
)

func subtotals(sums []invoice.RateSum) []tax.Subtotal {
	list := make([]tax.Subtotal, len(sums))
	for i, s := range sums {
		list[i] = tax.Subtotal{Rate: s.Rate, Taxable: s.Taxable, Tax: s.Tax}
	}
	return list
}

// agreePayments compares payments, and what was allocated from and to all that
// can be, with the states.
func agreePayments(t tester, s Store, b *given.Book) {
	t.Helper()
	listed := map[domain.StreamID]views.Payment{}
	f := views.Filter{Limit: 3}
	for {
		page := must[views.PaymentPage](t)(s.Payments(within(t), f))
		for _, p := range page.Payments {
			listed[payment.Stream(p.ID)] = p
		}
		if f.After = page.Next; f.After == "" {
			break
		}
	}
	to := map[domain.StreamID][]string{}
	for id, state := range b.States() {
		switch state := state.(type) {
		case payment.State:
			agreePayment(t, s, listed[id], id, state)
			allocated(to, id, state.Funds)
			delete(listed, id)
		case credit.State:
			doc := must[*views.Document](t)(s.Document(within(t), id, ""))
			same(t, "funds of "+doc.Number, []any{doc.Free, doc.Refunded, from(doc.Allocations)},
				[]any{state.Funds.Free.String(), state.Funds.Refunded.String(), uses(state.Funds)})
			allocated(to, id, state.Funds)
		}
	}
	same(t, "payments that are not in the book", len(listed), 0)
	for id, state := range b.States() {
		switch state := state.(type) {
		case invoice.State:
			if state.Stage != invoice.StatusIssued {
				continue
			}
			doc := must[*views.Document](t)(s.Document(within(t), id, ""))
			var relieved int64
			for _, r := range state.Relieved {
				relieved += r.Tax.Minor()
			}
			same(t, "what became of "+doc.Number, []any{doc.Allocated, doc.Credited, doc.WrittenOff, doc.Recovered, doc.Relieved},
				[]any{state.Allocated, state.Credited, state.WrittenOff, state.Recovered, text(relieved)})
			sameSet(t, "payments of "+doc.Number, from(doc.Payments), to[id])
		case payment.State:
			paid := must[*views.PaymentDetail](t)(s.Payment(within(t), id.ID))
			sameSet(t, "paid back of "+id.String(), from(paid.Payments), to[id])
		}
	}
}

func agreePayment(t tester, s Store, listed views.Payment, id domain.StreamID, state payment.State) {
	t.Helper()
	p := must[*views.PaymentDetail](t)(s.Payment(within(t), id.ID))
	same(t, "listed", listed, p.Payment)
	var sum int64
	for _, u := range state.Funds.Uses {
		sum += u.Amount.Minor()
	}
	same(t, id.String(),
		[]any{p.Status, p.Customer, p.Date, p.Amount, p.Free, p.Refunded, p.Drawn, p.Allocated, p.Open, p.Reversed, from(p.Allocations)},
		[]any{
			state.Status(), state.Customer, state.Date, state.Funds.Amount, state.Funds.Free, state.Funds.Refunded,
			state.Funds.Drawn, text(sum), state.Open, state.Reversed, uses(state.Funds),
		})
}

func from(all []views.Allocation) map[string]bool {
	set := map[string]bool{}
	for _, a := range all {
		set[fmt.Sprint(domain.StreamID{Kind: a.Kind, ID: a.ID}, " ", a.Amount, " ", a.Date)] = true
	}
	return set
}

func uses(f funds.Funds) map[string]bool {
	set := map[string]bool{}
	for _, u := range f.Uses {
		set[fmt.Sprint(u.Target, " ", u.Amount, " ", u.Date)] = true
	}
	return set
}

func allocated(to map[domain.StreamID][]string, source domain.StreamID, f funds.Funds) {
	for _, u := range f.Uses {
		to[u.Target] = append(to[u.Target], fmt.Sprint(source, " ", u.Amount, " ", u.Date))
	}
}

func sameSet(t tester, what string, got map[string]bool, want []string) {
	t.Helper()
	set := map[string]bool{}
	for _, w := range want {
		set[w] = true
	}
	same(t, what, got, set)
}

// testPayments: lists of payments by status, customer, reference and what is
// free, and how a person names one.
func testPayments(t *testing.T, e Engine) {
	b := busyBook(t)
	s := filled(t, e, "payments", NewLog(b, 3))
	for name, c := range map[string]struct {
		filter views.Filter
		want   int
	}{
		"all":      {views.Filter{}, 4},
		"received": {views.Filter{Status: []invoice.Status{"received"}}, 3},
		"reversed": {views.Filter{Status: []invoice.Status{"reversed"}}, 1},
		"ada's":    {views.Filter{Customer: given.ID("ada")}, 2},
		"free":     {views.Filter{Free: true}, 2},
		"dated":    {views.Filter{From: given.Today.AddDays(1)}, 1},
		"named":    {views.Filter{Search: "eve &"}, 1},
		"by name":  {views.Filter{Reference: "TX-1", Sort: "total"}, 1},
	} {
		got := must[views.PaymentPage](t)(s.Payments(within(t), c.filter))
		same(t, name, len(got.Payments), c.want)
	}
	_, err := s.Payments(within(t), views.Filter{Status: []invoice.Status{"draft"}})
	faulty(t, "status", err, "invalid-status")
	_, err = s.Payment(within(t), given.ID("none"))
	faulty(t, "payment", err, "unknown-payment")
	_, err = s.FindDocument(within(t), "ext:none", domain.KindPayment)
	faulty(t, "find", err, "unknown-payment")
	_, err = s.FindFunds(within(t), "entered 0")
	faulty(t, "find funds", err, "unknown-payment")
	found := must[views.Summary](t)(s.FindFunds(within(t), "ext:TX-1"))
	same(t, "found", []any{found.Kind, found.ID}, []any{domain.KindPayment, given.ID("paid")})
	found = must[views.Summary](t)(s.FindFunds(within(t), "CN-00003"))
	same(t, "found", found.Kind, domain.KindCredit)
	paid := must[*views.PaymentDetail](t)(s.Payment(within(t), given.ID("paid")))
	same(t, "whole", []any{paid.Method, paid.Text, paid.CustomerName, len(paid.Allocations)}, []any{"bank", "thanks", "bob & Co", 2})
	agree(t, s, b)
}

// pay adds payments of each kind to a book of the busy one's.
func pay(t *testing.T, b *given.Book) {
	t.Helper()
	paid := given.Receive("paid", "bob", "100")
	paid.Reference = "TX-1"
	paid.Allocations = []payment.Share{{Target: stream(domain.KindInvoice, "entered 1")}, {Target: stream(domain.KindInvoice, "entered 4"), Amount: given.GBP("40")}}
	b.Take(t, paid)
	bounced := given.Receive("bounced", "ada", "50")
	bounced.Allocations = []payment.Share{{Target: stream(domain.KindInvoice, "entered 3"), Amount: given.GBP("20")}}
	b.Take(t, bounced)
	b.Take(t, &payment.Refund{Source: bounced.Stream(), Customer: given.ID("ada"), Amount: given.GBP("10"), Date: given.Today, Personal: &funds.Text{Text: "sorry"}})
	b.Take(t, &payment.Reverse{ID: given.ID("bounced"), Date: given.Today.AddDays(2), Reason: "returned"})
	again := given.Receive("again", "ada", "4")
	again.Date = given.Today.AddDays(2)
	again.Allocations = []payment.Share{{Target: bounced.Stream(), Amount: given.GBP("4")}}
	b.Take(t, again)
	b.Take(t, &payment.Allocate{Source: stream(domain.KindCredit, "on account"), Date: given.Today, Allocations: []payment.Share{{Target: stream(domain.KindInvoice, "entered 4")}}})
	b.Take(t, &invoice.WriteOff{ID: given.ID("entered 2"), Date: given.Today, Reason: "bankrupt"})
	b.Take(t, &invoice.Relieve{ID: given.ID("entered 2"), Date: given.Today, Reason: "six months"})
	b.Take(t, given.Receive("late", "eve", "15"))
	b.Take(t, &payment.Allocate{
		Source: stream(domain.KindPayment, "late"), Date: given.Today,
		Allocations: []payment.Share{{Target: stream(domain.KindInvoice, "entered 2"), Amount: given.GBP("12.50")}},
	})
	b.Take(t, &payment.Unallocate{
		Source: stream(domain.KindPayment, "paid"), Date: given.Today,
		Allocations: []payment.Share{{Target: stream(domain.KindInvoice, "entered 4"), Amount: given.GBP("15")}},
	})
}

// undone takes the schema back by one version: what each migration added.
var undone = [][]string{{ // to 1
	`DROP TABLE funds`, `DROP TABLE allocations`, `ALTER TABLE documents DROP COLUMN written_off`,
	`ALTER TABLE documents DROP COLUMN recovered`, `ALTER TABLE documents DROP COLUMN relieved`,
}, { // to 2
	`DROP TABLE sales`, `DROP TABLE due_sums`, `DROP INDEX documents_owing`, `DROP INDEX postings_customer`,
	`ALTER TABLE entries DROP COLUMN event`, `ALTER TABLE entries DROP COLUMN type`, `ALTER TABLE postings DROP COLUMN customer`,
	`ALTER TABLE postings DROP COLUMN item`, `ALTER TABLE postings DROP COLUMN due`,
}, { // to 3
	`ALTER TABLE documents DROP COLUMN open_base`,
	`ALTER TABLE customer_balances DROP COLUMN receivable_base`, `ALTER TABLE customer_balances DROP COLUMN credit_base`,
	`ALTER TABLE postings DROP COLUMN base`, `ALTER TABLE postings DROP COLUMN taxable_base`,
	`ALTER TABLE account_days DROP COLUMN debit_base`, `ALTER TABLE account_days DROP COLUMN credit_base`,
	`ALTER TABLE account_balances DROP COLUMN debit_base`, `ALTER TABLE account_balances DROP COLUMN credit_base`,
	`ALTER TABLE open_days DROP COLUMN open_base`,
	`ALTER TABLE tax_months DROP COLUMN taxable_base`, `ALTER TABLE tax_months DROP COLUMN tax_base`,
	`ALTER TABLE funds DROP COLUMN base`, `ALTER TABLE funds DROP COLUMN free_base`,
}, { // to 4
	`DROP TABLE periods`, `DROP TABLE period_balances`, `ALTER TABLE books DROP COLUMN tax_basis`,
	`ALTER TABLE postings DROP COLUMN tax_point`,
}, { // to 5
	`ALTER TABLE contents DROP COLUMN section`, `ALTER TABLE customers DROP COLUMN section`,
}, { // to 6
	`ALTER TABLE documents DROP COLUMN deposit`, `DROP TABLE deposits`, `DROP TABLE deductions`,
}, { // to 7, whose indexes had less in them
	`DROP INDEX documents_owing`, `DROP INDEX postings_customer`, `DROP INDEX postings_taxed`,
	`ALTER TABLE sales DROP COLUMN base`, `ALTER TABLE due_sums DROP COLUMN base`,
	`CREATE INDEX documents_owing ON documents (customer)`, `CREATE INDEX postings_customer ON postings (customer)`,
}}

// testOlderVersions: views of an older version are made anew from the log.
func testOlderVersions(t *testing.T, e Engine) {
	for version := range len(undone) {
		t.Run(fmt.Sprint(version+1), func(t *testing.T) { testOlderVersion(t, e, version+1) })
	}
}

func testOlderVersion(t *testing.T, e Engine, version int) {
	l, _ := pages(t)
	s, err := e.Open(fmt.Sprint("version ", version))
	if err != nil {
		t.Fatal(err)
	}
	catchUp(t, s, l)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	raw := must[*sql.DB](t)(e.Raw(fmt.Sprint("version ", version)))
	var statements []string
	for i := len(undone) - 1; i >= version-1; i-- {
		statements = append(statements, undone[i]...)
	}
	for _, statement := range append(statements, fmt.Sprint(`UPDATE view_schema SET version = `, version)) {
		if _, err := raw.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	if err := raw.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, e, fmt.Sprint("version ", version))
	same(t, "events", must[views.Status](t)(s.Status(within(t))).Events, 0)
	catchUp(t, s, l)
	agree(t, s, l.Book)
}

// receive, allocate, release, refund, reverse, writeOff and relieve are steps of
// a random book.
func (c *chance) receive() {
	id := c.id("payment")
	currency, rate := c.money()
	command := &payment.Receive{
		ID: id, Customer: c.customer(), Date: c.today(), Amount: c.amount(20000, currency), Exchange: rate,
		Method: "bank", Personal: &funds.Text{Text: "thanks"},
	}
	if target := c.invoice(); rapid.Bool().Draw(c.t, "allocated") {
		if state, err := invoice.Load(c.book, target); err == nil && state.Stage == invoice.StatusIssued {
			currency := state.Due.Currency()
			command.Customer, command.Amount, command.Exchange = state.Customer, money.New(command.Amount.Minor(), currency), c.rate(currency)
			command.Allocations = []payment.Share{{Target: invoice.Stream(target)}}
		}
	}
	if c.do(command) {
		c.funds = append(c.funds, command.Stream())
	}
}

func (c *chance) amount(most int64, currency money.Currency) money.Amount {
	return money.New(rapid.Int64Range(1, most).Draw(c.t, "minor units"), currency)
}

// source is funds, and whose.
func (c *chance) source() (domain.StreamID, funds.Funds, payment.State) {
	if len(c.funds) == 0 {
		return payment.Stream(given.ID("none")), funds.Funds{}, payment.State{}
	}
	id := rapid.SampledFrom(c.funds).Draw(c.t, "funds")
	state, err := c.book.State(id)
	if err != nil {
		c.t.Fatal(err)
	}
	switch s := state.(type) {
	case payment.State:
		return id, s.Funds, s
	case credit.State:
		return id, s.Funds, payment.State{Customer: s.Customer}
	default:
		return id, funds.Funds{}, payment.State{}
	}
}

func (c *chance) allocate() {
	id, held, state := c.source()
	share := payment.Share{Target: invoice.Stream(c.invoice())}
	for _, other := range append(c.invoicesOf(state), c.funds...) {
		if rapid.Bool().Draw(c.t, "other") {
			share.Target = other
			break
		}
	}
	if rapid.Bool().Draw(c.t, "part") {
		share.Amount = c.amount(500, held.Free.Currency())
	}
	c.do(&payment.Allocate{Source: id, Allocations: []payment.Share{share}, Date: c.today()})
}

func (c *chance) invoicesOf(p payment.State) (all []domain.StreamID) {
	for _, id := range c.invoices {
		if state, err := invoice.Load(c.book, id); err == nil && state.Customer == p.Customer && state.Stage == invoice.StatusIssued {
			all = append(all, invoice.Stream(id))
		}
	}
	return all
}

func (c *chance) release() {
	id, held, _ := c.source()
	if len(held.Uses) == 0 {
		return
	}
	share := payment.Share{Target: held.Uses[0].Target}
	if rapid.Bool().Draw(c.t, "part") {
		share.Amount = c.amount(500, held.Free.Currency())
	}
	c.do(&payment.Unallocate{Source: id, Allocations: []payment.Share{share}, Date: c.today()})
}

func (c *chance) refund() {
	id, held, state := c.source()
	currency := held.Free.Currency()
	c.do(&payment.Refund{
		Source: id, Customer: state.Customer, Amount: c.amount(2000, currency), Exchange: c.rate(currency), Date: c.today(),
		Personal: &funds.Text{Text: "sorry"},
	})
}

func (c *chance) reverse() {
	id, _, _ := c.source()
	c.do(&payment.Reverse{ID: id.ID, Date: c.today(), Reason: "returned"})
}

func (c *chance) writeOff() {
	id := c.invoice()
	if c.do(&invoice.WriteOff{ID: id, Date: c.today(), Reason: "bankrupt"}) {
		c.do(&invoice.Relieve{ID: id, Date: c.today(), Reason: "six months"})
	}
}

func faulty(t *testing.T, what string, err error, want string) {
	t.Helper()
	same(t, what, code(err), want)
}
