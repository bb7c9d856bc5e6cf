package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/audit"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/period"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/projections/views"
)

func (a *app) periodCommand() *cobra.Command {
	return a.group("period", "Close months, and open them again",
		a.periodList(), a.periodClose(), a.periodReopen(), a.periodCheck())
}

// periodChanged is the answer of a command that closed or opened a period.
type periodChanged struct {
	views.Period
	change
}

// monthEnd is the last day of a month such as 2026-03.
func monthEnd(month string) (domain.Date, error) {
	first, err := time.Parse("2006-01", month)
	if err != nil {
		return "", fail("invalid-month", "write it like 2026-03", "%.20q is not a month of the form 2026-03", month)
	}
	return domain.DateOf(first.AddDate(0, 1, -1)), nil
}

// completeMonth offers the months that were over last.
func (a *app) completeMonth(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	var months []string
	first := domain.Date(a.today().Month() + "-01")
	for range 3 {
		last := first.AddDays(-1)
		months, first = append(months, last.Month()), domain.Date(last.Month()+"-01")
	}
	if len(args) > 0 {
		months = nil
	}
	return months, cobra.ShellCompDirectiveNoFileComp
}

// periods gives the periods, and the one that ends on a day and was not
// reopened, nil where there is none.
func (s *session) periods(ctx context.Context, through domain.Date) (all []views.Period, found *views.Period, err error) {
	v, err := s.views(ctx)
	if err != nil {
		return nil, nil, err
	}
	if all, err = v.Periods(ctx); err != nil {
		return nil, nil, err
	}
	for i, p := range all {
		if p.Through == through && p.Status != views.PeriodReopened {
			found = &all[i]
		}
	}
	return all, found, nil
}

func (a *app) periodClose() *cobra.Command {
	var rates []string
	cmd := changing(&cobra.Command{
		Use:   "close MONTH",
		Short: "Close all open months up to and with this one, and enter their balances",
		Long: `Close all open months up to and with MONTH, as one period. From then on nothing
that is dated in it is booked: a credit note or a payment for it is dated in an
open month, which reports its tax. Then the balance of every account at the end
of MONTH is entered, with the size and root of the log that it was read from, and
the hashes of the lists, as attest gives them.

A month can be closed once it is over, and months are closed in order. Where the
command was cut off before the balances were entered, repeating it enters them.

--rate revalues what customers owe, and what is owed to them, in another currency
than the book's: the difference is posted on the last day, and taken back on the day
after. Without it amounts keep what they were worth when they came in.`,
		Example: `  daybook period close 2026-03
  daybook period close 2026-12 --rate EUR=0.8567@ECB --rate JPY=0.0052@ECB`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeMonth,
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, args []string) error {
			through, err := monthEnd(args[0])
			if err != nil {
				return err
			}
			closing, err := closingRates(rates)
			if err != nil {
				return err
			}
			done, err := s.closePeriod(ctx, through, closing)
			if err != nil {
				return err
			}
			_, p, err := s.periods(ctx, through)
			if err != nil {
				return err
			}
			if p == nil {
				return fail("not-closed", "daybook period list tells who opened it", "the period through %s was opened again meanwhile", through)
			}
			return a.answer(periodChanged{*p, done}, func(w io.Writer) {
				fmt.Fprintf(w, "Closed %s (position %d%s). %s\n\n", span(*p), done.Position, again(done), provedBy(*p))
				tellBalances(w, p.Balances)
			})
		}),
	})
	cmd.Flags().StringArrayVar(&rates, "rate", nil, "what a currency is worth at the end: `CURRENCY=RATE@SOURCE`, such as EUR=0.8567@ECB; may be repeated")
	return cmd
}

// closingRates reads --rate flags.
func closingRates(texts []string) ([]period.Rate, error) {
	var all []period.Rate
	for _, text := range texts {
		currency, rate, err := exchange.ParseQuote(text)
		if err != nil {
			return nil, err
		}
		all = append(all, period.Rate{Currency: currency, Exchange: rate})
	}
	return all, nil
}

// closePeriod closes a period, and enters its balances. A period that is closed
// and has none yet, because an earlier command was cut off, gets them.
func (s *session) closePeriod(ctx context.Context, through domain.Date, rates []period.Rate) (change, error) {
	done, err := s.enter(ctx, &period.Close{Book: s.book.Info.Book, Through: through}, nil)
	refused := refusedAs(err, "already-closed")
	if err != nil && !refused {
		return change{}, err
	}
	_, p, errViews := s.periods(ctx, through)
	if errViews != nil {
		return change{}, errViews
	}
	if p == nil || p.Status != views.PeriodClosed {
		return done, err
	}
	receipt, settling := s.settle(ctx, through, rates)
	switch {
	case settling == nil && refused:
		done, err = s.keep(receipt)
	case settling == nil:
	case refusedAs(settling, "already-settled"): // by somebody who was quicker
		return done, err
	default:
		return change{}, settling
	}
	if err == nil {
		err = s.attestClosed(ctx)
	}
	return done, err
}

// attestClosed enters the hashes of the views once a period has its balances.
// The period is closed whether that succeeds or not.
func (s *session) attestClosed(ctx context.Context) error {
	a, err := s.attested(ctx)
	if err == nil {
		_, err = s.give(ctx, ledger.Envelope{
			ID: uuid.Must(uuid.NewV7()), Principal: s.app.who(), Causation: s.id, Command: s.attestation(a),
		})
	}
	if err != nil {
		return fmt.Errorf("the period is closed and has its balances, but the hashes of the lists were not entered (daybook attest --enter does): %w", err)
	}
	return nil
}

