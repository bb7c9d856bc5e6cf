package commit

import (
	"crypto/rand"
	"testing"

	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/eventstore/seal"
	"github.com/daybook-ledger/daybook/testing/given"
)

// loose seals what Seal would never make: the sections of the commit of an
// invoice, changed by whoever holds the keys.
func (f fixture) loose(t *testing.T, change func(h *seal.Header, sections []seal.Section) []seal.Section) []byte {
	t.Helper()
	stored := f.seal(t, f.entered(t))
	sealed, err := seal.Parse(stored)
	if err != nil {
		t.Fatal(err)
	}
	h := sealed.Header
	var sections []seal.Section
	for i, info := range h.Sections {
		plain, err := f.codec.section(sealed, i)
		if err != nil {
			t.Fatal(err)
		}
		sections = append(sections, seal.Section{Kind: info.Kind, Key: info.Key, Subject: info.Subject, Plain: plain})
	}
	sections = change(&h, sections)
	stored, err = seal.Seal(h, sections, f.ring.Key, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

func encoded(t *testing.T, v any) []byte {
	t.Helper()
	data, err := encoding.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestNothingIsOpenedThatSealDoesNotMake(t *testing.T) {
	f := newFixture(t)
	bob, err := f.ring.New(keyring.Subject)
	if err != nil {
		t.Fatal(err)
	}
	bobs := func(p personalSection) seal.Section {
		return seal.Section{Kind: seal.Personal, Key: bob, Subject: given.ID("bob"), Plain: encoded(t, p)}
	}
	opened := func(plain []byte) personalSection {
		var p personalSection
		if err := decoding.Unmarshal(plain, &p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	for name, change := range map[string]func(h *seal.Header, s []seal.Section) []seal.Section{
		"facts twice": func(_ *seal.Header, s []seal.Section) []seal.Section { return append(s, s[0]) },
		"no facts":    func(_ *seal.Header, s []seal.Section) []seal.Section { return s[1:] },
		"facts last":  func(_ *seal.Header, s []seal.Section) []seal.Section { return []seal.Section{s[1], s[0]} },
		"facts longer than the shortest form": func(_ *seal.Header, s []seal.Section) []seal.Section {
			plain := append([]byte{s[0].Plain[0], 0x18, s[0].Plain[1]}, s[0].Plain[2:]...) // the version of the rules in two bytes
			s[0].Plain = plain
			return s
		},
		"facts with a short digest": func(_ *seal.Header, s []seal.Section) []seal.Section {
			var facts factsSection
			if err := decoding.Unmarshal(s[0].Plain, &facts); err != nil {
				t.Fatal(err)
			}
			s[0].Plain = encoded(t, []any{facts.Rules, facts.Kind, facts.Schema, facts.Command, facts.Digest[:5], facts.Events})
			return s
		},
		"a subject twice": func(_ *seal.Header, s []seal.Section) []seal.Section { return append(s, s[1]) },
		"an empty section": func(_ *seal.Header, s []seal.Section) []seal.Section {
			return append(s, bobs(personalSection{}))
		},
		"null for a section": func(_ *seal.Header, s []seal.Section) []seal.Section {
			b := bobs(personalSection{})
			b.Plain = []byte{0xf6}
			return append(s, b)
		},
		"an event that is not": func(_ *seal.Header, s []seal.Section) []seal.Section {
			p := opened(s[1].Plain)
			p.Events = append(p.Events, personalEvent{Index: 99, Part: []byte{0xa0}})
			s[1].Plain = encoded(t, p)
			return s
		},
		"an event before the first": func(_ *seal.Header, s []seal.Section) []seal.Section {
			p := opened(s[1].Plain)
			p.Events = append([]personalEvent{{Index: -1, Part: []byte{0xa0}}}, p.Events...)
			s[1].Plain = encoded(t, p)
			return s
		},
		"an event twice": func(_ *seal.Header, s []seal.Section) []seal.Section {
			p := opened(s[1].Plain)
			p.Events = append(p.Events, p.Events[0])
			s[1].Plain = encoded(t, p)
			return s
		},
		"an event under another subject": func(_ *seal.Header, s []seal.Section) []seal.Section {
			p := opened(s[1].Plain)
			s[1].Plain = encoded(t, personalSection{Command: p.Command})
			return append(s, bobs(personalSection{Events: p.Events}))
		},
		"a command under another subject": func(_ *seal.Header, s []seal.Section) []seal.Section {
			p := opened(s[1].Plain)
			s[1].Plain = encoded(t, personalSection{Events: p.Events})
			return append(s, bobs(personalSection{Command: p.Command}))
		},
		"nothing for an event": func(_ *seal.Header, s []seal.Section) []seal.Section {
			p := opened(s[1].Plain)
			p.Events[0].Part = nil
			s[1].Plain = encoded(t, p)
			return s
		},
		"a command twice": func(_ *seal.Header, s []seal.Section) []seal.Section {
			return append(s, bobs(personalSection{Command: opened(s[1].Plain).Command}))
		},
		"no events": func(h *seal.Header, s []seal.Section) []seal.Section {
			var facts factsSection
			if err := decoding.Unmarshal(s[0].Plain, &facts); err != nil {
				t.Fatal(err)
			}
			facts.Events = [][]byte{}
			h.Events = nil
			s[0].Plain = encoded(t, facts)
			s[1].Plain = encoded(t, personalSection{Command: opened(s[1].Plain).Command})
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			if c, err := f.codec.Open(f.loose(t, change)); err == nil {
				t.Errorf("opened: %+v", c)
			}
		})
	}
	if _, err := f.codec.Open(f.loose(t, func(_ *seal.Header, s []seal.Section) []seal.Section { return s })); err != nil {
		t.Errorf("unchanged: %v", err)
	}
}

func TestNoCommand(t *testing.T) {
	if _, err := newFixture(t).codec.EncodeCommand(nil); err == nil {
		t.Error("no command was encoded")
	}
}
