// Package money is exact arithmetic on amounts of money, quantities and prices.
//
// An Amount is a whole number of a currency's minor units; a Decimal is a
// quantity, a unit price or a percentage. Every product or quotient is formed
// exactly and rounded once, by a rule that is named in the call, so that the
// same figures always give the same cents. Nothing here knows floating point,
// and nothing wraps around: what does not fit is ErrOverflow.
package money

import (
	"errors"

	"github.com/daybook-ledger/daybook/domain"
)

// Errors of arithmetic, for errors.Is. An error that matches one of them also
// holds a *domain.Refusal for errors.As, with the code named here.
var (
	// ErrOverflow means that a result does not fit 64 bits: "amount-overflow".
	ErrOverflow = errors.New("money: overflow")
	// ErrCurrency means that amounts of several currencies, or an amount
	// without one, came together: "mixed-currencies".
	ErrCurrency = errors.New("money: mixed currencies")
	// ErrDivision means a division by zero: "division-by-zero".
	ErrDivision = errors.New("money: division by zero")
)

// failure is an arithmetic error: a sentinel for the program and a refusal for
// whoever gave the figures.
type failure struct {
	kind    error
	refusal *domain.Refusal
}

func (f *failure) Error() string   { return f.kind.Error() + ": " + f.refusal.Message }
func (f *failure) Unwrap() []error { return []error{f.kind, f.refusal} }

func overflow(what string) error {
	return &failure{ErrOverflow, domain.Refuse("amount-overflow", "%s is too large", what)}
}

func division(what string) error {
	return &failure{ErrDivision, domain.Refuse("division-by-zero", "%s divides by zero", what)}
}

func mixed(a, b Currency) error {
	return &failure{ErrCurrency, domain.Refuse("mixed-currencies",
		"amounts in %s and %s cannot be combined", a.name(), b.name())}
}
