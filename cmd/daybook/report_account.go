package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/projections/views"
)

// spanFlags bound the time of a report.
func spanFlags(cmd *cobra.Command, from, to *string) {
	cmd.Flags().StringVar(from, "from", "", "from this `DATE` on, or from the beginning of a month, such as 2026-01")
	cmd.Flags().StringVar(to, "to", "", "up to and with this `DATE`, or the end of a month")
}

// timeOf reads the bounds of a time, dates or months; empty for none. It ends with
// the last day that counts.
func (s *session) timeOf(from, to string) (first, last domain.Date, err error) {
	if month := domain.Date(from + "-01"); month.Valid() {
		from = string(month)
	}
	if month := domain.Date(to + "-01"); month.Valid() {
		next := month.AddDays(31) // in the month after
		to = string(domain.Date(next.Month() + "-01").AddDays(-1))
	}
	first, last, err = dates(from, to)
	return first, s.until(last), err
}

func (a *app) ledger() *cobra.Command {
	var f views.LedgerFilter
	var t telling
	var from, to, name string
	cmd := &cobra.Command{
		Use:   "ledger",
		Short: "The postings of each account, with the balance after each",
		Long: `Tell the postings of each account in a time, between the opening balance and the
closing one. Balances are above zero for a debit, below for a credit.`,
		Example: `  daybook report ledger --account receivables --from 2026-01 --to 2026-03`,
		Args:    cobra.NoArgs,
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, _ []string) (err error) {
			if f.From, f.To, err = s.timeOf(from, to); err != nil {
				return err
			}
			if f.Account, err = parseAccount(name); err != nil {
				return err
			}
			f.Explain = t.explain
			v, err := s.views(ctx)
			if err != nil {
				return err
			}
			ledger, err := v.Ledger(ctx, f)
			if err != nil {
				return err
			}
			return a.report(t, ledger, ledgerGrid(ledger), func(w io.Writer) { tellLedger(w, ledger, t.explain) })
		}),
	}
	spanFlags(cmd, &from, &to)
	cmd.Flags().StringVar(&name, "account", "", "only this `ACCOUNT`")
	complete(cmd, "account", accounts())
	return t.add(cmd)
}

func ledgerGrid(ledger views.Ledger) *grid {
	g := newGrid("account name currency row position event type date kind document number customer customer_name",
		"debit credit balance debit_base credit_base balance_base", "balance balance_base")
	for _, a := range ledger.Accounts {
		which := []string{string(a.Account), a.Name, a.Currency}
		edge := func(row string, date domain.Date, figures ...string) []string {
			return append(append(which[:3:3], row, "", "", "", string(date), "", "", "", "", ""), figures...)
		}
		g.add(a.Entries, edge(rowOpening, ledger.From, "", "", a.Opening, "", "", a.OpeningBase)...)
		for _, l := range a.Lines {
			g.addEntry(l.Cause, map[string]string{
				"balance": oneSide(l.Debit, l.Credit), "balance_base": oneSide(l.DebitBase, l.CreditBase),
			}, append(append(append(which[:3:3], rowEntry), causeCells(l.Cause)...), l.Customer.String(), l.CustomerName,
				l.Debit, l.Credit, l.Balance, l.DebitBase, l.CreditBase, l.BalanceBase)...)
		}
		g.add(nil, edge(rowClosing, ledger.To, a.Debit, a.Credit, a.Closing, a.DebitBase, a.CreditBase, a.ClosingBase)...)
	}
	return g
}

// oneSide is an amount that stands on one side of two: above zero for a debit,
// below for a credit.
func oneSide(debit, credit string) string {
	if blankZero(credit) == "" {
		return debit
	}
	return "-" + credit
}

