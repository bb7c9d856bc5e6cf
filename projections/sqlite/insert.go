package sqlite

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"github.com/daybook-ledger/daybook/projections/views"
)

// together is how many rows one statement carries where there are as many.
const together = 16

// inserts are the statements that put rows, prepared once on the connection that
// writes. They go past database/sql, and keep what is bound: most values are those
// that the row before had in their place, and each that is bound again costs as much
// as a column that is written.
type inserts struct {
	conn     *sqlite3.Conn
	prepared map[form]*insert
}

// form tells the statements apart.
type form struct {
	table  string
	rows   int
	update bool
}

// insert is a statement with what is bound to it.
type insert struct {
	*sqlite3.Stmt
	bound []bound
}

// bound is the value of a parameter, if it is known.
type bound struct {
	known bool
	value any // nil, an int64 or a string; or bytes:
	bytes []byte
}

// longest is how long bytes may be to be known: those of an id come again.
const longest = 32

// put writes rows in the transaction that is under way.
func (i *inserts) put(c *sqlite3.Conn, t views.Table, flat []any, update bool) error {
	if c.GetAutocommit() { // it ended with its context
		return sql.ErrTxDone
	}
	if c != i.conn {
		if err := i.close(c); err != nil {
			return err
		}
		i.conn, i.prepared = c, make(map[form]*insert)
	}
	for len(flat) > 0 {
		n := min(len(flat)/len(t.Columns), together)
		if n < together {
			n = 1 // only two forms of each statement
		}
		s, err := i.prepare(t, n, update)
		if err != nil {
			return err
		}
		if err := s.put(flat[:n*len(t.Columns)]); err != nil {
			return err
		}
		flat = flat[n*len(t.Columns):]
	}
	return nil
}

func (i *inserts) prepare(t views.Table, n int, update bool) (*insert, error) {
	f := form{t.Name, n, update}
	if s := i.prepared[f]; s != nil {
		return s, nil
	}
	stmt, _, err := i.conn.PrepareFlags(statement(t, n, update), sqlite3.PREPARE_PERSISTENT)
	if err != nil {
		return nil, err
	}
	s := &insert{Stmt: stmt, bound: make([]bound, n*len(t.Columns))}
	i.prepared[f] = s
	return s, nil
}

// close releases the statements. Where their connection is not the live one any more,
// database/sql has given it up with a transaction whose context ended: SQLite closes
// it only when it has no statements.
func (i *inserts) close(live *sqlite3.Conn) error {
	var errs []error
	for _, s := range i.prepared {
		errs = append(errs, s.Close())
	}
	if i.conn != live {
		errs = append(errs, i.conn.Close())
	}
	i.conn, i.prepared = nil, nil
	return errors.Join(errs...)
}

func (s *insert) put(values []any) error {
	for at, value := range values {
		if s.bound[at].is(value) {
			continue
		}
		s.bound[at] = bound{bytes: s.bound[at].bytes[:0]}
		if err := bind(s.Stmt, at+1, value); err != nil {
			return err
		}
		s.bound[at].set(value)
	}
	return s.Exec()
}

func bind(s *sqlite3.Stmt, parameter int, value any) error {
	switch v := value.(type) {
	case int64:
		return s.BindInt64(parameter, v)
	case string:
		return s.BindText(parameter, v)
	case []byte:
		return s.BindBlob(parameter, v)
	case nil:
		return s.BindNull(parameter)
	default:
		return fmt.Errorf("sqlite: a value of type %T", value)
	}
}

func (b *bound) is(value any) bool {
	if !b.known {
		return false
	}
	if v, are := value.([]byte); are {
		return b.value == any(isBytes) && bytes.Equal(b.bytes, v)
	}
	return b.value == value
}

// isBytes stands for bytes in a bound's value.
var isBytes = new(byte)

func (b *bound) set(value any) {
	v, are := value.([]byte)
	switch {
	case !are:
		b.known, b.value = true, value
	case len(v) <= longest:
		b.known, b.value, b.bytes = true, isBytes, append(b.bytes, v...) // whoever gave them may change them
	}
}

// statement gives the SQL that writes n rows.
func statement(t views.Table, n int, update bool) string {
	var b strings.Builder
	b.WriteString(t.Insert())
	b.WriteString(" VALUES ")
	for row := range n {
		for column := range t.Columns {
			switch {
			case column > 0:
				b.WriteString(", ")
			case row > 0:
				b.WriteString(", (")
			default:
				b.WriteString("(")
			}
			b.WriteString("$")
			b.WriteString(strconv.Itoa(row*len(t.Columns) + column + 1))
		}
		b.WriteString(")")
	}
	if update {
		b.WriteString(t.Update())
	}
	return b.String()
}
