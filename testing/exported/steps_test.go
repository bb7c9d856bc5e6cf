package exported_test

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/exporter"
	"github.com/daybook-ledger/daybook/projections"
	"github.com/daybook-ledger/daybook/projections/views"
	"github.com/daybook-ledger/daybook/testing/given"
	"github.com/daybook-ledger/daybook/testing/viewtest"
)

// firstStep is the day that stands for the first commit of a book, and the day
// after for the second: hledger adds up by days.
const firstStep domain.Date = "2001-01-01"

// stepped gives each entry the day of its commit.
func stepped(entries iter.Seq2[views.Entry, error]) iter.Seq2[views.Entry, error] {
	return func(yield func(views.Entry, error) bool) {
		for e, err := range entries {
			e.Date = firstStep.AddDays(int(e.Position))
			if !yield(e, err) {
				return
			}
		}
	}
}

// asserted is what hledger must find in every account after a step.
func asserted(step int, amounts sheet) string {
	kinds := map[account.Kind]string{
		account.Asset: "assets", account.Liability: "liabilities", account.Income: "income", account.Expense: "expenses",
	}
	currencies := map[string]bool{given.Pounds.String(): true}
	for key := range amounts {
		_, currency, _ := strings.Cut(key, " ")
		currencies[currency] = true
	}
	var text strings.Builder
	fmt.Fprintf(&text, "\n%s step\n", firstStep.AddDays(step))
	for _, info := range account.Chart() {
		for _, currency := range slices.Sorted(maps.Keys(currencies)) {
			amount := amounts[string(info.Account)+" "+currency]
			if amount == "" {
				amount = "0"
			}
			fmt.Fprintf(&text, "    %s:%s  0 %s = %s %s\n", kinds[info.Kind], info.Account, currency, amount, currency)
		}
	}
	return text.String()
}

// TestHledgerAgreesAfterEveryStep asserts our trial balance after each commit of
// a book, account by account and currency by currency, in one journal.
func TestHledgerAgreesAfterEveryStep(t *testing.T) {
	hledger := program(t, "hledger")
	for i, b := range append(books(t, 4), abroad(t)) {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			s, err := open(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			runner := projections.Runner{View: s, Read: viewtest.NewLog(b, 1).Source()}
			var assertions strings.Builder
			for step := range b.Log {
				if err := runner.CatchUp(context.Background(), uint64(step)+1); err != nil {
					t.Fatal(err)
				}
				assertions.WriteString(asserted(step, balances(t, s, "").amounts))
			}
			j := journal(s)
			j.Entries = stepped(j.Entries)
			var text bytes.Buffer
			if _, err := exporter.Hledger(&text, j); err != nil {
				t.Fatal(err)
			}
			text.WriteString(assertions.String())
			if out, err := checked(t, hledger, text.String()); err != nil {
				t.Fatalf("after a step hledger disagrees: %v\n%s", err, out)
			}
			// It would say so.
			wrong := asserted(len(b.Log)/2, sheet{"cash " + given.Pounds.String(): "123456789.01"})
			if out, err := checked(t, hledger, text.String()+wrong); err == nil || !bytes.Contains(out, []byte("123456789.01")) {
				t.Errorf("a wrong balance is not found: %v\n%s", err, out)
			}
		})
	}
}

// checked has hledger check that all entries and assertions of a journal hold, and
// that all that it names is declared.
func checked(t *testing.T, hledger, text string) ([]byte, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "steps.journal")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(hledger, "-f", path, "check", "--strict")
	command.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	return command.CombinedOutput()
}
