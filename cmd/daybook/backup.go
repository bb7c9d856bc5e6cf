package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
	"github.com/daybook-ledger/daybook/eventstore/archive"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
)

// archiveJSON is how far an archive reaches.
type archiveJSON struct {
	To     string `json:"to"`
	Origin string `json:"origin"`
	// Pages and Size are up to where the log was archived.
	Pages uint64    `json:"pages"`
	Size  uint64    `json:"size"`
	At    time.Time `json:"at"`
	// Required says that receipts wait for it.
	Required bool `json:"required,omitempty"`
}

func newArchiveJSON(a bookdir.Archive) archiveJSON {
	return archiveJSON{a.To, a.Origin, a.Page, a.Size, a.At, a.Required}
}

// backupFlags are the flags of backup.
type backupFlags struct {
	to         string
	recipients []string
	every      time.Duration
	required   bool
}

func (a *app) backupCommand() *cobra.Command {
	var f backupFlags
	cmd := &cobra.Command{
		Use:   "backup",
		Short: "Write what is new to the book's archive",
		Long: `Write what the archive lacks of the log: first the key ring, then pages, as
segments that are encrypted to the recipients. The book remembers where its
archive is and for whom: --to and --recipient are given once. Put the archive
where the book's own disk and passwords do not reach, and one of the identities
(age-keygen makes them) into a safe: whoever has one can read the whole book and
bring it back, without the passphrase.

With --every the book is archived while it is open, too. With --required every
command waits for the archive: nothing that was acknowledged is lost even if the
disk is, and while the archive cannot be written no command is taken. What was
interrupted is gone on with the next time.`,
		Example: `  daybook backup --to /mnt/elsewhere/acme --recipient age1…ops --recipient age1…escrow
  daybook backup`,
		Args: cobra.NoArgs,
		RunE: a.withBook(func(ctx context.Context, s *session, cmd *cobra.Command, _ []string) error {
			m := a.meter("Backing up")
			required, err := f.apply(ctx, s, cmd)
			if err != nil {
				return err
			}
			if f.freesReceipts(cmd) {
				return a.tellFreed(s)
			}
			done, err := s.book.Backup(ctx, m.at)
			if err == nil && required { // which commands wait for from now on: so the bulk comes first
				if err = s.book.RequireArchive(true); err == nil {
					done, err = s.book.Backup(ctx, nil)
				}
			}
			m.end()
			if err != nil {
				return err
			}
			return a.answer(backupJSON{newArchiveJSON(done.Archive), done.Pages}, func(w io.Writer) {
				fmt.Fprintf(w, "Archived %s, up to size %d, to %s.\n", count(done.Pages, "page"), done.Size, done.To)
			})
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&f.to, "to", "", "where the archive is to be: the `PLACE` is a folder on another disk or machine, or s3://bucket/prefix?endpoint=…")
	flags.StringArrayVar(&f.recipients, "recipient", nil, "an age `RECIPIENT` who can read it, age1… or age1pq…; may be repeated")
	flags.BoolVar(&f.required, "required", false, "give no receipt before the archive has what it is for; --required=false for receipts at once")
	flags.DurationVar(&f.every, "every", 0, "archive an open book this often, such as `15m`; 0 for never")
	cmd.AddCommand(a.backupVerifyCommand(), a.backupListCommand(), a.backupPruneCommand(), a.backupDrillCommand())
	return cmd
}

// backupJSON is the answer of a backup.
type backupJSON struct {
	archiveJSON
	Written uint64 `json:"written"`
}

// freesReceipts reports whether all that is asked is that receipts wait for the archive
// no longer. Then nothing is written to it: it may be what stands still.
func (f backupFlags) freesReceipts(cmd *cobra.Command) bool {
	given := cmd.Flags().Changed
	return given("required") && !f.required && !given("to") && !given("recipient") && !given("every")
}

func (a *app) tellFreed(s *session) error {
	now, err := bookdir.ReadArchive(s.book.Dir)
	if err != nil {
		return err
	}
	return a.answer(backupJSON{newArchiveJSON(now), 0}, func(w io.Writer) {
		fmt.Fprintln(w, "Receipts do not wait for the archive any more.")
	})
}

// apply tells the book what was given, but that the archive is required from now
// on, which it reports.
func (f backupFlags) apply(ctx context.Context, s *session, cmd *cobra.Command) (required bool, err error) {
	given := cmd.Flags().Changed
	if !given("to") && !given("recipient") && !given("every") && !given("required") {
		return false, nil
	}
	a, err := bookdir.ReadArchive(s.book.Dir)
	if err != nil && !errors.Is(err, bookdir.ErrNoArchive) {
		return false, err
	}
	if given("to") {
		a.To = f.to
	}
	if given("recipient") {
		a.Recipients = f.recipients
	}
	if given("every") {
		if a.Every = f.every; a.Every != 0 && a.Every < time.Second {
			return false, usage("--every is at least 1s")
		}
	}
	if a.To == "" {
		return false, usage("--to says where the archive is to be")
	}
	if !strings.Contains(a.To, "://") {
		if a.To, err = filepath.Abs(a.To); err != nil {
			return false, err
		}
		if inside(s.book.Dir, a.To) {
			return false, usage("an archive in the book's own folder would be lost with it: give a --to elsewhere")
		}
	}
	if !f.freesReceipts(cmd) {
		if err := s.book.ArchiveTo(ctx, a); err != nil {
			return false, err
		}
	}
	if given("required") && !f.required {
		return false, s.book.RequireArchive(false)
	}
	return given("required") && !a.Required, nil
}

// archiveFlags name an archive and what opens it.
type archiveFlags struct {
	from, origin, identity, trust string
	expect                        []string
}

func (f *archiveFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.from, "from", "", "the `PLACE` of the archive: a folder, or s3://…")
	flags.StringVar(&f.origin, "origin", "", "the `ORIGIN` of the log, where the archive has several")
	flags.StringVar(&f.identity, "identity", "", "a `FILE` with an age identity of one of the recipients")
	flags.StringArrayVar(&f.expect, "expect", nil, "a `FILE` with a checkpoint that the log must have, or with a receipt; may be repeated")
	flags.StringVar(&f.trust, "trust", "", "a `FILE` with the list of keys to trust (else the archive's own)")
	for _, name := range []string{"from", "identity"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // the flag is defined above
		}
	}
}

