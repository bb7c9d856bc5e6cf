package postgres_test

import (
	"context"
	"errors"
	"iter"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daybook-ledger/daybook/projections"
	"github.com/daybook-ledger/daybook/projections/postgres"
	"github.com/daybook-ledger/daybook/projections/views"
	"github.com/daybook-ledger/daybook/testing/effort"
	"github.com/daybook-ledger/daybook/testing/given"
	"github.com/daybook-ledger/daybook/testing/viewtest"
)

// events is how many events engines are compared by. DAYBOOK_EVENTS asks for
// more than there is time for in every run: 100,000 are a campaign.
func events() int {
	if n, err := strconv.Atoi(os.Getenv("DAYBOOK_EVENTS")); err == nil && n > 0 {
		return n
	}
	if testing.Short() {
		return 2_000
	}
	return effort.Of(10_000, 3_000)
}

// narrow bounds how many pages a transaction has: by their size, which it makes
// out to be large.
func narrow(source projections.Source, pages int) projections.Source {
	return func(ctx context.Context, after projections.Cursor) iter.Seq2[projections.Page, error] {
		return func(yield func(projections.Page, error) bool) {
			for p, err := range source(ctx, after) {
				p.Bytes = (4 << 20) / pages
				if !yield(p, err) {
					return
				}
			}
		}
	}
}

// TestUnreachableAtStart: where there is no database the error says so, and
// tells no password.
func TestUnreachableAtStart(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	_, err = postgres.Open(context.Background(), at("postgres://ada:se-cret@"+address+"/none", "book"))
	if !errors.Is(err, projections.ErrUnreachable) {
		t.Fatalf("open: %v", err)
	}
	if strings.Contains(err.Error(), "se-cret") {
		t.Fatalf("the error tells the password: %v", err)
	}
}

// filled opens views of a book and brings them half the way.
func filled(t *testing.T, o postgres.Options, log *viewtest.Log, size uint64) viewtest.Store {
	t.Helper()
	s, err := open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	runner := projections.Runner{View: s, Read: log.Source()}
	if err := runner.CatchUp(context.Background(), size); err != nil {
		t.Fatal(err)
	}
	return s
}

// after catches up and holds the views against SQLite's.
func after(t *testing.T, s viewtest.Store, log *viewtest.Log) {
	t.Helper()
	runner := projections.Runner{View: s, Read: log.Source()}
	if err := runner.CatchUp(context.Background(), 0); err != nil {
		t.Fatal(err)
	}
	reference, err := embedded(t).Open("reference")
	if err != nil {
		t.Fatal(err)
	}
	defer reference.Close()
	same(t, s, reference, log)
}

// refused catches up where it cannot, and holds that nothing was applied.
func refused(t *testing.T, s viewtest.Store, log *viewtest.Log, want error) {
	t.Helper()
	before := viewtest.Everything(t, s)
	runner := projections.Runner{View: s, Read: log.Source()}
	if err := runner.CatchUp(context.Background(), 0); err == nil || want != nil && !errors.Is(err, want) {
		t.Fatalf("catch up: %v", err)
	}
	if viewtest.Everything(t, s) != before {
		t.Fatal("a part was applied")
	}
}

