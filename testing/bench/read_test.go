package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/uuid"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/archive"
	"github.com/daybook-ledger/daybook/eventstore/jetstream"
	"github.com/daybook-ledger/daybook/projections/views"
	"github.com/daybook-ledger/daybook/testing/given"
	"github.com/daybook-ledger/daybook/testing/pgserver"
)

// size is how many commits the books have that are read: DAYBOOK_BENCH_COMMITS,
// 50,000 if absent.
func size() uint64 {
	if n, err := strconv.ParseUint(os.Getenv("DAYBOOK_BENCH_COMMITS"), 10, 64); err == nil && n > customers {
		return n
	}
	return 50_000
}

// took is how long f takes.
func took(b *testing.B, f func() error) time.Duration {
	b.Helper()
	runtime.GC()
	start := time.Now()
	if err := f(); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}

// BenchmarkVerification verifies a book whose pages hold about 64 commits, in a
// process that does nothing else, as `daybook verify` does.
func BenchmarkVerification(b *testing.B) {
	if apart() {
		tell(b, verification(b, os.Getenv(subject)))
		return
	}
	for b.Loop() {
		book := newBook(b)
		book.grow(b, 4*size(), 256)
		h, err := book.Head()
		if err != nil {
			b.Fatal(err)
		}
		book.close(b)
		var took []verifying
		inProcess(b, "BenchmarkVerification", book.dir, &took)
		var ratios, least, rates []float64
		for _, t := range took {
			ratios = append(ratios, t.Read.Seconds()/t.Verified.Seconds())
			least = append(least, t.Read.Seconds()/t.Least.Seconds())
			rates = append(rates, float64(h.Size)/t.Verified.Seconds())
		}
		report(b, line{
			name: "verification by the public key", baseline: "reading the same pages", aim: 0.5, value: median(ratios),
			detail: fmt.Sprintf("%d commits, %.0f on a page", h.Size, float64(h.Size)/float64(h.Page)),
		})
		report(b, line{
			name: "reading, two hashes of each commit and a signature of each page", baseline: "reading the same pages", value: median(least),
			detail: "what no verification can do without",
		})
		report(b, line{name: "verification by the public key, a second", baseline: "", aim: 300_000, unit: "commits/s", value: median(rates)})
	}
}

// verifying is how long it takes to read all pages of a book, to do the least with them
// that verifying can do, and to verify them.
type verifying struct{ Read, Least, Verified time.Duration }

// verification takes those times, in turn.
func verification(b *testing.B, dir string) (all []verifying) {
	b.Helper()
	l, err := bookdir.OpenLog(b.Context(), dir, 0, quiet())
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close(context.Background())
	for range rounds() {
		read := took(b, func() error { return drain(l) })
		least := took(b, func() error { return hash(l) })
		verified := took(b, func() error {
			report, err := l.Verify(context.Background(), bookdir.VerifyOptions{})
			if err == nil && !report.OK {
				err = fmt.Errorf("%+v", report)
			}
			return err
		})
		all = append(all, verifying{read, least, verified})
	}
	return all
}

// BenchmarkReading reads a book that was written by 64 callers, in every other way in
// which books are read as a whole.
func BenchmarkReading(b *testing.B) {
	for b.Loop() {
		book := newBook(b)
		book.grow(b, size(), 64)
		book.close(b)
		events := book.events(b)
		book.deep(b)
		book.replay(b, events)
		book.restore(b, events)
		book.views(b, events)
	}
}