// trusted is the list of keys that is trusted, as it is signed; nil where none is named.
func (f *archiveFlags) trusted() ([]byte, error) {
	if f.trust == "" {
		return nil, nil
	}
	signed, _, err := readKeyList(f.trust)
	return signed, err
}

// read opens what the flags name.
func (f *archiveFlags) read(a *app) (archive.Place, archive.Identities, []bookdir.Checkpoint, error) {
	place, err := archive.Open(f.from, a.now)
	if err != nil {
		return nil, nil, nil, err
	}
	ids, err := a.identities(f.identity)
	if err != nil {
		return nil, nil, nil, err
	}
	expected, err := readCheckpoints(f.expect)
	return place, ids, expected, err
}

// identities reads a file of age identities.
func (a *app) identities(path string) (archive.Identities, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("the identity: %w", err)
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		a.warn("others can read the identity %s: chmod 600 makes it yours alone", path)
	}
	ids, err := archive.ParseIdentities(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return ids, nil
}

func (a *app) backupVerifyCommand() *cobra.Command {
	var f archiveFlags
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Read a whole archive and check it",
		Long: `Read a whole archive and check it as verify checks a log: every segment, every
signature, hash and root, every checkpoint that stands in it; and that the key
ring opens and has every key that the log uses. It needs no book, only an
identity. The exit code is 1 when anything is wrong, and every failure is listed.`,
		Example: `  daybook backup verify --from /mnt/elsewhere/acme --identity escrow.txt`,
		Args:    cobra.NoArgs,
		RunE: a.do(func(cmd *cobra.Command, _ []string) error {
			begun := a.now()
			place, ids, expected, err := f.read(a)
			if err != nil {
				return err
			}
			trust, err := f.trusted()
			if err != nil {
				return err
			}
			m := a.meter("Verifying")
			report, err := bookdir.ArchiveCheck{
				From: place, Origin: f.origin, Identities: ids, Trust: trust, Expected: expected, Log: a.log, Progress: m.at,
			}.Do(cmd.Context())
			m.end()
			if err != nil {
				return err
			}
			answer := struct {
				headJSON
				Origin   string                 `json:"origin"`
				Segments int                    `json:"segments"`
				Keys     int                    `json:"keys"`
				Failures []transparency.Failure `json:"failures"`
				// Unaccounted is as in the answer of restore.
				Unaccounted []unaccountedJSON `json:"unaccounted,omitempty"`
			}{
				newHeadJSON(report.OK, report.Pages, report.Size, report.Events, report.Root),
				report.Origin, report.Segments, report.Keys, append([]transparency.Failure{}, report.Failures...),
				newUnaccountedJSON(report.Unaccounted),
			}
			err = a.answer(answer, func(w io.Writer) {
				fmt.Fprintf(w, "Read %s of %s.\n", count(report.Segments, "segment"), report.Origin)
				tellReport(w, report.Report, a.now().Sub(begun))
				tellUnaccounted(w, report.Unaccounted)
			})
			if err != nil {
				return err
			}
			err = notVerified(report.Failures, !report.OK)
			var told *failure
			switch { // it is the archive that is not as it should be
			case !errors.As(err, &told) || told.code == bookdir.CodeUnproved:
			case told.code == "ring-damaged":
				told.hint = hintCopied
			default:
				told.hint = hintMend
			}
			return err
		}),
	}
	f.add(cmd)
	return cmd
}

