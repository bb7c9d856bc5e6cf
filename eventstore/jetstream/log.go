package jetstream

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/nats-io/nats-server/v2/server"
)

// serverLog passes on what the server says, and keeps what it died of: the
// server tells that to its log alone.
type serverLog struct {
	out *slog.Logger

	mu   sync.Mutex
	died string
}

var _ server.Logger = (*serverLog)(nil)

func (l *serverLog) fatal() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.died
}

func (l *serverLog) say(level slog.Level, format string, v []any) {
	if l.out != nil && l.out.Enabled(context.Background(), level) {
		l.out.Log(context.Background(), level, fmt.Sprintf(format, v...), "from", "nats-server")
	}
}

// Noticef tells what the server does in its course: of use in debugging only.
func (l *serverLog) Noticef(format string, v ...any) { l.say(slog.LevelDebug, format, v) }

// Warnf tells of what may become a fault.
func (l *serverLog) Warnf(format string, v ...any) { l.say(slog.LevelWarn, format, v) }

// Errorf tells of a fault.
func (l *serverLog) Errorf(format string, v ...any) { l.say(slog.LevelError, format, v) }

// Fatalf tells why the server does not run. It does not end the process.
func (l *serverLog) Fatalf(format string, v ...any) {
	l.mu.Lock()
	if l.died == "" {
		l.died = fmt.Sprintf(format, v...)
	}
	l.mu.Unlock()
	l.say(slog.LevelError, format, v)
}

// Debugf is switched off.
func (l *serverLog) Debugf(string, ...any) {}

// Tracef is switched off.
func (l *serverLog) Tracef(string, ...any) {}
