package viewtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/projections"
	"github.com/daybook-ledger/daybook/projections/views"
	"github.com/daybook-ledger/daybook/testing/given"
)

// Page is a page of the log.
type Page = projections.Page

// pages gives a log of a busy book in pages of one commit.
func pages(t *testing.T) (*Log, []Page) {
	t.Helper()
	b := busyBook(t)
	deduct(t, b)
	l := NewLog(b, 1)
	return l, l.all(t)
}

func apply(t tester, s Store, pages []Page) projections.Cursor {
	t.Helper()
	at, err := s.Apply(within(t), pages)
	if err != nil {
		t.Fatalf("apply: %v", err)
	}
	return at
}

func refuse(t tester, s Store, pages []Page, want error) {
	t.Helper()
	before := everything(t, s)
	_, err := s.Apply(within(t), pages)
	if err == nil || want != nil && !errors.Is(err, want) {
		t.Fatalf("apply: %v, want %v", err, want)
	}
	if after := everything(t, s); after != before {
		t.Fatalf("what could not be applied left something:\n%s", difference(before, after))
	}
}

// testTwice: pages that the view has are passed over, whatever comes with them.
func testTwice(t *testing.T, e Engine) {
	l, all := pages(t)
	s := open(t, e, "twice")
	half := len(all) / 2
	same(t, "cursor", apply(t, s, all[:half]), all[half-1].Cursor)
	before := everything(t, s)
	same(t, "cursor", apply(t, s, all[:half]), all[half-1].Cursor)
	same(t, "cursor", apply(t, s, all[:1]), all[half-1].Cursor)
	same(t, "cursor", apply(t, s, nil), all[half-1].Cursor)
	if after := everything(t, s); after != before {
		t.Fatalf("applying twice shows:\n%s", difference(before, after))
	}
	same(t, "cursor", apply(t, s, all[half-3:]), l.End()) // some known, some new
	agree(t, s, l.Book)
}

// testGap: pages farther on are not applied, and the cursor says so.
func testGap(t *testing.T, e Engine) {
	l, all := pages(t)
	s := open(t, e, "gap")
	same(t, "cursor", apply(t, s, all[2:]), projections.Cursor{})
	apply(t, s, all[:2])
	same(t, "cursor", apply(t, s, all[5:]), all[1].Cursor)
	refuse(t, s, []Page{all[2], all[4]}, projections.ErrOrder)
	apply(t, s, all[2:])
	agree(t, s, l.Book)
}

// testOtherLog: pages that contradict the cursor mean that the view must be
// rebuilt.
func testOtherLog(t *testing.T, e Engine) {
	l, all := pages(t)
	s := open(t, e, "other")
	apply(t, s, all[:10])
	for name, change := range map[string]func(*Page){
		"root":  func(p *Page) { p.Cursor.Root[0] ^= 1 },
		"size":  func(p *Page) { p.Cursor.Size++ },
		"epoch": func(p *Page) { p.Cursor.Epoch++ },
	} {
		other := all[9]
		change(&other)
		t.Run("Same"+name, func(t *testing.T) { refuse(t, s, []Page{other}, projections.ErrRebuild) })
	}
	for name, change := range map[string]func(*Page){
		"size":  func(p *Page) { p.Cursor.Size++ },
		"epoch": func(p *Page) { p.Cursor.Epoch++ },
	} {
		other := all[10]
		change(&other)
		t.Run("Next"+name, func(t *testing.T) { refuse(t, s, []Page{other}, projections.ErrRebuild) })
	}

	shorter := NewLog(l.Book, 1000) // one page with all commits
	runner := projections.Runner{View: s, Read: shorter.Source()}
	if err := runner.CatchUp(within(t), 0); !errors.Is(err, projections.ErrRebuild) {
		t.Fatalf("a log that does not extend the cursor: %v", err)
	}
	apply(t, s, all[10:])
	agree(t, s, l.Book)
}

// testAllOrNothing: an event that cannot be folded leaves nothing of its batch.
func testAllOrNothing(t *testing.T, e Engine) {
	l, all := pages(t)
	s := open(t, e, "whole")
	apply(t, s, all[:5])
	for at := 5; at < len(all); at += 4 {
		broken := append([]Page(nil), all[5:]...)
		page := broken[at-5]
		page.Commits = append(page.Commits[:0:0], page.Commits...)
		c := &page.Commits[0]
		c.Events = append(c.Events[:len(c.Events):len(c.Events)], c.Events[0])
		c.Events[len(c.Events)-1].Stream = stream(domain.KindInvoice, "never begun")
		c.Events[len(c.Events)-1].Revision = 7
		c.Events[len(c.Events)-1].Event = &invoice.Approved{}
		broken[at-5] = page
		refuse(t, s, broken, nil)
	}
	apply(t, s, all[5:])
	agree(t, s, l.Book)
}

