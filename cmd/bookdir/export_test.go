package bookdir

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
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

// fresh gives the files of an export into a new folder.
func (l *paged) fresh() map[string]string {
	l.t.Helper()
	dir := l.t.TempDir()
	if _, _, err := l.book.NewTileExport(dir).Update(l.t.Context(), nil); err != nil {
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
			e := l.book.NewTileExport(dir)
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
