package ubl_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
	"github.com/daybook-ledger/daybook/importer/ubl"
)

func currency(t testing.TB, code string) money.Currency {
	t.Helper()
	c, err := money.ParseCurrency(code)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func decimal(t testing.TB, text string) money.Decimal {
	t.Helper()
	d, err := money.ParseDecimal(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func amount(t testing.TB, text string) money.Amount {
	t.Helper()
	a, err := money.ParseAmount(text, currency(t, "GBP"))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func codeOf(err error) string {
	var refusal *domain.Refusal
	if errors.As(err, &refusal) {
		return refusal.Code
	}
	return fmt.Sprint(err)
}

// writer writes UBL: as little as EN 16931 asks for, and whatever a document
// of this package can hold.
type writer struct{ strings.Builder }

func (w *writer) el(name, text string, attrs ...string) {
	if text == "" {
		return
	}
	w.WriteString("<" + name)
	for i := 0; i+1 < len(attrs); i += 2 {
		fmt.Fprintf(w, " %s=%q", attrs[i], attrs[i+1])
	}
	w.WriteString(">")
	_ = xml.EscapeText(w, []byte(text))
	w.WriteString("</" + name + ">\n")
}

func (w *writer) in(name string, f func()) {
	w.WriteString("<" + name + ">\n")
	f()
	w.WriteString("</" + name + ">\n")
}

func (w *writer) amount(name string, a money.Amount) {
	w.el(name, a.String(), "currencyID", a.Currency().String())
}

func (w *writer) category(name string, r tax.Rate, more func()) {
	w.in(name, func() {
		w.el("cbc:ID", string(r.Category))
		if r.Category != tax.OutsideScope {
			w.el("cbc:Percent", r.Percent.String())
		}
		if more != nil {
			more()
		}
		w.in("cac:TaxScheme", func() { w.el("cbc:ID", "VAT") })
	})
}

func (w *writer) party(name string, p ubl.Party) {
	w.in(name, func() {
		w.in("cac:Party", func() {
			if p.ID != "" {
				w.in("cac:PartyIdentification", func() { w.el("cbc:ID", p.ID) })
			}
			if p.TradingName != "" {
				w.in("cac:PartyName", func() { w.el("cbc:Name", p.TradingName) })
			}
			w.in("cac:PostalAddress", func() {
				if len(p.Address) > 0 {
					w.el("cbc:StreetName", p.Address[0])
				}
				w.el("cbc:CityName", p.City)
				w.el("cbc:PostalZone", p.Postcode)
				if p.Country+p.CountryText != "" {
					w.in("cac:Country", func() { w.el("cbc:IdentificationCode", p.Country+p.CountryText) })
				}
			})
			if p.VATID != "" {
				w.in("cac:PartyTaxScheme", func() {
					w.el("cbc:CompanyID", p.VATID)
					w.in("cac:TaxScheme", func() { w.el("cbc:ID", "VAT") })
				})
			}
			w.in("cac:PartyLegalEntity", func() {
				w.el("cbc:RegistrationName", p.Name)
				w.el("cbc:CompanyID", p.LegalID)
			})
			if p.Email != "" {
				w.in("cac:Contact", func() { w.el("cbc:ElectronicMail", p.Email) })
			}
		})
	})
}

func (w *writer) adjustment(a tax.Adjustment) {
	w.in("cac:AllowanceCharge", func() {
		w.el("cbc:ChargeIndicator", fmt.Sprint(a.Charge))
		w.el("cbc:AllowanceChargeReason", a.Reason)
		if !a.Percent.IsZero() {
			w.el("cbc:MultiplierFactorNumeric", a.Percent.String())
		}
		w.amount("cbc:Amount", a.Amount)
		if !a.Base.IsZero() {
			w.amount("cbc:BaseAmount", a.Base)
		}
		if !a.Rate.IsZero() {
			w.category("cac:TaxCategory", a.Rate, nil)
		}
	})
}

// failing is a test, or one run of a property.
type failing interface {
	Helper()
	Fatalf(format string, args ...any)
}

// render writes a document with the totals that follow from it.
func render(t failing, d *ubl.Document) string {
	t.Helper()
	_, totals, err := d.Content.Compute()
	if err != nil {
		t.Fatalf("the document to write cannot be computed: %v", err)
	}
	w := &writer{}
	root, prefix, quantity, typeCode := "Invoice", "cac:InvoiceLine", "cbc:InvoicedQuantity", "cbc:InvoiceTypeCode"
	if d.Kind == domain.KindCredit {
		root, prefix, quantity, typeCode = "CreditNote", "cac:CreditNoteLine", "cbc:CreditedQuantity", "cbc:CreditNoteTypeCode"
	}
	const ns = "urn:oasis:names:specification:ubl:schema:xsd:"
	fmt.Fprintf(w, "<%s xmlns=%q xmlns:cac=%q xmlns:cbc=%q>\n", root, ns+root+"-2",
		ns+"CommonAggregateComponents-2", ns+"CommonBasicComponents-2")
	w.el("cbc:CustomizationID", "urn:cen.eu:en16931:2017")
	w.el("cbc:ID", d.Number)
	w.el("cbc:IssueDate", string(d.Date))
	w.el("cbc:DueDate", string(d.Content.DueDate))
	w.el(typeCode, d.Type)
	w.el("cbc:Note", d.Text.Note)
	w.el("cbc:DocumentCurrencyCode", d.Content.Currency.String())
	for _, p := range d.Preceding {
		w.in("cac:BillingReference", func() {
			w.in("cac:InvoiceDocumentReference", func() {
				w.el("cbc:ID", p.Number)
				w.el("cbc:IssueDate", string(p.Date))
			})
		})
	}
	w.party("cac:AccountingSupplierParty", d.Supplier)
	w.party("cac:AccountingCustomerParty", d.Buyer)
	if d.Content.SupplyDate != "" {
		w.in("cac:Delivery", func() { w.el("cbc:ActualDeliveryDate", string(d.Content.SupplyDate)) })
	}
	if d.Text.Terms != "" {
		w.in("cac:PaymentTerms", func() { w.el("cbc:Note", d.Text.Terms) })
	}
	for _, a := range d.Content.Adjustments {
		w.adjustment(a)
	}
	w.totals(d.Content, totals)
	for i, line := range d.Content.Lines {
		w.in(prefix, func() { w.line(i, line, d.Text.Lines[i], quantity, totals.LineNets[i]) })
	}
	w.WriteString("</" + root + ">\n")
	return w.String()
}

func (w *writer) totals(c invoice.Content, t tax.Totals) {
	w.in("cac:TaxTotal", func() {
		w.amount("cbc:TaxAmount", t.Tax)
		for _, s := range t.Breakdown {
			w.in("cac:TaxSubtotal", func() {
				w.amount("cbc:TaxableAmount", s.Taxable)
				w.amount("cbc:TaxAmount", s.Tax)
				w.category("cac:TaxCategory", s.Rate, func() {
					w.el("cbc:TaxExemptionReasonCode", s.ReasonCode)
					w.el("cbc:TaxExemptionReason", s.Reason)
				})
			})
		}
	})
	w.in("cac:LegalMonetaryTotal", func() {
		w.amount("cbc:LineExtensionAmount", t.Lines)
		w.amount("cbc:TaxExclusiveAmount", t.Net)
		w.amount("cbc:TaxInclusiveAmount", t.Gross)
		w.amount("cbc:PrepaidAmount", t.Prepaid)
		w.amount("cbc:PayableRoundingAmount", t.Rounding)
		w.amount("cbc:PayableAmount", t.Due)
	})
}

func (w *writer) line(i int, line invoice.Line, description, quantity string, net money.Amount) {
	w.el("cbc:ID", fmt.Sprint(i+1))
	w.el(quantity, line.Quantity.String(), "unitCode", line.Unit)
	w.amount("cbc:LineExtensionAmount", net)
	for _, a := range line.Adjustments {
		w.adjustment(a)
	}
	w.in("cac:Item", func() {
		w.el("cbc:Name", description)
		if line.Item != "" {
			w.in("cac:SellersItemIdentification", func() { w.el("cbc:ID", line.Item) })
		}
		w.category("cac:ClassifiedTaxCategory", line.Rate, nil)
	})
	w.in("cac:Price", func() {
		w.el("cbc:PriceAmount", line.Price.String(), "currencyID", net.Currency().String())
		if !line.BaseQuantity.IsZero() {
			w.el("cbc:BaseQuantity", line.BaseQuantity.String(), "unitCode", line.Unit)
		}
	})
}

// sale is an invoice of the seller of membook: two lines of 49.50 and 12.40,
// with an allowance of 1.90 on the second: 60.00 net, 72.00 gross.
func sale(t testing.TB) *ubl.Document {
	standard := tax.Rate{Category: tax.Standard, Percent: decimal(t, "20")}
	return &ubl.Document{
		Kind: domain.KindInvoice, Type: "380", Number: "4711", Date: "2026-01-31",
		Supplier: ubl.Party{Name: "Acme Ltd", VATID: "GB123456789", Country: "GB"},
		Buyer:    ubl.Party{Name: "Ada Lovelace", ID: "C-1", Country: "GB", City: "London", Address: []string{"12 St James's Square"}},
		Content: invoice.Content{
			Currency: currency(t, "GBP"), Rounding: money.HalfUp, DueDate: "2026-03-02", SupplyDate: "2026-01-15",
			Lines: []invoice.Line{
				{Item: "DEV", Quantity: decimal(t, "1"), Unit: "HUR", Price: decimal(t, "49.5"), Rate: standard},
				{
					Quantity: decimal(t, "500"), Unit: "C62", Price: decimal(t, "2.48"), BaseQuantity: decimal(t, "100"), Rate: standard,
					Adjustments: []tax.Adjustment{{Amount: amount(t, "1.90"), Reason: "Loyalty"}},
				},
			},
		},
		Text: invoice.Text{Lines: []string{"Consulting", "Flyers"}, Note: "Thank you", Terms: "30 days"},
	}
}

// refund is a credit note on sale's invoice: its first line.
func refund(t testing.TB) *ubl.Document {
	d := sale(t)
	d.Kind, d.Type, d.Number, d.Date = domain.KindCredit, "381", "C-4711", "2026-02-01"
	d.Preceding = []ubl.Preceding{{Number: "4711", Date: "2026-01-31"}}
	d.Content.Lines, d.Text.Lines = d.Content.Lines[:1], d.Text.Lines[:1]
	d.Content.DueDate = ""
	return d
}

// change replaces a text of a file, which must be there once.
func change(t testing.TB, file, old, new string) string {
	t.Helper()
	if strings.Count(file, old) != 1 {
		t.Fatalf("%q stands %d times in the file", old, strings.Count(file, old))
	}
	return strings.Replace(file, old, new, 1)
}
