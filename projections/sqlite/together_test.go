package sqlite_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/daybook-ledger/daybook/projections"
	"github.com/daybook-ledger/daybook/projections/sqlite"
	"github.com/daybook-ledger/daybook/testing/viewtest"
)

// TestRowsAndCursorStandTogether: where the cursor cannot be moved, no row
// changes; where a row cannot be written, the cursor stays.
func TestRowsAndCursorStandTogether(t *testing.T) {
	for name, table := range map[string]string{"cursor": "view_cursor", "rows": "postings"} {
		t.Run(name, func(t *testing.T) {
			dir, keys := filepath.Join(t.TempDir(), "views"), newRing()
			book, log := victimLog(24)
			s := openViews(t, dir, keys)
			first := projections.Runner{View: s, Read: log.Source()}
			if err := first.CatchUp(context.Background(), 10); err != nil {
				t.Fatal(err)
			}
			before := viewtest.Everything(t, s)
			raw, err := sqlite.Raw(dir, keys)
			if err != nil {
				t.Fatal(err)
			}
			defer raw.Close()
			event := map[string]string{"cursor": "UPDATE", "rows": "INSERT"}[name]
			if _, err := raw.Exec(`CREATE TRIGGER stuck BEFORE ` + event + ` ON ` + table + ` BEGIN SELECT RAISE(ABORT, 'stuck'); END`); err != nil {
				t.Fatal(err)
			}
			runner := projections.Runner{View: s, Read: log.Source()}
			if err := runner.CatchUp(context.Background(), 0); err == nil {
				t.Error("applied, though the database refused a part")
			}
			if after := viewtest.Everything(t, s); after != before {
				t.Error("a part of the transaction stayed")
			}
			if _, err := raw.Exec(`DROP TRIGGER stuck`); err != nil {
				t.Fatal(err)
			}
			if err := runner.CatchUp(context.Background(), 0); err != nil {
				t.Fatal(err)
			}
			viewtest.Agree(t, s, book)
		})
	}
}
