package ledger

import (
	"reflect"
	"testing"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/testing/given"
)

// Every kind of row comes back as it was written.
func TestRowsComeBack(t *testing.T) {
	b := given.Opened(t)
	b.Take(t, given.Enter("x", given.Content("ada", given.Line("1", "10", "S 20"))))
	rows := map[rowKey]any{
		commandKey(uuid.New()): commandRow{Position: 1 << 40, Page: 3, Recorded: 17, Digest: [32]byte{1}, Entry: [32]byte{2}},
		subjectKey(uuid.New()): subjectRow{Contact: []keyring.KeyID{77}, Documents: []keyring.KeyID{8, 99}},
		erasureKey(0):          erasureRow{Customer: uuid.New(), Keys: []keyring.KeyID{8, 99}, Page: 7, Position: 1 << 33},
		erasuresKey:            erasuresRow(3),
		referenceKey(domain.Reference{Kind: "number", Value: "INV-1"}): referenceRow{Kind: domain.KindInvoice, ID: uuid.New()},
	}
	for id, state := range b.States() {
		rows[streamKey(id)] = streamRow{Kind: id.Kind, Revision: 9, State: state}
	}
	for key, row := range rows {
		data, err := encodeRow(row)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeRow(key, data)
		if err != nil {
			t.Fatal(err)
		}
		again, err := encodeRow(got)
		if err != nil || string(again) != string(data) {
			t.Errorf("%T came back as another: %v", row, err)
		}
		if _, is := row.(streamRow); !is && !reflect.DeepEqual(got, row) {
			t.Errorf("%+v came back as %+v", row, got)
		}
	}
}

func FuzzRows(f *testing.F) {
	data, err := encodeRow(commandRow{Position: 5})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("c", data)
	f.Add("k", []byte{0x18, 0x4d})
	f.Add("r", []byte("invoice-0198f7a0-0000-7000-8000-000000000001"))
	f.Add(string(streamKey(domain.StreamID{Kind: domain.KindInvoice, ID: given.ID("x")})), []byte{0x82, 0x01, 0x41, 0xa0})
	f.Fuzz(func(t *testing.T, key string, data []byte) {
		if len(key) == 0 || key[0] == 's' && len(key) < 18 {
			return // no key of the writer's
		}
		if value, err := decodeRow(rowKey(key), data); err == nil {
			if _, err := encodeRow(value); err != nil {
				t.Errorf("%q: %v", key, err)
			}
		}
	})
}
