package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/payment"
	"github.com/daybook-ledger/daybook/projections/views"
)

func (a *app) paymentList() *cobra.Command {
	var f views.Filter
	var statuses []string
	var buyer, from, to string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List, filter and search payments",
		Args:  cobra.NoArgs,
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, _ []string) (err error) {
			for _, status := range statuses {
				f.Status = append(f.Status, invoice.Status(status))
			}
			if f.From, f.To, err = dates(from, to); err != nil {
				return err
			}
			if buyer != "" {
				c, err := s.customer(ctx, buyer)
				if err != nil {
					return err
				}
				f.Customer = c.ID
			}
			v, err := s.views(ctx)
			if err != nil {
				return err
			}
			page, err := v.Payments(ctx, f)
			if err != nil {
				return err
			}
			return a.answer(map[string]any{"payments": page.Payments, "next": page.Next}, func(w io.Writer) {
				t := newTable("ID", "DATE", "CUSTOMER", "REFERENCE", "STATUS", ">AMOUNT", ">ALLOCATED", ">REFUNDED", ">FREE", "")
				for _, p := range page.Payments {
					t.add(short(p.ID), string(p.Date), payer(p), p.Reference, string(p.Status), p.Amount, p.Allocated, p.Refunded, p.Free, p.Currency)
				}
				t.write(w)
				tellNext(w, page.Next)
			})
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&buyer, "customer", "", "only this `CUSTOMER`'s: a name, the beginning of an id, or ext:REFERENCE")
	flags.StringVar(&from, "from", "", "only received on or after this `DATE`")
	flags.StringVar(&to, "to", "", "only received on or before this `DATE`")
	flags.StringVar(&f.Reference, "reference", "", "only this `REFERENCE`")
	flags.StringVar(&f.Search, "search", "", "a `TEXT`: part of a reference or customer's name")
	flags.StringVar(&f.Sort, "sort", "", "`ORDER`: date, total, customer or recorded, with a leading hyphen for descending (default -recorded)")
	flags.BoolVar(&f.Free, "free", false, "only those of which an amount is free")
	flags.StringSliceVar(&statuses, "status", nil, "only this `STATUS`: received or reversed; may be repeated")
	flags.IntVar(&f.Limit, "limit", views.DefaultLimit, "how `MANY` at most, up to 1000")
	flags.StringVar(&f.After, "after", "", "go on after the page whose \"next\" this `TOKEN` was")
	complete(cmd, "status", []payment.Status{payment.StatusReceived, payment.StatusReversed})
	complete(cmd, "sort", []string{"date", "-date", "total", "-total", "customer", "recorded"})
	return cmd
}

func (a *app) paymentShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show PAYMENT",
		Short: "Show a payment whole, and where the money went",
		Args:  cobra.ExactArgs(1),
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, args []string) error {
			found, err := s.paymentNamed(ctx, args[0])
			if err != nil {
				return err
			}
			v, err := s.views(ctx)
			if err != nil {
				return err
			}
			p, err := v.Payment(ctx, found.ID)
			if err != nil {
				return err
			}
			return a.answer(map[string]any{"payment": p}, func(w io.Writer) { tellPayment(w, p) })
		}),
	}
}

func tellPayment(w io.Writer, p *views.PaymentDetail) {
	t := newTable("", "")
	t.add("Payment", p.ID.String())
	for _, row := range [][2]string{
		{"Status", string(p.Status)},
		{"Reference", p.Reference},
		{"Date", string(p.Date)},
		{"Customer", payer(p.Payment)},
		{"Method", p.Method},
		{"Text", p.Text},
		{"Reversed", string(p.Reversed)},
		{"Reason", p.Reason},
	} {
		if row[1] != "" {
			t.add(row[0], row[1])
		}
	}
	t.write(w)
	fmt.Fprintln(w)
	sums := newTable("", ">")
	for _, row := range [][2]string{
		{"Amount", p.Amount},
		{"Allocated", p.Allocated},
		{"Refunded", p.Refunded},
		{"Drawn as prepaid", p.Drawn},
		{"Free", p.Free},
		{"To be paid back", p.Open},
	} {
		if strings.Trim(row[1], "0.") != "" {
			sums.add(row[0], row[1], p.Currency)
		}
	}
	sums.write(w)
	if b := p.Base; b != nil {
		fmt.Fprintf(w, "\n%s\n", rateText(p.Exchange, p.Currency, b.Currency))
		worth := newTable("", ">")
		for _, row := range [][2]string{{"Amount", b.Amount}, {"Free", b.Free}, {"To be paid back", b.Open}} {
			if strings.Trim(row[1], "0.") != "" {
				worth.add(row[0], row[1], b.Currency)
			}
		}
		worth.write(w)
	}
	tellAllocations(w, "Allocated to", p.Allocations, p.Currency)
	tellAllocations(w, "Paid back with", p.Payments, p.Currency)
}

// tellAllocations lists the other sides of allocations.
func tellAllocations(w io.Writer, heading string, all []views.Allocation, currency string) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n", heading)
	t := newTable("NUMBER", "ID", "DATE", "REFERENCE", ">AMOUNT", "")
	for _, one := range all {
		number := one.Number
		if number == "" {
			number = string(one.Kind)
		}
		t.add(number, short(one.ID), string(one.Date), one.Reference, one.Amount, currency)
	}
	t.write(w)
}