// restore archives a book, and compares bringing it back, verified, ready for
// commands and with its lists, with the reading of its pages; then the lists follow
// what the new epoch began with.
func (k *book) restore(b *testing.B, events float64) {
	b.Helper()
	escrow, err := age.GenerateX25519Identity()
	if err != nil {
		b.Fatal(err)
	}
	to := folder(b)
	opened, err := bookdir.Open(b.Context(), k.dir, k.options)
	if err != nil {
		b.Fatal(err)
	}
	if err := opened.ArchiveTo(b.Context(), bookdir.Archive{To: to, Recipients: []string{escrow.Recipient().String()}}); err != nil {
		b.Fatal(err)
	}
	backup := took(b, func() error { _, err := opened.Backup(context.Background(), nil); return err })
	if err := opened.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
	l, err := bookdir.OpenLog(b.Context(), k.dir, 0, quiet())
	if err != nil {
		b.Fatal(err)
	}
	read := took(b, func() error { return drain(l) })
	if err := l.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
	place, err := archive.Open(to, time.Now)
	if err != nil {
		b.Fatal(err)
	}
	dir := filepath.Join(folder(b), "restored")
	back := took(b, func() error {
		_, err := bookdir.Restore{
			From: place, Identities: archive.Identities{escrow}, Root: k.options.Root, Principal: given.Owner,
			Clock: k.options.Clock, Log: quiet(),
		}.Do(context.Background(), dir)
		return err
	})
	restored, err := bookdir.Open(b.Context(), dir, k.options)
	if err != nil {
		b.Fatal(err)
	}
	defer restored.Close(context.Background())
	lists := took(b, func() error {
		v, err := restored.OpenViews(context.Background(), nil)
		if err != nil {
			return err
		}
		return errors.Join(v.CatchUp(context.Background()), v.Close())
	})
	report(b, line{
		name: "restore from the archive, verified, ready for commands, its lists made", baseline: "reading the same pages", value: read.Seconds() / back.Seconds(),
		detail: fmt.Sprintf("%.1f s for %.0f events; archived in %.1f s", back.Seconds(), events, backup.Seconds()),
	})
	report(b, line{
		name: "restore with all lists made", aim: 33_333, unit: "events/s", value: events / (back + lists).Seconds(),
		detail: fmt.Sprintf("a million events in %.0f s", 1e6/events*(back+lists).Seconds()),
	})
}

// drain reads all pages of a log, and nothing else.
func drain(l *bookdir.Log) error {
	last, err := l.Store.Last(context.Background())
	if err != nil {
		return err
	}
	for _, err := range l.Store.Read(context.Background(), 1, last) {
		if err != nil {
			return err
		}
	}
	return nil
}

// hash reads all pages of a log, and checks on all cores the signature of each and
// computes the leaves of its commits: from which nothing is put together, and nothing
// learned of what stands in them.
func hash(l *bookdir.Log) error {
	last, err := l.Store.Last(context.Background())
	if err != nil {
		return err
	}
	pages := make(chan eventstore.Page, 4*runtime.GOMAXPROCS(0))
	errs := make([]error, runtime.GOMAXPROCS(0))
	var group sync.WaitGroup
	for worker := range errs {
		group.Go(func() {
			for p := range pages {
				opened, err := l.Verifier.Open(p.Body)
				if err != nil {
					errs[worker] = err
					continue
				}
				opened.Leaves(nil)
			}
		})
	}
	for p, failed := range l.Store.Read(context.Background(), 1, last) {
		if err = failed; err != nil {
			break
		}
		pages <- p
	}
	close(pages)
	group.Wait()
	return errors.Join(append(errs, err)...)
}

// events is how many events the book holds.
func (k *book) events(b *testing.B) float64 {
	b.Helper()
	l, err := bookdir.OpenLog(b.Context(), k.dir, 0, quiet())
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close(context.Background())
	r, err := l.Verify(context.Background(), bookdir.VerifyOptions{Unkept: true})
	if err != nil || !r.OK {
		b.Fatalf("%+v, %v", r, err)
	}
	return float64(r.Events)
}

