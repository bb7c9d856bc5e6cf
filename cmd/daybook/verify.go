package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
)

// verifyJSON is the answer of verify.
type verifyJSON struct {
	headJSON
	Failures []transparency.Failure `json:"failures,omitempty"`
	// Unproved is how many pages stand after a failure, so that their commits
	// could not be checked.
	Unproved uint64 `json:"unproved,omitempty"`
}

func (a *app) verifyCommand() *cobra.Command {
	var receipts []string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check the whole log: every signature, every hash, every place",
		Long: `Check the whole log from its first page: every page's signature and place,
every commit's hash, every root of the Merkle tree, and that the log reaches what
was acknowledged. It needs no passphrase and decrypts nothing: the public key in
book.json is enough. The exit code is 1 when anything is wrong, and every failure
is listed. With --receipt it also checks that what the receipt proves is still in
the log.`,
		Args: cobra.NoArgs,
		RunE: a.withLog(func(ctx context.Context, _ string, l *bookdir.Log) error {
			begun := a.now()
			given, err := readReceipts(receipts)
			if err != nil {
				return err
			}
			m := a.meter("Verifying")
			report, err := l.Verify(ctx, given, m.at)
			m.end()
			if err != nil {
				return err
			}
			if err := a.answer(newVerifyJSON(report), func(w io.Writer) { tellReport(w, report, a.now().Sub(begun)) }); err != nil {
				return err
			}
			return notVerified(report.Failures, !report.OK)
		}),
	}
	cmd.Flags().StringArrayVar(&receipts, "receipt", nil, "a receipt's `FILE`; may be repeated")
	return cmd
}

func readReceipts(paths []string) (receipts []transparency.Receipt, err error) {
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("the receipt: %w", err)
		}
		r, err := transparency.ParseReceipt(text)
		if err != nil {
			return nil, err
		}
		receipts = append(receipts, r)
	}
	return receipts, nil
}

func newVerifyJSON(r bookdir.Report) verifyJSON {
	return verifyJSON{newHeadJSON(r.OK, r.Pages, r.Size, r.Events, r.Root), r.Failures, r.Unproved}
}

func tellReport(w io.Writer, r bookdir.Report, took time.Duration) {
	verdict := "Verified"
	if !r.OK {
		verdict = "NOT VERIFIED"
	}
	h := newVerifyJSON(r)
	fmt.Fprintf(w, "%s: %s, %s, %s, in %s.\n", verdict,
		count(h.Pages, "page"), count(h.Size, "commit"), count(h.Events, "event"), took.Round(10*time.Millisecond))
	fmt.Fprintf(w, "Root %s\n", h.Root)
	tellFailures(w, r.Failures)
	if r.Unproved > 0 {
		fmt.Fprintf(w, "\n%s after a failure could not be held against a root.\n", count(r.Unproved, "page"))
	}
}
