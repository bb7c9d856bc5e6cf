package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
	"github.com/daybook-ledger/daybook/eventstore/archive"
)

func (a *app) backupDrillCommand() *cobra.Command {
	var identity, scratch string
	cmd := changing(&cobra.Command{
		Use:   "drill",
		Short: "Try whether the book comes back from its archive",
		Long: `Bring the archive up to date, restore the book from it to a scratch folder, verify
it deeply and compare the hash of every list with the book's own. The result is
entered in the log, a failure too, and the scratch folder is removed. The exit
code is 1 when anything was wrong.

Where the file with the identity is, is remembered once a drill succeeded, never
what is in it: --identity is given once, and again when the file is another.`,
		Example: `  daybook backup drill --identity drill.txt
  daybook backup drill`,
		Args: cobra.NoArgs,
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, _ []string) error {
			path, err := drillIdentity(s.book.Dir, identity)
			if err != nil {
				return err
			}
			ids, err := a.identities(path)
			if err != nil {
				return err
			}
			m := a.meter("Restoring")
			done, err := s.book.Drill(ctx, bookdir.DrillOptions{
				Identities: ids, Scratch: scratch, Principal: a.who(), ID: s.id, Progress: m.at,
			})
			m.end()
			if errors.Is(err, archive.ErrIdentity) {
				return fail("wrong-identity", hintDrillIdentity, "the identity in %s does not open the archive %s", path, done.Archive)
			}
			if err != nil {
				return err
			}
			entered, err := s.keep(done.Receipt)
			if err != nil {
				return err
			}
			answer := drillJSON{
				OK: done.Failure == "", Archive: done.Archive, Milliseconds: done.Milliseconds, Failure: done.Failure, change: entered,
			}
			if answer.OK {
				if err := rememberIdentity(s.book, path); err != nil {
					return err
				}
			}
			if done.Restored != nil {
				answer.Size = done.Restored.Size
			}
			if err := a.answer(answer, answer.people); err != nil {
				return err
			}
			if !answer.OK {
				return fail("drill-failed", "daybook backup verify tells what is wrong with the archive", "%s", answer.Failure)
			}
			return nil
		}),
	})
	cmd.Flags().StringVar(&identity, "identity", "", "a `FILE` with an age identity of one of the recipients (else that of the last drill that succeeded)")
	cmd.Flags().StringVar(&scratch, "scratch", "", "the `FOLDER` to restore in (else the system's for temporary files)")
	return cmd
}

const hintDrillIdentity = "name the file of an identity whose recipient the archive was made for, and it is remembered: daybook backup drill --identity FILE"

// drillIdentity is the file that a drill opens the archive with: the one that is given,
// or else the one that is remembered.
func drillIdentity(dir, given string) (string, error) {
	if given != "" {
		return filepath.Abs(given)
	}
	known, err := bookdir.ReadArchive(dir)
	if err != nil {
		return "", err
	}
	if known.DrillIdentity == "" {
		return "", fail("no-drill-identity", hintDrillIdentity, "no identity was given, and none is known of an earlier drill")
	}
	if _, err := os.Stat(known.DrillIdentity); errors.Is(err, fs.ErrNotExist) {
		return "", fail("no-drill-identity", "bring it back, or "+hintDrillIdentity, "the identity of the last drill is not there any more: %s", known.DrillIdentity)
	}
	return known.DrillIdentity, nil
}

// rememberIdentity keeps where the identity of a drill is. A pipe, or what this process
// alone has under /dev, is not there any more when the next drill is made.
func rememberIdentity(b *bookdir.Book, path string) error {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() || strings.HasPrefix(path, "/dev/") {
		return nil //nolint:nilerr // what is gone already cannot be used again
	}
	return b.RememberDrillIdentity(path)
}

// drillJSON is the answer of a drill.
type drillJSON struct {
	OK      bool   `json:"ok"`
	Archive string `json:"archive"`
	// Size is how many commits came back.
	Size         uint64 `json:"size"`
	Milliseconds int    `json:"milliseconds"`
	Failure      string `json:"failure,omitempty"`
	change
}

func (d drillJSON) people(w io.Writer) {
	took := (time.Duration(d.Milliseconds) * time.Millisecond).Round(10 * time.Millisecond)
	if d.OK {
		fmt.Fprintf(w, "Brought back %s from %s in %s: verified, and every list as it is here (position %d%s).\n",
			count(d.Size, "commit"), d.Archive, took, d.Position, again(d.change))
		return
	}
	fmt.Fprintf(w, "THE DRILL FAILED after %s, at %s (position %d%s).\n", took, count(d.Size, "commit"), d.Position, again(d.change))
}
