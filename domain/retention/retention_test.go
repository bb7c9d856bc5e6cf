package retention_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/field"
	"github.com/daybook-ledger/daybook/domain/retention"
)

// The last day is worked out by hand from the wording of each law.
func TestThrough(t *testing.T) {
	for _, c := range []struct {
		country string
		date    domain.Date
		yearEnd time.Month
		last    domain.Date
	}{
		// Six years from the end of the accounting period.
		{"GB", "2026-03-31", time.March, "2032-03-31"},
		{"GB", "2026-04-01", time.March, "2033-03-31"},
		{"GB", "2026-04-01", time.December, "2032-12-31"},
		// "… beginnt mit dem Schluss des Kalenderjahrs, in dem … der Buchungsbeleg
		// entstanden ist": eight years, whatever the business's own year.
		{"DE", "2026-01-01", time.June, "2034-12-31"},
		{"DE", "2026-12-31", time.June, "2034-12-31"},
		// "… till och med det sjunde året efter utgången av det kalenderår då
		// räkenskapsåret avslutades".
		{"SE", "2026-06-30", time.June, "2033-12-31"},
		{"SE", "2026-07-01", time.June, "2034-12-31"},
		// From the date of the document itself, a leap day too.
		{"IT", "2024-02-29", time.December, "2034-02-28"},
		{"IE", "2026-05-05", time.March, "2032-05-05"},
		// February ends a year on its last day, whichever that is.
		{"FR", "2027-03-01", time.February, "2038-02-28"},
		{"NZ", "2016-03-01", time.February, "2024-02-28"},
		// A country without a rule of its own.
		{"BR", "2026-04-01", time.December, "2036-12-31"},
		{"", "2026-04-01", time.December, "2036-12-31"},
	} {
		if last := retention.For(c.country).Through(c.date, c.yearEnd); last != c.last {
			t.Errorf("%s, %s, year to %s: through %s, want %s", c.country, c.date, c.yearEnd, last, c.last)
		}
	}
}

// No rule ends before its own years have passed, or more than two years after.
func TestRules(t *testing.T) {
	rules := retention.Rules()
	if !slices.IsSortedFunc(rules, func(a, b retention.Rule) int { return strings.Compare(a.Country, b.Country) }) {
		t.Error("not sorted")
	}
	for _, r := range rules {
		if !field.IsCountry(r.Country) || r.Law == "" || r.Years < 5 || r.Years > 10 {
			t.Errorf("%+v", r)
		}
		for month := time.January; month <= time.December; month++ {
			for _, date := range []domain.Date{"2026-01-01", "2026-06-15", "2026-12-31", "2028-02-29"} {
				last := r.Through(date, month)
				if last < date.AddYears(r.Years) || last > date.AddYears(r.Years+2) {
					t.Errorf("%s, %s, year to %s: through %s", r.Country, date, month, last)
				}
			}
		}
	}
}
