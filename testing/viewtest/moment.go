package viewtest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/period"
	"github.com/daybook-ledger/daybook/ledger/commit"
	"github.com/daybook-ledger/daybook/projections"
	"github.com/daybook-ledger/daybook/projections/sqlite"
	"github.com/daybook-ledger/daybook/projections/views"
	"github.com/daybook-ledger/daybook/testing/given"
)

// testMoments: what the views tell of an earlier moment is what views that were
// made from the log as it was then tell, of the whole and of every document.
func testMoments(t *testing.T, e Engine) {
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		random := RandomBook
		if rapid.Bool().Draw(rt, "abroad") {
			random = RandomBookAbroad
		}
		b := random(rt, rapid.IntRange(10, 60).Draw(rt, "commands"))
		l := NewLog(b, rapid.IntRange(1, 20).Draw(rt, "page"))
		s, err := e.Open(fmt.Sprintf("moments %d", n))
		if err != nil {
			rt.Fatal(err)
		}
		defer s.Close()
		catchUp(rt, s, l)
		m := moments{rt, s, l, rapid.IntRange(1, len(b.Log)).Draw(rt, "size")}
		then := m.recorded()
		days := []domain.Date{given.Today.AddDays(rapid.IntRange(-10, 70).Draw(rt, "day"))}
		for _, e := range entries(rt, b) {
			days = append(days, e.Date)
		}
		m.effective(then, rapid.SampledFrom(days).Draw(rt, "effective"))
		newest := domain.Date("")
		for _, e := range entries(rt, b) {
			newest = max(newest, e.Date)
		}
		if got := must[domain.Date](rt)(s.NewestDate(within(rt))); got != newest {
			rt.Fatalf("the newest date is %q, and not %q", got, newest)
		}
	})
}

// testMomentsBefore: an account is none before anything was posted to it, and is one
// when nothing but zero was.
func testMomentsBefore(t *testing.T, e Engine) {
	b := bookOf(t, "ada", "bob", "eve")
	b.Take(t, given.Enter("nothing due", given.Content("ada", given.Line("1", "0", "S 20"))))
	b.Take(t, given.Enter("something", given.Content("ada", given.Line("1", "5", "Z 0"))))
	l := NewLog(b, 1)
	s := filled(t, e, "before", l)
	for size := len(b.Log) - 2; size <= len(b.Log); size++ {
		moments{t, s, l, size}.recorded()
	}
}

// testMomentsRevalued: what is revalued on the last day of a period, and back on
// the day after, counts on those days.
func testMomentsRevalued(t *testing.T, e Engine) {
	b := bookOf(t, "ada")
	content := given.Content("ada", given.Line("1", "100", "S 20"))
	content.Currency, content.Exchange = given.Euros, given.Exchange("0.85")
	b.Take(t, given.Enter("abroad", content))
	through := domain.Date(given.Today.AddDays(31).Month() + "-01").AddDays(-1)
	b.Now = b.Now.AddDate(0, 2, 0)
	b.Take(t, &period.Close{Book: b.ID, Through: through})
	balances := must[[]period.Balance](t)(audited(t, b).Balances(through))
	b.Take(t, &period.Settle{
		Book: b.ID, Through: through, Balances: balances, Rates: []period.Rate{{Currency: given.Euros, Exchange: given.Exchange("0.9")}},
		Proof: period.Proof{Size: uint64(len(b.Log)), Root: make([]byte, 32)},
	})
	l := NewLog(b, 3)
	m := moments{t, filled(t, e, "revalued", l), l, len(b.Log)}
	then := m.then("")
	for _, day := range []domain.Date{through.AddDays(-1), through, through.AddDays(1)} {
		m.effective(then, day)
	}
}

// moments compares what is told of a moment.
type moments struct {
	tester
	now  Store
	log  *Log
	size int
}

// then makes views from the log as it was, of what is dated up to a day.
func (m moments) then(until domain.Date) *sqlite.Scratch {
	m.Helper()
	s := scratch(m, until)
	was := NewLog(m.log.Book, 0)
	was.AddPage(m.log.Book.Log[:m.size]...)
	if _, err := s.Apply(within(m), was.all(m)); err != nil {
		m.Fatalf("the log as it was: %v", err)
	}
	return s
}

