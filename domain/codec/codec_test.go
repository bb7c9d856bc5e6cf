package codec_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/codec"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/series"
	"github.com/daybook-ledger/daybook/testing/given"
)

var update = flag.Bool("update", false, "write the golden vectors anew; never of a released schema")

// vector is one golden vector.
type vector struct {
	Type     string          `json:"type"`
	Schema   uint            `json:"schema"`
	Facts    string          `json:"facts"`
	Personal string          `json:"personal,omitempty"`
	JSON     json.RawMessage `json:"json"`
}

// form is a table of the codec, as the golden test sees it.
type form struct {
	folder string
	types  []string
	encode func(any) ([]byte, []byte, uint, error)
	decode func(name string, schema uint, facts, personal []byte) (any, error)
}

func forms() []form {
	return []form{
		{
			"events", codec.EventTypes(),
			func(v any) ([]byte, []byte, uint, error) { return codec.EncodeEvent(v.(domain.Event)) },
			func(name string, schema uint, facts, personal []byte) (any, error) {
				return codec.DecodeEvent(name, schema, facts, personal)
			},
		},
		{
			"commands", codec.CommandTypes(),
			func(v any) ([]byte, []byte, uint, error) { return codec.EncodeCommand(v.(domain.Command)) },
			func(name string, schema uint, facts, personal []byte) (any, error) {
				return codec.DecodeCommand(name, schema, facts, personal)
			},
		},
	}
}

// TestGolden reads the vector of every type, finds in it what it held when it
// was made, and writes it again byte for byte.
func TestGolden(t *testing.T) {
	for _, f := range forms() {
		for _, name := range f.types {
			t.Run(name, func(t *testing.T) {
				path := filepath.Join("testdata", f.folder, name+".json")
				if *update {
					write(t, path, f, name)
				}
				golden(t, path, f, name)
			})
		}
	}
}

