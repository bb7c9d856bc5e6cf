// Package credit is credit notes: on an invoice, or on account with a reason.
//
// A credit note on an invoice takes back, at the invoice's own categories and
// rates, no more than was issued at each. It is applied to the invoice's open
// amount first; what exceeds that becomes credit of the customer. A credit note
// on account becomes credit of the customer whole. What was written off of the
// invoice is credited before anything becomes credit of the customer: the
// write-off is taken back to that extent, as package invoice describes.
//
// Tax is rounded once per document, so several credit notes on one invoice may
// together round to a cent more or less than the invoice did. The cent is taken
// out where it appears: no credit note takes back more tax than is left, and
// the one that takes the last of a rate's taxable amount takes the last of its
// tax. Likewise the one that takes the last of all rates takes the invoice's
// rounding amount, unless it states one of its own.
//
// Of a deposit invoice no more is credited than is left to deduct. Lines that name
// a deposit give back what the invoice deducts of it, to be deducted or credited
// again; that may be all that a credit note does.
//
// A credit note on an invoice in another currency than the book's is at the
// invoice's own rate of exchange: of each rate it takes back no more worth than is
// left, and with the last of an amount the last of its worth. One on account has
// a rate of its own.
//
// Refusals, besides those of packages tax, series, field, exchange, book and invoice:
//
//	credit-exists        the id is taken
//	unknown-invoice      no invoice has this id
//	not-issued           the invoice is not issued yet, or was discarded
//	customer-mismatch    the invoice is another customer's
//	before-invoice       the date of issue is before the invoice's
//	before-write-off     the date of issue is before that of the write-off that it takes back
//	rate-not-on-invoice  the invoice has nothing at the category and rate
//	over-credited        more is credited at a category and rate than was issued
//	negative-credit      the amount at a category and rate is below zero
//	no-value             nothing is credited
//	reason-missing       a credit on account needs a reason
//	not-deducted         more would be given back than the invoice deducts
//	not-a-deposit        the credit note is on a deposit, the invoice is none
//	foreign-currency     the credit note is in another currency than the invoice
//	not-on-credit-note   due dates and prepaid amounts do not belong on a credit
//	                     note, nor deposits or a rounding amount on one on account
package credit
