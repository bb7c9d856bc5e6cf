package ubl

// Codes of files that are no UBL document that can be read: nothing is known of
// their totals.
const (
	// CodeTooLarge: the file has more than MaxSize bytes, or too many elements.
	CodeTooLarge = "too-large"
	// CodeTooDeep: elements are nested more than 32 deep.
	CodeTooDeep = "too-deep"
	// CodeUnsupportedEncoding: the file is not in UTF-8.
	CodeUnsupportedEncoding = "unsupported-encoding"
	// CodeInvalidUTF8: the file is not valid UTF-8.
	CodeInvalidUTF8 = "invalid-utf8"
	// CodeDTD: the file has a document type declaration.
	CodeDTD = "dtd"
	// CodeEntity: the file refers to an entity that XML does not define.
	CodeEntity = "entity"
	// CodeMalformedXML: the file is not well-formed.
	CodeMalformedXML = "malformed-xml"
	// CodeWrongNamespace: an element is in none of UBL's namespaces.
	CodeWrongNamespace = "wrong-namespace"
	// CodeNotUBL: the file is neither an Invoice nor a CreditNote.
	CodeNotUBL = "not-ubl"
	// CodeMalformedUBL: a value has elements, or an aggregate has text.
	CodeMalformedUBL = "malformed-ubl"
	// CodeDuplicateElement: an element stands twice that may stand once.
	CodeDuplicateElement = "duplicate-element"
	// CodeMissingElement: an element is absent or empty that must be there.
	CodeMissingElement = "missing-element"
	// CodeBadDate: a date is not of the form 2026-01-31.
	CodeBadDate = "bad-date"
	// CodeBadNumber: an amount, quantity, percentage or indicator cannot be read.
	CodeBadNumber = "bad-number"
	// CodeMixedCurrencies: an amount is in another currency than the document.
	CodeMixedCurrencies = "mixed-currencies"
	// CodeUnitMismatch: the price is for another unit than the quantity's.
	CodeUnitMismatch = "unit-mismatch"
)

// Codes of documents that can be read and computed, and are not supported.
const (
	// CodeSubLines: a line has lines below it.
	CodeSubLines = "sub-lines"
	// CodeThirdPartyPrepayments: the document collects for a third party.
	CodeThirdPartyPrepayments = "third-party-prepayments"
	// CodeWithholdingTax: the buyer is to withhold tax.
	CodeWithholdingTax = "withholding-tax"
	// CodeUnsupportedTax: a category is of another tax than VAT.
	CodeUnsupportedTax = "unsupported-tax-scheme"
	// CodeUnsupportedType: invoices of this type code cannot be entered.
	CodeUnsupportedType = "unsupported-type"
	// CodeUnsupported: another element that changes what the amounts mean.
	CodeUnsupported = "unsupported-structure"
)

// Codes of documents whose figures are not what follows from their lines.
const (
	// CodeTotalsDiffer: one of the five totals differs.
	CodeTotalsDiffer = "totals-differ"
	// CodeLinesDiffer: the totals agree, and the amount of a line differs.
	CodeLinesDiffer = "lines-differ"
	// CodeBreakdownDiffers: totals and lines agree, and the tax breakdown differs.
	CodeBreakdownDiffers = "breakdown-differs"
	// CodeDifferenceTooLarge: a difference is one whole unit of the currency or
	// more, or cannot stand in the rounding amount.
	CodeDifferenceTooLarge = "difference-too-large"
)

// Codes of documents that the book does not take; others are those of its rules.
const (
	// CodeForeignCurrency: a credit note is in another currency than its invoice.
	CodeForeignCurrency = "foreign-currency"
	// CodeRateMissing: the document is in another currency than the book's, whose
	// rate was not given.
	CodeRateMissing = "rate-missing"
	// CodeOtherSupplier: the supplier is not the book's seller.
	CodeOtherSupplier = "other-supplier"
	// CodeUnknownInvoice: the invoice that is credited is not in the book.
	CodeUnknownInvoice = "unknown-invoice"
)
