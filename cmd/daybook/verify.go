package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
)

// verifyJSON is the answer of verify.
type verifyJSON struct {
	headJSON
	// From is the size from which the check went on, with --resume.
	From uint64 `json:"from,omitempty"`
	// Witnesses is what they say that they cosigned, where there are any.
	Witnesses []bookdir.Asked `json:"witnesses,omitempty"`
	// Attested is how many entered hashes of the lists were recomputed, with
	// --deep; Older how many are of another version of the lists, and Unchecked how
	// many were not, for what is wrong before them.
	Attested  int                    `json:"attested,omitempty"`
	Older     int                    `json:"attested_older,omitempty"`
	Unchecked int                    `json:"attested_unchecked,omitempty"`
	Failures  []transparency.Failure `json:"failures"`
	// Unproved is how many pages stand after a failure, so that their commits
	// could not be checked.
	Unproved uint64 `json:"unproved,omitempty"`
}

// verifyFlags are the flags of verify.
type verifyFlags struct {
	receipts, expect []string
	trust            string
	resume, deep     bool
	offline          bool
}

func (a *app) verifyCommand() *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check the whole log: every signature, every hash, every place",
		Long: `Check the whole log from its first page: every page's signature and place,
every commit's form, place and hash, every root of the Merkle tree, every
stream's revisions, and that the log reaches what was acknowledged and what
witnesses cosigned. It needs no passphrase and decrypts nothing: the list of
public keys is enough, the book's or, with --trust, your own. The exit code is 1
when anything is wrong, and every failure is listed.

With --expect it also checks that the log has the tree head of a checkpoint that
was kept elsewhere, with --receipt that what a receipt proves is still there.
With --deep it also opens every section and decides every command again, which
needs the passphrase: the sealed command must give exactly the events that stand
with it, numbers must have no gaps, entries must balance, what is erased must be
said to be, and where hashes of the lists were entered the log must give them again.

A check that found nothing, or was interrupted, remembers how far it came;
--resume goes on from there, and believes what the folder says of it. One that found
something withdraws that. With --deep it goes on where the check before was deep too,
and nothing was erased since; what that keeps is sealed.`,
		Args: cobra.NoArgs,
		RunE: a.withLog(func(ctx context.Context, dir string, l *bookdir.Log) error {
			begun := a.now()
			o, err := a.verifyOptions(dir, l, f)
			if err != nil {
				return err
			}
			m := a.meter("Verifying")
			again := a.meter("Making the lists anew")
			o.Progress, o.Views = m.at, again.at
			report, err := l.Verify(ctx, o)
			m.end()
			again.end()
			if o.Deep != nil {
				err = a.closed(err, o.Deep.Close(context.WithoutCancel(ctx)))
			}
			if err != nil {
				return err
			}
			if err := a.answer(newVerifyJSON(report), func(w io.Writer) { tellReport(w, report, a.now().Sub(begun)) }); err != nil {
				return err
			}
			return notVerified(report.Failures, !report.OK)
		}),
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&f.receipts, "receipt", nil, "a receipt's `FILE`; may be repeated")
	flags.StringArrayVar(&f.expect, "expect", nil, "a `FILE` with a checkpoint that the log must have, or with a receipt; may be repeated")
	flags.StringVar(&f.trust, "trust", "", "a `FILE` with the list of keys to trust (else the book's own)")
	flags.BoolVar(&f.offline, "offline", false, "do not ask the witnesses")
	flags.BoolVar(&f.resume, "resume", false, "go on from where the last check came to")
	flags.BoolVar(&f.deep, "deep", false, "open every section and decide every command again; needs the passphrase")
	return cmd
}

// verifyOptions reads what the flags name.
func (a *app) verifyOptions(dir string, l *bookdir.Log, f verifyFlags) (o bookdir.VerifyOptions, err error) {
	o.Resume, o.Ask = f.resume, !f.offline
	if f.trust != "" {
		_, trusted, err := readKeyList(f.trust)
		if err != nil {
			return o, err
		}
		if err := trust(trusted, l); err != nil {
			return o, err
		}
	}
	if o.Receipts, err = readReceipts(f.receipts); err != nil {
		return o, err
	}
	for i, r := range o.Receipts {
		if _, err := r.Verify(l.Verifier); err != nil && !errors.Is(err, page.ErrKeyRange) { // that is a finding
			return o, fmt.Errorf("%s: %w", f.receipts[i], err)
		}
	}
	if o.Checkpoints, err = readCheckpoints(f.expect); err != nil {
		return o, err
	}
	if !f.deep {
		return o, nil
	}
	a.compile()
	root, err := a.root(dir, l.Info.KeyFile)
	if err != nil {
		return o, err
	}
	<-a.compiled
	if o.Deep, err = bookdir.OpenDeep(dir, bookdir.Options{Root: root, Clock: a.clock, Log: a.log}); err != nil {
		return o, err
	}
	return o, o.Deep.Keep(f.resume)
}

