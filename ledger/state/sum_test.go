package state

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"pgregory.net/rapid"
)

// changed runs SQL in a state file, as whoever has no key can.
func changed(t testing.TB, path, change string) {
	t.Helper()
	c, err := sqlite3.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.Exec(change), c.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestSummed: whatever is done to the rows of a summed file without its key shows
// when it is opened.
func TestSummed(t *testing.T) {
	path, key := filepath.Join(t.TempDir(), "state.db"), testKey(t)
	old := path + ".old"
	write := func(rows ...Row) {
		t.Helper()
		f, err := OpenSummed(path, key)
		if err == nil {
			err = errors.Join(f.Write(rows), f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	write()
	write(Row{[]byte("a"), []byte("1")}, Row{[]byte("b"), []byte("2")}, Row{[]byte("c"), []byte("3")})
	before, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(old, before, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	write(Row{[]byte("a"), []byte("4")}, Row{[]byte("d"), []byte("5")}, Row{[]byte("a"), []byte("6")})
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	attached := `ATTACH '` + old + `' AS old; `
	for name, change := range map[string]string{
		"altered":                   `UPDATE rows SET value = substr(value, 1, 30) || x'00' || substr(value, 32) WHERE name = (SELECT min(name) FROM rows)`,
		"the first taken away":      `DELETE FROM rows WHERE name = (SELECT min(name) FROM rows)`,
		"the last taken away":       `DELETE FROM rows WHERE name = (SELECT max(name) FROM rows)`,
		"all but one taken away":    `DELETE FROM rows WHERE name <> (SELECT max(name) FROM rows)`,
		"added":                     `INSERT INTO rows VALUES (x'610000000000000000112233445566778899aabbccddeeff', x'00')`,
		"exchanged":                 `CREATE TEMP TABLE old AS SELECT * FROM rows; UPDATE rows SET value = (SELECT value FROM old WHERE old.name <> rows.name)`,
		"one set back":              attached + `UPDATE rows SET value = (SELECT value FROM old.rows AS o WHERE o.name = rows.name) WHERE name IN (SELECT name FROM old.rows)`,
		"one with another boundary": `UPDATE rows SET name = name || substr(value, 1, 1), value = substr(value, 2) WHERE name = (SELECT max(name) FROM rows)`,
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, good, 0o600); err != nil {
				t.Fatal(err)
			}
			changed(t, path, change)
			f, err := OpenSummed(path, key)
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("OpenSummed = %v, %v; want ErrDamaged", f, err)
			}
		})
	}
	for name, data := range map[string][]byte{"good": good, "set back whole": before} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := OpenSummed(path, key)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if f, err := OpenSummed(path, testKey(t)); !errors.Is(err, ErrDamaged) {
		t.Errorf("under another key: %v, %v; want ErrDamaged", f, err)
	}
}

// TestSummedIsWhole: after any writes, of which some fail, the file opens with what
// was written; with any single row taken away it does not.
func TestSummedIsWhole(t *testing.T) {
	dir, key := t.TempDir(), testKey(t)
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		path := filepath.Join(dir, fmt.Sprint(run))
		defer func() { _ = Remove(path) }()
		f, err := OpenSummed(path, key)
		if err != nil {
			rt.Fatal(err)
		}
		want := map[string][]byte{}
		for range rapid.IntRange(1, 5).Draw(rt, "writes") {
			var rows []Row
			for range rapid.IntRange(0, 8).Draw(rt, "rows") {
				rows = append(rows, Row{[]byte{rapid.Byte().Draw(rt, "key") % 16}, rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(rt, "value")})
			}
			if rapid.Bool().Draw(rt, "fails") {
				if err := f.writer.Exec(`PRAGMA query_only = ON`); err != nil {
					rt.Fatal(err)
				}
				if err := f.Write(rows); err == nil {
					rt.Fatal("it wrote to what may not be written")
				}
				if err := f.writer.Exec(`PRAGMA query_only = OFF`); err != nil {
					rt.Fatal(err)
				}
				continue
			}
			if err := f.Write(rows); err != nil {
				rt.Fatal(err)
			}
			for _, r := range rows {
				want[string(r.Key)] = r.Value
			}
		}
		if err := f.Close(); err != nil {
			rt.Fatal(err)
		}
		if f, err = OpenSummed(path, key); err != nil {
			rt.Fatal(err)
		}
		for k, v := range want {
			if got, found, err := f.Get([]byte(k)); err != nil || !found || !bytes.Equal(got, v) {
				rt.Fatalf("%q is %q, %v, %v; want %q", k, got, found, err, v)
			}
		}
		if err := f.Close(); err != nil {
			rt.Fatal(err)
		}
		if len(want) == 0 {
			return
		}
		changed(t, path, fmt.Sprintf(`DELETE FROM rows WHERE name = (SELECT name FROM rows LIMIT 1 OFFSET %d)`,
			rapid.IntRange(0, len(want)).Draw(rt, "which")))
		if _, err := OpenSummed(path, key); !errors.Is(err, ErrDamaged) {
			rt.Fatalf("with a row taken away: %v", err)
		}
	})
}

// BenchmarkWriteSummed is BenchmarkWrite for a summed file.
func BenchmarkWriteSummed(b *testing.B) {
	f, err := OpenSummed(filepath.Join(b.TempDir(), "state.db"), testKey(b))
	if err != nil {
		b.Fatal(err)
	}
	writeThousands(b, f)
}
