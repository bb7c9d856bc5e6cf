package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/projections/postgres"
	"github.com/daybook-ledger/daybook/projections/views"
)

// clearNote is told wherever views are put into a database.
const clearNote = "They hold names and addresses in clear: whoever can read that database, its backups or its disk can read them."

// viewsAt is where the views are said to be by flag or environment; empty where
// the book's folder tells. A password does not belong on the command line, where
// every process of the machine can read it.
func (a *app) viewsAt() (string, error) {
	if postgres.Password(a.viewsURL) {
		return "", usage("--views-url holds a password: give it in PGPASSWORD, in the password file, or the whole URL in DAYBOOK_VIEWS")
	}
	at := a.setting(a.viewsURL, "DAYBOOK_VIEWS")
	if at == "" {
		return "", nil
	}
	return at, bookdir.CheckViews(at)
}

// recordable checks where views are to be, before it is recorded.
func (a *app) recordable(at string) (string, error) {
	if at == "" {
		return "", nil
	}
	if postgres.Password(at) {
		return "", fail("invalid-views-url", "leave the password out, and give it in PGPASSWORD or the password file", "the URL of the lists holds a password, which is not recorded")
	}
	return at, bookdir.CheckViews(at)
}

func (a *app) viewsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "views [URL]",
		Short: "Tell where the lists and reports are kept, or keep them elsewhere",
		Long: `Tell where the lists and reports are kept and how far they are; or, with the URL
of a PostgreSQL or CockroachDB database, have them kept there from now on, and
with sqlite in the book's folder again. They are made anew there from the log the
next time that they are needed; those that were there before are left as they are.

In the folder they are encrypted. In a database they are not: whoever can read it
can read names and addresses. The URL is recorded in the book's folder; a
password is not, and comes from PGPASSWORD or the password file.`,
		Example: `  daybook views postgres://daybook@db.example.com/books
  daybook views sqlite`,
		Args: cobra.MaximumNArgs(1),
		RunE: a.do(func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return a.moveViews(args[0])
			}
			return a.withLog(func(ctx context.Context, _ string, l *bookdir.Log) error {
				at, err := a.viewsAt()
				if err != nil {
					return err
				}
				status, err := l.Views(ctx, at)
				if err != nil {
					return err
				}
				head, err := l.Last(ctx)
				if err != nil {
					return err
				}
				return a.answer(status, func(w io.Writer) {
					t := newTable("", "")
					tellViews(t, status, head.Size)
					t.write(w)
				})
			})(cmd, nil)
		}),
	}
}

// moveViews records where the views are.
func (a *app) moveViews(at string) error {
	at, err := a.recordable(at)
	if err != nil {
		return err
	}
	dir, err := a.bookDir()
	if err != nil {
		return err
	}
	if _, err := bookdir.ReadInfo(dir); err != nil {
		return err
	}
	if err := bookdir.RecordViews(dir, at); err != nil {
		return err
	}
	answer := bookdir.ViewsStatus{At: at}
	if at != bookdir.InFolder {
		answer = bookdir.ViewsStatus{At: postgres.Redacted(at), Clear: true, Plain: postgres.Plain(at)}
	}
	return a.answer(answer, func(w io.Writer) {
		if at == bookdir.InFolder {
			fmt.Fprintln(w, "The lists and reports are kept in the book's folder, encrypted.")
			return
		}
		fmt.Fprintf(w, "The lists and reports are kept in %s.\n%s\n", answer.At, clearNote)
	})
}

// tellViews adds what is known of views to a table, in a log of so many commits.
func tellViews(t *table, s bookdir.ViewsStatus, size uint64) {
	switch {
	case s.At == bookdir.InFolder:
		t.add("Lists", "in the folder, encrypted")
		return
	case s.Fault != nil:
		t.add("Lists", fmt.Sprintf("in %s: %s (%s)", s.At, s.Fault.Message, s.Code))
	case s.Size != nil && *s.Size < size:
		t.add("Lists", fmt.Sprintf("in %s, %s behind", s.At, count(size-*s.Size, "commit")))
	default:
		t.add("Lists", "in "+s.At)
	}
	t.add("", "not encrypted there: whoever can read the database can read names and addresses")
	if s.Plain {
		t.add("", "the way there is not protected by a certificate that is checked: sslmode=verify-full would")
	}
}

// attestJSON is the answer of attest.
type attestJSON struct {
	// Position is how many commits the views hold, and Root the tree hash over
	// them.
	Position uint64 `json:"position"`
	Root     string `json:"root"`
	// Schema is the version of the tables that were hashed.
	Schema int                   `json:"schema"`
	Views  map[string]views.Hash `json:"views"`
	// Entered is where they were entered, with --enter.
	Entered *change `json:"entered,omitempty"`
}

func (a *app) attestCommand() *cobra.Command {
	var enter bool
	cmd := changing(&cobra.Command{
		Use:   "attest",
		Short: "Give the hash of every list at a place of the log",
		Long: `Give a hash of each view, the tables that lists and reports are made from, at a
place of the log. The hashes are the same wherever the views are kept and however
often they were made anew, and erasing a person changes none: who compares them
with those of another copy of the book knows that both say the same.

With --enter they are entered in the log, as they also are whenever a period is
closed. verify --deep makes the lists from the log again and compares them.`,
		Args: cobra.NoArgs,
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, _ []string) error {
			attestation, err := s.attested(ctx)
			if err != nil {
				return err
			}
			at := attestation.Cursor
			answer := attestJSON{at.Size, base64.StdEncoding.EncodeToString(at.Root[:]), attestation.Schema, attestation.Views, nil}
			if enter {
				done, err := s.enter(ctx, s.attestation(attestation), nil)
				if err != nil {
					return err
				}
				answer.Entered = &done
			}
			return a.answer(answer, func(w io.Writer) {
				fmt.Fprintf(w, "At %s, root %s, tables of version %d:\n\n", count(at.Size, "commit"), answer.Root, answer.Schema)
				t := newTable("VIEW", "HASH")
				for _, name := range views.Names() {
					hash := attestation.Views[name]
					t.add(name, base64.StdEncoding.EncodeToString(hash[:]))
				}
				t.write(w)
				if done := answer.Entered; done != nil {
					fmt.Fprintf(w, "\nEntered (position %d%s).\n", done.Position, again(*done))
				}
			})
		}),
	})
	cmd.Flags().BoolVar(&enter, "enter", false, "enter the hashes in the log")
	return cmd
}

// attested gives the hashes of the views as far as the log was acknowledged.
func (s *session) attested(ctx context.Context) (views.Attestation, error) {
	v, err := s.views(ctx)
	if err != nil {
		return views.Attestation{}, err
	}
	return v.Attest(ctx)
}

// attestation is the command that enters hashes of the views.
func (s *session) attestation(a views.Attestation) *book.Attest {
	return &book.Attest{Book: s.book.Info.Book, Attestation: bookdir.Attestation(a)}
}
