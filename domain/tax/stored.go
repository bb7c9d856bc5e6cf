package tax

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/daybook-ledger/daybook/domain/money"
)

// A Rate is stored as one CBOR text string, in the form that String gives, so
// that it is short and can be a map key. The methods have the names that
// github.com/fxamacker/cbor looks for.

// maxText bounds the text of a rate: a category, a space, a decimal.
const maxText = 2 + 1 + 22

// MarshalCBOR gives the text that String gives as a text string.
func (r Rate) MarshalCBOR() ([]byte, error) {
	text := r.String()
	if len(text) > maxText {
		return nil, fmt.Errorf("tax: encode rate: %q is too long", text)
	}
	b := make([]byte, 0, len(text)+2)
	if len(text) < 24 {
		b = append(b, 0x60|byte(len(text)))
	} else {
		b = append(b, 0x78, byte(len(text)))
	}
	return append(b, text...), nil
}

// UnmarshalCBOR reads what MarshalCBOR gives for a valid rate, or for none, and
// nothing else.
func (r *Rate) UnmarshalCBOR(data []byte) error {
	var text string
	switch {
	case len(data) >= 1 && data[0]&0xe0 == 0x60 && int(data[0]&0x1f) == len(data)-1 && len(data)-1 < 24:
		text = string(data[1:])
	case len(data) >= 2 && data[0] == 0x78 && int(data[1]) == len(data)-2 && len(data)-2 >= 24:
		text = string(data[2:])
	default:
		return fmt.Errorf("tax: decode rate: not in the one form that is stored")
	}
	var parsed Rate
	if err := parsed.UnmarshalText([]byte(text)); err != nil {
		return fmt.Errorf("tax: decode rate: %w", err)
	}
	if parsed.String() != text {
		return fmt.Errorf("tax: decode rate %q: not in the one form that is stored", text)
	}
	*r = parsed
	return nil
}

// MarshalText gives what String gives: the form of a key in JSON.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what ParseRate reads, or nothing for no rate.
func (r *Rate) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*r = Rate{}
		return nil
	}
	parsed, err := ParseRate(string(text))
	if err != nil {
		return err
	}
	*r = parsed
	return nil
}

// rateJSON is a rate for people's programs.
type rateJSON struct {
	Category Category      `json:"category"`
	Percent  money.Decimal `json:"percent"`
}

// MarshalJSON gives {"category":"S","percent":"20"}.
func (r Rate) MarshalJSON() ([]byte, error) { return json.Marshal(rateJSON(r)) }

// UnmarshalJSON reads the form that MarshalJSON gives, and the text in a
// string: so encoding/json reads the keys of a map that it wrote as texts.
func (r *Rate) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err == nil {
		return r.UnmarshalText([]byte(text))
	}
	var form rateJSON
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&form); err != nil {
		return fmt.Errorf("tax: decode rate: %w", err)
	}
	parsed := Rate(form)
	if !parsed.IsZero() {
		if err := parsed.Check(); err != nil {
			return err
		}
	}
	*r = parsed
	return nil
}
