package field_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/field"
)

func code(err error) string {
	refusal := (*domain.Refusal)(nil)
	if errors.As(err, &refusal) {
		return refusal.Code
	}
	return ""
}

func TestTexts(t *testing.T) {
	for _, c := range []struct{ text, line, block string }{
		{"", "", ""},
		{"naïve £5 日本", "", ""},
		{"12345678901234567890", "", ""},
		{"123456789012345678901", "text-too-long", "text-too-long"},
		{"two\nlines\r\n\tok", "control-character", ""},
		{"bell\a", "control-character", "control-character"},
		{"escape\x1b[2J", "control-character", "control-character"},
		{"nul\x00", "control-character", "control-character"},
		{"c1\u0085", "control-character", "control-character"},
		{"half \xe2\x82", "invalid-utf8", "invalid-utf8"},
	} {
		if got := code(field.Line("text", c.text, 20)); got != c.line {
			t.Errorf("Line(%q): %q, want %q", c.text, got, c.line)
		}
		if got := code(field.Block("text", c.text, 20)); got != c.block {
			t.Errorf("Block(%q): %q, want %q", c.text, got, c.block)
		}
	}
}

// TestLongTextIsNotScanned holds the order: length before content, so that five
// megabytes of rubbish cost nothing.
func TestLongTextIsNotScanned(t *testing.T) {
	if got := code(field.Block("note", strings.Repeat("\xff", 5<<20), field.MaxNote)); got != "text-too-long" {
		t.Errorf("code %q", got)
	}
}

func TestIsCountry(t *testing.T) {
	for _, known := range []string{"GB", "DE", "AD", "ZW", "XI", "XK", "US"} {
		if !field.IsCountry(known) {
			t.Errorf("%s is not known", known)
		}
	}
	for _, unknown := range []string{"", "UK", "gb", "G", "GBR", " G", "B ", "B D", "ZZ"} {
		if field.IsCountry(unknown) {
			t.Errorf("%q is known", unknown)
		}
	}
}
