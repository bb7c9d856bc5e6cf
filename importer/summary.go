package importer

import (
	"math/big"
	"slices"
	"strings"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/money"
)

// Summary says what one run of an import did. Its JSON form is stable. After a
// run to the end
//
//	documents = issued + credited + rejected + already_entered
//
// and on a first run, where nothing was entered before, the totals account for
// every line of the source:
//
//	sum of all line amounts = issued_total − credited_total + rejected_total
//
// in each currency.
type Summary struct {
	// Documents is how many documents the source holds: those below.
	Documents int `json:"documents"`
	// Issued and Credited count the invoices and credit notes that this run
	// entered; Rejected counts the documents that were rejected whole, and
	// AlreadyEntered those that an earlier run had entered with this content.
	Issued         int `json:"issued"`
	Credited       int `json:"credited"`
	Rejected       int `json:"rejected"`
	AlreadyEntered int `json:"already_entered"`
	// Lines counts all data lines, and RejectedLines those that are in the
	// rejects file: of documents rejected whole, and lines rejected alone,
	// which count as no document.
	Lines         int `json:"lines"`
	RejectedLines int `json:"rejected_lines"`
	// Totals are those in the book's currency.
	Totals
	// Currencies are the totals in every other currency that the source has, in
	// the order of their codes.
	Currencies []Totals `json:"currencies,omitempty"`

	// LinesIssued, LinesCredited and LinesAlreadyEntered divide the other
	// lines: with RejectedLines they are all Lines.
	LinesIssued         int `json:"-"`
	LinesCredited       int `json:"-"`
	LinesAlreadyEntered int `json:"-"`
}

// Totals are sums of line amounts in one currency, each half-up(quantity × price),
// in the currency's decimal form.
type Totals struct {
	// IssuedTotal is of the documents counted in Issued; CreditedTotal of those
	// counted in Credited, as what is credited (above zero); RejectedTotal of all
	// lines counted in RejectedLines, with the source's own sign and zero for an
	// amount that cannot be told.
	IssuedTotal   string `json:"issued_total"`
	CreditedTotal string `json:"credited_total"`
	RejectedTotal string `json:"rejected_total"`
	Currency      string `json:"currency"`
}

// tally is a Summary in the making. Sums are unbounded: a source of rejected
// nonsense must not end the import.
type tally struct {
	Summary
	book money.Currency
	sums map[money.Currency]*sums
}

// sums are in minor units.
type sums struct{ issued, credited, rejected big.Int }

func (t *tally) of(total money.Amount) *sums {
	currency := total.Currency()
	if currency.IsZero() {
		currency = t.book
	}
	if t.sums == nil {
		t.sums = map[money.Currency]*sums{}
	}
	if t.sums[currency] == nil {
		t.sums[currency] = &sums{}
	}
	return t.sums[currency]
}

func (t *tally) entered(it Item) {
	t.Documents++
	t.Lines += it.Lines.Count()
	sums, minor := t.of(it.Total), big.NewInt(it.Total.Minor())
	if it.Document.Kind == domain.KindCredit {
		t.Credited++
		t.LinesCredited += it.Lines.Count()
		sums.credited.Sub(&sums.credited, minor)
		return
	}
	t.Issued++
	t.LinesIssued += it.Lines.Count()
	sums.issued.Add(&sums.issued, minor)
}

func (t *tally) already(it Item) {
	t.Documents++
	t.AlreadyEntered++
	t.Lines += it.Lines.Count()
	t.LinesAlreadyEntered += it.Lines.Count()
}

func (t *tally) reject(it Item, alone bool) {
	if !alone {
		t.Documents++
		t.Rejected++
	}
	t.Lines += it.Lines.Count()
	t.RejectedLines += it.Lines.Count()
	sums := t.of(it.Total)
	sums.rejected.Add(&sums.rejected, big.NewInt(it.Total.Minor()))
}

func (t *tally) summary() Summary {
	s := t.Summary
	s.Totals = t.of(money.Zero(t.book)).totals(t.book)
	for currency, sums := range t.sums {
		if currency != t.book {
			s.Currencies = append(s.Currencies, sums.totals(currency))
		}
	}
	slices.SortFunc(s.Currencies, func(a, b Totals) int { return strings.Compare(a.Currency, b.Currency) })
	return s
}

func (s *sums) totals(c money.Currency) Totals {
	return Totals{
		IssuedTotal:   decimalText(&s.issued, c.Exponent()),
		CreditedTotal: decimalText(&s.credited, c.Exponent()),
		RejectedTotal: decimalText(&s.rejected, c.Exponent()),
		Currency:      c.String(),
	}
}

// decimalText writes minor units as money.Amount does, whatever their size.
func decimalText(minor *big.Int, exponent int) string {
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(exponent)), nil)
	return new(big.Rat).SetFrac(minor, scale).FloatString(exponent)
}
