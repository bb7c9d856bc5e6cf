package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/eventstore/bundle"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/ledger/commit"
	"github.com/daybook-ledger/daybook/projections/views"
)

func (a *app) bundleCommand() *cobra.Command {
	return a.group("bundle", "Make evidence for others, and check it", a.bundleCreateCommand(), a.bundleVerifyCommand())
}

// bundledJSON is the answer of bundle create.
type bundledJSON struct {
	File    string `json:"file"`
	About   string `json:"about"`
	Commits int    `json:"commits"`
	Secrets int    `json:"secrets"`
	Bytes   int    `json:"bytes"`
	Size    uint64 `json:"size"`
}

func (a *app) bundleCreateCommand() *cobra.Command {
	var out, period string
	var buyer, reveal bool
	cmd := &cobra.Command{
		Use:   "create [DOCUMENT]",
		Short: "Write what the log proves of a document, a customer or a month",
		Long: `Write one file that proves, to whoever has the book's list of keys and to nobody's
harm, what the log holds of a document: its commits, the proofs that they are in
the log, the newest checkpoint that witnesses cosigned if it covers them all, or
else the newest, and the list of keys. With --customer the name is a customer's, and all documents of that customer are in it;
with --period, instead of a name, those that were issued in a month.

What the commits say stays sealed, unless --reveal: then the file also holds the
secrets that open exactly these sections and no other. What was erased stays so.`,
		Example: `  daybook bundle create --out invoice.bundle INV-00007 --reveal
  daybook bundle create --out january.bundle --period 2026-01`,
		Args: cobra.MaximumNArgs(1),
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, args []string) error {
			if (len(args) == 1) == (period != "") {
				return usage("name a document or customer, or give a --period")
			}
			switch {
			case len(args) == 1 && args[0] == "":
				return usage("the name is empty")
			case buyer && period != "":
				return usage("--customer needs the customer's name, and a --period is of all customers")
			}
			about, streams, err := s.evidence(ctx, args, buyer, period)
			if err != nil {
				return err
			}
			places, err := s.places(ctx, streams)
			if err != nil {
				return err
			}
			made, err := s.book.Bundle(ctx, about, places, reveal)
			if err != nil {
				return err
			}
			data, err := made.Marshal()
			if err != nil {
				return err
			}
			if _, err := newFile(out, func(w io.Writer) (int, error) { return w.Write(data) }); err != nil {
				return fmt.Errorf("the bundle: %w", err)
			}
			v := bundledJSON{out, about, len(made.Commits), len(made.Secrets), len(data), sizeOf(made.Checkpoint)}
			return a.answer(v, func(w io.Writer) {
				fmt.Fprintf(w, "Wrote the evidence of %s, in a log of %s, to %s (%d bytes).\n", count(v.Commits, "commit"), count(v.Size, "commit"), out, v.Bytes)
				if reveal {
					fmt.Fprintf(w, "It opens %s to whoever has it.\n", count(v.Secrets, "section"))
				}
			})
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&out, "out", "", "write to this new `FILE`")
	flags.StringVar(&period, "period", "", "a `MONTH`, such as 2026-01")
	flags.BoolVar(&buyer, "customer", false, "the name is a customer's")
	flags.BoolVar(&reveal, "reveal", false, "let the file open the sections")
	if err := cmd.MarkFlagRequired("out"); err != nil {
		panic(err) // the flag is defined above
	}
	return cmd
}

// sizeOf is the size that a checkpoint of our own signs.
func sizeOf(checkpoint []byte) (size uint64) {
	_, _ = fmt.Sscanf(strings.SplitN(string(checkpoint), "\n", 3)[1], "%d", &size) // it was signed as a number
	return size
}

// evidence finds the streams that a bundle is about.
func (s *session) evidence(ctx context.Context, args []string, buyer bool, period string) (about string, streams []domain.StreamID, err error) {
	if period != "" {
		from, to, err := monthOf(period)
		if err != nil {
			return "", nil, err
		}
		streams, err = s.issued(ctx, views.Filter{From: from, To: to})
		return period, streams, err
	}
	stream, err := s.named(ctx, args[0], buyer)
	if err != nil {
		return "", nil, err
	}
	streams = []domain.StreamID{stream}
	if buyer {
		documents, err := s.issued(ctx, views.Filter{Customer: stream.ID})
		return customer.Stream(stream.ID).String(), append(streams, documents...), err
	}
	return stream.String(), streams, nil
}

// monthOf gives the first and last day of a month.
func monthOf(text string) (from, to domain.Date, err error) {
	first, err := time.Parse("2006-01", text)
	if err != nil {
		return "", "", usage("%q is not a month such as 2026-01", text)
	}
	return domain.DateOf(first), domain.DateOf(first.AddDate(0, 1, -1)), nil
}

// issued lists the streams of documents.
func (s *session) issued(ctx context.Context, f views.Filter) (streams []domain.StreamID, err error) {
	v, err := s.views(ctx)
	if err != nil {
		return nil, err
	}
	for f.Limit = views.MaxLimit; ; {
		found, err := v.Documents(ctx, f)
		if err != nil {
			return nil, err
		}
		for _, d := range found.Documents {
			streams = append(streams, idOf(d))
		}
		if f.After = found.Next; f.After == "" {
			return streams, nil
		}
	}
}

