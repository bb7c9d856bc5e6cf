package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/projections/views"
)

// demoYear is the year of the demonstration; its clock is simulated.
const demoYear = 2025

func (a *app) demoCommand() *cobra.Command {
	var seed uint64
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "A year of a fictional business, from the first invoice to the verified log",
		Long: `Make a book in a temporary folder (or in --dir) and run a year of a fictional
business through it: every command takes the way that yours would, only the clock
is simulated. Then print the reports and verify everything. The same --seed tells
the same story.`,
		Args: cobra.NoArgs,
		RunE: a.do(func(cmd *cobra.Command, _ []string) error {
			d := &demo{app: a, rng: rand.New(rand.NewPCG(seed, demoYear)), out: &kept{to: a.stdout}}
			if a.json {
				d.out = &kept{to: io.Discard}
			}
			d.answer.Seed = seed
			return d.run(cmd.Context())
		}),
	}
	cmd.Flags().Uint64Var(&seed, "seed", 1, "the `NUMBER` that the year is drawn from")
	return cmd
}

// demo is a demonstration under way.
type demo struct {
	app    *app
	rng    *rand.Rand
	out    *kept
	book   *session
	clock  demoClock
	pounds money.Currency
	cast   []*demoCustomer
	months [13]demoMonth
	answer demoJSON
	// star is an invoice that much happened to.
	star string
}

// demoJSON is the answer of demo.
type demoJSON struct {
	Dir      string     `json:"dir"`
	KeyFile  string     `json:"key_file"`
	Seed     uint64     `json:"seed"`
	Commands int        `json:"commands"`
	Refused  int        `json:"refused"`
	Invoices int        `json:"invoices"`
	Credits  int        `json:"credits"`
	Verify   verifyJSON `json:"verify"`
}

// demoClock is a clock that stands still until it is told to go on.
type demoClock struct{ now time.Time }

func (c *demoClock) ledger() ledger.Clock {
	start := c.now
	return ledger.Clock{
		Now:     func() time.Time { return c.now },
		Elapsed: func() time.Duration { return c.now.Sub(start) },
	}
}

// to sets the clock to a day's morning, unless it is past that.
func (c *demoClock) to(day domain.Date) {
	morning, err := time.Parse("2006-01-02 15:04", string(day)+" 09:00")
	if err == nil && morning.After(c.now) {
		c.now = morning
	}
}

func (d *demo) run(ctx context.Context) error {
	begun := d.app.now()
	if err := d.open(ctx); err != nil {
		return err
	}
	err := d.year(ctx)
	if err == nil {
		err = d.reports(ctx)
	}
	if err := errors.Join(err, d.book.close(ctx)); err != nil {
		return err
	}
	if err := d.verify(ctx); err != nil {
		return err
	}
	d.next(d.app.now().Sub(begun).Round(100 * time.Millisecond))
	if d.app.json {
		return d.app.answer(d.answer, nil)
	}
	return d.out.err
}

// say tells the story.
func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.out, format, args...) }

// open makes the book and opens it.
func (d *demo) open(ctx context.Context) (err error) {
	a := d.app
	a.compile()
	dir := a.dir // and not DAYBOOK_DIR: that is where a real book is
	if dir == "" {
		folder, err := os.MkdirTemp("", "daybook-demo-")
		if err != nil {
			return err
		}
		dir = filepath.Join(folder, "book")
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	d.clock.now = time.Date(demoYear, 1, 2, 8, 30, 0, 0, time.UTC)
	if d.pounds, err = money.ParseCurrency("GBP"); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return err
	}
	settings := bookdir.Settings{Currency: d.pounds, Owner: ada, Seller: demoSeller(), Clock: d.clock.ledger(), Log: a.log}
	if a.keyFile == "" {
		a.keyFile = dir + ".key"
	}
	undo, err := a.newRoot(dir, &settings)
	if err != nil {
		return err
	}
	<-a.compiled
	if _, err := bookdir.Create(ctx, dir, settings); err != nil {
		return errors.Join(exists(err, dir), undo())
	}
	book, err := bookdir.Open(ctx, dir, bookdir.Options{Root: settings.Root, Clock: d.clock.ledger(), Log: a.log})
	if err != nil {
		return err
	}
	d.book = &session{app: a, book: book}
	d.answer.Dir, d.answer.KeyFile = dir, settings.KeyFile
	d.say("The book of %s is in %s, its key in %s.\n", settings.Seller.Name, dir, settings.KeyFile)
	return nil
}

