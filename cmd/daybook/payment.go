package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/funds"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/payment"
	"github.com/daybook-ledger/daybook/projections/views"
)

func (a *app) paymentCommand() *cobra.Command {
	return a.group("payment", "Receive, allocate, refund and look up payments",
		a.paymentReceive(), a.paymentAllocate(), a.paymentUnallocate(), a.paymentRefund(), a.paymentReverse(),
		a.paymentList(), a.paymentShow())
}

// paymentChanged is the answer of a command that changed a payment.
type paymentChanged struct {
	views.Payment
	change
}

// enterFunds gives a command about a payment or a credit note to the book, and
// tells what became of it.
func (s *session) enterFunds(ctx context.Context, verb string, command domain.Command) error {
	source := command.Stream()
	if source.Kind == domain.KindCredit {
		return s.enterCredit(ctx, verb, command)
	}
	done, err := s.enter(ctx, command, nil)
	if err != nil {
		return err
	}
	v, err := s.views(ctx)
	if err != nil {
		return err
	}
	p, err := v.Payment(ctx, source.ID)
	if err != nil {
		return err
	}
	return s.app.answer(paymentChanged{p.Payment, done}, func(w io.Writer) {
		fmt.Fprintf(w, "%s the payment %s of %s: %s %s, %s allocated, %s free (position %d%s).\n", verb, short(p.ID),
			oneLine(payer(p.Payment)), p.Amount, p.Currency, p.Allocated, p.Free, done.Position, again(done))
	})
}

// enterCredit is enterFunds for what a credit note left to its customer.
func (s *session) enterCredit(ctx context.Context, verb string, command domain.Command) error {
	done, err := s.enter(ctx, command, nil)
	if err != nil {
		return err
	}
	v, err := s.views(ctx)
	if err != nil {
		return err
	}
	doc, err := v.Document(ctx, command.Stream(), s.app.today())
	if err != nil {
		return err
	}
	return s.app.answer(struct {
		views.Summary
		Free     string `json:"free"`
		Refunded string `json:"refunded"`
		change
	}{doc.Summary, doc.Free, doc.Refunded, done}, func(w io.Writer) {
		fmt.Fprintf(w, "%s the credit of %s for %s: %s %s free (position %d%s).\n", verb, doc.Number,
			oneLine(nameOf(doc.Summary)), doc.Free, doc.Currency, done.Position, again(done))
	})
}

func again(c change) string {
	if c.Repeated {
		return ", already entered"
	}
	return ""
}

func payer(p views.Payment) string {
	if p.CustomerName == "" {
		return "(erased)"
	}
	return p.CustomerName
}

// shares reads --invoice flags: NAME, or NAME=AMOUNT in the currency of the money.
func (s *session) shares(ctx context.Context, texts []string, currency money.Currency) ([]payment.Share, error) {
	var all []payment.Share
	for _, text := range texts {
		name, amount, given := cutLast(text)
		found, err := s.item(ctx, name)
		if err != nil {
			return nil, err
		}
		share := payment.Share{Target: found}
		if given {
			if share.Amount, err = numeral(amount).amount(currency); err != nil {
				return nil, err
			}
		}
		all = append(all, share)
	}
	return all, nil
}

// cutLast cuts at the last equals sign: names may have others.
func cutLast(text string) (name, amount string, found bool) {
	if at := strings.LastIndexByte(text, '='); at >= 0 {
		return text[:at], text[at+1:], true
	}
	return text, "", false
}

// item finds what can be paid: an invoice, or a reversed payment.
func (s *session) item(ctx context.Context, name string) (domain.StreamID, error) {
	found, err := s.document(ctx, name, domain.KindInvoice)
	if err == nil {
		return invoice.Stream(found.ID), nil
	}
	if told := explain(err, nil); told.code != "unknown-document" {
		return domain.StreamID{}, err
	}
	v, errViews := s.views(ctx)
	if errViews != nil {
		return domain.StreamID{}, errViews
	}
	if paid, errPayment := v.FindDocument(ctx, name, domain.KindPayment); errPayment == nil {
		return payment.Stream(paid.ID), nil
	}
	return domain.StreamID{}, err
}

// fundsNamed finds the payment or credit note that a person names.
func (s *session) fundsNamed(ctx context.Context, name string) (views.Summary, error) {
	v, err := s.views(ctx)
	if err != nil {
		return views.Summary{}, err
	}
	return v.FindFunds(ctx, name)
}

