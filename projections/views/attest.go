package views

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash"
	"slices"
	"strings"

	"github.com/daybook-ledger/daybook/projections"
)

// Hash is the canonical hash of a view.
type Hash [sha256.Size]byte

// MarshalText implements encoding.TextMarshaler: base64.
func (h Hash) MarshalText() ([]byte, error) {
	return base64.StdEncoding.AppendEncode(nil, h[:]), nil
}

// Attestation says what the views hold at a place of the log. It is the same on
// every engine and after every rebuild, whatever was erased meanwhile.
// docs/FORMAT.md has its form.
type Attestation struct {
	// Cursor is the place.
	Cursor projections.Cursor
	// Schema is the version of the tables: hashes of two versions differ.
	Schema int
	// Views are the hashes by name.
	Views map[string]Hash
}

// attested is one view: the tables that make it up.
type attested struct {
	name  string
	parts []part
}

// part is a table of a view.
type part struct {
	table Table
	// kind, if set, leaves only documents of that kind.
	kind string
	// omit are the columns that are not hashed: personal data and what is made of
	// them, for which the digest of the sealed section stands, and where in the
	// log something is kept, which is not what it says.
	omit []string
}

var documentNames = []string{"name", "name_key", "search"}

// attestedViews are all views, in no order that counts. Every table is in one.
var attestedViews = []attested{
	{"book", []part{{table: booksTable}, {table: rolesTable}}},
	{"series", []part{{table: seriesTable}, {table: countersTable}}},
	{"customers", []part{
		{table: customersTable, omit: []string{"name", "name_key", "reference", "profile", "search"}},
		{table: balancesTable},
	}},
	{"invoices", []part{{table: documentsTable, kind: "invoice", omit: documentNames}, {table: boundsTable, kind: "invoice"}}},
	{"credits", []part{{table: documentsTable, kind: "credit", omit: documentNames}, {table: boundsTable, kind: "credit"}}},
	{"payments", []part{
		{table: documentsTable, kind: "payment", omit: documentNames}, {table: boundsTable, kind: "payment"}, {table: fundsTable}, {table: allocationsTable},
	}},
	{"contents", []part{{table: contentsTable, omit: []string{"personal"}}}},
	{"activity", []part{{table: activityTable, omit: []string{"page"}}}},
	{"journal", []part{{table: entriesTable}, {table: postingsTable}}},
	{"accounts", []part{{table: accountsTable}, {table: daysTable}}},
	{"open", []part{{table: openTable}, {table: dueTable}}},
	{"sales", []part{{table: salesTable}}},
	{"tax", []part{{table: taxTable}}},
	{"deposits", []part{{table: depositsTable}, {table: deductionsTable}}},
	{"periods", []part{{table: periodsTable}, {table: closingTable}}},
}

// Names gives the names of the views.
func Names() []string {
	names := make([]string, len(attestedViews))
	for i, v := range attestedViews {
		names[i] = v.name
	}
	slices.Sort(names)
	return names
}

// Attest hashes every view, in one transaction and in memory that does not grow
// with the book.
func (q *Queries) Attest(ctx context.Context) (a Attestation, err error) {
	err = q.reader.Read(ctx, func(tx Tx) error {
		status, err := readStatus(ctx, tx)
		if err != nil {
			return err
		}
		a = Attestation{status.Cursor, Version, map[string]Hash{}}
		for _, v := range attestedViews {
			if a.Views[v.name], err = v.hash(ctx, tx); err != nil {
				return fmt.Errorf("%s: %w", v.name, err)
			}
		}
		return nil
	})
	if err != nil {
		return Attestation{}, fmt.Errorf("views: attest: %w", err)
	}
	return a, nil
}

// canonicalForm begins every hash, so that nothing else can be taken for one.
const canonicalForm = "daybook/view/1"

func (v attested) hash(ctx context.Context, tx Tx) (sum Hash, err error) {
	c := canon{hash: sha256.New()}
	c.text(canonicalForm)
	c.text(v.name)
	for _, p := range v.parts {
		if err := p.hash(ctx, tx, &c); err != nil {
			return sum, fmt.Errorf("%s: %w", p.table.Name, err)
		}
	}
	c.flush(0)
	c.hash.Sum(sum[:0])
	return sum, nil
}

// hash adds a table: its name and columns, its rows in the order of their keys,
// and how many there were.
func (p part) hash(ctx context.Context, tx Tx, c *canon) error {
	var columns []string
	for _, column := range p.table.Columns {
		if !slices.Contains(p.omit, column) {
			columns = append(columns, column)
		}
	}
	c.head(majorArray, uint64(len(columns)+1))
	c.text(p.table.Name)
	for _, column := range columns {
		c.text(column)
	}
	var w where
	w.text("kind = ?", p.kind)
	query := "SELECT " + strings.Join(columns, ", ") + " FROM " + p.table.Name + w.String() +
		" ORDER BY " + strings.Join(p.table.Columns[:p.table.Keys], ", ")
	row := make([]any, len(columns))
	into := make([]any, len(columns))
	for i := range row {
		into[i] = &row[i]
	}
	var count uint64
	err := load(ctx, tx, query, w.args, func(r scanner) error {
		if err := r.Scan(into...); err != nil {
			return err
		}
		count++
		return c.row(row)
	})
	c.head(majorUint, count)
	return err
}

// canon writes CBOR (RFC 8949, core deterministic) into a hash.
type canon struct {
	hash hash.Hash
	buf  []byte
}

// The CBOR major types in their place in the first byte.
const (
	majorUint     byte = 0 << 5
	majorNegative byte = 1 << 5
	majorBytes    byte = 2 << 5
	majorText     byte = 3 << 5
	majorArray    byte = 4 << 5
	null          byte = 0xf6
)

func (c *canon) row(values []any) error {
	c.head(majorArray, uint64(len(values)))
	for _, value := range values {
		switch v := value.(type) {
		case int64:
			if v < 0 {
				c.head(majorNegative, uint64(-1-v))
			} else {
				c.head(majorUint, uint64(v))
			}
		case string:
			c.text(v)
		case []byte:
			c.head(majorBytes, uint64(len(v)))
			c.buf = append(c.buf, v...)
		case nil:
			c.buf = append(c.buf, null)
		default:
			return damaged("a column holds a %T", value)
		}
	}
	c.flush(4 << 10)
	return nil
}

func (c *canon) text(s string) {
	c.head(majorText, uint64(len(s)))
	c.buf = append(c.buf, s...)
}

// head appends the shortest head with that argument.
func (c *canon) head(major byte, n uint64) {
	switch {
	case n < 24:
		c.buf = append(c.buf, major|byte(n))
	case n < 1<<8:
		c.buf = append(c.buf, major|24, byte(n))
	case n < 1<<16:
		c.buf = binary.BigEndian.AppendUint16(append(c.buf, major|25), uint16(n))
	case n < 1<<32:
		c.buf = binary.BigEndian.AppendUint32(append(c.buf, major|26), uint32(n))
	default:
		c.buf = binary.BigEndian.AppendUint64(append(c.buf, major|27), n)
	}
}

// flush hashes what has come together, if it is more than so many bytes.
func (c *canon) flush(least int) {
	if len(c.buf) > least {
		c.hash.Write(c.buf)
		c.buf = c.buf[:0]
	}
}
