package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/exporter"
	"github.com/daybook-ledger/daybook/projections/views"
)

func (a *app) exportCommand() *cobra.Command {
	var below []*cobra.Command
	for _, format := range exporter.Formats() {
		below = append(below, a.exportJournal(format))
	}
	return a.group("export", "Write the journal in the form of another program, or every event with its proof", append(below, a.exportEvents())...)
}

// exportedJournal is the answer of export.
type exportedJournal struct {
	Format  string `json:"format"`
	File    string `json:"file"`
	Entries int    `json:"entries"`
}

func (a *app) exportJournal(format exporter.Format) *cobra.Command {
	var from, to, out string
	cmd := &cobra.Command{
		Use:   format.Name,
		Short: "Write the journal as " + format.Short,
		Long: `Write the journal as ` + format.Short + `: every entry with its document's
number and the position of its commit, to the output or to a new file. Amounts of
other currencies bear what they are worth in the book's, as their total cost.`,
		Example: `  daybook export ` + format.Name + ` --from 2026-01-01 --to 2026-12-31 --out 2026.` + format.Name,
		Args:    cobra.NoArgs,
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, _ []string) error {
			if a.json && out == "" {
				return usage("with --json the journal needs a file: --out FILE")
			}
			var f views.JournalFilter
			var err error
			if f.From, f.To, err = dates(from, to); err != nil {
				return err
			}
			v, err := s.views(ctx)
			if err != nil {
				return err
			}
			book, err := v.Book(ctx)
			if err != nil {
				return err
			}
			journal := exporter.Journal{Currency: book.Currency, Entries: v.Entries(ctx, f)}
			if out == "" {
				_, err := format.Write(a.stdout, journal)
				return err
			}
			n, err := newFile(out, func(w io.Writer) (int, error) { return format.Write(w, journal) })
			if err != nil {
				return err
			}
			return a.answer(exportedJournal{format.Name, out, n}, func(w io.Writer) {
				fmt.Fprintf(w, "Wrote %s to %s.\n", count(n, "entry"), out)
			})
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&from, "from", "", "only entries of this `DATE` or later")
	flags.StringVar(&to, "to", "", "only entries of this `DATE` or earlier")
	flags.StringVar(&out, "out", "", "write to this new `FILE`")
	return cmd
}
