package csvfile

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// TestClosedNumbersAreExact compares the set with a map, with so small a bound
// that the file is used, and grows several times.
func TestClosedNumbersAreExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		c := newClosedNumbers(t.TempDir(), uuid.New())
		c.limit = rapid.IntRange(1, 40).Draw(rt, "limit")
		want := map[string]bool{}
		for _, n := range rapid.SliceOfN(rapid.IntRange(0, 400), 0, 400).Draw(rt, "numbers") {
			number := fmt.Sprint(n)
			got, err := c.has(number)
			if err != nil || got != want[number] {
				rt.Fatalf("%s: %v, %v", number, got, err)
			}
			if err := c.add(number); err != nil {
				rt.Fatal(err)
			}
			want[number] = true
		}
		for n := range 410 {
			if got, err := c.has(fmt.Sprint(n)); err != nil || got != want[fmt.Sprint(n)] {
				rt.Fatalf("%d: %v, %v", n, got, err)
			}
		}
		if err := c.close(); err != nil {
			rt.Fatal(err)
		}
	})
}

func TestClosedNumbersLeaveNoFile(t *testing.T) {
	dir := t.TempDir()
	c := newClosedNumbers(dir, uuid.New())
	c.limit = 4
	for n := range 100 {
		if err := c.add(fmt.Sprint(n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
		t.Errorf("%v, %v", files, err)
	}
}

func TestClosedNumbersWithoutAFolder(t *testing.T) {
	c := newClosedNumbers(filepath.Join(t.TempDir(), "none"), uuid.New())
	c.limit = 1
	if err := c.add("1"); err == nil {
		t.Error("a temporary file was made in a folder that does not exist")
	}
	if err := c.close(); err != nil {
		t.Error(err)
	}
}

// TestTableProbesAroundTheEnd fills a table's last slots.
func TestTableProbesAroundTheEnd(t *testing.T) {
	table, err := newDiskTable(t.TempDir(), 64)
	if err != nil {
		t.Fatal(err)
	}
	defer table.close()
	var all []digest
	for i := range 30 {
		d := digest{7: 63, 15: byte(2*i + 1)} // all belong into the last slot
		if err := table.insert(d); err != nil {
			t.Fatal(err)
		}
		all = append(all, d)
	}
	for _, d := range all {
		if _, found, err := table.find(d); !found || err != nil {
			t.Errorf("%x: %v", d, err)
		}
	}
	if _, found, _ := table.find(digest{7: 63, 15: 255}); found {
		t.Error("found what was not inserted")
	}
}
