package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/payment"
	"github.com/daybook-ledger/daybook/projections/views"
	"github.com/daybook-ledger/daybook/testing/given"
	"github.com/daybook-ledger/daybook/testing/pgserver"
)

// year is over how many days the invoices of a book that is asked are dated.
const year = 365

// day is one of the year that ended a month ago: payments are not dated ahead.
func day(n int) domain.Date { return domain.DateOf(time.Now()).AddDays(n - year - 31) }

// BenchmarkQueries asks a large book what people ask, on every engine, and what it
// was at earlier moments; then the lists follow while commands are given.
func BenchmarkQueries(b *testing.B) {
	for b.Loop() {
		book := newBook(b)
		book.spread(b, size())
		places := map[string]string{"SQLite": bookdir.InFolder}
		if pgserver.Found(b) {
			server, err := pgserver.Start()
			if err != nil {
				b.Fatal(err)
			}
			defer server.Stop() //nolint:errcheck // the folder is temporary
			places["PostgreSQL"] = server.Database(b)
		}
		for _, engine := range []string{"SQLite", "PostgreSQL"} {
			if places[engine] != "" {
				book.asked(b, engine, places[engine])
			}
		}
		book.followed(b)
		book.close(b)
	}
}

// spread enters invoices that are dated over a year, and of 20 pays 19 after a month,
// of each customer others, until the book has so many commits.
func (k *book) spread(b *testing.B, commits uint64) {
	b.Helper()
	invoices := (int(commits) - customers) * 20 / 39
	var made atomic.Int64
	_, err := repeatTimes(64, invoices, func() error {
		i := int(made.Add(1))
		id, date := uuid.Must(uuid.NewV7()), day(i*year/invoices)
		price := 10 * (1 + i*31%500)
		payer := customerName(i * 7 % customers)
		err := k.give(&invoice.Enter{
			ID: id, Imported: true, Date: date,
			Content:  given.Content(payer, given.Line("1", fmt.Sprint(price), "S 20"), given.Line("2", "5", "S 20"), given.Line("10", "2", "S 5")),
			Personal: &invoice.EnterPersonal{Text: given.Text(3)},
		})
		if err != nil || (i+i/customers)%20 == 0 {
			return err
		}
		total := given.GBP(fmt.Sprintf("%d.00", (price+10)*6/5+21))
		return k.give(&payment.Receive{
			ID: uuid.Must(uuid.NewV7()), Customer: given.ID(payer), Amount: total, Date: date.AddDays(30),
			Allocations: []payment.Share{{Target: invoice.Stream(id), Amount: total}},
		})
	})
	if err != nil {
		b.Fatal(err)
	}
}

