package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/domain/tax"
	"github.com/daybook-ledger/daybook/projections/views"
)

func (a *app) reportCommand() *cobra.Command {
	return a.group("report", "Sum up the book",
		a.trialBalance(), a.journal(), a.taxReport(), a.openItems())
}

// trialBalanceJSON is the stable form of the trial balance: the accounts in the
// book's currency.
type trialBalanceJSON struct {
	Accounts []accountJSON `json:"accounts"`
	Currency string        `json:"currency"`
	// Currencies are the accounts in each currency, where there are others.
	Currencies []views.AccountBalance `json:"currencies,omitempty"`
}

type accountJSON struct {
	Account account.Account `json:"account"`
	Debit   string          `json:"debit"`
	Credit  string          `json:"credit"`
}

func (a *app) trialBalance() *cobra.Command {
	var until string
	cmd := &cobra.Command{
		Use:   "trial-balance",
		Short: "The balance of every account: debits equal credits",
		Args:  cobra.NoArgs,
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, _ []string) error {
			_, last, err := dates("", until)
			if err != nil {
				return err
			}
			v, err := s.views(ctx)
			if err != nil {
				return err
			}
			balance, err := v.TrialBalance(ctx, last)
			if err != nil {
				return err
			}
			answer := trialBalanceJSON{Accounts: []accountJSON{}, Currency: balance.Currency}
			for _, b := range balance.InBase {
				answer.Accounts = append(answer.Accounts, accountJSON{b.Account, b.Debit, b.Credit})
			}
			if mixed(balance) {
				answer.Currencies = balance.Accounts
			}
			return a.answer(answer, func(w io.Writer) { tellTrialBalance(w, balance) })
		}),
	}
	cmd.Flags().StringVar(&until, "until", "", "only documents dated up to this `DATE`")
	return cmd
}

// mixed reports whether there are amounts in other currencies than the book's.
func mixed(b views.TrialBalance) bool {
	return slices.ContainsFunc(b.Totals, func(t views.Totals) bool { return t.Currency != b.Currency })
}

func tellTrialBalance(w io.Writer, b views.TrialBalance) {
	t := newTable("ACCOUNT", ">DEBIT", ">CREDIT", "")
	if !mixed(b) {
		for _, row := range b.Accounts {
			t.add(row.Name, blankZero(row.Debit), blankZero(row.Credit), row.Currency)
		}
		for _, row := range b.Totals {
			t.add("", row.Debit, row.Credit, row.Currency)
		}
		t.write(w)
		return
	}
	t = newTable("ACCOUNT", ">DEBIT", ">CREDIT", "", ">DEBIT "+b.Currency, ">CREDIT "+b.Currency)
	for _, row := range b.Accounts {
		t.add(row.Name, blankZero(row.Debit), blankZero(row.Credit), row.Currency, blankZero(row.DebitBase), blankZero(row.CreditBase))
	}
	for _, row := range b.Totals {
		t.add("", row.Debit, row.Credit, row.Currency, "", "")
	}
	t.add("", "", "", "", b.Base.Debit, b.Base.Credit)
	t.write(w)
}

// blankZero leaves zeros out of columns of which only one has a number.
func blankZero(amount string) string {
	if strings.Trim(amount, "0.") == "" {
		return ""
	}
	return amount
}

func (a *app) journal() *cobra.Command {
	var f views.JournalFilter
	var from, to, accountName, name string
	cmd := &cobra.Command{
		Use:   "journal",
		Short: "The entries, by date",
		Args:  cobra.NoArgs,
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, _ []string) (err error) {
			if f.From, f.To, err = dates(from, to); err != nil {
				return err
			}
			if f.Account, err = parseAccount(accountName); err != nil {
				return err
			}
			if name != "" {
				found, err := s.document(ctx, name, "")
				if err != nil {
					return err
				}
				f.Document = idOf(found)
			}
			v, err := s.views(ctx)
			if err != nil {
				return err
			}
			journal, err := v.Journal(ctx, f)
			if err != nil {
				return err
			}
			return a.answer(struct {
				Entries []views.Entry `json:"entries"`
				Next    string        `json:"next"`
			}{journal.Entries, journal.Next}, func(w io.Writer) { tellJournal(w, journal) })
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&from, "from", "", "only entries of this `DATE` or later")
	flags.StringVar(&to, "to", "", "only entries of this `DATE` or earlier")
	flags.StringVar(&accountName, "account", "", "only entries that post to this `ACCOUNT`")
	flags.StringVar(&name, "document", "", "only entries of this `DOCUMENT`")
	flags.IntVar(&f.Limit, "limit", views.DefaultLimit, "how `MANY` at most, up to 1000")
	flags.StringVar(&f.After, "after", "", "go on after the page whose \"next\" this `TOKEN` was")
	complete(cmd, "account", accounts())
	return cmd
}

