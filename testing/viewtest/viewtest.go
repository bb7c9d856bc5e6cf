// Package viewtest is the conformance suite of views: what every engine must do,
// and that what it shows is what the log says. Logs are made by the rules that a
// real book is kept by, and answers compared with what the domain's own states
// and events add up to.
package viewtest

import (
	"context"
	"database/sql"
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/projections"
	"github.com/daybook-ledger/daybook/projections/views"
	"github.com/daybook-ledger/daybook/testing/given"
)

// Store is views that are open.
type Store struct {
	projections.Store
	*views.Queries
	Close func() error
}

// Engine is one kind of database under test. Places name databases, which are
// empty at first and last as long as the test.
type Engine struct {
	// Open opens the views at a place as a process does, and makes them where
	// there are none. The suite closes what it gives.
	Open func(place string) (Store, error)
	// Raw opens the database at a place, where there are views, for the suite to
	// disturb. The suite closes it.
	Raw func(place string) (*sql.DB, error)
	// Rebuild makes the views at a place anew.
	Rebuild func(place string, r views.Rebuild) error
}

// Run runs the suite. It calls engine once for each test.
func Run(t *testing.T, engine func(t *testing.T) Engine) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Engine){
		"Fold/RandomBooks":          testRandomBooks,
		"Fold/RandomBooksAbroad":    testRandomBooksAbroad,
		"Fold/BatchesDoNotShow":     testBatches,
		"Fold/Erasure":              testErasure,
		"Fold/LargeDocument":        testLargeDocument,
		"Fold/FrozenAtIssue":        testFrozen,
		"Fold/Erased":               testErased,
		"Fold/Attested":             testAttested,
		"Fold/Moments":              testMoments,
		"Fold/MomentsBefore":        testMomentsBefore,
		"Fold/MomentsRevalued":      testMomentsRevalued,
		"Rebuild/SaysTheSame":       testRebuilt,
		"Rebuild/GoesOn":            testRebuildGoesOn,
		"Rebuild/Disagrees":         testRebuildDisagrees,
		"Rebuild/BesideOthers":      testRebuildBeside,
		"Rebuild/OtherLog":          testRebuildOtherLog,
		"Fold/Deposits":             testDeposits,
		"Apply/TwiceIsOnce":         testTwice,
		"Apply/GapIsRefused":        testGap,
		"Apply/OtherLogIsRebuild":   testOtherLog,
		"Apply/AllOrNothing":        testAllOrNothing,
		"Apply/PlantedConflict":     testConflict,
		"Apply/Cancelled":           testCancelled,
		"Apply/Reopened":            testReopened,
		"Apply/ManyAtOnce":          testManyAtOnce,
		"Runner/CatchUpTo":          testCatchUpTo,
		"Runner/Follow":             testFollow,
		"Runner/SourceFails":        testSourceFails,
		"Schema/NewerIsRefused":     testNewer,
		"Schema/MadeOnce":           testMadeOnce,
		"List/EveryOrderOnce":       testPagination,
		"List/Filters":              testFilters,
		"List/Dates":                testDates,
		"List/SearchIsLiteral":      testSearch,
		"List/BadInput":             testBadInput,
		"List/Customers":            testCustomers,
		"Find/Names":                testFind,
		"List/Payments":             testPayments,
		"Schema/FromOlder":          testOlderVersions,
		"Periods/ClosedAndReopened": testPeriods,
		"Reports/TaxPoints":         testTaxPoints,
		"Reports/AgingAndOverdue":   testAging,
		"Reports/TaxMonths":         testTaxMonths,
		"Reports/JournalFilters":    testJournal,
		"Reports/SettingsAndSeries": testSettings,
	} {
		t.Run(name, func(t *testing.T) { test(t, engine(t)) })
	}
}

// tester is *testing.T and *rapid.T.
type tester interface {
	rapid.TB
	Cleanup(func())
}

// limit ends a test that would hang.
const limit = time.Minute

func within(t tester) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

