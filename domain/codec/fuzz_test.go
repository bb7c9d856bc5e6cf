package codec_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/codec"
)

// FuzzDecode feeds every decoder of events and commands: it gives a typed error
// or a value whose stored form reads and writes the same again.
func FuzzDecode(f *testing.F) {
	for table, form := range forms() {
		for i, name := range form.types {
			blank, err := form.decode(name, 1, []byte{0xa0}, nil)
			if err != nil {
				f.Fatal(err)
			}
			for _, value := range []any{blank, filled(blank)} {
				facts, personal, schema, err := form.encode(value)
				if err != nil {
					f.Fatal(err)
				}
				f.Add(table == 1, uint(i), schema, facts, personal)
				f.Add(table == 1, uint(i), schema+1, facts, personal)
			}
		}
	}
	f.Add(false, uint(0), uint(1), []byte{0xf6}, []byte{})
	f.Add(false, uint(9), uint(1), []byte{0xbf, 0xff}, []byte(nil))
	f.Fuzz(func(t *testing.T, command bool, index, schema uint, facts, personal []byte) {
		form := forms()[0]
		if command {
			form = forms()[1]
		}
		name := form.types[index%uint(len(form.types))]
		value, err := form.decode(name, schema, facts, personal)
		if err != nil {
			if !typed(err) {
				t.Fatalf("%s: %v", name, err)
			}
			return
		}
		first, firstPersonal, current, err := form.encode(value)
		if err != nil {
			t.Fatalf("%s was read, but cannot be written: %v", name, err)
		}
		again, err := form.decode(name, current, first, firstPersonal)
		if err != nil {
			t.Fatalf("%s was written, but cannot be read: %v", name, err)
		}
		second, secondPersonal, _, err := form.encode(again)
		if err != nil || !bytes.Equal(first, second) || !bytes.Equal(firstPersonal, secondPersonal) {
			t.Fatalf("%s has two forms (%v): %x, %x", name, err, first, second)
		}
	})
}

// FuzzDecodeState does the same with states.
func FuzzDecodeState(f *testing.F) {
	for i, kind := range domain.Kinds() {
		zero, err := codec.NewState(kind)
		if err != nil {
			f.Fatal(err)
		}
		data, err := codec.EncodeState(kind, zero)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint(i), data)
	}
	f.Fuzz(func(t *testing.T, index uint, data []byte) {
		kinds := domain.Kinds()
		kind := kinds[index%uint(len(kinds))]
		state, err := codec.DecodeState(kind, data)
		if err != nil {
			if !typed(err) {
				t.Fatalf("%s: %v", kind, err)
			}
			return
		}
		first, err := codec.EncodeState(kind, state)
		if err != nil {
			t.Fatalf("%s was read, but cannot be written: %v", kind, err)
		}
		again, err := codec.DecodeState(kind, first)
		if err != nil {
			t.Fatalf("%s was written, but cannot be read: %v", kind, err)
		}
		if second, err := codec.EncodeState(kind, again); err != nil || !bytes.Equal(first, second) {
			t.Fatalf("%s has two forms (%v): %x, %x", kind, err, first, second)
		}
	})
}

func typed(err error) bool {
	for _, known := range []error{
		codec.ErrForm, codec.ErrNewer, codec.ErrOutdated, codec.ErrTooLarge, codec.ErrUnknownType,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}
