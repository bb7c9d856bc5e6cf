package views

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/daybook-ledger/daybook/projections"
)

// migration is one step of the schema. Steps are never changed once released,
// only followed by others.
type migration struct {
	tables []string
	// indexes are what queries alone need; what folding looks up by is among the
	// tables.
	indexes []string
}

// Version is the schema's version: the number of migrations.
const Version = 9

var migrations = [Version]migration{{
	tables: []string{
		`CREATE TABLE view_cursor (id INT8 NOT NULL PRIMARY KEY, epoch INT8 NOT NULL, page INT8 NOT NULL,
			size INT8 NOT NULL, root BLOB NOT NULL, edge BLOB NOT NULL, events INT8 NOT NULL)`,
		`INSERT INTO view_cursor (id, epoch, page, size, root, edge, events) VALUES (1, 0, 0, 0, '', '', 0)
			ON CONFLICT (id) DO NOTHING`,

		`CREATE TABLE books (id BLOB NOT NULL PRIMARY KEY, currency TEXT NOT NULL, origin TEXT NOT NULL,
			seller TEXT NOT NULL, opened INT8 NOT NULL)`,
		`CREATE TABLE roles (principal TEXT NOT NULL PRIMARY KEY, role TEXT NOT NULL, granted INT8 NOT NULL)`,
		`CREATE TABLE series (kind TEXT NOT NULL PRIMARY KEY, prefix TEXT NOT NULL, width INT8 NOT NULL,
			yearly INT8 NOT NULL, last_number TEXT NOT NULL, last_date TEXT NOT NULL)`,
		`CREATE TABLE series_counters (kind TEXT NOT NULL, year INT8 NOT NULL, counter INT8 NOT NULL,
			PRIMARY KEY (kind, year)) /*clustered*/`,

		`CREATE TABLE customers (id BLOB NOT NULL PRIMARY KEY, seq INT8 NOT NULL, name TEXT NOT NULL,
			name_key TEXT NOT NULL, reference TEXT NOT NULL, country TEXT NOT NULL, profile TEXT NOT NULL,
			registered INT8 NOT NULL, search TEXT NOT NULL)`,
		`CREATE TABLE customer_balances (customer BLOB NOT NULL, currency TEXT NOT NULL,
			receivable INT8 NOT NULL, credit INT8 NOT NULL, PRIMARY KEY (customer, currency)) /*clustered*/`,

		`CREATE TABLE documents (seq INT8 NOT NULL PRIMARY KEY, kind TEXT NOT NULL, id BLOB NOT NULL,
			status TEXT NOT NULL, number TEXT NOT NULL, reference TEXT NOT NULL, customer BLOB NOT NULL,
			name TEXT NOT NULL, name_key TEXT NOT NULL, date TEXT NOT NULL, due TEXT NOT NULL,
			currency TEXT NOT NULL, net INT8 NOT NULL, tax INT8 NOT NULL, gross INT8 NOT NULL,
			payable INT8 NOT NULL, open INT8 NOT NULL, credited INT8 NOT NULL, invoice BLOB,
			imported INT8 NOT NULL, recorded INT8 NOT NULL, search TEXT NOT NULL) /*clustered*/`,
		`CREATE UNIQUE INDEX documents_id ON documents (id, kind)`,
		// The event that says what the document says: its newest draft or its
		// issue, as package codec encodes it.
		`CREATE TABLE contents (document INT8 NOT NULL PRIMARY KEY, type TEXT NOT NULL, version INT8 NOT NULL,
			facts BLOB NOT NULL, personal BLOB)`,
		`CREATE TABLE activity (kind TEXT NOT NULL, id BLOB NOT NULL, revision INT8 NOT NULL,
			position INT8 NOT NULL, page INT8 NOT NULL, event INT8 NOT NULL, type TEXT NOT NULL,
			recorded INT8 NOT NULL, principal TEXT NOT NULL, PRIMARY KEY (kind, id, revision)) /*clustered*/`,

		`CREATE TABLE entries (position INT8 NOT NULL, entry INT8 NOT NULL, date TEXT NOT NULL,
			document INT8 NOT NULL, PRIMARY KEY (position, entry)) /*clustered*/`,
		`CREATE TABLE postings (position INT8 NOT NULL, entry INT8 NOT NULL, line INT8 NOT NULL,
			date TEXT NOT NULL, account TEXT NOT NULL, currency TEXT NOT NULL, amount INT8 NOT NULL,
			category TEXT NOT NULL, percent TEXT NOT NULL, taxable INT8 NOT NULL,
			PRIMARY KEY (position, entry, line)) /*clustered*/`,
		`CREATE TABLE account_days (date TEXT NOT NULL, account TEXT NOT NULL, currency TEXT NOT NULL,
			debit INT8 NOT NULL, credit INT8 NOT NULL, PRIMARY KEY (date, account, currency)) /*clustered*/`,
		`CREATE TABLE account_balances (account TEXT NOT NULL, currency TEXT NOT NULL,
			debit INT8 NOT NULL, credit INT8 NOT NULL, PRIMARY KEY (account, currency)) /*clustered*/`,
		`CREATE TABLE open_days (due TEXT NOT NULL, currency TEXT NOT NULL, open INT8 NOT NULL,
			PRIMARY KEY (due, currency)) /*clustered*/`,
		`CREATE TABLE tax_months (month TEXT NOT NULL, currency TEXT NOT NULL, category TEXT NOT NULL,
			percent TEXT NOT NULL, taxable INT8 NOT NULL, tax INT8 NOT NULL,
			PRIMARY KEY (month, currency, category, percent)) /*clustered*/`,
	},
	indexes: []string{
		`CREATE INDEX documents_date ON documents (kind, status, date, seq)`,
		`CREATE INDEX documents_customer ON documents (customer, kind, status, date, seq)`,
		`CREATE INDEX documents_reference ON documents (reference) WHERE reference <> ''`,
		`CREATE INDEX documents_invoice ON documents (invoice) WHERE invoice IS NOT NULL`,
		`CREATE INDEX documents_open ON documents (due, seq, currency, open) WHERE open <> 0`,
		`CREATE INDEX customers_name ON customers (name_key, seq)`,
		`CREATE INDEX customers_seq ON customers (seq)`,
		`CREATE INDEX customers_reference ON customers (reference) WHERE reference <> ''`,
		`CREATE INDEX entries_date ON entries (date, position, entry)`,
		`CREATE INDEX entries_document ON entries (document)`,
		`CREATE INDEX postings_account ON postings (account, date, position, entry)`,
	},
}, {
	// Payments are rows of documents. What credit notes left to their customers
	// was not kept in full before: so what there is is emptied, and follows from
	// the log again when the view next catches up.
	tables: append([]string{
		`ALTER TABLE documents ADD COLUMN written_off INT8 NOT NULL DEFAULT 0`,
		`ALTER TABLE documents ADD COLUMN recovered INT8 NOT NULL DEFAULT 0`,
		`ALTER TABLE documents ADD COLUMN relieved INT8 NOT NULL DEFAULT 0`,
		`CREATE TABLE funds (document INT8 NOT NULL PRIMARY KEY, amount INT8 NOT NULL, free INT8 NOT NULL,
			refunded INT8 NOT NULL, drawn INT8 NOT NULL, reversed TEXT NOT NULL, reason TEXT NOT NULL)`,
		`CREATE TABLE allocations (source INT8 NOT NULL, target INT8 NOT NULL, amount INT8 NOT NULL,
			date TEXT NOT NULL, PRIMARY KEY (source, target)) /*clustered*/`,
	}, emptied(
		"books", "roles", "series", "series_counters", "customers", "customer_balances", "documents", "contents",
		"activity", "entries", "postings", "account_days", "account_balances", "open_days", "tax_months",
	)...),
	indexes: []string{
		`CREATE INDEX allocations_target ON allocations (target)`,
	},
}, {
	// Reports are sums of postings: those know now which event posted them, whose
	// they are, and on receivables and customer credit which item's, due when. It
	// follows from the log, so it begins again.
	tables: append([]string{
		`ALTER TABLE entries ADD COLUMN event INT8 NOT NULL DEFAULT 0`,
		`ALTER TABLE entries ADD COLUMN type TEXT NOT NULL DEFAULT ''`,
		`ALTER TABLE postings ADD COLUMN customer BLOB NOT NULL DEFAULT ''`,
		`ALTER TABLE postings ADD COLUMN item INT8 NOT NULL DEFAULT 0`,
		`ALTER TABLE postings ADD COLUMN due TEXT NOT NULL DEFAULT ''`,
		// What of revenue is which item's.
		`CREATE TABLE sales (date TEXT NOT NULL, position INT8 NOT NULL, entry INT8 NOT NULL, part INT8 NOT NULL,
			customer BLOB NOT NULL, sold TEXT NOT NULL, item TEXT NOT NULL, currency TEXT NOT NULL, amount INT8 NOT NULL,
			PRIMARY KEY (date, position, entry, part)) /*clustered*/`,
		// What was posted to receivables on each day and in each month, by when it
		// was due: what was open at the end of a day is the sum of the months
		// before and of the days since.
		`CREATE TABLE due_sums (span TEXT NOT NULL, since TEXT NOT NULL, currency TEXT NOT NULL, due TEXT NOT NULL,
			amount INT8 NOT NULL, PRIMARY KEY (span, since, currency, due)) /*clustered*/`,
	}, emptied(
		"books", "roles", "series", "series_counters", "customers", "customer_balances", "documents", "contents",
		"activity", "entries", "postings", "account_days", "account_balances", "open_days", "tax_months",
		"funds", "allocations",
	)...),
}, {
	// Amounts stand beside what they are worth in the book's currency, which
	// follows from the log.
	tables: append([]string{
		`ALTER TABLE documents ADD COLUMN open_base INT8 NOT NULL DEFAULT 0`,
		`ALTER TABLE customer_balances ADD COLUMN receivable_base INT8 NOT NULL DEFAULT 0`,
		`ALTER TABLE customer_balances ADD COLUMN credit_base INT8 NOT NULL DEFAULT 0`,
		`ALTER TABLE postings ADD COLUMN base INT8 NOT NULL DEFAULT 0`,
		`ALTER TABLE postings ADD COLUMN taxable_base INT8 NOT NULL DEFAULT 0`,
		`ALTER TABLE account_days ADD COLUMN debit_base INT8 NOT NULL DEFAULT 0`,
		`ALTER TABLE account_days ADD COLUMN credit_base INT8 NOT NULL DEFAULT 0`,
		`ALTER TABLE account_balances ADD COLUMN debit_base INT8 NOT NULL DEFAULT 0`,
		`ALTER TABLE account_balances ADD COLUMN credit_base INT8 NOT NULL DEFAULT 0`,
		`ALTER TABLE open_days ADD COLUMN open_base INT8 NOT NULL DEFAULT 0`,
		`ALTER TABLE tax_months ADD COLUMN taxable_base INT8 NOT NULL DEFAULT 0`,
		`ALTER TABLE tax_months ADD COLUMN tax_base INT8 NOT NULL DEFAULT 0`,
		`ALTER TABLE funds ADD COLUMN base INT8 NOT NULL DEFAULT 0`,
		`ALTER TABLE funds ADD COLUMN free_base INT8 NOT NULL DEFAULT 0`,
	}, emptied(
		"books", "roles", "series", "series_counters", "customers", "customer_balances", "documents", "contents",
		"activity", "entries", "postings", "account_days", "account_balances", "open_days", "tax_months",
		"funds", "allocations", "sales", "due_sums",
	)...),
}, {
	// Periods, and tax by its tax point.
	tables: append([]string{
		`ALTER TABLE books ADD COLUMN tax_basis TEXT NOT NULL DEFAULT ''`,
		`ALTER TABLE postings ADD COLUMN tax_point TEXT NOT NULL DEFAULT ''`,
		`CREATE TABLE periods (seq INT8 NOT NULL PRIMARY KEY, first TEXT NOT NULL, through TEXT NOT NULL,
			closed INT8 NOT NULL, closed_by TEXT NOT NULL, settled INT8 NOT NULL, size INT8 NOT NULL, root BLOB NOT NULL,
			reopened INT8 NOT NULL, reopened_by TEXT NOT NULL, reason TEXT NOT NULL)`,
		`CREATE TABLE period_balances (period INT8 NOT NULL, account TEXT NOT NULL, currency TEXT NOT NULL,
			amount INT8 NOT NULL, base INT8 NOT NULL, PRIMARY KEY (period, account, currency)) /*clustered*/`,
	}, emptied(
		"books", "roles", "series", "series_counters", "customers", "customer_balances", "documents", "contents",
		"activity", "entries", "postings", "account_days", "account_balances", "open_days", "tax_months",
		"funds", "allocations", "sales", "due_sums",
	)...),
}, {
	// Rows with personal data know the sealed section that those came from, by its
	// digest, which stands for them where views are compared.
	tables: append([]string{
		`ALTER TABLE contents ADD COLUMN section BLOB NOT NULL DEFAULT ''`,
		`ALTER TABLE customers ADD COLUMN section BLOB NOT NULL DEFAULT ''`,
	}, emptied(
		"books", "roles", "series", "series_counters", "customers", "customer_balances", "documents", "contents",
		"activity", "entries", "postings", "account_days", "account_balances", "open_days", "tax_months",
		"funds", "allocations", "sales", "due_sums", "periods", "period_balances",
	)...),
}, {
	// What is left of deposits, and what deducts them.
	tables: append([]string{
		`ALTER TABLE documents ADD COLUMN deposit INT8 NOT NULL DEFAULT 0`,
		`CREATE TABLE deposits (document INT8 NOT NULL, category TEXT NOT NULL, percent TEXT NOT NULL,
			taxable INT8 NOT NULL, tax INT8 NOT NULL, PRIMARY KEY (document, category, percent)) /*clustered*/`,
		`CREATE TABLE deductions (deposit INT8 NOT NULL, invoice INT8 NOT NULL, category TEXT NOT NULL, percent TEXT NOT NULL,
			taxable INT8 NOT NULL, tax INT8 NOT NULL, PRIMARY KEY (deposit, invoice, category, percent)) /*clustered*/`,
	}, emptied(
		"books", "roles", "series", "series_counters", "customers", "customer_balances", "documents", "contents",
		"activity", "entries", "postings", "account_days", "account_balances", "open_days", "tax_months",
		"funds", "allocations", "sales", "due_sums", "periods", "period_balances",
	)...),
}, {
	// What reports add up has its worth in the book's currency beside it. The two
	// indexes of migration 3 are made here, with that.
	tables: append([]string{
		`ALTER TABLE sales ADD COLUMN base INT8 NOT NULL DEFAULT 0`,
		`ALTER TABLE due_sums ADD COLUMN base INT8 NOT NULL DEFAULT 0`,
		`DROP INDEX IF EXISTS documents_owing`,
		`DROP INDEX IF EXISTS postings_customer`,
	}, emptied(
		"books", "roles", "series", "series_counters", "customers", "customer_balances", "documents", "contents",
		"activity", "entries", "postings", "account_days", "account_balances", "open_days", "tax_months",
		"funds", "allocations", "sales", "due_sums", "periods", "period_balances", "deposits", "deductions",
	)...),
	indexes: []string{
		`CREATE INDEX documents_owing ON documents (customer, currency, due, open, open_base) WHERE open <> 0`,
		`CREATE INDEX postings_customer ON postings (customer, date, position, entry, line, account, currency, due, amount, base)
			WHERE item <> 0`,
		`CREATE INDEX postings_taxed ON postings (tax_point, position, entry, line) WHERE tax_point <> ''`,
	},
}, {
	// Between which numbers, due dates and places the documents of a day are, so that
	// a list from a date on begins near its first row. Five indexes of migration 1 are
	// made here, with the date, so that what is dated otherwise is passed over in them.
	tables: append([]string{
		`CREATE TABLE document_days (kind TEXT NOT NULL, date TEXT NOT NULL, first_number TEXT NOT NULL, last_number TEXT NOT NULL,
			first_due TEXT NOT NULL, last_due TEXT NOT NULL, first_seq INT8 NOT NULL, last_seq INT8 NOT NULL,
			PRIMARY KEY (kind, date)) /*clustered*/`,
		`DROP INDEX IF EXISTS documents_number`,
		`DROP INDEX IF EXISTS documents_due`,
		`DROP INDEX IF EXISTS documents_total`,
		`DROP INDEX IF EXISTS documents_name`,
		`DROP INDEX IF EXISTS documents_recorded`,
	}, emptied(
		"books", "roles", "series", "series_counters", "customers", "customer_balances", "documents", "contents",
		"activity", "entries", "postings", "account_days", "account_balances", "open_days", "tax_months",
		"funds", "allocations", "sales", "due_sums", "periods", "period_balances", "deposits", "deductions",
	)...),
	// Lists are read one kind and status at a time, each in the order asked for,
	// and merged: so no list has to sort what it does not show.
	indexes: []string{
		`CREATE INDEX documents_number ON documents (kind, status, number, seq, date)`,
		`CREATE INDEX documents_due ON documents (kind, status, due, seq, date)`,
		`CREATE INDEX documents_total ON documents (kind, status, gross, seq, date)`,
		`CREATE INDEX documents_name ON documents (kind, status, name_key, seq, date)`,
		`CREATE INDEX documents_recorded ON documents (kind, status, seq, date)`,
	},
}}

