// Package field checks single fields of commands: the form of texts, countries
// and ids. Commands that hold a malformed field are refused before anything is
// decided.
//
// Refusals:
//
//	text-too-long      the text has more bytes than the field takes
//	too-many-lines     the address has more than 10 lines
//	invalid-utf8       the text is not valid UTF-8
//	control-character  the text has a character that is no text, such as an escape
//	unknown-country    no country has this ISO 3166 alpha-2 code
//	invalid-id         the id is empty
//	invalid-date       the date is no date of the form 2026-01-31
//	date-in-future     the date is more than 31 days after today
//	reason-missing     a reason is needed
package field

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
)

// The greatest lengths of texts, in bytes.
const (
	// MaxName is that of names, address lines, principals and references.
	MaxName = 500
	// MaxCode is that of codes: units, VAT ids, postcodes, exemption codes.
	MaxCode = 100
	// MaxReason is that of reasons.
	MaxReason = 2000
	// MaxDescription is that of a line's description: 4 KiB.
	MaxDescription = 4 << 10
	// MaxNote is that of notes and terms: 16 KiB.
	MaxNote = 16 << 10
	// MaxAddressLines is the greatest number of lines of an address.
	MaxAddressLines = 10
)

// Line checks a text of one line; name is the field's for the message.
func Line(name, text string, limit int) error {
	return check(name, text, limit, "")
}

// Block checks a text that may have line breaks and tabs.
func Block(name, text string, limit int) error {
	return check(name, text, limit, "\n\r\t")
}

func check(name, text string, limit int, allowed string) error {
	if len(text) > limit {
		return domain.Refuse("text-too-long", "the %s has %d bytes, more than %d", name, len(text), limit)
	}
	if !utf8.ValidString(text) {
		return domain.Refuse("invalid-utf8", "the %s is not valid UTF-8", name).
			WithHint("convert the text to UTF-8 first")
	}
	for _, r := range text {
		if unicode.IsControl(r) && !strings.ContainsRune(allowed, r) {
			return domain.Refuse("control-character", "the %s has the control character %U", name, r)
		}
	}
	return nil
}

// Address checks the lines of an address.
func Address(lines []string) error {
	if len(lines) > MaxAddressLines {
		return domain.Refuse("too-many-lines", "the address has %d lines, more than %d", len(lines), MaxAddressLines)
	}
	for _, line := range lines {
		if err := Line("address", line, MaxName); err != nil {
			return err
		}
	}
	return nil
}

// Named is a text of one line and its name for a message.
type Named struct {
	Name, Text string
	// Limit is in bytes.
	Limit int
}

// Lines checks several texts of one line.
func Lines(texts ...Named) error {
	for _, t := range texts {
		if err := Line(t.Name, t.Text, t.Limit); err != nil {
			return err
		}
	}
	return nil
}

// Blank reports whether the text has nothing to read.
func Blank(text string) bool { return strings.TrimSpace(text) == "" }

// ID checks that the id of what (such as "invoice") is given.
func ID(what string, id uuid.UUID) error {
	if id == uuid.Nil {
		return domain.Refuse("invalid-id", "the id of the %s is empty", what)
	}
	return nil
}

// Date checks a date that must be given.
func Date(name string, d domain.Date) error {
	if !d.Valid() {
		return domain.Refuse("invalid-date", "the %s %.40q is not a date of the form 2026-01-31", name, string(d))
	}
	return nil
}

// OptionalDate checks a date that may be empty.
func OptionalDate(name string, d domain.Date) error {
	if d == "" {
		return nil
	}
	return Date(name, d)
}

// Country checks a country code; empty where it is not known.
func Country(code string) error {
	if code == "" || IsCountry(code) {
		return nil
	}
	return domain.Refuse("unknown-country", "no country has the code %.20q", code).
		WithHint("use a code of two capital letters of ISO 3166, such as GB")
}

// MaxAhead is how many days after today a date may lie.
const MaxAhead = 31

// NotAhead checks a date that must be given and not lie far ahead of the moment.
func NotAhead(name string, d domain.Date, m domain.Moment) error {
	if err := Date(name, d); err != nil {
		return err
	}
	if latest := domain.DateOf(m.Recorded).AddDays(MaxAhead); d > latest {
		return domain.Refuse("date-in-future", "the %s %s is more than %d days ahead", name, d, MaxAhead).
			WithHint("give a date up to %s", latest)
	}
	return nil
}

// Reason checks a reason that must be given, of what, such as "reversal".
func Reason(what, text string) error {
	if Blank(text) {
		return domain.Refuse("reason-missing", "the %s needs a reason", what).WithHint("say why: it is kept for ever")
	}
	return Block("reason", text, MaxReason)
}
