// Package campaign makes faults for real, many times, on whole books: processes that
// are killed, power that fails, clocks that jump, databases that go away, disks that
// fill, archives that are brought back. A run has a seed, which is told (with -v) and
// with which DAYBOOK_SEED repeats it, and a history, which is kept where it fails or
// DAYBOOK_HISTORIES names a folder. DAYBOOK_FAULTS says how many kills there are,
// and in proportion how many runs of the others; a few where it is absent.
// `make faults` runs them all, and writes their table into docs/OPERATIONS.md.
package campaign

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/eventstore/seal"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/projections/views"
	"github.com/daybook-ledger/daybook/testing/compiled"
)

// childDir names the book that a child process is to write to.
const childDir = "DAYBOOK_CAMPAIGN_CHILD"

// pace is how long each of a child's callers waits between commands; not at all where
// it is absent.
const pace = "DAYBOOK_CAMPAIGN_PACE"

// followed names the file that sets a child's clock, where follow is there.
const followed = "DAYBOOK_CAMPAIGN_CLOCK"

// follow has this process see the time as a file sets it.
var follow func(path string) error

func TestMain(m *testing.M) {
	if path := os.Getenv(followed); path != "" {
		if err := follow(path); err != nil {
			panic(err)
		}
	}
	compiled.SQLite()
	if dir := os.Getenv(childDir); dir != "" {
		child(dir)
		return
	}
	code := m.Run()
	if path := os.Getenv("DAYBOOK_OPERATIONS"); path != "" && code == 0 {
		if err := keep(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// row is what a campaign came to.
type row struct {
	name                   string
	runs, faults           int
	acknowledged           int
	lost, doubled, refused int
	note                   string
}

var table struct {
	sync.Mutex
	rows []row
}

// tell keeps a campaign's row, and fails where something was lost, doubled or
// wrongly refused.
func tell(t *testing.T, r row) {
	t.Helper()
	table.Lock()
	table.rows = append(table.rows, r)
	table.Unlock()
	t.Logf("%s: %+v", t.Name(), r)
	if r.lost+r.doubled+r.refused > 0 {
		t.Errorf("%d lost, %d doubled, %d wrongly refused", r.lost, r.doubled, r.refused)
	}
}

const begin, end = "<!-- faults -->\n", "<!-- /faults -->\n"

// keep writes the table into a file. Rows of campaigns that were not run this time
// stay as they are.
func keep(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, begun := strings.Cut(string(text), begin)
	old, after, ended := strings.Cut(rest, end)
	if !begun || !ended {
		return fmt.Errorf("%s has no place for the table", path)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n| What was done | Runs | Faults | Commands acknowledged | Lost | Doubled | Wrongly refused | |\n|---|---|---|---|---|---|---|---|\n")
	lines := map[string]string{}
	for line := range strings.Lines(old) {
		if name, _, is := strings.Cut(strings.TrimPrefix(line, "| "), " |"); is && name != "What was done" && !strings.HasPrefix(line, "|--") {
			lines[name] = line
		}
	}
	for _, r := range table.rows {
		lines[r.name] = fmt.Sprintf("| %s | %d | %d | %d | %d | %d | %d | %s |\n", r.name, r.runs, r.faults, r.acknowledged, r.lost, r.doubled, r.refused, r.note)
	}
	for _, name := range slices.Sorted(maps.Keys(lines)) {
		b.WriteString(lines[name])
	}
	return os.WriteFile(path, []byte(before+begin+b.String()+"\n"+end+after), 0o644)
}

// runs is how many runs there are of a campaign: so many of a hundred kills.
func runs(sample, percent int) int {
	if n, err := strconv.Atoi(os.Getenv("DAYBOOK_FAULTS")); err == nil && n > 0 {
		return max(1, n*percent/100)
	}
	return sample
}

// seeded gives the randomness of a test, which DAYBOOK_SEED repeats, and begins its
// chronicle.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if given, err := strconv.ParseUint(os.Getenv("DAYBOOK_SEED"), 10, 64); err == nil {
		seed = given
	}
	t.Logf("DAYBOOK_SEED=%d", seed)
	begins(t, seed)
	return rand.New(rand.NewPCG(seed, 1))
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// options open the book in a folder; its key lies beside it.
func options(dir string) bookdir.Options {
	return bookdir.Options{Root: keyring.KeyFile(dir + ".key"), Clock: bookdir.SystemClock(), Log: quiet()}
}

// newBook makes a book.
func newBook(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "book")
	newBookIn(t, dir, bookdir.SystemClock())
	return dir
}

func newBookIn(t *testing.T, dir string, clock ledger.Clock) {
	t.Helper()
	key := make([]byte, keyring.KeySize)
	for i := range key {
		key[i] = byte(rand.Uint32())
	}
	if err := os.WriteFile(dir+".key", key, 0o600); err != nil {
		t.Fatal(err)
	}
	currency, err := money.ParseCurrency("GBP")
	if err != nil {
		t.Fatal(err)
	}
	o := options(dir)
	_, err = bookdir.Create(t.Context(), dir, bookdir.Settings{
		Seller: book.Seller{Name: "Acme Ltd", Country: "GB"}, Currency: currency, Owner: "owner", Root: o.Root, Clock: clock, Log: o.Log,
	})
	if err != nil {
		t.Fatal(err)
	}
	note("a new book in %s", dir)
}

// child gives commands to a book from several goroutines until it is killed, and lets
// the lists follow: registrations, and from time to time an erasure among them. It tells
// each id before it gives the command, and each receipt once it has it, and why the
// lists do not follow; ids that come on its stdin are given first.
func child(dir string) {
	b, err := bookdir.Open(context.Background(), dir, options(dir))
	if err != nil {
		fmt.Println("failed", strings.ReplaceAll(err.Error(), "\n", " "))
		os.Exit(1)
	}
	ids := make(chan uuid.UUID)
	go func() {
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			if id, err := uuid.Parse(lines.Text()); err == nil {
				ids <- id
			}
		}
		for {
			ids <- registering()
		}
	}()
	var mu sync.Mutex
	say := func(text string) {
		mu.Lock()
		defer mu.Unlock()
		os.Stdout.WriteString(text)
	}
	go func() {
		for {
			err := followViews(b, func() { say("followed \n") })
			say("views " + strings.ReplaceAll(strings.ReplaceAll(err.Error(), "\n", " "), " ", "_") + "\n")
			time.Sleep(20 * time.Millisecond)
		}
	}()
	give := func(id uuid.UUID) bool {
		say("sent " + id.String() + "\n")
		receipt, err := b.Do(context.Background(), command(id))
		if err != nil {
			say("refused " + id.String() + " " + strings.ReplaceAll(err.Error(), "\n", " ") + "\n")
			return false
		}
		text, err := receipt.Marshal()
		if err != nil {
			panic(err)
		}
		say("receipt " + id.String() + " " + strconv.Quote(string(text)) + "\n")
		return true
	}
	registered := make(chan uuid.UUID)
	go func() {
		for {
			time.Sleep(rand.N(150 * time.Millisecond))
			if !give(erasing(<-registered)) {
				continue
			}
			// Lists that cannot be made anew now are when they are opened next.
			_ = b.ForgetErased(context.Background(), nil)
			time.Sleep(time.Second)
		}
	}()
	between, _ := time.ParseDuration(os.Getenv(pace))
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for id := range ids {
				time.Sleep(between)
				if !give(id) {
					time.Sleep(20 * time.Millisecond) // as whoever tries again would
					continue
				}
				if _, is := erases(id); !is {
					select {
					case registered <- id:
					default:
					}
				}
			}
		})
	}
	wg.Wait()
}

