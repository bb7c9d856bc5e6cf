package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/erasure"
	"github.com/daybook-ledger/daybook/projections"
)

// customerErased is the answer of an erasure.
type customerErased struct {
	ID    uuid.UUID      `json:"id"`
	Scope customer.Scope `json:"scope"`
	// Kept is the last day on which what stands on documents must be kept; absent
	// where nothing is.
	Kept domain.Date `json:"kept,omitempty"`
	// Archived is whether the archive lost the keys as well; absent where the book
	// has none.
	Archived *bool `json:"archived,omitempty"`
	change
}

func (a *app) customerErase() *cobra.Command {
	var reason string
	var contact bool
	return addErase(changing(&cobra.Command{
		Use:   "erase CUSTOMER",
		Short: "Destroy what the book knows of a person, for ever",
		Long: `Destroy the keys of a customer's personal data, and make everything anew that was
made with them: names, addresses, texts, tax ids can be read no more, by nobody.
Amounts, dates, items and the customer's id stay, and so does every proof.

It is refused as long as something is open between the customer and you, and
(retention) as long as the law wants a document of the customer to be kept:
daybook book retention says how long that is. With --contact only what stands on
no document goes, at once: the profile, the email address, texts of drafts.

What left the book is beyond its reach: backups, exported files, whoever was sent
a document. docs/THREATS.md lists it.`,
		Example: `  daybook customer erase ext:C-1001 --reason 'asked on 3 March'
  daybook customer erase "Ada Lovelace" --contact --reason 'moved away'`,
		Args: cobra.ExactArgs(1),
		RunE: a.withBook(func(ctx context.Context, s *session, cmd *cobra.Command, args []string) error {
			who, err := s.toErase(ctx, args[0], cmd.Flags().Changed("command-id"))
			if err != nil {
				return err
			}
			scope := customer.All
			if contact {
				scope = customer.Contact
			}
			done, err := s.enter(ctx, &erasure.Erase{Customer: who, Scope: scope, Reason: reason}, nil)
			if err != nil {
				return err
			}
			answer := customerErased{ID: who, Scope: scope, change: done}
			if answer.Kept, err = s.forget(ctx, who, done.Position, scope); err != nil {
				return err
			}
			answer.Archived = s.eraseArchived(ctx)
			return a.answer(answer, func(w io.Writer) { tellErased(w, answer) })
		}),
	}), &reason, &contact)
}

// toErase finds the customer that a person names. Where a command is repeated that
// erased the name, it is the one of whom it was.
func (s *session) toErase(ctx context.Context, name string, repeats bool) (uuid.UUID, error) {
	who, err := s.customer(ctx, name)
	var fault *projections.Fault
	if err == nil || !repeats || !errors.As(err, &fault) || fault.Code != "unknown-customer" {
		return who.ID, err
	}
	erased, looking := s.book.ErasedBy(ctx, s.id)
	if looking != nil {
		return uuid.Nil, looking
	}
	if erased == uuid.Nil {
		return uuid.Nil, err
	}
	return erased, nil
}

// eraseArchived replaces the ring in the archive, and gives whether it could; nil
// where there is no archive.
func (s *session) eraseArchived(ctx context.Context) *bool {
	_, err := s.book.Backup(ctx, nil)
	if errors.Is(err, bookdir.ErrNoArchive) {
		return nil
	}
	if err != nil {
		s.app.warn("the keys are destroyed, but the archive still has them: run daybook backup once it can be reached (%s)", plain(err))
	}
	if earlier, errEarlier := s.book.EarlierArchived(ctx); errEarlier == nil && len(earlier) > 0 {
		s.app.warn("the archive still has the keys in %s, of before the book was brought back: daybook backup prune --earlier removes all of that", strings.Join(earlier, " and "))
		return new(false)
	}
	return new(err == nil)
}

func addErase(cmd *cobra.Command, reason *string, contact *bool) *cobra.Command {
	cmd.Flags().StringVar(reason, "reason", "", "why, a `TEXT` that is kept for ever and must name no person")
	cmd.Flags().BoolVar(contact, "contact", false, "erase only what stands on no document")
	return cmd
}

func tellErased(w io.Writer, e customerErased) {
	if e.Scope == customer.All {
		fmt.Fprintf(w, "Erased all that is personal of customer %s (position %d%s).\n", short(e.ID), e.Position, again(e.change))
		return
	}
	fmt.Fprintf(w, "Erased the contact data of customer %s (position %d%s).\n", short(e.ID), e.Position, again(e.change))
	if e.Kept != "" {
		fmt.Fprintf(w, "What stands on documents must be kept through %s: erase it after that.\n", e.Kept)
	} else {
		fmt.Fprintln(w, "There are no documents of the customer.")
	}
}

// forget makes the lists anew after an erasure, and gives the day until which
// documents are kept, as the log says it.
func (s *session) forget(ctx context.Context, id uuid.UUID, position uint64, scope customer.Scope) (domain.Date, error) {
	m := s.app.meter("Making the lists anew")
	err := s.book.ForgetErased(ctx, m.at)
	m.end()
	if err != nil {
		return "", fmt.Errorf("the keys are destroyed (position %d), but the lists could not be made anew: run daybook rebuild: %w", position, err)
	}
	v, err := s.views(ctx)
	if err != nil {
		return "", err
	}
	places, err := v.Activity(ctx, customer.Stream(id))
	if err != nil {
		return "", err
	}
	events, err := s.read(ctx, customer.Stream(id), places)
	if err != nil {
		return "", err
	}
	for i, e := range events {
		if erased, is := e.Event.(*customer.KeyDestroyed); is && places[i].Position == position && scope == customer.Contact {
			return erased.Kept, nil
		}
	}
	return "", nil
}
