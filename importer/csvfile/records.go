package csvfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/daybook-ledger/daybook/domain"
)

// Bounds on what is kept of one record, so that a missing quote or a hostile
// file costs no memory. What lies beyond is read and checked, not kept.
const (
	maxField  = 16 << 10 // bytes
	maxFields = 1024
)

// Codes of the errors that end the reading of a file.
const (
	// CodeMalformedCSV: the structure of the file is broken.
	CodeMalformedCSV = "malformed-csv"
	// CodeBadHeader: the header line is missing, or lacks a column of the map.
	CodeBadHeader = "bad-header"
	// CodeUnsupportedEncoding: the file is UTF-16.
	CodeUnsupportedEncoding = "unsupported-encoding"
	// CodeDamagedFile: the file cannot be read or decompressed to its end.
	CodeDamagedFile = "damaged-file"
)

// record is one CSV record. Its fields are valid for ever.
type record struct {
	// line is the physical line on which the record begins, from 1.
	line int
	// fields holds at most maxFields fields; count is how many there are.
	fields []string
	count  int
	// cut lists the fields that were longer than is kept.
	cut []int
}

// recordReader reads CSV as RFC 4180 describes it, strictly: a quoted field
// begins and ends at a delimiter or line end, a quote within it is doubled, and
// an unquoted field holds no quote. Lines end with LF or CRLF; within quotes
// CRLF becomes LF. Empty lines are skipped; a byte order mark is, too.
type recordReader struct {
	in        *bufio.Reader
	delimiter byte
	// unquotedStops are the bytes that may mean something outside quotes.
	unquotedStops string

	line    int // physical line of the next byte, from 1
	records int // read so far, the header included
	text    []byte
	ends    []int // end of each kept field within text
	count   int
	cut     []int
}

func newRecordReader(r io.Reader, delimiter byte) *recordReader {
	return &recordReader{
		in:            bufio.NewReaderSize(r, 64<<10),
		delimiter:     delimiter,
		unquotedStops: string([]byte{delimiter, '"', '\r', '\n'}),
		line:          1,
	}
}

// start consumes a byte order mark and refuses the encodings that can be told
// by theirs.
func (r *recordReader) start() error {
	head, err := r.in.Peek(3)
	if err != nil && !errors.Is(err, io.EOF) {
		return damaged(err)
	}
	switch {
	case len(head) == 3 && string(head) == "\xef\xbb\xbf":
		_, err = r.in.Discard(3)
		return err
	case len(head) >= 2 && (string(head[:2]) == "\xff\xfe" || string(head[:2]) == "\xfe\xff"):
		return domain.Refuse(CodeUnsupportedEncoding, "the file is UTF-16").
			WithHint("save it as CSV in UTF-8")
	}
	return nil
}

// next reads one record; io.EOF after the last one. A *domain.Refusal means
// that the structure of the file is broken, or that it could not be read.
func (r *recordReader) next() (record, error) {
	first, err := r.skipEmptyLines()
	if err != nil {
		return record{}, err
	}
	line := r.line
	r.text, r.ends, r.count, r.cut = r.text[:0], r.ends[:0], 0, nil
	r.records++
	for c, more := first, true; more; {
		if c == '"' {
			more, err = r.quoted(line)
		} else {
			more, err = r.unquoted(c, line)
		}
		if err == nil && more {
			c, err = r.read()
			if errors.Is(err, io.EOF) { // the file ends with a delimiter
				r.endField()
				more, err = false, nil
			}
		}
		if err != nil {
			return record{}, err
		}
	}
	return r.record(line), nil
}

// skipEmptyLines gives the first byte of the next record.
func (r *recordReader) skipEmptyLines() (byte, error) {
	for {
		c, err := r.read()
		if err != nil || c != '\n' {
			return c, err
		}
		r.line++
	}
}

