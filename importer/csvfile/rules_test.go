package csvfile_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/importer/csvfile"
)

// day and buyer end most lines of the tests.
const (
	day   = "2011-03-01 10:00:00"
	buyer = "17850,United Kingdom"
)

// row is a line of number with a quantity and price.
func row(number, quantity, price string) string {
	return fmt.Sprintf("%s,A1,thing,%s,%s,%s,%s\n", number, quantity, day, price, buyer)
}

func TestRules(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 5<<20)
	type want struct {
		issued, credited int
		totals           string // issued credited rejected
		rejects          string
	}
	tests := map[string]struct {
		file string
		want want
	}{
		"half-up per line, not per document": {
			row("51", "1", "0.005") + row("51", "1", "0.005") + row("51", "3", "0.335"),
			want{1, 0, "1.03 0.00 0.00", ""}, // 0.01 + 0.01 + 1.01
		},
		"ties away from zero on credits": {
			row("C1", "-1", "0.005") + row("C1", "-1", "0.125"),
			want{0, 1, "0.00 0.14 0.00", ""},
		},
		"mixed signs within an invoice": {
			row("51", "10", "2.00") + row("51", "-3", "2.00"), want{1, 0, "14.00 0.00 0.00", ""},
		},
		"mixed signs within a credit": {
			row("C1", "-10", "2.00") + row("C1", "3", "2.00"), want{0, 1, "0.00 14.00 0.00", ""},
		},
		"a tie on a negative line of an invoice": {
			row("51", "1", "1.00") + row("51", "-1", "0.005"), want{1, 0, "0.99 0.00 0.00", ""},
		},
		"equal lines are not merged": {
			row("51", "1", "1.00") + row("51", "1", "1.00"), want{1, 0, "2.00 0.00 0.00", ""},
		},
		"zero-priced beside priced": {
			row("51", "1", "0") + row("51", "1", "1.00") + row("51", "5", "0.00"), want{1, 0, "1.00 0.00 0.00", ""},
		},
		"interleaved documents": {
			row("51", "1", "1.00") + row("52", "1", "2.00") + row("51", "1", "4.00") + row("C1", "-1", "8.00") + row("52", "1", "16.00"),
			want{2, 1, "23.00 8.00 0.00", ""},
		},
		"unknown kind": {
			row("A1", "1", "1.00") + row("51", "1", "1.00") + row("A1", "2", "1.00"),
			want{1, 0, "1.00 0.00 3.00", "A1 unknown-kind 2 4"},
		},
		"unknown kind counts before what its lines say": {
			row("A1", "1", "-1.00") + row("A1", "x", "1.00"), want{0, 0, "0.00 0.00 -1.00", "A1 unknown-kind 2-3"},
		},
		"negative price": {
			row("51", "1", "10.00") + row("51", "1", "-1.00") + row("51", "1", "2.00"),
			want{0, 0, "0.00 0.00 11.00", "51 negative-price 2-4"},
		},
		"negative price counts before the total": {
			row("51", "1", "1.00") + row("51", "1", "-1.00"), want{0, 0, "0.00 0.00 0.00", "51 negative-price 2-3"},
		},
		"no value, by price": {row("51", "-30", "0.0"), want{0, 0, "0.00 0.00 0.00", "51 no-value 2"}},
		"no value, by cancelling out": {
			row("51", "1", "2.00") + row("51", "-2", "1.00"), want{0, 0, "0.00 0.00 0.00", "51 no-value 2-3"},
		},
		"no value, by rounding": {row("51", "1", "0.004"), want{0, 0, "0.00 0.00 0.00", "51 no-value 2"}},
		"wrong sign of an invoice": {
			row("51", "1", "1.00") + row("51", "-2", "1.00"), want{0, 0, "0.00 0.00 -1.00", "51 wrong-sign 2-3"},
		},
		"wrong sign of a credit": {row("C1", "1", "1.00"), want{0, 0, "0.00 0.00 1.00", "C1 wrong-sign 2"}},
		"two days": {
			row("51", "1", "1.00") + strings.Replace(row("51", "1", "1.00"), "03-01", "03-02", 1),
			want{0, 0, "0.00 0.00 2.00", "51 inconsistent 2-3"},
		},
		"two times of a day": {
			row("51", "1", "1.00") + strings.Replace(row("51", "1", "1.00"), "10:00", "10:01", 1),
			want{1, 0, "2.00 0.00 0.00", ""},
		},
		"two customers": {
			row("51", "1", "1.00") + strings.Replace(row("51", "1", "1.00"), "17850", "17851", 1),
			want{0, 0, "0.00 0.00 2.00", "51 inconsistent 2-3"},
		},
		"a customer and none": {
			row("51", "1", "1.00") + strings.Replace(row("51", "1", "1.00"), "17850", "", 1),
			want{0, 0, "0.00 0.00 2.00", "51 inconsistent 2-3"},
		},
		"two countries": {
			row("51", "1", "1.00") + strings.Replace(row("51", "1", "1.00"), "United Kingdom", "EIRE", 1),
			want{0, 0, "0.00 0.00 2.00", "51 inconsistent 2-3"},
		},
		"two countries without codes": {
			"51,A,t,1," + day + ",1.00,1,Atlantis\n51,A,t,1," + day + ",1.00,1,Avalon\n",
			want{0, 0, "0.00 0.00 2.00", "51 inconsistent 2-3"},
		},
		"one country by two names": {
			row("51", "1", "1.00") + strings.Replace(row("51", "1", "1.00"), "United Kingdom", "GB", 1),
			want{1, 0, "2.00 0.00 0.00", ""},
		},
		"bad quantity": {
			row("51", "1", "1.00") + row("51", "1e3", "1.00") + row("52", "1", "1.00"),
			want{1, 0, "1.00 0.00 1.00", "51 bad-quantity 2-3"},
		},
		"bad price":       {row("51", "1", "£1"), want{0, 0, "0.00 0.00 0.00", "51 bad-price 2"}},
		"empty price":     {row("51", "1", ""), want{0, 0, "0.00 0.00 0.00", "51 bad-price 2"}},
		"bad date":        {strings.Replace(row("51", "1", "1.00"), "03-01", "02-30", 1), want{0, 0, "0.00 0.00 1.00", "51 bad-date 2"}},
		"too few fields":  {"51,A,t,1\n" + row("51", "1", "1.00"), want{0, 0, "0.00 0.00 1.00", "51 bad-field-count 2-3"}},
		"too many fields": {"51,A,t,u,1," + day + ",1.00," + buyer + "\n", want{0, 0, "0.00 0.00 0.00", "51 bad-field-count 2"}},
		"invalid UTF-8":   {strings.Replace(row("51", "1", "1.00"), "thing", "th\xffng", 1), want{0, 0, "0.00 0.00 1.00", "51 invalid-utf8 2"}},
		"invalid UTF-8 in the number": {
			row("5\xff", "1", "1.00") + row("5\xfe", "1", "1.00"), want{0, 0, "0.00 0.00 2.00", "5\uFFFD invalid-utf8 2; 5\uFFFD invalid-utf8 3"},
		},
		"5 MB description": {
			row("51", "1", "1.00") + strings.Replace(row("51", "1", "1.00"), "thing", long, 1) + row("52", "1", "1.00"),
			want{1, 0, "1.00 0.00 2.00", "51 text-too-long 2-3"},
		},
		"4 KiB description and a byte": {
			strings.Replace(row("51", "1", "1.00"), "thing", long[:4096], 1) +
				strings.Replace(row("52", "1", "1.00"), "thing", long[:4097], 1),
			want{1, 0, "1.00 0.00 1.00", "52 text-too-long 3"},
		},
		"5 MB number":        {row(long, "1", "1.00"), want{0, 0, "0.00 0.00 0.00", " text-too-long 2"}},
		"no number":          {row("", "1", "1.00") + row(" ", "1", "1.00"), want{0, 0, "0.00 0.00 0.00", " missing-number 2;  missing-number 3"}},
		"control character":  {strings.Replace(row("51", "1", "1.00"), "A1", "A\x1b1", 1), want{0, 0, "0.00 0.00 1.00", "51 control-character 2"}},
		"amount too large":   {row("51", "9000000000", "9000000000"), want{0, 0, "0.00 0.00 0.00", "51 amount-overflow 2"}},
		"total too large":    {row("51", "900000000", "90000000") + row("51", "900000000", "90000000"), want{0, 0, "0.00 0.00 81000000000000000.00", "51 amount-overflow 2-3"}},
		"larger than a book": {row("51", "1", "90000000000000"), want{0, 0, "0.00 0.00 90000000000000.00", "51 amount-overflow 2"}},
		"no lines":           {"", want{0, 0, "0.00 0.00 0.00", ""}},
		"an empty line":      {row("51", "1", "1.00") + "\n" + row("51", "1", "x"), want{0, 0, "0.00 0.00 1.00", "51 bad-price 2 4"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			book := newBook(t)
			got := enter(t, book, parseMap(t, testMap), header+test.file)
			if got.err != nil {
				t.Fatal(got.err)
			}
			checkTotals(t, book, got.IssuedTotal, got.CreditedTotal)
			w := want{got.Issued, got.Credited, got.IssuedTotal + " " + got.CreditedTotal + " " + got.RejectedTotal, got.codes()}
			if w != test.want {
				t.Errorf("\n got %+v\nwant %+v", w, test.want)
			}
		})
	}
}

