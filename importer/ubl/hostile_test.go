package ubl_test

import (
	"strings"
	"testing"
	"time"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/importer/ubl"
)

// hostile is files that cannot be read, each with the code that says so.
func hostile(t testing.TB) map[string]struct{ file, code string } {
	file := render(t, sale(t))
	with := func(old, new string) string { return change(t, file, old, new) }
	inside := func(text string) string { return with("<cbc:ID>4711</cbc:ID>", text+"<cbc:ID>4711</cbc:ID>") }
	const extension = "urn:oasis:names:specification:ubl:schema:xsd:CommonExtensionComponents-2"
	laughs := `<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>`
	return map[string]struct{ file, code string }{
		"empty":                 {"", ubl.CodeMalformedXML},
		"blank":                 {" \n", ubl.CodeMalformedXML},
		"no XML":                {"%PDF-1.4", ubl.CodeMalformedXML},
		"cut":                   {file[:len(file)/2], ubl.CodeMalformedXML},
		"cut at the end":        {strings.TrimSuffix(strings.TrimSpace(file), "</Invoice>"), ubl.CodeMalformedXML},
		"text after it":         {file + "x", ubl.CodeMalformedXML},
		"two documents":         {file + file, ubl.CodeMalformedXML},
		"wrong nesting":         {with(">49.5</cbc:PriceAmount>", ">49.5</cac:Price>"), ubl.CodeMalformedXML},
		"attribute twice":       {with(`<cbc:ID>4711</cbc:ID>`, `<cbc:ID schemeID="a" schemeID="b">4711</cbc:ID>`), ubl.CodeMalformedXML},
		"control character":     {with("Thank you", "Thank\x00you"), ubl.CodeMalformedXML},
		"billion laughs":        {laughs + with("Thank you", "&c;"), ubl.CodeDTD},
		"external entity":       {`<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>` + with("Thank you", "&f;"), ubl.CodeDTD},
		"external DTD":          {`<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd">` + file, ubl.CodeDTD},
		"DTD within":            {inside("<!DOCTYPE x>"), ubl.CodeDTD},
		"entity without DTD":    {with("Thank you", "Thank&nbsp;you"), ubl.CodeEntity},
		"deep":                  {inside(strings.Repeat("<cac:Party>", 40) + strings.Repeat("</cac:Party>", 40)), ubl.CodeTooDeep},
		"deep in an extension":  {inside(`<e:UBLExtensions xmlns:e="` + extension + `">` + strings.Repeat("<x>", 40)), ubl.CodeTooDeep},
		"deep and endless":      {"<a>" + strings.Repeat("<a>", 1_000_000), ubl.CodeNotUBL},
		"huge":                  {file + strings.Repeat(" ", ubl.MaxSize), ubl.CodeTooLarge},
		"many elements":         {inside(strings.Repeat("<cac:Party/>", 400_001)), ubl.CodeTooLarge},
		"long tag":              {inside("<cac:Party" + strings.Repeat(` a="b"`, 100_000) + "/>"), ubl.CodeTooLarge},
		"long tag, cut":         {"<" + strings.Repeat("a", 1<<20), ubl.CodeTooLarge},
		"many lines":            {with("<cac:InvoiceLine>\n<cbc:ID>1<", strings.Repeat("<cac:InvoiceLine/>", 10_001)+"<cac:InvoiceLine>\n<cbc:ID>1<"), "too-many-lines"},
		"many rates":            {with("<cac:TaxSubtotal>", strings.Repeat("<cac:TaxSubtotal/>", 1001)+"<cac:TaxSubtotal>"), ubl.CodeTooLarge},
		"many attributes":       {inside("<cac:Party" + strings.Repeat(` a="b"`, 100) + "/>"), ubl.CodeTooLarge},
		"invalid UTF-8":         {with("Thank you", "Thank \xff you"), ubl.CodeInvalidUTF8},
		"UTF-16":                {"\xff\xfe<\x00", ubl.CodeUnsupportedEncoding},
		"Latin 1":               {`<?xml version="1.0" encoding="ISO-8859-1"?>` + file, ubl.CodeUnsupportedEncoding},
		"HTML":                  {"<html><body/></html>", ubl.CodeNotUBL},
		"another UBL document":  {strings.NewReplacer("<Invoice ", "<Order ", "</Invoice>", "</Order>").Replace(file), ubl.CodeNotUBL},
		"root without space":    {with(` xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"`, ""), ubl.CodeWrongNamespace},
		"root of credit notes":  {with(`xsd:Invoice-2"`, `xsd:CreditNote-2"`), ubl.CodeWrongNamespace},
		"UBL 1":                 {with(`xsd:Invoice-2"`, `xsd:Invoice-1.0"`), ubl.CodeWrongNamespace},
		"other aggregates":      {with(`CommonAggregateComponents-2"`, `CommonAggregateComponents-3"`), ubl.CodeWrongNamespace},
		"undeclared prefix":     {with(` xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"`, ""), ubl.CodeWrongNamespace},
		"foreign element":       {inside(`<x:ID xmlns:x="urn:x">1</x:ID>`), ubl.CodeWrongNamespace},
		"extensions elsewhere":  {with("<cbc:Name>Consulting", `<e:UBLExtensions xmlns:e="`+extension+`"/><cbc:Name>Consulting`), ubl.CodeWrongNamespace},
		"element within value":  {with("<cbc:ID>4711</cbc:ID>", "<cbc:ID>47<cbc:X/>11</cbc:ID>"), ubl.CodeMalformedUBL},
		"text within aggregate": {with("<cac:LegalMonetaryTotal>", "<cac:LegalMonetaryTotal>72.00"), ubl.CodeMalformedUBL},
	}
}

