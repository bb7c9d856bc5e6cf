package main

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/projections/views"
)

// telling is how a report is told: the flags that all of them have.
type telling struct{ csv, explain bool }

func (t *telling) add(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().BoolVar(&t.csv, "csv", false, "answer with CSV, whatever --json says")
	cmd.Flags().BoolVar(&t.explain, "explain", false, "tell the entries behind each figure, and where they stand in the log")
	return recalling(cmd)
}

// whole reports whether a list is to be told to its end, and then reads the most
// at once: CSV has no place to say that there is more, unless a limit was asked
// for.
func (t *telling) whole(cmd *cobra.Command, limit *int) bool {
	if !t.csv || cmd.Flags().Changed("limit") {
		return false
	}
	*limit = views.MaxLimit
	return true
}

// rest adds the pages that follow to a list.
func rest[T any](list *[]T, next *string, page func(after string) ([]T, string, error)) error {
	for *next != "" {
		if len(*list) > views.MaxEntries {
			return fail("too-many-entries", "ask for a shorter time, or give a --limit", "there are more than %d rows", views.MaxEntries)
		}
		more, after, err := page(*next)
		if err != nil {
			return err
		}
		*list, *next = append(*list, more...), after
	}
	return nil
}

// grid is the rows of a report: what CSV has, and what is behind the figures of
// each.
type grid struct {
	columns []column
	rows    []gridRow
	// figures are the names that evidence has for what it adds to.
	figures []string
}

// column is one of CSV's. What is no figure says which row it is.
type column struct {
	name   string
	figure bool
}

type gridRow struct {
	cells   []string
	entries []views.Evidence
	// alone marks a row that is one entry, and tells that itself.
	alone bool
}

// newGrid makes a grid with the columns that say which row it is, those that have
// its figures, and what evidence calls what it adds to; each a list of names.
func newGrid(keys, amounts, figures string) *grid {
	g := &grid{figures: strings.Fields(figures)}
	for _, name := range strings.Fields(keys) {
		g.columns = append(g.columns, column{name: name})
	}
	for _, name := range strings.Fields(amounts) {
		g.columns = append(g.columns, column{name: name, figure: true})
	}
	return g
}

func (g *grid) add(entries []views.Evidence, cells ...string) {
	g.rows = append(g.rows, gridRow{cells: cells, entries: entries})
}

// addEntry adds a row that is one entry.
func (g *grid) addEntry(c views.Cause, figures map[string]string, cells ...string) {
	g.rows = append(g.rows, gridRow{cells, []views.Evidence{{Cause: c, Figures: figures}}, true})
}

// report answers with a report: as JSON, as CSV, or with tables for people, the
// evidence after them.
func (a *app) report(t telling, object any, g *grid, people func(w io.Writer)) error {
	if t.csv {
		w := &kept{to: a.stdout}
		write := g.write
		if t.explain {
			write = g.writeEvidence
		}
		if err := write(csvWriter(w)); err != nil {
			return fmt.Errorf("write the answer: %w", err)
		}
		return w.err
	}
	return a.answer(object, func(w io.Writer) {
		people(w)
		if t.explain {
			g.tellEvidence(w)
		}
	})
}

// csvWriter writes CSV as RFC 4180 has it, with a line break of CR and LF.
func csvWriter(w io.Writer) *csv.Writer {
	c := csv.NewWriter(w)
	c.UseCRLF = true
	return c
}

