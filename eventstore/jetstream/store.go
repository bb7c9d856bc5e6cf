package jetstream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/daybook-ledger/daybook/eventstore"
)

const (
	// maxPage is the largest page, whatever the server would take.
	maxPage = 8 << 20
	// headerRoom is kept of the server's maximum for the headers of a page,
	// which have less than 200 bytes.
	headerRoom = 1 << 10

	// appendTimeout applies where the caller's context has no deadline.
	appendTimeout = 10 * time.Second
	// unheard is how often what nobody heard, which is known for certain, is said
	// again: a page, or a question for pages; and unheardWait how long after.
	unheard     = 40
	unheardWait = 50 * time.Millisecond
	// answerTimeout is how long a reader waits for the next message.
	answerTimeout = 5 * time.Second

	wrongLastSequence         = 10071
	wrongLastSequenceConstant = 10164 // on replicas
)

// Store is a book's log on a JetStream server.
type Store struct {
	book       uuid.UUID
	connection Connection
	stream     string
	maxPage    atomic.Int64

	life  context.Context // ends with Close
	close context.CancelFunc

	mu   sync.Mutex
	conn *nats.Conn // what js is made of
	js   jetstream.JetStream
}

var _ eventstore.Store = (*Store)(nil)

// Open opens a book's log and checks that its stream is configured as such a
// log must be: ErrForeign if not. It never makes a stream: ErrNoStream. Closing
// the store leaves the connection to its owner.
func Open(ctx context.Context, c Connection, book uuid.UUID) (*Store, error) {
	s := &Store{book: book, connection: c, stream: StreamName(book)}
	s.life, s.close = context.WithCancel(context.Background())
	if err := s.check(ctx); err != nil {
		s.close()
		return nil, fmt.Errorf("eventstore: open the log of book %s: %w", book, err)
	}
	return s, nil
}

// check asks for the stream, and takes the server's limits.
func (s *Store) check(ctx context.Context) error {
	l, info, err := s.info(ctx)
	if err != nil {
		return err
	}
	if err := checkStream(s.book, info.Config); err != nil {
		return err
	}
	s.maxPage.Store(min(maxPage, l.conn.MaxPayload()-headerRoom))
	return s.connection.settle()
}

// info asks the node that appends go to.
func (s *Store) info(ctx context.Context) (link, *jetstream.StreamInfo, error) {
	l, err := s.link()
	if err != nil {
		return link{}, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	ctx, cancelWaiting := s.waiting(ctx, l)
	defer cancelWaiting()
	stream, err := l.js.Stream(ctx, s.stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return link{}, nil, fmt.Errorf("%w (%s)", ErrNoStream, s.stream)
	}
	if err != nil {
		return link{}, nil, unavailable(ctx, err)
	}
	return l, stream.CachedInfo(), nil
}

// link is the connection as one call meets it.
type link struct {
	conn *nats.Conn
	js   jetstream.JetStream
	// alive ends when answers can no longer come.
	alive context.Context
}

func (s *Store) link() (link, error) {
	conn, alive, err := s.connection.store()
	if err != nil {
		return link{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if conn != s.conn {
		js, err := jetstream.NewWithAPIPrefix(conn, s.connection.prefix())
		if err != nil {
			return link{}, err
		}
		s.conn, s.js = conn, js
	}
	return link{conn, s.js, alive}, nil
}

// Causes for which a call that waits for an answer gives up.
var (
	errLost    = errors.New("the connection was lost")
	errClosing = errors.New("the store was closed meanwhile")
)

// waiting gives the context an end besides its own: with the store, and with
// the link. The cause tells which.
func (s *Store) waiting(ctx context.Context, l link) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stopStore := context.AfterFunc(s.life, func() { cancel(errClosing) })
	stopLink := context.AfterFunc(l.alive, func() { cancel(errLost) })
	return ctx, func() { stopStore(); stopLink(); cancel(nil) }
}

// Append publishes a page behind the fence, once: again only while the server says
// that nobody heard it, as between the leaders of a cluster. Where the context has
// no deadline the answer is awaited for ten seconds.
func (s *Store) Append(ctx context.Context, after uint64, body []byte) error {
	if s.life.Err() != nil {
		return fmt.Errorf("eventstore: append page: %w", eventstore.ErrClosed)
	}
	if len(body) > s.MaxPage() {
		return fmt.Errorf("eventstore: append page of %d bytes: %w", len(body), eventstore.ErrTooLarge)
	}
	if _, has := ctx.Deadline(); !has {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, appendTimeout)
		defer cancel()
	}
	err := s.publish(ctx, after, body)
	var answer *jetstream.APIError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &answer) &&
		(answer.ErrorCode == wrongLastSequence || answer.ErrorCode == wrongLastSequenceConstant):
		return fmt.Errorf("eventstore: append after page %d: %w: %w", after, eventstore.ErrFenced, err)
	default:
		return fmt.Errorf("eventstore: append after page %d: %w: %w", after, eventstore.ErrUnclear, err)
	}
}

func (s *Store) publish(ctx context.Context, after uint64, body []byte) error {
	l, err := s.link()
	if err != nil {
		return err
	}
	ctx, cancel := s.waiting(ctx, l)
	defer cancel()
	ack, err := l.js.Publish(ctx, PagesSubject(s.book), body, jetstream.WithRetryAttempts(unheard), jetstream.WithRetryWait(unheardWait),
		jetstream.WithExpectStream(s.stream), jetstream.WithExpectLastSequence(after))
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	if ack.Stream != s.stream || ack.Sequence != after+1 || ack.Duplicate {
		return fmt.Errorf("stream %s acknowledged page %d (duplicate: %t)", ack.Stream, ack.Sequence, ack.Duplicate)
	}
	return s.connection.settle()
}

// Last asks the stream's leader for the number of the newest page.
func (s *Store) Last(ctx context.Context) (uint64, error) {
	last, err := s.last(ctx)
	if err != nil {
		return 0, fmt.Errorf("eventstore: last page: %w", s.reason(ctx, err))
	}
	return last, nil
}

func (s *Store) last(ctx context.Context) (uint64, error) {
	_, info, err := s.info(ctx)
	if err != nil {
		return 0, err
	}
	return info.State.LastSeq, nil
}

// reason is why a call failed: the store was closed or the context ended, if
// so, and else err.
func (s *Store) reason(ctx context.Context, err error) error {
	switch {
	case s.life.Err() != nil:
		return eventstore.ErrClosed
	case ctx.Err() != nil:
		return ctx.Err()
	default:
		return err
	}
}

// MaxPage is the largest body that Append takes: 8 MiB, or what the server's
// max_payload leaves.
func (s *Store) MaxPage() int { return int(s.maxPage.Load()) }

// Recover restarts an embedded server, or connects anew to an external one, and
// checks the stream again. Followers go on by themselves.
func (s *Store) Recover(ctx context.Context) error {
	if s.life.Err() != nil {
		return fmt.Errorf("eventstore: recover: %w", eventstore.ErrClosed)
	}
	if err := s.connection.renew(ctx); err != nil {
		return fmt.Errorf("eventstore: recover: %w", err)
	}
	if err := s.check(ctx); err != nil {
		return fmt.Errorf("eventstore: recover: %w", s.reason(ctx, err))
	}
	return nil
}

// Close releases the store, not the connection.
func (s *Store) Close() error {
	s.close()
	return nil
}
