package jetstream_test

import (
	"context"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/jetstream"
	"github.com/daybook-ledger/daybook/testing/storetest"
)

var book = uuid.MustParse("0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b")

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		os.Exit(appendUntilKilled(dir))
	}
	os.Exit(m.Run())
}

// fastDir is a folder in memory where there is one: flushing to it costs
// nothing, and it outlives a process as a disk does. What a flush is worth is
// not for these tests to show.
func fastDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "daybook-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// start runs a server in dir, makes the log where it is missing, and stops the
// server when the test ends.
func start(t testing.TB, c jetstream.Config) *jetstream.Embedded {
	t.Helper()
	c.Book = book
	e, err := jetstream.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Shutdown() })
	return e
}

func create(t testing.TB, c jetstream.Connection) {
	t.Helper()
	if err := jetstream.Create(within(t), c, book, 1); err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, c jetstream.Connection) *jetstream.Store {
	t.Helper()
	s, err := jetstream.Open(within(t), c, book)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func newSeed(t testing.TB) []byte {
	t.Helper()
	seed, err := jetstream.NewSeed()
	if err != nil {
		t.Fatal(err)
	}
	return seed
}

func TestConformanceEmbedded(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) storetest.Harness {
		c := jetstream.Config{Dir: fastDir(t), Seed: newSeed(t)}
		e := start(t, c)
		create(t, e)
		return storetest.Harness{
			Store:   open(t, e),
			Another: func(t *testing.T) eventstore.Store { return open(t, e) },
			Reopen: func(t *testing.T) eventstore.Store {
				if err := e.Shutdown(); err != nil {
					t.Fatal(err)
				}
				return open(t, start(t, c))
			},
		}
	})
}

// TestConformanceExternal runs the suite over a wire that can be cut, against a
// server that is not ours to restart.
func TestConformanceExternal(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) storetest.Harness {
		url := runServer(t, fastDir(t))
		wire := newWire(t, url)
		dial := func() *jetstream.External {
			c, err := jetstream.Dial("nats://" + wire.listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.Close)
			return c
		}
		c := dial()
		create(t, c)
		return storetest.Harness{
			Store:   open(t, c),
			Another: func(t *testing.T) eventstore.Store { return open(t, dial()) },
			Reopen: func(t *testing.T) eventstore.Store {
				c.Close()
				return open(t, dial())
			},
			Unclear: func(_ *testing.T, stored bool) { wire.cutAround(stored) },
		}
	})
}

// wire carries connections to a server, and can be cut.
type wire struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	conns []net.Conn
	// watch is called with what goes to the server or comes from it, and gives
	// how much of it passes; less than all cuts the wire.
	watch func(toServer bool, data []byte) int
	delay time.Duration // of what comes from the server
}

func newWire(t testing.TB, url string) *wire {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{listener: listener, target: url[len("nats://"):]}
	var group sync.WaitGroup
	group.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", w.target)
			if err != nil {
				_ = conn.Close()
				continue
			}
			w.mu.Lock()
			w.conns = append(w.conns, conn, server)
			w.mu.Unlock()
			group.Go(func() { w.carry(true, server, conn) })
			group.Go(func() { w.carry(false, conn, server) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		w.cut()
		group.Wait()
	})
	return w
}

func (w *wire) carry(toServer bool, to io.WriteCloser, from io.ReadCloser) {
	defer func() { _ = to.Close(); _ = from.Close() }()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		w.mu.Lock()
		watch, delay := w.watch, w.delay
		w.mu.Unlock()
		if !toServer && delay > 0 {
			time.Sleep(delay)
		}
		pass := n
		if watch != nil {
			pass = watch(toServer, buffer[:n])
		}
		if _, err := to.Write(buffer[:pass]); err != nil {
			return
		}
		if pass < n {
			w.cut()
			return
		}
	}
}

// cut ends all connections. New ones can be made.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, conn := range w.conns {
		_ = conn.Close()
	}
	w.conns = nil
}

// cutAround cuts the wire once, when the next page passes: after it reached the
// server, in place of the answer, or before.
func (w *wire) cutAround(stored bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var mu sync.Mutex
	published, done := false, false
	w.watch = func(toServer bool, data []byte) int {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case done:
			return len(data)
		case toServer && contains(data, jetstream.PagesSubject(book)):
			published = true
			if !stored {
				done = true
				return 0
			}
		case !toServer && published && contains(data, `"seq":`):
			done = true
			return 0
		}
		return len(data)
	}
}

func contains(data []byte, text string) bool {
	for i := range data {
		if len(data)-i >= len(text) && string(data[i:i+len(text)]) == text {
			return true
		}
	}
	return false
}

// connectPlain connects without any of our options.
func connectPlain(t testing.TB, url string) *nats.Conn {
	t.Helper()
	conn, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

func mustPort(t testing.TB, address string) int {
	t.Helper()
	addr, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return addr.Port
}
