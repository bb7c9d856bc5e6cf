package money

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// MarshalText gives the code; in JSON a string, or a key.
func (c Currency) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads a code, or nothing for no currency.
func (c *Currency) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*c = Currency{}
		return nil
	}
	parsed, err := ParseCurrency(string(text))
	if err != nil {
		return err
	}
	*c = parsed
	return nil
}

// MarshalText gives the canonical text; in JSON a string, or a key.
func (d Decimal) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what ParseDecimal reads.
func (d *Decimal) UnmarshalText(text []byte) error {
	parsed, err := ParseDecimal(string(text))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}

// amountJSON is an amount for people's programs: major units as a string, for
// JSON numbers lose cents, and the currency beside it.
type amountJSON struct {
	Amount   string `json:"amount"`
	Currency string `json:"currency"`
}

// MarshalJSON gives {"amount":"1234.50","currency":"GBP"}. ErrCurrency for an
// amount without a currency that is not zero.
func (a Amount) MarshalJSON() ([]byte, error) {
	if a.bare() {
		return nil, fmt.Errorf("money: encode amount: %w", mixed(a.currency, a.currency))
	}
	return json.Marshal(amountJSON{a.String(), a.currency.String()})
}

// UnmarshalJSON reads the form that MarshalJSON gives; the amount may have
// fewer decimal places.
func (a *Amount) UnmarshalJSON(data []byte) error {
	var form amountJSON
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&form); err != nil {
		return fmt.Errorf("money: decode amount: %w", err)
	}
	if form == (amountJSON{"0", ""}) {
		*a = Amount{}
		return nil
	}
	c, err := ParseCurrency(form.Currency)
	if err != nil {
		return err
	}
	parsed, err := ParseAmount(form.Amount, c)
	if err != nil {
		return err
	}
	*a = parsed
	return nil
}