// testConflict: a row that somebody planted stops a batch, and once it is gone
// all goes on.
func testConflict(t *testing.T, e Engine) {
	l, all := pages(t)
	s := open(t, e, "conflict")
	apply(t, s, all[:6])
	raw := must[*sql.DB](t)(e.Raw("conflict"))
	defer raw.Close()
	position := int64(l.End().Size - 1)
	plant := `INSERT INTO entries (position, entry, date, document) VALUES ($1, 0, '2026-01-01', 0)`
	if _, err := raw.Exec(plant, position); err != nil {
		t.Fatal(err)
	}
	refuse(t, s, all[6:], nil)
	if _, err := raw.Exec(`DELETE FROM entries WHERE position = $1`, position); err != nil {
		t.Fatal(err)
	}
	apply(t, s, all[6:])
	agree(t, s, l.Book)
}

// testCancelled: a context that ends leaves nothing, or everything.
func testCancelled(t *testing.T, e Engine) {
	l, all := pages(t)
	s := open(t, e, "cancelled")
	done, cancel := context.WithCancel(within(t))
	cancel()
	if _, err := s.Apply(done, all); err == nil {
		t.Fatal("applied after the end")
	}
	for i := 0; ; i++ {
		brief, cancel := context.WithTimeout(within(t), time.Duration(i*i)*50*time.Microsecond)
		_, err := s.Apply(brief, all)
		cancel()
		status := must[views.Status](t)(s.Status(within(t)))
		if status.Size != 0 && status.Size != l.End().Size {
			t.Fatalf("a part was applied: %d of %d", status.Size, l.End().Size)
		}
		if err == nil {
			break
		}
		if !errors.Is(err, context.DeadlineExceeded) && brief.Err() == nil {
			t.Fatalf("apply: %v", err)
		}
	}
	agree(t, s, l.Book)
}

// testReopened: what was applied is there again.
func testReopened(t *testing.T, e Engine) {
	l, all := pages(t)
	var before string
	for i := 0; i < len(all); i += 9 {
		s, err := e.Open("reopened")
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 && everything(t, s) != before {
			t.Fatal("views changed while they were closed")
		}
		apply(t, s, all[i:min(i+9, len(all))])
		before = everything(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	agree(t, open(t, e, "reopened"), l.Book)
}

// testManyAtOnce: however many bring the same views forward, every page is
// applied once, and readers see whole pages.
func testManyAtOnce(t *testing.T, e Engine) {
	l, _ := pages(t)
	ctx := within(t)
	var group sync.WaitGroup
	stop := make(chan struct{})
	failed := make(chan error, 16)
	for range 3 {
		s := open(t, e, "shared")
		group.Go(func() {
			runner := projections.Runner{View: s, Read: slowly(l.Source())}
			if err := runner.CatchUp(ctx, 0); err != nil {
				failed <- fmt.Errorf("catch up: %w", err)
			}
		})
	}
	reader := open(t, e, "shared")
	var reading sync.WaitGroup
	reading.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			balance, err := reader.TrialBalance(ctx, views.BalanceFilter{})
			if err != nil {
				failed <- fmt.Errorf("read: %w", err)
				return
			}
			for _, total := range balance.Totals {
				if total.Debit != total.Credit {
					failed <- fmt.Errorf("read %s = %s in the middle of a page", total.Debit, total.Credit)
				}
			}
		}
	})
	group.Wait()
	close(stop)
	reading.Wait()
	close(failed)
	for err := range failed {
		t.Error(err)
	}
	agree(t, reader, l.Book)
}

// slowly makes a source pause now and then, so that readers of it overtake one
// another.
func slowly(source projections.Source) projections.Source {
	return func(ctx context.Context, after projections.Cursor) iter.Seq2[Page, error] {
		return func(yield func(Page, error) bool) {
			for p, err := range source(ctx, after) {
				if p.Cursor.Page%4 == 0 {
					time.Sleep(time.Millisecond)
				}
				if !yield(p, err) {
					return
				}
			}
		}
	}
}