// unquoted reads a field whose first byte is c, with what ends it: more means a
// delimiter, so that another field follows.
func (r *recordReader) unquoted(c byte, line int) (more bool, err error) {
	for {
		switch c {
		case r.delimiter:
			r.endField()
			return true, nil
		case '\n':
			r.line++
			r.endField()
			return false, nil
		case '"':
			return false, r.malformed(line, "a quote stands within an unquoted field")
		}
		r.keep(c)
		r.keepUntil(r.unquotedStops)
		if c, err = r.read(); errors.Is(err, io.EOF) {
			r.endField()
			return false, nil
		} else if err != nil {
			return false, err
		}
	}
}

// quoted reads the rest of a field whose opening quote was read.
func (r *recordReader) quoted(line int) (more bool, err error) {
	opened := r.line
	for {
		r.keepUntil("\"\r\n")
		c, err := r.read()
		if errors.Is(err, io.EOF) {
			return false, r.malformed(line, fmt.Sprintf("the quote opened on line %d is never closed", opened))
		}
		if err != nil {
			return false, err
		}
		if c != '"' {
			if c == '\n' {
				r.line++
			}
			r.keep(c)
			continue
		}
		switch c, err = r.read(); {
		case errors.Is(err, io.EOF):
			r.endField()
			return false, nil
		case err != nil:
			return false, err
		case c == '"':
			r.keep(c)
		case c == r.delimiter:
			r.endField()
			return true, nil
		case c == '\n':
			r.line++
			r.endField()
			return false, nil
		default:
			return false, r.malformed(line, fmt.Sprintf("text follows the closing quote on line %d", r.line))
		}
	}
}

// read gives the next byte, with CRLF as LF and without a CR at the very end.
func (r *recordReader) read() (byte, error) {
	c, err := r.in.ReadByte()
	if err == nil && c == '\r' {
		next, peekErr := r.in.Peek(1)
		switch {
		case peekErr == nil && next[0] == '\n':
			c, err = r.in.ReadByte()
		case peekErr != nil:
			err = peekErr
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, damaged(err)
	}
	return c, err
}

// keepUntil keeps what is buffered up to a byte that may mean something.
func (r *recordReader) keepUntil(stops string) {
	buffered, _ := r.in.Peek(r.in.Buffered())
	if i := bytes.IndexAny(buffered, stops); i >= 0 {
		buffered = buffered[:i]
	}
	r.keep(buffered...)
	_, _ = r.in.Discard(len(buffered))
}

// keep adds to the field that is being read, as far as it has room.
func (r *recordReader) keep(text ...byte) {
	if r.count >= maxFields {
		return
	}
	start := 0
	if n := len(r.ends); n > 0 {
		start = r.ends[n-1]
	}
	if room := maxField - (len(r.text) - start); len(text) > room {
		text = text[:room]
		if n := len(r.cut); n == 0 || r.cut[n-1] != r.count {
			r.cut = append(r.cut, r.count)
		}
	}
	r.text = append(r.text, text...)
}

func (r *recordReader) endField() {
	if r.count < maxFields {
		r.ends = append(r.ends, len(r.text))
	}
	r.count++
}

func (r *recordReader) record(line int) record {
	all := string(r.text)
	rec := record{line: line, fields: make([]string, len(r.ends)), count: r.count, cut: r.cut}
	start := 0
	for i, end := range r.ends {
		rec.fields[i] = all[start:end]
		start = end
	}
	return rec
}

func (r *recordReader) malformed(line int, why string) error {
	where := fmt.Sprintf("line %d", line)
	if r.records > 1 {
		where += fmt.Sprintf(" (row %d of the data)", r.records-1)
	}
	return domain.Refuse(CodeMalformedCSV, "%s is not valid CSV: %s", where, why).
		WithHint("mend that line and run the same import again: what is entered already stays and is not entered twice")
}

func damaged(err error) error {
	return &failure{
		domain.Refuse(CodeDamagedFile, "the file cannot be read to its end: %v", err).
			WithHint("get a whole copy of the file and run the same import again: what is entered already stays and is not entered twice"),
		err,
	}
}

// failure is a refusal that has a cause.
type failure struct {
	*domain.Refusal
	cause error
}

func (f *failure) Unwrap() []error { return []error{f.Refusal, f.cause} }
