package money_test

import (
	"math"
	"testing"

	"github.com/cockroachdb/apd/v3"
	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/domain/money"
)

func TestExtend(t *testing.T) {
	for _, c := range []struct{ quantity, price, base, code, want string }{
		{"3", "2.55", "1", "GBP", "7.65"},
		// Ties go away from zero, whatever the digit before them.
		{"1", "1.005", "1", "GBP", "1.01"},
		{"1", "2.675", "1", "GBP", "2.68"},
		{"1", "0.125", "1", "GBP", "0.13"},
		{"1", "0.135", "1", "GBP", "0.14"},
		{"-1", "1.005", "1", "GBP", "-1.01"},
		{"-1", "0.005", "1", "GBP", "-0.01"},
		{"0.5", "0.01", "1", "GBP", "0.01"},
		{"1", "0.5", "1", "JPY", "1"},
		{"-1", "0.5", "1", "JPY", "-1"},
		{"1", "1.5", "1", "JPY", "2"},
		{"1", "2.5", "1", "JPY", "3"},
		{"1", "0.0005", "1", "BHD", "0.001"},
		{"1", "0.00005", "1", "CLF", "0.0001"},
		// Just below a tie.
		{"1", "1.004999999999", "1", "GBP", "1.00"},
		{"1", "0.499999999999", "1", "JPY", "0"},
		// Base quantities: 7 of what costs 10 a dozen, 1 of what costs 1 for 3.
		{"7", "10", "12", "GBP", "5.83"},
		{"1", "1", "3", "GBP", "0.33"},
		{"2", "1", "3", "GBP", "0.67"},
		{"1", "0.01", "0.5", "GBP", "0.02"},
		{"1", "1", "-8", "JPY", "0"},
		{"4", "1", "-8", "JPY", "-1"},
		{"0", "5", "1", "GBP", "0.00"},
		{"100000000", "99999999.99", "1", "GBP", "9999999999000000.00"},
		{"500000", "200.005", "1", "GBP", "100002500.00"},
		// A numerator of more than 64 bits.
		{"5000000000", "5000000000", "1000000", "GBP", "25000000000000.00"},
		// Denominators of more than 64 bits.
		{"0.000000000001", "0.000000000001", "1", "JPY", "0"},
		{"9223372.036854775807", "9223372.036854775807", "9223372.036854775807", "GBP", "9223372.04"},
		{"9223372.036854775807", "0.000000000001", "9223372036854775807", "BHD", "0.000"},
		{"0.000008388608", "59604.644775390625", "1", "JPY", "1"}, // exactly 0.5
		{"-0.000008388608", "59604.644775390625", "1", "JPY", "-1"},
		{"0.000008388608", "298023.223876953125", "1", "JPY", "3"}, // exactly 2.5
		{"0.000008388607", "59604.644775390625", "1", "JPY", "0"},
	} {
		got, err := money.Extend(decimal(t, c.quantity), decimal(t, c.price), decimal(t, c.base), parseCurrency(t, c.code), money.HalfUp)
		if err != nil || got.String() != c.want {
			t.Errorf("%s × %s ÷ %s in %s = %s, %v; want %s", c.quantity, c.price, c.base, c.code, got, err, c.want)
		}
	}
}

