// Package exchange values amounts of other currencies in the book's.
//
// A document or payment in another currency carries a rate: what one unit of the
// currency is worth in the book's, who says so, and of which day. Every amount of
// it stands in the accounts with what it is worth. Worth is converted once, when
// an amount comes into the book, and from then on goes where the amount goes: a
// part of an amount takes the same part of its worth, and the last part all that
// is left. So where nothing is open, nothing of its worth is left either.
//
// Refusals, besides those of package field:
//
//	unknown-currency       the document has no currency
//	rate-missing           the document is in another currency than the book's, and has no rate
//	rate-unexpected        the document is in the book's currency, and has a rate; or a
//	                       credit note has another rate than its invoice
//	invalid-exchange-rate  the rate is zero or below
//	rate-source-missing    the rate does not say where it is from
//	amount-overflow        an amount is worth more than 10^15 minor units
package exchange

import (
	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/field"
	"github.com/daybook-ledger/daybook/domain/money"
)

// MaxWorth is the greatest worth of an amount, in minor units of the book's
// currency. It leaves room to sum thousands in 64 bits.
const MaxWorth = 1_000_000_000_000_000

// Rate is what one unit of a currency is worth in the book's. The zero Rate is
// that of the book's own currency.
type Rate struct {
	Rate money.Decimal `json:"rate"`
	// Source says where the rate is from, such as "ECB".
	Source string `json:"source"`
	// Date is the day whose rate it is; empty in a command means the document's.
	Date domain.Date `json:"date,omitempty"`
}

// IsZero reports whether r is no rate.
func (r Rate) IsZero() bool { return r == Rate{} }

// Validate checks the form of a rate, which may be none.
func (r Rate) Validate() error {
	if r.IsZero() {
		return nil
	}
	if r.Rate.Sign() <= 0 {
		return domain.Refuse("invalid-exchange-rate", "%s is not what one unit of a currency is worth", r.Rate).
			WithHint("give the book's currency for one unit of the document's, such as 0.8567")
	}
	if field.Blank(r.Source) {
		return domain.Refuse("rate-source-missing", "the rate %s does not say where it is from", r.Rate).
			WithHint("name its source, such as ECB")
	}
	if err := field.Line("source of the rate", r.Source, field.MaxName); err != nil {
		return err
	}
	return field.OptionalDate("date of the rate", r.Date)
}

// Check refuses a rate for the book's own currency, and none for another.
func (r Rate) Check(document, book money.Currency) error {
	if document == book || document.IsZero() {
		return r.CheckDraft(document, book)
	}
	if r.IsZero() {
		return domain.Refuse("rate-missing", "the amounts are in %s, and the book is kept in %s", document, book).
			WithHint("give the rate, %s for one %s, and its source", book, document)
	}
	return nil
}

// CheckDraft is Check for what may still get its rate.
func (r Rate) CheckDraft(document, book money.Currency) error {
	switch {
	case document.IsZero():
		return domain.Refuse("unknown-currency", "the document needs a currency")
	case document == book && !r.IsZero():
		return domain.Refuse("rate-unexpected", "the amounts are in %s, the book's own currency, and need no rate", book).
			WithHint("leave the rate out, or name the currency of the amounts")
	}
	return nil
}

// On gives the rate with the day of the document, where it names none itself.
func (r Rate) On(date domain.Date) Rate {
	if !r.IsZero() && r.Date == "" {
		r.Date = date
	}
	return r
}

// Value gives an amount with what it is worth in the book's currency: rounded
// once, half-up. amount-overflow.
func (r Rate) Value(amount money.Amount, book money.Currency) (Worth, error) {
	if r.IsZero() {
		return Worth{amount, amount}, nil
	}
	units, err := decimal(amount)
	if err != nil {
		return Worth{}, err
	}
	base, err := money.Extend(units, r.Rate, money.IntegerDecimal(1), book, money.HalfUp)
	if err != nil {
		return Worth{}, err
	}
	if base.Minor() > MaxWorth || base.Minor() < -MaxWorth {
		return Worth{}, domain.Refuse("amount-overflow", "%s %s are worth %s %s, more than a book can hold",
			amount, amount.Currency(), base, book)
	}
	return Worth{amount, base}, nil
}

// Revalue gives what an amount is worth more at the rate than it was so far; below
// zero where it is worth less.
func (r Rate) Revalue(w Worth, book money.Currency) (money.Amount, error) {
	now, err := r.Value(w.Amount, book)
	if err != nil {
		return money.Amount{}, err
	}
	return now.Base.Sub(w.Base)
}

// decimal is an amount in units of its currency.
func decimal(a money.Amount) (money.Decimal, error) {
	return money.NewDecimal(a.Minor(), uint8(a.Currency().Exponent()))
}
