package csvfile_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/daybook-ledger/daybook/importer"
	"github.com/daybook-ledger/daybook/importer/csvfile"
	"github.com/daybook-ledger/daybook/testing/effort"
)

// compressed gives a text in each form, by the ending of its name.
func compressed(t *testing.T, text string) map[string][]byte {
	t.Helper()
	forms := map[string][]byte{".csv": []byte(text)}
	for ending, make := range map[string]func(io.Writer) (io.WriteCloser, error){
		".xz":  func(w io.Writer) (io.WriteCloser, error) { return xz.NewWriter(w) },
		".gz":  func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil },
		".zst": func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) },
	} {
		var b bytes.Buffer
		w, err := make(&b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		forms[ending] = b.Bytes()
	}
	return forms
}

func TestSources(t *testing.T) {
	text := manyDocuments(50)
	for ending, data := range compressed(t, text) {
		for name, open := range map[string]func() (*csvfile.Source, error){
			"by its name": func() (*csvfile.Source, error) {
				return csvfile.Open(write(t, "file"+ending, data), nil)
			},
			"by its first bytes": func() (*csvfile.Source, error) {
				return csvfile.Open(write(t, "file.data", data), nil)
			},
			"from stdin": func() (*csvfile.Source, error) { return csvfile.Open("-", bytes.NewReader(data)) },
		} {
			t.Run(ending+" "+name, func(t *testing.T) {
				source, err := open()
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(source)
				if err != nil || string(got) != text {
					t.Errorf("%d bytes of %d, %v", len(got), len(text), err)
				}
				read, size := source.Progress()
				if read != int64(len(data)) || name != "from stdin" && size != read || name == "from stdin" && size != 0 {
					t.Errorf("progress %d of %d, and the file has %d", read, size, len(data))
				}
				if err := source.Close(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestDamagedSources cuts and bends compressed files: Check says what the import
// would end with.
func TestDamagedSources(t *testing.T) {
	t.Parallel()
	text := manyDocuments(3000)
	for ending, data := range compressed(t, text) {
		if ending == ".csv" {
			continue
		}
		t.Run(ending, func(t *testing.T) {
			for name, bad := range map[string][]byte{
				"cut in the middle": data[:len(data)/2],
				"cut at the end":    data[:len(data)-3],
				"only the start":    data[:5],
				"not compressed":    []byte(text),
				"empty":             {},
			} {
				path := write(t, "f"+ending, bad)
				source, err := csvfile.Open(path, nil)
				if err == nil {
					_, err = csvfile.Import(context.Background(), source, parseMap(t, testMap), csvfile.Options{
						Options: importer.Options{Book: newBook(t), Currency: gbp(t)},
					})
				}
				want := csvfile.CodeDamagedFile
				if name == "empty" && ending == ".zst" {
					want = csvfile.CodeBadHeader // no frame at all is a valid empty file
				}
				if codeOf(err) != want {
					t.Errorf("%s: %v", name, err)
				}
				if err := csvfile.Check(t.Context(), path, parseMap(t, testMap), nil); codeOf(err) != want {
					t.Errorf("%s: Check says %v", name, err)
				}
			}
		})
	}
}

// Check finds what is malformed in the last of 100,000 rows of a file of any form, and
// nothing wrong with the same file when it is mended.
func TestCheck(t *testing.T) {
	t.Parallel()
	documents := effort.Of(50_000, 5_000) // of two lines each
	text := manyDocuments(documents)
	inLast := strings.LastIndex(strings.TrimSuffix(text, "\n"), "\n") + 2
	broken := text[:inLast] + `"` + text[inLast:]
	for ending, data := range compressed(t, broken) {
		err := csvfile.Check(t.Context(), write(t, "f"+ending, data), parseMap(t, testMap), nil)
		if codeOf(err) != csvfile.CodeMalformedCSV || !strings.Contains(err.Error(), fmt.Sprintf("row %d of the data", 2*documents)) {
			t.Errorf("%s: %v", ending, err)
		}
	}
	var read, size int64
	path := write(t, "f.csv", []byte(text))
	err := csvfile.Check(t.Context(), path, parseMap(t, testMap), func(r, s int64) { read, size = r, s })
	if err != nil || size != int64(len(text)) || read < size-256<<10 {
		t.Errorf("%v, and %d of %d bytes told", err, read, size)
	}
	for _, path := range []string{"-", t.TempDir(), "nowhere"} {
		if err := csvfile.Check(t.Context(), path, parseMap(t, testMap), nil); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := csvfile.Check(ctx, path, parseMap(t, testMap), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("after its context has ended: %v", err)
	}
}

func TestXZWindow(t *testing.T) {
	var b bytes.Buffer
	w, err := xz.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := csvfile.Open("-", bytes.NewReader(b.Bytes())); err != nil {
		t.Errorf("an empty file: %v", err)
	}
	// Stream header, then the header of a block that asks for 1.5 GiB.
	file := append([]byte("\xfd7zXZ\x00\x00\x04\xe6\xd6\xb4\x46"), 2, 0, 0x21, 1, 37, 0, 0, 0, 0, 0, 0, 0)
	if _, err := csvfile.Open("-", bytes.NewReader(file)); codeOf(err) != csvfile.CodeDamagedFile {
		t.Errorf("error %v", err)
	}
}

func TestOpenWhatIsNoFile(t *testing.T) {
	if _, err := csvfile.Open(filepath.Join(t.TempDir(), "none.csv"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	if _, err := csvfile.Open(t.TempDir(), nil); err == nil {
		t.Error("a folder was opened")
	}
}