func TestExtendErrors(t *testing.T) {
	gbp, one, most := parseCurrency(t, "GBP"), decimal(t, "1"), decimal(t, "9223372036854775808")
	_, err := money.Extend(one, one, decimal(t, "0"), gbp, money.HalfUp)
	checkFailure(t, "÷ 0", err, money.ErrDivision, "division-by-zero")

	for _, c := range []struct{ quantity, price, base string }{
		{"9223372036854775807", "9223372036854775807", "1"},
		{"9223372036854775807", "1", "0.000000000001"},
		{"92233720368547758.08", "1", "1"},
		{"61489146912365172.05", "3", "2"},  // half a unit below 2⁶³: fits but for the rounding
		{"11901125208844872.01", "31", "2"}, // half a unit below 2⁶⁴
		{"9223372036854775807", "9223372036854775807", "0.000000000001"},
	} {
		_, err := money.Extend(decimal(t, c.quantity), decimal(t, c.price), decimal(t, c.base), gbp, money.HalfUp)
		checkFailure(t, c.quantity, err, money.ErrOverflow, "amount-overflow")
	}
	half, err := money.Extend(decimal(t, "-61489146912365172.05"), decimal(t, "3"), decimal(t, "2"), gbp, money.HalfUp)
	if err != nil || half != money.New(math.MinInt64, gbp) {
		t.Errorf("half a unit above the least amount = %s, %v", half, err)
	}
	least, err := money.Extend(most.Neg(), one, one, parseCurrency(t, "JPY"), money.HalfUp)
	if err != nil || least.String() != "-9223372036854775808" {
		t.Errorf("the least amount = %s, %v", least, err)
	}
	if _, err := money.Extend(one, one, one, money.Currency{}, money.HalfUp); refusalCode(err) != "unknown-currency" {
		t.Errorf("no currency: %v", err)
	}
	for _, rule := range []money.Rounding{"", "half-even", "HALF-UP"} {
		_, extend := money.Extend(one, one, one, gbp, rule)
		_, percent := money.Percent(money.Zero(gbp), one, rule)
		_, within := money.TaxWithin(money.Zero(gbp), one, rule)
		for _, err := range []error{extend, percent, within} {
			if refusalCode(err) != "unknown-rounding" {
				t.Errorf("rule %q: %v", rule, err)
			}
		}
	}
}

func TestExtendAgreesWithOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		quantity, price, base := decimals.Draw(t, "quantity"), decimals.Draw(t, "price"), decimals.Draw(t, "base")
		c := anyCurrency.Draw(t, "currency")
		if base.IsZero() {
			base = money.IntegerDecimal(1)
		}
		x := new(apd.Decimal)
		if _, err := wide.Mul(x, oracle(t, quantity.String()), oracle(t, price.String())); err != nil {
			t.Fatalf("%v", err)
		}
		if _, err := wide.Quo(x, x, oracle(t, base.String())); err != nil {
			t.Fatalf("%v", err)
		}
		want, fits := quantized(t, x, c.Exponent())
		got, err := money.Extend(quantity, price, base, c, money.HalfUp)
		if (err == nil) != fits || fits && got != money.New(want, c) {
			t.Fatalf("got %s, %v; want %d", got, err, want)
		}
	})
}

func TestPercent(t *testing.T) {
	for _, c := range []struct{ of, code, percent, want string }{
		{"100", "GBP", "20", "20.00"},
		{"0.10", "GBP", "5", "0.01"}, // 0.005
		{"0.50", "GBP", "5", "0.03"}, // 0.025
		{"-0.10", "GBP", "5", "-0.01"},
		{"0.09", "GBP", "5", "0.00"},
		{"10", "JPY", "25", "3"}, // 2.5
		{"10", "JPY", "-5", "-1"},
		{"1.000", "BHD", "0.05", "0.001"}, // 0.0005
		{"19.99", "EUR", "19", "3.80"},
		{"123456789.01", "EUR", "5.5", "6790123.40"},
		{"92233720368547758.07", "GBP", "100", "92233720368547758.07"},
		{"0", "GBP", "9223372036854775808", "0.00"},
	} {
		got, err := money.Percent(amount(t, c.of, c.code), decimal(t, c.percent), money.HalfUp)
		if err != nil || got != amount(t, c.want, c.code) {
			t.Errorf("%s %% of %s %s = %s, %v; want %s", c.percent, c.of, c.code, got, err, c.want)
		}
	}
	_, err := money.Percent(amount(t, "92233720368547758.07", "GBP"), decimal(t, "100.000000000001"), money.HalfUp)
	checkFailure(t, "100.000000000001 %", err, money.ErrOverflow, "amount-overflow")
}

