package views

import (
	"slices"
	"strings"
	"testing"
)

// TestWordsOfTheSchema: the schema keeps to the types that every engine has, and
// each written table to the columns that it was defined with.
func TestWordsOfTheSchema(t *testing.T) {
	defined := map[string]string{}
	for _, m := range migrations {
		for _, statement := range m.tables {
			for _, other := range []string{"INTEGER", "VARCHAR", "REAL", "AUTOINCREMENT", "WITHOUT ROWID", "BYTEA", "datetime"} {
				if strings.Contains(strings.ToUpper(statement), strings.ToUpper(other)) {
					t.Errorf("%s in %.60s", other, statement)
				}
			}
			if name, found := strings.CutPrefix(statement, "CREATE TABLE "); found {
				name, _, _ = strings.Cut(name, " ")
				defined[name] = statement
			}
			if more, found := strings.CutPrefix(statement, "ALTER TABLE "); found {
				name, column, _ := strings.Cut(more, " ADD COLUMN ")
				defined[name] += " " + column
			}
		}
	}
	for _, written := range []Table{
		documentsTable, contentsTable, customersTable, balancesTable, activityTable, entriesTable, postingsTable,
		daysTable, accountsTable, openTable, taxTable, booksTable, rolesTable, seriesTable, countersTable,
		fundsTable, allocationsTable, salesTable, dueTable,
	} {
		statement := defined[written.Name]
		for _, column := range written.Columns {
			if !strings.Contains(statement, " "+column+" ") && !strings.Contains(statement, "("+column+" ") &&
				!strings.Contains(statement, "\t"+column+" ") {
				t.Errorf("%s has no column %s", written.Name, column)
			}
		}
		key := strings.Join(written.Columns[:written.Keys], ", ")
		if written.Keys > 1 && !strings.Contains(statement, "PRIMARY KEY ("+key+")") {
			t.Errorf("%s has another key than %s", written.Name, key)
		}
	}
}

// TestEveryTableIsAttested: each table is in a view, and each column that is left
// out is one of the table's.
func TestEveryTableIsAttested(t *testing.T) {
	attestedTables := map[string]bool{"view_cursor": true} // the place itself
	for _, v := range attestedViews {
		for _, p := range v.parts {
			attestedTables[p.table.Name] = true
			for _, column := range p.omit {
				if !slices.Contains(p.table.Columns[p.table.Keys:], column) {
					t.Errorf("%s: %s has no column %s beside its key", v.name, p.table.Name, column)
				}
			}
		}
	}
	for _, m := range migrations {
		for _, statement := range m.tables {
			if name, found := strings.CutPrefix(statement, "CREATE TABLE "); found {
				if name, _, _ = strings.Cut(name, " "); !attestedTables[name] {
					t.Errorf("the table %s is in no view of an attestation", name)
				}
			}
		}
	}
}

func FuzzToken(f *testing.F) {
	for _, o := range documentOrders {
		f.Add(o.token("text", 7, 9))
		o.descending = true
		f.Add(o.token("Ünïcödé \x00", -7, 1<<62))
	}
	for _, text := range []string{"", "?", "W10", "WzFd", "eyJhIjoxfQ", "WyJkYXRlIiwiIiwwLDAuNV0"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, o := range documentOrders {
			k, err := o.parseToken(text)
			if err != nil || !k.set {
				continue
			}
			again, err := o.parseToken(o.token(k.text, k.number, k.seq))
			if err != nil || again != k {
				t.Errorf("%q: %+v, then %+v, %v", text, k, again, err)
			}
		}
	})
}

func FuzzIDRange(f *testing.F) {
	for _, text := range []string{"", "abcd", "ABCD-", "0123456789abcdef0123456789abcdef", "xyz", "İİİİ"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		first, last, ok := idRange(text)
		if !ok {
			return
		}
		digits := strings.ToLower(strings.ReplaceAll(text, "-", ""))
		for _, id := range []string{first.String(), last.String()} {
			if !strings.HasPrefix(strings.ReplaceAll(id, "-", ""), digits) {
				t.Errorf("%q: %s", text, id)
			}
		}
	})
}
