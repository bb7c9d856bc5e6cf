package views

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
)

// The tables that are written by rows.
var (
	documentsTable = Table{"documents", 1, []string{
		"seq", "kind", "id", "status", "number", "reference", "customer", "name", "name_key", "date", "due",
		"currency", "net", "tax", "gross", "payable", "open", "credited", "invoice", "imported", "recorded", "search",
		"written_off", "recovered", "relieved", "open_base", "deposit",
	}}
	boundsTable = Table{"document_days", 2, []string{
		"kind", "date", "first_number", "last_number", "first_due", "last_due", "first_seq", "last_seq",
	}}
	fundsTable       = Table{"funds", 1, []string{"document", "amount", "free", "refunded", "drawn", "reversed", "reason", "base", "free_base"}}
	depositsTable    = Table{"deposits", 3, []string{"document", "category", "percent", "taxable", "tax"}}
	deductionsTable  = Table{"deductions", 4, []string{"deposit", "invoice", "category", "percent", "taxable", "tax"}}
	allocationsTable = Table{"allocations", 2, []string{"source", "target", "amount", "date"}}
	contentsTable    = Table{"contents", 1, []string{"document", "type", "version", "facts", "section", "personal"}}
	customersTable   = Table{"customers", 1, []string{
		"id", "seq", "name", "name_key", "reference", "country", "profile", "registered", "search",
		"section",
	}}
	balancesTable = Table{"customer_balances", 2, []string{
		"customer", "currency", "receivable", "credit", "receivable_base", "credit_base",
	}}
	activityTable = Table{"activity", 3, []string{
		"kind", "id", "revision", "position", "page", "event", "type", "recorded", "principal",
	}}
	entriesTable  = Table{"entries", 2, []string{"position", "entry", "date", "document", "event", "type"}}
	postingsTable = Table{"postings", 3, []string{
		"position", "entry", "line", "date", "account", "currency", "amount", "category", "percent", "taxable",
		"customer", "item", "due", "base", "taxable_base", "tax_point",
	}}
	salesTable = Table{"sales", 4, []string{
		"date", "position", "entry", "part", "customer", "sold", "item", "currency", "amount", "base",
	}}
	dueTable      = Table{"due_sums", 4, []string{"span", "since", "currency", "due", "amount", "base"}}
	daysTable     = Table{"account_days", 3, []string{"date", "account", "currency", "debit", "credit", "debit_base", "credit_base"}}
	accountsTable = Table{"account_balances", 2, []string{"account", "currency", "debit", "credit", "debit_base", "credit_base"}}
	openTable     = Table{"open_days", 2, []string{"due", "currency", "open", "open_base"}}
	taxTable      = Table{"tax_months", 4, []string{
		"month", "currency", "category", "percent", "taxable", "tax", "taxable_base", "tax_base",
	}}
	booksTable    = Table{"books", 1, []string{"id", "currency", "origin", "seller", "opened", "tax_basis"}}
	rolesTable    = Table{"roles", 1, []string{"principal", "role", "granted"}}
	seriesTable   = Table{"series", 1, []string{"kind", "prefix", "width", "yearly", "last_number", "last_date"}}
	countersTable = Table{"series_counters", 2, []string{"kind", "year", "counter"}}
	periodsTable  = Table{"periods", 1, []string{
		"seq", "first", "through", "closed", "closed_by", "settled", "size", "root", "reopened", "reopened_by", "reason",
	}}
	closingTable = Table{"period_balances", 3, []string{"period", "account", "currency", "amount", "base"}}
)

// document is a row of documents.
type document struct {
	stored, changed bool // has a row; differs from it

	seq                            int64
	stream                         domain.StreamID
	stage                          invoice.Status // draft, approved, discarded or issued; a payment's status
	number, reference              string
	customer                       uuid.UUID
	name                           string
	date, due                      domain.Date
	currency                       string
	net, tax, gross, payable, open int64
	credited                       int64
	invoice                        uuid.UUID
	imported                       bool
	recorded                       int64
	// What was written off and not taken back; what was; tax relieved now.
	writtenOff, recovered, relieved int64
	openBase                        int64 // open, in the book's currency
	deposit                         bool  // is, or credits, a deposit invoice
}

// status derives where a document stands from what was taken off it.
func (d *document) status() invoice.Status {
	if d.stage != invoice.StatusIssued || d.stream.Kind != domain.KindInvoice {
		return d.stage
	}
	amount := func(minor int64) money.Amount { return money.New(minor, money.Currency{}) }
	return invoice.StatusOf(amount(d.payable), amount(d.open), amount(d.allocated()), amount(d.credited), amount(d.writtenOff))
}

// allocated is what was paid of an invoice: what is neither open nor credited
// nor written off.
func (d *document) allocated() int64 { return d.payable - d.open - d.credited - d.writtenOff }

func (d *document) values() []any {
	var credited any
	if d.invoice != uuid.Nil {
		credited = d.invoice[:]
	}
	return []any{
		d.seq, string(d.stream.Kind), d.stream.ID[:], string(d.status()), d.number, d.reference, d.customer[:],
		d.name, fold(d.name), string(d.date), string(d.due), d.currency, d.net, d.tax, d.gross, d.payable, d.open,
		d.credited, credited, flag(d.imported), d.recorded, searchable(d.number, d.reference, d.name),
		d.writtenOff, d.recovered, d.relieved, d.openBase, flag(d.deposit),
	}
}

