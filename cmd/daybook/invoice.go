package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/tax"
	"github.com/daybook-ledger/daybook/projections/views"
)

func (a *app) invoiceCommand() *cobra.Command {
	return a.group("invoice", "Draft, approve, issue and look up invoices",
		a.invoiceDraft(), a.invoiceEdit(), a.invoiceApprove(), a.invoiceIssue(), a.invoiceDiscard(),
		a.invoiceWriteOff(), a.invoiceRelief(),
		a.showCommand("invoice", domain.KindInvoice), a.listCommand("invoice", domain.KindInvoice))
}

// documentChanged is the answer of a command that changed a document: the
// document as it is now, and where the change stands in the log.
type documentChanged struct {
	views.Summary
	change
}

// enterDocument gives a command about a document to the book, and tells what
// became of the document.
func (s *session) enterDocument(ctx context.Context, verb string, command domain.Command, expect *uint64) error {
	done, err := s.enter(ctx, command, expect)
	if err != nil {
		return err
	}
	v, err := s.views(ctx)
	var doc *views.Document
	if err == nil {
		doc, err = v.Document(ctx, command.Stream(), s.app.today())
	}
	if err != nil {
		return err
	}
	return s.app.answer(documentChanged{doc.Summary, done}, func(w io.Writer) {
		name := doc.Number
		if name == "" {
			name = short(doc.ID)
		}
		again := ""
		if done.Repeated {
			again = ", already entered"
		}
		fmt.Fprintf(w, "%s %s for %s: %s %s, %s (position %d%s).\n",
			verb, name, oneLine(nameOf(doc.Summary)), doc.Total, doc.Currency, dueText(doc), done.Position, again)
	})
}

// nameOf is the buyer's name.
func nameOf(s views.Summary) string {
	if s.CustomerName == "" {
		return "(erased)"
	}
	return s.CustomerName
}

// dueText is how much is due of a document, and when; of a credit note, where the
// amount goes.
func dueText(d *views.Document) string {
	switch {
	case d.Kind == domain.KindCredit:
		return fmt.Sprintf("%s off the invoice and %s to the customer's credit", d.Applied, d.Excess)
	case d.DueDate == "":
		return "due " + d.Due
	default:
		return fmt.Sprintf("due %s on %s", d.Due, d.DueDate)
	}
}

// withTotals gives a refusal for a document's totals those totals: a refusal by
// another process comes without.
func withTotals(err error, c invoice.Content) error {
	var refusal *domain.Refusal
	if !errors.As(err, &refusal) || refusal.Computed != nil {
		return err
	}
	_, _, again := c.Compute()
	var same *domain.Refusal
	if errors.As(again, &same) && same.Code == refusal.Code {
		told := *refusal
		if totals, is := same.Computed.(tax.Totals); is {
			told.Computed = totals
		}
		return &told
	}
	return err
}

func (a *app) invoiceDraft() *cobra.Command {
	var f contentFlags
	cmd := changing(&cobra.Command{
		Use:   "draft",
		Short: "Begin an invoice",
		Example: `  daybook invoice draft --customer "Ada Lovelace" --tax S20 --due +30 \
      --line "3 x 49.50 Consulting in March" --line "2 x 10.00 @S5 #B-17 Children's seat"
  daybook invoice draft --from invoice.json`,
		Args: cobra.NoArgs,
		RunE: a.withBook(func(ctx context.Context, s *session, cmd *cobra.Command, _ []string) error {
			d, err := f.build(ctx, s, cmd, document{})
			if err == nil {
				err = d.needCustomer()
			}
			if err != nil {
				return err
			}
			err = s.enterDocument(ctx, "Drafted", &invoice.Draft{ID: s.newID(), Content: d.Content, Personal: d.text}, nil)
			return withTotals(err, d.Content)
		}),
	})
	f.add(cmd, true)
	return cmd
}

