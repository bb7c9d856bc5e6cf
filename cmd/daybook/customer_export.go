package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/ledger/commit"
	"github.com/daybook-ledger/daybook/projections/views"
)

// exportFormat names the form of an export.
const exportFormat = "daybook/customer/1"

// exported is all that a book holds about a customer.
type exported struct {
	Format   string    `json:"format"`
	Exported time.Time `json:"exported"`
	Book     uuid.UUID `json:"book"`
	Seller   string    `json:"seller"`
	// Customer is the customer as it is now.
	Customer views.Customer `json:"customer"`
	// Entries is every commit about the customer, the oldest first: profiles,
	// drafts, documents, payments and what became of them.
	Entries []exportedEntry `json:"entries"`
}

// exportedEntry is one commit: who asked for what and when, and what came of it.
type exportedEntry struct {
	Position  uint64          `json:"position"`
	Recorded  time.Time       `json:"recorded"`
	Principal string          `json:"principal"`
	Command   exportedCommand `json:"command"`
	Events    []exportedEvent `json:"events"`
}

type exportedCommand struct {
	ID   uuid.UUID `json:"id"`
	Type string    `json:"type"`
	// Data is absent where the command was about others besides.
	Data domain.Command `json:"data,omitempty"`
}

type exportedEvent struct {
	Type string `json:"type"`
	// Of is what it happened to.
	Of       domain.StreamID `json:"of"`
	Revision uint64          `json:"revision"`
	Data     domain.Event    `json:"data"`
}

func (a *app) customerExport() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "export CUSTOMER",
		Short: "Write all that the book holds about a person, as one file",
		Long: `Write one JSON file with all that the book holds about a customer: every profile
there was, drafts, documents with the buyer as it was frozen, payments, texts, and
who entered what and when. It is read from the log itself, all of it. Without
--out it goes to standard output. The file is readable by whoever gets it: an
erasure does not reach it.`,
		Example: `  daybook customer export ext:C-1001 --out ada.json`,
		Args:    cobra.ExactArgs(1),
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, args []string) error {
			who, err := s.customer(ctx, args[0])
			if err != nil {
				return err
			}
			export, err := s.export(ctx, who)
			if err != nil {
				return err
			}
			if out == "" {
				return writeExport(a.stdout, export)
			}
			write := func(w io.Writer) (int, error) { return len(export.Entries), writeExport(w, export) }
			if _, err := newFile(out, write); err != nil {
				return fmt.Errorf("write the export: %w", err)
			}
			answer := struct {
				ID      uuid.UUID `json:"id"`
				File    string    `json:"file"`
				Entries int       `json:"entries"`
			}{who.ID, out, len(export.Entries)}
			return a.answer(answer, func(w io.Writer) {
				fmt.Fprintf(w, "Wrote %s about customer %s to %s.\n", count(len(export.Entries), "entry"), short(who.ID), out)
			})
		}),
	}
	cmd.Flags().StringVar(&out, "out", "", "write to this new `FILE`")
	return cmd
}

func writeExport(w io.Writer, e exported) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(e); err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	return nil
}

// export gathers what the log holds about a customer.
func (s *session) export(ctx context.Context, who views.Customer) (exported, error) {
	settings, err := s.settings(ctx)
	if err != nil {
		return exported{}, err
	}
	e := exported{
		Format: exportFormat, Exported: s.app.now().UTC(), Book: settings.ID, Seller: settings.Seller.Name,
		Customer: who, Entries: []exportedEntry{},
	}
	m := s.app.meter("Reading the log")
	defer m.end()
	theirs := concerns{customer: who.ID, streams: map[domain.StreamID]bool{customer.Stream(who.ID): true}}
	for c, err := range s.book.Commits(ctx, m.at) {
		if err != nil {
			return exported{}, err
		}
		if entry, is := theirs.entry(&c); is {
			e.Entries = append(e.Entries, entry)
		}
	}
	return e, nil
}

// concerns knows which streams are about a customer. What is personal says whom
// it is about; whatever else happens to the same stream follows it.
type concerns struct {
	customer uuid.UUID
	streams  map[domain.StreamID]bool
}

// entryOf gives all of a commit.
func entryOf(from *commit.Commit) exportedEntry {
	e := exportedEntry{
		Position: from.Position, Recorded: from.Recorded, Principal: from.Principal,
		Command: exportedCommand{ID: from.ID, Type: from.Command.CommandType(), Data: from.Command},
	}
	for _, event := range from.Events {
		e.Events = append(e.Events, exportedEvent{event.Event.EventType(), event.Stream, event.Revision, event.Event})
	}
	return e
}

// entry gives what of a commit is about the customer, if anything is.
func (c *concerns) entry(from *commit.Commit) (exportedEntry, bool) {
	e := entryOf(from)
	all := e.Events
	e.Events = nil
	others := c.others(from.Command)
	for _, event := range all {
		if p, is := event.Data.(domain.Personal); is {
			c.streams[event.Of] = c.streams[event.Of] && event.Of.Kind == domain.KindCustomer || p.Subject() == c.customer
			others = others || p.Subject() != c.customer
		}
		if c.streams[event.Of] {
			e.Events = append(e.Events, event)
		}
	}
	if others {
		e.Command.Data = nil
	}
	return e, len(e.Events) > 0
}

// others reports whether a command is about somebody else.
func (c *concerns) others(command domain.Command) bool {
	p, is := command.(domain.Personal)
	return is && p.Subject() != c.customer
}
