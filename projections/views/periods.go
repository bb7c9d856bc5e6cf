package views

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/period"
)

// PeriodStatus is where a period stands.
type PeriodStatus string

// The statuses of periods.
const (
	// PeriodClosed: nothing is booked into it; its balances are not entered yet.
	PeriodClosed PeriodStatus = "closed"
	// PeriodSettled: its balances are entered.
	PeriodSettled PeriodStatus = "settled"
	// PeriodReopened: it is open again.
	PeriodReopened PeriodStatus = "reopened"
)

// Period is some months that were closed together.
type Period struct {
	// From is empty for the book's first period, which has no beginning.
	From     domain.Date  `json:"from,omitempty"`
	Through  domain.Date  `json:"through"`
	Status   PeriodStatus `json:"status"`
	Closed   time.Time    `json:"closed"`
	ClosedBy string       `json:"closed_by"`
	// Settled is when its balances were entered, read from Size commits of the
	// log, whose Merkle tree hash is Root.
	Settled  time.Time        `json:"settled,omitzero"`
	Size     uint64           `json:"size,omitempty"`
	Root     []byte           `json:"root,omitempty"`
	Balances []AccountBalance `json:"balances"`
	// Reopened is when it was opened again, by whom and why.
	Reopened   time.Time `json:"reopened,omitzero"`
	ReopenedBy string    `json:"reopened_by,omitempty"`
	Reason     string    `json:"reason,omitempty"`
}

// foldPeriod keeps periods: they are few, so their rows are written at once. The
// balances are those that were entered; the views' own stay beside them.
func (b *batch) foldPeriod(p place) error {
	switch e := p.event.Event.(type) {
	case *period.Closed:
		return b.w.Put(b.ctx, periodsTable, []any{
			p.key(), string(e.From), string(e.Through), p.recorded(), p.commit.Principal, int64(0), int64(0), []byte{}, int64(0), "", "",
		}, false)
	case *period.Settled:
		var seq int64
		if err := b.row(`SELECT seq FROM periods WHERE through = $1 AND reopened = 0`, []any{string(e.Through)}, &seq); err != nil {
			return fmt.Errorf("the period through %s: %w", e.Through, err)
		}
		var rows []any
		for _, balance := range e.Balances {
			rows = append(rows, seq, balance.Account, balance.Amount.Currency().String(),
				balance.Amount.Minor(), balance.Base.Minor())
		}
		if err := b.w.Put(b.ctx, closingTable, rows, false); err != nil {
			return err
		}
		return b.exec(`UPDATE periods SET settled = $1, size = $2, root = $3 WHERE seq = $4`,
			p.recorded(), int64(e.Proof.Size), e.Proof.Root, seq)
	case *period.Reopened:
		return b.exec(`UPDATE periods SET reopened = $1, reopened_by = $2, reason = $3 WHERE through = $4 AND reopened = 0`,
			p.recorded(), p.commit.Principal, e.Reason, string(e.Through))
	}
	return nil
}

