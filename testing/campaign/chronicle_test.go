package campaign

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// histories names the folder in which every campaign's chronicle is kept; where it is
// absent that of one that fails is, among the temporary files.
const histories = "DAYBOOK_HISTORIES"

// chronicle tells in a file what a campaign gave, what was answered, and what was done
// to the book meanwhile: a line for each, with the seconds since it began.
type chronicle struct {
	mu    sync.Mutex
	file  *os.File
	begun time.Time
	err   error
}

// current is that of the campaign under way: one goes on at a time.
var current *chronicle

// begins begins the chronicle of a campaign, which ends with its test.
func begins(t *testing.T, seed uint64) {
	t.Helper()
	name := fmt.Sprintf("%s-%d", strings.ReplaceAll(t.Name(), "/", "-"), seed)
	var file *os.File
	var err error
	if dir := os.Getenv(histories); dir != "" {
		if err = os.MkdirAll(dir, 0o755); err == nil {
			file, err = os.Create(filepath.Join(dir, name+".txt"))
		}
	} else {
		file, err = os.CreateTemp("", "daybook-"+name+"-*.txt")
	}
	if err != nil {
		t.Fatal(err)
	}
	outer := current
	c := &chronicle{file: file, begun: time.Now()}
	current = c
	note("begun %s: DAYBOOK_SEED=%d DAYBOOK_FAULTS=%s", c.begun.UTC().Format(time.RFC3339Nano), seed, os.Getenv("DAYBOOK_FAULTS"))
	t.Cleanup(func() {
		current = outer
		kept, err := c.end(t.Failed())
		if err != nil {
			t.Errorf("the history could not be kept: %v", err)
		} else if kept != "" {
			t.Logf("the history is in %s", kept)
		}
	})
}

// end says how it ended, and gives where the chronicle is, unless it is not kept.
func (c *chronicle) end(failed bool) (kept string, err error) {
	c.note("ended, failed: %t", failed)
	c.mu.Lock()
	defer c.mu.Unlock()
	err = errors.Join(c.err, c.file.Close())
	if os.Getenv(histories) == "" && !failed {
		return "", os.Remove(c.file.Name())
	}
	return c.file.Name(), err
}

func (c *chronicle) note(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", " ")
	_, err := fmt.Fprintf(c.file, "%.6f %s\n", time.Since(c.begun).Seconds(), text)
	c.err = cmp.Or(c.err, err)
}

// note adds to the chronicle of the campaign under way.
func note(format string, args ...any) {
	if current != nil {
		current.note(format, args...)
	}
}

// children counts those that were started.
var children int

// lines adds what a child says, line by line.
type lines struct {
	child int
	part  []byte
}

func (l *lines) Write(p []byte) (int, error) {
	l.part = append(l.part, p...)
	for {
		line, rest, whole := bytes.Cut(l.part, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		note("process %d: %s", l.child, line)
		l.part = rest
	}
}

// TestHistoriesAreKept: what was given and answered, and what was done, stands in the
// folder that was named; where none was, only after a failure.
func TestHistoriesAreKept(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(histories, dir)
	t.Setenv("DAYBOOK_SEED", "7")
	t.Run("campaign", func(t *testing.T) {
		seeded(t)
		book := newBook(t)
		var h history
		h.add(t, work(t, book, nil, 0))
		h.open = append(h.open, registering())
		finish(t, book, &h)
	})
	text, err := os.ReadFile(filepath.Join(dir, "TestHistoriesAreKept-campaign-7.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"DAYBOOK_SEED=7 ", ": sent ", ": receipt ", " killed\n", " given again ", " answered at position ", "ended, failed: false\n"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("it has no %q", want)
		}
	}
	t.Setenv(histories, "")
	for _, failed := range []bool{false, true} {
		file, err := os.CreateTemp(dir, "")
		if err != nil {
			t.Fatal(err)
		}
		kept, err := (&chronicle{file: file}).end(failed)
		if _, gone := os.Stat(file.Name()); err != nil || (kept != "") != failed || (gone == nil) != failed {
			t.Errorf("failed %t: %q, %v, %v", failed, kept, err, gone)
		}
	}
}
