package series_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/series"
	"github.com/daybook-ledger/daybook/testing/given"
)

// enter enters an invoice and gives its number.
func enter(t *testing.T, b *given.Book, name string, date domain.Date, imported bool) string {
	t.Helper()
	changes := b.Take(t, entering(name, date, imported))
	return changes[0].Event.(*invoice.Issued).Number
}

func entering(name string, date domain.Date, imported bool) *invoice.Enter {
	c := given.Enter(name, given.Content("ada", given.Line("1", "10", "S 20")))
	c.Date, c.Imported = date, imported
	return c
}

func configure(kind series.Kind, prefix string, width int, yearly bool) *series.Configure {
	return &series.Configure{Kind: kind, Format: series.Format{Prefix: prefix, Width: width, YearlyReset: yearly}}
}

func want(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("number %q, want %q", got, want)
	}
}

func TestGapless(t *testing.T) {
	b := given.Opened(t)
	for i := 1; i <= 12; i++ {
		want(t, enter(t, b, fmt.Sprint("a", i), given.Today, false), fmt.Sprintf("INV-%05d", i))
		// A refused issue draws no number, whatever it is refused for.
		b.Refuse(t, entering(fmt.Sprint("b", i), "2026-02-28", false), "date-runs-back")
		b.Refuse(t, entering(fmt.Sprint("a", i), given.Today, false), "invoice-exists")
	}
	changes := b.Take(t, given.OnAccount("c1", "ada", given.Line("1", "10", "S 20")))
	want(t, changes[1].Event.(*series.Drawn).Number, "CN-00001")
}

func TestDateRunsBack(t *testing.T) {
	b := given.Opened(t)
	enter(t, b, "a", "2026-02-10", false)
	b.Refuse(t, entering("b", "2026-02-09", false), "date-runs-back")
	enter(t, b, "b", "2026-02-10", false)
	enter(t, b, "c", "2026-02-11", false)
	b.Refuse(t, entering("d", "2026-02-10", false), "date-runs-back")

	// Imports stand outside the order, and do not move it.
	want(t, enter(t, b, "e", "2011-05-31", true), "INV-00004")
	want(t, enter(t, b, "f", "2010-12-01", true), "INV-00005")
	want(t, enter(t, b, "g", "2099-12-01", true), "INV-00006")
	b.Refuse(t, entering("h", "2026-02-10", false), "date-runs-back")
	want(t, enter(t, b, "h", "2026-02-11", false), "INV-00007")
}

func TestDateInFuture(t *testing.T) {
	b := given.Opened(t)
	b.Refuse(t, entering("a", given.Today.AddDays(32), false), "date-in-future")
	b.Refuse(t, entering("a", "2062-03-01", false), "date-in-future")
	enter(t, b, "a", given.Today.AddDays(31), false)
}

func TestInvalidDate(t *testing.T) {
	b := given.Opened(t)
	for _, date := range []domain.Date{"", "2026-02-30", "today", "2026-2-3", "02026-01-01"} {
		b.Refuse(t, entering("a", date, false), "invalid-date")
		b.Refuse(t, entering("a", date, true), "invalid-date")
	}
}

func TestYearlyReset(t *testing.T) {
	b := given.Opened(t)
	enter(t, b, "a", "2025-12-30", false)
	b.Take(t, configure(series.Invoice, "R-", 3, true))
	want(t, enter(t, b, "b", "2025-12-31", false), "R-2025-001")
	want(t, enter(t, b, "c", "2025-12-31", false), "R-2025-002")
	want(t, enter(t, b, "d", "2026-01-01", false), "R-2026-001")
	want(t, enter(t, b, "e", "2025-06-01", true), "R-2025-003")
	want(t, enter(t, b, "f", "2026-01-01", false), "R-2026-002")

	// The continuous counter waited.
	b.Take(t, configure(series.Invoice, "INV-", 5, false))
	want(t, enter(t, b, "g", "2026-01-02", false), "INV-00002")
}

func TestWidthIsTheLeast(t *testing.T) {
	b := given.Opened(t)
	b.Take(t, configure(series.Invoice, "", 1, false))
	for i := 1; i <= 11; i++ {
		want(t, enter(t, b, fmt.Sprint(i), given.Today, false), fmt.Sprint(i))
	}
}

func TestNumberTaken(t *testing.T) {
	b := given.Opened(t)
	b.Take(t, configure(series.Invoice, "R-2026-", 5, false))
	want(t, enter(t, b, "a", given.Today, false), "R-2026-00001")
	// With another prefix and a yearly reset the numbers would look the same.
	b.Take(t, configure(series.Invoice, "R-", 5, true))
	b.Refuse(t, entering("b", given.Today, false), "number-taken")
	b.Take(t, configure(series.Invoice, "S-", 5, true))
	want(t, enter(t, b, "b", given.Today, false), "S-2026-00001")

	// A credit note cannot bear an invoice's number either.
	b.Take(t, configure(series.Credit, "R-", 5, true))
	b.Refuse(t, given.OnAccount("c", "ada", given.Line("1", "10", "S 20")), "number-taken")
}

func TestConfigureRefused(t *testing.T) {
	b := given.Opened(t)
	b.Refuse(t, configure("receipt", "R-", 5, false), "unknown-series")
	b.Refuse(t, configure(series.Invoice, "R-", 0, false), "invalid-width")
	b.Refuse(t, configure(series.Invoice, "R-", 13, false), "invalid-width")
	b.Refuse(t, configure(series.Invoice, "R\n", 5, false), "control-character")
	b.Refuse(t, configure(series.Invoice, "R\xff", 5, false), "invalid-utf8")
	b.Refuse(t, configure(series.Invoice, strings.Repeat("R", 41), 5, false), "text-too-long")
	b.Refuse(t, configure(series.Invoice, "CN-", 7, true), "prefix-taken")
	b.Refuse(t, configure(series.Credit, "INV-", 5, false), "prefix-taken")
	b.Refuse(t, configure(series.Invoice, "INV-", 5, false), "no-change")
}

func TestNoSeries(t *testing.T) {
	b := given.New()
	_, _, err := series.Draw(b, b.Moment(), series.Invoice, series.Issuing{Date: given.Today})
	if err == nil || !strings.HasPrefix(err.Error(), "unknown-series: ") {
		t.Errorf("Draw without a series: %v", err)
	}
}

func TestEvolveOutOfSequence(t *testing.T) {
	state, err := (series.State{}).Evolve(&series.Configured{Kind: series.Invoice})
	if err != nil {
		t.Fatal(err)
	}
	given.OutOfSequence(t, series.State{}, &series.Drawn{Counter: 1})
	given.OutOfSequence(t, state, &series.Drawn{Counter: 2}) // a gap
	given.OutOfSequence(t, state, &series.Drawn{Counter: 0})
	given.OutOfSequence(t, state, &series.Configured{Kind: series.Credit})
	given.OutOfSequence(t, state, &invoice.Approved{})
	if state, err = state.Evolve(&series.Drawn{Counter: 1}); err != nil {
		t.Fatal(err)
	}
	given.OutOfSequence(t, state, &series.Drawn{Counter: 1}) // a number twice
}
