package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/domain/series"
	"github.com/daybook-ledger/daybook/projections/views"
)

func (a *app) seriesCommand() *cobra.Command {
	return a.group("series", "Say how documents are numbered", a.seriesList(), a.seriesSet())
}

func (a *app) seriesList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the series of numbers",
		Args:  cobra.NoArgs,
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, _ []string) error {
			all, err := s.series(ctx)
			if err != nil {
				return err
			}
			return a.answer(map[string]any{"series": all}, func(w io.Writer) {
				t := newTable("SERIES", "PREFIX", "DIGITS", "YEARLY", "LAST NUMBER", "LAST DATE")
				for _, one := range all {
					yearly := "no"
					if one.Format.YearlyReset {
						yearly = "yes"
					}
					t.add(string(one.Kind), one.Format.Prefix, fmt.Sprint(one.Format.Width), yearly, one.LastNumber, string(one.LastDate))
				}
				t.write(w)
			})
		}),
	}
}

func (s *session) series(ctx context.Context) ([]views.Series, error) {
	v, err := s.views(ctx)
	if err != nil {
		return nil, err
	}
	return v.Series(ctx)
}

// seriesChanged is the answer of series set.
type seriesChanged struct {
	Kind   series.Kind   `json:"kind"`
	Format series.Format `json:"format"`
	change
}

func (a *app) seriesSet() *cobra.Command {
	var prefix string
	var width int
	var yearly bool
	cmd := changing(&cobra.Command{
		Use:   "set invoice|credit",
		Short: "Change how documents are numbered from now on",
		Long: `Change how documents are numbered from now on: the prefix, with --yearly the
year and a hyphen, then the counter. What no flag names stays as it is. Numbers
stay gapless: the counter runs on.`,
		Example:   `  daybook series set invoice --prefix R- --digits 4 --yearly`,
		Args:      cobra.ExactArgs(1),
		ValidArgs: []string{string(series.Invoice), string(series.Credit)},
		RunE: a.withBook(func(ctx context.Context, s *session, cmd *cobra.Command, args []string) error {
			all, err := s.series(ctx)
			if err != nil {
				return err
			}
			command := &series.Configure{Kind: series.Kind(args[0])}
			if at := slices.IndexFunc(all, func(one views.Series) bool { return one.Kind == command.Kind }); at >= 0 {
				command.Format = all[at].Format
			}
			if cmd.Flags().Changed("prefix") {
				command.Format.Prefix = prefix
			}
			if cmd.Flags().Changed("digits") {
				command.Format.Width = width
			}
			if cmd.Flags().Changed("yearly") {
				command.Format.YearlyReset = yearly
			}
			done, err := s.enter(ctx, command, nil)
			if err != nil {
				return err
			}
			return a.answer(seriesChanged{command.Kind, command.Format, done}, func(w io.Writer) {
				fmt.Fprintf(w, "The next number of the %s series has the new form (position %d).\n", command.Kind, done.Position)
			})
		}),
	})
	flags := cmd.Flags()
	flags.StringVar(&prefix, "prefix", "", "the `TEXT` that numbers begin with")
	flags.IntVar(&width, "digits", 5, "how `MANY` digits the counter has at least, 1 to 12")
	flags.BoolVar(&yearly, "yearly", false, "begin at 1 each year, and write the year")
	return cmd
}
