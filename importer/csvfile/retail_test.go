package csvfile_test

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/importer"
	"github.com/daybook-ledger/daybook/importer/csvfile"
	"github.com/daybook-ledger/daybook/importer/internal/membook"
	"github.com/daybook-ledger/daybook/testing/effort"
)

// retailFile finds the real file, or skips the test.
func retailFile(t *testing.T) string {
	t.Helper()
	folder := os.Getenv("DAYBOOK_DATA")
	if folder == "" {
		folder = filepath.Join("..", "..", "..", "shared", "data")
	}
	path := filepath.Join(folder, "online-retail-2010-12_2011-05.csv.xz")
	if _, err := os.Stat(path); err != nil {
		t.Skipf("skipped: the real data is not here (DAYBOOK_DATA names its folder): %v", err)
	}
	return path
}

func exampleMap(t *testing.T) *csvfile.Map {
	t.Helper()
	m, err := csvfile.ReadMap(filepath.Join("..", "..", "examples", "online-retail.toml"))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestExampleMapIsValid(t *testing.T) {
	if m := exampleMap(t); m.Currency() != gbp(t) {
		t.Errorf("currency %s", m.Currency())
	}
}

// retail is the known result of the real file.
var retail = importer.Summary{
	Documents: 10_783, Issued: 8_126, Credited: 1_677, Rejected: 980,
	Lines: 209_029, RejectedLines: 985, LinesIssued: 204_261, LinesCredited: 3_783,
	Totals: importer.Totals{IssuedTotal: "4064726.59", CreditedTotal: "357898.95", RejectedTotal: "0.00", Currency: "GBP"},
}

func TestRealFile(t *testing.T) {
	t.Parallel()
	path := retailFile(t)
	book := newBook(t)
	run := func() (importer.Summary, string) {
		source, err := csvfile.Open(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer source.Close()
		var rejects bytes.Buffer
		summary, err := csvfile.Import(context.Background(), source, exampleMap(t), csvfile.Options{
			Options: importer.Options{Book: membook.Ordered{Book: book}, Currency: gbp(t), Rejects: &rejects},
		})
		if err != nil {
			t.Fatal(err)
		}
		if read, size := source.Progress(); read != size {
			t.Errorf("read %d of %d bytes", read, size)
		}
		return summary, rejects.String()
	}

	first, rejects := run()
	if !reflect.DeepEqual(first, retail) {
		t.Errorf("first run:\n got %+v\nwant %+v", first, retail)
	}
	if n := strings.Count(rejects, ",no-value,"); n != 980 || strings.Count(rejects, "\n") != 981 {
		t.Errorf("the rejects file has %d lines, %d of them no-value", strings.Count(rejects, "\n"), n)
	}
	states := len(book.States())
	checkTotals(t, book, "4064726.59", "357898.95")
	checkCountries(t, book)

	if effort.UnderRace {
		return // running twice is tested on small files, and on this one without the detector
	}
	second, again := run()
	want := retail
	want.Issued, want.Credited, want.AlreadyEntered = 0, 0, 9_803
	want.LinesIssued, want.LinesCredited, want.LinesAlreadyEntered = 0, 0, 208_044
	want.IssuedTotal, want.CreditedTotal = "0.00", "0.00"
	if !reflect.DeepEqual(second, want) {
		t.Errorf("second run:\n got %+v\nwant %+v", second, want)
	}
	if again != rejects {
		t.Error("the second run rejects otherwise than the first")
	}
	if n := len(book.States()); n != states {
		t.Errorf("the second run made %d more streams", n-states)
	}
}

// checkTotals sums what the book holds.
func checkTotals(t *testing.T, book *membook.Book, issued, credited string) {
	t.Helper()
	none := money.Zero(gbp(t))
	sums := map[domain.Kind]money.Amount{domain.KindInvoice: none, domain.KindCredit: none}
	for _, s := range documents(book) {
		sum, err := sums[s.kind].Add(s.total)
		if err != nil {
			t.Fatal(err)
		}
		sums[s.kind] = sum
	}
	if got := sums[domain.KindInvoice].String(); got != issued {
		t.Errorf("the book's invoices come to %s, not %s", got, issued)
	}
	if got := sums[domain.KindCredit].String(); got != credited {
		t.Errorf("the book's credit notes come to %s, not %s", got, credited)
	}
}

func TestRealFileInJSON(t *testing.T) {
	text, err := json.Marshal(retail)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"documents":10783,"issued":8126,"credited":1677,"rejected":980,"already_entered":0,` +
		`"lines":209029,"rejected_lines":985,"issued_total":"4064726.59","credited_total":"357898.95",` +
		`"rejected_total":"0.00","currency":"GBP"}`
	if string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
}

// checkCountries holds the example map to its word about the file's countries.
func checkCountries(t *testing.T, book *membook.Book) {
	t.Helper()
	texts, codes := map[string]bool{}, map[string]bool{}
	for _, d := range documents(book) {
		if (d.country == "") == (d.countryAs == "") {
			t.Fatalf("document %s: country %q and text %q", d.reference, d.country, d.countryAs)
		}
		texts[d.countryAs] = true
		codes[d.country] = true
	}
	want := map[string]bool{"": true, "Channel Islands": true, "European Community": true, "Unspecified": true}
	if !maps.Equal(texts, want) {
		t.Errorf("countries without a code: %v", texts)
	}
	if delete(codes, ""); len(codes) != 33 {
		t.Errorf("%d codes: %v", len(codes), codes)
	}
}
