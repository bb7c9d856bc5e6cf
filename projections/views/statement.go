package views

import (
	"cmp"
	"context"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
)

// StatementFilter says whose statements to make, and of which time.
type StatementFilter struct {
	// Customer is one customer's, uuid.Nil for all with anything to tell.
	Customer uuid.UUID
	// From and To bound the dates, both included; empty for no bound.
	From, To domain.Date
	// Explain adds the entries behind the opening balances.
	Explain bool
}

// Statements are statements of account for a time, by customer and currency.
type Statements struct {
	From       domain.Date `json:"from,omitempty"`
	To         domain.Date `json:"to,omitempty"`
	Statements []Statement `json:"statements"`
}

// Statement is what happened between the business and a customer, in one
// currency: Opening and the amounts of the lines add up to Closing.
type Statement struct {
	Customer uuid.UUID `json:"customer"`
	// CustomerName is the present one; empty once erased.
	CustomerName string          `json:"customer_name,omitempty"`
	Currency     string          `json:"currency"`
	Opening      Standing        `json:"opening"`
	Lines        []StatementLine `json:"lines"`
	Closing      Standing        `json:"closing"`
	// Entries are those behind Opening; their figures are receivable, credit,
	// balance and balance_base.
	Entries []Evidence `json:"entries,omitempty"`
}

// Standing is how a customer stands: Balance is what they owe less the credit
// that they have, and BalanceBase that in the book's currency.
type Standing struct {
	Receivable  string `json:"receivable"`
	Credit      string `json:"credit"`
	Balance     string `json:"balance"`
	BalanceBase string `json:"balance_base"`
}

// StatementLine is one entry of a customer's: what it adds to what they owe, to
// their credit, and to the balance. An allocation adds nothing to the balance.
type StatementLine struct {
	Cause
	// Of is the open item that it is about, where that is another document.
	OfKind     domain.Kind `json:"of_kind,omitempty"`
	Of         uuid.UUID   `json:"of,omitzero"`
	OfNumber   string      `json:"of_number,omitempty"`
	Receivable string      `json:"receivable"`
	Credit     string      `json:"credit"`
	Amount     string      `json:"amount"`
	AmountBase string      `json:"amount_base"`
	// Balance is the balance after it.
	Balance     string `json:"balance"`
	BalanceBase string `json:"balance_base"`
}

// Statements makes statements, in the order of the customers' names. Faults
// invalid-date, unknown-customer, too-many-entries.
func (q *Queries) Statements(ctx context.Context, f StatementFilter) (all Statements, err error) {
	if err := checkDates(f.From, f.To); err != nil {
		return all, err
	}
	err = q.reader.Read(ctx, func(tx Tx) error {
		_, base, err := bookCurrency(ctx, tx)
		if err != nil {
			return err
		}
		all = Statements{From: f.From, To: f.To, Statements: []Statement{}}
		entries := 0
		return eachSomebody(ctx, tx, f.Customer, where{}, key{}, func(some []somebody) (enough bool, err error) {
			statements, err := f.read(ctx, tx, some, base)
			all.Statements = append(all.Statements, statements...)
			for _, s := range statements {
				entries += len(s.Lines) + len(s.Entries)
			}
			if err == nil && entries > MaxEntries {
				err = tooMany()
			}
			return false, err
		})
	})
	return all, failed("statements", err)
}

