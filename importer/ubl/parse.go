package ubl

import (
	"strings"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
)

// form is how the names of elements differ between invoices and credit notes.
type form struct {
	kind                                   domain.Kind
	typeCode, lineName, quantity, sublines string
	types                                  []string
}

// forms lists them by the name of the root, each with the type codes that can
// be entered.
var forms = map[string]form{
	"Invoice": {
		domain.KindInvoice, "cbc:InvoiceTypeCode", "cac:InvoiceLine", "cbc:InvoicedQuantity", "cac:SubInvoiceLine",
		[]string{"380", "326", "383", "384", "386", "389", "393", "394", "875", "876", "877"},
	},
	"CreditNote": {
		domain.KindCredit, "cbc:CreditNoteTypeCode", "cac:CreditNoteLine", "cbc:CreditedQuantity", "cac:SubCreditNoteLine",
		[]string{"381", "261", "262", "296", "308", "396", "420", "458", "532"},
	},
}

// prepayment is the type code of a deposit invoice.
const prepayment = "386"

// maxSubtotals is far beyond what any country has of rates.
const maxSubtotals = 1000

// once lists what EN 16931 has at most once on a document, read or not.
var once = []string{
	"cbc:UBLVersionID", "cbc:CustomizationID", "cbc:ProfileID", "cbc:ID", "cbc:IssueDate", "cbc:DueDate",
	"cbc:InvoiceTypeCode", "cbc:CreditNoteTypeCode", "cbc:TaxPointDate", "cbc:DocumentCurrencyCode",
	"cbc:TaxCurrencyCode", "cbc:AccountingCost", "cbc:BuyerReference", "cac:InvoicePeriod", "cac:OrderReference",
	"cac:DespatchDocumentReference", "cac:ReceiptDocumentReference", "cac:OriginatorDocumentReference",
	"cac:ContractDocumentReference", "cac:ProjectReference", "cac:AccountingSupplierParty",
	"cac:AccountingCustomerParty", "cac:PayeeParty", "cac:TaxRepresentativeParty", "cac:Delivery",
	"cac:PaymentTerms", "cac:LegalMonetaryTotal",
}

// Parse reads a UBL 2.1 Invoice or CreditNote. What cannot be read is refused
// by one of the codes of this package; what can be read and not entered is told
// in the document's Unsupported.
func Parse(data []byte) (*Document, error) {
	root, err := readTree(data)
	if err != nil {
		return nil, err
	}
	p := &parser{form: forms[root.name], root: root, doc: &Document{}}
	p.header()
	p.parties()
	p.texts()
	p.dates()
	p.lines()
	p.adjustments()
	p.totals()
	p.refused()
	if p.err != nil {
		return nil, p.err
	}
	return p.doc, nil
}

type parser struct {
	picker
	form
	root *node
	doc  *Document
}

func (p *parser) header() {
	d, root := p.doc, p.root
	p.single(root, once...)
	d.Kind = p.kind
	d.Number = p.mustLine(root, "cbc:ID")
	d.Type = p.mustLine(root, p.typeCode)
	if d.Date = p.date(root, "cbc:IssueDate"); d.Date == "" {
		p.refuse(CodeMissingElement, "there is no cbc:IssueDate")
	}
	currency, err := money.ParseCurrency(p.mustLine(root, "cbc:DocumentCurrencyCode"))
	if err != nil {
		p.fail("", err)
	}
	p.currency = currency
	d.Content.Currency, d.Content.Rounding = currency, money.HalfUp
	d.Content.Deposit = d.Type == prepayment && d.Kind == domain.KindInvoice
	for _, reference := range root.all("cac:BillingReference") {
		if invoice := p.maybe(reference, "cac:InvoiceDocumentReference"); invoice != nil {
			d.Preceding = append(d.Preceding, Preceding{p.mustLine(invoice, "cbc:ID"), p.date(invoice, "cbc:IssueDate")})
		}
	}
}

// texts joins the notes; each may begin with a code of its subject, as #AAC#.
func (p *parser) texts() {
	var notes []string
	for _, note := range p.root.all("cbc:Note") {
		if note.text != "" {
			notes = append(notes, note.text)
		}
	}
	p.doc.Text.Note = strings.Join(notes, "\n")
	p.doc.Text.Terms = p.block(p.root, "cac:PaymentTerms", "cbc:Note")
}

// dates reads when to pay and when the supply was: its day, else the last of
// the period, else the date on which tax becomes due.
func (p *parser) dates() {
	c := &p.doc.Content
	if p.kind == domain.KindInvoice { // there is none on a credit note of the book
		c.DueDate = p.date(p.root, "cbc:DueDate")
	}
	for _, path := range [][]string{
		{"cac:Delivery", "cbc:ActualDeliveryDate"}, {"cac:InvoicePeriod", "cbc:EndDate"}, {"cbc:TaxPointDate"},
	} {
		if date := p.date(p.root, path...); c.SupplyDate == "" {
			c.SupplyDate = date
		}
	}
}

// adjustments reads the allowances and charges of the whole document (BG-20,
// BG-21).
func (p *parser) adjustments() {
	for i, n := range p.root.all("cac:AllowanceCharge") {
		p.part("allowance or charge", i)
		a := p.adjustment(n)
		a.Rate = p.rate(p.must(n, "cac:TaxCategory"))
		p.doc.Content.Adjustments = append(p.doc.Content.Adjustments, a)
	}
	p.at = ""
}

