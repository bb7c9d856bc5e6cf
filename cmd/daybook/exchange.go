package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/projections/views"
)

// exchangeFlags say what an amount in another currency than the book's is worth.
type exchangeFlags struct{ currency, rate, source, date string }

// add adds the flags; with the currency where the command does not know it from
// elsewhere.
func (f *exchangeFlags) add(cmd *cobra.Command, currency string) {
	flags := cmd.Flags()
	if currency != "" {
		flags.StringVar(&f.currency, "currency", "", "the `CURRENCY` of the amounts, such as EUR (default "+currency+")")
	}
	flags.StringVar(&f.rate, "rate", "", "the `RATE` of another currency than the book's: what one unit is worth in the book's, such as 0.8567 or 1/1.1673")
	flags.StringVar(&f.source, "rate-source", "", "where the rate is from, a `NAME` such as ECB")
	flags.StringVar(&f.date, "rate-date", "", "the `DATE` of the rate, if it is not the document's")
}

// currencyOr reads the currency, which is the other one where none is given.
func (f *exchangeFlags) currencyOr(other money.Currency) (money.Currency, error) {
	if f.currency == "" {
		return other, nil
	}
	return money.ParseCurrency(strings.ToUpper(f.currency))
}

// exchange reads the rate; none where none is given.
func (f *exchangeFlags) exchange() (exchange.Rate, error) {
	if f.rate == "" {
		if f.source != "" || f.date != "" {
			return exchange.Rate{}, usage("--rate-source and --rate-date are those of a --rate, and there is none")
		}
		return exchange.Rate{}, nil
	}
	rate, err := exchange.ParseRate(f.rate)
	if err != nil {
		return rate, err
	}
	if f.source != "" {
		rate.Source = f.source
	}
	if f.date != "" {
		rate.Date, err = domain.ParseDate(f.date)
	}
	return rate, err
}

// amountIn reads an amount in a currency.
func amountIn(currency, text string) (money.Amount, error) {
	c, err := money.ParseCurrency(currency)
	if err != nil {
		return money.Amount{}, err
	}
	return numeral(text).amount(c)
}

// paidIn is the currency of a payment: as the flag says, or else that of the first
// item it is for, or else the book's.
func (s *session) paidIn(ctx context.Context, f *exchangeFlags, items []string) (money.Currency, error) {
	if f.currency == "" && len(items) > 0 {
		name, _, _ := cutLast(items[0])
		item, err := s.item(ctx, name)
		if err != nil {
			return money.Currency{}, err
		}
		v, err := s.views(ctx)
		if err != nil {
			return money.Currency{}, err
		}
		found, err := v.FindDocument(ctx, item.ID.String(), item.Kind)
		if err != nil {
			return money.Currency{}, err
		}
		return money.ParseCurrency(found.Currency)
	}
	own, err := s.currency(ctx)
	if err != nil {
		return own, err
	}
	return f.currencyOr(own)
}

// tellConverted tells the figures of a document in another currency in the book's.
func tellConverted(w io.Writer, d *views.Document) {
	b := d.Base
	if b == nil {
		return
	}
	fmt.Fprintf(w, "\n%s\n", rateText(d.Exchange, d.Currency, b.Currency))
	t := newTable("", ">")
	t.add("Net", b.Net, b.Currency)
	for _, s := range b.Breakdown {
		t.add(fmt.Sprintf("Tax %s %s on %s", s.Category, s.Percent, s.Taxable), s.Tax, b.Currency)
	}
	for _, row := range [][2]string{{"Prepaid", b.Prepaid}, {"Rounding", b.Rounding}} {
		if strings.Trim(row[1], "0.-") != "" {
			t.add(row[0], row[1], b.Currency)
		}
	}
	t.add("Due", b.Due, b.Currency)
	if d.Kind == domain.KindInvoice {
		t.add("Open", b.Open, b.Currency)
	} else {
		t.add("Taken off the invoice", b.Applied, b.Currency)
		t.add("To the customer's credit", b.Excess, b.Currency)
	}
	t.write(w)
}

// rateText says what one unit of a currency was worth, and who says so.
func rateText(e *views.Exchange, currency, book string) string {
	if e == nil {
		return ""
	}
	return fmt.Sprintf("In %s, at %s for one %s (%s, %s)", book, e.Rate, currency, oneLine(e.Source), e.Date)
}