// others are n lines of as many other documents.
func others(prefix string, n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(row(fmt.Sprintf("5%s%d", prefix, i), "1", "0.01"))
	}
	return b.String()
}

func TestLateLines(t *testing.T) {
	t.Parallel()
	for between, late := range map[int]bool{0: false, 1: false, 998: false, 999: false, 1000: true, 1001: true, 2500: true} {
		t.Run(fmt.Sprint(between), func(t *testing.T) {
			// The second line opens the window again.
			file := header + row("51", "1", "100") + others("a", 600) + row("51", "1", "200") +
				others("b", between) + row("51", "1", "400")
			got := enter(t, newBook(t), parseMap(t, testMap), file)
			if got.err != nil {
				t.Fatal(got.err)
			}
			total, codes, rejected := 70_000+600+between, "", "0.00"
			if late {
				total -= 40_000
				codes, rejected = fmt.Sprintf("51 late-line %d", 604+between), "400.00"
			}
			if got.codes() != codes || got.RejectedTotal != rejected || got.Rejected != 0 {
				t.Errorf("rejects %q of %s, %d documents", got.codes(), got.RejectedTotal, got.Rejected)
			}
			if want := fmt.Sprintf("%d.%02d", total/100, total%100); got.IssuedTotal != want {
				t.Errorf("total %s, not %s", got.IssuedTotal, want)
			}
			if got.Documents != 601+between {
				t.Errorf("%d documents", got.Documents)
			}
		})
	}
}

