package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/domain/tax"
	"github.com/daybook-ledger/daybook/projections/views"
)

func (a *app) reportCommand() *cobra.Command {
	return a.group("report", "Sum up the book",
		a.trialBalance(), a.journal(), a.ledger(), a.taxReport(), a.revenue(), a.openItems(), a.aging(), a.statement())
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

	Entries []views.Evidence `json:"entries,omitempty"`
}

func (a *app) trialBalance() *cobra.Command {
	var t telling
	cmd := &cobra.Command{
		Use:   "trial-balance",
		Short: "The balance of every account: debits equal credits",
		Args:  cobra.NoArgs,
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, _ []string) error {
			v, err := s.now(ctx) // they tell it of every moment
			if err != nil {
				return err
			}
			balance, err := v.TrialBalance(ctx, views.BalanceFilter{At: s.at, Explain: t.explain})
			if err != nil {
				return err
			}
			answer := trialBalanceJSON{Accounts: []accountJSON{}, Currency: balance.Currency}
			for _, b := range balance.InBase {
				answer.Accounts = append(answer.Accounts, accountJSON{b.Account, b.Debit, b.Credit, b.Entries})
			}
			if mixed(balance) {
				answer.Currencies = balance.Accounts
			}
			return a.report(t, answer, balanceGrid(balance), func(w io.Writer) { tellTrialBalance(w, balance) })
		}),
	}
	return t.add(cmd)
}

func balanceGrid(b views.TrialBalance) *grid {
	g := newGrid("account name currency", "debit credit debit_base credit_base", "balance balance_base")
	for _, row := range b.Accounts {
		g.add(row.Entries, string(row.Account), row.Name, row.Currency, row.Debit, row.Credit, row.DebitBase, row.CreditBase)
	}
	return g
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
	var t telling
	cmd := &cobra.Command{
		Use:   "journal",
		Short: "The entries, by date",
		Args:  cobra.NoArgs,
		RunE: a.withBook(func(ctx context.Context, s *session, cmd *cobra.Command, _ []string) (err error) {
			if f.From, f.To, err = s.timeOf(from, to); err != nil {
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
			whole := t.whole(cmd, &f.Limit)
			journal, err := v.Journal(ctx, f)
			if err == nil && whole {
				err = rest(&journal.Entries, &journal.Next, func(after string) ([]views.Entry, string, error) {
					f.After = after
					page, err := v.Journal(ctx, f)
					return page.Entries, page.Next, err
				})
			}
			if err != nil {
				return err
			}
			return a.report(t, struct {
				Entries []views.Entry `json:"entries"`
				Next    string        `json:"next"`
			}{journal.Entries, journal.Next}, journalGrid(journal), func(w io.Writer) { tellJournal(w, journal, t.explain) })
		}),
	}
	spanFlags(cmd, &from, &to)
	flags := cmd.Flags()
	flags.StringVar(&accountName, "account", "", "only entries that post to this `ACCOUNT`")
	flags.StringVar(&name, "document", "", "only entries of this `DOCUMENT`")
	flags.IntVar(&f.Limit, "limit", views.DefaultLimit, "how `MANY` at most, up to 1000")
	flags.StringVar(&f.After, "after", "", "go on after the page whose \"next\" this `TOKEN` was")
	complete(cmd, "account", accounts())
	return t.add(cmd)
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

func journalGrid(j views.Journal) *grid {
	g := newGrid("position entry event type date kind document number customer customer_name account currency category percent",
		"debit credit taxable debit_base credit_base taxable_base", "balance balance_base taxable taxable_base")
	for _, e := range j.Entries {
		cause := views.Cause{
			Position: e.Position, Event: e.Event, Type: e.Type, Date: e.Date, Kind: e.Kind, Document: e.Document, Number: e.Number,
		}
		at := []string{strconv.FormatUint(e.Position, 10), strconv.Itoa(e.Entry)}
		at = append(append(at, causeCells(cause)[1:]...), e.Customer.String(), e.CustomerName)
		for _, p := range e.Postings {
			figures := map[string]string{"balance": oneSide(p.Debit, p.Credit), "balance_base": oneSide(p.DebitBase, p.CreditBase)}
			if p.Category != "" {
				figures["taxable"], figures["taxable_base"] = p.Taxable, p.TaxableBase
			}
			g.addEntry(cause, figures, append(slices.Clone(at), string(p.Account), p.Currency, string(p.Category), p.Percent,
				p.Debit, p.Credit, p.Taxable, p.DebitBase, p.CreditBase, p.TaxableBase)...)
		}
	}
	return g
}

func tellJournal(w io.Writer, j views.Journal, explain bool) {
	headings := []string{"DATE", "DOCUMENT", "CUSTOMER", "ACCOUNT", ">DEBIT", ">CREDIT", ""}
	if explain {
		headings = append(headings, ">POSITION", "EVENT")
	}
	t := newTable(headings...)
	for _, e := range j.Entries {
		date, number, name := string(e.Date), e.Number, e.CustomerName
		if number == "" {
			number = string(e.Kind) + " " + short(e.Document)
		}
		position, event := strconv.FormatUint(e.Position, 10), e.Type
		for _, p := range e.Postings {
			account := string(p.Account)
			if p.Category != "" {
				account = fmt.Sprintf("%s %s %s on %s", account, p.Category, p.Percent, p.Taxable)
			}
			cells := []string{date, number, name, account, blankZero(p.Debit), blankZero(p.Credit), p.Currency}
			if explain {
				cells = append(cells, position, event)
			}
			t.add(cells...)
			date, number, name, position, event = "", "", "", "", ""
		}
	}
	t.write(w)
	tellNext(w, j.Next)
}

func (a *app) taxReport() *cobra.Command {
	var from, to string
	var t telling
	cmd := &cobra.Command{
		Use:     "tax",
		Short:   "The tax charged, by the month of its tax point, category and rate",
		Example: `  daybook report tax --from 2026-01 --to 2026-03`,
		Args:    cobra.NoArgs,
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, _ []string) error {
			v, err := s.dated(ctx)
			if err != nil {
				return err
			}
			report, err := v.TaxReport(ctx, views.TaxFilter{From: from, To: to, Explain: t.explain})
			if err != nil {
				return err
			}
			return a.report(t, report, taxGrid(report), func(w io.Writer) { tellTax(w, report) })
		}),
	}
	cmd.Flags().StringVar(&from, "from", "", "from this `MONTH` on, such as 2026-01")
	cmd.Flags().StringVar(&to, "to", "", "up to and with this `MONTH`")
	return t.add(cmd)
}

func taxGrid(r views.TaxReport) *grid {
	g := newGrid("month category percent currency", "taxable tax", "taxable tax")
	for _, p := range r.Periods {
		for _, row := range p.Rows {
			g.add(row.Entries, p.Month, string(row.Category), row.Percent.String(), row.Currency, row.Taxable, row.Tax)
		}
	}
	return g
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
