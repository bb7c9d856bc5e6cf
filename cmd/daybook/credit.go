package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/credit"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
)

func (a *app) creditCommand() *cobra.Command {
	return a.group("credit", "Issue and look up credit notes",
		a.creditIssue(), a.showCommand("credit", domain.KindCredit), a.listCommand("credit", domain.KindCredit))
}

func (a *app) creditIssue() *cobra.Command {
	var f contentFlags
	var name, reason, date string
	var full bool
	cmd := changing(&cobra.Command{
		Use:   "issue",
		Short: "Issue a credit note, on an invoice or on account",
		Long: `Issue a credit note. On an invoice (--invoice) it takes back, at the invoice's
own rates, what --line says or all of it (--full); what exceeds the open amount
becomes credit of the customer. On account (--customer, with a --reason) all of
it does.`,
		Example: `  daybook credit issue --invoice INV-00007 --line "1 x 49.50 One day too many"
  daybook credit issue --invoice INV-00007 --full --reason "Sent to the wrong customer"
  daybook credit issue --customer "Ada Lovelace" --reason "Goodwill" --tax S20 --line "1 x 10 Goodwill"`,
		Args: cobra.NoArgs,
		RunE: a.withBook(func(ctx context.Context, s *session, cmd *cobra.Command, _ []string) error {
			day, err := a.issueDate(date)
			if err != nil {
				return err
			}
			var base document
			var on uuid.UUID
			if name != "" {
				if base, on, err = f.credited(ctx, s, name, full); err != nil {
					return err
				}
			}
			d, err := f.build(ctx, s, cmd, base)
			if err == nil {
				err = d.needCustomer()
			}
			if err != nil {
				return err
			}
			command := &credit.Issue{ID: s.newID(), Invoice: on, Content: d.Content, Date: day, Reason: reason}
			if d.text != nil {
				command.Personal = &credit.IssuePersonal{Text: d.text}
			}
			return withTotals(s.enterDocument(ctx, "Issued the credit note", command, nil), d.Content)
		}),
	})
	f.add(cmd, false)
	flags := cmd.Flags()
	flags.StringVar(&name, "invoice", "", "the `INVOICE` that is credited: its number, the beginning of its id, or ext:REFERENCE")
	flags.BoolVar(&full, "full", false, "credit all lines of the invoice")
	flags.StringVar(&reason, "reason", "", "why, a `TEXT` that is kept for ever and should name no person; needed on account")
	flags.StringVar(&date, "date", "", "the `DATE` of issue (default today)")
	cmd.MarkFlagsMutuallyExclusive("full", "line")
	cmd.MarkFlagsMutuallyExclusive("full", "from")
	return cmd
}

// credited gives what a credit note on an invoice begins from: its customer and
// the way it was computed; all its lines where it is credited in full; and its
// rate for lines that name none, where it has only one.
func (f *contentFlags) credited(ctx context.Context, s *session, name string, full bool) (document, uuid.UUID, error) {
	found, err := s.document(ctx, name, domain.KindInvoice)
	if err != nil {
		return document{}, uuid.Nil, err
	}
	event, err := s.last(ctx, invoice.Stream(found.ID), "invoice.issued")
	if err != nil {
		return document{}, uuid.Nil, err
	}
	issued, is := event.(*invoice.Issued)
	if !is { // not issued, which the book would say of a whole command only
		return document{}, uuid.Nil, fail("not-issued", "edit or discard the draft instead", "the invoice %s is not issued", name)
	}
	var d document
	d.Content = issued.Content
	d.DueDate, d.DueDays, d.Reference, d.Prepaid, d.SupplyDate = "", 0, "", money.Amount{}, ""
	if issued.Personal != nil && issued.Personal.Text != nil {
		d.text = &invoice.Text{Lines: issued.Personal.Text.Lines}
	}
	if !full {
		d.Lines, d.Adjustments, d.RoundingAmount, d.text = nil, nil, money.Amount{}, nil
	}
	if rates := issued.Totals.Breakdown; f.tax == "" && len(rates) == 1 {
		f.tax = string(rates[0].Rate.Category) + rates[0].Rate.Percent.String()
	}
	return d, found.ID, nil
}

// last gives the last event of a stream that has one of the types, nil if there
// is none.
func (s *session) last(ctx context.Context, stream domain.StreamID, types ...string) (domain.Event, error) {
	v, err := s.views(ctx)
	if err != nil {
		return nil, err
	}
	events, err := v.Activity(ctx, stream)
	if err != nil {
		return nil, err
	}
	for i := len(events) - 1; i >= 0; i-- {
		for _, t := range types {
			if events[i].Type != t {
				continue
			}
			read, err := s.read(ctx, stream, events[i:i+1])
			if err != nil {
				return nil, err
			}
			return read[0].Event, nil
		}
	}
	return nil, nil
}

// errHistory means that the log does not have an event where the views say.
var errHistory = errors.New("the log has another event there than the views say")

func wrongEvent(position uint64) error { return fmt.Errorf("position %d: %w", position, errHistory) }
