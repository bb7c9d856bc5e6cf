package domain_test

import (
	"testing"
	"time"

	"github.com/daybook-ledger/daybook/domain"
)

func TestParseDate(t *testing.T) {
	for _, text := range []string{"2026-01-31", "2024-02-29", "0001-01-01", "9999-12-31"} {
		if d, err := domain.ParseDate(text); err != nil || string(d) != text || !d.Valid() {
			t.Errorf("ParseDate(%q) = %q, %v", text, d, err)
		}
	}
	for _, text := range []string{
		"", "2026-02-29", "2026-1-31", "2026-01-32", "0000-01-01", "10000-01-01", "2026-01-31 ", "20260131",
		"2026-01-31T00:00:00Z", "-001-01-01",
	} {
		if d, err := domain.ParseDate(text); err == nil || domain.Date(text).Valid() {
			t.Errorf("ParseDate(%q) = %q", text, d)
		}
	}
}

func TestDateArithmetic(t *testing.T) {
	for _, c := range []struct {
		date domain.Date
		days int
		want domain.Date
	}{
		{"2026-01-31", 1, "2026-02-01"},
		{"2024-02-28", 1, "2024-02-29"},
		{"2026-03-01", -1, "2026-02-28"},
		{"2026-03-29", 1, "2026-03-30"}, // clocks change in Europe
		{"nonsense", 1, "nonsense"},
	} {
		if got := c.date.AddDays(c.days); got != c.want {
			t.Errorf("%s + %d = %s, want %s", c.date, c.days, got, c.want)
		}
	}
	if got := domain.Date("9999-12-31").AddDays(1); got.Valid() {
		t.Errorf("%q is valid", got)
	}
	if d := domain.Date("2026-07-04"); d.Year() != 2026 || d.Month() != "2026-07" {
		t.Errorf("%d, %s", d.Year(), d.Month())
	}
	if d := domain.Date("x"); d.Year() != 0 || d.Month() != "" {
		t.Errorf("%d, %q", d.Year(), d.Month())
	}
}

// TestDateOf takes the day of the place, not of Greenwich.
func TestDateOf(t *testing.T) {
	instant := time.Date(2026, 1, 31, 23, 30, 0, 0, time.UTC)
	if got := domain.DateOf(instant); got != "2026-01-31" {
		t.Errorf("in UTC %s", got)
	}
	if got := domain.DateOf(instant.In(time.FixedZone("", 3600))); got != "2026-02-01" {
		t.Errorf("an hour east %s", got)
	}
}

func FuzzParseDate(f *testing.F) {
	for _, seed := range []string{"2026-01-31", "2024-02-29", "2023-02-29", "0001-01-01", "9999-12-31", "0000-01-01", "2026-1-1", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := domain.ParseDate(text)
		if err != nil {
			return
		}
		if string(d) != text || len(d) != len("2026-01-31") || d.Year() < 1 || d.AddDays(0) != d {
			t.Errorf("%q was read as %s, of the year %d", text, d, d.Year())
		}
		if next := d.AddDays(1); d < "9999-12-31" && (next <= d || next.AddDays(-1) != d) {
			t.Errorf("the day after %s is %s, and before that %s", d, next, next.AddDays(-1))
		}
	})
}
