package csvfile

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/importer"
	"github.com/daybook-ledger/daybook/testing/effort"
)

const plainMap = `
currency = "GBP"
prices = "net"
time_zone = "UTC"
dates = ["YYYY-MM-DD"]
[columns]
number = "No"
date = "Date"
quantity = "Qty"
price = "Price"
description = "Text"
[kinds]
"5" = "invoice"
[tax]
category = "Z"
[no_customer]
reference = "nobody"
name = "Nobody"
`

// generated is a file made line by line as it is read.
type generated struct {
	lines int
	line  func(i int) string
	next  int
	rest  string
}

func (g *generated) Read(p []byte) (int, error) {
	if g.rest == "" {
		if g.next > g.lines {
			return 0, io.EOF
		}
		if g.rest = "No,Date,Qty,Price,Text\n"; g.next > 0 {
			g.rest = g.line(g.next - 1)
		}
		g.next++
	}
	n := copy(p, g.rest)
	g.rest = g.rest[n:]
	return n, nil
}

func items(t *testing.T, r io.Reader) func(func(importer.Item) bool) {
	t.Helper()
	m, err := ParseMap([]byte(plainMap))
	if err != nil {
		t.Fatal(err)
	}
	return func(yield func(importer.Item) bool) {
		for it, err := range Documents(r, m, uuid.New(), t.TempDir()) {
			if err != nil {
				t.Fatal(err)
			}
			if !yield(it) {
				return
			}
		}
	}
}

// heap is what is in use after a collection, in bytes.
func heap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// TestMemoryIsConstant reads two lines each of 150,000 documents, so that the
// closed numbers move to the temporary file, and looks at the heap meanwhile.
func TestMemoryIsConstant(t *testing.T) {
	all := effort.Of(150_000, 75_000)
	file := &generated{lines: 2 * all, line: func(i int) string {
		return fmt.Sprintf("5%d,2011-01-01,1,1.00,a description of some length %d\n", i/2, i)
	}}
	before := heap()
	var most int64
	documents, lines := 0, 0
	for it := range items(t, file) {
		documents++
		lines += it.Lines.Count()
		if it.Rejection != nil {
			t.Fatalf("%+v", it.Rejection)
		}
		if documents%25_000 == 0 {
			most = max(most, heap()-before)
		}
	}
	if documents != all || lines != 2*all {
		t.Errorf("%d documents of %d lines", documents, lines)
	}
	// Some 1,000 open lines and 32,768 closed numbers; all lines would be 60 MB, or 30.
	if most > 12<<20 {
		t.Errorf("the heap grew by %d KiB", most>>10)
	}
}

func TestTooManyLines(t *testing.T) {
	for lines, rejected := range map[int]int{10_000: 0, 10_001: 10_001, 10_005: 10_005} {
		file := &generated{lines: lines + 1, line: func(i int) string {
			if i == 7 {
				return "5other,2011-01-01,1,1,x\n"
			}
			return "51,2011-01-01,1,1,x\n"
		}}
		got, whole := 0, 0
		for it := range items(t, file) {
			if it.Rejection == nil {
				continue
			}
			got += it.Lines.Count()
			if it.Rejection.Code != CodeTooManyLines || it.Number != "51" {
				t.Errorf("%+v", it)
			}
			if !it.Rejection.Alone {
				whole++
			}
		}
		if got != rejected || whole != min(rejected, 1) {
			t.Errorf("of %d lines %d were rejected, in %d documents", lines, got, whole)
		}
	}
}

// TestOpenDocumentsAreBounded mixes 900 documents of long texts.
func TestOpenDocumentsAreBounded(t *testing.T) {
	text := strings.Repeat("x", 4000)
	const lines = 20_000 // 80 MB
	file := &generated{lines: lines, line: func(i int) string {
		return fmt.Sprintf("5%d,2011-01-01,1,1,%s\n", i%900, text)
	}}
	before, most, n, seen := heap(), int64(0), 0, 0
	codes := map[string]int{}
	for it := range items(t, file) {
		if it.Rejection != nil {
			codes[it.Rejection.Code]++
		}
		if n += it.Lines.Count(); n/4000 > seen {
			seen = n / 4000
			most = max(most, heap()-before)
		}
	}
	if n != lines {
		t.Errorf("%d lines of %d", n, lines)
	}
	if codes[CodeTooLarge] == 0 || len(codes) != 1 {
		t.Errorf("codes %v", codes)
	}
	if most > 2*maxOpenSize {
		t.Errorf("the heap grew by %d MiB", most>>20)
	}
}

func TestOneLargeDocument(t *testing.T) {
	text := strings.Repeat("x", 4000)
	file := &generated{lines: 5000, line: func(int) string { return "51,2011-01-01,1,1," + text + "\n" }}
	lines := 0
	for it := range items(t, file) {
		lines += it.Lines.Count()
		if it.Rejection == nil || it.Rejection.Code != CodeTooLarge {
			t.Fatalf("%+v", it)
		}
	}
	if lines != 5000 {
		t.Errorf("%d lines", lines)
	}
}

// TestStoppingEarly ends the range in the middle.
func TestStoppingEarly(t *testing.T) {
	n := 0
	file := &generated{lines: 10_000, line: func(i int) string { return fmt.Sprintf("5%d,2011-01-01,1,1,x\n", i) }}
	for range items(t, file) {
		if n++; n == 10 {
			break
		}
	}
	if n != 10 || file.next > 5000 {
		t.Errorf("%d items, %d lines read", n, file.next)
	}
}

// TestNoTemporaryFileIsLeft looks into the folder after an import that needed
// one.
func TestNoTemporaryFileIsLeft(t *testing.T) {
	dir := t.TempDir()
	m, err := ParseMap([]byte(plainMap))
	if err != nil {
		t.Fatal(err)
	}
	file := &generated{lines: 40_000, line: func(i int) string { return fmt.Sprintf("5%d,2011-01-01,1,1,x\n", i) }}
	for _, err := range Documents(file, m, uuid.New(), dir) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%v, %v", left, err)
	}
}

func TestDateLayouts(t *testing.T) {
	moment := time.Date(2011, time.March, 4, 15, 6, 7, 0, time.UTC)
	for form, want := range map[string]string{
		"YYYY-MM-DD":           "2011-03-04",
		"YYYY-MM-DDThh:mm:ssZ": "2011-03-04T15:06:07Z",
		"D.M.YY h:mm:ss AM":    "4.3.11 3:06:07 PM",
		"DD/MM/YYYY hh:mm AM":  "04/03/2011 03:06 PM",
		"DD MMM YYYY, hh:mm":   "04 Mar 2011, 15:06",
		"YYYYMMDDhhmmss":       "20110304150607",
		"MMDDYY":               "030411",
	} {
		layout, err := dateLayout(form)
		if err != nil {
			t.Errorf("%s: %v", form, err)
			continue
		}
		if got := moment.Format(layout); got != want {
			t.Errorf("%s: %s, not %s", form, got, want)
		}
		if back, err := time.Parse(layout, want); err != nil || back.YearDay() != moment.YearDay() {
			t.Errorf("%s: %s is read as %v, %v", form, want, back, err)
		}
	}
	for _, form := range []string{"", "YYYY-MM", "YYYY-MM-DD xx", "YYYY-MM-DD DD", "2006-01-02", "YYYY-MM-DD 0", "YYYY-MM-DD h:mm", "YYYY_MM_DD"} {
		if layout, err := dateLayout(form); err == nil {
			t.Errorf("%q is taken as %q", form, layout)
		}
	}
}
