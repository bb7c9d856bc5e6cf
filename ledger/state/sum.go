package state

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"

	"github.com/ncruces/go-sqlite3"
)

// sumKey is the row that keeps the sum of all others.
const sumKey = "state/sum"

// sum is a digest of a set of rows that a change of one row changes at the cost of
// that row: the exclusive or of a keyed digest of each, which is the MSet-XOR-Hash of
// Clarke, Devadas, van Dijk, Gassend and Suh (ASIACRYPT 2003) for sets, sealed in
// place of blinded. Whoever has no key cannot come to another set with the same sum:
// not with rows that stood in the file before either.
type sum struct {
	digest hash.Hash
	total  [sha256.Size]byte
}

// toggle adds a row that is not in the set, or takes away one that is.
func (s *sum) toggle(name, sealed []byte) {
	s.digest.Reset()
	s.digest.Write(binary.BigEndian.AppendUint64(nil, uint64(len(name)))) // whoever adds a row chooses the length
	s.digest.Write(name)
	s.digest.Write(sealed)
	var d [sha256.Size]byte
	for i, b := range s.digest.Sum(d[:0]) {
		s.total[i] ^= b
	}
}

// OpenSummed is Open for a file that must be whole: each Write keeps a sum of all rows
// with them, and ErrDamaged is returned where a row was altered, added, taken away or
// set back since the last Write. It reads the whole file, and Write reads each row
// that it replaces. A file to which Write never came holds no rows. What is done to
// the file while it is open shows only the next time.
func OpenSummed(path string, key []byte) (*File, error) {
	f, err := Open(path, key)
	if err != nil {
		return nil, err
	}
	if err := f.checkSum(key); err != nil {
		return nil, errors.Join(fmt.Errorf("state: open: %w", classify(err)), f.Close())
	}
	return f, nil
}

func (f *File) checkSum(key []byte) error {
	key, err := hkdf.Key(sha256.New, key, nil, "daybook/state/sums/1", 32)
	if err != nil {
		return err
	}
	s := &sum{digest: hmac.New(sha256.New, key)}
	if f.old, _, err = f.writer.PrepareFlags(`SELECT value FROM rows WHERE name = ?`, sqlite3.PREPARE_PERSISTENT); err != nil {
		return err
	}
	all, _, err := f.writer.Prepare(`SELECT name, value FROM rows`)
	if err != nil {
		return err
	}
	defer all.Close()
	rows, kept := 0, f.name([]byte(sumKey))
	for all.Step() {
		if name := all.ColumnRawBlob(0); !bytes.Equal(name, kept) {
			s.toggle(name, all.ColumnRawBlob(1))
			rows++
		}
	}
	if err := all.Err(); err != nil {
		return err
	}
	total, found, err := f.Get([]byte(sumKey))
	if err != nil {
		return err
	}
	if (found || rows > 0) && !hmac.Equal(total, s.total[:]) {
		return fmt.Errorf("%w: rows were added, altered or taken away", ErrDamaged)
	}
	f.sum = s
	return nil
}

// sumRow takes the row of a name, if there is one, out of the sum.
func (f *File) sumRow(name []byte) error {
	defer f.old.Reset()
	if err := f.old.BindBlob(1, name); err != nil {
		return err
	}
	if f.old.Step() {
		f.sum.toggle(name, f.old.ColumnRawBlob(0))
	}
	return f.old.Err()
}
