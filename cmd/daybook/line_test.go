package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
)

func codeOf(err error) string {
	if err == nil {
		return ""
	}
	return explain(err, nil).code
}

func TestParseLine(t *testing.T) {
	for _, test := range []struct{ text, quantity, unit, price, base, rate, item, description string }{
		{"3 x 49.50 Consulting in March", "3", "", "49.5", "", "S 20", "", "Consulting in March"},
		{"2 x 10.00 @S5 #SKU1 Widget", "2", "", "10", "", "S 5", "SKU1", "Widget"},
		{"2 x 10.00 #SKU1 @ae Widget", "2", "", "10", "", "AE 0", "SKU1", "Widget"},
		{"2.5 h x 80 Work", "2.5", "h", "80", "", "S 20", "", "Work"},
		{"12 box x 3.20", "12", "box", "3.2", "", "S 20", "", ""},
		{"3x49.50 Close", "3", "", "49.5", "", "S 20", "", "Close"},
		{"3 × 49.50 Sign", "3", "", "49.5", "", "S 20", "", "Sign"},
		{"3*49.50", "3", "", "49.5", "", "S 20", "", ""},
		{"500 x 12.40/100 @Z Flyers", "500", "", "12.4", "100", "Z 0", "", "Flyers"},
		{"-1 x 10 Taken back", "-1", "", "10", "", "S 20", "", "Taken back"},
		{"1 x 10 Mail to #team @home", "1", "", "10", "", "S 20", "", "Mail to #team @home"},
		{"1 x 10 x 20 cm", "1", "", "10", "", "S 20", "", "x 20 cm"},
		{" 1 x 10\tTwo\nlines ", "1", "", "10", "", "S 20", "", "Two\nlines"},
	} {
		line, description, err := parseLine(test.text, tax.Rate{Category: tax.Standard, Percent: money.IntegerDecimal(20)})
		if err != nil {
			t.Errorf("%q: %v", test.text, err)
			continue
		}
		base := ""
		if !line.BaseQuantity.IsZero() {
			base = line.BaseQuantity.String()
		}
		got := []string{line.Quantity.String(), line.Unit, line.Price.String(), base, line.Rate.String(), line.Item, description}
		want := []string{test.quantity, test.unit, test.price, test.base, test.rate, test.item, test.description}
		if strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("%q: %q, want %q", test.text, got, want)
		}
	}
}

func TestParseLineRefuses(t *testing.T) {
	for text, code := range map[string]string{
		"": codeBadLine, "Consulting": codeBadLine, "3 49.50 Consulting": codeBadLine, "x 49.50": codeBadLine,
		"3 x": codeBadLine, "3 x Consulting": codeBadLine, "3 x 49,50 Comma": codeBadLine, "3 x 49.50Consulting": codeBadLine,
		"1 x 2":          codeBadLine, // no tax
		"1.2.3 x 4 @S20": "invalid-decimal", "1 x 4 @Q": "unknown-tax-category", "1 x 4 @S": "invalid-rate", "1 x 4 @Z5": "invalid-rate",
		"1 x 4 @S20x": "invalid-rate", "99999999999999999999 x 1 @S20": "invalid-decimal",
	} {
		if _, _, err := parseLine(text, tax.Rate{}); codeOf(err) != code {
			t.Errorf("%q: %v, want %s", text, err, code)
		}
	}
}

func TestSetDue(t *testing.T) {
	for text, want := range map[string]invoice.Content{
		"": {}, "+30": {DueDays: 30}, "+0": {}, "2026-01-31": {DueDate: "2026-01-31"},
	} {
		got := invoice.Content{DueDate: "2020-01-01", DueDays: 7}
		if err := setDue(&got, text); err != nil || got.DueDate != want.DueDate || got.DueDays != want.DueDays {
			t.Errorf("%q: %s %d, %v", text, got.DueDate, got.DueDays, err)
		}
	}
	for text, code := range map[string]string{"+": "invalid-due", "+-1": "invalid-due", "+99999": "invalid-due", "30": "invalid-date", "2026-02-30": "invalid-date"} {
		if err := setDue(new(invoice.Content), text); codeOf(err) != code {
			t.Errorf("%q: %v, want %s", text, err, code)
		}
	}
}

