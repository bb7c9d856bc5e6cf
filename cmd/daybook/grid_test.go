package main

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/projections/views"
)

// TestInert: no text from people begins like a formula, and each can be had back.
func TestInert(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "Ada": "Ada", "1+1": "1+1", "O'Brien": "O'Brien", "=1+1": "'=1+1", "+44 20": "'+44 20", "-1": "'-1",
		"@SUM(A1)": "'@SUM(A1)", "\t=1": "'\t=1", "\n=1": "'\n=1", "'=1": "''=1", "＝1": "'＝1",
	} {
		if got := inert(text); got != want {
			t.Errorf("%q becomes %q, and not %q", text, got, want)
		}
	}
}

// TestInertComesBack: whatever the text, it does not begin like a formula, and
// without one apostrophe it is the text.
func TestInertComesBack(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		text := rapid.String().Draw(r, "text")
		got := inert(text)
		if strings.ContainsAny(got[:min(1, len(got))], "=+-@\t\r\n") {
			r.Errorf("%q begins like a formula", got)
		}
		if back := strings.TrimPrefix(got, "'"); back != printable(text) {
			r.Errorf("%q came back as %q", text, back)
		}
	})
}

// TestCSV: what is written is what any reader of RFC 4180 reads, with a line break
// of CR and LF after each row, and amounts as they are.
func TestCSV(t *testing.T) {
	g := newGrid("name", "amount", "amount")
	g.add([]views.Evidence{
		{Cause: views.Cause{Position: 7, Type: "invoice.issued", Number: "=N"}, Figures: map[string]string{"amount": "-3.00"}},
		{Cause: views.Cause{Position: 8, Event: 2, Type: "credit.issued"}, Figures: map[string]string{"other": "1.00"}},
	}, "=a, \"b\"\nc", "-3.00")
	for _, c := range []struct {
		write func(*csv.Writer) error
		want  string
	}{
		{g.write, "name,amount\r\n\"'=a, \"\"b\"\"\r\nc\",-3.00\r\n"},
		{g.writeEvidence, "name,figure,adds,at_position,at_event,at_type,at_date,at_kind,at_document,at_number,at_tax_point\r\n" +
			"\"'=a, \"\"b\"\"\r\nc\",amount,-3.00,7,0,invoice.issued,,,00000000-0000-0000-0000-000000000000,'=N,\r\n"},
	} {
		var out bytes.Buffer
		if err := c.write(csvWriter(&out)); err != nil || out.String() != c.want {
			t.Errorf("%v, %q\nand not  %q", err, out.String(), c.want)
		}
	}
}

func TestTimeOf(t *testing.T) {
	for _, c := range [][4]string{
		{"", "", "", ""},
		{"2026-01", "2026-02", "2026-01-01", "2026-02-28"},
		{"2024-02", "2024-02", "2024-02-01", "2024-02-29"},
		{"2026-12", "2026-12", "2026-12-01", "2026-12-31"},
		{"2026-01-15", "2026-02-03", "2026-01-15", "2026-02-03"},
	} {
		from, to, err := new(session).timeOf(c[0], c[1])
		if err != nil || string(from) != c[2] || string(to) != c[3] {
			t.Errorf("%s to %s: %s to %s, %v", c[0], c[1], from, to, err)
		}
	}
	for _, bad := range []string{"2026-13", "soon", "2026", "2026-1"} {
		if _, _, err := new(session).timeOf(bad, ""); err == nil {
			t.Errorf("%s is taken for a date", bad)
		}
	}
}