// write writes the rows, under the names of the columns.
func (g *grid) write(w *csv.Writer) error {
	names := make([]string, len(g.columns))
	for i, c := range g.columns {
		names[i] = c.name
	}
	if err := w.Write(names); err != nil {
		return err
	}
	for _, row := range g.rows {
		cells := slices.Clone(row.cells)
		for i := range cells {
			if !g.columns[i].figure {
				cells[i] = inert(cells[i])
			}
		}
		if err := w.Write(cells); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

// writeEvidence writes a line for each figure that an entry adds to: which row,
// which figure, how much, and where it is from.
func (g *grid) writeEvidence(w *csv.Writer) error {
	names := append(g.keys(nil), "figure", "adds", "at_position", "at_event", "at_type", "at_date", "at_kind", "at_document", "at_number", "at_tax_point")
	if err := w.Write(names); err != nil {
		return err
	}
	for _, row := range g.rows {
		keys := g.keys(row.cells)
		for _, e := range row.entries {
			for _, name := range g.figures {
				amount, has := e.Figures[name]
				if !has {
					continue
				}
				if err := w.Write(append(slices.Clone(keys), name, amount, strconv.FormatUint(e.Position, 10), strconv.Itoa(e.Event),
					e.Type, string(e.Date), string(e.Kind), e.Document.String(), inert(e.Number), string(cmp.Or(e.TaxPoint, e.Date)))); err != nil {
					return err
				}
			}
		}
	}
	w.Flush()
	return w.Error()
}

// keys gives the cells of a row that say which row it is, or without a row the
// names of their columns.
func (g *grid) keys(cells []string) (keys []string) {
	for i, c := range g.columns {
		switch {
		case c.figure:
		case cells == nil:
			keys = append(keys, c.name)
		default:
			keys = append(keys, inert(cells[i]))
		}
	}
	return keys
}

// inert is a text that no spreadsheet takes for a formula: one that begins like a
// formula, or with an apostrophe, has an apostrophe before it. So whoever takes
// one apostrophe away from the beginning has the text as it was.
func inert(text string) string {
	text = printable(text)
	if first, size := utf8.DecodeRuneInString(text); size > 0 && strings.ContainsRune("=+-@\t\r\n'＝＋－＠", first) {
		return "'" + text
	}
	return text
}

// tellEvidence tells people what is behind the rows.
func (g *grid) tellEvidence(w io.Writer) {
	for _, row := range g.rows {
		if row.alone || len(row.entries) == 0 {
			continue
		}
		var title []string
		for i, cell := range row.cells {
			if !g.columns[i].figure && cell != "" && !isID(cell) {
				title = append(title, oneLine(cell))
			}
		}
		fmt.Fprintf(w, "\n%s:\n", strings.Join(title, " "))
		g.evidence(row.entries).write(w)
	}
}

// evidence is a table of entries, with the figures that any of them adds to.
func (g *grid) evidence(entries []views.Evidence) *table {
	var figures []string
	headings := []string{">POSITION", "EVENT", "DATE", "DOCUMENT"}
	for _, name := range g.figures {
		if slices.ContainsFunc(entries, func(e views.Evidence) bool { return tells(e, name) }) {
			figures = append(figures, name)
			headings = append(headings, ">"+strings.ToUpper(strings.ReplaceAll(name, "_", " ")))
		}
	}
	t := newTable(headings...)
	for _, e := range entries {
		cells := []string{strconv.FormatUint(e.Position, 10), e.Type, string(e.Date), documentOf(e.Cause)}
		for _, name := range figures {
			cells = append(cells, e.Figures[name])
		}
		t.add(cells...)
	}
	return t
}

// tells reports whether an entry adds to a figure what no other figure says: the
// same in the book's currency says nothing more where that is the document's.
func tells(e views.Evidence, name string) bool {
	amount, has := e.Figures[name]
	plain, based := strings.CutSuffix(name, baseSuffix)
	return has && (!based || e.Figures[plain] != amount)
}

// baseSuffix ends the names of figures in the book's currency.
const baseSuffix = "_base"

// isID reports whether a text is an id.
func isID(text string) bool {
	_, err := uuid.Parse(text)
	return err == nil
}

// documentOf is how people name the document that an event happened to.
func documentOf(c views.Cause) string {
	if c.Number != "" {
		return c.Number
	}
	return string(c.Kind) + " " + short(c.Document)
}
