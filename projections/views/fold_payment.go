package views

import (
	"cmp"
	"fmt"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/funds"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/payment"
)

// fundsRow is a row of funds: where the money of a payment went, or the excess
// of a credit note. What is neither free nor refunded nor drawn is allocated,
// unless the payment was reversed.
type fundsRow struct {
	amount, free    worth
	refunded, drawn int64
	reversed        domain.Date
	reason          string
}

func newFunds(amount worth) *fundsRow { return &fundsRow{amount: amount, free: amount} }

// allocated is what is allocated now.
func (f *fundsRow) allocated() int64 {
	if f.reversed != "" {
		return 0
	}
	return f.amount.amount - f.free.amount - f.refunded - f.drawn
}

// useKey is the key of allocations: the keys of two documents.
type useKey struct{ source, target int64 }

// use is a row of allocations.
type use struct {
	amount int64
	date   domain.Date
}

func (b *batch) foldPayment(p place, e *payment.Received) error {
	d, err := b.begun(p)
	if err != nil {
		return err
	}
	who, err := b.person(e.Customer)
	if err != nil {
		return err
	}
	d.stage = invoice.Status(payment.StatusReceived)
	d.customer, d.name = e.Customer, who.name()
	d.reference, d.date = e.Reference, e.Date
	d.amounts(e.Amount.Currency(), e.Amount, money.Zero(e.Amount.Currency()), e.Amount, e.Amount)
	b.funds[d.seq] = newFunds(worthIn(exchange.Of(e.Amount, e.Base)))
	if err := b.dated(d); err != nil {
		return err
	}
	b.keep(d, p)
	return nil
}

// foldReversal makes what is to be paid back due; posting it opens it.
func (b *batch) foldReversal(p place, e *payment.Reversed) error {
	d, row, err := b.fundsOf(p.event.Stream)
	if err != nil {
		return err
	}
	d.stage, d.due, d.changed = invoice.Status(payment.StatusReversed), e.Date, true
	row.free, row.reversed, row.reason = worth{}, e.Date, e.Reason
	return b.dated(d)
}

func (b *batch) foldFunds(p place) error {
	d, row, err := b.fundsOf(p.event.Stream)
	if err != nil {
		return err
	}
	switch e := p.event.Event.(type) {
	case *funds.Allocated:
		return b.use(d, row, e.Target, worthIn(e.Funds()), e.Date)
	case *funds.Released:
		return b.use(d, row, e.Target, worthIn(e.Funds()).negated(), e.Date)
	case *funds.Refunded:
		if err = row.free.add(worthIn(e.Funds()).negated()); err == nil {
			row.refunded, err = add(row.refunded, e.Amount.Minor())
		}
	case *funds.Drawn:
		if err = row.free.add(worthIn(e.Funds()).negated()); err == nil {
			row.drawn, err = add(row.drawn, e.Amount.Minor())
		}
	}
	return err
}

// use allocates funds to an item, or takes them back.
func (b *batch) use(source *document, row *fundsRow, target domain.StreamID, moved worth, date domain.Date) error {
	item, err := b.document(target)
	if err != nil {
		return err
	}
	key := useKey{source.seq, item.seq}
	u := b.uses[key]
	if u == nil {
		u = &use{}
		if _, err := absent(b.row(`SELECT amount, date FROM allocations WHERE source = $1 AND target = $2`,
			[]any{key.source, key.target}, &u.amount, &u.date)); err != nil {
			return fmt.Errorf("allocations of %s: %w", source.stream, err)
		}
		b.uses[key] = u
	}
	if moved.amount > 0 {
		if u.amount == 0 {
			u.date = ""
		}
		u.date = max(u.date, date)
	}
	if u.amount, err = add(u.amount, moved.amount); err != nil {
		return err
	}
	return row.free.add(moved.negated())
}

// fundsOf gives the document that funds came of, and their row.
func (b *batch) fundsOf(stream domain.StreamID) (*document, *fundsRow, error) {
	d, err := b.document(stream)
	if err != nil {
		return nil, nil, err
	}
	if row := b.funds[d.seq]; row != nil {
		return d, row, nil
	}
	row := &fundsRow{}
	none, err := absent(b.row(`SELECT `+fundsColumns+` FROM funds WHERE document = $1`, []any{d.seq}, row.into()...))
	if err != nil {
		return nil, nil, fmt.Errorf("funds of %s: %w", stream, err)
	}
	if none {
		return nil, nil, damaged("the log has funds of %s, and the view has none", stream)
	}
	b.funds[d.seq] = row
	return d, row, nil
}

const fundsColumns = `amount, free, refunded, drawn, reversed, reason, base, free_base`

func (f *fundsRow) into() []any {
	return []any{&f.amount.amount, &f.free.amount, &f.refunded, &f.drawn, &f.reversed, &f.reason, &f.amount.base, &f.free.base}
}

func (b *batch) writeFunds() error {
	var rows, uses []any
	for _, seq := range keys(b.funds, cmp.Compare[int64]) {
		f := b.funds[seq]
		rows = append(rows, seq, f.amount.amount, f.free.amount, f.refunded, f.drawn, string(f.reversed), f.reason,
			f.amount.base, f.free.base)
	}
	for _, key := range keys(b.uses, func(k, l useKey) int {
		return cmp.Or(cmp.Compare(k.source, l.source), cmp.Compare(k.target, l.target))
	}) {
		u := b.uses[key]
		uses = append(uses, key.source, key.target, u.amount, string(u.date))
	}
	if err := b.w.Put(b.ctx, fundsTable, rows, true); err != nil {
		return err
	}
	return b.w.Put(b.ctx, allocationsTable, uses, true)
}
