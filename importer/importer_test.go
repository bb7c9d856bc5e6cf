package importer

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/big"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
)

func TestLines(t *testing.T) {
	for want, lines := range map[string][]int{
		"": {}, "2": {2}, "2-3": {2, 3}, "2-4 6 8-9": {2, 3, 4, 6, 8, 9}, "2 4 6": {2, 4, 6},
	} {
		var l Lines
		for _, n := range lines {
			l.Add(n)
		}
		first := 0
		if len(lines) > 0 {
			first = lines[0]
		}
		if l.String() != want || l.Count() != len(lines) || l.First() != first {
			t.Errorf("%v: %q, %d from %d", lines, l.String(), l.Count(), l.First())
		}
	}
}

func TestDecimalText(t *testing.T) {
	for _, test := range []struct {
		minor    int64
		exponent int
		want     string
	}{{0, 2, "0.00"}, {5, 2, "0.05"}, {-5, 2, "-0.05"}, {123456, 2, "1234.56"}, {7, 0, "7"}, {-1234, 3, "-1.234"}, {math.MinInt64, 2, "-92233720368547758.08"}} {
		if got := decimalText(big.NewInt(test.minor), test.exponent); got != test.want {
			t.Errorf("%d: %s, not %s", test.minor, got, test.want)
		}
	}
}

// slowBook keeps what it was asked, and how much of it was under way: a command
// is until its outcome is asked for, and released.
type slowBook struct {
	mu       sync.Mutex
	release  chan struct{}
	waiting  int
	most     int
	given    []string
	register int
}

func (b *slowBook) Submit(_ context.Context, _ uuid.UUID, cmd domain.Command) func() (Outcome, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := cmd.(*customer.Register); ok {
		b.register++
		return func() (Outcome, error) { return Outcome{}, nil }
	}
	b.waiting++
	b.most = max(b.most, b.waiting)
	b.given = append(b.given, cmd.Stream().String())
	return func() (Outcome, error) {
		<-b.release
		b.mu.Lock()
		defer b.mu.Unlock()
		b.waiting--
		return Outcome{}, nil
	}
}

func (b *slowBook) Enter(ctx context.Context, id uuid.UUID, cmd domain.Command) (Outcome, error) {
	return b.Submit(ctx, id, cmd)()
}

func (b *slowBook) Find(context.Context, domain.Reference) (domain.StreamID, bool, error) {
	return domain.StreamID{}, false, nil
}

func (b *slowBook) DeriveID(label string) uuid.UUID { return uuid.NewSHA1(uuid.Nil, []byte(label)) }

// source delivers n documents of a size, each of its own customer, and after
// every tenth a rejected line.
func source(t *testing.T, n, size int) iter.Seq2[Item, error] {
	t.Helper()
	c, err := money.ParseCurrency("GBP")
	if err != nil {
		t.Fatal(err)
	}
	return func(yield func(Item, error) bool) {
		for i := range n {
			it := Item{Number: fmt.Sprint(i), Total: money.New(100, c)}
			it.Lines.Add(i + 2)
			it.Document = &Document{
				Kind: domain.KindInvoice, Date: "2011-01-01", Currency: c, Size: size,
				Customer: Customer{Reference: fmt.Sprint(i), Name: "x"},
				Lines:    []Line{{Quantity: money.IntegerDecimal(1), Price: money.IntegerDecimal(1)}},
				Rate:     tax.Rate{Category: tax.ZeroRated},
			}
			if !yield(it, nil) {
				return
			}
			if i%10 == 9 && !yield(Item{Number: "r", Lines: it.Lines, Rejection: &Rejection{Code: "late-line", Alone: true}}, nil) {
				return
			}
		}
	}
}

func TestInFlightIsBounded(t *testing.T) {
	for _, test := range []struct{ inFlight, size, most int }{
		{0, 100, DefaultInFlight}, {7, 100, 7}, {1, 100, 1}, {256, 4 << 20, 5}, {256, 100 << 20, 1},
	} {
		book := &slowBook{release: make(chan struct{})}
		close(book.release)
		o := Options{Book: book, InFlight: test.inFlight}
		summary, err := Run(context.Background(), source(t, 600, test.size), o)
		if err != nil || summary.Issued != 600 || summary.RejectedLines != 60 || summary.Rejected != 0 {
			t.Errorf("%+v: %v %+v", test, err, summary)
		}
		if book.most > test.most || book.most < test.most*9/10 { // rejections wait in line too
			t.Errorf("%+v: %d were under way", test, book.most)
		}
		for i, stream := range book.given {
			if want := "invoice-" + book.DeriveID("import/invoice/"+fmt.Sprint(i)).String(); stream != want {
				t.Fatalf("%+v: document %d is %s", test, i, stream)
			}
		}
	}
}

// TestCustomersAreRemembered gives each customer twice: once in a row, and
// once after more others than are remembered.
func TestCustomersAreRemembered(t *testing.T) {
	c := newCustomers(3)
	for _, ref := range []string{"a", "b", "c"} {
		c.put(&buyer{reference: ref})
	}
	if _, ok := c.get("a"); !ok {
		t.Error("a is forgotten")
	}
	c.put(&buyer{reference: "d"}) // b was used longest ago
	for ref, want := range map[string]bool{"a": true, "b": false, "c": true, "d": true} {
		if _, ok := c.get(ref); ok != want {
			t.Errorf("%s: %v", ref, ok)
		}
	}
	if len(c.byRef) != 3 || c.used.Len() != 3 {
		t.Errorf("%d and %d are held", len(c.byRef), c.used.Len())
	}
}

func TestSourceErrorIsReturnedAsItIs(t *testing.T) {
	broken := errors.New("broken")
	book := &slowBook{release: make(chan struct{})}
	close(book.release)
	items := func(yield func(Item, error) bool) {
		for it := range source(t, 5, 1) {
			if !yield(it, nil) {
				return
			}
		}
		yield(Item{}, broken)
	}
	summary, err := Run(context.Background(), items, Options{Book: book})
	if !errors.Is(err, broken) || summary.Issued != 5 {
		t.Errorf("%v %+v", err, summary)
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestRejectsThatCannotBeWritten(t *testing.T) {
	book := &slowBook{release: make(chan struct{})}
	close(book.release)
	_, err := Run(context.Background(), source(t, 20, 1), Options{Book: book, Rejects: failingWriter{}})
	if err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("error %v", err)
	}
}

func TestRejectsFile(t *testing.T) {
	var b bytes.Buffer
	r, err := newRejects(&b)
	if err != nil {
		t.Fatal(err)
	}
	it := Item{Number: "5\"1,\n\xff"}
	it.Lines.Add(2)
	it.Lines.Add(4)
	if err := r.add(it, "no-value", strings.Repeat("é", maxMessage)); err != nil {
		t.Fatal(err)
	}
	if err := r.flush(); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(b.String(), "document,code,lines,message\n") {
		t.Errorf("%q", b.String())
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil || len(rows) != 2 || rows[1][0] != "5\"1,\n\uFFFD" || rows[1][1] != "no-value" || rows[1][2] != "2 4" ||
		len(rows[1][3]) != maxMessage {
		t.Errorf("%q, %v", rows, err)
	}
}
