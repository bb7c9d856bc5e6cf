package importer

import (
	"math/big"

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
	// IssuedTotal, CreditedTotal and RejectedTotal are sums of line amounts,
	// each half-up(quantity × price), in the currency's decimal form: of the
	// documents counted in Issued; of those counted in Credited, as what is
	// credited (above zero); and of all lines counted in RejectedLines, with
	// the source's own sign and zero for an amount that cannot be told.
	IssuedTotal   string `json:"issued_total"`
	CreditedTotal string `json:"credited_total"`
	RejectedTotal string `json:"rejected_total"`
	// Currency is the currency of the totals.
	Currency string `json:"currency"`

	// LinesIssued, LinesCredited and LinesAlreadyEntered divide the other
	// lines: with RejectedLines they are all Lines.
	LinesIssued         int `json:"-"`
	LinesCredited       int `json:"-"`
	LinesAlreadyEntered int `json:"-"`
}

// tally is a Summary in the making. Sums are unbounded: a source of rejected
// nonsense must not end the import.
type tally struct {
	Summary
	currency                   money.Currency
	issued, credited, rejected big.Int
}

func (t *tally) entered(it Item) {
	t.Documents++
	t.Lines += it.Lines.Count()
	minor := big.NewInt(it.Total.Minor())
	if it.Document.Kind == domain.KindCredit {
		t.Credited++
		t.LinesCredited += it.Lines.Count()
		t.credited.Sub(&t.credited, minor)
		return
	}
	t.Issued++
	t.LinesIssued += it.Lines.Count()
	t.issued.Add(&t.issued, minor)
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
	t.rejected.Add(&t.rejected, big.NewInt(it.Total.Minor()))
}

func (t *tally) summary() Summary {
	s := t.Summary
	s.IssuedTotal = decimalText(&t.issued, t.currency.Exponent())
	s.CreditedTotal = decimalText(&t.credited, t.currency.Exponent())
	s.RejectedTotal = decimalText(&t.rejected, t.currency.Exponent())
	s.Currency = t.currency.String()
	return s
}

// decimalText writes minor units as money.Amount does, whatever their size.
func decimalText(minor *big.Int, exponent int) string {
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(exponent)), nil)
	return new(big.Rat).SetFrac(minor, scale).FloatString(exponent)
}
