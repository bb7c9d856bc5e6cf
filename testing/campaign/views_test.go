package campaign

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
	"github.com/daybook-ledger/daybook/projections"
	"github.com/daybook-ledger/daybook/projections/views"
	"github.com/daybook-ledger/daybook/testing/pgserver"
)

// proxy stands between a book and its database, and can stop passing anything on, as
// a network does from which nothing comes back.
type proxy struct {
	listener net.Listener
	to       string
	mu       sync.Mutex
	goes     *sync.Cond
	hangs    bool
	open     map[net.Conn]bool
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, to: to, open: map[net.Conn]bool{}}
	p.goes = sync.NewCond(&p.mu)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { p.serve(from) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.hang(false)
		p.cut()
		serving.Wait()
	})
	return p
}

// hang says whether anything is passed on.
func (p *proxy) hang(hangs bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	note("the way to the database hangs: %t", hangs)
	p.hangs = hangs
	p.goes.Broadcast()
}

// cut ends every connection that there is.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	note("connections to the database cut")
	for c := range p.open {
		c.Close()
	}
}

func (p *proxy) serve(from net.Conn) {
	defer from.Close()
	onward, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer onward.Close()
	p.mu.Lock()
	p.open[from], p.open[onward] = true, true
	p.mu.Unlock()
	var ways sync.WaitGroup
	ways.Go(func() { p.pass(from, onward) })
	ways.Go(func() { p.pass(onward, from) })
	ways.Wait()
	p.mu.Lock()
	delete(p.open, from)
	delete(p.open, onward)
	p.mu.Unlock()
}

// pass passes on what comes until one side ends.
func (p *proxy) pass(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	data := make([]byte, 32<<10)
	for {
		n, err := from.Read(data)
		p.mu.Lock()
		for p.hangs {
			p.goes.Wait()
		}
		p.mu.Unlock()
		if n > 0 {
			_, failed := to.Write(data[:n])
			err = errors.Join(err, failed)
		}
		if err != nil {
			return
		}
	}
}

// TestDatabaseGone: the PostgreSQL server that has the views is killed, one process of
// it, or the way to it hangs, while a transaction of theirs is under way and commands
// are given. Commands go on, what the database has is what the log says at its cursor,
// the views go on when it is back, and come out as a replay.
func TestDatabaseGone(t *testing.T) {
	pgserver.Missing(t)
	server, err := pgserver.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop() //nolint:errcheck // it may be dead
	random := seeded(t)
	r := row{name: "the database of the views is killed, or hangs, while it is written to", note: "PostgreSQL: the server, a process of it, the way to it"}
	for range runs(1, 10) {
		r.runs++
		d := &database{server: server, proxy: newProxy(t, server.Address()), dir: newBook(t), direct: server.Database(t)}
		if err := bookdir.RecordViews(d.dir, strings.Replace(d.direct, server.Address(), d.proxy.listener.Addr().String(), 1)+"?connect_timeout=2"); err != nil {
			t.Fatal(err)
		}
		var h history
		child, said := start(t, d.dir, nil, pace+"=50ms")
		defer kill(child)
		faults := []func(*testing.T, *rand.Rand, func()){d.killed, d.backend, d.hanging}
		random.Shuffle(len(faults), func(i, j int) { faults[i], faults[j] = faults[j], faults[i] })
		for _, fault := range faults {
			waits(t, said, len(said.text()), "receipt ")
			time.Sleep(time.Duration(random.IntN(100)) * time.Millisecond)
			fault(t, random, func() { waits(t, said, len(said.text()), "receipt ") })
			r.faults++
			together(t, d.dir)
			d.follows(t)
			if t.Failed() {
				t.Fatalf("the views said: %s", said.text()[strings.LastIndex("\n"+said.text(), "\nviews "):])
			}
		}
		kill(child)
		h.add(t, said.text())
		finish(t, d.dir, &h)
		h.judge(t, d.dir, &r)
		together(t, d.dir)
		if t.Failed() {
			break
		}
	}
	tell(t, r)
}

