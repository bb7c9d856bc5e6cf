// Package exported_test holds what is exported against the programs that it is
// exported for.
package exported_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/payment"
	"github.com/daybook-ledger/daybook/exporter"
	"github.com/daybook-ledger/daybook/projections"
	"github.com/daybook-ledger/daybook/projections/views"
	"github.com/daybook-ledger/daybook/testing/given"
	"github.com/daybook-ledger/daybook/testing/viewtest"
)

// program finds another program, or skips: in CI it must be there.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not installed, and CI cannot do without: %v", name, err)
		}
		t.Skipf("%s is not installed (in Debian the packages hledger and beancount)", name)
	}
	return path
}

// books are random books, the same in every run.
func books(t *testing.T, n int) []*given.Book {
	t.Helper()
	all := make([]*given.Book, n)
	some := rapid.Custom(func(t *rapid.T) *given.Book { return viewtest.RandomBook(t, 80) })
	for i := range all {
		all[i] = some.Example(i + 1)
	}
	return all
}

// abroad is a book with documents and payments in another currency, at rates that
// leave differences of every kind: of the worth of parts, of gains and losses, of
// amounts that are worth nothing.
func abroad(t *testing.T) *given.Book {
	t.Helper()
	b := given.Opened(t)
	rate := func(text string) exchange.Rate {
		r := given.Exchange(text)
		r.Date = given.Today
		return r
	}
	for i, price := range []string{"333.33", "0.01", "1999.99"} {
		content := given.Content("ada", given.Line("1", price, "S 20"), given.Line("3", price, "Z 0"))
		content.Currency, content.Exchange = given.Euros, rate([]string{"0.8567", "0.3", "1.2"}[i])
		b.Take(t, given.Enter(fmt.Sprint("euros ", i), content))
	}
	b.Take(t, given.Enter("pounds", given.Content("ada", given.Line("1", "10", "S 20"))))
	for i, amount := range []string{"100.01", "700.00", "2500.00"} {
		received := given.Receive(fmt.Sprint("paid ", i), "ada", "1")
		received.Amount, received.Exchange = given.EUR(amount), rate([]string{"0.87", "0.84", "1.1999"}[i])
		received.Allocations = []payment.Share{{Target: invoice.Stream(given.ID("euros 0"))}}
		if i == 2 {
			received.Allocations[0].Target = invoice.Stream(given.ID("euros 2"))
		}
		b.Take(t, received)
	}
	b.Take(t, &payment.Reverse{ID: given.ID("paid 1"), Date: given.Today, Reason: "returned", Exchange: rate("0.9")})
	b.Take(t, &invoice.WriteOff{ID: given.ID("euros 0"), Date: given.Today, Reason: "bankrupt"})
	b.Take(t, &invoice.Relieve{ID: given.ID("euros 0"), Date: given.Today, Reason: "nothing to come"})
	note := given.Credit("note", "euros 1", "ada", given.Line("1", "0.01", "Z 0"))
	note.Content.Currency = given.Euros
	b.Take(t, note)
	return b
}

// viewsOf are the views of a book.
func viewsOf(t *testing.T, b *given.Book) viewtest.Store {
	t.Helper()
	s, err := open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	runner := projections.Runner{View: s, Read: viewtest.NewLog(b, 100).Source()}
	if err := runner.CatchUp(context.Background(), 0); err != nil {
		t.Fatal(err)
	}
	return s
}

func journal(s viewtest.Store) exporter.Journal {
	return exporter.Journal{
		Currency: given.Pounds.String(),
		Entries:  s.Entries(context.Background(), views.JournalFilter{}),
	}
}

// TestHledgerAgrees: hledger reads the journal, strictly, finds every entry balanced, and
// its balances are ours to the cent: in each currency, in the book's, and on other
// days.
func TestHledgerAgrees(t *testing.T) {
	hledger := program(t, "hledger")
	for i, b := range append(books(t, 8), abroad(t)) {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			s := viewsOf(t, b)
			path := filepath.Join(t.TempDir(), "book.journal")
			var text bytes.Buffer
			if _, err := exporter.Hledger(&text, journal(s)); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := checked(t, hledger, text.String()); err != nil {
				t.Fatalf("hledger refuses it: %v\n%s", err, out)
			}
			for _, until := range append([]domain.Date{""}, someDays(b)...) {
				args := []string{"-f", path, "balance", "--flat", "--empty", "--no-total", "-O", "csv", "--layout", "bare"}
				if until != "" {
					args = append(args, "-e", string(until.AddDays(1)))
				}
				t.Run("until "+string(until), func(t *testing.T) {
					ours := balances(t, s, until)
					same(t, hledgerBalances(t, hledger, args), ours.amounts)
					same(t, hledgerBalances(t, hledger, append(args, "-B")), ours.bases)
				})
			}
		})
	}
}