// trust makes a log be checked by a list of keys that was kept elsewhere, or by
// the book's own where that goes on from it.
func trust(trusted transparency.KeyList, l *bookdir.Log) error {
	if own, _, err := l.Info.KeyList(); err == nil {
		if trusted, err = trusted.Follow(own); err != nil {
			return err
		}
	}
	verifier, err := trusted.Verifier()
	l.Verifier = verifier
	return err
}

// readKeyList reads a list of keys, and gives it as it is signed, too.
func readKeyList(path string) (signed []byte, list transparency.KeyList, err error) {
	if signed, err = readFile(path, transparency.MaxKeyList); err != nil {
		return nil, list, fmt.Errorf("the list of keys: %w", err)
	}
	if list, err = transparency.ParseKeyList(signed); err != nil {
		return nil, list, fmt.Errorf("%s: %w", path, err)
	}
	return signed, list, nil
}

// readCheckpoints reads files that hold a checkpoint each, or a receipt, which ends with
// one.
func readCheckpoints(paths []string) (given []bookdir.Checkpoint, err error) {
	for _, path := range paths {
		text, err := readFile(path, transparency.MaxReceipt)
		if err != nil {
			return nil, fmt.Errorf("the checkpoint: %w", err)
		}
		if transparency.IsReceipt(text) {
			r, err := transparency.ParseReceipt(text)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			text = r.Checkpoint
		}
		given = append(given, bookdir.Checkpoint{File: path, Signed: text})
	}
	return given, nil
}

func readReceipts(paths []string) (receipts []transparency.Receipt, err error) {
	for _, path := range paths {
		text, err := readFile(path, transparency.MaxReceipt)
		if err != nil {
			return nil, fmt.Errorf("the receipt: %w", err)
		}
		r, err := transparency.ParseReceipt(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		receipts = append(receipts, r)
	}
	return receipts, nil
}

func newVerifyJSON(r bookdir.Report) verifyJSON {
	failures := r.Failures
	if failures == nil {
		failures = []transparency.Failure{}
	}
	return verifyJSON{
		newHeadJSON(r.OK, r.Pages, r.Size, r.Events, r.Root), r.From, r.Asked, r.Attested.Checked, r.Attested.Older, r.Attested.Unchecked,
		failures, r.Unproved,
	}
}

func tellReport(w io.Writer, r bookdir.Report, took time.Duration) {
	verdict := "Verified"
	if !r.OK {
		verdict = "NOT VERIFIED"
	}
	h := newVerifyJSON(r)
	fmt.Fprintf(w, "%s: %s, %s, %s, in %s.\n", verdict,
		count(h.Pages, "page"), count(h.Size, "commit"), count(h.Events, "event"), took.Round(10*time.Millisecond))
	if r.From > 0 {
		fmt.Fprintf(w, "The first %s were verified before.\n", count(r.From, "commit"))
	}
	fmt.Fprintf(w, "Root %s\n", h.Root)
	tellAttested(w, r.Attested)
	for _, asked := range r.Asked {
		tellAsked(w, asked)
	}
	tellFailures(w, r.Failures)
	if r.Unproved > 0 {
		fmt.Fprintf(w, "\n%s after a failure could not be held against a root.\n", count(r.Unproved, "page"))
	}
}

// tellAsked tells what a witness said.
func tellAsked(w io.Writer, a bookdir.Asked) {
	switch {
	case a.Size == 0 && a.Error != "":
		fmt.Fprintf(w, "Witness %s told nothing: %s\n", a.Witness, a.Error)
	case a.Size == 0:
		fmt.Fprintf(w, "Witness %s has cosigned nothing yet.\n", a.Witness)
	case a.Error != "":
		fmt.Fprintf(w, "Witness %s has cosigned up to size %d: %s\n", a.Witness, a.Size, a.Error)
	default:
		fmt.Fprintf(w, "Witness %s has cosigned up to size %d.\n", a.Witness, a.Size)
	}
}

// tellAttested tells what became of the entered hashes of the lists.
func tellAttested(w io.Writer, r bookdir.AttestedReport) {
	if r.Checked > 0 {
		fmt.Fprintf(w, "The lists were made anew and their hashes compared where they were entered: %s.\n", count(r.Checked, "time"))
	}
	if r.Unchecked > 0 {
		fmt.Fprintf(w, "Entered hashes of the lists that could not be compared, for what is wrong before them: %d.\n", r.Unchecked)
	}
	if r.Older > 0 {
		fmt.Fprintf(w, "Entered hashes of another version of the lists, which were not compared: %d.\n", r.Older)
	}
}