const documentColumns = `seq, kind, id, status, number, reference, customer, name, date, due, currency,
	net, tax, gross, payable, open, credited, invoice, imported, recorded,
	written_off, recovered, relieved, open_base, deposit`

type scanner interface{ Scan(into ...any) error }

func (d *document) scan(s scanner) error {
	var credited []byte
	var imported, deposit int64
	if err := s.Scan(&d.seq, &d.stream.Kind, &d.stream.ID, &d.stage, &d.number, &d.reference, &d.customer, &d.name,
		&d.date, &d.due, &d.currency, &d.net, &d.tax, &d.gross, &d.payable, &d.open, &d.credited, &credited,
		&imported, &d.recorded, &d.writtenOff, &d.recovered, &d.relieved, &d.openBase, &deposit); err != nil {
		return err
	}
	copy(d.invoice[:], credited)
	d.imported, d.deposit = imported != 0, deposit != 0
	d.stored = true
	switch d.stage { // what was derived is derived again
	case invoice.StatusPartPaid, invoice.StatusPaid, invoice.StatusCredited, invoice.StatusUncollectible:
		d.stage = invoice.StatusIssued
	}
	return nil
}

// bounds is a row of document_days: between what the issued documents of a kind and
// date, or its payments, are. A document that changes may leave them too wide.
type bounds struct {
	firstNumber, lastNumber string
	firstDue, lastDue       domain.Date
	firstSeq, lastSeq       int64
}

func (s *bounds) columns() []any {
	return []any{&s.firstNumber, &s.lastNumber, &s.firstDue, &s.lastDue, &s.firstSeq, &s.lastSeq}
}

type boundsKey struct {
	kind domain.Kind
	date domain.Date
}

// person is a row of customers.
type person struct {
	stored, changed bool

	id         uuid.UUID
	seq        int64
	country    string
	profile    *customer.Profile // nil once erased
	section    []byte            // that holds the profile, by its digest
	registered int64
}

func (p *person) name() string {
	if p.profile == nil {
		return ""
	}
	return p.profile.Name
}

func (p *person) values() ([]any, error) {
	var reference, profile string
	if p.profile != nil {
		text, err := json.Marshal(p.profile)
		if err != nil {
			return nil, fmt.Errorf("customer %s: %w", p.id, err)
		}
		reference, profile = p.profile.Reference, string(text)
	}
	return []any{
		p.id[:], p.seq, p.name(), fold(p.name()), reference, p.country, profile, p.registered,
		searchable(p.name(), reference), p.section,
	}, nil
}

const personColumns = `id, seq, country, profile, registered, section`

func (p *person) scan(s scanner) error {
	var profile string
	if err := s.Scan(&p.id, &p.seq, &p.country, &profile, &p.registered, &p.section); err != nil {
		return err
	}
	p.stored = true
	if profile == "" {
		return nil
	}
	p.profile = new(customer.Profile)
	if err := json.Unmarshal([]byte(profile), p.profile); err != nil {
		return damaged("the profile of customer %s: %v", p.id, err)
	}
	return nil
}

// balance is a row of customer_balances.
type balance struct {
	changed            bool
	receivable, credit worth
}

func (b *balance) columns() []any {
	return []any{&b.receivable.amount, &b.credit.amount, &b.receivable.base, &b.credit.base}
}

type balanceKey struct {
	customer uuid.UUID
	currency string
}

// worth is an amount, and what it is in the book's currency.
type worth struct{ amount, base int64 }

func (w *worth) add(v worth) (err error) {
	if w.amount, err = add(w.amount, v.amount); err != nil {
		return err
	}
	w.base, err = add(w.base, v.base)
	return err
}

func (w worth) negated() worth { return worth{-w.amount, -w.base} }

// sums is a row of account_days or account_balances.
type sums struct{ debit, credit worth }

func (s *sums) columns() []any {
	return []any{&s.debit.amount, &s.credit.amount, &s.debit.base, &s.credit.base}
}

type dayKey struct {
	date              domain.Date // empty for account_balances
	account, currency string
}

// openKey is the key of open_days: what is open on invoices due on a day.
type openKey struct {
	due      domain.Date
	currency string
}

// dueKey is the key of due_sums.
type dueKey struct {
	span, since, currency string
	due                   domain.Date
}

// The spans of due_sums: a day, "2026-01-31", and a month, "2026-01".
const (
	spanDay   = "day"
	spanMonth = "month"
)

// taxSums is a row of tax_months.
type taxSums struct{ taxable, tax worth }

func (s *taxSums) columns() []any {
	return []any{&s.taxable.amount, &s.tax.amount, &s.taxable.base, &s.tax.base}
}

type taxKey struct{ month, currency, category, percent string }

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// fold gives the form in which texts are compared where case does not count.
func fold(text string) string { return strings.ToLower(text) }

// searchable is the text that a search looks through. No search text has a line
// break, so none is found across two of the parts.
func searchable(parts ...string) string { return fold(strings.Join(parts, "\n")) }

// absent reports that a query found no row, and is nil when it did.
func absent(err error) (bool, error) {
	if errors.Is(err, sql.ErrNoRows) {
		return true, nil
	}
	return false, err
}

// load gives the rows of a query to row, one after the other.
func load(ctx context.Context, tx Tx, query string, args []any, row func(scanner) error) error {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
