package bookdir

import (
	"bufio"
	"bytes"
	"cmp"
	"container/heap"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"os"
	"runtime"
	"slices"
	"sync"

	"github.com/daybook-ledger/daybook/eventstore/seal"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
)

// CodeRevision: an event's revision is not the next one of its stream.
const CodeRevision = "commit-revision"

// revisions checks that the events of every stream are numbered 1, 2, 3, … in
// the order of the log. A book has more streams than memory should hold: the
// numbers are sorted by stream, outside of memory, and looked at in that order.
type revisions struct {
	// room is as much again as the buffer may take.
	buffer, room []numbered
	runs         *os.File // sorted runs, one after the other; nil while there is none
	ends         []int64  // where each run ends
	// base has the last revision of each stream, by an earlier check, sorted by
	// stream; nil where there was none.
	base *os.File
	next uint64
	// unread are the positions at which commits begin that could not be read.
	unread []uint64
	// limit is how many events wait in memory; bufferMax when 0.
	limit int
}

// revision is an event's number in its stream.
type revision struct {
	stream [16]byte // the digest of kind and id
	number uint64
}

// numbered is one event's revision in its place.
type numbered struct {
	revision
	order             uint64 // in the log; 0 for a revision of the base
	position, pageNum uint64
}

const (
	numberedSize = 16 + 4*8
	baseSize     = 16 + 8
	bufferMax    = 1 << 18 // 12 MiB of events
)

// compareNumbered sorts by stream, and then as in the log.
func compareNumbered(a, b numbered) int {
	// Nearly always the first words differ, which compares quicker than bytes.
	if x, y := binary.BigEndian.Uint64(a.stream[:]), binary.BigEndian.Uint64(b.stream[:]); x != y {
		return cmp.Compare(x, y)
	}
	return cmp.Or(bytes.Compare(a.stream[:], b.stream[:]), cmp.Compare(a.order, b.order))
}

// sorted sorts events in parts, each on a core of its own, and gives the parts: in the
// room for as many more, which is made once.
func (r *revisions) sorted() (parts [][]numbered) {
	if len(r.room) < len(r.buffer) {
		r.room = make([]numbered, cap(r.buffer))
	}
	var group sync.WaitGroup
	size := max(1, (len(r.buffer)+runtime.GOMAXPROCS(0)-1)/runtime.GOMAXPROCS(0))
	for start := 0; start < len(r.buffer); start += size {
		end := min(start+size, len(r.buffer))
		part := r.room[start:end]
		parts = append(parts, part)
		group.Go(func() { sortInto(part, r.buffer[start:end]) })
	}
	group.Wait()
	return parts
}

// sortInto sorts events by the first bits of their streams, which are even as those of
// digests are, into buckets of a few, and then each of those.
func sortInto(to, events []numbered) {
	width := max(0, bits.Len(uint(len(events)))-3)
	bucket := func(n *numbered) int { return int(binary.BigEndian.Uint64(n.stream[:]) >> 1 >> (63 - width)) }
	ends := make([]int, 1<<width)
	for i := range events {
		ends[bucket(&events[i])]++
	}
	start := 0
	for i, n := range ends {
		ends[i], start = start, start+n
	}
	for i := range events {
		at := &ends[bucket(&events[i])]
		to[*at] = events[i]
		*at++
	}
	start = 0
	for _, end := range ends {
		slices.SortFunc(to[start:end], compareNumbered)
		start = end
	}
}

func (n numbered) append(to []byte) []byte {
	to = append(to, n.stream[:]...)
	for _, v := range []uint64{n.order, n.number, n.position, n.pageNum} {
		to = binary.BigEndian.AppendUint64(to, v)
	}
	return to
}

// streamDigest names a stream in 16 bytes.
func streamDigest(s seal.Stream) [16]byte {
	var name [seal.MaxName + 1 + 16]byte
	n := copy(name[:], s.Kind)
	n += 1 + copy(name[n+1:], s.ID[:])
	sum := sha256.Sum256(name[:n])
	return [16]byte(sum[:16])
}

// add takes the next event of the log.
func (r *revisions) add(event revision, position, pageNum uint64) error {
	r.next++
	limit := cmp.Or(r.limit, bufferMax)
	if r.buffer == nil {
		r.buffer = make([]numbered, 0, limit) // memory that is not written to is not taken
	}
	r.buffer = append(r.buffer, numbered{event, r.next, position, pageNum})
	if len(r.buffer) < limit {
		return nil
	}
	return r.spill()
}

// spill writes what is in memory as more sorted runs.
func (r *revisions) spill() (err error) {
	if r.runs == nil {
		if r.runs, err = unnamed(); err != nil {
			return err
		}
	}
	end := int64(0)
	if len(r.ends) > 0 {
		end = r.ends[len(r.ends)-1]
	}
	w := bufio.NewWriterSize(r.runs, 1<<16)
	var line []byte
	for _, part := range r.sorted() {
		for _, n := range part {
			line = n.append(line[:0])
			if _, err := w.Write(line); err != nil {
				return fmt.Errorf("bookdir: sort revisions: %w", err)
			}
		}
		end += int64(len(part)) * numberedSize
		r.ends = append(r.ends, end)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("bookdir: sort revisions: %w", err)
	}
	r.buffer = r.buffer[:0]
	return nil
}

