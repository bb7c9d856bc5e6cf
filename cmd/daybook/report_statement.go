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

func (a *app) statement() *cobra.Command {
	var f views.StatementFilter
	var t telling
	var from, to, buyer string
	cmd := &cobra.Command{
		Use:   "statement",
		Short: "Statements of account: what happened with a customer, and the balance",
		Long: `Tell what happened between the business and its customers in a time, by customer
and currency: every document, payment and what became of it, between the opening
balance and the closing one.`,
		Example: `  daybook report statement --customer "Ada Lovelace" --from 2026-01 --to 2026-03`,
		Args:    cobra.NoArgs,
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, _ []string) (err error) {
			if f.From, f.To, err = s.timeOf(from, to); err != nil {
				return err
			}
			if f.Customer, err = s.customerNamed(ctx, buyer); err != nil {
				return err
			}
			f.Explain = t.explain
			v, err := s.views(ctx)
			if err != nil {
				return err
			}
			all, err := v.Statements(ctx, f)
			if err != nil {
				return err
			}
			return a.report(t, all, statementGrid(all), func(w io.Writer) { tellStatements(w, all, t.explain) })
		}),
	}
	spanFlags(cmd, &from, &to)
	customerFlag(cmd, &buyer)
	return t.add(cmd)
}

// Rows of statements and ledgers are of three kinds.
const (
	rowOpening = "opening"
	rowEntry   = "entry"
	rowClosing = "closing"
)

func statementGrid(all views.Statements) *grid {
	g := newGrid("customer customer_name currency row position event type date kind document number of_kind of of_number",
		"receivable credit amount balance amount_base balance_base", "receivable credit balance balance_base")
	for _, s := range all.Statements {
		who := []string{s.Customer.String(), s.CustomerName, s.Currency}
		edge := func(row string, date domain.Date, at views.Standing) []string {
			return append(who[:3:3], row, "", "", "", string(date), "", "", "", "", "", "",
				at.Receivable, at.Credit, "", at.Balance, "", at.BalanceBase)
		}
		g.add(s.Entries, edge(rowOpening, all.From, s.Opening)...)
		for _, l := range s.Lines {
			of := ""
			if l.Of != uuid.Nil {
				of = l.Of.String()
			}
			g.addEntry(l.Cause, map[string]string{
				"receivable": l.Receivable, "credit": l.Credit, "balance": l.Amount, "balance_base": l.AmountBase,
			}, append(append(append(who[:3:3], rowEntry), causeCells(l.Cause)...), string(l.OfKind), of, l.OfNumber,
				l.Receivable, l.Credit, l.Amount, l.Balance, l.AmountBase, l.BalanceBase)...)
		}
		g.add(nil, edge(rowClosing, all.To, s.Closing)...)
	}
	return g
}

// causeCells are the columns position, event, type, date, kind, document and
// number.
func causeCells(c views.Cause) []string {
	return []string{
		strconv.FormatUint(c.Position, 10), strconv.Itoa(c.Event), c.Type, string(c.Date),
		string(c.Kind), c.Document.String(), c.Number,
	}
}

// happenings are what people call the events of a statement.
var happenings = map[string]string{
	"invoice.issued":      "invoice",
	"credit.issued":       "credit note",
	"payment.received":    "payment",
	"payment.reversed":    "payment reversed",
	"funds.allocated":     "allocated",
	"funds.released":      "allocation taken back",
	"funds.refunded":      "refund",
	"funds.drawn":         "used as prepaid",
	"invoice.written-off": "written off",
	"invoice.recovered":   "write-off taken back",
}

func happening(eventType string) string {
	if name := happenings[eventType]; name != "" {
		return name
	}
	return eventType
}

func tellStatements(w io.Writer, all views.Statements, explain bool) {
	for i, s := range all.Statements {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s, %s%s\n", oneLine(called(s.Customer, s.CustomerName)), s.Currency, bounds(all.From, all.To))
		headings := []string{"DATE", "", "DOCUMENT", "OF", ">OWED", ">CREDIT", ">BALANCE"}
		if explain {
			headings = append(headings, ">POSITION")
		}
		t := newTable(headings...)
		t.add(string(all.From), "opening balance", "", "", s.Opening.Receivable, s.Opening.Credit, s.Opening.Balance)
		for _, l := range s.Lines {
			of := l.OfNumber
			if of == "" && l.Of != uuid.Nil {
				of = string(l.OfKind) + " " + short(l.Of)
			}
			cells := []string{
				string(l.Date), happening(l.Type), documentOf(l.Cause), of, changed(l.Receivable), changed(l.Credit), l.Balance,
			}
			if explain {
				cells = append(cells, strconv.FormatUint(l.Position, 10))
			}
			t.add(cells...)
		}
		t.add(string(all.To), "closing balance", "", "", s.Closing.Receivable, s.Closing.Credit, s.Closing.Balance)
		t.write(w)
	}
}

// changed is a change, nothing where there is none.
func changed(amount string) string {
	if blankZero(amount) == "" || amount[0] == '-' {
		return blankZero(amount)
	}
	return "+" + amount
}

// bounds tells people of what time a report is.
func bounds(from, to domain.Date) string {
	text := ""
	if from != "" {
		text += " from " + string(from)
	}
	if to != "" {
		text += " to " + string(to)
	}
	if text != "" {
		text = "," + text
	}
	return text
}
