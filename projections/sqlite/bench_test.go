package sqlite_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/projections"
	"github.com/daybook-ledger/daybook/projections/sqlite"
	"github.com/daybook-ledger/daybook/projections/views"
	"github.com/daybook-ledger/daybook/testing/given"
	"github.com/daybook-ledger/daybook/testing/viewtest"
)

// trade is a book of so many three-line invoices to a thousand customers.
func trade(tb testing.TB, invoices int) *given.Book {
	tb.Helper()
	b := given.New()
	b.Strict = false
	b.Take(tb, given.Open(b.ID))
	for i := range 1000 {
		b.Take(tb, given.Register(fmt.Sprint("customer ", i)))
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range invoices {
		b.Now = b.Now.Add(20 * time.Minute)
		content := given.Content(fmt.Sprint("customer ", random.IntN(1000)),
			given.Line("1", fmt.Sprint(1+random.IntN(500)), "S 20"), given.Line("2", "3.50", "S 20"), given.Line("3", "0.99", "S 5"))
		command := given.Enter(fmt.Sprint("invoice ", i), content)
		command.Date = domain.DateOf(b.Now)
		b.Take(tb, command)
	}
	return b
}

func events(b *given.Book) (n int) {
	for _, c := range b.Log {
		n += len(c.Changes)
	}
	return n
}

// BenchmarkApply is how fast live views, with their indexes, take events that
// are decoded already; BenchmarkRebuild the same for a rebuild.
func BenchmarkApply(b *testing.B) {
	book := trade(b, 20_000)
	log := viewtest.NewLog(book, 64)
	for b.Loop() {
		s, err := sqlite.Open(context.Background(), b.TempDir(), newRing())
		if err != nil {
			b.Fatal(err)
		}
		runner := projections.Runner{View: s, Read: log.Source()}
		if err := runner.CatchUp(context.Background(), 0); err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
	b.ReportMetric(float64(events(book))*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkRebuild(b *testing.B) {
	book := trade(b, 20_000)
	log := viewtest.NewLog(book, 64)
	for b.Loop() {
		if err := sqlite.Rebuild(context.Background(), b.TempDir(), newRing(), views.Rebuild{Log: log.Source()}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(events(book))*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkQueries gives the 99th percentile of questions to a large book.
func BenchmarkQueries(b *testing.B) {
	book := trade(b, 50_000)
	dir, keys := filepath.Join(b.TempDir(), "views"), newRing()
	if err := sqlite.Rebuild(context.Background(), dir, keys, views.Rebuild{Log: viewtest.NewLog(book, 64).Source()}); err != nil {
		b.Fatal(err)
	}
	s, err := sqlite.Open(context.Background(), dir, keys)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	ctx := context.Background()
	for name, ask := range map[string]func(i int) error{
		"List": func(i int) error {
			sort := []string{"", "number", "-date", "due", "-total", "customer"}[i%6]
			_, err := s.Documents(ctx, views.Filter{Sort: sort, From: given.Today.AddDays(100), Limit: 50})
			return err
		},
		"ListCustomer": func(i int) error {
			_, err := s.Documents(ctx, views.Filter{Customer: given.ID(fmt.Sprint("customer ", i%1000)), Sort: "-date"})
			return err
		},
		"ListSearch": func(i int) error {
			_, err := s.Documents(ctx, views.Filter{Search: fmt.Sprint("customer ", i%1000)})
			return err
		},
		"Customer": func(i int) error { _, err := s.Customer(ctx, given.ID(fmt.Sprint("customer ", i%1000))); return err },
		"OpenItems": func(int) error {
			_, err := s.OpenItems(ctx, views.OpenFilter{AsOf: given.Today.AddDays(400)})
			return err
		},
		"TrialBalance": func(int) error { _, err := s.TrialBalance(ctx, views.BalanceFilter{}); return err },
		"BalanceUntil": func(int) error {
			_, err := s.TrialBalance(ctx, views.BalanceFilter{At: views.Moment{Effective: given.Today}})
			return err
		},
		"TaxReport": func(int) error { _, err := s.TaxReport(ctx, views.TaxFilter{}); return err },
		"Journal": func(i int) error {
			_, err := s.Journal(ctx, views.JournalFilter{From: given.Today.AddDays(i % 700)})
			return err
		},
		"JournalRare":  func(int) error { _, err := s.Journal(ctx, views.JournalFilter{Account: "bad-debt"}); return err },
		"FindByNumber": func(i int) error { _, err := s.FindDocument(ctx, fmt.Sprintf("INV-%05d", 1+i%9999), ""); return err },
		"FindByPrefix": func(i int) error {
			_, err := s.FindDocument(ctx, given.ID(fmt.Sprint("invoice ", i%1000)).String()[:12], "")
			return err
		},
		"WholeDocument": func(i int) error { _, err := s.Document(ctx, stream(i), ""); return err },
	} {
		b.Run(name, func(b *testing.B) {
			var took []time.Duration
			for i := 0; b.Loop(); i++ {
				start := time.Now()
				if err := ask(i); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(start))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}

func stream(i int) domain.StreamID {
	return domain.StreamID{Kind: domain.KindInvoice, ID: given.ID(fmt.Sprint("invoice ", i%1000))}
}
