package bookdir

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/audit"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/payment"
	"github.com/daybook-ledger/daybook/domain/period"
	"github.com/daybook-ledger/daybook/eventstore/memory"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/ledger/commit"
	"github.com/daybook-ledger/daybook/projections"
)

// forger has the keys of a book, and writes what the rules would not let it.
type forger struct {
	dir     string
	options Options
	info    Info
	signer  *page.Signer
	codec   *commit.Codec
	commits [][]byte
}

// receive is the index of the forger's commit that received a payment.
const receive = 2

// bookkeeper makes a book with a payment in a period that is closed and settled,
// by its last commit.
func bookkeeper(t *testing.T) *forger {
	t.Helper()
	dir, o := create(t)
	b, err := Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close(context.Background()) })
	do := func(command domain.Command) ledger.Receipt {
		receipt, err := b.Do(t.Context(), ledger.Envelope{ID: uuid.Must(uuid.NewV7()), Principal: "owner", Command: command})
		if err != nil {
			t.Fatal(err)
		}
		return receipt
	}
	ada := register("Ada")
	if _, err := b.Do(t.Context(), ada); err != nil {
		t.Fatal(err)
	}
	first := domain.Date(domain.DateOf(time.Now()).Month() + "-01")
	through := first.AddDays(-1)
	amount, err := money.ParseAmount("5.00", gbp(t))
	if err != nil {
		t.Fatal(err)
	}
	do(&payment.Receive{ID: uuid.Must(uuid.NewV7()), Customer: ada.Command.Stream().ID, Amount: amount, Date: through, Method: "bank"})
	do(&period.Close{Book: b.Info.Book, Through: through})
	sums := audit.NewPeriods()
	var proof period.Proof
	for p, err := range b.source(t.Context(), projections.Cursor{}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range p.Commits {
			if _, err := sums.Commit(c.Position, changesOf(c)); err != nil {
				t.Fatal(err)
			}
		}
		proof = period.Proof{Size: p.Cursor.Size, Root: bytes.Clone(p.Cursor.Root[:])}
	}
	balances, err := sums.Balances(through)
	if err != nil {
		t.Fatal(err)
	}
	do(&period.Settle{Book: b.Info.Book, Through: through, Balances: balances, Proof: proof})
	f := &forger{dir: dir, options: o, info: b.Info, signer: b.current().signs, codec: b.Codec()}
	for stored, err := range b.Store().Read(t.Context(), 1, 99) {
		if err != nil {
			t.Fatal(err)
		}
		opened, err := f.signer.Verifier().Open(stored.Body)
		if err != nil {
			t.Fatal(err)
		}
		f.commits = append(f.commits, opened.Commits...)
	}
	return f
}

// forge gives a commit's bytes after a change, sealed anew.
func (f *forger) forge(t *testing.T, index int, change func(c *commit.Commit)) []byte {
	t.Helper()
	c, err := f.codec.Open(f.commits[index])
	if err != nil {
		t.Fatal(err)
	}
	change(&c)
	command, err := f.codec.EncodeCommand(c.Command)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := f.codec.Seal(c, command)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

// found verifies a log of these commits deeply, signed by the log's own key, and
// gives the codes found at its last position.
func (f *forger) found(t *testing.T, commits ...[]byte) (codes []string) {
	t.Helper()
	store, edge := memory.New(), page.Edge{}
	for i, stored := range commits {
		edge.Append(page.LeafHash(stored), nil)
		body, err := f.signer.Page(page.Head{Page: uint64(i + 1), Size: uint64(i + 1), Root: edge.Root()}, uint64(i), [][]byte{stored})
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Append(t.Context(), uint64(i), body); err != nil {
			t.Fatal(err)
		}
	}
	deep, err := OpenDeep(f.dir, f.options)
	if err != nil {
		t.Fatal(err)
	}
	defer deep.Close(context.Background())
	l := &Log{Info: f.info, Store: store, Verifier: f.signer.Verifier(), link: &link{dir: f.dir, info: f.info}}
	report, err := l.Verify(t.Context(), VerifyOptions{Unkept: true, Deep: deep})
	if err != nil {
		t.Fatal(err)
	}
	for _, failure := range report.Failures {
		if failure.Position == uint64(len(commits)-1) && failure.Page == uint64(len(commits)) {
			codes = append(codes, failure.Code)
		}
	}
	return codes
}

// Whoever holds every key of a book and writes past the rules is found by a deep
// verification: what a closed period says is added up again.
func TestDeepFindsWhatIsWrongWithPeriods(t *testing.T) {
	f := bookkeeper(t)
	last := len(f.commits) - 1
	settled := func(change func(e *period.Settled)) func() [][]byte {
		return func() [][]byte {
			return append(slices.Clone(f.commits[:last]), f.forge(t, last, func(c *commit.Commit) {
				change(c.Events[0].Event.(*period.Settled))
			}))
		}
	}
	appended := func(index int, change func(c *commit.Commit)) func() [][]byte {
		return func() [][]byte {
			return append(slices.Clone(f.commits), f.forge(t, index, func(c *commit.Commit) {
				c.ID, c.Position, c.Recorded = uuid.Must(uuid.NewV7()), uint64(len(f.commits)), time.Now()
				change(c)
			}))
		}
	}
	for name, c := range map[string]struct {
		commits func() [][]byte
		code    string
	}{
		"booked into a closed period": {appended(receive, func(c *commit.Commit) {
			c.Events[0].Stream, c.Events[0].Revision = payment.Stream(uuid.Must(uuid.NewV7())), 1
		}), audit.CodeBooked},
		"another balance": {settled(func(e *period.Settled) {
			e.Balances[0].Amount, e.Balances[1].Amount = e.Balances[1].Amount, e.Balances[0].Amount
		}), audit.CodeBalance},
		"an account left out":       {settled(func(e *period.Settled) { e.Balances = nil }), audit.CodeBalance},
		"a root that never was":     {settled(func(e *period.Settled) { e.Proof.Root[0] ^= 1 }), audit.CodeProof},
		"read before it was closed": {settled(func(e *period.Settled) { e.Proof.Size-- }), audit.CodeProof},
		"closed out of order": {appended(receive+1, func(c *commit.Commit) {
			c.Events[0].Revision = 3
			c.Events[0].Event = &period.Closed{Through: c.Events[0].Event.(*period.Closed).Through.AddDays(-40)}
		}), ledger.CodeFold},
	} {
		t.Run(name, func(t *testing.T) {
			if codes := f.found(t, c.commits()...); !slices.Contains(codes, c.code) {
				t.Errorf("found %v, want %s", codes, c.code)
			}
		})
	}
	if codes := f.found(t, f.commits...); codes != nil {
		t.Errorf("in a good book: %v", codes)
	}
}