func accounts() []string {
	var names []string
	for _, info := range account.Chart() {
		names = append(names, string(info.Account))
	}
	return names
}

func parseAccount(name string) (account.Account, error) {
	if name != "" && !slices.Contains(accounts(), name) {
		return "", fail("unknown-account", "the accounts are "+strings.Join(accounts(), ", "), "there is no account %.40q", name)
	}
	return account.Account(name), nil
}

func tellJournal(w io.Writer, j views.Journal) {
	t := newTable("DATE", "DOCUMENT", "CUSTOMER", "ACCOUNT", ">DEBIT", ">CREDIT", "")
	for _, e := range j.Entries {
		date, number, name := string(e.Date), e.Number, e.CustomerName
		if number == "" {
			number = string(e.Kind) + " " + short(e.Document)
		}
		for _, p := range e.Postings {
			account := string(p.Account)
			if p.Category != "" {
				account = fmt.Sprintf("%s %s %s on %s", account, p.Category, p.Percent, p.Taxable)
			}
			t.add(date, number, name, account, blankZero(p.Debit), blankZero(p.Credit), p.Currency)
			date, number, name = "", "", ""
		}
	}
	t.write(w)
	tellNext(w, j.Next)
}

func (a *app) taxReport() *cobra.Command {
	var from, to string
	cmd := &cobra.Command{
		Use:     "tax",
		Short:   "The tax charged, by the month of its tax point, category and rate",
		Example: `  daybook report tax --from 2026-01 --to 2026-03`,
		Args:    cobra.NoArgs,
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, _ []string) error {
			v, err := s.views(ctx)
			if err != nil {
				return err
			}
			report, err := v.TaxReport(ctx, from, to)
			if err != nil {
				return err
			}
			return a.answer(report, func(w io.Writer) { tellTax(w, report) })
		}),
	}
	cmd.Flags().StringVar(&from, "from", "", "from this `MONTH` on, such as 2026-01")
	cmd.Flags().StringVar(&to, "to", "", "up to and with this `MONTH`")
	return cmd
}

// taxedBy says which date is an invoice's tax point.
func taxedBy(basis tax.Basis) string {
	if basis == tax.BySupply {
		return "the date of supply, or that of issue where it is earlier"
	}
	return "the date of issue"
}

func tellTax(w io.Writer, r views.TaxReport) {
	fmt.Fprintf(w, "By tax point: %s.\n\n", taxedBy(r.Basis))
	t := newTable("MONTH", "CATEGORY", ">PERCENT", ">TAXABLE", ">TAX", "")
	add := func(month string, rows []views.TaxRow) {
		for _, row := range rows {
			t.add(month, string(row.Category), row.Percent.String(), row.Taxable, row.Tax, row.Currency)
			month = ""
		}
	}
	for _, p := range r.Periods {
		add(p.Month, p.Rows)
	}
	if len(r.Periods) != 1 {
		add("all", r.Rows)
	}
	t.write(w)
}

func (a *app) openItems() *cobra.Command {
	var f views.OpenFilter
	var asOf, buyer string
	cmd := &cobra.Command{
		Use:   "open-items",
		Short: "What customers owe, and how long it is overdue",
		Args:  cobra.NoArgs,
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, _ []string) (err error) {
			if f.AsOf, err = a.issueDate(asOf); err != nil {
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
			items, err := v.OpenItems(ctx, f)
			if err != nil {
				return err
			}
			return a.answer(openItemsJSON{items.AsOf, items.Items, items.Aging, items.Next}, func(w io.Writer) { tellOpenItems(w, items) })
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&asOf, "as-of", "", "the `DATE` from which days overdue are counted (default today)")
	flags.StringVar(&buyer, "customer", "", "only this `CUSTOMER`'s: a name, the beginning of an id, or ext:REFERENCE")
	flags.IntVar(&f.Limit, "limit", views.DefaultLimit, "how `MANY` at most, up to 1000")
	flags.StringVar(&f.After, "after", "", "go on after the page whose \"next\" this `TOKEN` was")
	return cmd
}

// openItemsJSON is the answer of open-items.
type openItemsJSON struct {
	AsOf  domain.Date      `json:"as_of"`
	Items []views.OpenItem `json:"items"`
	Aging []views.Aging    `json:"aging"`
	Next  string           `json:"next"`
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
	sums.write(w)
	tellNext(w, items.Next)
}
