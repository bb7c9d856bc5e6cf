package codec_test

import (
	"fmt"
	"reflect"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
	"github.com/daybook-ledger/daybook/testing/given"
)

// filler gives every field of a value something, each another, so that none is
// left out of its stored form.
type filler struct{ n int }

func (f *filler) fill(v reflect.Value, name string) {
	f.n++
	switch v.Interface().(type) {
	case uuid.UUID:
		v.Set(reflect.ValueOf(given.ID(fmt.Sprint(f.n))))
		return
	case domain.Date:
		v.SetString(string(given.Today.AddDays(f.n)))
		return
	case money.Currency:
		v.Set(reflect.ValueOf(given.Pounds))
		return
	case money.Amount:
		v.Set(reflect.ValueOf(money.New(int64(100*f.n+1), given.Pounds)))
		return
	case money.Decimal:
		v.Set(reflect.ValueOf(given.Number(fmt.Sprintf("%d.5", f.n))))
		return
	case tax.Rate:
		v.Set(reflect.ValueOf(given.Rate(fmt.Sprintf("S %d", f.n))))
		return
	}
	f.fillKind(v, name)
}

func (f *filler) fillKind(v reflect.Value, name string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("%s %d", name, f.n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(int64(f.n))
	case reflect.Uint, reflect.Uint8, reflect.Uint64:
		v.SetUint(uint64(f.n))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem(), name)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		f.fill(v.Index(0), name)
		f.fill(v.Index(1), name)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 2 {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			f.fill(key, "key")
			f.fill(value, name)
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f.fill(v.Field(i), v.Type().Field(i).Name)
		}
	default:
		panic("no filling for " + v.Type().String())
	}
}

// filled fills a pointer to a struct and gives it back.
func filled[T any](v T) T {
	new(filler).fill(reflect.ValueOf(v).Elem(), "")
	return v
}
