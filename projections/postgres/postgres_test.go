package postgres_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/daybook-ledger/daybook/projections"
	"github.com/daybook-ledger/daybook/projections/postgres"
	"github.com/daybook-ledger/daybook/projections/views"
	"github.com/daybook-ledger/daybook/testing/compiled"
	"github.com/daybook-ledger/daybook/testing/effort"
	"github.com/daybook-ledger/daybook/testing/given"
	"github.com/daybook-ledger/daybook/testing/pgserver"
	"github.com/daybook-ledger/daybook/testing/viewtest"
)

// shared is the server of most tests, started by the first that needs it.
var shared struct {
	once   sync.Once
	server *pgserver.Server
	err    error
}

func TestMain(m *testing.M) {
	compiled.SQLite()
	// The folds are those of package sqlite's tests, which take more random books
	// through them; here it is how rows are written that is tested.
	effort.Checks(effort.Of(30, 10))
	code := m.Run()
	if shared.server != nil {
		if err := shared.server.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	os.Exit(code)
}

// server gives the shared server.
func server(t testing.TB) *pgserver.Server {
	t.Helper()
	pgserver.Missing(t)
	shared.once.Do(func() { shared.server, shared.err = pgserver.Start() })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server
}

// at says where the views of a test's book are.
func at(url, place string) postgres.Options {
	return postgres.Options{URL: url, Book: given.ID(place)}
}

// raw opens the live schema of a book to be disturbed.
func raw(url string, book uuid.UUID) (*sql.DB, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	if config.RuntimeParams["search_path"], err = postgres.Schema(context.Background(), postgres.Options{URL: url, Book: book}); err != nil {
		return nil, err
	}
	return stdlib.OpenDB(*config), nil
}

func engine(url string) viewtest.Engine {
	return viewtest.Engine{
		Open: func(place string) (viewtest.Store, error) { return open(at(url, place)) },
		Raw:  func(place string) (*sql.DB, error) { return raw(url, given.ID(place)) },
		Rebuild: func(place string, r views.Rebuild) error {
			return postgres.Rebuild(context.Background(), at(url, place), r)
		},
	}
}

func open(o postgres.Options) (viewtest.Store, error) {
	s, err := postgres.Open(context.Background(), o)
	if err != nil {
		return viewtest.Store{}, err
	}
	return viewtest.Store{Store: s, Queries: s.Queries, Close: s.Close}, nil
}

func TestConformance(t *testing.T) {
	viewtest.Run(t, func(t *testing.T) viewtest.Engine { return engine(server(t).Database(t)) })
}

// TestLookWhileReplaced looks at views that are replaced after it was found which are
// live.
func TestLookWhileReplaced(t *testing.T) {
	url := server(t).Database(t)
	log := viewtest.NewLog(given.Opened(t), 1)
	o := at(url, "looked at")
	s, err := postgres.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	runner := projections.Runner{View: s, Read: log.Source()}
	if err := runner.CatchUp(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	seen := o
	replaces := &replacer{replace: func() error { return postgres.Rebuild(context.Background(), o, views.Rebuild{Log: log.Source()}) }}
	seen.Trace = replaces
	status, _, err := postgres.Look(t.Context(), seen)
	if err != nil || replaces.err != nil || !replaces.done || status.Cursor != log.End() {
		t.Errorf("%+v, %v; replaced: %t, %v", status, err, replaces.done, replaces.err)
	}
}

// replacer replaces the views when the first statement on a connection has ended.
type replacer struct {
	replace func() error
	done    bool
	err     error
}

func (r *replacer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}

func (r *replacer) TraceQueryEnd(_ context.Context, _ *pgx.Conn, end pgx.TraceQueryEndData) {
	if !r.done && end.CommandTag.Select() {
		r.done, r.err = true, r.replace()
	}
}
