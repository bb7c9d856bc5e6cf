package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
)

// eventsFormat names the form of the first line of exported events.
const eventsFormat = "daybook/events/1"

// eventsHead is the first line: what the proofs of the others are held against.
type eventsHead struct {
	Format     string    `json:"format"`
	Exported   time.Time `json:"exported"`
	Book       uuid.UUID `json:"book"`
	Size       uint64    `json:"size"`
	Keys       string    `json:"keys"`
	Checkpoint string    `json:"checkpoint"`
}

// eventsLine is a commit: what it says, and what proves that.
type eventsLine struct {
	exportedEntry
	// Stored is the commit's bytes, Proof the inclusion proof of their digest, and
	// Secrets what opens each section, by its number; none for one that was erased.
	Stored  []byte            `json:"stored"`
	Proof   [][]byte          `json:"proof"`
	Secrets map[uint64][]byte `json:"secrets"`
}

func (a *app) exportEvents() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "jsonl",
		Short: "Write every event with its proof, as JSON Lines",
		Long: `Write the whole log as JSON Lines, decrypted and with its proofs: first a line with
the checkpoint and the list of keys, then a line for each commit, with what was
asked for, by whom, what came of it, the sealed commit itself, the proof that it is
in the log, and the secrets that open it. docs/FORMAT.md says how each line is
checked. The file is readable by whoever gets it: an erasure does not reach it.`,
		Example: `  daybook export jsonl --out 2026.jsonl`,
		Args:    cobra.NoArgs,
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, _ []string) error {
			if a.json && out == "" {
				return usage("with --json the events need a file: --out FILE")
			}
			m := a.meter("Reading the log")
			defer m.end()
			evidence, err := s.book.Evidence(ctx, m.at)
			if err != nil {
				return err
			}
			if out == "" {
				_, err := s.writeEvents(a.stdout, evidence)
				return err
			}
			n, err := newFile(out, func(w io.Writer) (int, error) { return s.writeEvents(w, evidence) })
			if err != nil {
				return err
			}
			return a.answer(exportedEvents{"jsonl", out, n}, func(w io.Writer) {
				fmt.Fprintf(w, "Wrote %s to %s.\n", count(n, "commit"), out)
			})
		}),
	}
	cmd.Flags().StringVar(&out, "out", "", "write to this new `FILE`")
	return cmd
}

// exportedEvents is the answer of export jsonl.
type exportedEvents struct {
	Format  string `json:"format"`
	File    string `json:"file"`
	Commits int    `json:"commits"`
}

// writeEvents writes the lines, and counts the commits.
func (s *session) writeEvents(to io.Writer, evidence bookdir.Evidence) (n int, err error) {
	buffer := bufio.NewWriter(to)
	encoder := json.NewEncoder(buffer)
	encoder.SetEscapeHTML(false)
	head := eventsHead{
		Format: eventsFormat, Exported: s.app.now().UTC(), Book: s.book.Info.Book, Size: evidence.Size,
		Keys: string(evidence.Keys), Checkpoint: string(evidence.Checkpoint),
	}
	if err := encoder.Encode(head); err != nil {
		return 0, fmt.Errorf("write the events: %w", err)
	}
	for p, err := range evidence.Commits {
		if err != nil {
			return n, err
		}
		line := eventsLine{exportedEntry: entryOf(&p.Commit), Stored: p.Evidence.Stored, Proof: [][]byte{}, Secrets: map[uint64][]byte{}}
		for _, hash := range p.Evidence.Proof {
			line.Proof = append(line.Proof, hash[:])
		}
		for _, secret := range p.Secrets {
			line.Secrets[secret.Section] = secret.Secret[:]
		}
		if err := encoder.Encode(line); err != nil {
			return n, fmt.Errorf("write the events: %w", err)
		}
		n++
	}
	if err := buffer.Flush(); err != nil {
		return n, fmt.Errorf("write the events: %w", err)
	}
	return n, nil
}