// places finds the commits of streams.
func (s *session) places(ctx context.Context, streams []domain.StreamID) (places []bookdir.Place, err error) {
	v, err := s.views(ctx)
	if err != nil {
		return nil, err
	}
	for _, stream := range streams {
		happenings, err := v.Activity(ctx, stream)
		if err != nil {
			return nil, err
		}
		for _, h := range happenings {
			places = append(places, bookdir.Place{Page: h.Page, Position: h.Position})
		}
	}
	if len(places) == 0 {
		return nil, fail("nothing-there", "daybook invoice list tells what there is", "the log holds nothing of that")
	}
	return places, nil
}

// provedJSON is the answer of bundle verify.
type provedJSON struct {
	OK     bool   `json:"ok"`
	Origin string `json:"origin"`
	Size   uint64 `json:"size"`
	Root   string `json:"root"`
	// Cosigned is when enough witnesses had cosigned the checkpoint; absent if they
	// did not, or there are none.
	Cosigned *time.Time         `json:"cosigned,omitempty"`
	Commits  []provedCommitJSON `json:"commits"`
}

type provedCommitJSON struct {
	Position  uint64            `json:"position"`
	Entry     string            `json:"entry"`
	Command   uuid.UUID         `json:"command"`
	Principal string            `json:"principal"`
	Recorded  time.Time         `json:"recorded"`
	Events    []provedEventJSON `json:"events"`
	// Sections is how many there are, Revealed how many the bundle opens.
	Sections int `json:"sections"`
	Revealed int `json:"revealed"`
}

type provedEventJSON struct {
	Type     string `json:"type"`
	Stream   string `json:"stream"`
	Revision uint64 `json:"revision"`
	// Data is there where the bundle reveals it.
	Data domain.Event `json:"data,omitempty"`
}

func (a *app) bundleVerifyCommand() *cobra.Command {
	var trust string
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Check the evidence in a file, without a book",
		Long: `Check a bundle by a list of keys that was kept elsewhere: that the log's keys signed
the checkpoint, that every commit is in the log at its place, and that every secret
opens its section. It needs no book, no network, no passphrase and no other key.`,
		Args: cobra.ExactArgs(1),
		RunE: a.do(func(_ *cobra.Command, args []string) error {
			_, keys, err := readKeyList(trust)
			if err != nil {
				return err
			}
			data, err := readFile(args[0], bundle.MaxSize)
			if err != nil {
				return fmt.Errorf("the bundle: %w", err)
			}
			b, err := bundle.Parse(data)
			var v bundle.Verified
			if err == nil {
				v, err = b.Verify(keys)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			answer, err := newProvedJSON(v, b.Checkpoint)
			if err != nil {
				return err
			}
			return a.answer(answer, answer.people)
		}),
	}
	cmd.Flags().StringVar(&trust, "trust", "", "the `FILE` with the list of keys to trust")
	if err := cmd.MarkFlagRequired("trust"); err != nil {
		panic(err) // the flag is defined above
	}
	return cmd
}

func newProvedJSON(v bundle.Verified, checkpoint []byte) (provedJSON, error) {
	answer := provedJSON{
		OK: true, Origin: page.CheckpointOrigin(checkpoint), Size: v.Head.Size, Root: base64.StdEncoding.EncodeToString(v.Head.Root[:]),
		Commits: []provedCommitJSON{},
	}
	if !v.Cosigned.IsZero() {
		answer.Cosigned = &v.Cosigned
	}
	for _, p := range v.Commits {
		h := p.Sealed.Header
		events, err := commit.OpenRevealed(p.Sealed, p.Opened)
		if err != nil {
			return answer, err
		}
		c := provedCommitJSON{
			Position: p.Position, Entry: base64.StdEncoding.EncodeToString(p.Entry[:]), Command: h.Command, Principal: h.Principal,
			Recorded: time.UnixMicro(h.Recorded).UTC(), Events: make([]provedEventJSON, len(h.Events)),
			Sections: len(h.Sections), Revealed: len(p.Opened),
		}
		for i, e := range h.Events {
			c.Events[i] = provedEventJSON{Type: e.Type, Stream: e.Stream.Kind + "-" + e.Stream.ID.String(), Revision: e.Revision}
			if events != nil {
				c.Events[i].Data = events[i]
			}
		}
		answer.Commits = append(answer.Commits, c)
	}
	return answer, nil
}

func (p provedJSON) people(w io.Writer) {
	fmt.Fprintf(w, "Proved: %s of %s, in a log of %s.\n", count(len(p.Commits), "commit"), p.Origin, count(p.Size, "commit"))
	if p.Cosigned != nil {
		fmt.Fprintf(w, "Enough witnesses had cosigned it by %s.\n", p.Cosigned.Format(time.RFC3339))
	} else {
		fmt.Fprintln(w, "No quorum of witnesses cosigned it: whoever has the log's key could have made it.")
	}
	for _, c := range p.Commits {
		fmt.Fprintf(w, "\nPosition %d, recorded %s by %s\n", c.Position, c.Recorded.Format(time.RFC3339), oneLine(c.Principal))
		for _, e := range c.Events {
			fmt.Fprintf(w, "  %s  %s, revision %d\n", e.Type, e.Stream, e.Revision)
			if e.Data != nil {
				tellData(w, e.Data, 2)
			}
		}
	}
}
