package csvfile

import (
	"container/list"
	"fmt"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/importer"
)

// What closes a document, and what bounds it.
const (
	// otherLines is how many lines of other documents close a document.
	otherLines = 1000
	// maxLines is the greatest number of lines of a document.
	maxLines = 10_000
	// maxSize bounds the memory of one document, and maxOpenSize that of all
	// open ones, in bytes.
	maxSize     = 8 << 20
	maxOpenSize = 64 << 20
	// lineOverhead is about what a line takes besides its text.
	lineOverhead = 256
)

// Codes of rejections by the grouping.
const (
	// CodeLateLine rejects a line alone whose document was closed already.
	CodeLateLine = "late-line"
	// CodeTooManyLines: a document has more than 10,000 lines.
	CodeTooManyLines = "too-many-lines"
	// CodeTooLarge: a document's texts, or those of all documents that are open
	// at once, are more than can be held.
	CodeTooLarge = "document-too-large"
)

// group is the lines of one number.
type group struct {
	number string
	kind   domain.Kind
	// last is the number of the group's last line among all data lines.
	last  int
	lines importer.Lines
	// content is empty once the document is known to be rejected.
	content  []importer.Line
	date     domain.Date
	customer importer.Customer
	exchange exchange.Rate
	total    money.Amount // in the currency of the first line
	size     int
	fault    *fault // the first one
	// negativePrice is the first line with a negative price, 0 if none.
	negativePrice int
	// inconsistent says in what the lines differ, empty if they do not.
	inconsistent string
	// gone means that the group was rejected before its end, for its size:
	// lines that still come are rejected alone with the same fault.
	gone bool
}

// grouper gathers lines into documents and hands out items when they are
// complete.
type grouper struct {
	m      *Map
	closed *closedNumbers
	emit   func(importer.Item) bool // false: nobody wants more
	rows   int                      // data lines so far
	open   map[string]*list.Element
	byLast *list.List // of *group, the one whose last line is oldest in front
	size   int
}

func newGrouper(m *Map, closed *closedNumbers, emit func(importer.Item) bool) *grouper {
	return &grouper{m: m, closed: closed, emit: emit, open: map[string]*list.Element{}, byLast: list.New()}
}

// add takes the next data line. It reports whether anybody wants more.
func (g *grouper) add(l line) (more bool, err error) {
	g.rows++
	for oldest := g.byLast.Front(); oldest != nil; oldest = g.byLast.Front() {
		// Between its last line and this one lie that many others.
		if g.rows-oldest.Value.(*group).last-1 < otherLines {
			break
		}
		if more, err := g.close(oldest); err != nil || !more {
			return false, err
		}
	}
	if l.number == "" {
		return g.emit(alone(l, *l.fault)), nil
	}
	e, known := g.open[l.number]
	if !known {
		late, err := g.closed.has(l.number)
		if err != nil {
			return false, err
		}
		if late {
			return g.emit(alone(l, fault{CodeLateLine, fmt.Sprintf(
				"line %d: the document was closed after %d lines of others", l.at, otherLines)})), nil
		}
		e = g.byLast.PushBack(&group{number: l.number, kind: g.m.kind(l.number)})
		g.open[l.number] = e
	}
	d := e.Value.(*group)
	d.last = g.rows
	g.byLast.MoveToBack(e)
	if d.gone {
		return g.emit(alone(l, *d.fault)), nil
	}
	before := d.size
	d.add(l)
	g.size += d.size - before
	return g.bound(d)
}

// end closes all documents: the file has ended.
func (g *grouper) end() error {
	for oldest := g.byLast.Front(); oldest != nil; oldest = g.byLast.Front() {
		if more, err := g.close(oldest); err != nil || !more {
			return err
		}
	}
	return nil
}

func (g *grouper) close(e *list.Element) (more bool, err error) {
	d := e.Value.(*group)
	g.byLast.Remove(e)
	delete(g.open, d.number)
	g.size -= d.size
	if err := g.closed.add(d.number); err != nil {
		return false, err
	}
	if d.gone {
		return true, nil
	}
	return g.emit(d.item(g.m)), nil
}

// bound rejects documents that grow beyond what can be held: this one, or where
// all open ones together do, the largest.
func (g *grouper) bound(d *group) (more bool, err error) {
	switch {
	case d.lines.Count() > maxLines:
		return g.evict(d, CodeTooManyLines, "the document has more than %d lines", maxLines)
	case d.size > maxSize:
		return g.evict(d, CodeTooLarge, "the document has more than %d bytes", maxSize)
	case g.size > maxOpenSize:
		largest := d
		for e := g.byLast.Front(); e != nil; e = e.Next() {
			if o := e.Value.(*group); o.size > largest.size {
				largest = o
			}
		}
		return g.evict(largest, CodeTooLarge,
			"the documents whose lines are mixed with this one's have more than %d bytes together", maxOpenSize)
	}
	return true, nil
}

// evict rejects a document before its end and keeps only its number and fault.
func (g *grouper) evict(d *group, code, format string, args ...any) (more bool, err error) {
	d.fault = &fault{code, fmt.Sprintf(format, args...)}
	more = g.emit(d.rejected(*d.fault))
	g.size -= d.size
	d.gone, d.size, d.content, d.lines = true, 0, nil, importer.Lines{}
	return more, nil
}

// alone is the rejection of a line by itself.
func alone(l line, f fault) importer.Item {
	it := importer.Item{
		Number: shown(l.number), Total: l.amount,
		Rejection: &importer.Rejection{Code: f.code, Message: f.message, Alone: true},
	}
	it.Lines.Add(l.at)
	return it
}
