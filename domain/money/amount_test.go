package money_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/domain/money"
)

func TestParseAmount(t *testing.T) {
	for _, c := range []struct {
		text, code string
		minor      int64
		shown      string
	}{
		{"1234.50", "GBP", 123450, "1234.50"},
		{"1234.5", "GBP", 123450, "1234.50"},
		{"-0.05", "GBP", -5, "-0.05"},
		{"-0", "GBP", 0, "0.00"},
		{"1.5000", "GBP", 150, "1.50"},
		{"500", "JPY", 500, "500"},
		{"500.0", "JPY", 500, "500"},
		{"1.234", "BHD", 1234, "1.234"},
		{"0.0001", "CLF", 1, "0.0001"},
		{"92233720368547758.07", "GBP", math.MaxInt64, "92233720368547758.07"},
		{"-92233720368547758.08", "GBP", math.MinInt64, "-92233720368547758.08"},
	} {
		a, err := money.ParseAmount(c.text, parseCurrency(t, c.code))
		if err != nil || a.Minor() != c.minor || a.String() != c.shown || a.Currency().String() != c.code {
			t.Errorf("ParseAmount(%q, %s) = %d %s, %v", c.text, c.code, a.Minor(), a, err)
		}
	}
}

func TestParseAmountRefuses(t *testing.T) {
	for _, c := range []struct{ text, code, want string }{
		{"1.005", "GBP", "invalid-amount"},
		{"0.5", "JPY", "invalid-amount"},
		{"1.2345", "BHD", "invalid-amount"},
		{"", "GBP", "invalid-amount"},
		{"£1", "GBP", "invalid-amount"},
		{"1,000.00", "GBP", "invalid-amount"},
		{"92233720368547758.08", "GBP", "amount-overflow"},
		{"-92233720368547758.09", "GBP", "amount-overflow"},
		{"9223372036854775808", "JPY", "amount-overflow"},
		{"18446744073709551617", "JPY", "amount-overflow"},
		{"184467440737095517", "GBP", "amount-overflow"},
	} {
		a, err := money.ParseAmount(c.text, parseCurrency(t, c.code))
		if refusalCode(err) != c.want || a != (money.Amount{}) {
			t.Errorf("ParseAmount(%q, %s) = %s, %v; want %s", c.text, c.code, a, err, c.want)
		}
	}
	if _, err := money.ParseAmount("1", money.Currency{}); refusalCode(err) != "unknown-currency" {
		t.Errorf("an amount in no currency: %v", err)
	}
}

func TestAmountErrors(t *testing.T) {
	gbp := parseCurrency(t, "GBP")
	most, least, one := money.New(math.MaxInt64, gbp), money.New(math.MinInt64, gbp), money.New(1, gbp)
	euro, bare := amount(t, "1", "EUR"), money.New(1, money.Currency{})
	overflowing := map[string]error{}
	_, overflowing["most + one"] = most.Add(one)
	_, overflowing["least + least"] = least.Add(least)
	_, overflowing["least - one"] = least.Sub(one)
	_, overflowing["zero - least"] = money.Zero(gbp).Sub(least)
	_, overflowing["most - -one"] = most.Sub(money.New(-1, gbp))
	_, overflowing["-least"] = least.Neg()
	_, overflowing["sum"] = money.Sum(gbp, most, most, most, one)
	for what, err := range overflowing {
		checkFailure(t, what, err, money.ErrOverflow, "amount-overflow")
	}
	mixing := map[string]error{}
	_, mixing["add"] = one.Add(euro)
	_, mixing["sub"] = one.Sub(euro)
	_, mixing["cmp"] = one.Cmp(euro)
	_, mixing["zero of another"] = one.Add(money.Zero(euro.Currency()))
	_, mixing["bare"] = one.Add(bare)
	_, mixing["bare and bare"] = bare.Add(bare)
	_, mixing["bare and nothing"] = bare.Add(money.Amount{})
	_, mixing["sum"] = money.Sum(gbp, one, euro)
	_, mixing["sum in none"] = money.Sum(money.Currency{}, one)
	for what, err := range mixing {
		checkFailure(t, what, err, money.ErrCurrency, "mixed-currencies")
	}
}

