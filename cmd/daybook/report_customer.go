package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/projections/views"
)

// customerNamed finds the customer that a flag names, uuid.Nil where it is empty.
func (s *session) customerNamed(ctx context.Context, name string) (uuid.UUID, error) {
	if name == "" {
		return uuid.Nil, nil
	}
	c, err := s.customer(ctx, name)
	return c.ID, err
}

// customerFlag leaves only one customer's rows of a report.
func customerFlag(cmd *cobra.Command, name *string) {
	cmd.Flags().StringVar(name, "customer", "", "only this `CUSTOMER`'s: a name, the beginning of an id, or ext:REFERENCE")
}

// called is how a report names a customer.
func called(id uuid.UUID, name string) string {
	if name == "" {
		return "(erased) " + short(id)
	}
	return name
}

func (a *app) openItems() *cobra.Command {
	var f views.OpenFilter
	var buyer string
	var t telling
	cmd := &cobra.Command{
		Use:   "open-items",
		Short: "What customers owe, and how long it is overdue",
		Args:  cobra.NoArgs,
		RunE: a.withBook(func(ctx context.Context, s *session, cmd *cobra.Command, _ []string) (err error) {
			f.AsOf = s.day
			if f.Customer, err = s.customerNamed(ctx, buyer); err != nil {
				return err
			}
			f.Explain = t.explain
			v, err := s.dated(ctx)
			if err != nil {
				return err
			}
			whole := t.whole(cmd, &f.Limit)
			items, err := v.OpenItems(ctx, f)
			if err == nil && whole {
				err = rest(&items.Items, &items.Next, func(after string) ([]views.OpenItem, string, error) {
					f.After = after
					page, err := v.OpenItems(ctx, f)
					return page.Items, page.Next, err
				})
			}
			if err != nil {
				return err
			}
			return a.report(t, openItemsJSON{items.AsOf, items.Items, items.Aging, items.Base, items.Next}, openGrid(items), func(w io.Writer) { tellOpenItems(w, items) })
		}),
	}
	flags := cmd.Flags()
	customerFlag(cmd, &buyer)
	flags.IntVar(&f.Limit, "limit", views.DefaultLimit, "how `MANY` at most, up to 1000")
	flags.StringVar(&f.After, "after", "", "go on after the page whose \"next\" this `TOKEN` was")
	return t.add(cmd)
}

func openGrid(items views.OpenItems) *grid {
	g := newGrid("kind document number customer customer_name reference date due_date currency",
		"total open open_base days_overdue", "open open_base")
	for _, i := range items.Items {
		g.add(i.Entries, string(i.Kind), i.ID.String(), i.Number, i.Customer.String(), i.CustomerName, i.Reference,
			string(i.Date), string(i.DueDate), i.Currency, i.Total, i.Open, i.OpenBase, strconv.Itoa(i.DaysOverdue))
	}
	return g
}

// openItemsJSON is the answer of open-items.
type openItemsJSON struct {
	AsOf  domain.Date      `json:"as_of"`
	Items []views.OpenItem `json:"items"`
	Aging []views.Aging    `json:"aging"`
	// Base is all of it in the book's currency, where there are others.
	Base *views.Aging `json:"base,omitempty"`
	Next string       `json:"next"`
}

func tellOpenItems(w io.Writer, items views.OpenItems) {
	t := newTable("DUE", "NUMBER", "CUSTOMER", ">TOTAL", ">OPEN", "", ">DAYS OVERDUE")
	for _, i := range items.Items {
		overdue := ""
		if i.DaysOverdue > 0 {
			overdue = fmt.Sprint(i.DaysOverdue)
		}
		number := i.Number
		if number == "" {
			number = string(i.Kind) + " " + short(i.ID)
		}
		t.add(string(i.DueDate), number, nameOf(i.Summary), i.Total, i.Open, i.Currency, overdue)
	}
	t.write(w)
	fmt.Fprintln(w)
	sums := newTable(">OPEN", "", ">NOT DUE", ">1-30 DAYS", ">31-60", ">61-90", ">OVER 90")
	for _, s := range items.Aging {
		sums.add(s.Open, s.Currency, s.NotDue, s.Days30, s.Days60, s.Days90, s.Older)
	}
	if s := items.Base; s != nil {
		sums.add(s.Open, "in "+s.Currency, s.NotDue, s.Days30, s.Days60, s.Days90, s.Older)
	}
	sums.write(w)
	tellNext(w, items.Next)
}

func (a *app) aging() *cobra.Command {
	var f views.AgingFilter
	var t telling
	var date, buyer string
	cmd := &cobra.Command{
		Use:   "aging",
		Short: "What customers owed at the end of a day, by how long it was overdue",
		Long: `Tell what every customer owed at the end of a day, by how long it was overdue
then, and the credit that they had, in a column of its own. What is entered
later counts by its own date.`,
		Example: `  daybook report aging --date 2026-03-31`,
		Args:    cobra.NoArgs,
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, _ []string) (err error) {
			if f.Date = s.day; date != "" {
				if f.Date, err = domain.ParseDate(date); err != nil {
					return err
				}
				f.Date = s.until(f.Date)
			}
			if f.Customer, err = s.customerNamed(ctx, buyer); err != nil {
				return err
			}
			f.Explain = t.explain
			v, err := s.views(ctx)
			if err != nil {
				return err
			}
			report, err := v.AgingReport(ctx, f)
			if err != nil {
				return err
			}
			return a.report(t, report, agingGrid(report), func(w io.Writer) { tellAging(w, report) })
		}),
	}
	cmd.Flags().StringVar(&date, "date", "", "the `DATE` (default: that of --effective or --as-of, else today)")
	customerFlag(cmd, &buyer)
	cmd.Flags().IntVar(&f.Limit, "limit", 0, "how `MANY` customers at most (default all)")
	cmd.Flags().StringVar(&f.After, "after", "", "go on after the page whose \"next\" this `TOKEN` was")
	return t.add(cmd)
}

func agingGrid(r views.AgingReport) *grid {
	figures := "open not_due days_1_30 days_31_60 days_61_90 days_over_90 credit open_base credit_base"
	g := newGrid("customer customer_name currency", figures, figures)
	for _, row := range r.Rows {
		g.add(row.Entries, row.Customer.String(), row.CustomerName, row.Currency, row.Open, row.NotDue,
			row.Days30, row.Days60, row.Days90, row.Older, row.Credit, row.OpenBase, row.CreditBase)
	}
	return g
}

func tellAging(w io.Writer, r views.AgingReport) {
	t := newTable("CUSTOMER", ">OPEN", "", ">NOT DUE", ">1-30 DAYS", ">31-60", ">61-90", ">OVER 90", ">CREDIT")
	add := func(name string, a views.AgingTotal) {
		t.add(name, a.Open, a.Currency, a.NotDue, a.Days30, a.Days60, a.Days90, a.Older, a.Credit)
	}
	for _, row := range r.Rows {
		add(called(row.Customer, row.CustomerName), row.AgingTotal)
	}
	for _, total := range r.Totals {
		add("all", total)
	}
	if len(r.Totals) > 1 {
		add("all in "+r.Base.Currency, r.Base)
	}
	t.write(w)
	tellNext(w, r.Next)
}
