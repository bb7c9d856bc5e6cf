// Package remote lets other processes hand their commands to the book's writer:
// Serve answers NATS requests with a ledger.Book, and Dial gives a ledger.Book
// that sends them. Requests and answers are sealed under the book's transport
// key, so that only who holds the key ring can give or read them, whatever the
// connection.
package remote

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/codec"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
	"github.com/daybook-ledger/daybook/ledger"
)

// ErrUnreachable means that nobody answers for the book: the request was not
// taken, and its writer may have ended.
var ErrUnreachable = errors.New("remote: nobody answers for the book")

// ErrLost means that the connection was lost while the answer was awaited: the
// outcome is unknown, and the writer may have ended.
var ErrLost = errors.New("remote: the connection was lost")

// Subject is where a book's writer takes requests.
func Subject(book uuid.UUID) string { return "daybook." + book.String() + ".command" }

// maxTogether bounds the requests that are answered at once; others wait.
const maxTogether = 1024

// request is what is asked: a command, or a reference to find.
type request struct {
	Find     *domain.Reference `cbor:"find,omitempty"`
	ID       uuid.UUID         `cbor:"id,omitempty"`
	By       string            `cbor:"by,omitempty"`
	Type     string            `cbor:"type,omitempty"`
	Schema   uint              `cbor:"schema,omitempty"`
	Facts    []byte            `cbor:"facts,omitempty"`
	Personal []byte            `cbor:"personal,omitempty"`
	Expect   *uint64           `cbor:"expect,omitempty"`
	Group    uuid.UUID         `cbor:"group,omitempty"`
	Cause    uuid.UUID         `cbor:"cause,omitempty"`
	Within   time.Duration     `cbor:"within"`
}

// answer is what comes back.
type answer struct {
	Stream   string `cbor:"stream,omitempty"`
	Receipt  []byte `cbor:"receipt,omitempty"`
	Page     uint64 `cbor:"page,omitempty"`
	Recorded int64  `cbor:"recorded,omitempty"` // Unix microseconds
	Repeated bool   `cbor:"repeated,omitempty"`
	// Outcome is "" when it was done or found, else one of the outcomes below.
	Outcome string `cbor:"outcome,omitempty"`
	Code    string `cbor:"code,omitempty"`
	Message string `cbor:"message,omitempty"`
	Hint    string `cbor:"hint,omitempty"`
}

const (
	refused = "refused"
	unknown = "unknown"
	closed  = "closed"
	failed  = "failed"
)

// patience is how long Close waits for the book to answer what is under way.
const patience = 10 * time.Second

// Server answers requests until it is stopped.
type Server struct {
	subscription *nats.Subscription
	drained      chan struct{} // closed once no request can come any more
	stop         context.CancelFunc
	patience     time.Duration

	mu      sync.Mutex // guards closed, and running while it is not
	closed  bool
	running sync.WaitGroup
}

// Serve answers the requests that arrive on the book's subject.
func Serve(nc *nats.Conn, book uuid.UUID, key []byte, writer ledger.Book, log *slog.Logger) (*Server, error) {
	box, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, fmt.Errorf("remote: serve: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Server{drained: make(chan struct{}), stop: stop, patience: patience}
	places := make(chan struct{}, maxTogether)
	subject := Subject(book)
	respond := func(m *nats.Msg, a answer) {
		data, err := cbor.Marshal(a)
		if err == nil {
			data, err = seal(box, data, binding(m.Data))
		}
		if err == nil {
			err = m.Respond(data)
		}
		if err != nil {
			log.Warn("a command from another process could not be answered", "error", err)
		}
	}
	// Requests of one connection arrive in order, and are submitted in order;
	// only the waiting for their answers goes on beside.
	s.subscription, err = nc.Subscribe(subject, func(m *nats.Msg) {
		plain, err := open(box, m.Data, subject)
		if err != nil || m.Reply == "" {
			return // not from a holder of the key ring: it gets no answer
		}
		if !s.begin() {
			respond(m, answer{Outcome: closed})
			return
		}
		places <- struct{}{}
		wait := perform(ctx, plain, writer)
		go func() {
			defer s.running.Done()
			defer func() { <-places }()
			respond(m, wait())
		}()
	})
	if err != nil {
		stop()
		return nil, fmt.Errorf("remote: serve: %w", err)
	}
	s.subscription.SetClosedHandler(func(string) { close(s.drained) })
	return s, nc.Flush()
}

// begin counts a request as under way, unless the server was closed.
func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.running.Add(1)
	return true
}

// Close takes no more requests and waits for those under way. Where the book
// cannot answer them, as while its store is away, their callers are told so.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	err := s.subscription.Drain() // what has arrived is answered, though not taken
	hurry := time.AfterFunc(s.patience, s.stop)
	defer hurry.Stop()
	s.running.Wait()
	if err == nil {
		select {
		case <-s.drained:
		case <-time.After(s.patience):
		}
	}
	s.stop()
	return err
}

