package sqlite_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/projections"
	"github.com/daybook-ledger/daybook/projections/sqlite"
	"github.com/daybook-ledger/daybook/projections/views"
	"github.com/daybook-ledger/daybook/testing/given"
	"github.com/daybook-ledger/daybook/testing/viewtest"
)

func randomBytes(t *testing.T, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return b
}

// openViews opens the views of a folder until the test ends.
func openViews(t *testing.T, dir string, keys sqlite.Keys) viewtest.Store {
	t.Helper()
	s, err := sqlite.Open(context.Background(), dir, keys)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return viewtest.Store{Store: s, Queries: s.Queries, Close: s.Close}
}

// filledViews opens views of a book that several tests use.
func filledViews(t *testing.T, dir string, keys sqlite.Keys) (viewtest.Store, *given.Book, *viewtest.Log) {
	t.Helper()
	book, log := victimLog(24)
	s := openViews(t, dir, keys)
	runner := projections.Runner{View: s, Read: log.Source()}
	if err := runner.CatchUp(context.Background(), 0); err != nil {
		t.Fatal(err)
	}
	return s, book, log
}

// TestRebuild: views that are open change over by themselves, say the same, and
// the old file is gone with its key.
func TestRebuild(t *testing.T) {
	dir, keys := t.TempDir(), newRing()
	s, book, log := filledViews(t, dir, keys)
	before := viewtest.Everything(t, s)
	other := openViews(t, dir, keys)
	var told []projections.Progress
	if err := sqlite.Rebuild(context.Background(), dir, keys, views.Rebuild{Log: log.Source(), Progress: func(p projections.Progress) { told = append(told, p) }}); err != nil {
		t.Fatal(err)
	}
	if len(told) == 0 || told[len(told)-1].At != log.End() {
		t.Errorf("progress: %+v", told)
	}
	for _, s := range []viewtest.Store{s, other, openViews(t, dir, keys)} {
		if viewtest.Everything(t, s) != before {
			t.Error("the views say something else after the rebuild")
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range left {
		if strings.Contains(name, fileOf(1)) {
			t.Errorf("%s is left", name)
		}
	}
	if live := keys.live(); len(live) != 1 || live[0] != 2 {
		t.Errorf("keys left: %v", live)
	}
	book.Take(t, given.Enter("later", given.Content("ada", given.Line("1", "1", "S 20"))))
	log.Flush(1)
	runner := projections.Runner{View: s, Read: log.Source()} // the old handle writes to the new file
	if err := runner.CatchUp(context.Background(), 0); err != nil {
		t.Fatal(err)
	}
	viewtest.Agree(t, other, book)
}

// TestRebuildHasIndexes: a rebuilt file has the schema of one that grew.
func TestRebuildHasIndexes(t *testing.T) {
	schema := func(dir string, keys sqlite.Keys) (all []string) {
		raw, err := sqlite.Raw(dir, keys)
		if err != nil {
			t.Fatal(err)
		}
		defer raw.Close()
		rows, err := raw.Query(`SELECT coalesce(sql, name) FROM sqlite_master ORDER BY name`)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var text string
			if err := rows.Scan(&text); err != nil {
				t.Fatal(err)
			}
			all = append(all, text)
		}
		var mode string
		if err := raw.QueryRow(`PRAGMA journal_mode`).Scan(&mode); err != nil || mode != "wal" {
			t.Errorf("journal mode %s, %v", mode, err)
		}
		if err := raw.QueryRow(`PRAGMA checksum_verification`).Scan(&mode); err != nil || mode != "1" {
			t.Errorf("checksums %s, %v", mode, err)
		}
		return all
	}
	dir, keys := t.TempDir(), newRing()
	_, _, log := filledViews(t, dir, keys)
	before := schema(dir, keys)
	if err := sqlite.Rebuild(context.Background(), dir, keys, views.Rebuild{Log: log.Source()}); err != nil {
		t.Fatal(err)
	}
	if after := schema(dir, keys); strings.Join(before, "\n") != strings.Join(after, "\n") {
		t.Errorf("got %d statements, not %d", len(after), len(before))
	}
}

// TestRebuildFails: the live views stay, and what was begun is gone on with.
func TestRebuildFails(t *testing.T) {
	dir, keys := t.TempDir(), newRing()
	s, book, log := filledViews(t, dir, keys)
	broken := errors.New("the log is damaged")
	failing := func(ctx context.Context, after projections.Cursor) iter.Seq2[projections.Page, error] {
		return func(yield func(projections.Page, error) bool) {
			for p := range log.Source()(ctx, after) {
				if p.Cursor.Page == 20 {
					yield(projections.Page{}, broken)
					return
				}
				if !yield(p, nil) {
					return
				}
			}
		}
	}
	if err := sqlite.Rebuild(context.Background(), dir, keys, views.Rebuild{Log: failing}); !errors.Is(err, broken) {
		t.Fatalf("rebuild: %v", err)
	}
	viewtest.Agree(t, s, book)
	if live := keys.live(); len(live) != 2 {
		t.Errorf("keys left: %v", live)
	}
	if err := sqlite.Rebuild(context.Background(), dir, keys, views.Rebuild{Log: log.Source()}); err != nil {
		t.Fatal(err)
	}
	if live := keys.live(); len(live) != 1 || live[0] != 2 {
		t.Errorf("keys left: %v", live)
	}
	if _, err := os.Stat(filepath.Join(dir, fileOf(1))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the old file is left: %v", err)
	}
}

// TestRebuildBesideOthers: while one process rebuilds, another cannot, and the
// live views go on.
func TestRebuildBesideOthers(t *testing.T) {
	dir, keys := t.TempDir(), newRing()
	s, book, log := filledViews(t, dir, keys)
	tried := false
	err := sqlite.Rebuild(context.Background(), dir, keys, views.Rebuild{Log: log.Source(), Progress: func(projections.Progress) {
		if tried {
			return
		}
		tried = true
		if err := sqlite.Rebuild(context.Background(), dir, keys, views.Rebuild{Log: log.Source()}); !errors.Is(err, projections.ErrBusy) {
			t.Errorf("a second rebuild: %v", err)
		}
		book.Take(t, given.Enter("meanwhile", given.Content("ada", given.Line("1", "1", "S 20"))))
		log.Flush(1)
		runner := projections.Runner{View: s, Read: log.Source()}
		if err := runner.CatchUp(context.Background(), 0); err != nil {
			t.Error(err)
		}
		viewtest.Agree(t, s, book)
	}})
	if err != nil {
		t.Fatal(err)
	}
	if !tried {
		t.Fatal("nothing was tried")
	}
	viewtest.Agree(t, s, book) // the new file has what came meanwhile
}

// TestDamage: what cannot be read says so, and a rebuild brings it back.
func TestDamage(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(t *testing.T, dir string, keys *ring){
		"FlippedBits": func(t *testing.T, dir string, _ *ring) {
			path := filepath.Join(dir, fileOf(1))
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for at := 4096 + 100; at < len(data); at += 4096 {
				data[at] ^= 1
			}
			write(t, path, data)
		},
		"FlippedHeader": func(t *testing.T, dir string, _ *ring) {
			path := filepath.Join(dir, fileOf(1))
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			data[50] ^= 1
			write(t, path, data)
		},
		"Truncated": func(t *testing.T, dir string, _ *ring) {
			if err := os.Truncate(filepath.Join(dir, fileOf(1)), 3*4096); err != nil {
				t.Fatal(err)
			}
		},
		"Empty": func(t *testing.T, dir string, _ *ring) { write(t, filepath.Join(dir, fileOf(1)), nil) },
		"Garbage": func(t *testing.T, dir string, _ *ring) {
			write(t, filepath.Join(dir, fileOf(1)), randomBytes(t, 9*4096))
		},
		"Missing": func(t *testing.T, dir string, _ *ring) {
			if err := os.Remove(filepath.Join(dir, fileOf(1))); err != nil {
				t.Fatal(err)
			}
		},
		"WrongKey": func(t *testing.T, _ string, keys *ring) { keys.keys[1] = randomBytes(t, 32) },
		"NoKey":    func(t *testing.T, _ string, keys *ring) { delete(keys.keys, 1) },
		"OtherKey": func(t *testing.T, _ string, keys *ring) { keys.kind[1] = keyring.Facts },
		"Pointer":  func(t *testing.T, dir string, _ *ring) { write(t, filepath.Join(dir, "views.json"), []byte("{")) },
		"PointerElsewhere": func(t *testing.T, dir string, _ *ring) {
			write(t, filepath.Join(dir, "views.json"), []byte(`{"version":1,"file":"../views.1.db"}`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, keys := t.TempDir(), newRing()
			s, book, log := filledViews(t, dir, keys)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			secret := hex.EncodeToString(keys.keys[1])
			damage(t, dir, keys)
			err := ask(dir, keys)
			fault := (*projections.Fault)(nil)
			if !errors.Is(err, projections.ErrDamaged) || !errors.As(err, &fault) || !strings.Contains(fault.Hint, "daybook rebuild") {
				t.Fatalf("got %v", err)
			}
			if strings.Contains(strings.ToLower(err.Error()), secret[:12]) {
				t.Fatalf("the error tells the key: %v", err)
			}
			if err := sqlite.Rebuild(context.Background(), dir, keys, views.Rebuild{Log: log.Source()}); err != nil {
				t.Fatal(err)
			}
			viewtest.Agree(t, openViews(t, dir, keys), book)
		})
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// ask opens views and reads all documents.
func ask(dir string, keys sqlite.Keys) error {
	s, err := sqlite.Open(context.Background(), dir, keys)
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := s.Documents(context.Background(), views.Filter{Limit: 1000}); err != nil {
		return err
	}
	_, err = s.Journal(context.Background(), views.JournalFilter{Limit: 1000})
	return err
}

// TestOtherKeysAreSafe: a file's name cannot make a rebuild destroy a key that
// is no view's.
func TestOtherKeysAreSafe(t *testing.T) {
	dir, keys := t.TempDir(), newRing()
	facts, err := keys.New(keyring.Facts)
	if err != nil {
		t.Fatal(err)
	}
	_, _, log := filledViews(t, dir, keys) // under key 2
	for _, name := range []string{fileOf(facts), fileOf(99)} {
		write(t, filepath.Join(dir, name), []byte("planted"))
	}
	if err := sqlite.Rebuild(context.Background(), dir, keys, views.Rebuild{Log: log.Source()}); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Key(facts); err != nil {
		t.Fatalf("the facts' key: %v", err)
	}
	if _, err := keys.Key(2); !errors.Is(err, keyring.ErrDestroyed) {
		t.Fatalf("the old views' key: %v", err)
	}
}

// TestNothingIsReadable: no file holds anything in clear, nor what SQLite files
// begin with; the folder is its owner's alone.
func TestNothingIsReadable(t *testing.T) {
	dir, keys := filepath.Join(t.TempDir(), "views"), newRing()
	s, _, _ := filledViews(t, dir, keys)
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder: %v, %v", info.Mode(), err)
	}
	look := func() {
		names, err := filepath.Glob(filepath.Join(dir, "views.*"))
		if err != nil || len(names) < 3 {
			t.Fatalf("%v, %v", names, err)
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, word := range []string{"ada & Co", "INV-0000", "SQLite format", "documents", "receivables", string(keys.keys[1])} {
				if bytes.Contains(data, []byte(word)) && !strings.HasSuffix(name, ".json") {
					t.Errorf("%s holds %q", filepath.Base(name), word)
				}
			}
			if info, err := os.Stat(name); err != nil || info.Mode().Perm()&0o077 != 0 && strings.HasSuffix(name, ".db") {
				t.Errorf("%s: %v, %v", name, info.Mode(), err)
			}
		}
	}
	look() // with WAL and its index
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	look()
}

// TestClosed: closed views say so.
func TestClosed(t *testing.T) {
	dir, keys := t.TempDir(), newRing()
	s, err := sqlite.Open(context.Background(), dir, keys)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Status(context.Background()); err == nil {
		t.Error("closed views answer")
	}
}

// TestRebuildLetsGo: a rebuild that fails before it has begun to fill its file, or after,
// leaves no file open.
func TestRebuildLetsGo(t *testing.T) {
	open := func(dir string) (files []string) {
		all, err := filepath.Glob("/proc/self/fd/*")
		if err != nil || len(all) == 0 {
			t.Skip("this system does not tell which files are open")
		}
		for _, fd := range all {
			if path, err := os.Readlink(fd); err == nil && strings.HasPrefix(path, dir) {
				files = append(files, path)
			}
		}
		return files
	}
	for _, live := range []bool{true, false} {
		dir, keys := t.TempDir(), newRing()
		_, log := victimLog(24)
		if live {
			s, err := sqlite.Open(context.Background(), dir, keys)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		// In the place of the file that names the live one before it is whole.
		if err := os.Mkdir(filepath.Join(dir, "views.json.next"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := sqlite.Rebuild(context.Background(), dir, keys, views.Rebuild{Log: log.Source()}); err == nil {
			t.Error("nothing failed")
		}
		if files := open(dir); len(files) > 0 {
			t.Errorf("left open: %q", files)
		}
	}
}
