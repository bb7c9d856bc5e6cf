package account_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/domain/codec"
	"github.com/daybook-ledger/daybook/domain/credit"
	"github.com/daybook-ledger/daybook/domain/funds"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/payment"
	"github.com/daybook-ledger/daybook/domain/period"
	"github.com/daybook-ledger/daybook/testing/given"
)

var update = flag.Bool("update", false, "write docs/ACCOUNTING.md anew")

// doc is where what every event posts is written down.
const doc = "../../docs/ACCOUNTING.md"

// step is a command of the worked example, and what it shows.
type step struct {
	text    string
	command domain.Command
}

func share(target domain.StreamID, amount string) []payment.Share {
	s := payment.Share{Target: target}
	if amount != "" {
		s.Amount = given.GBP(amount)
	}
	return []payment.Share{s}
}

// example is a book in which every event that posts happens.
func example() []step {
	i, j := invoice.Stream(given.ID("i")), invoice.Stream(given.ID("j"))
	p, q, euros := payment.Stream(given.ID("p")), payment.Stream(given.ID("q")), payment.Stream(given.ID("s"))
	day := func(n int) domain.Date { return given.Today.AddDays(n) }
	lines := []invoice.Line{given.Line("1", "100", "S 20"), given.Line("1", "10.01", "Z 0")}
	elsewhere := given.Content("ada", lines...)
	elsewhere.Prepaid, elsewhere.RoundingAmount = given.GBP("30"), given.GBP("-0.01")
	first := given.Receive("p", "ada", "150")
	first.Allocations = share(i, "")
	drawing := given.Enter("k", given.Content("ada", given.Line("1", "50", "S 20")))
	drawing.Content.Prepaid = given.GBP("5")
	late := given.Receive("q", "ada", "200")
	late.Date, late.Allocations = day(4), share(p, "")
	after := given.Receive("r", "ada", "60")
	after.Date, after.Allocations = day(6), share(j, "60")
	deposit := given.Deposit("ada", given.Line("1", "100", "S 20"))
	final := given.Content("ada", given.Line("1", "500", "S 20"), given.Deduct("l", "60", "S 20"))
	back := given.Credit("e", "m", "ada", final.Lines...)
	return []step{
		{"An invoice of 130.01, of which 30.00 was paid before to the clearing account, its due amount rounded down by a penny.", given.Enter("i", elsewhere)},
		{"A payment of 150.00, of which 100.00 is allocated to the invoice: all that is open of it.", first},
		{"An invoice of 60.00, of which 5.00 is prepaid: the customer's payments left enough credit to draw it from.", drawing},
		{"10.00 of what is free of the payment is paid back.", &payment.Refund{Source: p, Customer: given.ID("ada"), Amount: given.GBP("10"), Date: day(1)}},
		{"40.00 of the allocation is taken back.", &payment.Unallocate{Source: p, Allocations: share(i, "40"), Date: day(2)}},
		{"The bank takes the payment back: its allocations are released, what was refunded and drawn is to be paid back by the customer.", &payment.Reverse{ID: given.ID("p"), Date: day(3), Reason: "returned"}},
		{"Another payment of 200.00, of which 15.00 pays that back.", late},
		{"The other payment pays the invoice.", &payment.Allocate{Source: q, Allocations: share(i, ""), Date: day(4)}},
		{"An invoice of 130.01 in full.", given.Enter("j", given.Content("ada", lines...))},
		{"A credit note on it of 10.01 at no tax.", given.Credit("c", "j", "ada", given.Line("1", "10.01", "Z 0"))},
		{"What is left of it, 120.00, is written off.", &invoice.WriteOff{ID: j.ID, Date: day(5), Reason: "bankrupt"}},
		{"The tax on that is taken back.", &invoice.Relieve{ID: j.ID, Date: day(5), Reason: "six months after it was due"}},
		{"Half of it is paid after all: the write-off is taken back to that extent, and half of the relief.", after},
		{"A credit note of 12.00 on account.", given.OnAccount("d", "ada", given.Line("1", "10", "S 20"))},
		{"A deposit invoice of 120.00: its tax is due at once, what it is for is not sold yet.", given.Enter("l", deposit)},
		{"An invoice of 500.00 and tax, which deducts 60.00 of the deposit.", given.Enter("m", final)},
		{"The deposit is credited as far as it is not deducted.", given.Credit("f", "l", "ada", given.Line("1", "40", "S 20"))},
		{"The invoice is credited whole, and gives back what it deducted.", back},
		{"The credit note on account is used for an invoice.", &payment.Allocate{Source: credit.Stream(given.ID("d")), Allocations: share(invoice.Stream(given.ID("k")), ""), Date: day(6)}},
		{"An invoice of 120.00 EUR at 0.8567: 100.00 and 20.00 of tax.", foreign("n", "EUR", "0.8567", sale())},
		{"A payment of 150.00 EUR, on a day when they are worth 0.86, pays it.", paid("s", "EUR", "150", "0.86", "n")},
		{"20.00 EUR of the allocation is taken back, and with it that part of the gain.", &payment.Unallocate{Source: euros, Allocations: []payment.Share{{Target: invoice.Stream(given.ID("n")), Amount: given.EUR("20")}}, Date: day(1)}},
		{"30.00 EUR of the payment is paid back, on a day when they are worth 0.88.", &payment.Refund{Source: euros, Customer: given.ID("ada"), Amount: given.EUR("30"), Exchange: given.Exchange("0.88"), Date: day(2)}},
		{"A credit note on the invoice, of 10.00 EUR and its tax, at the invoice's rate: 12.00 EUR of what is open again.", creditIn("EUR", "g", "n", given.Line("1", "10", "S 20"))},
	}
}

