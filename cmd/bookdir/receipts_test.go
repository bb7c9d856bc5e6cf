package bookdir

import (
	"bytes"
	"errors"
	"testing"

	"github.com/daybook-ledger/daybook/eventstore/memory"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
	"github.com/daybook-ledger/daybook/ledger/commit"
)

// TestHonoursGoesByWhatTheReceiptProves: what lies after a receipt's checkpoint says
// nothing of it, and where what lies before cannot be read nobody is accused.
func TestHonoursGoesByWhatTheReceiptProves(t *testing.T) {
	t.Parallel()
	f := bookkeeper(t, create)
	receipt := f.receipts[settled-1]
	if receipt.Position != settled {
		t.Fatalf("the receipt is for position %d", receipt.Position)
	}
	good := f.pages(t, f.commits...)
	damaged := func(position int) [][]byte {
		pages := f.pages(t, f.commits...)
		body := bytes.Clone(pages[f.at(position).page-1])
		body[len(body)-1] ^= 1
		pages[f.at(position).page-1] = body
		return pages
	}
	forked := func(position int) [][]byte {
		return f.pages(t, f.replaced(position, f.forge(t, position, func(*commit.Commit) {}))...)
	}
	for name, c := range map[string]struct {
		pages        [][]byte
		lost, untold string
	}{
		"a good log":               {pages: good},
		"damaged after it":         {pages: damaged(entered)},
		"forked after it":          {pages: forked(entered)},
		"cut off after it":         {pages: good[:f.at(settled).page]},
		"damaged before it":        {pages: damaged(received), untold: page.ErrRoot.Code},
		"damaged itself":           {pages: damaged(settled), untold: page.ErrRoot.Code},
		"damaged, then cut off":    {pages: damaged(received)[:f.at(closed).page], untold: page.ErrRoot.Code},
		"forked before it":         {pages: forked(received), lost: transparency.CodeContradiction},
		"another entry":            {pages: forked(settled), lost: transparency.CodeContradiction},
		"cut off before it":        {pages: good[:f.at(closed).page], lost: CodeShort},
		"cut off before it wholly": {lost: CodeShort},
	} {
		verifier, err := f.info.Verifier()
		if err != nil {
			t.Fatal(err)
		}
		store := memory.New()
		l := &Log{Info: f.info, Store: store, Verifier: verifier, link: &link{dir: f.dir, info: f.info}}
		for i, body := range c.pages {
			if err := store.Append(t.Context(), uint64(i), body); err != nil {
				t.Fatal(err)
			}
		}
		lost, err := l.Honours(t.Context(), receipt, *f.info.list, nil)
		var untold *transparency.Failure
		if err != nil && !errors.As(err, &untold) {
			t.Fatal(err)
		}
		if code(lost) != c.lost || code(untold) != c.untold {
			t.Errorf("%s: lost %+v; not told %+v", name, lost, untold)
		}
	}
}

func code(f *transparency.Failure) string {
	if f == nil {
		return ""
	}
	return f.Code
}
