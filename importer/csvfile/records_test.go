package csvfile

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/daybook-ledger/daybook/domain"
)

// FuzzRecords compares the reader with encoding/csv, which reads the same
// language, and holds it to its bounds.
func FuzzRecords(f *testing.F) {
	for _, seed := range []string{
		"a,b\nc,d\n", "a,\"b\"\"c\",\n", "\"a\r\nb\",c\r\n", "a\rb,c\r", "\n\r\n\na", "\"a", "a\"b", "\"a\"b",
		"\"a\"\r", "\"a\",\"\"\n", ",", ",\n,", "\"", "\"\"", "\r", "a,\xff\n", "\"\n\n\n", "a\r\r\n", "\"a\r\r\nb\"",
	} {
		f.Add([]byte(seed), byte(','))
	}
	f.Add([]byte("a;b;\"c;d\"\n"), byte(';'))
	f.Fuzz(func(t *testing.T, data []byte, delimiter byte) {
		if delimiter == 0 || delimiter >= 0x80 || strings.ContainsRune("\"\r\n", rune(delimiter)) || len(data) > maxField {
			return
		}
		want, wantErr := oracle(data, delimiter)
		got, gotErr := readAll(newRecordReader(iotest.HalfReader(bytes.NewReader(data)), delimiter))
		if (wantErr == nil) != (gotErr == nil) {
			t.Fatalf("error %v, and encoding/csv has %v", gotErr, wantErr)
		}
		var refusal *domain.Refusal
		if gotErr != nil && (!errors.As(gotErr, &refusal) || refusal.Code != CodeMalformedCSV) {
			t.Fatalf("error %v", gotErr)
		}
		if !slices.EqualFunc(want, got, slices.Equal) {
			t.Fatalf("\n got %q\nwant %q", got, want)
		}
	})
}

func oracle(data []byte, delimiter byte) ([][]string, error) {
	r := csv.NewReader(bytes.NewReader(data))
	r.Comma, r.FieldsPerRecord = rune(delimiter), -1
	var all [][]string
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		if len(fields) > maxFields {
			fields = fields[:maxFields]
		}
		all = append(all, fields)
	}
}

func readAll(r *recordReader) ([][]string, error) {
	var all [][]string
	for {
		rec, err := r.next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, rec.fields)
	}
}

func TestRecordsSayWhere(t *testing.T) {
	r := newRecordReader(strings.NewReader("h\n\na\n\"b\nb\"\n\nc\n\"d\n"), ',')
	for _, want := range []int{1, 3, 4, 7} {
		if rec, err := r.next(); err != nil || rec.line != want {
			t.Errorf("line %d, not %d: %v", rec.line, want, err)
		}
	}
	_, err := r.next()
	if err == nil || !strings.Contains(err.Error(), "line 8 (row 4 of the data)") ||
		!strings.Contains(err.Error(), "opened on line 8 is never closed") {
		t.Errorf("error %v", err)
	}
}

// endless gives the same text for ever, up to a number of bytes.
type endless struct {
	text string
	at   int
	left int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := copy(p, e.text[e.at:])
	e.at = (e.at + n) % len(e.text)
	e.left -= n
	return n, nil
}

// TestRecordsAreBounded reads a gigantic field, a gigantic number of fields,
// and the rest of a file after a quote that is never closed.
func TestRecordsAreBounded(t *testing.T) {
	for name, text := range map[string]string{"field": "xyz", "fields": "a,", "quote": "a,b\nc,d\n"} {
		start := ""
		if name == "quote" {
			start = "\""
		}
		r := newRecordReader(io.MultiReader(strings.NewReader(start), &endless{text: text, left: 2 << 20}), ',')
		rec, err := r.next()
		switch name {
		case "field":
			if err != nil || !slices.Equal(rec.cut, []int{0}) || len(rec.fields[0]) != maxField {
				t.Errorf("%s: cut %v, %v", name, rec.cut, err)
			}
		case "fields":
			if err != nil || len(rec.fields) != maxFields || rec.count != 1<<20+1 {
				t.Errorf("%s: %d of %d, %v", name, len(rec.fields), rec.count, err)
			}
		case "quote":
			if err == nil {
				t.Error("a quote that is never closed is no error")
			}
		}
		if held := cap(r.text) + 8*cap(r.ends); held > 1<<20 {
			t.Errorf("%s: %d bytes are held", name, held)
		}
	}
}

func TestReadErrorIsNoEndOfFile(t *testing.T) {
	broken := errors.New("the disk is gone")
	for _, text := range []string{"a,b", "a,", "\"a", "\"a\"", "a\r", "", "a\n"} {
		r := newRecordReader(io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)), ',')
		var err error
		for err == nil {
			_, err = r.next()
		}
		if !errors.Is(err, broken) {
			t.Errorf("%q: error %v", text, err)
		}
		if err := newRecordReader(iotest.ErrReader(broken), ',').start(); !errors.Is(err, broken) {
			t.Errorf("start: error %v", err)
		}
	}
}
