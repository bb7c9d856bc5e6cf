package jetstream_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/jetstream"
)

// runServer runs a server that knows nothing of books, as one elsewhere would,
// and gives its address.
func runServer(t testing.TB, dir string) string {
	t.Helper()
	s := newServer(t, &server.Options{StoreDir: dir})
	return s.ClientURL()
}

func newServer(t testing.TB, o *server.Options) *server.Server {
	t.Helper()
	o.Host, o.JetStream, o.NoLog, o.NoSigs = "127.0.0.1", true, true, true
	if o.Port == 0 {
		o.Port = server.RANDOM_PORT
	}
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server is not ready")
	}
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	return s
}

func dial(t testing.TB, url string) *jetstream.External {
	t.Helper()
	c, err := jetstream.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// TestMaxPageOfServer takes the smaller maximum: a server's own default is 1 MiB.
func TestMaxPageOfServer(t *testing.T) {
	t.Parallel()
	c := dial(t, runServer(t, fastDir(t)))
	create(t, c)
	s := open(t, c)
	if got := s.MaxPage(); got < 1<<19 || got >= 1<<20 {
		t.Fatalf("largest page %d bytes on a server that takes 1 MiB with headers", got)
	}
	if err := s.Append(within(t), 0, make([]byte, s.MaxPage())); err != nil {
		t.Fatal(err)
	}
}

func TestNoStreamAndExists(t *testing.T) {
	t.Parallel()
	c := dial(t, runServer(t, fastDir(t)))
	for range 2 { // opening makes nothing
		if _, err := jetstream.Open(within(t), c, book); !errors.Is(err, jetstream.ErrNoStream) {
			t.Fatalf("open without a stream: %v", err)
		}
	}
	create(t, c)
	if err := jetstream.Create(within(t), c, book, 1); !errors.Is(err, jetstream.ErrExists) {
		t.Fatalf("create twice: %v", err)
	}
}

// TestAlteredStream alters the stream in every way that matters.
func TestAlteredStream(t *testing.T) {
	t.Parallel()
	url := runServer(t, fastDir(t))
	c := dial(t, url)
	js, err := natsjs.New(connectPlain(t, url))
	if err != nil {
		t.Fatal(err)
	}
	create(t, c)
	stream, err := js.Stream(within(t), jetstream.StreamName(book))
	if err != nil {
		t.Fatal(err)
	}
	good := stream.CachedInfo().Config
	for name, alter := range map[string]func(*natsjs.StreamConfig){
		"subject":   func(c *natsjs.StreamConfig) { c.Subjects = append(c.Subjects, "other") },
		"messages":  func(c *natsjs.StreamConfig) { c.MaxMsgs = 1000 },
		"bytes":     func(c *natsjs.StreamConfig) { c.MaxBytes = 1 << 30 },
		"age":       func(c *natsjs.StreamConfig) { c.MaxAge = time.Hour },
		"subjects":  func(c *natsjs.StreamConfig) { c.MaxMsgsPerSubject = 5 },
		"size":      func(c *natsjs.StreamConfig) { c.MaxMsgSize = 1000 },
		"discard":   func(c *natsjs.StreamConfig) { c.Discard = natsjs.DiscardOld },
		"delete":    func(c *natsjs.StreamConfig) { c.DenyDelete = false },
		"purge":     func(c *natsjs.StreamConfig) { c.DenyPurge = false },
		"rollup":    func(c *natsjs.StreamConfig) { c.DenyPurge, c.AllowRollup = false, true },
		"direct":    func(c *natsjs.StreamConfig) { c.AllowDirect = false },
		"batch":     func(c *natsjs.StreamConfig) { c.AllowAtomicPublish = true },
		"ttl":       func(c *natsjs.StreamConfig) { c.AllowMsgTTL = true },
		"memory":    func(c *natsjs.StreamConfig) { c.Storage = natsjs.MemoryStorage },
		"noack":     func(c *natsjs.StreamConfig) { c.NoAck = true },
		"async":     func(c *natsjs.StreamConfig) { c.PersistMode = natsjs.AsyncPersistMode },
		"interest":  func(c *natsjs.StreamConfig) { c.Retention = natsjs.InterestPolicy },
		"source":    func(c *natsjs.StreamConfig) { c.Sources = []*natsjs.StreamSource{{Name: "elsewhere"}} },
		"republish": func(c *natsjs.StreamConfig) { c.RePublish = nil },
	} {
		if err := js.DeleteStream(within(t), good.Name); err != nil {
			t.Fatal(err)
		}
		altered := good
		altered.Subjects = append([]string(nil), good.Subjects...)
		alter(&altered)
		if _, err := js.CreateStream(within(t), altered); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := jetstream.Open(within(t), c, book); !errors.Is(err, eventstore.ErrForeign) {
			t.Errorf("%s: opened with %v", name, err)
		}
		if err := jetstream.Create(within(t), c, book, 1); !errors.Is(err, jetstream.ErrExists) {
			t.Errorf("%s: created with %v", name, err)
		}
	}
}

// TestAlteredMeanwhile is about a stream that was right when it was opened.
func TestAlteredMeanwhile(t *testing.T) {
	t.Parallel()
	url := runServer(t, fastDir(t))
	c := dial(t, url)
	create(t, c)
	s := open(t, c)
	js, err := natsjs.New(connectPlain(t, url))
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(within(t), jetstream.StreamName(book))
	if err != nil {
		t.Fatal(err)
	}
	config := stream.CachedInfo().Config
	config.MaxMsgs = 1
	if _, err := js.UpdateStream(within(t), config); err != nil {
		t.Fatal(err)
	}
	if err := s.Recover(within(t)); !errors.Is(err, eventstore.ErrForeign) {
		t.Fatalf("recover: %v", err)
	}
}

// TestForeignMessages publishes what no writer would.
func TestForeignMessages(t *testing.T) {
	t.Parallel()
	name, pages := jetstream.StreamName(book), jetstream.PagesSubject(book)
	for what, message := range map[string]*nats.Msg{
		"no headers": {Subject: pages},
		"no stream":  {Subject: pages, Header: nats.Header{"Nats-Expected-Last-Sequence": {"2"}}},
		"a header": {Subject: pages, Header: nats.Header{
			"Nats-Expected-Last-Sequence": {"2"}, "Nats-Expected-Stream": {name}, "Nats-Msg-Id": {"x"},
		}},
		"a batch header": {Subject: pages, Header: nats.Header{
			"Nats-Expected-Last-Sequence": {"2"}, "Nats-Expected-Stream": {name}, "Nats-Batch-Sequence": {"1"},
		}},
		"a forged number": {Subject: pages, Header: nats.Header{
			"Nats-Expected-Last-Sequence": {"2"}, "Nats-Expected-Stream": {name}, "Nats-Sequence": {"3"},
		}},
		"a forged subject": {Subject: pages, Header: nats.Header{
			"Nats-Expected-Last-Sequence": {"2"}, "Nats-Expected-Stream": {name}, "Nats-Subject": {pages},
		}},
	} {
		url := runServer(t, fastDir(t))
		conn, c := connectPlain(t, url), dial(t, url)
		create(t, c)
		s := open(t, c)
		for after := range uint64(2) {
			if err := s.Append(within(t), after, []byte("page")); err != nil {
				t.Fatal(err)
			}
		}
		message.Data = []byte("foreign")
		if _, err := conn.RequestMsgWithContext(within(t), message); err != nil {
			t.Fatal(err)
		}
		if last, err := s.Last(within(t)); err != nil || last != 3 {
			t.Fatalf("%s: the message was not stored: %d, %v", what, last, err)
		}
		wantEnd(t, what+", read", s.Read(within(t), 1, 99), 2, eventstore.ErrForeign)
		wantEnd(t, what+", follow", s.Follow(within(t), 1), 2, eventstore.ErrForeign)
	}
}

// wantEnd checks that a sequence has so many pages and then this error.
func wantEnd(t *testing.T, what string, pages func(func(eventstore.Page, error) bool), count int, want error) {
	t.Helper()
	got := 0
	for _, err := range pages {
		if err != nil {
			if got != count || !errors.Is(err, want) {
				t.Errorf("%s: after %d pages: %v; want %d pages and %v", what, got, err, count, want)
			}
			return
		}
		got++
	}
	t.Errorf("%s: ended after %d pages without an error; want %v", what, got, want)
}

// TestDeletedMessage deletes a page, as an administrator could on a stream that
// was made without the flag that forbids it.
func TestDeletedMessage(t *testing.T) {
	t.Parallel()
	url := runServer(t, fastDir(t))
	c := dial(t, url)
	create(t, c)
	js, err := natsjs.New(connectPlain(t, url))
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(within(t), jetstream.StreamName(book))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.DeleteMsg(within(t), 1); err == nil {
		t.Fatal("a page could be deleted")
	}
	if err := stream.Purge(within(t)); err == nil {
		t.Fatal("the log could be purged")
	}
	// A limit drops pages even so.
	s := open(t, c)
	for after := range uint64(6) {
		if err := s.Append(within(t), after, []byte("page")); err != nil {
			t.Fatal(err)
		}
	}
	config := stream.CachedInfo().Config
	config.MaxMsgs, config.Discard = 3, natsjs.DiscardOld
	if _, err := js.UpdateStream(within(t), config); err != nil {
		t.Fatal(err)
	}
	wantEnd(t, "read", s.Read(within(t), 1, 99), 0, eventstore.ErrGap)
	wantEnd(t, "read one", s.Read(within(t), 2, 2), 0, eventstore.ErrGap)
	wantEnd(t, "follow", s.Follow(within(t), 1), 0, eventstore.ErrGap)
	if pages := readAll(t, s, 4); pages != 3 {
		t.Fatalf("%d pages from page 4, want 3", pages)
	}
}

func readAll(t testing.TB, s eventstore.Store, first uint64) int {
	t.Helper()
	count := 0
	for page, err := range s.Read(within(t), first, 1<<62) {
		if err != nil {
			t.Fatal(err)
		}
		if page.Number != first+uint64(count) {
			t.Fatalf("page %d where page %d should be", page.Number, first+uint64(count))
		}
		count++
	}
	return count
}

// TestLateAnswer delays the answer past the deadline: the page is stored.
func TestLateAnswer(t *testing.T) {
	t.Parallel()
	w := newWire(t, runServer(t, fastDir(t)))
	c := dial(t, "nats://"+w.listener.Addr().String())
	create(t, c)
	s := open(t, c)
	w.mu.Lock()
	w.delay = 300 * time.Millisecond
	w.mu.Unlock()
	ctx, cancel := context.WithTimeout(within(t), 50*time.Millisecond)
	defer cancel()
	begun := time.Now()
	err := s.Append(ctx, 0, []byte("page"))
	if !errors.Is(err, eventstore.ErrUnclear) || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("append: %v", err)
	}
	if took := time.Since(begun); took > 200*time.Millisecond {
		t.Fatalf("the deadline of 50 ms took %s", took)
	}
	if err := s.Append(within(t), 0, []byte("barrier")); !errors.Is(err, eventstore.ErrFenced) {
		t.Fatalf("the barrier: %v", err)
	}
}