// unnamed is a file that vanishes when it is closed.
func unnamed() (*os.File, error) {
	f, err := os.CreateTemp("", "daybook-verify-")
	if err != nil {
		return nil, fmt.Errorf("bookdir: %w", err)
	}
	return f, os.Remove(f.Name())
}

// check looks at all revisions so far, tells found what is wrong, and writes the
// last revision of each stream to base.
func (r *revisions) check(base io.Writer, found func(transparency.Failure)) error {
	parts := r.sorted()
	m := merged{}
	if err := m.add(&baseRun{r: r.base}); err != nil {
		return err
	}
	start := int64(0)
	for _, end := range r.ends {
		run := io.NewSectionReader(r.runs, start, end-start)
		if err := m.add(&fileRun{r: bufio.NewReaderSize(run, 1<<14)}); err != nil {
			return err
		}
		start = end
	}
	for _, part := range parts {
		if err := m.add(&memoryRun{part}); err != nil {
			return err
		}
	}
	var last numbered
	for n, err := range m.all {
		if err != nil {
			return fmt.Errorf("bookdir: sort revisions: %w", err)
		}
		due, after := uint64(1), uint64(0)
		if n.stream == last.stream {
			due, after = last.number+1, last.position
		} else if err := keepLast(base, last); err != nil {
			return err
		}
		if n.order != 0 && n.number != due {
			what := fmt.Sprintf("an event has revision %d of its stream, where %d is due", n.number, due)
			gap := slices.IndexFunc(r.unread, func(position uint64) bool { return position >= after && position < n.position })
			if n.number > due && gap >= 0 {
				what += fmt.Sprintf("; that may follow from what could not be read before it, at position %d", r.unread[gap])
			}
			found(transparency.Failure{Page: n.pageNum, Position: n.position, Code: CodeRevision, What: what})
		}
		last = n
	}
	return keepLast(base, last)
}

func keepLast(base io.Writer, last numbered) error {
	if base == nil || last.number == 0 {
		return nil
	}
	if _, err := base.Write(binary.BigEndian.AppendUint64(last.stream[:], last.number)); err != nil {
		return fmt.Errorf("bookdir: keep revisions: %w", err)
	}
	return nil
}

// rebase goes on from a base that check wrote, which it owns from then on.
func (r *revisions) rebase(base *os.File) error {
	err := r.close()
	*r = revisions{base: base, buffer: r.buffer[:0], room: r.room, next: r.next, limit: r.limit}
	return err
}

func (r *revisions) close() (err error) {
	if r.runs != nil {
		err = r.runs.Close()
	}
	if r.base != nil {
		err = errors.Join(err, r.base.Close())
	}
	return err
}

// run is a sorted sequence of events. next gives io.EOF at its end.
type run interface {
	next() (numbered, error)
}

type memoryRun struct{ rest []numbered }

func (r *memoryRun) next() (numbered, error) {
	if len(r.rest) == 0 {
		return numbered{}, io.EOF
	}
	n := r.rest[0]
	r.rest = r.rest[1:]
	return n, nil
}

type fileRun struct{ r io.Reader }

func (r *fileRun) next() (n numbered, err error) {
	var b [numberedSize]byte
	if _, err := io.ReadFull(r.r, b[:]); err != nil {
		return n, err
	}
	copy(n.stream[:], b[:16])
	for i, into := range []*uint64{&n.order, &n.number, &n.position, &n.pageNum} {
		*into = binary.BigEndian.Uint64(b[16+8*i:])
	}
	return n, nil
}

// baseRun reads a base from its beginning; nil is empty.
type baseRun struct {
	r        *os.File
	buffered *bufio.Reader
}

func (r *baseRun) next() (n numbered, err error) {
	if r.r == nil {
		return n, io.EOF
	}
	if r.buffered == nil {
		if _, err := r.r.Seek(0, io.SeekStart); err != nil {
			return n, err
		}
		r.buffered = bufio.NewReaderSize(r.r, 1<<16)
	}
	var b [baseSize]byte
	if _, err := io.ReadFull(r.buffered, b[:]); err != nil {
		return n, err
	}
	copy(n.stream[:], b[:16])
	n.number = binary.BigEndian.Uint64(b[16:])
	return n, nil
}

// merged is a heap of runs by their first events.
type merged []leading

type leading struct {
	first numbered
	run   run
}

func (m merged) Len() int           { return len(m) }
func (m merged) Less(i, j int) bool { return compareNumbered(m[i].first, m[j].first) < 0 }
func (m merged) Swap(i, j int)      { m[i], m[j] = m[j], m[i] }
func (m *merged) Push(x any)        { *m = append(*m, x.(leading)) }
func (m *merged) Pop() any {
	last := (*m)[len(*m)-1]
	*m = (*m)[:len(*m)-1]
	return last
}

func (m *merged) add(r run) error {
	first, err := r.next()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("bookdir: sort revisions: %w", err)
	}
	heap.Push(m, leading{first, r})
	return nil
}

// all yields the events of all runs in order.
func (m *merged) all(yield func(numbered, error) bool) {
	for len(*m) > 0 {
		top := &(*m)[0]
		if !yield(top.first, nil) {
			return
		}
		next, err := top.run.next()
		switch {
		case errors.Is(err, io.EOF):
			heap.Pop(m)
		case err != nil:
			yield(numbered{}, err)
			return
		default:
			top.first = next
			heap.Fix(m, 0)
		}
	}
}
