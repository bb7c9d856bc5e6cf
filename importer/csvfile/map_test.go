package csvfile_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/importer/csvfile"
)

func codeOf(err error) string {
	var refusal *domain.Refusal
	if errors.As(err, &refusal) {
		return refusal.Code
	}
	return ""
}

func TestMapErrors(t *testing.T) {
	tests := map[string]struct{ old, new, message string }{
		"unknown key":           {`prices = "net"`, "prices = \"net\"\ncolour = \"red\"", `unknown key "colour"`},
		"unknown column":        {`item = "Item"`, "item = \"Item\"\nsku = \"x\"", `unknown key "columns.sku"`},
		"not TOML":              {`[tax]`, `[tax`, "not what it should be"},
		"twice":                 {`prices = "net"`, "prices = \"net\"\nprices = \"net\"", "prices"},
		"wrong type":            {`rate = "0"`, `rate = 0.5`, "rate"},
		"currency":              {"GBP", "GPB", "currency"},
		"prices":                {`"net"`, `"nett"`, "prices"},
		"no prices":             {`prices = "net"`, "", "prices"},
		"time zone":             {"Europe/London", "Europe/Londinium", "time_zone"},
		"this machine's zone":   {"Europe/London", "Local", "time_zone"},
		"a path for a zone":     {"Europe/London", "../../etc/passwd", "time_zone"},
		"no time zone":          {`time_zone = "Europe/London"`, "", "time_zone"},
		"source time zone":      {`prices = "net"`, "prices = \"net\"\nsource_time_zone = \"x\"", "source_time_zone"},
		"no dates":              {`dates = [`, `dates = [] #`, "dates"},
		"date form":             {`"YYYY-MM-DD"`, `"yyyy-mm-dd"`, "dates"},
		"date without day":      {`"YYYY-MM-DD"`, `"YYYY-MM"`, "dates"},
		"date with two months":  {`"YYYY-MM-DD"`, `"YYYY-MM-DD MMM"`, "dates"},
		"delimiter":             {`prices = "net"`, "prices = \"net\"\ndelimiter = \"::\"", "delimiter"},
		"empty delimiter":       {`prices = "net"`, "prices = \"net\"\ndelimiter = \"\"", "delimiter"},
		"quote as delimiter":    {`prices = "net"`, "prices = \"net\"\ndelimiter = '\"'", "delimiter"},
		"no number column":      {`number = "No"`, "", "columns.number is missing"},
		"a column for two":      {`item = "Item"`, `item = "Text"`, "columns.item and columns.description"},
		"no kinds":              {"\"5\" = \"invoice\"\n\"C\" = \"credit\"", "", "kinds"},
		"kind":                  {`"credit"`, `"customer"`, `kinds."C"`},
		"tax category":          {`category = "O"`, `category = "Q"`, "tax"},
		"tax rate":              {`rate = "0"`, `rate = "20%"`, "tax.rate"},
		"rate of the category":  {`rate = "0"`, `rate = "20"`, "tax"},
		"no reason":             {`reason = "no VAT data"`, "", "tax"},
		"reason with tax":       {"category = \"O\"\nrate = \"0\"", "category = \"S\"\nrate = \"20\"", "tax"},
		"stand-in without name": {`name = "Not named"`, "", "no_customer"},
		"country code":          {`"IE"`, `"EI"`, "countries"},
		"country with space":    {`"EIRE"`, `"EIRE "`, "countries"},
		"not UTF-8":             {"no VAT", "no \xff", "UTF-8"},
		"too large":             {"no VAT", strings.Repeat("x", 1<<20), "bytes"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(testMap, test.old, test.new, 1)
			if text == testMap {
				t.Fatal("the test changes nothing")
			}
			_, err := csvfile.ParseMap([]byte(text))
			if codeOf(err) != csvfile.CodeInvalidMap || !strings.Contains(err.Error(), test.message) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestMapNeedsCustomers(t *testing.T) {
	text := strings.Replace(testMap, `customer = "Cust"`, "", 1)
	if _, err := csvfile.ParseMap([]byte(text)); err != nil {
		t.Errorf("all documents are of the stand-in: %v", err)
	}
	text = strings.Replace(text, "[no_customer]\nreference = \"nobody\"\nname = \"Not named\"\n", "", 1)
	if _, err := csvfile.ParseMap([]byte(text)); codeOf(err) != csvfile.CodeInvalidMap {
		t.Errorf("error %v", err)
	}
}

func TestReadMapOfMissingFile(t *testing.T) {
	if _, err := csvfile.ReadMap(filepath.Join(t.TempDir(), "none.toml")); err == nil || codeOf(err) != "" {
		t.Errorf("error %v", err)
	}
}

func TestGrossPrices(t *testing.T) {
	text := strings.Replace(testMap, `"net"`, `"gross"`, 1)
	text = strings.Replace(text, "category = \"O\"\nrate = \"0\"\nreason = \"no VAT data\"", "category = \"S\"\nrate = \"20\"", 1)
	book := newBook(t)
	file := header + row("51", "1", "0.99") + row("51", "3", "1.115") + row("C1", "-1", "1.00")
	got := enter(t, book, parseMap(t, text), file)
	// 0.99 + 3.35 (3.345) as the file states them.
	if got.err != nil || got.IssuedTotal != "4.34" || got.CreditedTotal != "1.00" {
		t.Fatalf("%v %+v", got.err, got.Summary)
	}
	for _, d := range documents(book) {
		want := map[string]string{"51": "4.34", "C1": "1.00"}[d.reference]
		if d.total.String() != want || !d.content.PricesIncludeTax || d.content.Lines[0].Rate.String() != "S 20" ||
			len(d.content.Exemptions) != 0 {
			t.Errorf("%+v", d)
		}
	}
}

func TestNetPricesWithTax(t *testing.T) {
	text := strings.Replace(testMap, "category = \"O\"\nrate = \"0\"\nreason = \"no VAT data\"", "category = \"S\"\nrate = \"20\"", 1)
	book := newBook(t)
	got := enter(t, book, parseMap(t, text), header+row("51", "1", "10.00"))
	if got.IssuedTotal != "10.00" {
		t.Errorf("the total is the sum of the lines: %+v", got.Summary)
	}
	if docs := documents(book); len(docs) != 1 || docs[0].total.String() != "12.00" {
		t.Errorf("%+v", docs)
	}
}

func TestDecimalComma(t *testing.T) {
	text := "decimal_comma = true\ndelimiter = \";\"\n" + testMap
	file := strings.ReplaceAll(header, ",", ";") +
		"51;A;t, with a comma;1,5;" + day + ";2,50;1;EIRE\n" +
		"51;A;t;2;" + day + ";1;1;EIRE\n" +
		"52;A;t;1;" + day + ";1.50;1;EIRE\n" +
		"53;A;t;1.000,5;" + day + ";1;1;EIRE\n" +
		"54;A;t;1;" + day + ";1,2,3;1;EIRE\n"
	got := enter(t, newBook(t), parseMap(t, text), file)
	if got.err != nil || got.IssuedTotal != "5.75" || got.codes() != "52 bad-price 4; 53 bad-quantity 5; 54 bad-price 6" {
		t.Errorf("%v %+v %q", got.err, got.Summary, got.codes())
	}
	// And without the option a comma is none.
	got = enter(t, newBook(t), parseMap(t, testMap), header+"51,A,t,\"1,5\","+day+",1,1,EIRE\n")
	if got.codes() != "51 bad-quantity 2" {
		t.Errorf("%q", got.codes())
	}
}

func TestDays(t *testing.T) {
	const dates = `dates = ["YYYY-MM-DD hh:mm:ss", "YYYY-MM-DD", "YYYY-MM-DDThh:mm:ssZ"]`
	tests := []struct{ set, date, want string }{
		{"", "2011-03-01", "2011-03-01"},
		{"", "2011-03-01 23:59:59", "2011-03-01"},
		// British summer time began on 27 March 2011.
		{"", "2011-03-31T22:59:59Z", "2011-03-31"},
		{"", "2011-03-31T23:00:00Z", "2011-04-01"},
		{"", "2011-01-31T23:00:00Z", "2011-01-31"},
		{"", "2011-04-01T01:30:00+02:00", "2011-04-01"},
		{"", "2011-04-01T00:30:00+02:00", "2011-03-31"},
		// Times without a zone are the business's own, unless the map says else.
		{"", "2011-03-31 23:30:00", "2011-03-31"},
		{`source_time_zone = "UTC"`, "2011-03-31 23:30:00", "2011-04-01"},
		{`source_time_zone = "America/New_York"`, "2010-12-31 20:00:00", "2011-01-01"},
		{`dates = ["DD.MM.YYYY"]`, "31.01.2011", "2011-01-31"},
		{`dates = ["D/M/YY h:mm AM"]`, "1/2/11 12:05 AM", "2011-02-01"},
		{`dates = ["M/D/YYYY hh:mm"]`, "12/1/2010 8:26", "2010-12-01"},
		{`dates = ["DD MMM YYYY"]`, "05 Feb 2011", "2011-02-05"},
		{`dates = ["DD.MM.YYYY"]`, "31.02.2011", ""},
		{`dates = ["MM/DD/YYYY"]`, "31/01/2011", ""},
		{"", "2011-03-01 24:00:00", ""},
		{"", "0000-01-01", ""},
		{"", "", ""},
	}
	for _, test := range tests {
		text := test.set + "\n" + testMap
		if strings.HasPrefix(test.set, "dates") {
			text = strings.Replace(testMap, dates, test.set, 1)
		}
		book := newBook(t)
		got := enter(t, book, parseMap(t, text), header+"51,A,t,1,"+test.date+",1,1,EIRE\n")
		if test.want == "" {
			if got.codes() != "51 bad-date 2" {
				t.Errorf("%s: %q", test.date, got.codes())
			}
			continue
		}
		if docs := documents(book); len(docs) != 1 || string(docs[0].date) != test.want {
			t.Errorf("%s: %+v %q", test.date, docs, got.rejects)
		}
	}
}

func TestCustomerNames(t *testing.T) {
	text := "customer_name = \"Customer {reference}\"\n" + strings.Replace(testMap, `item = "Item"`, `customer_name = "Item"`, 1)
	book := newBook(t)
	enter(t, book, parseMap(t, text), header+
		"51,Jane Doe,t,1,2011-03-01,1,7,EIRE\n52,,t,1,2011-03-01,1,8,EIRE\n53,Nobody,t,1,2011-03-01,1,,EIRE\n")
	var names []string
	for _, d := range documents(book) {
		names = append(names, d.buyer)
	}
	if got := strings.Join(names, "|"); len(names) != 3 || !strings.Contains(got, "Jane Doe") ||
		!strings.Contains(got, "Customer 8") || !strings.Contains(got, "Not named") {
		t.Errorf("%q", got)
	}
}

func TestHeader(t *testing.T) {
	line := row("51", "1", "1.00")
	tests := map[string]struct{ file, code string }{
		"as it is":          {header + line, ""},
		"byte order mark":   {"\uFEFF" + header + line, ""},
		"mark and quotes":   {"\uFEFF\"No\"" + header[2:] + line, ""},
		"CRLF":              {strings.ReplaceAll(header+line, "\n", "\r\n"), ""},
		"no last line end":  {strings.TrimSuffix(header+line, "\n"), ""},
		"CR at the end":     {strings.TrimSuffix(header+line, "\n") + "\r", ""},
		"spaces":            {strings.Replace(header, "Item", " Item ", 1) + line, ""},
		"empty lines first": {"\n\r\n" + header + line, ""},
		"another order": {
			"Land,Cust,Price,Date,Qty,Text,Item,No,More\nEIRE,1,1.00,2011-03-01,1,t,A,51,x\n", "",
		},
		"missing column":  {strings.Replace(header, "Qty", "Quantity", 1) + line, csvfile.CodeBadHeader},
		"column twice":    {strings.Replace(header, "Item", "Qty", 1) + line, csvfile.CodeBadHeader},
		"wrong delimiter": {strings.ReplaceAll(header+line, ",", ";"), csvfile.CodeBadHeader},
		"empty":           {"", csvfile.CodeBadHeader},
		"only line ends":  {"\n\n", csvfile.CodeBadHeader},
		"broken":          {"\"No,Item\n", csvfile.CodeMalformedCSV},
		"UTF-16":          {"\xff\xfeN\x00o\x00", csvfile.CodeUnsupportedEncoding},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := enter(t, newBook(t), parseMap(t, testMap), test.file)
			if codeOf(got.err) != test.code || test.code == "" && (got.err != nil || got.Issued != 1) {
				t.Errorf("%v %+v %q", got.err, got.Summary, got.rejects)
			}
		})
	}
}

func FuzzMap(f *testing.F) {
	f.Add([]byte(testMap))
	f.Add([]byte(""))
	f.Add([]byte("dates = [\"YYYYMMDD\"]\n[kinds]\n\"\" = \"invoice\""))
	f.Add([]byte(strings.Replace(testMap, `"net"`, `"gross"`, 1)))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := csvfile.ParseMap(text)
		if err != nil {
			if codeOf(err) != csvfile.CodeInvalidMap {
				t.Errorf("error %v", err)
			}
			return
		}
		// Whatever map is taken can be imported with, in its own currency.
		for _, err := range csvfile.Documents(strings.NewReader(header+row("51", "1", "1.00")), m, [16]byte{1}, t.TempDir()) {
			if err != nil && codeOf(err) == "" {
				t.Error(err)
			}
		}
	})
}
