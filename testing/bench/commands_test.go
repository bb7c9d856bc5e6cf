// Package bench measures what a book can do, always as a ratio to a named
// baseline from the same run: machines differ, and this one's disk is noisy.
package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/eventstore/jetstream"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/testing/compiled"
	"github.com/daybook-ledger/daybook/testing/given"
)

func TestMain(m *testing.M) {
	compiled.SQLite()
	os.Exit(m.Run())
}

// customers is how many customers the invoices are for.
const customers = 1000

// aim is the least ratio of commands to plain publishes at so many callers.
var aims = []struct {
	callers int
	aim     float64
}{{1, 0.75}, {16, 5}, {64, 14}, {256, 25}, {1024, 35}}

// phase is how long each measurement lasts.
func phase() time.Duration {
	if seconds, err := strconv.ParseFloat(os.Getenv("DAYBOOK_BENCH_SECONDS"), 64); err == nil {
		return time.Duration(seconds * float64(time.Second))
	}
	return 2 * time.Second
}

// BenchmarkCommands issues three-line invoices, decided, sealed, flushed and
// answered with a receipt, beside plain JetStream publishes of as many bytes,
// each with a flush of its own.
func BenchmarkCommands(b *testing.B) {
	for _, a := range aims {
		b.Run(fmt.Sprintf("callers=%d", a.callers), func(b *testing.B) {
			for b.Loop() {
				book := newBook(b)
				before := book.bytes(b)
				commands := book.measure(b, a.callers)
				size := (book.bytes(b) - before) / max(1, int64(commands.n))
				book.close(b)
				plain := publish(b, a.callers, int(size))
				b.ReportMetric(commands.perSecond(), "commands/s")
				b.ReportMetric(plain.perSecond(), "publishes/s")
				b.ReportMetric(commands.perSecond()/plain.perSecond(), "ratio")
				b.ReportMetric(a.aim, "aim")
				b.ReportMetric(float64(size), "bytes/command")
				b.ReportMetric(float64(commands.n)/float64(max(1, commands.flushes)), "commands/flush")
			}
		})
	}
}

type measured struct {
	n, flushes int64
	took       time.Duration
}

func (m measured) perSecond() float64 { return float64(m.n) / m.took.Seconds() }

// repeat calls f from so many goroutines until the phase is over.
func repeat(callers int, f func(caller int) error) (measured, error) {
	var n atomic.Int64
	var failed atomic.Pointer[error]
	var group sync.WaitGroup
	start := time.Now()
	for caller := range callers {
		group.Go(func() {
			for time.Since(start) < phase() && failed.Load() == nil {
				if err := f(caller); err != nil {
					failed.Store(&err)
					return
				}
				n.Add(1)
			}
		})
	}
	group.Wait()
	m := measured{n: n.Load(), took: time.Since(start)}
	if err := failed.Load(); err != nil {
		return m, *err
	}
	return m, nil
}

type book struct {
	*bookdir.Book
	dir string
}

func newBook(b *testing.B) *book {
	b.Helper()
	dir, err := os.MkdirTemp("", "daybook-bench")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	keyFile := filepath.Join(dir, "key")
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(keyFile, key, 0o600); err != nil {
		b.Fatal(err)
	}
	root, at := keyring.KeyFile(keyFile), filepath.Join(dir, "book")
	if _, err := bookdir.Create(b.Context(), at, bookdir.Settings{
		Seller: given.Seller(), Currency: given.Pounds, Owner: given.Owner, Root: root,
		Clock: bookdir.SystemClock(), Log: quiet(),
	}); err != nil {
		b.Fatal(err)
	}
	opened, err := bookdir.Open(b.Context(), at, bookdir.Options{Root: root, Clock: bookdir.SystemClock(), Log: quiet()})
	if err != nil {
		b.Fatal(err)
	}
	made := &book{opened, at}
	var group sync.WaitGroup
	for first := range 16 {
		group.Go(func() {
			for i := first; i < customers; i += 16 {
				c := given.Register(customerName(i))
				c.Personal.Reference = ""
				if err := made.give(c); err != nil {
					b.Error(err)
				}
			}
		})
	}
	group.Wait()
	return made
}

func customerName(i int) string { return fmt.Sprint("customer ", i) }

func (k *book) give(c domain.Command) error {
	_, err := k.Do(context.Background(), ledger.Envelope{ID: uuid.Must(uuid.NewV7()), Principal: given.Owner, Command: c})
	return err
}

// measure issues invoices from so many callers.
func (k *book) measure(b *testing.B, callers int) measured {
	b.Helper()
	lines := []invoice.Line{given.Line("2", "49.50", "S 20"), given.Line("1", "120.00", "S 20"), given.Line("12", "3.95", "S 5")}
	text := given.Text(3)
	var next atomic.Int64
	before, err := k.Head()
	if err != nil {
		b.Fatal(err)
	}
	m, err := repeat(callers, func(int) error {
		i := int(next.Add(1))
		return k.give(&invoice.Enter{
			ID: uuid.Must(uuid.NewV7()), Content: given.Content(customerName(i%customers), lines...), Date: given.Today,
			Personal: &invoice.EnterPersonal{Text: text},
		})
	})
	if err != nil {
		b.Fatal(err)
	}
	after, err := k.Head()
	if err != nil {
		b.Fatal(err)
	}
	m.flushes = int64(after.Page - before.Page)
	return m
}

// bytes is how much the log's files hold.
func (k *book) bytes(b *testing.B) int64 {
	b.Helper()
	var total int64
	err := filepath.Walk(filepath.Join(k.dir, "store"), func(_ string, info os.FileInfo, err error) error {
		if err == nil && filepath.Ext(info.Name()) == ".blk" {
			total += info.Size()
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return total
}

func (k *book) close(b *testing.B) {
	b.Helper()
	if err := k.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
}

// publish publishes messages of a size from so many callers, each flushed.
func publish(b *testing.B, callers, size int) measured {
	b.Helper()
	dir, err := os.MkdirTemp("", "daybook-bench")
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(dir)
	id := uuid.Must(uuid.NewV7())
	server, err := jetstream.Start(jetstream.Config{Dir: dir, Book: id})
	if err != nil {
		b.Fatal(err)
	}
	defer server.Shutdown()
	js, err := plainStream(b, server)
	if err != nil {
		b.Fatal(err)
	}
	body := make([]byte, size)
	m, err := repeat(callers, func(int) error {
		_, err := js.Publish(context.Background(), "plain", body)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	m.flushes = m.n
	return m
}
