package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/testing/given"
)

// told is a book that gives the answers of a test, and remembers what it was
// asked.
type told struct {
	answer func(ledger.Envelope) (ledger.Receipt, error)
	mu     sync.Mutex
	asked  []ledger.Envelope
}

func (b *told) Do(ctx context.Context, e ledger.Envelope) (ledger.Receipt, error) {
	return b.Submit(ctx, e)()
}

func (b *told) Submit(_ context.Context, e ledger.Envelope) func() (ledger.Receipt, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = append(b.asked, e)
	return func() (ledger.Receipt, error) { return b.answer(e) }
}

func (b *told) Find(_ context.Context, r domain.Reference) (domain.StreamID, bool, error) {
	if r.Value == "known" {
		return domain.StreamID{Kind: domain.KindInvoice, ID: given.ID("x")}, true, nil
	}
	return domain.StreamID{}, false, nil
}

var key = []byte("0123456789abcdef0123456789abcdef")

func connect(t *testing.T) (*server.Server, func() *nats.Conn) {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(s.Shutdown)
	if !s.ReadyForConnections(5 * time.Second) {
		t.Fatal("the server does not start")
	}
	return s, func() *nats.Conn {
		nc, err := nats.Connect(s.ClientURL(), nats.ReconnectBufSize(-1))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		return nc
	}
}

func serveAndDial(t *testing.T, b *told) *Book {
	t.Helper()
	_, conn := connect(t)
	s, err := Serve(conn(), given.ID("book"), key, b, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	book, err := Dial(conn(), given.ID("book"), key)
	if err != nil {
		t.Fatal(err)
	}
	return book
}

func register(n int) ledger.Envelope {
	expect := uint64(n)
	return ledger.Envelope{
		ID: given.ID(fmt.Sprint("command", n)), Principal: "ada@acme.example", Expect: &expect,
		Command:     &customer.Register{ID: given.ID(fmt.Sprint(n)), Country: "GB", Personal: &customer.Profile{Name: "Ada", Address: []string{"1 Road"}}},
		Correlation: given.ID("group"), Causation: given.ID("cause"),
	}
}

var errPlain = errors.New("something broke")

// Every answer arrives as what it is.
func TestAnswersArriveAsTheyAre(t *testing.T) {
	for name, want := range map[string]error{
		"refusal": &domain.Refusal{Code: "over-credited", Message: "too much", Hint: "credit less"},
		"unknown": fmt.Errorf("%w (the disk is full)", ledger.ErrOutcomeUnknown),
		"closed":  ledger.ErrClosed,
		"failure": errPlain,
	} {
		t.Run(name, func(t *testing.T) {
			b := &told{answer: func(ledger.Envelope) (ledger.Receipt, error) { return ledger.Receipt{}, want }}
			_, err := serveAndDial(t, b).Do(t.Context(), register(1))
			refusal, is := want.(*domain.Refusal)
			var got *domain.Refusal
			switch {
			case is:
				if !errors.As(err, &got) || *got != *refusal {
					t.Errorf("got %#v", err)
				}
			case errors.Is(want, ledger.ErrClosed):
				if !errors.Is(err, ErrUnreachable) {
					t.Errorf("got %v", err)
				}
			case errors.Is(want, ledger.ErrOutcomeUnknown) != errors.Is(err, ledger.ErrOutcomeUnknown):
				t.Errorf("got %v", err)
			case err == nil || errors.As(err, &got) || errors.Is(err, ErrUnreachable):
				t.Errorf("got %v", err)
			}
		})
	}
}

// The envelope arrives whole, and in the order of its submission.
func TestCommandsArriveWholeAndInOrder(t *testing.T) {
	b := &told{answer: func(e ledger.Envelope) (ledger.Receipt, error) {
		time.Sleep(time.Millisecond)
		return ledger.Receipt{}, errPlain
	}}
	book := serveAndDial(t, b)
	var waits []func() (ledger.Receipt, error)
	for i := range 50 {
		waits = append(waits, book.Submit(t.Context(), register(i)))
	}
	for _, wait := range waits {
		if _, err := wait(); err == nil {
			t.Error("no error")
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, e := range b.asked {
		want := register(i)
		got, is := e.Command.(*customer.Register)
		if !is || e.ID != want.ID || e.Principal != want.Principal || *e.Expect != *want.Expect ||
			e.Correlation != want.Correlation || e.Causation != want.Causation ||
			got.Personal.Name != "Ada" || !slices.Equal(got.Personal.Address, []string{"1 Road"}) {
			t.Fatalf("command %d arrived as %+v", i, e)
		}
	}
	if len(b.asked) != 50 {
		t.Errorf("%d commands arrived", len(b.asked))
	}
}

func TestFind(t *testing.T) {
	book := serveAndDial(t, &told{})
	stream, found, err := book.Find(t.Context(), domain.Reference{Kind: domain.DocumentNumber, Value: "known"})
	if err != nil || !found || stream.ID != given.ID("x") {
		t.Errorf("a known reference: %v, %v, %v", stream, found, err)
	}
	if _, found, err := book.Find(t.Context(), domain.Reference{Kind: domain.DocumentNumber, Value: "other"}); found || err != nil {
		t.Errorf("an unknown reference: %v, %v", found, err)
	}
}

// Whoever lacks the transport key gets no answer, and nothing is asked for them.
func TestStrangersGetNoAnswer(t *testing.T) {
	_, conn := connect(t)
	b := &told{answer: func(ledger.Envelope) (ledger.Receipt, error) { return ledger.Receipt{}, errPlain }}
	s, err := Serve(conn(), given.ID("book"), key, b, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	other, err := Dial(conn(), given.ID("book"), []byte("another key of thirty-two bytes!"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := other.Do(ctx, register(1)); !errors.Is(err, ledger.ErrOutcomeUnknown) {
		t.Errorf("with another key: %v", err)
	}
	stranger := conn()
	for _, data := range [][]byte{nil, []byte("short"), make([]byte, 200)} {
		if m, err := stranger.Request(Subject(given.ID("book")), data, 50*time.Millisecond); err == nil {
			t.Errorf("%d bytes were answered: %q", len(data), m.Data)
		}
	}
	if len(b.asked) != 0 {
		t.Errorf("%d commands of strangers arrived", len(b.asked))
	}
}

// An answer to one request does not pass for the answer to another.
func TestAnswersAreBoundToTheirRequests(t *testing.T) {
	book, err := Dial(nil, uuid.Nil, key)
	if err != nil {
		t.Fatal(err)
	}
	first, err := seal(book.box, []byte("a request"), book.subject)
	if err != nil {
		t.Fatal(err)
	}
	second, err := seal(book.box, []byte("a request"), book.subject)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := seal(book.box, []byte("an answer"), binding(first))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(book.box, reply, binding(first)); err != nil {
		t.Errorf("its own: %v", err)
	}
	for _, other := range []string{binding(second), book.subject} {
		if _, err := open(book.box, reply, other); err == nil {
			t.Error("it opened as the answer to something else")
		}
	}
}

func TestNobodyAnswers(t *testing.T) {
	s, conn := connect(t)
	book, err := Dial(conn(), given.ID("book"), key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := book.Do(t.Context(), register(1)); !errors.Is(err, ErrUnreachable) {
		t.Errorf("without a server of the book: %v", err)
	}
	// A writer that takes the command and is never heard of again.
	vanishing := conn()
	if _, err := vanishing.Subscribe(Subject(given.ID("book")), func(*nats.Msg) { go s.Shutdown() }); err != nil {
		t.Fatal(err)
	}
	silent := conn()
	if err := errors.Join(vanishing.Flush(), silent.Flush()); err != nil {
		t.Fatal(err)
	}
	if book, err = Dial(silent, given.ID("book"), key); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := book.Do(ctx, register(1)); !errors.Is(err, ErrLost) || !errors.Is(err, ledger.ErrOutcomeUnknown) {
		t.Errorf("a writer that vanished: %v", err)
	}
	if ctx.Err() != nil {
		t.Error("the loss was not noticed before the deadline")
	}
}