// TestCloseDuringAppend ends an append under way with ErrUnclear.
func TestCloseDuringAppend(t *testing.T) {
	t.Parallel()
	w := newWire(t, runServer(t, fastDir(t)))
	c := dial(t, "nats://"+w.listener.Addr().String())
	create(t, c)
	s := open(t, c)
	w.mu.Lock()
	w.delay = time.Second
	w.mu.Unlock()
	time.AfterFunc(50*time.Millisecond, func() { _ = s.Close() })
	err := s.Append(within(t), 0, []byte("page"))
	if !errors.Is(err, eventstore.ErrUnclear) {
		t.Fatalf("append: %v", err)
	}
	// It may be stored, so no error that says otherwise may be in the chain.
	if errors.Is(err, eventstore.ErrClosed) || errors.Is(err, eventstore.ErrFenced) {
		t.Fatalf("an unclear answer claims to be clear: %v", err)
	}
}

// TestServerAway is about a server that goes and comes back: appends are
// unclear, reads fail as such, and a follower waits and goes on.
func TestServerAway(t *testing.T) {
	t.Parallel()
	dir := fastDir(t)
	first := newServer(t, &server.Options{StoreDir: dir})
	port := first.Addr().String()
	c := dial(t, "nats://"+port)
	create(t, c)
	s := open(t, c)
	pages := make(chan uint64, 10)
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	go func() {
		defer close(pages)
		for page, err := range s.Follow(ctx, 1) {
			if err != nil {
				return
			}
			pages <- page.Number
		}
	}()
	if err := s.Append(within(t), 0, []byte("page")); err != nil {
		t.Fatal(err)
	}
	if number := <-pages; number != 1 {
		t.Fatalf("page %d", number)
	}
	first.Shutdown()
	first.WaitForShutdown()
	if err := s.Append(within(t), 1, []byte("page")); !errors.Is(err, eventstore.ErrUnclear) {
		t.Fatalf("append while the server is away: %v", err)
	}
	wantEnd(t, "read while the server is away", s.Read(within(t), 1, 1), 0, jetstream.ErrUnavailable)
	if _, err := s.Last(within(t)); !errors.Is(err, jetstream.ErrUnavailable) || !strings.HasSuffix(err.Error(), "the connection was lost") {
		t.Fatalf("last while the server is away: %v", err)
	}
	if err := s.Recover(within(t)); !errors.Is(err, jetstream.ErrUnavailable) {
		t.Fatalf("recover while the server is away: %v", err)
	}
	newServer(t, &server.Options{StoreDir: dir, Port: mustPort(t, port)})
	if err := s.Recover(within(t)); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(within(t), 1, []byte("page")); err != nil {
		t.Fatal(err)
	}
	if number, ok := <-pages; !ok || number != 2 {
		t.Fatalf("page %d, %t", number, ok)
	}
}