// open opens the views at a place until the test ends.
func open(t tester, e Engine, place string) Store {
	t.Helper()
	s, err := e.Open(place)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// filled opens the views at a place with all that the log has.
func filled(t tester, e Engine, place string, l *Log) Store {
	t.Helper()
	s := open(t, e, place)
	catchUp(t, s, l)
	return s
}

func catchUp(t tester, s Store, l *Log) {
	t.Helper()
	runner := projections.Runner{View: s, Read: l.Source()}
	if err := runner.CatchUp(within(t), 0); err != nil {
		t.Fatalf("catch up: %v", err)
	}
}

func must[T any](t tester) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// everything asks all that can be asked, as one text: two views that say the
// same are the same.
func everything(t tester, s Store) string {
	t.Helper()
	ctx := within(t)
	answers := map[string]any{}
	answers["status"] = must[views.Status](t)(s.Status(ctx))
	for _, sort := range []string{"", "number", "-total", "customer"} {
		answers["documents "+sort] = allDocuments(t, s, views.Filter{Sort: sort, AsOf: "2026-06-01"}, views.MaxLimit)
	}
	for _, d := range allDocuments(t, s, views.Filter{}, views.MaxLimit) {
		stream := domain.StreamID{Kind: d.Kind, ID: d.ID}
		answers["document "+stream.String()] = must[*views.Document](t)(s.Document(ctx, stream, "2026-06-01"))
		answers["activity "+stream.String()] = must[[]views.Happening](t)(s.Activity(ctx, stream))
	}
	payments := must[views.PaymentPage](t)(s.Payments(ctx, views.Filter{Limit: views.MaxLimit}))
	for _, p := range payments.Payments {
		answers["payment "+p.ID.String()] = must[*views.PaymentDetail](t)(s.Payment(ctx, p.ID))
	}
	answers["payments"] = payments
	answers["customers"] = must[views.CustomerPage](t)(s.Customers(ctx, views.CustomerFilter{Limit: views.MaxLimit}))
	answers["open"] = must[views.OpenItems](t)(s.OpenItems(ctx, views.OpenFilter{AsOf: "2026-06-01", Limit: views.MaxLimit}))
	answers["tax"] = must[views.TaxReport](t)(s.TaxReport(ctx, views.TaxFilter{}))
	answers["balance"] = must[views.TrialBalance](t)(s.TrialBalance(ctx, views.BalanceFilter{}))
	answers["balance until"] = must[views.TrialBalance](t)(s.TrialBalance(ctx, views.BalanceFilter{At: views.Moment{Effective: "2026-04-01"}}))
	answers["journal"] = must[views.Journal](t)(s.Journal(ctx, views.JournalFilter{Limit: views.MaxLimit}))
	answers["periods"] = must[[]views.Period](t)(s.Periods(ctx))
	answers["aging"] = must[views.AgingReport](t)(s.AgingReport(ctx, views.AgingFilter{Date: "2026-04-01", Explain: true}))
	answers["statements"] = must[views.Statements](t)(s.Statements(ctx, views.StatementFilter{From: "2026-03-02", Explain: true}))
	answers["ledger"] = must[views.Ledger](t)(s.Ledger(ctx, views.LedgerFilter{From: "2026-03-02", Explain: true}))
	answers["revenue"] = must[views.RevenueReport](t)(s.Revenue(ctx, views.RevenueFilter{Explain: true}))
	answers["series"] = must[[]views.Series](t)(s.Series(ctx))
	if book, err := s.Book(ctx); err == nil {
		answers["book"] = book
	}
	text, err := json.MarshalIndent(answers, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// allDocuments reads a list page by page, and checks that each is as long as was
// asked and that none comes twice.
func allDocuments(t tester, s Store, f views.Filter, size int) []views.Summary {
	t.Helper()
	var all []views.Summary
	seen := map[domain.StreamID]bool{}
	f.Limit = size
	for {
		page := must[views.Page](t)(s.Documents(within(t), f))
		for _, d := range page.Documents {
			stream := domain.StreamID{Kind: d.Kind, ID: d.ID}
			if seen[stream] {
				t.Fatalf("%s is listed twice in order %q", stream, f.Sort)
			}
			seen[stream] = true
		}
		all = append(all, page.Documents...)
		if page.Next == "" {
			return all
		}
		if len(page.Documents) != size {
			t.Fatalf("a page in the middle has %d rows, not %d", len(page.Documents), size)
		}
		f.After = page.Next
	}
}

// BusyBook has documents in every status, and payments of every kind.
func BusyBook(t *testing.T) *given.Book {
	t.Helper()
	return busyBook(t)
}

// Agree compares every answer of the views with what the book's own states and
// events add up to, for tests of one engine.
func Agree(t *testing.T, s Store, b *given.Book) {
	t.Helper()
	agree(t, s, b)
}

// Everything asks all that can be asked, as one text.
func Everything(t *testing.T, s Store) string {
	t.Helper()
	return everything(t, s)
}
