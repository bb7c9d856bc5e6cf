package jetstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// readyTimeout is for the server's own threads, and for connections within the process:
// recovery has ended by then, and nothing is in the way but a machine that is very busy.
const readyTimeout = 30 * time.Second

// Config says how an embedded server runs.
type Config struct {
	// Dir holds the server's files. It is made if it is missing.
	Dir string
	// Book is the book whose log the server holds.
	Book uuid.UUID
	// Seed lets other processes on this machine read the log and send requests
	// to this one (DialReader). Without a seed, nobody can connect.
	Seed []byte
	// Bulk makes pages durable only with Shutdown, all at once: for a log that is
	// being brought back, and is no book's before that.
	Bulk bool
	// DontListen keeps the server from listening even where there is a seed.
	DontListen bool
	// Log hears what the server has to say. Nil: nobody does.
	Log *slog.Logger
}

// Embedded is a NATS server in this process that holds one book's log, flushed
// with every page. One process at a time runs it.
type Embedded struct {
	config  Config
	users   users
	lock    *os.File
	unclean string
	started map[string]ends // what the streams ended with before the first server ran
	conn    *nats.Conn

	// server is nil while none runs.
	server atomic.Pointer[server.Server]

	mu     sync.Mutex
	log    *serverLog
	pages  *nats.Conn
	alive  *life
	port   int
	blocks blockFiles
	closed bool
}

var _ Connection = (*Embedded)(nil)

// Start starts the server. ErrHeld means that another process runs it. Where
// the last one did not stop cleanly, the newest files of the log are copied
// first, and Unclean says where to.
func Start(c Config) (*Embedded, error) {
	e, err := start(c)
	if err != nil {
		return nil, fmt.Errorf("eventstore: start the server in %s: %w", c.Dir, err)
	}
	return e, nil
}

func start(c Config) (_ *Embedded, err error) {
	if c.DontListen {
		c.Seed = nil
	}
	e := &Embedded{config: c, blocks: blockFiles{dir: messageDir(c.Dir, c.Book), flush: syncDir}}
	if e.users, err = newUsers(c.Seed); err != nil {
		return nil, err
	}
	if e.lock, err = lockDir(c.Dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = e.lock.Close()
		}
	}()
	if e.unclean, err = PreserveUnclean(c.Dir, uncleanDir(c.Dir)); err != nil {
		return nil, err
	}
	e.started, _ = readEnds(c.Dir) // what is not known counts as changed
	if e.unclean != "" {
		// What the last process wrote and did not flush may be in the operating system's
		// memory only. Whoever reads it here may rely on it before anything is appended.
		if err := syncAll(filepath.Join(c.Dir, server.JetStreamStoreDir)); err != nil {
			return nil, err
		}
	}
	if err := setMarker(c.Dir); err != nil {
		return nil, err
	}
	if err := e.run(); err != nil {
		return nil, err
	}
	option, err := keyOption(e.users.process)
	if err == nil {
		e.conn, err = nats.Connect("", append(steady(), option, nats.InProcessServer(e), nats.Timeout(readyTimeout))...)
	}
	if err != nil {
		e.stop()
		return nil, fmt.Errorf("connect: %w", err)
	}
	return e, nil
}

// run runs a server and connects the writer to it.
func (e *Embedded) run() error {
	options, err := serverOptions(e.config, e.users, e.port)
	if err != nil {
		return err
	}
	s, err := server.NewServer(options)
	if err != nil {
		return fmt.Errorf("configure: %w", err)
	}
	e.log = &serverLog{out: e.config.Log}
	s.SetLoggerV2(e.log, false, false, false)
	s.Start()
	if err := e.ready(s, options); err != nil {
		s.Shutdown()
		s.WaitForShutdown()
		return err
	}
	if err := e.connectPages(s); err != nil {
		s.Shutdown()
		s.WaitForShutdown()
		return fmt.Errorf("connect: %w", err)
	}
	e.server.Store(s)
	e.blocks.forget()
	if addr, ok := s.Addr().(*net.TCPAddr); ok && !options.DontListen {
		e.port = addr.Port // a restart must be found at the same address
	}
	return nil
}

