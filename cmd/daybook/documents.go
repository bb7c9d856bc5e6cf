package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/projections/views"
)

// listCommand lists the documents of a kind.
func (a *app) listCommand(noun string, kind domain.Kind) *cobra.Command {
	f := views.Filter{Kind: kind}
	var statuses []string
	var buyer, from, to, asOf string
	cmd := &cobra.Command{
		Use:   "list",
		Short: fmt.Sprintf("List, filter and search %ss", noun),
		Args:  cobra.NoArgs,
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, _ []string) (err error) {
			for _, status := range statuses {
				f.Status = append(f.Status, invoice.Status(status))
			}
			if f.From, f.To, err = dates(from, to); err != nil {
				return err
			}
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
			page, err := v.Documents(ctx, f)
			if err != nil {
				return err
			}
			return a.answer(map[string]any{noun + "s": page.Documents, "next": page.Next}, func(w io.Writer) { tellList(w, page) })
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&buyer, "customer", "", "only this `CUSTOMER`'s: a name, the beginning of an id, or ext:REFERENCE")
	flags.StringVar(&from, "from", "", "only issued on or after this `DATE`")
	flags.StringVar(&to, "to", "", "only issued on or before this `DATE`")
	flags.StringVar(&f.Number, "number", "", "only this `NUMBER`")
	flags.StringVar(&f.Reference, "reference", "", "only this external `REFERENCE`")
	flags.StringVar(&f.Search, "search", "", "a `TEXT`: part of a number, reference or buyer's name")
	flags.StringVar(&f.Sort, "sort", "", "`ORDER`: number, date, due, total, customer or recorded, with a leading hyphen for descending (default -recorded)")
	flags.IntVar(&f.Limit, "limit", views.DefaultLimit, "how `MANY` at most, up to 1000")
	flags.StringVar(&f.After, "after", "", "go on after the page whose \"next\" this `TOKEN` was")
	if kind == domain.KindInvoice {
		flags.StringSliceVar(&statuses, "status", nil, "only this `STATUS`: draft, approved, discarded, issued, part-paid, paid, credited or uncollectible; may be repeated")
		flags.BoolVar(&f.Overdue, "overdue", false, "only what is open after its due date")
		flags.StringVar(&asOf, "overdue-on", "", "the `DATE` by which invoices are overdue (default today)")
		complete(cmd, "status", invoice.Statuses())
	}
	complete(cmd, "sort", []string{"number", "-number", "date", "-date", "due", "-due", "total", "-total", "customer", "recorded"})
	return cmd
}

// complete lets shells complete a flag's values.
func complete[T ~string](cmd *cobra.Command, flag string, values []T) {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = string(v)
	}
	err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(texts, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic(err) // the flag is defined by the caller
	}
}

// dates reads the bounds of a range; empty for none.
func dates(from, to string) (first, last domain.Date, err error) {
	if from != "" {
		if first, err = domain.ParseDate(from); err != nil {
			return "", "", err
		}
	}
	if to != "" {
		last, err = domain.ParseDate(to)
	}
	return first, last, err
}

func tellList(w io.Writer, page views.Page) {
	t := newTable("NUMBER", "ID", "DATE", "DUE", "CUSTOMER", "STATUS", ">TOTAL", ">OPEN", "")
	for _, d := range page.Documents {
		status := string(d.Status)
		if d.Overdue {
			status += ", overdue"
		}
		t.add(d.Number, short(d.ID), string(d.Date), string(d.DueDate), nameOf(d), status, d.Total, d.Open, d.Currency)
	}
	t.write(w)
	tellNext(w, page.Next)
}

// showCommand shows a document of a kind.
func (a *app) showCommand(noun string, kind domain.Kind) *cobra.Command {
	return recalling(&cobra.Command{
		Use:   "show DOCUMENT",
		Short: "Show a document whole",
		Long:  "Show a document whole. A document is named by its number, the beginning of its\nid, or ext: and its external reference.",
		Args:  cobra.ExactArgs(1),
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, args []string) error {
			found, err := s.document(ctx, args[0], kind)
			if err != nil {
				return err
			}
			doc, err := s.shown(ctx, domain.StreamID{Kind: kind, ID: found.ID})
			if err != nil {
				return err
			}
			return a.answer(map[string]any{noun: doc}, func(w io.Writer) { tellDocument(w, doc) })
		}),
	})
}

func tellDocument(w io.Writer, d *views.Document) {
	t := newTable("", "")
	title := map[domain.Kind]string{domain.KindInvoice: "Invoice", domain.KindCredit: "Credit note"}[d.Kind]
	if d.Deposit && d.Kind == domain.KindInvoice {
		title = "Deposit invoice"
	}
	number := d.Number
	if number == "" {
		number = "(no number yet)"
	}
	t.add(title, number)
	t.add("Id", d.ID.String())
	status := string(d.Status)
	if d.Overdue {
		status += ", overdue"
	}
	for _, row := range [][2]string{
		{"Status", status},
		{"Reference", d.Reference},
		{"Date", string(d.Date)},
		{"Supplied", string(d.SupplyDate)},
		{"Due", string(d.DueDate)},
		{"On invoice", d.InvoiceNumber},
		{"Reason", d.Reason},
		{"Buyer", buyerText(d)},
		{"Seller", sellerText(d)},
	} {
		if row[1] != "" {
			t.add(row[0], row[1])
		}
	}
	t.write(w)
	fmt.Fprintln(w)
	tellLines(w, d)
	fmt.Fprintln(w)
	tellTotals(w, d)
	tellConverted(w, d)
	for _, text := range []struct{ label, text string }{{"Note", d.Note}, {"Terms", d.Terms}} {
		if text.text != "" {
			fmt.Fprintf(w, "\n%s: %s\n", text.label, printable(text.text))
		}
	}
	tellDeposit(w, d)
	tellAllocations(w, "Paid with", d.Payments, d.Currency)
	tellAllocations(w, "Allocated to", d.Allocations, d.Currency)
	if len(d.CreditNotes) > 0 {
		fmt.Fprintln(w, "\nCredit notes on it")
		tellList(w, views.Page{Documents: d.CreditNotes})
	}
}

