package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"
)

// answer writes what a command answers: one JSON object, or a text for people.
func (a *app) answer(object any, people func(w io.Writer)) error {
	if !a.json {
		w := &kept{to: a.stdout}
		people(w)
		return w.err
	}
	encoder := json.NewEncoder(a.stdout)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(object); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}

// unheard takes note when whoever reads an answer has gone.
type unheard struct {
	to   io.Writer
	gone bool
}

func (u *unheard) Write(p []byte) (int, error) {
	n, err := u.to.Write(p)
	u.gone = u.gone || errors.Is(err, syscall.EPIPE)
	if err != nil {
		err = &unwritten{err}
	}
	return n, err
}

// unwritten is why an answer or a receipt could not be written. It tells nothing of
// the disk with the book, and what was to be done is done.
type unwritten struct{ error }

func (u *unwritten) Unwrap() error { return u.error }

// kept keeps the first error of a writer, so that a text can be written in one
// go.
type kept struct {
	to  io.Writer
	err error
}

func (k *kept) Write(p []byte) (int, error) {
	if k.err == nil {
		if _, err := k.to.Write(p); err != nil {
			k.err = fmt.Errorf("write the answer: %w", err)
		}
	}
	return len(p), nil
}

// table is a table for people. A heading that begins with ">" is that of a
// column of numbers, aligned to the right.
type table struct {
	headings []string
	rows     [][]string
}

func newTable(headings ...string) *table { return &table{headings: headings} }

func (t *table) add(cells ...string) {
	for i := range cells {
		cells[i] = oneLine(cells[i])
	}
	t.rows = append(t.rows, cells)
}

// write writes the table. The last text of a row makes no column wider, unless that is
// one of numbers: nothing stands behind it that had to be in line.
func (t *table) write(w io.Writer) {
	headings := make([]string, len(t.headings))
	right := make([]bool, len(t.headings))
	for i, h := range t.headings {
		headings[i], right[i] = strings.CutPrefix(h, ">")
	}
	rows := t.rows
	if strings.Join(headings, "") != "" {
		rows = append([][]string{headings}, t.rows...)
	}
	var widths []int
	for i, row := range rows {
		for len(row) > 0 && row[len(row)-1] == "" {
			row = row[:len(row)-1]
		}
		rows[i] = row
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			if i < len(row)-1 || i < len(right) && right[i] {
				widths[i] = max(widths[i], utf8.RuneCountInString(cell))
			}
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			space := strings.Repeat(" ", max(0, widths[i]-utf8.RuneCountInString(cell)))
			switch {
			case i < len(right) && right[i]:
				cell = space + cell
			case i < len(row)-1:
				cell += space
			}
			if line.WriteString(cell); i < len(row)-1 {
				line.WriteString("  ")
			}
		}
		fmt.Fprintln(w, line.String())
	}
}

// printable is a text without what a terminal would obey: control characters,
// but for line breaks and tabs, and those that turn the direction of writing.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r), r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return utf8.RuneError
		}
		return r
	}, text)
}

// oneLine is a printable text on one line.
func oneLine(text string) string {
	return strings.Join(strings.Fields(printable(text)), " ")
}

// joined puts the lines of a message into one.
func joined(message string) string {
	var parts []string
	for line := range strings.Lines(message) {
		if line = strings.TrimSpace(line); line != "" {
			parts = append(parts, line)
		}
	}
	return strings.Join(parts, "; ")
}

// count is a number and its noun: 1 page, 2 pages, 3 entries, 4 witnesses.
func count[N int | uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if stem, ends := strings.CutSuffix(noun, "y"); ends {
		noun = stem + "ie"
	} else if strings.HasSuffix(noun, "s") {
		noun += "e"
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