// Whatever somebody types gives a line that the rules can judge, or an error with
// a code of its own.
func FuzzLine(f *testing.F) {
	for _, seed := range []string{"3 x 49.50 Consulting", "2 h x 80/10 @S20 #A B", "1 x 1 @", "\xff x 1", "1 \u2028 x 2", strings.Repeat("9", 40) + " x 1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		line, description, err := parseLine(text, tax.Rate{})
		if err != nil {
			if codeOf(err) == codeFailed {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		if line.Rate.Check() != nil || !strings.HasSuffix(strings.TrimSpace(text), description) {
			t.Errorf("%q: %+v %q", text, line, description)
		}
	})
}

// The same for content files.
func FuzzContent(f *testing.F) {
	for _, seed := range []string{
		`{"customer":"Ada","lines":[{"quantity":"1","price":2.50,"tax":"S20","adjustments":[{"percent":10}]}]}`,
		`{"tax":"AE","lines":[{"quantity":1e3,"price":-0}],"adjustments":[{"charge":true,"amount":"1.00","base":5}]}`,
		`{"due":"+30","prepaid":"1","rounding_amount":0.005,"exemptions":[{"category":"E","reason":"x"}]}`,
		`{"lines":[{"quantity":null}]}`, `{"lines":[{"quantity":{}}]}`, `[]`, `{} {}`, "\xff", `{"note":"\ud800"}`, `null`,
	} {
		f.Add([]byte(seed))
	}
	pounds, err := money.ParseCurrency("GBP")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := parseContent(text)
		if err == nil {
			var c invoice.Content
			var words *invoice.Text
			if c, words, err = file.content(pounds); err == nil {
				if len(words.Lines) != len(c.Lines) || c.Currency != pounds {
					t.Errorf("%q: %+v", text, c)
				}
				return
			}
		}
		if code := codeOf(err); code == codeFailed || code == "" {
			t.Errorf("%q: %v", text, err)
		}
	})
}

func TestExplain(t *testing.T) {
	for _, k := range known {
		if f := explain(k.err, nil); f.code != k.code || f.hint != k.hint || f.message == "" {
			t.Errorf("%v: %+v", k.err, f)
		}
	}
	if f := explain(errors.New("bookdir: ledger: anything"), nil); f.code != codeFailed || f.message != "anything" {
		t.Errorf("%+v", f)
	}
}

// TestOneLine holds that a message is one line, and begins with no package's name,
// whatever it was joined from.
func TestOneLine(t *testing.T) {
	joined := errors.Join(errors.New("bookdir: read page 16: gone"), errors.New("eventstore: shut the server down: late"))
	var out strings.Builder
	explain(joined, nil).tell(&app{stderr: &out})
	usage("unknown command\n\nDid you mean this?\n\tinvoice\n").(*failure).tell(&app{stderr: &out})
	explain(joined, nil).tell(&app{stderr: &out, json: true})
	const want = "daybook: error: read page 16: gone; shut the server down: late (failed)\ndaybook: hint: " + hintDebug + "\n" +
		"daybook: error: unknown command; Did you mean this?; invoice (usage)\ndaybook: hint: " + hintUsage + "\n" +
		`{"error":{"code":"failed","message":"read page 16: gone; shut the server down: late","hint":"` + hintDebug + `"}}` + "\n"
	if out.String() != want {
		t.Errorf("%s", out.String())
	}
}

func TestPrintable(t *testing.T) {
	if got := oneLine("a\x1b[2J\u202eb\nc\td"); got != "a\ufffd[2J\ufffdb c d" {
		t.Errorf("%q", got)
	}
}
