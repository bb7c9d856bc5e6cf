package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/projections/views"
)

func TestStatements(t *testing.T) {
	small := views.Table{Name: "t", Keys: 1, Columns: []string{"a", "b"}}
	for _, c := range []struct{ got, want string }{
		{statement(small, 1, false), "INSERT INTO t (a, b) VALUES ($1, $2)"},
		{statement(small, 2, true), "INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4) ON CONFLICT (a) DO UPDATE SET b = excluded.b"},
	} {
		if c.got != c.want {
			t.Errorf("got  %s\nwant %s", c.got, c.want)
		}
	}
}

// TestValuesThatComeAgain puts rows of which each value may be the one before in its
// place, another, or of another type, by statements for one row and for many.
func TestValuesThatComeAgain(t *testing.T) {
	e, _ := withThings(t)
	values := []any{int64(0), int64(1), "", "0", "one", nil, []byte("one"), []byte{}, []byte("0"), bytes.Repeat([]byte("long"), longest)}
	table := views.Table{Name: "things", Keys: 1, Columns: []string{"id", "a", "b"}}
	rapid.Check(t, func(r *rapid.T) {
		some := rapid.SampledFrom(values)
		var flat []any
		want := map[int64][2]any{}
		for range rapid.IntRange(1, 3*together).Draw(r, "rows") {
			id := int64(len(want))
			a, b := some.Draw(r, "a"), some.Draw(r, "b")
			flat, want[id] = append(flat, id, a, b), [2]any{a, b}
		}
		if err := e.Write(t.Context(), func(w views.Writer) error { return w.Put(t.Context(), table, flat, true) }); err != nil {
			r.Fatal(err)
		}
		for id, row := range stored(r, e) {
			if wanted, put := want[id]; put && !reflect.DeepEqual(row, wanted) {
				r.Fatalf("row %d is %v, want %v", id, row, wanted)
			}
		}
	})
}

// TestBytesThatChange puts bytes that are changed in place afterwards, as ids in
// variables are.
func TestBytesThatChange(t *testing.T) {
	e, _ := withThings(t)
	table := views.Table{Name: "things", Keys: 1, Columns: []string{"id", "a", "b"}}
	id := []byte("first")
	err := e.Write(t.Context(), func(w views.Writer) error {
		err := w.Put(t.Context(), table, []any{int64(1), id, nil}, false)
		copy(id, "other")
		return errors.Join(err, w.Put(t.Context(), table, []any{int64(2), id, nil}, false))
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := stored(t, e); string(got[1][0].([]byte)) != "first" || string(got[2][0].([]byte)) != "other" {
		t.Errorf("stored %v", got)
	}
}

// TestNothingIsPutAfterTheEnd ends a transaction's context in its middle: what is put
// then must not be put outside of any.
func TestNothingIsPutAfterTheEnd(t *testing.T) {
	e, path := withThings(t)
	table := views.Table{Name: "things", Keys: 1, Columns: []string{"id", "a", "b"}}
	ctx, cancel := context.WithCancel(t.Context())
	err := e.Write(ctx, func(w views.Writer) error {
		if err := w.Put(ctx, table, []any{int64(1), "before", nil}, false); err != nil {
			return err
		}
		cancel()
		for {
			// The transaction is rolled back by another goroutine, soon.
			if err := w.Put(context.Background(), table, []any{int64(2), "after", nil}, true); err != nil {
				return err
			}
		}
	})
	if !errors.Is(err, sql.ErrTxDone) && !errors.Is(err, sql.ErrConnDone) {
		t.Errorf("got %v, want that the transaction has ended", err)
	}
	if got := stored(t, e); len(got) != 0 {
		t.Errorf("stored %v", got)
	}
	// And the next one has all that it puts, with what was bound before.
	if err := e.Write(t.Context(), func(w views.Writer) error {
		return w.Put(t.Context(), table, []any{int64(3), "before", nil}, false)
	}); err != nil {
		t.Fatal(err)
	}
	if got := stored(t, e); len(got) != 1 || got[3] != [2]any{"before", nil} {
		t.Errorf("stored %v", got)
	}
	if open := times(t, path); open != 1 {
		t.Errorf("the file is open %d times", open)
	}
}

// times is how often this process has a file open.
func times(t *testing.T, path string) (n int) {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("what files are open cannot be seen here: ", err)
	}
	for _, entry := range open {
		if to, err := os.Readlink(filepath.Join("/proc/self/fd", entry.Name())); err == nil && to == path {
			n++
		}
	}
	return n
}

// withThings is an engine with a table of things, in a file.
func withThings(t *testing.T) (*engine, string) {
	path := filepath.Join(t.TempDir(), "views.1.db")
	f, err := create(path, bytes.Repeat([]byte{1}, KeySize))
	if err != nil {
		t.Fatal(err)
	}
	e := newEngine(f)
	t.Cleanup(func() {
		if err := errors.Join(e.close(), f.close()); err != nil {
			t.Error(err)
		}
	})
	if err := e.define(t.Context(), func(d views.Definer) error {
		return d.ExecContext(t.Context(), `CREATE TABLE things (id INT8 NOT NULL PRIMARY KEY, a BLOB, b BLOB)`)
	}); err != nil {
		t.Fatal(err)
	}
	return e, path
}

func stored(t interface{ Fatal(...any) }, e *engine) map[int64][2]any {
	found := map[int64][2]any{}
	err := e.Write(context.Background(), func(w views.Writer) error {
		rows, err := w.QueryContext(context.Background(), `SELECT id, a, b FROM things`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id int64
			var a, b any
			if err := rows.Scan(&id, &a, &b); err != nil {
				return err
			}
			found[id] = [2]any{a, b}
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