func write(t *testing.T, path string, f form, name string) {
	t.Helper()
	blank, err := f.decode(name, 1, []byte{0xa0}, nil)
	if err != nil {
		t.Fatal(err)
	}
	value := filled(blank)
	facts, personal, schema, err := f.encode(value)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.MarshalIndent(vector{name, schema, hex.EncodeToString(facts), hex.EncodeToString(personal), text}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

func golden(t *testing.T, path string, f form, name string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var v vector
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	facts, personal := unhex(t, v.Facts), unhex(t, v.Personal)
	value, err := f.decode(name, v.Schema, facts, personal)
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if err := json.Compact(&want, v.JSON); err != nil {
		t.Fatal(err)
	}
	if got, err := json.Marshal(value); err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%s (%v)\nheld  %s\nwants %s", name, err, got, want.Bytes())
	}
	if again := filled(value); !reflect.DeepEqual(again, value) {
		t.Errorf("the vector does not fill every field")
	}
	gotFacts, gotPersonal, schema, err := f.encode(value)
	if err != nil || schema != v.Schema || !bytes.Equal(gotFacts, facts) || !bytes.Equal(gotPersonal, personal) {
		t.Errorf("%s is written otherwise now (%v):\n%x\n%x", name, err, gotFacts, gotPersonal)
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	if text == "" {
		return nil
	}
	data, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestPersonalPartIsApart finds nothing of a personal part in the facts.
func TestPersonalPartIsApart(t *testing.T) {
	for _, f := range forms() {
		for _, name := range f.types {
			blank, err := f.decode(name, 1, []byte{0xa0}, nil)
			if err != nil {
				t.Fatal(err)
			}
			value, is := filled(blank).(domain.Personal)
			if !is {
				continue
			}
			facts, personal, _, err := f.encode(value)
			if err != nil || personal == nil {
				t.Fatalf("%s: no personal part (%v)", name, err)
			}
			part := reflect.ValueOf(value.PersonalPart()).Elem()
			if part.IsNil() {
				t.Fatalf("%s: the personal part is not filled", name)
			}
			part.SetZero()
			again, none, _, err := f.encode(value)
			if err != nil || none != nil || !bytes.Equal(again, facts) {
				t.Errorf("%s: the facts change with the personal part (%v)", name, err)
			}
			back, err := f.decode(name, 1, facts, nil)
			if err != nil || !reflect.DeepEqual(back, value) {
				t.Errorf("%s: without its personal part it reads as %+v (%v)", name, back, err)
			}
		}
	}
}

func TestDecodeRefused(t *testing.T) {
	facts, personal, schema, err := codec.EncodeEvent(filled(&invoice.Drafted{}))
	if err != nil {
		t.Fatal(err)
	}
	drawn, _, _, err := codec.EncodeEvent(filled(&series.Drawn{}))
	if err != nil {
		t.Fatal(err)
	}
	deep := append(append([]byte{0xa1, 0x67}, "content"...), bytes.Repeat([]byte{0x81}, 20)...)
	for name, c := range map[string]struct {
		kind            string
		schema          uint
		facts, personal []byte
		want            error
	}{
		"unknown type":       {"invoice.burnt", 1, facts, nil, codec.ErrUnknownType},
		"no type":            {"", 1, facts, nil, codec.ErrUnknownType},
		"newer schema":       {"invoice.drafted", schema + 1, facts, nil, codec.ErrNewer},
		"schema 0":           {"invoice.drafted", 0, facts, nil, codec.ErrForm},
		"nothing":            {"invoice.drafted", schema, nil, nil, codec.ErrForm},
		"null":               {"invoice.drafted", schema, []byte{0xf6}, nil, codec.ErrForm},
		"array":              {"invoice.drafted", schema, []byte{0x80}, nil, codec.ErrForm},
		"cut":                {"invoice.drafted", schema, facts[:len(facts)-1], nil, codec.ErrForm},
		"trailing":           {"invoice.drafted", schema, append(bytes.Clone(facts), 0), nil, codec.ErrForm},
		"other type's":       {"series.drawn", schema, facts, nil, codec.ErrForm},
		"unknown field":      {"invoice.approved", schema, []byte{0xa1, 0x61, 'x', 0x01}, nil, codec.ErrForm},
		"doubled field":      {"invoice.discarded", schema, doubled("reason"), nil, codec.ErrForm},
		"other case":         {"invoice.discarded", schema, single("Reason"), nil, codec.ErrForm},
		"tagged":             {"invoice.discarded", schema, []byte{0xc1, 0xa0}, nil, codec.ErrForm},
		"indefinite":         {"invoice.discarded", schema, []byte{0xbf, 0xff}, nil, codec.ErrForm},
		"invalid UTF-8":      {"invoice.discarded", schema, append(append([]byte{0xa1, 0x66}, "reason"...), 0x61, 0xff), nil, codec.ErrForm},
		"deep":               {"invoice.drafted", schema, append(deep, 0x01), nil, codec.ErrForm},
		"many lines":         {"invoice.drafted", schema, manyLines(), nil, codec.ErrForm},
		"too large":          {"invoice.drafted", schema, append([]byte{0xa0}, make([]byte, codec.MaxSize)...), nil, codec.ErrTooLarge},
		"personal null":      {"invoice.drafted", schema, facts, []byte{0xf6}, codec.ErrForm},
		"personal empty":     {"invoice.drafted", schema, facts, []byte{}, codec.ErrForm},
		"personal cut":       {"invoice.drafted", schema, facts, personal[:len(personal)-1], codec.ErrForm},
		"personal unwelcome": {"series.drawn", schema, drawn, personal, codec.ErrForm},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := codec.DecodeEvent(c.kind, c.schema, c.facts, c.personal)
			if !errors.Is(err, c.want) || e != nil {
				t.Errorf("DecodeEvent: %v, %v", e, err)
			}
		})
	}
}

func single(name string) []byte {
	return append(append([]byte{0xa1, 0x60 | byte(len(name))}, name...), 0x61, 'x')
}

func doubled(name string) []byte {
	one := single(name)[1:]
	return append(append([]byte{0xa2}, one...), one...)
}

// manyLines says that it has more lines than a document may have, and has.
func manyLines() []byte {
	data := append(append([]byte{0xa1, 0x67}, "content"...), 0xa1, 0x65)
	data = append(append(data, "lines"...), 0x99, 0x40, 0x01)
	return append(data, bytes.Repeat([]byte{0xa0}, 0x4001)...)
}

// stranger is an event that nobody registered; impostor bears another's name.
type stranger struct{}

func (*stranger) EventType() string { return "stranger" }

type impostor struct{}

func (*impostor) EventType() string { return "invoice.issued" }

func TestEncodeRefused(t *testing.T) {
	for _, e := range []domain.Event{&stranger{}, &impostor{}} {
		if _, _, _, err := codec.EncodeEvent(e); !errors.Is(err, codec.ErrUnknownType) {
			t.Errorf("%T: %v", e, err)
		}
	}
	for _, e := range []domain.Event{nil, (*invoice.Issued)(nil)} {
		if _, _, _, err := codec.EncodeEvent(e); !errors.Is(err, codec.ErrForm) {
			t.Errorf("%T: %v", e, err)
		}
	}
	if _, _, _, err := codec.EncodeCommand((*invoice.Issue)(nil)); !errors.Is(err, codec.ErrForm) {
		t.Errorf("nil command: %v", err)
	}
	large := &invoice.Discarded{Reason: strings.Repeat("x", codec.MaxSize)}
	if _, _, _, err := codec.EncodeEvent(large); !errors.Is(err, codec.ErrTooLarge) {
		t.Errorf("large event: %v", err)
	}
}

func TestStates(t *testing.T) {
	for _, kind := range domain.Kinds() {
		zero, err := codec.NewState(kind)
		if err != nil {
			t.Fatal(err)
		}
		full := reflect.New(reflect.TypeOf(zero))
		new(filler).fill(full.Elem(), "")
		for _, state := range []domain.State{zero, full.Elem().Interface().(domain.State)} {
			data, err := codec.EncodeState(kind, state)
			if err != nil {
				t.Fatal(err)
			}
			back, err := codec.DecodeState(kind, data)
			if err != nil || !reflect.DeepEqual(back, state) {
				t.Errorf("%s: %+v came back as %+v (%v)", kind, state, back, err)
			}
			for _, c := range []struct {
				data []byte
				want error
			}{
				{data[:len(data)-1], codec.ErrForm},
				{append(bytes.Clone(data), 0), codec.ErrForm},
				{append([]byte{0x82, 0x18, 0xff}, data[2:]...), codec.ErrNewer},
				{append([]byte{0x82, 0x00}, data[2:]...), codec.ErrOutdated},
				{[]byte{0x82, data[1], 0xf6}, codec.ErrForm},
				{[]byte{0x80}, codec.ErrForm},
				{nil, codec.ErrForm},
				{make([]byte, codec.MaxSize+1), codec.ErrTooLarge},
			} {
				if _, err := codec.DecodeState(kind, c.data); !errors.Is(err, c.want) {
					t.Errorf("%s: DecodeState: %v, want %v", kind, err, c.want)
				}
			}
		}
	}
	if _, err := codec.NewState("parcel"); !errors.Is(err, codec.ErrUnknownType) {
		t.Errorf("NewState: %v", err)
	}
	if _, err := codec.EncodeState(domain.KindInvoice, series.State{}); !errors.Is(err, codec.ErrUnknownType) {
		t.Errorf("EncodeState: %v", err)
	}
	if _, err := codec.DecodeState("parcel", nil); !errors.Is(err, codec.ErrUnknownType) {
		t.Errorf("DecodeState: %v", err)
	}
}

// TestLargestDocument stores a document of as many lines as there may be.
func TestLargestDocument(t *testing.T) {
	content := given.Content("ada")
	for range invoice.MaxLines {
		content.Lines = append(content.Lines, given.Line("1", "1", "S 20"))
	}
	b := given.Opened(t)
	b.Take(t, given.Enter("i", content)) // a strict book reads back what it stores
}
