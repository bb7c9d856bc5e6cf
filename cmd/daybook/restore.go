package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/archive"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/ledger/commit"
)

// restoreFlags are the flags of restore, besides those that name the archive.
type restoreFlags struct {
	archiveFlags
	until, bookIdentity, reason, receipt string
	readOnly                             bool
	loss                                 uint64
}

// restoredJSON is the answer of restore.
type restoredJSON struct {
	Dir    string    `json:"dir"`
	Book   uuid.UUID `json:"book"`
	Origin string    `json:"origin"`
	Epoch  uint64    `json:"epoch"`
	// Pages, Size and Root are what was brought back.
	Pages    uint64 `json:"pages"`
	Size     uint64 `json:"size"`
	Root     string `json:"root"`
	ReadOnly bool   `json:"read_only"`
	// Lost is how many commits are known to be lost.
	Lost uint64 `json:"lost"`
	// Unaccounted is what earlier epochs in the same place hold besides.
	Unaccounted []unaccountedJSON `json:"unaccounted,omitempty"`
}

// unaccountedJSON is what an earlier epoch acknowledged beyond the size from which the
// next goes on, and no epoch says is lost.
type unaccountedJSON struct {
	Origin string `json:"origin"`
	// First and Last are positions.
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
}

func newUnaccountedJSON(all []bookdir.Unaccounted) (rows []unaccountedJSON) {
	for _, u := range all {
		rows = append(rows, unaccountedJSON{u.Origin, u.From, u.To - 1})
	}
	return rows
}

// tellUnaccounted warns of it.
func tellUnaccounted(w io.Writer, all []bookdir.Unaccounted) {
	for _, u := range all {
		fmt.Fprintf(w, "Unaccounted: %s (%s) were acknowledged there after the next epoch had begun.\n", u, count(u.Commits(), "commit"))
	}
}

func (a *app) restoreCommand() *cobra.Command {
	var f restoreFlags
	cmd := &cobra.Command{
		Use:   "restore",
		Short: "Bring a book back from its archive",
		Long: `Bring a book back from its archive into a folder that is empty or not there yet:
--dir, DAYBOOK_DIR. It needs an identity of one of the recipients, and no
passphrase of the old book; the new one is locked by --passphrase-file or
--key-file. Every page is verified while it is read, and what was erased stays
erased. The lists and reports are made as well, unless they are in a database.

The book goes on under another name and with another signing key, in a new epoch
of its log, so that it can never contradict the old book should that be alive
somewhere. --principal, an owner of the book, opens it. With --read-only it takes
no commands and has no signing key.

What is known to have been acknowledged, by --expect or by what the archive says
itself, and is not brought back, is refused, unless --accept-loss says exactly how
many commits that is. --until ends the log before the first page that goes beyond
a position, or a time.`,
		Example: `  daybook restore --from /mnt/elsewhere/acme --identity escrow.txt --dir books/acme --passphrase-file new
  daybook restore --from /mnt/elsewhere/acme --identity escrow.txt --dir look --key-file k --read-only --until 2026-03-01T00:00:00Z`,
		Args: cobra.NoArgs,
		RunE: a.do(func(cmd *cobra.Command, _ []string) error {
			r, err := f.restore(a, cmd)
			if err != nil {
				return err
			}
			receipt, err := openReceipt(f.receipt, nil)
			if err != nil {
				return err
			}
			return errors.Join(a.restored(cmd, r, receipt), receipt.end())
		}),
	}
	f.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.until, "until", "", "end the log at this `POSITION` or time (RFC 3339)")
	flags.BoolVar(&f.readOnly, "read-only", false, "make a copy that takes no commands")
	flags.StringVar(&f.bookIdentity, "book-identity", "", "the `FILE` of the book's own identity key, where it is offline")
	flags.StringVar(&f.reason, "reason", "", "`WHY` the book is brought back; it is entered in the log")
	flags.Uint64Var(&f.loss, "accept-loss", 0, "accept that this `NUMBER` of commits is lost")
	flags.StringVar(&f.receipt, "receipt", "", receiptUsage)
	return cmd
}

// restore reads the flags.
func (f *restoreFlags) restore(a *app, cmd *cobra.Command) (r bookdir.Restore, err error) {
	r = bookdir.Restore{
		Origin: f.origin, ReadOnly: f.readOnly, Identity: f.bookIdentity, Principal: a.who(), Reason: f.reason,
		Clock: a.clock, Log: a.log,
	}
	if f.readOnly && cmd.Flags().Changed("accept-loss") {
		return r, usage("a copy that is read only loses nothing: --accept-loss does not go with --read-only")
	}
	if f.readOnly && f.receipt != "" {
		return r, usage("nothing is entered in a copy that is read only, so there is no receipt: --receipt does not go with --read-only")
	}
	if cmd.Flags().Changed("accept-loss") {
		r.AcceptLoss = &f.loss
	}
	if f.until != "" {
		if position, err := strconv.ParseUint(f.until, 10, 63); err == nil {
			r.UntilSize = position + 1
		} else if r.UntilTime, err = time.Parse(time.RFC3339, f.until); err != nil {
			return r, usage("--until %q is neither a position nor a time such as 2026-03-01T00:00:00Z", f.until)
		}
	}
	if r.Views, err = a.viewsAt(); err != nil {
		return r, err
	}
	if r.Trust, err = f.trusted(); err != nil {
		return r, err
	}
	r.From, r.Identities, r.Expected, err = f.read(a)
	return r, err
}

