// Package bench measures what a book can do, always as a ratio to a named
// baseline from the same run: machines differ, and disks are noisy. Each
// measurement is a Line with an aim; a run prints all of its lines, and, where
// DAYBOOK_PERFORMANCE names a file, writes them into the table there.
//
//	DAYBOOK_BENCH_SECONDS  how long each measurement lasts, 3 if absent
//	DAYBOOK_BENCH_ROUNDS   how often subject and baseline take turns, 3 if absent
package bench

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daybook-ledger/daybook/testing/compiled"
)

// line is one measurement, and what it should be.
type line struct {
	name, baseline string
	// aim is the least value, or where most is set the greatest; 0 for none.
	aim  float64
	most bool
	unit string // of aim and value: empty for a ratio
	// value is what was measured, and detail the figures behind it.
	value  float64
	detail string
}

func (l line) met() bool {
	return l.aim == 0 || l.value == l.aim || l.most == (l.value < l.aim)
}

// lines are those of this run, in their order.
var lines struct {
	sync.Mutex
	all []line
}

// report prints a measurement, and keeps it for the table.
func report(b *testing.B, l line) {
	b.Helper()
	b.ReportMetric(l.value, cmp.Or(l.unit, "ratio"))
	if l.aim > 0 {
		b.ReportMetric(l.aim, "aim")
	}
	lines.Lock()
	defer lines.Unlock()
	lines.all = slices.DeleteFunc(lines.all, func(o line) bool { return o.name == l.name })
	lines.all = append(lines.all, l)
}

func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getenv(subject) == "" { // a log alone needs none
		compiled.SQLite()
	}
	code := m.Run()
	if len(lines.all) > 0 {
		fmt.Printf("\n%s\n", table(lines.all))
		if path := os.Getenv("DAYBOOK_PERFORMANCE"); path != "" && code == 0 {
			if err := keep(path); err != nil {
				fmt.Fprintln(os.Stderr, err)
				code = 1
			}
		}
	}
	os.Exit(code)
}

// table is Markdown, with the aim beside each measurement.
func table(all []line) string {
	var out strings.Builder
	out.WriteString("| What | Beside | Aim | Measured | |\n|---|---|---|---|---|\n")
	for _, l := range all {
		aim, detail := "≥ "+figure(l.aim, l.unit), l.detail
		switch {
		case l.aim == 0:
			aim = "—"
		case l.most:
			aim = "≤ " + figure(l.aim, l.unit)
		}
		if !l.met() {
			detail = strings.TrimSuffix("**missed**; "+detail, "; ")
		}
		fmt.Fprintf(&out, "| %s | %s | %s | %s | %s |\n", l.name, l.baseline, aim, figure(l.value, l.unit), detail)
	}
	return out.String()
}

func figure(value float64, unit string) string {
	text := strconv.FormatFloat(value, 'f', 2, 64)
	if value >= 100 {
		text = strconv.FormatFloat(value, 'f', 0, 64)
	}
	return strings.TrimSpace(text + " " + unit)
}

// Marks of the place of the table in its file.
const begin, end = "<!-- measured -->\n", "<!-- /measured -->\n"

// keep writes the table, and what it was measured on, into a file.
func keep(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, begun := strings.Cut(string(text), begin)
	_, after, ended := strings.Cut(rest, end)
	if !begun || !ended {
		return fmt.Errorf("%s has no place for the measurements", path)
	}
	made := fmt.Sprintf("\nMeasured by `make bench` on %s, %d cores, %s/%s, %s; the median of %d rounds.\n\n%s\n",
		time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), rounds(), table(lines.all))
	return os.WriteFile(path, []byte(before+begin+made+end+after), 0o644)
}

// phase is how long each measurement lasts.
func phase() time.Duration {
	if seconds, err := strconv.ParseFloat(os.Getenv("DAYBOOK_BENCH_SECONDS"), 64); err == nil {
		return time.Duration(seconds * float64(time.Second))
	}
	return 3 * time.Second
}

func rounds() int {
	if n, err := strconv.Atoi(os.Getenv("DAYBOOK_BENCH_ROUNDS")); err == nil && n > 0 {
		return n
	}
	return 3
}

// median of an odd number of values is the middle one.
func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// measured is how often something was done, in which time.
type measured struct {
	n, flushes, bytes int64
	took              time.Duration
}

func (m measured) perSecond() float64 { return float64(m.n) / m.took.Seconds() }

// repeat calls f from so many goroutines until the phase is over.
func repeat(callers int, f func(caller int) error) (measured, error) {
	var n atomic.Int64
	var failed atomic.Pointer[error]
	var group sync.WaitGroup
	start := time.Now()
	for caller := range callers {
		group.Go(func() {
			for time.Since(start) < phase() && failed.Load() == nil {
				if err := f(caller); err != nil {
					failed.Store(&err)
					return
				}
				n.Add(1)
			}
		})
	}
	group.Wait()
	m := measured{n: n.Load(), took: time.Since(start)}
	if err := failed.Load(); err != nil {
		return m, *err
	}
	return m, nil
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }
