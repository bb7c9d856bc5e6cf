package money_test

import (
	"errors"
	"testing"

	"github.com/cockroachdb/apd/v3"
	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/money"
)

// fataler is what *testing.T and *rapid.T have in common here.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func parseCurrency(t fataler, code string) money.Currency {
	t.Helper()
	c, err := money.ParseCurrency(code)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return c
}

func decimal(t fataler, text string) money.Decimal {
	t.Helper()
	d, err := money.ParseDecimal(text)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return d
}

func amount(t fataler, text, code string) money.Amount {
	t.Helper()
	a, err := money.ParseAmount(text, parseCurrency(t, code))
	if err != nil {
		t.Fatalf("%v", err)
	}
	return a
}

// refusalCode is the code of the refusal in an error, "" if there is none.
func refusalCode(err error) string {
	var refusal *domain.Refusal
	if errors.As(err, &refusal) {
		return refusal.Code
	}
	return ""
}

// checkFailure checks both faces of an arithmetic error.
func checkFailure(t *testing.T, what string, err, kind error, code string) {
	t.Helper()
	if !errors.Is(err, kind) || refusalCode(err) != code {
		t.Errorf("%s: got %v, want %v with code %s", what, err, kind, code)
	}
}

var (
	anyCurrency = rapid.SampledFrom(money.Currencies())
	// minors are small, large and extreme numbers of minor units.
	minors = rapid.OneOf(rapid.Int64Range(-200, 200), rapid.Int64Range(-1e12, 1e12), rapid.Int64())
	// decimals are of all scales and sizes, with many ties among the small.
	decimals = rapid.Custom(func(t *rapid.T) money.Decimal {
		coefficient := rapid.OneOf(
			rapid.Int64Range(-50, 50), rapid.Int64Range(-1e6, 1e6), rapid.Int64(),
		).Draw(t, "coefficient")
		d, err := money.NewDecimal(coefficient, rapid.Uint8Range(0, money.MaxScale).Draw(t, "scale"))
		if err != nil {
			t.Fatalf("%v", err)
		}
		return d
	})
)

// wide is the oracle's arithmetic: far more digits than any exact result has or
// any tie needs, and ties away from zero.
var wide = apd.Context{
	Precision: 300, MaxExponent: 1000, MinExponent: -1000, Rounding: apd.RoundHalfUp,
}

func oracle(t fataler, text string) *apd.Decimal {
	t.Helper()
	d, _, err := apd.NewFromString(text)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return d
}

// quantized rounds the oracle's number to minor units and says whether they fit.
func quantized(t fataler, x *apd.Decimal, exponent int) (int64, bool) {
	t.Helper()
	x.Exponent += int32(exponent)
	rounded := new(apd.Decimal)
	if _, err := wide.Quantize(rounded, x, 0); err != nil {
		t.Fatalf("%v", err)
	}
	minor, err := rounded.Int64()
	return minor, err == nil
}