func (a *app) backupListCommand() *cobra.Command {
	var from string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the logs in an archive",
		Long: `List the logs that lie in an archive, and how far they reach, as the names of
their segments tell. It needs no key, and reads no segment.`,
		Args: cobra.NoArgs,
		RunE: a.do(func(cmd *cobra.Command, _ []string) error {
			place, err := archive.Open(from, a.now)
			if err != nil {
				return err
			}
			logs, err := bookdir.ArchivedLogs(cmd.Context(), place)
			if err != nil {
				return err
			}
			type one struct {
				Origin   string `json:"origin"`
				Segments int    `json:"segments"`
				Pages    uint64 `json:"pages"`
			}
			answer := struct {
				Logs []one `json:"logs"`
			}{[]one{}}
			for _, l := range logs {
				answer.Logs = append(answer.Logs, one{l.Origin, len(l.Segments), l.Pages})
			}
			return a.answer(answer, func(w io.Writer) {
				t := newTable("LOG", ">SEGMENTS", ">PAGES")
				for _, l := range answer.Logs {
					t.add(l.Origin, fmt.Sprint(l.Segments), fmt.Sprint(l.Pages))
				}
				t.write(w)
			})
		}),
	}
	cmd.Flags().StringVar(&from, "from", "", "the `PLACE` of the archive: a folder, or s3://…")
	if err := cmd.MarkFlagRequired("from"); err != nil {
		panic(err) // the flag is defined above
	}
	return cmd
}

func (a *app) backupPruneCommand() *cobra.Command {
	var earlier bool
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Make the archive of the book smaller without losing a page",
		Long: `Bring the archive up to date, write runs of small segments anew as larger ones,
and remove the segments whose pages others have. No page is lost.

What lies there of earlier epochs stays: it may hold the only copy of what a
restore did not bring back. It also holds the keys of whoever was erased since.
--earlier removes it, keys first, once the present log is archived.`,
		Args: cobra.NoArgs,
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, _ []string) error {
			done, err := s.book.Prune(ctx)
			if err != nil {
				return err
			}
			answer := struct {
				Merged  int `json:"merged"`
				Into    int `json:"into"`
				Removed int `json:"removed"`
				// Earlier are the logs of earlier epochs that were removed.
				Earlier []string `json:"earlier,omitempty"`
			}{done.Merged, done.Into, done.Removed, nil}
			if earlier {
				if answer.Earlier, err = s.book.PruneEarlier(ctx); err != nil {
					return err
				}
			}
			return a.answer(answer, func(w io.Writer) {
				fmt.Fprintf(w, "Wrote %s anew as %d, and removed %d.\n", count(done.Merged, "segment"), done.Into, done.Removed)
				for _, origin := range answer.Earlier {
					fmt.Fprintf(w, "Removed all of %s.\n", origin)
				}
			})
		}),
	}
	cmd.Flags().BoolVar(&earlier, "earlier", false, "remove what lies there of earlier epochs of the log, for good")
	return cmd
}