func scratch(t tester, until domain.Date) *sqlite.Scratch {
	t.Helper()
	dir, err := os.MkdirTemp("", "daybook-scratch-")
	if err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.NewScratch(within(t), dir, until)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return s
}

// recorded compares what was recorded up to the moment with views that were made from
// the log as it was, which it gives.
func (m moments) recorded() (then *sqlite.Scratch) {
	m.Helper()
	then = m.then("")
	for _, day := range []domain.Date{"", given.Today, given.Today.AddDays(20)} {
		want := must[views.TrialBalance](m)(then.TrialBalance(within(m), views.BalanceFilter{At: views.Moment{Effective: day}, Explain: true}))
		got := must[views.TrialBalance](m)(m.now.TrialBalance(within(m), views.BalanceFilter{
			At: views.Moment{Size: uint64(m.size), Effective: day}, Explain: true,
		}))
		m.same(got, want, "the trial balance of %d commits, dated up to %q", m.size, day)
	}
	pages := map[uint64]projections.Page{}
	for _, p := range m.log.all(m) {
		pages[p.Cursor.Page] = p
	}
	at := func(_ context.Context, page, position uint64) (commit.Commit, error) {
		p := pages[page]
		return p.Commits[position-p.Start()], nil
	}
	documents := documentsOf(m.log.Book)
	if len(documents) == 0 {
		return then
	}
	for _, stream := range sample(documents, 2) {
		commits, err := m.now.CommitsOf(within(m), stream, uint64(m.size), at)
		if err != nil {
			m.Fatal(err)
		}
		picked := scratch(m, "")
		if err := picked.Pick(within(m), commits); err != nil {
			m.Fatalf("%s at %d commits: %v", stream, m.size, err)
		}
		want, errWant := then.Document(within(m), stream, given.Today)
		got, errGot := picked.Document(within(m), stream, given.Today)
		if fmt.Sprint(errGot) != fmt.Sprint(errWant) {
			m.Fatalf("%s at %d commits: %v, and not %v", stream, m.size, errGot, errWant)
		}
		m.same(got, want, "%s at %d commits", stream, m.size)
	}
	return then
}

// effective compares what is dated up to a day with that of all that was recorded up
// to the moment.
func (m moments) effective(all *sqlite.Scratch, day domain.Date) {
	m.Helper()
	dated := m.then(day)
	want := must[views.TrialBalance](m)(all.TrialBalance(within(m), views.BalanceFilter{At: views.Moment{Effective: day}}))
	got := must[views.TrialBalance](m)(dated.TrialBalance(within(m), views.BalanceFilter{}))
	want.Effective = ""
	m.same(got, want, "the trial balance of %d commits dated up to %s", m.size, day)
	aging := must[views.AgingReport](m)(all.AgingReport(within(m), views.AgingFilter{Date: day}))
	m.same(must[views.AgingReport](m)(dated.AgingReport(within(m), views.AgingFilter{Date: day})), aging, "aging of %d commits on %s", m.size, day)
	items := must[views.OpenItems](m)(dated.OpenItems(within(m), views.OpenFilter{AsOf: day, Limit: views.MaxLimit}))
	for _, a := range items.Aging {
		found := false
		for _, total := range aging.Totals {
			found = found || total.Aging == a
		}
		if !found {
			m.Fatalf("open items of %d commits on %s are %+v, and aging %+v", m.size, day, items.Aging, aging.Totals)
		}
	}
}

func (m moments) same(got, want any, what string, args ...any) {
	m.Helper()
	g, err := json.MarshalIndent(got, "", " ")
	if err != nil {
		m.Fatal(err)
	}
	w, err := json.MarshalIndent(want, "", " ")
	if err != nil {
		m.Fatal(err)
	}
	if string(g) != string(w) {
		m.Fatalf("%s differs: %s", fmt.Sprintf(what, args...), difference(string(g), string(w)))
	}
}

// documentsOf are the invoices and credit notes that a book has.
func documentsOf(b *given.Book) (streams []domain.StreamID) {
	seen := map[domain.StreamID]bool{}
	for _, c := range b.Log {
		for _, change := range c.Changes {
			kind := change.Stream.Kind
			if (kind == domain.KindInvoice || kind == domain.KindCredit) && !seen[change.Stream] {
				seen[change.Stream] = true
				streams = append(streams, change.Stream)
			}
		}
	}
	return streams
}
