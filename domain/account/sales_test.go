package account_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
	"github.com/daybook-ledger/daybook/testing/given"
)

// sold is a document's content with lines of items and without, and an
// allowance and a charge.
func sold() invoice.Content {
	coded := func(item, quantity, price string) invoice.Line {
		line := given.Line(quantity, price, "S 20")
		line.Item = item
		return line
	}
	content := given.Content("ada", coded("TEA", "3", "2.50"), coded("", "1", "100"), coded("CUP", "1", "4"), coded("TEA", "1", "2"), coded("", "1", "0.99"))
	content.Adjustments = []tax.Adjustment{
		{Amount: given.GBP("5"), Rate: given.Rate("S 20"), Reason: "for regulars"},
		{Charge: true, Amount: given.GBP("3"), Rate: given.Rate("S 20"), Reason: "carriage"},
	}
	return content
}

func compareSales(t *testing.T, c domain.Change, want ...string) {
	t.Helper()
	var entry account.Entry
	entries, err := account.Post(c.Event, c.Stream)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) > 0 {
		entry = entries[0]
	}
	sales, err := account.Sales(c.Event, entry)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range sales {
		got = append(got, fmt.Sprintf("%s %q %s", s.Sold, s.Item, s.Amount))
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("sales %q, want %q", got, want)
	}
}

// TestSales: lines of one item stand together, those without an item too, and so
// do allowances and charges; a credit note takes them back.
func TestSales(t *testing.T) {
	b := given.Opened(t)
	content := sold()
	changes := b.Take(t, given.Enter("i", content))
	compareSales(t, issued(t, changes), `item "TEA" 9.50`, `uncoded "" 100.99`, `item "CUP" 4.00`, `adjustment "" -2.00`)
	note := given.Credit("c", "i", "ada", content.Lines...)
	note.Content.Adjustments = content.Adjustments
	compareSales(t, issued(t, b.Take(t, note)), `item "TEA" -9.50`, `uncoded "" -100.99`, `item "CUP" -4.00`, `adjustment "" 2.00`)
	compareSales(t, domain.Change{Event: &invoice.Approved{}})
}

// issued is the event of an issue among those of a commit.
func issued(t *testing.T, changes []domain.Change) domain.Change {
	t.Helper()
	for _, change := range changes {
		if name := change.Event.EventType(); name == "invoice.issued" || name == "credit.issued" {
			return change
		}
	}
	t.Fatal("nothing was issued")
	return domain.Change{}
}

// TestSalesOfOtherTotals: totals of other lines than there are are no sales.
func TestSalesOfOtherTotals(t *testing.T) {
	e := &invoice.Issued{Content: sold(), Totals: tax.Totals{}}
	if sales, err := account.Sales(e, account.Entry{}); err == nil {
		t.Errorf("sales %v", sales)
	}
}

// TestSalesAreRevenue: whatever is sold, its sales add up to what is posted to
// revenue, prices with tax or without.
func TestSalesAreRevenue(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		content := sold()
		content.PricesIncludeTax = rapid.Bool().Draw(r, "gross")
		for i := range content.Lines {
			content.Lines[i].Quantity = given.Number(rapid.SampledFrom([]string{"1", "2.5", "7"}).Draw(r, "quantity"))
			content.Lines[i].Rate = given.Rate(rapid.SampledFrom([]string{"S 20", "S 5", "Z 0"}).Draw(r, "rate"))
			content.Lines[i].Item = rapid.SampledFrom([]string{"", "TEA", "CUP"}).Draw(r, "item")
		}
		content.Lines[0].Rate = given.Rate("S 20") // what the adjustments have
		b := given.New()
		for _, c := range []domain.Command{given.Open(b.ID), given.Register("ada"), given.Enter("i", content)} {
			if _, err := b.Do(c); err != nil {
				r.Fatal(err)
			}
		}
		change := b.Log[len(b.Log)-1].Changes[0]
		for _, c := range b.Log[len(b.Log)-1].Changes {
			if c.Event.EventType() == "invoice.issued" {
				change = c
			}
		}
		entries, err := account.Post(change.Event, change.Stream)
		if err != nil {
			r.Fatal(err)
		}
		foreign := rapid.Int64Range(0, 3).Draw(r, "rate") // 0 for a document in the book's currency
		entry := converted(r, entries[0], foreign)
		sales, err := account.Sales(change.Event, entry)
		if err != nil {
			r.Fatal(err)
		}
		var posted, base money.Amount
		for _, p := range entry.Postings {
			if p.Account == account.Revenue {
				posted, base = p.Amount, p.Base
			}
		}
		for _, s := range sales {
			if posted, err = posted.Add(s.Amount); err != nil {
				r.Fatal(err)
			}
			if base, err = base.Add(s.Base); err != nil {
				r.Fatal(err)
			}
			if foreign == 0 && s.Base != s.Amount {
				r.Errorf("the base of %s is %s", s.Amount, s.Base)
			}
		}
		if !posted.IsZero() || !base.IsZero() {
			r.Fatalf("sales are %s off what was posted, and %s off its base", posted, base)
		}
	})
}

// converted is an entry whose bases are at so many yen a penny, or as they are.
func converted(r *rapid.T, e account.Entry, rate int64) account.Entry {
	if rate == 0 {
		return e
	}
	yen, err := money.ParseCurrency("JPY")
	if err != nil {
		r.Fatal(err)
	}
	e.Postings = slices.Clone(e.Postings)
	for i := range e.Postings {
		e.Postings[i].Base = money.New(e.Postings[i].Amount.Minor()*rate/2, yen)
	}
	return e
}