// testCatchUpTo: a runner stops where it was asked to, not before.
func testCatchUpTo(t *testing.T, e Engine) {
	l, all := pages(t)
	s := open(t, e, "target")
	var told []projections.Progress
	runner := projections.Runner{View: s, Read: l.Source(), Progress: func(p projections.Progress) { told = append(told, p) }}
	if err := runner.CatchUp(within(t), 7); err != nil {
		t.Fatal(err)
	}
	same(t, "cursor", must[projections.Cursor](t)(s.Cursor(within(t))), all[6].Cursor)
	if len(told) == 0 || told[len(told)-1].At != all[6].Cursor || told[0].Target != 7 {
		t.Fatalf("progress: %+v", told)
	}
	if err := runner.Wait(within(t), 7); err != nil {
		t.Fatal(err)
	}
	asleep := projections.Runner{View: s} // needs no source for what it has
	if err := asleep.CatchUp(within(t), 5); err != nil {
		t.Fatal(err)
	}
	if err := runner.CatchUp(within(t), l.End().Size+1); !errors.Is(err, projections.ErrBehind) {
		t.Fatalf("beyond the end: %v", err)
	}
	same(t, "cursor", must[projections.Cursor](t)(s.Cursor(within(t))), l.End())
}

// testFollow: a runner that follows applies what comes, beside another, and
// whoever waits for a position finds it applied.
func testFollow(t *testing.T, e Engine) {
	b := bookOf(t, "ada")
	l := NewLog(b, 1000)
	ctx, cancel := context.WithCancel(within(t))
	ended := make(chan error, 2)
	var runners []*projections.Runner
	for range 2 {
		s := open(t, e, "follow")
		r := &projections.Runner{View: s, Read: l.Source(), Tail: l.Tail()}
		runners = append(runners, r)
		go func() { ended <- r.Follow(ctx) }()
	}
	reader := open(t, e, "follow")
	for i := range 20 {
		b.Take(t, given.Enter(fmt.Sprintf("live %d", i), given.Content("ada", given.Line("1", "1", "S 20"))))
		l.Flush(1)
		if err := runners[i%2].Wait(within(t), l.End().Size); err != nil {
			t.Fatal(err)
		}
		if _, err := reader.Document(within(t), stream(domain.KindInvoice, fmt.Sprintf("live %d", i)), ""); err != nil {
			t.Fatalf("waited for, and not there: %v", err)
		}
	}
	cancel()
	for range runners {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Fatalf("follow ended with %v", err)
		}
	}
	agree(t, reader, b)
}

// testSourceFails: a source's error comes out, and what came before it is kept.
func testSourceFails(t *testing.T, e Engine) {
	l, all := pages(t)
	s := open(t, e, "failing")
	broken := errors.New("the log is damaged")
	runner := projections.Runner{View: s, Read: func(ctx context.Context, after projections.Cursor) iter.Seq2[Page, error] {
		return func(yield func(Page, error) bool) {
			for _, p := range all[:8] {
				if !yield(p, nil) {
					return
				}
			}
			yield(Page{}, broken)
		}
	}}
	if err := runner.CatchUp(within(t), 0); !errors.Is(err, broken) {
		t.Fatalf("catch up: %v", err)
	}
	at := must[projections.Cursor](t)(s.Cursor(within(t)))
	if at != (projections.Cursor{}) && at != all[7].Cursor {
		t.Fatalf("cursor %+v", at)
	}
	catchUp(t, s, l)
	agree(t, s, l.Book)
}

// testNewer: views of a later version are left alone.
func testNewer(t *testing.T, e Engine) {
	l, _ := pages(t)
	s, err := e.Open("newer")
	if err != nil {
		t.Fatal(err)
	}
	catchUp(t, s, l)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	raw := must[*sql.DB](t)(e.Raw("newer"))
	if _, err := raw.Exec(`UPDATE view_schema SET version = version + 1`); err != nil {
		t.Fatal(err)
	}
	if s, err := e.Open("newer"); !errors.Is(err, projections.ErrNewer) {
		if err == nil {
			s.Close()
		}
		t.Fatalf("open: %v", err)
	}
	if _, err := raw.Exec(`UPDATE view_schema SET version = version - 1`); err != nil {
		t.Fatal(err)
	}
	if err := raw.Close(); err != nil {
		t.Fatal(err)
	}
	agree(t, open(t, e, "newer"), l.Book)
}

// testMadeOnce: several that open a new place at once agree on it.
func testMadeOnce(t *testing.T, e Engine) {
	l, all := pages(t)
	var group sync.WaitGroup
	stores := make([]Store, 4)
	errs := make([]error, len(stores))
	for i := range stores {
		group.Go(func() { stores[i], errs[i] = e.Open("once") })
	}
	group.Wait()
	for i, err := range errs {
		if err != nil {
			t.Fatalf("open: %v", err)
		}
		defer stores[i].Close()
	}
	apply(t, stores[0], all[:7])
	apply(t, stores[3], all[7:])
	for _, s := range stores {
		same(t, "cursor", must[projections.Cursor](t)(s.Cursor(within(t))), l.End())
	}
	agree(t, stores[1], l.Book)
}
