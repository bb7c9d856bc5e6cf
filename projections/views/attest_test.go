package views

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"math"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

// oneTable is a transaction that finds a few rows in one table.
type oneTable struct {
	rows [][]any
	at   int
}

func (o *oneTable) QueryContext(_ context.Context, query string, _ ...any) (Rows, error) {
	const want = "SELECT date, account, currency, debit, credit, debit_base, credit_base FROM account_days ORDER BY date, account, currency"
	if query != want {
		return nil, sql.ErrNoRows
	}
	return o, nil
}

func (o *oneTable) QueryRowContext(context.Context, string, ...any) Row { return nil }
func (o *oneTable) Next() bool                                          { o.at++; return o.at <= len(o.rows) }
func (o *oneTable) Err() error                                          { return nil }
func (o *oneTable) Close() error                                        { return nil }

func (o *oneTable) Scan(into ...any) error {
	for i, value := range o.rows[o.at-1] {
		*into[i].(*any) = value
	}
	return nil
}

// TestCanonicalForm holds the hash of a view against a CBOR library's encoding of
// the same items.
func TestCanonicalForm(t *testing.T) {
	rows := [][]any{
		{"2026-01-01", "bank", "GBP", int64(0), int64(-1), int64(math.MaxInt64), int64(math.MinInt64)},
		{"", "Ünï", "", int64(23), int64(24), int64(-256), int64(65536)},
		{[]byte{}, []byte{0, 255}, nil, int64(255), int64(-25), int64(1 << 40), int64(4294967296)},
	}
	view := attested{"accounts", []part{{table: daysTable}}}
	got, err := view.hash(context.Background(), &oneTable{rows: rows})
	if err != nil {
		t.Fatal(err)
	}
	encoding, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		t.Fatal(err)
	}
	header := []string{daysTable.Name}
	items := []any{"daybook/view/1", "accounts", append(header, daysTable.Columns...)}
	for _, row := range rows {
		items = append(items, row)
	}
	var sequence []byte
	for _, item := range append(items, uint64(len(rows))) {
		bytes, err := encoding.Marshal(item)
		if err != nil {
			t.Fatal(err)
		}
		sequence = append(sequence, bytes...)
	}
	if want := Hash(sha256.Sum256(sequence)); got != want {
		t.Errorf("got %s, want %s", text(got), text(want))
	}
}

func text(h Hash) string { return base64.StdEncoding.EncodeToString(h[:]) }