func tellLedger(w io.Writer, ledger views.Ledger, explain bool) {
	for i, a := range ledger.Accounts {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s, %s%s\n", a.Name, a.Currency, bounds(ledger.From, ledger.To))
		based := exchanged(a)
		t := newTable(ledgerHeadings(based, explain)...)
		add := func(date domain.Date, document, customer string, amounts, base [3]string, position string) {
			cells := append([]string{string(date), document, customer}, amounts[:]...)
			if based {
				cells = append(cells, base[:]...)
			}
			if explain {
				cells = append(cells, position)
			}
			t.add(cells...)
		}
		add(ledger.From, "opening balance", "", [3]string{"", "", a.Opening}, [3]string{"", "", a.OpeningBase}, "")
		for _, l := range a.Lines {
			add(l.Date, documentOf(l.Cause), called(l.Customer, l.CustomerName),
				[3]string{blankZero(l.Debit), blankZero(l.Credit), l.Balance},
				[3]string{blankZero(l.DebitBase), blankZero(l.CreditBase), l.BalanceBase}, strconv.FormatUint(l.Position, 10))
		}
		add(ledger.To, "closing balance", "", [3]string{a.Debit, a.Credit, a.Closing}, [3]string{a.DebitBase, a.CreditBase, a.ClosingBase}, "")
		t.write(w)
	}
}

func ledgerHeadings(based, explain bool) []string {
	headings := []string{"DATE", "DOCUMENT", "CUSTOMER", ">DEBIT", ">CREDIT", ">BALANCE"}
	if based {
		headings = append(headings, ">DEBIT BASE", ">CREDIT BASE", ">BALANCE BASE")
	}
	if explain {
		headings = append(headings, ">POSITION")
	}
	return headings
}

// exchanged reports whether an account's amounts are others in the book's currency.
func exchanged(a views.LedgerAccount) bool {
	return a.Opening != a.OpeningBase || a.Closing != a.ClosingBase || a.Debit != a.DebitBase || a.Credit != a.CreditBase
}

func (a *app) revenue() *cobra.Command {
	var f views.RevenueFilter
	var t telling
	var from, to, buyer string
	var by []string
	cmd := &cobra.Command{
		Use:   "revenue",
		Short: "Revenue without tax, by month, customer and item",
		Long: `Tell the revenue of a time without tax, less what was credited, divided by month,
customer and item. Items are told apart by the seller's codes; lines without one
stand together, and so do allowances and charges for whole documents.`,
		Example: `  daybook report revenue --from 2026-01 --to 2026-12 --by month
  daybook report revenue --by item --csv`,
		Args: cobra.NoArgs,
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, _ []string) (err error) {
			if f.From, f.To, err = s.timeOf(from, to); err != nil {
				return err
			}
			if f.Customer, err = s.customerNamed(ctx, buyer); err != nil {
				return err
			}
			for _, name := range by {
				f.By = append(f.By, views.Dimension(name))
			}
			f.Explain = t.explain
			v, err := s.views(ctx)
			if err != nil {
				return err
			}
			report, err := v.Revenue(ctx, f)
			if err != nil {
				return err
			}
			return a.report(t, report, revenueGrid(report), func(w io.Writer) { tellRevenue(w, report) })
		}),
	}
	spanFlags(cmd, &from, &to)
	customerFlag(cmd, &buyer)
	cmd.Flags().StringSliceVar(&by, "by", nil, "what to divide it by: `month,customer,item` or some of these (default all)")
	complete(cmd, "by", views.Dimensions())
	return t.add(cmd)
}

func revenueGrid(r views.RevenueReport) *grid {
	g := newGrid("month customer customer_name sold item currency", "amount amount_base", "amount amount_base")
	for _, row := range r.Rows {
		id := ""
		if row.Customer != uuid.Nil {
			id = row.Customer.String()
		}
		g.add(row.Entries, row.Month, id, row.CustomerName, string(row.Sold), row.Item, row.Currency, row.Amount, row.AmountBase)
	}
	return g
}

// soldAs is what people read in place of an item's code where there is none.
var soldAs = map[account.Sold]string{
	account.SoldUncoded:    "(no item code)",
	account.SoldAdjustment: "(allowances and charges)",
}

func tellRevenue(w io.Writer, r views.RevenueReport) {
	t := newTable("MONTH", "CUSTOMER", "ITEM", ">REVENUE", "")
	for _, row := range r.Rows {
		customer, item := "", row.Item
		if row.Customer != uuid.Nil {
			customer = called(row.Customer, row.CustomerName)
		}
		if name := soldAs[row.Sold]; name != "" {
			item = name
		}
		t.add(row.Month, customer, item, row.Amount, row.Currency)
	}
	for _, total := range r.Totals {
		t.add("all", "", "", total.Amount, total.Currency)
	}
	t.write(w)
}
