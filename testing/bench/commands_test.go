package bench

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/uuid"
	natsjs "github.com/nats-io/nats.go/jetstream"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver of the events table

	"github.com/daybook-ledger/daybook/cmd/bookdir"
	"github.com/daybook-ledger/daybook/eventstore/jetstream"
	"github.com/daybook-ledger/daybook/testing/pgserver"
)

// commandAim is the least ratio of commands from so many callers to plain
// publishes, and to raw pages, 0 for none.
type commandAim struct {
	callers    int
	plain, raw float64
}

var commandAims = []commandAim{{1, 0.75, 0.8}, {16, 5, 0.8}, {64, 14, 0.5}, {256, 25, 0}, {1024, 35, 0}}

// taken is how commands stood beside plain publishes and raw pages.
type taken struct {
	Plain, Raw float64
	Detail     string
}

// BenchmarkCommands issues three-line invoices, decided, sealed, flushed and
// answered with a receipt, beside plain JetStream publishes of as many bytes,
// each with a flush of its own; and beside publishes of pages of the same sizes,
// one after the other, which is the most that can be had.
func BenchmarkCommands(b *testing.B) {
	for _, a := range commandAims {
		b.Run(fmt.Sprintf("callers=%d", a.callers), func(b *testing.B) {
			for b.Loop() {
				a.report(b, a.take(b), "")
			}
		})
	}
}

// take measures in rounds.
func (a commandAim) take(b *testing.B) taken {
	b.Helper()
	var plain, raw []float64
	var t taken
	book := newBook(b)
	for range rounds() {
		commands := book.measure(b, a.callers)
		size := commands.bytes / max(1, commands.n)
		perPage := float64(commands.n) / float64(max(1, commands.flushes))
		single := publish(b, a.callers, int(size))
		pages := publish(b, 1, int(float64(size)*perPage))
		plain = append(plain, commands.perSecond()/single.perSecond())
		raw = append(raw, commands.perSecond()/(pages.perSecond()*perPage))
		t.Detail = fmt.Sprintf("%.0f beside %.0f a second; %d bytes, %.1f commands a flush", commands.perSecond(), single.perSecond(), size, perPage)
	}
	book.close(b)
	t.Plain, t.Raw = median(plain), median(raw)
	return t
}

// report reports what was taken, where.
func (a commandAim) report(b *testing.B, t taken, where string) {
	b.Helper()
	name := fmt.Sprintf("commands, %d at a time", a.callers)
	report(b, line{name: name + where, baseline: "a plain JetStream publish each", aim: a.plain, value: t.Plain, detail: t.Detail})
	if a.raw > 0 {
		report(b, line{name: name + ", to the limit" + where, baseline: "publishes of the same pages", aim: a.raw, value: t.Raw})
	}
}

// publish publishes messages of a size from so many callers, each flushed, on the
// kind of server that a book has.
func publish(b *testing.B, callers, size int) measured {
	b.Helper()
	server, err := jetstream.Start(jetstream.Config{Dir: folder(b), Book: uuid.Must(uuid.NewV7())})
	if err != nil {
		b.Fatal(err)
	}
	defer server.Shutdown()
	// With a thousand callers on a slow disk each waits for a thousand flushes.
	js, err := natsjs.New(server.Conn(), natsjs.WithDefaultTimeout(time.Minute))
	if err != nil {
		b.Fatal(err)
	}
	if _, err := js.CreateStream(b.Context(), natsjs.StreamConfig{Name: "plain", Subjects: []string{"plain"}, Storage: natsjs.FileStorage}); err != nil {
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

// BenchmarkEventsTable is what else one would take: a table of events in
// PostgreSQL, neither signed nor encrypted nor decided, each insert committed and
// flushed, over the number of connections that gives most.
func BenchmarkEventsTable(b *testing.B) {
	pgserver.Missing(b)
	server, err := pgserver.Start("synchronous_commit=on", "fsync=on")
	if err != nil {
		b.Fatal(err)
	}
	defer server.Stop() //nolint:errcheck // the folder is temporary
	const callers = 256
	for b.Loop() {
		book := newBook(b)
		var ratios []float64
		var detail string
		for range rounds() {
			commands := book.measure(b, callers)
			size := int(commands.bytes / max(1, commands.n))
			var best float64
			var with int
			for _, connections := range []int{8, 32, 64} {
				if rate := inserts(b, server.Database(b), callers, connections, size); rate > best {
					best, with = rate, connections
				}
			}
			ratios = append(ratios, commands.perSecond()/best)
			detail = fmt.Sprintf("%.0f beside %.0f a second over %d connections", commands.perSecond(), best, with)
		}
		book.close(b)
		report(b, line{
			name: "commands, 256 at a time, beside a database", baseline: "inserts into an events table in PostgreSQL", aim: 5,
			value: median(ratios), detail: detail,
		})
	}
}

// inserts is how many rows of a size are inserted a second.
func inserts(b *testing.B, url string, callers, connections, size int) float64 {
	b.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	if _, err := db.Exec(`CREATE TABLE events (position BIGSERIAL PRIMARY KEY, stream UUID NOT NULL, revision BIGINT NOT NULL, body BYTEA NOT NULL, UNIQUE (stream, revision))`); err != nil {
		b.Fatal(err)
	}
	insert, err := db.Prepare(`INSERT INTO events (stream, revision, body) VALUES ($1, 1, $2)`)
	if err != nil {
		b.Fatal(err)
	}
	defer insert.Close()
	body := make([]byte, size)
	m, err := repeat(callers, func(int) error {
		_, err := insert.Exec(uuid.Must(uuid.NewV7()), body)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return m.perSecond()
}

// BenchmarkRequired compares commands whose receipts wait for an archive, in a folder
// of the same disk, with those of a book without one.
func BenchmarkRequired(b *testing.B) {
	escrow, err := age.GenerateX25519Identity()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		plain, archived := newBook(b), newBook(b)
		if err := archived.ArchiveTo(context.Background(), bookdir.Archive{To: folder(b), Recipients: []string{escrow.Recipient().String()}}); err != nil {
			b.Fatal(err)
		}
		if _, err := archived.Backup(context.Background(), nil); err != nil {
			b.Fatal(err)
		}
		if err := archived.RequireArchive(true); err != nil {
			b.Fatal(err)
		}
		var ratios []float64
		var with, without float64
		for range rounds() {
			without = plain.measure(b, 64).perSecond()
			with = archived.measure(b, 64).perSecond()
			ratios = append(ratios, with/without)
		}
		plain.close(b)
		archived.close(b)
		report(b, line{
			name: "commands whose receipts wait for an archive on the same disk", baseline: "for none", value: median(ratios),
			detail: fmt.Sprintf("%.0f beside %.0f a second, 64 at a time", with, without),
		})
	}
}
