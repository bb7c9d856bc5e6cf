package jetstream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/jetstream"
)

func TestOneProcessAtATime(t *testing.T) {
	t.Parallel()
	dir := fastDir(t)
	e := start(t, jetstream.Config{Dir: dir})
	if _, err := jetstream.Start(jetstream.Config{Dir: dir, Book: book}); !errors.Is(err, jetstream.ErrHeld) {
		t.Fatalf("a second start: %v", err)
	}
	if err := e.Shutdown(); err != nil {
		t.Fatal(err)
	}
	start(t, jetstream.Config{Dir: dir})
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	dir := fastDir(t)
	if err := os.WriteFile(filepath.Join(dir, "jetstream"), []byte("a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a failed start keeps no lock
		if _, err := jetstream.Start(jetstream.Config{Dir: dir, Book: book}); err == nil || errors.Is(err, jetstream.ErrHeld) {
			t.Fatalf("started where a file is in the way: %v", err)
		}
	}
	if _, err := jetstream.Start(jetstream.Config{Dir: fastDir(t), Book: book, Seed: []byte("no seed")}); err == nil {
		t.Fatal("started with a seed that is none")
	}
}

func TestListening(t *testing.T) {
	t.Parallel()
	for _, c := range []jetstream.Config{{}, {Seed: newSeed(t), DontListen: true}} {
		c.Dir = fastDir(t)
		if url := start(t, c).ClientURL(); url != "" {
			t.Fatalf("the server listens at %s", url)
		}
	}
	seed := newSeed(t)
	e := start(t, jetstream.Config{Dir: fastDir(t), Seed: seed})
	if !strings.HasPrefix(e.ClientURL(), "nats://127.0.0.1:") {
		t.Fatalf("the server listens at %q", e.ClientURL())
	}
	for what, option := range map[string]nats.Option{
		"nobody":      nats.Name("nobody"),
		"a password":  nats.UserInfo("admin", "admin"),
		"another key": mustKey(t, newSeed(t)),
		"a token":     nats.Token("s3cret"),
	} {
		if conn, err := nats.Connect(e.ClientURL(), option); err == nil {
			conn.Close()
			t.Errorf("%s was let in", what)
		}
	}
	if _, err := jetstream.DialReader(e.ClientURL(), newSeed(t), book); !errors.Is(err, jetstream.ErrUnavailable) {
		t.Fatalf("a reader with another seed: %v", err)
	}
}

func mustKey(t testing.TB, seed []byte) nats.Option {
	t.Helper()
	key, err := nkeys.FromSeed(seed)
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return nats.Nkey(public, key.Sign)
}

func reader(t testing.TB, e *jetstream.Embedded, seed []byte) *jetstream.External {
	t.Helper()
	c, err := jetstream.DialReader(e.ClientURL(), seed, book)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// TestReader reads, follows over a restart and sends requests from beside.
func TestReader(t *testing.T) {
	t.Parallel()
	seed := newSeed(t)
	e := start(t, jetstream.Config{Dir: fastDir(t), Seed: seed})
	create(t, e)
	writer := open(t, e)
	_, err := e.Conn().Subscribe(jetstream.RequestSubject(book, "echo.>"), func(m *nats.Msg) { _ = m.Respond(m.Data) })
	if err != nil {
		t.Fatal(err)
	}
	c := reader(t, e, seed)
	s := open(t, c)
	if s.MaxPage() != writer.MaxPage() {
		t.Fatalf("the reader's largest page is %d, the writer's %d", s.MaxPage(), writer.MaxPage())
	}
	url := e.ClientURL()
	numbers := make(chan uint64, 100)
	ctx, cancel := context.WithCancel(within(t))
	var group sync.WaitGroup
	group.Go(func() {
		defer close(numbers)
		for page, err := range s.Follow(ctx, 1) {
			if err != nil {
				if !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				return
			}
			numbers <- page.Number
		}
	})
	defer func() { cancel(); group.Wait() }()
	for round := range uint64(4) {
		for after := round * 5; after < round*5+5; after++ {
			if err := writer.Append(within(t), after, childPage(after+1)); err != nil {
				t.Fatal(err)
			}
		}
		for want := round*5 + 1; want <= round*5+5; want++ {
			if number := <-numbers; number != want {
				t.Fatalf("page %d where page %d should come", number, want)
			}
		}
		if pages := readAll(t, s, 1); pages != int(round*5+5) {
			t.Fatalf("%d pages, want %d", pages, round*5+5)
		}
		mustEcho(t, c.Conn(), fmt.Sprint("round ", round))
		if err := e.Restart(within(t)); err != nil {
			t.Fatal(err)
		}
		if e.ClientURL() != url {
			t.Fatalf("the server moved from %s to %s", url, e.ClientURL())
		}
	}
	mustEcho(t, c.Conn(), "after the last restart")
}

// mustEcho asks until it is answered: after a restart both sides have to find
// the server first.
func mustEcho(t *testing.T, conn *nats.Conn, text string) {
	t.Helper()
	for begun := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(within(t), time.Second)
		answer, err := conn.RequestWithContext(ctx, jetstream.RequestSubject(book, "echo.1"), []byte(text))
		cancel()
		if err == nil && string(answer.Data) == text {
			return
		}
		if time.Since(begun) > 20*time.Second {
			t.Fatalf("no answer: %v", err)
		}
	}
}

// TestReaderOnlyReads tries what another process must not do.
func TestReaderOnlyReads(t *testing.T) {
	t.Parallel()
	seed := newSeed(t)
	e := start(t, jetstream.Config{Dir: fastDir(t), Seed: seed})
	create(t, e)
	writer := open(t, e)
	for after := range uint64(3) {
		if err := writer.Append(within(t), after, []byte("page")); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(within(t), 100*time.Millisecond)
	defer cancel()
	if err := open(t, reader(t, e, seed)).Append(ctx, 3, []byte("page")); !errors.Is(err, eventstore.ErrUnclear) {
		t.Fatalf("a reader's append: %v", err)
	}
	conn, err := nats.Connect(e.ClientURL(), mustKey(t, seed), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stream, pages := jetstream.StreamName(book), jetstream.PagesSubject(book)
	api := "book." + book.String() + ".api."
	// The server answers a request on the subject that the request names. If it
	// did so where pages go, the answer would be stored as a page.
	for _, subject := range []string{
		api + "STREAM.INFO." + stream, api + "DIRECT.GET." + stream, api + "STREAM.MSG.GET." + stream,
		"$JS.API.STREAM.INFO." + stream, "$JS.API.DIRECT.GET." + stream, "$JS.API.INFO",
		jetstream.RequestSubject(book, "echo"),
	} {
		if err := conn.PublishRequest(subject, pages, []byte(`{"seq":3}`)); err != nil {
			t.Fatal(err)
		}
	}
	for _, request := range []string{"STREAM.DELETE.", "STREAM.UPDATE.", "STREAM.PURGE.", "STREAM.MSG.DELETE.", "CONSUMER.CREATE."} {
		for _, prefix := range []string{api, "$JS.API."} {
			if err := conn.PublishRequest(prefix+request+stream, "_INBOX.x", []byte(`{"seq":3}`)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := conn.Publish(pages, []byte("foreign")); err != nil {
		t.Fatal(err)
	}
	if err := conn.FlushWithContext(within(t)); err != nil {
		t.Fatal(err)
	}
	// What the server does by itself comes after what it was asked before.
	if err := writer.Append(within(t), 3, []byte("page")); err != nil {
		t.Fatal(err)
	}
	if count := readAll(t, writer, 1); count != 4 {
		t.Fatalf("%d pages, want 4", count)
	}
}

// TestProcessConnection may not change the log, though it is the holder's own.
func TestProcessConnection(t *testing.T) {
	t.Parallel()
	e := start(t, jetstream.Config{Dir: fastDir(t)})
	create(t, e)
	s := open(t, e)
	if err := s.Append(within(t), 0, []byte("page")); err != nil {
		t.Fatal(err)
	}
	stream := jetstream.StreamName(book)
	for _, subject := range []string{
		jetstream.PagesSubject(book), "$JS.API.STREAM.DELETE." + stream, "$JS.API.STREAM.PURGE." + stream,
		"$JS.API.STREAM.UPDATE." + stream, "$JS.API.STREAM.MSG.DELETE." + stream, "$SYS.REQ.SERVER.PING.VARZ",
	} {
		ctx, cancel := context.WithTimeout(within(t), 50*time.Millisecond)
		if answer, err := e.Conn().RequestWithContext(ctx, subject, []byte(`{"seq":1}`)); err == nil {
			t.Errorf("%s was answered: %s", subject, answer.Data)
		}
		cancel()
	}
	if last, err := s.Last(within(t)); err != nil || last != 1 {
		t.Fatalf("last page %d, %v", last, err)
	}
}

// TestRestartAmidAppends restarts the server while pages are appended. Each
// append ends stored, unclear or refused by an honest fence, and the log holds
// what was acknowledged.
func TestRestartAmidAppends(t *testing.T) {
	t.Parallel()
	e := start(t, jetstream.Config{Dir: fastDir(t)})
	create(t, e)
	s := open(t, e)
	stop := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		defer close(stop)
		for range 12 {
			if err := e.Restart(context.Background()); err != nil {
				t.Error(err)
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
	acked, unclear := map[uint64]string{}, 0
	last := uint64(0)
	for i, running := 0, true; running; i++ {
		select {
		case <-stop:
			running = false
		default:
		}
		content := fmt.Sprint("try ", i)
		err := s.Append(within(t), last, []byte(content))
		switch {
		case err == nil:
			last++
			acked[last] = content
		case errors.Is(err, eventstore.ErrUnclear):
			unclear++
		case errors.Is(err, eventstore.ErrFenced):
			last++ // the unclear page before was stored
		default:
			t.Fatal(err)
		}
	}
	group.Wait()
	t.Logf("%d appends were acknowledged, %d were unclear", len(acked), unclear)
	found := 0
	for page, err := range s.Read(within(t), 1, 1<<62) {
		if err != nil {
			t.Fatal(err)
		}
		if content, ok := acked[page.Number]; ok {
			found++
			if content != string(page.Body) {
				t.Fatalf("page %d holds %q, but %q was acknowledged", page.Number, page.Body, content)
			}
		}
	}
	if found != len(acked) {
		t.Fatalf("%d acknowledged pages are missing", len(acked)-found)
	}
}

// TestAfterShutdown calls what no server answers any more.
func TestAfterShutdown(t *testing.T) {
	t.Parallel()
	e := start(t, jetstream.Config{Dir: fastDir(t)})
	create(t, e)
	s := open(t, e)
	for range 2 {
		if err := e.Shutdown(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Append(within(t), 0, []byte("page")); !errors.Is(err, eventstore.ErrUnclear) {
		t.Fatalf("append: %v", err)
	}
	if _, err := s.Last(within(t)); !errors.Is(err, jetstream.ErrUnavailable) {
		t.Fatalf("last: %v", err)
	}
	if err := s.Recover(within(t)); !errors.Is(err, jetstream.ErrUnavailable) {
		t.Fatalf("recover: %v", err)
	}
}

// TestPreserveUnclean copies the newest blocks if, and only if, the marker of an
// unclean stop is there.
func TestPreserveUnclean(t *testing.T) {
	t.Parallel()
	dir := fastDir(t)
	e := start(t, jetstream.Config{Dir: dir})
	create(t, e)
	s := open(t, e)
	for after := range uint64(5) { // three blocks of 8 MiB hold two each
		if err := s.Append(within(t), after, make([]byte, 3<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if e.Unclean() != "" {
		t.Fatalf("a new folder is said to be unclean: %s", e.Unclean())
	}
	if err := e.Shutdown(); err != nil {
		t.Fatal(err)
	}
	into := filepath.Join(dir, "side")
	if path, err := jetstream.PreserveUnclean(dir, into); err != nil || path != "" {
		t.Fatalf("after a clean stop: %q, %v", path, err)
	}
	// The second is what a server leaves that is killed while it tries whether it can write.
	for _, name := range []string{"running", filepath.Join("jetstream", "_test_717793605")} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var paths []string
	for range 5 {
		path, err := jetstream.PreserveUnclean(dir, into)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	kept, err := filepath.Glob(filepath.Join(into, "*"))
	if err != nil || fmt.Sprint(kept) != fmt.Sprint(paths[2:]) {
		t.Fatalf("copies %v, want %v", kept, paths[2:])
	}
	source := filepath.Join(dir, "jetstream", "book", "streams", jetstream.StreamName(book))
	copied := filepath.Join(paths[4], jetstream.StreamName(book))
	for _, name := range []string{"msgs/index.db", "msgs/2.blk", "msgs/3.blk", "meta.inf"} {
		want, wantErr := os.ReadFile(filepath.Join(source, name))
		got, gotErr := os.ReadFile(filepath.Join(copied, name))
		if wantErr != nil || gotErr != nil || !bytes.Equal(want, got) {
			t.Errorf("%s was not copied: %v, %v", name, wantErr, gotErr)
		}
	}
	if _, err := os.Stat(filepath.Join(copied, "msgs/1.blk")); err == nil {
		t.Error("the oldest block was copied too")
	}
	if last, err := open(t, start(t, jetstream.Config{Dir: dir})).Last(within(t)); err != nil || last != 5 {
		t.Errorf("started again the log ends at page %d: %v", last, err)
	}
}

// TestServerLog hears the server only where somebody wants to.
func TestServerLog(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	e := start(t, jetstream.Config{Dir: fastDir(t), Log: log})
	if err := e.Shutdown(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "nats-server") {
		t.Fatalf("the log has nothing of the server: %q", out.String())
	}
}

// TestTimes bounds starting and stopping loosely: a busy machine runs it too.
func TestTimes(t *testing.T) {
	dir := fastDir(t)
	first := start(t, jetstream.Config{Dir: dir, Seed: newSeed(t)})
	create(t, first)
	s := open(t, first)
	for after := range uint64(1000) {
		if err := s.Append(within(t), after, make([]byte, 800)); err != nil {
			t.Fatal(err)
		}
	}
	if err := first.Shutdown(); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	e := start(t, jetstream.Config{Dir: dir, Seed: newSeed(t)})
	open(t, e)
	started := time.Since(begun)
	begun = time.Now()
	if err := e.Restart(within(t)); err != nil {
		t.Fatal(err)
	}
	restarted := time.Since(begun)
	begun = time.Now()
	if err := e.Shutdown(); err != nil {
		t.Fatal(err)
	}
	t.Logf("start and open %s, restart %s, shutdown %s", started, restarted, time.Since(begun))
	if took := started + restarted + time.Since(begun); took > 3*time.Second {
		t.Fatalf("starting, restarting and stopping took %s", took)
	}
}

// TestCopyOfAFolder starts servers on a copy whose index is older than its newest
// block, as cp may leave it: the times of a copy tell nothing.
func TestCopyOfAFolder(t *testing.T) {
	t.Parallel()
	for _, running := range []bool{false, true} {
		dir := fastDir(t)
		e := start(t, jetstream.Config{Dir: dir})
		create(t, e)
		if err := open(t, e).Append(within(t), 0, []byte("page")); err != nil {
			t.Fatal(err)
		}
		if err := e.Shutdown(); err != nil {
			t.Fatal(err)
		}
		long := time.Now().Add(-time.Hour)
		if err := os.Chtimes(filepath.Join(filepath.Dir(newestBlock(t, dir)), "index.db"), long, long); err != nil {
			t.Fatal(err)
		}
		if running { // the copy was made while a server ran
			if err := os.WriteFile(filepath.Join(dir, "running"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for round := range 3 {
			e := start(t, jetstream.Config{Dir: dir})
			if last, err := open(t, e).Last(within(t)); err != nil || last != 1 {
				t.Errorf("the log ends at page %d: %v", last, err)
			}
			if copied := e.Unclean() != ""; copied != (running && round == 0) {
				t.Errorf("running %t, start %d: its files were copied: %t", running, round+1, copied)
			}
			if err := e.Shutdown(); err != nil {
				t.Errorf("running %t, stop %d: %v", running, round+1, err)
			}
		}
	}
}
