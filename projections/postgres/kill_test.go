package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/projections"
	"github.com/daybook-ledger/daybook/projections/postgres"
	"github.com/daybook-ledger/daybook/projections/sqlite"
	"github.com/daybook-ledger/daybook/projections/views"
	"github.com/daybook-ledger/daybook/testing/effort"
	"github.com/daybook-ledger/daybook/testing/given"
	"github.com/daybook-ledger/daybook/testing/pgserver"
	"github.com/daybook-ledger/daybook/testing/viewtest"
)

// ring gives keys that nobody keeps.
type ring struct{ keys [][]byte }

func (r *ring) New(keyring.Kind) (keyring.KeyID, error) {
	key := make([]byte, keyring.KeySize)
	key[0] = byte(len(r.keys))
	r.keys = append(r.keys, key)
	return keyring.KeyID(len(r.keys)), nil
}

func (r *ring) Key(id keyring.KeyID) ([]byte, error) {
	return append([]byte(nil), r.keys[id-1]...), nil
}

func (r *ring) Kind(keyring.KeyID) (keyring.Kind, error) { return keyring.View, nil }

func (r *ring) Destroy(...keyring.KeyID) error { return nil }

// embedded is SQLite, to be compared with.
func embedded(t *testing.T) viewtest.Engine {
	dir, keys := t.TempDir(), &ring{}
	return viewtest.Engine{
		Open: func(place string) (viewtest.Store, error) {
			s, err := sqlite.Open(context.Background(), filepath.Join(dir, place), keys)
			if err != nil {
				return viewtest.Store{}, err
			}
			return viewtest.Store{Store: s, Queries: s.Queries, Close: s.Close}, nil
		},
		Rebuild: func(place string, r views.Rebuild) error {
			return sqlite.Rebuild(context.Background(), filepath.Join(dir, place), keys, r)
		},
	}
}

// TestSame: SQLite and PostgreSQL have the same hashes of a random book, applied
// and made anew.
func TestSame(t *testing.T) {
	viewtest.Same(t, events(), embedded(t), engine(server(t).Database(t)))
}

// killings is how often the server is killed.
var killings = effort.Of(20, 8)

// TestKilled: whenever the server dies while views catch up, what it has
// afterwards is what the log says at the cursor, and in the end what SQLite has.
func TestKilled(t *testing.T) {
	t.Parallel()
	pgserver.Missing(t)
	own, err := pgserver.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer own.Stop() //nolint:errcheck // it may be dead
	book := trade(t, effort.Of(6000, 2500))
	log := viewtest.NewLog(book, 16)
	reference, err := embedded(t).Open("reference")
	if err != nil {
		t.Fatal(err)
	}
	defer reference.Close()
	o := at(own.Database(t), "killed")
	s, err := open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	deaths := 0
	for killed := 0; killed < killings; killed++ {
		catching := make(chan error, 1)
		go func() {
			// Few pages at a time, so that deaths fall into many transactions.
			runner := projections.Runner{View: s, Read: narrow(log.Source(), 40)}
			catching <- runner.CatchUp(context.Background(), 0)
		}()
		time.Sleep(time.Duration(random.IntN(150)) * time.Millisecond)
		if err := own.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := <-catching; err != nil {
			deaths++
			if !errors.Is(err, projections.ErrUnreachable) {
				t.Fatalf("death %d: %v", killed, err)
			}
		}
		if err := own.Restart(); err != nil {
			t.Fatal(err)
		}
		same(t, s, reference, log)
	}
	t.Logf("%d of %d deaths in the middle of catching up", deaths, killings)
	runner := projections.Runner{View: s, Read: log.Source()}
	if err := runner.CatchUp(context.Background(), 0); err != nil {
		t.Fatal(err)
	}
	same(t, s, reference, log)
	if err := postgres.Rebuild(context.Background(), o, views.Rebuild{Log: log.Source()}); err != nil {
		t.Fatal(err)
	}
	same(t, s, reference, log)
}

// same holds views against others that are brought to the same place.
func same(t *testing.T, s, reference viewtest.Store, log *viewtest.Log) {
	t.Helper()
	is, err := s.Attest(context.Background())
	// Connections that were open when the server died are found dead one by one.
	for end := time.Now().Add(10 * time.Second); errors.Is(err, projections.ErrUnreachable) && time.Now().Before(end); {
		is, err = s.Attest(context.Background())
	}
	if err != nil {
		t.Fatal(err)
	}
	runner := projections.Runner{View: reference, Read: log.Source()}
	if size := is.Cursor.Size; size > 0 {
		if err := runner.CatchUp(context.Background(), size); err != nil {
			t.Fatal(err)
		}
	}
	want, err := reference.Attest(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(is) != fmt.Sprint(want) {
		t.Fatalf("at %d commits:\n got %v\nwant %v", is.Cursor.Size, is, want)
	}
}

// trade is a book of so many invoices.
func trade(tb testing.TB, invoices int) *given.Book {
	tb.Helper()
	b := given.New()
	b.Strict = false
	b.Take(tb, given.Open(b.ID))
	for i := range 100 {
		b.Take(tb, given.Register(fmt.Sprint("customer ", i)))
	}
	for i := range invoices {
		b.Now = b.Now.Add(20 * time.Minute)
		b.Take(tb, given.Enter(fmt.Sprint("invoice ", i), given.Content(fmt.Sprint("customer ", i%100),
			given.Line("1", fmt.Sprint(1+i%500), "S 20"), given.Line("2", "3.50", "S 20"), given.Line("3", "0.99", "S 5"))))
	}
	return b
}