func TestLateLinesOfRejectedDocuments(t *testing.T) {
	file := header + row("51", "x", "1.00") + others("a", 1000) + row("51", "1", "1.00") + row("51", "1", "1.00")
	got := enter(t, newBook(t), parseMap(t, testMap), file)
	if want := "51 bad-quantity 2; 51 late-line 1003; 51 late-line 1004"; got.codes() != want {
		t.Errorf("rejects %q, not %q", got.codes(), want)
	}
	if got.Rejected != 1 || got.RejectedLines != 3 {
		t.Errorf("%d documents and %d lines rejected", got.Rejected, got.RejectedLines)
	}
}

func TestEnteredContent(t *testing.T) {
	book := newBook(t)
	file := header +
		"5001,A1,\"a \"\"big\"\" thing, blue\",6," + day + ",2.55,17850,United Kingdom\n" +
		"5001,A2,,1," + day + ",0,17850,United Kingdom\n" +
		"C502,D,Discount,-1," + day + ",27.50,,Atlantis\n" +
		"5003,A3,t,1," + day + ",1.00,17850,EIRE\n"
	got := enter(t, book, parseMap(t, testMap), file)
	if got.err != nil || got.Issued != 2 || got.Credited != 1 {
		t.Fatalf("%+v", got)
	}
	docs := documents(book)
	byRef := map[string]entered{}
	for _, d := range docs {
		byRef[d.reference] = d
		if !d.imported {
			t.Errorf("%s is not marked as imported", d.reference)
		}
	}
	first := byRef["5001"]
	if first.date != "2011-03-01" || first.country != "GB" || first.buyer != "17850" || first.countryAs != "" ||
		len(first.content.Lines) != 2 || first.content.Lines[0].Item != "A1" ||
		first.text.Lines[0] != `a "big" thing, blue` || first.text.Lines[1] != "" {
		t.Errorf("first: %+v", first)
	}
	note := byRef["C502"]
	if note.kind != domain.KindCredit || note.content.Lines[0].Quantity.String() != "1" ||
		note.reason != "as labelled in the source" || note.buyer != "Not named" ||
		note.country != "" || note.countryAs != "Atlantis" || note.total.String() != "27.50" {
		t.Errorf("note: %+v", note)
	}
	abroad := byRef["5003"]
	if abroad.content.Customer != first.content.Customer || abroad.country != "IE" {
		t.Errorf("the country of a document is that of its customer: %+v", abroad)
	}
}

