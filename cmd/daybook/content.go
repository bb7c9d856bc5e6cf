package main

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// contentFlags say what stands on a document: a file says all of it, and flags
// replace parts.
type contentFlags struct {
	from, customer, tax, due, supply, reference, note, terms, prepaid, rounding string
	lines, exemptions, deduct                                                   []string
	gross, deposit                                                              bool
	exchange                                                                    exchangeFlags
}

func (f *contentFlags) add(cmd *cobra.Command, payable bool) {
	flags := cmd.Flags()
	flags.StringVar(&f.from, "from", "", "read the whole content from a JSON `FILE`, or - for stdin; flags replace parts of it")
	flags.StringVar(&f.customer, "customer", "", "the `CUSTOMER`: a name, the beginning of an id, or ext:REFERENCE")
	flags.StringArrayVar(&f.lines, "line", nil, "a `LINE`, such as \"3 x 49.50 Consulting\" or \"2 h x 80 @S20 #DEV Development\"; may be repeated")
	flags.StringVar(&f.tax, "tax", "", "the `TAX` of lines that name none: category and percentage, such as S20, Z, AE")
	flags.StringArrayVar(&f.exemptions, "exemption", nil, "why a category is not taxed: `CATEGORY=REASON`, or CATEGORY:CODE=REASON; may be repeated")
	flags.BoolVar(&f.gross, "gross", false, "prices include the tax")
	flags.StringVar(&f.supply, "supply-date", "", "the `DATE` of supply, if it is not that of issue")
	flags.StringVar(&f.reference, "reference", "", "the document's `NAME` in another system: ext:NAME finds it")
	flags.StringVar(&f.note, "note", "", "a `TEXT` for the reader")
	f.exchange.add(cmd, "the book's, or that of the invoice")
	if !payable {
		return
	}
	flags.BoolVar(&f.deposit, "deposit", false, "a deposit invoice: an invoice to come deducts it")
	flags.StringArrayVar(&f.deduct, "deduct", nil, "deduct the deposit `INVOICE`, a line for each tax: what is left of it, or INVOICE=AMOUNT; may be repeated")
	flags.StringVar(&f.due, "due", "", "the due `DATE`, or +DAYS after issue")
	flags.StringVar(&f.terms, "terms", "", "the terms of payment, a `TEXT`")
	flags.StringVar(&f.prepaid, "prepaid", "", "the `AMOUNT` that was paid before issue")
	flags.StringVar(&f.rounding, "rounding", "", "the `AMOUNT` that rounds what is due")
}

// document is a document's content on its way into a command.
type document struct {
	invoice.Content
	text *invoice.Text
}

// build makes the content: of the file, or else of base, with what the flags
// say in place. The customer stays unset where nobody names one.
func (f *contentFlags) build(ctx context.Context, s *session, cmd *cobra.Command, base document) (document, error) {
	own, err := s.currency(ctx)
	if err != nil {
		return base, err
	}
	d, name := base, f.customer
	if d.Currency.IsZero() {
		d.Currency = own
	}
	if f.from != "" {
		file, err := s.app.readContent(f.from)
		if err != nil {
			return d, err
		}
		currency, err := file.currency(d.Currency)
		if err != nil {
			return d, err
		}
		if f.tax != "" {
			file.Tax = f.tax
		}
		if d.Content, d.text, err = file.content(currency); err != nil {
			return d, err
		}
		if err := s.deductNamed(ctx, file, &d.Content); err != nil {
			return d, err
		}
		if d.Customer = base.Customer; name == "" {
			name = file.Customer
		}
	}
	if name != "" {
		customer, err := s.customer(ctx, name)
		if err != nil {
			return d, err
		}
		d.Customer = customer.ID
	}
	if err := f.rated(&d.Content, own); err != nil {
		return d, err
	}
	if err := f.replace(cmd, &d); err != nil || !cmd.Flags().Changed("deduct") {
		return d, err
	}
	return d, s.deduct(ctx, &d, f.deduct)
}

// rated puts the currency and its rate in place, as the flags say. The book's own
// needs none.
func (f *contentFlags) rated(c *invoice.Content, own money.Currency) (err error) {
	before := c.Currency
	if c.Currency, err = f.exchange.currencyOr(c.Currency); err != nil {
		return err
	}
	rate, err := f.exchange.exchange()
	switch {
	case err != nil:
		return err
	case !rate.IsZero():
		c.Exchange = rate
	case c.Currency == own || c.Currency != before:
		c.Exchange = exchange.Rate{}
	}
	return nil
}