func TestHostileFiles(t *testing.T) {
	for name, c := range hostile(t) {
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			r := ubl.Read("x", []byte(c.file), false).Result
			if r.Status != ubl.Refused || r.Code != c.code || r.Message == "" || r.Stated != nil || r.Computed != nil {
				t.Errorf("%+v, want %s", r, c.code)
			}
			if took := time.Since(begin); took > 20*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// TestStrict changes one thing of a good invoice.
func TestStrict(t *testing.T) {
	file := render(t, sale(t))
	twice := func(element string) [2]string { return [2]string{element, element + element} }
	gone := func(element string) [2]string { return [2]string{element, ""} }
	for name, c := range map[string]struct {
		code   string
		change [2]string
	}{
		"number twice":         {ubl.CodeDuplicateElement, twice("<cbc:ID>4711</cbc:ID>")},
		"date twice":           {ubl.CodeDuplicateElement, twice("<cbc:IssueDate>2026-01-31</cbc:IssueDate>")},
		"due date twice":       {ubl.CodeDuplicateElement, twice("<cbc:DueDate>2026-03-02</cbc:DueDate>")},
		"currency twice":       {ubl.CodeDuplicateElement, twice("<cbc:DocumentCurrencyCode>GBP</cbc:DocumentCurrencyCode>")},
		"due amount twice":     {ubl.CodeDuplicateElement, twice(`<cbc:PayableAmount currencyID="GBP">72.00</cbc:PayableAmount>`)},
		"price twice":          {ubl.CodeDuplicateElement, twice(`<cbc:PriceAmount currencyID="GBP">49.5</cbc:PriceAmount>`)},
		"quantity twice":       {ubl.CodeDuplicateElement, twice(`<cbc:InvoicedQuantity unitCode="HUR">1</cbc:InvoicedQuantity>`)},
		"name twice":           {ubl.CodeDuplicateElement, twice("<cbc:RegistrationName>Acme Ltd</cbc:RegistrationName>")},
		"unread twice":         {ubl.CodeDuplicateElement, twice("<cbc:CustomizationID>urn:cen.eu:en16931:2017</cbc:CustomizationID>")},
		"no number":            {ubl.CodeMissingElement, gone("<cbc:ID>4711</cbc:ID>")},
		"blank number":         {ubl.CodeMissingElement, [2]string{"<cbc:ID>4711</cbc:ID>", "<cbc:ID> \n </cbc:ID>"}},
		"no date":              {ubl.CodeMissingElement, gone("<cbc:IssueDate>2026-01-31</cbc:IssueDate>")},
		"no type":              {ubl.CodeMissingElement, gone("<cbc:InvoiceTypeCode>380</cbc:InvoiceTypeCode>")},
		"no currency":          {ubl.CodeMissingElement, gone("<cbc:DocumentCurrencyCode>GBP</cbc:DocumentCurrencyCode>")},
		"no supplier":          {ubl.CodeMissingElement, gone("<cbc:RegistrationName>Acme Ltd</cbc:RegistrationName>")},
		"no buyer":             {ubl.CodeMissingElement, gone("<cbc:RegistrationName>Ada Lovelace</cbc:RegistrationName>")},
		"no due amount":        {ubl.CodeMissingElement, gone(`<cbc:PayableAmount currencyID="GBP">72.00</cbc:PayableAmount>`)},
		"no quantity":          {ubl.CodeMissingElement, gone(`<cbc:InvoicedQuantity unitCode="HUR">1</cbc:InvoicedQuantity>`)},
		"no price":             {ubl.CodeMissingElement, gone(`<cbc:PriceAmount currencyID="GBP">49.5</cbc:PriceAmount>`)},
		"no name":              {ubl.CodeMissingElement, gone("<cbc:Name>Consulting</cbc:Name>")},
		"no indicator":         {ubl.CodeMissingElement, gone("<cbc:ChargeIndicator>false</cbc:ChargeIndicator>")},
		"no currency of price": {ubl.CodeMissingElement, [2]string{`<cbc:PriceAmount currencyID="GBP">49.5`, `<cbc:PriceAmount>49.5`}},
		"no currency of tax":   {ubl.CodeMissingElement, [2]string{"<cac:TaxTotal>\n<cbc:TaxAmount currencyID=\"GBP\">", "<cac:TaxTotal>\n<cbc:TaxAmount>"}},
		"two tax totals":       {ubl.CodeDuplicateElement, [2]string{"<cac:LegalMonetaryTotal>", "<cac:TaxTotal><cbc:TaxAmount currencyID=\"GBP\">12.00</cbc:TaxAmount></cac:TaxTotal><cac:LegalMonetaryTotal>"}},
		"unknown currency":     {"unknown-currency", [2]string{">GBP<", ">QQQ<"}},
		"bad date":             {ubl.CodeBadDate, [2]string{"2026-01-31", "31.01.2026"}},
		"no such date":         {ubl.CodeBadDate, [2]string{"2026-01-31", "2026-02-30"}},
		"date with a zone":     {ubl.CodeBadDate, [2]string{"2026-01-31", "2026-01-31Z"}},
		"comma":                {ubl.CodeBadNumber, [2]string{">49.5<", ">49,5<"}},
		"exponent":             {ubl.CodeBadNumber, [2]string{">49.5<", ">4.95e1<"}},
		"NaN":                  {ubl.CodeBadNumber, [2]string{">49.5<", ">NaN<"}},
		"half a penny":         {ubl.CodeBadNumber, [2]string{">72.00</cbc:PayableAmount>", ">72.005</cbc:PayableAmount>"}},
		"endless number":       {ubl.CodeBadNumber, [2]string{">49.5<", ">" + strings.Repeat("9", 1000) + "<"}},
		"two signs":            {ubl.CodeBadNumber, [2]string{">49.5<", ">+-49.5<"}},
		"maybe":                {ubl.CodeBadNumber, [2]string{">false<", ">maybe<"}},
		"base quantity 0":      {ubl.CodeBadNumber, [2]string{`<cbc:BaseQuantity unitCode="C62">100<`, `<cbc:BaseQuantity unitCode="C62">0<`}},
		"negative percentage":  {ubl.CodeBadNumber, [2]string{"<cbc:Percent>20</cbc:Percent>\n<cac:TaxScheme>\n<cbc:ID>VAT</cbc:ID>\n</cac:TaxScheme>\n</cac:TaxCategory>", "<cbc:Percent>-20</cbc:Percent>\n<cac:TaxScheme>\n<cbc:ID>VAT</cbc:ID>\n</cac:TaxScheme>\n</cac:TaxCategory>"}},
		"other currency":       {ubl.CodeMixedCurrencies, [2]string{`<cbc:PriceAmount currencyID="GBP">49.5`, `<cbc:PriceAmount currencyID="EUR">49.5`}},
		"other total currency": {ubl.CodeMixedCurrencies, [2]string{`<cbc:PayableAmount currencyID="GBP">`, `<cbc:PayableAmount currencyID="EUR">`}},
		"price per other unit": {ubl.CodeUnitMismatch, [2]string{`<cbc:BaseQuantity unitCode="C62">`, `<cbc:BaseQuantity unitCode="KGM">`}},
	} {
		t.Run(name, func(t *testing.T) {
			changed := change(t, file, c.change[0], c.change[1])
			if _, err := ubl.Parse([]byte(changed)); codeOf(err) != c.code {
				t.Errorf("%v, want %s", err, c.code)
			}
		})
	}
}

// TestHarmless changes a good invoice in ways that mean the same.
func TestHarmless(t *testing.T) {
	file := render(t, sale(t))
	const extension = `<e:UBLExtensions xmlns:e="urn:oasis:names:specification:ubl:schema:xsd:CommonExtensionComponents-2"><e:UBLExtension><x xmlns="urn:x">any<y/></x></e:UBLExtension></e:UBLExtensions>`
	for name, changed := range map[string]string{
		"declaration":       `<?xml version="1.0" encoding="utf-8"?>` + file,
		"byte order mark":   "\xef\xbb\xbf" + file,
		"CRLF":              strings.ReplaceAll(file, "\n", "\r\n"),
		"comments":          change(t, file, ">4711<", "><!-- a -->47<!-- b -->11<"),
		"CDATA":             change(t, file, ">4711<", "><![CDATA[4711]]><"),
		"character refs":    change(t, file, ">4711<", ">&#52;711<"),
		"instruction":       `<?xml-stylesheet href="x.xsl"?>` + file,
		"extension":         change(t, file, "<cbc:ID>4711", extension+"<cbc:ID>4711"),
		"unread element":    change(t, file, "<cbc:ID>4711", "<cbc:CopyIndicator>false</cbc:CopyIndicator><cbc:ID>4711"),
		"plus sign":         change(t, file, ">49.5<", ">+49.5<"),
		"zeros":             change(t, file, ">49.5<", "> 0049.500 <"),
		"base quantity 1":   change(t, file, ">49.5</cbc:PriceAmount>", `>49.5</cbc:PriceAmount><cbc:BaseQuantity unitCode="HUR">1</cbc:BaseQuantity>`),
		"other tax total":   change(t, file, "<cac:TaxTotal>", `<cac:TaxTotal><cbc:TaxAmount currencyID="EUR">14</cbc:TaxAmount></cac:TaxTotal><cac:TaxTotal>`),
		"no tax total":      file[:strings.Index(file, "<cac:TaxTotal>")] + file[strings.Index(file, "<cac:LegalMonetaryTotal>"):],
		"percentage known":  change(t, file, `<cbc:Amount currencyID="GBP">1.90`, `<cbc:MultiplierFactorNumeric>15.3</cbc:MultiplierFactorNumeric><cbc:Amount currencyID="GBP">1.90`),
		"percentage fits":   change(t, file, `<cbc:Amount currencyID="GBP">1.90</cbc:Amount>`, `<cbc:MultiplierFactorNumeric>15.3</cbc:MultiplierFactorNumeric><cbc:Amount currencyID="GBP">1.90</cbc:Amount><cbc:BaseAmount currencyID="GBP">12.40</cbc:BaseAmount>`),
		"percentage is off": change(t, file, `<cbc:Amount currencyID="GBP">1.90</cbc:Amount>`, `<cbc:MultiplierFactorNumeric>15</cbc:MultiplierFactorNumeric><cbc:Amount currencyID="GBP">1.90</cbc:Amount><cbc:BaseAmount currencyID="GBP">12.40</cbc:BaseAmount>`),
		"other prefixes":    strings.NewReplacer("cbc:", "b:", "cac:", "a:", "xmlns:cbc", "xmlns:b", "xmlns:cac", "xmlns:a").Replace(file),
	} {
		t.Run(name, func(t *testing.T) {
			r := ubl.Read("x", []byte(changed), false).Result
			if r.Status != ubl.Agrees || r.Number != "4711" || r.Computed.Due != "72.00" {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestUnsupported holds that what can be read is computed, supported or not.
func TestUnsupported(t *testing.T) {
	file := render(t, sale(t))
	line := file[strings.Index(file, "<cac:InvoiceLine>"):strings.Index(file, "</Invoice>")]
	line = line[:strings.Index(line, "</cac:InvoiceLine>")] + "</cac:InvoiceLine>"
	below := strings.NewReplacer("cac:InvoiceLine>", "cac:SubInvoiceLine>").Replace(line)
	for name, c := range map[string]struct {
		code   string
		change [2]string
	}{
		"sub-lines":   {ubl.CodeSubLines, [2]string{"<cbc:ID>1</cbc:ID>", "<cbc:ID>1</cbc:ID>" + below}},
		"prepayments": {ubl.CodeThirdPartyPrepayments, [2]string{"<cac:TaxTotal>", `<cac:PrepaidPayment><cbc:PaidAmount currencyID="GBP">5</cbc:PaidAmount></cac:PrepaidPayment><cac:TaxTotal>`}},
		"withholding": {ubl.CodeWithholdingTax, [2]string{"<cac:TaxTotal>", `<cac:WithholdingTaxTotal><cbc:TaxAmount currencyID="GBP">5</cbc:TaxAmount></cac:WithholdingTaxTotal><cac:TaxTotal>`}},
		"free":        {ubl.CodeUnsupported, [2]string{"<cbc:ID>1</cbc:ID>", "<cbc:ID>1</cbc:ID><cbc:FreeOfChargeIndicator>true</cbc:FreeOfChargeIndicator>"}},
		"factor":      {ubl.CodeUnsupported, [2]string{">49.5</cbc:PriceAmount>", ">49.5</cbc:PriceAmount><cbc:OrderableUnitFactorRate>12</cbc:OrderableUnitFactorRate>"}},
		"gross":       {ubl.CodeUnsupported, [2]string{"<cac:TaxTotal>", "<cac:TaxTotal><cbc:TaxIncludedIndicator>true</cbc:TaxIncludedIndicator>"}},
		"prepaid":     {ubl.CodeUnsupported, [2]string{"<cbc:ChargeIndicator>", "<cbc:PrepaidIndicator>true</cbc:PrepaidIndicator><cbc:ChargeIndicator>"}},
		"pro forma":   {ubl.CodeUnsupportedType, [2]string{">380<", ">325<"}},
		"credit note": {ubl.CodeUnsupportedType, [2]string{">380<", ">381<"}},
		"other tax":   {ubl.CodeUnsupportedTax, [2]string{"<cbc:ID>VAT</cbc:ID>\n</cac:TaxScheme>\n</cac:TaxCategory>", "<cbc:ID>GST</cbc:ID>\n</cac:TaxScheme>\n</cac:TaxCategory>"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := ubl.Read("x", []byte(change(t, file, c.change[0], c.change[1])), true).Result
			if r.Status != ubl.Refused || r.Code != c.code || r.Hint == "" {
				t.Errorf("%s %s, want %s", r.Status, r.Code, c.code)
			}
			if r.Computed == nil || *r.Computed != *r.Stated || r.Computed.Gross != "72.00" {
				t.Errorf("computed %+v, stated %+v", r.Computed, r.Stated)
			}
		})
	}
}

// TestTypes lists what can be entered.
func TestTypes(t *testing.T) {
	for kind, types := range map[domain.Kind]string{
		domain.KindInvoice: "380 326 383 384 386 389 393 394 875 876 877", domain.KindCredit: "381 261 262 296 308 396 420 458 532",
	} {
		for code := range strings.FieldsSeq(types) {
			d := sale(t)
			if kind == domain.KindCredit {
				d = refund(t)
			}
			d.Type = code
			if r := ubl.Read("x", []byte(render(t, d)), false).Result; r.Status != ubl.Agrees {
				t.Errorf("%s %s: %s %s", kind, code, r.Status, r.Code)
			}
			read, err := ubl.Parse([]byte(render(t, d)))
			if err != nil || read.Content.Deposit != (code == "386") {
				t.Errorf("%s %s is a deposit: %t, %v", kind, code, read.Content.Deposit, err)
			}
		}
	}
}
