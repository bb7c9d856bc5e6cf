package exporter

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/daybook-ledger/daybook/projections/views"
)

// columns of the table.
var columns = []string{
	"date", "position", "entry", "line", "kind", "document", "number", "customer", "customer_name", "account",
	"debit", "credit", "currency", "debit_base", "credit_base", "base_currency", "category", "percent", "taxable", "tax_point",
}

// CSV writes a table with a line for each posting. A text that a spreadsheet would
// take for a formula begins with an apostrophe.
func CSV(w io.Writer, j Journal) (entries int, err error) {
	table := csv.NewWriter(w)
	if err := table.Write(columns); err != nil {
		return 0, fmt.Errorf("exporter: %w", err)
	}
	for e, err := range j.Entries {
		if err != nil {
			return entries, err
		}
		for line, p := range e.Postings {
			if err := table.Write(row(j, e, line, p)); err != nil {
				return entries, fmt.Errorf("exporter: %w", err)
			}
		}
		entries++
	}
	table.Flush()
	if err := table.Error(); err != nil {
		return entries, fmt.Errorf("exporter: %w", err)
	}
	return entries, nil
}

func row(j Journal, e views.Entry, line int, p views.Posting) []string {
	return []string{
		string(e.Date), strconv.FormatUint(e.Position, 10), strconv.Itoa(e.Entry), strconv.Itoa(line), string(e.Kind),
		e.Document.String(), harmless(e.Number), e.Customer.String(), harmless(e.CustomerName), string(p.Account),
		p.Debit, p.Credit, p.Currency, p.DebitBase, p.CreditBase, j.Currency,
		string(p.Category), p.Percent, p.Taxable, string(p.TaxPoint),
	}
}

// harmless is a text that no spreadsheet takes for a formula.
func harmless(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}