// followViews lets the lists follow until that fails, and tells each time that they
// came to the log's end.
func followViews(b *bookdir.Book, came func()) error {
	v, err := b.OpenViews(context.Background(), nil)
	if err != nil {
		return err
	}
	for {
		if err = v.CatchUp(context.Background()); err != nil {
			break
		}
		came()
		time.Sleep(20 * time.Millisecond)
	}
	return errors.Join(err, v.Close())
}

// history is what children said.
type history struct {
	receipts []transparency.Receipt
	has      map[uuid.UUID]bool // with a receipt
	open     []uuid.UUID        // sent, and not answered
	refused  []string
	recorded []int64 // times in the log, as it was judged
}

// add takes what one child said.
func (h *history) add(t *testing.T, said string) {
	t.Helper()
	if h.has == nil {
		h.has = map[uuid.UUID]bool{}
	}
	for line := range strings.Lines(said) {
		if !strings.HasSuffix(line, "\n") {
			continue // cut by its death
		}
		kind, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		first, more, _ := strings.Cut(rest, " ")
		if kind == "failed" {
			t.Fatalf("a child could not open the book: %s", rest)
		}
		if kind == "views" || kind == "followed" {
			continue // commands go on without
		}
		id, err := uuid.Parse(first)
		if err != nil {
			t.Fatalf("a child said %q", line)
		}
		switch kind {
		case "sent":
			if !h.has[id] && !slices.Contains(h.open, id) {
				h.open = append(h.open, id)
			}
			continue
		case "refused":
			h.refused = append(h.refused, more)
		case "receipt":
			text, err := strconv.Unquote(more)
			if err != nil {
				t.Fatal(err)
			}
			receipt, err := transparency.ParseReceipt([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			h.receipts, h.has[id] = append(h.receipts, receipt), true
		}
		h.open = slices.DeleteFunc(h.open, func(o uuid.UUID) bool { return o == id })
	}
}

// judge holds a book against a history: the log verifies deeply, has every receipt,
// no command twice and no time before the one before it, and the views are what a
// replay gives.
func (h *history) judge(t *testing.T, dir string, r *row) {
	t.Helper()
	r.acknowledged += len(h.has)
	r.refused += len(h.refused)
	if len(h.refused) > 0 {
		t.Logf("refused: %s", h.refused[0])
	}
	o := options(dir)
	l, err := bookdir.OpenLog(t.Context(), dir, 0, quiet())
	if err != nil {
		t.Fatal(err)
	}
	deep, err := bookdir.OpenDeep(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	report, err := l.Verify(t.Context(), bookdir.VerifyOptions{Deep: deep, Unkept: true, Receipts: h.receipts})
	if err != nil {
		t.Fatal(err)
	}
	note("judged: %d with a receipt, %d refused, %d failures of verify", len(h.has), len(h.refused), len(report.Failures))
	for _, f := range report.Failures {
		t.Errorf("%+v", f)
		r.lost++
	}
	seen := map[uuid.UUID]int{}
	sealers := map[uuid.UUID][]keyring.KeyID{} // by customer
	for p, err := range l.Store.Read(t.Context(), 1, 1<<62) {
		if err != nil {
			t.Fatal(err)
		}
		opened, err := l.Verifier.Open(p.Body)
		if err != nil {
			t.Fatal(err)
		}
		for _, stored := range opened.Commits {
			sealed, err := seal.Parse(stored)
			if err != nil {
				t.Fatal(err)
			}
			seen[sealed.Header.Command]++
			h.recorded = append(h.recorded, sealed.Header.Recorded)
			for _, s := range sealed.Header.Sections {
				sealers[s.Subject] = append(sealers[s.Subject], s.Key)
			}
		}
	}
	if !slices.IsSorted(h.recorded) {
		t.Error("recorded times go back in the log")
	}
	for id, n := range seen {
		if n > 1 {
			r.doubled += n - 1
			t.Errorf("command %s stands %d times in the log", id, n)
		}
	}
	for id := range h.has {
		if seen[id] == 0 {
			r.lost++
			t.Errorf("command %s had a receipt and is not in the log", id)
		}
	}
	if err := errors.Join(deep.Close(context.Background()), l.Close(context.Background())); err != nil {
		t.Fatal(err)
	}
	same(t, dir)
	h.forgotten(t, dir, sealers)
}

// forgotten sees that whoever was erased is: every key that sealed what is personal of
// them is destroyed, and the lists do not know them.
func (h *history) forgotten(t *testing.T, dir string, sealers map[uuid.UUID][]keyring.KeyID) {
	t.Helper()
	b, err := bookdir.Open(t.Context(), dir, options(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close(context.Background())
	v, err := b.OpenViews(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	n := 0
	for id := range h.has {
		who, is := erases(id)
		if !is {
			continue
		}
		n++
		if len(sealers[who]) == 0 {
			t.Errorf("nothing was ever sealed of customer %s", who)
		}
		for _, key := range sealers[who] {
			if _, gone, err := b.Keys().Destroyed(key); err != nil || !gone {
				t.Errorf("customer %s is erased, and key %d is there still (%v)", who, key, err)
			}
		}
		if c, err := v.Customer(t.Context(), who); err != nil || !c.Erased || c.Name != "" {
			t.Errorf("customer %s is erased, and the lists tell %+v (%v)", who, c, err)
		}
	}
	t.Logf("%d erasures", n)
}

// same compares the views, as they came through everything, with those of a replay.
func same(t *testing.T, dir string) {
	t.Helper()
	b, err := bookdir.Open(t.Context(), dir, options(dir))
	if err != nil {
		t.Fatal(err)
	}
	v, err := b.OpenViews(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(v.CatchUp(t.Context()), v.Close()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(b.RebuildViews(t.Context(), views.Rebuild{}, nil), b.Close(context.Background())); err != nil {
		t.Errorf("the views are not what a replay gives: %v", err)
	}
}
