package views

import "strings"

// Table names a table's columns, the primary key's first.
type Table struct {
	Name    string
	Keys    int
	Columns []string
}

// Insert begins the statement that writes rows: INSERT INTO table (columns).
func (t Table) Insert() string {
	return "INSERT INTO " + t.Name + " (" + strings.Join(t.Columns, ", ") + ")"
}

// Update ends the statement that replaces rows.
func (t Table) Update() string {
	var b strings.Builder
	b.WriteString(" ON CONFLICT (" + strings.Join(t.Columns[:t.Keys], ", ") + ") DO UPDATE SET ")
	for i, column := range t.Columns[t.Keys:] {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(column + " = excluded." + column)
	}
	return b.String()
}
