package seal

import (
	"bytes"
	crand "crypto/rand"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/eventstore/keyring"
)

func TestSealRefuses(t *testing.T) {
	try := func(want error, change func(*Header, *[]Section)) {
		t.Helper()
		h, sections := sampleHeader(), sampleSections()
		change(&h, &sections)
		commit, err := Seal(h, sections, sampleKeys, crand.Reader)
		if commit != nil || !errors.Is(err, want) {
			t.Errorf("%d bytes, error %v, want %v", len(commit), err, want)
		}
	}
	try(ErrForm, func(h *Header, _ *[]Section) { h.Principal = "\xff" })
	try(ErrTooLarge, func(h *Header, _ *[]Section) { h.Principal = strings.Repeat("a", MaxPrincipal+1) })
	try(ErrTooLarge, func(h *Header, _ *[]Section) { h.Proof = make([]byte, MaxProof+1) })
	try(ErrTooLarge, func(h *Header, _ *[]Section) { h.Events = make([]Event, MaxEvents+1) })
	try(ErrForm, func(h *Header, _ *[]Section) { h.Events[0].Type = "" })
	try(ErrForm, func(h *Header, _ *[]Section) { h.Events[0].Type = "\xc0" })
	try(ErrForm, func(h *Header, _ *[]Section) { h.Events[0].Stream.Kind = strings.Repeat("a", MaxName+1) })
	try(ErrForm, func(_ *Header, s *[]Section) { (*s)[0].Kind = Personal + 1 })
	try(ErrForm, func(_ *Header, s *[]Section) { (*s)[0].Key = 0 })
	try(ErrForm, func(_ *Header, s *[]Section) { (*s)[0].Subject = sampleID(1) })
	try(ErrForm, func(_ *Header, s *[]Section) { (*s)[1].Subject = uuid.Nil })
	try(ErrTooLarge, func(_ *Header, s *[]Section) { *s = make([]Section, MaxSections+1) })
	try(ErrTooLarge, func(_ *Header, s *[]Section) { (*s)[0].Plain = make([]byte, MaxCommit) })
	// Events within their number can still make the header too large.
	try(ErrTooLarge, func(h *Header, _ *[]Section) {
		long := Event{Type: strings.Repeat("t", MaxName), Stream: Stream{Kind: strings.Repeat("k", MaxName)}}
		h.Events = make([]Event, MaxEvents)
		for i := range h.Events {
			h.Events[i] = long
			h.Events[i].Revision, h.Events[i].Schema = 1<<63, 1<<63
			h.Events[i].Stream.ID = sampleID(byte(i))
		}
		h.Principal = strings.Repeat("a", MaxPrincipal)
		for len(h.Events) < MaxHeader/150 {
			h.Events = append(h.Events, long)
		}
	})
	gone := func(keyring.KeyID) ([]byte, error) { return nil, keyring.ErrDestroyed }
	_, err := Seal(sampleHeader(), sampleSections(), gone, crand.Reader)
	wantErr(t, err, keyring.ErrDestroyed)
	short := func(keyring.KeyID) ([]byte, error) { return make([]byte, 16), nil }
	_, err = Seal(sampleHeader(), sampleSections(), short, crand.Reader)
	wantErr(t, err, ErrForm)
	_, err = Seal(sampleHeader(), sampleSections(), sampleKeys, bytes.NewReader(make([]byte, 40)))
	wantErr(t, err, io.ErrUnexpectedEOF)
}

// frame puts a commit around a header, as a writer without scruples would.
func frame(header []byte, sections int) []byte {
	out := appendHead(nil, majorArray, 2)
	out = append(appendHead(out, majorBytes, uint64(len(header))), header...)
	out = appendHead(out, majorArray, uint64(sections))
	for range sections {
		out = appendHead(out, majorArray, 3)
		for _, n := range []uint64{saltSize, commitmentSize, tagSize} {
			out = append(appendHead(out, majorBytes, n), make([]byte, n)...)
		}
	}
	return out
}

// plainHeader is a header as a map, to be spoilt.
func plainHeader() map[any]any {
	id := bytes.Repeat([]byte{1}, 16)
	return map[any]any{
		1: 1, 2: id, 3: 1, 4: 9, 5: id, 6: "ann", 7: 1_790_000_000_000_000,
		10: []any{[]any{"invoice.issued", []any{"invoice", id}, 1, 1}},
		11: []any{[]any{0, 1, nil}, []any{1, 2, id}},
	}
}

