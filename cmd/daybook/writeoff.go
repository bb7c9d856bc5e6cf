package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/projections/views"
)

func (a *app) invoiceWriteOff() *cobra.Command {
	var sum, date, reason string
	cmd := a.docCommand("write-off", "Give up what is open of an invoice, tax included", "Wrote off",
		func(s *session, found views.Summary) (domain.Command, error) {
			day, err := s.app.issueDate(date)
			if err != nil {
				return nil, err
			}
			c := &invoice.WriteOff{ID: found.ID, Date: day, Reason: reason}
			if sum != "" {
				c.Amount, err = amountIn(found.Currency, sum)
			}
			return c, err
		})
	cmd.Flags().StringVar(&sum, "amount", "", "the `AMOUNT` (default all that is open)")
	cmd.Flags().StringVar(&date, "date", "", fmt.Sprintf(useDate, "of the write-off"))
	cmd.Flags().StringVar(&reason, "reason", "", "why, a `TEXT` that is kept for ever and should name no person")
	return cmd
}

func (a *app) invoiceRelief() *cobra.Command {
	var date, reason string
	cmd := a.docCommand("relief", "Take the tax back on what was written off of an invoice", "Relieved the tax of",
		func(s *session, found views.Summary) (domain.Command, error) {
			day, err := s.app.issueDate(date)
			return &invoice.Relieve{ID: found.ID, Date: day, Reason: reason}, err
		})
	cmd.Flags().StringVar(&date, "date", "", fmt.Sprintf(useDate, "of the relief"))
	cmd.Flags().StringVar(&reason, "reason", "", "why the law allows it, a `TEXT` that is kept for ever")
	return cmd
}
