package domain

import (
	"time"
)

// Date is a calendar day in ISO 8601 form, "2026-01-31", without a time zone.
// Dates compare as strings do. The empty Date means none.
type Date string

// ParseDate reads a date of the form 2006-01-02, years 0001 to 9999.
func ParseDate(text string) (Date, error) {
	day, err := time.Parse(time.DateOnly, text)
	if err != nil || day.Year() < 1 {
		return "", Refuse("invalid-date", "%.40q is not a date of the form 2026-01-31", text)
	}
	return Date(text), nil
}

// DateOf is the day of an instant in the instant's own location.
func DateOf(t time.Time) Date { return Date(t.Format(time.DateOnly)) }

// Valid reports whether d is a date of the right form.
func (d Date) Valid() bool {
	_, err := ParseDate(string(d))
	return err == nil
}

// Year is the year of a valid date, 0 for an invalid one.
func (d Date) Year() int {
	if !d.Valid() {
		return 0
	}
	return d.time().Year()
}

// AddDays gives the date n days later. It is d itself when d is invalid.
func (d Date) AddDays(n int) Date {
	if !d.Valid() {
		return d
	}
	return DateOf(d.time().AddDate(0, 0, n))
}

// Month is the year and month of a valid date, "2026-01".
func (d Date) Month() string {
	if len(d) < 7 {
		return ""
	}
	return string(d[:7])
}

func (d Date) time() time.Time {
	day, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return time.Time{}
	}
	return day
}

// AddYears gives the same day n years later: 28 February for 29 February where
// that year has none. It is d itself when d is invalid.
func (d Date) AddYears(n int) Date {
	if !d.Valid() {
		return d
	}
	was := d.time()
	day := was.AddDate(n, 0, 0)
	if day.Day() != was.Day() {
		day = day.AddDate(0, 0, -day.Day())
	}
	return DateOf(day)
}

// EndOfYear is the last day of the year that d falls into, where years end with
// the month last. It is d itself when d is invalid.
func (d Date) EndOfYear(last time.Month) Date {
	if !d.Valid() {
		return d
	}
	year, month, _ := d.time().Date()
	if month > last {
		year++
	}
	return DateOf(time.Date(year, last+1, 0, 0, 0, 0, 0, time.UTC))
}