// someDays are the ends of two months in which a book has entries.
func someDays(b *given.Book) []domain.Date {
	var days []domain.Date
	for _, c := range []given.Commit{b.Log[len(b.Log)/2], b.Log[len(b.Log)-1]} {
		first := domain.Date(domain.DateOf(c.Moment.Recorded).Month() + "-01")
		if last := first.AddDays(-1); !slices.Contains(days, last) {
			days = append(days, last)
		}
	}
	return days
}

// sheet is balances by "account currency", none of them even.
type sheet map[string]string

type trial struct{ amounts, bases sheet }

// balances are those of our own trial balance. What is worth something and no
// amount is exported in the book's currency.
func balances(t *testing.T, s viewtest.Store, until domain.Date) trial {
	t.Helper()
	balance, err := s.TrialBalance(context.Background(), views.BalanceFilter{At: views.Moment{Effective: until}})
	if err != nil {
		t.Fatal(err)
	}
	amounts, bases := map[string]int64{}, map[string]int64{}
	for _, a := range balance.Accounts {
		name := string(a.Account)
		base := minor(t, a.DebitBase, balance.Currency) - minor(t, a.CreditBase, balance.Currency)
		amount := minor(t, a.Debit, a.Currency) - minor(t, a.Credit, a.Currency)
		amounts[name+" "+a.Currency] += amount
		bases[name+" "+balance.Currency] += base
	}
	for e, err := range s.Entries(context.Background(), views.JournalFilter{To: until}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range e.Postings {
			amount := minor(t, p.Debit, p.Currency) - minor(t, p.Credit, p.Currency)
			worth := minor(t, p.DebitBase, balance.Currency) - minor(t, p.CreditBase, balance.Currency)
			if p.Currency != balance.Currency && cmp.Compare(amount, 0) != cmp.Compare(worth, 0) {
				amounts[string(p.Account)+" "+balance.Currency] += worth
			}
		}
	}
	return trial{sheetOf(t, amounts), sheetOf(t, bases)}
}

func sheetOf(t *testing.T, sums map[string]int64) sheet {
	t.Helper()
	all := sheet{}
	for key, sum := range sums {
		_, code, _ := strings.Cut(key, " ")
		currency, err := money.ParseCurrency(code)
		if err != nil {
			t.Fatal(err)
		}
		if sum != 0 {
			all[key] = money.New(sum, currency).String()
		}
	}
	return all
}

func minor(t *testing.T, text, code string) int64 {
	t.Helper()
	currency, err := money.ParseCurrency(code)
	if err != nil {
		t.Fatal(err)
	}
	amount, err := money.ParseAmount(text, currency)
	if err != nil {
		t.Fatal(err)
	}
	return amount.Minor()
}

// hledgerBalances asks hledger.
func hledgerBalances(t *testing.T, hledger string, args []string) sheet {
	t.Helper()
	var stderr bytes.Buffer
	command := exec.Command(hledger, args...)
	command.Stderr = &stderr
	command.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	out, err := command.Output()
	if err != nil {
		t.Fatalf("hledger %v: %v\n%s", args, err, stderr.Bytes())
	}
	rows, err := csv.NewReader(bytes.NewReader(out)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]int64{}
	for _, row := range rows[1:] { // account, commodity, balance
		if row[1] == "" {
			continue // nothing, in no commodity
		}
		_, name, _ := strings.Cut(row[0], ":")
		sums[name+" "+row[1]] += minor(t, row[2], row[1])
	}
	return sheetOf(t, sums)
}

func same(t *testing.T, got, want sheet) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("it has %v\nwe have %v", got, want)
	}
}

// TestBeancountAgrees: Beancount's own check finds nothing wrong.
func TestBeancountAgrees(t *testing.T) {
	check := program(t, "bean-check")
	for i, b := range append(books(t, 3), abroad(t)) {
		s := viewsOf(t, b)
		path := filepath.Join(t.TempDir(), "book.beancount")
		var text bytes.Buffer
		if _, err := exporter.Beancount(&text, journal(s)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(check, "--no-cache", path).CombinedOutput(); err != nil {
			t.Errorf("book %d: %v\n%s", i, err, out)
		}
	}
}
