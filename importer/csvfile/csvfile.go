// Package csvfile reads a CSV file of invoice lines, as a map file describes
// it, into documents, and enters them into a book with package importer. It
// streams: its memory does not grow with the file.
//
// # The map file
//
// A map file is TOML. Its keys are stable; an unknown one is an error. See
// docs/IMPORT.md, and examples/online-retail.toml for a whole one.
//
//	currency          the currency of the prices, where a document names none: the
//	                  book's, unless there is a column of rates
//	rate_source       where the rates are from that do not say so themselves
//	prices            "net" or "gross"
//	time_zone         the business's time zone: it says on which day a time is
//	source_time_zone  of times that name no zone; time_zone if absent
//	dates             the forms of dates, such as "YYYY-MM-DD hh:mm:ss"
//	decimal_comma     true: 2,55 and not 2.55
//	delimiter         one ASCII character; a comma if absent
//	credit_reason     why credits are given; "as labelled in the source" if absent
//	customer_name     the name of a customer without one; "{reference}" if absent
//	[columns]         the header's names of number, date, quantity and price; and
//	                  of item, description, unit, customer, customer_name, country,
//	                  currency and rate, where there are such
//	[kinds]           number prefix = "invoice" or "credit"; the longest wins
//	[tax]             category, rate, reason, reason_code
//	[no_customer]     reference and name of who stands in where none is named
//	[countries]       country name = ISO 3166 alpha-2 code
//
// # Lines and documents
//
// A document is all lines of one number, adjacent or not. It is closed after
// 1,000 lines of others have followed its last one; a line that comes later is
// rejected alone, as late-line. No line is merged, deduplicated or dropped. The
// amount of a line is half-up(quantity × price), and a document's total is
// their sum; on credit notes the quantities are negated.
//
// Lines that cannot be read reject their document, whole; so does what its
// lines say together: the codes are the constants of this package. Only broken
// CSV, or a file that cannot be read, ends the import (malformed-csv,
// damaged-file, bad-header, unsupported-encoding). Check tells so of a file
// before anything of it is entered. From a pipe, which can be read only once,
// documents that were closed before are entered, those still open are not, since
// lines of theirs may follow. Mended, the same import goes on.
package csvfile

import (
	"context"
	"errors"
	"io"
	"iter"
	"os"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/importer"
)

// Options says where to and how. Currency must be the book's.
type Options struct {
	importer.Options
	// TempDir is where a temporary file goes if there are very many documents;
	// empty means the system's own folder for such.
	TempDir string
	// Progress, where it is set, is called after each document or line of which
	// the outcome is known. It must be quick.
	Progress func(Progress)
}

// Progress is how far an import has come.
type Progress struct {
	// Read and Size are bytes of the file as it is stored, compressed or not;
	// Size is 0 where it is not known. Read runs ahead of Documents.
	Read, Size int64
	// Documents is how many documents are entered or rejected.
	Documents int
}

// Import enters the documents of a source, and says what it did as far as it
// came. See importer.Run for the errors; a source that cannot be read to its
// end is a *domain.Refusal with a code of this package.
func Import(ctx context.Context, s *Source, m *Map, o Options) (importer.Summary, error) {
	if o.Currency != m.currency && m.columns.Rate == "" {
		return importer.Summary{}, domain.Refuse("foreign-currency",
			"the map's currency is %s, and the book's is %s", m.currency, o.Currency).
			WithHint("name the column that says what it is worth: columns.rate")
	}
	if o.Progress != nil {
		o.Options.Progress = func(documents int) {
			read, size := s.Progress()
			o.Progress(Progress{Read: read, Size: size, Documents: documents})
		}
	}
	// The key only has to be one that nobody knows who sees the temporary file.
	key := o.Book.DeriveID("import/closed-numbers")
	return importer.Run(ctx, Documents(&cancellable{ctx, s}, m, key, o.TempDir), o.Options)
}

// Check reads the file at a path to its end and tells what would end an import
// of it, before anything is entered. What can be read only once, such as stdin,
// is left alone. Progress, where it is set, is called now and then with the
// bytes that were read, and how many there are.
func Check(ctx context.Context, path string, m *Map, progress func(read, size int64)) (err error) {
	info, err := os.Stat(path)
	if path == "-" || err != nil || !info.Mode().IsRegular() {
		return nil // Open tells what is wrong with a path
	}
	s, err := Open(path, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	records := newRecordReader(&cancellable{ctx, s}, m.delimiter)
	if _, err := begin(records, m); err != nil {
		return err
	}
	for n := 0; ; n++ {
		if _, err := records.next(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if progress != nil && n%1000 == 0 {
			progress(s.Progress())
		}
	}
}

// cancellable ends a file when the context ends.
type cancellable struct {
	ctx context.Context
	in  io.Reader
}

func (c *cancellable) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.in.Read(p)
}

// Documents reads the documents of a CSV file in the order in which they are
// complete. It can be ranged over once. An error is the last that is delivered.
// Where there are very many documents their numbers, hashed under the key, go
// to a temporary file in tempDir.
func Documents(r io.Reader, m *Map, key uuid.UUID, tempDir string) iter.Seq2[importer.Item, error] {
	return func(yield func(importer.Item, error) bool) {
		closed := newClosedNumbers(tempDir, key)
		wanted := true
		groups := newGrouper(m, closed, func(it importer.Item) bool {
			wanted = wanted && yield(it, nil)
			return wanted
		})
		err := errors.Join(read(r, m, groups), closed.close())
		if err != nil && wanted {
			yield(importer.Item{}, err)
		}
	}
}

// begin reads the header line.
func begin(records *recordReader, m *Map) (layout, error) {
	if err := records.start(); err != nil {
		return layout{}, err
	}
	header, err := records.next()
	if errors.Is(err, io.EOF) {
		return layout{}, domain.Refuse(CodeBadHeader, "the file is empty, without even a header line")
	}
	if err != nil {
		return layout{}, err
	}
	return m.columns.layout(header)
}

// read gives all lines of a file to the grouper. It returns early, without
// error, when nobody wants more.
func read(r io.Reader, m *Map, groups *grouper) error {
	records := newRecordReader(r, m.delimiter)
	columns, err := begin(records, m)
	if err != nil {
		return err
	}
	lines := &lineReader{m: m, layout: columns}
	for {
		rec, err := records.next()
		if errors.Is(err, io.EOF) {
			return groups.end()
		}
		if err != nil {
			return err
		}
		more, err := groups.add(lines.read(rec))
		if err != nil || !more {
			return err
		}
	}
}
