package postgres

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/daybook-ledger/daybook/projections/views"
)

const (
	// connections is how many a process holds at most: one writes, the others
	// read.
	connections = 8
	// idle is how long the server lets a transaction of ours do nothing: one
	// whose process hangs must not keep its locks.
	idle = 5 * time.Minute
)

// liveQuery asks which generation of a book is live.
const liveQuery = `SELECT generation FROM daybook.books WHERE book = $1`

// database is where the views of a book are.
type database struct {
	config  *pgxpool.Config
	book    uuid.UUID
	erasure int64
	within  time.Duration
}

func newDatabase(o Options) (*database, error) {
	config, err := ParseURL(o.URL)
	if err != nil {
		return nil, err
	}
	config.MaxConns = connections
	config.ConnConfig.Tracer = o.Trace
	if o.Within == 0 {
		o.Within = 2 * time.Minute
	}
	return &database{config, o.Book, o.Erasure, o.Within}, nil
}

// generation is one generation of a book's views, open.
type generation struct {
	number int64
	engine *engine
	views  *views.Views
}

func (g *generation) close() { g.engine.pool.Close() }

// schema is the name of a generation's schema.
func (db *database) schema(number int64) string {
	return db.prefix() + strconv.FormatInt(number, 10)
}

func (db *database) prefix() string { return "daybook_" + hex.EncodeToString(db.book[:]) + "_" }

// open opens a generation.
func (db *database) open(ctx context.Context, number int64, live bool) (*generation, error) {
	config := db.config.Copy()
	config.ConnConfig.RuntimeParams["search_path"] = db.schema(number)
	config.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = strconv.FormatInt(idle.Milliseconds(), 10)
	config.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		if cockroach(c) {
			return nil
		}
		// A crash may take the last transactions, whole: they are in the log.
		_, err := c.Exec(ctx, `SET synchronous_commit = off`)
		return err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	c, err := pool.Acquire(ctx)
	if err != nil {
		pool.Close()
		return nil, err
	}
	e := &engine{pool: pool, book: db.book, number: number, live: live, within: db.within, cockroach: cockroach(c.Conn())}
	c.Release()
	return &generation{number, e, views.New(e)}, nil
}

// cockroach reports whether the server is CockroachDB, which says so.
func cockroach(c *pgx.Conn) bool { return c.PgConn().ParameterStatus("crdb_version") != "" }

// openLive opens the generation that is live, and begins the book's first where
// there is none.
func (db *database) openLive(ctx context.Context) (*generation, error) {
	c, err := db.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close(context.WithoutCancel(ctx))
	var number int64
	if err := c.QueryRow(ctx, liveQuery, db.book[:]).Scan(&number); err != nil || number == 0 {
		// Either there are no views yet, or the failure shows again.
		if err := db.prepare(ctx, c); err != nil {
			return nil, err
		}
	} else if current, err := db.current(ctx, c, number); err != nil {
		return nil, err
	} else if current {
		return db.open(ctx, number, true)
	}
	if number, err = db.migrate(ctx, c); err != nil {
		return nil, err
	}
	return db.open(ctx, number, true)
}

// connect makes a connection of its own, for what is not done in a generation.
func (db *database) connect(ctx context.Context) (*pgx.Conn, error) {
	return pgx.ConnectConfig(ctx, db.config.ConnConfig.Copy())
}

// current reports whether a generation has the schema of this program.
func (db *database) current(ctx context.Context, c *pgx.Conn, number int64) (bool, error) {
	if _, err := c.Exec(ctx, `SET search_path = `+db.schema(number)); err != nil {
		return false, err
	}
	return views.Current(ctx, definer{c})
}

// prepare makes what all books share, and the row of this one. Several processes
// may do so at once, and PostgreSQL then refuses all but one even of what is made
// only where it is missing.
func (db *database) prepare(ctx context.Context, c *pgx.Conn) error {
	for tries := 0; ; tries++ {
		err := db.shared(ctx, c)
		var refused *pgconn.PgError
		if !errors.As(err, &refused) || tries == 5 || !slices.Contains(madeMeanwhile, refused.Code) {
			return err
		}
	}
}

// madeMeanwhile are the codes by which PostgreSQL refuses what another process has
// just made: a table is a type and a row of the catalogue besides.
var madeMeanwhile = []string{uniqueViolation, duplicateSchema, duplicateTable, duplicateObject}

// Shared gives the statements that make what all books share.
func Shared() []string { return sharedStatements }

var sharedStatements = []string{
	`CREATE SCHEMA IF NOT EXISTS daybook`,
	`CREATE TABLE IF NOT EXISTS daybook.books (book BYTEA NOT NULL PRIMARY KEY, generation INT8 NOT NULL, next INT8 NOT NULL)`,
	`CREATE TABLE IF NOT EXISTS daybook.generations (book BYTEA NOT NULL, number INT8 NOT NULL, erasure INT8 NOT NULL, PRIMARY KEY (book, number))`,
	`CREATE TABLE IF NOT EXISTS daybook.rebuilds (book BYTEA NOT NULL PRIMARY KEY)`,
}

func (db *database) shared(ctx context.Context, c *pgx.Conn) error {
	for _, statement := range sharedStatements {
		if _, err := c.Exec(ctx, statement); err != nil {
			return err
		}
	}
	if _, err := c.Exec(ctx, `INSERT INTO daybook.books (book, generation, next) VALUES ($1, 0, 0) ON CONFLICT (book) DO NOTHING`, db.book[:]); err != nil {
		return err
	}
	_, err := c.Exec(ctx, `INSERT INTO daybook.rebuilds (book) VALUES ($1) ON CONFLICT (book) DO NOTHING`, db.book[:])
	return err
}

