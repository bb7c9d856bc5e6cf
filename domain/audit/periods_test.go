package audit_test

import (
	"strings"
	"testing"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/audit"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/period"
	"github.com/daybook-ledger/daybook/testing/given"
)

func root(size int) []byte {
	r := make([]byte, 32)
	r[0] = byte(size)
	return r
}

// settled is a book with one period, closed and settled by what the audit adds
// up, and an invoice after it.
func settled(t *testing.T) *given.Book {
	t.Helper()
	b := given.Opened(t)
	first := given.Enter("i", given.Content("ada", given.Line("1", "100", "S 20")))
	first.Date = "2026-02-10"
	b.Take(t, first)
	second := given.Enter("j", given.Content("ada", given.Line("1", "7", "Z 0")))
	b.Take(t, second) // in March: no part of the balance
	b.Take(t, &period.Close{Book: b.ID, Through: "2026-02-28"})
	sums, found := check(t, b.Log)
	if len(found) > 0 {
		t.Fatal(found)
	}
	balances, err := sums.Balances("2026-02-28")
	if err != nil {
		t.Fatal(err)
	}
	size := len(b.Log)
	b.Take(t, given.Receive("p", "ada", "5.00"))
	b.Take(t, &period.Settle{
		Book: b.ID, Through: "2026-02-28", Balances: balances,
		Proof: period.Proof{Size: uint64(size), Root: root(size)},
	})
	return b
}

func check(t *testing.T, log []given.Commit) (*audit.Periods, []audit.Finding) {
	t.Helper()
	p := audit.NewPeriods()
	var all []audit.Finding
	for i, c := range log {
		found, err := p.Commit(uint64(i), c.Changes)
		if err != nil {
			t.Fatal(err)
		}
		p.Head(uint64(i+1), root(i+1))
		all = append(all, found...)
	}
	return p, all
}

func TestAHistoryAsItShouldBe(t *testing.T) {
	b := settled(t)
	p, found := check(t, b.Log)
	if len(found) > 0 || p.Settled() != 1 {
		t.Errorf("%d settled, found %+v", p.Settled(), found)
	}
	e := b.Log[len(b.Log)-1].Changes[0].Event.(*period.Settled)
	var told []string
	for _, balance := range e.Balances {
		told = append(told, balance.Account+" "+balance.Amount.String())
	}
	if got := strings.Join(told, ", "); got != "receivables 120.00, revenue -100.00, tax-payable -20.00" {
		t.Errorf("balances: %s", got)
	}
	b.Take(t, &period.Reopen{Book: b.ID, Through: "2026-02-28", Reason: "a mistake"})
	b.Take(t, given.Enter("k", given.Content("ada", given.Line("1", "100", "S 20"))))
	if _, found := check(t, b.Log); len(found) > 0 {
		t.Errorf("found %+v", found)
	}
}

// TestFindings changes a log behind the rules' back.
func TestFindings(t *testing.T) {
	last := func(log []given.Commit) *period.Settled {
		return log[len(log)-1].Changes[0].Event.(*period.Settled)
	}
	for name, c := range map[string]struct {
		change func(*given.Book)
		code   string
	}{
		"booked into a closed period": {func(b *given.Book) {
			late := *b.Log[2].Changes[0].Event.(*invoice.Issued)
			b.Log = append(b.Log, given.Commit{Changes: []domain.Change{{Stream: invoice.Stream(given.ID("late")), Event: &late}}})
		}, audit.CodeBooked},
		"another amount": {func(b *given.Book) {
			last(b.Log).Balances[0].Amount = given.GBP("121.00")
			last(b.Log).Balances[1].Amount = given.GBP("-101.00")
		}, audit.CodeBalance},
		"an account left out": {func(b *given.Book) { last(b.Log).Balances = nil }, audit.CodeBalance},
		"another root":        {func(b *given.Book) { last(b.Log).Proof.Root = root(99) }, audit.CodeProof},
		"read before the closing": {func(b *given.Book) {
			last(b.Log).Proof = period.Proof{Size: 4, Root: root(4)}
		}, audit.CodeProof},
		"read after itself": {func(b *given.Book) {
			last(b.Log).Proof = period.Proof{Size: uint64(len(b.Log)), Root: root(len(b.Log))}
		}, audit.CodeProof},
	} {
		t.Run(name, func(t *testing.T) {
			b := settled(t)
			c.change(b)
			_, found := check(t, b.Log)
			if len(found) != 1 || found[0].Code != c.code {
				t.Errorf("found %+v, want %s", found, c.code)
			}
		})
	}
}

func TestOutOfSequence(t *testing.T) {
	b := given.New()
	_, err := audit.NewPeriods().Commit(0, []domain.Change{{Stream: period.Stream(b.ID), Event: &period.Settled{Through: "2026-02-28"}}})
	if err == nil {
		t.Error("a balance without a period is taken")
	}
}
