package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/testing/given"
)

// customers is how many customers the invoices are for.
const customers = 1000

// book is a book on the disk, and how it is opened.
type book struct {
	*bookdir.Book
	dir     string
	options bookdir.Options
	next    atomic.Int64
}

// folder is a temporary one, removed when the benchmark ends.
func folder(b *testing.B) string {
	b.Helper()
	dir, err := os.MkdirTemp("", "daybook-bench")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func newBook(b *testing.B) *book {
	b.Helper()
	dir := folder(b)
	keyFile := filepath.Join(dir, "key")
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(keyFile, key, 0o600); err != nil {
		b.Fatal(err)
	}
	root := keyring.KeyFile(keyFile)
	made := &book{
		dir:     filepath.Join(dir, "book"),
		options: bookdir.Options{Root: root, Clock: bookdir.SystemClock(), Log: quiet()},
	}
	if _, err := bookdir.Create(b.Context(), made.dir, bookdir.Settings{
		Seller: given.Seller(), Currency: given.Pounds, Owner: given.Owner, Root: root,
		Clock: bookdir.SystemClock(), Log: quiet(),
	}); err != nil {
		b.Fatal(err)
	}
	made.open(b)
	var group sync.WaitGroup
	for first := range 16 {
		group.Go(func() {
			for i := first; i < customers; i += 16 {
				c := given.Register(customerName(i))
				c.Personal.Reference = ""
				if err := made.give(c); err != nil {
					b.Error(err)
				}
			}
		})
	}
	group.Wait()
	return made
}

func (k *book) open(b *testing.B) {
	b.Helper()
	var err error
	if k.Book, err = bookdir.Open(b.Context(), k.dir, k.options); err != nil {
		b.Fatal(err)
	}
}

func (k *book) close(b *testing.B) {
	b.Helper()
	if err := k.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
}

func customerName(i int) string { return fmt.Sprint("customer ", i) }

func (k *book) give(c domain.Command) error {
	_, err := k.Do(context.Background(), ledger.Envelope{ID: uuid.Must(uuid.NewV7()), Principal: given.Owner, Command: c})
	return err
}

// issue issues a three-line invoice to the next of the customers.
func (k *book) issue() error {
	i := int(k.next.Add(1))
	return k.give(&invoice.Enter{
		ID: uuid.Must(uuid.NewV7()), Date: given.Today,
		Content: given.Content(customerName(i%customers),
			given.Line("2", "49.50", "S 20"), given.Line("1", "120.00", "S 20"), given.Line("12", "3.95", "S 5")),
		Personal: &invoice.EnterPersonal{Text: given.Text(3)},
	})
}

// measure issues invoices from so many callers for a phase.
func (k *book) measure(b *testing.B, callers int) measured {
	b.Helper()
	before, size := k.head(b), k.bytes(b)
	m, err := repeat(callers, func(int) error { return k.issue() })
	if err != nil {
		b.Fatal(err)
	}
	m.flushes, m.bytes = int64(k.head(b)-before), k.bytes(b)-size
	return m
}

// grow issues invoices, so many at a time, until the book has so many commits.
func (k *book) grow(b *testing.B, commits uint64, callers int) {
	b.Helper()
	h, err := k.Head()
	if err != nil {
		b.Fatal(err)
	}
	left := atomic.Int64{}
	left.Store(int64(commits) - int64(h.Size))
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for left.Add(-1) >= 0 {
				if err := k.issue(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
}

func (k *book) head(b *testing.B) uint64 {
	b.Helper()
	h, err := k.Head()
	if err != nil {
		b.Fatal(err)
	}
	return h.Page
}

// bytes is how much the log's files hold.
func (k *book) bytes(b *testing.B) (total int64) {
	b.Helper()
	err := filepath.Walk(filepath.Join(k.dir, "store"), func(_ string, info os.FileInfo, err error) error {
		if err == nil && filepath.Ext(info.Name()) == ".blk" {
			total += info.Size()
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return total
}
