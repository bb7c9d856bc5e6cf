// Package cockroach holds the views against CockroachDB. No server of it can be
// had everywhere: so every statement is parsed by its own parser, and the suite
// of views runs on a real one where there is one.
//
// It is a module of its own, because the parser is large.
package cockroach_test

import (
	"context"
	"database/sql"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	crdb "github.com/cockroachdb/cockroachdb-parser/pkg/sql/parser"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/daybook-ledger/daybook/projections/postgres"
	"github.com/daybook-ledger/daybook/projections/views"
	"github.com/daybook-ledger/daybook/testing/given"
	"github.com/daybook-ledger/daybook/testing/pgserver"
	"github.com/daybook-ledger/daybook/testing/viewtest"
)

// recorder keeps every statement that is sent.
type recorder struct {
	mu   sync.Mutex
	seen map[string]bool
}

func (r *recorder) add(statement string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen[strings.Join(strings.Fields(statement), " ")] = true
}

func (r *recorder) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	r.add(data.SQL)
	return ctx
}

func (r *recorder) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (r *recorder) TraceCopyFromStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceCopyFromStartData) context.Context {
	r.add("COPY " + data.TableName.Sanitize() + " (" + strings.Join(data.ColumnNames, ", ") + ") FROM STDIN BINARY")
	return ctx
}

func (r *recorder) TraceCopyFromEnd(context.Context, *pgx.Conn, pgx.TraceCopyFromEndData) {}

// engine is views in a database, whose statements the recorder keeps.
func engine(url string, r *recorder) viewtest.Engine {
	at := func(place string) postgres.Options {
		o := postgres.Options{URL: url, Book: given.ID(place)}
		if r != nil {
			o.Trace = r
		}
		return o
	}
	return viewtest.Engine{
		Open: func(place string) (viewtest.Store, error) {
			s, err := postgres.Open(context.Background(), at(place))
			if err != nil {
				return viewtest.Store{}, err
			}
			return viewtest.Store{Store: s, Queries: s.Queries, Close: s.Close}, nil
		},
		Raw: func(place string) (*sql.DB, error) {
			config, err := pgx.ParseConfig(url)
			if err != nil {
				return nil, err
			}
			if config.RuntimeParams["search_path"], err = postgres.Schema(context.Background(), at(place)); err != nil {
				return nil, err
			}
			return stdlib.OpenDB(*config), nil
		},
		Rebuild: func(place string, rebuild views.Rebuild) error {
			return postgres.Rebuild(context.Background(), at(place), rebuild)
		},
	}
}

// onlyPostgres are the statements that are not sent to CockroachDB as they are:
// definitions, which it gets in its own words, and what it does not know.
var onlyPostgres = regexp.MustCompile(`^(CREATE (UNIQUE )?(TABLE|INDEX)|ALTER TABLE|SET synchronous_commit|VACUUM)`)

// TestStatements: CockroachDB's parser takes every statement that the suite of
// views sends, and every definition; and no statement stands in the source that
// was not among them.
func TestStatements(t *testing.T) {
	pgserver.Missing(t)
	server, err := pgserver.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	}()
	r := &recorder{seen: map[string]bool{}}
	viewtest.Run(t, func(t *testing.T) viewtest.Engine { return engine(server.Database(t), r) })
	// What the program asks besides.
	if _, _, err := postgres.Look(context.Background(), postgres.Options{URL: server.Database(t), Book: given.ID("none"), Trace: r}); err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for statement := range r.seen {
		if !onlyPostgres.MatchString(statement) {
			all[statement] = true
		}
	}
	for _, statement := range slices.Concat(views.Definitions(), postgres.Shared(), postgres.OnlyCockroach()) {
		all[strings.Join(strings.Fields(postgres.Definition(statement, true)), " ")] = true
	}
	for _, statement := range slices.Sorted(maps.Keys(all)) {
		if _, err := crdb.Parse(statement); err != nil {
			t.Errorf("CockroachDB does not take this: %v\n%s", err, statement)
		}
	}
	t.Logf("%d statements", len(all))
	if len(all) < 100 {
		t.Errorf("only %d statements were seen: the recorder is broken", len(all))
	}
	for literal, where := range literals(t) {
		if !sent(all, literal) {
			t.Errorf("%s: no test sends this statement: %s", where, literal)
		}
	}
}

// sent reports whether a statement holds the text.
func sent(all map[string]bool, text string) bool {
	for statement := range all {
		if strings.Contains(statement, text) {
			return true
		}
	}
	return false
}

var begins = regexp.MustCompile(`^(SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE|ALTER|DROP) [a-z(]`)

// literals finds the texts in the source of views that are statements, or begin
// one, and where.
func literals(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, folder := range []string{"views", "postgres"} {
		paths, err := filepath.Glob(filepath.Join("../../projections", folder, "*.go"))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %v", folder, err)
		}
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") || filepath.Base(path) == "schema.go" {
				continue // definitions are all parsed
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				literal, is := n.(*ast.BasicLit)
				if !is || literal.Kind != token.STRING {
					return true
				}
				value, err := strconv.Unquote(literal.Value)
				if value = strings.Join(strings.Fields(value), " "); err == nil && begins.MatchString(value) {
					found[value] = path
				}
				return true
			})
		}
	}
	if len(found) < 20 {
		t.Fatalf("only %d statements in the source: the search is broken", len(found))
	}
	return found
}
