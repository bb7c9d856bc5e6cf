// Package exporter writes a book's journal in the forms of other programs:
// hledger, beancount, and tables of comma-separated values.
//
// Amounts of other currencies bear what they are worth in the book's, as their
// total cost: so these programs balance each entry in the book's currency, too,
// and can show either. A difference of exchange, which is worth something and no
// amount, is a posting in the book's currency.
package exporter

import (
	"bufio"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"unicode"

	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/projections/views"
)

// Journal is what is exported: the entries in the order of their dates.
type Journal struct {
	// Currency is the book's.
	Currency string
	Entries  iter.Seq2[views.Entry, error]
}

// Format is a form in which a journal can be written.
type Format struct {
	Name string
	// Short says what it is, for people.
	Short string
	Write func(io.Writer, Journal) (entries int, err error)
}

// Formats lists all formats.
func Formats() []Format {
	return []Format{
		{"hledger", "a journal of hledger (or Ledger)", Hledger},
		{"beancount", "a ledger of Beancount", Beancount},
		{"csv", "a table with a line for each posting", CSV},
	}
}

// each writes every entry of a journal, and counts them.
func each(w io.Writer, j Journal, head func(*bufio.Writer, views.Entry) error, write func(*bufio.Writer, views.Entry) error) (n int, err error) {
	out := bufio.NewWriter(w)
	for e, err := range j.Entries {
		if err != nil {
			return n, err
		}
		if n == 0 {
			if err := head(out, e); err != nil {
				return n, err
			}
		}
		if err := write(out, e); err != nil {
			return n, fmt.Errorf("exporter: the entry at position %d: %w", e.Position, err)
		}
		n++
	}
	if err := out.Flush(); err != nil {
		return n, fmt.Errorf("exporter: %w", err)
	}
	return n, nil
}

// leg is an amount as plain-text accounting has it.
type leg struct {
	account  account.Account
	amount   string // signed
	currency string
	// cost is what it is worth in the book's currency, without a sign; empty where
	// that is the amount itself.
	cost string
}

// legs gives the parts of a posting: mostly one. What is worth something on the
// other side than its amount, or without any, is a part of its own.
func legs(p views.Posting, base string) ([]leg, error) {
	amount, err := signed(p.Debit, p.Credit, p.Currency)
	if err != nil {
		return nil, err
	}
	if p.Currency == base {
		return []leg{{p.Account, amount.String(), base, ""}}, nil
	}
	worth, err := signed(p.DebitBase, p.CreditBase, base)
	if err != nil {
		return nil, err
	}
	if amount.Sign() == worth.Sign() && amount.Sign() != 0 {
		return []leg{{p.Account, amount.String(), p.Currency, strings.TrimPrefix(worth.String(), "-")}}, nil
	}
	var parts []leg
	if amount.Sign() != 0 {
		parts = append(parts, leg{p.Account, amount.String(), p.Currency, money.Zero(worth.Currency()).String()})
	}
	if worth.Sign() != 0 || amount.Sign() == 0 {
		parts = append(parts, leg{p.Account, worth.String(), base, ""})
	}
	return parts, nil
}

// signed is an amount above zero for a debit.
func signed(debit, credit, currency string) (money.Amount, error) {
	c, err := money.ParseCurrency(currency)
	if err != nil {
		return money.Amount{}, err
	}
	d, err := money.ParseAmount(debit, c)
	if err != nil {
		return money.Amount{}, err
	}
	k, err := money.ParseAmount(credit, c)
	if err != nil {
		return money.Amount{}, err
	}
	return d.Sub(k)
}

// title is what people read of an entry: the customer's name, or what it is.
func title(e views.Entry) string {
	if e.CustomerName == "" {
		return string(e.Kind)
	}
	return e.CustomerName
}

// code is the number of the entry's document, or the beginning of its id.
func code(e views.Entry) string {
	if e.Number != "" {
		return e.Number
	}
	id, _, _ := strings.Cut(e.Document.String(), "-")
	return string(e.Kind) + " " + id
}

// plain is a text on one line, without the characters that end it where it
// stands.
func plain(text string, without string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), unicode.IsControl(r):
			return ' '
		case strings.ContainsRune(without, r):
			return '_'
		}
		return r
	}, text)
	return strings.Join(strings.Fields(text), " ")
}

// taxed says what a posting of tax is the tax of.
func taxed(p views.Posting) string {
	return fmt.Sprintf("%s %s on %s", p.Category, p.Percent, p.Taxable)
}

// roots are the names of the kinds of accounts.
type roots map[account.Kind]string

// accounts gives every account's name below the root of its kind.
func (r roots) accounts(name func(account.Info) string) map[account.Account]string {
	all := map[account.Account]string{}
	for _, info := range account.Chart() {
		all[info.Account] = r[info.Kind] + ":" + name(info)
	}
	return all
}

// inOrder lists the names of accounts in the order of the chart.
func inOrder(names map[account.Account]string) []string {
	var all []string
	for _, info := range account.Chart() {
		all = append(all, names[info.Account])
	}
	return slices.Clip(all)
}
