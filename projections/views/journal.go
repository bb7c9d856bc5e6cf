package views

import (
	"context"
	"fmt"
	"iter"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// JournalFilter says which entries to list: by date, then as they were recorded.
type JournalFilter struct {
	// From and To bound the date, both included; empty for no bound.
	From, To domain.Date
	// Account leaves only entries that post to it; empty for all.
	Account account.Account
	// Document leaves only entries of one document; the zero StreamID for all.
	Document domain.StreamID
	// Limit is the number of entries, at most MaxLimit; 0 means DefaultLimit.
	Limit int
	// After is the Next of the page before, with the same filter.
	After string
}

// Journal is a part of the journal.
type Journal struct {
	Entries []Entry `json:"entries"`
	// Currency is the book's, that of all bases.
	Currency string `json:"currency"`
	Next     string `json:"next,omitempty"`
}

// Entry is one balanced entry.
type Entry struct {
	// Position is that of the commit, and Entry counts in it from 0. Event, which
	// counts in it from 0 too, and Type are what is posted.
	Position     uint64      `json:"position"`
	Entry        int         `json:"entry"`
	Event        int         `json:"event"`
	Type         string      `json:"type"`
	Date         domain.Date `json:"date"`
	Kind         domain.Kind `json:"kind"`
	Document     uuid.UUID   `json:"document"`
	Number       string      `json:"number"`
	Customer     uuid.UUID   `json:"customer"`
	CustomerName string      `json:"customer_name,omitempty"`
	Postings     []Posting   `json:"postings"`
}

// Posting is one line of an entry: an amount on one side, zero on the other.
type Posting struct {
	Account  account.Account `json:"account"`
	Debit    string          `json:"debit"`
	Credit   string          `json:"credit"`
	Currency string          `json:"currency"`
	// DebitBase and CreditBase are the amount in the book's currency.
	DebitBase  string `json:"debit_base"`
	CreditBase string `json:"credit_base"`
	// Category, Percent and Taxable say what a posting of tax is the tax of.
	Category tax.Category `json:"category,omitempty"`
	Percent  string       `json:"percent,omitempty"`
	Taxable  string       `json:"taxable,omitempty"`
	// TaxableBase is Taxable in the book's currency.
	TaxableBase string `json:"taxable_base,omitempty"`
	// TaxPoint is the day by which the tax report counts it.
	TaxPoint domain.Date `json:"tax_point,omitempty"`
}

var journalOrder = order{name: "journal", text: "date", number: "0"}

// Journal lists entries. Faults invalid-limit, invalid-page.
func (q *Queries) Journal(ctx context.Context, f JournalFilter) (Journal, error) {
	limit, err := limited(f.Limit)
	if err != nil {
		return Journal{}, err
	}
	after, err := journalOrder.parseToken(f.After)
	if err != nil {
		return Journal{}, err
	}
	var journal Journal
	err = q.reader.Read(ctx, func(tx Tx) error {
		journal = Journal{Entries: []Entry{}}
		currency, base, err := bookCurrency(ctx, tx)
		if err != nil {
			return err
		}
		journal.Currency = currency
		if err := f.read(ctx, tx, after, limit, &journal); err != nil {
			return err
		}
		for i := range journal.Entries {
			if err := journal.Entries[i].read(ctx, tx, base); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Journal{}, fmt.Errorf("views: journal: %w", err)
	}
	return journal, nil
}

// Entries gives all entries that the filter leaves, as they are when it begins;
// its limit does not count. The first error ends the sequence.
func (q *Queries) Entries(ctx context.Context, f JournalFilter) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		begun, err := q.Status(ctx)
		for f.Limit = MaxLimit; err == nil; {
			var journal Journal
			if journal, err = q.Journal(ctx, f); err != nil {
				break
			}
			for _, e := range journal.Entries {
				if e.Position < begun.Size && !yield(e, nil) {
					return
				}
			}
			if f.After = journal.Next; f.After == "" {
				return
			}
		}
		yield(Entry{}, err)
	}
}

// read lists the entries. A key's number is the position, its seq the place of
// the entry there.
func (f JournalFilter) read(ctx context.Context, tx Tx, after key, limit int, into *Journal) error {
	from := "entries"
	var w where
	switch {
	case f.Document != (domain.StreamID{}): // few entries, whatever their accounts
		w.add("document = (SELECT seq FROM documents WHERE id = ? AND kind = ?)", f.Document.ID[:], string(f.Document.Kind))
		w.text(`EXISTS (SELECT 1 FROM postings p WHERE p.position = entries.position AND p.entry = entries.entry AND p.account = ?)`,
			string(f.Account))
	case f.Account != "": // postings have the date too, to be found in order
		from = "postings"
		w.add("account = ?", string(f.Account))
	}
	w.text("date >= ?", string(f.From))
	w.text("date <= ?", string(f.To))
	if after.set {
		w.add("(date, position, entry) > (?, ?, ?)", after.text, after.number, after.seq)
	}
	query := `SELECT k.date, k.position, k.entry, e.event, e.type, d.kind, d.id, d.number, d.customer, d.name
		FROM (SELECT DISTINCT date, position, entry FROM ` + from + w.String() + ` ORDER BY date, position, entry` + w.limit(limit+1) + `) k
		JOIN entries e ON e.position = k.position AND e.entry = k.entry
		JOIN documents d ON d.seq = e.document
		ORDER BY k.date, k.position, k.entry`
	return load(ctx, tx, query, w.args, func(r scanner) error {
		var e Entry
		if err := r.Scan(&e.Date, &e.Position, &e.Entry, &e.Event, &e.Type, &e.Kind, &e.Document, &e.Number, &e.Customer, &e.CustomerName); err != nil {
			return err
		}
		if len(into.Entries) == limit {
			last := into.Entries[limit-1]
			into.Next = journalOrder.token(string(last.Date), int64(last.Position), int64(last.Entry))
			return nil
		}
		into.Entries = append(into.Entries, e)
		return nil
	})
}

// read adds the postings of an entry.
func (e *Entry) read(ctx context.Context, tx Tx, base func(minor int64) string) error {
	return load(ctx, tx, `SELECT account, currency, amount, category, percent, taxable, base, taxable_base, tax_point FROM postings
		WHERE position = $1 AND entry = $2 ORDER BY line`, []any{int64(e.Position), int64(e.Entry)}, func(r scanner) error {
		var p Posting
		var amount, taxable worth
		if err := r.Scan(&p.Account, &p.Currency, &amount.amount, &p.Category, &p.Percent, &taxable.amount,
			&amount.base, &taxable.base, &p.TaxPoint); err != nil {
			return err
		}
		text, err := decimals(p.Currency)
		if err != nil {
			return err
		}
		var s sums
		if err := s.add(amount); err != nil {
			return err
		}
		p.Debit, p.Credit = text(s.debit.amount), text(s.credit.amount)
		p.DebitBase, p.CreditBase = base(s.debit.base), base(s.credit.base)
		if p.Category != "" {
			p.Taxable, p.TaxableBase = text(taxable.amount), base(taxable.base)
		}
		e.Postings = append(e.Postings, p)
		return nil
	})
}
