package views

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/series"
)

// batch folds commits in memory and writes each row that they change once, at
// the end. What was there before is read ahead, or when it is first needed.
type batch struct {
	ctx context.Context
	w   Writer
	// effective is the last day that counts; empty where all do.
	effective domain.Date

	documents map[domain.StreamID]*document
	people    map[uuid.UUID]*person
	balances  map[balanceKey]*balance
	settled   map[uuid.UUID]bool // customers whose balances are all in balances
	sums      map[dayKey]*sums
	taxes     map[taxKey]*taxSums
	open      map[openKey]*worth
	due       map[dueKey]*worth
	days      map[boundsKey]*bounds
	drawn     map[series.Kind]*drawn
	funds     map[int64]*fundsRow // by document
	uses      map[useKey]*use

	deposits   map[depositKey]*rateSums   // what is left to deduct
	deductions map[deductionKey]*rateSums // what is deducted

	contents map[int64][]any // rows by document: the newest counts
	fresh    map[int64]bool  // documents whose contents have no row yet

	// Rows that are only ever added, flat.
	activity, entries, postings, sales []any
	events                             int64
}

func newBatch(ctx context.Context, w Writer) *batch {
	return &batch{
		ctx: ctx, w: w,
		documents: map[domain.StreamID]*document{},
		people:    map[uuid.UUID]*person{},
		balances:  map[balanceKey]*balance{},
		settled:   map[uuid.UUID]bool{},
		sums:      map[dayKey]*sums{},
		taxes:     map[taxKey]*taxSums{},
		open:      map[openKey]*worth{},
		due:       map[dueKey]*worth{},
		days:      map[boundsKey]*bounds{},
		drawn:     map[series.Kind]*drawn{},
		funds:     map[int64]*fundsRow{},
		uses:      map[useKey]*use{},

		deposits:   map[depositKey]*rateSums{},
		deductions: map[deductionKey]*rateSums{},

		contents: map[int64][]any{},
		fresh:    map[int64]bool{},
	}
}

// document gives the row of a document that exists.
func (b *batch) document(stream domain.StreamID) (*document, error) {
	if d := b.documents[stream]; d != nil {
		return d, nil
	}
	d := &document{}
	if err := d.scan(b.w.QueryRowContext(b.ctx, `SELECT `+documentColumns+` FROM documents WHERE id = $1 AND kind = $2`,
		stream.ID[:], string(stream.Kind))); err != nil {
		if none, err := absent(err); !none {
			return nil, fmt.Errorf("document %s: %w", stream, err)
		}
		return nil, damaged("the log has events of %s, and the view has no such document", stream)
	}
	d.stream = stream
	b.documents[stream] = d
	return d, nil
}

// person gives the row of a customer that exists.
func (b *batch) person(id uuid.UUID) (*person, error) {
	if p := b.people[id]; p != nil {
		return p, nil
	}
	p := &person{}
	if err := p.scan(b.w.QueryRowContext(b.ctx, `SELECT `+personColumns+` FROM customers WHERE id = $1`, id[:])); err != nil {
		if none, err := absent(err); !none {
			return nil, fmt.Errorf("customer %s: %w", id, err)
		}
		return nil, damaged("the log has events of customer %s, and the view has no such customer", id)
	}
	b.people[id] = p
	return p, nil
}

// row reads the one row of a query.
func (b *batch) row(query string, args []any, into ...any) error {
	return b.w.QueryRowContext(b.ctx, query, args...).Scan(into...)
}

// balance gives the row of a balance, which is about to change.
func (b *batch) balance(customer uuid.UUID, currency string) (*balance, error) {
	key := balanceKey{customer, currency}
	if row := b.balances[key]; row != nil {
		row.changed = true
		return row, nil
	}
	row := &balance{changed: true}
	if b.settled[customer] {
		b.balances[key] = row
		return row, nil
	}
	_, err := absent(b.row(`SELECT receivable, credit, receivable_base, credit_base FROM customer_balances
		WHERE customer = $1 AND currency = $2`, []any{customer[:], currency}, row.columns()...))
	if err != nil {
		return nil, fmt.Errorf("balance of customer %s: %w", customer, err)
	}
	b.balances[key] = row
	return row, nil
}