// repeatTimes calls f so many times, from so many goroutines.
func repeatTimes(callers, times int, f func() error) (time.Duration, error) {
	errs := make(chan error, callers)
	var left atomic.Int64
	left.Store(int64(times))
	start := time.Now()
	for range callers {
		go func() {
			for left.Add(-1) >= 0 {
				if err := f(); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	var all []error
	for range callers {
		all = append(all, <-errs)
	}
	return time.Since(start), errors.Join(all...)
}

// asked asks the views that are at a place.
func (k *book) asked(b *testing.B, engine, place string) {
	b.Helper()
	k.close(b)
	was := k.options
	k.options.Views = place
	k.open(b)
	defer func() {
		k.close(b)
		k.options = was
		k.open(b)
	}()
	ctx := context.Background()
	if err := k.RebuildViews(ctx, views.Rebuild{}, nil); err != nil {
		b.Fatal(err)
	}
	v, err := k.OpenViews(ctx, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer v.Close()
	if err := v.CatchUp(ctx); err != nil {
		b.Fatal(err)
	}
	status, err := v.Status(ctx)
	if err != nil {
		b.Fatal(err)
	}
	for _, q := range []struct {
		name string
		ask  func(i int) error
	}{
		{"a list from a date on, sorted", func(i int) error {
			sort := []string{"", "number", "-date", "due", "-total", "customer"}[i%6]
			_, err := v.Documents(ctx, views.Filter{Sort: sort, From: day(year - 30 - i%300), Limit: 50})
			return err
		}},
		{"a customer and the balance", func(i int) error { _, err := v.Customer(ctx, given.ID(customerName(i%customers))); return err }},
		{"aging", func(int) error {
			_, err := v.AgingReport(ctx, views.AgingFilter{Date: day(year + 30), Limit: 50})
			return err
		}},
		{"the trial balance", func(int) error { _, err := v.TrialBalance(ctx, views.BalanceFilter{}); return err }},
	} {
		report(b, line{
			name: fmt.Sprintf("99 of 100 questions for %s, %s", q.name, engine), aim: 20, most: true, unit: "ms",
			value: percentile(b, 200, q.ask).Seconds() * 1000, detail: fmt.Sprintf("%d events", status.Events),
		})
	}
	k.recalled(b, engine, v, status)
}

// recalled asks for earlier moments: the trial balance of the one that costs most,
// and documents of the whole book.
func (k *book) recalled(b *testing.B, engine string, v *bookdir.Views, status views.Status) {
	b.Helper()
	ctx := context.Background()
	report(b, line{
		name: fmt.Sprintf("the trial balance of half the book, %s", engine), aim: 2, most: true, unit: "s",
		value: percentile(b, 5, func(i int) error {
			_, err := v.TrialBalance(ctx, views.BalanceFilter{At: views.Moment{
				Size: status.Size/2 + uint64(i), Effective: day(year / 3),
			}})
			return err
		}).Seconds(), detail: fmt.Sprintf("%d events, recorded and dated up to then", status.Events),
	})
	page, err := v.Documents(ctx, views.Filter{Sort: "number", Limit: 200})
	if err != nil {
		b.Fatal(err)
	}
	report(b, line{
		name: fmt.Sprintf("99 of 100 documents as they were, %s", engine), aim: 50, most: true, unit: "ms",
		value: percentile(b, len(page.Documents), func(i int) error {
			stream := domain.StreamID{Kind: domain.KindInvoice, ID: page.Documents[i].ID}
			r, err := k.RecallDocument(ctx, v.Queries, views.Moment{Size: status.Size}, stream)
			if err != nil {
				return err
			}
			_, err = r.Document(ctx, stream, "")
			return errors.Join(err, r.Close())
		}).Seconds() * 1000,
	})
}

// percentile asks so many times, and gives the time within which 99 of 100 are
// answered.
func percentile(b *testing.B, times int, ask func(i int) error) time.Duration {
	b.Helper()
	if err := ask(0); err != nil {
		b.Fatal(err)
	}
	took := make([]time.Duration, times)
	for i := range took {
		start := time.Now()
		if err := ask(i); err != nil {
			b.Fatal(err)
		}
		took[i] = time.Since(start)
	}
	slices.Sort(took)
	return took[(len(took)-1)*99/100]
}

// followed gives commands while the lists follow, and tells how far they fall
// behind.
func (k *book) followed(b *testing.B) {
	b.Helper()
	alone := k.measure(b, 64).perSecond()
	v, err := k.OpenViews(context.Background(), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer v.Close()
	if err := v.CatchUp(context.Background()); err != nil {
		b.Fatal(err)
	}
	stop, ended := make(chan struct{}), make(chan error, 1)
	var lag atomic.Uint64
	go func() {
		for {
			select {
			case <-stop:
				ended <- nil
				return
			default:
			}
			before, err := k.Head()
			if err == nil {
				err = v.CatchUp(context.Background())
			}
			after, errHead := k.Head()
			if err := errors.Join(err, errHead); err != nil {
				ended <- err
				return
			}
			lag.Store(max(lag.Load(), after.Size-before.Size))
		}
	}()
	together := k.measure(b, 64).perSecond()
	close(stop)
	start := time.Now()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
	if err := v.CatchUp(context.Background()); err != nil {
		b.Fatal(err)
	}
	report(b, line{
		name: "commands while all lists follow", baseline: "while none does", value: together / alone,
		detail: fmt.Sprintf("%.0f beside %.0f a second, 64 at a time; at most %d commits behind, %.1f s to catch up at the end",
			together, alone, lag.Load(), time.Since(start).Seconds()),
	})
}
