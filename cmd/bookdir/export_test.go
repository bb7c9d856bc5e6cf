package bookdir

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daybook-ledger/daybook/eventstore/memory"
	"github.com/daybook-ledger/daybook/eventstore/page"
)

// paged is a book of which only the log is there, with as many commits in each page
// as a test wants.
type paged struct {
	t    *testing.T
	book *Book
	head page.Head
	edge page.Edge
}

func newPaged(t *testing.T, origin string) *paged {
	t.Helper()
	signer, err := page.NewSigner(origin, ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	l := &paged{t: t, head: page.EmptyHead()}
	info := Info{Origin: origin, Key: signer.Verifier().VerifierKey()}
	l.book = &Book{Info: info, link: &link{
		info: info, store: memory.New(), signs: signer, head: func() (page.Head, error) { return l.head, nil },
	}}
	return l
}

// page adds a page of some commits.
func (l *paged) page(commits int, what string) {
	l.t.Helper()
	old := l.head
	var stored [][]byte
	for i := range commits {
		stored = append(stored, fmt.Appendf(nil, "%s %d", what, old.Size+uint64(i)))
		l.edge.Append(page.LeafHash(stored[i]), nil)
	}
	l.head = page.Head{Page: old.Page + 1, Size: l.edge.Size(), Root: l.edge.Root()}
	body, err := l.book.current().signs.Page(l.head, old.Size, stored)
	if err == nil {
		err = l.book.Store().Append(l.t.Context(), old.Page, body)
	}
	if err != nil {
		l.t.Fatal(err)
	}
}

// export exports the log into a folder.
func (l *paged) export(dir string) error {
	l.t.Helper()
	e, err := l.book.NewTileExport(l.t.Context(), dir, nil)
	if err == nil {
		_, _, err = e.Update(l.t.Context(), nil)
	}
	return err
}

// fresh gives the files of an export into a new folder.
func (l *paged) fresh() map[string]string {
	l.t.Helper()
	dir := l.t.TempDir()
	if err := l.export(dir); err != nil {
		l.t.Fatal(err)
	}
	return filesIn(l.t, dir)
}

// filesIn gives what the files of a folder hold.
func filesIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		files[strings.TrimPrefix(path, dir)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// An export that could not write a file signs nothing, and writes everything anew
// when it can, wherever in a page it was when it failed.
func TestAnExportGoesOnAfterAFailedWrite(t *testing.T) {
	t.Parallel()
	for what, commits := range map[string]int{
		"in the middle of a page": 100, "at its first commit": 57, "at its last commit": 56, "in no full tile": 10,
	} {
		t.Run(what, func(t *testing.T) {
			l := newPaged(t, "example.com/books/acme")
			first := 200
			if what == "at its first commit" {
				first = 255
			}
			l.page(first, "commit")
			dir := t.TempDir()
			e, err := l.book.NewTileExport(t.Context(), dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := e.Update(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			before := filesIn(t, dir)
			tiles, away := filepath.Join(dir, "tile"), filepath.Join(t.TempDir(), "tile")
			if err := errors.Join(os.Rename(tiles, away), os.WriteFile(tiles, nil, 0o600)); err != nil {
				t.Fatal(err)
			}
			l.page(commits, "commit")
			for range 2 {
				if _, signed, err := e.Update(t.Context(), nil); err == nil || signed != nil {
					t.Errorf("where no tile can be written: %q, %v", signed, err)
				}
			}
			if err := errors.Join(os.Remove(tiles), os.Rename(away, tiles)); err != nil {
				t.Fatal(err)
			}
			if got := filesIn(t, dir); got["/checkpoint"] != before["/checkpoint"] {
				t.Errorf("a failed export signed %q", got["/checkpoint"])
			}
			h, signed, err := e.Update(t.Context(), nil)
			if err != nil || h.Size != l.head.Size || h.Root != l.head.Root {
				t.Errorf("when the disk is well it exports size %d, %v; want %d", h.Size, err, l.head.Size)
			}
			want, got := l.fresh(), filesIn(t, dir)
			if want["/checkpoint"] != string(signed) {
				t.Errorf("it signs %q, want %q", signed, want["/checkpoint"])
			}
			for path, data := range want {
				if got[path] != data {
					t.Errorf("%s is not what a fresh export writes", path)
				}
			}
		})
	}
}

// The tiles of another log, or of one that the log does not extend, stay as they are.
func TestAnExportOverAnother(t *testing.T) {
	t.Parallel()
	const acme = "example.com/books/acme"
	logs := func(origin string, whats ...string) *paged {
		l := newPaged(t, origin)
		for _, what := range whats {
			l.page(3, what)
		}
		return l
	}
	ours := logs(acme, "a", "b", "c")
	edge := logs(acme, "a").edge
	edge.Append(page.LeafHash([]byte("b 3")), nil)
	between, err := ours.book.current().signs.Checkpoint(page.Head{Size: edge.Size(), Root: edge.Root()})
	if err != nil {
		t.Fatal(err)
	}
	for what, there := range map[string]struct {
		checkpoint string
		extended   bool
	}{
		"the same":                   {ours.fresh()["/checkpoint"], true},
		"earlier":                    {logs(acme, "a", "b").fresh()["/checkpoint"], true},
		"earlier, and within a page": {string(between), true},
		"of nothing":                 {logs(acme).fresh()["/checkpoint"], true},
		"of another log":             {logs("example.com/books/other", "a", "b").fresh()["/checkpoint"], false},
		"of another history":         {logs(acme, "a", "x").fresh()["/checkpoint"], false},
		"of as much of another":      {logs(acme, "a", "b", "x").fresh()["/checkpoint"], false},
		"of more":                    {logs(acme, "a", "b", "c", "d").fresh()["/checkpoint"], false},
		"none":                       {"hello", false},
		"of no size":                 {acme + "\nmany\n\n\n", false},
	} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "checkpoint"), []byte(there.checkpoint), 0o600); err != nil {
				t.Fatal(err)
			}
			err := ours.export(dir)
			got := filesIn(t, dir)
			if there.extended && (err != nil || !maps.Equal(got, ours.fresh())) {
				t.Errorf("%v, and %d files", err, len(got))
			}
			if !there.extended && (!errors.Is(err, ErrOtherExport) || len(got) != 1 || got["/checkpoint"] != there.checkpoint) {
				t.Errorf("%v, and %d files; want a refusal and nothing written", err, len(got))
			}
		})
	}
}