const (
	useInvoice = "allocate to this `INVOICE`, or INVOICE=AMOUNT; may be repeated. Without an amount: as much as is open"
	useDate    = "the `DATE` %s (default today)"
	useMethod  = "how it was paid, a `WORD` such as bank or card that names no person"
	useText    = "the reference `TEXT` that stood on it; it is kept as personal data"
)

func (a *app) paymentReceive() *cobra.Command {
	var buyer, sum, date, method, reference, text string
	var invoices []string
	var f exchangeFlags
	cmd := changing(&cobra.Command{
		Use:   "receive",
		Short: "Enter a payment, and allocate it",
		Long: `Enter a payment. What --invoice does not allocate is kept as the customer's
credit. Without --customer it is the customer's of the first --invoice, and without
--currency in the currency of that. A payment in another currency than the book's
needs the rate of its day, and pays what is in the same currency.`,
		Example: `  daybook payment receive --amount 120 --invoice INV-00007 --method bank --reference TX-4711
  daybook payment receive --customer "Ada Lovelace" --amount 200 --invoice INV-00007=50 --invoice INV-00009
  daybook payment receive --amount 120 --currency EUR --rate 0.86 --rate-source ECB --invoice INV-00012`,
		Args: cobra.NoArgs,
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, _ []string) error {
			day, err := a.issueDate(date)
			if err != nil {
				return err
			}
			c := &payment.Receive{ID: s.newID(), Date: day, Method: method, Reference: reference, Personal: reading(text)}
			currency, err := s.paidIn(ctx, &f, invoices)
			if err != nil {
				return err
			}
			if c.Amount, err = numeral(sum).amount(currency); err != nil {
				return err
			}
			if c.Exchange, err = f.exchange(); err != nil {
				return err
			}
			if c.Allocations, err = s.shares(ctx, invoices, currency); err != nil {
				return err
			}
			if c.Customer, err = s.payer(ctx, buyer, invoices); err != nil {
				return err
			}
			return s.enterFunds(ctx, "Received", c)
		}),
	})
	flags := cmd.Flags()
	flags.StringVar(&buyer, "customer", "", "who paid: a `NAME`, the beginning of an id, or ext:REFERENCE")
	flags.StringVar(&sum, "amount", "", "the `AMOUNT` that came in")
	f.add(cmd, "that of the first --invoice, or the book's")
	flags.StringArrayVar(&invoices, "invoice", nil, useInvoice)
	flags.StringVar(&date, "date", "", fmt.Sprintf(useDate, "of the payment and its allocations"))
	flags.StringVar(&method, "method", "", useMethod)
	flags.StringVar(&reference, "reference", "", "the payment's `NAME` at the bank, unique: ext:NAME finds it. It names no person")
	flags.StringVar(&text, "text", "", useText)
	require(cmd, "amount")
	return cmd
}

// require makes a flag one that must be given.
func require(cmd *cobra.Command, flag string) {
	if err := cmd.MarkFlagRequired(flag); err != nil {
		panic(err) // the flag is defined by the caller
	}
}

func reading(text string) *funds.Text {
	if text == "" {
		return nil
	}
	return &funds.Text{Text: text}
}

// payer is the customer who is named, or else that of the first invoice.
func (s *session) payer(ctx context.Context, buyer string, invoices []string) (uuid.UUID, error) {
	if buyer != "" {
		c, err := s.customer(ctx, buyer)
		return c.ID, err
	}
	if len(invoices) == 0 {
		return uuid.Nil, usage("who paid is not said: --customer, or --invoice")
	}
	name, _, _ := cutLast(invoices[0])
	item, err := s.item(ctx, name)
	if err != nil {
		return uuid.Nil, err
	}
	v, err := s.views(ctx)
	if err != nil {
		return uuid.Nil, err
	}
	found, err := v.FindDocument(ctx, item.ID.String(), item.Kind)
	return found.Customer, err
}

func (a *app) paymentAllocate() *cobra.Command {
	return a.moving("allocate", "Use what is free of a payment or credit note for open invoices", "Allocated",
		func(source domain.StreamID, shares []payment.Share, day domain.Date) domain.Command {
			return &payment.Allocate{Source: source, Allocations: shares, Date: day}
		})
}

func (a *app) paymentUnallocate() *cobra.Command {
	return a.moving("unallocate", "Take allocations back: what was paid is open again, the money free", "Took back from",
		func(source domain.StreamID, shares []payment.Share, day domain.Date) domain.Command {
			return &payment.Unallocate{Source: source, Allocations: shares, Date: day}
		})
}

