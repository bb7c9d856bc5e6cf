package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
)

// repairJSON is the answer of repair.
type repairJSON struct {
	Dir    string `json:"dir"`
	Origin string `json:"origin"`
	Epoch  uint64 `json:"epoch"`
	Pages  uint64 `json:"pages"`
	Size   uint64 `json:"size"`
	Root   string `json:"root"`
	// Mended is how many pages came from the archive.
	Mended uint64 `json:"mended"`
	// Lost is how many commits are known to be lost.
	Lost uint64 `json:"lost"`
	// Kept is the folder with the log as it was.
	Kept string `json:"kept"`
}

func (a *app) repairCommand() *cobra.Command {
	var f archiveFlags
	var loss uint64
	var bookIdentity, reason, receipt string
	cmd := &cobra.Command{
		Use:   "repair",
		Short: "Make a damaged log anew from what survives and the archive",
		Long: `Make the log of a book anew, in its folder, from the pages that survive there and,
with --from and --identity, those of its archive. Every page is verified, and is
what it was, bit for bit. The log as it was is kept.

Where everything that was acknowledged is there again, the book goes on as it was.
Where something stays lost, that is refused, unless --accept-loss says exactly how
many commits that is; the book then goes on under another name, in a new epoch of
its log. So it does where the remembered head is gone, or where the last page is
lost and held no commit. Receipts of what is lost count no more: daybook verify
--receipt says so, and daybook receipt check, by the list of keys of before, that
the book gave up what they are for.

A repair is made whole or not at all: one that is refused, or cut short, leaves the
book as it was. Where it was complete and not yet in its place, other commands say
repair-cut-short, and daybook repair brings it to its end.

Where the key ring is gone, too, daybook restore makes the book anew elsewhere.`,
		Example: `  daybook repair --from /mnt/elsewhere/acme --identity ops.txt`,
		Args:    cobra.NoArgs,
		RunE: a.do(func(cmd *cobra.Command, _ []string) error {
			r := bookdir.Repair{Identity: bookIdentity, Principal: a.who(), Reason: reason, Clock: a.clock, Log: a.log}
			if cmd.Flags().Changed("accept-loss") {
				r.AcceptLoss = &loss
			}
			if (f.from == "") != (f.identity == "") {
				return usage("--from and --identity go together")
			}
			var err error
			if f.from != "" {
				if r.From, r.Identities, _, err = f.read(a); err != nil {
					return err
				}
			}
			file, err := openReceipt(receipt, nil)
			if err != nil {
				return err
			}
			return errors.Join(a.repaired(cmd, r, file), file.end())
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&f.from, "from", "", "the `PLACE` of the archive: a folder, or s3://…")
	flags.StringVar(&f.identity, "identity", "", "a `FILE` with an age identity of one of the recipients")
	flags.Uint64Var(&loss, "accept-loss", 0, "accept that this `NUMBER` of commits is lost")
	flags.StringVar(&bookIdentity, "book-identity", "", "the `FILE` of the book's own identity key, where it is offline")
	flags.StringVar(&reason, "reason", "", "`WHY`; it is entered in the log where a new epoch begins")
	flags.StringVar(&receipt, "receipt", "", receiptUsage)
	return cmd
}

// relist opens the book, whose lists are of the log before the repair, and so are made
// anew.
func (a *app) relist(ctx context.Context) (err error) {
	s, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	_, err = s.now(ctx)
	return err
}

// repaired repairs the book that is meant, and tells. What an earlier repair left to be
// put in place needs no key. Where nothing was entered there is no receipt.
func (a *app) repaired(cmd *cobra.Command, r bookdir.Repair, receipt *receiptFile) error {
	dir, err := a.bookDir()
	if err != nil {
		return err
	}
	a.compile()
	done, finished, err := r.Finish(dir)
	if err == nil && !finished {
		done, err = a.repair(cmd, dir, r)
	}
	if err != nil {
		return lossy(err)
	}
	if done.Receipt != nil {
		if err := receipt.put(done.Receipt); err != nil {
			return err
		}
	}
	if done.Begun {
		if err := a.relist(cmd.Context()); err != nil {
			a.warn("the log is made anew, but the lists are still of the old one until they are next asked for (%s)", plain(err))
		}
	}
	answer := repairJSON{
		Dir: dir, Origin: done.Info.Origin, Epoch: done.Info.Epoch, Pages: done.Head.Page, Size: done.Head.Size,
		Root: base64.StdEncoding.EncodeToString(done.Head.Root[:]), Mended: done.Mended, Kept: done.Kept,
	}
	if done.Loss != nil {
		answer.Lost = done.Loss.Commits()
	}
	err = a.answer(answer, func(w io.Writer) {
		fmt.Fprintf(w, "Made the log anew: %s, %s; %s from the archive.\n", count(answer.Pages, "page"), count(answer.Size, "commit"), count(answer.Mended, "page"))
		if answer.Lost > 0 {
			fmt.Fprintf(w, "Lost: %s after size %d.\n", count(answer.Lost, "commit"), answer.Size)
		}
		if done.Begun {
			fmt.Fprintf(w, "The book goes on as %s.\nGive the new list of keys (daybook keys public) to whoever checks what it signs.\n", answer.Origin)
		}
		fmt.Fprintf(w, "The log as it was is kept in %s.\n", answer.Kept)
	})
	if err == nil && receipt != nil && done.Receipt == nil {
		err = fail("no-receipt", "nothing more needs to be done", "the log is repaired, and the book goes on as it was: no command was entered of which there could be a receipt")
	}
	return err
}

// repair repairs the book in a folder.
func (a *app) repair(cmd *cobra.Command, dir string, r bookdir.Repair) (done bookdir.Repaired, err error) {
	info, err := bookdir.ReadInfo(dir)
	if err != nil {
		return done, err
	}
	if r.Root, err = a.root(dir, info.KeyFile); err != nil {
		return done, err
	}
	<-a.compiled
	m := a.meter("Repairing")
	r.Progress = m.at
	done, err = r.Do(cmd.Context(), dir)
	m.end()
	if errors.Is(err, bookdir.ErrNoLog) {
		err = fail("archive-missing", "daybook backup list tells what is there; without --from and --identity the log is made of what survives in the folder",
			"the archive has nothing of this epoch of the log yet (%s)", info.Origin)
	}
	return done, err
}
