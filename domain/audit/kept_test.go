package audit_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/audit"
	"github.com/daybook-ledger/daybook/domain/period"
	"github.com/daybook-ledger/daybook/testing/given"
)

// A check that is kept after every commit, and gone on with, finds what one finds
// that was not.
func TestKept(t *testing.T) {
	b := settled(t)
	content := given.Content("ada", given.Line("1", "100", "S 20"))
	content.Currency, content.Exchange = given.Euros, given.Exchange("0.85")
	b.Take(t, given.Enter("abroad", content))
	b.Take(t, given.Receive("q", "ada", "3.00"))
	for _, spoilt := range []bool{false, true} {
		log := b.Log
		if spoilt {
			log = append(log[:len(log):len(log)], given.Commit{Changes: log[len(log)-1].Changes})
			for i, c := range log {
				for j, change := range c.Changes {
					if e, is := change.Event.(*period.Settled); is {
						other := *e
						other.Balances = e.Balances[1:]
						log[i].Changes[j].Event = &other
					}
				}
			}
		}
		_, want := check(t, log)
		if spoilt == (len(want) == 0) {
			t.Fatalf("spoilt %v: found %+v", spoilt, want)
		}
		p := audit.NewPeriods()
		var got []audit.Finding
		for i, c := range log {
			found, err := p.Commit(uint64(i), c.Changes)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, found...)
			p.Head(uint64(i+1), root(i+1))
			p = kept(t, p)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("kept: %+v, in one go: %+v", got, want)
		}
		whole, _ := check(t, log)
		for _, day := range []domain.Date{"2026-02-28", "2026-12-31"} {
			balances, err := p.Balances(day)
			if err != nil {
				t.Fatal(err)
			}
			other, err := whole.Balances(day)
			if err != nil || fmt.Sprint(balances) != fmt.Sprint(other) {
				t.Errorf("%s: %v and %v, %v", day, balances, other, err)
			}
		}
		if p.Settled() != whole.Settled() {
			t.Errorf("%d settled, and %d", p.Settled(), whole.Settled())
		}
	}
}

// kept is a check that was kept and read again.
func kept(t *testing.T, p *audit.Periods) *audit.Periods {
	t.Helper()
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	again := audit.NewPeriods()
	if err := json.Unmarshal(data, again); err != nil {
		t.Fatal(err)
	}
	return again
}

// FuzzKept: whatever is read for a check that was kept, it is read or refused.
func FuzzKept(f *testing.F) {
	data, err := json.Marshal(audit.NewPeriods())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"sums":[{"date":"2026-01-01","account":"cash","currency":"GBP","amount":{"amount":"1.00","currency":"GBP"},"base":{"amount":"0","currency":""}}],"roots":{"3":"AA=="}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p := audit.NewPeriods()
		if json.Unmarshal(data, p) != nil {
			return
		}
		if _, err := p.Balances("2026-12-31"); err == nil {
			kept(t, p)
		}
	})
}