// moving is a command that moves funds to open items, or back.
func (a *app) moving(use, short, verb string, command func(domain.StreamID, []payment.Share, domain.Date) domain.Command) *cobra.Command {
	var invoices []string
	var date string
	cmd := changing(&cobra.Command{
		Use:   use + " PAYMENT",
		Short: short,
		Long: short + `.
A payment is named by the beginning of its id, or ext: and its reference; a credit
note by its number. What a reversed payment left to be paid back is named like an
invoice, by the payment.`,
		Example: "  daybook payment " + use + " ext:TX-4711 --invoice INV-00007=50\n  daybook payment " + use + " CN-00002 --invoice INV-00009",
		Args:    cobra.ExactArgs(1),
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, args []string) error {
			day, err := a.issueDate(date)
			if err != nil {
				return err
			}
			found, err := s.fundsNamed(ctx, args[0])
			if err != nil {
				return err
			}
			currency, err := money.ParseCurrency(found.Currency)
			if err != nil {
				return err
			}
			shares, err := s.shares(ctx, invoices, currency)
			if err != nil {
				return err
			}
			return s.enterFunds(ctx, verb, command(idOf(found), shares, day))
		}),
	})
	flags := cmd.Flags()
	how := useInvoice
	if use == "unallocate" {
		how = "take back from this `INVOICE`, or INVOICE=AMOUNT; may be repeated. Without an amount: all of it"
	}
	flags.StringArrayVar(&invoices, "invoice", nil, how)
	flags.StringVar(&date, "date", "", fmt.Sprintf(useDate, "on which it counts"))
	require(cmd, "invoice")
	return cmd
}

func (a *app) paymentRefund() *cobra.Command {
	var sum, date, method, text string
	var f exchangeFlags
	cmd := changing(&cobra.Command{
		Use:   "refund PAYMENT",
		Short: "Pay back what is free of a payment or credit note",
		Long: `Pay back what is free of a payment or credit note, in its currency. In another
currency than the book's that needs the rate of the day.`,
		Example: `  daybook payment refund ext:TX-4711 --amount 20 --method bank
  daybook payment refund CN-00002`,
		Args: cobra.ExactArgs(1),
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, args []string) error {
			day, err := a.issueDate(date)
			if err != nil {
				return err
			}
			found, err := s.fundsNamed(ctx, args[0])
			if err != nil {
				return err
			}
			c := &payment.Refund{Source: idOf(found), Customer: found.Customer, Date: day, Method: method, Personal: reading(text)}
			if c.Exchange, err = f.exchange(); err != nil {
				return err
			}
			if sum != "" {
				if c.Amount, err = amountIn(found.Currency, sum); err != nil {
					return err
				}
			}
			return s.enterFunds(ctx, "Refunded", c)
		}),
	})
	flags := cmd.Flags()
	flags.StringVar(&sum, "amount", "", "the `AMOUNT` (default all that is free)")
	f.add(cmd, "")
	flags.StringVar(&date, "date", "", fmt.Sprintf(useDate, "of the refund"))
	flags.StringVar(&method, "method", "", useMethod)
	flags.StringVar(&text, "text", "", useText)
	return cmd
}

func (a *app) paymentReverse() *cobra.Command {
	var date, reason string
	var f exchangeFlags
	cmd := changing(&cobra.Command{
		Use:   "reverse PAYMENT",
		Short: "Take a payment back: a bank return, or a chargeback",
		Long: `Take a payment back whole. What it paid is open again; what was refunded of it, or
drawn on as the prepaid amount of an invoice, is to be paid back by the customer.
In another currency than the book's it is taken back at its own rate, unless --rate
says at which the bank did.`,
		Example: `  daybook payment reverse ext:TX-4711 --reason "Returned by the bank"`,
		Args:    cobra.ExactArgs(1),
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, args []string) error {
			day, err := a.issueDate(date)
			if err != nil {
				return err
			}
			found, err := s.paymentNamed(ctx, args[0])
			if err != nil {
				return err
			}
			rate, err := f.exchange()
			if err != nil {
				return err
			}
			return s.enterFunds(ctx, "Reversed", &payment.Reverse{ID: found.ID, Date: day, Exchange: rate, Reason: reason})
		}),
	})
	cmd.Flags().StringVar(&date, "date", "", fmt.Sprintf(useDate, "of the reversal"))
	f.add(cmd, "")
	cmd.Flags().StringVar(&reason, "reason", "", "why, a `TEXT` that is kept for ever and should name no person")
	return cmd
}

// paymentNamed finds the payment that a person names.
func (s *session) paymentNamed(ctx context.Context, name string) (views.Summary, error) {
	v, err := s.views(ctx)
	if err != nil {
		return views.Summary{}, err
	}
	return v.FindDocument(ctx, name, domain.KindPayment)
}