// accountSums gives the sums of an account on a date, or of all dates where the
// date is empty.
func (b *batch) accountSums(date domain.Date, account, currency string) (*sums, error) {
	key := dayKey{date, account, currency}
	if row := b.sums[key]; row != nil {
		return row, nil
	}
	row := &sums{}
	query, args := `SELECT debit, credit, debit_base, credit_base FROM account_days WHERE date = $1 AND account = $2 AND currency = $3`,
		[]any{string(date), account, currency}
	if date == "" {
		query, args = `SELECT debit, credit, debit_base, credit_base FROM account_balances WHERE account = $1 AND currency = $2`, args[1:]
	}
	if _, err := absent(b.row(query, args, row.columns()...)); err != nil {
		return nil, fmt.Errorf("sums of account %s: %w", account, err)
	}
	b.sums[key] = row
	return row, nil
}

func (b *batch) tax(key taxKey) (*taxSums, error) {
	if row := b.taxes[key]; row != nil {
		return row, nil
	}
	row := &taxSums{}
	_, err := absent(b.row(`SELECT taxable, tax, taxable_base, tax_base FROM tax_months
		WHERE month = $1 AND currency = $2 AND category = $3 AND percent = $4`,
		[]any{key.month, key.currency, key.category, key.percent}, row.columns()...))
	if err != nil {
		return nil, fmt.Errorf("tax of %s: %w", key.month, err)
	}
	b.taxes[key] = row
	return row, nil
}

func (b *batch) openOn(due domain.Date, currency string) (*worth, error) {
	key := openKey{due, currency}
	if row := b.open[key]; row != nil {
		return row, nil
	}
	row := new(worth)
	_, err := absent(b.row(`SELECT open, open_base FROM open_days WHERE due = $1 AND currency = $2`,
		[]any{string(due), currency}, &row.amount, &row.base))
	if err != nil {
		return nil, fmt.Errorf("open items due %s: %w", due, err)
	}
	b.open[key] = row
	return row, nil
}

// dated takes a document that has its number and dates into the bounds of its day.
func (b *batch) dated(d *document) error {
	key := boundsKey{d.stream.Kind, d.date}
	row := b.days[key]
	if row == nil {
		row = new(bounds)
		none, err := absent(b.row(`SELECT first_number, last_number, first_due, last_due, first_seq, last_seq FROM document_days
			WHERE kind = $1 AND date = $2`, []any{string(key.kind), string(key.date)}, row.columns()...))
		if err != nil {
			return fmt.Errorf("documents of %s: %w", key.date, err)
		}
		if none {
			*row = bounds{d.number, d.number, d.due, d.due, d.seq, d.seq}
		}
		b.days[key] = row
	}
	row.firstNumber, row.lastNumber = min(row.firstNumber, d.number), max(row.lastNumber, d.number)
	row.firstDue, row.lastDue = min(row.firstDue, d.due), max(row.lastDue, d.due)
	row.firstSeq, row.lastSeq = min(row.firstSeq, d.seq), max(row.lastSeq, d.seq)
	return nil
}

func (b *batch) dueIn(key dueKey) (*worth, error) {
	if row := b.due[key]; row != nil {
		return row, nil
	}
	row := new(worth)
	_, err := absent(b.row(`SELECT amount, base FROM due_sums WHERE span = $1 AND since = $2 AND currency = $3 AND due = $4`,
		[]any{key.span, key.since, key.currency, string(key.due)}, &row.amount, &row.base))
	if err != nil {
		return nil, fmt.Errorf("receivables of %s: %w", key.since, err)
	}
	b.due[key] = row
	return row, nil
}

