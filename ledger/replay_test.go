package ledger_test

import (
	"strings"
	"testing"

	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/series"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/ledger/commit"
	"github.com/daybook-ledger/daybook/ledger/state"
	"github.com/daybook-ledger/daybook/testing/given"
)

// history opens every commit of the world's log.
func (w *world) history() (commits []commit.Commit) {
	w.t.Helper()
	chain, err := page.NewChain(w.signer.Verifier(), page.EmptyHead(), page.Edge{})
	if err != nil {
		w.t.Fatal(err)
	}
	for p, err := range commit.Replay(w.t.Context(), w.store, chain, w.codec, commit.End) {
		if err != nil {
			w.t.Fatal(err)
		}
		commits = append(commits, p.Commits...)
	}
	return commits
}

// replayed gives the codes of what a replay finds, each with its position.
func (w *world) replayed(commits []commit.Commit) map[uint64]string {
	w.t.Helper()
	file, err := state.Open(w.t.TempDir()+"/states", make([]byte, 32))
	if err != nil {
		w.t.Fatal(err)
	}
	defer file.Close()
	r := ledger.NewReplayer(w.book, file)
	found := map[uint64]string{}
	for _, c := range commits {
		findings, err := r.Replay(ledger.Prepare(c))
		if err != nil {
			w.t.Fatal(err)
		}
		var codes []string
		for _, f := range findings {
			codes = append(codes, f.Code)
		}
		if len(codes) > 0 {
			found[c.Position] = strings.Join(codes, " ")
		}
	}
	return found
}

// Every decision of a book gives the same again; and whoever holds all keys and
// seals another event, number or command into the log is found by that.
func TestReplay(t *testing.T) {
	w := newWorld(t)
	o := w.mustOpen("a", w.store)
	w.begin(o)
	for _, name := range []string{"x", "y", "z"} {
		if _, err := o.Do(t.Context(), w.enter(name)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := o.Do(t.Context(), w.envelope(given.Draft("d", given.Content("ada", given.Line("1", "3", "S 20"))))); err != nil {
		t.Fatal(err)
	}
	o.close(t)
	if found := w.replayed(w.history()); len(found) != 0 {
		t.Fatalf("in a good book: %v", found)
	}
	for name, test := range map[string]struct {
		position uint64
		change   func(c *commit.Commit)
		want     string // a code among those at the position
	}{
		"an amount":  {3, func(c *commit.Commit) { issued(c).Totals.Lines = given.GBP("1.00") }, ledger.CodeDecision},
		"unbalanced": {3, func(c *commit.Commit) { issued(c).Totals.Due = given.GBP("1.00") }, ledger.CodeEntries},
		"a number": {3, func(c *commit.Commit) {
			for _, e := range c.Events {
				if drawn, is := e.Event.(*series.Drawn); is {
					drawn.Counter, drawn.Number = 7, "INV-00007"
				}
			}
		}, ledger.CodeNumber},
		"an event less":     {4, func(c *commit.Commit) { c.Events = c.Events[:len(c.Events)-1] }, ledger.CodeDecision},
		"another principal": {4, func(c *commit.Commit) { c.Principal = "mallory" }, ledger.CodeDecision},
		"another command": {5, func(c *commit.Commit) {
			c.Command = given.Draft("d", given.Content("ada", given.Line("2", "3", "S 20")))
		}, ledger.CodeDecision},
		"a command twice":     {3, func(c *commit.Commit) { c.ID = w.history()[2].ID }, ledger.CodeCommandTwice},
		"a revision":          {5, func(c *commit.Commit) { c.Events[0].Revision++ }, ledger.CodeFold},
		"rules of the future": {5, func(c *commit.Commit) { c.Rules += 1000 }, ledger.CodeDecision},
	} {
		t.Run(name, func(t *testing.T) {
			commits := w.history()
			test.change(&commits[test.position])
			if found := w.replayed(commits); !strings.Contains(found[test.position], test.want) {
				t.Errorf("found %v, want %s at %d", found, test.want, test.position)
			}
		})
	}
}

func issued(c *commit.Commit) *invoice.Issued {
	for _, e := range c.Events {
		if i, is := e.Event.(*invoice.Issued); is {
			return i
		}
	}
	panic("no invoice was issued")
}
