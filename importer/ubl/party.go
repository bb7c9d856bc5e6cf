package ubl

import (
	"strconv"

	"github.com/daybook-ledger/daybook/domain/field"
)

func (p *parser) parties() {
	p.at = "the supplier"
	p.doc.Supplier = p.party(p.must(p.root, "cac:AccountingSupplierParty", "cac:Party"))
	p.at = "the buyer"
	p.doc.Buyer = p.party(p.must(p.root, "cac:AccountingCustomerParty", "cac:Party"))
	p.at = ""
}

func (p *parser) party(n *node) Party {
	party := Party{
		Name:        p.line(n, "cac:PartyLegalEntity", "cbc:RegistrationName"),
		TradingName: p.line(n, "cac:PartyName", "cbc:Name"),
		LegalID:     p.identifier(p.maybe(n, "cac:PartyLegalEntity", "cbc:CompanyID")),
		Email:       p.line(n, "cac:Contact", "cbc:ElectronicMail"),
		VATID:       p.vatID(n),
	}
	if party.Name == "" {
		party.Name = party.TradingName
	}
	if party.Name == "" {
		p.refuse(CodeMissingElement, "there is no cac:PartyLegalEntity/cbc:RegistrationName, or nothing in it")
	}
	for _, id := range n.all("cac:PartyIdentification") {
		if named := p.identifier(p.maybe(id, "cbc:ID")); party.ID == "" && id.child().scheme != "SEPA" {
			party.ID = named
		}
	}
	p.address(&party, p.maybe(n, "cac:PostalAddress"))
	return party
}

// child is the first child, or an empty node.
func (n *node) child() *node {
	if len(n.children) == 0 {
		return &node{}
	}
	return n.children[0]
}

// identifier is an id, with its scheme where it has one.
func (p *parser) identifier(n *node) string {
	switch {
	case n == nil || n.text == "":
		return ""
	case n.scheme != "":
		return oneLine(n.scheme + ":" + n.text)
	}
	return oneLine(n.text)
}

func (p *parser) vatID(n *node) string {
	id := ""
	for _, scheme := range n.all("cac:PartyTaxScheme") {
		if p.line(scheme, "cac:TaxScheme", "cbc:ID") != "VAT" {
			continue
		}
		if id != "" {
			p.refuse(CodeDuplicateElement, "there are two VAT ids")
		}
		id = p.mustLine(scheme, "cbc:CompanyID")
	}
	return id
}

func (p *parser) address(party *Party, n *node) {
	if n == nil {
		return
	}
	for _, line := range []string{
		p.line(n, "cbc:StreetName"), p.line(n, "cbc:AdditionalStreetName"),
		p.line(n, "cac:AddressLine", "cbc:Line"), p.line(n, "cbc:CountrySubentity"),
	} {
		if line != "" {
			party.Address = append(party.Address, line)
		}
	}
	party.City, party.Postcode = p.line(n, "cbc:CityName"), p.line(n, "cbc:PostalZone")
	party.Country = p.line(n, "cac:Country", "cbc:IdentificationCode")
	if !field.IsCountry(party.Country) {
		party.Country, party.CountryText = "", party.Country
	}
}

func partName(name string, index int) string { return name + " " + strconv.Itoa(index+1) }
