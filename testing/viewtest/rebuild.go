package viewtest

import (
	"context"
	"database/sql"
	"errors"
	"iter"
	"slices"
	"testing"

	"github.com/daybook-ledger/daybook/projections"
	"github.com/daybook-ledger/daybook/projections/views"
	"github.com/daybook-ledger/daybook/testing/given"
)

// testRebuilt: views made anew say what they said, to whoever has them open.
func testRebuilt(t *testing.T, e Engine) {
	l, _ := pages(t)
	s := filled(t, e, "rebuilt", l)
	other := open(t, e, "rebuilt")
	before, attested := everything(t, s), attest(t, s)
	var told []projections.Progress
	r := views.Rebuild{Log: l.Source(), Progress: func(p projections.Progress) { told = append(told, p) }}
	if err := e.Rebuild("rebuilt", r); err != nil {
		t.Fatal(err)
	}
	if len(told) == 0 || told[len(told)-1].At != l.End() {
		t.Errorf("progress: %+v", told)
	}
	for _, s := range []Store{s, other, open(t, e, "rebuilt")} {
		if after := everything(t, s); after != before {
			t.Errorf("the views say something else:\n%s", difference(before, after))
		}
		same(t, "attestation", attest(t, s), attested)
	}
	l.Book.Take(t, given.Enter("later", given.Content("ada", given.Line("1", "1", "S 20"))))
	l.Flush(1)
	catchUp(t, s, l)
	agree(t, other, l.Book)
}

// interrupted reads a log up to a page, and then fails.
func interrupted(source projections.Source, last uint64) projections.Source {
	return func(ctx context.Context, after projections.Cursor) iter.Seq2[Page, error] {
		return func(yield func(Page, error) bool) {
			for p, err := range source(ctx, after) {
				if err == nil && p.Cursor.Page > last {
					yield(Page{}, errInterrupted)
					return
				}
				if !yield(p, err) {
					return
				}
			}
		}
	}
}

var errInterrupted = errors.New("interrupted")

// testRebuildGoesOn: what was begun and did not end is gone on with, unless it is
// not to be.
func testRebuildGoesOn(t *testing.T, e Engine) {
	l, all := pages(t)
	s := filled(t, e, "goes on", l)
	attested := attest(t, s)
	for _, fresh := range []bool{false, true} {
		// Pages are applied together, those before the failure too, if only its
		// source ends after them.
		for _, last := range []int{5, 9} {
			stops := views.Rebuild{Log: stopped(l.Source(), uint64(last)), Fresh: last == 5}
			if err := e.Rebuild("goes on", stops); !errors.Is(err, errInterrupted) {
				t.Fatalf("rebuild: %v", err)
			}
		}
		begun := uint64(1 << 60)
		counting := func(ctx context.Context, after projections.Cursor) iter.Seq2[Page, error] {
			begun = min(begun, after.Page)
			return l.Source()(ctx, after)
		}
		if err := e.Rebuild("goes on", views.Rebuild{Log: counting, Fresh: fresh}); err != nil {
			t.Fatal(err)
		}
		want := all[8].Cursor.Page
		if fresh {
			want = 0
		}
		same(t, "page gone on from", begun, want)
		same(t, "attestation", attest(t, s), attested)
	}
	agree(t, s, l.Book)
}

// stopped reads a log up to a page, ends there, and fails when it is asked for
// what follows.
func stopped(source projections.Source, last uint64) projections.Source {
	return func(ctx context.Context, after projections.Cursor) iter.Seq2[Page, error] {
		if after.Page >= last {
			return interrupted(source, last)(ctx, after)
		}
		return func(yield func(Page, error) bool) {
			for p, err := range source(ctx, after) {
				if err == nil && p.Cursor.Page > last || !yield(p, err) {
					return
				}
			}
		}
	}
}

// testRebuildDisagrees: where a live view was altered, made anew it comes out
// otherwise: that is told, and it is replaced only by name.
func testRebuildDisagrees(t *testing.T, e Engine) {
	l, _ := pages(t)
	s := filled(t, e, "altered", l)
	attested := attest(t, s)
	raw := must[*sql.DB](t)(e.Raw("altered"))
	if _, err := raw.Exec(`UPDATE postings SET amount = amount + 1 WHERE position = (SELECT max(position) FROM postings) AND entry = 0 AND line = 0`); err != nil {
		t.Fatal(err)
	}
	if _, err := raw.Exec(`UPDATE account_balances SET debit = debit + 1 WHERE account = 'receivables'`); err != nil {
		t.Fatal(err)
	}
	if err := raw.Close(); err != nil {
		t.Fatal(err)
	}
	altered := attest(t, s)
	var differs *views.Disagreement
	err := e.Rebuild("altered", views.Rebuild{Log: l.Source()})
	if !errors.As(err, &differs) || !errors.Is(err, projections.ErrDisagrees) || !slices.Equal(differs.Views, []string{"accounts", "journal"}) {
		t.Fatalf("rebuild: %v", err)
	}
	err = e.Rebuild("altered", views.Rebuild{Log: l.Source(), Named: []string{"journal"}})
	if !errors.As(err, &differs) || !slices.Equal(differs.Views, []string{"accounts"}) {
		t.Fatalf("rebuild: %v", err)
	}
	same(t, "attestation", attest(t, s), altered)
	if err := e.Rebuild("altered", views.Rebuild{Log: l.Source(), Named: []string{"journal", "accounts"}}); err != nil {
		t.Fatal(err)
	}
	same(t, "attestation", attest(t, s), attested)
	agree(t, s, l.Book)
	var unknown *projections.Fault
	if err := e.Rebuild("altered", views.Rebuild{Log: l.Source(), Named: []string{"ledger"}}); !errors.As(err, &unknown) || unknown.Code != "unknown-view" {
		t.Fatalf("an unknown view: %v", err)
	}
}

// testRebuildBeside: while one rebuilds, another cannot, and the live views go
// on.
func testRebuildBeside(t *testing.T, e Engine) {
	l, _ := pages(t)
	s := filled(t, e, "beside", l)
	tried := false
	err := e.Rebuild("beside", views.Rebuild{Log: l.Source(), Progress: func(projections.Progress) {
		if tried {
			return
		}
		tried = true
		if err := e.Rebuild("beside", views.Rebuild{Log: l.Source()}); !errors.Is(err, projections.ErrBusy) {
			t.Errorf("a second rebuild: %v", err)
		}
		l.Book.Take(t, given.Enter("meanwhile", given.Content("ada", given.Line("1", "1", "S 20"))))
		l.Flush(1)
		catchUp(t, s, l)
		agree(t, s, l.Book)
	}})
	if err != nil || !tried {
		t.Fatalf("rebuild: %v", err)
	}
	same(t, "cursor", must[projections.Cursor](t)(s.Cursor(within(t))), l.End())
	agree(t, s, l.Book)
}

// testRebuildOtherLog: views of another log are replaced, whatever they say, and
// what was begun from it is not gone on with.
func testRebuildOtherLog(t *testing.T, e Engine) {
	l, _ := pages(t)
	s := filled(t, e, "other", l)
	if err := e.Rebuild("other", views.Rebuild{Log: stopped(l.Source(), 7)}); !errors.Is(err, errInterrupted) {
		t.Fatalf("rebuild: %v", err)
	}
	other := NewLog(l.Book, 4)
	if err := e.Rebuild("other", views.Rebuild{Log: other.Source()}); err != nil {
		t.Fatal(err)
	}
	same(t, "cursor", must[projections.Cursor](t)(s.Cursor(within(t))), other.End())
	agree(t, s, l.Book)
}
