package bench

import (
	"context"
	"io"
	"log/slog"
	"testing"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"github.com/daybook-ledger/daybook/eventstore/jetstream"
)

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// plainStream makes an ordinary stream on the same kind of server that a book
// has: file storage, a flush for every message.
func plainStream(b *testing.B, server *jetstream.Embedded) (natsjs.JetStream, error) {
	b.Helper()
	js, err := natsjs.New(server.Conn())
	if err != nil {
		return nil, err
	}
	_, err = js.CreateStream(context.Background(), natsjs.StreamConfig{Name: "plain", Subjects: []string{"plain"}, Storage: natsjs.FileStorage})
	return js, err
}
