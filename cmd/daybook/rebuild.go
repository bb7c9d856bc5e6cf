package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/projections/views"
)

func (a *app) rebuildCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rebuild [VIEW…]",
		Short: "Make the lists and reports anew from the log",
		Long: `Make the lists and reports anew from the whole log, beside those that are there,
which go on answering until the new ones take their place in one step. They take
it only if their hashes are those of the old ones, as daybook attest gives them;
of a VIEW that is named the new one counts, whatever the old one says. A rebuild
that was stopped goes on where it was.`,
		ValidArgs: views.Names(),
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, named []string) error {
			begun := a.now()
			m := a.meter("Rebuilding")
			err := s.book.RebuildViews(ctx, views.Rebuild{Named: named}, m.at)
			m.end()
			if err != nil {
				return err
			}
			v, err := s.views(ctx)
			if err != nil {
				return err
			}
			status, err := v.Status(ctx)
			if err != nil {
				return err
			}
			took := a.now().Sub(begun).Round(10 * time.Millisecond)
			answer := struct {
				Pages  uint64 `json:"pages"`
				Size   uint64 `json:"size"`
				Events uint64 `json:"events"`
			}{status.Page, status.Size, status.Events}
			return a.answer(answer, func(w io.Writer) {
				fmt.Fprintf(w, "Rebuilt from %s, %s, in %s.\n", count(status.Size, "commit"), count(status.Events, "event"), took)
			})
		}),
	}
}
