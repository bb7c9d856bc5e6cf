package sqlite_test

import (
	"context"
	"testing"

	"github.com/daybook-ledger/daybook/projections"
	"github.com/daybook-ledger/daybook/testing/viewtest"
)

// TestReports: in a book that has everything, every report on any day is what the
// entries add up to, and so is the evidence for each of its figures.
func TestReports(t *testing.T) {
	book := viewtest.BusyBook(t)
	s := openViews(t, t.TempDir(), newRing())
	runner := projections.Runner{View: s, Read: viewtest.NewLog(book, 3).Source()}
	if err := runner.CatchUp(context.Background(), 0); err != nil {
		t.Fatal(err)
	}
	viewtest.Agree(t, s, book)
}
