package views

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain/customer"
)

// Customer is a customer with what stands between them and the business.
type Customer struct {
	ID uuid.UUID `json:"id"`
	// Name and Reference are empty once erased.
	Name      string `json:"name,omitempty"`
	Reference string `json:"reference,omitempty"`
	Country   string `json:"country,omitempty"`
	// Profile is nil once erased.
	Profile    *customer.Profile `json:"profile,omitempty"`
	Erased     bool              `json:"erased,omitempty"`
	Registered time.Time         `json:"registered"`
	// Balances are by currency; none before the first document.
	Balances []Balance `json:"balances"`
}

// Balance is a customer's balance in one currency.
type Balance struct {
	Currency string `json:"currency"`
	// Receivable is what the customer owes: the sum of what is open on invoices.
	Receivable string `json:"receivable"`
	// Credit is what the business owes the customer.
	Credit string `json:"credit"`
	// ReceivableBase and CreditBase are the same in the book's currency.
	ReceivableBase string `json:"receivable_base"`
	CreditBase     string `json:"credit_base"`
}

// CustomerFilter says which customers to list. The zero one lists the newest
// first.
type CustomerFilter struct {
	// Search is part of a name or reference, whatever its case.
	Search string
	// Sort is name or registered, with a leading hyphen for descending; empty
	// means -registered.
	Sort string
	// Limit is the number of rows, at most MaxLimit; 0 means DefaultLimit.
	Limit int
	// After is the Next of the page before, with the same filter and order.
	After string
}

// CustomerPage is a part of a list of customers.
type CustomerPage struct {
	Customers []Customer `json:"customers"`
	Next      string     `json:"next,omitempty"`
}

// Customers lists customers. Faults as for Documents.
func (q *Queries) Customers(ctx context.Context, f CustomerFilter) (page CustomerPage, err error) {
	limit, err := limited(f.Limit)
	if err != nil {
		return page, err
	}
	if err := searchText(f.Search); err != nil {
		return page, err
	}
	o, err := customerOrders.parse(f.Sort)
	if err != nil {
		return page, err
	}
	after, err := o.parseToken(f.After)
	if err != nil {
		return page, err
	}
	err = q.reader.Read(ctx, func(tx Tx) error {
		page, err = f.read(ctx, tx, o, after, limit)
		return err
	})
	if err != nil {
		return CustomerPage{}, fmt.Errorf("views: list customers: %w", err)
	}
	return page, nil
}

func (f CustomerFilter) read(ctx context.Context, tx Tx, o order, after key, limit int) (page CustomerPage, err error) {
	var w where
	if f.Search != "" {
		w.add(`search LIKE ? ESCAPE '\'`, pattern(f.Search))
	}
	w.after(o, after)
	query := `SELECT ` + personColumns + `, name_key FROM customers` + w.String() + o.by() + w.limit(limit+1)
	page.Customers = []Customer{}
	var last key
	err = load(ctx, tx, query, w.args, func(r scanner) error {
		var p person
		var name string
		if err := p.scan(also{r, []any{&name}}); err != nil {
			return err
		}
		if len(page.Customers) == limit {
			page.Next = o.token(last.text, 0, last.seq)
			return nil
		}
		last = key{text: name, seq: p.seq}
		page.Customers = append(page.Customers, p.customer())
		return nil
	})
	if err != nil {
		return CustomerPage{}, err
	}
	return page, readBalances(ctx, tx, page.Customers)
}

func (p *person) customer() Customer {
	c := Customer{
		ID: p.id, Name: p.name(), Country: p.country, Profile: p.profile, Erased: p.profile == nil,
		Registered: instant(p.registered), Balances: []Balance{},
	}
	if p.profile != nil {
		c.Reference = p.profile.Reference
	}
	return c
}

// Customer gives a customer, or the fault unknown-customer.
func (q *Queries) Customer(ctx context.Context, id uuid.UUID) (c Customer, err error) {
	err = q.reader.Read(ctx, func(tx Tx) error {
		var p person
		if err := p.scan(tx.QueryRowContext(ctx, `SELECT `+personColumns+` FROM customers WHERE id = $1`, id[:])); err != nil {
			if none, err := absent(err); !none {
				return err
			}
			return unknownCustomer(id.String())
		}
		list := []Customer{p.customer()}
		err := readBalances(ctx, tx, list)
		c = list[0]
		return err
	})
	if err != nil {
		return Customer{}, fmt.Errorf("views: customer %s: %w", id, err)
	}
	return c, nil
}

// balancesTogether is how many customers one statement asks about.
const balancesTogether = 100

// readBalances adds the balances of customers.
func readBalances(ctx context.Context, tx Tx, customers []Customer) error {
	_, base, err := bookCurrency(ctx, tx)
	if err != nil {
		return err
	}
	at := make(map[uuid.UUID]*Customer, len(customers))
	for i := range customers {
		at[customers[i].ID] = &customers[i]
	}
	for part := range slices.Chunk(customers, balancesTogether) {
		args := make([]any, len(part))
		places := make([]string, len(part))
		for i := range part {
			args[i], places[i] = part[i].ID[:], "$"+strconv.Itoa(i+1)
		}
		err := load(ctx, tx, `SELECT customer, currency, receivable, credit, receivable_base, credit_base FROM customer_balances
			WHERE customer IN (`+strings.Join(places, ", ")+`)`, args, func(r scanner) error {
			var id uuid.UUID
			var currency string
			var row balance
			if err := r.Scan(append([]any{&id, &currency}, row.columns()...)...); err != nil {
				return err
			}
			text, err := decimals(currency)
			if err != nil {
				return err
			}
			at[id].Balances = append(at[id].Balances, Balance{
				currency, text(row.receivable.amount), text(row.credit.amount), base(row.receivable.base), base(row.credit.base),
			})
			return nil
		})
		if err != nil {
			return err
		}
	}
	for i := range customers {
		slices.SortFunc(customers[i].Balances, func(a, b Balance) int { return cmp.Compare(a.Currency, b.Currency) })
	}
	return nil
}
