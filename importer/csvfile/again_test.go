package csvfile_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/importer"
	"github.com/daybook-ledger/daybook/importer/csvfile"
	"github.com/daybook-ledger/daybook/importer/internal/membook"
)

func TestRunningTwiceChangesNothing(t *testing.T) {
	book, m := newBook(t), parseMap(t, testMap)
	file := header + row("51", "2", "1.50") + row("C1", "-1", "1.00") + row("52", "0", "1.00") +
		strings.Replace(row("53", "1", "1.00"), "17850", "", 1)
	first := enter(t, book, m, file)
	if first.err != nil || first.Issued != 2 || first.Credited != 1 || first.Rejected != 1 {
		t.Fatalf("%+v", first)
	}
	before := book.Events()
	second := enter(t, book, m, file)
	if second.Issued != 0 || second.Credited != 0 || second.AlreadyEntered != 3 || second.Rejected != 1 ||
		second.LinesAlreadyEntered != 3 || second.IssuedTotal != "0.00" || second.CreditedTotal != "0.00" {
		t.Errorf("%+v", second)
	}
	if !reflect.DeepEqual(before, book.Events()) {
		t.Error("the second run changed the book")
	}
	if !reflect.DeepEqual(first.rejects, second.rejects) {
		t.Errorf("rejects %q, then %q", first.rejects, second.rejects)
	}
}

func TestChangedDocument(t *testing.T) {
	t.Parallel()
	original := row("51", "2", "1.50") + row("51", "1", "1.00")
	changes := map[string]string{
		"a line more":         original + row("51", "1", "1.00"),
		"a line less":         row("51", "2", "1.50"),
		"another order":       row("51", "1", "1.00") + row("51", "2", "1.50"),
		"another quantity":    row("51", "3", "1.50") + row("51", "1", "1.00"),
		"another price":       row("51", "2", "1.51") + row("51", "1", "1.00"),
		"another day":         strings.ReplaceAll(original, "03-01", "03-02"),
		"another customer":    strings.ReplaceAll(original, "17850", "17851"),
		"another country":     strings.ReplaceAll(original, "United Kingdom", "EIRE"),
		"another description": strings.Replace(original, "thing", "thong", 1),
		"another item":        strings.Replace(original, "A1", "A2", 1),
	}
	for name, changed := range changes {
		t.Run(name, func(t *testing.T) {
			book, m := newBook(t), parseMap(t, testMap)
			if got := enter(t, book, m, header+original); got.Issued != 1 {
				t.Fatalf("%+v", got)
			}
			before := documents(book)
			got := enter(t, book, m, header+changed+row("52", "1", "1.00"))
			if got.err != nil || !strings.HasPrefix(got.codes(), "51 changed-document 2") || got.Rejected != 1 || got.Issued != 1 {
				t.Errorf("%v %q %+v", got.err, got.codes(), got.Summary)
			}
			if after := documents(book); len(after) != 2 || !reflect.DeepEqual(before[0], after[0]) {
				t.Errorf("the book holds %+v", after)
			}
			if got := enter(t, book, m, header+original); got.AlreadyEntered != 1 {
				t.Errorf("the original is no longer known: %+v", got)
			}
		})
	}
}

func TestNumberOfAnotherKindIsAChangedDocument(t *testing.T) {
	book := newBook(t)
	if got := enter(t, book, parseMap(t, testMap), header+row("C1", "-1", "1.00")); got.Credited != 1 {
		t.Fatalf("%+v", got)
	}
	m := parseMap(t, strings.Replace(testMap, `"C" = "credit"`, `"C" = "invoice"`, 1))
	got := enter(t, book, m, header+row("C1", "1", "1.00"))
	if got.codes() != "C1 changed-document 2" {
		t.Errorf("rejects %q", got.codes())
	}
}

func TestFormerlyRejectedDocumentEnters(t *testing.T) {
	book, m := newBook(t), parseMap(t, testMap)
	for _, bad := range []string{
		row("51", "1", "-1.00"), row("51", "0", "1.00"), row("51", "x", "1.00"), row("51", "-1", "1.00"),
		strings.Replace(row("51", "1", "1.00"), "A1", "A\x01", 1),
	} {
		if got := enter(t, book, m, header+bad); got.Rejected != 1 {
			t.Fatalf("%+v", got)
		}
	}
	got := enter(t, book, m, header+row("51", "1", "1.00"))
	if got.Issued != 1 || got.codes() != "" {
		t.Errorf("%+v %q", got.Summary, got.codes())
	}
}

// manyDocuments is a file of n documents of two lines, every fifth a credit.
func manyDocuments(n int) string {
	var b strings.Builder
	b.WriteString(header)
	for i := range n {
		number, quantity := fmt.Sprintf("5%d", i), "1"
		if i%5 == 4 {
			number, quantity = fmt.Sprintf("C%d", i), "-1"
		}
		line := strings.Replace(row(number, quantity, "1.00"), "17850", fmt.Sprint(i%7), 1)
		b.WriteString(line + line)
	}
	return b.String()
}

