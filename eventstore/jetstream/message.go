package jetstream

import (
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/daybook-ledger/daybook/eventstore"
)

// numPending is a header that the server adds to the messages of a batch.
const numPending = "Nats-Num-Pending"

// directPage makes a page of a message that a direct get answered.
func (s *Store) directPage(m *nats.Msg) (eventstore.Page, error) {
	number, err := strconv.ParseUint(m.Header.Get(jetstream.SequenceHeader), 10, 64)
	if err != nil {
		return eventstore.Page{}, fmt.Errorf("a message without a sequence: %w", eventstore.ErrForeign)
	}
	// Every header comes once. One that the stored message had already, under a
	// name that the server adds, would be read in place of the server's.
	stored := make(nats.Header, 2)
	for name, values := range m.Header {
		if len(values) != 1 {
			return eventstore.Page{}, fmt.Errorf("message %d: header %s comes %d times: %w",
				number, name, len(values), eventstore.ErrForeign)
		}
		switch name {
		case jetstream.StreamHeader, jetstream.SubjectHeader, jetstream.SequenceHeader,
			jetstream.TimeStampHeaer, jetstream.LastSequenceHeader, numPending:
		default:
			stored[name] = values
		}
	}
	if err := s.checkMessage(m.Header.Get(jetstream.SubjectHeader), number, stored); err != nil {
		return eventstore.Page{}, err
	}
	return eventstore.Page{Number: number, Body: m.Data}, nil
}

// checkMessage is nil if a stored message is a page: on the subject of pages,
// and with the headers that Append gives and no others. Its fence stands in
// them, so a message that was published without the fence is foreign.
func (s *Store) checkMessage(subject string, number uint64, header nats.Header) error {
	if subject != PagesSubject(s.book) {
		return fmt.Errorf("message %d: on subject %q: %w", number, subject, eventstore.ErrForeign)
	}
	if header.Get(jetstream.ExpectedLastSeqHeader) != strconv.FormatUint(number-1, 10) ||
		header.Get(jetstream.ExpectedStreamHeader) != s.stream {
		return fmt.Errorf("message %d: published without the fence: %w", number, eventstore.ErrForeign)
	}
	for name := range header {
		if name != jetstream.ExpectedLastSeqHeader && name != jetstream.ExpectedStreamHeader {
			return fmt.Errorf("message %d: with header %q: %w", number, name, eventstore.ErrForeign)
		}
	}
	return nil
}