func TestParseRefusesHeaders(t *testing.T) {
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		t.Fatal(err)
	}
	id, short := bytes.Repeat([]byte{1}, 16), bytes.Repeat([]byte{1}, 15)
	if b, _ := mode.Marshal(plainHeader()); true {
		if _, err := Parse(frame(b, 2)); err != nil {
			t.Fatalf("the unspoilt header: %v", err)
		}
	}
	deep := any(1)
	for range 40 {
		deep = []any{deep}
	}
	for name, c := range map[string]struct {
		want error
		key  any
		to   any // nil: left out
	}{
		"no version":         {ErrForm, 1, nil},
		"version 0":          {ErrForm, 1, 0},
		"version 2":          {ErrNewer, 1, 2},
		"version as text":    {ErrForm, 1, "1"},
		"no book":            {ErrForm, 2, nil},
		"short book":         {ErrForm, 2, short},
		"long book":          {ErrForm, 2, append(short, 1, 1)},
		"book as text":       {ErrForm, 2, "0123456789abcdef"},
		"book as array":      {ErrForm, 2, []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
		"book null":          {ErrForm, 2, cbor.RawMessage{0xf6}},
		"negative epoch":     {ErrForm, 3, -1},
		"position float":     {ErrForm, 4, 9.0},
		"position big":       {ErrForm, 4, cbor.RawMessage{0xc2, 0x41, 9}},
		"principal bytes":    {ErrForm, 6, []byte("ann")},
		"principal null":     {ErrForm, 6, cbor.RawMessage{0xf6}},
		"principal not utf8": {ErrForm, 6, cbor.RawMessage{0x61, 0xff}},
		"principal long":     {ErrTooLarge, 6, strings.Repeat("a", MaxPrincipal+1)},
		"recorded text":      {ErrForm, 7, "2026"},
		"recorded too far":   {ErrForm, 7, uint64(1) << 63},
		"zero correlation":   {ErrForm, 8, make([]byte, 16)},
		"no events":          {ErrForm, 10, nil},
		"events null":        {ErrForm, 10, cbor.RawMessage{0xf6}},
		"event null":         {ErrForm, 10, []any{nil}},
		"event short":        {ErrForm, 10, []any{[]any{"t", []any{"k", id}, 1}}},
		"event long":         {ErrForm, 10, []any{[]any{"t", []any{"k", id}, 1, 1, 1}}},
		"event without type": {ErrForm, 10, []any{[]any{"", []any{"k", id}, 1, 1}}},
		"event as map":       {ErrForm, 10, []any{map[string]any{"Type": "t"}}},
		"too deep":           {ErrForm, 10, deep},
		"no sections":        {ErrForm, 11, nil},
		"sections null":      {ErrForm, 11, cbor.RawMessage{0xf6}},
		"fewer sections":     {ErrForm, 11, []any{[]any{0, 1, nil}}},
		"kind 2":             {ErrForm, 11, []any{[]any{2, 1, nil}, []any{1, 2, id}}},
		"kind 256":           {ErrForm, 11, []any{[]any{256, 1, nil}, []any{1, 2, id}}},
		"key 0":              {ErrForm, 11, []any{[]any{0, 0, nil}, []any{1, 2, id}}},
		"key 2^32":           {ErrForm, 11, []any{[]any{0, uint64(1) << 32, nil}, []any{1, 2, id}}},
		"facts of a subject": {ErrForm, 11, []any{[]any{0, 1, id}, []any{1, 2, id}}},
		"nobody's":           {ErrForm, 11, []any{[]any{0, 1, nil}, []any{1, 2, nil}}},
		"short subject":      {ErrForm, 11, []any{[]any{0, 1, nil}, []any{1, 2, short}}},
		"empty subject":      {ErrForm, 11, []any{[]any{0, 1, []byte{}}, []any{1, 2, id}}},
		"zero subject":       {ErrForm, 11, []any{[]any{0, 1, nil}, []any{1, 2, make([]byte, 16)}}},
		"empty proof":        {ErrForm, 12, []byte{}},
		"long proof":         {ErrTooLarge, 12, make([]byte, MaxProof+1)},
		"unknown field":      {ErrForm, 13, 1},
		"unknown text field": {ErrForm, "x", 1},
		"tagged":             {ErrForm, 4, cbor.Tag{Number: 1, Content: 9}},
		"undefined":          {ErrForm, 4, cbor.RawMessage{0xf7}},
	} {
		m := plainHeader()
		if m[c.key] = c.to; c.to == nil {
			delete(m, c.key)
		}
		b, err := mode.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(frame(b, 2)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// TestParseRefusesOtherEncodings: the same content in other bytes is refused.
func TestParseRefusesOtherEncodings(t *testing.T) {
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		t.Fatal(err)
	}
	good, err := mode.Marshal(plainHeader())
	if err != nil {
		t.Fatal(err)
	}
	replace := func(old, with string) []byte {
		t.Helper()
		if bytes.Count(good, []byte(old)) < 1 {
			t.Fatalf("%x is not in the header", old)
		}
		return frame(bytes.Replace(good, []byte(old), []byte(with), 1), 2)
	}
	whole := frame(good, 2)
	for name, commit := range map[string][]byte{
		"long integer":        replace("\x04\x09\x05", "\x04\x18\x09\x05"),
		"long key":            replace("\x04\x09\x05", "\x18\x04\x09\x05"),
		"long text length":    replace("\x06\x63ann", "\x06\x78\x03ann"),
		"indefinite text":     replace("\x06\x63ann", "\x06\x7f\x63ann\xff"),
		"duplicate field":     replace("\xa9\x01\x01", "\xaa\x01\x01\x01\x01"),
		"fields out of order": replace("\x03\x01\x04\x09", "\x04\x09\x03\x01"),
		"indefinite map":      frame(append(append([]byte{0xbf}, good[1:]...), 0xff), 2),
		"bytes after header":  frame(append(bytes.Clone(good), 0), 2),
		"long outer array":    append([]byte{0x98, 2}, whole[1:]...),
		"indefinite outer":    append(append([]byte{0x9f}, whole[1:]...), 0xff),
		"three parts":         append(append([]byte{0x83}, whole[1:]...), 0),
		"bytes after":         append(bytes.Clone(whole), 0),
		"long header length":  append([]byte{0x82, 0x59, 0, byte(len(good))}, whole[3:]...),
		"salt of 31":          bytes.Replace(whole, append([]byte{0x83, 0x58, 32}, make([]byte, 32)...), append([]byte{0x83, 0x58, 31}, make([]byte, 31)...), 1),
		"ciphertext of 15":    append(bytes.Clone(whole[:len(whole)-17]), append([]byte{0x4f}, make([]byte, 15)...)...),
		"more sections":       frame(good, 3),
		"fewer sections":      frame(good, 1),
		"empty":               nil,
		"empty header":        frame(nil, 0),
		"text header":         {0x82, 0x61, 'a', 0x80},
	} {
		if _, err := Parse(commit); !errors.Is(err, ErrForm) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Parse(whole); err != nil {
		t.Errorf("the unspoilt commit: %v", err)
	}
}

// TestParseIsBounded: lengths that are only claimed cost nothing.
func TestParseIsBounded(t *testing.T) {
	for name, commit := range map[string][]byte{
		"huge commit":   make([]byte, MaxCommit+1),
		"claimed":       append([]byte{0x82, 0x5b}, bytes.Repeat([]byte{0xff}, 8)...),
		"huge header":   frame(make([]byte, MaxHeader+1), 0),
		"claimed array": frame([]byte{0xa9, 1, 1, 10, 0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 0),
		"claimed map":   frame([]byte{0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 1}, 0),
		"claimed bytes": frame([]byte{0xa9, 1, 1, 2, 0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 0),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Parse(commit)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, ErrForm) && !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
			t.Errorf("%s: %d bytes allocated", name, used)
		}
	}
}

func fuzzSeeds(f *testing.F) {
	f.Add(sample(f))
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		f.Fatal(err)
	}
	b, err := mode.Marshal(plainHeader())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(frame(b, 2))
	f.Add(frame([]byte{0xa1, 1, 2}, 0))
	f.Add([]byte{0x82, 0x40, 0x80})
	f.Add([]byte(nil))
}

// FuzzParse: Parse takes only what Seal's encoding gives, or says why not.
func FuzzParse(f *testing.F) {
	fuzzSeeds(f)
	f.Fuzz(func(t *testing.T, commit []byte) {
		s, err := Parse(commit)
		if err != nil {
			if !errors.Is(err, ErrForm) && !errors.Is(err, ErrTooLarge) && !errors.Is(err, ErrNewer) {
				t.Fatal(err)
			}
			return
		}
		agree(t, s.HeaderBytes)
		out := appendHead(nil, majorArray, 2)
		out = appendBytes(out, majorBytes, s.Header.append(nil))
		out = appendHead(out, majorArray, uint64(len(s.sections)))
		for _, section := range s.sections {
			out = appendHead(out, majorArray, 3)
			for _, part := range [][]byte{section.salt, section.commitment, section.ciphertext} {
				out = append(appendHead(out, majorBytes, uint64(len(part))), part...)
			}
		}
		if !bytes.Equal(out, commit) {
			t.Fatalf("parsed %x, which would be written as %x", commit, out)
		}
	})
}

// FuzzOpen: nothing but the sample opens under its keys.
func FuzzOpen(f *testing.F) {
	fuzzSeeds(f)
	genuine, err := Parse(sample(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, commit []byte) {
		s, err := Parse(commit)
		if err != nil {
			return
		}
		for i := range s.Header.Sections {
			_, err := s.Open(i, keyOf(keyring.KeyID(i+1)))
			if err == nil && !bytes.Equal(s.HeaderBytes, genuine.HeaderBytes) {
				t.Fatalf("section %d opens in %x", i, commit)
			}
			if err != nil && !errors.Is(err, ErrSection) {
				t.Fatal(err)
			}
		}
	})
}
