package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/importer/ubl"
)

// ublFlags is what an import of UBL can be told.
type ublFlags struct {
	check, accept, anySeller, onAccount, strict bool
	rates                                       []string
}

func (a *app) importUBL() *cobra.Command {
	var f ublFlags
	cmd := &cobra.Command{
		Use:   "ubl FILE...",
		Short: "Check or import UBL invoices and credit notes (EN 16931)",
		Long: `Import invoices and credit notes in UBL 2.1 that the book's seller issued, each a
file of its own; docs/IMPORT.md says how. FILE may be -, for stdin. The figures
of each are computed anew and compared with those that it states. --check does
that alone: it enters nothing and needs no book. Running the same import again
changes nothing.`,
		Example: `  daybook import ubl --check invoices/*.xml
  daybook import ubl invoices/*.xml`,
		Args: cobra.MinimumNArgs(1),
		RunE: a.do(func(cmd *cobra.Command, args []string) error {
			files, err := a.readUBL(args, f.accept)
			if err != nil {
				return err
			}
			if f.check {
				return a.answerUBL(files, f)
			}
			return a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, _ []string) error {
				if err := s.importUBL(ctx, files, f); err != nil {
					return err
				}
				return a.answerUBL(files, f)
			})(cmd, args)
		}),
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.check, "check", false, "compute and compare, and enter nothing")
	flags.BoolVar(&f.accept, "accept-stated-totals", false, "enter documents whose figures differ by less than one unit of the currency")
	flags.StringArrayVar(&f.rates, "rate", nil, "what another currency than the book's is worth: `CURRENCY=RATE@SOURCE`, such as EUR=0.8567@ECB; may be repeated")
	flags.BoolVar(&f.anySeller, "any-seller", false, "enter documents of other suppliers than the book's seller as its own")
	flags.BoolVar(&f.onAccount, "on-account", false, "enter credit notes on account, whatever invoice they name")
	flags.BoolVar(&f.strict, "strict", false, "fail when a document differs or is refused")
	return cmd
}

// readUBL reads and checks the files, all of them before any is entered.
func (a *app) readUBL(paths []string, accept bool) ([]*ubl.File, error) {
	m := a.meter("Checking")
	defer m.end()
	files := make([]*ubl.File, len(paths))
	for i, path := range paths {
		data, err := a.readBounded(path)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		files[i] = ubl.Read(path, data, accept)
		m.at(uint64(i+1), uint64(len(paths)))
	}
	return files, nil
}

// readBounded reads a file up to just beyond what a UBL document may have.
func (a *app) readBounded(path string) (data []byte, err error) {
	in := a.stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		in = file
	}
	return io.ReadAll(io.LimitReader(in, ubl.MaxSize+1))
}

func (s *session) importUBL(ctx context.Context, files []*ubl.File, f ublFlags) error {
	book, err := s.settings(ctx)
	if err != nil {
		return err
	}
	currency, err := money.ParseCurrency(book.Currency)
	if err != nil {
		return err
	}
	rates := map[money.Currency]exchange.Rate{}
	for _, text := range f.rates {
		of, rate, err := exchange.ParseQuote(text)
		if err != nil {
			return err
		}
		rates[of] = rate
	}
	return ubl.Enter(ctx, files, ubl.Options{
		Book: importing{s}, Currency: currency, Seller: book.Seller, Rates: rates,
		AnySeller: f.anySeller, OnAccount: f.onAccount, Issued: s.issuedOn,
	})
}

// issuedOn gives the date of issue of a document, empty if it has none.
func (s *session) issuedOn(ctx context.Context, stream domain.StreamID) (domain.Date, error) {
	v, err := s.views(ctx)
	if err != nil {
		return "", err
	}
	d, err := v.Document(ctx, stream, s.app.today())
	if err != nil {
		return "", err
	}
	return d.Date, nil
}

func (a *app) answerUBL(files []*ubl.File, f ublFlags) error {
	results := make([]ubl.Result, len(files))
	left := 0
	for i, file := range files {
		results[i] = file.Result
		if s := file.Result.Status; s == ubl.Differs || s == ubl.Refused {
			left++
		}
	}
	answer := map[string][]ubl.Result{"results": results}
	if err := a.answer(answer, func(w io.Writer) { tellUBL(w, results) }); err != nil {
		return err
	}
	if f.strict && left > 0 {
		return fail(codeRejects, "the answer says why; without --strict this is no failure",
			"%s of %d differ or are refused", count(left, "document"), len(results))
	}
	return nil
}

// tellUBL tells people what is due, stated and computed, and what is wrong.
func tellUBL(w io.Writer, results []ubl.Result) {
	t := newTable("FILE", "NUMBER", "DATE", "STATUS", ">STATED DUE", ">COMPUTED DUE", "", "CODE")
	due := func(totals *ubl.Totals) string {
		if totals == nil {
			return "-"
		}
		return totals.Due
	}
	for _, r := range results {
		status := string(r.Status)
		if r.Repeated {
			status = "already entered"
		}
		t.add(r.File, r.Number, string(r.Date), status, due(r.Stated), due(r.Computed), r.Currency, r.Code)
	}
	t.write(w)
	for _, r := range results {
		switch {
		case r.Status == ubl.Differs || r.Status == ubl.Refused:
			fmt.Fprintf(w, "\n%s: %s\n", oneLine(r.File), oneLine(r.Message))
			if r.Hint != "" {
				fmt.Fprintf(w, "  hint: %s\n", oneLine(r.Hint))
			}
		case r.Rounding != "":
			fmt.Fprintf(w, "\n%s: entered with %s in the rounding amount, so that what is due is what it states\n", oneLine(r.File), r.Rounding)
		default:
			continue
		}
		for _, d := range r.Differences {
			fmt.Fprintf(w, "  %s: stated %s, computed %s\n", oneLine(d.What), d.Stated, d.Computed)
		}
	}
}
