package money_test

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/domain/money"
)

func TestParseDecimal(t *testing.T) {
	for text, want := range map[string]string{
		"0": "0", "-0": "0", "0.000": "0", "00": "0", "2.55": "2.55", "2.550": "2.55", "007.10": "7.1",
		"-0.5": "-0.5", "100": "100", "0.000000000001": "0.000000000001", "1.0000000000000000": "1",
		"9223372036854775808": "9223372036854775808", "-9223372036854775808": "-9223372036854775808",
		"9223372.036854775808":                           "9223372.036854775808",
		strings.Repeat("0", 40) + "1.5":                  "1.5",
		"9223372036854775807." + strings.Repeat("0", 30): "9223372036854775807",
	} {
		d, err := money.ParseDecimal(text)
		if err != nil || d.String() != want {
			t.Errorf("ParseDecimal(%q) = %s, %v; want %s", text, d, err, want)
		}
	}
}

func TestParseDecimalRefuses(t *testing.T) {
	for _, text := range []string{
		"", "-", ".", "-.", "1.", ".5", "+1", "1e3", "1E3", " 1", "1 ", "1,5", "1_000", "--1", "1.2.3",
		"0x10", "NaN", "Inf", "١", "1\x00", "0.0000000000001", "9223372036854775809",
		"18446744073709551616", "18446744073709551617", "99999999999999999999", "92233720368547758.081",
		strings.Repeat("1", 5_000_000), strings.Repeat("0", 65),
	} {
		d, err := money.ParseDecimal(text)
		if refusalCode(err) != "invalid-decimal" || !d.IsZero() {
			t.Errorf("ParseDecimal(%.40q) = %s, %v", text, d, err)
		}
		if err != nil && len(err.Error()) > 300 {
			t.Errorf("ParseDecimal of %d bytes echoes %d bytes", len(text), len(err.Error()))
		}
	}
}

func TestDecimalIsCanonical(t *testing.T) {
	d, err := money.NewDecimal(2500, 3)
	if err != nil || d != decimal(t, "2.5") {
		t.Errorf("2500 at scale 3 = %s, %v", d, err)
	}
	if d, err := money.NewDecimal(100, 14); err != nil || d != decimal(t, "0.000000000001") {
		t.Errorf("100 at scale 14 = %s, %v", d, err)
	}
	if d, err := money.NewDecimal(0, 255); err != nil || d != (money.Decimal{}) {
		t.Errorf("0 at scale 255 = %s, %v", d, err)
	}
	for _, scale := range []uint8{13, 255} {
		if d, err := money.NewDecimal(1, scale); refusalCode(err) != "invalid-decimal" {
			t.Errorf("1 at scale %d = %s, %v", scale, d, err)
		}
	}
	least := money.IntegerDecimal(math.MinInt64)
	if least.String() != "-9223372036854775808" || least.Neg().String() != "9223372036854775808" || least.Neg().Neg() != least {
		t.Errorf("the least integer is %s, negated %s", least, least.Neg())
	}
	if zero := money.IntegerDecimal(0); zero.Neg() != zero || zero.Sign() != 0 || !zero.IsZero() {
		t.Error("zero has a sign")
	}
}

func TestDecimalText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := decimals.Draw(t, "d")
		if again := decimal(t, d.String()); again != d {
			t.Fatalf("%s came back as %s", d, again)
		}
		if sum := d.Sign() + d.Neg().Sign(); sum != 0 || d.Neg().Neg() != d {
			t.Fatalf("%s negated is %s", d, d.Neg())
		}
	})
}

func TestDecimalCmpAgreesWithOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, e := decimals.Draw(t, "d"), decimals.Draw(t, "e")
		want := oracle(t, d.String()).Cmp(oracle(t, e.String()))
		if got := d.Cmp(e); got != want || (got == 0) != (d == e) || e.Cmp(d) != -want {
			t.Fatalf("%s against %s: %d, want %d", d, e, got, want)
		}
	})
}

func FuzzParseDecimal(f *testing.F) {
	for _, text := range []string{"0", "-0.50", "1234.5678", "9223372036854775808", "1.", "é", "-", "0.0000000000001"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := money.ParseDecimal(text)
		if err != nil {
			if refusalCode(err) != "invalid-decimal" {
				t.Fatalf("%v", err)
			}
			return
		}
		if oracle(t, text).Cmp(oracle(t, d.String())) != 0 {
			t.Fatalf("%q became %s", text, d)
		}
		if decimal(t, d.String()) != d {
			t.Fatalf("%s is not canonical", d)
		}
	})
}
