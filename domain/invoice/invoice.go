// Package invoice is the life of an invoice: drafted, approved, issued under a
// number that its series draws in the same commit, and from then on changed by
// nothing: what was wrong is credited. A draft that is edited needs approval
// again; a draft can be discarded.
//
// At issue the document freezes the seller, the buyer, its dates and its text.
// Its totals are those of package tax; a document that package tax refuses is
// refused as a draft already, its totals told in the refusal where there are
// any.
//
// Refusals, besides those of packages tax, series and field:
//
//	unknown-invoice          no invoice has this id
//	invoice-exists           the id is taken
//	unknown-customer         no customer has this id
//	no-book                  the book is not open yet
//	not-a-draft              the draft is approved already
//	not-approved             the draft was not approved since it was last edited
//	already-issued           an issued invoice changes no more
//	discarded                the draft was discarded
//	foreign-currency         an amount, or a deposit invoice, is in another currency than the invoice
//	reference-taken          another document bears the external reference
//	due-before-issue         the due date is before the date of issue
//	invalid-due              due date and days are both given, or out of range
//	seller-vat-id-missing    tax in category S, AE or K needs the seller's VAT id
//	customer-vat-id-missing  categories AE and K need the buyer's VAT id
//	too-many-lines           more than 10,000 lines
//	too-many-adjustments     more than 1,000 allowances and charges on the document or a line
//	too-many-exemptions      more than 20 exemption reasons
//	wrong-text               descriptions are given, but not one for each line
//	amount-overflow          an amount of the document is beyond 10^15 minor units
//	not-issued               the invoice is not issued yet, or was discarded
//	nothing-open             nothing is open of the invoice
//	invalid-amount           the amount is below zero
//	over-written-off         more is written off than is open
//	not-written-off          nothing is written off, so there is nothing to relieve
//	nothing-to-relieve       no tax is left to take back on what was written off
//	before-invoice           the date is before the invoice's, or before it was opened again
//	before-write-off         the date is before that of the write-off or relief
//	not-a-deposit            what would be deducted is not a deposit invoice
//	customer-mismatch        the deposit invoice is another customer's
//	rate-not-on-invoice      the deposit invoice has nothing at the category and rate
//	over-deducted            more would be deducted than is left of the deposit invoice
//	invalid-deduction        a line that deducts is not −1 times an amount, or the second at its rate
//	deposit-deducts          a deposit invoice deducts no other
//	negative-deposit         a deposit invoice gives something back at a category and rate
//
// What will not be paid is written off, tax included. The tax on it is taken
// back by a step of its own, the relief, with a date and a reason: the law says
// when, and whether. Of each rate the relief is the share that the write-off has
// in what is left of the invoice. When the invoice is paid after all, or
// credited, beyond what is open, the write-off is taken back to that extent (it
// is recovered), and of the relief the same share: all of it with the last of
// the write-off. A credit note also takes back what would otherwise be relieved
// beyond what it leaves of a rate.
//
// A deposit invoice asks for money before anything is supplied. Its tax is due
// with it; what it is for is not sold yet. Other invoices deduct it, line by line
// and rate by rate, and never more than is left: what it invoiced, less what was
// credited and what is deducted of it. A draft deducts nothing: the limit stands
// at issue. Tax is computed on what is left after the deduction, once a category
// (BR-CO-17), so that all documents together may have a cent of tax more or less
// than one would. What becomes of the deposit's own claim (paid, written off,
// relieved) is its own matter.
package invoice
