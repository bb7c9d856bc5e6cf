package bookdir

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/eventstore/memory"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
	"github.com/daybook-ledger/daybook/ledger"
)

// evidence is a good book's log, to be damaged.
type evidence struct {
	dir    string
	info   Info
	pages  [][]byte
	signer *page.Signer
}

// gather makes a book of a few commits, or of given ones, each in a page of its own,
// and takes its pages and its signing key.
func gather(t *testing.T, create func(*testing.T) (string, Options), commands ...ledger.Envelope) evidence {
	t.Helper()
	dir, o := create(t)
	b, err := Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close(context.Background())
	if commands == nil {
		commands = []ledger.Envelope{register("Ada"), register("Bob"), register("Cem")}
	}
	for _, c := range commands {
		if _, err := b.Do(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	e := evidence{dir: dir, info: b.Info, signer: b.current().signs}
	for p, err := range b.Store().Read(t.Context(), 1, 99) {
		if err != nil {
			t.Fatal(err)
		}
		e.pages = append(e.pages, p.Body)
	}
	return e
}

// found gives what a verification of damaged pages finds, by public keys alone.
func (e evidence) found(t *testing.T, pages [][]byte, o VerifyOptions) []transparency.Failure {
	t.Helper()
	return checked(t, e.dir, e.info, pages, o)
}

// checked verifies pages as those of the log of the book in a folder.
func checked(t *testing.T, dir string, info Info, pages [][]byte, o VerifyOptions) []transparency.Failure {
	t.Helper()
	store := memory.New()
	for i, body := range pages {
		if err := store.Append(t.Context(), uint64(i), body); err != nil {
			t.Fatal(err)
		}
	}
	verifier, err := info.Verifier()
	if err != nil {
		t.Fatal(err)
	}
	o.Unkept = true
	l := &Log{Info: info, Store: store, Verifier: verifier, link: &link{dir: dir, info: info}}
	report, err := l.Verify(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return report.Failures
}

// with gives copies of the pages, of which one was changed.
func (e evidence) with(number int, change func(body []byte) []byte) [][]byte {
	pages := make([][]byte, len(e.pages))
	for i, body := range e.pages {
		pages[i] = bytes.Clone(body)
		if i == number-1 {
			pages[i] = change(pages[i])
		}
	}
	return pages
}

// full is the number of the last page but one that holds a commit.
func (e evidence) full() (number int) {
	var all []int
	for i, body := range e.pages {
		if p, err := e.signer.Verifier().Open(body); err == nil && !p.Barrier() {
			all = append(all, i+1)
		}
	}
	return all[len(all)-2]
}

// resign signs a page anew after a change, by any key.
func (e evidence) resign(t *testing.T, body []byte, by *page.Signer, change func(p *page.Page)) []byte {
	t.Helper()
	p, err := e.signer.Verifier().Open(body)
	if err != nil {
		t.Fatal(err)
	}
	change(&p)
	signed, err := by.Page(p.Head, p.OldSize, p.Commits)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func flipAt(at func(body []byte) int) func([]byte) []byte {
	return func(body []byte) []byte {
		body[at(body)] ^= 1
		return body
	}
}

// lettered puts another letter of base64 in the place of one.
func lettered(at func(body []byte) int) func([]byte) []byte {
	return func(body []byte) []byte {
		by := byte('A')
		if body[at(body)] == by {
			by = 'B'
		}
		body[at(body)] = by
		return body
	}
}

// commitStart is where the first commit of a page begins.
func commitStart(body []byte) int {
	return 4 + int(binary.BigEndian.Uint32(body)) + page.CommitOverhead
}

// What may follow from a page that cannot be read says so, and nothing else does.
func TestWhatFollowsFromAGapSaysSo(t *testing.T) {
	ada := register("Ada")
	change := func(name string) ledger.Envelope {
		return ledger.Envelope{ID: uuid.Must(uuid.NewV7()), Principal: "owner", Command: &customer.Change{
			ID: ada.Command.(*customer.Register).ID, Country: "GB", Personal: &customer.Profile{Name: name},
		}}
	}
	e := gather(t, create, ada, change("Ada B"), change("Ada C"))
	var told []string
	for _, f := range e.found(t, e.with(e.full(), func([]byte) []byte { return []byte{0} }), VerifyOptions{}) {
		if f.Code == CodeRevision {
			told = append(told, f.What)
		}
	}
	if want := "an event has revision 3 of its stream, where 2 is due; that may follow from what could not be read before it, at position 2"; len(told) != 1 || told[0] != want {
		t.Errorf("found %q", told)
	}
	for _, test := range []struct {
		number uint64
		unread []uint64
		says   bool
	}{{3, nil, false}, {3, []uint64{3, 8}, false}, {3, []uint64{3, 6}, true}, {1, []uint64{6}, false}} {
		r := &revisions{unread: test.unread}
		err := errors.Join(r.add(revision{[16]byte{1}, 1}, 5, 5), r.add(revision{[16]byte{1}, test.number}, 7, 7))
		found := 0
		err = errors.Join(err, r.check(nil, func(f transparency.Failure) {
			if found++; strings.Contains(f.What, "could not be read") != test.says {
				t.Errorf("revision %d, unread %d: %s", test.number, test.unread, f.What)
			}
		}))
		if err != nil || found != 1 {
			t.Errorf("%d found, %v", found, err)
		}
	}
}