// trigger plants a trigger into the live schema.
func trigger(t *testing.T, url, place, when, body string) (remove func()) {
	t.Helper()
	db, err := raw(url, given.ID(place))
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		`CREATE SEQUENCE tries`,
		`CREATE FUNCTION planted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ` + body + ` RETURN NEW; END $$`,
		`CREATE TRIGGER planted BEFORE ` + when + ` FOR EACH ROW EXECUTE FUNCTION planted()`,
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		defer db.Close()
		for _, statement := range []string{`DROP FUNCTION planted CASCADE`, `DROP SEQUENCE tries`} {
			if _, err := db.Exec(statement); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestStorm: a transaction that cannot be put in order with others is tried
// again, and applied once.
func TestStorm(t *testing.T) {
	t.Parallel()
	url := server(t).Database(t)
	log := viewtest.NewLog(trade(t, 60), 4)
	s := filled(t, at(url, "storm"), log, 40)
	remove := trigger(t, url, "storm", "UPDATE ON view_cursor",
		`IF nextval('tries') <= 20 THEN RAISE EXCEPTION 'storm' USING ERRCODE = '40001'; END IF;`)
	after(t, s, log)
	remove()
}

// TestEndlessStorm: what cannot be put in order at all is an error, and applied
// not at all.
func TestEndlessStorm(t *testing.T) {
	t.Parallel()
	url := server(t).Database(t)
	log := viewtest.NewLog(trade(t, 60), 4)
	s := filled(t, at(url, "endless"), log, 40)
	remove := trigger(t, url, "endless", "UPDATE ON view_cursor", `RAISE EXCEPTION 'storm' USING ERRCODE = '40001';`)
	refused(t, s, log, nil)
	remove()
	after(t, s, log)
}

// TestFullDisk: where the server has no room, nothing of a batch is applied, and
// all goes on once it has.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	url := server(t).Database(t)
	log := viewtest.NewLog(trade(t, 60), 4)
	s := filled(t, at(url, "full"), log, 40)
	remove := trigger(t, url, "full", "INSERT ON postings", `RAISE EXCEPTION 'no room' USING ERRCODE = '53100';`)
	refused(t, s, log, projections.ErrFull)
	remove()
	after(t, s, log)
}

// TestCommitFails: what fails when the transaction ends is not taken for
// applied.
func TestCommitFails(t *testing.T) {
	t.Parallel()
	url := server(t).Database(t)
	log := viewtest.NewLog(trade(t, 60), 4)
	s := filled(t, at(url, "commit"), log, 40)
	db, err := raw(url, given.ID("commit"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range []string{
		`CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'late'; END $$`,
		`CREATE CONSTRAINT TRIGGER late AFTER INSERT ON postings DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late()`,
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	refused(t, s, log, nil)
	if _, err := db.Exec(`DROP FUNCTION late CASCADE`); err != nil {
		t.Fatal(err)
	}
	after(t, s, log)
}

// proxy stands between views and the server, and can stop passing anything on.
type proxy struct {
	listener net.Listener
	hangs    atomic.Bool
	wait     sync.WaitGroup
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l}
	p.wait.Go(func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			onward, err := net.Dial("tcp", to)
			if err != nil {
				from.Close()
				continue
			}
			go p.pass(from, onward)
			go p.pass(onward, from)
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.wait.Wait()
	})
	return p
}

// pass copies until one side ends; while the proxy hangs it swallows.
func (p *proxy) pass(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 && !p.hangs.Load() {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// TestHangs: a connection over which nothing comes any more is given up, the
// views are what they were, and go on over another.
func TestHangs(t *testing.T) {
	t.Parallel()
	own := server(t)
	url := own.Database(t)
	p := newProxy(t, own.Address())
	log := viewtest.NewLog(trade(t, 60), 4)
	o := at(strings.Replace(url, own.Address(), p.listener.Addr().String(), 1), "hangs")
	o.Within = 2 * time.Second
	s := filled(t, o, log, 40)
	p.hangs.Store(true)
	begun := time.Now()
	runner := projections.Runner{View: s, Read: log.Source()}
	if err := runner.CatchUp(context.Background(), 0); !errors.Is(err, projections.ErrUnreachable) {
		t.Fatalf("catch up: %v", err)
	}
	if _, err := s.Status(context.Background()); !errors.Is(err, projections.ErrUnreachable) {
		t.Fatalf("ask: %v", err)
	}
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("it took %s to notice", took)
	}
	p.hangs.Store(false)
	after(t, s, log)
}

// TestURLs: passwords are told apart, and the way to another machine is
// protected unless the URL says otherwise.
func TestURLs(t *testing.T) {
	for _, c := range []struct {
		url             string
		ok, secret      bool
		plain, verifies bool
		shown           string
	}{
		{"postgres://ada@localhost/books", true, false, false, false, "postgres://ada@localhost/books"},
		{"postgres://ada:pw@127.0.0.1:5433/books?sslmode=disable", true, true, false, false, "postgres://ada@127.0.0.1:5433/books"},
		{"postgresql://db.example.com/books", true, false, false, true, "postgresql://db.example.com/books"},
		{"postgres://db.example.com/books?sslmode=disable", true, false, true, false, "postgres://db.example.com/books"},
		{"postgres://db.example.com/books?password=pw", true, true, false, true, "postgres://db.example.com/books"},
		{"postgres://db.example.com", false, false, false, false, ""},
		{"mysql://db.example.com/books", false, false, false, false, ""},
		{"postgres://ada:p%zz@db/books", false, true, false, false, ""},
		{"postgres://localhost/books?sslmode=perhaps", false, false, false, false, "postgres://localhost/books"},
	} {
		config, err := postgres.ParseURL(c.url)
		if (err == nil) != c.ok || err != nil && !errors.Is(err, postgres.ErrURL) {
			t.Errorf("%s: %v", c.url, err)
		}
		if err != nil && strings.Contains(err.Error(), "p%zz") {
			t.Errorf("the error tells the password: %v", err)
		}
		if err == nil && (config.ConnConfig.TLSConfig != nil && !config.ConnConfig.TLSConfig.InsecureSkipVerify && len(config.ConnConfig.Fallbacks) == 0) != c.verifies {
			t.Errorf("%s: TLS %+v", c.url, config.ConnConfig.TLSConfig)
		}
		if postgres.Password(c.url) != c.secret || postgres.Plain(c.url) != c.plain || postgres.Redacted(c.url) != c.shown {
			t.Errorf("%s: password %v, plain %v, shown %q", c.url, postgres.Password(c.url), postgres.Plain(c.url), postgres.Redacted(c.url))
		}
	}
}

// TestRebuildHoldsNothing: between its writes a rebuild has no transaction open. One
// that lasted as long would keep everything that is replaced meanwhile in the database.
func TestRebuildHoldsNothing(t *testing.T) {
	url := server(t).Database(t)
	log := viewtest.NewLog(trade(t, 60), 4)
	o := at(url, "open")
	filled(t, o, log, 40)
	db, err := raw(url, o.Book)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	looks, free := 0, false
	err = postgres.Rebuild(context.Background(), o, views.Rebuild{Log: narrow(log.Source(), 1), Progress: func(projections.Progress) {
		var open int
		if err := db.QueryRow(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
			AND pid <> pg_backend_pid() AND (backend_xid IS NOT NULL OR backend_xmin IS NOT NULL)`).Scan(&open); err != nil {
			t.Error(err)
		}
		looks, free = looks+1, free || open == 0
	}})
	if err != nil {
		t.Fatal(err)
	}
	if looks < 5 || !free {
		t.Errorf("of %d times that a rebuild was looked at, it held a transaction open each time", looks)
	}
}