// consequent are the events that are posted by others of their commit.
var consequent = map[string]string{
	"customer.credited":          "credit.issued",
	"customer.credit-moved":      "the event of the funds, the payment or the invoice",
	"invoice.credited":           "credit.issued",
	"invoice.deducted":           "invoice.issued",
	"invoice.allocated":          "funds.allocated",
	"invoice.unallocated":        "funds.released",
	"invoice.deduction-returned": "credit.issued",
	"payment.claim-paid":         "funds.allocated",
	"payment.claim-reopened":     "funds.released",
}

// TestAccounting holds docs/ACCOUNTING.md to what the code posts, for a book in
// which every event that posts happens.
func TestAccounting(t *testing.T) {
	b := given.Opened(t)
	var out bytes.Buffer
	fmt.Fprint(&out, accountingHead)
	for _, info := range account.Chart() {
		fmt.Fprintf(&out, "| `%s` | %s | %s | %s |\n", info.Account, info.Name, info.Kind, info.Normal)
	}
	fmt.Fprint(&out, "\n## Every event that posts\n\nOne book, from its first invoice on. Tax postings also say what they are the tax of: these marks, by rate and month, are the tax report.\n")
	posted := map[string]bool{}
	for n, s := range example() {
		fmt.Fprintf(&out, "\n### %d. %s\n\n| Event | Date | Account | Debit | Credit |\n|---|---|---|--:|--:|\n", n+1, s.text)
		for _, change := range b.Take(t, s.command) {
			entries, err := account.Post(change.Event, change.Stream)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				posted[change.Event.EventType()] = true
				tell(&out, change.Event, e)
			}
		}
	}
	tellPeriodEnd(t, &out, posted)
	fmt.Fprint(&out, "\n## Events that post nothing\n\nThose that follow from another event of their commit are posted by it:\n\n| Event | Posted by |\n|---|---|\n")
	var silent []string
	for _, name := range codec.EventTypes() {
		by, follows := consequent[name]
		switch {
		case follows && posted[name]:
			t.Errorf("%s is posted, and said to follow from %s", name, by)
		case follows:
			fmt.Fprintf(&out, "| `%s` | %s |\n", name, by)
		case !posted[name]:
			silent = append(silent, "`"+name+"`")
		}
	}
	fmt.Fprintf(&out, "\nThe others move no money: %s.\n", strings.Join(silent, ", "))
	for _, e := range []domain.Event{
		&invoice.Issued{}, &credit.Issued{}, &payment.Received{}, &payment.Reversed{}, &funds.Allocated{}, &funds.Released{},
		&funds.Refunded{}, &funds.Drawn{}, &invoice.WrittenOff{}, &invoice.Relieved{}, &invoice.Recovered{},
	} {
		if !posted[e.EventType()] || slices.Contains(silent, "`"+e.EventType()+"`") {
			t.Errorf("the example has no %s", e.EventType())
		}
	}
	if *update {
		if err := os.WriteFile(doc, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(doc)
	if err != nil || !bytes.Equal(data, out.Bytes()) {
		t.Errorf("%s is not what the code posts (%v): go test ./domain/account -update", doc, err)
	}
}

// tellPeriodEnd tells what the end of a period posts where amounts in another
// currency are revalued.
func tellPeriodEnd(t *testing.T, out *bytes.Buffer, posted map[string]bool) {
	t.Helper()
	all := []period.Revaluation{{
		Account: string(account.Receivables), Amount: given.EUR("20"), Base: given.GBP("17.13"),
		Exchange: given.Exchange("0.9"), Difference: given.GBP("0.87"),
	}}
	for _, s := range []struct {
		text  string
		event domain.Event
	}{
		{"A period is settled with a rate for euros, of which 20.00 are owed: they were worth 17.13, and are worth 18.00.", &period.Settled{Through: "2026-03-31", Revaluations: all}},
		{"The period is opened again.", &period.Reopened{Through: "2026-03-31", Revaluations: all}},
	} {
		fmt.Fprintf(out, "\n### %s\n\n| Event | Date | Account | Debit | Credit |\n|---|---|---|--:|--:|\n", s.text)
		entries, err := account.Post(s.event, period.Stream(given.ID("book")))
		if err != nil {
			t.Fatal(err)
		}
		posted[s.event.EventType()] = true
		for _, e := range entries {
			tell(out, s.event, e)
		}
	}
}

func tell(out *bytes.Buffer, event domain.Event, e account.Entry) {
	name, date := "`"+event.EventType()+"`", string(e.Date)
	for _, p := range e.Postings {
		debit, credited := sides(p)
		text := string(p.Account)
		switch {
		case p.Tax != nil:
			text += fmt.Sprintf(" (%s on %s)", p.Tax.Rate, p.Tax.Taxable)
			if p.Amount.IsZero() && p.Base.IsZero() {
				debit, credited = "", p.Amount.String()
			}
		case p.Item.Kind == domain.KindPayment:
			text += " (payment to be paid back)"
		}
		fmt.Fprintf(out, "| %s | %s | %s | %s | %s |\n", name, date, text, debit, credited)
		name, date = "", ""
	}
}

// sides gives a posting's amount on its side; in another currency than the book's
// with that, and with its worth.
func sides(p account.Posting) (debit, credited string) {
	text := func(a money.Amount) string { return strings.TrimPrefix(a.String(), "-") }
	amount, below := text(p.Amount), p.Amount.Sign() < 0
	switch {
	case p.Amount.Currency() == p.Base.Currency():
	case p.Amount.IsZero():
		amount, below = text(p.Base), p.Base.Sign() < 0
	default:
		amount = fmt.Sprintf("%s %s = %s", amount, p.Amount.Currency(), text(p.Base))
	}
	if below {
		return "", amount
	}
	return amount, ""
}

const accountingHead = `# Accounting

What each event posts. This page is written by a test from the code: ` + "`go test ./domain/account -update`" + `.

- Every entry balances in each currency, and by what its amounts are worth in the book's; a decision whose entries do not is never written.
- An amount in another currency is worth what it is at the rate of its document, or of the day of its payment, rounded once. From then on its worth goes where it goes: a part takes the same part of the worth, the last part all that is left. Below, ` + "`120.00 EUR = 102.80`" + ` is both.
- What a payment is worth and what it pays was worth when it was invoiced differ: ` + "`exchange-gain`" + ` and ` + "`exchange-loss`" + ` take the difference, which has no amount in the other currency. Money that is paid out, or taken back by the bank, leaves at the rate of its day.
- ` + "`rounding`" + ` also takes the cents of converting each part of a document by itself.
- ` + "`receivables`" + ` is the sum of all open items: what is open of invoices, and what reversed payments left to be paid back.
- ` + "`customer-credit`" + ` is the sum of what is free of payments and of credit notes' excesses. Money that is received goes there first, and from there to what it is allocated to.
- ` + "`tax-payable`" + ` is the tax report: sales, less credit notes, less the relief on what was written off, plus what of that came back.
- ` + "`deposits`" + ` is what was invoiced as deposits, net, less what was credited and what is deducted of it. Revenue comes with the invoice that deducts a deposit: what its other lines, allowances and charges come to. Its tax is computed on what is left after the deduction (BR-CO-17), as the deposit's was at the deposit.
- A prepaid amount is taken off ` + "`prepayments`" + ` by the invoice. Where the customer's payments left enough credit by the date of issue, as much is moved there from ` + "`customer-credit`" + `, the oldest payment first; otherwise, and on imported invoices, it was paid elsewhere and is cleared there.
- Entries are dated by what happened: an allocation, a refund or a relief has a date of its own.
- Nothing else is dated in a closed period. Closing a period enters what the accounts hold at its end, which is no sum of its own. Where it is given rates of other currencies, it posts what receivables and customer credit in them are worth more or less on its last day, to ` + "`unrealised-exchange`" + ` and, beside the accounts that are revalued, to ` + "`revaluation`" + `; and takes it back on the day after.
- Tax is reported by its tax point: the date of the entry, or on a book whose basis is supply the date of supply where that is earlier and was not closed at issue.

## Accounts

| Account | Name | Kind | Normal side |
|---|---|---|---|
`
