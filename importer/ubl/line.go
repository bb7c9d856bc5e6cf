package ubl

import (
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
)

// lines reads the lines (BG-25). Sub-lines are left out: the line above them
// has their sum.
func (p *parser) lines() {
	lines := p.root.all(p.lineName)
	if len(lines) > invoice.MaxLines {
		p.refuse("too-many-lines", "the document has %d lines, more than %d", len(lines), invoice.MaxLines)
		return
	}
	for i, n := range lines {
		p.part("line", i)
		if len(n.all(p.sublines)) > 0 {
			p.doc.unsupported(CodeSubLines, "line %d has lines below it (%s)", i+1, p.sublines)
		}
		p.doc.Content.Lines = append(p.doc.Content.Lines, p.readLine(n))
		p.doc.Stated.Lines = append(p.doc.Stated.Lines, p.mustAmount(n, "cbc:LineExtensionAmount"))
	}
	p.at = ""
	if len(p.doc.Content.Lines) == 0 {
		p.refuse(CodeMissingElement, "there is no %s", p.lineName)
	}
}

func (p *parser) readLine(n *node) invoice.Line {
	p.mustLine(n, "cbc:ID")
	p.single(n, "cbc:Note", "cbc:AccountingCost", "cac:InvoicePeriod", "cac:OrderLineReference")
	item, price, quantity := p.must(n, "cac:Item"), p.must(n, "cac:Price"), p.must(n, p.quantity)
	line := invoice.Line{
		Item:     p.line(item, "cac:SellersItemIdentification", "cbc:ID"),
		Quantity: p.decimal(quantity),
		Rate:     p.rate(p.must(item, "cac:ClassifiedTaxCategory")),
	}
	if line.Item == "" {
		line.Item = p.line(item, "cac:StandardItemIdentification", "cbc:ID")
	}
	if amount := p.must(price, "cbc:PriceAmount"); amount != nil {
		p.sameCurrency(amount)
		line.Price = p.decimal(amount)
	}
	if quantity != nil {
		line.Unit = quantity.unit
		line.BaseQuantity = p.baseQuantity(price, line.Unit)
	}
	for _, a := range n.all("cac:AllowanceCharge") {
		line.Adjustments = append(line.Adjustments, p.adjustment(a))
	}
	p.describe(n, item)
	p.freeOrFactor(n, price)
	return line
}

// baseQuantity reads the quantity that the price is for. 1 is not kept: it is
// what is meant without any.
func (p *parser) baseQuantity(price *node, unit string) money.Decimal {
	n := p.maybe(price, "cbc:BaseQuantity")
	if n == nil {
		return money.Decimal{}
	}
	base := p.decimal(n)
	switch {
	case base.Sign() <= 0:
		p.refuse(CodeBadNumber, "the price is for %s units", base)
	case n.unit != "" && n.unit != unit:
		p.refuse(CodeUnitMismatch, "the price is for units of %.20q, and the quantity is of %.20q", n.unit, unit)
	case base == money.IntegerDecimal(1):
		return money.Decimal{}
	}
	return base
}

// describe joins the name, the description and the note of a line.
func (p *parser) describe(n, item *node) {
	text := p.mustLine(item, "cbc:Name")
	for _, more := range []string{p.block(item, "cbc:Description"), p.block(n, "cbc:Note")} {
		if more != "" && more != text {
			text += "\n" + more
		}
	}
	p.doc.Text.Lines = append(p.doc.Text.Lines, text)
}

// freeOrFactor notes what changes the arithmetic of a line.
func (p *parser) freeOrFactor(n, price *node) {
	if p.indicator(n, "cbc:FreeOfChargeIndicator") {
		p.doc.unsupported(CodeUnsupported, "%s is free of charge (cbc:FreeOfChargeIndicator)", p.at)
	}
	if factor := p.maybe(price, "cbc:OrderableUnitFactorRate"); factor != nil && p.decimal(factor) != money.IntegerDecimal(1) {
		p.doc.unsupported(CodeUnsupported, "%s converts units (cbc:OrderableUnitFactorRate)", p.at)
	}
}
