package views

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/payment"
)

// Limits of lists.
const (
	// DefaultLimit is how many rows a list has where none is asked for.
	DefaultLimit = 50
	// MaxLimit is how many it has at most.
	MaxLimit = 1000
)

// Filter says which documents to list, in which order. The zero Filter lists
// the newest first, invoices and credit notes.
type Filter struct {
	// Kind is domain.KindInvoice or KindCredit, or empty for both; Payments lists
	// payments.
	Kind domain.Kind
	// Status lists the statuses to show; empty for all.
	Status []invoice.Status
	// Customer is one customer's, uuid.Nil for all.
	Customer uuid.UUID
	// From and To bound the date of issue, both included; empty for no bound.
	From, To domain.Date
	// Number and Reference are exact; empty for any.
	Number, Reference string
	// Search is part of a number, reference or buyer's name, whatever its case.
	Search string
	// AsOf is the day by which documents are overdue; empty for none. Where
	// Overdue is set, only those are listed.
	AsOf    domain.Date
	Overdue bool
	// Free leaves only payments of which an amount is free.
	Free bool
	// Sort is number, date, due, total, customer or recorded, with a leading
	// hyphen for descending; empty means -recorded.
	Sort string
	// Limit is the number of rows, at most MaxLimit; 0 means DefaultLimit.
	Limit int
	// After is the Next of the page before, with the same filter and order.
	After string
}

// Page is a part of a list of documents.
type Page struct {
	Documents []Summary `json:"documents"`
	// Next is given to After for the rest; empty at the end.
	Next string `json:"next,omitempty"`
}

