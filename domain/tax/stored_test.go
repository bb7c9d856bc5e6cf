package tax_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
)

var update = flag.Bool("update", false, "write the golden files anew")

// What events hold of a document must keep its bytes and its names.
func TestStoredTotalsAreGolden(t *testing.T) {
	eur := currency(t, "EUR")
	d := document(t, "EUR", "1 × 100 S 20", "-3 × 0.335 S 5.5", "1 × 9 AE 0", "1 × 1 K 0")
	d.Adjustments = []tax.Adjustment{{
		Charge: true, Percent: decimal(t, "2.5"), Base: amount(t, "10", eur), Rate: rate(t, "S 20"), Reason: "Freight",
	}}
	d.Prepaid = amount(t, "20", eur)
	totals, err := tax.Compute(d)
	if err != nil {
		t.Fatal(err)
	}
	encoder, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, v := range []any{totals, d.Adjustments[0], tax.Adjustment{}, d.Exemptions[3], d.Lines[1].Rate, tax.Rate{}} {
		data, err := encoder.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.MarshalIndent(v, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString(hex.EncodeToString(data) + "\n" + string(text) + "\n")
	}
	file := filepath.Join("testdata", "stored.txt")
	if *update {
		if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(golden, out.Bytes()) {
		t.Errorf("the stored form changed:\n%s", out.String())
	}
}

func TestTotalsComeBack(t *testing.T) {
	strict, err := cbor.DecOptions{ExtraReturnErrors: cbor.ExtraDecErrorUnknownField, DupMapKey: cbor.DupMapKeyEnforcedAPF}.DecMode()
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		d := documents("GBP", "JPY", "BHD").Draw(t, "document")
		totals := computed(t, d)
		byRate := map[tax.Rate]tax.Subtotal{}
		for _, s := range totals.Breakdown {
			byRate[s.Rate] = s
		}
		type event struct {
			Totals tax.Totals
			ByRate map[tax.Rate]tax.Subtotal
		}
		in := event{totals, byRate}
		var fromCBOR, fromJSON event
		data, err := cbor.Marshal(in)
		if err != nil {
			t.Fatalf("%v", err)
		}
		if err := strict.Unmarshal(data, &fromCBOR); err != nil || !reflect.DeepEqual(in, fromCBOR) {
			t.Fatalf("came back from CBOR as %v, %v", fromCBOR, err)
		}
		text, err := json.Marshal(in)
		if err != nil {
			t.Fatalf("%v", err)
		}
		if err := json.Unmarshal(text, &fromJSON); err != nil || !reflect.DeepEqual(in, fromJSON) {
			t.Fatalf("%s came back from JSON as %v, %v", text, fromJSON, err)
		}
	})
}

func TestBadRatesAreRefused(t *testing.T) {
	for _, text := range []string{"S", "S20", " 20", "S  20", "S 20 ", "S 0", "Z 5", "X 20", "S 2e1", "s 20", "AE -0.1"} {
		if r, err := tax.ParseRate(text); err == nil {
			t.Errorf("%q was read as %v", text, r)
		}
	}
	for _, bad := range []string{
		"", "60" + "00", "64532032", "66532032302e30", "645320" + "3220", "44532032" + "30", "6153", "7804" + "53203230", "f6",
		"65" + "5320323030" + "00", "a0", "7f6453203230ff", "635320" + "30", "78ff53203230",
	} {
		data, err := hex.DecodeString(bad)
		if err != nil {
			t.Fatal(err)
		}
		var r tax.Rate
		if err := r.UnmarshalCBOR(data); err == nil {
			t.Errorf("CBOR %s was read as %v", bad, r)
		}
	}
	for _, bad := range []string{`"S 0"`, `"S"`, `20`, `{"category":"S","percent":"20","x":1}`, `{"category":"S","percent":"0"}`, `{"category":"X","percent":"20"}`, `{"category":"S","percent":20}`, `[]`} {
		var r tax.Rate
		if err := json.Unmarshal([]byte(bad), &r); err == nil {
			t.Errorf("JSON %s was read as %v", bad, r)
		}
	}
}

func FuzzDecodeRate(f *testing.F) {
	for _, seed := range []string{"6453203230", "60", "644145" + "2030", "66532032302e30", "7818", "6753203132333435"} {
		data, err := hex.DecodeString(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("\x78\x18S 9223372036854775.80899"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var r tax.Rate
		if err := r.UnmarshalCBOR(data); err != nil {
			return
		}
		again, err := r.MarshalCBOR()
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("%x came back as %x, %v", data, again, err)
		}
		if !r.IsZero() && r.Check() != nil {
			t.Fatalf("%v was read: %v", r, r.Check())
		}
	})
}

func FuzzParseRate(f *testing.F) {
	for _, seed := range []string{"S 20", "S 5.5", "Z 0", "AE 0", "S 20.0", "S", "S  20", "Q 1", "S -1", "S 101"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := tax.ParseRate(text)
		if err != nil {
			return
		}
		if again, err := tax.ParseRate(r.String()); err != nil || again.Cmp(r) != 0 || r.Check() != nil {
			t.Fatalf("%q: %s came back as %s, %v", text, r, again, err)
		}
	})
}

// A document made of anything is computed or refused, and never more than that.
func FuzzCompute(f *testing.F) {
	f.Add("3", "2.55", "", "S", "20", int64(0), false)
	f.Add("-1", "92233720368547758.07", "0.000000000001", "S", "0.000000000001", int64(-1), true)
	f.Add("1", "-1", "1", "O", "0", int64(1<<62), true)
	f.Fuzz(func(t *testing.T, quantity, price, base, category, percent string, minor int64, including bool) {
		d := document(t, "EUR")
		d.PricesIncludeTax = including
		l := tax.Line{Rate: tax.Rate{Category: tax.Category(category)}}
		for text, place := range map[*string]any{&quantity: &l.Quantity, &price: &l.Price, &base: &l.BaseQuantity, &percent: &l.Rate.Percent} {
			if err := place.(interface{ UnmarshalText([]byte) error }).UnmarshalText([]byte(*text)); err != nil && *text != "" {
				return
			}
		}
		d.Lines = []tax.Line{l, l}
		d.Adjustments = []tax.Adjustment{{Amount: money.New(minor, d.Currency), Rate: l.Rate}}
		totals, err := tax.Compute(d)
		if err != nil {
			if refusalOf(err) == nil {
				t.Fatalf("not a refusal: %v", err)
			}
			return
		}
		if got := sum(t, d.Currency, totals.Net, totals.Tax); got != totals.Gross || totals.Gross.Sign() < 0 {
			t.Fatalf("%+v", totals)
		}
	})
}