// read makes the statements of some customers.
func (f StatementFilter) read(ctx context.Context, tx Tx, some []somebody, base func(int64) string) ([]Statement, error) {
	closing, err := balancesAt(ctx, tx, some, f.To)
	if err != nil {
		return nil, err
	}
	all, err := f.facts(ctx, tx, some, f.From, f.To)
	if err != nil {
		return nil, err
	}
	moves := map[balanceKey][]fact{}
	for _, p := range all {
		k := balanceKey{p.customer, p.currency}
		moves[k] = append(moves[k], p)
	}
	var opened map[balanceKey][]Evidence
	if f.Explain && f.From != "" {
		if opened, err = f.explain(ctx, tx, some, base); err != nil {
			return nil, err
		}
	}
	var statements []Statement
	currencies := keys(closing, func(k, l balanceKey) int { return cmp.Compare(k.currency, l.currency) })
	for _, who := range some {
		for _, k := range currencies {
			if k.customer != who.id {
				continue
			}
			s, err := statement(k, *closing[k], moves[k], base)
			if err != nil {
				return nil, err
			}
			if f.Customer == uuid.Nil && len(s.Lines) == 0 && *closing[k] == (balance{}) {
				continue
			}
			s.CustomerName, s.Entries = who.name, opened[k]
			statements = append(statements, s)
		}
	}
	return statements, nil
}

// facts are the postings of some customers within bounds of dates.
func (f StatementFilter) facts(ctx context.Context, tx Tx, some []somebody, from, to domain.Date) ([]fact, error) {
	w := where{conditions: []string{"p.item <> 0"}}
	w.in("p.customer", ids(some)...)
	w.between("p.date", from, to)
	return readFacts(ctx, tx, postingFacts, w)
}

// explain tells the entries behind the opening balances.
func (f StatementFilter) explain(ctx context.Context, tx Tx, some []somebody, base func(int64) string) (map[balanceKey][]Evidence, error) {
	all, err := f.facts(ctx, tx, some, "", f.From.AddDays(-1))
	if err != nil {
		return nil, err
	}
	return explain(all, base, func(p fact) (balanceKey, []figure) {
		figures := both("balance", p.worth)
		if p.account == account.CustomerCredit {
			figures = append(figures, figure{"credit", -p.amount, false})
		} else {
			figures = append(figures, figure{"receivable", p.amount, false})
		}
		return balanceKey{p.customer, p.currency}, figures
	})
}

// statement makes one statement, from how it ends and what happened before.
func statement(k balanceKey, closing balance, moves []fact, base func(int64) string) (Statement, error) {
	s := Statement{Customer: k.customer, Currency: k.currency, Lines: []StatementLine{}}
	at := closing
	for _, p := range moves {
		if err := at.post(p.account, p.negated()); err != nil {
			return s, err
		}
	}
	var err error
	if s.Opening, err = at.standing(k.currency, base); err != nil {
		return s, err
	}
	if s.Closing, err = closing.standing(k.currency, base); err != nil {
		return s, err
	}
	for len(moves) > 0 {
		n := 1
		for n < len(moves) && moves[n].Position == moves[0].Position && moves[n].entry == moves[0].entry {
			n++
		}
		line, err := at.line(moves[:n], base)
		if err != nil {
			return s, err
		}
		s.Lines, moves = append(s.Lines, line), moves[n:]
	}
	return s, nil
}

// line makes the line of one entry, and takes the balance on.
func (b *balance) line(postings []fact, base func(int64) string) (StatementLine, error) {
	var change balance
	line := StatementLine{Cause: postings[0].Cause}
	for _, p := range postings {
		for _, at := range []*balance{b, &change} {
			if err := at.post(p.account, p.worth); err != nil {
				return line, err
			}
		}
		if p.account == account.Receivables && p.of.ID != p.Document {
			line.OfKind, line.Of, line.OfNumber = p.of.Kind, p.of.ID, p.ofNumber
		}
	}
	after, err := b.standing(postings[0].currency, base)
	if err != nil {
		return line, err
	}
	added, err := change.standing(postings[0].currency, base)
	line.Receivable, line.Credit, line.Amount, line.AmountBase = added.Receivable, added.Credit, added.Balance, added.BalanceBase
	line.Balance, line.BalanceBase = after.Balance, after.BalanceBase
	return line, err
}

func (b *balance) standing(currency string, base func(int64) string) (Standing, error) {
	text, err := decimals(currency)
	if err != nil {
		return Standing{}, err
	}
	owed := b.receivable
	err = owed.add(b.credit.negated())
	return Standing{text(b.receivable.amount), text(b.credit.amount), text(owed.amount), base(owed.base)}, err
}
