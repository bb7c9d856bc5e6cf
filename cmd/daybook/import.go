package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/importer"
	"github.com/daybook-ledger/daybook/importer/csvfile"
	"github.com/daybook-ledger/daybook/ledger"
)

func (a *app) importCommand() *cobra.Command {
	return a.group("import", "Bring in documents that another system issued", files(a.importCSV()), files(a.importUBL()))
}

func (a *app) importCSV() *cobra.Command {
	var mapPath, rejectsPath string
	var strict bool
	cmd := &cobra.Command{
		Use:   "csv FILE",
		Short: "Import a CSV file of invoice lines",
		Long: `Import a CSV file of invoice lines as a map file describes it; docs/IMPORT.md says
how. FILE may be -, for stdin, and may be compressed by xz, gzip or zstd. Running
the same import again changes nothing; one that was stopped goes on.`,
		Example: `  daybook import csv --map examples/online-retail.toml --rejects rejects.csv orders.csv.xz`,
		Args:    cobra.ExactArgs(1),
		RunE: a.withBook(func(ctx context.Context, s *session, cmd *cobra.Command, args []string) error {
			defer a.frugal()()
			summary, err := s.importCSV(ctx, args[0], mapPath, rejectsPath)
			if err != nil {
				a.tellStopped(summary)
				return err
			}
			// Lists are brought up to date while somebody waits anyway. They need
			// memory of their own, and what the import took is free by now.
			debug.FreeOSMemory()
			if _, err := s.views(ctx); err != nil {
				return err
			}
			if err := a.answer(summary, func(w io.Writer) { tellSummary(w, summary, rejectsPath) }); err != nil {
				return err
			}
			if strict && summary.RejectedLines > 0 {
				return fail(codeRejects, "the rejects file says why; without --strict this is no failure",
					"%s and %s were rejected", count(summary.Rejected, "document"), count(summary.RejectedLines, "line"))
			}
			return nil
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&mapPath, "map", "", "the map `FILE`, which says what the columns mean")
	flags.StringVar(&rejectsPath, "rejects", "", "write what is not entered, and why, to this `FILE`: a new one, or the rejects of an earlier run")
	flags.BoolVar(&strict, "strict", false, "fail when anything is rejected")
	if err := cmd.MarkFlagRequired("map"); err != nil {
		panic(err) // the flag is defined above
	}
	return cmd
}

func (s *session) importCSV(ctx context.Context, path, mapPath, rejectsPath string) (summary importer.Summary, err error) {
	m, err := csvfile.ReadMap(mapPath)
	if err != nil {
		return summary, err
	}
	currency, err := s.currency(ctx)
	if err != nil {
		return summary, err
	}
	if err := distinct(path, mapPath, rejectsPath); err != nil {
		return summary, err
	}
	if err := loses(rejectsPath); err != nil {
		return summary, err
	}
	if err := s.app.checkCSV(ctx, path, m); err != nil {
		return summary, err
	}
	source, err := csvfile.Open(path, interruptible(ctx, s.app.stdin))
	if err != nil {
		return summary, err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	o := csvfile.Options{Options: importer.Options{Book: importing{s}, Currency: currency}}
	if rejectsPath != "" {
		rejects, openErr := os.OpenFile(rejectsPath, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		if openErr != nil {
			return summary, fmt.Errorf("the rejects file: %w", openErr)
		}
		defer func() { err = errors.Join(err, rejects.Close()) }()
		o.Rejects = rejects
	}
	meter := s.app.meter("Importing")
	meter.uncounted = true
	defer meter.end()
	o.Progress = func(p csvfile.Progress) {
		meter.says("Importing, " + count(p.Documents, "document"))
		meter.at(uint64(p.Read), uint64(p.Size))
	}
	return csvfile.Import(ctx, source, m, o)
}

// checkCSV refuses a file that is broken somewhere before anything of it is
// entered. A pipe is read only once, so what comes before the place stays.
func (a *app) checkCSV(ctx context.Context, path string, m *csvfile.Map) error {
	meter := a.meter("Checking")
	meter.uncounted = true
	defer meter.end()
	return csvfile.Check(ctx, path, m, func(read, size int64) { meter.at(uint64(read), uint64(size)) })
}

// interruptible gives what a reader gives until the context ends: else a signal
// would wait for input that may never come.
func interruptible(ctx context.Context, in io.Reader) io.Reader {
	out, into := io.Pipe()
	go func() {
		_, err := io.Copy(into, in)
		_ = into.CloseWithError(err)
	}()
	context.AfterFunc(ctx, func() { _ = out.CloseWithError(ctx.Err()) })
	return out
}

// distinct refuses to write the rejects over what is read.
func distinct(source, mapPath, rejects string) error {
	there, err := os.Stat(rejects)
	if err != nil {
		return nil
	}
	for _, path := range []string{source, mapPath} {
		if info, err := os.Stat(path); err == nil && os.SameFile(info, there) {
			return usage("--rejects %s would be written over a file that is read", rejects)
		}
	}
	return nil
}

// loses refuses to write the rejects over anything but those of an earlier run, which
// the same import writes anew. What is no regular file, such as a pipe, has nothing to
// lose.
func loses(rejects string) error {
	info, err := os.Stat(rejects)
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return nil //nolint:nilerr // opening it tells
	}
	head, err := readFile(rejects, len(importer.RejectsHeader))
	if err != nil {
		return fmt.Errorf("the rejects file: %w", err)
	}
	if string(head) != importer.RejectsHeader+"\n" {
		return fmt.Errorf("the rejects file: %w: %s", bookdir.ErrFileExists, rejects)
	}
	return nil
}

// frugal keeps the garbage of a long import small, unless whoever runs it has
// said how much memory there is. What it gives sets things as they were.
func (a *app) frugal() (restore func()) {
	if a.env("GOGC") != "" || a.env("GOMEMLIMIT") != "" {
		return func() {}
	}
	percent, limit := debug.SetGCPercent(50), debug.SetMemoryLimit(192<<20)
	return func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	}
}

// importing is a book as an import sees it.
type importing struct{ s *session }

// Enter implements importer.Book.
func (i importing) Enter(ctx context.Context, id uuid.UUID, command domain.Command) (importer.Outcome, error) {
	return i.Submit(ctx, id, command)()
}

// Submit implements importer.Submitter, so that documents are numbered in the
// order of the file.
func (i importing) Submit(ctx context.Context, id uuid.UUID, command domain.Command) func() (importer.Outcome, error) {
	wait := i.s.submit(ctx, ledger.Envelope{ID: id, Principal: i.s.app.who(), Command: command, Correlation: i.s.id})
	return func() (importer.Outcome, error) {
		receipt, err := wait()
		return importer.Outcome{AlreadyEntered: receipt.Repeated}, err
	}
}

// Find implements importer.Book.
func (i importing) Find(ctx context.Context, r domain.Reference) (domain.StreamID, bool, error) {
	return i.s.book.Find(ctx, r)
}

// DeriveID implements importer.Book.
func (i importing) DeriveID(label string) uuid.UUID { return i.s.book.DeriveID(label) }

// tellStopped tells people how far an import came that did not reach its end.
func (a *app) tellStopped(s importer.Summary) {
	if s.Documents > 0 {
		a.warn("the import did not reach the end; so far: %s issued, %d credited, %d already entered, %d rejected",
			count(s.Issued, "document"), s.Credited, s.AlreadyEntered, s.Rejected)
	}
}

func tellSummary(w io.Writer, s importer.Summary, rejectsPath string) {
	t := newTable("", ">DOCUMENTS", ">LINES", ">TOTAL", "")
	add := func(what string, documents, lines int, total func(importer.Totals) string) {
		t.add(what, fmt.Sprint(documents), fmt.Sprint(lines), total(s.Totals), s.Currency)
		for _, other := range s.Currencies {
			t.add("", "", "", total(other), other.Currency)
		}
	}
	add("issued", s.Issued, s.LinesIssued, func(t importer.Totals) string { return t.IssuedTotal })
	add("credited", s.Credited, s.LinesCredited, func(t importer.Totals) string { return t.CreditedTotal })
	add("rejected", s.Rejected, s.RejectedLines, func(t importer.Totals) string { return t.RejectedTotal })
	t.add("already entered", fmt.Sprint(s.AlreadyEntered), fmt.Sprint(s.LinesAlreadyEntered))
	t.add("", fmt.Sprint(s.Documents), fmt.Sprint(s.Lines))
	t.write(w)
	switch {
	case s.RejectedLines > 0 && rejectsPath != "":
		fmt.Fprintf(w, "\nWhat was rejected, and why: %s\n", rejectsPath)
	case s.RejectedLines > 0:
		fmt.Fprintf(w, "\n--rejects FILE writes down what was rejected, and why.\n")
	}
}
