package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
)

// codeReceiptLost is the code of a genuine receipt that the log does not honour.
const codeReceiptLost = "receipt-not-honoured"

const hintReceiptLost = "keep the receipt and the list of keys: together they prove to anybody that the book had this entry and has lost it; then bring the book back from a backup"

const hintReceiptGivenUp = "keep the receipt and the list of keys: together they prove to anybody that the book had this entry and gave it up; enter again what it was for"

func (a *app) receiptCommand() *cobra.Command {
	return a.group("receipt", "Check receipts", a.receiptCheckCommand())
}

// receiptJSON is the answer of receipt check.
type receiptJSON struct {
	OK bool `json:"ok"`
	// Genuine holds when the receipt proves, by the trusted keys, that the log had
	// the entry at the position; Honoured, where a book was given, when it has it
	// still.
	Genuine  bool   `json:"genuine"`
	Honoured *bool  `json:"honoured,omitempty"`
	Origin   string `json:"origin"`
	Position uint64 `json:"position"`
	Entry    string `json:"entry"`
	Size     uint64 `json:"size"`
	Root     string `json:"root"`
	// Cosigned is when enough witnesses cosigned the receipt's checkpoint, if they
	// did.
	Cosigned string `json:"cosigned,omitempty"`
	// What is why the log does not honour it, or why that cannot be told.
	What string `json:"what,omitempty"`
}

func (a *app) receiptCheckCommand() *cobra.Command {
	var trust string
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "Tell whether a receipt is genuine, and whether the log honours it",
		Long: `Check a receipt by a list of keys that was kept elsewhere: whether the log's key
signed it, and whether its proof leads from the entry to the tree head. With --dir
it is also held against the book's log, which must have the entry at that place,
and that tree head. A genuine receipt that the log does not honour is proof that
the log lost or rewrote what was acknowledged, or gave it up where a new epoch
begins. Only the log up to that tree head counts; where that is damaged nothing can
be told, and the damage is named. It needs no passphrase.`,
		Example: `  daybook receipt check invoice.tlog-proof --trust KEYS
  daybook receipt check invoice.tlog-proof --trust KEYS --dir books/acme`,
		Args: cobra.ExactArgs(1),
		RunE: a.do(func(cmd *cobra.Command, args []string) error {
			_, keys, err := readKeyList(trust)
			if err != nil {
				return err
			}
			receipts, err := readReceipts(args)
			if err != nil {
				return err
			}
			answer, err := checkReceipt(keys, receipts[0])
			if err != nil {
				return err
			}
			if a.dir == "" {
				return a.answer(answer, answer.people)
			}
			return a.withLog(func(ctx context.Context, _ string, l *bookdir.Log) error {
				return a.honours(ctx, l, keys, receipts[0], answer)
			})(cmd, args)
		}),
	}
	cmd.Flags().StringVar(&trust, "trust", "", "the `FILE` with the list of keys to trust")
	if err := cmd.MarkFlagRequired("trust"); err != nil {
		panic(err) // the flag is defined above
	}
	return cmd
}

// checkReceipt checks a receipt by itself.
func checkReceipt(keys transparency.KeyList, r transparency.Receipt) (receiptJSON, error) {
	verifier, err := keys.Verifier()
	if err != nil {
		return receiptJSON{}, err
	}
	h, err := r.Verify(verifier)
	if err != nil {
		return receiptJSON{}, err
	}
	answer := receiptJSON{
		OK: true, Genuine: true, Origin: page.CheckpointOrigin(r.Checkpoint), Position: r.Position,
		Entry: base64.StdEncoding.EncodeToString(r.Entry[:]), Size: h.Size, Root: base64.StdEncoding.EncodeToString(h.Root[:]),
	}
	if at, err := keys.Check(r.Checkpoint); err == nil && !at.IsZero() {
		answer.Cosigned = at.Format(time.RFC3339)
	}
	return answer, nil
}

// honours holds a genuine receipt against the log.
func (a *app) honours(ctx context.Context, l *bookdir.Log, keys transparency.KeyList, r transparency.Receipt, answer receiptJSON) error {
	if err := trust(keys, l); err != nil {
		return err
	}
	m := a.meter("Reading the log")
	failure, err := l.Honours(ctx, r, keys, m.at)
	m.end()
	var damage *transparency.Failure
	if errors.As(err, &damage) {
		answer.OK, answer.What = false, plain(err)
		if err := a.answer(answer, answer.people); err != nil {
			return err
		}
		return fail(damage.Code, hintOf(damage.Code, hintBackup), "%s", answer.What)
	}
	if err != nil {
		return err
	}
	honoured := failure == nil
	answer.OK, answer.Honoured = honoured, &honoured
	if failure != nil {
		answer.What = failure.What
	}
	if err := a.answer(answer, answer.people); err != nil || honoured {
		return err
	}
	hint := hintReceiptLost
	if failure.Code == page.ErrKeyRange.Code {
		hint = hintReceiptGivenUp
	}
	return fail(codeReceiptLost, hint, "the receipt is genuine and the log does not honour it: %s", failure.What)
}

func (r receiptJSON) people(w io.Writer) {
	fmt.Fprintf(w, "Genuine: position %d of %s, in a log of %s.\n", r.Position, r.Origin, count(r.Size, "commit"))
	if r.Cosigned != "" {
		fmt.Fprintf(w, "Enough witnesses had cosigned it by %s.\n", r.Cosigned)
	}
	switch {
	case r.Honoured == nil && r.What != "":
		fmt.Fprintf(w, "NOT KNOWN: %s.\n", r.What)
	case r.Honoured == nil:
	case *r.Honoured:
		fmt.Fprintln(w, "The log honours it.")
	default:
		fmt.Fprintf(w, "NOT HONOURED: %s.\n", r.What)
	}
}
