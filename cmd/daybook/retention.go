package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/domain/retention"
)

// retained is how long a book's documents are kept.
type retained struct {
	retention.Rule
	// YearEnd is the month with which the financial year ends.
	YearEnd int `json:"year_end"`
	// Set says that the book has its own rule; Reason is why.
	Set    bool   `json:"set"`
	Reason string `json:"reason,omitempty"`
}

func (a *app) bookRetention() *cobra.Command {
	var c book.SetRetention
	cmd := changing(&cobra.Command{
		Use:   "retention",
		Short: "Show or set how long documents must be kept before they can be erased",
		Long: `Show how long the law wants the business to keep its documents, by the country of
the seller; what stands on them cannot be erased before. The periods are built in,
with their sources: ask an adviser whether they fit you. --years sets another
(0 goes back to the country's), --year-end the month with which your financial year
ends, December unless it is set. A reason is needed, and kept for ever.`,
		Example: `  daybook book retention
  daybook book retention --years 10 --reason 'capital goods'
  daybook book retention --year-end 3 --reason 'our year ends in March'`,
		Args: cobra.NoArgs,
		RunE: a.withBook(func(ctx context.Context, s *session, cmd *cobra.Command, _ []string) error {
			settings, err := s.retention(ctx)
			if err != nil {
				return err
			}
			if !cmd.Flags().Changed("years") && !cmd.Flags().Changed("year-end") {
				return a.answer(map[string]any{"retention": tellable(settings)}, func(w io.Writer) { tellRetention(w, tellable(settings)) })
			}
			if old := settings.Retention; old != nil && !cmd.Flags().Changed("years") {
				c.Years = old.Years
			}
			if !cmd.Flags().Changed("year-end") {
				c.YearEnd = int(settings.YearEnd())
			}
			c.Book = s.book.Info.Book
			done, err := s.enter(ctx, &c, nil)
			if err != nil {
				return err
			}
			settings.Retention = &book.RetentionSet{Years: c.Years, YearEnd: c.YearEnd, Reason: c.Reason}
			return a.answer(struct {
				Retention retained `json:"retention"`
				change
			}{tellable(settings), done}, func(w io.Writer) { tellRetention(w, tellable(settings)) })
		}),
	})
	cmd.Flags().IntVar(&c.Years, "years", 0, "how many `YEARS`; 0 for those of the country")
	cmd.Flags().IntVar(&c.YearEnd, "year-end", 12, "the `MONTH` with which the financial year ends, 1 to 12")
	cmd.Flags().StringVar(&c.Reason, "reason", "", "why, a `TEXT` that is kept for ever")
	return cmd
}

// retention gives the book's settings as far as retention needs them.
func (s *session) retention(ctx context.Context) (book.State, error) {
	shown, err := s.settings(ctx)
	if err != nil {
		return book.State{}, err
	}
	state := book.State{Seller: shown.Seller}
	v, err := s.views(ctx)
	if err != nil {
		return book.State{}, err
	}
	stream := book.Stream(shown.ID)
	places, err := v.Activity(ctx, stream)
	if err != nil {
		return book.State{}, err
	}
	events, err := s.read(ctx, stream, places)
	if err != nil {
		return book.State{}, err
	}
	for _, e := range events {
		if set, is := e.Event.(*book.RetentionSet); is {
			state.Retention = set
		}
	}
	return state, nil
}

func tellable(s book.State) retained {
	r := retained{Rule: s.RetentionRule(), YearEnd: int(s.YearEnd()), Set: s.Retention != nil}
	if s.Retention != nil {
		r.Reason = s.Retention.Reason
	}
	return r
}

var bases = map[retention.Basis]string{
	retention.FromDocument:            "from the date of the document",
	retention.FromCalendarYear:        "from the end of the calendar year of the document",
	retention.FromFinancialYear:       "from the end of the financial year of the document",
	retention.FromYearOfFinancialYear: "from the end of the calendar year in which the financial year of the document ends",
}

func tellRetention(w io.Writer, r retained) {
	fmt.Fprintf(w, "Documents are kept for %s, %s.\n", count(r.Years, "year"), bases[r.Basis])
	fmt.Fprintf(w, "The financial year ends with %s.\n", time.Month(r.YearEnd))
	switch {
	case r.Law != "":
		fmt.Fprintf(w, "Source: %s.\n", r.Law)
	case !r.Set:
		fmt.Fprintln(w, "The rule of the seller's country is not known to this program: set yours with --years.")
	}
	if r.Reason != "" {
		fmt.Fprintf(w, "Set because: %s\n", oneLine(r.Reason))
	}
}
