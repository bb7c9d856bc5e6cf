package views

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
)

// somebody is a customer in a report, by the name that they have now.
type somebody struct {
	id   uuid.UUID
	name string // empty once erased
	key  key
}

// peopleTogether is how many customers one statement asks about.
const peopleTogether = 100

// byName is the order of customers in reports.
var byName = order{name: "name", text: "name_key", number: "0"}

// eachSomebody visits customers some at a time, in the order of their names: one
// alone, or all of whom a condition holds after a key, until visit has enough.
func eachSomebody(ctx context.Context, tx Tx, only uuid.UUID, among where, after key, visit func([]somebody) (enough bool, err error)) error {
	for {
		w := where{slices.Clone(among.conditions), slices.Clone(among.args)}
		if only != uuid.Nil {
			w = where{}
			w.add("id = ?", only[:])
		}
		w.after(byName, after)
		query := `SELECT id, name, name_key, seq FROM customers` + w.String() + byName.by() + w.limit(peopleTogether)
		var some []somebody
		err := load(ctx, tx, query, w.args, func(r scanner) error {
			s := somebody{key: key{set: true}}
			err := r.Scan(&s.id, &s.name, &s.key.text, &s.key.seq)
			some = append(some, s)
			return err
		})
		if err != nil {
			return err
		}
		if len(some) == 0 {
			if only != uuid.Nil && !after.set {
				return unknownCustomer(only.String())
			}
			return nil
		}
		enough, err := visit(some)
		if enough || err != nil || len(some) < peopleTogether {
			return err
		}
		after = some[len(some)-1].key
	}
}

// ids gives the ids of customers as arguments.
func ids(some []somebody) []any {
	all := make([]any, len(some))
	for i := range some {
		all[i] = some[i].id[:]
	}
	return all
}

// post adds what is posted to one of a customer's two accounts.
func (b *balance) post(a account.Account, posted worth) error {
	if a == account.CustomerCredit {
		return b.credit.add(posted.negated())
	}
	return b.receivable.add(posted)
}

// balancesAt gives what customers owed and had as credit at the end of a day:
// what they do now, less what was posted since; all of it where the day is empty.
// Most questions are about days since which little was.
func balancesAt(ctx context.Context, tx Tx, some []somebody, day domain.Date) (map[balanceKey]*balance, error) {
	balances := map[balanceKey]*balance{}
	var w where
	w.in("customer", ids(some)...)
	err := load(ctx, tx, `SELECT customer, currency, receivable, credit, receivable_base, credit_base FROM customer_balances`+w.String(),
		w.args, func(r scanner) error {
			var k balanceKey
			row := new(balance)
			err := r.Scan(append([]any{&k.customer, &k.currency}, row.columns()...)...)
			balances[k] = row
			return err
		})
	if err != nil || day == "" {
		return balances, err
	}
	return balances, postedSince(ctx, tx, some, day, func(k balanceKey, a account.Account, _ int, posted worth) error {
		if balances[k] == nil {
			return damaged("customer %s has postings in %s, and no balance", k.customer, k.currency)
		}
		return balances[k].post(a, posted.negated())
	})
}

// anyLater reports whether anything is dated after a day: mostly the day is today,
// and nothing is.
func anyLater(ctx context.Context, tx Tx, day domain.Date) (later bool, err error) {
	var last string // EXISTS could read all entries where there is none
	err = tx.QueryRowContext(ctx, `SELECT coalesce(max(date), '') FROM entries`).Scan(&last)
	return last > string(day), err
}

// postedSince sums what was posted after a day to customers' receivables, by how long
// it was overdue on that day, and to their credit.
func postedSince(ctx context.Context, tx Tx, some []somebody, day domain.Date,
	sum func(k balanceKey, a account.Account, age int, posted worth) error,
) error {
	if later, err := anyLater(ctx, tx, day); err != nil || !later {
		return err
	}
	w := where{conditions: []string{"item <> 0"}}
	by := w.age(day)
	w.in("customer", ids(some)...)
	w.add("date > ?", string(day))
	return load(ctx, tx, `SELECT customer, currency, account, `+by+` AS age, sum(amount), sum(base) FROM postings`+w.String()+
		` GROUP BY customer, currency, account, age`, w.args, func(r scanner) error {
		var k balanceKey
		var a account.Account
		var age int
		var posted worth
		if err := r.Scan(&k.customer, &k.currency, &a, &age, &posted.amount, &posted.base); err != nil {
			return err
		}
		return sum(k, a, age, posted)
	})
}