// replace puts what the flags say in place.
func (f *contentFlags) replace(cmd *cobra.Command, d *document) (err error) {
	given := cmd.Flags().Changed
	text := invoice.Text{}
	if d.text != nil {
		text = *d.text
	}
	if given("tax") && !given("line") && f.from == "" {
		return usage("--tax is for --line or --from, and there is neither")
	}
	if given("line") {
		if d.Lines, text.Lines, err = f.parseLines(); err != nil {
			return err
		}
		unfill(&d.Content)
		fillAmounts(&d.Content)
	}
	if given("gross") {
		d.PricesIncludeTax = f.gross
	}
	if given("deposit") {
		d.Deposit = f.deposit
	}
	if given("exemption") {
		if d.Exemptions, err = f.parseExemptions(d.Exemptions); err != nil {
			return err
		}
	}
	if given("due") {
		if err := setDue(&d.Content, f.due); err != nil {
			return err
		}
	}
	if given("prepaid") {
		if d.Prepaid, err = numeral(f.prepaid).amount(d.Currency); err != nil {
			return err
		}
	}
	if given("rounding") {
		if d.RoundingAmount, err = numeral(f.rounding).amount(d.Currency); err != nil {
			return err
		}
	}
	for name, field := range map[string]struct {
		to   *string
		text string
	}{
		"supply-date": {(*string)(&d.SupplyDate), f.supply}, "reference": {&d.Reference, f.reference},
		"note": {&text.Note, f.note}, "terms": {&text.Terms, f.terms},
	} {
		if given(name) {
			*field.to = field.text
		}
	}
	d.text = &text
	if text.Note == "" && text.Terms == "" && !slices.ContainsFunc(text.Lines, func(line string) bool { return line != "" }) {
		d.text = nil
	}
	return nil
}

func (f *contentFlags) parseLines() (parsed []invoice.Line, descriptions []string, err error) {
	var rate tax.Rate
	if f.tax != "" {
		if rate, err = parseRate(f.tax); err != nil {
			return nil, nil, err
		}
	}
	for i, text := range f.lines {
		line, description, err := parseLine(text, rate)
		if err != nil {
			return nil, nil, inLine(i, err)
		}
		parsed, descriptions = append(parsed, line), append(descriptions, description)
	}
	return parsed, descriptions, nil
}

// parseExemptions reads --exemption flags; they replace the reasons of their
// categories.
func (f *contentFlags) parseExemptions(known []tax.Exemption) ([]tax.Exemption, error) {
	all := slices.Clone(known)
	for _, text := range f.exemptions {
		category, reason, found := strings.Cut(text, "=")
		if !found {
			return nil, usage("--exemption %q is not CATEGORY=REASON, such as AE=\"Reverse charge\"", text)
		}
		name, code, _ := strings.Cut(category, ":")
		parsed, err := tax.ParseCategory(strings.ToUpper(name))
		if err != nil {
			return nil, err
		}
		all = slices.DeleteFunc(all, func(e tax.Exemption) bool { return e.Category == parsed })
		all = append(all, tax.Exemption{Category: parsed, Reason: reason, Code: code})
	}
	return all, nil
}

// setDue reads a due date, or a number of days: +30. Nothing means at issue.
func setDue(c *invoice.Content, text string) error {
	c.DueDate, c.DueDays = "", 0
	days, relative := strings.CutPrefix(text, "+")
	if !relative {
		if text == "" {
			return nil
		}
		date, err := domain.ParseDate(text)
		c.DueDate = date
		return err
	}
	n, err := strconv.ParseUint(days, 10, 16)
	if err != nil {
		return domain.Refuse("invalid-due", "%.20q is not a number of days, such as +30", text)
	}
	c.DueDays = int(n)
	return nil
}

// currency is the book's.
func (s *session) currency(ctx context.Context) (money.Currency, error) {
	v, err := s.views(ctx)
	if err != nil {
		return money.Currency{}, err
	}
	book, err := v.Book(ctx)
	if err != nil {
		return money.Currency{}, err
	}
	return money.ParseCurrency(book.Currency)
}

// issueDate reads a --date: today where none is given.
func (a *app) issueDate(text string) (domain.Date, error) {
	if text == "" {
		return a.today(), nil
	}
	return domain.ParseDate(text)
}

// needCustomer asks for the customer of a document that has none.
func (d *document) needCustomer() error {
	if d.Customer == uuid.Nil {
		return usage("the document needs a customer: --customer")
	}
	return nil
}
