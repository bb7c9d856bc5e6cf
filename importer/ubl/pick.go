package ubl

import (
	"errors"
	"strings"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/money"
)

// picker takes what it is asked for out of a tree. It keeps the first refusal,
// and gives zero values from then on, so that a whole document can be read
// before anybody asks.
type picker struct {
	err      error
	currency money.Currency
	// at names the part of the document that is being read, for messages.
	at string
}

func (p *picker) refuse(code, format string, args ...any) {
	if p.err != nil {
		return
	}
	refusal := domain.Refuse(code, format, args...)
	if p.at != "" {
		refusal.Message = p.at + ": " + refusal.Message
	}
	p.err = refusal
}

// fail keeps a refusal of another package, under a code of this one if given.
func (p *picker) fail(code string, err error) {
	var refusal *domain.Refusal
	if p.err == nil && errors.As(err, &refusal) {
		if code == "" {
			code = refusal.Code
		}
		p.refuse(code, "%s", refusal.Message)
	} else if p.err == nil {
		p.err = err
	}
}

// all gives the children of a name.
func (n *node) all(name string) []*node {
	if n == nil {
		return nil
	}
	var found []*node
	for _, c := range n.children {
		if c.name == name {
			found = append(found, c)
		}
	}
	return found
}

// maybe walks to an element of which there is at most one at each step; nil
// where there is none.
func (p *picker) maybe(n *node, path ...string) *node {
	for _, name := range path {
		found := n.all(name)
		switch {
		case len(found) == 0:
			return nil
		case len(found) > 1:
			p.refuse(CodeDuplicateElement, "there are %d of %s, and there may be one", len(found), name)
			return nil
		}
		n = found[0]
	}
	return n
}

// must is maybe for an element that has to be there.
func (p *picker) must(n *node, path ...string) *node {
	found := p.maybe(n, path...)
	if found == nil {
		p.refuse(CodeMissingElement, "there is no %s", strings.Join(path, "/"))
	}
	return found
}

// single refuses elements that stand more than once.
func (p *picker) single(n *node, names ...string) {
	for _, name := range names {
		p.maybe(n, name)
	}
}

// block is the text of an element, with its line breaks; empty where there is
// none.
func (p *picker) block(n *node, path ...string) string {
	if n = p.maybe(n, path...); n == nil {
		return ""
	}
	return n.text
}

// line is the text of an element on one line.
func (p *picker) line(n *node, path ...string) string {
	return oneLine(p.block(n, path...))
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// mustLine is line for a text that has to be there.
func (p *picker) mustLine(n *node, path ...string) string {
	text := p.line(n, path...)
	if text == "" {
		p.refuse(CodeMissingElement, "there is no %s, or nothing in it", strings.Join(path, "/"))
	}
	return text
}

// date reads a date, empty where there is none.
func (p *picker) date(n *node, path ...string) domain.Date {
	text := p.line(n, path...)
	if text == "" {
		return ""
	}
	date, err := domain.ParseDate(text)
	if err != nil {
		p.fail(CodeBadDate, err)
	}
	return date
}

// decimal reads a number in one of the forms of xsd:decimal.
func (p *picker) decimal(n *node) money.Decimal {
	if n == nil || p.err != nil {
		return money.Decimal{}
	}
	number, err := money.ParseDecimal(plainNumber(n.text))
	if err != nil {
		p.refuse(CodeBadNumber, "%s: %.40q is not a decimal number that can be held", n.name, n.text)
	}
	return number
}

// amount reads an amount in the document's currency; found is false where there
// is none.
func (p *picker) amount(n *node, path ...string) (a money.Amount, found bool) {
	if n = p.maybe(n, path...); n == nil || p.err != nil {
		return money.Zero(p.currency), false
	}
	p.sameCurrency(n)
	a, err := money.ParseAmount(plainNumber(n.text), p.currency)
	if err != nil {
		p.refuse(CodeBadNumber, "%s: %.40q is not an amount in %s", n.name, n.text, p.currency)
	}
	return a, true
}

func (p *picker) mustAmount(n *node, path ...string) money.Amount {
	a, found := p.amount(n, path...)
	if !found {
		p.refuse(CodeMissingElement, "there is no %s", strings.Join(path, "/"))
	}
	return a
}

func (p *picker) sameCurrency(n *node) {
	switch {
	case n.currency == "":
		p.refuse(CodeMissingElement, "%s has no currencyID", n.name)
	case n.currency != p.currency.String():
		p.refuse(CodeMixedCurrencies, "%s is in %.10q, and the document in %s", n.name, n.currency, p.currency)
	}
}

// plainNumber turns the other forms of xsd:decimal, "+5", ".5" and "5.", into
// the plain one.
func plainNumber(text string) string {
	sign := ""
	if rest, is := strings.CutPrefix(text, "+"); is && !strings.HasPrefix(rest, "-") {
		text = rest
	} else if rest, is := strings.CutPrefix(text, "-"); is {
		sign, text = "-", rest
	}
	if strings.HasPrefix(text, ".") && len(text) > 1 {
		text = "0" + text
	}
	if whole, is := strings.CutSuffix(text, "."); is && whole != "" {
		text = whole
	}
	return sign + text
}

// indicator reads a boolean, false where there is none.
func (p *picker) indicator(n *node, path ...string) bool {
	n = p.maybe(n, path...)
	if n == nil {
		return false
	}
	switch n.text {
	case "true", "1":
		return true
	case "false", "0":
		return false
	}
	p.refuse(CodeBadNumber, "%s: %.40q is neither true nor false", n.name, n.text)
	return false
}
