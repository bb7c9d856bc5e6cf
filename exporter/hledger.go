package exporter

import (
	"bufio"
	"fmt"
	"io"

	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/projections/views"
)

var hledgerAccounts = roots{
	account.Asset: "assets", account.Liability: "liabilities", account.Income: "income", account.Expense: "expenses",
}.accounts(func(info account.Info) string { return string(info.Account) })

// hledgerTypes are the letters by which hledger knows the kinds.
var hledgerTypes = map[account.Kind]string{
	account.Asset: "A", account.Liability: "L", account.Income: "R", account.Expense: "X",
}

// Hledger writes a journal of hledger. Each entry bears its document's number and
// the position of its commit. Accounts and currencies are declared, another currency
// than the book's before the first entry in it.
func Hledger(w io.Writer, j Journal) (int, error) {
	declared := map[string]bool{j.Currency: true}
	head := func(out *bufio.Writer, _ views.Entry) error {
		fmt.Fprintf(out, "decimal-mark .\ncommodity %s\n", j.Currency)
		for _, info := range account.Chart() {
			fmt.Fprintf(out, "account %-28s  ; type: %s\n", hledgerAccounts[info.Account], hledgerTypes[info.Kind])
		}
		return nil
	}
	return each(w, j, head, func(out *bufio.Writer, e views.Entry) error {
		for _, p := range e.Postings {
			if !declared[p.Currency] {
				fmt.Fprintf(out, "\ncommodity %s\n", p.Currency)
				declared[p.Currency] = true
			}
		}
		fmt.Fprintf(out, "\n%s (%s) %s  ; position:%d, entry:%d\n",
			e.Date, plain(code(e), "();"), plain(title(e), ";|"), e.Position, e.Entry)
		for _, p := range e.Postings {
			parts, err := legs(p, j.Currency)
			if err != nil {
				return err
			}
			for _, l := range parts {
				fmt.Fprintf(out, "    %-28s  %s %s", hledgerAccounts[l.account], l.amount, l.currency)
				if l.cost != "" {
					fmt.Fprintf(out, " @@ %s %s", l.cost, j.Currency)
				}
				if p.Category != "" {
					fmt.Fprintf(out, "  ; tax:%s, reported:%s", taxed(p), p.TaxPoint)
				}
				fmt.Fprintln(out)
			}
		}
		return nil
	})
}
