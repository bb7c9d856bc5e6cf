package views

import (
	"cmp"
	"context"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
)

// LedgerFilter says of which accounts, and of which time, a ledger is.
type LedgerFilter struct {
	// Account is one account; empty for all that were posted to.
	Account account.Account
	// From and To bound the dates, both included; empty for no bound.
	From, To domain.Date
	// Explain adds the entries behind the opening balances.
	Explain bool
}

// Ledger is the postings of accounts for a time, in the order of the chart.
type Ledger struct {
	From     domain.Date     `json:"from,omitempty"`
	To       domain.Date     `json:"to,omitempty"`
	Accounts []LedgerAccount `json:"accounts"`
}

// LedgerAccount is one account in one currency, and beside it what that is in the
// book's. Balances are above zero for a debit, below for a credit: Opening +
// Debit − Credit = Closing.
type LedgerAccount struct {
	Account  account.Account `json:"account"`
	Name     string          `json:"name"`
	Currency string          `json:"currency"`
	Opening  string          `json:"opening"`
	// OpeningBase, and what else ends in Base, is in the book's currency.
	OpeningBase string       `json:"opening_base"`
	Lines       []LedgerLine `json:"lines"`
	// Debit and Credit are the sums of the lines.
	Debit       string `json:"debit"`
	Credit      string `json:"credit"`
	DebitBase   string `json:"debit_base"`
	CreditBase  string `json:"credit_base"`
	Closing     string `json:"closing"`
	ClosingBase string `json:"closing_base"`
	// Entries are those behind Opening; their figures are balance and
	// balance_base.
	Entries []Evidence `json:"entries,omitempty"`
}

// LedgerLine is one posting, with the balance after it.
type LedgerLine struct {
	Cause
	Customer uuid.UUID `json:"customer"`
	// CustomerName is the one on the document; empty once erased.
	CustomerName string `json:"customer_name,omitempty"`
	Debit        string `json:"debit"`
	Credit       string `json:"credit"`
	Balance      string `json:"balance"`
	DebitBase    string `json:"debit_base"`
	CreditBase   string `json:"credit_base"`
	BalanceBase  string `json:"balance_base"`
}

// Ledger tells the postings of accounts. Faults invalid-date, too-many-entries.
func (q *Queries) Ledger(ctx context.Context, f LedgerFilter) (ledger Ledger, err error) {
	if err := checkDates(f.From, f.To); err != nil {
		return ledger, err
	}
	err = q.reader.Read(ctx, func(tx Tx) error {
		ledger = Ledger{From: f.From, To: f.To, Accounts: []LedgerAccount{}}
		_, base, err := bookCurrency(ctx, tx)
		if err != nil {
			return err
		}
		opening, err := f.opening(ctx, tx)
		if err != nil {
			return err
		}
		entries := 0
		for _, info := range account.Chart() {
			if f.Account != "" && info.Account != f.Account {
				continue
			}
			accounts, err := f.read(ctx, tx, info, opening, base)
			if err != nil {
				return err
			}
			for _, a := range accounts {
				entries += len(a.Lines) + len(a.Entries)
			}
			if entries > MaxEntries {
				return tooMany()
			}
			ledger.Accounts = append(ledger.Accounts, accounts...)
		}
		return nil
	})
	return ledger, failed("ledger", err)
}

// opening gives the balances before the first day.
func (f LedgerFilter) opening(ctx context.Context, tx Tx) (map[dayKey]*worth, error) {
	balances := map[dayKey]*worth{}
	if f.From == "" {
		return balances, nil
	}
	return balances, load(ctx, tx, `SELECT account, currency, sum(debit) - sum(credit), sum(debit_base) - sum(credit_base) FROM account_days
		WHERE date < $1 GROUP BY account, currency`, []any{string(f.From)}, func(r scanner) error {
		var k dayKey
		var balance worth
		err := r.Scan(&k.account, &k.currency, &balance.amount, &balance.base)
		balances[k] = &balance
		return err
	})
}

// read gives an account in each currency that it has.
func (f LedgerFilter) read(ctx context.Context, tx Tx, info account.Info, opening map[dayKey]*worth, base func(int64) string) ([]LedgerAccount, error) {
	all, err := f.facts(ctx, tx, info.Account, f.From, f.To)
	if err != nil {
		return nil, err
	}
	postings := map[string]*[]fact{}
	for k := range opening {
		if k.account == string(info.Account) {
			at(postings, k.currency)
		}
	}
	for _, p := range all {
		list := at(postings, p.currency)
		*list = append(*list, p)
	}
	var opened map[string][]Evidence
	if f.Explain && f.From != "" {
		before, err := f.facts(ctx, tx, info.Account, "", f.From.AddDays(-1))
		if err != nil {
			return nil, err
		}
		if opened, err = explain(before, base, func(p fact) (string, []figure) { return p.currency, both("balance", p.worth) }); err != nil {
			return nil, err
		}
	}
	var accounts []LedgerAccount
	for _, currency := range keys(postings, cmp.Compare[string]) {
		a := LedgerAccount{Account: info.Account, Name: info.Name, Currency: currency, Lines: []LedgerLine{}, Entries: opened[currency]}
		if err := a.fill(*at(opening, dayKey{account: string(info.Account), currency: currency}), *postings[currency], base); err != nil {
			return nil, err
		}
		accounts = append(accounts, a)
	}
	return accounts, nil
}

// facts are an account's postings within bounds of dates.
func (f LedgerFilter) facts(ctx context.Context, tx Tx, name account.Account, from, to domain.Date) ([]fact, error) {
	var w where
	w.add("p.account = ?", string(name))
	w.between("p.date", from, to)
	return readFacts(ctx, tx, postingFacts, w)
}

// fill adds the lines, from the balance before them.
func (a *LedgerAccount) fill(balance worth, postings []fact, base func(int64) string) error {
	text, err := decimals(a.Currency)
	if err != nil {
		return err
	}
	a.Opening, a.OpeningBase = text(balance.amount), base(balance.base)
	var whole sums
	for _, p := range postings {
		var line sums
		for _, s := range []*sums{&line, &whole} {
			if err := s.add(p.worth); err != nil {
				return err
			}
		}
		if err := balance.add(p.worth); err != nil {
			return err
		}
		a.Lines = append(a.Lines, LedgerLine{
			Cause: p.Cause, Customer: p.customer, CustomerName: p.name,
			Debit: text(line.debit.amount), Credit: text(line.credit.amount), Balance: text(balance.amount),
			DebitBase: base(line.debit.base), CreditBase: base(line.credit.base), BalanceBase: base(balance.base),
		})
	}
	a.Debit, a.Credit, a.Closing = text(whole.debit.amount), text(whole.credit.amount), text(balance.amount)
	a.DebitBase, a.CreditBase, a.ClosingBase = base(whole.debit.base), base(whole.credit.base), base(balance.base)
	return nil
}
