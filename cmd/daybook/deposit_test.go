package main

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
)

// However a deposit is deducted in parts, the parts of each are what was asked
// for, none takes more than is left at its rate, and nothing remains in the end.
func TestPortionsOfADepositNeverDrift(t *testing.T) {
	currency, err := money.ParseCurrency("GBP")
	if err != nil {
		t.Fatal(err)
	}
	d := &document{Content: invoice.Content{Currency: currency}}
	rapid.Check(t, func(t *rapid.T) {
		var left []money.Amount
		var all int64
		for _, minor := range rapid.SliceOfN(rapid.Int64Range(1, 1e6), 1, 4).Draw(t, "left") {
			left, all = append(left, money.New(minor, currency)), all+minor
		}
		for all > 0 {
			asked := money.New(rapid.Int64Range(1, all).Draw(t, "asked"), currency)
			parts, err := d.portion(left, asked.String())
			if err != nil {
				t.Fatal(err)
			}
			for i, part := range parts {
				if part.Sign() < 0 || part.Minor() > left[i].Minor() {
					t.Fatalf("%s of %s is deducted at rate %d", part, left[i], i)
				}
				left[i] = money.New(left[i].Minor()-part.Minor(), currency)
				all -= part.Minor()
				asked = money.New(asked.Minor()-part.Minor(), currency)
			}
			if !asked.IsZero() {
				t.Fatalf("%s are not deducted", asked)
			}
		}
	})
}
