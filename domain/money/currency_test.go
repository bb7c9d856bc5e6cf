package money_test

import (
	"slices"
	"testing"

	"github.com/bojanz/currency"

	"github.com/daybook-ledger/daybook/domain/money"
)

// The list of another library, kept from the same standard, is the oracle.
func TestCurrenciesAgreeWithAnotherTable(t *testing.T) {
	ours := make([]string, 0, 200)
	for _, c := range money.Currencies() {
		ours = append(ours, c.String())
		digits, known := currency.GetDigits(c.String())
		if !known || int(digits) != c.Exponent() {
			t.Errorf("%s has exponent %d, the other table says %d (%t)", c, c.Exponent(), digits, known)
		}
	}
	if !slices.IsSorted(ours) {
		t.Error("the table is not sorted")
	}
	if theirs := currency.GetCurrencyCodes(); len(theirs) != len(ours) {
		for _, code := range theirs {
			if !slices.Contains(ours, code) {
				t.Errorf("%s is missing", code)
			}
		}
	}
}

func TestCurrencyExponents(t *testing.T) {
	for code, exponent := range map[string]int{
		"JPY": 0, "ISK": 0, "GBP": 2, "EUR": 2, "HUF": 2, "BHD": 3, "KWD": 3, "CLF": 4, "UYW": 4,
	} {
		c := parseCurrency(t, code)
		if c.String() != code || c.Exponent() != exponent || c.IsZero() {
			t.Errorf("%s: got %s with exponent %d", code, c, c.Exponent())
		}
		if again := parseCurrency(t, code); again != c {
			t.Errorf("%s is not equal to itself", code)
		}
	}
	if none := (money.Currency{}); !none.IsZero() || none.String() != "" || none.Exponent() != 0 {
		t.Error("the zero Currency is not none")
	}
}

func TestParseCurrencyRefuses(t *testing.T) {
	for _, code := range []string{
		"", "GB", "GBPX", "gbp", "Gbp", " GBP", "G P", "ZZZ", "AAA", "XXX", "XTS", "XAU",
		"DEM", "BGN", "HRK", "ANG", "G\x00P", "ÄÖ", "£", "[[[",
	} {
		if c, err := money.ParseCurrency(code); refusalCode(err) != "unknown-currency" || !c.IsZero() {
			t.Errorf("ParseCurrency(%q) = %v, %v", code, c, err)
		}
	}
}

func FuzzParseCurrency(f *testing.F) {
	for _, code := range []string{"GBP", "JPY", "gbp", "", "ZZZ", "\xff\xff\xff", "GBPP"} {
		f.Add(code)
	}
	f.Fuzz(func(t *testing.T, code string) {
		c, err := money.ParseCurrency(code)
		if err != nil {
			if refusalCode(err) != "unknown-currency" || !c.IsZero() {
				t.Fatalf("ParseCurrency(%q) = %v, %v", code, c, err)
			}
			return
		}
		if c.String() != code {
			t.Fatalf("ParseCurrency(%q) = %v", code, c)
		}
	})
}
