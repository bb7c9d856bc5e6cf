package bookdir

import (
	"encoding/json"
	"errors"
	"testing"
)

// Whatever stands in book.json, a book is opened with a log that it can verify,
// or refused as damaged or newer.
func FuzzInfo(f *testing.F) {
	f.Add([]byte(`{"format":1,"book":"01a214ea-f0b2-7afa-8d0b-caeb45517ea8","epoch":1,` +
		`"origin":"daybook.invalid/01a214ea-f0b2-7afa-8d0b-caeb45517ea8/1",` +
		`"key":"daybook.invalid/01a214ea-f0b2-7afa-8d0b-caeb45517ea8/1+72ce53b0+AXJLBBjCduVozaosiwLs7iu7CI7ye8AIZexsfWiY4Uuk",` +
		`"created":"2026-11-25T22:54:31.090749479Z"}`))
	f.Add([]byte(`{"format":99}`))
	f.Add([]byte(`{"format":1,"book":`))
	f.Fuzz(func(t *testing.T, data []byte) {
		i, err := parseInfo(data)
		if err != nil {
			if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNewer) {
				t.Fatalf("%q: %v", data, err)
			}
			return
		}
		v, err := i.Verifier()
		if err != nil || v.Origin() != origin(i.Book, i.Epoch, v.PublicKey()) {
			t.Fatalf("%q gives a book of the log %s: %v", data, i.Origin, err)
		}
		again, err := json.Marshal(i)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := parseInfo(again); err != nil || !back.Created.Equal(i.Created) || back.Key != i.Key {
			t.Fatalf("%s came back as %+v, %v", again, back, err)
		}
	})
}
