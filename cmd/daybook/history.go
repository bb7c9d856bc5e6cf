package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/ledger/commit"
	"github.com/daybook-ledger/daybook/projections/views"
)

// happened is one event of a document's history.
type happened struct {
	Position  uint64       `json:"position"`
	Type      string       `json:"type"`
	Recorded  time.Time    `json:"recorded"`
	Principal string       `json:"principal"`
	Data      domain.Event `json:"data"`
}

func (a *app) historyCommand() *cobra.Command {
	var buyer bool
	cmd := &cobra.Command{
		Use:   "history DOCUMENT",
		Short: "Show every event of a document: what, who, when",
		Long: `Show every event of a document, read from the log and decrypted: what happened,
who asked for it and when it was recorded. A document is named by its number, the
beginning of its id, or ext: and its external reference.`,
		Args: cobra.ExactArgs(1),
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, args []string) error {
			stream, err := s.named(ctx, args[0], buyer)
			if err != nil {
				return err
			}
			v, err := s.views(ctx)
			if err != nil {
				return err
			}
			places, err := v.Activity(ctx, stream)
			if err != nil {
				return err
			}
			events, err := s.read(ctx, stream, places)
			if err != nil {
				return err
			}
			answer := make([]happened, len(events))
			for i, e := range events {
				answer[i] = happened{places[i].Position, places[i].Type, places[i].Recorded, places[i].Principal, e.Event}
			}
			return a.answer(map[string]any{"events": answer}, func(w io.Writer) { tellHistory(w, answer) })
		}),
	}
	cmd.Flags().BoolVar(&buyer, "customer", false, "the name is a customer's")
	return cmd
}

// named finds the stream that a person names.
func (s *session) named(ctx context.Context, name string, buyer bool) (domain.StreamID, error) {
	if buyer {
		c, err := s.customer(ctx, name)
		return customer.Stream(c.ID), err
	}
	found, err := s.document(ctx, name, "")
	return idOf(found), err
}

// read reads events from the log, in the order of their places there. Each must
// be the one that the views say.
func (s *session) read(ctx context.Context, stream domain.StreamID, places []views.Happening) ([]commit.Event, error) {
	events := make([]commit.Event, len(places))
	var page commit.Page
	for i, place := range places {
		if page.Head.Page != place.Page {
			var err error
			if page, err = s.book.ReadPage(ctx, place.Page); err != nil {
				return nil, err
			}
		}
		at := slices.IndexFunc(page.Commits, func(c commit.Commit) bool { return c.Position == place.Position })
		if at < 0 || place.Event >= len(page.Commits[at].Events) {
			return nil, wrongEvent(place.Position)
		}
		c := page.Commits[at]
		events[i] = c.Events[place.Event]
		if e := events[i]; e.Stream != stream || e.Revision != place.Revision || e.Event.EventType() != place.Type ||
			c.Principal != place.Principal || !c.Recorded.Equal(place.Recorded) {
			return nil, wrongEvent(place.Position)
		}
	}
	return events, nil
}

func tellHistory(w io.Writer, events []happened) {
	for i, e := range events {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s  %s  by %s  (position %d)\n", e.Recorded.Local().Format(time.DateTime), e.Type, oneLine(e.Principal), e.Position)
		tellData(w, e.Data, 1)
	}
}
