package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/daybook-ledger/daybook/eventstore"
)

const (
	// A batch ends with the page that takes it over batchBytes, so that a
	// reader holds at most batchBytes and one page more.
	batchBytes = 4 << 20
	batchPages = 1024
	// batchQueue has room for a batch and its end, and for what is left of one
	// that was given up.
	batchQueue = 4 * batchPages
	// A reader is handed aheadBytes and more at once, while aheadParts times as much
	// waits for it: so the server is asked for the next batch before the reader has
	// done with this one, and neither waits for the other.
	aheadBytes = 1 << 20
	aheadParts = 2
)

// errStop means that whoever receives the pages wants no more.
var errStop = errors.New("stop")

// Read yields pages by batched direct gets, some ahead, in constant memory.
func (s *Store) Read(ctx context.Context, first, last uint64) iter.Seq2[eventstore.Page, error] {
	return func(yield func(eventstore.Page, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		next := max(first, 1)
		var err error // of reading, which has ended when parts is closed
		parts := make(chan []eventstore.Page, aheadParts)
		go func() {
			defer close(parts)
			err = s.readAhead(ctx, &next, last, parts)
		}()
		defer func() {
			cancel()
			for range parts { // until it has ended
			}
		}()
		for part := range parts {
			for _, p := range part {
				if !yield(p, nil) {
					return
				}
			}
		}
		if err != nil {
			yield(eventstore.Page{}, fmt.Errorf("eventstore: read page %d: %w", next, err))
		}
	}
}

// readAhead reads the pages from *next to last, and hands them over in parts.
func (s *Store) readAhead(ctx context.Context, next *uint64, last uint64, parts chan<- []eventstore.Page) error {
	var part []eventstore.Page
	size := 0
	hand := func() bool {
		select {
		case parts <- part:
			part, size = nil, 0
			return true
		case <-ctx.Done():
			return false
		}
	}
	err := s.read(ctx, next, last, func(p eventstore.Page) bool {
		part = append(part, p)
		size += len(p.Body)
		return size < aheadBytes || hand()
	})
	if len(part) > 0 && !hand() || errors.Is(err, errStop) {
		return s.reason(ctx, ctx.Err())
	}
	return err
}

// read yields the pages from *next to last, and moves *next on. It is nil at
// the end of the range or of the log.
func (s *Store) read(ctx context.Context, next *uint64, last uint64, yield func(eventstore.Page) bool) error {
	if *next > last {
		return nil
	}
	r, err := s.startReading(ctx)
	if err != nil {
		return s.reason(ctx, err)
	}
	defer r.end()
	for first := *next; *next <= last; {
		whole, err := r.batch(next, last, yield)
		for tries := 0; errors.Is(err, nats.ErrNoResponders) && tries < unheard; tries++ {
			select { // as between the leaders of a cluster
			case <-time.After(unheardWait):
			case <-r.ctx.Done():
				return s.reason(ctx, unavailable(r.ctx, err))
			}
			whole, err = r.batch(next, last, yield)
		}
		if errors.Is(err, errStop) {
			return err
		}
		if err != nil {
			return s.reason(ctx, err)
		}
		if whole {
			continue
		}
		// A direct get may have been answered by a replica that lags, or whose
		// copy is damaged: only the leader knows whether the log ends here.
		page, found, err := r.ask(*next, first)
		if err != nil {
			return s.reason(ctx, err)
		}
		if !found {
			return nil
		}
		*next++
		if !yield(page) {
			return errStop
		}
	}
	return nil
}

// reading is one run of batches on one connection.
type reading struct {
	store  *Store
	ctx    context.Context
	conn   *nats.Conn
	sub    *nats.Subscription
	inbox  string
	serial uint64
	cancel func()
}

func (s *Store) startReading(ctx context.Context) (*reading, error) {
	if err := s.reason(ctx, nil); err != nil {
		return nil, err
	}
	l, err := s.link()
	if err != nil {
		return nil, err
	}
	ctx, cancel := s.waiting(ctx, l)
	r := &reading{store: s, ctx: ctx, conn: l.conn, inbox: l.conn.NewInbox()}
	if r.sub, err = l.conn.SubscribeSync(r.inbox + ".*"); err != nil {
		cancel()
		return nil, unavailable(ctx, err)
	}
	// An ended subscription wakes whoever waits for its next message.
	unsubscribe := func() { _ = r.sub.Unsubscribe() }
	stop := context.AfterFunc(ctx, unsubscribe)
	r.cancel = func() { stop(); cancel(); unsubscribe() }
	return r, nil
}

func (r *reading) end() { r.cancel() }

// batch yields pages from *next on, up to the limits of a batch. It is false
// where page *next should have come and did not.
func (r *reading) batch(next *uint64, last uint64, yield func(eventstore.Page) bool) (bool, error) {
	r.serial++
	reply := r.inbox + "." + strconv.FormatUint(r.serial, 10)
	count := min(last-*next+1, batchPages)
	request := fmt.Appendf(nil, `{"seq":%d,"batch":%d,"max_bytes":%d}`, *next, count, batchBytes)
	subject := r.store.connection.prefix() + ".DIRECT.GET." + r.store.stream
	if err := r.conn.PublishRequest(subject, reply, request); err != nil {
		return false, unavailable(r.ctx, err)
	}
	for first := *next; ; {
		m, err := r.message(reply)
		if err != nil {
			return false, err
		}
		switch status := m.Header.Get("Status"); status {
		case "":
		case "204":
			return *next > first, nil
		case "404":
			return false, nil
		default:
			return false, fmt.Errorf("%w: %s %s", ErrUnavailable, status, m.Header.Get("Description"))
		}
		page, err := r.store.directPage(m)
		if err != nil {
			return false, err
		}
		if page.Number != *next {
			return false, nil
		}
		*next++
		if !yield(page) {
			return false, errStop
		}
	}
}

// message waits for the next answer to the request with this reply subject.
func (r *reading) message(reply string) (*nats.Msg, error) {
	for {
		m, err := r.sub.NextMsg(answerTimeout)
		if err != nil {
			return nil, unavailable(r.ctx, err)
		}
		// Others are left over from a batch that was given up.
		if m.Subject == reply {
			return m, nil
		}
	}
}

// ask settles with the leader whether page number exists. It is not found where
// the log ends before it. A log that ends before pages that were read since
// first has lost them.
func (r *reading) ask(number, first uint64) (eventstore.Page, bool, error) {
	last, err := r.store.last(r.ctx)
	if err != nil {
		return eventstore.Page{}, false, err
	}
	if last < number {
		if number > first && last < number-1 {
			return eventstore.Page{}, false, fmt.Errorf("the log now ends at page %d: %w", last, eventstore.ErrGap)
		}
		return eventstore.Page{}, false, nil
	}
	page, err := r.store.leaderPage(r.ctx, number)
	return page, err == nil, err
}

// leaderPage gets one page from the stream's leader: ErrGap if it is missing.
func (s *Store) leaderPage(ctx context.Context, number uint64) (eventstore.Page, error) {
	l, err := s.link()
	if err != nil {
		return eventstore.Page{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	subject := s.connection.prefix() + ".STREAM.MSG.GET." + s.stream
	answer, err := l.conn.RequestWithContext(ctx, subject, fmt.Appendf(nil, `{"seq":%d}`, number))
	if err != nil {
		return eventstore.Page{}, unavailable(ctx, err)
	}
	var got struct {
		Error *struct {
			ErrorCode   int    `json:"err_code"`
			Description string `json:"description"`
		} `json:"error"`
		Message struct {
			Subject  string `json:"subject"`
			Sequence uint64 `json:"seq"`
			Header   []byte `json:"hdrs"`
			Data     []byte `json:"data"`
		} `json:"message"`
	}
	if err := json.Unmarshal(answer.Data, &got); err != nil {
		return eventstore.Page{}, fmt.Errorf("the server's answer: %w", err)
	}
	const noMessageFound = 10037
	switch {
	case got.Error != nil && got.Error.ErrorCode == noMessageFound:
		return eventstore.Page{}, eventstore.ErrGap
	case got.Error != nil:
		return eventstore.Page{}, fmt.Errorf("the server's answer: %s (%d)", got.Error.Description, got.Error.ErrorCode)
	}
	header, err := nats.DecodeHeadersMsg(got.Message.Header)
	if err != nil {
		return eventstore.Page{}, fmt.Errorf("a message without headers: %w", eventstore.ErrForeign)
	}
	if err := s.checkMessage(got.Message.Subject, got.Message.Sequence, header); err != nil {
		return eventstore.Page{}, err
	}
	return eventstore.Page{Number: got.Message.Sequence, Body: got.Message.Data}, nil
}