// deep compares a deep verification on two cores with one on one.
func (k *book) deep(b *testing.B) {
	b.Helper()
	verify := func() error {
		l, err := bookdir.OpenLog(context.Background(), k.dir, 0, quiet())
		if err != nil {
			return err
		}
		defer l.Close(context.Background())
		d, err := bookdir.OpenDeep(k.dir, k.options)
		if err != nil {
			return err
		}
		defer d.Close(context.Background())
		report, err := l.Verify(context.Background(), bookdir.VerifyOptions{Unkept: true, Deep: d})
		if err == nil && !report.OK {
			err = fmt.Errorf("%+v", report)
		}
		return err
	}
	cores := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(cores)
	runtime.GOMAXPROCS(1)
	one := took(b, verify)
	runtime.GOMAXPROCS(2)
	two := took(b, verify)
	report(b, line{
		name: "deep verification on two cores", baseline: "on one", aim: 1.7, value: one.Seconds() / two.Seconds(),
		detail: fmt.Sprintf("%.1f s for all of it on two", two.Seconds()),
	})
}

// replay compares a start without the writer's states, which verifies, opens and
// folds the whole log, with the reading of a stream of one message an event.
func (k *book) replay(b *testing.B, events float64) {
	b.Helper()
	bytes := k.bytes(b)
	var ratios []float64
	var rate float64
	for range rounds() {
		plain := drainPlain(b, int(events), int(bytes/int64(events)))
		for _, name := range []string{"state.db", "state.db-wal", "state.db-shm", "tree"} {
			if err := os.RemoveAll(filepath.Join(k.dir, name)); err != nil {
				b.Fatal(err)
			}
		}
		cold := took(b, func() (err error) {
			k.Book, err = bookdir.Open(context.Background(), k.dir, k.options)
			return err
		})
		k.close(b)
		rate = events / cold.Seconds()
		ratios = append(ratios, plain.Seconds()/cold.Seconds())
	}
	report(b, line{
		name: "cold verified replay", baseline: "reading a stream with a message for each event", aim: 1, value: median(ratios),
		detail: fmt.Sprintf("%.0f events a second: verified, opened, folded, and the states written", rate),
	})
}

// drainPlain is how long an ordered consumer takes to read so many messages.
func drainPlain(b *testing.B, n, size int) time.Duration {
	b.Helper()
	server, err := jetstream.Start(jetstream.Config{Dir: folder(b), Book: uuid.Must(uuid.NewV7())})
	if err != nil {
		b.Fatal(err)
	}
	defer server.Shutdown()
	js, err := natsjs.New(server.Conn(), natsjs.WithPublishAsyncMaxPending(4096))
	if err != nil {
		b.Fatal(err)
	}
	stream, err := js.CreateStream(b.Context(), natsjs.StreamConfig{Name: "plain", Subjects: []string{"plain"}, Storage: natsjs.FileStorage})
	if err != nil {
		b.Fatal(err)
	}
	body := make([]byte, size)
	for range n {
		if _, err := js.PublishAsync("plain", body, natsjs.WithStallWait(time.Minute)); err != nil {
			b.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
	return took(b, func() error {
		consumer, err := stream.OrderedConsumer(context.Background(), natsjs.OrderedConsumerConfig{})
		if err != nil {
			return err
		}
		messages, err := consumer.Messages(natsjs.PullMaxMessages(4096))
		if err != nil {
			return err
		}
		defer messages.Stop()
		for range n {
			if _, err := messages.Next(); err != nil {
				return err
			}
		}
		return nil
	})
}

// views makes the views of a book on both engines.
func (k *book) views(b *testing.B, events float64) {
	b.Helper()
	rebuild := func(url string) time.Duration {
		o := k.options
		o.Views = url
		book, err := bookdir.Open(context.Background(), k.dir, o)
		if err != nil {
			b.Fatal(err)
		}
		defer book.Close(context.Background())
		return took(b, func() error { return book.RebuildViews(context.Background(), views.Rebuild{}, nil) })
	}
	report(b, line{name: "rebuild of the views on SQLite", aim: 50_000, unit: "events/s", value: events / rebuild(bookdir.InFolder).Seconds()})
	if !pgserver.Found(b) {
		return
	}
	server, err := pgserver.Start()
	if err != nil {
		b.Fatal(err)
	}
	defer server.Stop() //nolint:errcheck // the folder is temporary
	report(b, line{name: "rebuild of the views on PostgreSQL", aim: 40_000, unit: "events/s", value: events / rebuild(server.Database(b)).Seconds()})
}
