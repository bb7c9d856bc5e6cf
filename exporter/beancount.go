package exporter

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/projections/views"
)

var beancountAccounts = roots{
	account.Asset: "Assets", account.Liability: "Liabilities", account.Income: "Income", account.Expense: "Expenses",
}.accounts(func(info account.Info) string { return strings.ReplaceAll(info.Name, " ", "-") })

// Beancount writes a ledger of Beancount. Each entry bears its document's number
// and the position of its commit.
func Beancount(w io.Writer, j Journal) (int, error) {
	head := func(out *bufio.Writer, first views.Entry) error {
		fmt.Fprintf(out, "option \"operating_currency\" %q\n\n", j.Currency)
		for _, name := range inOrder(beancountAccounts) {
			fmt.Fprintf(out, "%s open %s\n", first.Date, name)
		}
		return nil
	}
	return each(w, j, head, func(out *bufio.Writer, e views.Entry) error {
		fmt.Fprintf(out, "\n%s * %s %s\n  position: %d\n  entry: %d\n",
			e.Date, quoted(title(e)), quoted(code(e)), e.Position, e.Entry)
		for _, p := range e.Postings {
			parts, err := legs(p, j.Currency)
			if err != nil {
				return err
			}
			for _, l := range parts {
				fmt.Fprintf(out, "  %-28s  %s %s", beancountAccounts[l.account], l.amount, l.currency)
				if l.cost != "" {
					fmt.Fprintf(out, " @@ %s %s", l.cost, j.Currency)
				}
				fmt.Fprintln(out)
				if p.Category != "" {
					fmt.Fprintf(out, "    tax: %s\n    reported: %s\n", quoted(taxed(p)), p.TaxPoint)
				}
			}
		}
		return nil
	})
}

// quoted is a string of Beancount.
func quoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(plain(text, "")) + `"`
}