// give gives one command, as a principal, some minutes after the last.
func (d *demo) give(ctx context.Context, who string, command domain.Command) error {
	d.clock.now = d.clock.now.Add(time.Duration(2+d.rng.IntN(7)) * time.Minute)
	d.answer.Commands++
	_, err := d.book.give(ctx, ledger.Envelope{ID: uuid.Must(uuid.NewV7()), Principal: who, Command: command})
	return err
}

// refused gives a command that must be refused, and tells how it was.
func (d *demo) refused(ctx context.Context, story, who, code string, command domain.Command) error {
	err := d.give(ctx, who, command)
	var refusal *domain.Refusal
	if !errors.As(err, &refusal) || refusal.Code != code {
		return fmt.Errorf("the demonstration expects %s to be refused with %s, not %w", command.CommandType(), code, err)
	}
	d.answer.Refused++
	d.say("             %s\n             refused (%s): %s\n", story, refusal.Code, refusal.Message)
	if f := explain(err, nil); f.computed != nil {
		t := f.totals()
		d.say("             computed all the same: net %s, tax %s, total %s\n", t.Net, t.Tax, t.Total)
	}
	return nil
}

// id is that of something new, the same for the same name in a book.
func (d *demo) id(name string) uuid.UUID { return d.book.book.DeriveID("demo/" + name) }

// verify checks the closed book as any stranger could, by its public key.
func (d *demo) verify(ctx context.Context) error {
	l, err := bookdir.OpenLog(ctx, d.answer.Dir, 0, d.app.log)
	if err != nil {
		return err
	}
	begun := d.app.now()
	report, err := l.Verify(ctx, bookdir.VerifyOptions{})
	if err := errors.Join(err, l.Close(ctx)); err != nil {
		return err
	}
	d.answer.Verify = newVerifyJSON(report)
	d.say("\nThe log, checked from its first page with nothing but the public key\n\n")
	tellReport(d.out, report, d.app.now().Sub(begun))
	return notVerified(report.Failures, !report.OK)
}

// next says where to look.
func (d *demo) next(took time.Duration) {
	program := d.app.args[0]
	if !strings.ContainsRune(program, filepath.Separator) {
		program = "daybook"
	}
	program = quoted(program)
	d.say("\nAll of it took %s. Look around:\n\n", took)
	d.say("  export DAYBOOK_DIR=%s\n", quoted(d.answer.Dir))
	for _, command := range []string{
		"invoice list --customer Sonnenhaus --sort date",
		"invoice show " + d.star,
		"history " + d.star,
		fmt.Sprintf("report tax --from %d-10 --to %d-12", demoYear, demoYear),
		fmt.Sprintf("report open-items --effective %d-12-31", demoYear),
		"verify",
	} {
		d.say("  %s %s\n", program, command)
	}
	d.say("\nTo be rid of it: rm -r %s %s\n", quoted(d.answer.Dir), quoted(d.answer.KeyFile))
}

// quoted makes a path safe to paste into a shell.
func quoted(path string) string {
	if strings.Trim(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./+,:@") == "" {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

// views are the views of the book as it is now.
func (d *demo) views(ctx context.Context) (*views.Queries, error) {
	v, err := d.book.views(ctx)
	if err != nil {
		return nil, err
	}
	return v, nil
}