// write writes what changed. Rows go in the order of their keys: that is the
// quickest, and two engines meet the same rows in the same order.
func (b *batch) write() error {
	for _, step := range []func() error{b.writeDocuments, b.writePeople, b.writeSums, b.writeFunds, b.writeDeposits, b.writeSeries} {
		if err := step(); err != nil {
			return err
		}
	}
	for _, added := range []struct {
		table Table
		rows  []any
	}{{activityTable, b.activity}, {entriesTable, b.entries}, {postingsTable, b.postings}, {salesTable, b.sales}} {
		if err := b.w.Put(b.ctx, added.table, added.rows, false); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) writeDocuments() error {
	var added, changed, contents, replaced []any
	for _, d := range sorted(b.documents, func(d, e *document) int { return cmp.Compare(d.seq, e.seq) }) {
		switch {
		case !d.stored:
			added = append(added, d.values()...)
		case d.changed:
			changed = append(changed, d.values()...)
		}
		switch row := b.contents[d.seq]; {
		case row == nil:
		case b.fresh[d.seq]:
			contents = append(contents, row...)
		default:
			replaced = append(replaced, row...)
		}
	}
	for _, rows := range []struct {
		table  Table
		rows   []any
		update bool
	}{
		{documentsTable, added, false},
		{documentsTable, changed, true},
		{contentsTable, contents, false},
		{contentsTable, replaced, true},
		{boundsTable, b.bounded(), true},
	} {
		if err := b.w.Put(b.ctx, rows.table, rows.rows, rows.update); err != nil {
			return err
		}
	}
	return nil
}

// bounded gives the rows of document_days.
func (b *batch) bounded() (rows []any) {
	for _, key := range keys(b.days, func(k, l boundsKey) int {
		return cmp.Or(cmp.Compare(k.kind, l.kind), cmp.Compare(k.date, l.date))
	}) {
		row := b.days[key]
		rows = append(rows, string(key.kind), string(key.date), row.firstNumber, row.lastNumber,
			string(row.firstDue), string(row.lastDue), row.firstSeq, row.lastSeq)
	}
	return rows
}

func (b *batch) writePeople() error {
	var added, changed []any
	for _, p := range sorted(b.people, func(p, q *person) int { return cmp.Compare(p.seq, q.seq) }) {
		if p.stored && !p.changed {
			continue
		}
		values, err := p.values()
		if err != nil {
			return err
		}
		if p.stored {
			changed = append(changed, values...)
		} else {
			added = append(added, values...)
		}
	}
	if err := b.w.Put(b.ctx, customersTable, added, false); err != nil {
		return err
	}
	return b.w.Put(b.ctx, customersTable, changed, true)
}

func (b *batch) writeSums() error {
	var balances, days, accounts, open, due, taxes []any
	for _, key := range keys(b.balances, func(k, l balanceKey) int {
		return cmp.Or(bytes.Compare(k.customer[:], l.customer[:]), cmp.Compare(k.currency, l.currency))
	}) {
		if row := b.balances[key]; row.changed {
			balances = append(balances, key.customer[:], key.currency,
				row.receivable.amount, row.credit.amount, row.receivable.base, row.credit.base)
		}
	}
	for _, key := range keys(b.sums, func(k, l dayKey) int {
		return cmp.Or(cmp.Compare(k.date, l.date), cmp.Compare(k.account, l.account), cmp.Compare(k.currency, l.currency))
	}) {
		row := b.sums[key]
		if key.date == "" {
			accounts = append(accounts, key.account, key.currency, row.debit.amount, row.credit.amount, row.debit.base, row.credit.base)
		} else {
			days = append(days, string(key.date), key.account, key.currency,
				row.debit.amount, row.credit.amount, row.debit.base, row.credit.base)
		}
	}
	for _, key := range keys(b.open, func(k, l openKey) int {
		return cmp.Or(cmp.Compare(k.due, l.due), cmp.Compare(k.currency, l.currency))
	}) {
		open = append(open, string(key.due), key.currency, b.open[key].amount, b.open[key].base)
	}
	for _, key := range keys(b.due, func(k, l dueKey) int {
		return cmp.Or(cmp.Compare(k.span, l.span), cmp.Compare(k.since, l.since), cmp.Compare(k.currency, l.currency), cmp.Compare(k.due, l.due))
	}) {
		due = append(due, key.span, key.since, key.currency, string(key.due), b.due[key].amount, b.due[key].base)
	}
	for _, key := range keys(b.taxes, func(k, l taxKey) int {
		return strings.Compare(k.month+k.currency+k.category+k.percent, l.month+l.currency+l.category+l.percent)
	}) {
		row := b.taxes[key]
		taxes = append(taxes, key.month, key.currency, key.category, key.percent,
			row.taxable.amount, row.tax.amount, row.taxable.base, row.tax.base)
	}
	for _, rows := range []struct {
		table Table
		rows  []any
	}{{balancesTable, balances}, {daysTable, days}, {accountsTable, accounts}, {openTable, open}, {dueTable, due}, {taxTable, taxes}} {
		if err := b.w.Put(b.ctx, rows.table, rows.rows, true); err != nil {
			return err
		}
	}
	return nil
}

func sorted[K comparable, V any](m map[K]V, order func(V, V) int) []V {
	values := make([]V, 0, len(m))
	for _, v := range m {
		values = append(values, v)
	}
	slices.SortFunc(values, order)
	return values
}

func keys[K comparable, V any](m map[K]V, order func(K, K) int) []K {
	all := make([]K, 0, len(m))
	for k := range m {
		all = append(all, k)
	}
	slices.SortFunc(all, order)
	return all
}