func refusedAs(err error, code string) bool {
	var refusal *domain.Refusal
	return errors.As(err, &refusal) && refusal.Code == code
}

// settle enters the balances of a closed period. The views are at a state of the
// log after the commit that closed it, so the balances cannot change any more.
func (s *session) settle(ctx context.Context, through domain.Date, rates []period.Rate) (ledger.Receipt, error) {
	v, err := s.views(ctx)
	if err != nil {
		return ledger.Receipt{}, err
	}
	closing, err := v.Closing(ctx, through)
	if err != nil {
		return ledger.Receipt{}, err
	}
	return s.give(ctx, ledger.Envelope{
		ID: uuid.Must(uuid.NewV7()), Principal: s.app.who(), Causation: s.id,
		Command: &period.Settle{
			Book: s.book.Info.Book, Through: through, Proof: closing.Proof, Balances: closing.Balances, Rates: rates,
		},
	})
}

func (a *app) periodReopen() *cobra.Command {
	var reason string
	cmd := changing(&cobra.Command{
		Use:   "reopen MONTH",
		Short: "Open the period again that was closed last",
		Long: `Open the period again that was closed last and ends with MONTH: an act of its
own, which only an owner of the book may do, and which stays in the log with its
reason. What was closed before stays closed.`,
		Example:           `  daybook period reopen 2026-03 --reason "the landlord's bill came late"`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeMonth,
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, args []string) error {
			through, err := monthEnd(args[0])
			if err != nil {
				return err
			}
			done, err := s.enter(ctx, &period.Reopen{Book: s.book.Info.Book, Through: through, Reason: reason}, nil)
			if err != nil {
				return err
			}
			all, _, err := s.periods(ctx, through)
			if err != nil {
				return err
			}
			var p views.Period
			for _, one := range all {
				if one.Through == through && one.Status == views.PeriodReopened {
					p = one
				}
			}
			return a.answer(periodChanged{p, done}, func(w io.Writer) {
				fmt.Fprintf(w, "Opened %s again (position %d%s).\n", span(p), done.Position, again(done))
			})
		}),
	})
	cmd.Flags().StringVar(&reason, "reason", "", "why: a `TEXT` that names no person")
	return cmd
}

func (a *app) periodList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the periods that were closed, and what the accounts held at their end",
		Args:  cobra.NoArgs,
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, _ []string) error {
			all, _, err := s.periods(ctx, "")
			if err != nil {
				return err
			}
			return a.answer(map[string]any{"periods": all}, func(w io.Writer) { tellPeriods(w, all) })
		}),
	}
}

func tellPeriods(w io.Writer, all []views.Period) {
	t := newTable("FROM", "THROUGH", "STATUS", "CLOSED", "BY", "REOPENED", "BY", "REASON")
	for _, p := range all {
		reopened := ""
		if p.Status == views.PeriodReopened {
			reopened = p.Reopened.Local().Format(time.DateTime)
		}
		t.add(string(p.From), string(p.Through), string(p.Status), p.Closed.Local().Format(time.DateTime), p.ClosedBy,
			reopened, p.ReopenedBy, p.Reason)
	}
	t.write(w)
	for _, p := range all {
		if p.Status == views.PeriodSettled {
			fmt.Fprintf(w, "\n%s\n", provedBy(p))
			tellBalances(w, p.Balances)
		}
	}
}

func span(p views.Period) string {
	if p.From == "" {
		return "everything through " + string(p.Through)
	}
	return fmt.Sprintf("%s to %s", p.From, p.Through)
}

func provedBy(p views.Period) string {
	return fmt.Sprintf("Balances at the end of %s, from %s with root %s:", p.Through, count(p.Size, "commit"),
		base64.StdEncoding.EncodeToString(p.Root))
}

func tellBalances(w io.Writer, balances []views.AccountBalance) {
	t := newTable("ACCOUNT", ">DEBIT", ">CREDIT", "")
	for _, b := range balances {
		t.add(b.Name, blankZero(b.Debit), blankZero(b.Credit), b.Currency)
	}
	t.write(w)
}

// checkedJSON is the answer of period check.
type checkedJSON struct {
	OK      bool   `json:"ok"`
	Commits uint64 `json:"commits"`
	// Settled is how many balances were added up again.
	Settled  int             `json:"settled"`
	Failures []audit.Finding `json:"failures"`
}

func (a *app) periodCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Add up every entered balance again, from the log alone",
		Long: `Read the whole log and check its periods: that nothing was booked into one that
was closed, that every balance that was entered is the sum of the entries up to
its day, and that its proof is a state of this log. The exit code is 1 when
anything is wrong, and every failure is listed.`,
		Args: cobra.NoArgs,
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, _ []string) error {
			m := a.meter("Adding up the log")
			checked, err := s.book.CheckPeriods(ctx, m.at)
			m.end()
			if err != nil {
				return err
			}
			answer := checkedJSON{len(checked.Found) == 0, checked.Size, checked.Settled, append([]audit.Finding{}, checked.Found...)}
			if err := a.answer(answer, answer.people); err != nil {
				return err
			}
			if !answer.OK {
				first := answer.Failures[0]
				return fail(first.Code, hintVerify, "%s", first.What)
			}
			return nil
		}),
	}
}

func (c checkedJSON) people(w io.Writer) {
	if c.OK {
		fmt.Fprintf(w, "Nothing was booked into a closed period, and every balance is as it was entered: %s, %s.\n",
			count(c.Settled, "period"), count(c.Commits, "commit"))
		return
	}
	t := newTable(">POSITION", "CODE", "WHAT")
	for _, f := range c.Failures {
		t.add(fmt.Sprint(f.Position), f.Code, f.What)
	}
	t.write(w)
}
