// Package account keeps the double entry: a small chart of accounts, and the
// balanced postings that each financial event amounts to.
package account

import (
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// Account names an account of the chart.
type Account string

// The accounts.
const (
	// Receivables is what customers owe: the sum of all open amounts, those of
	// invoices and of what reversed payments left to be paid back.
	Receivables Account = "receivables"
	// Cash is money received.
	Cash Account = "cash"
	// CustomerCredit is what the business owes to customers.
	CustomerCredit Account = "customer-credit"
	// Prepayments holds what was paid before issue, until it is deducted from
	// an invoice.
	Prepayments Account = "prepayments"
	// Deposits is what was invoiced as deposits, net of tax, until it is deducted
	// from an invoice or credited.
	Deposits Account = "deposits"
	// TaxPayable is tax charged and not yet paid on.
	TaxPayable Account = "tax-payable"
	// Revenue is sales net of tax.
	Revenue Account = "revenue"
	// Rounding is the differences from rounding amounts due, and the cents by which
	// what a deduction comes to on a document is off what was invoiced.
	Rounding Account = "rounding"
	// ExchangeGain and ExchangeLoss are the realised differences: what an amount
	// in another currency was worth when it came in, and when it was used, paid
	// out or taken back.
	ExchangeGain Account = "exchange-gain"
	ExchangeLoss Account = "exchange-loss"
	// UnrealisedExchange is what receivables and customer credit in other currencies
	// are worth more, or less, at the end of a period than when they came in. It is
	// taken back on the day after: until then Revaluation, beside the accounts that
	// are revalued, holds the difference.
	UnrealisedExchange Account = "unrealised-exchange"
	Revaluation        Account = "revaluation"
	// BadDebt is what was written off, less the tax that was taken back on it.
	BadDebt Account = "bad-debt"
)

// Kind is the class of an account.
type Kind string

// The kinds of accounts.
const (
	Asset     Kind = "asset"
	Liability Kind = "liability"
	Income    Kind = "income"
	Expense   Kind = "expense"
)

// Side is the side of an account that increases it.
type Side string

// The sides.
const (
	Debit  Side = "debit"
	Credit Side = "credit"
)

// Info describes an account.
type Info struct {
	Account Account
	// Name is for people.
	Name   string
	Kind   Kind
	Normal Side
}

// Chart lists the accounts in the order of a trial balance.
func Chart() []Info {
	return []Info{
		{Cash, "Cash", Asset, Debit},
		{Receivables, "Receivables", Asset, Debit},
		{Revaluation, "Revaluation of receivables and credit", Asset, Debit},
		{CustomerCredit, "Customer credit", Liability, Credit},
		{Prepayments, "Prepayments", Liability, Credit},
		{Deposits, "Deposits", Liability, Credit},
		{TaxPayable, "Tax payable", Liability, Credit},
		{Revenue, "Revenue", Income, Credit},
		{Rounding, "Rounding", Income, Credit},
		{ExchangeGain, "Exchange gain", Income, Credit},
		{UnrealisedExchange, "Unrealised exchange differences", Income, Credit},
		{BadDebt, "Bad debt", Expense, Debit},
		{ExchangeLoss, "Exchange loss", Expense, Debit},
	}
}

// Posting is one line of an entry.
type Posting struct {
	Account Account
	// Amount is above zero for a debit, below for a credit. It is zero only
	// with a tax mark, or where Base is not.
	Amount money.Amount
	// Base is the amount in the book's currency: Amount itself for a document
	// in that currency.
	Base money.Amount
	// Item is the open item whose open amount a posting to Receivables changes,
	// an invoice or a reversed payment; empty on other accounts.
	Item domain.StreamID
	// Tax marks a posting to TaxPayable; nil on other accounts.
	Tax *TaxMark
}

// TaxMark says what a posting to TaxPayable is the tax of. The tax report is
// the sum of these by rate: the taxable amounts, and the postings' amounts with
// the sign turned.
type TaxMark struct {
	Rate tax.Rate
	// Taxable is above zero for sales, below for credit notes and for relief on
	// what was written off.
	Taxable money.Amount
	// Base is Taxable in the book's currency.
	Base money.Amount
	// Point is the day by which it is reported; empty where that is the entry's.
	Point domain.Date
}

// Entry is one balanced entry of the journal.
type Entry struct {
	// Document is the stream of the invoice, credit note or payment that is
	// posted.
	Document domain.StreamID
	Customer uuid.UUID
	// Date is the business date: the document's, or that of what happened to it.
	Date     domain.Date
	Postings []Posting
}

// TaxPoint is the day by which a posting of the entry is reported.
func (e Entry) TaxPoint(m *TaxMark) domain.Date {
	if m.Point != "" {
		return m.Point
	}
	return e.Date
}

// ErrBase means that an entry is not worth what it says in the currency that its
// book is kept in.
var ErrBase = errors.New("account: not in the book's currency")

// CheckWorth checks that every worth is in the book's currency, and is the amount
// itself where that is too: ErrBase.
func (e Entry) CheckWorth(book money.Currency) error {
	for _, p := range e.Postings {
		amounts := [][2]money.Amount{{p.Amount, p.Base}}
		if p.Tax != nil {
			amounts = append(amounts, [2]money.Amount{p.Tax.Taxable, p.Tax.Base})
		}
		for _, a := range amounts {
			amount, base := a[0], a[1]
			if base.Currency() != book || amount.Currency() == book && amount != base {
				return fmt.Errorf("%w: %s posts %s %s to %s, worth %s %s, and the book is kept in %s",
					ErrBase, e.Document, amount, amount.Currency(), p.Account, base, base.Currency(), book)
			}
		}
	}
	return nil
}
