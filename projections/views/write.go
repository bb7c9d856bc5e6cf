package views

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
)

// table names a table's columns, the primary key's first.
type table struct {
	name    string
	keys    int
	columns []string
}

// together is how many rows one statement carries where there are as many.
const together = 16

// statement gives the SQL that writes n rows. An update replaces rows that are
// there; without it they are a conflict.
func (t table) statement(n int, update bool) string {
	var b strings.Builder
	b.WriteString("INSERT INTO ")
	b.WriteString(t.name)
	b.WriteString(" (")
	b.WriteString(strings.Join(t.columns, ", "))
	b.WriteString(") VALUES ")
	for row := range n {
		for column := range t.columns {
			switch {
			case column > 0:
				b.WriteString(", ")
			case row > 0:
				b.WriteString(", (")
			default:
				b.WriteString("(")
			}
			b.WriteString("$")
			b.WriteString(strconv.Itoa(row*len(t.columns) + column + 1))
		}
		b.WriteString(")")
	}
	if update {
		b.WriteString(" ON CONFLICT (")
		b.WriteString(strings.Join(t.columns[:t.keys], ", "))
		b.WriteString(") DO UPDATE SET ")
		for i, column := range t.columns[t.keys:] {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(column + " = excluded." + column)
		}
	}
	return b.String()
}

// writer writes rows within one transaction, with statements that are prepared
// once for all transactions.
type writer struct {
	tx       *sql.Tx
	prepared map[string]*sql.Stmt // of the database
	here     map[string]*sql.Stmt // of this transaction
	wanted   []string             // prepared here alone; next time of the database
}

func (w *writer) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if s := w.here[query]; s != nil {
		return s, nil
	}
	var s *sql.Stmt
	if known := w.prepared[query]; known != nil {
		s = w.tx.StmtContext(ctx, known)
	} else {
		var err error
		if s, err = w.tx.PrepareContext(ctx, query); err != nil {
			return nil, err
		}
		w.wanted = append(w.wanted, query)
	}
	w.here[query] = s
	return s, nil
}

func (w *writer) row(ctx context.Context, query string, args []any, into ...any) error {
	s, err := w.stmt(ctx, query)
	if err != nil {
		return err
	}
	return s.QueryRowContext(ctx, args...).Scan(into...)
}

// put writes rows, given one after the other in flat.
func (w *writer) put(ctx context.Context, t table, flat []any, update bool) error {
	for len(flat) > 0 {
		n := min(len(flat)/len(t.columns), together)
		if n < together {
			n = 1 // only two forms of each statement
		}
		s, err := w.stmt(ctx, t.statement(n, update))
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		if _, err := s.ExecContext(ctx, flat[:n*len(t.columns)]...); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		flat = flat[n*len(t.columns):]
	}
	return nil
}
