package sqlite

import (
	"testing"

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