func buyerText(d *views.Document) string {
	if d.Erased {
		return "(erased)"
	}
	if d.Buyer == nil {
		return d.CustomerName
	}
	return party(d.Buyer.Name, d.Buyer.Address, d.Buyer.Postcode, d.Buyer.City, country(d.BuyerCountry, d.Buyer), d.Buyer.VATID)
}

func country(code string, p *customer.Profile) string {
	return strings.TrimSpace(code + " " + p.CountryText)
}

func sellerText(d *views.Document) string {
	if s := d.Seller; s != nil {
		return party(s.Name, s.Address, s.Postcode, s.City, s.Country, s.VATID)
	}
	return ""
}

func party(name string, address []string, postcode, city, country, vatID string) string {
	parts := append([]string{name}, address...)
	if place := strings.TrimSpace(postcode + " " + city); place != "" {
		parts = append(parts, place)
	}
	for _, part := range []string{country, vatID} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ", ")
}

func tellLines(w io.Writer, d *views.Document) {
	t := newTable(">QUANTITY", "UNIT", ">PRICE", "ITEM", "DESCRIPTION", "TAX", ">NET")
	places := 0
	if currency, err := money.ParseCurrency(d.Currency); err == nil {
		places = currency.Exponent()
	}
	for _, l := range d.Lines {
		price := padded(l.Price, places)
		if l.BaseQuantity != "" {
			price += "/" + l.BaseQuantity
		}
		t.add(l.Quantity, l.Unit, price, l.Item, l.Description, string(l.Category)+" "+l.Percent.String(), l.Net)
		for _, adjustment := range l.Adjustments {
			t.add("", "", "", "", adjustmentText(adjustment), "", signed(adjustment))
		}
	}
	for _, adjustment := range d.Adjustments {
		t.add("", "", "", "", adjustmentText(adjustment), string(adjustment.Category), signed(adjustment))
	}
	t.write(w)
}

// padded is a price with at least as many decimal places as the currency has.
func padded(price string, places int) string {
	_, fraction, _ := strings.Cut(price, ".")
	if missing := places - len(fraction); missing > 0 {
		if fraction == "" {
			price += "."
		}
		price += strings.Repeat("0", missing)
	}
	return price
}

func adjustmentText(a views.Adjustment) string {
	text := "allowance"
	if a.Charge {
		text = "charge"
	}
	if a.Reason != "" {
		text += ": " + a.Reason
	}
	return text
}

func signed(a views.Adjustment) string {
	if a.Charge {
		return "+" + a.Amount
	}
	return "-" + a.Amount
}

func tellTotals(w io.Writer, d *views.Document) {
	t := newTable("", ">")
	t.add("Net", d.Net, d.Currency)
	for _, s := range d.Breakdown {
		label := fmt.Sprintf("Tax %s %s on %s", s.Category, s.Percent, s.Taxable)
		if s.Reason != "" {
			label += ": " + s.Reason
		}
		t.add(label, s.Tax, d.Currency)
	}
	t.add("Total", d.Total, d.Currency)
	for _, row := range [][2]string{{"Prepaid", d.Prepaid}, {"Rounding", d.Rounding}} {
		if strings.Trim(row[1], "0.-") != "" {
			t.add(row[0], row[1], d.Currency)
		}
	}
	t.add("Due", d.Due, d.Currency)
	if d.Kind == domain.KindCredit {
		t.add("Taken off the invoice", d.Applied, d.Currency)
		t.add("To the customer's credit", d.Excess, d.Currency)
		if strings.Trim(d.Refunded, "0.") != "" {
			t.add("Refunded", d.Refunded, d.Currency)
		}
		if strings.Trim(d.Excess, "0.") != "" {
			t.add("Free", d.Free, d.Currency)
		}
	} else if d.Number != "" {
		if strings.Trim(d.Credited, "0.") != "" {
			t.add("Credited", d.Credited, d.Currency)
		}
		for _, row := range [][2]string{
			{"Paid", d.Allocated}, {"Written off", d.WrittenOff}, {"Recovered after write-off", d.Recovered}, {"Tax relieved", d.Relieved},
		} {
			if strings.Trim(row[1], "0.-") != "" {
				t.add(row[0], row[1], d.Currency)
			}
		}
		t.add("Open", d.Open, d.Currency)
	}
	t.write(w)
}

// idOf is the stream of a document in a list.
func idOf(s views.Summary) domain.StreamID { return domain.StreamID{Kind: s.Kind, ID: s.ID} }
