package page

import (
	"bytes"
	"testing"
)

func FuzzOpen(f *testing.F) {
	s := testSigner(f)
	for _, p := range build(f, s, 3, 0, 1) {
		f.Add(p.Body)
		f.Add(p.Body[:len(p.Body)/2])
	}
	f.Add([]byte{})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := s.Verifier().Open(body)
		if err != nil {
			return
		}
		again, err := s.Page(p.Head, p.OldSize, p.Commits)
		if err != nil || !bytes.Equal(again, body) {
			t.Fatalf("opened, but signed again it differs (%v)", err)
		}
	})
}

// FuzzFrame reads what stands around the note, which no signature guards.
func FuzzFrame(f *testing.F) {
	for _, p := range build(f, testSigner(f), 3, 0, 1) {
		f.Add(p.Body)
	}
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 1})
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, body []byte) {
		note, rest, err := cutNote(body)
		if err != nil {
			return
		}
		commits, err := cutCommits(Head{}, rest)
		if err != nil {
			return
		}
		total := 4 + len(note)
		for _, c := range commits {
			if len(c) == 0 {
				t.Fatal("an empty commit")
			}
			total += CommitOverhead + len(c)
		}
		if total != len(body) {
			t.Fatalf("%d of %d bytes are accounted for", total, len(body))
		}
	})
}

// FuzzPageText reads heads without the signature that would keep out all but
// our own.
func FuzzPageText(f *testing.F) {
	f.Add(pageText(testOrigin, EmptyHead(), 0))
	f.Add(pageText(testOrigin, Head{Page: 3, Size: 9}, 4))
	f.Fuzz(func(t *testing.T, text string) {
		h, old, err := parsePageText(testOrigin, text)
		if err == nil && pageText(testOrigin, h, old) != text {
			t.Fatalf("%q has a second form", text)
		}
		if err == nil && (h.Page == 0 || old > h.Size || h.Size > MaxSize) {
			t.Fatalf("%q is out of bounds", text)
		}
	})
}

func FuzzCheckpoint(f *testing.F) {
	s := testSigner(f)
	signed, err := s.Checkpoint(EmptyHead())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed)
	f.Add(signed[:len(signed)-1])
	f.Fuzz(func(t *testing.T, text []byte) {
		h, err := s.Verifier().Checkpoint(text)
		if err != nil {
			return
		}
		again, err := s.Checkpoint(h)
		if err != nil || !bytes.HasPrefix(text, again[:bytes.Index(again, []byte("\n\n"))+2]) {
			t.Fatalf("%q is taken as %+v (%v)", text, h, err)
		}
	})
}

func FuzzEdge(f *testing.F) {
	f.Add(make([]byte, 8))
	f.Add(append([]byte{0, 0, 0, 0, 0, 0, 0, 1}, make([]byte, 32)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		var e Edge
		if e.UnmarshalBinary(data) != nil {
			return
		}
		if again, err := e.MarshalBinary(); err != nil || !bytes.Equal(again, data) {
			t.Fatal("an edge has a second form")
		}
	})
}