// perform begins what a request asks for, and gives the function that waits for
// its answer.
func perform(ctx context.Context, plain []byte, writer ledger.Book) func() answer {
	var r request
	if err := decoding.Unmarshal(plain, &r); err != nil {
		return func() answer {
			return answer{Outcome: failed, Message: "the request is not in the form of this version"}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, max(min(r.Within, time.Hour), time.Second))
	if r.Find != nil {
		return func() answer {
			defer cancel()
			return find(ctx, *r.Find, writer)
		}
	}
	command, err := codec.DecodeCommand(r.Type, r.Schema, r.Facts, r.Personal)
	if err != nil {
		cancel()
		return func() answer { return outcome(err) }
	}
	wait := writer.Submit(ctx, ledger.Envelope{
		ID: r.ID, Principal: r.By, Command: command, Expect: r.Expect, Correlation: r.Group, Causation: r.Cause,
	})
	return func() answer {
		defer cancel()
		return done(wait())
	}
}

func find(ctx context.Context, r domain.Reference, writer ledger.Book) answer {
	stream, found, err := writer.Find(ctx, r)
	if err != nil || !found {
		return outcome(err)
	}
	return answer{Stream: stream.String()}
}

func done(receipt ledger.Receipt, err error) answer {
	if err != nil {
		return outcome(err)
	}
	text, err := receipt.Marshal()
	if err != nil {
		return outcome(fmt.Errorf("%w: the receipt: %w", ledger.ErrOutcomeUnknown, err))
	}
	return answer{Receipt: text, Page: receipt.Page, Recorded: receipt.Recorded.UnixMicro(), Repeated: receipt.Repeated}
}

func outcome(err error) answer {
	var refusal *domain.Refusal
	switch {
	case err == nil:
		return answer{}
	case errors.As(err, &refusal):
		return answer{Outcome: refused, Code: refusal.Code, Message: refusal.Message, Hint: refusal.Hint}
	case errors.Is(err, ledger.ErrOutcomeUnknown):
		return answer{Outcome: unknown, Message: err.Error()}
	case errors.Is(err, ledger.ErrClosed):
		return answer{Outcome: closed}
	default:
		return answer{Outcome: failed, Message: err.Error()}
	}
}

// Book is a book whose writer runs in another process.
type Book struct {
	nc      *nats.Conn
	subject string
	box     cipher.AEAD
	within  time.Duration
}

// Dial gives the book that is served over the connection. A request without a
// deadline of its own waits 30 seconds for its answer.
func Dial(nc *nats.Conn, book uuid.UUID, key []byte) (*Book, error) {
	box, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, fmt.Errorf("remote: dial: %w", err)
	}
	return &Book{nc: nc, subject: Subject(book), box: box, within: 30 * time.Second}, nil
}

// Do implements ledger.Book. ErrUnreachable means that the command was not taken.
func (b *Book) Do(ctx context.Context, e ledger.Envelope) (ledger.Receipt, error) {
	return b.Submit(ctx, e)()
}

// Submit implements ledger.Book.
func (b *Book) Submit(ctx context.Context, e ledger.Envelope) func() (ledger.Receipt, error) {
	facts, personal, schema, err := codec.EncodeCommand(e.Command)
	if err != nil {
		return func() (ledger.Receipt, error) {
			return ledger.Receipt{}, fmt.Errorf("remote: %w", err)
		}
	}
	wait := b.ask(ctx, request{
		ID: e.ID, By: e.Principal, Type: e.Command.CommandType(), Schema: schema, Facts: facts, Personal: personal,
		Expect: e.Expect, Group: e.Correlation, Cause: e.Causation,
	})
	return func() (ledger.Receipt, error) {
		a, err := wait()
		if err != nil {
			return ledger.Receipt{}, err
		}
		proof, err := transparency.ParseReceipt(a.Receipt)
		if err != nil {
			return ledger.Receipt{}, fmt.Errorf("%w: the receipt cannot be read: %w", ledger.ErrOutcomeUnknown, err)
		}
		return ledger.Receipt{
			Receipt: proof, Command: e.ID, Page: a.Page,
			Recorded: time.UnixMicro(a.Recorded).UTC(), Repeated: a.Repeated,
		}, nil
	}
}

// Find implements ledger.Book.
func (b *Book) Find(ctx context.Context, r domain.Reference) (domain.StreamID, bool, error) {
	a, err := b.ask(ctx, request{Find: &r})()
	if err != nil || a.Stream == "" {
		return domain.StreamID{}, false, err
	}
	stream, err := domain.ParseStreamID(a.Stream)
	return stream, err == nil, err
}

