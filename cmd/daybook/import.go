package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/importer"
	"github.com/daybook-ledger/daybook/importer/csvfile"
	"github.com/daybook-ledger/daybook/ledger"
)

func (a *app) importCommand() *cobra.Command {
	return a.group("import", "Bring in documents that another system issued", a.importCSV())
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
			summary, err := s.importCSV(ctx, args[0], mapPath, rejectsPath)
			if err != nil {
				a.tellStopped(summary)
				return err
			}
			// Lists are brought up to date while somebody waits anyway.
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
	flags.StringVar(&rejectsPath, "rejects", "", "write what is not entered, and why, to this `FILE`")
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
	source, err := csvfile.Open(path, s.app.stdin)
	if err != nil {
		return summary, err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	o := csvfile.Options{Options: importer.Options{Book: importing{s}, Currency: currency}}
	if rejectsPath != "" {
		rejects, err := os.OpenFile(rejectsPath, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		if err != nil {
			return summary, fmt.Errorf("the rejects file: %w", err)
		}
		defer func() { err = errors.Join(err, rejects.Close()) }()
		o.Rejects = rejects
	}
	meter := s.app.meter("Importing")
	meter.bytes = true
	defer meter.end()
	o.Progress = func(p csvfile.Progress) { meter.at(uint64(p.Read), uint64(p.Size)) }
	return csvfile.Import(ctx, source, m, o)
}

// importing is a book as an import sees it.
type importing struct{ s *session }

// Enter implements importer.Book.
func (i importing) Enter(ctx context.Context, id uuid.UUID, command domain.Command) (importer.Outcome, error) {
	receipt, err := i.s.give(ctx, ledger.Envelope{ID: id, Principal: i.s.app.who(), Command: command, Correlation: i.s.id})
	return importer.Outcome{AlreadyEntered: receipt.Repeated}, err
}

// Find implements importer.Book.
func (i importing) Find(ctx context.Context, r domain.Reference) (domain.StreamID, bool, error) {
	return i.s.book.Find(ctx, r)
}

// DeriveID implements importer.Book.
func (i importing) DeriveID(label string) uuid.UUID { return i.s.book.Codec.DeriveID(label) }

// tellStopped tells people how far an import came that did not reach its end.
func (a *app) tellStopped(s importer.Summary) {
	if s.Documents > 0 {
		a.warn("the import did not reach the end; so far: %s issued, %d credited, %d already entered, %d rejected",
			count(s.Issued, "document"), s.Credited, s.AlreadyEntered, s.Rejected)
	}
}

func tellSummary(w io.Writer, s importer.Summary, rejectsPath string) {
	t := newTable("", ">DOCUMENTS", ">LINES", ">TOTAL", "")
	t.add("issued", fmt.Sprint(s.Issued), fmt.Sprint(s.LinesIssued), s.IssuedTotal, s.Currency)
	t.add("credited", fmt.Sprint(s.Credited), fmt.Sprint(s.LinesCredited), s.CreditedTotal, s.Currency)
	t.add("rejected", fmt.Sprint(s.Rejected), fmt.Sprint(s.RejectedLines), s.RejectedTotal, s.Currency)
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
