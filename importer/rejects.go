package importer

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"
)

// RejectsHeader is the first line of a rejects file: the document's number, the
// code, the lines of the source that are not entered ("2-14 16"), and a message.
const RejectsHeader = "document,code,lines,message"

// maxMessage bounds a message in the rejects file, in bytes.
const maxMessage = 1 << 10

// rejects writes the rejects file: CSV as RFC 4180 has it, with LF, in UTF-8.
type rejects struct {
	out *csv.Writer // nil where nobody wants it
}

func newRejects(w io.Writer) (*rejects, error) {
	if w == nil {
		return &rejects{}, nil
	}
	r := &rejects{out: csv.NewWriter(w)}
	return r, r.write(strings.Split(RejectsHeader, ","))
}

func (r *rejects) add(it Item, code, message string) error {
	if r.out == nil {
		return nil
	}
	if len(message) > maxMessage {
		message = message[:maxMessage]
	}
	return r.write([]string{
		strings.ToValidUTF8(it.Number, "\uFFFD"), code, it.Lines.String(), strings.ToValidUTF8(message, "\uFFFD"),
	})
}

func (r *rejects) write(row []string) error {
	if err := r.out.Write(row); err != nil {
		return fmt.Errorf("importer: write rejects: %w", err)
	}
	return nil
}

// flush hands everything written so far to the writer.
func (r *rejects) flush() error {
	if r.out == nil {
		return nil
	}
	r.out.Flush()
	if err := r.out.Error(); err != nil {
		return fmt.Errorf("importer: write rejects: %w", err)
	}
	return nil
}
