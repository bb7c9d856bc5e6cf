package csvfile_test

import (
	"strings"
	"testing"

	"github.com/daybook-ledger/daybook/importer/csvfile"
	"github.com/daybook-ledger/daybook/importer/internal/membook"
)

// FuzzImport enters whatever it is given: every error has a code, every line is
// accounted for, and a second run enters nothing.
func FuzzImport(f *testing.F) {
	f.Add(header + row("51", "2", "1.50") + row("C1", "-1", "0.005") + row("51", "1", "0"))
	f.Add(header + row("A1", "1", "1") + row("51", "x", "-1") + ",,,,,,,\n" + "51\n" + row("5\xff", "1", "1"))
	f.Add("\uFEFF" + strings.ReplaceAll(header+row("51", "1", "1"), "\n", "\r\n") + "\"")
	f.Add(strings.Repeat(header, 3))
	f.Add("\xfd7zXZ\x00")
	f.Add("\x1f\x8b\x08")
	f.Add("\x1f\x8b\b\x00\x00\x00 \xfa\x9a\xd5")
	f.Add("\x28\xb5\x2f\xfd")
	f.Fuzz(func(t *testing.T, file string) {
		book, m := newBook(t), parseMap(t, testMap)
		first := enter(t, membook.Ordered{Book: book}, m, file)
		if first.err != nil {
			switch codeOf(first.err) {
			case csvfile.CodeBadHeader, csvfile.CodeMalformedCSV, csvfile.CodeDamagedFile, csvfile.CodeUnsupportedEncoding:
			default:
				t.Fatalf("error %v", first.err)
			}
			return
		}
		second := enter(t, membook.Ordered{Book: book}, m, file)
		if second.err != nil || second.Issued+second.Credited != 0 || second.Lines != first.Lines ||
			second.AlreadyEntered != first.Issued+first.Credited || second.codes() != first.codes() {
			t.Fatalf("second run: %+v %q\nfirst: %+v %q", second.Summary, second.codes(), first.Summary, first.codes())
		}
	})
}
