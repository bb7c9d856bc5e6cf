package state

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"
	"pgregory.net/rapid"
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

// TestPlaces: whatever is written and asked for in whatever order, a row is found when
// it was written, and only then; also after the file was opened again.
func TestPlaces(t *testing.T) {
	dir, key, run := t.TempDir(), testKey(t), 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		path := filepath.Join(dir, fmt.Sprint(run))
		defer func() { _ = Remove(path) }()
		f, err := Open(path, key)
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { f.Close() }()
		draw := rapid.Custom(func(rt *rapid.T) string {
			first := rapid.SampledFrom([]string{"\x00", "a", "b", "\xff"}).Draw(rt, "first")
			return first + strings.Repeat(string(rapid.SampledFrom([]byte{0, 1, 0x80, 0xff}).Draw(rt, "byte")), rapid.IntRange(0, 9).Draw(rt, "length"))
		})
		rows := map[string]string{}
		for step := range rapid.IntRange(1, 12).Draw(rt, "steps") {
			switch rapid.IntRange(0, 4).Draw(rt, "what") {
			case 0:
				if err := f.Close(); err != nil {
					rt.Fatal(err)
				}
				if f, err = Open(path, key); err != nil {
					rt.Fatal(err)
				}
			case 1, 2:
				name, value := draw.Draw(rt, "name"), fmt.Sprint(step)
				if err := f.Write([]Row{{[]byte(name), []byte(value)}}); err != nil {
					rt.Fatal(err)
				}
				rows[name] = value
			default:
				name := draw.Draw(rt, "name")
				want, is := rows[name]
				if got, found, err := f.Get([]byte(name)); err != nil || found != is || string(got) != want {
					rt.Fatalf("Get(%q) = %q, %v, %v; want %q, %v", name, got, found, err, want, is)
				}
			}
		}
	})
}

// TestAnotherForm: a file of an older release is not taken for one of this.
func TestAnotherForm(t *testing.T) {
	path, key := filepath.Join(t.TempDir(), "state.db"), testKey(t)
	f, err := Open(path, key)
	if err == nil {
		err = errors.Join(f.Write([]Row{{[]byte("a"), []byte("1")}}), f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []int{0, 1, 3} {
		changed(t, path, fmt.Sprintf(`PRAGMA user_version = %d`, version))
		if f, err := Open(path, key); !errors.Is(err, ErrDamaged) {
			t.Errorf("version %d: %v, %v; want ErrDamaged", version, f, err)
		}
	}
}

// A file may be closed while it is written, as an erasure does: the close waits for
// the write, and neither for the other.
func TestCloseWhileWritten(t *testing.T) {
	rows := make([]Row, 5000)
	for i := range rows {
		rows[i] = Row{fmt.Appendf(nil, "row %d", i), make([]byte, 100)}
	}
	for range 5 {
		f, err := Open(filepath.Join(t.TempDir(), "state.db"), testKey(t))
		if err != nil {
			t.Fatal(err)
		}
		written, closed := make(chan error, 1), make(chan error, 1)
		go func() { written <- f.Write(rows) }()
		time.Sleep(2 * time.Millisecond) // in the middle of it
		go func() { closed <- f.Close() }()
		for _, ended := range []chan error{closed, written} {
			select {
			case err := <-ended:
				if err != nil && !errors.Is(err, errClosed) {
					t.Error(err)
				}
			case <-time.After(30 * time.Second):
				t.Fatal("the close and the write wait for each other")
			}
		}
	}
}

// However long a file is read and written, its write-ahead log stays small.
func TestTheLogStaysSmall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	f, err := Open(path, make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ended := make(chan struct{})
	var reading sync.WaitGroup
	reading.Go(func() {
		for {
			select {
			case <-ended:
				return
			default:
				if _, _, err := f.Get(append([]byte("s"), testKey(t)...)); err != nil {
					t.Error(err)
				}
			}
		}
	})
	defer func() { close(ended); reading.Wait() }()
	for range 60 {
		rows := make([]Row, 200)
		for i := range rows {
			rows[i] = Row{append([]byte("s"), testKey(t)...), make([]byte, 400)}
		}
		if err := f.Write(rows); err != nil {
			t.Fatal(err)
		}
	}
	log, err := os.Stat(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	if most := int64(2 * maxLogged * 4096); log.Size() > most {
		t.Errorf("the write-ahead log has %d bytes, more than %d", log.Size(), most)
	}
}

// A question that could not be answered leaves nothing behind that answers the next.
func TestAfterAFailedRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	key := []byte("c0123456789abcdef")
	f, err := Open(path, make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Write([]Row{{key, []byte("value")}}), f.Close()); err != nil {
		t.Fatal(err)
	}
	if f, err = Open(path, make([]byte, 32)); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.reader.Exec("BEGIN"); err != nil {
		t.Fatal(err)
	}
	f.begun = true
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	before := f.reader.SetInterrupt(ended)
	if _, _, err := f.Get(key); err == nil {
		t.Error("a reader that was interrupted answered")
	}
	f.reader.SetInterrupt(before)
	if value, found, err := f.Get(key); err != nil || !found || string(value) != "value" {
		t.Errorf("asked again: %q, %t, %v", value, found, err)
	}
}