func TestZeroAmountGoesWithEveryCurrency(t *testing.T) {
	one := amount(t, "1", "GBP")
	var none money.Amount
	if sum, err := none.Add(one); err != nil || sum != one {
		t.Errorf("0 + 1 = %s, %v", sum, err)
	}
	if sum, err := one.Add(none); err != nil || sum != one {
		t.Errorf("1 + 0 = %s, %v", sum, err)
	}
	if difference, err := none.Sub(one); err != nil || difference != amount(t, "-1", "GBP") {
		t.Errorf("0 - 1 = %s, %v", difference, err)
	}
	if order, err := one.Cmp(none); err != nil || order != 1 {
		t.Errorf("1 against 0: %d, %v", order, err)
	}
	if sum, err := none.Add(none); err != nil || sum != none {
		t.Errorf("0 + 0 = %s, %v", sum, err)
	}
	if sum, err := money.Sum(one.Currency()); err != nil || sum != money.Zero(one.Currency()) {
		t.Errorf("the sum of none = %v, %v", sum, err)
	}
}

// A sum fits when the whole does, whatever stood in between.
func TestSumDoesNotDependOnOrder(t *testing.T) {
	gbp := parseCurrency(t, "GBP")
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOf(minors).Draw(t, "values")
		amounts := make([]money.Amount, len(values))
		total := oracle(t, "0")
		for i, v := range values {
			amounts[i] = money.New(v, gbp)
			if _, err := wide.Add(total, total, oracle(t, money.IntegerDecimal(v).String())); err != nil {
				t.Fatalf("%v", err)
			}
		}
		want, fits := quantized(t, total, 0)
		got, err := money.Sum(gbp, amounts...)
		if (err == nil) != fits || fits && got.Minor() != want {
			t.Fatalf("sum of %v = %d, %v; want %d", values, got.Minor(), err, want)
		}
	})
}

func TestAmountArithmetic(t *testing.T) {
	gbp := parseCurrency(t, "GBP")
	rapid.Check(t, func(t *rapid.T) {
		a, b := money.New(minors.Draw(t, "a"), gbp), money.New(minors.Draw(t, "b"), gbp)
		sum, err := a.Add(b)
		again, sumErr := money.Sum(gbp, a, b)
		if (err == nil) != (sumErr == nil) || err == nil && sum != again {
			t.Fatalf("%s + %s = %s, %v; Sum says %s, %v", a, b, sum, err, again, sumErr)
		}
		if err == nil {
			if back, err := sum.Sub(b); err != nil || back != a {
				t.Fatalf("%s + %s - %s = %s, %v", a, b, b, back, err)
			}
		}
		if negative, err := b.Neg(); err == nil {
			difference, err := a.Sub(b)
			other, otherErr := a.Add(negative)
			if (err == nil) != (otherErr == nil) || difference != other {
				t.Fatalf("%s - %s = %s, %v; by Neg %s, %v", a, b, difference, err, other, otherErr)
			}
		}
	})
}

func TestAmountText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := money.New(minors.Draw(t, "minor"), anyCurrency.Draw(t, "currency"))
		back, err := money.ParseAmount(a.String(), a.Currency())
		if err != nil || back != a {
			t.Fatalf("%s came back as %s, %v", a, back, err)
		}
	})
}

func FuzzParseAmount(f *testing.F) {
	f.Add("1234.50", "GBP")
	f.Add("-92233720368547758.08", "GBP")
	f.Add("5", "JPY")
	f.Add("0.00001", "CLF")
	f.Add("18446744073709551616", "BHD")
	f.Fuzz(func(t *testing.T, text, code string) {
		c, err := money.ParseCurrency(code)
		if err != nil {
			return
		}
		a, err := money.ParseAmount(text, c)
		if err != nil {
			if got := refusalCode(err); got != "invalid-amount" && got != "amount-overflow" {
				t.Fatalf("%v", err)
			}
			return
		}
		if oracle(t, text).Cmp(oracle(t, a.String())) != 0 {
			t.Fatalf("%q became %s", text, a)
		}
	})
}