// restored brings the book back, and tells; receipt is where that of the command that
// opens its epoch is to go, nil for nowhere.
func (a *app) restored(cmd *cobra.Command, r bookdir.Restore, receipt *receiptFile) error {
	dir := a.setting(a.dir, "DAYBOOK_DIR")
	if dir == "" {
		return usage("--dir says where the book is to be")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	a.compile()
	var lock bookdir.Settings
	undo, err := a.newRoot(dir, &lock)
	if err != nil {
		return err
	}
	r.Root, r.KeyFile = lock.Root, lock.KeyFile
	<-a.compiled
	begun := a.now()
	m := a.meter("Restoring")
	r.Progress = m.at
	r.Viewed = func(done, of uint64) {
		m.says("Making the lists")
		m.at(done, of)
	}
	done, err := r.Do(cmd.Context(), dir)
	m.end()
	if err != nil {
		return errors.Join(exists(undone(ringless(unproved(unsound(lossy(err), r.ReadOnly)))), dir), undo())
	}
	if err := receipt.put(done.Receipt); err != nil {
		return err
	}
	answer := restoredJSON{
		Dir: dir, Book: done.Info.Book, Origin: done.Info.Origin, Epoch: done.Info.Epoch, ReadOnly: done.Info.ReadOnly,
		Pages: done.Head.Page, Size: done.Head.Size, Root: base64.StdEncoding.EncodeToString(done.Head.Root[:]),
	}
	if done.Loss != nil {
		answer.Lost = done.Loss.Commits()
	}
	answer.Unaccounted = newUnaccountedJSON(done.Unaccounted)
	return a.answer(answer, func(w io.Writer) {
		fmt.Fprintf(w, "Brought back %s, %s, to %s in %s.\n\n", count(answer.Pages, "page"), count(answer.Size, "commit"), dir,
			a.now().Sub(begun).Round(10*time.Millisecond))
		switch {
		case answer.ReadOnly:
			fmt.Fprintf(w, "It takes no commands.\n")
		default:
			fmt.Fprintf(w, "Log         %s\nPublic key  %s\n\n", answer.Origin, done.Info.Key)
			fmt.Fprintf(w, "Give the new list of keys (daybook keys public) to whoever checks what the book\nsigns, and say where it is to be archived: daybook backup --to … --recipient …\n")
		}
		if answer.Lost > 0 && len(done.Loss.Earlier) == 0 {
			fmt.Fprintf(w, "Lost: %s after size %d.\n", count(answer.Lost, "commit"), answer.Size)
		} else if answer.Lost > 0 {
			fmt.Fprintf(w, "Lost: %s, %s.\n", count(answer.Lost, "commit"), done.Loss.Positions())
		}
		tellUnaccounted(w, done.Unaccounted)
	})
}

// undone says of a disk that cannot be written that nothing was brought back: there is
// no command to repeat with its id.
func undone(err error) error {
	told := explain(err, nil)
	switch {
	case told.code == bookdir.CodeDiskFull:
		return fail(told.code, "nothing was brought back: make room, or choose a folder on another disk", "%s", told.message)
	case errors.Is(err, eventstore.ErrUnclear):
		return fail("unavailable", "nothing was brought back: see that the disk can be written, or choose a folder on another", "%s", told.message)
	}
	return err
}

// ringless says what helps where the archive's ring is damaged or missing.
func ringless(err error) error {
	if !errors.Is(err, archive.ErrRing) && !errors.Is(err, keyring.ErrDamaged) {
		return err
	}
	return fail(classify(err).code, hintCopied, "%s", plain(err))
}

// unproved says what helps where the archive lacks the page that erases somebody, or
// is not that of a checkpoint.
func unproved(err error) error {
	switch {
	case errors.Is(err, commit.ErrNotErased):
		return fail(classify(err).code, "daybook backup verify tells what the archive lacks; look for another copy of it", "%s", plain(err))
	case errors.Is(err, ledger.ErrContradiction):
		return fail(classify(err).code, "one of the two is of a log that was rewritten: look for another copy of the archive, and ask who keeps receipts which they agree with", "%s", plain(err))
	}
	return err
}

// unsound says how what is sound of an archive is brought back.
func unsound(err error, readOnly bool) error {
	var u *bookdir.Unsound
	if !errors.As(err, &u) || u.Sound == 0 {
		return err
	}
	rest := fmt.Sprintf("--until %d", u.Sound-1)
	if lost := u.Known - u.Sound; lost > 0 && !readOnly {
		rest += fmt.Sprintf(" --accept-loss %d", lost)
	}
	return fail(classify(err).code, "look for another copy of the archive, or bring back what is sound: "+rest, "%s", plain(u))
}

// lossy says how a loss is accepted, and how the book's own identity key is given.
func lossy(err error) error {
	if errors.Is(err, bookdir.ErrOffline) {
		return fail("identity-offline", "name the file of the book's own identity key: --book-identity FILE", "%s", plain(err))
	}
	var loss *bookdir.Loss
	if !errors.As(err, &loss) {
		return err
	}
	return fail(bookdir.CodeLoss, fmt.Sprintf("look for a newer archive, or accept it with --accept-loss %d", loss.Commits()),
		"%s (%s) were acknowledged and are not brought back", loss.Positions(), count(loss.Commits(), "commit"))
}