// Documents lists documents. Faults invalid-sort, invalid-limit, invalid-search,
// invalid-status, invalid-page.
//
// Each kind and status has its rows in every order: so the first rows of each
// are read, and merged.
func (q *Queries) Documents(ctx context.Context, f Filter) (page Page, err error) {
	order, after, limit, err := f.check()
	if err != nil {
		return Page{}, err
	}
	var found []keyed
	err = q.reader.Read(ctx, func(tx Tx) error {
		found = nil
		for _, s := range f.shelves() {
			if err := f.read(ctx, tx, s, order, after, limit+1, &found); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Page{}, fmt.Errorf("views: list documents: %w", err)
	}
	slices.SortFunc(found, func(a, b keyed) int {
		if order.descending {
			a, b = b, a
		}
		return cmp.Or(cmp.Compare(a.text, b.text), cmp.Compare(a.number, b.number), cmp.Compare(a.seq, b.seq))
	})
	page.Documents = make([]Summary, 0, min(limit, len(found)))
	for i, row := range found[:min(limit, len(found))] {
		s, err := row.summary(f.AsOf)
		if err != nil {
			return Page{}, fmt.Errorf("views: list documents: %w", err)
		}
		page.Documents = append(page.Documents, s)
		if i == limit-1 && len(found) > limit {
			page.Next = order.token(row.text, row.number, row.seq)
		}
	}
	return page, nil
}

// keyed is a document with what it is sorted by: a text or a number.
type keyed struct {
	document
	text   string
	number int64
}

// shelf is the documents of one kind and status.
type shelf struct {
	kind   domain.Kind
	status invoice.Status
}

// paymentStatuses are the statuses of payments.
var paymentStatuses = []invoice.Status{invoice.Status(payment.StatusReceived), invoice.Status(payment.StatusReversed)}

func (f Filter) shelves() []shelf {
	var all []shelf
	if f.Kind == domain.KindPayment {
		for _, status := range paymentStatuses {
			if len(f.Status) == 0 || slices.Contains(f.Status, status) {
				all = append(all, shelf{f.Kind, status})
			}
		}
		return all
	}
	for _, status := range invoice.Statuses() {
		if len(f.Status) > 0 && !slices.Contains(f.Status, status) {
			continue
		}
		if f.Kind == "" || f.Kind == domain.KindInvoice {
			all = append(all, shelf{domain.KindInvoice, status})
		}
		// Credit notes are issued, and nothing after.
		if status == invoice.StatusIssued && (f.Kind == "" || f.Kind == domain.KindCredit) {
			all = append(all, shelf{domain.KindCredit, status})
		}
	}
	return all
}

func (f Filter) check() (order, key, int, error) {
	limit, err := limited(f.Limit)
	if err != nil {
		return order{}, key{}, 0, err
	}
	statuses := invoice.Statuses()
	if f.Kind == domain.KindPayment {
		statuses = paymentStatuses
	}
	for _, status := range f.Status {
		if !slices.Contains(statuses, status) {
			return order{}, key{}, 0, fault("invalid-status", "%.40q is not a status", "one of "+strings.Join(texts(statuses), ", "), status)
		}
	}
	if err := searchText(f.Search); err != nil {
		return order{}, key{}, 0, err
	}
	o, err := documentOrders.parse(f.Sort)
	if err != nil {
		return order{}, key{}, 0, err
	}
	after, err := o.parseToken(f.After)
	return o, after, limit, err
}

func texts[T ~string](all []T) []string {
	list := make([]string, len(all))
	for i, t := range all {
		list[i] = string(t)
	}
	return list
}

// narrow is how many rows are sorted rather than read in order.
const narrow = 1000

// read adds the first rows of a shelf after a key. Either the order drives, and
// rows that the filter leaves out are passed over, or, where it leaves few, the
// filter drives, and they are sorted. Engines would have to guess which; loose
// tells them what not to use an index for.
func (f Filter) read(ctx context.Context, tx Tx, s shelf, o order, after key, limit int, into *[]keyed) error {
	filterDrives, empty, err := f.narrow(ctx, tx, s, o)
	if err != nil || empty {
		return err
	}
	w := f.where(s, o, filterDrives)
	if filterDrives {
		o = o.loose()
	}
	if empty, err := f.bound(ctx, tx, s, o, &w); err != nil || empty {
		return err
	}
	w.after(o, after)
	// Which rows they are an index often tells alone; each of the others that are
	// passed over would be looked up.
	query := `SELECT ` + documentColumns + `, ` + o.text + `, ` + o.number + ` FROM documents
		WHERE seq IN (SELECT seq FROM documents` + w.String() + o.by() + w.limit(limit) + `)`
	return load(ctx, tx, query, w.args, func(r scanner) error {
		var row keyed
		if err := row.scan(also{r, []any{&row.text, &row.number}}); err != nil {
			return err
		}
		*into = append(*into, row)
		return nil
	})
}

// selective reports whether the filter has a condition that an index could serve
// in place of the order.
func (f Filter) selective(o order) bool {
	return f.Number != "" || f.Reference != "" || f.Customer != uuid.Nil && o.name != "date" ||
		(f.From != "" || f.To != "") && o.name != "date"
}

// narrow reports whether the filter leaves few rows of the shelf, or none.
func (f Filter) narrow(ctx context.Context, tx Tx, s shelf, o order) (few, none bool, err error) {
	if !f.selective(o) {
		return false, false, nil
	}
	bare := Filter{Customer: f.Customer, From: f.From, To: f.To, Number: f.Number, Reference: f.Reference}
	w := bare.where(s, o, true)
	by := ""
	if f.Number == "" && f.Reference == "" {
		by = ` ORDER BY date, seq` // else PostgreSQL may read the table, hoping for such dates anywhere in it
	}
	query := `SELECT count(*) FROM (SELECT 1 FROM documents` + w.String() + by + w.limit(narrow) + `) few`
	var n int
	err = tx.QueryRowContext(ctx, query, w.args...).Scan(&n)
	return n < narrow, n == 0, err
}

// bound adds between what the rows of some dates stand in the order, where that goes
// with the date: else those of other dates before them would be passed over one by
// one. It reports whether there are none.
func (f Filter) bound(ctx context.Context, tx Tx, s shelf, o order, w *where) (none bool, err error) {
	column := map[string]string{"number": "number", "due": "due", "recorded": "seq"}[o.name]
	if column == "" || f.From == "" && f.To == "" || column == "number" && s.kind == domain.KindPayment || s.unissued() {
		return false, nil
	}
	days := where{}
	days.add("kind = ?", string(s.kind))
	days.text("date >= ?", string(f.From))
	days.text("date <= ?", string(f.To))
	query := `SELECT min(first_` + column + `), max(last_` + column + `) FROM document_days` + days.String()
	if column == "seq" {
		var first, last sql.NullInt64
		if err := tx.QueryRowContext(ctx, query, days.args...).Scan(&first, &last); err != nil || !first.Valid {
			return err == nil, err
		}
		w.add(o.columns()[0]+" BETWEEN ? AND ?", first.Int64, last.Int64)
		return false, nil
	}
	var first, last sql.NullString
	if err := tx.QueryRowContext(ctx, query, days.args...).Scan(&first, &last); err != nil || !first.Valid {
		return err == nil, err
	}
	w.add(o.columns()[0]+" BETWEEN ? AND ?", first.String, last.String)
	return false, nil
}

// unissued reports whether the documents of a shelf have no date.
func (s shelf) unissued() bool {
	return s.status == invoice.StatusDraft || s.status == invoice.StatusApproved || s.status == invoice.StatusDiscarded
}

// where gives the conditions on a shelf's rows.
func (f Filter) where(s shelf, o order, filterDrives bool) (w where) {
	kind, status, customer, date := "kind", "status", "customer", "date"
	switch {
	case filterDrives && f.Reference != "":
		kind, status = loose(kind), loose(status)
	case !filterDrives && o.name != "date":
		customer, date = loose(customer), loose(date)
	}
	w.add(kind+" = ?", string(s.kind))
	w.add(status+" = ?", string(s.status))
	if f.Customer != uuid.Nil {
		w.add(customer+" = ?", f.Customer[:])
	}
	w.text(date+" >= ?", string(f.From))
	w.text(date+" <= ?", string(f.To))
	w.text("number = ?", f.Number)
	w.text("reference = ? AND reference <> ''", f.Reference)
	if f.Search != "" {
		w.add(`search LIKE ? ESCAPE '\'`, pattern(f.Search))
	}
	if f.Overdue {
		w.add("open <> 0 AND "+loose("due")+" < ?", string(f.AsOf))
	}
	if f.Free {
		w.add("EXISTS (SELECT 1 FROM funds WHERE funds.document = documents.seq AND funds.free <> 0)")
	}
	return w
}

// also scans more columns at the end.
type also struct {
	scanner
	more []any
}

func (a also) Scan(into ...any) error { return a.scanner.Scan(append(into, a.more...)...) }

// pattern finds a text anywhere; what LIKE would take for a wildcard is escaped.
func pattern(text string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(fold(text)) + "%"
}