// migrate brings the live generation's schema up to date, or makes the first,
// while it holds the lock of the book; it gives the number of the generation
// that is live. Tables are defined through another connection than the one that
// holds the lock, one statement after the other, because CockroachDB does not
// define tables in a transaction; whatever was done before a failure is passed
// over the next time.
func (db *database) migrate(ctx context.Context, c *pgx.Conn) (number int64, err error) {
	tx, err := c.Begin(ctx)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) //nolint:errcheck // after Commit it does nothing
	// Changing the row locks it for certain; on CockroachDB a lock for reading
	// may be lost.
	if err := tx.QueryRow(ctx, `UPDATE daybook.books SET generation = greatest(generation, 1) WHERE book = $1 RETURNING generation`, db.book[:]).Scan(&number); err != nil {
		return 0, err
	}
	if err := db.stamp(ctx, tx, number); err != nil {
		return 0, err
	}
	if err := db.define(ctx, number, func(d views.Definer) error { return views.Migrate(ctx, d, false) }); err != nil {
		return 0, err
	}
	return number, tx.Commit(ctx)
}

// execer is a connection or a transaction.
type execer interface {
	Exec(ctx context.Context, statement string, args ...any) (pgconn.CommandTag, error)
}

// stamp keeps, for a generation that begins, the newest erasure.
func (db *database) stamp(ctx context.Context, c execer, number int64) error {
	_, err := c.Exec(ctx, `INSERT INTO daybook.generations (book, number, erasure) VALUES ($1, $2, $3) ON CONFLICT (book, number) DO NOTHING`,
		db.book[:], number, db.erasure)
	return err
}

// look tells how far the live generation is.
func (db *database) look(ctx context.Context) (status views.Status, erasure int64, err error) {
	c, err := db.connect(ctx)
	if err != nil {
		return status, 0, err
	}
	defer c.Close(context.WithoutCancel(ctx))
	var number int64
	err = c.QueryRow(ctx, `SELECT b.generation, coalesce(g.erasure, 0) FROM daybook.books b
		LEFT JOIN daybook.generations g ON g.book = b.book AND g.number = b.generation WHERE b.book = $1`, db.book[:]).Scan(&number, &erasure)
	var refused *pgconn.PgError
	if errors.Is(err, pgx.ErrNoRows) || errors.As(err, &refused) && (refused.Code == undefinedTable || refused.Code == invalidSchema) || err == nil && number == 0 {
		return status, 0, nil // nothing was begun
	}
	if err != nil {
		return status, 0, err
	}
	g, err := db.open(ctx, number, true)
	if err != nil {
		return status, 0, err
	}
	defer g.close()
	status, err = g.views.Status(ctx)
	return status, erasure, err
}

// define makes a generation's schema where it is missing and runs f with it.
func (db *database) define(ctx context.Context, number int64, f func(views.Definer) error) error {
	c, err := db.connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	for _, statement := range []string{`CREATE SCHEMA IF NOT EXISTS ` + db.schema(number), `SET search_path = ` + db.schema(number)} {
		if _, err := c.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return f(definer{c})
}

// definer implements views.Definer, each statement by itself.
type definer struct{ c *pgx.Conn }

// QueryRowContext implements views.Querier.
func (d definer) QueryRowContext(ctx context.Context, query string, args ...any) views.Row {
	return d.c.QueryRow(ctx, query, args...)
}

// ExecContext implements views.Definer.
func (d definer) ExecContext(ctx context.Context, statement string, args ...any) error {
	_, err := d.c.Exec(ctx, Definition(statement, cockroach(d.c)), args...)
	return err
}

var (
	texts = regexp.MustCompile(`\bTEXT\b`)
	blobs = regexp.MustCompile(`\bBLOB\b`)
)

// Definition gives a statement of a migration in the words of the database, so
// that it may be run twice. CockroachDB knows TEXT, compared byte by byte, and
// BLOB as they are.
func Definition(statement string, cockroach bool) string {
	statement = strings.Replace(statement, " ADD COLUMN ", " ADD COLUMN IF NOT EXISTS ", 1)
	if cockroach {
		return statement
	}
	return blobs.ReplaceAllString(texts.ReplaceAllString(statement, `TEXT COLLATE "C"`), "BYTEA")
}

// generations lists the numbers of a book's generations that have a schema.
func (db *database) generations(ctx context.Context, c *pgx.Conn) (numbers []int64, err error) {
	rows, err := c.Query(ctx, `SELECT nspname::TEXT FROM pg_catalog.pg_namespace WHERE nspname >= $1 AND nspname < $2`, db.prefix(), db.prefix()+"~")
	if err != nil {
		return nil, err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		number, err := strconv.ParseInt(strings.TrimPrefix(name, db.prefix()), 10, 64)
		if err == nil && db.schema(number) == name {
			numbers = append(numbers, number)
		}
	}
	return numbers, nil
}

// sweep drops the generations of a book but two: what was replaced, and what a
// rebuild had begun that nobody goes on with.
func (db *database) sweep(ctx context.Context, c *pgx.Conn, live, next int64) error {
	numbers, err := db.generations(ctx, c)
	if err != nil {
		return err
	}
	for _, number := range numbers {
		if number == live || number == next {
			continue
		}
		if _, err := c.Exec(ctx, `DROP SCHEMA IF EXISTS `+db.schema(number)+` CASCADE`); err != nil {
			return fmt.Errorf("drop old views: %w", err)
		}
		if _, err := c.Exec(ctx, `DELETE FROM daybook.generations WHERE book = $1 AND number = $2`, db.book[:], number); err != nil {
			return fmt.Errorf("drop old views: %w", err)
		}
	}
	return nil
}
