package importer

import (
	"strconv"
)

// Lines says where a document stands in its source: the numbers of its lines
// (of a CSV file the physical lines on which its records begin, from 1), in
// the order of their addition, which ascends. The zero Lines is none.
type Lines struct {
	ranges []lineRange
	count  int
}

type lineRange struct{ from, to int }

// Add puts a line after those that were added before.
func (l *Lines) Add(line int) {
	l.count++
	if n := len(l.ranges); n > 0 && l.ranges[n-1].to == line-1 {
		l.ranges[n-1].to = line
		return
	}
	l.ranges = append(l.ranges, lineRange{line, line})
}

// Count is how many lines there are.
func (l *Lines) Count() int { return l.count }

// First is the first line's number, 0 if there is none.
func (l *Lines) First() int {
	if l.count == 0 {
		return 0
	}
	return l.ranges[0].from
}

// String lists the lines in the form of the rejects file: numbers and ranges
// with a space between them, "2-14 16 20-21".
func (l *Lines) String() string {
	var text []byte
	for i, r := range l.ranges {
		if i > 0 {
			text = append(text, ' ')
		}
		text = strconv.AppendInt(text, int64(r.from), 10)
		if r.to > r.from {
			text = append(text, '-')
			text = strconv.AppendInt(text, int64(r.to), 10)
		}
	}
	return string(text)
}
