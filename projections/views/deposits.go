package views

import (
	"cmp"
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// depositKey is the key of deposits: a deposit invoice and one of its rates.
type depositKey struct {
	document          int64
	category, percent string
}

func (k depositKey) cmp(l depositKey) int {
	return cmp.Or(cmp.Compare(k.document, l.document), cmp.Compare(k.category, l.category), cmp.Compare(k.percent, l.percent))
}

// rateSums is a row of deposits or deductions.
type rateSums struct{ taxable, tax int64 }

func (s *rateSums) add(t rateSums) (err error) {
	if s.taxable, err = add(s.taxable, t.taxable); err != nil {
		return err
	}
	s.tax, err = add(s.tax, t.tax)
	return err
}

// deductionKey is the key of deductions: an invoice, and what it deducts.
type deductionKey struct {
	depositKey
	invoice int64
}

func (k deductionKey) cmp(l deductionKey) int {
	return cmp.Or(cmp.Compare(k.document, l.document), cmp.Compare(k.invoice, l.invoice), k.depositKey.cmp(l.depositKey))
}

func (d *document) depositAt(rate tax.Rate) depositKey {
	return depositKey{d.seq, string(rate.Category), rate.Percent.String()}
}

// undeducted gives the row of what is left to deduct of a deposit invoice.
func (b *batch) undeducted(key depositKey) (*rateSums, error) {
	if row := b.deposits[key]; row != nil {
		return row, nil
	}
	row := &rateSums{}
	if _, err := absent(b.row(`SELECT taxable, tax FROM deposits WHERE document = $1 AND category = $2 AND percent = $3`,
		[]any{key.document, key.category, key.percent}, &row.taxable, &row.tax)); err != nil {
		return nil, fmt.Errorf("deposits: %w", err)
	}
	b.deposits[key] = row
	return row, nil
}

func (b *batch) deduction(key deductionKey) (*rateSums, error) {
	if row := b.deductions[key]; row != nil {
		return row, nil
	}
	row := &rateSums{}
	if _, err := absent(b.row(`SELECT taxable, tax FROM deductions WHERE deposit = $1 AND invoice = $2 AND category = $3 AND percent = $4`,
		[]any{key.document, key.invoice, key.category, key.percent}, &row.taxable, &row.tax)); err != nil {
		return nil, fmt.Errorf("deductions: %w", err)
	}
	b.deductions[key] = row
	return row, nil
}

// leave adds to what is left to deduct of a deposit invoice; of other documents
// nothing is.
func (b *batch) leave(d *document, breakdown []tax.Subtotal, sign int64) error {
	if !d.deposit {
		return nil
	}
	for _, s := range breakdown {
		row, err := b.undeducted(d.depositAt(s.Rate))
		if err != nil {
			return err
		}
		if err := row.add(rateSums{sign * s.Taxable.Minor(), sign * s.Tax.Minor()}); err != nil {
			return err
		}
	}
	return nil
}

// deduct takes what an invoice deducts off a deposit invoice, or gives it back.
func (b *batch) deduct(d *document, by uuid.UUID, sums []invoice.RateSum, sign int64) error {
	final, err := b.document(invoice.Stream(by))
	if err != nil {
		return err
	}
	for _, s := range sums {
		key := d.depositAt(s.Rate)
		left, err := b.undeducted(key)
		if err != nil {
			return err
		}
		deducted, err := b.deduction(deductionKey{key, final.seq})
		if err != nil {
			return err
		}
		moved := rateSums{sign * s.Taxable.Minor(), sign * s.Tax.Minor()}
		if err := deducted.add(moved); err != nil {
			return err
		}
		if err := left.add(rateSums{-moved.taxable, -moved.tax}); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) writeDeposits() error {
	var deposits, deductions []any
	for _, key := range keys(b.deposits, depositKey.cmp) {
		row := b.deposits[key]
		deposits = append(deposits, key.document, key.category, key.percent, row.taxable, row.tax)
	}
	for _, key := range keys(b.deductions, deductionKey.cmp) {
		row := b.deductions[key]
		deductions = append(deductions, key.document, key.invoice, key.category, key.percent, row.taxable, row.tax)
	}
	if err := b.w.Put(b.ctx, depositsTable, deposits, true); err != nil {
		return err
	}
	return b.w.Put(b.ctx, deductionsTable, deductions, true)
}

// Deducted names the deposit invoice that a line deducts.
type Deducted struct {
	ID     uuid.UUID `json:"id"`
	Number string    `json:"number"`
}

// Deduction is what an invoice deducts of a deposit invoice at one rate.
type Deduction struct {
	ID     uuid.UUID   `json:"id"`
	Number string      `json:"number"`
	Date   domain.Date `json:"date"`
	RateSum
}

// RateSum is a net amount at one category and rate, and its tax.
type RateSum struct {
	Category tax.Category  `json:"category"`
	Percent  money.Decimal `json:"percent"`
	Taxable  string        `json:"taxable"`
	Tax      string        `json:"tax"`
}

// scanSum reads the columns category, percent, taxable and tax after others.
func scanSum(r scanner, text func(int64) string, others ...any) (s RateSum, err error) {
	var percent string
	var sums rateSums
	if err := r.Scan(append(others, &s.Category, &percent, &sums.taxable, &sums.tax)...); err != nil {
		return s, err
	}
	if s.Percent, err = money.ParseDecimal(percent); err != nil {
		return s, damaged("tax rate %.20q", percent)
	}
	s.Taxable, s.Tax = text(sums.taxable), text(sums.tax)
	return s, nil
}

// deposit adds what is left to deduct of a deposit invoice, and who deducts it.
func (doc *Document) deposit(ctx context.Context, tx Tx, row document) error {
	text, err := decimals(row.currency)
	if err != nil || row.number == "" || !row.deposit || row.stream.Kind != domain.KindInvoice {
		return err
	}
	doc.Undeducted, doc.DeductedBy = []RateSum{}, []Deduction{}
	err = load(ctx, tx, `SELECT category, percent, taxable, tax FROM deposits WHERE document = $1 AND (taxable <> 0 OR tax <> 0)
		ORDER BY category, percent`, []any{row.seq}, func(r scanner) error {
		sum, err := scanSum(r, text)
		doc.Undeducted = append(doc.Undeducted, sum)
		return err
	})
	if err != nil {
		return err
	}
	return load(ctx, tx, `SELECT d.id, d.number, d.date, s.category, s.percent, s.taxable, s.tax FROM deductions s
		JOIN documents d ON d.seq = s.invoice WHERE s.deposit = $1 AND (s.taxable <> 0 OR s.tax <> 0)
		ORDER BY d.seq, s.category, s.percent`, []any{row.seq}, func(r scanner) (err error) {
		var d Deduction
		d.RateSum, err = scanSum(r, text, &d.ID, &d.Number, &d.Date)
		doc.DeductedBy = append(doc.DeductedBy, d)
		return err
	})
}

// nameDeposits gives lines that deduct the number of the deposit invoice.
func (doc *Document) nameDeposits(ctx context.Context, tx Tx, _ document) error {
	for i := range doc.Lines {
		deducted := doc.Lines[i].Deducts
		if deducted == nil {
			continue
		}
		if err := tx.QueryRowContext(ctx, `SELECT number FROM documents WHERE id = $1 AND kind = $2`,
			deducted.ID[:], string(domain.KindInvoice)).Scan(&deducted.Number); err != nil {
			return err
		}
	}
	return nil
}