// connectPages makes the connection for the stores. It ends with the server.
func (e *Embedded) connectPages(s *server.Server) error {
	option, err := keyOption(e.users.writer)
	if err != nil {
		return err
	}
	e.alive = newLife()
	options := append(quiet(), option, nats.InProcessServer(s), nats.NoReconnect(), nats.SyncQueueLen(batchQueue), nats.Timeout(readyTimeout))
	e.pages, err = nats.Connect("", append(options, e.alive.options()...)...)
	return err
}

func (e *Embedded) ready(s *server.Server, options *server.Options) error {
	if fatal := e.log.fatal(); fatal != "" {
		return errors.New(fatal)
	}
	if !s.JetStreamEnabled() {
		return errors.New("the server runs without JetStream")
	}
	if !s.ReadyForConnections(readyTimeout) {
		return fmt.Errorf("the server was not ready within %s", readyTimeout)
	}
	return nil
}

// stop ends the server and what is connected to it.
func (e *Embedded) stop() {
	s := e.server.Swap(nil)
	if s == nil {
		return
	}
	e.pages.Close()
	s.Shutdown()
	s.WaitForShutdown()
}

// Conn is a connection within the process for requests: it may do whatever does
// not change the log. It comes back after Restart, with its subscriptions.
func (e *Embedded) Conn() *nats.Conn { return e.conn }

// ClientURL is where DialReader finds the server: empty if it does not listen.
// It stays the same over Restart.
func (e *Embedded) ClientURL() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.port == 0 {
		return ""
	}
	return fmt.Sprintf("nats://127.0.0.1:%d", e.port)
}

// Unclean is the folder with the copies that Start made because the last stop
// was not clean, and empty if it was.
func (e *Embedded) Unclean() string { return e.unclean }

// Restart stops the server and starts it anew from the disk. After an error it
// can be tried again. Stores on it go on; what was under way ends unclear.
func (e *Embedded) Restart(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return fmt.Errorf("eventstore: restart the server: %w", ErrUnavailable)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("eventstore: restart the server: %w", err)
	}
	e.stop()
	// The marker stands, since nobody knows what made a restart necessary. On a
	// full disk, the likeliest reason, there is no room for copies; the server
	// wrote its files itself until now, so it goes on without.
	_, err := PreserveUnclean(e.config.Dir, uncleanDir(e.config.Dir))
	if err != nil && !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("eventstore: restart the server: %w", err)
	}
	if err := e.run(); err != nil {
		return fmt.Errorf("eventstore: restart the server: %w", err)
	}
	return nil
}

// Shutdown stops the server. Nil means that everything is on disk as the next
// Start wants to find it; on an error the stop counts as unclean.
func (e *Embedded) Shutdown() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	ran := e.server.Load() != nil
	e.conn.Close()
	e.stop()
	defer func() { _ = e.lock.Close() }()
	if !ran {
		return errors.New("eventstore: shut the server down: it was not running")
	}
	if e.config.Bulk {
		if err := syncAll(e.config.Dir); err != nil {
			return fmt.Errorf("eventstore: shut the server down: %w", err)
		}
	}
	if err := clearMarker(e.config.Dir, e.started); err != nil {
		return fmt.Errorf("eventstore: shut the server down: %w", err)
	}
	return nil
}

// InProcessConn connects to the server as it is now: what nats.InProcessServer
// asks for. Whoever connects still needs a key.
func (e *Embedded) InProcessConn() (net.Conn, error) {
	// Without the lock, which Restart holds while the client tries again.
	s := e.server.Load()
	if s == nil {
		return nil, ErrUnavailable
	}
	return s.InProcessConn()
}

func (e *Embedded) prefix() string { return apiPrefix }

func (e *Embedded) store() (*nats.Conn, context.Context, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.server.Load() == nil {
		return nil, nil, fmt.Errorf("%w: it is not running", ErrUnavailable)
	}
	return e.pages, e.alive.context(), nil
}

func (e *Embedded) creator() (*nats.Conn, error) {
	option, err := keyOption(e.users.creator)
	if err != nil {
		return nil, err
	}
	return nats.Connect("", append(quiet(), option, nats.InProcessServer(e), nats.NoReconnect(), nats.Timeout(readyTimeout))...)
}

func (e *Embedded) renew(ctx context.Context) error { return e.Restart(ctx) }

func (e *Embedded) settle() error { return e.blocks.settle() }

func uncleanDir(dir string) string { return filepath.Join(dir, "unclean") }
