package csvfile

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"github.com/google/uuid"
)

// digest stands for a document number: 127 bits of a keyed hash, so that two
// numbers are never mistaken for one another, and a temporary file tells
// nothing of the numbers. It is never zero.
type digest [digestSize]byte

const digestSize = 16

// recentNumbers is how many closed numbers are held in memory before they move
// to the temporary file.
const recentNumbers = 1 << 15

// closedNumbers is the exact set of the numbers whose documents were closed, in
// constant memory: the newest in a map, all others in a temporary file.
type closedNumbers struct {
	hash   hash.Hash // keyed
	dir    string
	limit  int
	recent map[digest]struct{}
	table  *diskTable // nil until recent was full once
}

func newClosedNumbers(dir string, key uuid.UUID) *closedNumbers {
	return &closedNumbers{hash: hmac.New(sha256.New, key[:]), dir: dir, limit: recentNumbers, recent: map[digest]struct{}{}}
}

func (c *closedNumbers) digest(number string) (d digest) {
	var sum [sha256.Size]byte
	c.hash.Reset()
	c.hash.Write([]byte(number))
	copy(d[:], c.hash.Sum(sum[:0]))
	d[digestSize-1] |= 1 // a slot of zeros is an empty one
	return d
}

// add puts a number into the set.
func (c *closedNumbers) add(number string) error {
	c.recent[c.digest(number)] = struct{}{}
	if len(c.recent) < c.limit {
		return nil
	}
	if c.table == nil {
		table, err := newDiskTable(c.dir, uint64(4*c.limit))
		if err != nil {
			return err
		}
		c.table = table
	}
	if err := c.table.reserve(uint64(len(c.recent))); err != nil {
		return err
	}
	for d := range c.recent {
		if err := c.table.insert(d); err != nil {
			return err
		}
	}
	clear(c.recent)
	return nil
}

// has reports whether a number is in the set.
func (c *closedNumbers) has(number string) (bool, error) {
	d := c.digest(number)
	if _, ok := c.recent[d]; ok || c.table == nil {
		return ok, nil
	}
	_, found, err := c.table.find(d)
	return found, err
}

// close removes the temporary file.
func (c *closedNumbers) close() error {
	if c.table == nil {
		return nil
	}
	return c.table.close()
}

// diskTable is a hash table of digests in a file: open addressing with linear
// probing, at most half full.
type diskTable struct {
	dir   string
	file  *os.File
	slots uint64
	used  uint64
}

func newDiskTable(dir string, slots uint64) (*diskTable, error) {
	t := &diskTable{dir: dir, slots: slots}
	file, err := os.CreateTemp(dir, "daybook-import-*")
	if err != nil {
		return nil, tableError(err)
	}
	// Where the system allows it the file has no name from here on, so that
	// even a killed import leaves none behind; elsewhere close removes it.
	_ = os.Remove(file.Name())
	t.file = file
	if err := file.Truncate(int64(slots) * digestSize); err != nil {
		return nil, errors.Join(tableError(err), t.close())
	}
	return t, nil
}

func tableError(err error) error {
	return fmt.Errorf("importer/csvfile: temporary file of closed document numbers: %w", err)
}

// reserve makes room for n more digests.
func (t *diskTable) reserve(n uint64) error {
	slots := t.slots
	for 2*(t.used+n) > slots {
		slots *= 2
	}
	if slots == t.slots {
		return nil
	}
	larger, err := newDiskTable(t.dir, slots)
	if err != nil {
		return err
	}
	in := bufio.NewReaderSize(io.NewSectionReader(t.file, 0, int64(t.slots)*digestSize), 1<<20)
	for range t.slots {
		var d digest
		if _, err = io.ReadFull(in, d[:]); err == nil && d != (digest{}) {
			err = larger.insert(d)
		}
		if err != nil {
			return errors.Join(tableError(err), larger.close())
		}
	}
	old := *t
	*t = *larger
	return old.close()
}

func (t *diskTable) insert(d digest) error {
	slot, found, err := t.find(d)
	if err != nil || found {
		return err
	}
	if _, err := t.file.WriteAt(d[:], int64(slot)*digestSize); err != nil {
		return tableError(err)
	}
	t.used++
	return nil
}

// find gives the slot that holds d, or the empty one where it belongs.
func (t *diskTable) find(d digest) (slot uint64, found bool, err error) {
	var window [16 * digestSize]byte
	slot = binary.BigEndian.Uint64(d[:]) % t.slots
	for {
		n := min(t.slots-slot, 16)
		if _, err := t.file.ReadAt(window[:n*digestSize], int64(slot)*digestSize); err != nil {
			return 0, false, tableError(err)
		}
		for i := range n {
			switch digest(window[i*digestSize : (i+1)*digestSize]) {
			case d:
				return slot + i, true, nil
			case digest{}:
				return slot + i, false, nil
			}
		}
		slot = (slot + n) % t.slots
	}
}

func (t *diskTable) close() error {
	err := t.file.Close()
	if removeErr := os.Remove(t.file.Name()); removeErr != nil && !errors.Is(removeErr, os.ErrNotExist) {
		err = errors.Join(err, removeErr)
	}
	if err != nil {
		return tableError(err)
	}
	return nil
}
