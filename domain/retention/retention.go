// Package retention says how long the law of the land wants a business to keep
// its documents. Until then what stands on them cannot be erased.
//
// The periods are those of the country of the business, for invoices and what
// belongs to them. They are a default: laws change, and a branch of business, a
// tax scheme or a dispute may ask for more. A book may set its own.
package retention

import (
	"time"

	"github.com/daybook-ledger/daybook/domain"
)

// Basis is the day from which a period runs.
type Basis string

// The bases.
const (
	// FromDocument runs from the date of the document.
	FromDocument Basis = "document"
	// FromCalendarYear runs from the end of the calendar year of the document.
	FromCalendarYear Basis = "calendar-year"
	// FromFinancialYear runs from the end of the business's financial year that
	// the document falls into.
	FromFinancialYear Basis = "financial-year"
	// FromYearOfFinancialYear runs from the end of the calendar year in which
	// that financial year ends.
	FromYearOfFinancialYear Basis = "year-of-financial-year"
)

// Rule is how long documents are kept.
type Rule struct {
	// Country is an ISO 3166 alpha-2 code; empty for the rule of all others.
	Country string `json:"country,omitempty"`
	Years   int    `json:"years"`
	Basis   Basis  `json:"basis"`
	// Law names the provision.
	Law string `json:"law,omitempty"`
}

// Otherwise is the rule where no country's is known: the longest that is usual.
var Otherwise = Rule{Years: 10, Basis: FromFinancialYear}

// rules is what the program knows, each with its source.
var rules = []Rule{
	{"AT", 7, FromCalendarYear, "BAO § 132(1); UGB § 212(1)"},
	{"AU", 5, FromDocument, "Taxation Administration Act 1953, Sch. 1, s 382-5"},
	{"BE", 10, FromCalendarYear, "Code de la TVA, art. 60"},
	{"CA", 6, FromYearOfFinancialYear, "Income Tax Act, s 230(4)(b); Excise Tax Act, s 286(3)"},
	{"CH", 10, FromFinancialYear, "OR Art. 958f(1)"},
	{"CZ", 10, FromCalendarYear, "Act 235/2004 Sb., § 35(2)"},
	{"DE", 8, FromCalendarYear, "AO § 147(3), (4); UStG § 14b(1)"},
	{"DK", 5, FromFinancialYear, "Bogføringsloven (Act 700/2022), § 12"},
	{"ES", 6, FromFinancialYear, "Código de Comercio, art. 30"},
	{"FI", 6, FromYearOfFinancialYear, "Kirjanpitolaki 1336/1997, 2:10 §"},
	{"FR", 10, FromFinancialYear, "Code de commerce, art. L123-22"},
	{"GB", 6, FromFinancialYear, "Value Added Tax Act 1994, Sch. 11, para. 6(3); Finance Act 1998, Sch. 18, para. 21"},
	{"IE", 6, FromDocument, "Value-Added Tax Consolidation Act 2010, s 84(3)"},
	{"IT", 10, FromDocument, "Codice civile, art. 2220"},
	{"LU", 10, FromFinancialYear, "Code de commerce, art. 16; Loi TVA, art. 65"},
	{"NL", 7, FromCalendarYear, "Algemene wet inzake rijksbelastingen, art. 52(4)"},
	{"NO", 5, FromFinancialYear, "Bokføringsloven, § 13"},
	{"NZ", 7, FromFinancialYear, "Tax Administration Act 1994, s 22(2); Goods and Services Tax Act 1985, s 75(3)"},
	{"PL", 5, FromCalendarYear, "Ordynacja podatkowa, art. 70 § 1, art. 86; Ustawa o VAT, art. 112"},
	{"PT", 10, FromCalendarYear, "Código do IVA, art. 52.º"},
	{"SE", 7, FromYearOfFinancialYear, "Bokföringslagen (1999:1078), 7 kap. 2 §"},
	{"US", 7, FromFinancialYear, "26 CFR 1.6001-1(e); 26 U.S.C. 6501, 6511(d)"},
	{"XI", 6, FromFinancialYear, "Value Added Tax Act 1994, Sch. 11, para. 6(3)"},
}

// Rules lists the countries' rules, sorted by country.
func Rules() []Rule { return append([]Rule(nil), rules...) }

// For gives the rule of a country, or Otherwise.
func For(country string) Rule {
	for _, r := range rules {
		if r.Country == country {
			return r
		}
	}
	return Otherwise
}

// Through is the last day on which a document of that date must be kept, by a
// business whose financial year ends with the given month, 1 to 12.
func (r Rule) Through(date domain.Date, yearEnd time.Month) domain.Date {
	from := date
	switch r.Basis {
	case FromCalendarYear:
		from = date.EndOfYear(time.December)
	case FromFinancialYear:
		from = date.EndOfYear(yearEnd)
	case FromYearOfFinancialYear:
		from = date.EndOfYear(yearEnd).EndOfYear(time.December)
	}
	return from.AddYears(r.Years)
}
