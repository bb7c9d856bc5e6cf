package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/daybook-ledger/daybook/projections/views"
)

// transaction is a views.Writer.
type transaction struct {
	tx       pgx.Tx
	patience *patience
}

// rows are rows whose closing cannot fail.
type rows struct {
	pgx.Rows
	patience *patience
}

// Next implements views.Rows.
func (r rows) Next() bool {
	r.patience.anew()
	return r.Rows.Next()
}

// Close implements views.Rows.
func (r rows) Close() error {
	r.Rows.Close()
	return nil
}

// QueryContext implements views.Tx.
func (t *transaction) QueryContext(ctx context.Context, query string, args ...any) (views.Rows, error) {
	t.patience.anew()
	found, err := t.tx.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return rows{found, t.patience}, nil
}

// QueryRowContext implements views.Querier.
func (t *transaction) QueryRowContext(ctx context.Context, query string, args ...any) views.Row {
	t.patience.anew()
	return t.tx.QueryRow(ctx, query, args...)
}

// ExecContext implements views.Writer.
func (t *transaction) ExecContext(ctx context.Context, query string, args ...any) error {
	t.patience.anew()
	_, err := t.tx.Exec(ctx, query, args...)
	return err
}

// copyFrom is the number of new rows from which COPY is worth its own journeys
// to the server and back.
const copyFrom = 50

// Put implements views.Writer: many new rows by COPY, others by one statement
// with an array for each column.
func (t *transaction) Put(ctx context.Context, table views.Table, flat []any, update bool) error {
	var err error
	switch n := len(flat) / len(table.Columns); {
	case n == 0:
		return nil
	case n >= copyFrom && !update:
		t.patience.anew()
		_, err = t.tx.CopyFrom(ctx, pgx.Identifier{table.Name}, table.Columns, &source{flat: flat, width: len(table.Columns)})
	default:
		err = t.unnest(ctx, table, flat, update)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", table.Name, err)
	}
	return nil
}

// source gives COPY its rows.
type source struct {
	flat  []any
	width int
	row   []any
}

// Next implements pgx.CopyFromSource.
func (s *source) Next() bool {
	if len(s.flat) == 0 {
		return false
	}
	s.row, s.flat = s.flat[:s.width], s.flat[s.width:]
	return true
}

// Values implements pgx.CopyFromSource.
func (s *source) Values() ([]any, error) { return s.row, nil }

// Err implements pgx.CopyFromSource.
func (s *source) Err() error { return nil }

// unnest writes rows by a statement whose form does not depend on how many there
// are.
func (t *transaction) unnest(ctx context.Context, table views.Table, flat []any, update bool) error {
	arrays := make([]any, len(table.Columns))
	places := make([]string, len(table.Columns))
	for i, name := range table.Columns {
		kind, array, err := column(flat, i, len(table.Columns))
		if err != nil {
			return fmt.Errorf("column %s: %w", name, err)
		}
		arrays[i], places[i] = array, "$"+strconv.Itoa(i+1)+"::"+kind+"[]"
	}
	query := table.Insert() + " SELECT * FROM unnest(" + strings.Join(places, ", ") + ")"
	if update {
		query += table.Update()
	}
	return t.ExecContext(ctx, query, arrays...)
}

// column gives the type of a column of rows, and its values as an array. Only
// bytes may be NULL.
func column(flat []any, first, width int) (kind string, array any, err error) {
	var like any
	for i := first; i < len(flat) && like == nil; i += width {
		like = flat[i]
	}
	switch like.(type) {
	case int64:
		array, err = values[int64](flat, first, width)
		return "INT8", array, err
	case string:
		array, err = values[string](flat, first, width)
		return "TEXT", array, err
	case []byte, nil:
		array, err = values[[]byte](flat, first, width)
		return "BYTEA", array, err
	default:
		return "", nil, fmt.Errorf("a %T", like)
	}
}

func values[T any](flat []any, first, width int) ([]T, error) {
	all := make([]T, 0, len(flat)/width)
	for i := first; i < len(flat); i += width {
		v, is := flat[i].(T)
		if _, nullable := any(v).([]byte); !is && (flat[i] != nil || !nullable) {
			return nil, fmt.Errorf("a %T among others", flat[i])
		}
		all = append(all, v)
	}
	return all, nil
}