// TestLogWentBack brings the server back with an older log: a follower that saw
// more must not take it for the same.
func TestLogWentBack(t *testing.T) {
	t.Parallel()
	older := fastDir(t)
	e := newServer(t, &server.Options{StoreDir: older})
	c := dial(t, e.ClientURL())
	create(t, c)
	if err := open(t, c).Append(within(t), 0, []byte("page")); err != nil {
		t.Fatal(err)
	}
	e.Shutdown()
	e.WaitForShutdown()

	first := newServer(t, &server.Options{StoreDir: fastDir(t)})
	address := first.Addr().String()
	c = dial(t, "nats://"+address)
	create(t, c)
	s := open(t, c)
	for after := range uint64(3) {
		if err := s.Append(within(t), after, []byte("page")); err != nil {
			t.Fatal(err)
		}
	}
	count := 0
	for _, err := range s.Follow(within(t), 1) {
		if err != nil {
			if count != 3 || !errors.Is(err, eventstore.ErrGap) {
				t.Fatalf("after %d pages: %v", count, err)
			}
			return
		}
		if count++; count == 3 {
			first.Shutdown()
			first.WaitForShutdown()
			newServer(t, &server.Options{StoreDir: older, Port: mustPort(t, address)})
		}
	}
	t.Fatal("follow ended without an error")
}

// TestUnheard: while a cluster has no leader for the stream nobody hears a page, or a
// question for one. That is no page whose outcome is unclear: both are said again.
func TestUnheard(t *testing.T) {
	t.Parallel()
	url := runServer(t, fastDir(t))
	c := dial(t, url)
	create(t, c)
	s := open(t, c)
	js, err := natsjs.New(connectPlain(t, url))
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteStream(within(t), jetstream.StreamName(book)); err != nil {
		t.Fatal(err)
	}
	said := make(chan error, 2)
	go func() { said <- s.Append(within(t), 0, []byte("page")) }()
	go func() {
		for _, err := range s.Read(within(t), 1, 1) {
			if err != nil {
				said <- err
				return
			}
		}
		said <- nil
	}()
	select {
	case err := <-said:
		t.Fatalf("nobody heard a page, or a question for one, and it was given up at once: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	create(t, c)
	if err := errors.Join(<-said, <-said); err != nil {
		t.Fatal(err)
	}
}
