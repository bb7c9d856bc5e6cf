package jetstream

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

const (
	connectTimeout = 5 * time.Second
	// pingInterval finds a server that went without a word. A dead connection
	// is noticed after two of them.
	pingInterval = 5 * time.Second
	// reconnectWait is short, since a server that restarts is back within
	// milliseconds.
	reconnectWait = 50 * time.Millisecond
)

// Connection is a way to the server that holds a book's log: *Embedded or
// *External. It outlives the stores that are opened on it, and its owner closes
// it.
type Connection interface {
	// Conn is for requests beside the store. It lives as long as the
	// Connection, and subscriptions on it survive Recover.
	Conn() *nats.Conn

	// prefix stands in place of $JS.API.
	prefix() string
	// store is the connection that pages travel on, and a context that ends
	// when it is lost, and with it the answers to what was sent on it. It is
	// replaced by renew.
	store() (*nats.Conn, context.Context, error)
	// creator is a connection that may make the stream. The caller closes it.
	creator() (*nats.Conn, error)
	// renew replaces what store gives, so that nothing which was sent before
	// is sent again, and makes the server's answers dependable where it can.
	renew(ctx context.Context) error
	// settle makes durable what the server leaves to chance after it has
	// acknowledged a page.
	settle() error
}

// External is a connection to a server that another process runs.
type External struct {
	url       string
	apiPrefix string
	options   []nats.Option
	conn      *nats.Conn

	mu    sync.Mutex
	pages *nats.Conn
	alive *life
}

var _ Connection = (*External)(nil)

// life is the time from one loss of a connection to the next.
type life struct {
	mu  sync.Mutex
	ctx context.Context
	end context.CancelFunc
}

func newLife() *life {
	l := &life{}
	l.ctx, l.end = context.WithCancel(context.Background())
	return l
}

func (l *life) context() context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ctx
}

// options make the connection tell of its losses.
func (l *life) options() []nats.Option {
	lost := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.end()
		l.ctx, l.end = context.WithCancel(context.Background())
	}
	return []nats.Option{
		nats.DisconnectErrHandler(func(*nats.Conn, error) { lost() }),
		nats.ClosedHandler(func(*nats.Conn) { lost() }),
	}
}

// Dial connects to a server or cluster. Options may name several servers,
// credentials and TLS; how the connection is kept and resumed is not theirs to
// decide.
func Dial(url string, options ...nats.Option) (*External, error) {
	return dial(url, apiPrefix, options)
}

// DialReader connects to the embedded server of another process, at its
// ClientURL, with the seed that its Config has. A store on this connection
// reads and follows; its appends stay without an answer.
func DialReader(url string, seed []byte, book uuid.UUID) (*External, error) {
	key, err := nkeys.FromSeed(seed)
	if err != nil {
		return nil, fmt.Errorf("eventstore: dial %s: the readers' seed: %w", url, err)
	}
	option, err := keyOption(key)
	if err != nil {
		return nil, fmt.Errorf("eventstore: dial %s: %w", url, err)
	}
	return dial(url, readerPrefix(book), []nats.Option{option})
}

func dial(url, prefix string, options []nats.Option) (*External, error) {
	e := &External{url: url, apiPrefix: prefix, options: append(options, steady()...)}
	var err error
	if e.conn, err = e.connect(); err != nil {
		return nil, err
	}
	if err := e.connectPages(); err != nil {
		e.conn.Close()
		return nil, err
	}
	return e, nil
}

// steady are the options of a connection that comes back by itself.
func steady() []nats.Option {
	return append(quiet(), nats.MaxReconnects(-1), nats.ReconnectWait(reconnectWait),
		nats.ReconnectJitter(reconnectWait, reconnectWait), nats.IgnoreAuthErrorAbort())
}

// quiet are the options of every connection. Without a reconnect buffer a
// publish fails at once while there is no connection, and is not sent later.
// Errors come back from the calls concerned; the client would print them too.
func quiet() []nats.Option {
	return []nats.Option{
		nats.ReconnectBufSize(-1), nats.Timeout(connectTimeout),
		nats.PingInterval(pingInterval), nats.MaxPingsOutstanding(2),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}),
	}
}

func (e *External) connect(more ...nats.Option) (*nats.Conn, error) {
	conn, err := nats.Connect(e.url, append(append([]nats.Option{}, e.options...), more...)...)
	if err != nil {
		return nil, fmt.Errorf("eventstore: connect to %s: %w: %w", e.url, ErrUnavailable, err)
	}
	return conn, nil
}

// Conn is for requests beside the store.
func (e *External) Conn() *nats.Conn { return e.conn }

// Close ends the connection.
func (e *External) Close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.pages.Close()
	e.conn.Close()
}

func (e *External) prefix() string { return e.apiPrefix }

func (e *External) store() (*nats.Conn, context.Context, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.pages, e.alive.context(), nil
}

// connectPages makes the connection for the store.
func (e *External) connectPages() error {
	alive := newLife()
	pages, err := e.connect(append(alive.options(), nats.SyncQueueLen(batchQueue))...)
	if err != nil {
		return err
	}
	e.pages, e.alive = pages, alive
	return nil
}

func (e *External) creator() (*nats.Conn, error) { return e.connect() }

func (e *External) renew(context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.pages.Close()
	return e.connectPages()
}

func (e *External) settle() error { return nil }

// keyOption authenticates a connection by an NKey.
func keyOption(key nkeys.KeyPair) (nats.Option, error) {
	public, err := key.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	return nats.Nkey(public, key.Sign), nil
}

// NewSeed makes a seed for Config.Seed and DialReader. It is a secret.
func NewSeed() ([]byte, error) {
	key, err := nkeys.CreateUser()
	if err != nil {
		return nil, fmt.Errorf("eventstore: new seed: %w", err)
	}
	return key.Seed()
}