func TestTaxWithin(t *testing.T) {
	for _, c := range []struct{ gross, code, percent, want string }{
		{"120", "GBP", "20", "20.00"},
		{"100", "GBP", "20", "16.67"},
		{"0.03", "GBP", "20", "0.01"}, // 0.005
		{"-0.03", "GBP", "20", "-0.01"},
		{"0.15", "GBP", "20", "0.03"}, // 0.025
		{"3", "JPY", "20", "1"},       // 0.5
		{"11", "JPY", "10", "1"},
		{"999999999.99", "EUR", "19", "159663865.54"},
		{"50", "GBP", "0", "0.00"},
		{"50", "GBP", "-50", "-50.00"},
		{"50", "GBP", "-200", "100.00"},
	} {
		got, err := money.TaxWithin(amount(t, c.gross, c.code), decimal(t, c.percent), money.HalfUp)
		if err != nil || got != amount(t, c.want, c.code) {
			t.Errorf("%s %% within %s %s = %s, %v; want %s", c.percent, c.gross, c.code, got, err, c.want)
		}
	}
	_, err := money.TaxWithin(amount(t, "1", "GBP"), decimal(t, "-100"), money.HalfUp)
	checkFailure(t, "-100 %", err, money.ErrDivision, "division-by-zero")
	_, err = money.TaxWithin(amount(t, "92233720368547758.07", "GBP"), decimal(t, "-99.9"), money.HalfUp)
	checkFailure(t, "-99.9 %", err, money.ErrOverflow, "amount-overflow")
}

func TestPercentagesAgreeWithOracle(t *testing.T) {
	hundred := apd.New(100, 0)
	rapid.Check(t, func(t *rapid.T) {
		of := money.New(minors.Draw(t, "minor"), anyCurrency.Draw(t, "currency"))
		percent := decimals.Draw(t, "percent")
		x, p, divisor := oracle(t, of.String()), oracle(t, percent.String()), new(apd.Decimal)
		if _, err := wide.Mul(x, x, p); err != nil {
			t.Fatalf("%v", err)
		}
		compare := func(what string, divisor *apd.Decimal, got money.Amount, err error) {
			if divisor.IsZero() {
				return
			}
			y := new(apd.Decimal)
			if _, err := wide.Quo(y, x, divisor); err != nil {
				t.Fatalf("%v", err)
			}
			want, fits := quantized(t, y, of.Currency().Exponent())
			if (err == nil) != fits || fits && got != money.New(want, of.Currency()) {
				t.Fatalf("%s: got %s, %v; want %d", what, got, err, want)
			}
		}
		got, err := money.Percent(of, percent, money.HalfUp)
		compare("percent", hundred, got, err)
		if _, err := wide.Add(divisor, hundred, p); err != nil {
			t.Fatalf("%v", err)
		}
		got, err = money.TaxWithin(of, percent, money.HalfUp)
		compare("tax within", divisor, got, err)
	})
}

// Hundreds of thousands of lines pass here.
func TestExtendDoesNotAllocate(t *testing.T) {
	quantity, price, base, gbp := decimal(t, "48"), decimal(t, "2.55"), decimal(t, "1"), parseCurrency(t, "GBP")
	if n := testing.AllocsPerRun(100, func() {
		if _, err := money.Extend(quantity, price, base, gbp, money.HalfUp); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("Extend allocates %v times", n)
	}
}

func BenchmarkExtend(b *testing.B) {
	quantity, price, base := money.IntegerDecimal(48), money.IntegerDecimal(255), money.IntegerDecimal(1)
	gbp, err := money.ParseCurrency("GBP")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := money.Extend(quantity, price, base, gbp, money.HalfUp); err != nil {
			b.Fatal(err)
		}
	}
}
