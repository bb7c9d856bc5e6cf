package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
	"github.com/daybook-ledger/daybook/eventstore/page"
)

func (a *app) logCommand() *cobra.Command {
	return a.group("log", "Give the transparency log to others", a.logExportCommand(), a.logServeCommand(), a.logProveCommand())
}

// exportedJSON is the answer of log export.
type exportedJSON struct {
	Folder     string `json:"folder"`
	Origin     string `json:"origin"`
	Size       uint64 `json:"size"`
	Root       string `json:"root"`
	Checkpoint string `json:"checkpoint"`
}

func (a *app) logExportCommand() *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the log as tiles that other programs read",
		Long: `Write the transparency log into a folder as C2SP tlog-tiles: checkpoint, tile/ and
tile/entries/, where an entry is the SHA-256 of a commit. Programs for such logs
check it: every hash, every root, every proof. What it shows is how many commits
there are, nothing else. It needs the passphrase, to sign the checkpoint. A folder
that has the tiles of another log is refused, as is one of an earlier epoch.`,
		Example: `  daybook log export --to public/acme`,
		Args:    cobra.NoArgs,
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, _ []string) error {
			m := a.meter("Exporting")
			defer m.end()
			export, err := s.book.NewTileExport(ctx, to, m.at)
			if err != nil {
				return err
			}
			h, signed, err := export.Update(ctx, m.at)
			m.end()
			if err != nil {
				return err
			}
			answer := exportedJSON{to, s.book.Info.Origin, h.Size, base64.StdEncoding.EncodeToString(h.Root[:]), string(signed)}
			return a.answer(answer, func(w io.Writer) {
				fmt.Fprintf(w, "Wrote the tiles of %s to %s.\n", count(h.Size, "commit"), to)
			})
		}),
	}
	cmd.Flags().StringVar(&to, "to", "", "the `FOLDER` to write to")
	if err := cmd.MarkFlagRequired("to"); err != nil {
		panic(err) // the flag is defined above
	}
	return cmd
}

func (a *app) logServeCommand() *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the log as tiles over HTTP",
		Long: `Serve what log export writes, brought up to date with every question for the
checkpoint, until a signal ends it.`,
		Args: cobra.NoArgs,
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, _ []string) error {
			scratch, err := bookdir.NewScratch("")
			if err != nil {
				return err
			}
			defer scratch.Remove() //nolint:errcheck // the next process removes it
			dir := filepath.Join(scratch.Dir, "log")
			export, err := s.book.NewTileExport(ctx, dir, nil)
			if err != nil {
				return err
			}
			if _, _, err := export.Update(ctx, nil); err != nil {
				return err
			}
			return a.serve(ctx, listen, a.tileHandler(export, dir), "")
		}),
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:0", "the `ADDRESS` to listen on")
	return cmd
}

// tileHandler serves the files of an export. No folder is listed. Why the export
// cannot go on is told once, until it can again.
func (a *app) tileHandler(export *bookdir.TileExport, dir string) http.Handler {
	mux := http.NewServeMux()
	files := http.FileServerFS(os.DirFS(dir))
	var told atomic.Bool
	mux.HandleFunc("GET /checkpoint", func(w http.ResponseWriter, r *http.Request) {
		_, signed, err := export.Update(r.Context(), nil)
		if err != nil {
			if r.Context().Err() == nil && !told.Swap(true) { // else who asked went away
				a.log.Warn("the log cannot be served; it is tried again whenever somebody asks", "error", err)
			}
			http.Error(w, "the log cannot be served", http.StatusInternalServerError)
			return
		}
		told.Store(false)
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-cache")
		_, _ = w.Write(signed) // who asked may be gone
	})
	mux.HandleFunc("GET /tile/", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path[len(r.URL.Path)-1] == '/' {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		files.ServeHTTP(w, r)
	})
	return mux
}

// proofJSON is the answer of log prove.
type proofJSON struct {
	// Position is that of the commit of an inclusion proof, Old the older size of
	// a consistency proof.
	Position *uint64  `json:"position,omitempty"`
	Leaf     string   `json:"leaf,omitempty"`
	Old      *uint64  `json:"old,omitempty"`
	OldRoot  string   `json:"old_root,omitempty"`
	Size     uint64   `json:"size"`
	Root     string   `json:"root"`
	Proof    []string `json:"proof"`
}

func (a *app) logProveCommand() *cobra.Command {
	var position, old, size uint64
	cmd := &cobra.Command{
		Use:   "prove",
		Short: "Prove that a commit is in the log, or that the log only grew",
		Long: `Give RFC 6962's inclusion proof of a commit (--position) or consistency proof from
an older size (--old), in the tree of a size: the newest, or any other with
--size. Hashes are base64, in the RFC's order. It needs no passphrase.`,
		Example: `  daybook log prove --position 17
  daybook log prove --old 100 --size 250`,
		Args: cobra.NoArgs,
	}
	cmd.RunE = a.withLog(func(ctx context.Context, _ string, l *bookdir.Log) error {
		m := a.meter("Reading the log")
		tree, err := l.Tree(ctx, m.at)
		m.end()
		if err != nil {
			return err
		}
		defer tree.Close()
		if !cmd.Flags().Changed("size") {
			size = tree.Size()
		}
		answer := proofJSON{Size: size}
		root, err := tree.RootAt(size)
		if err != nil {
			return err
		}
		answer.Root = base64.StdEncoding.EncodeToString(root[:])
		var hashes []tlog.Hash
		if cmd.Flags().Changed("position") {
			answer.Position = &position
			if hashes, err = tree.ProveRecord(position, size); err != nil {
				return err
			}
			leaf, err := tree.Leaf(position)
			if err != nil {
				return err
			}
			answer.Leaf = base64.StdEncoding.EncodeToString(leaf[:])
		} else {
			answer.Old = &old
			if hashes, err = tree.ProveTree(old, size); err != nil {
				return err
			}
			oldRoot, err := tree.RootAt(old)
			if err != nil {
				return err
			}
			answer.OldRoot = base64.StdEncoding.EncodeToString(oldRoot[:])
		}
		answer.Proof = make([]string, len(hashes))
		for i := range hashes {
			answer.Proof[i] = base64.StdEncoding.EncodeToString(hashes[i][:])
		}
		return a.answer(answer, answer.people)
	})
	flags := cmd.Flags()
	flags.Uint64Var(&position, "position", 0, "the commit's `POSITION`")
	flags.Uint64Var(&old, "old", 0, "the older `SIZE`")
	flags.Uint64Var(&size, "size", page.MaxSize, "the `SIZE` of the tree (else the newest)")
	cmd.MarkFlagsOneRequired("position", "old")
	cmd.MarkFlagsMutuallyExclusive("position", "old")
	return cmd
}

func (p proofJSON) people(w io.Writer) {
	if p.Position != nil {
		fmt.Fprintf(w, "Position %d, leaf %s\n", *p.Position, p.Leaf)
	} else {
		fmt.Fprintf(w, "From size %d, root %s\n", *p.Old, p.OldRoot)
	}
	fmt.Fprintf(w, "Size %d, root %s\n", p.Size, p.Root)
	for _, h := range p.Proof {
		fmt.Fprintln(w, h)
	}
}
