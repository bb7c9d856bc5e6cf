package jetstream

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/daybook-ledger/daybook/eventstore"
)

// Create makes the stream that holds a book's log, on so many replicas (1 on an
// embedded server). It is the only call that makes one. ErrExists means that
// there is one already, whatever its configuration.
func Create(ctx context.Context, c Connection, book uuid.UUID, replicas int) error {
	conn, err := c.creator()
	if err != nil {
		return fmt.Errorf("eventstore: create the log of book %s: %w", book, err)
	}
	defer conn.Close()
	if err := create(ctx, conn, book, replicas); err != nil {
		return fmt.Errorf("eventstore: create the log of book %s: %w", book, err)
	}
	if err := c.settle(); err != nil {
		return fmt.Errorf("eventstore: create the log of book %s: %w", book, err)
	}
	return nil
}

func create(ctx context.Context, conn *nats.Conn, book uuid.UUID, replicas int) error {
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	// Creating a stream that is there with the same configuration succeeds, so
	// ask first; another process between the two calls meets the same log.
	switch _, err := js.Stream(ctx, StreamName(book)); {
	case err == nil:
		return ErrExists
	case !errors.Is(err, jetstream.ErrStreamNotFound):
		return unavailable(ctx, err)
	}
	_, err = js.CreateStream(ctx, streamConfig(book, replicas))
	if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		return ErrExists
	}
	return err
}

// streamConfig is the one configuration that a book's log has.
func streamConfig(book uuid.UUID, replicas int) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:              StreamName(book),
		Subjects:          []string{PagesSubject(book)},
		Retention:         jetstream.LimitsPolicy,
		MaxConsumers:      -1,
		MaxMsgs:           -1,
		MaxBytes:          -1,
		MaxMsgsPerSubject: -1,
		MaxMsgSize:        -1,
		// There is no limit to discard for; should one ever be set, the log
		// refuses pages instead of dropping them.
		Discard:     jetstream.DiscardNew,
		Storage:     jetstream.FileStorage,
		Replicas:    max(replicas, 1),
		DenyDelete:  true,
		DenyPurge:   true,
		AllowDirect: true,
		RePublish: &jetstream.RePublish{
			Source: PagesSubject(book), Destination: StoredSubject(book), HeadersOnly: true,
		},
	}
}

// checkStream is nil if the stream is configured as a book's log must be.
func checkStream(book uuid.UUID, got jetstream.StreamConfig) error {
	want := streamConfig(book, got.Replicas)
	discards := got.MaxMsgs > 0 || got.MaxBytes > 0 || got.MaxMsgsPerSubject > 0 || got.MaxAge > 0 ||
		got.MaxMsgSize > 0 || got.Retention != want.Retention || got.Discard != want.Discard ||
		got.AllowMsgTTL || got.SubjectDeleteMarkerTTL > 0
	erases := !got.DenyDelete || !got.DenyPurge || got.AllowRollup
	admits := got.AllowAtomicPublish || got.AllowBatchPublish || got.AllowMsgCounter || got.AllowMsgSchedules ||
		got.Mirror != nil || len(got.Sources) > 0 || got.SubjectTransform != nil
	lossy := got.Storage != want.Storage || got.NoAck || got.PersistMode != want.PersistMode
	republishes := got.RePublish != nil && *got.RePublish == *want.RePublish
	for _, fault := range []struct {
		found bool
		text  string
	}{
		{len(got.Subjects) != 1 || got.Subjects[0] != want.Subjects[0], "it has other subjects than the pages'"},
		{discards, "it has limits that discard pages"},
		{erases, "its pages can be deleted"},
		{admits, "it admits messages that are not pages"},
		{lossy, "it acknowledges pages that are not on disk"},
		{got.Sealed, "it is sealed"},
		{!got.AllowDirect, "it does not allow direct reads"},
		{!republishes, "it does not tell which pages are stored"},
	} {
		if fault.found {
			return fmt.Errorf("stream %s: %s: %w", got.Name, fault.text, eventstore.ErrForeign)
		}
	}
	return nil
}

// serviceUnavailable is answered while a cluster has no leader.
const serviceUnavailable = 503

// unavailable marks what the server did not answer within the context. What it
// did answer is left as it is.
func unavailable(ctx context.Context, err error) error {
	var answered *jetstream.APIError
	if errors.As(err, &answered) && answered.Code != serviceUnavailable {
		return err
	}
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case errors.Is(err, nats.ErrReconnectBufExceeded): // so NATS says it of a connection without a buffer
		err = errLost
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}
