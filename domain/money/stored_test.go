package money_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/domain/money"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The stored bytes must stay as they are: books hold them.
func TestStoredFormIsGolden(t *testing.T) {
	gbp := parseCurrency(t, "GBP")
	var out strings.Builder
	write := func(what string, v any) {
		data, err := cbor.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%s\t%s\t%s\n", what, hex.EncodeToString(data), text)
	}
	write("no currency", money.Currency{})
	write("currency", gbp)
	for _, text := range []string{"0", "2.55", "-0.000000000001", "-9223372036.854775808"} {
		write("decimal", decimal(t, text))
	}
	write("no amount", money.Amount{})
	for _, n := range []int64{
		0, 1, 23, 24, 255, 256, 65535, 65536, 1<<32 - 1, 1 << 32, math.MaxInt64,
		-1, -24, -25, -256, -257, -65536, -65537, -1 << 32, -1<<32 - 1, math.MinInt64,
	} {
		write("amount", money.New(n, gbp))
	}
	write("amount", amount(t, "-1.234", "BHD"))

	file := filepath.Join("testdata", "stored.txt")
	if *update {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != string(golden) {
		t.Errorf("the stored form changed:\n%s", out.String())
	}
}

type stored struct {
	Amount   money.Amount
	Price    money.Decimal
	Currency money.Currency
	Credit   map[money.Currency]money.Amount
	Tiers    map[money.Decimal]money.Amount
	Absent   money.Decimal `cbor:"absent,omitzero" json:"absent,omitzero"`
}

func TestStoredFormComesBack(t *testing.T) {
	encoder, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		c := anyCurrency.Draw(t, "currency")
		a, d := money.New(minors.Draw(t, "minor"), c), decimals.Draw(t, "decimal")
		in := stored{
			Amount: a, Price: d, Currency: c,
			Credit: map[money.Currency]money.Amount{c: a},
			Tiers:  map[money.Decimal]money.Amount{d: a, d.Neg(): {}},
		}
		data, err := encoder.Marshal(in)
		if err != nil {
			t.Fatalf("%v", err)
		}
		var out stored
		if err := cbor.Unmarshal(data, &out); err != nil {
			t.Fatalf("%v", err)
		}
		again, err := encoder.Marshal(out)
		if err != nil || !bytes.Equal(again, data) || out.Amount != a || out.Price != d || out.Credit[c] != a {
			t.Fatalf("%v came back from CBOR as %v, %v", in, out, err)
		}
		text, err := json.Marshal(in)
		if err != nil {
			t.Fatalf("%v", err)
		}
		var read stored
		if err := json.Unmarshal(text, &read); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if read.Amount != a || read.Price != d || read.Currency != c || read.Credit[c] != a || read.Tiers[d] != out.Tiers[d] {
			t.Fatalf("%s came back from JSON as %v", text, read)
		}
	})
}

// The bytes are what the library would make of the same values.
func TestAmountIsOrdinaryCBOR(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := money.New(minors.Draw(t, "minor"), anyCurrency.Draw(t, "currency"))
		got, err := cbor.Marshal(a)
		if err != nil {
			t.Fatalf("%v", err)
		}
		want, err := cbor.Marshal([]any{a.Minor(), a.Currency().String()})
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%x, want %x, %v", got, want, err)
		}
	})
}

func TestDecodingIsStrict(t *testing.T) {
	for _, bad := range []string{
		"", "82", "8200", "820063474250ff", "8200634742", "820063676270", "82006358585a", "830063474250" + "00",
		"9f0063474250ff", "8218176347425000", "821817634742" + "50", "82190017634742" + "50", "821a00000100634742" + "50",
		"821b0000000000000100634742" + "50", "821b800000000000000063474250", "823b800000000000000063474250",
		"82f90000634742" + "50", "8200" + "43474250", "820060" + "00", "820160", "822060", "8200780347" + "4250", "f6", "f7", "a0", "8200f6",
		"821c63474250", "82006347", "c482006347" + "4250",
	} {
		data, err := hex.DecodeString(bad)
		if err != nil {
			t.Fatal(err)
		}
		var a money.Amount
		if err := a.UnmarshalCBOR(data); err == nil {
			t.Errorf("amount %s was read as %v", bad, a)
		}
	}
	for _, bad := range []string{
		"", "60", "6130" + "30", "02", "fb4000000000000000", "62" + "2d30", "64" + "322e3530", "62" + "3035", "7801" + "32",
		"7f6132ff", "62" + "322e", "4132", "f6", "63" + "3165" + "33", "7b00000000000000" + "0132", "78ff",
	} {
		data, err := hex.DecodeString(bad)
		if err != nil {
			t.Fatal(err)
		}
		var d money.Decimal
		if err := d.UnmarshalCBOR(data); err == nil {
			t.Errorf("decimal %s was read as %v", bad, d)
		}
	}
	for _, bad := range []string{"", "63474250" + "00", "63676270", "43474250", "f6", "6347"} {
		data, err := hex.DecodeString(bad)
		if err != nil {
			t.Fatal(err)
		}
		var c money.Currency
		if err := c.UnmarshalCBOR(data); err == nil {
			t.Errorf("currency %s was read as %v", bad, c)
		}
	}
}

func TestBadJSONIsRefused(t *testing.T) {
	for _, bad := range []string{
		`{}`, `{"amount":1.5,"currency":"GBP"}`, `{"amount":"1.555","currency":"GBP"}`, `{"amount":"1","currency":""}`,
		`{"amount":"1","currency":"gbp"}`, `{"amount":"1","currency":"GBP","tax":"2"}`, `"1.50"`, `[150,"GBP"]`, `null`,
	} {
		var a money.Amount
		if err := json.Unmarshal([]byte(bad), &a); err == nil {
			t.Errorf("amount %s was read as %v", bad, a)
		}
	}
	for _, bad := range []string{`2.5`, `"2,5"`, `""`, `{}`} {
		var d money.Decimal
		if err := json.Unmarshal([]byte(bad), &d); err == nil {
			t.Errorf("decimal %s was read as %v", bad, d)
		}
	}
}

func TestAmountWithoutCurrencyIsNotStored(t *testing.T) {
	bare := money.New(5, money.Currency{})
	if data, err := bare.MarshalCBOR(); err == nil {
		t.Errorf("CBOR %x", data)
	}
	if data, err := json.Marshal(bare); err == nil {
		t.Errorf("JSON %s", data)
	}
}

func FuzzDecodeCBOR(f *testing.F) {
	for _, seed := range []string{"820063474250", "8200" + "60", "3b7fffffffffffffff", "64322e3535", "60", "823903e7634a5059", "8219"} {
		data, err := hex.DecodeString(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var a money.Amount
		if err := a.UnmarshalCBOR(data); err == nil {
			checkSameBytes(t, data, a)
		}
		var d money.Decimal
		if err := d.UnmarshalCBOR(data); err == nil {
			checkSameBytes(t, data, d)
		}
		var c money.Currency
		if err := c.UnmarshalCBOR(data); err == nil {
			checkSameBytes(t, data, c)
		}
	})
}

// checkSameBytes holds that a value has one stored form.
func checkSameBytes(t *testing.T, data []byte, v cbor.Marshaler) {
	t.Helper()
	again, err := v.MarshalCBOR()
	if err != nil || !bytes.Equal(again, data) {
		t.Fatalf("%x came back as %x, %v", data, again, err)
	}
}