func TestMalformedRowIsResumable(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]string{
		"open quote":  "51,\"A,t,1," + day + ",1.00," + buyer + "\n",
		"quote after": "51,\"A\"x,t,1," + day + ",1.00," + buyer + "\n",
		"quote in it": "51,A\"x,t,1," + day + ",1.00," + buyer + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			book, m := newBook(t), parseMap(t, testMap)
			file := manyDocuments(1000) // 2,000 lines
			cut := strings.Index(file, "5990,")
			got := enter(t, book, m, file[:cut]+broken+file[cut:])
			var refusal *domain.Refusal
			if !errors.As(got.err, &refusal) || refusal.Code != csvfile.CodeMalformedCSV {
				t.Fatalf("error %v", got.err)
			}
			if !strings.Contains(refusal.Message, "line 1982 (row 1981 of the data)") || refusal.Hint == "" {
				t.Errorf("message %q, hint %q", refusal.Message, refusal.Hint)
			}
			// Documents that were still open are not entered.
			if got.Documents == 0 || got.Documents > 990-otherLines/2 || got.Rejected != 0 {
				t.Errorf("%+v", got.Summary)
			}
			before := documents(book)
			mended := enter(t, book, m, file)
			if mended.err != nil || mended.AlreadyEntered != got.Documents || mended.Documents != 1000 || mended.Rejected != 0 {
				t.Errorf("%v %+v", mended.err, mended.Summary)
			}
			if after := documents(book); !reflect.DeepEqual(before, after[:len(before)]) || len(after) != 1000 {
				t.Error("the second run changed what the first entered")
			}
		})
	}
}

const otherLines = 1000

// TestStoreFailures stops an import at every command and goes on: the result is
// always that of one that went through, numbers too.
func TestStoreFailures(t *testing.T) {
	t.Parallel()
	file, m := manyDocuments(20), parseMap(t, testMap)
	whole := newBook(t)
	if got := enter(t, membook.Ordered{Book: whole}, m, file); got.err != nil {
		t.Fatal(got.err)
	}
	want := documents(whole)
	for failAt := range 27 { // 20 documents and 7 customers
		for _, withEffect := range []bool{false, true} {
			book := newBook(t)
			given := -1
			book.Fail = func() (bool, bool) { given++; return given >= failAt, withEffect && given == failAt }
			got := enter(t, membook.Ordered{Book: book}, m, file)
			var stopped *importer.Stopped
			if !errors.Is(got.err, membook.ErrStore) || !errors.As(got.err, &stopped) || stopped.Number == "" || stopped.Line == 0 {
				t.Fatalf("fail at %d: %v", failAt, got.err)
			}
			if got.Rejected != 0 {
				t.Fatalf("fail at %d: a failure became a rejection: %q", failAt, got.rejects)
			}
			book.Fail = nil
			again := enter(t, membook.Ordered{Book: book}, m, file)
			if again.err != nil || again.Documents != 20 || again.Rejected != 0 || again.AlreadyEntered < got.Documents {
				t.Fatalf("fail at %d, then: %v %+v", failAt, again.err, again.Summary)
			}
			if !reflect.DeepEqual(documents(book), want) {
				t.Fatalf("fail at %d: the book differs from that of an undisturbed import", failAt)
			}
		}
	}
}

// TestAfterAFailureNothingIsRejected fails one command; what is refused after it
// may be so in consequence.
func TestAfterAFailureNothingIsRejected(t *testing.T) {
	book, given := newBook(t), 0
	book.Fail = func() (bool, bool) { given++; return given == 2, false }
	bad := strings.Replace(row("52", "1", "1.00"), "A1", "A\x01", 1)
	got := enter(t, membook.Ordered{Book: book}, parseMap(t, testMap), header+row("51", "1", "1.00")+bad+row("53", "1", "1.00"))
	if !errors.Is(got.err, membook.ErrStore) || got.Rejected != 0 || len(got.rejects) != 0 || got.Issued != 1 {
		t.Errorf("%v %+v %q", got.err, got.Summary, got.rejects)
	}
}

func TestWithoutSubmitter(t *testing.T) {
	t.Parallel()
	file, m, book := manyDocuments(300), parseMap(t, testMap), newBook(t)
	got := enter(t, book, m, file)
	if got.err != nil || got.Issued != 240 || got.Credited != 60 || got.IssuedTotal != "480.00" {
		t.Fatalf("%v %+v", got.err, got.Summary)
	}
	if again := enter(t, book, m, file); again.AlreadyEntered != 300 {
		t.Errorf("%+v", again.Summary)
	}
	checkTotals(t, book, "480.00", "120.00")
}