func (a *app) invoiceEdit() *cobra.Command {
	var f contentFlags
	cmd := changing(&cobra.Command{
		Use:   "edit DOCUMENT",
		Short: "Change a draft; an approved one needs approval again",
		Long: `Change a draft: the flags say what becomes different, the rest stays. --line
replaces all lines, --from everything but the customer.`,
		Args: cobra.ExactArgs(1),
		RunE: a.withBook(func(ctx context.Context, s *session, cmd *cobra.Command, args []string) error {
			found, err := s.document(ctx, args[0], domain.KindInvoice)
			if err != nil {
				return err
			}
			base, revision, err := s.drafted(ctx, found)
			if err != nil {
				return err
			}
			d, err := f.build(ctx, s, cmd, base)
			if err != nil {
				return err
			}
			err = s.enterDocument(ctx, "Edited", &invoice.Edit{ID: found.ID, Content: d.Content, Personal: d.text}, &revision)
			return withTotals(err, d.Content)
		}),
	})
	f.add(cmd, true)
	return cmd
}

// drafted gives the content of a draft as it is now, and its revision.
func (s *session) drafted(ctx context.Context, found views.Summary) (document, uint64, error) {
	stream := invoice.Stream(found.ID)
	revision, err := s.revision(ctx, stream)
	if err != nil {
		return document{}, 0, err
	}
	event, err := s.last(ctx, stream, "invoice.drafted", "invoice.edited")
	if err != nil {
		return document{}, 0, err
	}
	switch e := event.(type) {
	case *invoice.Drafted:
		return document{e.Content, e.Personal}, revision, nil
	case *invoice.Edited:
		return document{e.Content, e.Personal}, revision, nil
	default: // not a draft, which the book will say
		return document{}, revision, nil
	}
}

// docCommand is a command that changes one invoice and needs nothing else.
func (a *app) docCommand(use, short, verb string, command func(s *session, found views.Summary) (domain.Command, error)) *cobra.Command {
	return changing(&cobra.Command{
		Use: use + " DOCUMENT", Short: short, Args: cobra.ExactArgs(1),
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, args []string) error {
			found, err := s.document(ctx, args[0], domain.KindInvoice)
			if err != nil {
				return err
			}
			c, err := command(s, found)
			if err != nil {
				return err
			}
			return s.enterDocument(ctx, verb, c, nil)
		}),
	})
}

func (a *app) invoiceApprove() *cobra.Command {
	return a.docCommand("approve", "Make a draft ready for issue", "Approved",
		func(_ *session, found views.Summary) (domain.Command, error) {
			return &invoice.Approve{ID: found.ID}, nil
		})
}

func (a *app) invoiceIssue() *cobra.Command {
	var date string
	var f exchangeFlags
	cmd := a.docCommand("issue", "Issue an approved draft: it gets its number, and changes no more", "Issued",
		func(s *session, found views.Summary) (domain.Command, error) {
			day, err := s.app.issueDate(date)
			if err != nil {
				return nil, err
			}
			rate, err := f.exchange()
			return &invoice.Issue{ID: found.ID, Date: day, Exchange: rate}, err
		})
	cmd.Flags().StringVar(&date, "date", "", "the `DATE` of issue (default today)")
	f.add(cmd, "")
	return cmd
}

func (a *app) invoiceDiscard() *cobra.Command {
	var reason string
	cmd := a.docCommand("discard", "End a draft", "Discarded",
		func(_ *session, found views.Summary) (domain.Command, error) {
			return &invoice.Discard{ID: found.ID, Reason: reason}, nil
		})
	cmd.Flags().StringVar(&reason, "reason", "", "why, a `TEXT` that is kept for ever and should name no person")
	return cmd
}

// document finds the document that a person names, as it is named now.
func (s *session) document(ctx context.Context, name string, kind domain.Kind) (views.Summary, error) {
	v, err := s.now(ctx)
	if err != nil {
		return views.Summary{}, err
	}
	return v.FindDocument(ctx, name, kind)
}