// adjustment reads one allowance or charge. Its amount is what counts: the
// percentage is kept where it gives just that amount of its base.
func (p *parser) adjustment(n *node) tax.Adjustment {
	p.must(n, "cbc:ChargeIndicator")
	a := tax.Adjustment{
		Charge: p.indicator(n, "cbc:ChargeIndicator"),
		Amount: p.mustAmount(n, "cbc:Amount"),
		Reason: p.block(n, "cbc:AllowanceChargeReason"),
	}
	if a.Reason == "" {
		a.Reason = p.line(n, "cbc:AllowanceChargeReasonCode")
	}
	if p.indicator(n, "cbc:PrepaidIndicator") {
		p.doc.unsupported(CodeUnsupported, "an allowance or charge was paid before (cbc:PrepaidIndicator)")
	}
	percent := p.decimal(p.maybe(n, "cbc:MultiplierFactorNumeric"))
	base, found := p.amount(n, "cbc:BaseAmount")
	if p.err != nil || !found || base.IsZero() || percent.IsZero() || a.Amount.IsZero() {
		return a
	}
	if whole, err := money.Percent(base, percent, money.HalfUp); err == nil && whole == a.Amount {
		a.Percent, a.Base = percent, base
	}
	return a
}

// rate reads a tax category. Whether VAT has it is for package tax to say.
func (p *parser) rate(n *node) tax.Rate {
	rate := tax.Rate{
		Category: tax.Category(p.mustLine(n, "cbc:ID")),
		Percent:  p.decimal(p.maybe(n, "cbc:Percent")),
	}
	if len(rate.Category) > 10 { // of a text that long nobody needs to hear again
		_, err := tax.ParseCategory(string(rate.Category))
		p.fail("", err)
	}
	if rate.Percent.Sign() < 0 {
		p.refuse(CodeBadNumber, "the percentage %s is negative", rate.Percent)
	}
	if scheme := p.mustLine(n, "cac:TaxScheme", "cbc:ID"); p.err == nil && scheme != "VAT" {
		p.doc.unsupported(CodeUnsupportedTax, "%s: the tax is %.20q, and not VAT", p.at, scheme)
	}
	return rate
}

func (p *parser) totals() {
	total := p.must(p.root, "cac:LegalMonetaryTotal")
	s, c := &p.doc.Stated, &p.doc.Content
	s.Line = p.mustAmount(total, "cbc:LineExtensionAmount")
	s.Net = p.mustAmount(total, "cbc:TaxExclusiveAmount")
	s.Gross = p.mustAmount(total, "cbc:TaxInclusiveAmount")
	s.Due = p.mustAmount(total, "cbc:PayableAmount")
	c.Prepaid, _ = p.amount(total, "cbc:PrepaidAmount")
	c.RoundingAmount, _ = p.amount(total, "cbc:PayableRoundingAmount")
	p.single(total, "cbc:AllowanceTotalAmount", "cbc:ChargeTotalAmount")
	p.taxTotal()
}

// taxTotal reads the total in the document's currency. There may be another in
// the currency of the supplier's accounts (BT-111), which is not kept.
func (p *parser) taxTotal() {
	s := &p.doc.Stated
	for _, n := range p.root.all("cac:TaxTotal") {
		if a := p.must(n, "cbc:TaxAmount"); a != nil && a.currency != "" && a.currency != p.currency.String() && len(n.all("cac:TaxSubtotal")) == 0 {
			continue
		}
		if s.HasTax {
			p.refuse(CodeDuplicateElement, "there are two of cac:TaxTotal in %s", p.currency)
		}
		s.Tax, s.HasTax = p.mustAmount(n, "cbc:TaxAmount"), true
		if p.indicator(n, "cbc:TaxIncludedIndicator") {
			p.doc.unsupported(CodeUnsupported, "prices include tax (cbc:TaxIncludedIndicator)")
		}
		subtotals := n.all("cac:TaxSubtotal")
		if len(subtotals) > maxSubtotals {
			p.refuse(CodeTooLarge, "the tax breakdown has more than %d parts", maxSubtotals)
			return
		}
		for i, part := range subtotals {
			p.part("tax subtotal", i)
			p.subtotal(part)
		}
		p.at = ""
	}
}

func (p *parser) subtotal(n *node) {
	category := p.must(n, "cac:TaxCategory")
	subtotal := tax.Subtotal{
		Rate: p.rate(category), Taxable: p.mustAmount(n, "cbc:TaxableAmount"), Tax: p.mustAmount(n, "cbc:TaxAmount"),
		Reason: p.block(category, "cbc:TaxExemptionReason"), ReasonCode: p.line(category, "cbc:TaxExemptionReasonCode"),
	}
	s, c := &p.doc.Stated, &p.doc.Content
	for _, other := range s.Breakdown {
		if other.Rate == subtotal.Rate {
			p.refuse(CodeDuplicateElement, "there are two of cac:TaxSubtotal for %s", subtotal.Rate)
		}
	}
	s.Breakdown = append(s.Breakdown, subtotal)
	if subtotal.Reason != "" || subtotal.ReasonCode != "" {
		c.Exemptions = append(c.Exemptions, tax.Exemption{
			Category: subtotal.Rate.Category, Reason: subtotal.Reason, Code: subtotal.ReasonCode,
		})
	}
}

// refused notes what else cannot be entered.
func (p *parser) refused() {
	d := p.doc
	switch {
	case len(p.root.all("cac:PrepaidPayment")) > 0:
		d.unsupported(CodeThirdPartyPrepayments, "the document collects payments for others (cac:PrepaidPayment)")
	case len(p.root.all("cac:WithholdingTaxTotal")) > 0:
		d.unsupported(CodeWithholdingTax, "the buyer is to withhold tax (cac:WithholdingTaxTotal)")
	}
	for _, t := range p.types {
		if t == d.Type {
			return
		}
	}
	d.unsupported(CodeUnsupportedType, "documents of the type %.20q cannot be entered", d.Type)
}

// part says for messages which part of the document is read.
func (p *parser) part(name string, index int) { p.at = partName(name, index) }
