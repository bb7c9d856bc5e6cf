package csvfile_test

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/importer/internal/membook"
)

// cells are what random files are made of: much of it wrong.
var cells = struct{ numbers, quantities, prices, customers, countries, texts []string }{
	numbers:    []string{"51", "52", "53", "54", "C1", "C2", "A1", "5\xff", ""},
	quantities: []string{"1", "-1", "2", "-3", "0", "0.5", "x", "10"},
	prices:     []string{"1.00", "0.005", "2.125", "0", "1.00", "3.335", "-1", "", "99999999999999"},
	customers:  []string{"1", "1", "1", "2", ""},
	countries:  []string{"EIRE", "EIRE", "United Kingdom", "Atlantis"},
	texts:      []string{"thing", "", `"a ""quoted"", thing"`, "\"two\nlines\"", "bell\a", "caf\xe9"},
}

// randomFile draws a file of up to 60 lines.
func randomFile(t *rapid.T) (file string, lines int) {
	pick := func(name string, from []string) string { return rapid.SampledFrom(from).Draw(t, name) }
	var b strings.Builder
	b.WriteString(header)
	lines = rapid.IntRange(0, 60).Draw(t, "lines")
	for range lines {
		fmt.Fprintf(&b, "%s,A,%s,%s,%s,%s,%s,%s", pick("number", cells.numbers), pick("text", cells.texts),
			pick("quantity", cells.quantities), pick("day", []string{"2011-03-01", "2011-03-01", "2011-03-01", "2011-03-02", "1/3"}),
			pick("price", cells.prices), pick("customer", cells.customers), pick("country", cells.countries))
		b.WriteString(pick("end", []string{"\n", "\r\n", ",extra\n", "\n", "\n"}))
	}
	return b.String(), lines
}

// TestNoLineIsLost enters random files: every line is issued, credited, known
// or rejected, each once, and a second run enters nothing and rejects the same.
func TestNoLineIsLost(t *testing.T) {
	t.Parallel()
	m := parseMap(t, testMap)
	rapid.Check(t, func(rt *rapid.T) {
		file, lines := randomFile(rt)
		book := newBook(t)
		first := enter(t, membook.Ordered{Book: book}, m, file)
		if first.err != nil {
			rt.Fatalf("%v", first.err)
		}
		if first.Lines != lines {
			rt.Fatalf("%d lines of %d", first.Lines, lines)
		}
		rejected := 0
		for _, row := range first.rejects {
			rejected += countLines(rt, row[2])
		}
		if rejected != first.RejectedLines {
			rt.Fatalf("the rejects file has %d lines, the summary %d", rejected, first.RejectedLines)
		}
		inBook := 0
		for _, d := range documents(book) {
			inBook += len(d.content.Lines)
		}
		if inBook != lines-rejected {
			rt.Fatalf("the book has %d lines, and %d of %d were rejected", inBook, rejected, lines)
		}
		second := enter(t, membook.Ordered{Book: book}, m, file)
		if second.err != nil || second.Issued+second.Credited != 0 || second.AlreadyEntered != first.Issued+first.Credited ||
			!slices.EqualFunc(first.rejects, second.rejects, slices.Equal) {
			rt.Fatalf("second run: %+v, first %+v", second, first)
		}
	})
}

// countLines reads the lines of a row of the rejects file.
func countLines(t *rapid.T, text string) int {
	n := 0
	for _, part := range strings.Fields(text) {
		var from, to int
		if _, err := fmt.Sscanf(part, "%d-%d", &from, &to); err != nil {
			to = from
		}
		if from < 2 || to < from {
			t.Fatalf("lines %q", text)
		}
		n += to - from + 1
	}
	return n
}

// TestTotalsAccountForEveryLine sums a random readable file by itself.
func TestTotalsAccountForEveryLine(t *testing.T) {
	t.Parallel()
	m := parseMap(t, testMap)
	rapid.Check(t, func(rt *rapid.T) {
		var b strings.Builder
		b.WriteString(header)
		sum := new(big.Int) // of half-up amounts, in pence
		for range rapid.IntRange(0, 40).Draw(rt, "lines") {
			number := rapid.SampledFrom(cells.numbers[:7]).Draw(rt, "number")
			quantity := rapid.Int64Range(-50, 100).Draw(rt, "quantity")
			mills := rapid.Int64Range(-20, 9_999).Draw(rt, "price") // thousandths
			b.WriteString(row(number, fmt.Sprint(quantity), decimal(mills)))
			product, away := quantity*mills, int64(5)
			if product < 0 {
				away = -5
			}
			sum.Add(sum, big.NewInt((product+away)/10))
		}
		got := enter(t, membook.Ordered{Book: newBook(t)}, m, b.String())
		if got.err != nil {
			rt.Fatal(got.err)
		}
		told := pence(rt, got.IssuedTotal)
		told.Sub(told, pence(rt, got.CreditedTotal)).Add(told, pence(rt, got.RejectedTotal))
		if told.Cmp(sum) != 0 {
			rt.Fatalf("%s − %s + %s is not %s pence", got.IssuedTotal, got.CreditedTotal, got.RejectedTotal, sum)
		}
	})
}

// decimal writes thousandths.
func decimal(mills int64) string {
	sign := ""
	if mills < 0 {
		sign, mills = "-", -mills
	}
	return fmt.Sprintf("%s%d.%03d", sign, mills/1000, mills%1000)
}

func pence(t *rapid.T, text string) *big.Int {
	n, ok := new(big.Int).SetString(strings.Replace(text, ".", "", 1), 10)
	if !ok {
		t.Fatalf("total %q", text)
	}
	return n
}