// emptied gives the statements that empty tables, and begin the log again.
func emptied(tables ...string) []string {
	statements := []string{`UPDATE view_cursor SET epoch = 0, page = 0, size = 0, root = '', edge = '', events = 0`}
	for _, table := range tables {
		statements = append(statements, "DELETE FROM "+table)
	}
	return statements
}

// Definer defines tables. Its statements may be definitions in the words of the
// migrations, where TEXT is text compared byte by byte, BLOB is bytes, and the
// comment /*clustered*/ ends a table that is best kept in the order of its
// primary key. Whoever defines is alone.
type Definer interface {
	Querier
	ExecContext(ctx context.Context, statement string, args ...any) error
}

// Migrate brings the schema up to Version, one migration after the other.
// projections.ErrNewer means that the schema is of a later version, and is left
// as it is. An engine that cannot define tables in a transaction repeats, after a
// failure, the migration that failed.
//
// Where bulk is set, indexes are left out until Index is called: for a database
// that is filled from nothing before anybody reads it.
func Migrate(ctx context.Context, d Definer, bulk bool) error {
	if err := migrate(ctx, d, bulk); err != nil {
		return fmt.Errorf("views: migrate: %w", err)
	}
	return nil
}

func migrate(ctx context.Context, d Definer, bulk bool) error {
	if err := d.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS view_schema (version INT8 NOT NULL PRIMARY KEY)`); err != nil {
		return err
	}
	found, err := version(ctx, d)
	if err != nil || found == Version {
		return err
	}
	for i, m := range migrations[found:] {
		statements := m.tables
		if !bulk {
			statements = append(statements[:len(statements):len(statements)], m.indexes...)
		}
		for _, statement := range statements {
			if err := d.ExecContext(ctx, repeatable(statement)); err != nil {
				return fmt.Errorf("%.60s: %w", statement, err)
			}
		}
		// The row before goes last: there is always one.
		if err := d.ExecContext(ctx, `INSERT INTO view_schema (version) VALUES ($1) ON CONFLICT (version) DO NOTHING`, found+i+1); err != nil {
			return err
		}
		if err := d.ExecContext(ctx, `DELETE FROM view_schema WHERE version <= $1`, found+i); err != nil {
			return err
		}
	}
	return nil
}

// Current reports whether the schema is of this program's Version, or gives
// projections.ErrNewer. An engine asks before it takes a lock to Migrate: any
// other error, as where there is no table yet, shows again then.
func Current(ctx context.Context, q Querier) (bool, error) {
	found, err := version(ctx, q)
	return found == Version, err
}

func version(ctx context.Context, q Querier) (int, error) {
	var found int64
	if err := q.QueryRowContext(ctx, `SELECT coalesce(max(version), 0) FROM view_schema`).Scan(&found); err != nil {
		return 0, err
	}
	if found > Version {
		return 0, newer(found)
	}
	return int(found), nil
}

func newer(found int64) error {
	return fmt.Errorf("schema version %d, and this program knows %d: %w", found, Version, projections.ErrNewer)
}

// Index adds the indexes that Migrate left out.
func Index(ctx context.Context, d Definer) error {
	for _, m := range migrations {
		for _, statement := range m.indexes {
			if err := d.ExecContext(ctx, repeatable(statement)); err != nil {
				return fmt.Errorf("views: index: %.60s: %w", statement, err)
			}
		}
	}
	return nil
}

// repeatable leaves what is there already as it is.
func repeatable(statement string) string {
	for _, kind := range []string{"CREATE TABLE ", "CREATE INDEX ", "CREATE UNIQUE INDEX "} {
		if name, found := strings.CutPrefix(statement, kind); found {
			return kind + "IF NOT EXISTS " + name
		}
	}
	return statement
}

// Definitions gives every statement of every migration.
func Definitions() []string {
	var all []string
	for _, m := range migrations {
		for _, statement := range append(slices.Clone(m.tables), m.indexes...) {
			all = append(all, repeatable(statement))
		}
	}
	return all
}