func TestKindsByLongestPrefix(t *testing.T) {
	m := parseMap(t, strings.Replace(testMap, `"C" = "credit"`, `"55" = "credit"
"" = "invoice"
"559" = "invoice"`, 1))
	file := header + row("551", "-1", "1.00") + row("5591", "1", "2.00") + row("51", "1", "4.00") + row("X", "1", "8.00")
	got := enter(t, newBook(t), m, file)
	if got.IssuedTotal != "14.00" || got.CreditedTotal != "1.00" || got.codes() != "" {
		t.Errorf("%+v", got)
	}
}

func TestRejectionNamesLinesOfTheFile(t *testing.T) {
	file := header + row("51", "1", "1.00") + "\"52\",A,\"two\nlines\",1," + day + ",x," + buyer + "\n" +
		row("53", "1", "1.00") + row("54", "y", "1.00") + row("52", "1", "1.00")
	got := enter(t, newBook(t), parseMap(t, testMap), file)
	if want := "54 bad-quantity 6; 52 bad-price 3 7"; got.codes() != want {
		t.Errorf("rejects %q, not %q", got.codes(), want)
	}
	if message := got.rejects[1][3]; !strings.HasPrefix(message, "line 3: ") {
		t.Errorf("message %q", message)
	}
}

func TestNoStandIn(t *testing.T) {
	text := strings.Replace(testMap, "[no_customer]\nreference = \"nobody\"\nname = \"Not named\"\n", "", 1)
	got := enter(t, newBook(t), parseMap(t, text), header+strings.Replace(row("51", "1", "1.00"), "17850", "", 1))
	if got.codes() != "51 "+csvfile.CodeNoCustomer+" 2" {
		t.Errorf("rejects %q", got.codes())
	}
}

func TestUnusedColumnsHoldAnything(t *testing.T) {
	file := "Blob," + header + strings.Repeat("x", 1<<20) + "," + row("51", "1", "1.00") + "\xff," + row("52", "1", "1.00")
	got := enter(t, newBook(t), parseMap(t, testMap), file)
	if got.err != nil || got.Issued != 2 {
		t.Errorf("%v %q", got.err, got.rejects)
	}
}

// TestSpacesHideNoText gives a description that only begins where no more is
// kept.
func TestSpacesHideNoText(t *testing.T) {
	file := header + strings.Replace(row("51", "1", "1.00"), "thing", strings.Repeat(" ", 20<<10)+"thing", 1)
	if got := enter(t, newBook(t), parseMap(t, testMap), file); got.codes() != "51 text-too-long 2" {
		t.Errorf("%q", got.codes())
	}
}
