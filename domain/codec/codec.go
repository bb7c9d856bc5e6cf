// Package codec gives events, commands and states their stored form, and reads
// every form that was ever stored.
//
// The form is CBOR (RFC 8949, core deterministic encoding): a map of the
// fields, named as in JSON. An event or command about a person has two parts:
// the facts, and the personal part, which is sealed under that person's key and
// is absent once it was erased. Every type has a schema version, which is
// stored beside it; an upcaster leads each version to the next. Decoding is
// strict: unknown or doubled fields, tags, indefinite lengths, invalid UTF-8,
// trailing bytes and excessive sizes are errors, never guesses.
//
// The golden vectors in testdata hold one of each event: once released they are
// never edited.
package codec

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/fxamacker/cbor/v2"

	"github.com/daybook-ledger/daybook/domain"
)

// Errors that callers branch on.
var (
	// ErrUnknownType means a type that this release does not know: a newer
	// release wrote it.
	ErrUnknownType = errors.New("codec: unknown type")
	// ErrNewer means a schema version newer than this release's.
	ErrNewer = errors.New("codec: written by a newer release")
	// ErrForm means bytes that no release wrote.
	ErrForm = errors.New("codec: not in the stored form")
	// ErrTooLarge means more than MaxSize bytes.
	ErrTooLarge = errors.New("codec: too large")
	// ErrOutdated means a state of an earlier release: it has to be folded
	// from the events again.
	ErrOutdated = errors.New("codec: the state is of an earlier release")
)

// MaxSize is the greatest size of a part, in bytes.
const MaxSize = 16 << 20

var (
	encoding = must(cbor.CoreDetEncOptions().EncMode())
	decoding = must(cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		FieldNameMatching: cbor.FieldNameMatchingCaseSensitive,
		UTF8:              cbor.UTF8RejectInvalid,
		MaxNestedLevels:   16,
		MaxArrayElements:  1 << 14,
		MaxMapPairs:       1 << 16,
	}.DecMode())
)

// must serves the options above, which are constant.
func must[M any](mode M, err error) M {
	if err != nil {
		panic(err)
	}
	return mode
}

// EncodeEvent gives the stored form of an event: its facts, its personal part
// (nil where there is none), and the schema version of both.
func EncodeEvent(e domain.Event) (facts, personal []byte, schema uint, err error) {
	if isNil(e) {
		return nil, nil, 0, fmt.Errorf("codec: encode event: %w: nil", ErrForm)
	}
	return encode(events, e.EventType(), e)
}

// DecodeEvent reads what EncodeEvent gave, now or in an earlier release.
// personal is nil where there is none or it was erased.
func DecodeEvent(eventType string, schema uint, facts, personal []byte) (domain.Event, error) {
	return decode[domain.Event](events, eventType, schema, facts, personal)
}

// EncodeCommand gives the stored form of a command, as EncodeEvent does.
func EncodeCommand(c domain.Command) (facts, personal []byte, schema uint, err error) {
	if isNil(c) {
		return nil, nil, 0, fmt.Errorf("codec: encode command: %w: nil", ErrForm)
	}
	return encode(commands, c.CommandType(), c)
}

// DecodeCommand reads what EncodeCommand gave, now or in an earlier release.
func DecodeCommand(commandType string, schema uint, facts, personal []byte) (domain.Command, error) {
	return decode[domain.Command](commands, commandType, schema, facts, personal)
}

func isNil(v any) bool {
	value := reflect.ValueOf(v)
	return v == nil || value.Kind() == reflect.Pointer && value.IsNil()
}

func encode[T any](table registry[T], name string, v T) (facts, personal []byte, schema uint, err error) {
	entry, known := table[name]
	if !known || reflect.TypeOf(v) != reflect.TypeOf(entry.blank()) {
		return nil, nil, 0, fmt.Errorf("codec: encode %q: %w: %T", name, ErrUnknownType, v)
	}
	if facts, err = marshal(v); err != nil {
		return nil, nil, 0, fmt.Errorf("codec: encode %s: %w", name, err)
	}
	if p, is := any(v).(domain.Personal); is && !reflect.ValueOf(p.PersonalPart()).Elem().IsNil() {
		if personal, err = marshal(p.PersonalPart()); err != nil {
			return nil, nil, 0, fmt.Errorf("codec: encode the personal part of %s: %w", name, err)
		}
	}
	return facts, personal, entry.schema(), nil
}

func decode[T any](table registry[T], name string, schema uint, facts, personal []byte) (T, error) {
	var none T
	entry, known := table[name]
	if !known {
		return none, fmt.Errorf("codec: decode %.80q: %w", name, ErrUnknownType)
	}
	facts, personal, err := entry.upcast(schema, facts, personal)
	if err != nil {
		return none, fmt.Errorf("codec: decode %s of schema %d: %w", name, schema, err)
	}
	v := entry.blank()
	if err := unmarshal(facts, v); err != nil {
		return none, fmt.Errorf("codec: decode %s: %w", name, err)
	}
	if personal == nil {
		return v, nil
	}
	p, is := any(v).(domain.Personal)
	if !is {
		return none, fmt.Errorf("codec: decode %s: %w: it has no personal part", name, ErrForm)
	}
	if err := unmarshal(personal, p.PersonalPart()); err != nil {
		return none, fmt.Errorf("codec: decode the personal part of %s: %w", name, err)
	}
	return v, nil
}

func marshal(v any) ([]byte, error) {
	data, err := encoding.Marshal(v)
	if err == nil && len(data) > MaxSize {
		err = fmt.Errorf("%w: %d bytes", ErrTooLarge, len(data))
	}
	return data, err
}

// unmarshal reads a map into what v points to.
func unmarshal(data []byte, v any) error {
	if len(data) > MaxSize {
		return fmt.Errorf("%w: %d bytes", ErrTooLarge, len(data))
	}
	// A null would be taken for a value without any field.
	if len(data) == 0 || data[0]>>5 != majorMap {
		return fmt.Errorf("%w: not a map", ErrForm)
	}
	if err := decoding.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%w: %w", ErrForm, err)
	}
	return nil
}

// majorMap is the major type of maps in CBOR.
const majorMap = 5