// database is where the views of a book are.
type database struct {
	server *pgserver.Server
	proxy  *proxy
	dir    string
	direct string // its URL past the proxy
}

// written waits until views are in the middle of writing, and gives the process of the
// server that does it.
func (d *database) written(t *testing.T) (process int) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), d.direct)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		err := c.QueryRow(t.Context(), `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'daybook' AND backend_xid IS NOT NULL`).Scan(&process)
		if err == nil {
			return process
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			t.Fatal(err)
		}
	}
	t.Fatal("nothing was written to the views for a minute")
	return 0
}

// killed: the server dies, and is started again.
func (d *database) killed(t *testing.T, random *rand.Rand, goOn func()) {
	d.written(t)
	if err := d.server.Kill(); err != nil {
		t.Fatal(err)
	}
	note("the database killed")
	goOn()
	d.told(t)
	time.Sleep(time.Duration(random.IntN(300)) * time.Millisecond)
	goOn()
	if err := d.server.Restart(); err != nil {
		t.Fatal(err)
	}
	note("the database started again")
}

// backend: the process of the server that writes dies, and with it every connection.
func (d *database) backend(t *testing.T, _ *rand.Rand, goOn func()) {
	if err := syscall.Kill(d.written(t), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	note("the database's process that writes killed")
	goOn()
}

// hanging: nothing comes from the database any more; then all of it comes, or the
// connections are found dead.
func (d *database) hanging(t *testing.T, random *rand.Rand, goOn func()) {
	d.written(t)
	d.proxy.hang(true)
	goOn()
	d.told(t)
	time.Sleep(time.Duration(random.IntN(300)) * time.Millisecond)
	goOn()
	if random.IntN(2) == 0 {
		d.proxy.cut()
	}
	d.proxy.hang(false)
}

// status is what status tells of the views, and how far the log is.
func (d *database) status(t *testing.T) (bookdir.ViewsStatus, uint64) {
	t.Helper()
	l, err := bookdir.OpenLog(t.Context(), d.dir, 5*time.Second, quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close(context.Background())
	s, err := l.Views(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	newest, err := l.Last(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s, newest.Size
}

// told sees that status tells that the database cannot be reached.
func (d *database) told(t *testing.T) {
	t.Helper()
	if s, _ := d.status(t); s.Code != projections.ErrUnreachable.Code {
		t.Errorf("status tells of views in a database that is gone: %+v", s)
	}
}

// follows sees that the views of a process that was running all the time go on, to
// where the log is now.
func (d *database) follows(t *testing.T) {
	t.Helper()
	s, size := d.status(t)
	for end := time.Now().Add(time.Minute); s.Size == nil || *s.Size < size; s, _ = d.status(t) {
		if time.Now().After(end) {
			t.Errorf("the views do not go on to %d: %+v", size, s)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// together sees that the views are what a replay of the log in another engine gives at
// their cursor.
func together(t *testing.T, dir string) {
	t.Helper()
	b, err := bookdir.Open(t.Context(), dir, options(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close(context.Background())
	var is views.Attestation
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		var v *bookdir.Views
		if v, err = b.OpenViews(t.Context(), nil); err == nil {
			is, err = v.Attest(t.Context())
			err = errors.Join(err, v.Close())
		}
		if !errors.Is(err, projections.ErrUnreachable) || time.Now().After(end) {
			break // a server that was killed may need a moment to be back
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if is.Cursor.Size == 0 {
		return
	}
	replay, err := b.Recall(t.Context(), views.Moment{Size: is.Cursor.Size}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want, err := replay.Attest(t.Context())
	if err := errors.Join(err, replay.Close()); err != nil {
		t.Fatal(err)
	}
	if want.Cursor.Size != is.Cursor.Size || want.Cursor.Root != is.Cursor.Root || !maps.Equal(want.Views, is.Views) {
		t.Errorf("the views at %d commits are %x, and a replay of %d commits %x", is.Cursor.Size, is.Views, want.Cursor.Size, want.Views)
	}
}
