package ubl_test

import (
	"os"
	"testing"

	"github.com/daybook-ledger/daybook/importer/ubl"
)

// FuzzRead reads whatever it is given: nothing panics, what is refused has a
// code and a message, what agrees is computed as stated, and reading again
// gives the same.
func FuzzRead(f *testing.F) {
	f.Add([]byte(render(f, sale(f))))
	f.Add([]byte(render(f, refund(f))))
	for _, c := range hostile(f) {
		if len(c.file) < 1<<14 {
			f.Add([]byte(c.file))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := ubl.Read("x", data, false).Result
		switch r.Status {
		case ubl.Agrees:
			if r.Code != "" || r.Computed.Due != r.Stated.Due || r.Computed.Line != r.Stated.Line || r.Number == "" || len(r.Differences) != 0 {
				t.Fatalf("%+v", r)
			}
		case ubl.Differs:
			if r.Code == "" || len(r.Differences) == 0 || r.Computed == nil {
				t.Fatalf("%+v", r)
			}
		case ubl.Refused:
			if r.Code == "" || r.Message == "" || r.Code == "failed" {
				t.Fatalf("%+v", r)
			}
		default:
			t.Fatalf("%+v", r)
		}
		if again := ubl.Read("x", data, true).Result; again.Status != r.Status && (r.Status != ubl.Differs || again.Code != ubl.CodeDifferenceTooLarge) {
			t.Fatalf("%+v\nagain %+v", r, again)
		}
	})
}

// TestCutSamples cuts real files: none is read in part.
func TestCutSamples(t *testing.T) {
	for _, path := range samples(t) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{len(data) / 4, len(data) / 2, len(data) - 2} {
			if r := ubl.Read("x", data[:n], false).Result; r.Code != ubl.CodeMalformedXML {
				t.Errorf("%s cut at %d: %s %s", path, n, r.Code, r.Message)
			}
		}
	}
}