func TestCancel(t *testing.T) {
	t.Parallel()
	for _, ordered := range []bool{false, true} {
		ctx, cancel := context.WithCancel(context.Background())
		book := newBook(t)
		n := 0
		book.Fail = func() (bool, bool) {
			if n++; n == 100 {
				cancel()
			}
			return false, false
		}
		var b importer.Book = book
		if ordered {
			b = membook.Ordered{Book: book}
		}
		source, err := csvfile.Open("-", strings.NewReader(manyDocuments(5_000)))
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		summary, err := csvfile.Import(ctx, source, parseMap(t, testMap), csvfile.Options{
			Options: importer.Options{Book: b, Currency: gbp(t), Rejects: &out},
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		if held := len(documents(book)); summary.Rejected != 0 || summary.Documents != held || held >= 5_000 {
			t.Errorf("%d documents in the book, %+v", held, summary)
		}
		checkLines(t, summary)
		cancel()
	}
}

// TestCustomerRegisteredMeanwhile lets somebody else register the customer
// between the importer's look and its command.
func TestCustomerRegisteredMeanwhile(t *testing.T) {
	for _, ordered := range []bool{false, true} {
		book := newBook(t)
		other, err := customer.NewRegister(uuid.New(), "FR", customer.Profile{Name: "By hand", Reference: "17850"})
		if err != nil {
			t.Fatal(err)
		}
		done := false
		book.Before = func(cmd domain.Command) {
			if c, ok := cmd.(*customer.Register); ok && c != other && !done {
				done = true
				if _, err := book.Enter(context.Background(), uuid.New(), other); err != nil {
					t.Error(err)
				}
			}
		}
		var b importer.Book = book
		if ordered {
			b = membook.Ordered{Book: book}
		}
		got := enter(t, b, parseMap(t, testMap), header+row("51", "1", "1.00")+row("52", "1", "1.00"))
		if got.err != nil || got.Issued != 2 {
			t.Fatalf("%v %+v %q", got.err, got.Summary, got.rejects)
		}
		for _, d := range documents(book) {
			if d.content.Customer != other.ID || d.buyer != "By hand" || d.country != "GB" {
				t.Errorf("%+v", d)
			}
		}
		book.Before = nil
		if again := enter(t, b, parseMap(t, testMap), header+row("51", "1", "1.00")+row("52", "1", "1.00")); again.AlreadyEntered != 2 {
			t.Errorf("%+v", again.Summary)
		}
	}
}

func TestCustomerThatCannotBeRegistered(t *testing.T) {
	file := header + strings.Replace(row("51", "1", "1.00"), "17850", "a\x02b", 1) + row("52", "1", "1.00") +
		strings.Replace(row("53", "1", "1.00"), "17850", "a\x02b", 1)
	got := enter(t, newBook(t), parseMap(t, testMap), file)
	if got.codes() != "51 control-character 2; 53 control-character 4" || got.Issued != 1 {
		t.Errorf("%v %q %+v", got.err, got.codes(), got.Summary)
	}
}

func TestKnownCustomerKeepsItsName(t *testing.T) {
	book := newBook(t)
	known, err := customer.NewRegister(uuid.New(), "FR", customer.Profile{Name: "Known", Reference: "17850"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := book.Enter(context.Background(), uuid.New(), known); err != nil {
		t.Fatal(err)
	}
	enter(t, membook.Ordered{Book: book}, parseMap(t, testMap), header+row("51", "1", "1.00")+strings.Replace(row("52", "1", "1.00"), "United Kingdom", "", 1))
	docs := documents(book)
	if len(docs) != 2 || docs[0].content.Customer != known.ID || docs[0].buyer != "Known" || docs[0].country != "GB" {
		t.Errorf("%+v", docs)
	}
	if docs[1].country != "FR" {
		t.Errorf("a document that names no country is of %q, not of its customer's", docs[1].country)
	}
}

// refusing is a book that takes nothing.
type refusing struct {
	*membook.Book
	code string
}

func (r refusing) Enter(context.Context, uuid.UUID, domain.Command) (importer.Outcome, error) {
	return importer.Outcome{}, domain.Refuse(r.code, "you may not")
}

// What is no fault of the document ends the run: nothing is told as rejected.
func TestRefusalsThatEndTheRun(t *testing.T) {
	for _, code := range []string{"not-permitted", "disk-full", "archive-behind", "log-behind", "clock-jumped"} {
		got := enter(t, refusing{newBook(t), code}, parseMap(t, testMap), manyDocuments(10))
		var refusal *domain.Refusal
		if !errors.As(got.err, &refusal) || refusal.Code != code || got.Rejected != 0 {
			t.Errorf("%s: %v %+v", code, got.err, got.Summary)
		}
	}
}

func TestForeignCurrency(t *testing.T) {
	m := parseMap(t, strings.Replace(testMap, "GBP", "EUR", 1))
	source, err := csvfile.Open("-", strings.NewReader(header))
	if err != nil {
		t.Fatal(err)
	}
	_, err = csvfile.Import(context.Background(), source, m, csvfile.Options{
		Options: importer.Options{Book: newBook(t), Currency: gbp(t)},
	})
	var refusal *domain.Refusal
	if !errors.As(err, &refusal) || refusal.Code != "foreign-currency" {
		t.Errorf("error %v", err)
	}
}
