package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/series"
	"github.com/daybook-ledger/daybook/ledger/commit"
	"github.com/daybook-ledger/daybook/projections/views"
)

// difference is what changed between two moments.
type difference struct {
	// From and To are the numbers of commits that the log had.
	From     uint64           `json:"from"`
	To       uint64           `json:"to"`
	Changes  []changeTold     `json:"changes"`
	Accounts []accountChanged `json:"accounts"`
}

// changeTold is an event between the two moments.
type changeTold struct {
	Position  uint64    `json:"position"`
	Recorded  time.Time `json:"recorded"`
	Principal string    `json:"principal"`
	Type      string    `json:"type"`
	// Of is what it happened to, Name its number or the customer's name, as it is
	// now; empty where there is none.
	Of   domain.StreamID `json:"of"`
	Name string          `json:"name,omitempty"`
}

// accountChanged is what was posted to an account meanwhile, on whatever dates.
type accountChanged struct {
	Account  account.Account `json:"account"`
	Debit    string          `json:"debit"`
	Credit   string          `json:"credit"`
	Currency string          `json:"currency"`
}

func (a *app) diffCommand() *cobra.Command {
	var from, to string
	cmd := &cobra.Command{
		Use:   "diff",
		Short: "List what changed between two moments, and who changed it",
		Long: `List what was entered after one moment and up to another: every event, when it was
recorded, who asked for it and what it happened to; and what it posted to each
account. A moment is a position in the log, a time such as 2026-01-31T12:00:00Z, or
a date, which means the end of that day here. It is about when things were
recorded, not about the dates of documents.`,
		Example: `  daybook diff --from 2026-01-31 --to 2026-02-28
  daybook diff --from 1041`,
		Args: cobra.NoArgs,
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, _ []string) error {
			d, err := s.between(ctx, from, to)
			if err != nil {
				return err
			}
			return a.answer(d, func(w io.Writer) { d.tell(w) })
		}),
	}
	cmd.Flags().StringVar(&from, "from", "", "after this `MOMENT` (default: from the beginning)")
	cmd.Flags().StringVar(&to, "to", "", "up to this `MOMENT` (default: now)")
	return cmd
}

// between gathers what changed between two moments.
func (s *session) between(ctx context.Context, from, to string) (d difference, err error) {
	h, err := s.book.Head()
	if err != nil {
		return d, err
	}
	d = difference{To: h.Size, Changes: []changeTold{}, Accounts: []accountChanged{}}
	if from != "" {
		if d.From, _, err = s.moment(ctx, from); err != nil {
			return d, err
		}
	}
	if to != "" {
		if d.To, _, err = s.moment(ctx, to); err != nil {
			return d, err
		}
	}
	if d.From > d.To {
		return d, fail("moments-reversed", "exchange --from and --to", "the log had %s at the first moment, and %d at the second", count(d.From, "commit"), d.To)
	}
	names := namer{s: s, known: map[domain.StreamID]string{}}
	sums := map[posted]money.Amount{}
	for c, err := range s.book.Between(ctx, d.From, d.To) {
		if err != nil {
			return d, err
		}
		if len(d.Changes) > views.MaxEntries {
			return d, fail("too-many-entries", "ask for a shorter time", "there are more than %d events", views.MaxEntries)
		}
		for _, e := range c.Events {
			name, err := names.of(ctx, e.Stream)
			if err != nil {
				return d, err
			}
			d.Changes = append(d.Changes, changeTold{c.Position, c.Recorded, c.Principal, e.Event.EventType(), e.Stream, name})
			if err := post(sums, e); err != nil {
				return d, err
			}
		}
	}
	return d, d.sum(sums)
}

// posted is what amounts are summed by.
type posted struct {
	account  account.Account
	currency money.Currency
}

// post adds what an event posts.
func post(sums map[posted]money.Amount, e commit.Event) error {
	entries, err := account.Post(e.Event, e.Stream)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		for _, p := range entry.Postings {
			key := posted{p.Account, p.Amount.Currency()}
			if sums[key], err = sums[key].Add(p.Amount); err != nil {
				return err
			}
		}
	}
	return nil
}

// sum tells the sums in the order of the chart.
func (d *difference) sum(sums map[posted]money.Amount) error {
	for _, info := range account.Chart() {
		for _, currency := range money.Currencies() {
			amount, any := sums[posted{info.Account, currency}]
			if !any || amount.IsZero() {
				continue
			}
			told := accountChanged{info.Account, amount.String(), money.Zero(currency).String(), currency.String()}
			if amount.Sign() < 0 {
				credit, err := amount.Neg()
				if err != nil {
					return err
				}
				told.Debit, told.Credit = told.Credit, credit.String()
			}
			d.Accounts = append(d.Accounts, told)
		}
	}
	return nil
}

func (d *difference) tell(w io.Writer) {
	t := newTable("POSITION", "RECORDED", "WHO", "WHAT", "OF")
	for _, c := range d.Changes {
		name := c.Name
		if name == "" {
			name = string(c.Of.Kind) + " " + short(c.Of.ID)
		}
		t.add(fmt.Sprint(c.Position), c.Recorded.Local().Format(time.DateTime), oneLine(c.Principal), c.Type, oneLine(name))
	}
	t.write(w)
	fmt.Fprintf(w, "\n%s, %s.\n", count(d.To-d.From, "commit"), count(len(d.Changes), "event"))
	if len(d.Accounts) == 0 {
		return
	}
	fmt.Fprintln(w)
	names := map[account.Account]string{}
	for _, info := range account.Chart() {
		names[info.Account] = info.Name
	}
	t = newTable("ACCOUNT", ">DEBIT", ">CREDIT", "")
	for _, a := range d.Accounts {
		debit, credit := a.Debit, a.Credit
		if strings.Trim(debit, "0.") == "" {
			debit = ""
		} else {
			credit = ""
		}
		t.add(names[a.Account], debit, credit, a.Currency)
	}
	t.write(w)
}

// namer looks up what things are called.
type namer struct {
	s     *session
	known map[domain.StreamID]string
}

func (n namer) of(ctx context.Context, stream domain.StreamID) (string, error) {
	if name, is := n.known[stream]; is {
		return name, nil
	}
	v, err := n.s.views(ctx)
	if err != nil {
		return "", err
	}
	name := ""
	switch stream.Kind {
	case domain.KindInvoice, domain.KindCredit, domain.KindPayment:
		var found views.Summary
		found, err = v.FindDocument(ctx, stream.ID.String(), stream.Kind)
		if name = found.Number; name == "" && found.Reference != "" {
			name = "ext:" + found.Reference
		}
	case domain.KindSeries:
		for _, kind := range series.Kinds() {
			if series.Stream(kind) == stream {
				name = string(kind) + " numbers"
			}
		}
	case domain.KindCustomer:
		var found views.Customer
		found, err = v.Customer(ctx, stream.ID)
		name = found.Name
	}
	if err != nil {
		return "", err
	}
	n.known[stream] = name
	return name, nil
}
