package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
)

// BenchmarkGrowth looks at books of a tenth of the commits that books have that are
// read, of all of them, and of ten times as many: what a command costs, how long a
// start takes, and how much memory is held then. The books take turns.
func BenchmarkGrowth(b *testing.B) {
	for b.Loop() {
		sizes := []uint64{size() / 10, size(), size() * 10}
		books := make([]*book, len(sizes))
		for i, commits := range sizes {
			books[i] = newBook(b)
			books[i].grow(b, commits, 64)
			books[i].close(b)
			books[i].start(b, commits)
			books[i].close(b)
		}
		for _, k := range books {
			k.open(b)
		}
		rates := make([][]float64, len(sizes))
		for range 2*rounds() + 1 {
			for i, k := range books {
				rates[i] = append(rates[i], k.some(b))
			}
		}
		for i := 1; i < len(sizes); i++ {
			var ratios []float64
			for round, rate := range rates[i] {
				ratios = append(ratios, rate/rates[i-1][round])
			}
			report(b, line{
				name: fmt.Sprintf("commands in a book of %d commits", sizes[i]), baseline: "in one of a tenth", aim: 0.9, value: median(ratios),
				detail: fmt.Sprintf("%.0f beside %.0f a second, 64 at a time", median(slices.Clone(rates[i])), median(slices.Clone(rates[i-1]))),
			})
		}
		largest := books[len(books)-1]
		h, err := largest.Head()
		if err != nil {
			b.Fatal(err)
		}
		proof, bytes := largest.prove(b)
		for _, k := range books {
			k.close(b)
		}
		report(b, line{name: fmt.Sprintf("proof of one invoice among %d commits", h.Size), aim: 20, most: true, unit: "ms", value: float64(proof.Microseconds()) / 1000})
		report(b, line{name: "its size, without plain text", aim: 20, most: true, unit: "KB", value: float64(bytes) / 1000})
	}
}

// some issues some invoices, so few that a small book stays small, and gives how many
// a second that were.
func (k *book) some(b *testing.B) float64 {
	b.Helper()
	const n = 4000
	took, err := repeatTimes(64, n, k.issue)
	if err != nil {
		b.Fatal(err)
	}
	return n / took.Seconds()
}

// start opens a book that was closed.
func (k *book) start(b *testing.B, commits uint64) {
	b.Helper()
	took := took(b, func() (err error) {
		k.Book, err = bookdir.Open(context.Background(), k.dir, k.options)
		return err
	})
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	report(b, line{
		name: fmt.Sprintf("start of a book of %d commits", commits), aim: 3, most: true, unit: "s", value: took.Seconds(),
		detail: fmt.Sprintf("%d MiB on the heap", memory.HeapInuse>>20),
	})
}

// prove makes the evidence bundle of one invoice, as fast as it comes.
func (k *book) prove(b *testing.B) (fastest time.Duration, bytes int) {
	b.Helper()
	if err := k.issue(); err != nil {
		b.Fatal(err)
	}
	h, err := k.Head()
	if err != nil {
		b.Fatal(err)
	}
	places := []bookdir.Place{{Page: h.Page, Position: h.Size - 1}}
	for range 5 {
		d := took(b, func() error {
			made, err := k.Bundle(context.Background(), "an invoice", places, false)
			if err != nil {
				return err
			}
			encoded, err := made.Marshal()
			bytes = len(encoded)
			return err
		})
		if fastest == 0 || d < fastest {
			fastest = d
		}
	}
	return fastest, bytes
}

// BenchmarkImport imports the real file of invoice lines by the program.
func BenchmarkImport(b *testing.B) {
	data := os.Getenv("DAYBOOK_DATA")
	if data == "" {
		data = filepath.Join("..", "..", "..", "shared", "data")
	}
	file, err := filepath.Abs(filepath.Join(data, "online-retail-2010-12_2011-05.csv.xz"))
	if err != nil {
		b.Fatal(err)
	}
	if _, err := os.Stat(file); err != nil {
		b.Skipf("skipped: the real data is not here (DAYBOOK_DATA names its folder): %v", err)
	}
	dir := folder(b)
	program := filepath.Join(dir, "daybook")
	if out, err := exec.Command("go", "build", "-o", program, "../../cmd/daybook").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	run := func(args ...string) ([]byte, *os.ProcessState) {
		command := exec.Command(program, args...)
		command.Env = append(os.Environ(), "DAYBOOK_DIR="+filepath.Join(dir, "book"))
		out, err := command.Output()
		if err != nil {
			b.Fatalf("%v: %v", args, err)
		}
		return out, command.ProcessState
	}
	for b.Loop() {
		if err := os.RemoveAll(filepath.Join(dir, "book")); err != nil {
			b.Fatal(err)
		}
		run("init", "--name", "Acme Ltd", "--currency", "GBP", "--country", "GB", "--key-file", filepath.Join(dir, "key"))
		var summary struct{ Lines int }
		var used *os.ProcessState
		d := took(b, func() error {
			var out []byte
			out, used = run("import", "csv", "--map", "../../examples/online-retail.toml", "--json", file)
			return json.Unmarshal(out, &summary)
		})
		b.ReportMetric(float64(summary.Lines)/d.Seconds(), "lines/s")
		memory := used.SysUsage().(*syscall.Rusage).Maxrss >> 10
		report(b, line{
			name: "peak memory of the import of a real file", unit: "MiB", value: float64(memory),
			detail: fmt.Sprintf("%d lines, %.0f a second, lists made as well", summary.Lines, float64(summary.Lines)/d.Seconds()),
		})
	}
}
