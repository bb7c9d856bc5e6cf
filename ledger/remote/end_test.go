package remote

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/testing/given"
)

// silent is a book that takes commands and answers them only when it is given up.
type silent struct {
	told
	taken chan struct{}
}

func newSilent() *silent { return &silent{taken: make(chan struct{}, 16)} }

func (b *silent) Do(ctx context.Context, e ledger.Envelope) (ledger.Receipt, error) {
	return b.Submit(ctx, e)()
}

func (b *silent) Submit(ctx context.Context, _ ledger.Envelope) func() (ledger.Receipt, error) {
	b.taken <- struct{}{}
	return func() (ledger.Receipt, error) {
		<-ctx.Done()
		return ledger.Receipt{}, ledger.ErrOutcomeUnknown
	}
}

func serveBook(t *testing.T, b ledger.Book) (*Server, *nats.Conn, *Book) {
	t.Helper()
	_, conn := connect(t)
	s, err := Serve(conn(), given.ID("book"), key, b, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	s.patience = 20 * time.Millisecond
	t.Cleanup(func() { s.Close() })
	nc := conn()
	book, err := Dial(nc, given.ID("book"), key)
	if err != nil {
		t.Fatal(err)
	}
	return s, nc, book
}

// A connection that ends while the answer is awaited leaves the outcome unknown,
// for the command was taken.
func TestTheConnectionEnds(t *testing.T) {
	b := newSilent()
	_, nc, book := serveBook(t, b)
	wait := book.Submit(context.Background(), register(1))
	<-b.taken
	nc.Close()
	if _, err := wait(); !errors.Is(err, ledger.ErrOutcomeUnknown) || errors.Is(err, ErrUnreachable) {
		t.Errorf("the caller heard %v", err)
	}
	if _, err := book.Do(t.Context(), register(1)); !errors.Is(err, ErrUnreachable) {
		t.Errorf("over a connection that ended before: %v", err)
	}
}

// A server that is closed tells those who wait that a book which does not answer
// leaves their outcome unknown.
func TestCloseBesideASilentBook(t *testing.T) {
	b := newSilent()
	s, _, book := serveBook(t, b)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	wait := book.Submit(ctx, register(1))
	<-b.taken
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it does not close")
	}
	if _, err := wait(); !errors.Is(err, ledger.ErrOutcomeUnknown) {
		t.Errorf("the caller heard %v", err)
	}
}

// A command that no connection takes for its size is refused, and not thought to
// have found nobody.
func TestACommandThatNoConnectionTakes(t *testing.T) {
	_, _, book := serveBook(t, newSilent())
	e := register(1)
	e.Command = &customer.Register{ID: given.ID("1"), Personal: &customer.Profile{Name: strings.Repeat("long ", 1<<19)}}
	_, err := book.Do(t.Context(), e)
	var refusal *domain.Refusal
	if !errors.As(err, &refusal) || refusal.Code != ledger.CodeCommandTooLarge {
		t.Errorf("the caller heard %v", err)
	}
}

// A receipt that cannot be read does not hide that the command was entered.
func TestAReceiptThatCannotBeRead(t *testing.T) {
	_, _, book := serveBook(t, &told{answer: func(ledger.Envelope) (ledger.Receipt, error) { return ledger.Receipt{}, nil }})
	if _, err := book.Do(t.Context(), register(1)); !errors.Is(err, ledger.ErrOutcomeUnknown) {
		t.Errorf("the caller heard %v", err)
	}
}

func TestNoCommand(t *testing.T) {
	_, _, book := serveBook(t, newSilent())
	if _, err := book.Do(t.Context(), ledger.Envelope{ID: given.ID("x")}); err == nil {
		t.Error("no command was taken for one")
	}
}

// Requests that arrive while the server closes are answered.
func TestRequestsWhileClosing(t *testing.T) {
	s, _, book := serveBook(t, &told{answer: func(ledger.Envelope) (ledger.Receipt, error) { return ledger.Receipt{}, errPlain }})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for i := 0; ; i++ {
			_, err := book.Do(context.Background(), register(i))
			if errors.Is(err, ErrUnreachable) || errors.Is(err, ledger.ErrOutcomeUnknown) {
				return
			}
		}
	}()
	time.Sleep(5 * time.Millisecond)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("a caller was left without an answer")
	}
}
