package state

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/ncruces/go-sqlite3"
)

func testKey(t testing.TB) []byte {
	t.Helper()
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		t.Fatal(err)
	}
	return key
}

func TestRowsSurviveAndReplace(t *testing.T) {
	path, key := filepath.Join(t.TempDir(), "state.db"), testKey(t)
	f, err := Open(path, key)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Write([]Row{{[]byte("a"), []byte("1")}, {[]byte("b"), []byte("2")}, {[]byte("a"), []byte("3")}}); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	f, err = Open(path, key)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for name, want := range map[string]string{"a": "3", "b": "2"} {
		got, found, err := f.Get([]byte(name))
		if err != nil || !found || string(got) != want {
			t.Errorf("Get(%s) = %q, %v, %v; want %q", name, got, found, err, want)
		}
	}
	if _, found, err := f.Get([]byte("c")); found || err != nil {
		t.Errorf("Get of an absent row = %v, %v", found, err)
	}
}

func TestNothingReadableInTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	f, err := Open(path, testKey(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Write([]Row{{[]byte("customer-key-name"), []byte("Ada Lovelace, London")}}); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"customer-key-name", "Lovelace"} {
		if bytes.Contains(data, []byte(secret)) {
			t.Errorf("%q stands in the file", secret)
		}
	}
}

// Rows altered, exchanged or written under another key are noticed.
func TestTamperedRows(t *testing.T) {
	path, key := filepath.Join(t.TempDir(), "state.db"), testKey(t)
	fill := func() {
		if err := Remove(path); err != nil {
			t.Fatal(err)
		}
		f, err := Open(path, key)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Write([]Row{{[]byte("a"), []byte("1")}, {[]byte("b"), []byte("2")}}); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for name, change := range map[string]string{
		"altered":   `UPDATE rows SET value = substr(value, 1, 30) || x'00' || substr(value, 32)`,
		"cut":       `UPDATE rows SET value = x'01'`,
		"exchanged": `UPDATE rows SET value = (SELECT value FROM rows AS other WHERE other.name <> rows.name)`,
	} {
		t.Run(name, func(t *testing.T) {
			fill()
			c, err := sqlite3.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			if name == "exchanged" {
				change = `CREATE TEMP TABLE old AS SELECT * FROM rows;
					UPDATE rows SET value = (SELECT value FROM old WHERE old.name <> rows.name)`
			}
			if err := c.Exec(change); err != nil {
				t.Fatal(err)
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			f, err := Open(path, key)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if v, _, err := f.Get([]byte("a")); !errors.Is(err, ErrDamaged) {
				t.Errorf("Get = %q, %v; want ErrDamaged", v, err)
			}
		})
	}
	if err := Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.Repeat([]byte("no database "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, key); !errors.Is(err, ErrDamaged) {
		t.Errorf("Open of a file that is no database: %v; want ErrDamaged", err)
	}
}

func TestReadersBesideWriter(t *testing.T) {
	f, err := Open(filepath.Join(t.TempDir(), "state.db"), testKey(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	done := make(chan error, 1)
	go func() {
		for i := range 200 {
			if err := f.Write([]Row{{[]byte("n"), fmt.Append(nil, i)}, {[]byte("m"), fmt.Append(nil, i)}}); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for range 200 {
		if _, _, err := f.Get([]byte("n")); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	got, _, err := f.Get([]byte("n"))
	if err != nil || string(got) != "199" {
		t.Errorf("Get after all writes = %q, %v", got, err)
	}
}

func BenchmarkWrite(b *testing.B) {
	f, err := Open(filepath.Join(b.TempDir(), "state.db"), testKey(b))
	if err != nil {
		b.Fatal(err)
	}
	writeThousands(b, f)
}

func writeThousands(b *testing.B, f *File) {
	defer f.Close()
	rows := make([]Row, 1000)
	n := 0
	for b.Loop() {
		for i := range rows {
			rows[i] = Row{fmt.Appendf(nil, "row %d", n), make([]byte, 150)}
			n++
		}
		if err := f.Write(rows); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkGetAbsent(b *testing.B) {
	f, err := Open(filepath.Join(b.TempDir(), "state.db"), testKey(b))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	for i := range 100 {
		rows := make([]Row, 1000)
		for j := range rows {
			rows[j] = Row{fmt.Appendf(nil, "row %d/%d", i, j), make([]byte, 150)}
		}
		if err := f.Write(rows); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if _, found, err := f.Get([]byte("absent")); found || err != nil {
			b.Fatal(found, err)
		}
	}
}