// ask sends a request and gives the function that waits for its answer, or the
// error that the answer tells.
func (b *Book) ask(ctx context.Context, r request) func() (answer, error) {
	cancel := func() {}
	if _, bounded := ctx.Deadline(); !bounded {
		ctx, cancel = context.WithTimeout(ctx, b.within)
	}
	deadline, _ := ctx.Deadline()
	r.Within = time.Until(deadline)
	sealed, inbox, err := b.send(r)
	return func() (answer, error) {
		defer cancel()
		if err != nil {
			return answer{}, err
		}
		m, err := b.receive(ctx, inbox)
		if err != nil {
			return answer{}, err
		}
		plain, err := open(b.box, m.Data, binding(sealed))
		if err != nil {
			return answer{}, fmt.Errorf("%w: the answer cannot be read: %w", ledger.ErrOutcomeUnknown, err)
		}
		var a answer
		if err := decoding.Unmarshal(plain, &a); err != nil {
			return answer{}, fmt.Errorf("%w: the answer is not in the form of this version: %w", ledger.ErrOutcomeUnknown, err)
		}
		return a, a.error()
	}
}

// send publishes a request and gives it sealed, with the inbox for its answer.
func (b *Book) send(r request) ([]byte, *nats.Subscription, error) {
	data, err := cbor.Marshal(r)
	if err != nil {
		return nil, nil, fmt.Errorf("remote: encode: %w", err)
	}
	sealed, err := seal(b.box, data, b.subject)
	if err != nil {
		return nil, nil, err
	}
	reply := b.nc.NewInbox()
	inbox, err := b.nc.SubscribeSync(reply)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	err = inbox.AutoUnsubscribe(1)
	if err == nil {
		err = b.nc.PublishRequest(b.subject, reply, sealed)
	}
	if errors.Is(err, nats.ErrMaxPayload) {
		refusal := domain.Refuse(ledger.CodeCommandTooLarge, "the command has %d bytes, more than the connection takes", len(data))
		return nil, nil, errors.Join(refusal, inbox.Unsubscribe())
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%w: %w", ErrUnreachable, err), inbox.Unsubscribe())
	}
	return sealed, inbox, nil
}

// receive waits for the answer in an inbox, no longer than the connection lasts.
func (b *Book) receive(ctx context.Context, inbox *nats.Subscription) (*nats.Msg, error) {
	defer inbox.Unsubscribe() //nolint:errcheck // it ended by itself when the answer came
	ctx, lose := context.WithCancelCause(ctx)
	defer lose(nil)
	lost := b.nc.StatusChanged(nats.RECONNECTING, nats.CLOSED)
	defer b.nc.RemoveStatusListener(lost)
	if !b.nc.IsConnected() {
		lose(ErrLost) // since before anybody listened
	}
	go func() {
		select {
		case <-lost:
			lose(ErrLost)
		case <-ctx.Done():
		}
	}()
	m, err := inbox.NextMsgWithContext(ctx)
	switch {
	case err == nil && len(m.Data) == 0 && m.Header.Get("Status") == "503", errors.Is(err, nats.ErrNoResponders):
		return nil, ErrUnreachable
	case err != nil && errors.Is(context.Cause(ctx), ErrLost):
		return nil, fmt.Errorf("%w (%w)", ledger.ErrOutcomeUnknown, ErrLost)
	case err != nil:
		// The request may have been taken all the same.
		return nil, fmt.Errorf("%w (%w)", ledger.ErrOutcomeUnknown, err)
	}
	return m, nil
}

func (a answer) error() error {
	switch a.Outcome {
	case "":
		return nil
	case refused:
		return &domain.Refusal{Code: a.Code, Message: a.Message, Hint: a.Hint}
	case unknown:
		return fmt.Errorf("%w (%s)", ledger.ErrOutcomeUnknown, a.Message)
	case closed:
		return ErrUnreachable
	default:
		return errors.New(a.Message)
	}
}

// decoding is strict and bounded: the other side holds the key, but may be of
// another version.
var decoding = func() cbor.DecMode {
	mode, err := cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden,
		MaxNestedLevels: 8, ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
	}.DecMode()
	if err != nil {
		panic(err) // options that are constant
	}
	return mode
}()

// binding is what an answer is bound to: the request's nonce, so that the answer
// to one request cannot pass for another's.
func binding(sealed []byte) string {
	return "answer\x00" + string(sealed[:chacha20poly1305.NonceSizeX])
}

func seal(box cipher.AEAD, plain []byte, bound string) ([]byte, error) {
	sealed := make([]byte, box.NonceSize(), box.NonceSize()+len(plain)+box.Overhead())
	if _, err := rand.Read(sealed); err != nil {
		return nil, fmt.Errorf("remote: %w", err)
	}
	return box.Seal(sealed, sealed, plain, []byte(bound)), nil
}

func open(box cipher.AEAD, sealed []byte, bound string) ([]byte, error) {
	if len(sealed) < box.NonceSize() {
		return nil, errors.New("remote: too short")
	}
	return box.Open(nil, sealed[:box.NonceSize()], sealed[box.NonceSize():], []byte(bound))
}
