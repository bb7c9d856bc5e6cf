package codec

import (
	"errors"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/customer"
)

// An example of three schemas of one event, in code and bytes: from the first
// to the second two fields got other names, one of them in the personal part;
// from the second to the third, today's, one more did.
type visited struct {
	Country  string        `json:"country"`
	Why      string        `json:"why"`
	Personal *visitedParty `cbor:"-" json:"personal,omitempty"`
}

type visitedParty struct {
	Name string `json:"name"`
}

func (*visited) EventType() string   { return "visited" }
func (*visited) Subject() uuid.UUID  { return uuid.Nil }
func (v *visited) PersonalPart() any { return &v.Personal }

type visitedV1 struct {
	Where  string `json:"where"`
	Reason string `json:"reason"`
}

type visitedPartyV1 struct {
	FullName string `json:"full_name"`
}

// renamed is an upcaster that gives fields new names.
func renamed(facts, personal map[string]string) upcaster {
	return func(p *parts) error {
		rename(p.Facts, facts)
		rename(p.Personal, personal)
		return nil
	}
}

func rename(fields map[string]cbor.RawMessage, names map[string]string) {
	for from, to := range names {
		if value, has := fields[from]; has {
			fields[to] = value
			delete(fields, from)
		}
	}
}

// reasonNeeded is an upcaster that refuses what no release wrote.
func reasonNeeded(p *parts) error {
	if _, has := p.Facts["reason"]; !has {
		return errors.New("no reason")
	}
	rename(p.Facts, map[string]string{"reason": "why"})
	return nil
}

var example = registry[domain.Event]{"visited": {
	blank: func() domain.Event { return new(visited) },
	upcasters: []upcaster{
		renamed(map[string]string{"where": "country"}, map[string]string{"full_name": "name"}),
		reasonNeeded,
	},
}}

func TestUpcast(t *testing.T) {
	facts, err := marshal(visitedV1{Where: "GB", Reason: "tea"})
	if err != nil {
		t.Fatal(err)
	}
	personal, err := marshal(visitedPartyV1{FullName: "Ada"})
	if err != nil {
		t.Fatal(err)
	}
	e, err := decode(example, "visited", 1, facts, personal)
	if err != nil {
		t.Fatal(err)
	}
	v := e.(*visited)
	if v.Country != "GB" || v.Why != "tea" {
		t.Errorf("facts: %+v", v)
	}
	_, _, schema, err := encode(example, "visited", e)
	if err != nil || schema != 3 {
		t.Errorf("encoded as schema %d (%v)", schema, err)
	}

	// Without the personal part, as after its erasure.
	if e, err = decode(example, "visited", 1, facts, nil); err != nil || e.(*visited).Personal != nil {
		t.Errorf("without personal part: %+v, %v", e, err)
	}
	// What an upcaster does not take, and what is newer than all.
	if _, err = decode(example, "visited", 2, facts, nil); !errors.Is(err, ErrForm) {
		t.Errorf("old fields under a newer schema: %v", err)
	}
	if _, err = decode(example, "visited", 1, []byte{0xa0}, nil); !errors.Is(err, ErrForm) {
		t.Errorf("a form that never was: %v", err)
	}
	if _, err = decode(example, "visited", 4, facts, nil); !errors.Is(err, ErrNewer) {
		t.Errorf("a newer schema: %v", err)
	}
	if _, err = decode(example, "visited", 1, []byte{0x80}, nil); !errors.Is(err, ErrForm) {
		t.Errorf("no map: %v", err)
	}
	if _, err = decode(example, "visited", 1, facts, []byte{0x80}); !errors.Is(err, ErrForm) {
		t.Errorf("no personal map: %v", err)
	}
}

func TestUpcastPersonal(t *testing.T) {
	facts, err := marshal(visitedV1{Where: "GB", Reason: "tea"})
	if err != nil {
		t.Fatal(err)
	}
	personal, err := marshal(visitedPartyV1{FullName: "Ada"})
	if err != nil {
		t.Fatal(err)
	}
	e, err := decode(example, "visited", 1, facts, personal)
	if err != nil {
		t.Fatal(err)
	}
	if p := e.(*visited).Personal; p == nil || p.Name != "Ada" {
		t.Errorf("personal part: %+v", p)
	}
}

// TestCurrentSchemas says which types have left schema 1, so that a change of
// this list is seen.
func TestCurrentSchemas(t *testing.T) {
	for name, e := range events {
		if e.schema() != 1 {
			t.Errorf("event %s is at schema %d: add it to this list", name, e.schema())
		}
	}
	if _, is := events["customer.registered"].blank().(*customer.Registered); !is {
		t.Error("the table has another type under customer.registered")
	}
}