// Periods gives all periods that were closed, in the order in which they were.
func (q *Queries) Periods(ctx context.Context) ([]Period, error) {
	var all []Period
	err := q.reader.Read(ctx, func(tx Tx) error {
		all = []Period{}
		var seqs []int64
		err := load(ctx, tx, `SELECT seq, first, through, closed, closed_by, settled, size, root, reopened, reopened_by, reason
			FROM periods ORDER BY seq`, nil, func(r scanner) error {
			var p Period
			var seq, closed, settled, size, reopened int64
			if err := r.Scan(&seq, &p.From, &p.Through, &closed, &p.ClosedBy, &settled, &size, &p.Root, &reopened,
				&p.ReopenedBy, &p.Reason); err != nil {
				return err
			}
			p.Status, p.Closed, p.Size = PeriodClosed, instant(closed), uint64(size)
			if settled != 0 {
				p.Status, p.Settled = PeriodSettled, instant(settled)
			}
			if reopened != 0 {
				p.Status, p.Reopened = PeriodReopened, instant(reopened)
			}
			seqs, all = append(seqs, seq), append(all, p)
			return nil
		})
		for i := range all {
			if err == nil {
				err = all[i].read(ctx, tx, seqs[i])
			}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("views: periods: %w", err)
	}
	return all, nil
}

// read adds the balances that were entered.
func (p *Period) read(ctx context.Context, tx Tx, seq int64) error {
	currency, base, err := bookCurrency(ctx, tx)
	if err != nil {
		return err
	}
	balances := map[dayKey]worth{}
	err = load(ctx, tx, `SELECT account, currency, amount, base FROM period_balances WHERE period = $1`, []any{seq}, func(r scanner) error {
		var k dayKey
		var w worth
		if err := r.Scan(&k.account, &k.currency, &w.amount, &w.base); err != nil {
			return err
		}
		balances[k] = w
		return nil
	})
	if err != nil {
		return err
	}
	t := TrialBalance{Currency: currency}
	err = t.fill(balances, base)
	p.Balances = t.Accounts
	return err
}

// Closing is what the accounts hold at the end of a day, and the state of the
// log that it was read from.
type Closing struct {
	Proof    period.Proof
	Balances []period.Balance
}

// Closing adds up what the accounts hold at the end of a day: the balances by
// which a period is settled.
func (q *Queries) Closing(ctx context.Context, through domain.Date) (c Closing, err error) {
	err = q.reader.Read(ctx, func(tx Tx) error {
		at, err := readStatus(ctx, tx)
		if err != nil {
			return err
		}
		c = Closing{Proof: period.Proof{Size: at.Size, Root: at.Root[:]}}
		return c.read(ctx, tx, through)
	})
	if err != nil {
		return Closing{}, fmt.Errorf("views: balances at the end of %s: %w", through, err)
	}
	return c, nil
}

// read adds up the accounts, and leaves out those that are even.
func (c *Closing) read(ctx context.Context, tx Tx, through domain.Date) error {
	code, _, err := bookCurrency(ctx, tx)
	if err != nil || code == "" {
		return err
	}
	base, err := money.ParseCurrency(code)
	if err != nil {
		return damaged("currency %.10q", code)
	}
	err = load(ctx, tx, `SELECT account, currency, sum(debit), sum(credit), sum(debit_base), sum(credit_base) FROM account_days
		WHERE date <= $1 GROUP BY account, currency`, []any{string(through)}, func(r scanner) error {
		var k dayKey
		var s sums
		if err := r.Scan(append([]any{&k.account, &k.currency}, s.columns()...)...); err != nil {
			return err
		}
		currency, err := money.ParseCurrency(k.currency)
		if err != nil {
			return damaged("currency %.10q", k.currency)
		}
		held := worth{s.debit.amount - s.credit.amount, s.debit.base - s.credit.base}
		if held != (worth{}) {
			c.Balances = append(c.Balances, period.NewBalance(k.account, money.New(held.amount, currency), money.New(held.base, base)))
		}
		return nil
	})
	slices.SortFunc(c.Balances, period.Order)
	return err
}

// posted gives the document that an entry is of. What the end of a period posts is
// of the book's periods: they are a document in the journal, and in no list.
func (b *batch) posted(p place, entry account.Entry) (*document, error) {
	stream := entry.Document
	if stream.Kind != domain.KindPeriod || b.documents[stream] != nil {
		return b.document(stream)
	}
	d := &document{}
	none, err := absent(d.scan(b.w.QueryRowContext(b.ctx, `SELECT `+documentColumns+` FROM documents WHERE id = $1 AND kind = $2`,
		stream.ID[:], string(stream.Kind))))
	if err != nil {
		return nil, fmt.Errorf("document %s: %w", stream, err)
	}
	if none {
		d = &document{seq: p.key(), stage: "period", recorded: p.recorded(), currency: entry.Postings[0].Base.Currency().String()}
	}
	d.stream = stream
	b.documents[stream] = d
	return d, nil
}
