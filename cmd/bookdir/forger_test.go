package bookdir

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/audit"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/domain/period"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/ledger/commit"
	"github.com/daybook-ledger/daybook/projections"
	"github.com/daybook-ledger/daybook/testing/given"
)

// forger has the keys of a book, and writes what the rules would not let it.
type forger struct {
	dir string
	// old and new are copies of the folder, as it was halfway and as it is.
	old, new string
	options  Options
	info     Info
	signer   *page.Signer
	codec    *commit.Codec
	keys     *keyring.Ring
	commits  [][]byte
	// barriers says of each page whether it is one.
	barriers []bool
	receipts []transparency.Receipt
	// goesOn has deep verifications go on from where one of the good log was stopped,
	// just before the first commit that is another.
	goesOn bool
}

// The places of the forger's commits.
const (
	registered = iota + 1
	received
	closed
	settled
	attested
	entered
)

// bookkeeper makes a book with a payment in a period that is closed and settled,
// the hashes of its views, and, after that, an invoice and another customer.
func bookkeeper(t *testing.T, create func(*testing.T) (string, Options)) *forger {
	t.Helper()
	dir, o := create(t)
	f := &forger{dir: dir, options: o}
	var b *Book
	open := func() {
		var err error
		if b, err = Open(t.Context(), dir, o); err != nil {
			t.Fatal(err)
		}
	}
	// copied closes the book, copies its folder, and opens it again.
	copied := func() string {
		to := filepath.Join(t.TempDir(), "copy")
		if err := errors.Join(b.Close(context.Background()), os.CopyFS(to, os.DirFS(dir))); err != nil {
			t.Fatal(err)
		}
		open()
		return to
	}
	do := func(command domain.Command) {
		receipt, err := b.Do(t.Context(), ledger.Envelope{ID: uuid.Must(uuid.NewV7()), Principal: "owner", Command: command})
		if err != nil {
			t.Fatal(err)
		}
		f.receipts = append(f.receipts, receipt.Receipt)
	}
	open()
	today := domain.DateOf(time.Now())
	through := domain.Date(today.Month() + "-01").AddDays(-1)
	do(given.Register("ada"))
	payment := given.Receive("paid", "ada", "5.00")
	payment.Date = through
	do(payment)
	f.old = copied()
	do(&period.Close{Book: b.Info.Book, Through: through})
	balances, proof := balancesOf(t, b, through)
	do(&period.Settle{Book: b.Info.Book, Through: through, Balances: balances, Proof: proof})
	hashes, err := b.attested(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	do(&book.Attest{Book: b.Info.Book, Attestation: Attestation(hashes)})
	invoice := given.Enter("sold", given.Content("ada", given.Line("1", "100", "Z 0")))
	invoice.Date = today
	do(invoice)
	do(given.Register("bob"))
	f.new = copied()
	t.Cleanup(func() { b.Close(context.Background()) })
	f.info, f.signer, f.codec, f.keys = b.Info, b.current().signs, b.Codec(), b.Keys()
	for stored, err := range b.Store().Read(t.Context(), 1, 99) {
		if err != nil {
			t.Fatal(err)
		}
		opened, err := f.signer.Verifier().Open(stored.Body)
		if err != nil {
			t.Fatal(err)
		}
		f.commits, f.barriers = append(f.commits, opened.Commits...), append(f.barriers, opened.Barrier())
	}
	return f
}

// balancesOf adds up what the accounts hold at the end of a day.
func balancesOf(t *testing.T, b *Book, through domain.Date) ([]period.Balance, period.Proof) {
	t.Helper()
	sums := audit.NewPeriods()
	var proof period.Proof
	for p, err := range b.source(t.Context(), projections.Cursor{}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range p.Commits {
			if _, err := sums.Commit(c.Position, changesOf(c)); err != nil {
				t.Fatal(err)
			}
		}
		proof = period.Proof{Size: p.Cursor.Size, Root: bytes.Clone(p.Cursor.Root[:])}
	}
	balances, err := sums.Balances(through)
	if err != nil {
		t.Fatal(err)
	}
	return balances, proof
}

// forge gives a commit's bytes after a change, sealed anew.
func (f *forger) forge(t *testing.T, index int, change func(c *commit.Commit)) []byte {
	t.Helper()
	c, err := f.codec.Open(f.commits[index])
	if err != nil {
		t.Fatal(err)
	}
	change(&c)
	command, err := f.codec.EncodeCommand(c.Command)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := f.codec.Seal(c, command)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

// pages writes a log of these commits, each on a page of its own and with the
// barriers that the book's log has, signed by the log's own key.
func (f *forger) pages(t *testing.T, commits ...[]byte) (pages [][]byte) {
	t.Helper()
	var edge page.Edge
	write := func(stored ...[]byte) {
		old := edge.Size()
		for _, s := range stored {
			edge.Append(page.LeafHash(s), nil)
		}
		h := page.Head{Page: uint64(len(pages) + 1), Size: edge.Size(), Root: edge.Root()}
		body, err := f.signer.Page(h, old, stored)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, body)
	}
	for _, barrier := range f.barriers {
		switch {
		case barrier:
			write()
		case len(commits) > 0:
			write(commits[0])
			commits = commits[1:]
		}
	}
	for _, stored := range commits {
		write(stored)
	}
	return pages
}

// at is the place of a position in such a log.
func (f *forger) at(position int) spot {
	number := 0
	for left := position; number < len(f.barriers); number++ {
		if f.barriers[number] {
			continue
		}
		if left == 0 {
			break
		}
		left--
	}
	number += max(0, position-len(f.commits)) // after the book's own pages
	return spot{page: uint64(number + 1), position: uint64(position), positioned: true}
}

// found verifies such a log, deeply or by the public keys alone.
func (f *forger) found(t *testing.T, deep bool, commits ...[]byte) []transparency.Failure {
	t.Helper()
	if deep && f.goesOn {
		return f.afterStop(t, commits)
	}
	var o VerifyOptions
	if deep {
		d, err := OpenDeep(f.dir, f.options)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close(context.Background())
		o.Deep = d
	}
	return checked(t, f.dir, f.info, f.pages(t, commits...), o)
}

// replaced are the commits with one in the place of that at index.
func (f *forger) replaced(index int, by []byte) [][]byte {
	all := slices.Clone(f.commits)
	all[index] = by
	return all
}

// appended are the commits and one more, made of that at index.
func (f *forger) appended(t *testing.T, index int, change func(c *commit.Commit)) [][]byte {
	t.Helper()
	return append(slices.Clone(f.commits), f.forge(t, index, func(c *commit.Commit) {
		c.ID, c.Position, c.Recorded = uuid.Must(uuid.NewV7()), uint64(len(f.commits)), time.Now()
		change(c)
	}))
}
